/*-------------------------------------------------------------------------
 * protect.c
 *		seal.protect(), seal.protect_in_batches() and seal.unprotect().
 *
 * Floor 5.  A table is protected by a row of the ring, by a trigger that fires
 * before a row is written, and by row security.  In one transaction all of it
 * begins and every row is sealed again under a lock that nobody passes.  In
 * batches it begins in a short transaction of that kind, with the row of the ring
 * saying that values without a subject are still to be expected; from then on
 * every row that is written is sealed for its subject, and the others are sealed
 * again a batch at a time, beside readers and writers.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "gate/gate.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(pgseal_protect);
PG_FUNCTION_INFO_V1(pgseal_protect_in_batches);
PG_FUNCTION_INFO_V1(pgseal_unprotect);

/* What the caller wants. */
typedef struct Wanted
{
	Oid			relation;
	NameData	subject_column;
	NameData	subject_type;
	bool		complete;
} Wanted;

/* ----------
 * May it be protected?
 * ----------
 */

/* require_argument: 22004 */
static void
require_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		error_raise(SEAL_E_NO_ARGUMENT, name);
}

/* protect_require_owner: 42501 */
void
protect_require_owner(Oid relation)
{
	if (get_rel_name(relation) == NULL)
		error_raise(SEAL_E_UNKNOWN_RELATION, psprintf("%u", relation));
	if (!compat_owns_relation(relation, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)), get_rel_name(relation));
}

/* is_inherited: has a plain table children, or parents? */
static bool
is_inherited(Relation relation)
{
	return relation->rd_rel->relkind == RELKIND_RELATION &&
		(has_superclass(RelationGetRelid(relation)) ||
		 find_inheritance_children(RelationGetRelid(relation), NoLock) != NIL);
}

/* check_kind: 42809 */
static void
check_kind(Relation relation)
{
	char		kind = relation->rd_rel->relkind;

	if (relation->rd_rel->relispartition)
		error_raise(SEAL_E_PROTECT_PARENT, RelationGetRelationName(relation));
	if ((kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) ||
		relation->rd_rel->relpersistence == RELPERSISTENCE_TEMP || IsSystemRelation(relation) ||
		RelationGetNamespace(relation) == seal_schema_oid(true) || is_inherited(relation))
		error_raise(SEAL_E_NOT_PROTECTABLE, RelationGetRelationName(relation));
}

/* named_attribute: a column of the table; 42703 */
static Form_pg_attribute
named_attribute(Relation relation, const char *name)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), name);

	if (number <= 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("column \"%s\" of relation \"%s\" does not exist", name,
							   RelationGetRelationName(relation))));
	return TupleDescAttr(RelationGetDescr(relation), number - 1);
}

/* names_subject: can values of this type name a subject? */
static bool
names_subject(Oid type)
{
	switch (getBaseType(type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case UUIDOID:
		case TEXTOID:
		case VARCHAROID:
			return true;
		default:
			return false;
	}
}

/* check_computed: what is computed after all triggers is not known in ours.  42P16 */
static void
check_computed(Form_pg_attribute attribute)
{
	if (attribute->attgenerated != '\0')
		error_raise(SEAL_E_PLACE_GENERATED, NameStr(attribute->attname));
}

/* check_subject: the column that names the subject. */
static void
check_subject(Relation relation, const char *name)
{
	Form_pg_attribute attribute = named_attribute(relation, name);

	if (!names_subject(attribute->atttypid))
		error_raise(SEAL_E_SUBJECT_COLUMN, name);
	check_computed(attribute);
}

/* check_key: the table has a primary key that can be part of a place. */
static void
check_key(Relation relation)
{
	AttrNumber	columns[INDEX_MAX_KEYS];
	int			count = place_columns(columns, relation);

	if (count == 0)
		error_raise(SEAL_E_NO_PRIMARY_KEY, RelationGetRelationName(relation));
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), columns[i] - 1);
		PlacePart	part;

		if (!place_part_init(&part, attribute->atttypid, CurrentMemoryContext))
			error_raise(SEAL_E_PLACE_TYPE, format_type_be(attribute->atttypid));
		check_computed(attribute);
	}
}

