/*-------------------------------------------------------------------------
 * test_envelope.c
 *		envelope.c: heads, lengths, text form, wire form, padding.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "sample.h"

#define BODY_MIN		(NONCE_BYTES + 1 + TAG_BYTES)
#define TEXT_BYTES_MAX	100

static const unsigned char sample_token[TOKEN_BYTES] = "fifteen letters";

/* A head with every field set; flags say which of them count. */
static Envelope
full_head(uint8_t flags)
{
	Envelope	head = {
		.flags = flags,
		.key_version = 0x0102,
		.key_id = 0x7a0b0c0d,
		.type = 9,
		.subject = 0xf1f2f3f4f5f6f7f8,
		.context = {0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8},
		.token = sample_token
	};

	return head;
}

/* Bytes with this head, and a body of len bytes unless token-only. */
static unsigned char *
bytes_with(size_t *len, uint8_t flags, size_t body_len)
{
	Envelope	head = full_head(flags);
	unsigned char *bytes;

	if (flags & ENVELOPE_TOKEN_ONLY)
		body_len = 0;
	*len = envelope_head_len(flags) + body_len;
	bytes = unit_bytes(*len);
	envelope_write_head(bytes, &head);
	return bytes;
}

static bool
parses(const unsigned char *bytes, size_t len)
{
	Envelope	envelope;

	return envelope_parse(&envelope, bytes, len);
}

static void
test_head_bytes(void)
{
	static const char *const expected =
	"0103" "0102" "7a0b0c0d" "09"
	"f1f2f3f4f5f6f7f8" "c1c2c3c4c5c6c7c8"
	"6669667465656e206c65747465727300";
	size_t		len;
	size_t		expected_len;
	const unsigned char *bytes = bytes_with(&len, ENVELOPE_HAS_TOKEN | ENVELOPE_HAS_SUBJECT, 0);
	const unsigned char *wanted = unit_hex(&expected_len, expected);

	CHECK(len == expected_len && memcmp(bytes, wanted, len) == 0);
}

static void
test_lengths(void)
{
	static const size_t head_lens[SAMPLE_FLAGS_COUNT] = {9, 25, 25, 41, 25};
	size_t		i;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
	{
		unit_note("flags %d", sample_flags[i]);
		CHECK(envelope_head_len(sample_flags[i]) == head_lens[i]);
		if (sample_flags[i] & ENVELOPE_TOKEN_ONLY)
			CHECK(envelope_len(sample_flags[i], 16) == head_lens[i]);
		else
			CHECK(envelope_len(sample_flags[i], 16) == head_lens[i] + 24 + 16 + 16);
	}
}

static void
test_fields(void)
{
	size_t		i;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
	{
		uint8_t		flags = sample_flags[i];
		Envelope	head = full_head(flags);
		Envelope	envelope;
		size_t		len;
		const unsigned char *bytes = bytes_with(&len, flags, BODY_MIN + 15);
		bool		has_subject = (flags & ENVELOPE_HAS_SUBJECT) != 0;

		unit_note("flags %d", flags);
		CHECK(envelope_parse(&envelope, bytes, len));
		CHECK(envelope.flags == flags);
		CHECK(envelope.key_version == head.key_version);
		CHECK(envelope.key_id == head.key_id);
		CHECK(envelope.type == head.type);
		CHECK(envelope.subject == (has_subject ? head.subject : 0));
		if (has_subject)
			CHECK(memcmp(envelope.context, head.context, ENVELOPE_CONTEXT_BYTES) == 0);
		else
			CHECK(unit_is_filled(envelope.context, ENVELOPE_CONTEXT_BYTES, 0));
		if (flags & ENVELOPE_HAS_TOKEN)
			CHECK(memcmp(envelope.token, sample_token, TOKEN_BYTES) == 0);
		else
			CHECK(envelope.token == NULL);
	}
}

