/*-------------------------------------------------------------------------
 * inline.c
 *		Expand SQL functions before the planner does.
 *
 * Floor 5.  A SQL function that the planner puts in place of its call is not
 * planned as a query of its own, so its comparisons would stay unbound.  A
 * function that is not expanded runs its own queries through the hook.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* is_sql_function: written in SQL, and not by core, whose functions know no sealed type. */
static bool
is_sql_function(Oid function)
{
	HeapTuple	row;
	bool		is_sql;

	if (function < FirstNormalObjectId)
		return false;
	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(row))
		return false;
	is_sql = ((Form_pg_proc) GETSTRUCT(row))->prolang == SQLlanguageId;
	ReleaseSysCache(row);
	return is_sql;
}

/* called_function: the one function an entry of FROM calls, or NULL. */
static FuncExpr *
called_function(RangeTblEntry *rte)
{
	RangeTblFunction *item;

	if (rte->rtekind != RTE_FUNCTION || list_length(rte->functions) != 1)
		return NULL;
	item = linitial_node(RangeTblFunction, rte->functions);
	return IsA(item->funcexpr, FuncExpr) ? (FuncExpr *) item->funcexpr : NULL;
}

/* inline_has_set_functions: is there a SQL function in FROM? */
bool
inline_has_set_functions(Query *query)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		FuncExpr   *call = called_function(lfirst_node(RangeTblEntry, cell));

		if (call != NULL && is_sql_function(call->funcid))
			return true;
	}
	return false;
}

/*
 * inline_set_functions
 *		Expand the SQL functions in FROM that the planner would expand.
 *
 * Changes the query in place, as the planner does.
 * Source: preprocess_function_rtes() in prepjointree.c.
 */
void
inline_set_functions(Query *query, PlannerInfo *root)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
		FuncExpr   *call = called_function(rte);
		Query	   *body;

		if (call == NULL || !is_sql_function(call->funcid))
			continue;
		refuse_text_of_anything(call->funcid, call->args);
		rte->functions = (List *) eval_const_expressions(root, (Node *) rte->functions);
		body = compat_inline_from(root, rte);
		if (body == NULL)
			continue;
		rte->rtekind = RTE_SUBQUERY;
		rte->subquery = body;
		rte->security_barrier = false;
		rte->funcordinality = false;
	}
}

/* ----------
 * Calls in expressions
 * ----------
 */

typedef struct InlineContext
{
	PlannerInfo *root;			/* see plan.c */
	List	   *inlining;		/* functions whose bodies we are in */
} InlineContext;

/*
 * inline_is_candidate
 *		Might the planner put a body in the place of this call that compares
 *		sealed values?
 *
 * Only calls with a sealed argument matter: nothing else brings a sealed
 * column into such a body.
 */
bool
inline_is_candidate(FuncExpr *call)
{
	ListCell   *cell;

	if (call->funcretset || !is_sql_function(call->funcid))
		return false;
	foreach(cell, call->args)
		if (sealed_type_inside(exprType(lfirst(cell))))
			return true;
	return false;
}

/* body_of: a call as the body of its function, or NULL when it stays a call. */
static Node *
body_of(FuncExpr *call, PlannerInfo *root)
{
	Node	   *body;

	refuse_text_of_anything(call->funcid, call->args);
	body = eval_const_expressions(root, (Node *) call);
	if (IsA(body, FuncExpr) && ((FuncExpr *) body)->funcid == call->funcid)
		return NULL;
	return body;
}

static Node *
inline_mutator(Node *node, void *context)
{
	InlineContext *inlining = context;
	FuncExpr   *call = (FuncExpr *) node;
	Node	   *body;

	if (node == NULL)
		return NULL;
	check_stack_depth();
	if (IsA(node, Query))
		return (Node *) query_tree_mutator((Query *) node, inline_mutator, context, 0);
	if (!IsA(node, FuncExpr) || !inline_is_candidate(call) ||
		list_member_oid(inlining->inlining, call->funcid) ||
		(body = body_of(call, inlining->root)) == NULL)
		return expression_tree_mutator(node, inline_mutator, context);
	inlining->inlining = lcons_oid(call->funcid, inlining->inlining);
	body = inline_mutator(body, context);
	inlining->inlining = list_delete_first(inlining->inlining);
	return body;
}

/*
 * inline_scalar_functions
 *		A copy of the query with the bodies of SQL functions in place of calls.
 *
 * A function that calls itself stays a call inside its own body, as it does
 * when the planner inlines.
 */
Query *
inline_scalar_functions(Query *query, PlannerInfo *root)
{
	InlineContext context = {root, NIL};

	return query_tree_mutator(query, inline_mutator, &context, 0);
}
