/*-------------------------------------------------------------------------
 * internal.h
 *		What the files of the plan room share.
 *
 * Floor 5.  Inside the room only.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_PLAN_INTERNAL_H
#define PGSEAL_PLAN_INTERNAL_H

#include "base/base.h"

#include "nodes/pathnodes.h"
#include "types/types.h"
#include "utils/relcache.h"

/*
 * The key of a sealed expression: its type modifier, which is a key id and
 * never negative, or one of these.
 */
#define KEY_UNKNOWN		(-1)	/* sealed, but nothing says under which key */
#define KEY_ANY			(-2)	/* a NULL constant: goes with every key */
#define KEY_OPAQUE		(-3)	/* a RECORD whose columns no one can tell */

/* exprkey.c */
extern SealedKind exprkey_kind(Node *expr);
extern int32 exprkey_of(Node *expr);
extern List *exprkey_list(Node *expr, List *scope);
extern List *exprkey_list_of_type(Oid type, int32 typmod);
extern List *exprkey_merge_lists(List *left, List *right);
extern bool exprkey_hold_sealed(List *keys);
extern void exprkey_require_searchable(int32 key);
extern void exprkey_require_groupable(List *keys);
extern void exprkey_require_same(List *left, List *right);

/* recordkey.c */
extern List *recordkey_list(Node *expr, List *scope);
extern List *recordkey_of_arm(Node *arm, int column, List *scope);
extern List *recordkey_of_column(Query *query, int column, bool recursive, List *scope);

/* refuse.c: the scope is the queries we are in, innermost first */
extern void refuse_in_query(Query *query, List *scope);
extern void refuse_in_aggregate(Aggref *aggregate, List *scope);
extern void refuse_in_function(Oid function, List *args, List *scope);
extern void refuse_text_of_anything(Oid function, List *args);
extern void refuse_text_cast(CoerceViaIO *cast, List *scope);
extern void refuse_order(List *args, List *scope);
extern void refuse_search_order(CommonTableExpr *cte);

/* probe.c */
extern Node *probe_value(SealedKind kind, int32 key, Node *value);
extern Node *probe_elements(SealedKind kind, int32 key, Node *array);
extern ArrayExpr *probe_array_source(Node *array);
extern bool probe_is_call(FuncExpr *call, int32 *key);

/* coldef.c */
extern bool coldef_check_keys(RangeTblEntry *rte);

/* inline.c */
extern void inline_set_functions(Query *query, PlannerInfo *root);
extern Node *inline_scalar_function(FuncExpr *call, PlannerInfo *root);

/* binder.c */
extern Query *binder_bind(Query *query, PlannerInfo *root);

/* view.c */
typedef struct RevealingView
{
	RangeTblEntry *table;		/* as the view's query has it; a copy */
	int			table_index;	/* its place there */
	List	   *targets;		/* what the view shows; a copy */
	bool		reveals;		/* is one of the columns sealed? */
} RevealingView;

extern bool view_read(RevealingView *view, Relation relation);
extern Var *view_source(Expr *target, bool *sealed);

/* aim.c */
extern void aim_init(void);

/* assign.c */
extern List *assign_targets(List *targets, List *view_targets, List *rtable);

#endif							/* PGSEAL_PLAN_INTERNAL_H */
