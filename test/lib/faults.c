/*
 * faults.c
 *		Preloaded into a server under test: file operations on audit segments fail
 *		as the file that SEAL_FAULTS names says.
 *
 *		full		ENOSPC for allocation
 *		unwritable	EIO for writing
 *		unsynced	EIO for fdatasync
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* is_segment: does this descriptor belong to an audit segment? */
static int
is_segment(int fd)
{
	char		link[64];
	char		path[4096];
	ssize_t		len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return 0;
	path[len] = '\0';
	return strstr(path, "/pg_seal/") != NULL;
}

/* fails: is this fault asked for now? */
static int
fails(int fd, const char *fault)
{
	const char *file = getenv("SEAL_FAULTS");
	char		text[64] = "";
	int			control;

	if (file == NULL || !is_segment(fd) || (control = open(file, O_RDONLY)) < 0)
		return 0;
	if (read(control, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(control);
	return strstr(text, fault) != NULL;
}

int
posix_fallocate(int fd, off_t offset, off_t len)
{
	int			(*next) (int, off_t, off_t) = (int (*) (int, off_t, off_t)) dlsym(RTLD_NEXT, "posix_fallocate");

	return fails(fd, "full") ? ENOSPC : next(fd, offset, len);
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
