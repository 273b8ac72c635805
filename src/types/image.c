/*-------------------------------------------------------------------------
 * image.c
 *		Values as the log of writes keeps them: envelopes.
 *
 * Floor 4.  A sealed value is kept as it is stored, without a key.  The plain
 * values of a row are a JSON object of their texts, sealed under key audit.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "utils/lsyscache.h"

/* image_start: begin the JSON text of plain values that image_seal() will seal. */
void
image_start(StringInfo json)
{
	appendStringInfoChar(json, JSONB_PAYLOAD_VERSION);
}

/*
 * image_seal
 *		Seal what was begun by image_start(), JSON in the encoding of the database.
 *
 * All plain values of a row are one envelope: that costs little more than one
 * value, and tells nobody which of them is long or null.
 */
struct varlena *
image_seal(const StringInfoData *json)
{
	PlainBytes	payload;

	plain_borrow(&payload, json->data, json->len, NULL);
	text_to_payload(&payload);
	return value_seal_audit(sealed_type(SEALED_JSONB), &payload);
}

/*
 * image_name
 *		A sealed value that names a row.
 *
 * Two envelopes of one value differ; what names a row must not.  So only the
 * token is kept, in the form that seal.token_literal() prints.
 */
char *
image_name(Datum value)
{
	Envelope	envelope;
	struct varlena *held;

	if (!sealed_envelope(&envelope, &held, value) || envelope.token == NULL)
		return text_from_sealed(held);
	return text_from_sealed(value_of_token(envelope.key_id, envelope.type, envelope.token));
}

/* plain_to_text: as the plain type prints it. */
static char *
plain_to_text(const SealedType *type, Datum plain)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(type->plain, &output, &is_varlena);
	return OidOutputFunctionCall(output, plain);
}

/* key_is_gone: no key that could open it: dropped, or of a ring that is not here. */
static bool
key_is_gone(uint32 key_id)
{
	const RingKey *key = ring_key_by_id(key_id);

	return key == NULL || key->dropped;
}

/*
 * image_show
 *		Open an image for who may open it.
 *
 * NULL, as seal.show(), without the right, and for a key that is gone: the
 * history of a row outlives its keys.  XX001 when it does not open.
 */
char *
image_show(const char *text, size_t len)
{
	unsigned char *bytes = palloc(len + 1);
	size_t		bytes_len;
	Envelope	envelope;
	const SealedType *type;
	struct varlena *sealed;
	Datum		plain;

	if (!envelope_from_text(bytes, len, &bytes_len, text, len) ||
		!envelope_parse(&envelope, bytes, bytes_len) ||
		envelope.type == SEALED_NONE || envelope.type > SEALED_KINDS)
		error_raise(SEAL_E_CORRUPT, NULL);
	if (key_is_gone(envelope.key_id))
		return NULL;
	type = sealed_type(envelope.type);
	sealed = value_keep(type, bytes, bytes_len, -1, SEAL_E_CORRUPT);
	if (!value_open_plain(&plain, type, PointerGetDatum(sealed), gate_show))
		return NULL;
	return plain_to_text(type, plain);
}
