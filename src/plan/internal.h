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
#include "nodes/plannodes.h"
#include "types/types.h"
#include "utils/relcache.h"

/*
 * The key of a sealed expression: its type modifier, which is a key id and
 * never negative, or one of these.
 */
#define KEY_UNKNOWN		(-1)	/* sealed, but nothing says under which key */
#define KEY_ANY			(-2)	/* a NULL constant: goes with every key */
#define KEY_OPAQUE		(-3)	/* a RECORD whose columns no one can tell */

/* An operator = or <> on a sealed type. */
typedef struct Comparison
{
	SealedKind	kind;
	bool		negated;
} Comparison;

/* Where an expression stands. */
typedef struct Scope
{
	List	   *queries;		/* levels we are in, innermost first */
	List	   *grouped;		/* those of them whose rows are grouped here: no column can be added */
	List	   *whole_rows;		/* entries of FROM, of any level, that are used as a whole row */
	SubLink    *sublink;		/* whose test we are in, or NULL */
} Scope;

/* exprkey.c */
extern SealedKind exprkey_kind(Node *expr);
extern int32 exprkey_of(Node *expr);
extern Node *exprkey_ungrouped(Node *expr, List **scope);
extern List *exprkey_list(Node *expr, List *scope);
extern List *exprkey_list_of_type(Oid type, int32 typmod);
extern List *exprkey_merge_lists(List *left, List *right);
extern bool exprkey_hold_sealed(List *keys);
extern bool exprkey_is_searchable(int32 key);
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
extern void refuse_order(List *args, List *scope);
extern void refuse_search_order(CommonTableExpr *cte);
extern void refuse_text_of_anything(Oid function, List *args);
extern void refuse_text_cast(CoerceViaIO *cast, List *scope);

/* probe.c */
extern Node *probe_value(SealedKind kind, int32 key, Node *value);
extern Node *probe_elements(SealedKind kind, int32 key, Node *array);
extern ArrayExpr *probe_array_source(Node *array);
extern bool probe_is_call(FuncExpr *call, int32 *key);

/* coldef.c */
extern bool coldef_check_keys(RangeTblEntry *rte);

/* inline.c */
extern bool inline_has_set_functions(Query *query);
extern void inline_set_functions(Query *query, PlannerInfo *root);
extern bool inline_is_candidate(FuncExpr *call);
extern Query *inline_scalar_functions(Query *query, PlannerInfo *root);

/* source.c: the sealed value that an expression is opened from */
extern void source_init_scope(Scope *scope, Query *query);
extern Node *source_of(Node *expr, const Scope *scope);
extern Node *source_take(Node *expr, const Scope *scope);
extern FuncExpr *source_take_call(Node *expr, const Scope *scope);
extern Oid	source_twin(const char *name, List *args);
extern Query *source_with_query(RangeTblEntry *rte, List *queries, List **scope);

/* resolve.c */
extern void resolve_comparisons(Query *query);

/* strict.c */
extern void strict_open(Query *query, bool keeps_rows);

/* store.c */
extern void store_init(void);
extern bool store_keeps_rows(const char *query_string);

/* late.c */
extern void late_open(Query *query);

/* binder.c */
extern bool binder_find_comparison(Comparison *comparison, Oid opno);
extern Oid	binder_operator(const Comparison *comparison);
extern Query *binder_bind(Query *query);

/* cell.c */
typedef struct CellForm
{
	Oid			relation;
	AttrNumber	subject;
	int			key_count;
	AttrNumber	key[INDEX_MAX_KEYS];	/* primary key, in its order */
	int			column_count;	/* of those the protection is about; 0 without one */
	AttrNumber *columns;
	uint64	   *numbers;
} CellForm;

extern void cell_form(CellForm *form, Oid relation);
extern uint64 cell_number(const CellForm *form, AttrNumber column);
extern Node *cell_show(const CellForm *form, uint64 number, Node *sealed, Index varno);
extern void cell_append(StringInfo statement, const CellForm *form, AttrNumber column);

/* view.c */
typedef struct RevealingView
{
	RangeTblEntry *table;		/* as the view's query has it; a copy */
	int			table_index;	/* its place there */
	List	   *targets;		/* what the view shows; a copy */
	bool		reveals;		/* is one of the columns sealed? */
	bool		outdated;		/* is one of them shown otherwise than the table's protection says? */
	bool		misplaced;		/* is one of them shown with another subject or place? */
} RevealingView;

extern bool view_read(RevealingView *view, Relation relation);
extern FuncExpr *view_call(Expr *target);
extern Var *view_source(Expr *target, bool *sealed);

/* narrow.c */
extern void narrow_init(void);
extern bool narrow_entry(RangeTblEntry *rte);
extern void narrow_follow(PlannedStmt *plan);

/* refresh.c */
extern void refresh_init(void);

/* aim.c */
extern void aim_init(void);

/* assign.c */
extern List *assign_targets(List *targets, List *view_targets, List *rtable);

#endif							/* PGSEAL_PLAN_INTERNAL_H */
