/*-------------------------------------------------------------------------
 * binder.c
 *		Bind each comparison of a query to the key of its sealed side.
 *
 * Floor 5.  Before and after, with nir sealed under key 7:
 *
 *		nir = $1						nir = seal.probe(7, $1)
 *		nir IN ('a', 'b')				nir = ANY (seal.probe(7, '{a,b}'))
 *		nir = other						unchanged: both sides are of key 7
 *		nir = name						0A000: two keys
 *		$1::sealed_text = 'a'			0A000: no key
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Up to so many elements are bound one by one, so that they can prune partitions. */
#define PRUNING_ARRAY_MAX	100

typedef struct BindContext
{
	List	   *queries;		/* levels we are in, innermost first */
} BindContext;

static Node *bind_mutator(Node *node, void *context);

/* ----------
 * Operators
 * ----------
 */

/* read_comparison: what a pg_operator row is to us; an order operator of ours is refused. */
static bool
read_comparison(Comparison *comparison, Form_pg_operator row)
{
	SealedKind	left = sealed_kind_of_type(row->oprleft);
	SealedKind	right = sealed_kind_of_type(row->oprright);

	comparison->kind = left != SEALED_NONE ? left : right;
	comparison->negated = strcmp(NameStr(row->oprname), "<>") == 0;
	if (comparison->kind == SEALED_NONE)
		return false;
	if (row->oprnamespace == seal_schema_oid(false))
		error_raise(SEAL_E_TOKEN_ORDER, NULL);
	return row->oprnamespace == PG_CATALOG_NAMESPACE &&
		(comparison->negated || strcmp(NameStr(row->oprname), "=") == 0);
}

/* binder_find_comparison: false when the operator does not compare sealed values. */
bool
binder_find_comparison(Comparison *comparison, Oid opno)
{
	HeapTuple	row;
	bool		found;

	if (opno < FirstNormalObjectId)
		return false;
	row = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
	if (!HeapTupleIsValid(row))
		return false;
	found = read_comparison(comparison, (Form_pg_operator) GETSTRUCT(row));
	ReleaseSysCache(row);
	return found;
}

/* binder_operator: = or <> between two values of the sealed type itself. */
Oid
binder_operator(const Comparison *comparison)
{
	Oid			equals = lookup_type_cache(sealed_type_oid(comparison->kind), TYPECACHE_EQ_OPR)->eq_opr;

	return comparison->negated ? get_negator(equals) : equals;
}

/* ----------
 * Sides
 * ----------
 */

/* side_key: KEY_UNKNOWN for a plain side too. */
static int32
side_key(Node *side, List *scope)
{
	return exprkey_kind(side) == SEALED_NONE ? KEY_UNKNOWN : exprkey_of(exprkey_ungrouped(side, &scope));
}

/*
 * shared_key
 *		The key both sides are compared under.
 *
 * KEY_ANY when nothing is compared, as in NULL = NULL.  Raises 0A000 when the
 * sides have different keys, or none, or one that is not searchable.
 */
static int32
shared_key(int32 left, int32 right)
{
	int32		key = Max(left, right);

	if (left >= 0 && right >= 0 && left != right)
		error_raise(SEAL_E_KEYS_DIFFER, NULL);
	if (key >= 0)
		exprkey_require_searchable(key);
	else if (left == KEY_UNKNOWN && right == KEY_UNKNOWN)
		error_raise(SEAL_E_KEY_NOT_KNOWN, NULL);
	return key >= 0 ? key : KEY_ANY;
}

/* bind_sides: replace the side without a key by a probe; false when there is nothing to do. */
static bool
bind_sides(const Comparison *comparison, Node **left, Node **right, List *scope)
{
	int32		left_key = side_key(*left, scope);
	int32		right_key = side_key(*right, scope);
	int32		key = shared_key(left_key, right_key);

	if (key == KEY_ANY)
		return false;
	if (left_key == KEY_UNKNOWN)
		*left = probe_value(comparison->kind, key, *left);
	if (right_key == KEY_UNKNOWN)
		*right = probe_value(comparison->kind, key, *right);
	return true;
}

/* ----------
 * Simple comparisons
 * ----------
 */

/* bind_operator: OpExpr and its look-alikes DistinctExpr and NullIfExpr; changes the node. */
static Node *
bind_operator(OpExpr *expr, List *scope)
{
	Comparison	comparison;
	Node	   *left = linitial(expr->args);
	Node	   *right = list_length(expr->args) == 2 ? lsecond(expr->args) : NULL;

	if (!binder_find_comparison(&comparison, expr->opno))
		refuse_in_function(get_opcode(expr->opno), expr->args, scope);
	else if (bind_sides(&comparison, &left, &right, scope))
	{
		expr->args = list_make2(left, right);
		expr->opno = binder_operator(&comparison);
		expr->opfuncid = get_opcode(expr->opno);
		expr->inputcollid = InvalidOid;
	}
	return (Node *) expr;
}

