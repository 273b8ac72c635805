/*-------------------------------------------------------------------------
 * synced_appends.c
 *		synced_appends FILE PROCESSES SECONDS: how many times a second so many
 *		processes append a record's bytes to one file and wait for the disk.
 *
 * Each by itself, without a database: what a server that syncs for every read
 * could reach on this disk.  The file is filled with zeros before, as an audit
 * segment is.
 *------------------------------------------------------------------------*/
#include <err.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES		(16 * 1024 * 1024)
#define RECORD_BYTES	300		/* of a read by primary key, nearly */

typedef struct Shared
{
	atomic_long appends;
	double		end;
} Shared;

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* fill: so that no sync waits for the file system to allocate. */
static int
fill(const char *path)
{
	static char zeros[1024 * 1024];
	int			fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		err(1, "%s", path);
	for (off_t at = 0; at < FILE_BYTES; at += sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), at) != sizeof(zeros))
			err(1, "%s", path);
	if (fsync(fd) != 0)
		err(1, "%s", path);
	return fd;
}

/* append: until the end. */
static void
append(int fd, Shared *shared)
{
	char		record[RECORD_BYTES];

	memset(record, 'x', sizeof(record));
	while (now() < shared->end)
	{
		off_t		at = (off_t) atomic_fetch_add(&shared->appends, 1) * RECORD_BYTES % (FILE_BYTES - RECORD_BYTES);

		if (pwrite(fd, record, sizeof(record), at) != sizeof(record) || fdatasync(fd) != 0)
			err(1, "append");
	}
}

int
main(int argc, char **argv)
{
	Shared	   *shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double		seconds;
	int			fd;

	if (argc != 4 || shared == MAP_FAILED)
		errx(2, "usage: synced_appends FILE PROCESSES SECONDS");
	fd = fill(argv[1]);
	seconds = atof(argv[3]);
	shared->end = now() + seconds;
	for (int i = atoi(argv[2]); i > 0; i--)
	{
		if (fork() == 0)
		{
			append(fd, shared);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	printf("%.0f\n", atomic_load(&shared->appends) / seconds);
	unlink(argv[1]);
	return 0;
}
