/*-------------------------------------------------------------------------
 * test_derive.c
 *		derive.c: HMAC, derived secrets, tokens, key ids, roots.
 *
 * Known answers of our own derivations are in derivations.tsv, see
 * test_vectors.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "unit.h"

typedef struct HmacCase
{
	const char *key;
	const char *bytes;
	const char *mac;			/* fewer than 32 bytes: the first ones */
} HmacCase;

#define TIMES_5(x)		x x x x x
#define TIMES_10(x)		TIMES_5(x) TIMES_5(x)
#define TIMES_20(x)		TIMES_10(x) TIMES_10(x)
#define TIMES_50(x)		TIMES_20(x) TIMES_20(x) TIMES_10(x)
#define TIMES_131(x)	TIMES_50(x) TIMES_50(x) TIMES_20(x) TIMES_10(x) x

/* RFC 4231, sections 4.2 to 4.8. */
static const HmacCase rfc4231[] = {
	{TIMES_20("0b"),
		"4869205468657265",
	"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"4a656665",
		"7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{TIMES_20("aa"),
		TIMES_50("dd"),
	"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"0102030405060708090a0b0c0d0e0f10111213141516171819",
		TIMES_50("cd"),
	"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{TIMES_20("0c"),
		"546573742057697468205472756e636174696f6e",
	"a3b6167473100ee06e0c796c2955552b"},
	{TIMES_131("aa"),
		"54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
		"65204b6579202d2048617368204b6579204669727374",
	"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{TIMES_131("aa"),
		"5468697320697320612074657374207573696e672061206c6172676572207468"
		"616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
		"68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
		"647320746f20626520686173686564206265666f7265206265696e6720757365"
		"642062792074686520484d414320616c676f726974686d2e",
	"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"}
};

static const unsigned char some_key[SECRET_BYTES] = "a secret of thirty-one letters.";

static void
test_rfc4231(void)
{
	size_t		i;

	for (i = 0; i < sizeof(rfc4231) / sizeof(rfc4231[0]); i++)
	{
		size_t		key_len;
		size_t		len;
		size_t		mac_len;
		HmacKey		hmac;
		unsigned char *mac = unit_bytes(MAC_BYTES);
		const unsigned char *key = unit_hex(&key_len, rfc4231[i].key);
		const unsigned char *bytes = unit_hex(&len, rfc4231[i].bytes);
		const unsigned char *wanted = unit_hex(&mac_len, rfc4231[i].mac);

		unit_note("case %zu", i + 1);
		hmac_key(&hmac, key, key_len);
		hmac_mac(mac, bytes, len, &hmac);
		CHECK(memcmp(mac, wanted, mac_len) == 0);
		unit_release();
	}
}

static void
test_hmac_key_again(void)
{
	HmacKey		hmac;
	HmacKey		before;
	unsigned char mac[3][MAC_BYTES];
	unsigned char token[TOKEN_BYTES];

	hmac_key(&hmac, some_key, sizeof(some_key));
	memcpy(&before, &hmac, sizeof(hmac));
	hmac_mac(mac[0], (const unsigned char *) "one", 3, &hmac);
	hmac_mac(mac[1], (const unsigned char *) "two", 3, &hmac);
	token_make(token, 1, (const unsigned char *) "three", 5, &hmac);
	hmac_mac(mac[2], (const unsigned char *) "one", 3, &hmac);
	CHECK(memcmp(&before, &hmac, sizeof(hmac)) == 0);
	CHECK(memcmp(mac[0], mac[2], MAC_BYTES) == 0);
	CHECK(memcmp(mac[0], mac[1], MAC_BYTES) != 0);
}

/* The definition, spelled out over libsodium's one-shot HMAC. */
static void
test_derive_definition(void)
{
	unsigned char out[SECRET_BYTES];
	unsigned char wanted[SECRET_BYTES];

	derive_secret(out, "label", (const unsigned char *) "context", 7, some_key);
	crypto_auth_hmacsha256(wanted, (const unsigned char *) "pgseal1 label\0context", 21, some_key);
	CHECK(memcmp(out, wanted, SECRET_BYTES) == 0);
	derive_secret(out, "data", NULL, 0, some_key);
	crypto_auth_hmacsha256(wanted, (const unsigned char *) "pgseal1 data", 13, some_key);
	CHECK(memcmp(out, wanted, SECRET_BYTES) == 0);
}

