/*-------------------------------------------------------------------------
 * value.c
 *		Sealed values: sealing, keeping, opening, tokens.
 *
 * Floor 4.  Keys come from the gate and are lent until its next call, so what
 * may read a catalog (decoding, conversion between encodings) is done before
 * a key is asked for or after it was used.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "utils/builtins.h"

/* ----------
 * Sealing
 * ----------
 */

/* sealing_key: of the subject, of the column, or of unbound literals when there is no column. */
static SealKey *
sealing_key(int32 typmod, const Cell *cell)
{
	if (cell != NULL)
		return gate_seal_subject((uint32) typmod, cell->subject);
	return typmod < 0 ? gate_literal_seal() : gate_seal((uint32) typmod);
}

/* new_sealed: a varlena for an envelope of len bytes. */
static struct varlena *
new_sealed(size_t len)
{
	struct varlena *sealed = palloc(VARHDRSZ + len);

	SET_VARSIZE(sealed, VARHDRSZ + len);
	return sealed;
}

/* encrypt: the envelope under a lent key; pads and encrypts where it will be stored. */
static struct varlena *
encrypt(Envelope *head, const PlainBytes *payload, int pad, SealKey *key)
{
	size_t		padded_len = payload_padded_len(payload->len, pad);
	size_t		head_len = envelope_head_len(head->flags);
	struct varlena *sealed = new_sealed(envelope_len(head->flags, padded_len));
	unsigned char *bytes = (unsigned char *) VARDATA(sealed);
	unsigned char *nonce = bytes + head_len;
	unsigned char *ciphertext = nonce + NONCE_BYTES;
	const AeadSubkey *subkey = sealkey_next_nonce(nonce, key);

	envelope_write_head(bytes, head);
	memcpy(ciphertext, payload->bytes, payload->len);
	payload_pad(ciphertext, payload->len, padded_len);
	aead_seal(ciphertext, ciphertext + padded_len, ciphertext, padded_len,
			  bytes, head_len, nonce, subkey);
	return sealed;
}

/* seal_with: token, head and ciphertext; token_of is what the token is made of, cell NULL for a value of no subject. */
static struct varlena *
seal_with(SealKey *key, const SealedType *type, const PlainBytes *payload, const PlainBytes *token_of,
		  const Cell *cell)
{
	const RingKey *ring = sealkey_ring(key);
	const HmacKey *hmac = sealkey_token(key);
	unsigned char token[TOKEN_BYTES];
	Envelope	head = {0};

	head.key_id = ring->id;
	head.key_version = sealkey_version(key);
	head.type = type->kind;
	if (hmac != NULL)
	{
		token_make(token, type->kind, token_of->bytes, token_of->len, hmac);
		head.flags |= ENVELOPE_HAS_TOKEN;
		head.token = token;
	}
	if (cell != NULL)
	{
		head.flags |= ENVELOPE_HAS_SUBJECT;
		head.subject = cell->subject;
		sealkey_context(head.context, key, cell->place, cell->place_len);
	}
	return encrypt(&head, payload, ring->pad, key);
}

/* seal_for: for a column and, when it is not NULL, for a cell of it; wipes the payload. */
static struct varlena *
seal_for(const SealedType *type, PlainBytes *payload, int32 typmod, const Cell *cell)
{
	SealKey    *key;
	PlainBytes	canonical;
	struct varlena *sealed;

	if (payload->len > PAYLOAD_MAX_BYTES)
		error_raise(SEAL_E_TOO_LONG, type->name);
	key = sealing_key(typmod, cell);
	if (type->canonical != NULL && sealkey_token(key) != NULL)
	{
		type->canonical(&canonical, payload);
		key = sealing_key(typmod, cell);
		sealed = seal_with(key, type, payload, &canonical, cell);
		plain_wipe(&canonical);
	}
	else
		sealed = seal_with(key, type, payload, payload, cell);
	plain_wipe(payload);
	return sealed;
}

/*
 * value_seal
 *		Seal a payload for a column; wipes the payload.
 *
 *	typmod		key id of the column, or -1: under the key of literals
 *
 * 54000 when it is too long, and what gate_seal() raises.
 */
