/*-------------------------------------------------------------------------
 * plan.h
 *		What the planner must know about sealed values: the door of the plan room.
 *
 * Floor 5.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_PLAN_H
#define PGSEAL_PLAN_H

#include "base/base.h"

extern void plan_init(void);

#endif							/* PGSEAL_PLAN_H */
