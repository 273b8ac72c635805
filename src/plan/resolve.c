/*-------------------------------------------------------------------------
 * resolve.c
 *		Comparisons of values that are shown become comparisons of sealed ones.
 *
 * Floor 5.  With nir shown by a view, or by seal.show() itself:
 *
 *		v.nir = $1						sealed nir = $1
 *		v.nir = t.nir					sealed nir = t.nir
 *		v.nir = w.nir					sealed nir = sealed nir, of one key
 *		v.nir IN (SELECT w.nir ...)		the same
 *
 * The operators are those of sealed values, and binder.c puts the probes in.
 * Only core's own = and <> where a token says exactly what they say; all else
 * stays a comparison of plain values, which strict.c makes an honest one.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "access/transam.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * The types that core compares, source first, where the tokens of both sides
 * are equal exactly when core says so.  Not double precision with bigint or
 * numeric, which core rounds first, nor date with sealed timestamptz, which
 * goes beyond its range.
 */
static const struct
{
	SealedKind	kind;
	Oid			source;
	Oid			other;
}			pairs[] = {
	{SEALED_TEXT, TEXTOID, TEXTOID},
	{SEALED_TEXT, TEXTOID, NAMEOID},
	{SEALED_BYTEA, BYTEAOID, BYTEAOID},
	{SEALED_BOOL, BOOLOID, BOOLOID},
	{SEALED_INT, INT8OID, INT8OID},
	{SEALED_INT, INT8OID, INT4OID},
	{SEALED_INT, INT8OID, INT2OID},
	{SEALED_INT, NUMERICOID, NUMERICOID},
	{SEALED_FLOAT8, FLOAT8OID, FLOAT8OID},
	{SEALED_FLOAT8, FLOAT8OID, FLOAT4OID},
	{SEALED_NUMERIC, NUMERICOID, NUMERICOID},
	{SEALED_DATE, DATEOID, DATEOID},
	{SEALED_DATE, DATEOID, TIMESTAMPOID},
	{SEALED_DATE, DATEOID, TIMESTAMPTZOID},
	{SEALED_TIMESTAMPTZ, TIMESTAMPTZOID, TIMESTAMPTZOID},
	{SEALED_TIMESTAMPTZ, TIMESTAMPTZOID, TIMESTAMPOID},
	{SEALED_UUID, UUIDOID, UUIDOID},
	{SEALED_JSONB, JSONBOID, JSONBOID}
};

/* A side of a comparison that has a source. */
typedef struct Side
{
	Node	   *value;			/* as the source is opened */
	SealedKind	kind;
	int32		key;
} Side;

/* ----------
 * Sides
 * ----------
 */

/* unwrapped: without casts that keep every value apart from every other. */
static Node *
unwrapped(Node *side)
{
	for (;;)
	{
		if (IsA(side, RelabelType) && (((RelabelType *) side)->resulttype == TEXTOID ||
									   ((RelabelType *) side)->resulttype == VARCHAROID))
			side = (Node *) ((RelabelType *) side)->arg;
		else if (IsA(side, FuncExpr) && ((FuncExpr *) side)->funcid == F_NUMERIC_INT8)
			side = linitial(((FuncExpr *) side)->args);
		else
			return side;
	}
}

/* find_side: false for an expression without a source, or without a searchable key. */
static bool
find_side(Side *side, Node *expr, const Scope *scope)
{
	Node	   *source;

	side->value = unwrapped(expr);
	source = source_of(side->value, scope);
	if (source == NULL)
		return false;
	side->kind = exprkey_kind(source);
	side->key = exprkey_of(source);
	return exprkey_is_searchable(side->key);
}

/* is_exact: are these types of core compared as tokens are? */
static bool
is_exact(SealedKind kind, Oid source, Oid other)
{
	int			i;

	for (i = 0; i < (int) lengthof(pairs); i++)
		if (pairs[i].kind == kind && pairs[i].source == source && pairs[i].other == other)
			return true;
	return false;
}

/* ----------
 * Operators of core
 * ----------
 */

/* plain_operator: is it core's = or <>? */
static bool
plain_operator(Oid opno, Oid *left, Oid *right, bool *negated)
{
	HeapTuple	row;
	Form_pg_operator form;
	bool		found;

	if (opno >= FirstNormalObjectId)
		return false;
	row = SearchSysCache1(OPEROID, ObjectIdGetDatum(opno));
	if (!HeapTupleIsValid(row))
		return false;
	form = (Form_pg_operator) GETSTRUCT(row);
	*left = form->oprleft;
	*right = form->oprright;
	*negated = strcmp(NameStr(form->oprname), "<>") == 0;
	found = form->oprnamespace == PG_CATALOG_NAMESPACE &&
		(*negated || strcmp(NameStr(form->oprname), "=") == 0);
	ReleaseSysCache(row);
	return found;
}

/* compares_bytes: a token is made of the bytes of a text, which say all only under a deterministic collation. */
static bool
compares_bytes(SealedKind kind, Oid collation)
{
	return kind != SEALED_TEXT || (OidIsValid(collation) && get_collation_isdeterministic(collation));
}

/*
 * resolve_plain
 *		A comparison by core of one or two shown values: changes the arguments
 *		and the operator.
 *
 *	right_is_array	only the left side can be a source
 */
