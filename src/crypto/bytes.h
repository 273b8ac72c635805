/*-------------------------------------------------------------------------
 * bytes.h
 *		Base64, for the crypto room only.
 *
 * Floor 0.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_BYTES_H
#define PGSEAL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#define BYTES_NOT_ASCII		0x80

/* bytes_are_ascii: whether no character has its top bit set; looks at them all. */
static inline bool
bytes_are_ascii(const char *text, size_t text_len)
{
	unsigned char seen = 0;
	size_t		i;

	for (i = 0; i < text_len; i++)
		seen |= (unsigned char) text[i];
	return (seen & BYTES_NOT_ASCII) == 0;
}

/*
 * bytes_to_base64url
 *		Encode, without padding, and write a NUL.
 *
 *	text_size	less than what is written ends in sodium_misuse()
 *
 * What is encoded is no secret, so it may look into a table: libsodium's own,
 * which may not, takes six times as long, and that is most of what it costs to
 * print an envelope.
 * Source: RFC 4648 section 5.
 */
static inline void
bytes_to_base64url(char *text, size_t text_size, const unsigned char *bytes, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t	group;

	if (text_size < sodium_base64_encoded_len(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING))
		sodium_misuse();
	for (; len >= 3; len -= 3, bytes += 3)
	{
		group = (uint32_t) bytes[0] << 16 | (uint32_t) bytes[1] << 8 | bytes[2];
		*text++ = alphabet[group >> 18];
		*text++ = alphabet[group >> 12 & 63];
		*text++ = alphabet[group >> 6 & 63];
		*text++ = alphabet[group & 63];
	}
	if (len > 0)
	{
		group = (uint32_t) bytes[0] << 16 | (len == 2 ? (uint32_t) bytes[1] << 8 : 0);
		*text++ = alphabet[group >> 18];
		*text++ = alphabet[group >> 12 & 63];
		if (len == 2)
			*text++ = alphabet[group >> 6 & 63];
	}
	*text = '\0';
}

/*
 * bytes_from_base64
 *		Decode all of text, in the one form that the variant allows.
 *
 *	variant		sodium_base64_VARIANT_...
 *
 * Returns false on any other character, on padding the variant does not want,
 * on bits behind the last byte, and when there is no room.  *len is then 0, but
 * some bytes may have been written.  libsodium 1.0.18 takes every character
 * above 127 for the last one of its alphabet, hence the look at them before.
 * Source: RFC 4648 sections 3.3 and 3.5.
 */
static inline bool
bytes_from_base64(unsigned char *bytes, size_t bytes_size, size_t *len,
				  const char *text, size_t text_len, int variant)
{
	if (bytes_are_ascii(text, text_len) &&
		sodium_base642bin(bytes, bytes_size, text, text_len, NULL, len, NULL, variant) == 0)
		return true;
	*len = 0;
	return false;
}

#endif							/* PGSEAL_BYTES_H */