static void
test_pointers(void)
{
	size_t		i;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
	{
		uint8_t		flags = sample_flags[i];
		size_t		head_len = envelope_head_len(flags);
		Envelope	envelope;
		size_t		len;
		const unsigned char *bytes = bytes_with(&len, flags, BODY_MIN + 15);

		unit_note("flags %d", flags);
		CHECK(envelope_parse(&envelope, bytes, len));
		CHECK(envelope.bound == bytes && envelope.bound_len == head_len);
		if (flags & ENVELOPE_TOKEN_ONLY)
		{
			CHECK(envelope.nonce == NULL && envelope.ciphertext == NULL && envelope.tag == NULL);
			CHECK(envelope.ciphertext_len == 0);
			continue;
		}
		CHECK(envelope.nonce == bytes + head_len);
		CHECK(envelope.ciphertext == bytes + head_len + NONCE_BYTES);
		CHECK(envelope.ciphertext_len == 16);
		CHECK(envelope.tag == bytes + len - TAG_BYTES);
	}
}

static void
test_suite(void)
{
	size_t		len;
	unsigned char *bytes = bytes_with(&len, 0, BODY_MIN);
	int			suite;

	for (suite = 0; suite < 256; suite++)
	{
		unit_note("suite %d", suite);
		bytes[0] = (unsigned char) suite;
		CHECK(parses(bytes, len) == (suite == 1));
	}
}

static void
test_flags(void)
{
	unsigned char bytes[200];
	Envelope	head = full_head(0);
	int			flags;
	size_t		len;

	envelope_write_head(bytes, &head);
	for (flags = 0; flags < 256; flags++)
	{
		bool		known = memchr(sample_flags, flags, SAMPLE_FLAGS_COUNT) != NULL;
		bool		parsed = false;

		unit_note("flags %d", flags);
		bytes[1] = (unsigned char) flags;
		for (len = 0; len <= sizeof(bytes); len++)
			parsed |= parses(bytes, len);
		CHECK(parsed == known);
	}
}

static void
test_key_id(void)
{
	size_t		len;
	unsigned char *bytes = bytes_with(&len, 0, BODY_MIN);

	memset(bytes + 4, 0xff, 4);
	CHECK(!parses(bytes, len));
	bytes[4] = 0x7f;
	CHECK(parses(bytes, len));
	memset(bytes + 4, 0, 4);
	bytes[4] = 0x80;
	CHECK(!parses(bytes, len));
}

static void
test_type(void)
{
	size_t		len;
	unsigned char *bytes = bytes_with(&len, 0, BODY_MIN);
	int			type;

	for (type = 0; type < 256; type++)
	{
		unit_note("type %d", type);
		bytes[8] = (unsigned char) type;
		CHECK(parses(bytes, len) == (type != 0));
	}
}

static void
test_body_length(void)
{
	size_t		i;
	size_t		body_len;
	size_t		len;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
	{
		if (sample_flags[i] & ENVELOPE_TOKEN_ONLY)
			continue;
		for (body_len = 0; body_len <= BODY_MIN + 2; body_len++)
		{
			const unsigned char *bytes = bytes_with(&len, sample_flags[i], body_len);

			unit_note("flags %d, %zu bytes behind the head", sample_flags[i], body_len);
			CHECK(parses(bytes, len) == (body_len >= BODY_MIN));
			unit_release();
		}
	}
}

static void
test_head_cut_short(void)
{
	size_t		i;
	size_t		len;
	size_t		cut;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
	{
		const unsigned char *bytes = bytes_with(&len, sample_flags[i], 0);

		for (cut = 0; cut < len; cut++)
		{
			unit_note("flags %d, %zu bytes", sample_flags[i], cut);
			CHECK(!parses(unit_copy(bytes, cut), cut));
		}
		unit_release();
	}
	CHECK(!parses(NULL, 0));
}

static void
test_token_only_trailing(void)
{
	uint8_t		flags = ENVELOPE_HAS_TOKEN | ENVELOPE_TOKEN_ONLY;
	unsigned char bytes[200] = {0};
	Envelope	head = full_head(flags);
	size_t		len;

	envelope_write_head(bytes, &head);
	for (len = 0; len <= sizeof(bytes); len++)
	{
		unit_note("%zu bytes", len);
		CHECK(parses(bytes, len) == (len == 25));
	}
}

