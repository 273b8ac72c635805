/*-------------------------------------------------------------------------
 * follow.c
 *		What happens to a protected table, and what its protection makes of it.
 *
 * Floor 5.  Hooks take note while a command is at work, and settle it when the
 * command is done: names are carried over, new sealed columns are protected too,
 * a partition that came gets row security, a table that went leaves the ring.
 * What would end the protection by another way than seal.unprotect() is refused.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "gate/gate.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* The last trigger before a row: PostgreSQL fires them by name. */
#define SUBJECT_TRIGGER		"~seal_subject"
#define SUBJECT_FUNCTION	"subject"

/* What happened to a table, a bit mask. */
#define HAPPENED_NAME		0x01
#define HAPPENED_COLUMNS	0x02
#define HAPPENED_KEY		0x04
#define HAPPENED_TRIGGER	0x08
#define HAPPENED_PARTITION	0x10
#define HAPPENED_PARENT		0x20

/* A column that was renamed, changed or dropped. */
typedef struct ColumnChange
{
	NameData	before;
	NameData	after;			/* empty: dropped */
	Oid			old_type;
	int32		old_typmod;
	Oid			new_type;
	int32		new_typmod;
} ColumnChange;

/* A table that something happened to; InvalidOid stands for the name of a schema. */
typedef struct Followed
{
	Oid			relation;
	int			what;			/* mask of HAPPENED_ */
	List	   *columns;		/* of ColumnChange */
	List	   *key;			/* numbers of the columns of a primary key that went */
} Followed;

/* What an edit of the ring is to do. */
typedef struct Settling
{
	const Followed *followed;
	bool		reseal;			/* out: rows may hold values without a subject */
} Settling;

static object_access_hook_type prev_object_access_hook = NULL;
static ProcessUtility_hook_type prev_process_utility_hook = NULL;
static List *happened = NIL;	/* of Followed, in TopTransactionContext */
static bool at_work = false;	/* protect() and unprotect() know what they do */

/* ----------
 * The trigger
 * ----------
 */

/* subject_function: OID of seal.subject(); InvalidOid when there is none. */
static Oid
subject_function(void)
{
	Oid			schema = seal_schema_oid(true);

	if (!OidIsValid(schema))
		return InvalidOid;
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(SUBJECT_FUNCTION),
						   PointerGetDatum(buildoidvector(NULL, 0)), ObjectIdGetDatum(schema));
}

/* fires_late: does a trigger come between ours and the row? */
static bool
fires_late(Form_pg_trigger trigger)
{
	return trigger->tgenabled != TRIGGER_DISABLED && TRIGGER_FOR_BEFORE(trigger->tgtype) &&
		TRIGGER_FOR_ROW(trigger->tgtype) &&
		(TRIGGER_FOR_INSERT(trigger->tgtype) || TRIGGER_FOR_UPDATE(trigger->tgtype)) &&
		strcmp(NameStr(trigger->tgname), SUBJECT_TRIGGER) > 0;
}

/*
 * find_subject_trigger
 *		Ours on a table; InvalidOid when there is none.  2BP01 when another one
 *		would fire after it.
 */
static Oid
find_subject_trigger(Oid relation)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	Oid			function = subject_function();
	Oid			found = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, SnapshotSelf, 1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(row);

		if (form->tgfoid == function && strcmp(NameStr(form->tgname), SUBJECT_TRIGGER) == 0)
			found = form->oid;
		else if (fires_late(form))
			error_raise(SEAL_E_LATE_TRIGGER, pstrdup(NameStr(form->tgname)));
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return found;
}

/* subject_trigger_add: enabled always; PostgreSQL clones it to partitions. */
void
subject_trigger_add(Oid relation)
{
	CreateTrigStmt *statement = makeNode(CreateTrigStmt);

	(void) find_subject_trigger(relation);
	statement->trigname = pstrdup(SUBJECT_TRIGGER);
	statement->row = true;
	statement->timing = TRIGGER_TYPE_BEFORE;
	statement->events = TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE;
	(void) CreateTriggerFiringOn(statement, NULL, relation, InvalidOid, InvalidOid, InvalidOid,
								 subject_function(), InvalidOid, NULL, false, false,
								 TRIGGER_FIRES_ALWAYS);
	CommandCounterIncrement();
}

