/*-------------------------------------------------------------------------
 * probe.c
 *		The other side of a comparison: a value as a token of the column's key.
 *
 * Floor 4.  The planner hook writes  column = x  as  column = seal.probe(key,
 * x).  A probe gives a token-only envelope, which compares by bytes with what
 * the column stores.  The right to search is checked at every call; the last
 * token is kept, so that a scan that probes each row with the same value pays
 * for one HMAC.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "datatype/timestamp.h"
#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#define MEMO_MAX_BYTES		(1024 * 1024)	/* of input; longer lists that are no constants are probed anew */
#define FLOAT8_EXACT_LIMIT	9007199254740992.0	/* 2^53: from here on integers share doubles */

/*
 * A plain value of another type than the column's.  Gives the equal value of
 * the plain type; or false and, in foreign, bytes of its own when no value of
 * that type is equal.
 */
typedef bool (*Adapter) (Datum *plain, PlainBytes *foreign, Datum value);

/* The last input and what became of it; in the memory of the call site. */
typedef struct Memo
{
	uint32		key_id;
	uint64		stamp;			/* ring_stamp() then */
	unsigned char *input;		/* NULL: nothing kept */
	size_t		input_len;
	struct varlena *result;
	bool		searched;		/* a token was made, so the right is needed */
} Memo;

/* What a call site of seal.probe works with. */
typedef struct ProbeSite
{
	const SealedType *type;
	bool		array;
	bool		sealed;			/* values are of the sealed type itself */
	Oid			source;			/* type of a value */
	int16		source_len;
	bool		source_byval;
	char		source_align;
	Adapter		adapt;			/* NULL for the plain type itself */
	Memo		memo;
} ProbeSite;

PG_FUNCTION_INFO_V1(pgseal_probe);

/* ----------
 * Plain values of other types
 * ----------
 */

/* foreign_64: eight bytes that stand for a value equal to nothing. */
static bool
foreign_64(PlainBytes *foreign, Datum value)
{
	int64		bits = DatumGetInt64(value);

	memcpy(plain_small(foreign, sizeof(bits)), &bits, sizeof(bits));
	return false;
}

static bool
int_from_numeric(Datum *plain, PlainBytes *foreign, Datum value)
{
	char	   *text = numeric_normalize(DatumGetNumeric(value));
	size_t		len = strlen(text);
	char	   *end;
	int64		number;
	bool		whole;

	errno = 0;
	number = strtoi64(text, &end, 10);
	whole = errno == 0 && end == text + len;
	plain_borrow(foreign, text, len, text);
	if (!whole)
		return false;
	plain_wipe(foreign);
	*plain = Int64GetDatum(number);
	return true;
}

static bool
int_from_float8(Datum *plain, PlainBytes *foreign, Datum value)
{
	float8		number = DatumGetFloat8(value);

	if (!isfinite(number) || number != trunc(number))
		return foreign_64(foreign, value);
	if (fabs(number) >= FLOAT8_EXACT_LIMIT)
		error_raise(SEAL_E_INEXACT, sealed_type(SEALED_INT)->name);
	*plain = Int64GetDatum((int64) number);
	return true;
}

/* numeric_from_float8: the shortest decimal that reads back as this double, as float8 prints it. */
static bool
numeric_from_float8(Datum *plain, PlainBytes *foreign, Datum value)
{
	float8		number = DatumGetFloat8(value);
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isfinite(number) && fabs(number) >= FLOAT8_EXACT_LIMIT)
		error_raise(SEAL_E_INEXACT, sealed_type(SEALED_NUMERIC)->name);
	double_to_shortest_decimal_buf(number, text);
	*plain = DirectFunctionCall3(numeric_in, CStringGetDatum(text),
								 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	sodium_memzero(text, sizeof(text));
	return true;
}

static bool
date_from_timestamp(Datum *plain, PlainBytes *foreign, Datum value)
{
	Timestamp	at = DatumGetTimestamp(value);

	if (TIMESTAMP_IS_NOBEGIN(at))
		*plain = DateADTGetDatum(DATEVAL_NOBEGIN);
	else if (TIMESTAMP_IS_NOEND(at))
		*plain = DateADTGetDatum(DATEVAL_NOEND);
	else if (at % USECS_PER_DAY != 0)
		return foreign_64(foreign, value);
	else
		*plain = DateADTGetDatum((DateADT) (at / USECS_PER_DAY));
	return true;
}

/*
 * date_from_timestamptz
 *		In the time zone of the session, as core compares the two: with the
 *		moment a day begins, which need not be midnight, and may be the first or
 *		the second of two.
 */
static bool
date_from_timestamptz(Datum *plain, PlainBytes *foreign, Datum value)
{
	Datum		local = DirectFunctionCall1(timestamptz_timestamp, value);

	if (TIMESTAMP_NOT_FINITE(DatumGetTimestamp(local)))
		return date_from_timestamp(plain, foreign, local);
	*plain = DirectFunctionCall1(timestamp_date, local);
	if (DatumGetTimestampTz(DirectFunctionCall1(date_timestamptz, *plain)) != DatumGetTimestampTz(value))
		return foreign_64(foreign, value);
	return true;
}

