/*-------------------------------------------------------------------------
 * worker.c
 *		One launcher, and for each database with something to do a worker that
 *		ingests, signs, delivers, and goes.
 *
 * Floor 2.  The launcher has no database.  A worker leaves as soon as somebody
 * wants the database or the extension for himself: it asks for their locks
 * between short transactions and never waits for one.  None runs in recovery
 * or during pg_upgrade.
 *
 * A worker leaves the processor to the readers: between two batches it rests,
 * holding nothing, as long as pace.c says, but not while somebody waits for it.
 *
 * Shared, under the mutex: a slot for each database; `wanted` is set by whoever
 * writes, `demands` counted up by seal.checkpoint(), which then waits for
 * `served` to reach it, as long as `batches` grows.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/worker.h"

#include <dirent.h>

#include "access/xact.h"
#include "audit/audit.h"
#include "audit/ingest.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/condition_variable.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define SLOTS				256
#define BATCH				5000	/* entries in one transaction: some 40 ms */
#define REST_LOOK			50		/* ms; is somebody waiting for the database? */
#define LOOK_BETWEEN		1000	/* ms; is a checkpoint due while there is more to take in? */
#define LONGEST_PAUSE		60		/* seconds, after failures */
#define LOOK_AGAIN			60000	/* ms; a checkpoint may be due */
#define PATIENCE			60	/* seconds that who demands a checkpoint waits for the next batch */

typedef struct Slot
{
	Oid			database;		/* InvalidOid: free */
	bool		wanted;
	bool		running;		/* the launcher has started a worker */
	bool		ended_well;		/* told by the worker before it goes */
	int			failures;		/* in a row */
	TimestampTz due;			/* no worker before this, when not wanted */
	TimestampTz not_before;		/* after a failure */
	uint64		demands;
	uint64		served;
	uint64		refused;		/* demands up to this one ended in the error */
	uint64		batches;		/* that were taken in */
	Latch	   *worker;			/* NULL while there is none */
	char		error[WORKER_ERROR_BYTES];	/* of the last run; empty: none */
	int			undelivered;	/* failures of seal.checkpoint_command, in a row */
	TimestampTz deliver_after;	/* no earlier, after such a failure */
	char		delivery_error[WORKER_ERROR_BYTES];	/* of the last of them */
} Slot;

typedef struct Shared
{
	slock_t		mutex;
	Latch	   *launcher;		/* NULL while there is none */
	ConditionVariable changed;
	Slot		slots[SLOTS];
} Shared;

static Shared *shared = NULL;
static int	ingest_interval = 1000;
static bool wake_at_commit = false;
static ProcessUtility_hook_type prev_utility_hook = NULL;
static BackgroundWorkerHandle *handles[SLOTS];	/* the launcher's */

PGDLLEXPORT void pgseal_log_launcher(Datum arg);
PGDLLEXPORT void pgseal_log_worker(Datum arg);

/* ----------
 * Shared memory
 * ----------
 */

/* shared_bytes: of a SharedPart. */
static Size
shared_bytes(void)
{
	return sizeof(Shared);
}

/* start_memory: of a SharedPart. */
static void
start_memory(void *memory, bool found)
{
	shared = memory;
	if (found)
		return;
	SpinLockInit(&shared->mutex);
	ConditionVariableInit(&shared->changed);
}

/* slot_of: the slot of a database, under the mutex; NULL when all are taken. */
static Slot *
slot_of(Oid database)
{
	Slot	   *unused = NULL;

	for (int i = 0; i < SLOTS; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->database == database)
			return slot;
		if (slot->database == InvalidOid && unused == NULL)
			unused = slot;
	}
	if (unused != NULL)
		unused->database = database;
	return unused;
}

/* is_wanted: whoever ends that starts a worker, which finds what was appended before this. */
static bool
is_wanted(const volatile Slot *slot, Oid database)
{
	pg_memory_barrier();
	return slot != NULL && slot->database == database && slot->wanted;
}

/* audit_wake: there is something to ingest in a database; asked after each record, and mostly known already. */
void
audit_wake(Oid database)
{
	static Slot *slot = NULL;

	if (shared == NULL || !OidIsValid(database) || is_wanted(slot, database))
		return;
	SpinLockAcquire(&shared->mutex);
	slot = slot_of(database);
	if (slot != NULL)
		slot->wanted = true;
	SpinLockRelease(&shared->mutex);
}

