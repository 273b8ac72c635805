/*-------------------------------------------------------------------------
 * late.c
 *		What is only given out is opened last.
 *
 * Floor 5.  PostgreSQL evaluates a stable function of the select list below
 * the sort, so that clear values would reach its temporary files even for
 * ORDER BY id, and be opened for rows that LIMIT cuts off.  A volatile one it
 * evaluates after the sort.  So at the top level, where nothing is pulled up
 * any more, what is no sort key becomes
 *
 *		seal.show_volatile(sealed column)
 *
 * The same keeps values sealed in hash tables of joins: below an outer join
 * PostgreSQL would open them before it joins.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

typedef struct LateContext
{
	Scope		scope;
	List	   *keys;			/* expressions that are sorted by: in clear anyway */
} LateContext;

/* holds_rows: might the rows of the query be kept somewhere on their way? */
static bool
holds_rows(Query *query)
{
	List	   *from = query->jointree->fromlist;

	return query->sortClause != NIL || list_length(from) > 1 ||
		(from != NIL && !IsA(linitial(from), RangeTblRef));
}

/* is_plain: each row it gives is one row of FROM. */
static bool
is_plain(Query *query)
{
	return query->commandType == CMD_SELECT && query->setOperations == NULL && !query->hasAggs &&
		query->groupClause == NIL && query->groupingSets == NIL && query->havingQual == NULL &&
		query->distinctClause == NIL && !query->hasTargetSRFs;
}

/* show_late: the call over a sealed value, in the place of an expression. */
static Node *
show_late(Node *expr, Node *sealed)
{
	List	   *args = list_make1(sealed);

	return (Node *) makeFuncExpr(source_twin("show_volatile", args), exprType(expr), args,
								 exprCollation(expr), InvalidOid, COERCE_EXPLICIT_CALL);
}

/* late_mutator: subqueries and window functions are evaluated where they stand. */
static Node *
late_mutator(Node *node, void *context)
{
	LateContext *late = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, SubLink) || IsA(node, WindowFunc) || list_member(late->keys, node))
		return node;
	if (IsA(node, Var) && source_of(node, &late->scope) != NULL)
		return show_late(node, source_take(node, &late->scope));
	if (IsA(node, FuncExpr) && sealed_opening(((FuncExpr *) node)->funcid) == OPENING_SHOW)
	{
		node = copyObject(node);
		((FuncExpr *) node)->funcid = source_twin("show_volatile", ((FuncExpr *) node)->args);
		return node;
	}
	return expression_tree_mutator(node, late_mutator, context);
}

/* late_open: changes the query, which must be that of a statement, in place. */
void
late_open(Query *query)
{
	LateContext late;
	ListCell   *cell;

	if (!is_plain(query) || !holds_rows(query))
		return;
	source_init_scope(&late.scope, query);
	late.scope.queries = list_make1(query);
	late.keys = get_sortgrouplist_exprs(query->sortClause, query->targetList);
	foreach(cell, query->targetList)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);

		if (target->ressortgroupref == 0)
			target->expr = (Expr *) late_mutator((Node *) target->expr, &late);
	}
}
