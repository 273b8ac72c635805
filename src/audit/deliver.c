/*-------------------------------------------------------------------------
 * deliver.c
 *		Checkpoints: signing one, handing it over, and what may go afterwards.
 *
 * Floor 2.  A checkpoint counts as delivered when seal.checkpoint_command took
 * it, or at once where no command is set.  Only then is a segment removed that
 * it covers: until a copy of the root lies elsewhere, the segments are one.
 * With seal.checkpoint_interval = 0 nobody waits for that.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/audit.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access/table.h"
#include "audit/ingest.h"
#include "audit/internal.h"
#include "audit/log.h"
#include "audit/worker.h"
#include "libpq/pqsignal.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#define COMMAND_TIMEOUT		30000	/* ms; less than who waits in seal.checkpoint() has patience */
#define COMMAND_LOOK		100		/* ms */

static int	checkpoint_interval = 60;
static char *checkpoint_command = NULL;

/*
 * seal.checkpoint_interval, seal.checkpoint_command: how often the tree is
 * signed, and what takes the note to another place.
 */
void
deliver_init(void)
{
	DefineCustomIntVariable("seal.checkpoint_interval",
							"Time between two checkpoints of a log that grows.",
							"0 means never, except on seal.checkpoint(); segments then go as soon as the log has what is in them.",
							&checkpoint_interval, 60, 0, 86400, PGC_SIGHUP,
							GUC_SUPERUSER_ONLY | GUC_UNIT_S | GUC_NOT_IN_SAMPLE,
							NULL, NULL, NULL);
	DefineCustomStringVariable("seal.checkpoint_command",
							   "Shell command that takes a checkpoint to a place outside this server.",
							   "%p is the path of a file with the signed note, from the data directory on. It is repeated until it exits with 0, and stopped after 30 seconds. Empty means that nothing takes checkpoints away.",
							   &checkpoint_command, "", PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
}

/* state_number: a bigint of the state, 0 when it is null. */
static int64
state_number(const LogState *state, StateColumn column)
{
	return state->nulls[column] ? 0 : DatumGetInt64(state->values[column]);
}

/* is_due: is it time for another checkpoint? */
static bool
is_due(const LogState *state, bool demanded)
{
	if (state->tuple == NULL ||
		(state_size(state) == state_number(state, STATE_CHECKPOINT_SIZE) && !state->nulls[STATE_CHECKPOINT]))
		return false;
	if (demanded || (checkpoint_interval > 0 && state->nulls[STATE_CHECKPOINT_AT]))
		return true;
	return checkpoint_interval > 0 &&
		TimestampDifferenceExceeds(DatumGetTimestampTz(state->values[STATE_CHECKPOINT_AT]),
								   GetCurrentTimestamp(), checkpoint_interval * 1000);
}

/* extends_last: does the tree begin with what the last checkpoint covered? */
static bool
extends_last(const LogState *state, const MerkleStore *store)
{
	Checkpoint	last;
	MerkleHash	root;
	const char *note = state_text(state, STATE_CHECKPOINT);

	if (note == NULL)
		return true;
	return sign_verify(&last, note, NULL) == SEAL_OK &&
		merkle_root_at(&root, last.size, store) &&
		memcmp(root.bytes, last.root.bytes, MERKLE_HASH_BYTES) == 0;
}

/* sign_state: a note over the tree as it is. */
static SealError
sign_state(char **note, const LogState *state)
{
	LogTree		tree;
	MerkleStore store;
	MerkleFrontier frontier;
	SealError	error;

	tree_open(&tree, SnapshotSelf);
	store = tree_store(&tree);
	if (!merkle_resume(&frontier, state_size(state), &store))
		error = SEAL_E_LOG_BROKEN;
	else
	{
		error = sign_tree(note, state_text(state, STATE_ORIGIN), &frontier);
		if (error == SEAL_OK && !extends_last(state, &store))
			error = SEAL_E_LOG_BROKEN;
	}
	tree_close(&tree);
	return error;
}

/*
 * deliver_checkpoint
 *		Sign the tree, when it has grown and it is time or somebody asks.
 *
 * Never a tree that does not begin with the last one that was signed: XX001.
 * A root key that is not there is an error only for who asked; the log goes on
 * growing without.
 */
void
deliver_checkpoint(bool demanded)
{
	Relation	states = log_open("audit_state", LOG_LOCK);
	LogState	state;
	SealError	error = SEAL_OK;
	char	   *note;

	state_read(&state, states, NULL);
	if (is_due(&state, demanded))
	{
		error = sign_state(&note, &state);
		if (error == SEAL_OK)
		{
			state_set(&state, STATE_CHECKPOINT, CStringGetTextDatum(note));
			state_set(&state, STATE_CHECKPOINT_SIZE, Int64GetDatum(state_size(&state)));
			state_set(&state, STATE_CHECKPOINT_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
			state_write(&state, states);
		}
	}
	table_close(states, NoLock);
	if (error == SEAL_OK)
		return;
	if (demanded || error == SEAL_E_LOG_BROKEN)
		ring_raise(error, key_id_of(KEY_AUDIT));
	worker_note_error(psprintf("no checkpoint for want of the signing key (SQLSTATE %s)",
							   unpack_sql_state(error_sqlstate(error))));
}

/* ----------
 * Handing over
 * ----------
 */

/*
 * write_note
 *		Into a file in the data directory; its path.
 *
 * Not beside the segments: when their disk is full they wait for this note, to be removed.
 */
static char *
write_note(const char *note)
{
	char	   *path = psprintf(AUDIT_DEFAULT_FOLDER "/%u.checkpoint", MyDatabaseId);
	int			fd;
	int			len = strlen(note);
	bool		written;

	if (MakePGDirectory(AUDIT_DEFAULT_FOLDER) != 0 && errno != EEXIST)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not create directory \"%s\": %m", AUDIT_DEFAULT_FOLDER)));
	fd = OpenTransientFile(path, O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);
	if (fd < 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not create file \"%s\": %m", path)));
	written = write(fd, note, len) == len;
	if (CloseTransientFile(fd) != 0 || !written)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", path)));
	return path;
}