/* What would be the same bytes without the zero in between is not the same secret. */
static void
test_derive_boundary(void)
{
	unsigned char out[3][SECRET_BYTES];

	derive_secret(out[0], "subject data", NULL, 0, some_key);
	derive_secret(out[1], "subject", (const unsigned char *) " data", 5, some_key);
	derive_secret(out[2], "", (const unsigned char *) "subject data", 12, some_key);
	CHECK(memcmp(out[0], out[1], SECRET_BYTES) != 0);
	CHECK(memcmp(out[0], out[2], SECRET_BYTES) != 0);
	CHECK(memcmp(out[1], out[2], SECRET_BYTES) != 0);
}

static bool
same_token(uint8_t type, const char *value, uint8_t other_type, const char *other)
{
	HmacKey		hmac;
	unsigned char *token[2] = {unit_bytes(TOKEN_BYTES), unit_bytes(TOKEN_BYTES)};

	hmac_key(&hmac, some_key, sizeof(some_key));
	token_make(token[0], type, unit_copy(value, strlen(value)), strlen(value), &hmac);
	token_make(token[1], other_type, unit_copy(other, strlen(other)), strlen(other), &hmac);
	return memcmp(token[0], token[1], TOKEN_BYTES) == 0;
}

static void
test_token_equality(void)
{
	CHECK(same_token(1, "184127645108946", 1, "184127645108946"));
	CHECK(same_token(1, "", 1, ""));
	CHECK(!same_token(1, "184127645108946", 1, "184127645108947"));
	CHECK(!same_token(1, "a", 1, "aa"));
	CHECK(!same_token(1, "", 1, "a"));
}

static void
test_token_type(void)
{
	int			type;

	for (type = 2; type < 256; type++)
	{
		unit_note("type %d", type);
		CHECK(!same_token(1, "184127645108946", (uint8_t) type, "184127645108946"));
		unit_release();
	}
}

static void
test_token_definition(void)
{
	unsigned char *message = unit_bytes(9 + 300);
	unsigned char *token = unit_bytes(TOKEN_BYTES);
	unsigned char wanted[MAC_BYTES];
	HmacKey		hmac;

	memcpy(message, "\7\0\0\0\0\0\0\1\54", 9);
	memset(message + 9, 'x', 300);
	hmac_key(&hmac, some_key, sizeof(some_key));
	token_make(token, 7, message + 9, 300, &hmac);
	crypto_auth_hmacsha256(wanted, message, 9 + 300, some_key);
	CHECK(memcmp(token, wanted, TOKEN_BYTES) == 0);
}

static void
test_key_ids(void)
{
	char		name[32];
	int			i;

	for (i = 0; i < 10000; i++)
	{
		uint32_t	id;

		snprintf(name, sizeof(name), "key_%d", i);
		unit_note("%s", name);
		id = key_id_of(name);
		CHECK(id > 0 && id <= 0x7fffffffU);
		CHECK(id == key_id_of(name));
	}
}

/* The hash of the first name starts with 00000000, that of the second with 80000000. */
static void
test_key_id_zero(void)
{
	CHECK(key_id_of("key_ah7gz14") == 1);
	CHECK(key_id_of("key_b45qqdr") == 1);
}

static void
test_key_names(void)
{
	char		longest[KEY_NAME_MAX_BYTES + 2];

	memset(longest, 'k', sizeof(longest));
	longest[KEY_NAME_MAX_BYTES] = '\0';
	CHECK(key_name_fits(longest));
	longest[KEY_NAME_MAX_BYTES] = 'k';
	longest[KEY_NAME_MAX_BYTES + 1] = '\0';
	CHECK(!key_name_fits(longest));
	CHECK(key_name_fits("nir") && key_name_fits("_") && key_name_fits("k9"));
	CHECK(!key_name_fits("") && !key_name_fits("9k") && !key_name_fits("Nir"));
	CHECK(!key_name_fits("a b") && !key_name_fits("a\n") && !key_name_fits("\303\251t\303\251"));
}