static void
test_refused_leaves_nothing(void)
{
	static const Envelope nothing;
	Envelope	envelope;
	size_t		len;
	unsigned char *bytes = bytes_with(&len, ENVELOPE_HAS_TOKEN | ENVELOPE_HAS_SUBJECT, BODY_MIN);

	memset(&envelope, 0xAA, sizeof(envelope));
	CHECK(!envelope_parse(&envelope, bytes, len - 1));
	CHECK(envelope.flags == 0 && envelope.key_id == 0 && envelope.type == 0);
	CHECK(envelope.token == NULL && envelope.nonce == NULL && envelope.ciphertext == NULL);
	CHECK(envelope.tag == NULL && envelope.bound == NULL);
	CHECK(envelope.subject == 0 && envelope.bound_len == 0 && envelope.ciphertext_len == 0);
	CHECK(memcmp(envelope.context, nothing.context, ENVELOPE_CONTEXT_BYTES) == 0);
}

/* Random bytes with a likely head: what parses must be exactly what would be written. */
static void
test_one_form(void)
{
	int			round;
	int			parsed = 0;

	for (round = 0; round < 20000; round++)
	{
		size_t		len = unit_random_below(120);
		unsigned char bytes[120];
		unsigned char again[120];
		Envelope	envelope;

		unit_note("round %d", round);
		unit_random(bytes, sizeof(bytes));
		bytes[0] &= 1;
		bytes[1] &= 7;
		bytes[8] &= 3;
		if (!envelope_parse(&envelope, bytes, len))
			continue;
		parsed++;
		CHECK(envelope_len(envelope.flags, envelope.ciphertext_len) == len);
		envelope_write_head(again, &envelope);
		CHECK(memcmp(again, bytes, envelope.bound_len) == 0);
	}
	CHECK(parsed > 500);
}

static void
write_wrong_flags(void)
{
	unsigned char bytes[100];
	Envelope	head = full_head(ENVELOPE_TOKEN_ONLY);

	envelope_write_head(bytes, &head);
}

static void
write_wrong_key_id(void)
{
	unsigned char bytes[100];
	Envelope	head = full_head(0);

	head.key_id = 0x80000000U;
	envelope_write_head(bytes, &head);
}

static void
write_wrong_type(void)
{
	unsigned char bytes[100];
	Envelope	head = full_head(0);

	head.type = 0;
	envelope_write_head(bytes, &head);
}

static void
test_unsound_head_aborts(void)
{
	CHECK(unit_aborts(write_wrong_flags));
	CHECK(unit_aborts(write_wrong_key_id));
	CHECK(unit_aborts(write_wrong_type));
}

/* from_text on guarded copies of exactly these characters. */
static bool
reads(unsigned char *bytes, size_t bytes_size, size_t *len, const char *text, size_t text_len)
{
	const unsigned char *copy = unit_copy(text, text_len);

	return envelope_from_text(bytes, bytes_size, len, (const char *) copy, text_len);
}

static bool
refuses_text(const char *text, size_t text_len)
{
	unsigned char bytes[2 * TEXT_BYTES_MAX];
	size_t		len = 12345;
	bool		refused = !reads(bytes, sizeof(bytes), &len, text, text_len);

	return refused && len == 0;
}

static void
test_text_both_ways(void)
{
	size_t		len;

	for (len = 1; len <= TEXT_BYTES_MAX; len++)
	{
		unsigned char *bytes = unit_bytes(len);
		size_t		text_len = envelope_text_len(len);
		char	   *text = (char *) unit_bytes(text_len + 1);
		unsigned char *again = unit_bytes(len);
		size_t		again_len;

		unit_note("%zu bytes", len);
		unit_random(bytes, len);
		envelope_to_text(text, text_len + 1, bytes, len);
		CHECK(strlen(text) == text_len);
		CHECK(text_len == 6 + (len * 8 + 5) / 6);
		CHECK(reads(again, len, &again_len, text, text_len));
		CHECK(again_len == len && memcmp(again, bytes, len) == 0);
		unit_release();
	}
}

static void
test_text_known(void)
{
	/* Both characters in which base64url differs from base64. */
	static const unsigned char bytes[] = {0x01, 0xfb, 0xff, 0xbe, 0x00};
	char		text[14];

	CHECK(envelope_text_len(sizeof(bytes)) == 13);
	envelope_to_text(text, sizeof(text), bytes, sizeof(bytes));
	CHECK(strcmp(text, "seal1:Afv_vgA") == 0);
}

