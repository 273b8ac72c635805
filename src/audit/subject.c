/*-------------------------------------------------------------------------
 * subject.c
 *		The subjects that an account of a statement opened: how many, and which.
 *
 * Floor 2.  One is kept as it is.  From the second on there is a table of them,
 * up to SUBJECTS_NAMED; those not yet told are told in the next record.  Beyond,
 * they are only counted, by a sketch.
 *
 *		standard error of a count beyond SUBJECTS_NAMED		1.04 / sqrt(4096), 1.6 %
 *		memory of an account								18 kB, and 4 kB for the sketch
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/internal.h"

#include "lib/hyperloglog.h"
#include "utils/memutils.h"

#define SUBJECTS_NAMED	1000
#define SLOTS			2048		/* power of 2, twice as many as are named */
#define SKETCH_BITS		12

struct SubjectSet
{
	uint64		slots[SLOTS];	/* by number, 0: empty */
	int			named;
	uint64		untold[AUDIT_SUBJECTS_MAX];
	int			untold_count;
	bool		sketched;		/* then all are in the sketch */
	hyperLogLogState sketch;
};

/* add_to_sketch: the numbers are random, so they are their own hash. */
static void
add_to_sketch(SubjectSet *set, uint64 subject)
{
	addHyperLogLog(&set->sketch, (uint32) (subject >> 16));
}

/* start_sketch: with all that were named so far. */
static void
start_sketch(SubjectSet *set)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	initHyperLogLog(&set->sketch, SKETCH_BITS);
	MemoryContextSwitchTo(old);
	set->sketched = true;
	for (int i = 0; i < SLOTS; i++)
	{
		if (set->slots[i] != 0)
			add_to_sketch(set, set->slots[i]);
	}
}

/* find_slot: of a subject, or the empty one where it would be. */
static uint64 *
find_slot(SubjectSet *set, uint64 subject)
{
	uint32		i = (uint32) (subject >> 16) & (SLOTS - 1);

	while (set->slots[i] != 0 && set->slots[i] != subject)
		i = (i + 1) & (SLOTS - 1);
	return &set->slots[i];
}

/* add: to a set that has room to tell one more. */
static void
add(SubjectSet *set, uint64 subject)
{
	uint64	   *slot;

	if (set->sketched)
	{
		add_to_sketch(set, subject);
		return;
	}
	slot = find_slot(set, subject);
	if (*slot == subject)
		return;
	if (set->named == SUBJECTS_NAMED)
	{
		start_sketch(set);
		add_to_sketch(set, subject);
		return;
	}
	*slot = subject;
	set->named++;
	set->untold[set->untold_count++] = subject;
}

/*
 * subject_add
 *		A value of this subject is opened.
 *
 * True when as many wait to be told as a record holds: then subject_tell() is due.
 */
bool
subject_add(SubjectCount *count, uint64 subject)
{
	if (subject == 0 || count->last == subject)
		return false;
	count->last = subject;
	if (count->first == 0)
		count->first = subject;
	if (count->first == subject && count->set == NULL)
		return false;
	if (count->set == NULL)
	{
		count->set = MemoryContextAllocZero(TopMemoryContext, sizeof(SubjectSet));
		add(count->set, count->first);
	}
	add(count->set, subject);
	return count->set->untold_count == AUDIT_SUBJECTS_MAX;
}

/* total: how many there were. */
static int64
total(const SubjectCount *count)
{
	if (count->set == NULL)
		return count->first != 0 ? 1 : AUDIT_UNKNOWN;
	return count->set->sketched ?
		Max((int64) estimateHyperLogLog(&count->set->sketch), SUBJECTS_NAMED + 1) : count->set->named;
}

/*
 * subject_tell
 *		Put into a record how many there were so far, and which were not told.
 *
 * What it points to is valid until the next subject_add().
 */
void
subject_tell(AuditRecord *record, const SubjectCount *count)
{
	record->subjects_opened = total(count);
	if (count->set == NULL)
		record->subject = count->first;
	else
	{
		record->subjects = count->set->untold;
		record->subject_count = count->set->untold_count;
	}
}

/* subject_told: the record is stored. */
void
subject_told(SubjectCount *count)
{
	count->set->untold_count = 0;
}

/* subject_forget: the account is closed.  Raises nothing. */
void
subject_forget(SubjectCount *count)
{
	if (count->set != NULL && count->set->sketched)
		freeHyperLogLog(&count->set->sketch);
	if (count->set != NULL)
		pfree(count->set);
	*count = (SubjectCount) {0};
}