/* subject_trigger_remove: and its clones. */
void
subject_trigger_remove(Oid relation)
{
	Oid			trigger = find_subject_trigger(relation);
	ObjectAddress address;

	if (!OidIsValid(trigger))
		return;
	ObjectAddressSet(address, TriggerRelationId, trigger);
	performDeletion(&address, DROP_RESTRICT, 0);
	CommandCounterIncrement();
}

/* keep_firing: one of ours that would not fire for a subscription does so again; off is off. */
static void
keep_firing(Relation triggers, HeapTuple row)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(row);
	HeapTuple	copy;

	if (form->tgenabled != TRIGGER_FIRES_ON_ORIGIN && form->tgenabled != TRIGGER_FIRES_ON_REPLICA)
		return;
	copy = heap_copytuple(row);
	((Form_pg_trigger) GETSTRUCT(copy))->tgenabled = TRIGGER_FIRES_ALWAYS;
	CatalogTupleUpdate(triggers, &copy->t_self, copy);
	CacheInvalidateRelcacheByRelid(form->tgrelid);
	heap_freetuple(copy);
}

/* triggers_keep_firing: those of seal.subject() and seal.audit(); ENABLE TRIGGER ALL, as in a restore, says less than they need. */
static void
triggers_keep_firing(Oid relation)
{
	Relation	triggers = table_open(TriggerRelationId, RowExclusiveLock);
	Oid			subject = subject_function();
	Oid			audit = watch_function();
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		Oid			function = ((Form_pg_trigger) GETSTRUCT(row))->tgfoid;

		if (function == subject || function == audit)
			keep_firing(triggers, row);
	}
	systable_endscan(scan);
	table_close(triggers, RowExclusiveLock);
	CommandCounterIncrement();
}

/* ----------
 * Taking note
 * ----------
 */

/* follow_pause: what follows is our own doing; returns what follow_resume() wants. */
bool
follow_pause(void)
{
	bool		before = at_work;

	at_work = true;
	return before;
}

void
follow_resume(bool before)
{
	at_work = before;
}

/* followed_table: its entry, made when there is none. */
static Followed *
followed_table(Oid relation)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	Followed   *followed;
	ListCell   *cell;

	foreach(cell, happened)
	{
		followed = lfirst(cell);
		if (followed->relation == relation)
		{
			MemoryContextSwitchTo(before);
			return followed;
		}
	}
	followed = palloc0(sizeof(Followed));
	followed->relation = relation;
	happened = lappend(happened, followed);
	MemoryContextSwitchTo(before);
	return followed;
}

/* take_note: something happened to a table. */
static Followed *
take_note(Oid relation, int what)
{
	Followed   *followed = followed_table(relation);

	followed->what |= what;
	return followed;
}

/* current_attribute: a column as it stands in this very moment; NULL when it is gone. */
static HeapTuple
current_attribute(Oid relation, int column)
{
	Relation	attributes = table_open(AttributeRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&keys[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	ScanKeyInit(&keys[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(column));
	scan = systable_beginscan(attributes, AttributeRelidNumIndexId, true, SnapshotSelf, 2, keys);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
		row = heap_copytuple(row);
	systable_endscan(scan);
	table_close(attributes, AccessShareLock);
	return row;
}

/* describe_change: what a column was, from the cache, and what it is; false when nothing of that changed. */
static bool
describe_change(ColumnChange *change, Oid relation, int column, bool dropped)
{
	HeapTuple	before = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(column));
	HeapTuple	after = dropped ? NULL : current_attribute(relation, column);
	Form_pg_attribute form;

	if (!HeapTupleIsValid(before))
		return false;
	form = (Form_pg_attribute) GETSTRUCT(before);
	*change = (ColumnChange)
	{
		.before = form->attname,.old_type = form->atttypid,.old_typmod = form->atttypmod
	};
	ReleaseSysCache(before);
	if (!HeapTupleIsValid(after))
		return dropped;
	form = (Form_pg_attribute) GETSTRUCT(after);
	change->after = form->attname;
	change->new_type = form->atttypid;
	change->new_typmod = form->atttypmod;
	return namestrcmp(&change->before, NameStr(change->after)) != 0 ||
		change->old_type != change->new_type || change->old_typmod != change->new_typmod;
}

/* note_column: one column was changed or dropped. */
static void
note_column(Oid relation, int column, bool dropped)
{
	ColumnChange change;
	MemoryContext before;
	Followed   *followed;

	if (!describe_change(&change, relation, column, dropped))
		return;
	followed = take_note(relation, HAPPENED_COLUMNS);
	before = MemoryContextSwitchTo(TopTransactionContext);
	followed->columns = lappend(followed->columns, memcpy(palloc(sizeof(change)), &change, sizeof(change)));
	MemoryContextSwitchTo(before);
}

/* note_relation: a table or a column of one. */
static void
note_relation(ObjectAccessType access, Oid relation, int column)
{
	if (column > 0 && access == OAT_POST_CREATE)
		(void) take_note(relation, HAPPENED_COLUMNS);
	else if (column > 0)
		note_column(relation, column, access == OAT_DROP);
	else if (access != OAT_POST_CREATE)
		(void) take_note(relation, HAPPENED_NAME);
}

/* note_key: a primary key goes, or is built again; the first one noted is the one there was. */
static void
note_key(HeapTuple constraint)
{
	Followed   *followed = take_note(((Form_pg_constraint) GETSTRUCT(constraint))->conrelid, HAPPENED_KEY);
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	Datum	   *columns;
	int			count;
	bool		null;

	if (followed->key == NIL)
	{
		Datum		key = SysCacheGetAttr(CONSTROID, constraint, Anum_pg_constraint_conkey, &null);

		deconstruct_array(DatumGetArrayTypeP(key), INT2OID, sizeof(int16), true, TYPALIGN_SHORT,
						  &columns, NULL, &count);
		for (int i = 0; i < count; i++)
			followed->key = lappend_int(followed->key, DatumGetInt16(columns[i]));
	}
	MemoryContextSwitchTo(before);
}

/* note_constraint: one goes. */
static void
note_constraint(Oid constraint)
{
	HeapTuple	row = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));

	if (!HeapTupleIsValid(row))
		return;
	if (((Form_pg_constraint) GETSTRUCT(row))->contype == CONSTRAINT_PRIMARY)
		note_key(row);
	ReleaseSysCache(row);
}

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

