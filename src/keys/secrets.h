/*-------------------------------------------------------------------------
 * secrets.h
 *		Unwrapped keys; inside the keys room only.
 *
 * Floor 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_SECRETS_H
#define PGSEAL_SECRETS_H

#include "keys/keys.h"

extern void secrets_forget(void);
extern void secrets_forget_subjects(void);

#endif							/* PGSEAL_SECRETS_H */
