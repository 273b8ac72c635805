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
#include "nodes/pg_list.h"

/* rights.c */
extern void rights_init(void);
extern void rights_refresh(void);
extern uint64 rights_stamp(void);
extern bool rights_hold(uint32 key_id, int verbs);
extern bool rights_hold_somehow(uint32 key_id, int verbs);
extern bool rights_hold_for(uint32 key_id, int verbs, uint64 subject);
extern bool rights_hold_admitted(void);
extern const List *rights_role_closure(void);
extern const List *rights_login_closure(void);
extern bool rights_demand(uint32 key_id);

/* admitted.c */
extern void admitted_init(void);
extern bool admitted_role(uint64 subject);
extern bool admitted_login(uint64 subject);

/* admit.c */
extern void admit_init(void);
extern uint64 admit_subject(FunctionCallInfo fcinfo, Name type);

/* key.c */
extern int32 key_of_type(Oid type, int32 typmod);

/* gate.c */
extern void gate_follow_changes(void);

/* roles.c */
extern void roles_init(void);

/* settings.c */
extern void settings_init(void);

/* admin.c */
extern void admin_init(void);
extern bool admin_is(void);
extern void admin_require(const char *function);
extern void admin_argument(FunctionCallInfo fcinfo, int number, const char *name);
extern void admin_purpose(const char *code);
extern void admin_note(const char *action, const char *what, const char *key, const char *detail);
extern uint32 admin_find_key(const char *name, bool builtin_too);

#endif							/* PGSEAL_GATE_INTERNAL_H */