/* note_trigger: ours, or one that may fire after ours; who stops ours is told as who protects. */
static void
note_trigger(ObjectAccessType access, Oid trigger)
{
	HeapTuple	row = trigger_row(trigger);
	Form_pg_trigger form;

	if (row == NULL)
		return;
	form = (Form_pg_trigger) GETSTRUCT(row);
	(void) take_note(form->tgrelid, HAPPENED_TRIGGER);
	if (form->tgfoid != subject_function())
		return;
	if (access == OAT_POST_CREATE && OidIsValid(form->tgparentid))
		(void) take_note(form->tgrelid, HAPPENED_PARTITION);
	if (access == OAT_POST_ALTER)
		gate_note(&(GateEvent) {
			.action = "protect",.what = "change_trigger",
			.detail = psprintf("table=%s enabled=%c", watch_relation_name(form->tgrelid), form->tgenabled)
		});
}

/* follow_object: object_access_hook.  Whoever was here first goes first. */
static void
follow_object(ObjectAccessType access, Oid class, Oid object, int column, void *arg)
{
	if (prev_object_access_hook)
		(*prev_object_access_hook) (access, class, object, column, arg);
	if (access != OAT_POST_CREATE && access != OAT_POST_ALTER && access != OAT_DROP)
		return;
	if (at_work || creating_extension || IsBinaryUpgrade || !seal_in_database())
		return;
	if (class == RelationRelationId)
		note_relation(access, object, column);
	else if (class == ConstraintRelationId && access == OAT_DROP)
		note_constraint(object);
	else if (class == TriggerRelationId)
		note_trigger(access, object);
	else if (class == InheritsRelationId && access == OAT_POST_ALTER)
		(void) take_note(object, HAPPENED_PARENT);
	else if (class == NamespaceRelationId && access == OAT_POST_ALTER)
		(void) take_note(InvalidOid, HAPPENED_NAME);
}

/* ----------
 * Settling
 * ----------
 */

/* change_of: what happened to a column of this name; NULL when nothing did. */
static const ColumnChange *
change_of(const Followed *followed, const char *before)
{
	ListCell   *cell;

	foreach(cell, followed->columns)
		if (namestrcmp(&((ColumnChange *) lfirst(cell))->before, before) == 0)
			return lfirst(cell);
	return NULL;
}

/* retyped: does a column have another type, or other type modifiers? */
static bool
retyped(const ColumnChange *change)
{
	return change->old_type != change->new_type || change->old_typmod != change->new_typmod;
}

