/*-------------------------------------------------------------------------
 * stored.c
 *		What an expression that PostgreSQL stores and keeps up may do with a
 *		sealed value.
 *
 * Floor 5.  Such an expression is evaluated by whoever writes a row, by index
 * builds and ANALYZE, and is never planned, so nothing binds it to a key and
 * it must need none.  Allowed is what this list names:
 *
 *		IS NULL, and passing the value on (CASE, COALESCE, relabelling)
 *		= and <>, IS [NOT] DISTINCT FROM, IN, between columns of one key, or
 *			with an envelope of that key, as seal.token_literal() prints
 *		whole rows compared column by column under the same rule, or bitwise
 *		in a DEFAULT, sealing a literal for the column
 *
 * Every other function, operator or cast over a sealed value is refused.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "guard/internal.h"

#include "catalog/pg_cast.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

typedef struct Stored
{
	const char *kind;			/* of object, for the message */
	bool		is_default;
} Stored;

/* holds_sealed: walker; is the expression, or one of a list, sealed? */
static bool
holds_sealed(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, List))
		return expression_tree_walker(node, holds_sealed, context);
	return sealed_type_inside(exprType(node));
}

/* takes_sealed: is one of a node's arguments sealed? */
static bool
takes_sealed(Node *node)
{
	return expression_tree_walker(node, holds_sealed, NULL);
}

/* ----------
 * Comparisons
 * ----------
 */

/* is_token_operator: = or <> of a sealed type with itself, which compare tokens and need no key. */
static bool
is_token_operator(Oid operator)
{
	Oid			left,
				right,
				equals;

	op_input_types(operator, &left, &right);
	if (left != right || sealed_kind_of_type(left) == SEALED_NONE)
		return false;
	equals = lookup_type_cache(left, TYPECACHE_EQ_OPR)->eq_opr;
	return operator == equals || operator == get_negator(equals);
}

/* constant_items: the elements of an array constant, as constants. */
static List *
constant_items(Const *array)
{
	Oid			type = get_element_type(array->consttype);
	List	   *items = NIL;
	int16		len;
	bool		byval;
	char		align;
	Datum	   *values;
	bool	   *nulls;
	int			count,
				i;

	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(array->constvalue), type, len, byval, align,
					  &values, &nulls, &count);
	for (i = 0; i < count; i++)
		items = lappend(items, makeConst(type, -1, InvalidOid, len, values[i], nulls[i], byval));
	return items;
}

/* compared_items: a side of a comparison; an array is its elements. */
static List *
compared_items(Node *side)
{
	if (IsA(side, ArrayExpr))
		return ((ArrayExpr *) side)->elements;
	if (IsA(side, Const) && !((Const *) side)->constisnull &&
		OidIsValid(get_element_type(((Const *) side)->consttype)))
		return constant_items((Const *) side);
	return list_make1(side);
}

/* constant_key: key of a stored envelope; one without a token, as a plain literal is kept, equals nothing. */
static int32
constant_key(Const *constant, Stored *stored)
{
	Envelope	envelope;
	struct varlena *held;

	if (!sealed_envelope(&envelope, &held, constant->constvalue) || envelope.token == NULL)
		error_raise(SEAL_E_STORED_LITERAL, stored->kind);
	return (int32) envelope.key_id;
}

/* item_key: key of one compared expression. */
static int32
item_key(Node *item, Stored *stored)
{
	int32		key;

	while (IsA(item, RelabelType))
		item = (Node *) ((RelabelType *) item)->arg;
	if (IsA(item, Const))
		return constant_key((Const *) item, stored);
	if (!column_key(exprType(item), exprTypmod(item), &key) || key < 0)
		error_raise(SEAL_E_STORED_USE, stored->kind);
	return key;
}

/* check_items: everything compared must be of one searchable key. */
static void
check_items(List *items, Stored *stored)
{
	int32		key = -1;
	ListCell   *cell;

	foreach(cell, items)
	{
		Node	   *item = lfirst(cell);
		int32		other;

		if (IsA(item, Const) && ((Const *) item)->constisnull)
			continue;
		other = item_key(item, stored);
		if (key >= 0 && other != key)
			error_raise(SEAL_E_KEYS_DIFFER, NULL);
		key = other;
		column_require_searchable(key);
	}
}

/* check_rows: row = row compares column by column; bitwise comparison claims nothing. */
static bool
check_rows(Oid function, List *args)
{
	if (function == F_RECORD_IMAGE_EQ || function == F_RECORD_IMAGE_NE)
		return true;
	if (function != F_RECORD_EQ && function != F_RECORD_NE)
		return false;
	if (exprType(linitial(args)) != exprType(lsecond(args)))
		return false;
	column_require_searchable_inside(exprType(linitial(args)), -1);
	return true;
}

