/*-------------------------------------------------------------------------
 * reseal.c
 *		Sealing again the rows that a table has when its protection begins or ends.
 *
 * Floor 5.  A row is replaced as an UPDATE would replace it, but no trigger of
 * the table fires and no rule is asked: what the row says stays the same.  Tokens
 * stay too, so no unique index and no foreign key can object.  Publications
 * replicate it as an UPDATE.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* What is at work in one table. */
typedef struct Reseal
{
	Relation	table;
	Protected  *protected;
	ResealMode	mode;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *from;
	TupleTableSlot *to;
	MemoryContext row_context;	/* emptied after each row */
	Snapshot	snapshot;
	ErrorContextCallback where;
} Reseal;

/* tell_row: error context; a row is told by where it lies, never by what it says. */
static void
tell_row(void *arg)
{
	const Reseal *reseal = arg;

	if (!TTS_EMPTY(reseal->from))
		errcontext("sealing row (%u,%u) of \"%s\" again",
				   ItemPointerGetBlockNumberNoCheck(&reseal->from->tts_tid),
				   ItemPointerGetOffsetNumberNoCheck(&reseal->from->tts_tid),
				   RelationGetRelationName(reseal->table));
}

/* start: slots, indexes and a snapshot that sees whatever is committed. */
static void
start(Reseal *reseal, Relation table, ResealMode mode)
{
	reseal->table = table;
	reseal->protected = protected_of(table);
	reseal->mode = mode;
	if (reseal->protected == NULL)
		error_raise(SEAL_E_NOT_PROTECTED, RelationGetRelationName(table));
	if (reseal->protected->closed)
		error_raise(SEAL_E_PROTECTION_CLOSED, RelationGetRelationName(table));
	CheckCmdReplicaIdentity(table, CMD_UPDATE);
	reseal->estate = CreateExecutorState();
	reseal->result = makeNode(ResultRelInfo);
	InitResultRelInfo(reseal->result, table, 0, NULL, 0);
	ExecOpenIndices(reseal->result, false);
	reseal->from = table_slot_create(table, NULL);
	reseal->to = table_slot_create(table, NULL);
	reseal->row_context = AllocSetContextCreate(CurrentMemoryContext, "pgseal row", ALLOCSET_DEFAULT_SIZES);
	reseal->snapshot = RegisterSnapshot(GetLatestSnapshot());
	reseal->estate->es_snapshot = reseal->snapshot;
	reseal->where = (ErrorContextCallback)
	{
		.callback = tell_row,.arg = reseal,.previous = error_context_stack
	};
	error_context_stack = &reseal->where;
}

/* finish: and let others see it. */
static void
finish(Reseal *reseal)
{
	error_context_stack = reseal->where.previous;
	UnregisterSnapshot(reseal->snapshot);
	ExecDropSingleTupleTableSlot(reseal->from);
	ExecDropSingleTupleTableSlot(reseal->to);
	ExecCloseIndices(reseal->result);
	FreeExecutorState(reseal->estate);
	MemoryContextDelete(reseal->row_context);
	CommandCounterIncrement();
}

/* release: a value that will have no subject any more; one that belongs elsewhere must not pass as this row's.  22023 */
static bool
release(Datum *value, ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope)
{
	if (envelope->subject == 0)
		return false;
	if (!row_fits(row, column, envelope))
		error_raise(SEAL_E_MISPLACED, NULL);
	*value = PointerGetDatum(value_move(envelope, column->typmod, 0, NULL, 0));
	return true;
}

/*
 * adopt
 *		A value that has the subject of its row or none becomes one of this place.
 *
 * One of another subject stops a beginning protection; in a table where triggers
 * have sealed rows already it is left for seal.verify_places() to name.
 */
static bool
adopt(Datum *value, ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope, ResealMode mode)
{
	if (envelope->subject != 0)
	{
		if (mode == RESEAL_STRAY || row_fits(row, column, envelope))
			return false;
		if (row_subject(row) != envelope->subject)
		{
			if (mode == RESEAL_REST)
				return false;
			error_raise(SEAL_E_MISPLACED, NULL);
		}
	}
	*value = row_seal(row, column, envelope);
	return true;
}

