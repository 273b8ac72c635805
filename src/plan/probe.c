/*-------------------------------------------------------------------------
 * probe.c
 *		Calls of seal.probe(): the search token of a side that has no key.
 *
 * Floor 5.  A plain side is taken as the statement wrote it: PostgreSQL
 * resolves sealed_int = 9007199254740993 to the operator for double precision
 * and puts an implicit cast there, which would lose the last digit.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_func.h"
#include "utils/lsyscache.h"

#define PROBE				"probe"
#define PROBE_INT			"probe_int"
#define PROBE_NUMERIC		"probe_numeric"
#define PROBE_DATE			"probe_date"

/* How a plain type is compared with a sealed one; every cast here is lossless or core's own. */
typedef struct ProbeRule
{
	SealedKind	kind;
	Oid			from;
	Oid			as;				/* cast to this first */
	const char *function;
} ProbeRule;

static const ProbeRule rules[] = {
	{SEALED_TEXT, TEXTOID, TEXTOID, PROBE},
	{SEALED_TEXT, VARCHAROID, TEXTOID, PROBE},
	{SEALED_TEXT, BPCHAROID, TEXTOID, PROBE},
	{SEALED_TEXT, NAMEOID, TEXTOID, PROBE},
	{SEALED_BYTEA, BYTEAOID, BYTEAOID, PROBE},
	{SEALED_BOOL, BOOLOID, BOOLOID, PROBE},
	{SEALED_INT, INT2OID, INT8OID, PROBE},
	{SEALED_INT, INT4OID, INT8OID, PROBE},
	{SEALED_INT, INT8OID, INT8OID, PROBE},
	{SEALED_INT, NUMERICOID, NUMERICOID, PROBE_INT},
	{SEALED_INT, FLOAT4OID, FLOAT8OID, PROBE_INT},
	{SEALED_INT, FLOAT8OID, FLOAT8OID, PROBE_INT},
	{SEALED_FLOAT8, INT2OID, FLOAT8OID, PROBE},
	{SEALED_FLOAT8, INT4OID, FLOAT8OID, PROBE},
	{SEALED_FLOAT8, INT8OID, FLOAT8OID, PROBE},
	{SEALED_FLOAT8, NUMERICOID, FLOAT8OID, PROBE},
	{SEALED_FLOAT8, FLOAT4OID, FLOAT8OID, PROBE},
	{SEALED_FLOAT8, FLOAT8OID, FLOAT8OID, PROBE},
	{SEALED_NUMERIC, INT2OID, NUMERICOID, PROBE},
	{SEALED_NUMERIC, INT4OID, NUMERICOID, PROBE},
	{SEALED_NUMERIC, INT8OID, NUMERICOID, PROBE},
	{SEALED_NUMERIC, NUMERICOID, NUMERICOID, PROBE},
	{SEALED_NUMERIC, FLOAT4OID, FLOAT8OID, PROBE_NUMERIC},
	{SEALED_NUMERIC, FLOAT8OID, FLOAT8OID, PROBE_NUMERIC},
	{SEALED_DATE, DATEOID, DATEOID, PROBE},
	{SEALED_DATE, TIMESTAMPOID, TIMESTAMPOID, PROBE_DATE},
	{SEALED_DATE, TIMESTAMPTZOID, TIMESTAMPTZOID, PROBE_DATE},
	{SEALED_TIMESTAMPTZ, DATEOID, TIMESTAMPTZOID, PROBE},
	{SEALED_TIMESTAMPTZ, TIMESTAMPOID, TIMESTAMPTZOID, PROBE},
	{SEALED_TIMESTAMPTZ, TIMESTAMPTZOID, TIMESTAMPTZOID, PROBE},
	{SEALED_UUID, UUIDOID, UUIDOID, PROBE},
	{SEALED_JSONB, JSONBOID, JSONBOID, PROBE},
	{SEALED_JSONB, JSONOID, JSONBOID, PROBE}
};

/* rule_of: how an expression, or the elements of an array, can be compared with this kind. */
static const ProbeRule *
rule_of(SealedKind kind, Node *expr)
{
	Oid			type = exprType(expr);
	Oid			element = get_base_element_type(type);
	int			i;

	type = getBaseType(OidIsValid(element) ? element : type);
	for (i = 0; i < (int) lengthof(rules); i++)
		if (rules[i].kind == kind && rules[i].from == type)
			return &rules[i];
	return NULL;
}

/* implicit_source: what an implicit cast was put around, or NULL. */
static Node *
implicit_source(Node *expr)
{
	if (IsA(expr, FuncExpr) && ((FuncExpr *) expr)->funcformat == COERCE_IMPLICIT_CAST)
		return linitial(((FuncExpr *) expr)->args);
	if (IsA(expr, RelabelType) && ((RelabelType *) expr)->relabelformat == COERCE_IMPLICIT_CAST)
		return (Node *) ((RelabelType *) expr)->arg;
	if (IsA(expr, ArrayCoerceExpr) && ((ArrayCoerceExpr *) expr)->coerceformat == COERCE_IMPLICIT_CAST)
		return (Node *) ((ArrayCoerceExpr *) expr)->arg;
	return NULL;
}