static bool
jsonb_from_json(Datum *plain, PlainBytes *foreign, Datum value)
{
	char	   *document = TextDatumGetCString(value);

	*plain = quiet_call(jsonb_in, CStringGetDatum(document), (Datum) 0, (Datum) 0,
						SEAL_E_INPUT_TEXT, "jsonb");
	sodium_memzero(document, strlen(document));
	pfree(document);
	return true;
}

static const struct
{
	SealedKind	kind;
	Oid			source;
	Adapter		adapt;
}			adapters[] = {
	{SEALED_INT, NUMERICOID, int_from_numeric},
	{SEALED_INT, FLOAT8OID, int_from_float8},
	{SEALED_NUMERIC, FLOAT8OID, numeric_from_float8},
	{SEALED_DATE, TIMESTAMPOID, date_from_timestamp},
	{SEALED_DATE, TIMESTAMPTZOID, date_from_timestamptz},
	{SEALED_JSONB, JSONOID, jsonb_from_json},
};

/* find_adapter: for the site's types; NULL when none is needed. */
static Adapter
find_adapter(const ProbeSite *site)
{
	int			i;

	if (site->sealed || site->source == site->type->plain)
		return NULL;
	for (i = 0; i < (int) lengthof(adapters); i++)
		if (adapters[i].kind == site->type->kind && adapters[i].source == site->source)
			return adapters[i].adapt;
	elog(ERROR, "type %u cannot be compared with %s", site->source, site->type->name);
}

/* ----------
 * Call sites
 * ----------
 */

/* probe_site: of probe(integer, value) returns sealed, or of arrays of both. */
static ProbeSite *
probe_site(FmgrInfo *flinfo)
{
	ProbeSite  *site = flinfo->fn_extra;
	SealedKind	kind;
	Oid			result;
	Oid		   *arguments;
	int			count;

	if (site != NULL)
		return site;
	result = get_func_signature(flinfo->fn_oid, &arguments, &count);
	site = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(ProbeSite));
	kind = sealed_kind_of_type(result);
	if (kind == SEALED_NONE)
	{
		kind = sealed_kind_of_array(result);
		site->array = true;
	}
	if (kind == SEALED_NONE || count != 2)
		elog(ERROR, "function %u is not about a sealed type", flinfo->fn_oid);
	site->type = sealed_type(kind);
	site->source = site->array ? get_element_type(arguments[1]) : arguments[1];
	site->sealed = site->source == sealed_type_oid(kind);
	site->adapt = find_adapter(site);
	get_typlenbyvalalign(site->source, &site->source_len, &site->source_byval, &site->source_align);
	flinfo->fn_extra = site;
	return site;
}

/* ----------
 * Probing
 * ----------
 */

/* probe_plain: a token of a plain value. */
static struct varlena *
probe_plain(ProbeSite *site, uint32 key_id, Datum value)
{
	const SealedType *type = site->type;
	uint8_t		type_byte = type->kind;
	PlainBytes	payload;
	struct varlena *token;
	Datum		plain = value;

	if (site->adapt != NULL && !site->adapt(&plain, &payload, value))
		type_byte |= TOKEN_NEVER;
	else
		type->encode(&payload, plain);
	token = value_token(type, type_byte, &payload, key_id);
	if (site->adapt != NULL && type_byte == type->kind)
		plain_release(type, plain);
	site->memo.searched = true;
	return token;
}

/* passes: is it an envelope of the key already?  22023 for one of a third key. */
static bool
passes(const SealedType *type, const Envelope *envelope, uint32 key_id)
{
	if (envelope->key_id == key_id)
		return true;
	if (envelope->key_id != gate_literal_id())
		error_raise(SEAL_E_OTHER_KEY, value_key_name(key_id));
	return false;
}

/* probe_sealed: an envelope of the key passes; a literal is opened and becomes a token. */
static struct varlena *
probe_sealed(ProbeSite *site, uint32 key_id, Datum value)
{
	Envelope	envelope;
	struct varlena *held;
	PlainBytes	payload;

	value_read(&envelope, &held, site->type, value);
	if (passes(site->type, &envelope, key_id))
		return (struct varlena *) DatumGetPointer(value);
	value_open(&payload, &envelope, value_literal_key(&envelope));
	site->memo.searched = true;
	return value_token(site->type, site->type->kind, &payload, key_id);
}

static struct varlena *
probe_value(ProbeSite *site, uint32 key_id, Datum value)
{
	return site->sealed ? probe_sealed(site, key_id, value) : probe_plain(site, key_id, value);
}

/* probe_array: every element that is not null; the same shape. */
static struct varlena *
probe_array(ProbeSite *site, uint32 key_id, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			i;

	deconstruct_array(array, site->source, site->source_len, site->source_byval,
					  site->source_align, &elements, &nulls, &count);
	for (i = 0; i < count; i++)
		if (!nulls[i])
			elements[i] = PointerGetDatum(probe_value(site, key_id, elements[i]));
	return (struct varlena *) construct_md_array(elements, nulls, ARR_NDIM(array),
												 ARR_DIMS(array), ARR_LBOUND(array),
												 sealed_type_oid(site->type->kind),
												 -1, false, TYPALIGN_INT);
}

