/*-------------------------------------------------------------------------
 * derive.c
 *		What is computed from keys and names: MACs, secrets, tokens, ids, roots.
 *
 * Floor 0.  Everything rests on HMAC-SHA-256 and SHA-256.  A token tells that
 * two values are equal: that is its purpose, and its price.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "crypto/crypto.h"

#include <string.h>

#include "crypto/bytes.h"

#define DERIVE_PREFIX		"pgseal1 "
#define DERIVE_PREFIX_LEN	8
#define SUBJECT_LABEL		"subject data"
#define KEY_ID_PREFIX		"pgseal key id "
#define KEY_ID_PREFIX_LEN	14
#define KEY_ID_BYTES		4
#define KEY_ID_MASK			0x7fffffffU
#define TOKEN_LENGTH_BYTES	8
#define FINGERPRINT_BYTES	8

/* Characters of a root: hexadecimal, base64, base64 without its padding. */
#define ROOT_HEX_LEN		64
#define ROOT_BASE64_LEN		44
#define ROOT_UNPADDED_LEN	43

_Static_assert(MAC_BYTES == crypto_auth_hmacsha256_BYTES, "MAC");
_Static_assert(SECRET_BYTES == MAC_BYTES, "a derived secret is one MAC");
_Static_assert(TOKEN_BYTES <= MAC_BYTES, "a token is part of a MAC");
_Static_assert(sizeof(DERIVE_PREFIX) - 1 == DERIVE_PREFIX_LEN, "prefix of derivations");
_Static_assert(crypto_shorthash_BYTES == ENVELOPE_CONTEXT_BYTES, "context");
_Static_assert(crypto_shorthash_KEYBYTES <= SECRET_BYTES, "key of contexts");
_Static_assert(sizeof(KEY_ID_PREFIX) - 1 == KEY_ID_PREFIX_LEN, "prefix of key ids");

/*
 * hmac_key
 *		Absorb a key once, for many MACs.  Cannot fail.
 *
 *	hmac		out: a secret; the caller wipes it
 *	key			any length; more than 64 bytes are hashed first
 *
 * Source: RFC 2104 sections 2 and 4.
 */
void
hmac_key(HmacKey *hmac, const unsigned char *key, size_t key_len)
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, key_len);
	hmac->inner = state.ictx;
	hmac->outer = state.octx;
	sodium_memzero(&state, sizeof(state));
}

/* start_mac: a state of its own, so that the key can be used again. */
static void
start_mac(crypto_auth_hmacsha256_state *state, const HmacKey *hmac)
{
	state->ictx = hmac->inner;
	state->octx = hmac->outer;
}

/* finish_mac: write the MAC and wipe the state. */
static void
finish_mac(unsigned char mac[MAC_BYTES], crypto_auth_hmacsha256_state *state)
{
	crypto_auth_hmacsha256_final(state, mac);
	sodium_memzero(state, sizeof(*state));
}

/*
 * hmac_mac
 *		HMAC-SHA-256 of len bytes.  Cannot fail.
 *
 * Compare MACs with sodium_memcmp().
 * Source: RFC 2104.
 */
void
hmac_mac(unsigned char mac[MAC_BYTES], const unsigned char *bytes, size_t len,
		 const HmacKey *hmac)
{
	crypto_auth_hmacsha256_state state;

	start_mac(&state, hmac);
	crypto_auth_hmacsha256_update(&state, bytes, len);
	finish_mac(mac, &state);
}

/*
 * derive_secret
 *		Derive one secret from another: HMAC(key, "pgseal1 " label 0x00 context).
 *
 *	out			a secret; the caller wipes it
 *	label		says what the secret is for: no two uses of a key share one
 *	context		context_len bytes, or NULL and 0
 *
 * A key-based derivation with a single block: one HMAC gives all 32 bytes that
 * are ever wanted, so there is neither a counter nor an output length, and as
 * our keys are uniformly random there is nothing to extract first.  The zero
 * byte, which no label contains, keeps label and context apart.  Cannot fail.
 * Source: NIST SP 800-108r1 section 4.1; compare HKDF-Expand in RFC 5869
 * section 2.3.
 */
void
derive_secret(unsigned char out[SECRET_BYTES], const char *label,
			  const unsigned char *context, size_t context_len,
			  const unsigned char key[SECRET_BYTES])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, SECRET_BYTES);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *) DERIVE_PREFIX, DERIVE_PREFIX_LEN);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *) label, strlen(label) + 1);
	crypto_auth_hmacsha256_update(&state, context, context_len);
	finish_mac(out, &state);
}

/*
 * derive_subject
 *		The data key of one subject: derive_secret() with the label "subject
 *		data" and the subject's secret as context, from a key absorbed before.
 *
 *	out			a secret; the caller wipes it
 *	hmac		of the version secret
 *
 * Both secrets go in, and neither alone tells anything of what comes out: once
 * the subject's is destroyed the version's is no help.  Cannot fail.
 * Source: RFC 5869 section 2.2 (one secret is extracted under the other).
 */
void
derive_subject(unsigned char out[SECRET_BYTES], const unsigned char secret[SECRET_BYTES],
			   const HmacKey *hmac)
{
	static const char label[] = DERIVE_PREFIX SUBJECT_LABEL;
	crypto_auth_hmacsha256_state state;

	start_mac(&state, hmac);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *) label, sizeof(label));
	crypto_auth_hmacsha256_update(&state, secret, SECRET_BYTES);
	finish_mac(out, &state);
}

