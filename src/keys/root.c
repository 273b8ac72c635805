/*-------------------------------------------------------------------------
 * root.c
 *		Root keys: from a file, or from a command that the postmaster runs.
 *
 * Floor 1.  A root never lies in palloc memory and is never kept by a backend:
 * roots_load() reads it, roots_free() wipes it.  What a command printed is
 * kept by the postmaster and inherited, because only the postmaster may run
 * it; each backend locks that memory again, locks do not survive fork().
 *
 * Does not protect against the operating system's root user.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/root.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "keys/ring.h"
#include "keys/subject.h"
#include "utils/guc.h"

#define ROOT_SOURCE_BYTES	4096	/* longest file or command output */
#define PROBLEM_BYTES		(MAXPGPATH + 128)

static char *root_key_file = NULL;
static char *root_key_command = NULL;

static RootSet *command_roots = NULL;	/* made in the postmaster */
static int	command_roots_pid = 0;	/* process that last locked them */
static bool initialized = false;
static char problem[PROBLEM_BYTES];

/* refuse: remember why, for root_problem(), and say ROOT_FILE. */
static SealError
refuse(const char *reason, const char *path)
{
	snprintf(problem, sizeof(problem), "%s%s%s%s", reason,
			 path ? " \"" : "", path ? path : "", path ? "\"" : "");
	return SEAL_E_ROOT_FILE;
}

/* root_problem: what the last SEAL_E_ROOT_FILE was about. */
const char *
root_problem(void)
{
	return problem;
}

