/*-------------------------------------------------------------------------
 * start.c
 *		What the log is told of a start of the server, and of the settings in force.
 *
 * Floor 2.  Nobody records while pgseal is not loaded.  So each start says how
 * the server was before it: at a shutdown the postmaster leaves a file with the
 * place in the WAL where it stopped; a start that finds the server stopped at
 * another place knows that somebody ran it meanwhile.
 *
 * All settings are the server's and the same for everybody.  The worker of a
 * database records those that differ from what it recorded before: who changed
 * a file, no database knows.
 *
 * Does not notice who puts the file right, too.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"
#include "audit/worker.h"

#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "common/hashfn.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/guc_tables.h"
#include "utils/timestamp.h"

#define TOLD_DATABASES	256
#define TOLD_SETTINGS	48		/* ours and those of others_that_matter */
#define STOPPED_FILE	"stopped"
#define STOPPED_BYTES	64
#define SECRET_SUFFIX	"_command"	/* a command may spell out a password */

/* How the server was found. */
typedef enum Before
{
	BEFORE_STOPPED,				/* as pgseal left it */
	BEFORE_RUN_WITHOUT,			/* stopped, but not by a server with pgseal */
	BEFORE_CRASHED
} Before;

/* What the log of one database was told in this start. */
typedef struct Told
{
	Oid			database;		/* InvalidOid: free */
	bool		start;
	uint64		settings[TOLD_SETTINGS];	/* hash of each value; 0: not told */
} Told;

typedef struct StartShared
{
	slock_t		mutex;
	Before		before;
	pg_time_t	stopped_at;
	Told		told[TOLD_DATABASES];
} StartShared;

/* Settings of the server without which ours do not mean what they say. */
static const char *const others_that_matter[] = {"fsync", "shared_preload_libraries"};

static StartShared *shared = NULL;

/* ----------
 * How the server was
 * ----------
 */

/* stopped_path: of the file that tells where the server stopped. */
static void
stopped_path(char path[MAXPGPATH])
{
	audit_folder(path, InvalidOid);
	get_parent_directory(path);
	join_path_components(path, path, STOPPED_FILE);
}

/* stopped_text: where a control file says that the server stopped; empty when it did not. */
static void
stopped_text(char text[STOPPED_BYTES], const ControlFileData *control)
{
	text[0] = '\0';
	if (control->state == DB_SHUTDOWNED || control->state == DB_SHUTDOWNED_IN_RECOVERY)
		snprintf(text, STOPPED_BYTES, UINT64_FORMAT " %X/%X " INT64_FORMAT "\n", control->system_identifier,
				 LSN_FORMAT_ARGS(control->checkPoint), (int64) control->time);
}

/* read_stopped: what the last server with pgseal left. */
static void
read_stopped(char text[STOPPED_BYTES])
{
	char		path[MAXPGPATH];
	FILE	   *file;
	size_t		len;

	text[0] = '\0';
	stopped_path(path);
	file = AllocateFile(path, PG_BINARY_R);
	if (file == NULL)
		return;
	len = fread(text, 1, STOPPED_BYTES - 1, file);
	text[len] = '\0';
	FreeFile(file);
}

/* look_back: how the server was before this start. */
static void
look_back(void)
{
	bool		whole;
	ControlFileData *control = get_controlfile(DataDir, &whole);
	char		found[STOPPED_BYTES];
	char		left[STOPPED_BYTES];

	stopped_text(found, control);
	read_stopped(left);
	if (found[0] == '\0')
		shared->before = BEFORE_CRASHED;
	else
		shared->before = strcmp(found, left) == 0 ? BEFORE_STOPPED : BEFORE_RUN_WITHOUT;
	shared->stopped_at = control->time;
	pfree(control);
}

/*
 * leave_stopped
 *		on_shmem_exit of the postmaster: tell where the server stopped.
 *
 * Without a folder there are no records, and nothing to tell.
 */
static void
leave_stopped(int code, Datum arg)
{
	bool		whole;
	ControlFileData *control;
	char		path[MAXPGPATH];
	char		text[STOPPED_BYTES];
	FILE	   *file;

	if (code != 0)
		return;
	control = get_controlfile(DataDir, &whole);
	stopped_text(text, control);
	stopped_path(path);
	file = text[0] != '\0' ? AllocateFile(path, PG_BINARY_W) : NULL;
	if (file == NULL)
		return;
	if (fputs(text, file) == EOF || fflush(file) != 0 || pg_fsync(fileno(file)) != 0)
		ereport(LOG, (errcode_for_file_access(), errmsg("could not write file \"%s\": %m", path)));
	FreeFile(file);
}

