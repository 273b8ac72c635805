/*-------------------------------------------------------------------------
 * watch.c
 *		seal.watch() and seal.unwatch(): the audit triggers of a table.
 *
 * Floor 5.  Two triggers, both enabled always, so that logical replication and
 * session_replication_role do not pass them: one after each row, which
 * PostgreSQL clones to partitions, and one after TRUNCATE, which it does not;
 * each partition gets its own here, when it gets the other.  They fire before
 * other triggers that come after a row, so that the log has a change before
 * the changes that those make.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "gate/gate.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#define ROW_TRIGGER			"0_seal_audit"
#define TRUNCATE_TRIGGER	"0_seal_audit_truncate"

PG_FUNCTION_INFO_V1(pgseal_watch);
PG_FUNCTION_INFO_V1(pgseal_unwatch);

static object_access_hook_type prev_object_access_hook = NULL;

/* What is found of one of our triggers. */
typedef struct FoundTrigger
{
	Oid			oid;			/* InvalidOid: there is none */
	bool		cloned;			/* goes with the partitioned table's */
	bool		always;
} FoundTrigger;

/* ----------
 * The triggers of a table
 * ----------
 */

/* is_ours: does the trigger call seal.audit()? */
static bool
is_ours(Form_pg_trigger trigger)
{
	return trigger->tgfoid == watch_function();
}

