/*-------------------------------------------------------------------------
 * coldef.c
 *		Column definition lists, which nobody else holds a function to.
 *
 * Floor 5.  In  f() AS t(x sealed_text(nir))  the list gives x a key that the
 * planner believes.  The executor compares the types of what f returns with
 * the list, not their modifiers: unnest() of an array of records would bring
 * values of another key into comparisons that then find nothing, and into
 * columns.  So such a call is put below a subquery that casts:
 *
 *		(SELECT x::sealed_text(nir) FROM f() AS t(x ...)) AS t
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_relation.h"
#include "rewrite/rewriteManip.h"

/* is_keyed: a sealed type, or an array of one, with a key. */
static bool
is_keyed(Oid type, int32 typmod)
{
	return typmod >= 0 && (sealed_kind_of_type(type) != SEALED_NONE ||
						   sealed_kind_of_array(type) != SEALED_NONE);
}

/* names_key: does a column definition list of an entry of FROM name a key? */
static bool
names_key(RangeTblEntry *rte)
{
	ListCell   *item,
			   *type,
			   *typmod;

	foreach(item, rte->functions)
	{
		RangeTblFunction *function = lfirst_node(RangeTblFunction, item);

		forboth(type, function->funccoltypes, typmod, function->funccoltypmods)
			if (is_keyed(lfirst_oid(type), lfirst_int(typmod)))
				return true;
	}
	return false;
}

/* checked_column: a column of the function's result, cast to the key it is said to have. */
static Node *
checked_column(Node *column)
{
	Var		   *var = (Var *) column;
	int32		typmod = exprTypmod(column);

	if (!IsA(column, Var) || !is_keyed(var->vartype, typmod))
		return column;
	var->vartypmod = -1;		/* or there would be no cast */
	return coerce_to_target_type(NULL, column, var->vartype, var->vartype, typmod,
								 COERCION_EXPLICIT, COERCE_IMPLICIT_CAST, -1);
}

/* checked_columns: the target list of the subquery. */
static List *
checked_columns(RangeTblEntry *rte)
{
	List	   *names,
			   *columns,
			   *targets = NIL;
	ListCell   *name,
			   *column;

	compat_expand_rte(rte, 1, true, &names, &columns);
	forboth(name, names, column, columns)
		targets = lappend(targets, makeTargetEntry((Expr *) checked_column(lfirst(column)),
												   list_length(targets) + 1,
												   pstrdup(strVal(lfirst(name))), false));
	return targets;
}

/* coldef_check_keys: change an entry of FROM in place; false where there is nothing to check. */
bool
coldef_check_keys(RangeTblEntry *rte)
{
	RangeTblEntry *called;
	RangeTblRef *reference;
	Query	   *query;

	if (rte->rtekind != RTE_FUNCTION || !names_key(rte))
		return false;
	called = copyObject(rte);
	called->lateral = false;
	IncrementVarSublevelsUp((Node *) called->functions, 1, 0);
	query = makeNode(Query);
	query->commandType = CMD_SELECT;
	query->canSetTag = true;
	query->targetList = checked_columns(called);
	query->rtable = list_make1(called);
	query->hasSubLinks = checkExprHasSubLink((Node *) called->functions);
	reference = makeNode(RangeTblRef);
	reference->rtindex = 1;
	query->jointree = makeFromExpr(list_make1(reference), NULL);
	rte->rtekind = RTE_SUBQUERY;
	rte->subquery = query;
	rte->functions = NIL;
	rte->funcordinality = false;
	return true;
}