/* audit_wake_at_commit: the same once what this transaction wrote can be seen. */
void
audit_wake_at_commit(void)
{
	wake_at_commit = true;
}

/* at_end: XactCallback. */
static void
at_end(XactEvent event, void *arg)
{
	if (!wake_at_commit)
		return;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PARALLEL_COMMIT)
		audit_wake(MyDatabaseId);
	if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PARALLEL_PRE_COMMIT &&
		event != XACT_EVENT_PRE_PREPARE)
		wake_at_commit = false;
}

/* commits_prepared: does a command make visible what was prepared? */
static bool
commits_prepared(const PlannedStmt *statement)
{
	return IsA(statement->utilityStmt, TransactionStmt) &&
		castNode(TransactionStmt, statement->utilityStmt)->kind == TRANS_STMT_COMMIT_PREPARED;
}

/* wake_for_prepared: ProcessUtility_hook.  The session that prepared it may be long gone. */
static void
wake_for_prepared(PlannedStmt *statement, const char *query_string, bool read_only_tree,
				  ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
				  DestReceiver *receiver, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = prev_utility_hook ? prev_utility_hook : standard_ProcessUtility;
	bool		wake = commits_prepared(statement);

	(*next) (statement, query_string, read_only_tree, context, params, environment, receiver, completion);
	if (wake)
		audit_wake(MyDatabaseId);
}

/* ----------
 * The launcher
 * ----------
 */

/* wake_folders: databases that have segments from before this start. */
static void
wake_folders(void)
{
	char		path[MAXPGPATH];
	DIR		   *dir;
	struct dirent *item;

	audit_folder(path, InvalidOid);
	get_parent_directory(path);
	dir = AllocateDir(path);
	if (dir == NULL)
		return;
	while ((item = ReadDirExtended(dir, path, LOG)) != NULL)
	{
		if (strspn(item->d_name, "0123456789") == strlen(item->d_name))
			audit_wake((Oid) strtoul(item->d_name, NULL, 10));
	}
	FreeDir(dir);
}

/* wake_all: settings may have changed, which each log is told. */
static void
wake_all(void)
{
	SpinLockAcquire(&shared->mutex);
	for (int i = 0; i < SLOTS && shared->slots[i].database != InvalidOid; i++)
		shared->slots[i].wanted = true;
	SpinLockRelease(&shared->mutex);
}

/* note_end: under the mutex; a worker of this slot has gone. */
static void
note_end(Slot *slot)
{
	slot->running = false;
	if (slot->ended_well)
	{
		slot->failures = 0;
		return;
	}
	slot->failures = Min(slot->failures + 1, 7);
	slot->wanted = true;
	slot->refused = slot->demands;
	slot->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   1000 * Min(1 << (slot->failures - 1), LONGEST_PAUSE));
	if (slot->error[0] == '\0')
		strlcpy(slot->error, "background worker could not start or was ended", WORKER_ERROR_BYTES);
}

/* see_end: has the worker of a slot gone? */
static void
see_end(int number)
{
	Slot	   *slot = &shared->slots[number];
	pid_t		pid;

	if (handles[number] == NULL || GetBackgroundWorkerPid(handles[number], &pid) != BGWH_STOPPED)
		return;
	pfree(handles[number]);
	handles[number] = NULL;
	SpinLockAcquire(&shared->mutex);
	note_end(slot);
	SpinLockRelease(&shared->mutex);
	ConditionVariableBroadcast(&shared->changed);
}

/* is_due: under the mutex; is there something to do in a slot that nobody waits for? */
static bool
is_due(const Slot *slot, TimestampTz now)
{
	return now >= slot->not_before && (slot->wanted || (slot->due != 0 && now >= slot->due));
}

/*
 * take_turn
 *		Under the mutex: shall a worker be started for this slot now?
 *
 *	look		is it time to look for what nobody waits for?
 */
static bool
take_turn(Slot *slot, TimestampTz now, bool look)
{
	bool		demanded = slot->demands > Max(slot->served, slot->refused);

	if (slot->database == InvalidOid || slot->running)
		return false;
	if (!demanded && !(look && is_due(slot, now)))
		return false;
	slot->running = true;
	slot->ended_well = false;
	slot->wanted = false;
	slot->error[0] = '\0';
	return true;
}

