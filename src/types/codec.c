/*-------------------------------------------------------------------------
 * codec.c
 *		The table of the sealed types, and their payloads.
 *
 * Floor 4.  A payload is what an envelope encrypts: the binary send form of
 * the plain type, so that any PostgreSQL can read it, with text in UTF-8
 * whatever the encoding of the database.  A payload has passed the cipher's
 * tag when it is decoded here; it is checked all the same, because who held
 * the key may have written anything.
 *
 *		text		UTF-8				bytea		the bytes
 *		bool		1 byte, 0 or 1		int			8 bytes, big-endian
 *		float8		8 bytes, IEEE 754	numeric		numeric_send
 *		date		4 bytes, days		timestamptz	8 bytes, microseconds
 *		uuid		16 bytes			jsonb		0x01, then jsonb text in UTF-8
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"


/* ----------
 * Clear bytes
 * ----------
 */

/* plain_borrow: bytes of a datum; with owned, of a chunk that is ours to wipe and free. */
void
plain_borrow(PlainBytes *plain, const void *bytes, size_t len, void *owned)
{
	plain->bytes = (unsigned char *) bytes;
	plain->len = len;
	plain->owned = owned;
}

/* plain_small: len bytes inside *plain, to be written by the caller. */
unsigned char *
plain_small(PlainBytes *plain, size_t len)
{
	Assert(len <= PLAIN_SMALL_BYTES);
	plain->bytes = plain->small;
	plain->len = len;
	plain->owned = NULL;
	return plain->small;
}

/* plain_wipe: no clear byte stays in memory of ours. */
void
plain_wipe(PlainBytes *plain)
{
	if (plain->owned != NULL)
	{
		sodium_memzero(plain->bytes, plain->len);
		pfree(plain->owned);
	}
	else if (plain->bytes == plain->small)
		sodium_memzero(plain->small, plain->len);
	plain->bytes = NULL;
	plain->len = 0;
	plain->owned = NULL;
}

/* plain_release: wipe and free a plain datum that we made. */
void
plain_release(const SealedType *type, Datum value)
{
	void	   *chunk = DatumGetPointer(value);

	if (type->plain_byval)
		return;
	sodium_memzero(chunk, type->plain_len > 0 ? (size_t) type->plain_len : VARSIZE_ANY(chunk));
	pfree(chunk);
}

/*
 * take_varlena
 *		The bytes as a varlena for SQL.
 *
 * value_open() leaves room for the header in front of long payloads: those
 * need no copy.
 */
static Datum
take_varlena(PlainBytes *plain)
{
	struct varlena *value = plain->owned;

	if (value == NULL || (char *) plain->bytes != VARDATA(value))
	{
		value = palloc(VARHDRSZ + plain->len);
		memcpy(VARDATA(value), plain->bytes, plain->len);
	}
	else
		plain->owned = NULL;
	SET_VARSIZE(value, VARHDRSZ + plain->len);
	return PointerGetDatum(value);
}

/* ----------
 * Text
 * ----------
 */

/* to_utf8, from_utf8: bodies of quiet_run(); the text, or a copy in the other encoding. */
static Datum
to_utf8(void *arg)
{
	PlainBytes *text = arg;

	return CStringGetDatum(pg_server_to_any((char *) text->bytes, text->len, PG_UTF8));
}

static Datum
from_utf8(void *arg)
{
	PlainBytes *text = arg;

	return CStringGetDatum(pg_any_to_server((char *) text->bytes, text->len, PG_UTF8));
}

/* swap_text: the same text in other bytes. */
static void
swap_text(PlainBytes *text, char *converted)
{
	if ((unsigned char *) converted == text->bytes)
		return;
	plain_wipe(text);
	plain_borrow(text, converted, strlen(converted), converted);
}

/* text_to_payload: from the encoding of the database to UTF-8.  22021 or 22P05 when it cannot be. */
void
text_to_payload(PlainBytes *payload)
{
	if (GetDatabaseEncoding() != PG_UTF8 && payload->len > 0)
		swap_text(payload, DatumGetCString(quiet_run(to_utf8, payload, SEAL_E_INPUT_TEXT,
														sealed_type(SEALED_TEXT)->name)));
}

/* payload_to_text: back; false when the payload is not UTF-8, 22P05 when the database lacks a character. */
static bool
payload_to_text(PlainBytes *payload)
{
	if (!pg_verify_mbstr(PG_UTF8, (char *) payload->bytes, payload->len, true))
		return false;
	if (GetDatabaseEncoding() != PG_UTF8 && payload->len > 0)
		swap_text(payload, DatumGetCString(quiet_run(from_utf8, payload, SEAL_E_INPUT_TEXT, "text")));
	return true;
}

static void
encode_bytea(PlainBytes *payload, Datum value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

	plain_borrow(payload, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes),
				 bytes != (struct varlena *) DatumGetPointer(value) ? bytes : NULL);
}

static bool
decode_bytea(Datum *value, PlainBytes *payload)
{
	*value = take_varlena(payload);
	return true;
}

static void
encode_text(PlainBytes *payload, Datum value)
{
	encode_bytea(payload, value);
	text_to_payload(payload);
}