/* command_line: the command with %p filled in; %% is one. */
static char *
command_line(const char *path)
{
	StringInfoData line;

	initStringInfo(&line);
	for (const char *from = checkpoint_command; *from != '\0'; from++)
	{
		if (from[0] == '%' && from[1] == 'p')
			appendStringInfoString(&line, path);
		else
			appendStringInfoChar(&line, *from);
		if (from[0] == '%' && (from[1] == 'p' || from[1] == '%'))
			from++;
	}
	return line.data;
}

/* start_command: in a process group of its own, so that all of it can be ended. */
static pid_t
start_command(const char *line)
{
	pid_t		child = fork();

	if (child < 0)
		ereport(ERROR, (errmsg("could not start seal.checkpoint_command: %m")));
	if (child == 0)
	{
		setpgid(0, 0);
		sigprocmask(SIG_SETMASK, &UnBlockSig, NULL);
		pqsignal(SIGTERM, SIG_DFL);
		pqsignal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", line, (char *) NULL);
		_exit(127);
	}
	return child;
}

/* stop_command: with all that it started. */
static void
stop_command(pid_t child)
{
	int			status;

	kill(-child, SIGKILL);
	(void) waitpid(child, &status, 0);
}

/*
 * wait_command
 *		Wait for the command, but not longer than it may take, and not when
 *		somebody wants the database or the server stops.  Nothing here may end
 *		the worker before the command.
 *
 *	problem		out: what is wrong with it; NULL when it exited with 0
 *
 * Returns false when the worker has to go.
 */
