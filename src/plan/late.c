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

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"

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

/* is_plain: each row it gives is one row of FROM; DISTINCT ON takes rows away before the select list is evaluated. */
static bool
is_plain(Query *query)
{
	return query->commandType == CMD_SELECT && query->setOperations == NULL && !query->hasAggs &&
		query->groupClause == NIL && query->groupingSets == NIL && query->havingQual == NULL &&
		(query->distinctClause == NIL || query->hasDistinctOn) && !query->hasTargetSRFs;
}

/* show_late: a call that opens a value, late. */
static Node *
show_late(FuncExpr *call)
{
	return (Node *) makeFuncExpr(source_twin("show_volatile", call->args), call->funcresulttype, call->args,
								 call->funccollid, call->inputcollid, COERCE_EXPLICIT_CALL);
}

/* makes_nulls: has the query an outer join, whose missing rows are NULL and no rows of NULLs? */
static bool
makes_nulls(Query *query)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);

		if (rte->rtekind == RTE_JOIN && rte->jointype != JOIN_INNER)
			return true;
	}
	return false;
}

/*
 * spread_row
 *		A whole row of a subquery as its columns, or NULL where none of them can
 *		be opened late.
 *
 * Source: pullup_replace_vars_callback() in prepjointree.c, which would do it
 * too late for us.
 */
static Node *
spread_row(Var *row, LateContext *late)
{
	Query	   *query = linitial_node(Query, late->scope.queries);
	RangeTblEntry *rte = row->varlevelsup == 0 ? rt_fetch(row->varno, query->rtable) : NULL;
	RowExpr    *spread;
	List	   *names;
	List	   *columns;
	ListCell   *cell;

	if (rte == NULL || rte->rtekind != RTE_SUBQUERY || makes_nulls(query))
		return NULL;
	compat_expand_rte(rte, row->varno, row->vartype != RECORDOID, &names, &columns);
	spread = makeNode(RowExpr);
	spread->args = columns;
	spread->row_typeid = row->vartype;
	spread->row_format = COERCE_IMPLICIT_CAST;
	spread->colnames = row->vartype == RECORDOID ? names : NIL;
	spread->location = row->location;
	foreach(cell, columns)
		if (source_of(lfirst(cell), &late->scope) != NULL)
			return (Node *) spread;
	return NULL;
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
	if (IsA(node, Var) && ((Var *) node)->varattno == InvalidAttrNumber)
	{
		Node	   *spread = spread_row((Var *) node, late);

		return spread != NULL ? late_mutator(spread, context) : node;
	}
	if (IsA(node, Var) && source_of(node, &late->scope) != NULL)
		return show_late(source_take_call(node, &late->scope));
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