/* bind_nullif: nullif(x, y) gives x back, so x may not become a token. */
static Node *
bind_nullif(NullIfExpr *expr, List *scope)
{
	Node	   *first = linitial(expr->args);
	Node	   *bound = bind_operator(expr, scope);

	if (linitial(expr->args) != first)
		error_raise(SEAL_E_KEY_NOT_KNOWN, NULL);
	return bound;
}

/* ----------
 * IN, ANY, ALL
 * ----------
 */

/*
 * is_partitioned_column
 *		A column whose comparison may prune partitions, of a table or of a
 *		subquery that passes it on.
 */
static bool
is_partitioned_column(Node *expr, List *queries)
{
	Var		   *var = (Var *) expr;
	RangeTblEntry *rte;
	TargetEntry *column;

	if (!IsA(expr, Var) || (int) var->varlevelsup >= list_length(queries))
		return false;
	queries = list_copy_tail(queries, var->varlevelsup);
	rte = rt_fetch(var->varno, ((Query *) linitial(queries))->rtable);
	if (rte->rtekind != RTE_SUBQUERY)
		return rte->relkind == RELKIND_PARTITIONED_TABLE;
	column = get_tle_by_resno(rte->subquery->targetList, var->varattno);
	return column != NULL && is_partitioned_column((Node *) column->expr, lcons(rte->subquery, queries));
}

/* bind_elements: the array side of a comparison whose scalar side has the key. */
static Node *
bind_elements(const Comparison *comparison, int32 key, Node *scalar, Node *array,
			  BindContext *context)
{
	ArrayExpr  *constructor = probe_array_source(array);

	if (constructor != NULL && list_length(constructor->elements) <= PRUNING_ARRAY_MAX &&
		is_partitioned_column(scalar, context->queries))
		return probe_elements(comparison->kind, key, array);
	return probe_value(comparison->kind, key, array);
}

/* bind_array_operator: changes the node. */
static Node *
bind_array_operator(ScalarArrayOpExpr *expr, BindContext *context)
{
	Comparison	comparison;
	Node	   *scalar = linitial(expr->args);
	Node	   *array = lsecond(expr->args);
	int32		scalar_key,
				array_key,
				key;

	if (!binder_find_comparison(&comparison, expr->opno))
	{
		refuse_in_function(get_opcode(expr->opno), expr->args, context->queries);
		return (Node *) expr;
	}
	scalar_key = side_key(scalar, context->queries);
	array_key = side_key(array, context->queries);
	key = shared_key(scalar_key, array_key);
	if (key == KEY_ANY)
		return (Node *) expr;
	if (scalar_key == KEY_UNKNOWN)
		scalar = probe_value(comparison.kind, key, scalar);
	if (array_key == KEY_UNKNOWN)
		array = bind_elements(&comparison, key, scalar, array, context);
	expr->opno = binder_operator(&comparison);
	expr->opfuncid = get_opcode(expr->opno);
	expr->inputcollid = InvalidOid;
	expr->args = list_make2(scalar, array);
	return (Node *) expr;
}

/* ----------
 * OR of comparisons
 * ----------
 */

/*
 * probed_value
 *		The value in column = seal.probe(key, value), when it can join a list.
 *
 * IN (1, 2) on a sealed type arrives as column = 1 OR column = 2, because the
 * two sides have no common type.  An index would be searched once for each.
 */
static Node *
probed_value(Node *node, bool use_or)
{
	OpExpr	   *expr = (OpExpr *) node;
	Comparison	comparison;
	Node	   *value;
	int32		key;

	if (!IsA(node, OpExpr) || !binder_find_comparison(&comparison, expr->opno) ||
		comparison.negated == use_or)
		return NULL;
	if (!IsA(lsecond(expr->args), FuncExpr) || !probe_is_call(lsecond(expr->args), &key))
		return NULL;
	value = llast(((FuncExpr *) lsecond(expr->args))->args);
	if (contain_var_clause(value) || contain_volatile_functions(value) || contain_subplans(value) ||
		OidIsValid(get_element_type(exprType(value))))
		return NULL;
	return value;
}

/* same_probe: do two comparisons that have a probed value differ in nothing else? */
static bool
same_probe(OpExpr *one, OpExpr *other)
{
	FuncExpr   *probe = lsecond(one->args);
	FuncExpr   *other_probe = lsecond(other->args);

	return one->opno == other->opno &&
		equal(linitial(one->args), linitial(other->args)) &&
		probe->funcid == other_probe->funcid &&
		equal(linitial(probe->args), linitial(other_probe->args));
}

/* list_comparison: column = ANY (values), not yet bound, from one of its comparisons. */
static Node *
list_comparison(OpExpr *model, List *values, bool use_or)
{
	ArrayExpr  *array = makeNode(ArrayExpr);
	ScalarArrayOpExpr *expr = makeNode(ScalarArrayOpExpr);

	array->element_typeid = exprType(linitial(values));
	array->array_typeid = get_array_type(array->element_typeid);
	array->array_collid = get_typcollation(array->element_typeid);
	array->elements = values;
	array->location = -1;
	expr->opno = model->opno;
	expr->opfuncid = model->opfuncid;
	expr->useOr = use_or;
	expr->args = list_make2(linitial(model->args), array);
	expr->location = model->location;
	return (Node *) expr;
}