/* ----------
 * The last probe
 * ----------
 */

/* input_bytes: what an argument is compared by; *datum holds it when it is passed by value. */
static void
input_bytes(PlainBytes *input, const ProbeSite *site, Datum *datum)
{
	struct varlena *value;

	if (!site->array && site->source_byval)
		plain_borrow(input, datum, sizeof(*datum), NULL);
	else if (!site->array && site->source_len > 0)
		plain_borrow(input, DatumGetPointer(*datum), site->source_len, NULL);
	else
	{
		value = PG_DETOAST_DATUM_PACKED(*datum);
		*datum = PointerGetDatum(value);
		plain_borrow(input, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), NULL);
	}
}

static bool
memo_fits(const Memo *memo, uint32 key_id, uint64 stamp, const PlainBytes *input)
{
	return memo->input != NULL && memo->key_id == key_id && memo->stamp == stamp &&
		memo->input_len == input->len &&
		(memo->input == input->bytes || memcmp(memo->input, input->bytes, input->len) == 0);
}

/* memo_drop: forget and wipe. */
static void
memo_drop(Memo *memo)
{
	if (memo->input != NULL)
	{
		sodium_memzero(memo->input, memo->input_len);
		pfree(memo->input);
		pfree(memo->result);
	}
	memset(memo, 0, sizeof(*memo));
}

static struct varlena *
copy_varlena(const struct varlena *value, MemoryContext context)
{
	struct varlena *copy = MemoryContextAlloc(context, VARSIZE_ANY(value));

	memcpy(copy, value, VARSIZE_ANY(value));
	return copy;
}

/*
 * is_constant
 *		Are both arguments constants?  A parameter is not: plpgsql keeps the call
 *		sites of an expression while its variables change.
 */
static bool
is_constant(FmgrInfo *flinfo)
{
	FuncExpr   *call = (FuncExpr *) flinfo->fn_expr;

	return call != NULL && IsA(call, FuncExpr) && IsA(linitial(call->args), Const) &&
		IsA(lsecond(call->args), Const);
}

/* memo_keep: unless a list that may change is long, or the token depends on the time zone too. */
static void
memo_keep(ProbeSite *site, uint32 key_id, uint64 stamp, const PlainBytes *input,
		  const struct varlena *result, FmgrInfo *flinfo)
{
	MemoryContext context = flinfo->fn_mcxt;
	Memo	   *memo = &site->memo;


	if (site->adapt == date_from_timestamptz || (input->len > MEMO_MAX_BYTES && !is_constant(flinfo)))
		return;
	memo->result = copy_varlena(result, context);
	memo->input = MemoryContextAlloc(context, Max(input->len, 1));
	memcpy(memo->input, input->bytes, input->len);
	memo->input_len = input->len;
	memo->key_id = key_id;
	memo->stamp = stamp;
}

/*
 * probe_remembered
 *		From the last call when the argument is the same; the right is asked for
 *		in every call.
 *
 * The result lies in the memory of the call site: a list of values beside a
 * column is neither compared nor copied for every row.
 */
static struct varlena *
probe_remembered(ProbeSite *site, uint32 key_id, Datum value, FmgrInfo *flinfo)
{
	uint64		stamp = ring_stamp();
	Memo	   *memo = &site->memo;
	struct varlena *result;
	PlainBytes	input;

	if (memo->input == NULL || memo->stamp != stamp || !is_constant(flinfo))
		input_bytes(&input, site, &value);
	else
		plain_borrow(&input, memo->input, memo->input_len, NULL);
	if (memo_fits(memo, key_id, stamp, &input))
	{
		if (memo->searched)
			(void) gate_search(key_id);
		return memo->result;
	}
	memo_drop(memo);
	result = site->array ? probe_array(site, key_id, value) : probe_value(site, key_id, value);
	memo_keep(site, key_id, stamp, &input, result, flinfo);
	return result;
}

/* passes_unread: one envelope of the key itself, for which nothing is asked, counted or kept. */
static bool
passes_unread(const ProbeSite *site, uint32 key_id, Datum value)
{
	Envelope	envelope;
	struct varlena *held;
	bool		passed;

	if (!site->sealed || site->array)
		return false;
	value_read(&envelope, &held, site->type, value);
	passed = passes(site->type, &envelope, key_id);
	if (held != (struct varlena *) DatumGetPointer(value))
		pfree(held);
	return passed;
}

/* seal.probe(integer, value) returns sealed_*; arrays alike */
Datum
pgseal_probe(PG_FUNCTION_ARGS)
{
	ProbeSite  *site = probe_site(fcinfo->flinfo);
	uint32		key_id = (uint32) PG_GETARG_INT32(0);
	Datum		value = PG_GETARG_DATUM(1);

	if (passes_unread(site, key_id, value))
		PG_RETURN_DATUM(value);
	PG_RETURN_POINTER(probe_remembered(site, key_id, value, fcinfo->flinfo));
}