static void
resolve_plain(List *args, Oid *opno, Oid collation, bool right_is_array, const Scope *scope)
{
	Comparison	comparison;
	Side		left,
				right;
	bool		bind_left,
				bind_right;
	Oid			left_type,
				right_type;

	bind_left = find_side(&left, linitial(args), scope);
	bind_right = !right_is_array && find_side(&right, lsecond(args), scope);
	if ((!bind_left && !bind_right) || !plain_operator(*opno, &left_type, &right_type, &comparison.negated))
		return;
	bind_left = bind_left && is_exact(left.kind, left_type, right_type) && compares_bytes(left.kind, collation);
	bind_right = bind_right && is_exact(right.kind, right_type, left_type) && compares_bytes(right.kind, collation);
	if (bind_left && bind_right && (left.kind != right.kind || left.key != right.key))
		bind_right = false;
	if (!bind_left && !bind_right)
		return;
	comparison.kind = bind_left ? left.kind : right.kind;
	*opno = binder_operator(&comparison);
	if (bind_left)
		linitial(args) = source_take(left.value, scope);
	if (bind_right)
		lsecond(args) = source_take(right.value, scope);
}

/* ----------
 * Operators of sealed types
 * ----------
 */

/* resolve_mixed: t.nir = v.nir, where a shown value stands beside a sealed one of its key. */
static void
resolve_mixed(const Comparison *comparison, List *args, Oid *opno, const Scope *scope)
{
	bool		left_sealed = exprkey_kind(linitial(args)) != SEALED_NONE;
	ListCell   *plain = list_nth_cell(args, left_sealed ? 1 : 0);
	Node	   *sealed = list_nth(args, left_sealed ? 0 : 1);
	Side		side;

	if (exprkey_kind(lfirst(plain)) != SEALED_NONE || exprkey_kind(sealed) == SEALED_NONE ||
		!find_side(&side, lfirst(plain), scope) ||
		side.kind != comparison->kind || side.key != exprkey_of(sealed))
		return;
	*opno = binder_operator(comparison);
	lfirst(plain) = source_take(side.value, scope);
}

/* resolve_comparison: of OpExpr, DistinctExpr or ScalarArrayOpExpr; changes the node. */
static void
resolve_comparison(List *args, Oid *opno, Oid *function, Oid collation, bool right_is_array, const Scope *scope)
{
	Comparison	comparison;
	Oid			before = *opno;

	if (list_length(args) != 2)
		return;
	if (!binder_find_comparison(&comparison, *opno))
		resolve_plain(args, opno, collation, right_is_array, scope);
	else
		resolve_mixed(&comparison, args, opno, scope);
	if (*opno != before)
		*function = get_opcode(*opno);
}

/* ----------
 * The walk
 * ----------
 */

static bool resolve_walker(Node *node, void *context);

/* is_grouped: its select list and HAVING see groups, in which no other column is. */
static bool
is_grouped(Query *query)
{
	return query->hasAggs || query->groupClause != NIL || query->groupingSets != NIL || query->havingQual != NULL;
}

/* resolve_grouped: the select list and HAVING of a grouped query. */
static void
resolve_grouped(Query *query, Scope *scope)
{
	scope->grouped = lcons(query, scope->grouped);
	(void) resolve_walker((Node *) query->targetList, scope);
	(void) resolve_walker(query->havingQual, scope);
	scope->grouped = list_delete_first(scope->grouped);
}

/* resolve_query: one level. */
static bool
resolve_query(Query *query, Scope *scope)
{
	List	   *targets = query->targetList;
	Node	   *having = query->havingQual;
	bool		grouped = is_grouped(query);

	scope->queries = lcons(query, scope->queries);
	if (grouped)
	{
		resolve_grouped(query, scope);
		query->targetList = NIL;
		query->havingQual = NULL;
	}
	(void) query_tree_walker(query, resolve_walker, scope, QTW_IGNORE_JOINALIASES);
	if (grouped)
	{
		query->targetList = targets;
		query->havingQual = having;
	}
	scope->queries = list_delete_first(scope->queries);
	return false;
}

/* resolve_aggregate: its arguments see the rows, not the groups. */
static bool
resolve_aggregate(Aggref *aggregate, Scope *scope)
{
	List	   *grouped = scope->grouped;

	(void) resolve_walker((Node *) aggregate->aggdirectargs, scope);
	scope->grouped = list_delete_ptr(list_copy(grouped), list_nth(scope->queries, aggregate->agglevelsup));
	(void) resolve_walker((Node *) aggregate->args, scope);
	(void) resolve_walker((Node *) aggregate->aggfilter, scope);
	scope->grouped = grouped;
	return false;
}

/* resolve_sublink: its test compares with columns of its query. */
static bool
resolve_sublink(SubLink *sublink, Scope *scope)
{
	SubLink    *outer = scope->sublink;

	scope->sublink = sublink;
	(void) resolve_walker(sublink->testexpr, scope);
	scope->sublink = NULL;
	(void) resolve_walker(sublink->subselect, scope);
	scope->sublink = outer;
	return false;
}

static bool
resolve_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_Query:
			return resolve_query((Query *) node, context);
		case T_Aggref:
			return resolve_aggregate((Aggref *) node, context);
		case T_SubLink:
			return resolve_sublink((SubLink *) node, context);
		case T_OpExpr:
		case T_DistinctExpr:
			resolve_comparison(((OpExpr *) node)->args, &((OpExpr *) node)->opno, &((OpExpr *) node)->opfuncid,
							   ((OpExpr *) node)->inputcollid, false, context);
			break;
		case T_ScalarArrayOpExpr:
			resolve_comparison(((ScalarArrayOpExpr *) node)->args, &((ScalarArrayOpExpr *) node)->opno,
							   &((ScalarArrayOpExpr *) node)->opfuncid,
							   ((ScalarArrayOpExpr *) node)->inputcollid, true, context);
			break;
		default:
			break;
	}
	return expression_tree_walker(node, resolve_walker, context);
}

/* resolve_comparisons: changes the query in place. */
void
resolve_comparisons(Query *query)
{
	Scope		scope;

	source_init_scope(&scope, query);
	(void) resolve_walker((Node *) query, &scope);
}