/* refuse_operator: with the hint that fits. */
static void
refuse_operator(Oid operator, List *args, Stored *stored)
{
	char	   *name = get_opname(operator);
	bool		compares = name != NULL && (strcmp(name, "=") == 0 || strcmp(name, "<>") == 0);

	if (compares && list_length(args) == 2 &&
		(!contain_var_clause(linitial(args)) || !contain_var_clause(lsecond(args))))
		error_raise(SEAL_E_STORED_LITERAL, stored->kind);
	error_raise(SEAL_E_STORED_USE, stored->kind);
}

/* check_operator: OpExpr, DistinctExpr, NullIfExpr, ScalarArrayOpExpr. */
static void
check_operator(Oid operator, List *args, Stored *stored)
{
	if (!holds_sealed((Node *) args, NULL))
		return;
	if (is_token_operator(operator))
		check_items(list_concat_copy(compared_items(linitial(args)), compared_items(lsecond(args))),
					stored);
	else if (!check_rows(get_opcode(operator), args))
		refuse_operator(operator, args, stored);
}

/* ----------
 * Functions and casts
 * ----------
 */

/* is_cast_out: the function of a cast from a sealed type to another. */
static bool
is_cast_out(FuncExpr *call, Oid source)
{
	HeapTuple	row = SearchSysCache2(CASTSOURCETARGET, ObjectIdGetDatum(source),
									  ObjectIdGetDatum(call->funcresulttype));
	bool		is_cast;

	if (!HeapTupleIsValid(row))
		return false;
	is_cast = ((Form_pg_cast) GETSTRUCT(row))->castfunc == call->funcid;
	ReleaseSysCache(row);
	return is_cast && sealed_kind_of_type(call->funcresulttype) == SEALED_NONE;
}

/* is_reveal: seal.reveal, seal.show, their twins, and casts out of a sealed type. */
static bool
is_reveal(FuncExpr *call)
{
	Oid			source = call->args != NIL ? exprType(linitial(call->args)) : InvalidOid;

	if (sealed_kind_of_type(source) == SEALED_NONE)
		return false;
	return is_cast_out(call, source) || sealed_opening(call->funcid) != OPENING_NONE;
}

static bool gives_constant(Node *value);

/* any_gives_constant: gives_constant() of any of several expressions that have the type of the whole. */
static bool
any_gives_constant(List *values, Oid type)
{
	ListCell   *cell;

	foreach(cell, values)
	{
		if (exprType(lfirst(cell)) == type && gives_constant(lfirst(cell)))
			return true;
	}
	return false;
}

/* case_gives_constant: the same of the results of a CASE. */
static bool
case_gives_constant(CaseExpr *expr)
{
	ListCell   *cell;

	foreach(cell, expr->args)
	{
		if (gives_constant((Node *) lfirst_node(CaseWhen, cell)->result))
			return true;
	}
	return gives_constant((Node *) expr->defresult);
}

/*
 * gives_constant
 *		Can a constant that is spelled out be the value of this expression, or a
 *		part of it?
 *
 * What a function makes of its arguments is not known: current_setting('x') is
 * no constant.  Casts, and operators that give the type they take, as || does,
 * are taken to keep what they are given; CURRENT_DATE + 30 is no constant.
 */
static bool
gives_constant(Node *value)
{
	if (value == NULL)
		return false;
	switch (nodeTag(value))
	{
		case T_Const:
			return !((Const *) value)->constisnull;
		case T_CaseExpr:
			return case_gives_constant((CaseExpr *) value);
		case T_CoalesceExpr:
			return any_gives_constant(((CoalesceExpr *) value)->args, exprType(value));
		case T_MinMaxExpr:
			return any_gives_constant(((MinMaxExpr *) value)->args, exprType(value));
		case T_OpExpr:
			return any_gives_constant(((OpExpr *) value)->args, exprType(value));
		case T_RelabelType:
			return gives_constant((Node *) ((RelabelType *) value)->arg);
		case T_CoerceViaIO:
			return gives_constant((Node *) ((CoerceViaIO *) value)->arg);
		case T_FuncExpr:
			return ((FuncExpr *) value)->funcformat != COERCE_EXPLICIT_CALL &&
				((FuncExpr *) value)->args != NIL && gives_constant(linitial(((FuncExpr *) value)->args));
		default:
			return false;
	}
}

/* refuse_plain_constant: what would seal a value that the catalog itself holds in clear. */
static void
refuse_plain_constant(Node *value, Stored *stored)
{
	if (holds_sealed(value, NULL))
		return;
	if (gives_constant(eval_const_expressions(NULL, value)))
		error_raise(SEAL_E_STORED_PLAIN, stored->kind);
}

/* check_sealing: only a DEFAULT may seal a plain value; of all else every write, and a restore, would need the key. */
static void
check_sealing(Node *value, Stored *stored)
{
	refuse_plain_constant(value, stored);
	if (!stored->is_default && !holds_sealed(value, NULL))
		error_raise(SEAL_E_STORED_USE, stored->kind);
}

