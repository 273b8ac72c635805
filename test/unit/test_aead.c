/*-------------------------------------------------------------------------
 * test_aead.c
 *		aead.c and chachapoly.c: published vectors, identity with libsodium,
 *		refusals, wraps.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "unit.h"

#define IDENTITY_ROUNDS		20000
#define SHORT_LEN_MAX		300
#define EVERY_LEN_MAX		600 /* beyond what chachapoly.c calls short */
#define LONG_LEN_MAX		5000
#define BOUND_LEN_MAX		100

/* The same sentence is the plaintext of RFC 8439 2.8.2 and of the XChaCha draft, A.3.1. */
static const char sunscreen[] =
"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for "
"the future, sunscreen would be it.";
static const char sunscreen_key[] =
"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
static const char sunscreen_bound[] = "50515253c0c1c2c3c4c5c6c7";

/* One value sealed with random inputs, in guarded buffers of exact size. */
typedef struct Sample
{
	size_t		len;
	size_t		bound_len;
	unsigned char *padded;
	unsigned char *bound;
	unsigned char *ciphertext;
	unsigned char *tag;
	unsigned char key[SECRET_BYTES];
	unsigned char nonce[NONCE_BYTES];
	AeadSubkey	subkey;
} Sample;

static Sample
random_sample(size_t len, size_t bound_len)
{
	Sample		sample;

	sample.len = len;
	sample.bound_len = bound_len;
	sample.padded = unit_bytes(len);
	sample.bound = unit_bytes(bound_len);
	sample.ciphertext = unit_bytes(len);
	sample.tag = unit_bytes(TAG_BYTES);
	unit_random(sample.padded, len);
	unit_random(sample.bound, bound_len);
	unit_random(sample.key, sizeof(sample.key));
	unit_random(sample.nonce, sizeof(sample.nonce));
	aead_subkey(&sample.subkey, sample.nonce, sample.key);
	aead_seal(sample.ciphertext, sample.tag, sample.padded, len, sample.bound, bound_len,
			  sample.nonce, &sample.subkey);
	return sample;
}

static bool
opens(unsigned char *out, const Sample *sample)
{
	return aead_open(out, sample->ciphertext, sample->len, sample->tag,
					 sample->bound, sample->bound_len, sample->nonce, &sample->subkey);
}

/* It does not open, and what was in out is gone. */
static bool
refuses(const Sample *sample)
{
	unsigned char out[EVERY_LEN_MAX];

	memset(out, 0xAA, sizeof(out));
	return !opens(out, sample) && unit_is_filled(out, sample->len, 0);
}

