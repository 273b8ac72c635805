/*-------------------------------------------------------------------------
 * file.c
 *		Segment files as files: where they are, making, syncing, cutting them.
 *
 * Floor 2.  Raises nothing: records are written at the end of transactions too,
 * and of sessions.  A function says what went wrong, errno why.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "common/string.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#define ZEROS_BYTES		(64 * 1024)
#define NEW_SUFFIX		".new"

char	   *audit_directory = NULL;
bool		audit_sync = true;
int			audit_max_size = 1024;	/* MB */

/* root_folder: seal.audit_directory, or the folder in the data directory. */
static const char *
root_folder(void)
{
	return audit_directory != NULL && audit_directory[0] != '\0' ? audit_directory : AUDIT_DEFAULT_FOLDER;
}

/* audit_folder: where the segments of a database are. */
void
audit_folder(char path[MAXPGPATH], Oid database)
{
	snprintf(path, MAXPGPATH, "%s/%u", root_folder(), database);
}

/* file_path: of one segment. */
void
file_path(char path[MAXPGPATH], const AuditSegmentId *id)
{
	char		name[SEGMENT_NAME_LEN + 1];

	audit_segment_name(name, sizeof(name), id);
	snprintf(path, MAXPGPATH, "%s/%u/%s", root_folder(), id->database, name);
}

/* error_of: what errno means for a record. */
static SealError
error_of(int error)
{
	return error == ENOSPC || error == EDQUOT ? SEAL_E_AUDIT_FULL : SEAL_E_AUDIT_IO;
}

/* file_sync: everything of an open file is on the disk; always so with seal.audit_sync off. */
bool
file_sync(int fd)
{
	int			result;

	if (!audit_sync)
		return true;
	do
	{
		result = pg_fdatasync(fd);
	} while (result != 0 && errno == EINTR);
	return result == 0;
}

/* sync_folder: a new name in a folder is on the disk. */
static bool
sync_folder(const char *path)
{
	int			fd = BasicOpenFile(path, O_RDONLY | PG_BINARY);
	bool		synced;

	if (fd < 0)
		return false;
	synced = file_sync(fd);
	close(fd);
	return synced;
}

/* make_folder: unless it is there. */
static bool
make_folder(const char *path)
{
	return mkdir(path, pg_dir_create_mode) == 0 || errno == EEXIST;
}

/*
 * file_lock_directory
 *		No other server may keep its segments in seal.audit_directory: each would
 *		take the other's into its log.  Held by the postmaster and its children.
 *
 * In the data directory the server's own lock does that.  F0001.
 */
void
file_lock_directory(void)
{
	static int	fd = -1;
	char		path[MAXPGPATH];

	if (fd >= 0 || IsBinaryUpgrade || strcmp(root_folder(), AUDIT_DEFAULT_FOLDER) == 0)
		return;
	snprintf(path, MAXPGPATH, "%s/lock", root_folder());
	if (make_folder(root_folder()))
		fd = BasicOpenFilePerm(path, O_RDWR | O_CREAT | O_CLOEXEC | PG_BINARY, pg_file_create_mode);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		error_raise(SEAL_E_AUDIT_TAKEN, NULL);
}

/* put: all len bytes, or false. */
static bool
put(int fd, const void *bytes, size_t len, off_t at)
{
	errno = 0;
	if (pg_pwrite(fd, bytes, len, at) == (ssize_t) len)
		return true;
	if (errno == 0)
		errno = ENOSPC;
	return false;
}

/*
 * fill
 *		Take all the space of a new file, and write zeros to it.
 *
 * Space that was never written costs the file system a transaction at each sync
 * that follows a write.
 */
static bool
fill(int fd)
{
	static const char zeros[ZEROS_BYTES];

	do
	{
		errno = posix_fallocate(fd, 0, SEGMENT_BYTES);
	} while (errno == EINTR);
	if (errno != 0)
		return false;
	for (off_t at = 0; audit_sync && at < SEGMENT_BYTES; at += ZEROS_BYTES)
	{
		if (!put(fd, zeros, ZEROS_BYTES, at))
			return false;
	}
	return true;
}

/* write_head: the head of a new file, and room for the records. */
static bool
write_head(int fd, const AuditSegmentId *id)
{
	unsigned char head[AUDIT_SEGMENT_FIRST];

	segment_write_head(head, id, audit_shared->started_at, GetCurrentTimestamp());
	return fill(fd) && put(fd, head, sizeof(head), 0) && file_sync(fd);
}

/* make_file: allocated ahead, with its head. */
static bool
make_file(const char *path, const AuditSegmentId *id)
{
	int			fd = BasicOpenFilePerm(path, O_RDWR | O_CREAT | O_EXCL | PG_BINARY, pg_file_create_mode);
	int			error;
	bool		made;

	if (fd < 0)
		return false;
	made = write_head(fd, id);
	error = errno;
	close(fd);
	errno = error;
	return made;
}

