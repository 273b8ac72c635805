/*-------------------------------------------------------------------------
 * pending.c
 *		Rows of seal.audit_change that are formed and not yet written.
 *
 * Floor 5.  They are written together, when they are many and where a statement,
 * a subtransaction or the transaction ends, whichever comes first: so most of
 * the price of a row is paid once for all of them.  Each subtransaction has its
 * own, as they go with it when it is rolled back.
 *
 * A row is numbered when it is written, while what it tells of is still locked
 * by its transaction: the numbers of one row follow its history.  They are the
 * position of the WAL, NUMBERS_PER_BYTE for each byte of it, as all rows take
 * more WAL than they take numbers.  Other rows may have equal numbers.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "tcop/utility.h"
#include "utils/memutils.h"

#define PENDING_MOST		256
#define PENDING_BYTES		((Size) 256 * 1024)
#define NUMBERS_PER_BYTE	64		/* so 2^57 bytes of WAL can be numbered */

/* The rows of one subtransaction, in the memory of the transaction. */
typedef struct Pending
{
	struct Pending *outer;
	SubTransactionId owner;
	const Watched *watched;		/* of the first row: where they go is the same for all */
	int			count;
	int			numbered;		/* that many have their number */
	Size		bytes;
	HeapTuple	rows[PENDING_MOST];
} Pending;

static Pending *pending = NULL;	/* of the innermost subtransaction that has any */
static TupleTableSlot **slots = NULL;	/* of the transaction, for rows that are written together */
static int64 last_number = 0;	/* that this session gave */

static ExecutorFinish_hook_type prev_finish_hook = NULL;
static ProcessUtility_hook_type prev_utility_hook = NULL;

/* ----------
 * Writing
 * ----------
 */

/* number_rows: those that have none; of the outer ones first, as they are older. */
static void
number_rows(Pending *these, int64 least)
{
	if (these->outer != NULL)
		number_rows(these->outer, least);
	for (; these->numbered < these->count; these->numbered++)
	{
		HeapTupleHeader row = these->rows[these->numbered]->t_data;

		last_number = Max(last_number + 1, least);
		/* the first column, of eight aligned bytes and never null */
		*(int64 *) ((char *) row + row->t_hoff) = last_number;
	}
}

/* fill_slots: one for each row; they serve until the end of the transaction. */
static void
fill_slots(const Pending *these)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);

	if (slots == NULL)
		slots = palloc0(sizeof(TupleTableSlot *) * PENDING_MOST);
	for (int i = 0; i < these->count; i++)
	{
		if (slots[i] == NULL)
			slots[i] = MakeSingleTupleTableSlot(these->watched->change_desc, &TTSOpsHeapTuple);
		ExecStoreHeapTuple(these->rows[i], slots[i], false);
	}
	MemoryContextSwitchTo(before);
}