/* check_owner_and_mode: the rule of a private SSL key.  Source: check_ssl_key_file_permissions() */
static SealError
check_owner_and_mode(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return refuse("not a regular file", root_key_file);
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return refuse("file must be owned by the database user or root", root_key_file);
	if (st->st_uid == geteuid() && (st->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return refuse("file must have mode 0600 or less", root_key_file);
	if (st->st_uid != geteuid() && (st->st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) != 0)
		return refuse("file owned by root must have mode 0640 or less", root_key_file);
	return SEAL_OK;
}

/* check_folder: nobody else may put another file in the place of this one. */
static SealError
check_folder(const char *file)
{
	char		folder[PATH_MAX];
	struct stat st;

	strlcpy(folder, file, sizeof(folder));
	get_parent_directory(folder);
	if (stat(folder, &st) != 0)
		return refuse("could not examine folder", folder);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return refuse("folder must be owned by the database user or root:", folder);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return refuse("folder must not be writable by group or others:", folder);
	return SEAL_OK;
}

/* check_place: outside the cluster, in a safe folder; a link and what it names alike. */
static SealError
check_place(void)
{
	char		real[PATH_MAX];
	char		data[PATH_MAX];
	SealError	error;

	if (realpath(root_key_file, real) == NULL)
		return refuse("could not find", root_key_file);
	if (DataDir != NULL && realpath(DataDir, data) != NULL && path_is_prefix_of_path(data, real))
		return refuse("file must not lie in the data directory", root_key_file);
	error = check_folder(root_key_file);
	return error != SEAL_OK ? error : check_folder(real);
}

/* parse_roots: one root a line, the active one first; blank lines and # comments pass. */
static SealError
parse_roots(RootSet *set, const char *text, const char *source)
{
	const char *line = text;

	while (*line != '\0')
	{
		size_t		len = strcspn(line, "\n");
		size_t		blank = strspn(line, " \t\r");

		if (blank < len && line[blank] != '#')
		{
			Root	   *root = &set->roots[set->count];

			if (set->count == ROOT_MAX)
				return refuse("more than 16 root keys in", source);
			if (!root_parse(root->secret, line, len))
				return refuse("a line is neither 64 hex digits nor base64 of 32 bytes in", source);
			root_fingerprint(root->fingerprint, root->secret);
			set->count++;
		}
		line += len + (line[len] == '\n');
	}
	return set->count > 0 ? SEAL_OK : refuse("no root key in", source);
}

/* read_all: up to ROOT_SOURCE_BYTES - 1 bytes; -1 when there are more or reading fails. */
static int
read_all(char *text, int fd)
{
	int			total = 0;

	for (;;)
	{
		ssize_t		got = read(fd, text + total, ROOT_SOURCE_BYTES - total);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || total + got >= ROOT_SOURCE_BYTES)
			return -1;
		if (got == 0)
			break;
		total += got;
	}
	text[total] = '\0';
	return total;
}

/* read_file: the file's roots, after the checks that a private key file gets. */
static SealError
read_file(RootSet *set, char *text)
{
	struct stat st;
	SealError	error;
	int			fd;
	int			len;

	if ((error = check_place()) != SEAL_OK)
		return error;
	fd = open(root_key_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return refuse("could not open", root_key_file);
	if (fstat(fd, &st) != 0)
		error = refuse("could not examine", root_key_file);
	else
		error = check_owner_and_mode(&st);
	if (error != SEAL_OK)
	{
		close(fd);
		return error;
	}
	len = read_all(text, fd);
	close(fd);
	if (len < 0)
		return refuse("could not read, or too long:", root_key_file);
	return parse_roots(set, text, root_key_file);
}

/* read_command: the roots that the command prints. */
static SealError
read_command(RootSet *set, char *text)
{
	FILE	   *pipe = popen(root_key_command, "r");
	int			len;
	int			status;

	if (pipe == NULL)
		return refuse("could not run seal.root_key_command", NULL);
	len = read_all(text, fileno(pipe));
	status = pclose(pipe);
	if (status != 0)
		return refuse("seal.root_key_command failed", NULL);
	if (len < 0)
		return refuse("seal.root_key_command printed too much", NULL);
	return parse_roots(set, text, "the output of seal.root_key_command");
}

static bool
is_set(const char *setting)
{
	return setting != NULL && setting[0] != '\0';
}

/* read_source: a new set through one reader; the text it came in is wiped. */
static SealError
read_source(RootSet **set, SealError (*reader) (RootSet *set, char *text))
{
	char	   *text = sodium_malloc(ROOT_SOURCE_BYTES);
	RootSet    *fresh = sodium_malloc(sizeof(RootSet));
	SealError	error;

	if (text == NULL || fresh == NULL)
		error = refuse("out of locked memory", NULL);
	else
	{
		fresh->count = 0;
		error = reader(fresh, text);
	}
	sodium_free(text);
	if (error != SEAL_OK)
	{
		sodium_free(fresh);
		fresh = NULL;
	}
	*set = fresh;
	return error;
}

/* copy_command_roots: what the postmaster keeps, locked in this process too. */
static SealError
copy_command_roots(RootSet **set)
{
	if (command_roots == NULL)
		return refuse("seal.root_key_command gave none when the server started; see its log", NULL);
	if (command_roots_pid != MyProcPid)
	{
		(void) sodium_mlock(command_roots, sizeof(RootSet));
		command_roots_pid = MyProcPid;
	}
	*set = sodium_malloc(sizeof(RootSet));
	if (*set == NULL)
		return refuse("out of locked memory", NULL);
	memcpy(*set, command_roots, sizeof(RootSet));
	return SEAL_OK;
}

/*
 * roots_load
 *		The root keys as they are now, active root first.
 *
 *	set			out: to be given to roots_free(); NULL on failure
 *
 * SEAL_E_NO_ROOT when none is configured, SEAL_E_ROOT_FILE when what is
 * configured cannot be used; root_problem() then says why.  Raises nothing.
 */
SealError
roots_load(RootSet **set)
{
	*set = NULL;
	if (is_set(root_key_file) && is_set(root_key_command))
		return refuse("seal.root_key_file and seal.root_key_command are both set", NULL);
	if (is_set(root_key_file))
		return read_source(set, read_file);
	if (is_set(root_key_command))
		return copy_command_roots(set);
	return SEAL_E_NO_ROOT;
}

/* roots_free: wipe and give back; NULL is fine. */
void
roots_free(RootSet *set)
{
	sodium_free(set);
}

/* roots_find: the root with this fingerprint, or NULL. */
const Root *
roots_find(const RootSet *set, const char *fingerprint)
{
	for (int i = 0; i < set->count; i++)
	{
		if (strcmp(set->roots[i].fingerprint, fingerprint) == 0)
			return &set->roots[i];
	}
	return NULL;
}

/* root_mac_key: the key under which ring rows carry their MAC.  The caller wipes it. */
void
root_mac_key(HmacKey *mac_key, const Root *root)
{
	unsigned char secret[SECRET_BYTES];

	derive_secret(secret, "ring mac", NULL, 0, root->secret);
	hmac_key(mac_key, secret, sizeof(secret));
	sodium_memzero(secret, sizeof(secret));
}

/* root_wrapping_key: the key that wraps the ring's secrets.  The caller wipes it. */
void
root_wrapping_key(unsigned char key[SECRET_BYTES], const Root *root)
{
	derive_secret(key, "wrap", NULL, 0, root->secret);
}

/*
 * run_command
 *		In the postmaster: run seal.root_key_command and keep what it prints.
 */
static void
run_command(void)
{
	RootSet    *fresh = NULL;

	if (is_set(root_key_command) && read_source(&fresh, read_command) != SEAL_OK)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("root key cannot be used: %s", root_problem())));
	sodium_free(command_roots);
	command_roots = fresh;
	command_roots_pid = MyProcPid;
}

