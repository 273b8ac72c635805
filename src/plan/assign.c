/*-------------------------------------------------------------------------
 * assign.c
 *		Values assigned to a revealing view, as values of its table's columns.
 *
 * Floor 5.  Parse analysis brought each value to the plain type that the view
 * shows; here it is cast to the sealed type of the column, as parse analysis
 * would have done for the table.  The cast is VOLATILE: one envelope per row.
 *
 *		'x'								cast to the column
 *		DEFAULT							the table's
 *		('x'), ('y')					cast in each row of the VALUES
 *		seal.show(column of that key)	the column itself: nothing is opened; of a
 *										protected table only for the same column
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "catalog/pg_class.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parsetree.h"

/* What a value is assigned to. */
typedef struct Assigned
{
	Var		   *column;			/* of the table */
	FuncExpr   *shown;			/* as the view shows it */
	List	   *rtable;			/* where a VALUES may stand */
} Assigned;

/* sealed_default: DEFAULT stands for what the table has, of the type it has. */
static Node *
sealed_default(SetToDefault *value, Var *column)
{
	value->typeId = column->vartype;
	value->typeMod = column->vartypmod;
	value->collation = column->varcollid;
	return (Node *) value;
}

/* is_excluded: the row that ON CONFLICT could not insert. */
static bool
is_excluded(RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION && rte->relkind == RELKIND_COMPOSITE_TYPE;
}

/*
 * is_same_cell
 *		On a protected table an envelope belongs to its subject, row and column.
 *
 * The row that ON CONFLICT could not insert is sealed for the same column; where
 * it is another patient's, the trigger sees it.
 */
static bool
is_same_cell(Var *source, const Assigned *to)
{
	return source->varlevelsup == 0 && source->varattno == to->column->varattno &&
		(source->varno == to->column->varno || is_excluded(rt_fetch(source->varno, to->rtable)));
}

/* passed_on: the sealed value behind a shown one, where it may be assigned as it is; NULL where not. */
static Var *
passed_on(Node *value, const Assigned *to)
{
	FuncExpr   *call = view_call((Expr *) value);
	bool		sealed;
	Var		   *source = view_source((Expr *) value, &sealed);

	if (call == NULL || source == NULL || list_length(call->args) != list_length(to->shown->args) ||
		source->vartype != to->column->vartype || source->vartypmod != to->column->vartypmod)
		return NULL;
	return list_length(call->args) == 1 || is_same_cell(source, to) ? source : NULL;
}

/* sealed_value: a plain value as one of a sealed column. */
static Node *
sealed_value(Node *value, const Assigned *to)
{
	Var		   *column = to->column;
	Node	   *result;

	if (IsA(value, SetToDefault))
		return sealed_default((SetToDefault *) value, column);
	if (passed_on(value, to) != NULL)
		return (Node *) passed_on(value, to);
	result = coerce_to_target_type(NULL, value, exprType(value), column->vartype, column->vartypmod,
								   COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (result == NULL)
		elog(ERROR, "no cast from type %u to type %u", exprType(value), column->vartype);
	return result;
}

/* seal_values_column: one column of the rows of a VALUES, and the variable that stands for it. */
static void
seal_values_column(RangeTblEntry *values, Var *var, const Assigned *to)
{
	Var		   *column = to->column;
	int			i = var->varattno - 1;
	ListCell   *row;

	foreach(row, values->values_lists)
	{
		ListCell   *value = list_nth_cell(lfirst(row), i);

		lfirst(value) = sealed_value(lfirst(value), to);
	}
	lfirst_oid(list_nth_cell(values->coltypes, i)) = column->vartype;
	lfirst_int(list_nth_cell(values->coltypmods, i)) = column->vartypmod;
	lfirst_oid(list_nth_cell(values->colcollations, i)) = column->varcollid;
	var->vartype = column->vartype;
	var->vartypmod = column->vartypmod;
	var->varcollid = column->varcollid;
}

/* values_entry: the VALUES that an assigned value comes from, or NULL. */
static RangeTblEntry *
values_entry(Expr *value, List *rtable)
{
	RangeTblEntry *rte;

	if (!IsA(value, Var))
		return NULL;
	rte = rt_fetch(((Var *) value)->varno, rtable);
	return rte->rtekind == RTE_VALUES ? rte : NULL;
}

/* seal_target: the value of one assignment. */
static void
seal_target(TargetEntry *target, const Assigned *to)
{
	RangeTblEntry *values = values_entry(target->expr, to->rtable);

	if (values != NULL)
		seal_values_column(values, (Var *) target->expr, to);
	else
		target->expr = (Expr *) sealed_value((Node *) target->expr, to);
}

/* is_part: an assignment to a part of a value, as in SET document['a'] = '1'. */
static bool
is_part(TargetEntry *target)
{
	return IsA(target->expr, SubscriptingRef) &&
		((SubscriptingRef *) target->expr)->refassgnexpr != NULL;
}

/*
 * join_parts
 *		Several assignments to parts of one sealed value as one assignment.
 *
 * The rewriter does it for plain columns, but would not look below our cast.
 */
static List *
join_parts(List *targets, AttrNumber shown)
{
	TargetEntry *whole = NULL;
	List	   *joined = NIL;
	ListCell   *cell;

	foreach(cell, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);
		bool		part = !target->resjunk && target->resno == shown && is_part(target);

		if (part && whole != NULL)
		{
			((SubscriptingRef *) target->expr)->refexpr = whole->expr;
			whole->expr = target->expr;
			continue;
		}
		if (part)
			whole = target;
		joined = lappend(joined, target);
	}
	return joined;
}

/*
 * assign_targets
 *		Target list of an INSERT, UPDATE or DO UPDATE, turned from a revealing
 *		view to its table; changes the entries.
 *
 *	view_targets	what the view shows
 *	rtable			where a VALUES may stand
 */
List *
assign_targets(List *targets, List *view_targets, List *rtable)
{
	ListCell   *cell;

	foreach(cell, view_targets)
		targets = join_parts(targets, lfirst_node(TargetEntry, cell)->resno);
	foreach(cell, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);
		Assigned	to = {NULL, NULL, rtable};
		Expr	   *shown;
		bool		sealed;

		if (target->resjunk)
			continue;
		shown = list_nth_node(TargetEntry, view_targets, target->resno - 1)->expr;
		to.shown = view_call(shown);
		to.column = view_source(shown, &sealed);
		target->resno = to.column->varattno;
		if (sealed)
			seal_target(target, &to);
	}
	return targets;
}