static void
test_text_no_room(void)
{
	unsigned char *bytes = unit_bytes(4);
	size_t		len;

	CHECK(!reads(bytes, 4, &len, "seal1:Afv_vgA", 13) && len == 0);
	CHECK(reads(bytes, 4, &len, "seal1:Afv_vg", 12) && len == 4);
}

static void
test_text_prefix(void)
{
	static const char *const wrong[] = {
		"", "s", "seal1", "seal1:", "Afv_vgA", "seal2:Afv_vgA", "SEAL1:Afv_vgA", "Seal1:Afv_vgA",
		"seal1;Afv_vgA", "seal1Afv_vgA", " seal1:Afv_vgA", "eal1:Afv_vgA", "seal1::Afv_vgA",
		"seal1:seal1:Afv_vgA", "\377seal1\r\n"
	};
	size_t		i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		unit_note("\"%s\"", wrong[i]);
		CHECK(refuses_text(wrong[i], strlen(wrong[i])));
	}
}

/* Every one of the 256 characters at every place; exactly the alphabet is accepted. */
static void
test_text_alphabet(void)
{
	static const char *const alphabet =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char		text[] = "seal1:AAAAAAAA";
	size_t		place;
	int			c;

	for (place = 6; place < sizeof(text) - 1; place++)
	{
		for (c = 0; c < 256; c++)
		{
			bool		known = c != 0 && strchr(alphabet, c) != NULL;

			unit_note("character %d at %zu", c, place);
			text[place] = (char) c;
			CHECK(refuses_text(text, sizeof(text) - 1) == !known);
			unit_release();
		}
		text[place] = 'A';
	}
}

static void
test_text_strict(void)
{
	static const char *const wrong[] = {
		"seal1:A", "seal1:AAAAA",	/* no number of bytes has this length */
		"seal1:AA==", "seal1:AA=", "seal1:AAA=", "seal1:AAAA=", "seal1:=",	/* padding */
		"seal1: AAAA", "seal1:AA AA", "seal1:AAAA ", "seal1:AAAA\n", "seal1:AAAA\r\n",
		"seal1:AA\nAA", "seal1:\tAAAA", "seal1:AAAA.", "seal1:AAAA%3D"
	};
	size_t		i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		unit_note("\"%s\"", wrong[i]);
		CHECK(refuses_text(wrong[i], strlen(wrong[i])));
	}
	CHECK(refuses_text("seal1:AAAA", 11));	/* with its NUL */
}

/* Of all last characters, only those with no bit behind the last byte. */
static void
test_text_trailing_bits(void)
{
	static const char *const alphabet =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char		one_byte[] = "seal1:A?";
	char		two_bytes[] = "seal1:AA?";
	size_t		i;

	for (i = 0; i < 64; i++)
	{
		unit_note("character %c", alphabet[i]);
		one_byte[7] = alphabet[i];
		two_bytes[8] = alphabet[i];
		CHECK(refuses_text(one_byte, 8) == (i % 16 != 0));
		CHECK(refuses_text(two_bytes, 9) == (i % 4 != 0));
		unit_release();
	}
}

static void
text_without_room(void)
{
	char		text[13];

	envelope_to_text(text, sizeof(text), (const unsigned char *) "12345", 5);
}

static void
text_without_room_for_prefix(void)
{
	char		text[64];

	envelope_to_text(text, ENVELOPE_TEXT_PREFIX_LEN - 1, (const unsigned char *) "12345", 5);
}

static void
test_text_without_room_aborts(void)
{
	CHECK(unit_aborts(text_without_room));
	CHECK(unit_aborts(text_without_room_for_prefix));
}

static WireForm
wire_form(const void *bytes, size_t len)
{
	return envelope_wire_form(unit_copy(bytes, len), len);
}

static void
test_wire_magic(void)
{
	static const unsigned char magic[8] = {0xff, 's', 'e', 'a', 'l', '1', '\r', '\n'};

	CHECK(memcmp(ENVELOPE_WIRE_MAGIC, magic, sizeof(magic)) == 0);
	CHECK(wire_form(magic, sizeof(magic)) == WIRE_ENVELOPE);
	CHECK(wire_form(ENVELOPE_WIRE_MAGIC "more", 12) == WIRE_ENVELOPE);
}

