/*-------------------------------------------------------------------------
 * places.c
 *		seal.verify_places(): does every value of a protected table belong where
 *		it stands?
 *
 * Floor 5.  Nothing that is opened here comes out.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "gate/gate.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define RESULT_COLUMNS	3

PG_FUNCTION_INFO_V1(pgseal_verify_places);

/* What looks at one value; NULL: nothing is wrong with it. */
typedef const char *(*Look) (ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope);

/* What is done with a problem. */
typedef void (*Tell) (TupleTableSlot *slot, const ProtectedColumn *column, const char *problem, void *arg);

/* ----------
 * One value
 * ----------
 */

/* look_at_head: whose is it, and where does it belong? */
static const char *
look_at_head(ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope)
{
	if (envelope->subject == 0)
		return "has no subject";
	if (!row_names_subject(row))
		return "row names no subject";
	if (row_seek_subject(row) == SEAL_E_SUBJECT_CLOSED)
		return "subject is closed";
	if (row_subject(row) != envelope->subject)
		return "belongs to another subject";
	return row_fits(row, column, envelope) ? NULL : "belongs to another row or column";
}

/* look_inside: does it open, too? */
static const char *
look_inside(ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope)
{
	const char *problem = look_at_head(row, column, envelope);

	if (problem != NULL)
		return problem;
	return value_opens(envelope) ? NULL : "does not open";
}

/* problem_of: what is wrong with a value. */
static const char *
problem_of(ProtectedRow *row, const ProtectedColumn *column, Datum value, Look look)
{
	Envelope	envelope;
	struct varlena *held;

	if (!sealed_envelope(&envelope, &held, value) || (envelope.flags & ENVELOPE_TOKEN_ONLY))
		return "is no sealed value";
	return look(row, column, &envelope);
}

/* ----------
 * A table
 * ----------
 */

/* look_at_row: each of its sealed values that is not null. */
static void
look_at_row(Protected *protected, TupleTableSlot *slot, Look look, Tell tell, void *arg)
{
	ProtectedRow row;

	row_start(&row, protected, slot);
	for (int i = 0; i < protected->column_count; i++)
	{
		const ProtectedColumn *column = &protected->columns[i];
		bool		null;
		Datum		value = slot_getattr(slot, column->attribute, &null);
		const char *problem = null ? NULL : problem_of(&row, column, value, look);

		if (problem != NULL)
			tell(slot, column, problem, arg);
	}
}

/* look_at_table: all rows that are there. */
static void
look_at_table(Relation table, Snapshot snapshot, Look look, Tell tell, void *arg)
{
	Protected  *protected = protected_of(table);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "pgseal row", ALLOCSET_DEFAULT_SIZES);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL);

	if (protected == NULL)
		error_raise(SEAL_E_NOT_PROTECTED, RelationGetRelationName(table));
	if (protected->closed)
		error_raise(SEAL_E_PROTECTION_CLOSED, RelationGetRelationName(table));
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext before = MemoryContextSwitchTo(row_context);

		look_at_row(protected, slot, look, tell, arg);
		MemoryContextSwitchTo(before);
		MemoryContextReset(row_context);
		CHECK_FOR_INTERRUPTS();
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(row_context);
}

/* ----------
 * A partition that came
 * ----------
 */

/* refuse_partition: 55000 */
static void
refuse_partition(TupleTableSlot *slot, const ProtectedColumn *column, const char *problem, void *arg)
{
	error_raise(SEAL_E_PARTITION_ROWS, get_rel_name(slot->tts_tableOid));
}

/* places_check_partition: values that it brings along belong where they stand, or it does not come.  55000 */
void
places_check_partition(Oid relation)
{
	Relation	table = table_open(relation, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	if (table->rd_rel->relkind == RELKIND_RELATION)
		look_at_table(table, snapshot, look_at_head, refuse_partition, NULL);
	UnregisterSnapshot(snapshot);
	table_close(table, NoLock);
}

/* ----------
 * seal.verify_places()
 * ----------
 */

/* Where problems are told. */
typedef struct Findings
{
	ReturnSetInfo *result;
	Watched    *watched;		/* prints the keys of rows */
} Findings;

/* tell_problem: one row of the result. */
static void
tell_problem(TupleTableSlot *slot, const ProtectedColumn *column, const char *problem, void *arg)
{
	Findings   *findings = arg;
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false, false, false};

	slot_getallattrs(slot);
	values[0] = CStringGetTextDatum(row_key(findings->watched, slot));
	values[1] = NameGetDatum(&column->name);
	values[2] = CStringGetTextDatum(problem);
	tuplestore_putvalues(findings->result->setResult, findings->result->setDesc, values, nulls);
}

/* verify_table: one that has rows. */
static void
verify_table(Oid oid, ReturnSetInfo *result)
{
	Relation	table = table_open(oid, AccessShareLock);
	Findings	findings = {.result = result};

	if (table->rd_rel->relkind == RELKIND_RELATION)
	{
		findings.watched = watched_of(table);
		look_at_table(table, GetActiveSnapshot(), look_inside, tell_problem, &findings);
	}
	table_close(table, NoLock);
}

/* seal.verify_places(relation regclass) returns table */
Datum
pgseal_verify_places(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			relation;
	SealError	error;
	ListCell   *cell;

	if (PG_ARGISNULL(0))
		error_raise(SEAL_E_NO_RELATION, NULL);
	relation = PG_GETARG_OID(0);
	protect_require_owner(relation);
	if (!OidIsValid(protection_relation(relation)))
		error_raise(SEAL_E_NOT_PROTECTED, get_rel_name(relation));
	error = ring_verify();
	if (error != SEAL_OK)
		ring_raise(error, 0);
	gate_note(&(GateEvent) {
		.action = "protect",.what = "verify_places",
		.detail = psprintf("table=%s", watch_relation_name(relation))
	});
	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, find_all_inheritors(relation, AccessShareLock, NULL))
		verify_table(lfirst_oid(cell), result);
	return (Datum) 0;
}
