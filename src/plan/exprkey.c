/*-------------------------------------------------------------------------
 * exprkey.c
 *		Under which key an expression is sealed, and what that allows.
 *
 * Floor 5.  The key is the type modifier that PostgreSQL carries through an
 * expression.  It is believed only where the value itself was checked against
 * it: columns, and casts that name the key.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "catalog/pg_type.h"
#include "keys/keys.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

static int32 merge_keys(int32 left, int32 right);

/* exprkey_kind: sealed type of an expression or, when it is an array, of its elements. */
SealedKind
exprkey_kind(Node *expr)
{
	Oid			type = getBaseType(exprType(expr));
	SealedKind	kind = sealed_kind_of_type(type);

	return kind != SEALED_NONE ? kind : sealed_kind_of_array(type);
}

/* ----------
 * The key of one sealed expression
 * ----------
 */

/* key_of_list: the one key of all expressions, as of COALESCE or ARRAY[]. */
static int32
key_of_list(List *exprs)
{
	int32		key = KEY_ANY;
	ListCell   *cell;

	foreach(cell, exprs)
		key = merge_keys(key, exprkey_of(lfirst(cell)));
	return key;
}

/* key_of_case: the one key of all results. */
static int32
key_of_case(CaseExpr *expr)
{
	int32		key = expr->defresult ? exprkey_of((Node *) expr->defresult) : KEY_ANY;
	ListCell   *cell;

	foreach(cell, expr->args)
		key = merge_keys(key, exprkey_of((Node *) lfirst_node(CaseWhen, cell)->result));
	return key;
}

/* key_of_relabel: a relabelling changes no value; but a typmod of another type is no key. */
static int32
key_of_relabel(RelabelType *expr)
{
	if (exprkey_kind((Node *) expr->arg) == SEALED_NONE)
		return KEY_UNKNOWN;
	return exprkey_of((Node *) expr->arg);
}

/* key_of_typmod: what PostgreSQL itself says; a domain hides it in its definition. */
static int32
key_of_typmod(Node *expr)
{
	int32		typmod = exprTypmod(expr);

	if (typmod < 0)
		(void) getBaseTypeAndTypmod(exprType(expr), &typmod);
	return typmod < 0 ? KEY_UNKNOWN : typmod;
}

/*
 * exprkey_of
 *		Key of an expression of a sealed type, or of an array of one.
 *
 * Goes further than exprTypmod(): a NULL constant in a CASE or COALESCE does
 * not hide the key of the other results.
 */
int32
exprkey_of(Node *expr)
{
	int32		key;

	switch (nodeTag(expr))
	{
		case T_Const:
			return ((Const *) expr)->constisnull ? KEY_ANY : key_of_typmod(expr);
		case T_RelabelType:
			return key_of_relabel((RelabelType *) expr);
		case T_CollateExpr:
			return exprkey_of((Node *) ((CollateExpr *) expr)->arg);
		case T_NullIfExpr:
			return exprkey_of(linitial(((NullIfExpr *) expr)->args));
		case T_CoalesceExpr:
			return key_of_list(((CoalesceExpr *) expr)->args);
		case T_ArrayExpr:
			return key_of_list(((ArrayExpr *) expr)->elements);
		case T_CaseExpr:
			return key_of_case((CaseExpr *) expr);
		case T_FuncExpr:
			return probe_is_call((FuncExpr *) expr, &key) ? key : key_of_typmod(expr);
		default:
			return key_of_typmod(expr);
	}
}

/* merge_keys: key of what may come from either side. */
static int32
merge_keys(int32 left, int32 right)
{
	if (left == KEY_ANY)
		return right;
	if (right == KEY_ANY || left == right)
		return left;
	return KEY_UNKNOWN;
}

/* ----------
 * The keys inside any expression: one for each sealed value in it, in order
 * ----------
 */

/* collect_key: TypeVisitor of exprkey_list_of_type(). */
static bool
collect_key(Oid type, int32 typmod, void *context)
{
	List	  **keys = context;

	if (sealed_kind_of_type(type) != SEALED_NONE)
		*keys = lappend_int(*keys, typmod < 0 ? KEY_UNKNOWN : typmod);
	return false;
}

List *
exprkey_list_of_type(Oid type, int32 typmod)
{
	List	   *keys = NIL;

	(void) type_walk(type, typmod, collect_key, &keys);
	return keys;
}

