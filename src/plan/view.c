/*-------------------------------------------------------------------------
 * view.c
 *		What a revealing view is: recognised by its shape.
 *
 * Floor 5.  No catalog says which views reveal, so a view stays one through
 * dump and restore, pg_upgrade and renaming:
 *
 *		CREATE VIEW ... WITH (security_invoker) AS
 *		SELECT id, seal.show(name) AS name, ... FROM patient
 *
 * one table, no condition, grouping or order; each column at most once.  Of a
 * protected table each value is shown in its place, see cell.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* is_place: a call of seal.place() for a column with a number. */
static bool
is_place(Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;
	char	   *name;

	if (!IsA(node, FuncExpr) || get_func_namespace(call->funcid) != seal_schema_oid(true) ||
		!IsA(linitial(call->args), Const))
		return false;
	name = get_func_name(call->funcid);
	return name != NULL && strcmp(name, "place") == 0;
}

/* view_call: a target that is a call of seal.show(sealed) or seal.show(sealed, text, place); else NULL. */
FuncExpr *
view_call(Expr *target)
{
	FuncExpr   *call = (FuncExpr *) target;

	if (!IsA(target, FuncExpr) || call->args == NIL ||
		sealed_kind_of_type(exprType(linitial(call->args))) == SEALED_NONE ||
		sealed_opening(call->funcid) != OPENING_SHOW)
		return NULL;
	return list_length(call->args) == 1 || is_place(lthird(call->args)) ? call : NULL;
}

/*
 * view_source
 *		The column that a target of a revealing view shows; NULL for any other
 *		expression.
 *
 * A domain over a sealed type is relabelled on its way into seal.show().
 */
Var *
view_source(Expr *target, bool *sealed)
{
	Node	   *source = (Node *) target;
	FuncExpr   *call = view_call(target);

	*sealed = call != NULL;
	if (*sealed)
	{
		source = linitial(call->args);
		while (IsA(source, RelabelType))
			source = (Node *) ((RelabelType *) source)->arg;
	}
	if (!IsA(source, Var) || ((Var *) source)->varattno <= 0)
		return NULL;
	return (Var *) source;
}

/* reads_one_table: FROM is one table with its children, and nothing else is asked. */
static bool
reads_one_table(Query *query)
{
	RangeTblRef *from;
	RangeTblEntry *table;

	if (view_query_is_auto_updatable(query, false) != NULL || query->hasSubLinks ||
		query->jointree->quals != NULL || query->sortClause != NIL || query->rowMarks != NIL)
		return false;
	from = linitial_node(RangeTblRef, query->jointree->fromlist);
	table = rt_fetch(from->rtindex, query->rtable);
	return table->relkind != RELKIND_VIEW && table->inh;
}

/* shows_columns: each target is a column of the table, and none comes twice. */
static bool
shows_columns(Query *query, bool *reveals)
{
	Bitmapset  *shown = NULL;
	ListCell   *cell;

	*reveals = false;
	foreach(cell, query->targetList)
	{
		bool		sealed;
		Var		   *source = view_source(lfirst_node(TargetEntry, cell)->expr, &sealed);

		if (source == NULL || bms_is_member(source->varattno, shown))
			return false;
		shown = bms_add_member(shown, source->varattno);
		*reveals |= sealed;
	}
	return query->targetList != NIL;
}

/* compare_form: is each sealed column shown as the table's protection says now? */
static void
compare_form(RevealingView *view)
{
	CellForm	form;
	ListCell   *cell;

	cell_form(&form, view->table->relid);
	foreach(cell, view->targets)
	{
		Expr	   *target = lfirst_node(TargetEntry, cell)->expr;
		FuncExpr   *call = view_call(target);
		bool		sealed;
		uint64		number;

		if (call == NULL)
			continue;
		number = cell_number(&form, view_source(target, &sealed)->varattno);
		if (number == 0 && list_length(call->args) == 1)
			continue;
		if (equal(call, cell_show(&form, number, copyObject(linitial(call->args)), view->table_index)))
			continue;
		view->outdated = true;
		view->misplaced |= list_length(call->args) > 1;
	}
}

/*
 * view_read
 *		Is it a revealing view, and of what?
 *
 *	relation	open and locked
 */
bool
view_read(RevealingView *view, Relation relation)
{
	Query	   *query;

	if (relation->rd_rel->relkind != RELKIND_VIEW || !RelationHasSecurityInvoker(relation) ||
		RelationIsSecurityView(relation))
		return false;
	query = get_view_query(relation);
	if (!reads_one_table(query) || !shows_columns(query, &view->reveals))
		return false;
	view->table_index = linitial_node(RangeTblRef, query->jointree->fromlist)->rtindex;
	view->table = copyObject(rt_fetch(view->table_index, query->rtable));
	view->targets = copyObject(query->targetList);
	view->outdated = view->misplaced = false;
	if (view->reveals)
		compare_form(view);
	return true;
}