/*
 * as_written
 *		A plain side without the implicit casts that operator resolution put there.
 *
 * Stops at a type that is not in the table: casts from users' types belong to
 * the meaning of the comparison.
 */
static Node *
as_written(SealedKind kind, Node *value)
{
	Node	   *source;

	while ((source = implicit_source(value)) != NULL && rule_of(kind, source) != NULL)
		value = source;
	return value;
}

/* cast_to: with core's own cast. */
static Node *
cast_to(Node *value, Oid target)
{
	Oid			source = exprType(value);
	Node	   *result;

	if (source == target)
		return value;
	result = coerce_to_target_type(NULL, value, source, target, -1,
								   COERCION_EXPLICIT, COERCE_IMPLICIT_CAST, -1);
	if (result == NULL)
		elog(ERROR, "no cast from type %u to type %u", source, target);
	return result;
}

/* call_probe: seal.<function>(key, value). */
static Node *
call_probe(const char *function, int32 key, Node *value)
{
	Oid			signature[2] = {INT4OID, exprType(value)};
	List	   *name = list_make2(makeString("seal"), makeString(pstrdup(function)));
	Oid			oid = LookupFuncName(name, 2, signature, false);
	Const	   *id = makeConst(INT4OID, -1, InvalidOid, sizeof(int32), Int32GetDatum(key), false, true);

	return (Node *) makeFuncExpr(oid, get_func_rettype(oid), list_make2(id, value),
								 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

/* is_envelope_of: a constant that is an envelope of the key, with a token to compare. */
static bool
is_envelope_of(Node *value, SealedKind kind, int32 key)
{
	Const	   *constant = (Const *) value;
	Envelope	envelope;
	struct varlena *held;

	return IsA(value, Const) && !constant->constisnull &&
		sealed_kind_of_type(constant->consttype) == kind &&
		sealed_envelope(&envelope, &held, constant->constvalue) &&
		envelope.key_id == (uint32) key && envelope.token != NULL;
}

/*
 * probe_value
 *		Token of a value, or tokens of an array's elements, under a key.
 *
 *	value		plain, or sealed under a key not known before it is looked at
 *
 * A constant envelope of the key stays what it is: so PostgreSQL can see that
 * a condition implies the predicate of a partial index.
 */
Node *
probe_value(SealedKind kind, int32 key, Node *value)
{
	bool		is_array = OidIsValid(get_base_element_type(exprType(value)));
	const ProbeRule *rule;

	if (is_envelope_of(value, kind, key))
		return value;
	if (exprkey_kind(value) == kind)
		return call_probe(PROBE, key, cast_to(value, is_array ? sealed_array_oid(kind)
											  : sealed_type_oid(kind)));
	value = as_written(kind, value);
	rule = rule_of(kind, value);
	if (rule == NULL)
		error_raise(SEAL_E_UNBOUND, NULL);
	return call_probe(rule->function, key, cast_to(value, is_array ? get_array_type(rule->as) : rule->as));
}

/* probe_array_source: ARRAY[...] or IN (...) below implicit casts, or NULL. */
ArrayExpr *
probe_array_source(Node *array)
{
	Node	   *source;

	while ((source = implicit_source(array)) != NULL)
		array = source;
	if (!IsA(array, ArrayExpr) || ((ArrayExpr *) array)->multidims)
		return NULL;
	return (ArrayExpr *) array;
}

/* probe_elements: ARRAY[a, b] as ARRAY[probe(a), probe(b)]; array must have a constructor. */
Node *
probe_elements(SealedKind kind, int32 key, Node *array)
{
	ArrayExpr  *source = probe_array_source(array);
	ArrayExpr  *result = makeNode(ArrayExpr);
	ListCell   *cell;

	result->array_typeid = sealed_array_oid(kind);
	result->element_typeid = sealed_type_oid(kind);
	result->location = source->location;
	foreach(cell, source->elements)
		result->elements = lappend(result->elements, probe_value(kind, key, lfirst(cell)));
	return (Node *) result;
}

/* probe_is_call: a call this file made; its key. */
bool
probe_is_call(FuncExpr *call, int32 *key)
{
	Const	   *id;
	char	   *name;

	if (list_length(call->args) != 2)
		return false;
	id = linitial(call->args);
	if (!IsA(id, Const) || id->consttype != INT4OID || id->constisnull ||
		get_func_namespace(call->funcid) != seal_schema_oid(false))
		return false;
	name = get_func_name(call->funcid);
	*key = DatumGetInt32(id->constvalue);
	return name != NULL && strncmp(name, PROBE, strlen(PROBE)) == 0;
}
