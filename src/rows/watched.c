/*-------------------------------------------------------------------------
 * watched.c
 *		What the audit trigger must know of its table.
 *
 * Floor 5.  Read once, and kept as long as it is true: known.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "keys/keys.h"
#include "types/types.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define WATCH_FUNCTION		"audit"
#define CHANGE_TABLE		"audit_change"

/* watch_function: OID of seal.audit(); InvalidOid when there is none. */
Oid
watch_function(void)
{
	Oid			schema = seal_schema_oid(true);

	if (!OidIsValid(schema))
		return InvalidOid;
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(WATCH_FUNCTION),
						   PointerGetDatum(buildoidvector(NULL, 0)), ObjectIdGetDatum(schema));
}

/* watch_relation_name: qualified and quoted; palloc'd. */
char *
watch_relation_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
}

/* ----------
 * Partitions
 * ----------
 */

/* row_trigger: our trigger for rows on a table, InvalidOid when there is none. */
static Oid
row_trigger(Relation relation)
{
	TriggerDesc *triggers = relation->trigdesc;
	Oid			function = watch_function();

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (triggers->triggers[i].tgfoid == function && TRIGGER_FOR_ROW(triggers->triggers[i].tgtype))
			return triggers->triggers[i].tgoid;
	return InvalidOid;
}

/* parent_of: the trigger that this one is a clone of, and the table of this one. */
static Oid
parent_of(Relation triggers, Oid trigger, Oid *relation)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	Oid			parent = InvalidOid;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
	scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, &key);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
	{
		*relation = ((Form_pg_trigger) GETSTRUCT(row))->tgrelid;
		parent = ((Form_pg_trigger) GETSTRUCT(row))->tgparentid;
	}
	systable_endscan(scan);
	return parent;
}

/*
 * watch_logical_relation
 *		The table that somebody asked to watch: of a partition, its ancestor.
 *
 * Reads catalogs without a lock on the ancestor: a lock taken upwards would
 * cross those that are taken downwards.
 */
Oid
watch_logical_relation(Relation relation)
{
	Oid			found = RelationGetRelid(relation);
	Oid			trigger;
	Relation	triggers;

	if (!relation->rd_rel->relispartition)
		return found;
	triggers = table_open(TriggerRelationId, AccessShareLock);
	for (trigger = row_trigger(relation); OidIsValid(trigger);)
		trigger = parent_of(triggers, trigger, &found);
	table_close(triggers, AccessShareLock);
	return found;
}

/* ----------
 * Columns
 * ----------
 */

/* key_number: of a key among those of the table, added when it is new. */
static int
key_number(Watched *watched, uint32 key_id)
{
	const RingKey *ring = ring_key_by_id(key_id);
	char	   *name = ring != NULL ? pstrdup(NameStr(ring->name)) : psprintf("%u", key_id);
	int			i;

	for (i = 0; i < watched->key_count; i++)
		if (strcmp(TextDatumGetCString(watched->keys[i]), name) == 0)
			return i;
	watched->keys[watched->key_count] = CStringGetTextDatum(name);
	return watched->key_count++;
}

/* print_of: how values of a type become text. */
static Print
print_of(Oid type)
{
	if (type == INT2OID || type == INT4OID || type == INT8OID)
		return PRINT_INTEGER;
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID ? PRINT_TEXT : PRINT_BY_TYPE;
}

/* name_column: its name in all forms that are needed of it. */
static void
name_column(WatchedColumn *column, const char *name)
{
	StringInfoData member;

	initStringInfo(&member);
	appendStringInfoChar(&member, ',');
	escape_json(&member, name);
	appendStringInfoChar(&member, ':');
	column->name.name = pstrdup(name);
	column->name.name_len = strlen(name);
	column->name_text = CStringGetTextDatum(name);
	column->member = member.data;
	column->member_len = member.len;
}

/* read_column: one live column. */
static void
read_column(WatchedColumn *column, Watched *watched, Form_pg_attribute attribute)
{
	int32		typmod = attribute->atttypmod;
	Oid			base = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
	Oid			output;
	bool		is_varlena;

	column->place = attribute->attnum - 1;
	name_column(column, NameStr(attribute->attname));
	column->by_value = attribute->attbyval;
	column->len = attribute->attlen;
	column->print = print_of(base);
	column->sealed = sealed_kind_of_type(base) != SEALED_NONE;
	if (column->sealed)
	{
		column->key = key_number(watched, (uint32) typmod);
		return;
	}
	getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
	fmgr_info_cxt(output, &column->output, watched->context);
}

