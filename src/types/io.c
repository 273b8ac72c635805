/*-------------------------------------------------------------------------
 * io.c
 *		Input, output, type modifiers and length coercion of the sealed types.
 *
 * Floor 4.  One C function serves all ten types.  Output is the envelope,
 * always.  Input takes an envelope, which it keeps unchanged, or a plain
 * value, which it seals at once: under the key of the column when the type
 * modifier is known, else under the key of literals until the length coercion
 * seals it again, row by row.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#define KEY_ID_DIGITS	10		/* of the greatest id, 2147483647 */

PG_FUNCTION_INFO_V1(pgseal_in);
PG_FUNCTION_INFO_V1(pgseal_out);
PG_FUNCTION_INFO_V1(pgseal_recv);
PG_FUNCTION_INFO_V1(pgseal_send);
PG_FUNCTION_INFO_V1(pgseal_typmod_in);
PG_FUNCTION_INFO_V1(pgseal_typmod_out);
PG_FUNCTION_INFO_V1(pgseal_coerce);

/* ----------
 * Text
 * ----------
 */

/* text_is_envelope: text that claims to be one; whether it is, value_keep() tells. */
static bool
text_is_envelope(const char *text, size_t len)
{
	return len >= ENVELOPE_TEXT_PREFIX_LEN &&
		memcmp(text, ENVELOPE_TEXT_PREFIX, ENVELOPE_TEXT_PREFIX_LEN) == 0;
}

/* keep_text: an envelope given as text. */
static struct varlena *
keep_text(const SealedType *type, const char *text, size_t len, int32 typmod, SealError malformed)
{
	unsigned char *bytes = palloc(len);
	size_t		bytes_len;
	struct varlena *sealed;

	if (!envelope_from_text(bytes, len, &bytes_len, text, len))
		error_raise(malformed, type->name);
	sealed = value_keep(type, bytes, bytes_len, typmod, malformed);
	pfree(bytes);
	return sealed;
}

/*
 * value_from_text
 *		A sealed_text from text in the encoding of the database.
 *
 * The one rule for text, whether it comes by input, in binary or by a cast:
 * an envelope stays one, so that no client seals it twice.
 */
struct varlena *
value_from_text(const char *text, size_t len, int32 typmod, SealError malformed)
{
	const SealedType *type = sealed_type(SEALED_TEXT);
	PlainBytes	payload;

	if (text_is_envelope(text, len))
		return keep_text(type, text, len, typmod, malformed);
	plain_borrow(&payload, text, len, NULL);
	text_to_payload(&payload);
	return value_seal(type, &payload, typmod);
}

/* type_argument: the type that a generic input function was called for. */
static const SealedType *
type_argument(Oid type_oid)
{
	const SealedType *type = sealed_type_of_oid(type_oid);

	if (type == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("type with OID %u is not a sealed type", type_oid)));
	return type;
}

/* seal_and_release: seal a datum that we made. */
static struct varlena *
seal_and_release(const SealedType *type, Datum value, int32 typmod)
{
	struct varlena *sealed = value_seal_plain(type, value, typmod);

	plain_release(type, value);
	return sealed;
}

/* seal.sealed_*_in(cstring, oid, integer) returns sealed_* */
Datum
pgseal_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	const SealedType *type = type_argument(PG_GETARG_OID(1));
	int32		typmod = PG_GETARG_INT32(2);
	size_t		len = strlen(text);
	Datum		value;

	if (type->plain_in == NULL)
		PG_RETURN_POINTER(value_from_text(text, len, typmod, SEAL_E_MALFORMED_TEXT));
	if (text_is_envelope(text, len))
		PG_RETURN_POINTER(keep_text(type, text, len, typmod, SEAL_E_MALFORMED_TEXT));
	value = quiet_call(type->plain_in, CStringGetDatum(text), ObjectIdGetDatum(type->plain),
					   Int32GetDatum(-1), SEAL_E_INPUT_TEXT, type->name);
	PG_RETURN_POINTER(seal_and_release(type, value, typmod));
}

/* text_from_sealed: the text form, and the only text a sealed value has by itself. */
char *
text_from_sealed(const struct varlena *sealed)
{
	size_t		len = VARSIZE_ANY_EXHDR(sealed);
	size_t		text_size = envelope_text_len(len) + 1;
	char	   *text = palloc(text_size);

	envelope_to_text(text, text_size, (const unsigned char *) VARDATA_ANY(sealed), len);
	return text;
}

/* seal.sealed_*_out(sealed_*) returns cstring */
Datum
pgseal_out(PG_FUNCTION_ARGS)
{
	struct varlena *sealed = PG_GETARG_VARLENA_PP(0);
	char	   *text = text_from_sealed(sealed);

	PG_FREE_IF_COPY(sealed, 0);
	PG_RETURN_CSTRING(text);
}

/* ----------
 * Binary
 * ----------
 */

/* receive_plain: the binary form of the plain type, all of the message. */
static struct varlena *
receive_plain(const SealedType *type, StringInfo message, int32 typmod)
{
	Datum		value = quiet_call(type->plain_recv, PointerGetDatum(message),
								   ObjectIdGetDatum(type->plain), Int32GetDatum(-1),
								   SEAL_E_INPUT_BINARY, type->name);
	struct varlena *text;
	struct varlena *sealed;

	if (message->cursor != message->len)
		error_raise(SEAL_E_INPUT_BINARY, type->name);
	if (type->kind != SEALED_TEXT)
		return seal_and_release(type, value, typmod);
	text = (struct varlena *) DatumGetPointer(value);
	sealed = value_from_text(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), typmod, SEAL_E_MALFORMED_BINARY);
	plain_release(type, value);
	return sealed;
}

