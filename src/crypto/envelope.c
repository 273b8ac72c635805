/*-------------------------------------------------------------------------
 * envelope.c
 *		Bytes of an envelope: parse, write, text form, wire form, padding.
 *
 * Floor 0.  Looks at form only: an envelope that parses may still have been
 * altered, which aead_open tells.  A token-only envelope has no tag, so an
 * altered one is merely another search term.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "crypto/crypto.h"

#include <string.h>

#include "crypto/bytes.h"

#define FLAGS_KNOWN			(ENVELOPE_HAS_TOKEN | ENVELOPE_HAS_SUBJECT | ENVELOPE_TOKEN_ONLY)
#define KEY_ID_MAX			0x7fffffffU
#define PAD_MARKER			0x80
#define TEXT_VARIANT		sodium_base64_VARIANT_URLSAFE_NO_PADDING

/* Where the fixed part of the head has its fields, and how long they are. */
#define AT_SUITE			0
#define AT_FLAGS			1
#define AT_KEY_VERSION		2
#define AT_KEY_ID			4
#define AT_TYPE				8
#define KEY_VERSION_LEN		(AT_KEY_ID - AT_KEY_VERSION)
#define KEY_ID_LEN			(AT_TYPE - AT_KEY_ID)

_Static_assert(AT_TYPE + 1 == ENVELOPE_HEAD_BYTES, "fixed head");
_Static_assert(sizeof(ENVELOPE_TEXT_PREFIX) - 1 == ENVELOPE_TEXT_PREFIX_LEN, "text prefix");
_Static_assert(sizeof(ENVELOPE_WIRE_MAGIC) - 1 == ENVELOPE_WIRE_MAGIC_LEN, "wire magic");

/* flags_are_sound: only known bits, and token-only means a token and nothing else. */
static bool
flags_are_sound(uint8_t flags)
{
	if ((flags & ~FLAGS_KNOWN) != 0)
		return false;
	if ((flags & ENVELOPE_TOKEN_ONLY) == 0)
		return true;
	return flags == (ENVELOPE_TOKEN_ONLY | ENVELOPE_HAS_TOKEN);
}

/* head_is_sound: the rule that reader and writer share, so that what is written parses. */
static bool
head_is_sound(const Envelope *envelope)
{
	return flags_are_sound(envelope->flags) &&
		envelope->key_id <= KEY_ID_MAX &&
		envelope->type != 0;
}

/* read_head: everything before the nonce; false when it is unsound or cut short. */
static bool
read_head(Envelope *envelope, const unsigned char *bytes, size_t len)
{
	const unsigned char *next;

	if (len < ENVELOPE_HEAD_BYTES || bytes[AT_SUITE] != ENVELOPE_SUITE)
		return false;
	envelope->flags = bytes[AT_FLAGS];
	envelope->key_version = (uint16_t) bytes_get_be(bytes + AT_KEY_VERSION, KEY_VERSION_LEN);
	envelope->key_id = (uint32_t) bytes_get_be(bytes + AT_KEY_ID, KEY_ID_LEN);
	envelope->type = bytes[AT_TYPE];
	if (!head_is_sound(envelope) || len < envelope_head_len(envelope->flags))
		return false;
	next = bytes + ENVELOPE_HEAD_BYTES;
	if (envelope->flags & ENVELOPE_HAS_SUBJECT)
	{
		envelope->subject = bytes_get_be(next, ENVELOPE_SUBJECT_BYTES);
		memcpy(envelope->context, next + ENVELOPE_SUBJECT_BYTES, ENVELOPE_CONTEXT_BYTES);
		next += ENVELOPE_SUBJECT_BYTES + ENVELOPE_CONTEXT_BYTES;
	}
	if (envelope->flags & ENVELOPE_HAS_TOKEN)
		envelope->token = next;
	envelope->bound = bytes;
	envelope->bound_len = envelope_head_len(envelope->flags);
	return true;
}

/* read_body: nonce, ciphertext and tag behind a head already read; false when they do not fit. */
static bool
read_body(Envelope *envelope, const unsigned char *bytes, size_t len)
{
	size_t		body_len = len - envelope->bound_len;

	if (envelope->flags & ENVELOPE_TOKEN_ONLY)
		return body_len == 0;
	if (body_len < NONCE_BYTES + 1 + TAG_BYTES)
		return false;
	envelope->nonce = bytes + envelope->bound_len;
	envelope->ciphertext = envelope->nonce + NONCE_BYTES;
	envelope->ciphertext_len = body_len - NONCE_BYTES - TAG_BYTES;
	envelope->tag = envelope->ciphertext + envelope->ciphertext_len;
	return true;
}