/* reseal_value: true when it becomes another. */
static bool
reseal_value(Datum *value, ProtectedRow *row, const ProtectedColumn *column, ResealMode mode)
{
	Envelope	envelope;
	struct varlena *held;

	if (!sealed_envelope(&envelope, &held, *value) || (envelope.flags & ENVELOPE_TOKEN_ONLY))
		error_raise(SEAL_E_CORRUPT, NULL);
	return mode == RESEAL_RELEASE ? release(value, row, column, &envelope)
		: adopt(value, row, column, &envelope, mode);
}

/* reseal_values: those of the row in `from`; true when `to` has other ones. */
static bool
reseal_values(Reseal *reseal)
{
	Protected  *protected = reseal->protected;
	TupleTableSlot *to = ExecClearTuple(reseal->to);
	int			count = reseal->from->tts_tupleDescriptor->natts;
	ProtectedRow row;
	bool		changed = false;

	slot_getallattrs(reseal->from);
	memcpy(to->tts_values, reseal->from->tts_values, sizeof(Datum) * count);
	memcpy(to->tts_isnull, reseal->from->tts_isnull, sizeof(bool) * count);
	row_start(&row, protected, reseal->from);
	for (int i = 0; i < protected->column_count; i++)
	{
		int			place = protected->columns[i].attribute - 1;

		if (!to->tts_isnull[place])
			changed |= reseal_value(&to->tts_values[place], &row, &protected->columns[i], reseal->mode);
	}
	ExecStoreVirtualTuple(to);
	return changed;
}

/* replace: false when somebody else has just written the row: then the trigger has sealed it. */
static bool
replace(Reseal *reseal)
{
	TM_FailureData failure;
	LockTupleMode lock;
	CompatUpdateIndexes indexes;
	TM_Result	result;

	ExecMaterializeSlot(reseal->to);
	result = table_tuple_update(reseal->table, &reseal->from->tts_tid, reseal->to,
								GetCurrentCommandId(true), reseal->snapshot, InvalidSnapshot,
								true, &failure, &lock, &indexes);
	if (result == TM_Updated || result == TM_Deleted)
		return false;
	if (result != TM_Ok)
		elog(ERROR, "could not seal a row again: %d", (int) result);
	if (reseal->result->ri_NumIndices > 0 && compat_indexes_change(indexes))
		(void) compat_replace_index_tuples(reseal->result, reseal->to, reseal->estate, indexes);
	return true;
}

/* reseal_row: the one in `from`. */
static bool
reseal_row(Reseal *reseal)
{
	MemoryContext before = MemoryContextSwitchTo(reseal->row_context);
	bool		changed = reseal_values(reseal) && replace(reseal);

	MemoryContextSwitchTo(before);
	ExecClearTuple(reseal->to);
	MemoryContextReset(reseal->row_context);
	ResetPerTupleExprContext(reseal->estate);
	CHECK_FOR_INTERRUPTS();
	return changed;
}

/* reseal_rows: all rows of a table that nobody else writes; returns how many got other values. */
uint64
reseal_rows(Relation table, ResealMode mode)
{
	Reseal		reseal;
	TableScanDesc scan;
	uint64		count = 0;

	start(&reseal, table, mode);
	scan = table_beginscan(table, reseal.snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, reseal.from))
		count += reseal_row(&reseal);
	table_endscan(scan);
	finish(&reseal);
	return count;
}

/* range: of the pages that are left. */
static void
range(ItemPointer first, ItemPointer last, const ResealProgress *progress)
{
	ItemPointerSet(first, progress->page, FirstOffsetNumber);
	ItemPointerSet(last, progress->pages - 1, MaxOffsetNumber);
}

/*
 * reseal_batch
 *		Whole pages, until a batch of rows got other values.
 *
 * Beside readers and writers.  Returns how many rows that were; progress tells
 * where the next batch begins.
 */
uint64
reseal_batch(Relation table, ResealProgress *progress, uint64 batch, ResealMode mode)
{
	Reseal		reseal;
	TableScanDesc scan;
	ItemPointerData first;
	ItemPointerData last;
	BlockNumber next = progress->pages;
	uint64		count = 0;

	start(&reseal, table, mode);
	range(&first, &last, progress);
	scan = table_beginscan_tidrange(table, reseal.snapshot, &first, &last);
	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, reseal.from))
	{
		BlockNumber page = ItemPointerGetBlockNumber(&reseal.from->tts_tid);

		if (count >= batch && page != progress->page)
		{
			next = page;
			break;
		}
		progress->page = page;
		count += reseal_row(&reseal);
	}
	progress->page = next;
	table_endscan(scan);
	finish(&reseal);
	return count;
}