/* database_exists: a folder may be left of one that was dropped. */
static bool
database_exists(Oid database)
{
	bool		exists;

	StartTransactionCommand();
	exists = get_database_name(database) != NULL;
	CommitTransactionCommand();
	return exists;
}

/* free_slot: its database is gone. */
static void
free_slot(Slot *slot)
{
	SpinLockAcquire(&shared->mutex);
	memset(slot, 0, sizeof(Slot));
	SpinLockRelease(&shared->mutex);
}

/* start_worker: for the database of a slot. */
static void
start_worker(int number)
{
	Slot	   *slot = &shared->slots[number];
	BackgroundWorker worker = {0};

	if (!database_exists(slot->database))
	{
		audit_set_aside(slot->database);
		free_slot(slot);
		return;
	}
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = Int32GetDatum(number);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "pgseal", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "pgseal_log_worker", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "pgseal log of database %u", slot->database);
	strlcpy(worker.bgw_type, "pgseal log", BGW_MAXLEN);
	if (RegisterDynamicBackgroundWorker(&worker, &handles[number]))
		return;
	handles[number] = NULL;
	SpinLockAcquire(&shared->mutex);
	strlcpy(slot->error, "no background worker is free: raise max_worker_processes", WORKER_ERROR_BYTES);
	note_end(slot);
	SpinLockRelease(&shared->mutex);
	ConditionVariableBroadcast(&shared->changed);
}

/* launch: one round over the slots. */
static void
launch(TimestampTz now, bool look)
{

	for (int i = 0; i < SLOTS; i++)
	{
		bool		turn;

		see_end(i);
		SpinLockAcquire(&shared->mutex);
		turn = take_turn(&shared->slots[i], now, look);
		SpinLockRelease(&shared->mutex);
		if (turn)
			start_worker(i);
	}
}

/* launcher_gone: on_shmem_exit. */
static void
launcher_gone(int code, Datum arg)
{
	SpinLockAcquire(&shared->mutex);
	shared->launcher = NULL;
	SpinLockRelease(&shared->mutex);
}

/* time_left: in ms, rounded up. */
static long
time_left(TimestampTz until)
{
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
}

/*
 * pgseal_log_launcher
 *		Entry point of the launcher.
 *
 * It looks for records once in seal.ingest_interval and when settings change;
 * a worker's end or a demand wakes it too, and starts nothing but what is demanded.
 */
void
pgseal_log_launcher(Datum arg)
{
	TimestampTz next_look = 0;
	TimestampTz now;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SpinLockAcquire(&shared->mutex);
	shared->launcher = MyLatch;
	for (int i = 0; i < SLOTS; i++)
		shared->slots[i].running = false;	/* those of a launcher that died */
	SpinLockRelease(&shared->mutex);
	on_shmem_exit(launcher_gone, (Datum) 0);
	wake_folders();
	for (;;)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 time_left(next_look), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			wake_all();
			next_look = 0;
		}
		MemoryContextSwitchTo(TopMemoryContext);	/* handles outlive a round */
		now = GetCurrentTimestamp();
		launch(now, now >= next_look);
		if (now >= next_look)
			next_look = TimestampTzPlusMilliseconds(now, ingest_interval);
	}
}

/* ----------
 * A worker
 * ----------
 */