/*
 * exprkey_ungrouped
 *		What an expression stands for that a query is grouped by, and where; any
 *		other expression itself.
 */
Node *
exprkey_ungrouped(Node *expr, List **scope)
{
	Var		   *var = (Var *) expr;
	RangeTblEntry *rte;

	if (!IsA(expr, Var) || var->varattno <= 0 || (int) var->varlevelsup >= list_length(*scope))
		return expr;
	rte = rt_fetch(var->varno, ((Query *) list_nth(*scope, var->varlevelsup))->rtable);
	if (compat_group_exprs(rte) == NIL)
		return expr;
	*scope = list_copy_tail(*scope, var->varlevelsup);
	return list_nth(compat_group_exprs(rte), var->varattno - 1);
}

/* exprkey_list: scope is the queries the expression stands in, innermost first. */
List *
exprkey_list(Node *expr, List *scope)
{
	Oid			type = exprType(expr);

	expr = exprkey_ungrouped(expr, &scope);
	if (IsA(expr, RowExpr) || type == RECORDOID || type == RECORDARRAYOID)
		return recordkey_list(expr, scope);
	if (exprkey_kind(expr) != SEALED_NONE)
		return list_make1_int(exprkey_of(expr));
	return exprkey_list_of_type(type, exprTypmod(expr));
}

/* exprkey_merge_lists: keys of what may come from either side; opaque when the shapes differ. */
List *
exprkey_merge_lists(List *left, List *right)
{
	List	   *keys = NIL;
	ListCell   *l,
			   *r;

	if (list_length(left) != list_length(right))
		return list_make1_int(KEY_OPAQUE);
	forboth(l, left, r, right)
		keys = lappend_int(keys, merge_keys(lfirst_int(l), lfirst_int(r)));
	return keys;
}

/* exprkey_hold_sealed: is there a sealed value for certain? */
bool
exprkey_hold_sealed(List *keys)
{
	ListCell   *cell;

	foreach(cell, keys)
		if (lfirst_int(cell) != KEY_OPAQUE)
			return true;
	return false;
}

/* ----------
 * What must be so
 * ----------
 */

/* exprkey_is_searchable: does the ring have the key, with tokens? */
bool
exprkey_is_searchable(int32 key)
{
	const RingKey *row = key < 0 ? NULL : ring_key_by_id((uint32) key);

	return row != NULL && row->searchable;
}

/*
 * exprkey_require_searchable
 *		0A000 when the key makes no tokens, 42704 when the ring has no such key.
 *
 * In a restore, which turns check_function_bodies off, foreign keys are
 * validated before the ring is there; its comparisons are between columns.
 */
void
exprkey_require_searchable(int32 key)
{
	const RingKey *row = ring_key_by_id((uint32) key);

	if (row == NULL && !check_function_bodies)
		return;
	if (row == NULL)
		error_raise(SEAL_E_UNKNOWN_KEY, psprintf("%d", key));
	if (!row->searchable)
		error_raise(SEAL_E_NOT_SEARCHABLE, NameStr(row->name));
}

/* exprkey_require_groupable: values of one expression can be told apart by their tokens. */
void
exprkey_require_groupable(List *keys)
{
	ListCell   *cell;

	foreach(cell, keys)
	{
		int32		key = lfirst_int(cell);

		if (key == KEY_UNKNOWN || key == KEY_OPAQUE)
			error_raise(SEAL_E_KEY_NOT_KNOWN, NULL);
		if (key != KEY_ANY)
			exprkey_require_searchable(key);
	}
}

/*
 * exprkey_require_same
 *		Values of two expressions can be compared by their tokens.
 *
 * A row of plain values is compared with what it may: were there a sealed one
 * on the other side, PostgreSQL would refuse the types.
 */
void
exprkey_require_same(List *left, List *right)
{
	ListCell   *l,
			   *r;

	if (!exprkey_hold_sealed(left) && !exprkey_hold_sealed(right) && (left == NIL || right == NIL))
		return;
	if (list_length(left) != list_length(right))
		error_raise(SEAL_E_KEY_NOT_KNOWN, NULL);
	exprkey_require_groupable(left);
	exprkey_require_groupable(right);
	forboth(l, left, r, right)
		if (merge_keys(lfirst_int(l), lfirst_int(r)) == KEY_UNKNOWN)
			error_raise(SEAL_E_KEYS_DIFFER, NULL);
}