/* keeps_text: is a value the same in a place, and as the name of a subject, in both types? */
static bool
keeps_text(const ColumnChange *change)
{
	PlacePart	before;
	PlacePart	after;

	return place_part_init(&before, change->old_type, CurrentMemoryContext) &&
		place_part_init(&after, change->new_type, CurrentMemoryContext) &&
		before.form == after.form && (after.form == PLACE_INTEGER || after.form == PLACE_TEXT);
}

/* is_key_column: does the primary key have it? */
static bool
is_key_column(Relation relation, const char *name)
{
	AttrNumber	columns[INDEX_MAX_KEYS];
	int			count = place_columns(columns, relation);
	AttrNumber	attribute = get_attnum(RelationGetRelid(relation), name);

	for (int i = 0; i < count; i++)
		if (columns[i] == attribute)
			return true;
	return false;
}

/* check_columns: those that tell a row and its subject stay, and their values say the same.  2BP01, 0A000 */
static void
check_columns(const Followed *followed, Relation relation, const char *subject)
{
	ListCell   *cell;

	foreach(cell, followed->columns)
	{
		const ColumnChange *change = lfirst(cell);
		bool		is_subject = namestrcmp((Name) &change->before, subject) == 0;

		if (NameStr(change->after)[0] == '\0')
		{
			if (is_subject)
				error_raise(SEAL_E_PROTECTION_NEEDS, psprintf("column \"%s\"", NameStr(change->before)));
			continue;
		}
		if ((is_subject || is_key_column(relation, NameStr(change->after))) &&
			retyped(change) && !keeps_text(change))
			error_raise(SEAL_E_PLACE_RETYPED, NameStr(change->after));
	}
}

/* carry_column: the name a column has now; false when it is gone or sealed no more. */
static bool
carry_column(NameData *name, Settling *settling, List *sealed)
{
	const ColumnChange *change = change_of(settling->followed, NameStr(*name));
	ListCell   *cell;

	if (change != NULL)
	{
		*name = change->after;
		settling->reseal |= NameStr(*name)[0] != '\0' && retyped(change);
	}
	foreach(cell, sealed)
		if (namestrcmp(name, NameStr(*(NameData *) lfirst(cell))) == 0)
			return true;
	return false;
}

/* is_listed: among names? */
static bool
is_listed(const NameData *names, int count, const NameData *name)
{
	for (int i = 0; i < count; i++)
		if (namestrcmp((Name) &names[i], NameStr(*name)) == 0)
			return true;
	return false;
}

/* settle_columns: of the ring's row, those that the table has now; true when they are others. */
static bool
settle_columns(RingRow *row, Settling *settling, const RingProtection *ring, List *sealed)
{
	int			most = ring->column_count + list_length(sealed);
	NameData   *names = palloc0(sizeof(NameData) * Max(most, 1));
	uint64	   *numbers = palloc0(sizeof(uint64) * Max(most, 1));
	int			count = 0;
	bool		changed = false;
	ListCell   *cell;

	for (int i = 0; i < ring->column_count; i++)
	{
		names[count] = ring->columns[i];
		numbers[count] = ring->numbers[i];
		if (carry_column(&names[count], settling, sealed))
			count++;
	}
	foreach(cell, sealed)
	{
		if (is_listed(names, count, lfirst(cell)))
			continue;
		names[count++] = *(NameData *) lfirst(cell);
		settling->reseal = true;
	}
	changed = count != ring->column_count;
	for (int i = 0; i < count && !changed; i++)
		changed = numbers[i] != ring->numbers[i] || namestrcmp(&names[i], NameStr(ring->columns[i])) != 0;
	if (changed)
		protect_set_columns(row, count, names, numbers);
	return changed;
}

/* settle_name: of the ring's row; true when the table has another name now. */
static bool
settle_name(RingRow *row, Oid relation, RingEditor *editor)
{
	char	   *name = ring_relation_name(relation);

	if (strcmp(TextDatumGetCString(row->values[PROTECTION_RELATION_NAME]), name) == 0)
		return false;
	if (editor != NULL)
		protect_give_name(editor, row, name);
	return true;
}

/* settle_subject: of the ring's row; true when the column has another name now. */
static bool
settle_subject(RingRow *row, const Followed *followed)
{
	Name		name = DatumGetName(row->values[PROTECTION_SUBJECT_COLUMN]);
	const ColumnChange *change = change_of(followed, NameStr(*name));

	if (change == NULL || namestrcmp(name, NameStr(change->after)) == 0)
		return false;
	ring_set(row, PROTECTION_SUBJECT_COLUMN, NameGetDatum(&change->after));
	return true;
}