/* join_comparisons: OR of = on one column, or AND of <>, as one comparison with a list. */
static List *
join_comparisons(List *args, bool use_or, BindContext *context)
{
	OpExpr	   *model = NULL;
	List	   *values = NIL;
	List	   *others = NIL;
	ListCell   *cell;

	foreach(cell, args)
	{
		Node	   *arg = lfirst(cell);
		Node	   *value = probed_value(arg, use_or);

		if (value == NULL || (model != NULL && !same_probe(model, (OpExpr *) arg)))
		{
			others = lappend(others, arg);
			continue;
		}
		if (model == NULL)
			model = (OpExpr *) arg;
		values = lappend(values, value);
	}
	if (list_length(values) < 2)
		return args;
	return lcons(bind_array_operator((ScalarArrayOpExpr *) list_comparison(model, values, use_or),
									 context), others);
}

/* spine_args: arguments of a OR (b OR c) written as ((a OR b) OR c), which is how IN arrives. */
static List *
spine_args(BoolExpr *expr)
{
	Node	   *node = (Node *) expr;
	List	   *reversed = NIL;
	List	   *args = NIL;
	int			i;

	while (IsA(node, BoolExpr) && ((BoolExpr *) node)->boolop == expr->boolop)
	{
		List	   *level = ((BoolExpr *) node)->args;

		for (i = list_length(level) - 1; i > 0; i--)
			reversed = lappend(reversed, list_nth(level, i));
		node = linitial(level);
	}
	reversed = lappend(reversed, node);
	for (i = list_length(reversed) - 1; i >= 0; i--)
		args = lappend(args, list_nth(reversed, i));
	return args;
}

/* bind_boolean: AND and OR; NOT has nothing to join. */
static Node *
bind_boolean(BoolExpr *expr, BindContext *context)
{
	List	   *args;

	if (expr->boolop == NOT_EXPR)
		return expression_tree_mutator((Node *) expr, bind_mutator, context);
	args = (List *) expression_tree_mutator((Node *) spine_args(expr), bind_mutator, context);
	args = join_comparisons(args, expr->boolop == OR_EXPR, context);
	if (list_length(args) == 1)
		return linitial(args);
	return (Node *) makeBoolExpr(expr->boolop, args, expr->location);
}

/* ----------
 * The walk
 * ----------
 */

/* bind_query: one level; what it orders and groups by is judged before it changes. */
static Query *
bind_query(Query *query, BindContext *context)
{
	Query	   *bound;

	context->queries = lcons(query, context->queries);
	refuse_in_query(query, context->queries);
	bound = query_tree_mutator(query, bind_mutator, context, 0);
	context->queries = list_delete_first(context->queries);
	return bound;
}

/* bind_node: a node of our own copy, whose children are bound already. */
static Node *
bind_node(Node *node, BindContext *context)
{
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_DistinctExpr:
			return bind_operator((OpExpr *) node, context->queries);
		case T_NullIfExpr:
			return bind_nullif((NullIfExpr *) node, context->queries);
		case T_ScalarArrayOpExpr:
			return bind_array_operator((ScalarArrayOpExpr *) node, context);
		case T_RowCompareExpr:
			refuse_order(((RowCompareExpr *) node)->largs, context->queries);
			refuse_order(((RowCompareExpr *) node)->rargs, context->queries);
			break;
		case T_MinMaxExpr:
			refuse_order(((MinMaxExpr *) node)->args, context->queries);
			break;
		case T_FuncExpr:
			refuse_in_function(((FuncExpr *) node)->funcid, ((FuncExpr *) node)->args, context->queries);
			break;
		case T_WindowFunc:
			refuse_in_function(((WindowFunc *) node)->winfnoid, ((WindowFunc *) node)->args,
							   context->queries);
			break;
		case T_CoerceViaIO:
			refuse_text_cast((CoerceViaIO *) node, context->queries);
			break;
		case T_Aggref:
			refuse_in_aggregate((Aggref *) node, context->queries);
			break;
		case T_CommonTableExpr:
			refuse_search_order((CommonTableExpr *) node);
			break;
		default:
			break;
	}
	return node;
}

static Node *
bind_mutator(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	check_stack_depth();
	if (IsA(node, Query))
		return (Node *) bind_query((Query *) node, context);
	if (IsA(node, BoolExpr))
		return bind_boolean((BoolExpr *) node, context);
	return bind_node(expression_tree_mutator(node, bind_mutator, context), context);
}

/*
 * binder_bind
 *		A copy of the query in which every comparison of sealed values has a key.
 *
 * Raises 0A000 where no single searchable key can be told, and for whatever
 * would order by tokens.
 */
Query *
binder_bind(Query *query)
{
	BindContext context = {NIL};

	return bind_query(query, &context);
}
