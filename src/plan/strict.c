/*-------------------------------------------------------------------------
 * strict.c
 *		No false NULL: where rows depend on a value, it is opened or refused.
 *
 * Floor 5.  seal.show() gives NULL for what a role may not see.  That is right
 * for what is given out, and a lie wherever a row is chosen, joined, grouped,
 * ordered or written by it.  So each seal.show() that such a place leads to,
 * through subqueries, set operations, WITH queries and joins, becomes
 * seal.reveal_stable(), which raises 42501.
 *
 * Given out is: the select list, RETURNING, and what aggregates and window
 * functions there are called with.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"

typedef struct StrictContext
{
	List	   *queries;		/* levels we are in, innermost first */
	List	   *used;			/* output columns that have been followed */
} StrictContext;

static bool use_walker(Node *node, void *context);
static bool strict_walker(Node *node, void *context);

/* is_shown: a call that hides what may not be seen. */
static bool
is_shown(Node *node)
{
	Opening		opening;

	if (!IsA(node, FuncExpr))
		return false;
	opening = sealed_opening(((FuncExpr *) node)->funcid);
	return opening == OPENING_SHOW || opening == OPENING_SHOW_VOLATILE;
}

/* reveal_instead: from now on it is refused instead. */
static void
reveal_instead(FuncExpr *call)
{
	call->funcid = source_twin("reveal_stable", call->args);
}

/* use: open or refuse every value that an expression, or a list of them, leads to. */
static void
use(void *exprs, StrictContext *strict)
{
	(void) use_walker(exprs, strict);
}

/* use_in: the same of an expression that stands in other queries than we do. */
static void
use_in(Node *expr, List *queries, StrictContext *strict)
{
	List	   *here = strict->queries;

	strict->queries = queries;
	use(expr, strict);
	strict->queries = here;
}

/* ----------
 * Columns of queries
 * ----------
 */

static void use_output(Query *query, AttrNumber column, List *queries, StrictContext *strict);

/* use_arms: a column of a set operation, in each of its arms; queries begin with that of the operation. */
static void
use_arms(Node *arm, AttrNumber column, List *queries, StrictContext *strict)
{
	Query	   *query;

	if (IsA(arm, SetOperationStmt))
	{
		use_arms(((SetOperationStmt *) arm)->larg, column, queries, strict);
		use_arms(((SetOperationStmt *) arm)->rarg, column, queries, strict);
		return;
	}
	query = rt_fetch(castNode(RangeTblRef, arm)->rtindex, ((Query *) linitial(queries))->rtable)->subquery;
	use_output(query, column, lcons(query, list_copy(queries)), strict);
}

/* use_output: a column that a query gives, or with 0 all; queries begin with that query. */
static void
use_output(Query *query, AttrNumber column, List *queries, StrictContext *strict)
{
	ListCell   *cell;

	check_stack_depth();
	foreach(cell, query->commandType == CMD_SELECT ? query->targetList : query->returningList)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);

		if (column != InvalidAttrNumber ? target->resno != column : target->resjunk)
			continue;
		if (list_member_ptr(strict->used, target))
			continue;
		strict->used = lappend(strict->used, target);
		if (query->setOperations != NULL)
			use_arms(query->setOperations, target->resno, queries, strict);
		else
			use_in((Node *) target->expr, queries, strict);
	}
}

/* use_join: a column of a join, or all. */
static void
use_join(RangeTblEntry *rte, AttrNumber column, List *queries, StrictContext *strict)
{
	if (column > 0)
		use_in(list_nth(rte->joinaliasvars, column - 1), queries, strict);
	else
		use_in((Node *) rte->joinaliasvars, queries, strict);
}

/* use_var: a column of an entry of FROM, or a whole row; functions and VALUES are used anyway. */
static void
use_var(Var *var, StrictContext *strict)
{
	List	   *queries = list_copy_tail(strict->queries, var->varlevelsup);
	List	   *outer;
	RangeTblEntry *rte;
	Query	   *query;

	if (queries == NIL || var->varattno < 0)
		return;
	rte = rt_fetch(var->varno, ((Query *) linitial(queries))->rtable);
	if (compat_group_exprs(rte) != NIL)
		use_in(list_nth(compat_group_exprs(rte), var->varattno - 1), queries, strict);
	switch (rte->rtekind)
	{
		case RTE_SUBQUERY:
			use_output(rte->subquery, var->varattno, lcons(rte->subquery, queries), strict);
			break;
		case RTE_CTE:
			query = source_with_query(rte, queries, &outer);
			if (query != NULL)
				use_output(query, var->varattno, lcons(query, outer), strict);
			break;
		case RTE_JOIN:
			use_join(rte, var->varattno, queries, strict);
			break;
		default:
			break;
	}
}

/* use_sublink: what its query gives; of EXISTS only that there is a row. */
static void
use_sublink(SubLink *sublink, StrictContext *strict)
{
	Query	   *query = castNode(Query, sublink->subselect);

	use(sublink->testexpr, strict);
	if (sublink->subLinkType != EXISTS_SUBLINK)
		use_output(query, InvalidAttrNumber, lcons(query, list_copy(strict->queries)), strict);
}