static bool
wait_command(char **problem, pid_t child)
{
	TimestampTz begun = GetCurrentTimestamp();
	int			status;
	pid_t		ended;

	*problem = NULL;
	while ((ended = waitpid(child, &status, WNOHANG)) == 0)
	{
		bool		late = TimestampDifferenceExceeds(begun, GetCurrentTimestamp(), COMMAND_TIMEOUT);

		if (late || ProcDiePending || worker_is_in_the_way())
		{
			stop_command(child);
			*problem = late ? psprintf("stopped after %d seconds", COMMAND_TIMEOUT / 1000) : NULL;
			return late;
		}
		if (ProcSignalBarrierPending)
			ProcessProcSignalBarrier();	/* DROP DATABASE waits for everybody to do so */
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 COMMAND_LOOK, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	if (ended < 0)
		*problem = pstrdup("its end was not seen");
	else if (status != 0)
		*problem = wait_result_to_str(status);
	return true;
}

/* read_state: as committed; the lock goes with the transaction. */
static Relation
read_state(LogState *state)
{
	Relation	states = log_open("audit_state", LOG_LOCK);

	state_read(state, states, NULL);
	return states;
}

/* set_delivered: the checkpoint of that size lies elsewhere now. */
static void
set_delivered(int64 size)
{
	LogState	state;
	Relation	states = read_state(&state);

	if (state.tuple != NULL && state_number(&state, STATE_DELIVERED_SIZE) < size)
	{
		state_set(&state, STATE_DELIVERED_SIZE, Int64GetDatum(size));
		state_set(&state, STATE_DELIVERED_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
		state_write(&state, states);
	}
	table_close(states, NoLock);
}

/*
 * next_delivery
 *		The command that hands over the last checkpoint, palloc'd in outer; NULL
 *		when that was done, or is not to be tried yet.
 *
 *	size		out: of the checkpoint, when it counts as delivered once the
 *				command took it, or at once where there is none; else 0
 */
static char *
next_delivery(int64 *size, bool demanded, MemoryContext outer)
{
	LogState	state;

	table_close(read_state(&state), NoLock);
	*size = state_number(&state, STATE_CHECKPOINT_SIZE);
	if (*size <= state_number(&state, STATE_DELIVERED_SIZE))
		*size = 0;
	if (*size == 0 || checkpoint_command[0] == '\0')
		return NULL;
	if (!worker_may_deliver(demanded))
	{
		*size = 0;
		return NULL;
	}
	return MemoryContextStrdup(outer, command_line(write_note(state_text(&state, STATE_CHECKPOINT))));
}

/* run_delivery: false when the worker has to go; what went wrong shows in seal.audit_status. */
static bool
run_delivery(bool *delivered, const char *line)
{
	char	   *problem;

	if (!wait_command(&problem, start_command(line)))
		return false;
	*delivered = problem == NULL;
	if (problem == NULL)
		worker_delivered(NULL);
	else
	{
		problem = psprintf("seal.checkpoint_command failed: %s", problem);
		ereport(LOG, (errmsg_internal("%s", problem)));
		worker_delivered(problem);
	}
	return true;
}

/*
 * deliver_note
 *		Hand the last checkpoint over, if that was not done; outside of a
 *		transaction, because the command may take its time.
 *
 * Returns false when the worker has to go.
 */
bool
deliver_note(bool demanded)
{
	MemoryContext outer = CurrentMemoryContext;
	char	   *line;
	int64		size;
	bool		delivered = true;

	if (!worker_enter())
		return false;
	line = next_delivery(&size, demanded, outer);
	worker_leave();
	MemoryContextSwitchTo(outer);
	if (line != NULL && !run_delivery(&delivered, line))
		return false;
	if (size == 0 || !delivered)
		return true;
	if (!worker_enter())
		return false;
	set_delivered(size);
	worker_leave();
	return true;
}

/*
 * deliver_remove_segments
 *		Those that are read and covered by a delivered checkpoint; where none is
 *		ever due, those that are read: else they would fill seal.audit_max_size,
 *		and reads be refused.
 *
 * On a standby, which takes the log as its primary writes it, the same holds;
 * there nobody can lock the log.  Returns how many were removed.
 */
int64
deliver_remove_segments(void)
{
	char		folder[MAXPGPATH];
	Relation	states = log_open("audit_state", RecoveryInProgress() ? AccessShareLock : LOG_LOCK);
	LogState	state;
	ListCell   *cell;
	int64		size;
	int64		removed = 0;

	state_read(&state, states, NULL);
	table_close(states, NoLock);
	size = checkpoint_interval > 0 ? state_number(&state, STATE_DELIVERED_SIZE) : state_size(&state);
	audit_folder(folder, MyDatabaseId);
	foreach(cell, ingest_files(folder))
	{
		SegmentFile *file = lfirst(cell);

		if (!ingest_is_covered(file, size))
			continue;
		audit_segment_remove(file->path);
		removed++;
	}
	return removed;
}
