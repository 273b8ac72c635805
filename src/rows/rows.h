/*-------------------------------------------------------------------------
 * rows.h
 *		What is done with each row of a table: the door of the rows room.
 *
 * Floor 5.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_ROWS_H
#define PGSEAL_ROWS_H

#include "base/base.h"

extern void rows_init(void);

#endif							/* PGSEAL_ROWS_H */
