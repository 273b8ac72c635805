/*-------------------------------------------------------------------------
 * guard.h
 *		What may not leak: the door of the guard room.
 *
 * Floor 5.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_GUARD_H
#define PGSEAL_GUARD_H

#include "base/base.h"

extern void guard_init(void);

#endif							/* PGSEAL_GUARD_H */
