/*-------------------------------------------------------------------------
 * aead.c
 *		Seal and open bytes with XChaCha20-Poly1305; wrap secrets with it.
 *
 * Floor 0.  XChaCha20-Poly1305 is HChaCha20 over key and nonce prefix, then
 * ChaCha20-Poly1305 with the rest of the nonce.  The first step depends on the
 * prefix only, so it is done once per prefix.  Whoever chooses nonces must
 * never use one twice with one key: nothing here can notice.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "crypto/chachapoly.h"

#include <string.h>

#define COUNTER_BYTES		(NONCE_BYTES - NONCE_PREFIX_BYTES)

_Static_assert(SECRET_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
_Static_assert(SECRET_BYTES == crypto_core_hchacha20_KEYBYTES, "HChaCha20 key");
_Static_assert(SECRET_BYTES == crypto_core_hchacha20_OUTPUTBYTES, "HChaCha20 output");
_Static_assert(SECRET_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "subkey");
_Static_assert(NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(NONCE_PREFIX_BYTES == crypto_core_hchacha20_INPUTBYTES, "prefix");
_Static_assert(COUNTER_BYTES < CHACHAPOLY_NONCE_BYTES, "counter");
_Static_assert(TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(TAG_BYTES == crypto_aead_chacha20poly1305_ietf_ABYTES, "subkey's tag");

/*
 * aead_subkey
 *		Derive what all nonces with this prefix share.  Cannot fail.
 *
 *	subkey		out: a secret; the caller wipes it
 *
 * Source: draft-irtf-cfrg-xchacha-03 section 2.2.
 */
void
aead_subkey(AeadSubkey *subkey, const unsigned char prefix[NONCE_PREFIX_BYTES],
			const unsigned char key[SECRET_BYTES])
{
	memcpy(subkey->prefix, prefix, NONCE_PREFIX_BYTES);
	crypto_core_hchacha20(subkey->bytes, prefix, key, NULL);
}

/* nonce_fits: whether this subkey belongs to the nonce's prefix.  Both are public. */
static bool
nonce_fits(const unsigned char nonce[NONCE_BYTES], const AeadSubkey *subkey)
{
	return memcmp(nonce, subkey->prefix, NONCE_PREFIX_BYTES) == 0;
}

/* shorten_nonce: the counter behind zeros, as RFC 8439 section 2.8 wants its 12 bytes. */
static void
shorten_nonce(unsigned char short_nonce[CHACHAPOLY_NONCE_BYTES], const unsigned char nonce[NONCE_BYTES])
{
	memset(short_nonce, 0, CHACHAPOLY_NONCE_BYTES - COUNTER_BYTES);
	memcpy(short_nonce + CHACHAPOLY_NONCE_BYTES - COUNTER_BYTES,
		   nonce + NONCE_PREFIX_BYTES, COUNTER_BYTES);
}

/*
 * aead_seal
 *		Encrypt len bytes and compute the tag over them and over bound.
 *
 *	ciphertext	out: len bytes; may be padded itself
 *	nonce		never used before with the key behind subkey
 *
 * A subkey of another prefix ends in sodium_misuse(): the value could never
 * be opened again.
 * Source: draft-irtf-cfrg-xchacha-03 section 2; RFC 8439 section 2.8.
 */
void
aead_seal(unsigned char *ciphertext, unsigned char tag[TAG_BYTES],
		  const unsigned char *padded, size_t len,
		  const unsigned char *bound, size_t bound_len,
		  const unsigned char nonce[NONCE_BYTES], const AeadSubkey *subkey)
{
	unsigned char short_nonce[CHACHAPOLY_NONCE_BYTES];

	if (!nonce_fits(nonce, subkey))
		sodium_misuse();
	shorten_nonce(short_nonce, nonce);
	chachapoly_seal(ciphertext, tag, padded, len, bound, bound_len, short_nonce, subkey->bytes);
}

/*
 * aead_open
 *		Check the tag and decrypt len bytes.
 *
 *	padded		out: len bytes; may be ciphertext itself
 *
 * Returns false, with padded all zero, when anything was altered, or when key,
 * bound or nonce is another.  The cases are not told apart: that would be an
 * oracle.
 * Source: draft-irtf-cfrg-xchacha-03 section 2; RFC 8439 section 2.8.
 */
bool
aead_open(unsigned char *padded,
		  const unsigned char *ciphertext, size_t len,
		  const unsigned char tag[TAG_BYTES],
		  const unsigned char *bound, size_t bound_len,
		  const unsigned char nonce[NONCE_BYTES], const AeadSubkey *subkey)
{
	unsigned char short_nonce[CHACHAPOLY_NONCE_BYTES];

	shorten_nonce(short_nonce, nonce);
	if (nonce_fits(nonce, subkey) &&
		chachapoly_open(padded, ciphertext, len, tag, bound, bound_len, short_nonce, subkey->bytes))
		return true;
	sodium_memzero(padded, len);
	return false;
}

/*
 * secret_wrap
 *		Encrypt one secret under another, with a random nonce.  Cannot fail.
 *
 *	wrapped		out: nonce, ciphertext, tag
 *	bound		bound_len bytes the tag covers and that are not stored here
 *
 * Source: draft-irtf-cfrg-xchacha-03 section 2.
 */
void
secret_wrap(unsigned char wrapped[WRAPPED_BYTES], const unsigned char secret[SECRET_BYTES],
			const unsigned char *bound, size_t bound_len,
			const unsigned char key[SECRET_BYTES])
{
	randombytes_buf(wrapped, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(wrapped + NONCE_BYTES, NULL,
											   secret, SECRET_BYTES, bound, bound_len,
											   NULL, wrapped, key);
}

/*
 * secret_unwrap
 *		Decrypt what secret_wrap() made.
 *
 * Returns false, with secret all zero (libsodium sees to that), when anything
 * was altered, or when key or bound is another.
 * Source: draft-irtf-cfrg-xchacha-03 section 2.
 */
bool
secret_unwrap(unsigned char secret[SECRET_BYTES], const unsigned char wrapped[WRAPPED_BYTES],
			  const unsigned char *bound, size_t bound_len,
			  const unsigned char key[SECRET_BYTES])
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL,
													  wrapped + NONCE_BYTES,
													  WRAPPED_BYTES - NONCE_BYTES,
													  bound, bound_len, wrapped, key) == 0;
}