struct varlena *
value_seal(const SealedType *type, PlainBytes *payload, int32 typmod)
{
	return seal_for(type, payload, typmod, NULL);
}

/* value_seal_plain: the same for a datum of the plain type, which stays the caller's. */
struct varlena *
value_seal_plain(const SealedType *type, Datum value, int32 typmod)
{
	PlainBytes	payload;

	type->encode(&payload, value);
	return value_seal(type, &payload, typmod);
}

/* value_seal_audit: the same under key audit, whoever writes; no right is asked. */
struct varlena *
value_seal_audit(const SealedType *type, PlainBytes *payload)
{
	struct varlena *sealed;

	if (payload->len > PAYLOAD_MAX_BYTES)
		error_raise(SEAL_E_TOO_LONG, type->name);
	sealed = seal_with(gate_audit_seal(), type, payload, payload, NULL);
	plain_wipe(payload);
	return sealed;
}

/* value_of_token: an envelope that holds nothing but a token. */
struct varlena *
value_of_token(uint32 key_id, SealedKind kind, const unsigned char token[TOKEN_BYTES])
{
	Envelope	head = {0};
	struct varlena *sealed;

	head.flags = ENVELOPE_HAS_TOKEN | ENVELOPE_TOKEN_ONLY;
	head.key_id = key_id;
	head.type = kind;
	head.token = token;
	sealed = new_sealed(envelope_len(head.flags, 0));
	envelope_write_head((unsigned char *) VARDATA(sealed), &head);
	return sealed;
}

/*
 * value_token
 *		A token-only envelope: what a sealed value is compared with.
 *
 *	type_byte	type->kind; with TOKEN_NEVER set for what equals no value
 *
 * Wipes the payload.  42501, 55000, 0A000 as gate_search().
 */
struct varlena *
value_token(const SealedType *type, uint8_t type_byte, PlainBytes *payload, uint32 key_id)
{
	PlainBytes	canonical;
	PlainBytes *token_of = payload;
	unsigned char token[TOKEN_BYTES];

	if (type->canonical != NULL && type_byte == type->kind)
	{
		type->canonical(&canonical, payload);
		token_of = &canonical;
	}
	token_make(token, type_byte, token_of->bytes, token_of->len,
			   sealkey_token(gate_search(key_id)));
	if (token_of != payload)
		plain_wipe(&canonical);
	plain_wipe(payload);

	return value_of_token(key_id, type->kind, token);
}

/* ----------
 * Envelopes that come in sealed
 * ----------
 */

/* value_key_name: name of a key, or its number when the ring does not know it. */
char *
value_key_name(uint32 key_id)
{
	const RingKey *key = ring_key_by_id(key_id);

	return key != NULL ? pstrdup(NameStr(key->name)) : psprintf("%u", key_id);
}

/* value_check_key: may this envelope stand in a column of that key?  22023 if not. */
void
value_check_key(const SealedType *type, const Envelope *envelope, int32 typmod)
{
	if (envelope->type != type->kind)
		error_raise(SEAL_E_OTHER_TYPE, type->name);
	if (typmod < 0)
		return;
	if (envelope->key_id != (uint32) typmod)
		error_raise(SEAL_E_OTHER_KEY, value_key_name((uint32) typmod));
	if (envelope->flags & ENVELOPE_TOKEN_ONLY)
		error_raise(SEAL_E_TOKEN_STORED, value_key_name((uint32) typmod));
}

/*
 * value_keep
 *		An envelope given as input, unchanged.
 *
 *	malformed	what to raise when it is none: 22P02 or 22P03
 *
 * Needs no right and no root: restore and logical apply run without.  A length
 * that no value of the type has is refused here; everything else that is wrong
 * with it shows when it is opened.
 */
struct varlena *
value_keep(const SealedType *type, const unsigned char *bytes, size_t len,
		   int32 typmod, SealError malformed)
{
	Envelope	envelope;
	struct varlena *sealed;

	if (!envelope_parse(&envelope, bytes, len))
		error_raise(malformed, type->name);
	value_check_key(type, &envelope, typmod);
	if ((envelope.flags & ENVELOPE_TOKEN_ONLY) == 0 &&
		envelope.ciphertext_len < payload_padded_len(type->payload_min, 1))
		error_raise(malformed, type->name);
	sealed = new_sealed(len);
	memcpy(VARDATA(sealed), bytes, len);
	return sealed;
}

