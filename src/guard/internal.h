/*-------------------------------------------------------------------------
 * internal.h
 *		What the files of the guard room share.
 *
 * Floor 5.  Inside the room only.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_GUARD_INTERNAL_H
#define PGSEAL_GUARD_INTERNAL_H

#include "base/base.h"

#include "nodes/primnodes.h"
#include "types/types.h"

/* fresh.c: catalog rows that the running command has just written */
extern HeapTuple fresh_by_oid(Oid catalog, Oid index, AttrNumber key, Oid oid);
extern HeapTuple fresh_of_column(Oid catalog, Oid index, AttrNumber relation_key,
							   AttrNumber column_key, Oid relation, AttrNumber column);
extern Datum fresh_value(Oid catalog, HeapTuple row, AttrNumber attribute, bool *isnull);
extern Node *fresh_tree(Oid catalog, HeapTuple row, AttrNumber attribute);

/* ddl.c: one function for each kind of object */
extern void ddl_check_relation(Oid relation, AttrNumber column);
extern void ddl_check_type(Oid type);
extern void ddl_check_default(Oid relation, AttrNumber column);
extern void ddl_check_constraint(Oid constraint);
extern void ddl_check_trigger(Oid trigger);
extern void ddl_check_statistics(Oid statistics);
extern void ddl_check_matview(Node *query);
extern void ddl_check_rule(Oid rule);
extern void ddl_check_partition_key(Oid relation);

/* column.c */
extern bool column_key(Oid type, int32 typmod, int32 *key);
extern void column_require_searchable(int32 key);
extern void column_require_searchable_inside(Oid type, int32 typmod);

/* stored.c */
extern void stored_check(Node *expr, const char *kind);
extern void stored_check_default(Node *expr, const char *kind);
extern void stored_check_in_query(Node *node, const char *kind);

/* log.c */
extern void log_init(void);

#endif							/* PGSEAL_GUARD_INTERNAL_H */