/* assign_root_key_command: a reload with another command runs it again, in the postmaster only. */
static void
assign_root_key_command(const char *newval, void *extra)
{
	if (!initialized || IsUnderPostmaster)
		return;
	root_key_command = unconstify(char *, newval);
	run_command();
}

/* report_root: one line in the log of a server that starts without a usable root. */
static void
report_root(void)
{
	RootSet    *set;
	SealError	error = roots_load(&set);

	roots_free(set);
	if (error == SEAL_E_NO_ROOT)
		ereport(WARNING,
				(errmsg("no root key is configured: sealed values can be neither written nor opened"),
				 errhint("Set seal.root_key_file or seal.root_key_command.")));
	else if (error != SEAL_OK && !is_set(root_key_command))
		ereport(WARNING,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("root key cannot be used: %s", root_problem())));
}

/*
 * seal.root_key_file: path of a file with root keys, one a line.  Recommended:
 * a file on another volume than the data directory and its backups, owner
 * postgres, mode 0600.  Empty: no file.
 */
static void
define_root_key_file(void)
{
	DefineCustomStringVariable("seal.root_key_file",
							   "File with the root keys, the active one first.",
							   "Each line is 64 hex digits or base64 of 32 bytes. Empty means that no file is used; without any root key the server runs, but seals and opens nothing.",
							   &root_key_file, "", PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
}

/*
 * seal.root_key_command: shell command that prints root keys, run once by the
 * postmaster at start and when the setting changes.  For a key management
 * service.  Empty: no command.
 */
static void
define_root_key_command(void)
{
	DefineCustomStringVariable("seal.root_key_command",
							   "Shell command that prints the root keys, the active one first.",
							   "Run by the postmaster when it starts and when this setting changes. Empty means that no command is used. Sessions from before a change keep the root keys they started with.",
							   &root_key_command, "", PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							   NULL, assign_root_key_command, NULL);
}

/*
 * keys_init
 *		Open the room: settings, cache callbacks, first look at the root.
 */
void
keys_init(void)
{
	define_root_key_file();
	define_root_key_command();
	ring_init();
	subjects_init();
	admissions_init();
	if (!IsUnderPostmaster)
	{
		run_command();
		report_root();
	}
	initialized = true;
}