/* check_function: a call is allowed only as the cast of a DEFAULT to its column's key. */
static void
check_function(FuncExpr *call, Stored *stored)
{
	if (sealed_kind_of_type(call->funcresulttype) != SEALED_NONE && call->args != NIL)
		check_sealing(linitial(call->args), stored);
	if (!takes_sealed((Node *) call))
		return;
	if (is_reveal(call))
		error_raise(SEAL_E_STORED_REVEAL, stored->kind);
	if (!exprIsLengthCoercion((Node *) call, NULL))
		error_raise(SEAL_E_STORED_USE, stored->kind);
	if (!stored->is_default)
		error_raise(IsA(linitial(call->args), Const) ? SEAL_E_STORED_LITERAL : SEAL_E_STORED_USE,
					stored->kind);
}

/* check_io_cast: CoerceViaIO; into a sealed type it seals, out of one it prints the envelope. */
static void
check_io_cast(CoerceViaIO *cast, Stored *stored)
{
	if (sealed_kind_of_type(cast->resulttype) != SEALED_NONE)
		check_sealing((Node *) cast->arg, stored);
	if (takes_sealed((Node *) cast))
		error_raise(SEAL_E_STORED_USE, stored->kind);
}

/* ----------
 * The walk
 * ----------
 */

static bool
stored_walker(Node *node, void *context)
{
	Stored	   *stored = context;

	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			check_operator(((OpExpr *) node)->opno, ((OpExpr *) node)->args, stored);
			break;
		case T_ScalarArrayOpExpr:
			check_operator(((ScalarArrayOpExpr *) node)->opno, ((ScalarArrayOpExpr *) node)->args, stored);
			break;
		case T_FuncExpr:
			check_function((FuncExpr *) node, stored);
			break;
		case T_CoerceViaIO:
			check_io_cast((CoerceViaIO *) node, stored);
			break;
		case T_List:			/* from here on: passes a value on without looking at it */
		case T_NullTest:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CoalesceExpr:
		case T_ArrayExpr:
		case T_RelabelType:
		case T_CoerceToDomain:
		case T_FieldSelect:
			break;
		default:
			if (takes_sealed(node))
				error_raise(SEAL_E_STORED_USE, stored->kind);
			break;
	}
	return expression_tree_walker(node, stored_walker, context);
}

/* ----------
 * Queries
 * ----------
 */

/* check_bound_item: one side, or value, of what the planner will bind to the key of the other. */
static void
check_bound_item(Node *item, Stored *stored)
{
	if (IsA(item, Const) && ((Const *) item)->constisnull)
		return;
	if (!holds_sealed(item, NULL))
		error_raise(IsA(eval_const_expressions(NULL, item), Const) ? SEAL_E_STORED_LITERAL
					: SEAL_E_STORED_USE, stored->kind);
	if (IsA(item, Const))
		(void) constant_key((Const *) item, stored);
}

/* check_bound_operator: an operator of a query; those of sealed types are = and <>. */
static void
check_bound_operator(Oid operator, List *args, Stored *stored)
{
	Oid			left,
				right;
	ListCell   *side,
			   *item;

	op_input_types(operator, &left, &right);
	if (sealed_kind_of_type(left) == SEALED_NONE && sealed_kind_of_type(right) == SEALED_NONE)
		return;
	foreach(side, args)
		foreach(item, compared_items(lfirst(side)))
			check_bound_item(lfirst(item), stored);
}

/*
 * stored_check_in_query
 *		One node of a query that is stored with what it gave, and run anew by
 *		whoever refreshes that: 0A000 when it would open or search a value.
 *
 * Unlike a stored expression the query is planned each time, which refuses
 * keys that differ, are not known or not searchable.
 */
void
stored_check_in_query(Node *node, const char *kind)
{
	Stored		stored = {kind, false};

	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			check_bound_operator(((OpExpr *) node)->opno, ((OpExpr *) node)->args, &stored);
			break;
		case T_ScalarArrayOpExpr:
			check_bound_operator(((ScalarArrayOpExpr *) node)->opno, ((ScalarArrayOpExpr *) node)->args,
								 &stored);
			break;
		case T_FuncExpr:
			if (is_reveal((FuncExpr *) node))
				error_raise(SEAL_E_STORED_REVEAL, kind);
			break;
		default:
			break;
	}
}

/* stored_check: 0A000 when an expression, a list of them, or NULL for none, uses a sealed value. */
void
stored_check(Node *expr, const char *kind)
{
	Stored		stored = {kind, false};

	(void) stored_walker(expr, &stored);
}

/* stored_check_default: the same for a DEFAULT, which may seal a literal for its column. */
void
stored_check_default(Node *expr, const char *kind)
{
	Stored		stored = {kind, true};

	(void) stored_walker(expr, &stored);
}
