/*-------------------------------------------------------------------------
 * waiting.c
 *		Which of the writes in seal.audit_change to take next.
 *
 * Floor 2.  The table has no index, whose upkeep would cost every writer: it is
 * read as it lies, and the rows with the lowest numbers are remembered, sorted,
 * over as many batches as they last.  What is committed later is no older in
 * the history of a row than what is remembered, so it may wait for the next look.
 *
 * The list is good after a commit only: a worker whose transaction fails ends.
 * A remembered row that is gone, or another one, as after VACUUM FULL, ends the
 * list, and the table is looked at again.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/waiting.h"

#include "access/table.h"
#include "access/tableam.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

#define WAITING_MOST	(512 * 1024)	/* that are remembered: 8 MB, twice that while they are looked for */
#define WAITING_FIRST	1024

/* Where a row stands. */
typedef struct WaitingRow
{
	int64		number;			/* its id, 0 for null */
	ItemPointerData place;
} WaitingRow;

static WaitingRow *rows = NULL;
static int	room = 0;
static int	count = 0;
static int	next = 0;			/* all before it are taken */
static Oid	file = InvalidOid;	/* of the table when it was looked at */
static BlockNumber blocks = 0;	/* that it had */

/* ----------
 * Looking
 * ----------
 */

/* compare_rows: qsort; by number, then by place, as rows that one statement inserts lie. */
static int
compare_rows(const void *a, const void *b)
{
	const WaitingRow *left = a;
	const WaitingRow *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return ItemPointerCompare(unconstify(ItemPointerData *, &left->place),
							  unconstify(ItemPointerData *, &right->place));
}

/* forget: nothing is remembered. */
static void
forget(void)
{
	if (rows != NULL)
		pfree(rows);
	rows = NULL;
	room = count = next = 0;
}

/* keep_lowest: sort, and no more than WAITING_MOST. */
static void
keep_lowest(void)
{
	if (count > 0)
		qsort(rows, count, sizeof(WaitingRow), compare_rows);
	count = Min(count, WAITING_MOST);
}

/* make_room: for one more. */
static void
make_room(void)
{
	if (count < room)
		return;
	room = room == 0 ? WAITING_FIRST : room * 2;
	if (rows == NULL)
		rows = MemoryContextAlloc(TopMemoryContext, sizeof(WaitingRow) * room);
	else
		rows = repalloc(rows, sizeof(WaitingRow) * room);
}

/* remember: a row, unless WAITING_MOST others come before it. */
static void
remember(TupleTableSlot *slot, int64 *highest)
{
	bool		isnull;
	Datum		number = slot_getattr(slot, 1, &isnull);
	WaitingRow	row = {.number = isnull ? 0 : DatumGetInt64(number),.place = slot->tts_tid};

	if (row.number > *highest)
		return;
	make_room();
	rows[count++] = row;
	if (count < 2 * WAITING_MOST)
		return;
	keep_lowest();
	*highest = rows[count - 1].number;
}

/* waiting_look: at the whole table; the snapshot sees all that is committed. */
void
waiting_look(Relation changes, Snapshot snapshot)
{
	TupleTableSlot *slot = table_slot_create(changes, NULL);
	TableScanDesc scan = table_beginscan(changes, snapshot, 0, NULL);
	int64		highest = PG_INT64_MAX;

	forget();
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		remember(slot, &highest);
	keep_lowest();
	file = changes->rd_rel->relfilenode;
	blocks = RelationGetNumberOfBlocks(changes);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* ----------
 * Taking
 * ----------
 */

/* waiting_resume: go on with what was found before, unless the table is another one or was cut. */
void
waiting_resume(Relation changes)
{
	if (file != changes->rd_rel->relfilenode || RelationGetNumberOfBlocks(changes) < blocks)
		forget();
}

/* fetch: a row that is remembered; false when it is not there any more. */
static bool
fetch(TupleTableSlot *slot, WaitingRow *row, Relation changes, Snapshot snapshot)
{
	bool		isnull;
	Datum		number;

	if (!table_tuple_fetch_row_version(changes, &row->place, snapshot, slot))
		return false;
	number = slot_getattr(slot, 1, &isnull);
	return (isnull ? 0 : DatumGetInt64(number)) == row->number;
}

/* waiting_next: the next of those that were found, for the caller to take and delete; false for none. */
bool
waiting_next(TupleTableSlot *slot, Relation changes, Snapshot snapshot)
{
	if (next < count && fetch(slot, &rows[next], changes, snapshot))
	{
		next++;
		return true;
	}
	forget();
	return false;
}
