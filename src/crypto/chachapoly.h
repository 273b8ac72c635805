/*-------------------------------------------------------------------------
 * chachapoly.h
 *		ChaCha20-Poly1305 of RFC 8439, for aead.c only.
 *
 * Floor 0.  The same bits as crypto_aead_chacha20poly1305_ietf_*_detached(),
 * whose arguments these are.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_CHACHAPOLY_H
#define PGSEAL_CHACHAPOLY_H

#include "crypto/crypto.h"

#define CHACHAPOLY_NONCE_BYTES	crypto_aead_chacha20poly1305_ietf_NPUBBYTES

extern void chachapoly_seal(unsigned char *ciphertext, unsigned char tag[TAG_BYTES],
							const unsigned char *padded, size_t len,
							const unsigned char *bound, size_t bound_len,
							const unsigned char nonce[CHACHAPOLY_NONCE_BYTES],
							const unsigned char key[SECRET_BYTES]);
extern bool chachapoly_open(unsigned char *padded,
							const unsigned char *ciphertext, size_t len,
							const unsigned char tag[TAG_BYTES],
							const unsigned char *bound, size_t bound_len,
							const unsigned char nonce[CHACHAPOLY_NONCE_BYTES],
							const unsigned char key[SECRET_BYTES]);

#endif							/* PGSEAL_CHACHAPOLY_H */