/* seal.sealed_*_recv(internal, oid, integer) returns sealed_* */
Datum
pgseal_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	const SealedType *type = type_argument(PG_GETARG_OID(1));
	int32		typmod = PG_GETARG_INT32(2);
	const unsigned char *bytes = (unsigned char *) message->data + message->cursor;
	size_t		len = message->len - message->cursor;

	switch (envelope_wire_form(bytes, len))
	{
		case WIRE_ENVELOPE:
			message->cursor = message->len;
			PG_RETURN_POINTER(value_keep(type, bytes + ENVELOPE_WIRE_MAGIC_LEN,
										 len - ENVELOPE_WIRE_MAGIC_LEN, typmod,
										 SEAL_E_MALFORMED_BINARY));
		case WIRE_PLAIN:
			PG_RETURN_POINTER(receive_plain(type, message, typmod));
		case WIRE_MALFORMED:
			break;
	}
	error_raise(SEAL_E_MALFORMED_BINARY, type->name);
}

/* seal.sealed_*_send(sealed_*) returns bytea */
Datum
pgseal_send(PG_FUNCTION_ARGS)
{
	struct varlena *sealed = PG_GETARG_VARLENA_PP(0);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendbytes(&message, ENVELOPE_WIRE_MAGIC, ENVELOPE_WIRE_MAGIC_LEN);
	pq_sendbytes(&message, VARDATA_ANY(sealed), VARSIZE_ANY_EXHDR(sealed));
	PG_FREE_IF_COPY(sealed, 0);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* ----------
 * Type modifiers: the key of a column
 * ----------
 */

/* only_modifier: the one modifier given; 22023 when there are more. */
static const char *
only_modifier(ArrayType *modifiers)
{
	Datum	   *values;
	int			count;

	if (ARR_ELEMTYPE(modifiers) != CSTRINGOID || ARR_NDIM(modifiers) != 1 || ARR_HASNULL(modifiers))
		error_raise(SEAL_E_BAD_TYPMOD, "");
	deconstruct_array(modifiers, CSTRINGOID, -2, false, TYPALIGN_CHAR, &values, NULL, &count);
	if (count != 1)
		error_raise(SEAL_E_BAD_TYPMOD, count > 1 ? DatumGetCString(values[1]) : "");
	return DatumGetCString(values[0]);
}

/* is_number: a key id, 1 .. 2147483647. */
static bool
is_number(const char *modifier, uint32 *key_id)
{
	size_t		digits = strspn(modifier, "0123456789");
	unsigned long number;

	if (digits == 0 || digits > KEY_ID_DIGITS || modifier[digits] != '\0')
		return false;
	number = strtoul(modifier, NULL, 10);
	if (number < 1 || number > PG_INT32_MAX)
		return false;
	*key_id = (uint32) number;
	return true;
}

/*
 * seal.sealed_typmod_in(cstring[]) returns integer
 *
 * While check_function_bodies is off, as in a restore, a key that the ring
 * does not know yet is taken: definitions are restored before the ring.
 */
Datum
pgseal_typmod_in(PG_FUNCTION_ARGS)
{
	const char *modifier = only_modifier(PG_GETARG_ARRAYTYPE_P(0));
	uint32		key_id;
	bool		number = is_number(modifier, &key_id);
	const RingKey *key;

	if (!number && !key_name_fits(modifier))
		error_raise(SEAL_E_BAD_TYPMOD, modifier);
	if (!number)
		key_id = key_id_of(modifier);
	if (key_id == gate_literal_id() || key_id == key_id_of(KEY_AUDIT) || key_id == key_id_of(KEY_SUBJECT))
		error_raise(SEAL_E_BAD_TYPMOD, modifier);
	key = number ? ring_key_by_id(key_id) : ring_key_by_name(modifier);
	if (check_function_bodies && (key == NULL || key->dropped))
		error_raise(SEAL_E_UNKNOWN_KEY, modifier);
	PG_RETURN_INT32((int32) key_id);
}

/* seal.sealed_typmod_out(integer) returns cstring */
Datum
pgseal_typmod_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(psprintf("(%s)", value_key_name((uint32) PG_GETARG_INT32(0))));
}

/* reseal: an unbound literal under the key of a column, with a nonce of its own each time. */
static struct varlena *
reseal(const SealedType *type, const Envelope *envelope, int32 typmod)
{
	PlainBytes	payload;

	value_open(&payload, envelope, value_literal_key(envelope));
	return value_seal(type, &payload, typmod);
}

/* own_type: the sealed type that the called function gives, kept at the call site. */
static const SealedType *
own_type(FmgrInfo *flinfo)
{
	if (flinfo->fn_extra == NULL)
		flinfo->fn_extra = (void *) type_argument(get_func_rettype(flinfo->fn_oid));
	return flinfo->fn_extra;
}

/* seal.sealed_*(sealed_*, integer, boolean) returns sealed_*: length coercion */
Datum
pgseal_coerce(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	int32		typmod = PG_GETARG_INT32(1);
	const SealedType *type = own_type(fcinfo->flinfo);
	Envelope	envelope;
	struct varlena *held;

	if (typmod < 0)
		PG_RETURN_DATUM(value);
	value_read(&envelope, &held, type, value);
	if (envelope.key_id == gate_literal_id())
		PG_RETURN_POINTER(reseal(type, &envelope, typmod));
	value_check_key(type, &envelope, typmod);
	PG_RETURN_DATUM(value);
}