/* make_segment: what has its name is whole, whoever looks and whenever the server ends; nothing is left behind when that fails. */
static bool
make_segment(const AuditSegmentId *id)
{
	char		path[MAXPGPATH];
	char		new_path[MAXPGPATH + sizeof(NEW_SUFFIX)];
	int			error;

	file_path(path, id);
	snprintf(new_path, sizeof(new_path), "%s" NEW_SUFFIX, path);
	if (make_file(new_path, id) && rename(new_path, path) == 0)
		return true;
	error = errno;
	(void) unlink(new_path);
	errno = error;
	return false;
}

/* fits_size: is there room below seal.audit_max_size for another segment? */
static bool
fits_size(void)
{
	uint64		taken = pg_atomic_read_u64(&audit_shared->bytes_on_disk);

	return taken + SEGMENT_BYTES <= (uint64) audit_max_size * 1024 * 1024;
}

/*
 * file_create
 *		A new segment, on the disk before this returns.
 *
 * SEAL_OK, SEAL_E_AUDIT_LIMIT, SEAL_E_AUDIT_FULL or SEAL_E_AUDIT_IO.
 */
SealError
file_create(const AuditSegmentId *id)
{
	char		folder[MAXPGPATH];

	if (!fits_size())
		return SEAL_E_AUDIT_LIMIT;
	audit_folder(folder, id->database);
	if (!make_folder(root_folder()) || !make_folder(folder) || !make_segment(id))
		return error_of(errno);
	pg_atomic_fetch_add_u64(&audit_shared->bytes_on_disk, SEGMENT_BYTES);
	if (!sync_folder(folder) || !sync_folder(root_folder()))
		return SEAL_E_AUDIT_IO;
	return SEAL_OK;
}

/* file_open: a descriptor of a segment to be written, -1 with errno. */
int
file_open(const AuditSegmentId *id)
{
	char		path[MAXPGPATH];

	file_path(path, id);
	return BasicOpenFile(path, O_RDWR | PG_BINARY);
}

/* file_cut: give back what a segment does not need any more.  Failing does no harm: zeros are no record. */
void
file_cut(const AuditSegmentId *id, uint32 size)
{
	char		path[MAXPGPATH];

	file_path(path, id);
	if (truncate(path, size) == 0)
		pg_atomic_fetch_sub_u64(&audit_shared->bytes_on_disk, SEGMENT_BYTES - size);
}

/* audit_segment_remove: a segment whose records are all kept elsewhere. */
void
audit_segment_remove(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return;
	if (unlink(path) != 0)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not remove file \"%s\": %m", path)));
	pg_atomic_fetch_sub_u64(&audit_shared->bytes_on_disk, st.st_size);
}

/* bytes_in: what the segments in a folder take. */
static uint64
bytes_in(const char *folder)
{
	DIR		   *entries = AllocateDir(folder);
	struct dirent *entry;
	uint64		bytes = 0;

	while ((entry = ReadDirExtended(entries, folder, LOG)) != NULL)
	{
		AuditSegmentId id;
		char		path[MAXPGPATH];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (audit_segment_of_name(&id, InvalidOid, entry->d_name) && stat(path, &st) == 0)
			bytes += st.st_size;
	}
	FreeDir(entries);
	return bytes;
}

/* remove_unfinished: segments that were being made when the server ended. */
static void
remove_unfinished(const char *folder)
{
	DIR		   *entries = AllocateDir(folder);
	struct dirent *entry;

	while ((entry = ReadDirExtended(entries, folder, LOG)) != NULL)
	{
		char		path[MAXPGPATH];

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (pg_str_endswith(entry->d_name, NEW_SUFFIX) && unlink(path) != 0)
			ereport(LOG, (errcode_for_file_access(), errmsg("could not remove file \"%s\": %m", path)));
	}
	FreeDir(entries);
}

/* file_start: clears up after the server before, and returns what the segments of all databases take. */
uint64
file_start(void)
{
	DIR		   *entries;
	struct dirent *entry;
	struct stat st;
	uint64		bytes = 0;

	if (stat(root_folder(), &st) != 0)
		return 0;
	entries = AllocateDir(root_folder());
	while ((entry = ReadDirExtended(entries, root_folder(), LOG)) != NULL)
	{
		char		folder[MAXPGPATH];

		snprintf(folder, sizeof(folder), "%s/%s", root_folder(), entry->d_name);
		if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name))
		{
			remove_unfinished(folder);
			bytes += bytes_in(folder);
		}
	}
	FreeDir(entries);
	return bytes;
}

/*
 * audit_set_aside
 *		Give the segments of a database that was dropped another name: oids are
 *		used again, and the next one's log must not take them in.
 */
void
audit_set_aside(Oid database)
{
	char		folder[MAXPGPATH];
	char		aside[MAXPGPATH];
	struct stat st;
	uint64		bytes;

	write_forget(database);
	audit_folder(folder, database);
	if (stat(folder, &st) != 0 || rmdir(folder) == 0)
		return;
	bytes = bytes_in(folder);
	snprintf(aside, MAXPGPATH, "%s/%u.dropped.%ld", root_folder(), database, (long) time(NULL));
	if (rename(folder, aside) == 0)
		pg_atomic_fetch_sub_u64(&audit_shared->bytes_on_disk, bytes);
	else
		ereport(LOG, (errcode_for_file_access(),
					  errmsg("could not rename directory \"%s\" to \"%s\": %m", folder, aside)));
}
