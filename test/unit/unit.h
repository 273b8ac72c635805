/*-------------------------------------------------------------------------
 * unit.h
 *		The harness of the unit tests: run a test, count it, name what broke.
 *
 * Each test_*.c is a program of its own.  A test is a function that promises
 * something; the first CHECK that does not hold ends it.  Output is one line
 * a test, "ok - promise" or "not ok - promise", which the script run counts.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_UNIT_H
#define PGSEAL_UNIT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"

#define UNIT_BUFFERS_MAX	64
#define UNIT_NOTE_MAX		200

typedef void (*UnitTest) (void);

static jmp_buf unit_broken;
static char unit_note_text[UNIT_NOTE_MAX];
static void *unit_buffers[UNIT_BUFFERS_MAX];
static int	unit_buffer_count;
static int	unit_failed_count;
static uint64_t unit_random_count;

#define CHECK(condition)	unit_check((condition), #condition, __FILE__, __LINE__)

/* unit_check: go on, or say what did not hold and end the test. */
static inline void
unit_check(bool holds, const char *condition, const char *file, int line)
{
	if (holds)
		return;
	printf("# %s:%d: %s%s%s\n", file, line, condition,
		   unit_note_text[0] ? "; at " : "", unit_note_text);
	longjmp(unit_broken, 1);
}

/* unit_note: where in its loop the test is, printed should a CHECK break. */
static inline void
__attribute__((format(printf, 1, 2)))
unit_note(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(unit_note_text, sizeof(unit_note_text), format, args);
	va_end(args);
}

/* unit_release: give back every buffer handed out so far. */
static inline void
unit_release(void)
{
	while (unit_buffer_count > 0)
		sodium_free(unit_buffers[--unit_buffer_count]);
}

/* unit_bytes: len bytes with a guard page right behind them, filled with 0xAA. */
static inline unsigned char *
unit_bytes(size_t len)
{
	unsigned char *bytes;

	if (unit_buffer_count == UNIT_BUFFERS_MAX || (bytes = sodium_malloc(len)) == NULL)
		abort();
	unit_buffers[unit_buffer_count++] = bytes;
	memset(bytes, 0xAA, len);
	return bytes;
}

/* unit_copy: the same len bytes, guarded. */
static inline unsigned char *
unit_copy(const void *source, size_t len)
{
	unsigned char *bytes = unit_bytes(len);

	if (len > 0)
		memcpy(bytes, source, len);
	return bytes;
}

/* unit_hex: the bytes of a hexadecimal string, guarded. */
static inline unsigned char *
unit_hex(size_t *len, const char *hex)
{
	unsigned char *bytes = unit_bytes(strlen(hex) / 2);

	CHECK(sodium_hex2bin(bytes, strlen(hex) / 2, hex, strlen(hex), NULL, len, NULL) == 0);
	return bytes;
}

/* unit_random: fill with bytes that are different at each call, the same in each run. */
static inline void
unit_random(void *bytes, size_t len)
{
	unsigned char seed[randombytes_SEEDBYTES] = {0};

	unit_random_count++;
	memcpy(seed, &unit_random_count, sizeof(unit_random_count));
	randombytes_buf_deterministic(bytes, len, seed);
}

/* unit_random_below: a number from 0 to limit - 1, the same in each run. */
static inline size_t
unit_random_below(size_t limit)
{
	uint32_t	number;

	unit_random(&number, sizeof(number));
	return number % limit;
}

/* unit_is_filled: whether len bytes all have this value. */
static inline bool
unit_is_filled(const unsigned char *bytes, size_t len, unsigned char value)
{
	size_t		i;

	for (i = 0; i < len; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

/* unit_aborts: whether call ends its process with abort(). */
static inline bool
unit_aborts(UnitTest call)
{
	int			status = 0;
	pid_t		child;

	fflush(stdout);
	child = fork();
	if (child == 0)
	{
		call();
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* unit_run: run one test and report it. */
static inline void
unit_run(const char *promise, UnitTest test)
{
	unit_note_text[0] = '\0';
	if (setjmp(unit_broken) == 0)
	{
		test();
		printf("ok - %s\n", promise);
	}
	else
	{
		unit_failed_count++;
		printf("not ok - %s\n", promise);
	}
	fflush(stdout);
	unit_release();
}

/* unit_start: before the first test. */
static inline void
unit_start(void)
{
	if (sodium_init() < 0)
		abort();
}

/* unit_finish: the exit status of the program. */
static inline int
unit_finish(void)
{
	return unit_failed_count == 0 ? 0 : 1;
}

#endif							/* PGSEAL_UNIT_H */
