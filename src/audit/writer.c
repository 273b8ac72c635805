/*-------------------------------------------------------------------------
 * writer.c
 *		A process that brings records to the disk which nobody waits for yet.
 *
 * Floor 2.  A scan asks for its next record ahead and goes on opening values
 * that an earlier one speaks for.  Records that nobody will wait for, such as
 * the end of a statement, are brought out when they have lingered.  Without
 * this process whoever needs a record on the disk brings it there, as always:
 * that is slower, and the last records of an idle server stay in memory.
 *
 * Waking a process costs a scan more than its record does: so while somebody
 * asks, this process does not sleep until it is woken, but looks again and again.
 *
 * It has no database, and runs on a hot standby too.  When the server stops it
 * has the counts of refusals written whose minute is not over.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#define LINGER_MS			100
#define RESTART_SECONDS		1
#define POLL_USECS			50
#define POLLS				100		/* without anybody who asks */

PGDLLEXPORT void pgseal_audit_writer(Datum arg);

/* What each slot had appended when it was looked at last. */
static uint64 seen[SLOT_COUNT];

/* What was asked for at the last look. */
static uint64 asked_before[SLOT_COUNT];

/* wake: the writer, if there is one. */
static void
wake(void)
{
	Latch	   *writer = audit_shared->writer;

	if (writer != NULL)
		SetLatch(writer);
}

/* writer_ask: have the records up to a place on the disk soon. */
void
writer_ask(const Place *place)
{
	pg_atomic_uint64 *asked = &place->slot->asked;
	uint64		before = pg_atomic_read_u64(asked);

	while (before < place->upto && !pg_atomic_compare_exchange_u64(asked, &before, place->upto))
		;
	pg_memory_barrier();		/* it stops polling only before a look at what is asked */
	if (pg_atomic_read_u32(&audit_shared->writer_polls) == 0)
		wake();
}

/* writer_notice: a record was appended that nobody waits for. */
void
writer_notice(void)
{
	pg_memory_barrier();		/* it sleeps only after a look at what is appended */
	if (pg_atomic_read_u32(&audit_shared->writer_sleeps) != 0 &&
		pg_atomic_exchange_u32(&audit_shared->writer_sleeps, 0) != 0)
		wake();
}

/* bring_out: the records of a slot up to a byte; a failure is told once. */
static void
bring_out(int number, uint64 upto)
{
	static bool told[SLOT_COUNT];
	Place		place = {&audit_shared->slots[number], upto};
	bool		stored = write_flush(&place) == SEAL_OK;

	if (!stored && !told[number])
		ereport(LOG, (errmsg("audit records could not be stored, and will be tried again")));
	told[number] = !stored;
}

/* serve_asked: those who go on meanwhile; false when there is nobody. */
static bool
serve_asked(void)
{
	bool		served = false;

	for (int i = 0; i < SLOT_COUNT; i++)
	{
		Slot	   *slot = &audit_shared->slots[i];
		uint64		asked = pg_atomic_read_u64(&slot->asked);

		if (asked == asked_before[i])
			continue;
		asked_before[i] = asked;
		served = true;
		if (pg_atomic_read_u64(&slot->flushed) < asked)
			bring_out(i, asked);
	}
	return served;
}

/* poll: as long as somebody asks, and a little longer. */
static void
poll(void)
{
	if (!serve_asked())
		return;
	pg_atomic_write_u32(&audit_shared->writer_polls, 1);
	for (int left = POLLS; left > 0 && !ShutdownRequestPending && !ConfigReloadPending; left--)
	{
		pg_usleep(POLL_USECS);
		if (serve_asked())
			left = POLLS;
	}
	pg_atomic_write_u32(&audit_shared->writer_polls, 0);
	pg_memory_barrier();		/* who asks after this look wakes */
	(void) serve_asked();
}

/* serve_lingering: what was there at the last look already; true when there is more. */
static bool
serve_lingering(void)
{
	bool		more = false;

	for (int i = 0; i < SLOT_COUNT; i++)
	{
		Slot	   *slot = &audit_shared->slots[i];

		if (pg_atomic_read_u64(&slot->flushed) < seen[i])
			bring_out(i, seen[i]);
		seen[i] = pg_atomic_read_u64(&slot->appended);
		more |= pg_atomic_read_u64(&slot->flushed) < seen[i];
	}
	return more;
}

/* look: how long to sleep now, -1 for until somebody wakes. */
static long
look(void)
{
	static TimestampTz looked_at = 0;
	TimestampTz now;

	poll();
	now = GetCurrentTimestamp();
	if (looked_at != 0 && !TimestampDifferenceExceeds(looked_at, now, LINGER_MS))
		return LINGER_MS;
	pg_atomic_write_u32(&audit_shared->writer_sleeps, 1);
	pg_memory_barrier();		/* who appends after this look wakes */
	looked_at = now;
	if (!serve_lingering())
		return -1;
	pg_atomic_write_u32(&audit_shared->writer_sleeps, 0);
	return LINGER_MS;
}

/* gone: on_shmem_exit. */
static void
gone(int code, Datum arg)
{
	audit_shared->writer = NULL;
	pg_atomic_write_u32(&audit_shared->writer_polls, 0);
}

/* pgseal_audit_writer: entry point. */
void
pgseal_audit_writer(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	on_shmem_exit(gone, (Datum) 0);
	audit_shared->writer = MyLatch;
	while (!ShutdownRequestPending)
	{
		ResetLatch(MyLatch);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, look(), PG_WAIT_EXTENSION);
	}
	audit_settle_refusals(true);
	proc_exit(1);				/* 0 would mean never again */
}

void
writer_init(void)
{
	BackgroundWorker writer = {0};

	if (IsBinaryUpgrade)
		return;
	writer.bgw_flags = BGWORKER_SHMEM_ACCESS;
	writer.bgw_start_time = BgWorkerStart_PostmasterStart;
	writer.bgw_restart_time = RESTART_SECONDS;
	strlcpy(writer.bgw_library_name, "pgseal", BGW_MAXLEN);
	strlcpy(writer.bgw_function_name, "pgseal_audit_writer", BGW_MAXLEN);
	strlcpy(writer.bgw_name, "pgseal audit writer", BGW_MAXLEN);
	strlcpy(writer.bgw_type, "pgseal audit writer", BGW_MAXLEN);
	RegisterBackgroundWorker(&writer);
}