/* lock_is_free: could this lock be had, without waiting?  It is given back at once. */
static bool
lock_is_free(LOCKTAG *tag, LOCKMODE mode)
{
	if (LockAcquire(tag, mode, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	LockRelease(tag, mode, false);
	return true;
}

/*
 * worker_is_in_the_way
 *		Does DROP DATABASE or CREATE DATABASE ... TEMPLATE wait for this worker?
 *
 * Both lock the database first, and then wait 5 seconds for others to go.
 */
bool
worker_is_in_the_way(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	return !lock_is_free(&tag, RowExclusiveLock);
}

/*
 * worker_enter
 *		Start a transaction in which the log may be written.
 *
 * False, and no transaction, when the extension is not there or is wanted.  Its
 * lock is kept until the end: DROP EXTENSION takes it first and waits there,
 * with no other lock that could make a deadlock.
 */
bool
worker_enter(void)
{
	LOCKTAG		tag;
	bool		entered;

	if (worker_is_in_the_way())
		return false;
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	entered = seal_in_database();
	if (entered)
	{
		SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, get_extension_oid("pgseal", true), 0);
		entered = LockAcquire(&tag, AccessShareLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
	}
	if (!entered)
	{
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	return entered;
}

/* worker_leave: commit. */
void
worker_leave(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* demand_of: the last demand that was made; is any still unanswered? */
static uint64
demand_of(Slot *slot, bool *unanswered)
{
	uint64		demand;

	SpinLockAcquire(&shared->mutex);
	demand = slot->demands;
	*unanswered = demand > Max(slot->served, slot->refused);
	SpinLockRelease(&shared->mutex);
	return demand;
}

/* is_demanded: does somebody wait for this worker? */
static bool
is_demanded(Slot *slot)
{
	bool		unanswered;

	(void) demand_of(slot, &unanswered);
	return unanswered;
}

/* follow_settings: a worker that rests may live long. */
static void
follow_settings(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

/* rest: for so many milliseconds, unless somebody waits for this worker or for the database. */
static void
rest(Slot *slot, long duration)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), duration);
	long		left;

	while ((left = time_left(until)) > 0 &&
		   !is_demanded(slot) && !worker_is_in_the_way())
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left, REST_LOOK), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		follow_settings();
	}
}

/* deliver: sign what is due, hand it over, remove what it covers; false when the worker has to go. */
static bool
deliver(bool demanded)
{
	if (!worker_enter())
		return false;
	deliver_checkpoint(demanded);
	worker_leave();
	if (!deliver_note(demanded) || !worker_enter())
		return false;
	deliver_remove_segments();
	worker_leave();
	return true;
}

/*
 * deliver_between
 *		What is due while there is more to take in; false when the worker has to go.
 *
 * Not after a failure in this run, and no more than a tenth of the time: a
 * command that hangs must not keep records out of the log.
 */
static bool
deliver_between(Slot *slot, TimestampTz *next_look)
{
	TimestampTz begun = GetCurrentTimestamp();

	if (begun < *next_look || slot->error[0] != '\0')
		return true;
	if (!deliver(false))
		return false;
	*next_look = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
											 Max(LOOK_BETWEEN, 9 * TimestampDifferenceMilliseconds(begun, GetCurrentTimestamp())));
	return true;
}

/*
 * ingest_some
 *		One batch in its transaction; false when the worker has to go.
 *
 *	share		out: of a processor, to go on with; 0 when everything was taken in
 */
static bool
ingest_some(double *share)
{
	char		folder[MAXPGPATH];
	List	   *files;

	if (!worker_enter())
		return false;
	audit_folder(folder, MyDatabaseId);
	files = ingest_files(folder);
	*share = 0;
	if (ingest_batch(files, true, BATCH) >= BATCH)
		*share = pace_share(ingest_untouched(files));
	worker_leave();
	return true;
}

/* count_batch: whoever waits sees that it goes on. */
static void
count_batch(Slot *slot)
{
	SpinLockAcquire(&shared->mutex);
	slot->batches++;
	SpinLockRelease(&shared->mutex);
}

/*
 * ingest_all
 *		Batch after batch; false when the worker has to go.
 *
 *	demand		out: the last demand that this serves
 */
static bool
ingest_all(Slot *slot, uint64 *demand)
{
	TimestampTz next_look = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_BETWEEN);
	double		share;

	do
	{
		TimestampTz begun = GetCurrentTimestamp();
		bool		unanswered;

		*demand = demand_of(slot, &unanswered);
		(void) audit_flush();	/* a close waits for nobody; what is on the disk is taken in all the same */
		if (!ingest_some(&share))
			return false;
		count_batch(slot);
		if (share > 0 && !deliver_between(slot, &next_look))
			return false;
		if (share > 0)
			rest(slot, pace_rest(begun, share));
	} while (share > 0);
	return true;
}

/* tell_start: what the log does not know of this start; false when the worker has to go. */
static bool
tell_start(void)
{
	if (!worker_enter())
		return false;
	start_tell();
	worker_leave();
	return true;
}

/*
 * flush_rest
 *		What could not be brought to a full disk, now that segments were removed.
 */
static void
flush_rest(void)
{
	SealError	error = audit_flush();

	if (error == SEAL_OK)
		return;
	worker_note_error(psprintf("records could not be brought to the disk (SQLSTATE %s)",
							   unpack_sql_state(error_sqlstate(error))));
	audit_wake(MyDatabaseId);
}