/*
 * sealed_envelope
 *		Take a sealed datum apart.
 *
 *	held		out: the detoasted copy, or the datum; envelope points into it
 *
 * Returns false when it is no envelope.
 */
bool
sealed_envelope(Envelope *envelope, struct varlena **held, Datum value)
{
	*held = PG_DETOAST_DATUM_PACKED(value);
	return envelope_parse(envelope, (unsigned char *) VARDATA_ANY(*held), VARSIZE_ANY_EXHDR(*held));
}

/* value_read: the same; XX001 when it is no envelope, 22023 when it is one of another type. */
void
value_read(Envelope *envelope, struct varlena **held, const SealedType *type, Datum value)
{
	if (!sealed_envelope(envelope, held, value))
		error_raise(SEAL_E_CORRUPT, NULL);
	if (envelope->type != type->kind)
		error_raise(SEAL_E_OTHER_TYPE, type->name);
}

/* ----------
 * Opening
 * ----------
 */

/* room_for: bytes to open into; long ones with room for a varlena header in front. */
static unsigned char *
room_for(PlainBytes *payload, size_t len)
{
	struct varlena *chunk;

	if (len <= PLAIN_SMALL_BYTES)
		return plain_small(payload, len);
	chunk = palloc(VARHDRSZ + len);
	plain_borrow(payload, VARDATA(chunk), len, chunk);
	return payload->bytes;
}

/* open_payload: decrypt into payload, which the caller wipes; false when it does not open. */
static bool
open_payload(PlainBytes *payload, const Envelope *envelope, SealKey *key)
{
	unsigned char *padded = room_for(payload, envelope->ciphertext_len);
	const AeadSubkey *subkey = sealkey_subkey(envelope->nonce, key);

	return aead_open(padded, envelope->ciphertext, envelope->ciphertext_len, envelope->tag,
					 envelope->bound, envelope->bound_len, envelope->nonce, subkey) &&
		payload_unpad(&payload->len, padded, envelope->ciphertext_len);
}

/*
 * value_open
 *		Decrypt into payload, which the caller wipes.
 *
 * XX001 for a token-only envelope, and for anything that does not open.
 */
void
value_open(PlainBytes *payload, const Envelope *envelope, SealKey *key)
{
	if ((envelope->flags & ENVELOPE_TOKEN_ONLY) || !open_payload(payload, envelope, key))
		error_raise(SEAL_E_CORRUPT, NULL);
}

/* value_literal_key: the key that opens an envelope of an unbound literal. */
SealKey *
value_literal_key(const Envelope *envelope)
{
	return gate_literal_open(envelope->key_version);
}

/* decode_plain: the datum of a payload, which is wiped. */
static Datum
decode_plain(const SealedType *type, PlainBytes *payload)
{
	Datum		plain;

	if (!type->decode(&plain, payload))
		error_raise(SEAL_E_CORRUPT, NULL);
	plain_wipe(payload);
	return plain;
}

/*
 * value_open_plain
 *		Open a sealed datum into one of the plain type, wherever it stands.
 *
 *	gate		gate_open, or gate_show: then false is returned without the right
 */
bool
value_open_plain(Datum *plain, const SealedType *type, Datum value, OpeningGate gate)
{
	Envelope	envelope;
	struct varlena *held;
	PlainBytes	payload;
	SealKey    *key;

	value_read(&envelope, &held, type, value);
	if (envelope.flags & ENVELOPE_TOKEN_ONLY)
		error_raise(SEAL_E_CORRUPT, NULL);
	key = gate(envelope.key_id, envelope.key_version, envelope.subject);
	if (key == NULL)
		return false;
	value_open(&payload, &envelope, key);
	*plain = decode_plain(type, &payload);
	if (held != (struct varlena *) DatumGetPointer(value))
		pfree(held);
	return true;
}

/* ----------
 * Cells of protected tables
 * ----------
 */

