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

/*
 * inline_scalar_function
 *		Body of a SQL function in place of its call, or NULL.
 *
 * Only calls with a sealed argument matter: nothing else brings a sealed
 * column into such a body.
 */
Node *
inline_scalar_function(FuncExpr *call, PlannerInfo *root)
{
	ListCell   *cell;
	Node	   *body;
	bool		sealed = false;

	foreach(cell, call->args)
		sealed = sealed || sealed_type_inside(exprType(lfirst(cell)));
	if (!sealed || call->funcretset || !is_sql_function(call->funcid))
		return NULL;
	refuse_text_of_anything(call->funcid, call->args);
	body = eval_const_expressions(root, (Node *) call);
	if (IsA(body, FuncExpr) && ((FuncExpr *) body)->funcid == call->funcid)
		return NULL;
	return body;
}
