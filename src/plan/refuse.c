/*-------------------------------------------------------------------------
 * refuse.c
 *		What would give a wrong answer without saying so: order by tokens,
 *		grouping and comparing of tokens under unknown or different keys.
 *
 * Floor 5.  A token has no order that means anything.  The sorts PostgreSQL
 * makes for itself, for DISTINCT, GROUP BY, merge joins and index builds, are
 * not in the query tree and stay.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"

/* Functions, operators' functions and aggregates of core that look inside arrays and rows. */
static const Oid order_functions[] = {
	F_ARRAY_LT, F_ARRAY_LE, F_ARRAY_GT, F_ARRAY_GE, F_BTARRAYCMP,
	F_ARRAY_LARGER, F_ARRAY_SMALLER, F_MAX_ANYARRAY, F_MIN_ANYARRAY,
	F_WIDTH_BUCKET_ANYCOMPATIBLE_ANYCOMPATIBLEARRAY,
	COMPAT_ORDER_FUNCTIONS
	F_RECORD_LT, F_RECORD_LE, F_RECORD_GT, F_RECORD_GE, F_BTRECORDCMP
};

/* These compare their first argument, or what is in it, with the second. */
static const Oid equality_functions[] = {
	F_ARRAY_EQ, F_ARRAY_NE, F_ARRAYCONTAINS, F_ARRAYCONTAINED, F_ARRAYOVERLAP,
	F_ARRAY_POSITION_ANYCOMPATIBLEARRAY_ANYCOMPATIBLE,
	F_ARRAY_POSITION_ANYCOMPATIBLEARRAY_ANYCOMPATIBLE_INT4,
	F_ARRAY_POSITIONS, F_ARRAY_REMOVE, F_ARRAY_REPLACE,
	F_RECORD_EQ, F_RECORD_NE
};

static bool
is_one_of(Oid function, const Oid *functions, int count)
{
	int			i;

	for (i = 0; i < count; i++)
		if (functions[i] == function)
			return true;
	return false;
}

/* refuse_order: 0A000 when one of the expressions is or holds, or may hold, a sealed value. */
void
refuse_order(List *args, List *scope)
{
	ListCell   *cell;

	foreach(cell, args)
	{
		List	   *keys = exprkey_list(lfirst(cell), scope);

		if (keys != NIL)
			error_raise(exprkey_hold_sealed(keys) ? SEAL_E_TOKEN_ORDER : SEAL_E_KEY_NOT_KNOWN, NULL);
	}
}

/* refuse_in_function: functions of core that order or compare inside arrays and rows. */
void
refuse_in_function(Oid function, List *args, List *scope)
{
	if (is_one_of(function, order_functions, lengthof(order_functions)))
		refuse_order(args, scope);
	else if (is_one_of(function, equality_functions, lengthof(equality_functions)))
		exprkey_require_same(exprkey_list(linitial(args), scope), exprkey_list(lsecond(args), scope));
}

/* refuse_sort: an ORDER BY list. */
static void
refuse_sort(List *clauses, List *targetlist, List *scope)
{
	refuse_order(get_sortgrouplist_exprs(clauses, targetlist), scope);
}

/* refuse_grouping: a GROUP BY, DISTINCT or PARTITION BY list. */
static void
refuse_grouping(List *clauses, List *targetlist, List *scope)
{
	ListCell   *cell;

	foreach(cell, get_sortgrouplist_exprs(clauses, targetlist))
		exprkey_require_groupable(exprkey_list(lfirst(cell), scope));
}

/* refuse_in_aggregate: agg(DISTINCT x), agg(x ORDER BY y), agg() WITHIN GROUP (ORDER BY x), max(array). */
void
refuse_in_aggregate(Aggref *aggregate, List *scope)
{
	List	   *args = NIL;
	ListCell   *cell;

	foreach(cell, aggregate->args)
		args = lappend(args, lfirst_node(TargetEntry, cell)->expr);
	refuse_in_function(aggregate->aggfnoid, args, scope);
	refuse_sort(aggregate->aggorder, aggregate->args, scope);
	refuse_grouping(aggregate->aggdistinct, aggregate->args, scope);
}

/* refuse_search_order: SEARCH ... BY of a recursive query. */
void
refuse_search_order(CommonTableExpr *cte)
{
	ListCell   *name,
			   *type;

	if (cte->search_clause == NULL)
		return;
	forboth(name, cte->ctecolnames, type, cte->ctecoltypes)
		if (list_member(cte->search_clause->search_col_list, lfirst(name)) &&
			sealed_type_inside(lfirst_oid(type)))
			error_raise(SEAL_E_TOKEN_ORDER, NULL);
}

/* ----------
 * UNION, INTERSECT, EXCEPT
 * ----------
 */

/* refuse_in_set_operation: all but UNION ALL compare the rows of their arms. */
static void
refuse_in_set_operation(Node *node, List *scope)
{
	SetOperationStmt *operation = (SetOperationStmt *) node;
	int			column;

	if (!IsA(node, SetOperationStmt))
		return;
	refuse_in_set_operation(operation->larg, scope);
	refuse_in_set_operation(operation->rarg, scope);
	if (operation->op == SETOP_UNION && operation->all)
		return;
	for (column = 0; column < list_length(operation->colTypes); column++)
		if (sealed_type_inside(list_nth_oid(operation->colTypes, column)) ||
			list_nth_oid(operation->colTypes, column) == RECORDOID)
			exprkey_require_same(recordkey_of_arm(operation->larg, column, scope),
								 recordkey_of_arm(operation->rarg, column, scope));
}

/* refuse_in_query: the clauses of one query level that order, group or compare. */
void
refuse_in_query(Query *query, List *scope)
{
	ListCell   *cell;

	refuse_sort(query->sortClause, query->targetList, scope);
	refuse_grouping(query->groupClause, query->targetList, scope);
	refuse_grouping(query->distinctClause, query->targetList, scope);
	foreach(cell, query->windowClause)
	{
		WindowClause *window = lfirst_node(WindowClause, cell);

		refuse_sort(window->orderClause, query->targetList, scope);
		refuse_grouping(window->partitionClause, query->targetList, scope);
	}
	if (query->setOperations != NULL)
		refuse_in_set_operation(query->setOperations, scope);
}