#define ROOT_HEX		"00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f"
#define ROOT_LINE_MAX	80
#define ROOT_BASE64		"ABEiM0RVZneImaq7zN3u/xAhMkNUZXaHmKm6y9zt/g8"

static const unsigned char some_root[SECRET_BYTES] = {
	0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
	0x10, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87, 0x98, 0xa9, 0xba, 0xcb, 0xdc, 0xed, 0xfe, 0x0f
};

/* root_parse on guarded copies of exactly these characters. */
static bool
reads_root(const char *line, size_t len)
{
	unsigned char *root = unit_bytes(SECRET_BYTES);

	return root_parse(root, (const char *) unit_copy(line, len), len) &&
		memcmp(root, some_root, SECRET_BYTES) == 0;
}

static bool
refuses_root(const char *line, size_t len)
{
	unsigned char *root = unit_bytes(SECRET_BYTES);

	return !root_parse(root, (const char *) unit_copy(line, len), len) &&
		unit_is_filled(root, SECRET_BYTES, 0);
}

static void
test_root_good(void)
{
	static const char *const good[] = {
		ROOT_HEX,
		"00112233445566778899AABBCCDDEEFF102132435465768798A9BACBDCEDFE0F",
		"00112233445566778899aabbCCDDEEFF102132435465768798a9bacbdcedfe0F",
		ROOT_BASE64 "=",
		ROOT_BASE64,
		ROOT_HEX "\n", ROOT_HEX "\r\n", " " ROOT_HEX, "\t \r\n" ROOT_HEX " \t\r\n\n",
		ROOT_BASE64 "=\n", "\t" ROOT_BASE64 " ", "\n" ROOT_BASE64 "= \r\n"
	};
	size_t		i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		unit_note("\"%s\"", good[i]);
		CHECK(reads_root(good[i], strlen(good[i])));
		unit_release();
	}
}

static void
test_root_bad(void)
{
	static const char *const bad[] = {
		"", " ", "\n", " \t\r\n", "0",
		ROOT_HEX "0", ROOT_HEX "00", ROOT_HEX ROOT_HEX, ROOT_HEX " " ROOT_HEX,
		"0x" ROOT_HEX, "\\x" ROOT_HEX, "\"" ROOT_HEX "\"", "# " ROOT_HEX, ROOT_HEX "\v", "\f" ROOT_HEX,
		"00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0",
		"00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0g",
		"0011223344556677 8899aabbccddeeff102132435465768798a9bacbdcedfe0",
		"0011223344556677:8899aabbccddeeff102132435465768798a9bacbdcedfe0",
		"00112233:445566:8899aabbccddeeff102132435465768798a9bacbdcedfe0f",
		"00112233 445566 8899aabbccddeeff102132435465768798a9bacbdcedfe0f",
		"g0112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f",
		ROOT_BASE64 "==", ROOT_BASE64 "A", ROOT_BASE64 "A=", ROOT_BASE64 "-", "=" ROOT_BASE64,
		"ABEiM0RVZneImaq7zN3u/xAhMkNUZXaHmKm6y9zt/g9=", /* spare bit */
		"ABEiM0RVZneImaq7zN3u/xAhMkNUZXaHmKm6y9zt/g9",
		"ABEiM0RVZneImaq7zN3u_xAhMkNUZXaHmKm6y9zt_g8=", /* base64url */
		"ABEiM0RVZneImaq7zN3u/xAhMkNUZXaHmKm6y9zt/g==", /* 31 bytes */
		"ABEiM0RVZneImaq7zN3u/xAhMkNUZXaHmKm6y9zt/g",
		"ABEiM0RVZneImaq7zN3u xAhMkNUZXaHmKm6y9zt/g8=",
		"AB\nEiM0RVZneImaq7zN3u/xAhMkNUZXaHmKm6y9zt/g8"
	};
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		unit_note("\"%s\"", bad[i]);
		CHECK(refuses_root(bad[i], strlen(bad[i])));
		unit_release();
	}
	CHECK(refuses_root(ROOT_HEX, sizeof(ROOT_HEX)));	/* with its NUL */
}