static void
test_wire_one_bit(void)
{
	size_t		bit;

	for (bit = 0; bit < 8 * ENVELOPE_WIRE_MAGIC_LEN; bit++)
	{
		unsigned char *bytes = unit_copy(ENVELOPE_WIRE_MAGIC "more", 12);

		unit_note("bit %zu", bit);
		bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		CHECK(wire_form(bytes, 12) == WIRE_MALFORMED);
		CHECK(wire_form(bytes, 8) == WIRE_MALFORMED);
		CHECK(wire_form(bytes, 7) == (bit < 56 ? WIRE_PLAIN : WIRE_MALFORMED));
		unit_release();
	}
}

static void
test_wire_two_bits(void)
{
	size_t		one;
	size_t		other;

	for (one = 0; one < 8 * ENVELOPE_WIRE_MAGIC_LEN; one++)
		for (other = 0; other < one; other++)
		{
			unsigned char bytes[] = ENVELOPE_WIRE_MAGIC "more";

			unit_note("bits %zu and %zu", one, other);
			bytes[one / 8] ^= (unsigned char) (1 << one % 8);
			bytes[other / 8] ^= (unsigned char) (1 << other % 8);
			CHECK(envelope_wire_form(bytes, 12) == WIRE_PLAIN);
		}
}

static void
test_wire_cut_short(void)
{
	size_t		len;

	for (len = 1; len < ENVELOPE_WIRE_MAGIC_LEN; len++)
	{
		unit_note("%zu bytes", len);
		CHECK(wire_form(ENVELOPE_WIRE_MAGIC, len) == WIRE_MALFORMED);
	}
}

/* Also a JPEG file, which starts with the same byte as the magic. */
static void
test_wire_plain(void)
{
	static const char *const plain[] = {
		"", "x", "\177", "HIV positive", "seal1", "seal1\r\n", "seal1:AAAA",
		"\377S", "\377sea1", "\377\330\377\340\020JFIF", "\200seal1\r", "\377seal2\n\n"
	};
	size_t		i;

	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
	{
		unit_note("value %zu", i);
		CHECK(wire_form(plain[i], strlen(plain[i])) == WIRE_PLAIN);
	}
	CHECK(envelope_wire_form(NULL, 0) == WIRE_PLAIN);
}

static void
test_padded_len(void)
{
	size_t		len;
	size_t		pad;

	for (pad = 1; pad <= 40; pad++)
		for (len = 0; len <= 100; len++)
		{
			size_t		padded_len = payload_padded_len(len, pad);

			unit_note("%zu bytes, pad %zu", len, pad);
			CHECK(padded_len > len && padded_len <= len + pad && padded_len % pad == 0);
		}
	CHECK(payload_padded_len(0, 16) == 16);
	CHECK(payload_padded_len(15, 16) == 16);
	CHECK(payload_padded_len(16, 16) == 32);
	CHECK(payload_padded_len(7, 1) == 8);
}

static void
test_padding_bytes(void)
{
	static const unsigned char wanted[] = {'H', 'I', 'V', 0x80, 0, 0, 0, 0};
	unsigned char *payload = unit_copy("HIV?????", 8);

	payload_pad(payload, 3, 8);
	CHECK(memcmp(payload, wanted, sizeof(wanted)) == 0);
	payload_pad(payload, 7, 8);
	CHECK(payload[7] == 0x80 && memcmp(payload, wanted, 7) == 0);
}

/* Payloads that look like padding themselves: all 0x80, all zero, and random. */
static void
test_padding_both_ways(void)
{
	size_t		len;
	size_t		pad;
	int			kind;

	for (pad = 1; pad <= 24; pad++)
		for (len = 0; len <= 70; len++)
			for (kind = 0; kind < 3; kind++)
			{
				size_t		padded_len = payload_padded_len(len, pad);
				unsigned char *payload = unit_bytes(padded_len);
				size_t		found;
				size_t		sodium_found;

				unit_note("%zu bytes, pad %zu, kind %d", len, pad, kind);
				if (kind < 2)
					memset(payload, kind == 0 ? 0x80 : 0, padded_len);
				else
					unit_random(payload, padded_len);
				payload_pad(payload, len, padded_len);
				CHECK(payload_unpad(&found, payload, padded_len) && found == len);
				CHECK(sodium_unpad(&sodium_found, payload, padded_len, pad) == 0);
				CHECK(sodium_found == len);
				unit_release();
			}
}

