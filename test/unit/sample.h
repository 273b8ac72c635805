/*-------------------------------------------------------------------------
 * sample.h
 *		Seal and open whole envelopes as the rooms above do.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_SAMPLE_H
#define PGSEAL_SAMPLE_H

#include "unit.h"

#define SAMPLE_FLAGS_COUNT	5

/* Every combination of flags that an envelope may have. */
static const uint8_t sample_flags[SAMPLE_FLAGS_COUNT] = {
	0,
	ENVELOPE_HAS_TOKEN,
	ENVELOPE_HAS_SUBJECT,
	ENVELOPE_HAS_TOKEN | ENVELOPE_HAS_SUBJECT,
	ENVELOPE_HAS_TOKEN | ENVELOPE_TOKEN_ONLY
};

/*
 * sample_seal
 *		A new guarded envelope with this head around payload.
 *
 *	head		flags, key_version, key_id, type, subject, context and token
 *	nonce		NONCE_BYTES
 */
static inline unsigned char *
sample_seal(size_t *len, const Envelope *head,
			const unsigned char *payload, size_t payload_len, size_t pad,
			const unsigned char *nonce, const unsigned char *key)
{
	size_t		head_len = envelope_head_len(head->flags);
	size_t		padded_len = payload_padded_len(payload_len, pad);
	unsigned char *bytes;
	unsigned char *padded;
	AeadSubkey	subkey;

	*len = envelope_len(head->flags, padded_len);
	bytes = unit_bytes(*len);
	envelope_write_head(bytes, head);
	if (head->flags & ENVELOPE_TOKEN_ONLY)
		return bytes;
	memcpy(bytes + head_len, nonce, NONCE_BYTES);
	padded = bytes + head_len + NONCE_BYTES;
	if (payload_len > 0)
		memcpy(padded, payload, payload_len);
	payload_pad(padded, payload_len, padded_len);
	aead_subkey(&subkey, nonce, key);
	aead_seal(padded, padded + padded_len, padded, padded_len, bytes, head_len, nonce, &subkey);
	return bytes;
}

/*
 * sample_open
 *		Parse an envelope and open it.
 *
 *	payload		out: at least len bytes
 *
 * Returns false when it does not parse, has nothing to open, does not open or
 * is not padded.
 */
static inline bool
sample_open(unsigned char *payload, size_t *payload_len,
			const unsigned char *bytes, size_t len, const unsigned char *key)
{
	Envelope	envelope;
	AeadSubkey	subkey;

	if (!envelope_parse(&envelope, bytes, len) || envelope.nonce == NULL)
		return false;
	aead_subkey(&subkey, envelope.nonce, key);
	return aead_open(payload, envelope.ciphertext, envelope.ciphertext_len, envelope.tag,
					 envelope.bound, envelope.bound_len, envelope.nonce, &subkey) &&
		payload_unpad(payload_len, payload, envelope.ciphertext_len);
}

#endif							/* PGSEAL_SAMPLE_H */
