/*-------------------------------------------------------------------------
 * refuse.c
 *		What would give a wrong answer without saying so: order by tokens,
 *		grouping and comparing of tokens under unknown or different keys,
 *		envelopes in the place of text.
 *
 * Floor 5.  A token has no order that means anything.  The sorts PostgreSQL
 * makes for itself, for DISTINCT, GROUP BY, merge joins and index builds, are
 * not in the query tree and stay.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

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

/* ----------
 * Envelopes as text
 * ----------
 */

/* is_text: would somebody who gets this type take an envelope for the value? */
static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == NAMEOID || type == CSTRINGOID;
}

/* gives_text_of_anything: a function that is declared to take anything there and prints it. */
static bool
gives_text_of_anything(Form_pg_proc function, int argument)
{
	Oid			declared;

	if (!is_text(function->prorettype) || function->pronargs == 0 || function->oid == F_PG_COLUMN_COMPRESSION)
		return false;
	declared = function->proargtypes.values[Min(argument, function->pronargs - 1)];
	return declared == ANYOID || IsPolymorphicType(declared);
}

/*
 * refuse_text_of_anything
 *		concat(col), col || 'x', quote_literal(col): 0A000.
 *
 * They take anything, so PostgreSQL finds no cast to make; some would print
 * the envelope, some are SQL functions with a cast inside that opens the value
 * where nobody asked for it.  PostgreSQL has not expanded those yet: they are
 * STABLE, and the cast is not.
 */
void
refuse_text_of_anything(Oid function, List *args)
{
	HeapTuple	row = NULL;
	ListCell   *cell;
	bool		refused = false;

	foreach(cell, args)
	{
		if (exprkey_kind(lfirst(cell)) == SEALED_NONE)
			continue;
		if (row == NULL)
			row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
		if (!HeapTupleIsValid(row))
			elog(ERROR, "cache lookup failed for function %u", function);
		refused = refused || gives_text_of_anything((Form_pg_proc) GETSTRUCT(row), foreach_current_index(cell));
	}
	if (row != NULL)
		ReleaseSysCache(row);
	if (refused)
		error_raise(SEAL_E_ENVELOPE_AS_TEXT, NULL);
}

/*
 * refuse_text_cast
 *		A cast of a sealed value through its text form, which is the envelope.
 *
 * Into a sealed type the envelope is read again, and refused there when it
 * does not fit.  An implicit one in a SELECT is an assignment in PL/pgSQL,
 * whose text variables take envelopes.
 */
void
refuse_text_cast(CoerceViaIO *cast, List *scope)
{
	Query	   *query = linitial(scope);

	if (exprkey_kind((Node *) cast->arg) == SEALED_NONE || exprkey_kind((Node *) cast) != SEALED_NONE ||
		(cast->coerceformat == COERCE_IMPLICIT_CAST && query->commandType == CMD_SELECT))
		return;
	error_raise(SEAL_E_ENVELOPE_AS_TEXT, NULL);
}

/* refuse_in_function: what gives text of anything; functions of core that order or compare inside arrays and rows. */
void
refuse_in_function(Oid function, List *args, List *scope)
{
	refuse_text_of_anything(function, args);
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
