/*-------------------------------------------------------------------------
 * purge.c
 *		Old entries leave the log, their leaves stay.
 *
 * Floor 2.  A purged entry keeps its number, where it was read, and its leaf, so
 * the tree and every proof are as before; without its salt nobody can try out
 * what it said.  The purge is an entry, written in the same transaction.
 *
 * Does not reach backups, nor what was exported.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/audit.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "audit/ingest.h"
#include "audit/internal.h"
#include "audit/log.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(pgseal_purge_audit);

#define MINIMUM_MONTHS	6

/* before: the time that lies an interval back. */
static TimestampTz
before(TimestampTz now, const Interval *interval)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now),
												   IntervalPGetDatum(interval)));
}

/* empty_entry: write an entry back with nothing but its number, its source and its leaf. */
static void
empty_entry(LogWriter *writer, HeapTuple tuple, LogEntry *entry)
{
	for (int i = ENTRY_AT; i < ENTRY_START; i++)
		entry->nulls[i] = true;
	entry->nulls[ENTRY_SALT] = true;
	log_replace(writer, tuple, entry);
}

/* keeps_names: without it, checkpoints under a name that the log had before would be of another log. */
static bool
keeps_names(const LogEntry *entry)
{
	return entry->nulls[ENTRY_START] && !entry->nulls[ENTRY_WHAT] &&
		strcmp(TextDatumGetCString(entry->values[ENTRY_WHAT]), "new_origin") == 0;
}

/*
 * empty_entries
 *		Empty the entries from the first on, up to one that is too young, or that
 *		no delivered checkpoint covers.
 *
 *	end			out: the first entry that stays
 *
 * Returns how many were emptied.
 */
static int64
empty_entries(int64 *end, LogWriter *writer, LogTree *log, TimestampTz cutoff)
{
	int64		delivered = DatumGetInt64(writer->state.values[STATE_DELIVERED_SIZE]);
	SysScanDesc scan = systable_beginscan_ordered(log->entries, log->entry_index, log->snapshot, 0, NULL);
	MemoryContext per_entry = AllocSetContextCreate(CurrentMemoryContext, "pgseal purge", ALLOCSET_DEFAULT_SIZES);
	HeapTuple	tuple;
	int64		emptied = 0;

	*end = 0;
	while (*end < delivered && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		MemoryContext outer = MemoryContextSwitchTo(per_entry);
		LogEntry	entry;

		CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(tuple, RelationGetDescr(log->entries), entry.values, entry.nulls);
		if (!entry.nulls[ENTRY_AT] && DatumGetTimestampTz(entry.values[ENTRY_AT]) >= cutoff)
		{
			MemoryContextSwitchTo(outer);
			break;
		}
		*end = DatumGetInt64(entry.values[ENTRY_NUMBER]) + 1;
		if (!entry.nulls[ENTRY_SALT] && !keeps_names(&entry))
		{
			empty_entry(writer, tuple, &entry);
			emptied++;
		}
		MemoryContextSwitchTo(outer);
		MemoryContextReset(per_entry);
	}
	systable_endscan_ordered(scan);
	MemoryContextDelete(per_entry);
	return emptied;
}

/* append_purge: the entry that tells of it. */
static void
append_purge(LogWriter *writer, int64 end)
{
	AuditRecord record = {.action = AUDIT_PURGE,.outcome = "ok",.what = "purge_audit",
		.detail = psprintf("before=" INT64_FORMAT, end),.at = GetCurrentTimestamp(), AUDIT_NO_COUNTS
	};
	LogEntry	entry;

	audit_who(&record);
	entry_clear(&entry);
	ingest_set_record(&entry, &record);
	log_append(writer, &entry);
}

/* seal.purge_audit(older_than interval, below_minimum boolean) returns bigint */
Datum
pgseal_purge_audit(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz cutoff = before(now, PG_GETARG_INTERVAL_P(0));
	Interval	minimum = {.month = MINIMUM_MONTHS};
	LogWriter	writer;
	LogTree		log;
	int64		emptied;
	int64		end;

	log_require_admin("seal.purge_audit");
	if (cutoff > before(now, &minimum) && !PG_GETARG_BOOL(1))
		error_raise(SEAL_E_RETENTION, NULL);
	log_begin(&writer);
	tree_open(&log, RegisterSnapshot(GetLatestSnapshot()));
	emptied = empty_entries(&end, &writer, &log, cutoff);
	UnregisterSnapshot(log.snapshot);
	tree_close(&log);
	if (emptied > 0)
		append_purge(&writer, end);
	log_finish(&writer);
	PG_RETURN_INT64(emptied);
}