/* index_rows: in one index of the table. */
static void
index_rows(Relation table, Oid oid, int count)
{
	Relation	index = index_open(oid, RowExclusiveLock);
	IndexInfo  *info = BuildIndexInfo(index);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	if (info->ii_Expressions != NIL || info->ii_Predicate != NIL)
		elog(ERROR, "index \"%s\" of seal.audit_change is not a plain one", RelationGetRelationName(index));
	for (int i = 0; i < count; i++)
	{
		FormIndexDatum(info, slots[i], NULL, values, nulls);
		index_insert(index, values, nulls, &slots[i]->tts_tid, table,
					 index->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
	}
	index_close(index, RowExclusiveLock);
}

/* write_many: to the table and to the indexes that somebody gave it. */
static void
write_many(Relation table, const Pending *these)
{
	List	   *indexes = RelationGetIndexList(table);
	ListCell   *cell;

	fill_slots(these);
	heap_multi_insert(table, slots, these->count, GetCurrentCommandId(true), 0, NULL);
	foreach(cell, indexes)
		index_rows(table, lfirst_oid(cell), these->count);
	list_free(indexes);
}

/* drop_innermost: they are written, or are gone with their subtransaction. */
static void
drop_innermost(void)
{
	Pending    *these = pending;

	pending = these->outer;
	for (int i = 0; i < these->count; i++)
		heap_freetuple(these->rows[i]);
	pfree(these);
}

/* write_pending: the rows of the present subtransaction; one alone, as is usual, in the shortest way. */
static void
write_pending(void)
{
	Relation	table = table_open(pending->watched->change_table, RowExclusiveLock);

	if (RelationGetNumberOfAttributes(table) != CHANGE_COUNT)
		elog(ERROR, "seal.audit_change has %d columns", RelationGetNumberOfAttributes(table));
	number_rows(pending, (int64) GetXLogInsertRecPtr() * NUMBERS_PER_BYTE);
	if (pending->count == 1 && !table->rd_rel->relhasindex)
		heap_insert(table, pending->rows[0], GetCurrentCommandId(true), 0, NULL);
	else
		write_many(table, pending);
	table_close(table, NoLock);
	drop_innermost();
}

/* write_own: of the present subtransaction, when it has any. */
static void
write_own(void)
{
	if (pending != NULL && pending->owner == GetCurrentSubTransactionId())
		write_pending();
}

/* ----------
 * Collecting
 * ----------
 */

/* start_pending: for the present subtransaction. */
static void
start_pending(const Watched *watched)
{
	Pending    *these = MemoryContextAlloc(TopTransactionContext, sizeof(Pending));

	these->outer = pending;
	these->owner = GetCurrentSubTransactionId();
	these->watched = watched;
	these->count = 0;
	these->numbered = 0;
	these->bytes = 0;
	pending = these;
}

/* form_row: with a number that is not its own yet. */
static HeapTuple
form_row(const Watched *watched, Change *change)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);
	HeapTuple	row;

	change_set(change, CHANGE_ID, Int64GetDatum(0));
	row = heap_form_tuple(watched->change_desc, change->values, change->nulls);
	MemoryContextSwitchTo(before);
	return row;
}

/* pending_add: one more row. */
void
pending_add(const Watched *watched, Change *change)
{
	if (pending == NULL || pending->owner != GetCurrentSubTransactionId())
		start_pending(watched);
	pending->rows[pending->count] = form_row(watched, change);
	pending->bytes += pending->rows[pending->count]->t_len;
	pending->count++;
	if (pending->count == PENDING_MOST || pending->bytes >= PENDING_BYTES)
		write_pending();
}

/* ----------
 * When they are written
 * ----------
 */

/*
 * finish_query: ExecutorFinish_hook.  Triggers run in it; those of a query that
 * leaves them to its caller do not.
 */
static void
finish_query(QueryDesc *query)
{
	if (prev_finish_hook)
		(*prev_finish_hook) (query);
	else
		standard_ExecutorFinish(query);
	if ((query->estate->es_top_eflags & EXEC_FLAG_SKIP_TRIGGERS) == 0)
		write_own();
}

/* run_utility: ProcessUtility_hook: COPY and TRUNCATE. */
static void
run_utility(PlannedStmt *command, const char *text, bool read_only_tree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = prev_utility_hook ? prev_utility_hook : standard_ProcessUtility;

	(*next) (command, text, read_only_tree, context, params, environment, dest, completion);
	write_own();
}

/* follow_transaction: XactCallback. */
static void
follow_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		write_own();
	else if (event != XACT_EVENT_PARALLEL_PRE_COMMIT)
	{
		pending = NULL;
		slots = NULL;
	}
}

/* follow_subtransaction: SubXactCallback. */
static void
follow_subtransaction(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_PRE_COMMIT_SUB)
		write_own();
	else if (event == SUBXACT_EVENT_ABORT_SUB && pending != NULL && pending->owner == own)
		drop_innermost();
}

void
pending_init(void)
{
	prev_finish_hook = ExecutorFinish_hook;
	ExecutorFinish_hook = finish_query;
	prev_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = run_utility;
	RegisterXactCallback(follow_transaction, NULL);
	RegisterSubXactCallback(follow_subtransaction, NULL);
}