/* is_at: is the context that of the place?  The key is a subject's or the version's own. */
static bool
is_at(const Envelope *envelope, SealKey *key, const char *place, size_t place_len)
{
	unsigned char context[ENVELOPE_CONTEXT_BYTES];

	sealkey_context(context, key, place, place_len);
	return sodium_memcmp(context, envelope->context, ENVELOPE_CONTEXT_BYTES) == 0;
}

/*
 * value_fits
 *		Does the head of an envelope name this subject and this place?
 *
 * False, too, for a key version that the ring does not have.  Opens nothing:
 * whether the head is what was sealed, only opening tells.
 */
bool
value_fits(const Envelope *envelope, uint64 subject, const char *place, size_t place_len)
{
	SealKey    *key;

	return (envelope->flags & ENVELOPE_HAS_SUBJECT) != 0 && envelope->subject == subject &&
		secrets_lend(&key, envelope->key_id, envelope->key_version) == SEAL_OK &&
		is_at(envelope, key, place, place_len);
}

/* resealing_key: that opens an envelope which is sealed again at once. */
static SealKey *
resealing_key(const Envelope *envelope)
{
	return gate_reseal_open(envelope->key_id, envelope->key_version, envelope->subject,
							nonce_is_new(envelope->nonce));
}

/*
 * value_move
 *		Open an envelope and seal what it holds for a subject and a place.
 *
 *	typmod		key id of the column, which is the envelope's
 *	subject		0: for no subject any more; then there is no place
 *
 * No plaintext comes out.  Needs the right to seal and no other; XX001 when it
 * does not open, and what the gate raises.
 */
struct varlena *
value_move(const Envelope *envelope, int32 typmod, uint64 subject, const char *place, size_t place_len)
{
	const SealedType *type = sealed_type(envelope->type);
	Cell		cell = {subject, place, place_len};
	PlainBytes	payload;

	value_check_key(type, envelope, typmod);
	value_open(&payload, envelope, resealing_key(envelope));
	return seal_for(type, &payload, typmod, subject != 0 ? &cell : NULL);
}

/* value_opens: is the envelope what was sealed?  As value_move(), but nothing is made of it. */
bool
value_opens(const Envelope *envelope)
{
	PlainBytes	payload;
	bool		opened = open_payload(&payload, envelope, resealing_key(envelope));

	plain_wipe(&payload);
	return opened;
}

/* names_subject: is the argument the external id of the envelope's subject, of the type that the table is about? */
static bool
names_subject(const Envelope *envelope, const OpenedCell *cell)
{
	const Subject *subject;

	return subject_find(&subject, envelope->subject) == SEAL_OK &&
		strcmp(NameStr(subject->type), NameStr(cell->column.subject_type)) == 0 &&
		strlen(subject->external) == cell->subject_len &&
		memcmp(subject->external, cell->subject, cell->subject_len) == 0;
}

/*
 * value_open_at
 *		The same, where the caller says whose value it is and where it stands.
 *
 * XX001, the one message, for a value of another subject, row or column.  A
 * value of no subject opens until all rows of the table are protected.  The
 * right is asked first: who has none learns nothing of where a value belongs.
 */
bool
value_open_at(Datum *plain, const SealedType *type, Datum value, const OpenedCell *cell, OpeningGate gate)
{
	Envelope	envelope;
	struct varlena *held;
	PlainBytes	payload;
	SealKey    *key;
	bool		belongs;

	value_read(&envelope, &held, type, value);
	if (envelope.flags & ENVELOPE_TOKEN_ONLY)
		error_raise(SEAL_E_CORRUPT, NULL);
	if (envelope.flags & ENVELOPE_HAS_SUBJECT)
		belongs = cell->column.state != COLUMN_UNPROTECTED && names_subject(&envelope, cell);
	else
		belongs = cell->column.state == COLUMN_INCOMPLETE;
	key = gate(envelope.key_id, envelope.key_version, envelope.subject);
	if (key == NULL)
		return false;
	if (!belongs ||
		((envelope.flags & ENVELOPE_HAS_SUBJECT) && !is_at(&envelope, key, cell->place, cell->place_len)))
		error_raise(SEAL_E_CORRUPT, NULL);
	value_open(&payload, &envelope, key);
	*plain = decode_plain(type, &payload);
	if (held != (struct varlena *) DatumGetPointer(value))
		pfree(held);
	return true;
}