/* ----------
 * Shared memory
 * ----------
 */

/* shared_bytes: of a SharedPart. */
static Size
shared_bytes(void)
{
	return sizeof(StartShared);
}

/* start_memory: of a SharedPart. */
static void
start_memory(void *memory, bool found)
{
	shared = memory;
	if (!found)
	{
		SpinLockInit(&shared->mutex);
		look_back();
	}
	if (!IsUnderPostmaster)
		on_shmem_exit(leave_stopped, (Datum) 0);
}

void
start_init(void)
{
	static const SharedPart part = {"pgseal start", shared_bytes, 0, start_memory};

	shmem_part(&part);
}

/* told_of: what the log of this database was told; NULL when there are too many. */
static Told *
told_of(Oid database)
{
	Told	   *told = NULL;

	SpinLockAcquire(&shared->mutex);
	for (int i = 0; i < TOLD_DATABASES && told == NULL; i++)
	{
		if (shared->told[i].database == InvalidOid)
			shared->told[i].database = database;
		if (shared->told[i].database == database)
			told = &shared->told[i];
	}
	SpinLockRelease(&shared->mutex);
	return told;
}

/* ----------
 * Telling
 * ----------
 */

/* tell: a record; false when it could not be stored, and is to be tried again. */
static bool
tell(AuditAction action, TimestampTz at, const char *what, const char *detail)
{
	AuditRecord record = {
		AUDIT_NO_COUNTS,
		.action = action,
		.at = at,
		.what = what,
		.detail = audit_text(detail)
	};

	audit_who(&record);
	return audit_store(&record, 1, false) == SEAL_OK;
}

/* tell_start: once in each start. */
static bool
tell_start(void)
{
	const char *stopped_at = timestamptz_to_str(time_t_to_timestamptz(shared->stopped_at));

	switch (shared->before)
	{
		case BEFORE_STOPPED:
			return tell(AUDIT_ADMIN, audit_shared->started_at, "start", psprintf("stopped=%s", stopped_at));
		case BEFORE_RUN_WITHOUT:
			return tell(AUDIT_ADMIN, audit_shared->started_at, "start",
						psprintf("stopped=%s by a server without pgseal", stopped_at));
		case BEFORE_CRASHED:
			return tell(AUDIT_ADMIN, audit_shared->started_at, "start", "not stopped before");
	}
	return false;
}

/* audit_setting_matters: is a setting recorded? */
bool
audit_setting_matters(const char *name)
{
	for (int i = 0; i < (int) lengthof(others_that_matter); i++)
	{
		if (pg_strcasecmp(name, others_that_matter[i]) == 0)
			return true;
	}
	return pg_strncasecmp(name, "seal.", 5) == 0;
}

/* audit_setting_text: a setting as it is recorded. */
char *
audit_setting_text(const char *name, const char *value)
{
	size_t		len = strlen(name);
	size_t		suffix = strlen(SECRET_SUFFIX);

	if (len > suffix && pg_strcasecmp(name + len - suffix, SECRET_SUFFIX) == 0 && value[0] != '\0')
		return psprintf("%s is set", name);
	return psprintf("%s=%s", name, value);
}

/* tell_setting: when its value is not the one that was told; a default is not told first. */
static void
tell_setting(const struct config_generic *setting, uint64 *told)
{
	char	   *value = GetConfigOptionByName(setting->name, NULL, false);
	uint64		hash = hash_bytes_extended((unsigned char *) value, strlen(value), 0) | 1;
	bool		is_new = *told == 0 ? setting->source != PGC_S_DEFAULT : *told != hash;

	if (!is_new || tell(AUDIT_SETTING, 0, "in_force", audit_setting_text(setting->name, value)))
		*told = hash;
}

/* tell_settings: those that changed. */
static void
tell_settings(Told *told)
{
	int			count;
	struct config_generic **settings = compat_guc_variables(&count);
	int			next = 0;

	for (int i = 0; i < count && next < TOLD_SETTINGS; i++)
	{
		if (audit_setting_matters(settings[i]->name))
			tell_setting(settings[i], &told->settings[next++]);
	}
}

/*
 * start_tell
 *		Of a worker, in a transaction: what the log of its database does not know yet.
 *
 * Raises nothing: a log that takes in nothing would never have room again.
 */
void
start_tell(void)
{
	Told	   *told = told_of(MyDatabaseId);

	if (told == NULL)
		return;
	audit_mac_key_refresh();
	if (!told->start)
		told->start = tell_start();
	tell_settings(told);
}