/* check_deny: row security that lets nobody in would let some in from now on.  55000 */
static void
check_deny(Relation relation)
{
	if (relation->rd_rel->relrowsecurity && !security_lets_in(relation))
		error_raise(SEAL_E_DENIES_ALL, RelationGetRelationName(relation));
}

/* check_tables: the table, and what follows of its partitions. */
static void
check_tables(const Wanted *wanted, List *tables)
{
	Relation	relation = table_open(wanted->relation, NoLock);
	ListCell   *cell;

	check_kind(relation);
	if (ring_protection_of(wanted->relation) != NULL)
		error_raise(SEAL_E_PROTECTED, RelationGetRelationName(relation));
	check_subject(relation, NameStr(wanted->subject_column));
	check_key(relation);
	if (protect_sealed_columns(relation) == NIL)
		error_raise(SEAL_E_NOTHING_SEALED, RelationGetRelationName(relation));
	table_close(relation, NoLock);
	foreach(cell, tables)
	{
		Relation	table = relation_open(lfirst_oid(cell), NoLock);

		if (table->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
			error_raise(SEAL_E_NOT_PROTECTABLE, RelationGetRelationName(table));
		check_deny(table);
		relation_close(table, NoLock);
	}
}

/* check_rows: none is about nobody.  23502 */
static void
check_rows(Relation table, AttrNumber subject)
{
	TupleTableSlot *slot;
	TableScanDesc scan;
	Snapshot	snapshot;

	if (TupleDescAttr(RelationGetDescr(table), subject - 1)->attnotnull)
		return;
	slot = table_slot_create(table, NULL);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	scan = table_beginscan(table, snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		if (slot_attisnull(slot, subject))
			error_raise(SEAL_E_SUBJECT_NULL, NULL);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
}

/* check_subjects: of the rows that are there. */
static void
check_subjects(List *tables, const char *subject)
{
	ListCell   *cell;

	foreach(cell, tables)
	{
		Relation	table = table_open(lfirst_oid(cell), NoLock);

		if (table->rd_rel->relkind == RELKIND_RELATION)
			check_rows(table, get_attnum(RelationGetRelid(table), subject));
		table_close(table, NoLock);
	}
}

/* ----------
 * The row of the ring
 * ----------
 */

/* protect_sealed_columns: names of the sealed columns of a table, as a list of NameData. */
List *
protect_sealed_columns(Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);
	List	   *names = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!attribute->attisdropped &&
			sealed_kind_of_type(getBaseType(attribute->atttypid)) != SEALED_NONE)
			names = lappend(names, &attribute->attname);
	}
	return names;
}

/* random_number: of a column or a protection; positive, and of no other one. */
static int64
random_number(void)
{
	uint64		number;

	do
	{
		randombytes_buf(&number, sizeof(number));
		number &= (uint64) PG_INT64_MAX;
	} while (number == 0);
	return (int64) number;
}