/* settle_row: what the ring's row becomes; true when that is something else.  Without an editor: would it? */
static bool
settle_row(RingRow *row, Settling *settling, RingEditor *editor)
{
	const Followed *followed = settling->followed;
	bool		changed = settle_name(row, followed->relation, editor);
	RingProtection ring;
	Relation	relation;

	if ((followed->what & HAPPENED_COLUMNS) == 0 || !protection_copy(&ring, followed->relation))
		return changed;
	relation = table_open(followed->relation, AccessShareLock);
	changed |= settle_subject(row, followed);
	changed |= settle_columns(row, settling, &ring, protect_sealed_columns(relation));
	table_close(relation, NoLock);
	return changed;
}

/* rewrite_protection: an edit of the ring. */
static void
rewrite_protection(RingEditor *editor, void *arg)
{
	Settling   *settling = arg;
	RingRow		row;

	if (protect_find_row(&row, settling->followed->relation) && settle_row(&row, settling, editor))
		ring_write(editor, &row);
}

/* must_rewrite: the ring is changed only when its row is to be another. */
static bool
must_rewrite(const Followed *followed, bool *reseal)
{
	Settling	settling = {followed, false};
	RingRow		row;
	bool		changed = ring_find_protection(&row, followed->relation) && settle_row(&row, &settling, NULL);

	*reseal = settling.reseal;
	return changed;
}

/* same_key: does the table still have the primary key that went? */
static bool
same_key(Relation relation, List *before)
{
	AttrNumber	columns[INDEX_MAX_KEYS];
	int			count = place_columns(columns, relation);

	if (count == 0 || count != list_length(before))
		return false;
	for (int i = 0; i < count; i++)
		if (columns[i] != list_nth_int(before, i))
			return false;
	return true;
}

/* is_below_protected: does a table inherit, other than as a partition, from one that is protected? */
static bool
is_below_protected(Oid relation)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	bool		found = false;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
		found |= ring_protection_of(((Form_pg_inherits) GETSTRUCT(row))->inhparent) != NULL;
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return found && !get_rel_relispartition(relation);
}

/* check_left: is there still all that the protection needs, and nothing above it?  2BP01, 0A000, 42809 */
static void
check_left(const Followed *followed, const RingProtection *ring)
{
	Relation	relation = table_open(followed->relation, AccessShareLock);

	if ((followed->what & HAPPENED_PARENT) && has_superclass(followed->relation))
		error_raise(SEAL_E_PROTECT_INHERITS, RelationGetRelationName(relation));
	check_columns(followed, relation, NameStr(ring->subject_column));
	if ((followed->what & HAPPENED_KEY) && !same_key(relation, followed->key))
		error_raise(SEAL_E_PROTECTION_NEEDS, "primary key");
	if ((followed->what & HAPPENED_TRIGGER) && !OidIsValid(find_subject_trigger(followed->relation)))
		error_raise(SEAL_E_PROTECTION_NEEDS, "trigger \"" SUBJECT_TRIGGER "\"");
	table_close(relation, NoLock);
}

/* settle_table: one that is protected itself. */
static void
settle_table(const Followed *followed, const RingProtection *ring)
{
	Settling	settling = {followed, false};

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(followed->relation)))
	{
		/* without a root the row stays behind, and protects nothing */
		if (ring_verify() == SEAL_OK)
			protect_forget(followed->relation);
		return;
	}
	check_left(followed, ring);
	if (must_rewrite(followed, &settling.reseal))
		ring_change(rewrite_protection, &settling);
	if (settling.reseal)
		protect_reseal(followed->relation);
}

/* settle_partition: one that came to a protected table; what inherits otherwise has neither policies nor trigger.  42809 */
static void
settle_partition(const Followed *followed)
{
	if ((followed->what & HAPPENED_PARENT) && is_below_protected(followed->relation))
		error_raise(SEAL_E_PROTECT_INHERITS, get_rel_name(followed->relation));
	if (!OidIsValid(protection_relation(followed->relation)))
		return;
	if ((followed->what & HAPPENED_TRIGGER) && !OidIsValid(find_subject_trigger(followed->relation)))
		error_raise(SEAL_E_PROTECTION_NEEDS, "trigger \"" SUBJECT_TRIGGER "\"");
	if ((followed->what & HAPPENED_PARTITION) == 0)
		return;
	/* in a restore its rows are not there yet, or were this table's before */
	if (check_function_bodies)
		places_check_partition(followed->relation);
	security_enable(list_make1_oid(followed->relation));
}