/*
 * place_context
 *		The context of a value that belongs to this place: SipHash-2-4 of len bytes.
 *
 *	key			a derived secret; its first 16 bytes are used
 *
 * Eight bytes tell places apart, and the envelope's tag covers them: it is the
 * tag that cannot be forged.  Cannot fail.
 */
void
place_context(unsigned char context[ENVELOPE_CONTEXT_BYTES],
			  const unsigned char *place, size_t len,
			  const unsigned char key[SECRET_BYTES])
{
	crypto_shorthash(context, place, len, key);
}

/*
 * token_make
 *		The search token of a value: 16 bytes of HMAC(type, length, canonical).
 *
 *	type		keeps equal bytes of two types apart
 *	canonical	len bytes, the same for all values that are equal
 *	hmac		of the key's token key
 *
 * Cannot fail.
 * Source: doc/storage_format.md, "Tokens"; truncation as in RFC 2104 section 5.
 */
void
token_make(unsigned char token[TOKEN_BYTES], uint8_t type,
		   const unsigned char *canonical, size_t len, const HmacKey *hmac)
{
	crypto_auth_hmacsha256_state state;
	unsigned char head[1 + TOKEN_LENGTH_BYTES];
	unsigned char mac[MAC_BYTES];

	head[0] = type;
	bytes_put_be(head + 1, TOKEN_LENGTH_BYTES, len);
	start_mac(&state, hmac);
	crypto_auth_hmacsha256_update(&state, head, sizeof(head));
	crypto_auth_hmacsha256_update(&state, canonical, len);
	finish_mac(mac, &state);
	memcpy(token, mac, TOKEN_BYTES);
	sodium_memzero(mac, sizeof(mac));
}

/*
 * key_name_fits
 *		Whether a key may have this name: one that SQL spells without quotes.
 */
bool
key_name_fits(const char *name)
{
	size_t		len = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789");

	return len > 0 && len <= KEY_NAME_MAX_BYTES && name[len] == '\0' &&
		!(name[0] >= '0' && name[0] <= '9');
}

/*
 * key_id_of
 *		The id of a key: 31 bits of a hash of its name, never 0.  Cannot fail.
 *
 * Two names may share an id; whoever creates keys refuses the second one.
 */
uint32_t
key_id_of(const char *name)
{
	crypto_hash_sha256_state state;
	unsigned char hash[crypto_hash_sha256_BYTES];
	uint32_t	id;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const unsigned char *) KEY_ID_PREFIX, KEY_ID_PREFIX_LEN);
	crypto_hash_sha256_update(&state, (const unsigned char *) name, strlen(name));
	crypto_hash_sha256_final(&state, hash);
	id = (uint32_t) bytes_get_be(hash, KEY_ID_BYTES) & KEY_ID_MASK;
	return id == 0 ? 1 : id;
}

/* is_blank: what may surround a root in its file. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* decode_base64: exactly SECRET_BYTES, in the one form that variant allows. */
static bool
decode_base64(unsigned char root[SECRET_BYTES], const char *text, size_t len, int variant)
{
	size_t		root_len;

	return bytes_from_base64(root, SECRET_BYTES, &root_len, text, len, variant) &&
		root_len == SECRET_BYTES;
}

/* decode_root: the length tells which of the three forms it is. */
static bool
decode_root(unsigned char root[SECRET_BYTES], const char *text, size_t len)
{
	switch (len)
	{
		case ROOT_HEX_LEN:
			return sodium_hex2bin(root, SECRET_BYTES, text, len, NULL, NULL, NULL) == 0;
		case ROOT_BASE64_LEN:
			return decode_base64(root, text, len, sodium_base64_VARIANT_ORIGINAL);
		case ROOT_UNPADDED_LEN:
			return decode_base64(root, text, len, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
		default:
			return false;
	}
}

/*
 * root_parse
 *		Read a root from a line of a root key file.
 *
 *	root		out: a secret; the caller wipes it
 *	line		len characters, no NUL needed: 64 hexadecimal digits, or base64
 *				with or without padding; blanks around it do not count
 *
 * Returns false, with root all zero, for anything else, and for a root that is
 * all zero.  The decoders take no time that depends on the digits.
 * Source: RFC 4648 sections 4 and 8.
 */
bool
root_parse(unsigned char root[SECRET_BYTES], const char *line, size_t len)
{
	while (len > 0 && is_blank(line[0]))
	{
		line++;
		len--;
	}
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (decode_root(root, line, len) && !sodium_is_zero(root, SECRET_BYTES))
		return true;
	sodium_memzero(root, SECRET_BYTES);
	return false;
}

/*
 * root_fingerprint
 *		16 hexadecimal digits and a NUL that name a root without telling it.
 *
 * Cannot fail.
 */
void
root_fingerprint(char text[17], const unsigned char root[SECRET_BYTES])
{
	unsigned char derived[SECRET_BYTES];

	derive_secret(derived, "root fingerprint", NULL, 0, root);
	sodium_bin2hex(text, 2 * FINGERPRINT_BYTES + 1, derived, FINGERPRINT_BYTES);
	sodium_memzero(derived, sizeof(derived));
}
