/*-------------------------------------------------------------------------
 * server.h
 *		The server that the keys room finds when it is fuzzed.
 *
 * The files of src/keys are compiled as they are.  What they call is here: the
 * server's memory, strings and arrays, each piece of memory watched by the
 * sanitizer, and a ring that lies in memory instead of in tables.  Errors jump
 * back to the target.  Every MAC is 32 zeros: a fuzzer finds no MAC, and what
 * lies behind one shall hold too.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_FUZZ_SERVER_H
#define PGSEAL_FUZZ_SERVER_H

#include <setjmp.h>

#include "keys/edit.h"

#define SERVER_ERROR	(-1)	/* raised by the server, not by pgseal */

extern sigjmp_buf server_caught;

extern void server_start(void);
extern void server_forget(void);

/* server_try: SEAL_OK when call went through, else what it raised. */
extern int	server_try(void (*call) (void *arg), void *arg);

#endif							/* PGSEAL_FUZZ_SERVER_H */
