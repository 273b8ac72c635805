/*-------------------------------------------------------------------------
 * chachapoly.c
 *		ChaCha20-Poly1305 of RFC 8439; short values with one call of each.
 *
 * Floor 0.  libsodium's own function calls ChaCha20 twice, for the key of
 * Poly1305 and for the text, each time for one block.  Its vector code makes
 * four blocks in less time than two such calls take (measured: 201 ns and 298),
 * so a short value costs a quarter less when key and text take their part of
 * one stream:
 *
 *		block 0, first half		key of Poly1305
 *		block 1 and on			what the text is combined with
 *
 * Long values, and processors on which blocks are made one by one, go to
 * libsodium's function.  The unit tests compare every short length with it.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "crypto/chachapoly.h"

#include <string.h>

#define BLOCK_BYTES			64	/* of ChaCha20 */
#define HALF_STREAM_BYTES	256 /* what vector code makes at once: four blocks, or eight */
#define STREAM_BYTES		512
#define SHORT_BYTES			(STREAM_BYTES - BLOCK_BYTES)
#define SHORT_BOUND_BYTES	64
#define MAC_UNIT_BYTES		16
#define LENGTH_BYTES		8
#define MAC_INPUT_BYTES		(SHORT_BOUND_BYTES + SHORT_BYTES + 2 * LENGTH_BYTES)

_Static_assert(SECRET_BYTES == crypto_stream_chacha20_ietf_KEYBYTES, "key");
_Static_assert(SECRET_BYTES == crypto_onetimeauth_poly1305_KEYBYTES, "one-time key");
_Static_assert(SECRET_BYTES <= BLOCK_BYTES, "one-time key in block 0");
_Static_assert(CHACHAPOLY_NONCE_BYTES == crypto_stream_chacha20_ietf_NONCEBYTES, "nonce");
_Static_assert(TAG_BYTES == crypto_onetimeauth_poly1305_BYTES, "tag");
_Static_assert(TAG_BYTES == crypto_verify_16_BYTES, "comparison");
_Static_assert(SHORT_BYTES % MAC_UNIT_BYTES == 0, "text");
_Static_assert(SHORT_BOUND_BYTES % MAC_UNIT_BYTES == 0, "associated data");

/* is_short: whether one stream will do, and be worth it. */
static bool
is_short(size_t len, size_t bound_len)
{
	return len <= SHORT_BYTES && bound_len <= SHORT_BOUND_BYTES && sodium_runtime_has_ssse3();
}

/* make_stream: key of Poly1305 and what the text is combined with; a secret. */
static void
make_stream(unsigned char stream[STREAM_BYTES], size_t len,
			const unsigned char nonce[CHACHAPOLY_NONCE_BYTES],
			const unsigned char key[SECRET_BYTES])
{
	size_t		wanted = BLOCK_BYTES + len <= HALF_STREAM_BYTES ? HALF_STREAM_BYTES : STREAM_BYTES;

	crypto_stream_chacha20_ietf(stream, wanted, nonce, key);
}

/* combine: out is in, encrypted or decrypted; may be in itself. */
static void
combine(unsigned char *out, const unsigned char *in, size_t len,
		const unsigned char stream[STREAM_BYTES])
{
	size_t		done = 0;
	uint64_t	word,
				mask;

	stream += BLOCK_BYTES;
	for (; len - done >= sizeof(word); done += sizeof(word))
	{
		memcpy(&word, in + done, sizeof(word));
		memcpy(&mask, stream + done, sizeof(mask));
		word ^= mask;
		memcpy(out + done, &word, sizeof(word));
	}
	for (; done < len; done++)
		out[done] = in[done] ^ stream[done];
}

/* mac_append: bytes, and zeros up to a full unit of Poly1305; returns the end. */
static unsigned char *
mac_append(unsigned char *end, const unsigned char *bytes, size_t len)
{
	size_t		zeros = -len % MAC_UNIT_BYTES;

	if (len > 0)
		memcpy(end, bytes, len);
	memset(end + len, 0, zeros);
	return end + len + zeros;
}

/* mac_append_length: eight bytes, the lowest first; returns the end. */
static unsigned char *
mac_append_length(unsigned char *end, size_t len)
{
	int			i;

	for (i = 0; i < LENGTH_BYTES; i++, len >>= 8)
		*end++ = (unsigned char) len;
	return end;
}

/*
 * make_tag
 *		Over the associated data and the ciphertext, neither of them a secret.
 *
 * Source: RFC 8439 section 2.8.1.
 */
static void
make_tag(unsigned char tag[TAG_BYTES],
		 const unsigned char *ciphertext, size_t len,
		 const unsigned char *bound, size_t bound_len,
		 const unsigned char stream[STREAM_BYTES])
{
	unsigned char input[MAC_INPUT_BYTES];
	unsigned char *end = input;

	end = mac_append(end, bound, bound_len);
	end = mac_append(end, ciphertext, len);
	end = mac_append_length(end, bound_len);
	end = mac_append_length(end, len);
	crypto_onetimeauth_poly1305(tag, input, (size_t) (end - input), stream);
}

/*
 * chachapoly_seal
 *		Encrypt len bytes; ciphertext may be padded itself.  Cannot fail.
 *
 * Source: RFC 8439 section 2.8.
 */
void
chachapoly_seal(unsigned char *ciphertext, unsigned char tag[TAG_BYTES],
				const unsigned char *padded, size_t len,
				const unsigned char *bound, size_t bound_len,
				const unsigned char nonce[CHACHAPOLY_NONCE_BYTES],
				const unsigned char key[SECRET_BYTES])
{
	unsigned char stream[STREAM_BYTES];

	if (!is_short(len, bound_len))
	{
		crypto_aead_chacha20poly1305_ietf_encrypt_detached(ciphertext, tag, NULL, padded, len,
														   bound, bound_len, NULL, nonce, key);
		return;
	}
	make_stream(stream, len, nonce, key);
	combine(ciphertext, padded, len, stream);
	make_tag(tag, ciphertext, len, bound, bound_len, stream);
	sodium_memzero(stream, sizeof(stream));
}

/*
 * chachapoly_open
 *		Check the tag and decrypt; padded may be ciphertext itself.
 *
 * Returns false when anything was altered; padded may then hold anything but
 * plaintext.
 * Source: RFC 8439 section 2.8.
 */
bool
chachapoly_open(unsigned char *padded,
				const unsigned char *ciphertext, size_t len,
				const unsigned char tag[TAG_BYTES],
				const unsigned char *bound, size_t bound_len,
				const unsigned char nonce[CHACHAPOLY_NONCE_BYTES],
				const unsigned char key[SECRET_BYTES])
{
	unsigned char stream[STREAM_BYTES];
	unsigned char wanted[TAG_BYTES];
	bool		authentic;

	if (!is_short(len, bound_len))
		return crypto_aead_chacha20poly1305_ietf_decrypt_detached(padded, NULL, ciphertext, len,
																  tag, bound, bound_len,
																  nonce, key) == 0;
	make_stream(stream, len, nonce, key);
	make_tag(wanted, ciphertext, len, bound, bound_len, stream);
	authentic = crypto_verify_16(wanted, tag) == 0;
	if (authentic)
		combine(padded, ciphertext, len, stream);
	sodium_memzero(stream, sizeof(stream));
	sodium_memzero(wanted, sizeof(wanted));
	return authentic;
}