/* work: everything that is due; false when the worker has to go. */
static bool
work(Slot *slot, uint64 *demand)
{
	if (!tell_start() || !ingest_all(slot, demand) || !deliver(is_demanded(slot)))
		return false;
	flush_rest();
	return true;
}

/* tell_end: how it went. */
static void
tell_end(Slot *slot, bool well, uint64 demand, const char *error)
{
	SpinLockAcquire(&shared->mutex);
	slot->ended_well = well;
	if (well)
	{
		slot->served = Max(slot->served, demand);
		slot->due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_AGAIN);
		if (slot->undelivered > 0)
			slot->due = Min(slot->due, slot->deliver_after);
	}
	else
		strlcpy(slot->error, error, WORKER_ERROR_BYTES);
	SpinLockRelease(&shared->mutex);
	ConditionVariableBroadcast(&shared->changed);
}

/* fail: tell the error that is being handled, and go. */
static void
fail(Slot *slot, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	HOLD_INTERRUPTS();
	error = CopyErrorData();
	EmitErrorReport();
	FlushErrorState();
	AbortCurrentTransaction();
	tell_end(slot, false, 0, error->message);
	proc_exit(1);
}

/* set_worker: whom to wake when something is demanded. */
static void
set_worker(Slot *slot, Latch *latch)
{
	SpinLockAcquire(&shared->mutex);
	slot->worker = latch;
	SpinLockRelease(&shared->mutex);
}

/* step_back: somebody wants the database or the extension; come again later. */
static void
step_back(Slot *slot)
{
	tell_end(slot, true, 0, NULL);
	audit_wake(slot->database);
}

/* worker_gone: on_shmem_exit. */
static void
worker_gone(int code, Datum arg)
{
	set_worker(&shared->slots[DatumGetInt32(arg)], NULL);
}

/* pgseal_log_worker: entry point of a worker; arg is the number of its slot. */
void
pgseal_log_worker(Datum arg)
{
	Slot	   *slot = &shared->slots[DatumGetInt32(arg)];
	MemoryContext context = CurrentMemoryContext;
	uint64		demand;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	on_shmem_exit(worker_gone, arg);
	BackgroundWorkerInitializeConnectionByOid(slot->database, InvalidOid, 0);
	SetConfigOption("application_name", "pgseal log", PGC_USERSET, PGC_S_SESSION);
	set_worker(slot, MyLatch);
	PG_TRY();
	{
		if (work(slot, &demand))
			tell_end(slot, true, demand, NULL);
		else
			step_back(slot);
	}
	PG_CATCH();
	{
		fail(slot, context);
	}
	PG_END_TRY();
	proc_exit(0);
}

/* ----------
 * Those who wait
 * ----------
 */

/* worker_last_error: of this database; empty when the last run ended well. */
void
worker_last_error(char error[WORKER_ERROR_BYTES])
{
	Slot	   *slot;

	error[0] = '\0';
	SpinLockAcquire(&shared->mutex);
	slot = slot_of(MyDatabaseId);
	if (slot != NULL)
		strlcpy(error, slot->error[0] != '\0' ? slot->error : slot->delivery_error, WORKER_ERROR_BYTES);
	SpinLockRelease(&shared->mutex);
}

/* worker_note_error: of a worker, what went wrong though it goes on. */
void
worker_note_error(const char *error)
{
	Slot	   *slot;

	SpinLockAcquire(&shared->mutex);
	slot = slot_of(MyDatabaseId);
	strlcpy(slot->error, error, WORKER_ERROR_BYTES);
	SpinLockRelease(&shared->mutex);
}

/* worker_may_deliver: not again and again what fails; who demands a checkpoint does not wait. */
bool
worker_may_deliver(bool demanded)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		may;

	SpinLockAcquire(&shared->mutex);
	may = demanded || now >= slot_of(MyDatabaseId)->deliver_after;
	SpinLockRelease(&shared->mutex);
	return may;
}

