/*-------------------------------------------------------------------------
 * image.c
 *		Values as the log of writes keeps them: text forms of envelopes.
 *
 * Floor 4.  A sealed value is kept as it is stored, without a key.  The text of
 * a plain value is sealed under key audit.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "utils/lsyscache.h"

/* image_seal: the text of a plain value in the encoding of the database, sealed. */
char *
image_seal(const char *text)
{
	PlainBytes	payload;
	struct varlena *sealed;
	char	   *image;

	plain_borrow(&payload, text, strlen(text), NULL);
	text_to_payload(&payload);
	sealed = value_seal_audit(sealed_type(SEALED_TEXT), &payload);
	image = text_from_sealed(sealed);
	pfree(sealed);
	return image;
}

/* image_keep: the envelope that is stored. */
char *
image_keep(Datum value)
{
	return text_from_sealed(PG_DETOAST_DATUM_PACKED(value));
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
