/*-------------------------------------------------------------------------
 * internal.h
 *		What the files of the gate share.
 *
 * Floor 3.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_GATE_INTERNAL_H
#define PGSEAL_GATE_INTERNAL_H

#include "gate/gate.h"

#include "fmgr.h"

/* rights.c */
extern void rights_init(void);
extern bool rights_hold(uint32 key_id, int verbs);
extern bool rights_demand(uint32 key_id);

/* roles.c */
extern void roles_init(void);

/* settings.c */
extern void settings_init(void);

/* admin.c */
extern void admin_init(void);
extern void admin_require(const char *function);
extern void admin_argument(FunctionCallInfo fcinfo, int number, const char *name);
extern void admin_purpose(const char *code);
extern void admin_note(const char *action, const char *what, const char *key, const char *detail);
extern uint32 admin_find_key(const char *name, bool builtin_too);

#endif							/* PGSEAL_GATE_INTERNAL_H */