/*
 * envelope_parse
 *		Take an envelope apart.
 *
 *	envelope	out: points into bytes, which must outlive it
 *
 * Returns false, with *envelope all zero, when the suite, a flag, the key id
 * or the type cannot be, or when the length does not fit.
 * Source: doc/storage_format.md, "The envelope".
 */
bool
envelope_parse(Envelope *envelope, const unsigned char *bytes, size_t len)
{
	memset(envelope, 0, sizeof(*envelope));
	if (read_head(envelope, bytes, len) && read_body(envelope, bytes, len))
		return true;
	memset(envelope, 0, sizeof(*envelope));
	return false;
}

/* envelope_head_len: bytes before the nonce, all of a token-only envelope.  Cannot fail. */
size_t
envelope_head_len(uint8_t flags)
{
	size_t		len = ENVELOPE_HEAD_BYTES;

	if (flags & ENVELOPE_HAS_SUBJECT)
		len += ENVELOPE_SUBJECT_BYTES + ENVELOPE_CONTEXT_BYTES;
	if (flags & ENVELOPE_HAS_TOKEN)
		len += TOKEN_BYTES;
	return len;
}

/*
 * envelope_len
 *		Bytes of a whole envelope around padded_len bytes of padded payload.
 *
 * padded_len does not count when token-only.  Cannot fail.
 */
size_t
envelope_len(uint8_t flags, size_t padded_len)
{
	if (flags & ENVELOPE_TOKEN_ONLY)
		return envelope_head_len(flags);
	return envelope_head_len(flags) + NONCE_BYTES + padded_len + TAG_BYTES;
}

/*
 * envelope_write_head
 *		Write everything before the nonce: the associated data.
 *
 *	bytes		out: envelope_head_len(envelope->flags) bytes
 *	envelope	flags, key_version, key_id and type, and as flags say subject
 *				and context, and token; the other fields are not read
 *
 * A head that envelope_parse would refuse ends in sodium_misuse(): stored, the
 * value would be lost.
 */
void
envelope_write_head(unsigned char *bytes, const Envelope *envelope)
{
	unsigned char *next = bytes + ENVELOPE_HEAD_BYTES;

	if (!head_is_sound(envelope))
		sodium_misuse();
	bytes[AT_SUITE] = ENVELOPE_SUITE;
	bytes[AT_FLAGS] = envelope->flags;
	bytes_put_be(bytes + AT_KEY_VERSION, KEY_VERSION_LEN, envelope->key_version);
	bytes_put_be(bytes + AT_KEY_ID, KEY_ID_LEN, envelope->key_id);
	bytes[AT_TYPE] = envelope->type;
	if (envelope->flags & ENVELOPE_HAS_SUBJECT)
	{
		bytes_put_be(next, ENVELOPE_SUBJECT_BYTES, envelope->subject);
		memcpy(next + ENVELOPE_SUBJECT_BYTES, envelope->context, ENVELOPE_CONTEXT_BYTES);
		next += ENVELOPE_SUBJECT_BYTES + ENVELOPE_CONTEXT_BYTES;
	}
	if (envelope->flags & ENVELOPE_HAS_TOKEN)
		memcpy(next, envelope->token, TOKEN_BYTES);
}

/* envelope_text_len: characters of the text form of len bytes, without a final NUL.  Cannot fail. */
size_t
envelope_text_len(size_t len)
{
	return ENVELOPE_TEXT_PREFIX_LEN + sodium_base64_encoded_len(len, TEXT_VARIANT) - 1;
}

/*
 * envelope_to_text
 *		Write the text form and a NUL.
 *
 *	text_size	at least envelope_text_len(len) + 1; less ends in sodium_misuse()
 *
 * Source: RFC 4648 section 5, without padding.
 */
void
envelope_to_text(char *text, size_t text_size, const unsigned char *bytes, size_t len)
{
	if (text_size <= ENVELOPE_TEXT_PREFIX_LEN)
		sodium_misuse();
	memcpy(text, ENVELOPE_TEXT_PREFIX, ENVELOPE_TEXT_PREFIX_LEN);
	bytes_to_base64url(text + ENVELOPE_TEXT_PREFIX_LEN, text_size - ENVELOPE_TEXT_PREFIX_LEN, bytes, len);
}

/*
 * envelope_from_text
 *		Read the text form; text needs no NUL.
 *
 *	bytes		out: bytes_size of them, 3/4 of text_len is always enough
 *	len			out: how many were written; 0 on failure
 *
 * Returns false unless text is the one text form of some bytes that fit: no
 * other character, no padding, no bit set behind the last byte.
 * Source: RFC 4648 sections 3.5 and 5.
 */