/* Every character that is none of the form's, at the first, a middle and the last place. */
static void
refuse_other_characters(const char *good, const char *alphabet)
{
	size_t		len = strlen(good);
	size_t		places[] = {0, len / 2, len - 1};
	size_t		i;
	int			c;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		for (c = 0; c < 256; c++)
		{
			char		line[ROOT_LINE_MAX];

			if (c != 0 && strchr(alphabet, c) != NULL)
				continue;
			unit_note("character %d at %zu of \"%s\"", c, places[i], good);
			memcpy(line, good, len);
			line[places[i]] = (char) c;
			CHECK(refuses_root(line, len));
			unit_release();
		}
}

static void
test_root_characters(void)
{
	refuse_other_characters(ROOT_HEX, "0123456789abcdefABCDEF");
	refuse_other_characters(ROOT_BASE64,
							"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
}

/*
 * Whatever part of this root is lost, the rest is no root.  Digits are base64
 * characters too: here it is the 43rd that leaves a bit behind the last byte.
 */
static void
test_root_cut_short(void)
{
	size_t		len;

	for (len = 0; len < sizeof(ROOT_HEX) - 1; len++)
	{
		unit_note("%zu digits", len);
		CHECK(refuses_root(ROOT_HEX, len));
		unit_release();
	}
	for (len = 0; len < sizeof(ROOT_BASE64) - 1; len++)
	{
		unit_note("%zu characters", len);
		CHECK(refuses_root(ROOT_BASE64, len));
		unit_release();
	}
}

static void
test_root_zero(void)
{
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
	static const char as[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	char		one[] = "0000000000000000000000000000000000000000000000000000000000000001";
	unsigned char root[SECRET_BYTES];

	CHECK(refuses_root(zeros, strlen(zeros)));
	CHECK(refuses_root(as, strlen(as)));
	CHECK(root_parse(root, one, strlen(one)) && root[SECRET_BYTES - 1] == 1);
}

static void
test_fingerprint(void)
{
	unsigned char derived[SECRET_BYTES];
	char	   *text = (char *) unit_bytes(17);
	char		wanted[2 * SECRET_BYTES + 1];

	root_fingerprint(text, some_root);
	derive_secret(derived, "root fingerprint", NULL, 0, some_root);
	sodium_bin2hex(wanted, sizeof(wanted), derived, sizeof(derived));
	CHECK(strlen(text) == 16);
	CHECK(strncmp(text, wanted, 16) == 0);
	CHECK(strspn(text, "0123456789abcdef") == 16);
}

int
main(void)
{
	unit_start();
	unit_run("hmac: RFC 4231, cases 1 to 7", test_rfc4231);
	unit_run("hmac: a key can be used again", test_hmac_key_again);
	unit_run("derive: prefix, label, zero byte, context", test_derive_definition);
	unit_run("derive: label and context do not run together", test_derive_boundary);
	unit_run("token: the same for equal values only", test_token_equality);
	unit_run("token: another for another type", test_token_type);
	unit_run("token: type, length and canonical form", test_token_definition);
	unit_run("key id: 31 bits, never 0", test_key_ids);
	unit_run("key id: 1 when the hash gives 0", test_key_id_zero);
	unit_run("key name: what SQL spells without quotes, 63 bytes at most", test_key_names);
	unit_run("root: hexadecimal, base64 with and without padding, blanks around", test_root_good);
	unit_run("root: refuses everything else and leaves zeros", test_root_bad);
	unit_run("root: refuses every other character", test_root_characters);
	unit_run("root: refuses one cut short", test_root_cut_short);
	unit_run("root: refuses all zero", test_root_zero);
	unit_run("root: its fingerprint is 16 lower-case digits", test_fingerprint);
	return unit_finish();
}
