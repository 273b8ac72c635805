/*-------------------------------------------------------------------------
 * history.c
 *		seal.row_history(): what was done to one row, opened for its reader.
 *
 * Floor 5.  The rows of the log are read with the rights of its owner: who may
 * call the function may read them.  Their values are opened with the rights of
 * the caller, each by the gate.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/relation.h"
#include "audit/audit.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "types/types.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define HISTORY_COLUMNS	16

PG_FUNCTION_INFO_V1(pgseal_row_history);

/*
 * Both tables in one statement: a row that is being numbered is in one of
 * them.  Every name and operator is qualified, as this runs as the owner.
 * audit_entry_row and audit_entry_moved_row are the indexes for it.
 */
static const char history_query[] =
"SELECT entry, at, action, login_role, session_role, role, actor, purpose, address, application,"
"       xid, what, detail, columns, old, new"
"  FROM (SELECT entry, at, action, login_role, session_role, role, actor, purpose, address, application,"
"               xid, what, detail, columns, old, new, relation, row_key, entry AS place"
"          FROM seal.audit_entry"
"        UNION ALL"
"        SELECT NULL, at, action, login_role, session_role, role, actor, purpose, address, application,"
"               xid, what, detail, columns, seal.audit_image(old), seal.audit_image(new), relation, row_key, id"
"          FROM seal.audit_change) AS log"
"  WHERE relation OPERATOR(pg_catalog.=) $1"
"    AND (row_key OPERATOR(pg_catalog.=) $2"
"         OR detail OPERATOR(pg_catalog.=) ('new key '::pg_catalog.text OPERATOR(pg_catalog.||) $2)"
"            AND detail OPERATOR(pg_catalog.~~) 'new key %')"
"    AND action OPERATOR(pg_catalog.=) ANY ('{insert,update,delete}'::pg_catalog.text[])"
"  ORDER BY entry NULLS LAST, place";

/* owner_of_log: whose rights read the log. */
static Oid
owner_of_log(void)
{
	Oid			relation = seal_relation_oid("audit_change");
	HeapTuple	row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	owner = ((Form_pg_class) GETSTRUCT(row))->relowner;
	ReleaseSysCache(row);
	return owner;
}

/* read_log: the rows of one row's history, into SPI_tuptable. */
static void
read_log(const char *relation, Datum row_key)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2] = {CStringGetTextDatum(relation), row_key};
	Oid			caller;
	int			context;

	GetUserIdAndSecContext(&caller, &context);
	SetUserIdAndSecContext(owner_of_log(), context | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_execute_with_args(history_query, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the log");
	SetUserIdAndSecContext(caller, context);
}

/* open_value: one value of an image, where the caller may read it; otherwise it stays an envelope. */
static void
open_value(JsonbValue *value)
{
	char	   *plain;

	if (value->type != jbvString)
		return;
	plain = image_show(value->val.string.val, value->val.string.len);
	if (plain == NULL)
		return;
	value->val.string.val = plain;
	value->val.string.len = strlen(plain);
}

/* push_member: a key and a value. */
static void
push_member(JsonbParseState **state, JsonbValue *key, JsonbValue *value)
{
	(void) pushJsonbValue(state, WJB_KEY, key);
	(void) pushJsonbValue(state, WJB_VALUE, value);
}

/* push_plain: what the object of the plain values has. */
static void
push_plain(JsonbParseState **state, char *json)
{
	Jsonb	   *object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	JsonbIterator *iterator = JsonbIteratorInit(&object->root);
	JsonbValue	key;
	JsonbValue	value;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		push_member(state, &key, &value);
	}
}

/* push_opened: one member of an image. */
static void
push_opened(JsonbParseState **state, JsonbValue *key, JsonbValue *value)
{
	char	   *plain = NULL;

	if (key->val.string.len == strlen(IMAGE_PLAIN))
		plain = image_show(value->val.string.val, value->val.string.len);
	else
		open_value(value);
	if (plain != NULL)
		push_plain(state, plain);
	else
		push_member(state, key, value);
}

/* open_image: an object of the values that are open, as texts; the others stay envelopes. */
static Datum
open_image(Datum image)
{
	JsonbIterator *iterator = JsonbIteratorInit(&DatumGetJsonbP(image)->root);
	JsonbParseState *state = NULL;
	JsonbValue	key;
	JsonbValue	value;
	JsonbIteratorToken token;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		push_opened(&state, &key, &value);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* give_row: one row of the result; its last two columns are the images. */
static void
give_row(ReturnSetInfo *result, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[HISTORY_COLUMNS];
	bool		nulls[HISTORY_COLUMNS];

	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = HISTORY_COLUMNS - 2; i < HISTORY_COLUMNS; i++)
		if (!nulls[i])
			values[i] = open_image(values[i]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* logical_name: the table under whose name the log has the rows of this one; 42P16 when they have no key. */
static char *
logical_name(Oid oid)
{
	Relation	relation = relation_open(oid, AccessShareLock);
	char	   *name = watch_relation_name(watch_logical_relation(relation));

	if (!watched_has_row_key(relation))
		error_raise(SEAL_E_NO_ROW_KEY, RelationGetRelationName(relation));
	relation_close(relation, AccessShareLock);
	return name;
}

/* record_reading: a look into the log is recorded itself, before anything is shown. */
static void
record_reading(const char *relation, const char *row_key)
{
	AuditRecord record = {
		AUDIT_NO_COUNTS,
		.action = AUDIT_OPEN,
		.relation = audit_text(relation),
		.row_key = audit_text(row_key),
		.what = "row_history"
	};

	audit_append(&record, true);
}

/* seal.row_history(relation regclass, row_key text) returns table */
Datum
pgseal_row_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *relation;

	if (PG_ARGISNULL(0))
		error_raise(SEAL_E_NO_RELATION, NULL);
	if (PG_ARGISNULL(1))
		error_raise(SEAL_E_NO_ROW_KEY_GIVEN, NULL);
	InitMaterializedSRF(fcinfo, 0);
	relation = logical_name(PG_GETARG_OID(0));
	record_reading(relation, TextDatumGetCString(PG_GETARG_DATUM(1)));
	SPI_connect();
	read_log(relation, PG_GETARG_DATUM(1));
	for (uint64 i = 0; i < SPI_processed; i++)
		give_row(result, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	return (Datum) 0;
}