bool
envelope_from_text(unsigned char *bytes, size_t bytes_size, size_t *len,
				   const char *text, size_t text_len)
{
	*len = 0;
	if (text_len <= ENVELOPE_TEXT_PREFIX_LEN ||
		memcmp(text, ENVELOPE_TEXT_PREFIX, ENVELOPE_TEXT_PREFIX_LEN) != 0)
		return false;
	return bytes_from_base64(bytes, bytes_size, len, text + ENVELOPE_TEXT_PREFIX_LEN,
							 text_len - ENVELOPE_TEXT_PREFIX_LEN, TEXT_VARIANT);
}

/* bits_apart: the Hamming distance of two strings of len bytes. */
static int
bits_apart(const unsigned char *a, const unsigned char *b, size_t len)
{
	int			bits = 0;
	unsigned int difference;
	size_t		i;

	for (i = 0; i < len; i++)
		for (difference = a[i] ^ b[i]; difference != 0; difference &= difference - 1)
			bits++;
	return bits;
}

/*
 * envelope_wire_form
 *		Tell an envelope on the wire from a plain value.
 *
 * One flipped bit must not turn an envelope into a plain value, so the values
 * one bit away from the magic are malformed, as is the magic cut short.
 * Cannot fail.
 */
WireForm
envelope_wire_form(const unsigned char *bytes, size_t len)
{
	const unsigned char *magic = (const unsigned char *) ENVELOPE_WIRE_MAGIC;

	if (len == 0)
		return WIRE_PLAIN;
	if (len < ENVELOPE_WIRE_MAGIC_LEN)
		return memcmp(bytes, magic, len) == 0 ? WIRE_MALFORMED : WIRE_PLAIN;
	switch (bits_apart(bytes, magic, ENVELOPE_WIRE_MAGIC_LEN))
	{
		case 0:
			return WIRE_ENVELOPE;
		case 1:
			return WIRE_MALFORMED;
		default:
			return WIRE_PLAIN;
	}
}

/*
 * payload_padded_len
 *		Bytes of a payload of len bytes once padded: the next multiple of pad.
 *
 * Always at least one more than len.  A pad of 0, or a length that does not
 * fit, ends in sodium_misuse().
 */
size_t
payload_padded_len(size_t len, size_t pad)
{
	if (pad == 0 || len > SIZE_MAX - pad)
		sodium_misuse();
	return len - len % pad + pad;
}

/*
 * payload_pad
 *		Write the padding behind the len bytes of payload.
 *
 *	payload		in and out: padded_len bytes, which must be more than len;
 *				else sodium_misuse()
 *
 * Source: ISO/IEC 7816-4, as in libsodium's sodium_pad().
 */
void
payload_pad(unsigned char *payload, size_t len, size_t padded_len)
{
	if (padded_len <= len)
		sodium_misuse();
	payload[len] = PAD_MARKER;
	memset(payload + len + 1, 0, padded_len - len - 1);
}

/* keep_nonzero: when value is not zero, keep it and where it was; without a branch. */
static inline void
keep_nonzero(uint64_t *kept, size_t *kept_at, uint64_t value, size_t at)
{
	uint64_t	mask = 0 - ((value | (0 - value)) >> 63);

	*kept = (value & mask) | (*kept & ~mask);
	*kept_at = (at & (size_t) mask) | (*kept_at & ~(size_t) mask);
}

/*
 * payload_unpad
 *		Find the length of a payload without its padding.
 *
 *	len			out: bytes of payload; 0 on failure
 *
 * Returns false when there is no padding marker.  Time and addresses depend on
 * padded_len only.  The pad is not known here, so all bytes are looked at, as
 * whole words: libsodium's sodium_unpad() would do it byte by byte, in a
 * quarter of the time that opening a short value takes.
 * Source: ISO/IEC 7816-4.
 */
bool
payload_unpad(size_t *len, const unsigned char *payload, size_t padded_len)
{
	uint64_t	word = 0;
	uint64_t	last_word = 0;
	uint64_t	last_byte = 0;
	size_t		word_at = 0;
	size_t		byte_at = 0;
	unsigned char bytes[sizeof(word)];
	bool		found;
	size_t		i;

	for (i = 0; padded_len - i >= sizeof(word); i += sizeof(word))
	{
		memcpy(&word, payload + i, sizeof(word));
		keep_nonzero(&last_word, &word_at, word, i);
	}
	word = 0;
	memcpy(&word, payload + i, padded_len - i);
	keep_nonzero(&last_word, &word_at, word, i);

	memcpy(bytes, &last_word, sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++)
		keep_nonzero(&last_byte, &byte_at, bytes[i], i);

	found = last_byte == PAD_MARKER;
	*len = (word_at + byte_at) * found;
	return found;
}