static bool
decode_text(Datum *value, PlainBytes *payload)
{
	if (!payload_to_text(payload))
		return false;
	*value = take_varlena(payload);
	return true;
}

/* ----------
 * Values of fixed length
 * ----------
 */

static void
encode_bool(PlainBytes *payload, Datum value)
{
	*plain_small(payload, 1) = DatumGetBool(value) ? 1 : 0;
}

static bool
decode_bool(Datum *value, PlainBytes *payload)
{
	if (payload->len != 1 || payload->bytes[0] > 1)
		return false;
	*value = BoolGetDatum(payload->bytes[0] == 1);
	return true;
}

/* put_64, get_64: eight bytes, big-endian. */
static void
put_64(PlainBytes *payload, uint64 bits)
{
	bits = pg_hton64(bits);
	memcpy(plain_small(payload, sizeof(bits)), &bits, sizeof(bits));
}

static bool
get_64(uint64 *bits, const PlainBytes *payload)
{
	if (payload->len != sizeof(*bits))
		return false;
	memcpy(bits, payload->bytes, sizeof(*bits));
	*bits = pg_ntoh64(*bits);
	return true;
}

static void
encode_int(PlainBytes *payload, Datum value)
{
	put_64(payload, (uint64) DatumGetInt64(value));
}

static bool
decode_int(Datum *value, PlainBytes *payload)
{
	uint64		bits;

	if (!get_64(&bits, payload))
		return false;
	*value = Int64GetDatum((int64) bits);
	return true;
}

static void
encode_float8(PlainBytes *payload, Datum value)
{
	float8		number = DatumGetFloat8(value);
	uint64		bits;

	memcpy(&bits, &number, sizeof(bits));
	put_64(payload, bits);
}

static bool
decode_float8(Datum *value, PlainBytes *payload)
{
	uint64		bits;
	float8		number;

	if (!get_64(&bits, payload))
		return false;
	memcpy(&number, &bits, sizeof(number));
	*value = Float8GetDatum(number);
	return true;
}

static void
encode_date(PlainBytes *payload, Datum value)
{
	uint32		days = pg_hton32((uint32) DatumGetDateADT(value));

	memcpy(plain_small(payload, sizeof(days)), &days, sizeof(days));
}

static bool
decode_date(Datum *value, PlainBytes *payload)
{
	uint32		bits;
	DateADT		days;

	if (payload->len != sizeof(bits))
		return false;
	memcpy(&bits, payload->bytes, sizeof(bits));
	days = (DateADT) pg_ntoh32(bits);
	*value = DateADTGetDatum(days);
	return DATE_NOT_FINITE(days) || IS_VALID_DATE(days);
}

static void
encode_timestamptz(PlainBytes *payload, Datum value)
{
	put_64(payload, (uint64) DatumGetTimestampTz(value));
}

static bool
decode_timestamptz(Datum *value, PlainBytes *payload)
{
	uint64		bits;
	TimestampTz at;

	if (!get_64(&bits, payload))
		return false;
	at = (TimestampTz) bits;
	*value = TimestampTzGetDatum(at);
	return TIMESTAMP_NOT_FINITE(at) || IS_VALID_TIMESTAMP(at);
}

static void
encode_uuid(PlainBytes *payload, Datum value)
{
	plain_borrow(payload, DatumGetUUIDP(value)->data, UUID_LEN, NULL);
}

static bool
decode_uuid(Datum *value, PlainBytes *payload)
{
	pg_uuid_t  *uuid;

	if (payload->len != UUID_LEN)
		return false;
	uuid = palloc(sizeof(*uuid));
	memcpy(uuid->data, payload->bytes, UUID_LEN);
	*value = UUIDPGetDatum(uuid);
	return true;
}

/* ----------
 * numeric, jsonb
 * ----------
 */

static void
encode_numeric(PlainBytes *payload, Datum value)
{
	bytea	   *sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, value));

	plain_borrow(payload, VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent), sent);
}

static bool
decode_numeric(Datum *value, PlainBytes *payload)
{
	StringInfoData message = {0};

	message.data = (char *) payload->bytes;
	message.len = message.maxlen = payload->len;
	*value = quiet_call(numeric_recv, PointerGetDatum(&message), ObjectIdGetDatum(InvalidOid),
						Int32GetDatum(-1), SEAL_E_CORRUPT, NULL);
	return message.cursor == message.len;
}

/* encode_jsonb: not jsonb_send, which writes the encoding of the client. */
static void
encode_jsonb(PlainBytes *payload, Datum value)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	StringInfoData text;
	PlainBytes	body;

	initStringInfo(&text);
	appendStringInfoChar(&text, JSONB_PAYLOAD_VERSION);
	(void) JsonbToCString(&text, &jsonb->root, VARSIZE(jsonb));
	if (jsonb != (Jsonb *) DatumGetPointer(value))
		plain_release(sealed_type(SEALED_JSONB), JsonbPGetDatum(jsonb));
	plain_borrow(payload, text.data, text.len, text.data);
	if (GetDatabaseEncoding() == PG_UTF8)
		return;

	plain_borrow(&body, text.data + 1, text.len - 1, NULL);
	text_to_payload(&body);
	if (body.owned == NULL)
		return;
	plain_wipe(payload);
	plain_borrow(payload, palloc(body.len + 1), body.len + 1, NULL);
	payload->owned = payload->bytes;
	payload->bytes[0] = JSONB_PAYLOAD_VERSION;
	memcpy(payload->bytes + 1, body.bytes, body.len);
	plain_wipe(&body);
}