/* settle_schema: every protected table may have another name. */
static void
settle_schema(void)
{
	List	   *relations = NIL;
	ListCell   *cell;

	for (int i = 0; i < ring_rows(RING_PROTECTION); i++)
	{
		RingRow		row;

		ring_row(&row, RING_PROTECTION, i);
		relations = lappend_oid(relations, DatumGetObjectId(row.values[PROTECTION_RELATION]));
	}
	foreach(cell, relations)
	{
		Followed	followed = {.relation = lfirst_oid(cell),.what = HAPPENED_NAME};
		RingProtection ring;

		if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(followed.relation)) &&
			protection_copy(&ring, followed.relation))
			settle_table(&followed, &ring);
	}
}

/* settle: what a command did. */
static void
settle(List *done)
{
	ListCell   *cell;
	bool		before = follow_pause();

	foreach(cell, done)
	{
		const Followed *followed = lfirst(cell);
		RingProtection ring;

		if (followed->what & HAPPENED_TRIGGER)
			triggers_keep_firing(followed->relation);
		if (!OidIsValid(followed->relation))
			settle_schema();
		else if (protection_copy(&ring, followed->relation))
			settle_table(followed, &ring);
		else if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(followed->relation)))
			settle_partition(followed);
	}
	follow_resume(before);
}

/* settle_command: when it is done, and its changes can be seen. */
static void
settle_command(void)
{
	List	   *done = happened;

	happened = NIL;
	if (done == NIL)
		return;
	CommandCounterIncrement();
	if (seal_in_database())
		settle(done);
}

/* says_other: does USING make other values of a column, than the same in another type? */
static bool
says_other(const AlterTableCmd *command)
{
	const ColumnRef *same = (const ColumnRef *) castNode(ColumnDef, command->def)->raw_default;

	if (same == NULL)
		return false;
	return !IsA(same, ColumnRef) || list_length(same->fields) != 1 || !IsA(linitial(same->fields), String) ||
		strcmp(strVal(linitial(same->fields)), command->name) != 0;
}

/* check_using: a row is rewritten without our trigger: what tells it and its subject stays the same.  0A000 */
static void
check_using(const AlterTableStmt *statement)
{
	Oid			table = RangeVarGetRelid(statement->relation, NoLock, true);
	Oid			logical = OidIsValid(table) ? protection_relation(table) : InvalidOid;
	RingProtection ring;
	Relation	relation;
	ListCell   *cell;

	if (!OidIsValid(logical) || !protection_copy(&ring, logical))
		return;
	relation = table_open(table, AccessShareLock);
	foreach(cell, statement->cmds)
	{
		const AlterTableCmd *command = lfirst(cell);

		if (command->subtype == AT_AlterColumnType && says_other(command) &&
			(namestrcmp(&ring.subject_column, command->name) == 0 || is_key_column(relation, command->name)))
			error_raise(SEAL_E_PLACE_RETYPED, command->name);
	}
	table_close(relation, AccessShareLock);
}

/* check_command: what would be done behind the trigger. */
static void
check_command(const Node *command)
{
	if (IsA(command, AlterTableStmt) && !at_work && !creating_extension && seal_in_database())
		check_using((const AlterTableStmt *) command);
}

/* follow_command: ProcessUtility_hook; commands run inside of one another. */
static void
follow_command(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
			   ProcessUtilityContext context, ParamListInfo params,
			   QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	List	   *outer = happened;
	LocalTransactionId transaction = compat_local_xid();

	check_command(pstmt->utilityStmt);
	happened = NIL;
	PG_TRY();
	{
		if (prev_process_utility_hook)
			(*prev_process_utility_hook) (pstmt, queryString, readOnlyTree, context, params,
										  queryEnv, dest, qc);
		else
			standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
									queryEnv, dest, qc);
		settle_command();
	}
	PG_FINALLY();
	{
		happened = transaction == compat_local_xid() ? outer : NIL;
	}
	PG_END_TRY();
}

/* forget_transaction: XactCallback; the notes are gone with its memory. */
static void
forget_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		happened = NIL;
		at_work = false;
	}
}

/* forget_error: SubXactCallback; whatever was at work is no more. */
static void
forget_error(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		at_work = false;
}

void
follow_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = follow_object;
	prev_process_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = follow_command;
	RegisterXactCallback(forget_transaction, NULL);
	RegisterSubXactCallback(forget_error, NULL);
}
