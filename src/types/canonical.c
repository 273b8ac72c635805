/*-------------------------------------------------------------------------
 * canonical.c
 *		The bytes that a search token is made of: equal values, equal bytes.
 *
 * Floor 4.  For most types the payload already is canonical.  Here are the
 * three where SQL's "=" says more: float8 (-0 = 0, NaN = NaN), numeric
 * (1.0 = 1.00) and jsonb.  Never change an output: stored tokens are compared
 * with new ones.
 *
 * jsonb, in the order of its own storage (duplicate keys gone, keys sorted by
 * length, then bytes):
 *
 *		n t f		null, true, false
 *		# len ...	number, as the canonical form of numeric
 *		" len ...	string or key, UTF-8
 *		[ ... ]		array			{ ... }		object
 *		= ...		a scalar that is the whole document
 *
 * with len as 4 bytes, big-endian.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#define CANONICAL_NAN	UINT64CONST(0x7ff8000000000000)

/* decode_own: a payload of ours as a plain datum; XX001 when it is none. */
static Datum
decode_own(SealedKind kind, PlainBytes *payload)
{
	Datum		value;

	if (!sealed_type(kind)->decode(&value, payload))
		error_raise(SEAL_E_CORRUPT, NULL);
	return value;
}

void
canonical_float8(PlainBytes *canonical, PlainBytes *payload)
{
	float8		number = DatumGetFloat8(decode_own(SEALED_FLOAT8, payload));
	uint64		bits = 0;

	if (isnan(number))
		bits = CANONICAL_NAN;
	else if (number != 0)
		memcpy(&bits, &number, sizeof(bits));
	bits = pg_hton64(bits);
	memcpy(plain_small(canonical, sizeof(bits)), &bits, sizeof(bits));
}

void
canonical_numeric(PlainBytes *canonical, PlainBytes *payload)
{
	Datum		number = decode_own(SEALED_NUMERIC, payload);
	char	   *text = numeric_normalize(DatumGetNumeric(number));

	plain_release(sealed_type(SEALED_NUMERIC), number);
	plain_borrow(canonical, text, strlen(text), text);
}

/* append_counted: a tag, the length, the bytes. */
static void
append_counted(StringInfo out, char tag, const void *bytes, size_t len)
{
	uint32		count = pg_hton32((uint32) len);

	appendStringInfoChar(out, tag);
	appendBinaryStringInfo(out, (char *) &count, sizeof(count));
	appendBinaryStringInfo(out, bytes, len);
}

static void
append_string(StringInfo out, const JsonbValue *value)
{
	PlainBytes	text;

	plain_borrow(&text, value->val.string.val, value->val.string.len, NULL);
	text_to_payload(&text);
	append_counted(out, '"', text.bytes, text.len);
	plain_wipe(&text);
}

static void
append_number(StringInfo out, const JsonbValue *value)
{
	char	   *text = numeric_normalize(value->val.numeric);
	size_t		len = strlen(text);

	append_counted(out, '#', text, len);
	sodium_memzero(text, len);
	pfree(text);
}

static void
append_scalar(StringInfo out, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			appendStringInfoChar(out, 'n');
			break;
		case jbvBool:
			appendStringInfoChar(out, value->val.boolean ? 't' : 'f');
			break;
		case jbvNumeric:
			append_number(out, value);
			break;
		case jbvString:
			append_string(out, value);
			break;
		default:
			elog(ERROR, "unexpected jsonb value of type %d", (int) value->type);
	}
}

/* append_token: one step of the walk through a document. */
static void
append_token(StringInfo out, JsonbIteratorToken token, const JsonbValue *value)
{
	switch (token)
	{
		case WJB_BEGIN_ARRAY:
			appendStringInfoChar(out, value->val.array.rawScalar ? '=' : '[');
			break;
		case WJB_BEGIN_OBJECT:
			appendStringInfoChar(out, '{');
			break;
		case WJB_END_ARRAY:
			appendStringInfoChar(out, ']');
			break;
		case WJB_END_OBJECT:
			appendStringInfoChar(out, '}');
			break;
		case WJB_KEY:
		case WJB_VALUE:
		case WJB_ELEM:
			append_scalar(out, value);
			break;
		case WJB_DONE:
			break;
	}
}

void
canonical_jsonb(PlainBytes *canonical, PlainBytes *payload)
{
	Datum		document = decode_own(SEALED_JSONB, payload);
	JsonbIterator *walk = JsonbIteratorInit(&DatumGetJsonbP(document)->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	StringInfoData out;

	initStringInfo(&out);
	while ((token = JsonbIteratorNext(&walk, &value, false)) != WJB_DONE)
		append_token(&out, token, &value);
	plain_release(sealed_type(SEALED_JSONB), document);
	plain_borrow(canonical, out.data, out.len, out.data);
}
