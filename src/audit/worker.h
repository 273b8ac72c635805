/*-------------------------------------------------------------------------
 * worker.h
 *		What launcher, workers and the functions that wait for them share;
 *		inside the room only.
 *
 * Floor 2.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_WORKER_H
#define PGSEAL_WORKER_H

#include "base/base.h"
#include "datatype/timestamp.h"

#define WORKER_ERROR_BYTES	256

/* worker.c */
extern void worker_init(void);
extern void worker_demand(void);
extern void worker_last_error(char error[WORKER_ERROR_BYTES]);
extern void worker_note_error(const char *error);
extern bool worker_may_deliver(bool demanded);
extern void worker_delivered(const char *problem);
extern bool worker_is_in_the_way(void);
extern bool worker_enter(void);
extern void worker_leave(void);

/* start.c */
extern void start_init(void);
extern void start_tell(void);

/* pace.c */
extern double pace_share(int untouched);
extern long pace_rest(TimestampTz begun, double share);

/* deliver.c */
extern void deliver_init(void);
extern void deliver_checkpoint(bool demanded);
extern bool deliver_note(bool demanded);
extern int64 deliver_remove_segments(void);

#endif							/* PGSEAL_WORKER_H */
