/*-------------------------------------------------------------------------
 * subject_page.c
 *		Rows of seal.subject read around the one that was asked for.
 *
 * Floor 1.  Subjects are made in the order of the rows they are about, so who
 * scans those asks for subjects that lie side by side.  When two rows that
 * were looked up one after the other lie on one page, or on neighbours, all
 * rows of that page are copied: one descent of the index for each page.  What
 * is copied is as stored, neither checked nor opened.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/subject.h"

#include "access/table.h"
#include "access/tableam.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

typedef struct Around
{
	MemoryContext context;		/* of the tuples */
	BlockNumber asked;			/* where the last row was that was asked for */
	int			count;
	int			next;			/* probably asked for next */
	HeapTuple	tuples[MaxHeapTuplesPerPage];
	uint64		numbers[MaxHeapTuplesPerPage];
} Around;

static Around *around = NULL;

/* subject_page_forget: believe none of the copies any more; they stay where they are until others come. */
void
subject_page_forget(void)
{
	if (around == NULL)
		return;
	around->count = 0;
	around->asked = InvalidBlockNumber;
}

/* open_around: at first use. */
static void
open_around(void)
{
	if (around != NULL)
		return;
	around = MemoryContextAllocZero(CacheMemoryContext, sizeof(Around));
	around->context = AllocSetContextCreate(CacheMemoryContext, "pgseal page of subjects",
										  ALLOCSET_SMALL_SIZES);
	around->asked = InvalidBlockNumber;
}

/* subject_page_find: the copy of a row, until the next one is read; NULL when it is not here. */
HeapTuple
subject_page_find(uint64 number)
{
	if (around == NULL)
		return NULL;
	for (int i = 0; i < around->count; i++)
	{
		int			at = (around->next + i) % around->count;

		if (around->numbers[at] == number)
		{
			around->next = at + 1;
			return around->tuples[at];
		}
	}
	return NULL;
}

/* copy_rows: all rows of a block that are there for us. */
static void
copy_rows(Relation table, TableScanDesc scan)
{
	TupleTableSlot *slot = table_slot_create(table, NULL);
	MemoryContext old = MemoryContextSwitchTo(around->context);

	while (around->count < MaxHeapTuplesPerPage &&
		   table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot))
	{
		HeapTuple	tuple = ExecCopySlotHeapTuple(slot);

		around->numbers[around->count] = subject_number(tuple);
		around->tuples[around->count++] = tuple;
	}
	MemoryContextSwitchTo(old);
	ExecDropSingleTupleTableSlot(slot);
}

/* read_block: take the rows of this block in. */
static void
read_block(Relation table, BlockNumber block)
{
	Snapshot	snapshot = subject_snapshot(table);
	ItemPointerData first;
	ItemPointerData last;
	TableScanDesc scan;

	around->count = 0;
	around->next = 0;
	MemoryContextReset(around->context);
	ItemPointerSet(&first, block, FirstOffsetNumber);
	ItemPointerSet(&last, block, MaxOffsetNumber);
	scan = table_beginscan_tidrange(table, snapshot, &first, &last);
	copy_rows(table, scan);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
}

/*
 * subject_page_follow
 *		Note that a row of this block was looked up, and read around it when the
 *		one before was near.
 */
void
subject_page_follow(Relation table, BlockNumber block)
{
	bool		near;

	open_around();
	near = around->asked != InvalidBlockNumber && (block == around->asked || block == around->asked + 1);
	around->asked = block;
	if (near)
		read_block(table, block);
}