static bool
use_walker(Node *node, void *context)
{
	if (node == NULL || IsA(node, Query))
		return false;
	if (IsA(node, Var))
		use_var((Var *) node, context);
	if (IsA(node, SubLink))
	{
		use_sublink((SubLink *) node, context);
		return false;
	}
	if (is_shown(node))
		reveal_instead((FuncExpr *) node);
	return expression_tree_walker(node, use_walker, context);
}

/* ----------
 * Select lists
 * ----------
 */

/* collect_shown: walker; copies of all calls that show. */
static bool
collect_shown(Node *node, void *context)
{
	List	  **calls = context;

	if (node == NULL)
		return false;
	if (is_shown(node))
		*calls = lappend(*calls, copyObject(node));
	return expression_tree_walker(node, collect_shown, context);
}

/* reveal_equal: walker; calls equal to one that is grouped by, or PostgreSQL would not see that they are. */
static bool
reveal_equal(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (is_shown(node) && list_member(context, node))
		reveal_instead((FuncExpr *) node);
	return expression_tree_walker(node, reveal_equal, context);
}

/* use_keys: what the select list of a query, or the arguments of an aggregate, are sorted and grouped by. */
static void
use_keys(List *targets, StrictContext *strict)
{
	List	   *shown = NIL;
	ListCell   *cell;

	foreach(cell, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);

		if (target->ressortgroupref == 0)
			continue;
		(void) collect_shown((Node *) target->expr, &shown);
		use(target->expr, strict);
	}
	if (shown != NIL)
		(void) reveal_equal((Node *) targets, shown);
}

/* use_targets: what is written, or what rows are sorted and grouped by. */
static void
use_targets(Query *query, StrictContext *strict)
{
	ListCell   *cell;

	if (query->commandType == CMD_INSERT || query->commandType == CMD_UPDATE)
		use(query->targetList, strict);
	else if (query->setOperations == NULL)
		use_keys(query->targetList, strict);
	else
		foreach(cell, query->targetList)
			if (lfirst_node(TargetEntry, cell)->ressortgroupref != 0)
				use_output(query, lfirst_node(TargetEntry, cell)->resno, strict->queries, strict);
}

/* use_compared_arms: all set operations but UNION ALL compare rows. */
static void
use_compared_arms(Node *node, StrictContext *strict)
{
	SetOperationStmt *operation = (SetOperationStmt *) node;
	int			column;

	if (node == NULL || !IsA(node, SetOperationStmt))
		return;
	if (operation->op == SETOP_UNION && operation->all)
	{
		use_compared_arms(operation->larg, strict);
		use_compared_arms(operation->rarg, strict);
		return;
	}
	for (column = 1; column <= list_length(operation->colTypes); column++)
		use_arms(node, column, strict->queries, strict);
}

/* ----------
 * The walk
 * ----------
 */

/* use_from: functions, VALUES and conditions of an entry of FROM. */
static void
use_from(RangeTblEntry *rte, StrictContext *strict)
{
	use(rte->functions, strict);
	use(rte->values_lists, strict);
	use(rte->tablefunc, strict);
	use(rte->tablesample, strict);
	use(rte->securityQuals, strict);
}

/* strict_query: one level, then what is inside it. */
static bool
strict_query(Query *query, StrictContext *strict)
{
	ListCell   *cell;

	strict->queries = lcons(query, strict->queries);
	use(query->jointree, strict);
	use(query->havingQual, strict);
	use(query->limitOffset, strict);
	use(query->limitCount, strict);
	use(query->withCheckOptions, strict);
	use(query->onConflict, strict);
	use(query->mergeActionList, strict);
	use(compat_merge_condition(query), strict);
	foreach(cell, query->windowClause)
	{
		use(lfirst_node(WindowClause, cell)->startOffset, strict);
		use(lfirst_node(WindowClause, cell)->endOffset, strict);
	}
	foreach(cell, query->rtable)
		use_from(lfirst_node(RangeTblEntry, cell), strict);
	use_targets(query, strict);
	use_compared_arms(query->setOperations, strict);
	(void) query_tree_walker(query, strict_walker, strict, QTW_IGNORE_JOINALIASES);
	strict->queries = list_delete_first(strict->queries);
	return false;
}

/* strict_walker: what decides about rows inside expressions that do not. */
static bool
strict_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_Query:
			return strict_query((Query *) node, context);
		case T_Aggref:
			use(((Aggref *) node)->aggfilter, context);
			use_keys(((Aggref *) node)->args, context);
			break;
		case T_WindowFunc:
			use(((WindowFunc *) node)->aggfilter, context);
			break;
		case T_SubLink:
			if (((SubLink *) node)->testexpr != NULL)
				use(node, context);
			break;
		case T_FuncExpr:
			if (((FuncExpr *) node)->funcretset)
				use(((FuncExpr *) node)->args, context);
			break;
		case T_OpExpr:
			if (((OpExpr *) node)->opretset)
				use(((OpExpr *) node)->args, context);
			break;
		default:
			break;
	}
	return expression_tree_walker(node, strict_walker, context);
}

/*
 * strict_open
 *		Changes the query of a statement in place.
 *
 *	keeps_rows	what it gives is written to a table
 */
void
strict_open(Query *query, bool keeps_rows)
{
	StrictContext strict = {NIL, NIL};

	if (keeps_rows)
		use_output(query, InvalidAttrNumber, list_make1(query), &strict);
	(void) strict_walker((Node *) query, &strict);
}