/* compare_columns: as an image orders them, the short names first. */
static int
compare_columns(const void *a, const void *b)
{
	const AuditColumn *left = &((const WatchedColumn *) a)->name;
	const AuditColumn *right = &((const WatchedColumn *) b)->name;

	if (left->name_len != right->name_len)
		return left->name_len < right->name_len ? -1 : 1;
	return memcmp(left->name, right->name, left->name_len);
}

/* read_columns: the live ones, in the order of an image. */
static void
read_columns(Watched *watched, TupleDesc desc)
{
	watched->columns = palloc0(sizeof(WatchedColumn) * Max(desc->natts, 1));
	watched->keys = palloc(sizeof(Datum) * Max(desc->natts, 1));
	watched->last_chosen = palloc(sizeof(bool) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			read_column(&watched->columns[watched->column_count++], watched, TupleDescAttr(desc, i));
	qsort(watched->columns, watched->column_count, sizeof(WatchedColumn), compare_columns);
}

/* ----------
 * The key of a row
 * ----------
 */

/* is_primary: also when it is deferrable, which the relation's own answer leaves out. */
static bool
is_primary(Oid index)
{
	HeapTuple	row = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	Form_pg_index form;
	bool		primary;

	if (!HeapTupleIsValid(row))
		return false;
	form = (Form_pg_index) GETSTRUCT(row);
	primary = form->indisprimary && form->indisvalid;
	ReleaseSysCache(row);
	return primary;
}

/* row_key_index: the primary key, or else the replica identity; InvalidOid without both. */
static Oid
row_key_index(Relation relation)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;

	foreach(cell, indexes)
		if (is_primary(lfirst_oid(cell)))
			return lfirst_oid(cell);
	return RelationGetReplicaIndex(relation);
}

/* watched_has_row_key: can rows of the table be told apart? */
bool
watched_has_row_key(Relation relation)
{
	return OidIsValid(row_key_index(relation));
}

/* column_at: the column of an attribute number. */
static WatchedColumn *
column_at(Watched *watched, AttrNumber number)
{
	for (int i = 0; i < watched->column_count; i++)
		if (watched->columns[i].place == number - 1)
			return &watched->columns[i];
	elog(ERROR, "no column %d", number);
}

/* read_row_key: the columns of the key, in its order. */
static void
read_row_key(Watched *watched, Relation relation)
{
	Oid			index = row_key_index(relation);
	HeapTuple	row;
	Form_pg_index form;

	if (!OidIsValid(index))
		return;
	row = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for index %u", index);
	form = (Form_pg_index) GETSTRUCT(row);
	watched->row_key = palloc(sizeof(WatchedColumn *) * form->indnkeyatts);
	for (int i = 0; i < form->indnkeyatts; i++)
		watched->row_key[i] = column_at(watched, form->indkey.values[i]);
	watched->row_key_count = form->indnkeyatts;
	ReleaseSysCache(row);
}

/* ----------
 * Keeping it
 * ----------
 */

/* read_log_table: where changes are written. */
static void
read_log_table(Watched *watched)
{
	Relation	table = table_open(seal_relation_oid(CHANGE_TABLE), AccessShareLock);

	if (RelationGetNumberOfAttributes(table) != CHANGE_COUNT)
		elog(ERROR, "seal.audit_change has %d columns", RelationGetNumberOfAttributes(table));
	watched->change_table = RelationGetRelid(table);
	watched->change_desc = CreateTupleDescCopy(RelationGetDescr(table));
	table_close(table, AccessShareLock);
}

/* read_table: everything. */
static void *
read_table(Relation relation, Oid others[KNOWN_OTHERS])
{
	Watched    *watched = palloc0(sizeof(Watched));

	watched->context = CurrentMemoryContext;
	watched->logical = watch_logical_relation(relation);
	watched->relation = CStringGetTextDatum(watch_relation_name(watched->logical));
	watched->is_partition = watched->logical != RelationGetRelid(relation);
	if (watched->is_partition)
		watched->partition = CStringGetTextDatum(watch_relation_name(RelationGetRelid(relation)));
	watched->is_protected = OidIsValid(protection_relation(RelationGetRelid(relation)));
	read_log_table(watched);
	read_columns(watched, RelationGetDescr(relation));
	read_row_key(watched, relation);
	others[0] = watched->logical;
	others[1] = watched->change_table;
	return watched;
}

/*
 * watched_of
 *		What is known of a table that the query has locked.
 *
 * Valid until the end of the transaction.
 */
Watched *
watched_of(Relation relation)
{
	static KnownTables tables = {.name = "pgseal watched tables",.read = read_table};

	return known_of(&tables, relation);
}