/* worker_delivered: of a worker, how seal.checkpoint_command ended; NULL: well. */
void
worker_delivered(const char *problem)
{
	TimestampTz now = GetCurrentTimestamp();
	Slot	   *slot;

	SpinLockAcquire(&shared->mutex);
	slot = slot_of(MyDatabaseId);
	slot->undelivered = problem == NULL ? 0 : Min(slot->undelivered + 1, 7);
	slot->deliver_after = problem == NULL ? 0 :
		TimestampTzPlusMilliseconds(now, 1000 * Min(1 << (slot->undelivered - 1), LONGEST_PAUSE));
	strlcpy(slot->delivery_error, problem == NULL ? "" : problem, WORKER_ERROR_BYTES);
	SpinLockRelease(&shared->mutex);
}

/* call: a new demand; wakes the launcher, and a worker that rests; 0 when nobody can serve it. */
static uint64
call(void)
{
	Latch	   *launcher;
	Latch	   *worker;
	Slot	   *slot;
	uint64		demand = 0;

	SpinLockAcquire(&shared->mutex);
	slot = slot_of(MyDatabaseId);
	launcher = shared->launcher;
	worker = slot != NULL ? slot->worker : NULL;
	if (slot != NULL && launcher != NULL)
		demand = ++slot->demands;
	SpinLockRelease(&shared->mutex);
	if (demand != 0)
		SetLatch(launcher);
	if (worker != NULL)
		SetLatch(worker);
	return demand;
}

/* answered: is a demand served or refused?  batches: out, taken in so far. */
static bool
answered(uint64 demand, bool *served, uint64 *batches)
{
	Slot	   *slot;
	bool		refused;

	SpinLockAcquire(&shared->mutex);
	slot = slot_of(MyDatabaseId);
	*served = slot->served >= demand;
	refused = slot->refused >= demand;
	*batches = slot->batches;
	SpinLockRelease(&shared->mutex);
	return *served || refused;
}

/*
 * await
 *		Wait until a demand is answered, or nothing was taken in for as long as patience lasts.
 *
 * True when it is served.  A backlog may take long, and is worked off meanwhile.
 */
static bool
await(uint64 demand)
{
	TimestampTz since = GetCurrentTimestamp();
	uint64		seen = 0;
	uint64		batches;
	bool		served;

	ConditionVariablePrepareToSleep(&shared->changed);
	while (!answered(demand, &served, &batches))
	{
		if (batches != seen)
			since = GetCurrentTimestamp();
		seen = batches;
		if (TimestampDifferenceExceeds(since, GetCurrentTimestamp(), PATIENCE * 1000))
			break;
		(void) ConditionVariableTimedSleep(&shared->changed, 1000, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return served;
}

/*
 * worker_demand
 *		Have everything ingested and signed, and wait for it.
 *
 * 55000 with the worker's error when that fails.  A transaction that holds the
 * lock of the log must not wait here.
 */
void
worker_demand(void)
{
	uint64		demand = call();
	char		error[WORKER_ERROR_BYTES];

	if (demand == 0)
		error_raise(SEAL_E_NO_CHECKPOINT, "the launcher of log workers is not running");
	if (await(demand))
		return;
	worker_last_error(error);
	error_raise(SEAL_E_NO_CHECKPOINT, error[0] != '\0' ? error :
				psprintf("the log took nothing in for %d seconds", PATIENCE));
}

/* register_launcher: one for the server. */
static void
register_launcher(void)
{
	BackgroundWorker launcher = {0};

	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = 10;
	strlcpy(launcher.bgw_library_name, "pgseal", BGW_MAXLEN);
	strlcpy(launcher.bgw_function_name, "pgseal_log_launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_name, "pgseal log launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_type, "pgseal log launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&launcher);
}

/*
 * seal.ingest_interval: how often the launcher looks whether there is anything
 * to ingest; the window in which a record is in a segment only.
 */
void
worker_init(void)
{
	static const SharedPart part = {"pgseal log", shared_bytes, 0, start_memory};

	DefineCustomIntVariable("seal.ingest_interval",
							"Time between two looks for records to take into the log.",
							"Until then a record stands in its segment file only, which is on disk but in no checkpoint.",
							&ingest_interval, 1000, 10, 3600000, PGC_SIGHUP,
							GUC_SUPERUSER_ONLY | GUC_UNIT_MS | GUC_NOT_IN_SAMPLE,
							NULL, NULL, NULL);
	shmem_part(&part);
	RegisterXactCallback(at_end, NULL);
	prev_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = wake_for_prepared;
	deliver_init();
	if (!IsBinaryUpgrade)
		register_launcher();
}