static bool
decode_jsonb(Datum *value, PlainBytes *payload)
{
	PlainBytes	text;
	char	   *copy;

	if (payload->len < 2 || payload->bytes[0] != JSONB_PAYLOAD_VERSION)
		return false;
	copy = palloc(payload->len);
	memcpy(copy, payload->bytes + 1, payload->len - 1);
	copy[payload->len - 1] = '\0';
	plain_borrow(&text, copy, payload->len - 1, copy);
	if (!payload_to_text(&text))
		return false;
	*value = quiet_call(jsonb_in, CStringGetDatum((char *) text.bytes), (Datum) 0, (Datum) 0,
						SEAL_E_CORRUPT, NULL);
	plain_wipe(&text);
	return true;
}

/* ----------
 * What core's receive functions leave to the sender
 * ----------
 */

/* recv_bool: exactly 0 or 1. */
static Datum
recv_bool(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	const char *byte = message->data + message->cursor;

	if (message->len - message->cursor != 1 || (*byte & ~1) != 0)
		error_raise(SEAL_E_INPUT_BINARY, sealed_type(SEALED_BOOL)->name);
	message->cursor = message->len;
	PG_RETURN_BOOL(*byte == 1);
}

/* recv_jsonb: version 1 only; core's error for others is an internal one. */
static Datum
recv_jsonb(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);

	if (message->cursor >= message->len || message->data[message->cursor] != JSONB_PAYLOAD_VERSION)
		error_raise(SEAL_E_INPUT_BINARY, sealed_type(SEALED_JSONB)->name);
	return jsonb_recv(fcinfo);
}

/* ----------
 * The table
 * ----------
 */

static const SealedType sealed_types[SEALED_KINDS + 1] = {
	[SEALED_TEXT] = {SEALED_TEXT, "sealed_text", TEXTOID, -1, false, 0,
	NULL, textrecv, encode_text, decode_text, NULL},
	[SEALED_BYTEA] = {SEALED_BYTEA, "sealed_bytea", BYTEAOID, -1, false, 0,
	byteain, bytearecv, encode_bytea, decode_bytea, NULL},
	[SEALED_BOOL] = {SEALED_BOOL, "sealed_bool", BOOLOID, 1, true, 1,
	boolin, recv_bool, encode_bool, decode_bool, NULL},
	[SEALED_INT] = {SEALED_INT, "sealed_int", INT8OID, 8, FLOAT8PASSBYVAL, 8,
	int8in, int8recv, encode_int, decode_int, NULL},
	[SEALED_FLOAT8] = {SEALED_FLOAT8, "sealed_float8", FLOAT8OID, 8, FLOAT8PASSBYVAL, 8,
	float8in, float8recv, encode_float8, decode_float8, canonical_float8},
	[SEALED_NUMERIC] = {SEALED_NUMERIC, "sealed_numeric", NUMERICOID, -1, false, 8,
	numeric_in, numeric_recv, encode_numeric, decode_numeric, canonical_numeric},
	[SEALED_DATE] = {SEALED_DATE, "sealed_date", DATEOID, 4, true, 4,
	date_in, date_recv, encode_date, decode_date, NULL},
	[SEALED_TIMESTAMPTZ] = {SEALED_TIMESTAMPTZ, "sealed_timestamptz", TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, 8,
	timestamptz_in, timestamptz_recv, encode_timestamptz, decode_timestamptz, NULL},
	[SEALED_UUID] = {SEALED_UUID, "sealed_uuid", UUIDOID, UUID_LEN, false, UUID_LEN,
	uuid_in, uuid_recv, encode_uuid, decode_uuid, NULL},
	[SEALED_JSONB] = {SEALED_JSONB, "sealed_jsonb", JSONBOID, -1, false, 2,
	jsonb_in, recv_jsonb, encode_jsonb, decode_jsonb, canonical_jsonb},
};

/* sealed_type: the row of a kind. */
const SealedType *
sealed_type(SealedKind kind)
{
	Assert(kind > SEALED_NONE && kind <= SEALED_KINDS);
	return &sealed_types[kind];
}

/* sealed_type_of_plain: the row whose values a type holds, widened if need be; NULL for other types. */
const SealedType *
sealed_type_of_plain(Oid plain)
{
	SealedKind	kind;

	if (plain == INT2OID || plain == INT4OID)
		plain = INT8OID;
	else if (plain == JSONOID)
		plain = JSONBOID;
	for (kind = SEALED_TEXT; kind <= SEALED_KINDS; kind++)
		if (sealed_types[kind].plain == plain)
			return &sealed_types[kind];
	return NULL;
}