/* protect_set_columns: names and numbers; a column that has a number keeps it. */
void
protect_set_columns(RingRow *row, int count, const NameData *names, const uint64 *numbers)
{
	Datum	   *name_datums = palloc(sizeof(Datum) * Max(count, 1));
	Datum	   *number_datums = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
	{
		name_datums[i] = NameGetDatum(&names[i]);
		number_datums[i] = Int64GetDatum(numbers[i] != 0 ? (int64) numbers[i] : random_number());
	}
	ring_set(row, PROTECTION_COLUMNS, PointerGetDatum(construct_array(name_datums, count, NAMEOID, NAMEDATALEN,
																	  false, TYPALIGN_CHAR)));
	ring_set(row, PROTECTION_NUMBERS, PointerGetDatum(construct_array(number_datums, count, INT8OID, sizeof(int64),
																	  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
}

/* set_new_columns: all of the table. */
static void
set_new_columns(RingRow *row, Oid oid)
{
	Relation	relation = table_open(oid, NoLock);
	List	   *columns = protect_sealed_columns(relation);
	int			count = list_length(columns);
	NameData   *names = palloc(sizeof(NameData) * Max(count, 1));
	uint64	   *numbers = palloc0(sizeof(uint64) * Max(count, 1));

	for (int i = 0; i < count; i++)
		names[i] = *(NameData *) list_nth(columns, i);
	protect_set_columns(row, count, names, numbers);
	table_close(relation, NoLock);
}

/* protect_find_row: the row of a table, if it is to be believed: a change vouches for what it leaves. */
bool
protect_find_row(RingRow *row, Oid relation)
{
	int			next = 0;

	while (ring_next_valid(row, RING_PROTECTION, &next))
		if (DatumGetObjectId(row->values[PROTECTION_RELATION]) == relation)
			return true;
	return false;
}

/* is_stale: does a row of this name belong to a table that went while there was no root? */
static bool
is_stale(const RingRow *row, const char *name)
{
	return strcmp(TextDatumGetCString(row->values[PROTECTION_RELATION_NAME]), name) == 0 &&
		!SearchSysCacheExists1(RELOID, row->values[PROTECTION_RELATION]);
}

/* protect_give_name: to a row; one that has it without a table goes. */
void
protect_give_name(RingEditor *editor, RingRow *row, const char *name)
{
	for (int i = 0; i < ring_rows(RING_PROTECTION); i++)
	{
		RingRow		other;

		ring_row(&other, RING_PROTECTION, i);
		if (is_stale(&other, name))
			ring_delete(editor, &other);
	}
	ring_set(row, PROTECTION_RELATION_NAME, CStringGetTextDatum(name));
}

/* write_protection: an edit of the ring. */
static void
write_protection(RingEditor *editor, void *arg)
{
	Wanted	   *wanted = arg;
	RingRow		row;

	ring_start_row(&row, RING_PROTECTION);
	ring_set(&row, PROTECTION_ID, Int64GetDatum(random_number()));
	ring_set(&row, PROTECTION_RELATION, ObjectIdGetDatum(wanted->relation));
	protect_give_name(editor, &row, ring_relation_name(wanted->relation));
	ring_set(&row, PROTECTION_SUBJECT_TYPE, NameGetDatum(&wanted->subject_type));
	ring_set(&row, PROTECTION_SUBJECT_COLUMN, NameGetDatum(&wanted->subject_column));
	ring_set(&row, PROTECTION_COMPLETE, BoolGetDatum(wanted->complete));
	set_new_columns(&row, wanted->relation);
	ring_write(editor, &row);
}

/* delete_protection: an edit of the ring. */
static void
delete_protection(RingEditor *editor, void *arg)
{
	RingRow		row;

	if (ring_find_protection(&row, *(Oid *) arg))
		ring_delete(editor, &row);
}

/* protect_forget: what the ring says of a table. */
void
protect_forget(Oid relation)
{
	ring_change(delete_protection, &relation);
}

/* complete_protection: an edit of the ring. */
static void
complete_protection(RingEditor *editor, void *arg)
{
	RingRow		row;

	if (!protect_find_row(&row, *(Oid *) arg))
		error_raise(SEAL_E_PROTECTION_CLOSED, get_rel_name(*(Oid *) arg));
	ring_set(&row, PROTECTION_COMPLETE, BoolGetDatum(true));
	ring_write(editor, &row);
}

/* ----------
 * Beginning and ending
 * ----------
 */

/* note: who protects what, and how. */
static void
note(const char *what, const Wanted *wanted)
{
	gate_note(&(GateEvent) {
		.action = "protect",.what = what,
		.detail = psprintf("table=%s column=%s type=%s", watch_relation_name(wanted->relation),
						   NameStr(wanted->subject_column), NameStr(wanted->subject_type))
	});
}

/* begin: everything but the rows that are there.  The caller has locked the tables. */
static void
begin(Wanted *wanted, List *tables)
{
	bool		before;

	check_tables(wanted, tables);
	check_subjects(tables, NameStr(wanted->subject_column));
	ring_change(write_protection, wanted);
	before = follow_pause();
	subject_trigger_add(wanted->relation);
	security_enable(tables);
	follow_resume(before);
	CommandCounterIncrement();
}

/* lock_tables: the table and its partitions, from everybody. */
static List *
lock_tables(Oid relation)
{
	protect_require_owner(relation);
	return find_all_inheritors(relation, AccessExclusiveLock, NULL);
}

/* get_wanted: the first three arguments. */
static void
get_wanted(Wanted *wanted, FunctionCallInfo fcinfo, bool complete)
{
	char	   *type;

	require_argument(fcinfo, 0, "relation");
	require_argument(fcinfo, 1, "subject_column");
	require_argument(fcinfo, 2, "subject_type");
	type = text_to_cstring(PG_GETARG_TEXT_PP(2));
	if (!key_name_fits(type))
		error_raise(SEAL_E_SUBJECT_TYPE, type);
	wanted->relation = PG_GETARG_OID(0);
	wanted->subject_column = *PG_GETARG_NAME(1);
	namestrcpy(&wanted->subject_type, type);
	wanted->complete = complete;
}

/* refresh_views: revealing views show a value in its place, or alone. */
static void
refresh_views(Oid relation)
{
	if (refresh_revealing_views != NULL)
		(*refresh_revealing_views) (relation);
}

/* reseal_tables: all rows; returns how many got other values. */
static uint64
reseal_tables(List *tables, ResealMode mode)
{
	uint64		count = 0;
	ListCell   *cell;

	foreach(cell, tables)
	{
		Relation	table = table_open(lfirst_oid(cell), NoLock);

		if (table->rd_rel->relkind == RELKIND_RELATION)
			count += reseal_rows(table, mode);
		table_close(table, NoLock);
	}
	return count;
}

/* protect_reseal: after a command that left values without a subject; it has locked the table. */
void
protect_reseal(Oid relation)
{
	(void) reseal_tables(find_all_inheritors(relation, AccessExclusiveLock, NULL), RESEAL_REST);
}

/* seal.protect(relation regclass, subject_column name, subject_type text) returns void */
Datum
pgseal_protect(PG_FUNCTION_ARGS)
{
	Wanted		wanted;
	List	   *tables;

	get_wanted(&wanted, fcinfo, true);
	tables = lock_tables(wanted.relation);
	begin(&wanted, tables);
	note("protect", &wanted);
	(void) reseal_tables(tables, RESEAL_ALL);
	refresh_views(wanted.relation);
	PG_RETURN_VOID();
}

/* seal.unprotect(relation regclass) returns void */
Datum
pgseal_unprotect(PG_FUNCTION_ARGS)
{
	Wanted		wanted;
	const RingProtection *ring;
	List	   *tables;
	bool		before;

	require_argument(fcinfo, 0, "relation");
	wanted.relation = PG_GETARG_OID(0);
	tables = lock_tables(wanted.relation);
	ring = ring_protection_of(wanted.relation);
	if (ring == NULL)
		error_raise(SEAL_E_NOT_PROTECTED, get_rel_name(wanted.relation));
	wanted.subject_column = ring->subject_column;
	wanted.subject_type = ring->subject_type;
	note("unprotect", &wanted);
	(void) reseal_tables(tables, RESEAL_RELEASE);
	protect_forget(wanted.relation);
	before = follow_pause();
	subject_trigger_remove(wanted.relation);
	security_disable(tables);
	follow_resume(before);
	CommandCounterIncrement();
	refresh_views(wanted.relation);
	PG_RETURN_VOID();
}

/* ----------
 * In batches
 * ----------
 */

/* require_no_transaction: batches are committed one by one.  25001 */
static void
require_no_transaction(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
						errmsg("%s cannot run inside a transaction block", "seal.protect_in_batches()")));
}

/* is_going_on: was this begun before?  42710 when it was begun for other subjects. */
static bool
is_going_on(const Wanted *wanted)
{
	const RingProtection *ring = ring_protection_of(wanted->relation);

	if (ring == NULL)
		return false;
	if (namestrcmp((Name) &ring->subject_column, NameStr(wanted->subject_column)) != 0 ||
		namestrcmp((Name) &ring->subject_type, NameStr(wanted->subject_type)) != 0)
		error_raise(SEAL_E_PROTECTED, get_rel_name(wanted->relation));
	return true;
}

/* begin_in_batches: unless that was done before; returns the tables that have rows. */
static List *
begin_in_batches(Wanted *wanted)
{
	List	   *tables;

	protect_require_owner(wanted->relation);
	if (!is_going_on(wanted))
	{
		tables = lock_tables(wanted->relation);
		if (!is_going_on(wanted))
		{
			begin(wanted, tables);
			note("protect", wanted);
			refresh_views(wanted->relation);
		}
	}
	return find_all_inheritors(wanted->relation, AccessShareLock, NULL);
}

/* end_in_batches: every value has its subject. */
static void
end_in_batches(Wanted *wanted)
{
	protect_require_owner(wanted->relation);
	if (!is_going_on(wanted))
		error_raise(SEAL_E_NOT_PROTECTED, get_rel_name(wanted->relation));
	ring_change(complete_protection, &wanted->relation);
	note("complete", wanted);
}

/* start_table: how far it reaches now; rows that come later are sealed by the trigger. */
static bool
start_table(ResealProgress *progress, Oid oid)
{
	Relation	table = try_table_open(oid, AccessShareLock);

	progress->page = 0;
	progress->pages = 0;
	if (table == NULL)
		return false;
	if (table->rd_rel->relkind == RELKIND_RELATION)
		progress->pages = RelationGetNumberOfBlocks(table);
	table_close(table, AccessShareLock);
	return progress->pages > 0;
}

/* next_batch: of a table that may be gone meanwhile. */
static uint64
next_batch(Oid oid, ResealProgress *progress, int batch, ResealMode mode)
{
	Relation	table = try_table_open(oid, RowExclusiveLock);
	uint64		count;

	if (table == NULL)
	{
		progress->page = progress->pages;
		return 0;
	}
	protect_require_owner(protection_relation(oid));
	count = reseal_batch(table, progress, batch, mode);
	table_close(table, NoLock);
	return count;
}

/* reseal_in_batches: one table, each batch in a transaction of its own. */
static void
reseal_in_batches(Oid oid, int batch, ResealMode mode)
{
	ResealProgress progress;
	uint64		count = 0;

	if (!start_table(&progress, oid))
		return;
	while (progress.page < progress.pages)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		count += next_batch(oid, &progress, batch, mode);
		PopActiveSnapshot();
		SPI_commit();
		ereport(NOTICE, (errmsg("\"%s\": page %u of %u, " UINT64_FORMAT " rows sealed",
								get_rel_name(oid), progress.page, progress.pages, count)));
	}
}

/* seal.protect_in_batches(relation regclass, subject_column name, subject_type text, batch_size integer) */
Datum
pgseal_protect_in_batches(PG_FUNCTION_ARGS)
{
	Wanted		wanted;
	List	   *tables;
	ListCell   *cell;
	int			batch;
	ResealMode	mode;

	require_no_transaction(fcinfo);
	get_wanted(&wanted, fcinfo, false);
	require_argument(fcinfo, 3, "batch_size");
	batch = PG_GETARG_INT32(3);
	if (batch < 1)
		error_raise(SEAL_E_BATCH_SIZE, NULL);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PushActiveSnapshot(GetTransactionSnapshot());
	tables = begin_in_batches(&wanted);
	PopActiveSnapshot();
	mode = ring_protection_of(wanted.relation)->complete ? RESEAL_STRAY : RESEAL_REST;
	SPI_commit();
	foreach(cell, tables)
		reseal_in_batches(lfirst_oid(cell), batch, mode);
	PushActiveSnapshot(GetTransactionSnapshot());
	end_in_batches(&wanted);
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_VOID();
}
