/*-------------------------------------------------------------------------
 * waiting.h
 *		Writes that are not numbered yet, in their order; inside the room only.
 *
 * Floor 2.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_WAITING_H
#define PGSEAL_WAITING_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

extern void waiting_look(Relation changes, Snapshot snapshot);
extern void waiting_resume(Relation changes);
extern bool waiting_next(TupleTableSlot *slot, Relation changes, Snapshot snapshot);

#endif							/* PGSEAL_WAITING_H */