static void
test_no_padding(void)
{
	size_t		len;

	for (len = 0; len <= 40; len++)
	{
		unsigned char *payload = unit_bytes(len);
		size_t		found = 12345;
		size_t		last;

		unit_note("%zu zeros", len);
		memset(payload, 0, len);
		CHECK(!payload_unpad(&found, payload, len) && found == 0);
		for (last = 0; last < len; last++)
		{
			unit_note("%zu bytes, the last that is not zero at %zu", len, last);
			memset(payload, 0x80, last);
			payload[last] = (unsigned char) (last % 2 == 0 ? 0x81 : 0x01);
			found = 12345;
			CHECK(!payload_unpad(&found, payload, len) && found == 0);
		}
		unit_release();
	}
}

/* Each last byte but the marker is refused. */
static void
test_marker(void)
{
	int			value;

	for (value = 0; value < 256; value++)
	{
		unsigned char payload[8] = {1, 2, 3, 4, 5, 6, (unsigned char) value, 0};
		size_t		found;

		unit_note("byte %d", value);
		CHECK(payload_unpad(&found, payload, sizeof(payload)) == (value == 0x80));
	}
}

static void
pad_of_zero(void)
{
	payload_padded_len(5, 0);
}

static void
pad_beyond_memory(void)
{
	payload_padded_len(SIZE_MAX - 8, 16);
}

static void
pad_without_room(void)
{
	unsigned char payload[8];

	payload_pad(payload, 8, 8);
}

static void
test_impossible_pad_aborts(void)
{
	CHECK(unit_aborts(pad_of_zero));
	CHECK(unit_aborts(pad_beyond_memory));
	CHECK(unit_aborts(pad_without_room));
}

int
main(void)
{
	unit_start();
	unit_run("head: written byte by byte as documented", test_head_bytes);
	unit_run("head: lengths for all flags", test_lengths);
	unit_run("parse: gives back every field", test_fields);
	unit_run("parse: points at nonce, ciphertext, tag and associated data", test_pointers);
	unit_run("parse: refuses every other suite", test_suite);
	unit_run("parse: refuses unknown and contradictory flags at any length", test_flags);
	unit_run("parse: refuses a key id of 32 bits", test_key_id);
	unit_run("parse: refuses type 0", test_type);
	unit_run("parse: refuses less than one byte of ciphertext", test_body_length);
	unit_run("parse: refuses a head cut short", test_head_cut_short);
	unit_run("parse: refuses bytes behind a token-only envelope", test_token_only_trailing);
	unit_run("parse: leaves nothing of what it refused", test_refused_leaves_nothing);
	unit_run("parse: accepts only what would be written", test_one_form);
	unit_run("head: an unsound one aborts instead of losing a value", test_unsound_head_aborts);
	unit_run("text: both ways for all lengths", test_text_both_ways);
	unit_run("text: base64url alphabet", test_text_known);
	unit_run("text: does not write more than there is room for", test_text_no_room);
	unit_run("text: needs its prefix", test_text_prefix);
	unit_run("text: refuses every character outside the alphabet", test_text_alphabet);
	unit_run("text: refuses padding, blanks and impossible lengths", test_text_strict);
	unit_run("text: refuses bits behind the last byte", test_text_trailing_bits);
	unit_run("text: a buffer too small aborts", test_text_without_room_aborts);
	unit_run("wire: the magic is an envelope", test_wire_magic);
	unit_run("wire: one flipped bit is malformed", test_wire_one_bit);
	unit_run("wire: two flipped bits are a plain value", test_wire_two_bits);
	unit_run("wire: the magic cut short is malformed", test_wire_cut_short);
	unit_run("wire: other values are plain", test_wire_plain);
	unit_run("pad: the next multiple, always more", test_padded_len);
	unit_run("pad: 0x80, then zeros", test_padding_bytes);
	unit_run("pad: both ways, as libsodium finds it", test_padding_both_ways);
	unit_run("unpad: refuses a payload without padding", test_no_padding);
	unit_run("unpad: only 0x80 marks the end", test_marker);
	unit_run("pad: an impossible one aborts", test_impossible_pad_aborts);
	return unit_finish();
}
