/*-------------------------------------------------------------------------
 * recordkey.c
 *		What a value of type RECORD consists of.
 *
 * Floor 5.  Its type does not tell.  ROW() does, and a row of a subquery or of
 * a WITH query is followed to the expressions it is made of; where that ends,
 * the value is opaque.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"

/* keys_of_all: of values side by side, as in ROW(). */
static List *
keys_of_all(List *exprs, List *scope)
{
	List	   *keys = NIL;
	ListCell   *cell;

	foreach(cell, exprs)
		keys = list_concat(keys, exprkey_list(lfirst(cell), scope));
	return keys;
}

/* keys_of_any: of values that stand for one another, as in ARRAY[ROW(), ...]. */
static List *
keys_of_any(List *exprs, List *scope)
{
	List	   *keys;
	ListCell   *cell;

	if (exprs == NIL)
		return list_make1_int(KEY_OPAQUE);
	keys = exprkey_list(linitial(exprs), scope);
	for_each_from(cell, exprs, 1)
		keys = exprkey_merge_lists(keys, exprkey_list(lfirst(cell), scope));
	return keys;
}

/* keys_of_function: of a call that returns RECORD, with OUT arguments. */
static List *
keys_of_function(Node *call)
{
	TupleDesc	columns = exprType(call) == RECORDOID ? get_expr_result_tupdesc(call, true) : NULL;
	List	   *keys = NIL;
	int			i;

	if (columns == NULL)
		return list_make1_int(KEY_OPAQUE);
	for (i = 0; i < columns->natts; i++)
		if (!TupleDescAttr(columns, i)->attisdropped)
			keys = list_concat(keys, exprkey_list_of_type(TupleDescAttr(columns, i)->atttypid,
														  TupleDescAttr(columns, i)->atttypmod));
	return keys;
}

/* ----------
 * Columns and rows of the entries of FROM
 * ----------
 */

/*
 * recordkey_of_arm
 *		Keys of one column of a set operation or of one of its arms.
 *
 *	scope		begins with the query of the set operation
 */
List *
recordkey_of_arm(Node *arm, int column, List *scope)
{
	SetOperationStmt *operation = (SetOperationStmt *) arm;
	Query	   *query;

	if (IsA(arm, SetOperationStmt))
		return exprkey_merge_lists(recordkey_of_arm(operation->larg, column, scope),
								   recordkey_of_arm(operation->rarg, column, scope));
	query = rt_fetch(castNode(RangeTblRef, arm)->rtindex, ((Query *) linitial(scope))->rtable)->subquery;
	return recordkey_of_column(query, column, false, lcons(query, list_copy(scope)));
}

/*
 * recordkey_of_column
 *		Keys of one column of a query, which the scope begins with.
 *
 * Of a recursive one what is there without recursion counts: rows of other
 * types are no equals of these, and PostgreSQL refuses to compare them.
 */
List *
recordkey_of_column(Query *query, int column, bool recursive, List *scope)
{
	SetOperationStmt *operation = (SetOperationStmt *) query->setOperations;

	if (operation != NULL)
		return recordkey_of_arm(recursive ? operation->larg : (Node *) operation, column, scope);
	return exprkey_list((Node *) list_nth_node(TargetEntry, query->targetList, column)->expr, scope);
}

/* keys_of_query: of a column of a subquery, or of the whole row. */
static List *
keys_of_query(Query *query, AttrNumber column, bool recursive, List *scope)
{
	List	   *keys = NIL;
	ListCell   *cell;

	scope = lcons(query, list_copy(scope));
	if (column > 0)
		return recordkey_of_column(query, column - 1, recursive, scope);
	foreach(cell, query->targetList)
		if (!lfirst_node(TargetEntry, cell)->resjunk)
			keys = list_concat(keys, recordkey_of_column(query, foreach_current_index(cell), recursive, scope));
	return keys;
}

/* keys_of_with_query: the same of a WITH query; its scope is where it is defined. */
static List *
keys_of_with_query(RangeTblEntry *rte, AttrNumber column, List *scope)
{
	ListCell   *cell;

	scope = list_copy_tail(scope, rte->ctelevelsup);
	foreach(cell, scope == NIL ? NIL : ((Query *) linitial(scope))->cteList)
	{
		CommonTableExpr *with = lfirst_node(CommonTableExpr, cell);

		if (strcmp(with->ctename, rte->ctename) == 0 && ((Query *) with->ctequery)->commandType == CMD_SELECT)
			return keys_of_query((Query *) with->ctequery, column, with->cterecursive, scope);
	}
	return list_make1_int(KEY_OPAQUE);
}

/* keys_of_values: of a column of VALUES. */
static List *
keys_of_values(RangeTblEntry *rte, AttrNumber column, List *scope)
{
	List	   *values = NIL;
	ListCell   *row;

	foreach(row, rte->values_lists)
		values = lappend(values, list_nth(lfirst_node(List, row), column - 1));
	return keys_of_any(values, scope);
}

/* keys_of_row: of the columns of any other entry of FROM. */
static List *
keys_of_row(RangeTblEntry *rte, Index rtindex, List *scope)
{
	List	   *columns;

	compat_expand_rte(rte, rtindex, false, NULL, &columns);
	return keys_of_all(columns, scope);
}

/* keys_of_entry: of a column, or with 0 the row, of an entry of FROM of the query the scope begins with. */
static List *
keys_of_entry(Index rtindex, AttrNumber column, List *scope)
{
	RangeTblEntry *rte = rt_fetch(rtindex, ((Query *) linitial(scope))->rtable);

	switch (rte->rtekind)
	{
		case RTE_SUBQUERY:
			return keys_of_query(rte->subquery, column, false, scope);
		case RTE_CTE:
			return keys_of_with_query(rte, column, scope);
		case RTE_VALUES:
			return column > 0 ? keys_of_values(rte, column, scope) : keys_of_row(rte, rtindex, scope);
		default:
			return column > 0 ? list_make1_int(KEY_OPAQUE) : keys_of_row(rte, rtindex, scope);
	}
}

/* keys_of_var: a column of type RECORD, or a whole row. */
static List *
keys_of_var(Var *var, List *scope)
{
	if ((int) var->varlevelsup >= list_length(scope) || var->varattno < 0)
		return list_make1_int(KEY_OPAQUE);
	return keys_of_entry(var->varno, var->varattno, list_copy_tail(scope, var->varlevelsup));
}

/* recordkey_list: of an expression of type RECORD or an array of it; one KEY_OPAQUE where no one can tell. */
List *
recordkey_list(Node *expr, List *scope)
{
	check_stack_depth();
	switch (nodeTag(expr))
	{
		case T_RowExpr:
			return keys_of_all(((RowExpr *) expr)->args, scope);
		case T_ArrayExpr:
			return keys_of_any(((ArrayExpr *) expr)->elements, scope);
		case T_Var:
			return keys_of_var((Var *) expr, scope);
		default:
			return keys_of_function(expr);
	}
}