/* find_trigger: one of ours on a table. */
static FoundTrigger
find_trigger(Oid relation, bool for_row)
{
	FoundTrigger found = {InvalidOid, false, false};
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, SnapshotSelf, 1, &key);
	while (!OidIsValid(found.oid) && HeapTupleIsValid(row = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(row);

		if (is_ours(form) && TRIGGER_FOR_ROW(form->tgtype) == for_row)
			found = (FoundTrigger)
		{
			form->oid, OidIsValid(form->tgparentid), form->tgenabled == TRIGGER_FIRES_ALWAYS
		};
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return found;
}

/* add_trigger: enabled always; PostgreSQL clones one for rows to partitions. */
static void
add_trigger(Oid relation, bool for_row)
{
	CreateTrigStmt *statement = makeNode(CreateTrigStmt);

	statement->trigname = pstrdup(for_row ? ROW_TRIGGER : TRUNCATE_TRIGGER);
	statement->row = for_row;
	statement->timing = TRIGGER_TYPE_AFTER;
	statement->events = for_row
		? TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE
		: TRIGGER_TYPE_TRUNCATE;
	(void) CreateTriggerFiringOn(statement, NULL, relation, InvalidOid, InvalidOid, InvalidOid,
								 watch_function(), InvalidOid, NULL, false, false,
								 TRIGGER_FIRES_ALWAYS);
	CommandCounterIncrement();
}

/* remove_trigger: unless there is none; clones go with theirs. */
static void
remove_trigger(FoundTrigger trigger)
{
	ObjectAddress address;

	if (!OidIsValid(trigger.oid) || trigger.cloned)
		return;
	ObjectAddressSet(address, TriggerRelationId, trigger.oid);
	performDeletion(&address, DROP_RESTRICT, 0);
	CommandCounterIncrement();
}

/* ----------
 * Watching
 * ----------
 */

/* lock_table: a table of the caller's, locked as CREATE TRIGGER locks it. */
static void
lock_table(Oid oid)
{
	Relation	relation;
	char		kind;
	bool		fit;

	if (!compat_owns_relation(oid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(oid)), get_rel_name(oid));
	relation = relation_open(oid, ShareRowExclusiveLock);
	kind = relation->rd_rel->relkind;
	fit = (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
		relation->rd_rel->relpersistence != RELPERSISTENCE_TEMP && !IsSystemRelation(relation) &&
		RelationGetNamespace(relation) != seal_schema_oid(true);
	if (!fit)
		error_raise(SEAL_E_NOT_WATCHABLE, RelationGetRelationName(relation));
	/* PostgreSQL drops no trigger of a table that is open */
	relation_close(relation, NoLock);
}

/* clear_partitions: those that were watched by themselves, whose triggers would have the names of the clones. */
static void
clear_partitions(Oid relation)
{
	List	   *tables = find_all_inheritors(relation, ShareRowExclusiveLock, NULL);
	ListCell   *cell;

	foreach(cell, tables)
		remove_trigger(find_trigger(lfirst_oid(cell), true));
}

/* is_watched: by both triggers, and always. */
static bool
is_watched(Oid relation)
{
	return find_trigger(relation, true).always && find_trigger(relation, false).always;
}

/* seal.watch(relation regclass) returns void */
Datum
pgseal_watch(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	const RingKey *key = ring_key_by_name(KEY_AUDIT);

	lock_table(oid);
	if (key == NULL)
		error_raise(SEAL_E_UNKNOWN_KEY, KEY_AUDIT);
	if (is_watched(oid))
		PG_RETURN_VOID();
	if (get_rel_relkind(oid) == RELKIND_PARTITIONED_TABLE)
		clear_partitions(oid);
	if (find_trigger(oid, true).cloned)
		error_raise(SEAL_E_WATCHED_AS_PART, get_rel_name(oid));
	remove_trigger(find_trigger(oid, true));
	remove_trigger(find_trigger(oid, false));
	add_trigger(oid, false);
	add_trigger(oid, true);
	PG_RETURN_VOID();
}

/* seal.unwatch(relation regclass) returns void */
Datum
pgseal_unwatch(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	FoundTrigger trigger;
	List	   *tables;
	ListCell   *cell;

	lock_table(oid);
	trigger = find_trigger(oid, true);
	if (trigger.cloned)
		error_raise(SEAL_E_WATCHED_AS_PART, get_rel_name(oid));
	if (!OidIsValid(trigger.oid) && !OidIsValid(find_trigger(oid, false).oid))
		error_raise(SEAL_E_NOT_WATCHED, get_rel_name(oid));
	remove_trigger(trigger);
	tables = get_rel_relkind(oid) == RELKIND_PARTITIONED_TABLE
		? find_all_inheritors(oid, ShareRowExclusiveLock, NULL) : list_make1_oid(oid);
	foreach(cell, tables)
		remove_trigger(find_trigger(lfirst_oid(cell), false));
	PG_RETURN_VOID();
}

/* ----------
 * What happens to the triggers
 * ----------
 */

/* trigger_row: a copy, as it stands in this very moment; NULL when there is none. */
static HeapTuple
trigger_row(Oid trigger)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(triggers, TriggerOidIndexId, true, SnapshotSelf, 1, &key);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
		row = heap_copytuple(row);
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return row;
}

/* note_trigger: who stops or changes a watch by whatever command is told, as who starts it. */
static void
note_trigger(const char *what, Form_pg_trigger trigger)
{
	gate_note(&(GateEvent) {
		.action = "admin",
		.what = what,
		.detail = psprintf("table=%s trigger=%s enabled=%c", watch_relation_name(trigger->tgrelid),
						   NameStr(trigger->tgname), trigger->tgenabled)
	});
}

/*
 * follow_clone
 *		A partition got the trigger for rows: it gets the other one too.
 *
 * Not while check_function_bodies is off, as in a restore: a dump has both.
 */
static void
follow_clone(Form_pg_trigger trigger)
{
	if (check_function_bodies && TRIGGER_FOR_ROW(trigger->tgtype) &&
		!OidIsValid(find_trigger(trigger->tgrelid, false).oid))
		add_trigger(trigger->tgrelid, false);
}

/*
 * note_end
 *		A watch ends with its trigger for rows.
 *
 * The other trigger goes right after it, or by itself: then that is told too.
 */
static void
note_end(Form_pg_trigger trigger)
{
	if (TRIGGER_FOR_ROW(trigger->tgtype) || OidIsValid(find_trigger(trigger->tgrelid, true).oid))
		note_trigger("unwatch", trigger);
}

/* follow_trigger: one of ours was made, changed, or is about to go. */
static void
follow_trigger(ObjectAccessType access, Oid trigger)
{
	HeapTuple	row = trigger_row(trigger);
	Form_pg_trigger form;

	if (row == NULL || !is_ours((Form_pg_trigger) GETSTRUCT(row)))
		return;
	form = (Form_pg_trigger) GETSTRUCT(row);
	if (access == OAT_POST_ALTER)
		note_trigger("change_watch", form);
	else if (access == OAT_DROP)
		note_end(form);
	else if (OidIsValid(form->tgparentid))
		follow_clone(form);
	else if (TRIGGER_FOR_ROW(form->tgtype))
		note_trigger("watch", form);
}

/* follow_object: object_access_hook.  Whoever was here first goes first. */
static void
follow_object(ObjectAccessType access, Oid class, Oid object, int column, void *arg)
{
	if (prev_object_access_hook)
		(*prev_object_access_hook) (access, class, object, column, arg);
	if (class != TriggerRelationId || IsBinaryUpgrade || !seal_in_database())
		return;
	if (access == OAT_POST_CREATE || access == OAT_POST_ALTER || access == OAT_DROP)
		follow_trigger(access, object);
}

void
watch_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = follow_object;
}

/* rows_init: open the room. */
void
rows_init(void)
{
	known_init();
	change_init();
	pending_init();
	watch_init();
	follow_init();
	security_init();
}
