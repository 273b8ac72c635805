/*
 * faults.c
 *		Preloaded into a server under test: file operations on audit segments fail
 *		as the file that SEAL_FAULTS names says.
 *
 *		full		ENOSPC for allocation
 *		unwritable	EIO for writing
 *		unsynced	EIO for fdatasync
 *		killed		SIGKILL once, when the space of a new segment is taken
 *		room BYTES FOLDER	ENOSPC for what would make FOLDER larger
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* path_of: of an open file; empty when it has none. */
static void
path_of(char path[4096], int fd)
{
	char		link[64];
	ssize_t		len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, 4095);
	path[len < 0 ? 0 : len] = '\0';
}

/* is_segment: does this descriptor belong to an audit segment? */
static int
is_segment(int fd)
{
	char		path[4096];

	path_of(path, fd);
	return strstr(path, "/pg_seal/") != NULL;
}

/* asked: what fails for now. */
static void
asked(char text[4096])
{
	const char *file = getenv("SEAL_FAULTS");
	ssize_t		len = 0;
	int			control;

	text[0] = '\0';
	if (file == NULL || (control = open(file, O_RDONLY)) < 0)
		return;
	len = read(control, text, 4095);
	text[len < 0 ? 0 : len] = '\0';
	close(control);
}

/* fails: is this fault asked for now? */
static int
fails(int fd, const char *fault)
{
	char		text[4096];

	if (!is_segment(fd))
		return 0;
	asked(text);
	return strstr(text, fault) != NULL;
}

static long long bytes_found;

/* add_file: for nftw. */
static int
add_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void) path;
	(void) where;
	if (type == FTW_F)
		bytes_found += st->st_size;
	return 0;
}

/* is_full: would a file that is to have so many bytes take more than there is room for? */
static int
is_full(int fd, off_t len)
{
	char		text[4096];
	char		folder[4096];
	char		path[4096];
	long long	room;

	asked(text);
	path_of(path, fd);
	if (sscanf(text, "room %lld %4095s", &room, folder) != 2 || strncmp(path, folder, strlen(folder)) != 0)
		return 0;
	bytes_found = 0;
	nftw(folder, add_file, 8, FTW_PHYS);
	return bytes_found + len > room;
}

int
posix_fallocate(int fd, off_t offset, off_t len)
{
	int			(*next) (int, off_t, off_t) = (int (*) (int, off_t, off_t)) dlsym(RTLD_NEXT, "posix_fallocate");
	int			error = fails(fd, "full") || is_full(fd, offset + len) ? ENOSPC : next(fd, offset, len);

	if (fails(fd, "killed"))
	{
		unlink(getenv("SEAL_FAULTS"));
		kill(getpid(), SIGKILL);
	}
	return error;
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	ssize_t		(*next) (int, const void *, size_t, off_t) =
		(ssize_t (*) (int, const void *, size_t, off_t)) dlsym(RTLD_NEXT, "pwrite");

	if (!fails(fd, "unwritable"))
		return next(fd, bytes, len, offset);
	errno = EIO;
	return -1;
}

int
fdatasync(int fd)
{
	int			(*next) (int) = (int (*) (int)) dlsym(RTLD_NEXT, "fdatasync");

	if (!fails(fd, "unsynced"))
		return next(fd);
	errno = EIO;
	return -1;
}