static void
test_hchacha20(void)
{
	AeadSubkey	subkey;
	size_t		len;
	const unsigned char *key =
	unit_hex(&len, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	const unsigned char *prefix = unit_hex(&len, "000000090000004a0000000031415927");
	const unsigned char *wanted =
	unit_hex(&len, "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");

	aead_subkey(&subkey, prefix, key);
	CHECK(memcmp(subkey.bytes, wanted, SECRET_BYTES) == 0);
	CHECK(memcmp(subkey.prefix, prefix, NONCE_PREFIX_BYTES) == 0);
}

static void
test_xchacha20poly1305(void)
{
	size_t		len;
	size_t		bound_len;
	AeadSubkey	subkey;
	unsigned char *tag = unit_bytes(TAG_BYTES);
	unsigned char *out = unit_bytes(sizeof(sunscreen) - 1);
	const unsigned char *key = unit_hex(&len, sunscreen_key);
	const unsigned char *bound = unit_hex(&bound_len, sunscreen_bound);
	const unsigned char *nonce = unit_hex(&len, "404142434445464748494a4b4c4d4e4f5051525354555657");
	const unsigned char *wanted_tag = unit_hex(&len, "c0875924c1c7987947deafd8780acf49");
	const unsigned char *wanted =
	unit_hex(&len,
			 "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
			 "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
			 "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
			 "21f9664c97637da9768812f615c68b13b52e");

	CHECK(len == sizeof(sunscreen) - 1);
	aead_subkey(&subkey, nonce, key);
	aead_seal(out, tag, (const unsigned char *) sunscreen, len, bound, bound_len, nonce, &subkey);
	CHECK(memcmp(out, wanted, len) == 0);
	CHECK(memcmp(tag, wanted_tag, TAG_BYTES) == 0);
	CHECK(aead_open(out, wanted, len, wanted_tag, bound, bound_len, nonce, &subkey));
	CHECK(memcmp(out, sunscreen, len) == 0);
}

/* RFC 8439 A.5 has a nonce that starts with four zero bytes, as ours do. */
static void
test_rfc8439_through_subkey(void)
{
	static const char wanted[] =
	"Internet-Drafts are draft documents valid for a maximum of six months and may be "
	"updated, replaced, or obsoleted by other documents at any time. It is inappropriate "
	"to use Internet-Drafts as reference material or to cite them other than as "
	"/\342\200\234work in progress./\342\200\235";
	size_t		len;
	size_t		bound_len;
	unsigned char nonce[NONCE_BYTES] = {[16] = 1, 2, 3, 4, 5, 6, 7, 8};
	AeadSubkey	subkey = {.prefix = {0}};
	unsigned char *out = unit_bytes(sizeof(wanted) - 1);
	const unsigned char *bound = unit_hex(&bound_len, "f33388860000000000004e91");
	const unsigned char *tag = unit_hex(&len, "eead9d67890cbb22392336fea1851f38");
	const unsigned char *key =
	unit_hex(&len, "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
	const unsigned char *ciphertext =
	unit_hex(&len,
			 "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2"
			 "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
			 "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
			 "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
			 "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e"
			 "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
			 "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
			 "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
			 "a6ad5cb4022b02709b");

	CHECK(len == sizeof(wanted) - 1);
	memcpy(subkey.bytes, key, SECRET_BYTES);
	CHECK(aead_open(out, ciphertext, len, tag, bound, bound_len, nonce, &subkey));
	CHECK(memcmp(out, wanted, len) == 0);
}

/* RFC 8439 2.8.2 has another nonce form: libsodium is asked directly. */
static void
test_rfc8439_of_libsodium(void)
{
	size_t		len;
	size_t		bound_len;
	unsigned char *tag = unit_bytes(TAG_BYTES);
	unsigned char *out = unit_bytes(sizeof(sunscreen) - 1);
	const unsigned char *key = unit_hex(&len, sunscreen_key);
	const unsigned char *bound = unit_hex(&bound_len, sunscreen_bound);
	const unsigned char *nonce = unit_hex(&len, "070000004041424344454647");
	const unsigned char *wanted_tag = unit_hex(&len, "1ae10b594f09e26a7e902ecbd0600691");
	const unsigned char *wanted =
	unit_hex(&len,
			 "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
			 "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
			 "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
			 "3ff4def08e4b7a9de576d26586cec64b6116");

	crypto_aead_chacha20poly1305_ietf_encrypt_detached(out, tag, NULL,
													   (const unsigned char *) sunscreen, len,
													   bound, bound_len, NULL, nonce, key);
	CHECK(memcmp(out, wanted, len) == 0);
	CHECK(memcmp(tag, wanted_tag, TAG_BYTES) == 0);
}

/* Sealed by us and by libsodium: the same bits, and we open them. */
static void
check_identity(size_t len, size_t bound_len)
{
	Sample		sample = random_sample(len, bound_len);
	unsigned char *ciphertext = unit_bytes(len);
	unsigned char tag[TAG_BYTES];

	unit_note("%zu bytes, %zu bound", len, bound_len);
	crypto_aead_xchacha20poly1305_ietf_encrypt_detached(ciphertext, tag, NULL,
														sample.padded, len,
														sample.bound, bound_len,
														NULL, sample.nonce, sample.key);
	CHECK(memcmp(ciphertext, sample.ciphertext, len) == 0);
	CHECK(memcmp(tag, sample.tag, TAG_BYTES) == 0);
	CHECK(opens(ciphertext, &sample));
	CHECK(memcmp(ciphertext, sample.padded, len) == 0);
	unit_release();
}

static void
test_identity_with_libsodium(void)
{
	int			round;

	for (round = 0; round < IDENTITY_ROUNDS; round++)
		check_identity(unit_random_below(round % 100 == 0 ? LONG_LEN_MAX : SHORT_LEN_MAX),
					   unit_random_below(BOUND_LEN_MAX));
}

static void
test_identity_at_every_length(void)
{
	size_t		len;
	size_t		bound_len;

	for (len = 0; len <= EVERY_LEN_MAX; len++)
	{
		check_identity(len, ENVELOPE_HEAD_BYTES);
		check_identity(len, ENVELOPE_HEAD_BYTES + TOKEN_BYTES);
	}
	for (bound_len = 0; bound_len <= BOUND_LEN_MAX; bound_len++)
		check_identity(16, bound_len);
}

static void
test_subkey_serves_its_prefix(void)
{
	Sample		sample = random_sample(48, 25);
	unsigned char wanted[48];
	unsigned char wanted_tag[TAG_BYTES];
	int			counter;

	for (counter = 0; counter < 300; counter++)
	{
		unit_note("counter %d", counter);
		memset(sample.nonce + NONCE_PREFIX_BYTES, 0, NONCE_BYTES - NONCE_PREFIX_BYTES);
		sample.nonce[NONCE_BYTES - 1] = (unsigned char) counter;
		sample.nonce[NONCE_PREFIX_BYTES] = (unsigned char) (counter >> 8);
		aead_seal(sample.ciphertext, sample.tag, sample.padded, sample.len,
				  sample.bound, sample.bound_len, sample.nonce, &sample.subkey);
		crypto_aead_xchacha20poly1305_ietf_encrypt_detached(wanted, wanted_tag, NULL,
															sample.padded, sample.len,
															sample.bound, sample.bound_len,
															NULL, sample.nonce, sample.key);
		CHECK(memcmp(sample.ciphertext, wanted, sizeof(wanted)) == 0);
		CHECK(memcmp(sample.tag, wanted_tag, TAG_BYTES) == 0);
	}
}

static void
test_in_place(void)
{
	size_t		len;

	for (len = 1; len <= SHORT_LEN_MAX; len++)
	{
		Sample		sample = random_sample(len, 25);
		unsigned char *bytes = unit_copy(sample.padded, len);
		unsigned char *tag = unit_bytes(TAG_BYTES);

		unit_note("%zu bytes", len);
		aead_seal(bytes, tag, bytes, len, sample.bound, sample.bound_len,
				  sample.nonce, &sample.subkey);
		CHECK(memcmp(bytes, sample.ciphertext, len) == 0);
		CHECK(memcmp(tag, sample.tag, TAG_BYTES) == 0);
		CHECK(aead_open(bytes, bytes, len, tag, sample.bound, sample.bound_len,
						sample.nonce, &sample.subkey));
		CHECK(memcmp(bytes, sample.padded, len) == 0);
		tag[0] ^= 1;
		CHECK(!aead_open(bytes, bytes, len, tag, sample.bound, sample.bound_len,
						 sample.nonce, &sample.subkey));
		CHECK(unit_is_filled(bytes, len, 0));
		unit_release();
	}
}

/* Flip each bit of what, one after the other; nothing may open. */
static void
refuse_each_bit(const char *name, unsigned char *what, size_t what_len, const Sample *sample)
{
	size_t		bit;

	for (bit = 0; bit < 8 * what_len; bit++)
	{
		unit_note("%s, bit %zu", name, bit);
		what[bit / 8] ^= (unsigned char) (1 << bit % 8);
		CHECK(refuses(sample));
		what[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
}

static void
check_altered(size_t len, size_t bound_len)
{
	unsigned char out[EVERY_LEN_MAX];
	Sample		sample = random_sample(len, bound_len);

	CHECK(opens(out, &sample));
	refuse_each_bit("ciphertext", sample.ciphertext, sample.len, &sample);
	refuse_each_bit("tag", sample.tag, TAG_BYTES, &sample);
	refuse_each_bit("bound", sample.bound, sample.bound_len, &sample);
	refuse_each_bit("nonce", sample.nonce, NONCE_BYTES, &sample);
	refuse_each_bit("subkey", sample.subkey.bytes, SECRET_BYTES, &sample);
	refuse_each_bit("prefix", sample.subkey.prefix, NONCE_PREFIX_BYTES, &sample);
	CHECK(opens(out, &sample));
}

/* As short as can be, one stream of each size, libsodium's own function. */
static void
test_altered_does_not_open(void)
{
	check_altered(1, 0);
	check_altered(32, 41);
	check_altered(448, 25);
	check_altered(449, 25);
	check_altered(32, 65);
}

static void
test_other_lengths_do_not_open(void)
{
	Sample		sample = random_sample(32, 41);

	sample.len--;
	CHECK(refuses(&sample));
	sample.len++;
	sample.bound_len--;
	CHECK(refuses(&sample));
	sample.bound_len = 0;
	CHECK(refuses(&sample));
}

static void
seal_with_subkey_of_other_prefix(void)
{
	Sample		sample = random_sample(32, 9);

	sample.nonce[NONCE_PREFIX_BYTES - 1] ^= 1;
	aead_seal(sample.ciphertext, sample.tag, sample.padded, sample.len,
			  sample.bound, sample.bound_len, sample.nonce, &sample.subkey);
}

static void
test_wrong_subkey_aborts(void)
{
	CHECK(unit_aborts(seal_with_subkey_of_other_prefix));
}

static void
test_wrap_both_ways(void)
{
	int			round;

	for (round = 0; round < 200; round++)
	{
		size_t		bound_len = unit_random_below(BOUND_LEN_MAX);
		unsigned char *secret = unit_bytes(SECRET_BYTES);
		unsigned char *key = unit_bytes(SECRET_BYTES);
		unsigned char *bound = unit_bytes(bound_len);
		unsigned char *wrapped = unit_bytes(WRAPPED_BYTES);
		unsigned char *out = unit_bytes(SECRET_BYTES);

		unit_note("round %d", round);
		unit_random(secret, SECRET_BYTES);
		unit_random(key, SECRET_BYTES);
		unit_random(bound, bound_len);
		secret_wrap(wrapped, secret, bound, bound_len, key);
		CHECK(secret_unwrap(out, wrapped, bound, bound_len, key));
		CHECK(memcmp(out, secret, SECRET_BYTES) == 0);
		unit_release();
	}
}

static void
test_wrap_layout(void)
{
	static const unsigned char secret[SECRET_BYTES] = "a secret of thirty-one letters.";
	static const unsigned char key[SECRET_BYTES] = "the key around it, thirty-one .";
	unsigned char wrapped[WRAPPED_BYTES];
	unsigned char out[SECRET_BYTES];

	CHECK(WRAPPED_BYTES == 72);
	secret_wrap(wrapped, secret, (const unsigned char *) "bound", 5, key);
	CHECK(crypto_aead_xchacha20poly1305_ietf_decrypt_detached(out, NULL, wrapped + 24, 32,
															  wrapped + 56,
															  (const unsigned char *) "bound", 5,
															  wrapped, key) == 0);
	CHECK(memcmp(out, secret, SECRET_BYTES) == 0);
}

static void
test_wrap_nonces_differ(void)
{
	unsigned char secret[SECRET_BYTES] = {1};
	unsigned char wrapped[2][WRAPPED_BYTES];

	secret_wrap(wrapped[0], secret, NULL, 0, secret);
	secret_wrap(wrapped[1], secret, NULL, 0, secret);
	CHECK(memcmp(wrapped[0], wrapped[1], NONCE_PREFIX_BYTES) != 0);
	CHECK(memcmp(wrapped[0] + NONCE_PREFIX_BYTES, wrapped[1] + NONCE_PREFIX_BYTES,
				 NONCE_BYTES - NONCE_PREFIX_BYTES) != 0);
	CHECK(memcmp(wrapped[0] + NONCE_BYTES, wrapped[1] + NONCE_BYTES, SECRET_BYTES) != 0);
}

static bool
refuses_unwrap(const unsigned char *wrapped, const unsigned char *bound, size_t bound_len,
			   const unsigned char *key)
{
	unsigned char out[SECRET_BYTES];

	memset(out, 0xAA, sizeof(out));
	return !secret_unwrap(out, wrapped, bound, bound_len, key) &&
		unit_is_filled(out, sizeof(out), 0);
}

static void
test_wrap_altered(void)
{
	unsigned char secret[SECRET_BYTES] = {1};
	unsigned char key[SECRET_BYTES] = {2};
	unsigned char bound[] = {1, 2, 3, 4};
	unsigned char wrapped[WRAPPED_BYTES];
	size_t		bit;

	secret_wrap(wrapped, secret, bound, sizeof(bound), key);
	for (bit = 0; bit < 8 * WRAPPED_BYTES; bit++)
	{
		unit_note("wrapped, bit %zu", bit);
		wrapped[bit / 8] ^= (unsigned char) (1 << bit % 8);
		CHECK(refuses_unwrap(wrapped, bound, sizeof(bound), key));
		wrapped[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
	for (bit = 0; bit < 8 * sizeof(bound); bit++)
	{
		unit_note("bound, bit %zu", bit);
		bound[bit / 8] ^= (unsigned char) (1 << bit % 8);
		CHECK(refuses_unwrap(wrapped, bound, sizeof(bound), key));
		bound[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
	CHECK(refuses_unwrap(wrapped, bound, sizeof(bound) - 1, key));
	CHECK(refuses_unwrap(wrapped, NULL, 0, key));
	CHECK(refuses_unwrap(wrapped, bound, sizeof(bound), secret));
	CHECK(secret_unwrap(secret, wrapped, bound, sizeof(bound), key));
}

int
main(void)
{
	unit_start();
	unit_run("subkey: HChaCha20 of draft-irtf-cfrg-xchacha-03, 2.2.1", test_hchacha20);
	unit_run("seal: draft-irtf-cfrg-xchacha-03, A.3.1", test_xchacha20poly1305);
	unit_run("open: RFC 8439, A.5", test_rfc8439_through_subkey);
	unit_run("libsodium: RFC 8439, 2.8.2", test_rfc8439_of_libsodium);
	unit_run("seal: the same bits as libsodium, 20000 times", test_identity_with_libsodium);
	unit_run("seal: the same bits as libsodium, at every length up to 600", test_identity_at_every_length);
	unit_run("subkey: serves every counter of its prefix", test_subkey_serves_its_prefix);
	unit_run("seal and open: in place", test_in_place);
	unit_run("open: refuses every flipped bit and leaves zeros", test_altered_does_not_open);
	unit_run("open: refuses other lengths", test_other_lengths_do_not_open);
	unit_run("seal: a subkey of another prefix aborts", test_wrong_subkey_aborts);
	unit_run("wrap: both ways", test_wrap_both_ways);
	unit_run("wrap: nonce, ciphertext, tag", test_wrap_layout);
	unit_run("wrap: never the same nonce", test_wrap_nonces_differ);
	unit_run("unwrap: refuses every flipped bit and leaves zeros", test_wrap_altered);
	return unit_finish();
}
