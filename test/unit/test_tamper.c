/*-------------------------------------------------------------------------
 * test_tamper.c
 *		No altered or shortened envelope opens, in any of its forms.
 *
 * A token-only envelope has no tag: for it the promise is that an altered one
 * is refused or is a token-only envelope with that very alteration.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "sample.h"

static const unsigned char some_key[SECRET_BYTES] = "a secret of thirty-one letters.";
static const unsigned char some_nonce[NONCE_BYTES] = "twenty-three letters ..";
static const unsigned char some_token[TOKEN_BYTES] = "fifteen letters";
static const char payload[] = "HIV positive";

static unsigned char *
sealed_with(size_t *len, uint8_t flags)
{
	Envelope	head = {
		.flags = flags,
		.key_version = 3,
		.key_id = 0x12345678,
		.type = 1,
		.subject = 491840,
		.context = {1, 2, 3, 4, 5, 6, 7, 8},
		.token = some_token
	};

	return sample_seal(len, &head, (const unsigned char *) payload, sizeof(payload) - 1, 16,
					   some_nonce, some_key);
}

static bool
opens(const unsigned char *bytes, size_t len)
{
	unsigned char *out = unit_bytes(len);
	size_t		out_len;

	return sample_open(out, &out_len, bytes, len, some_key) &&
		out_len == sizeof(payload) - 1 && memcmp(out, payload, out_len) == 0;
}

static void
test_untouched(void)
{
	size_t		i;
	size_t		len;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
	{
		const unsigned char *bytes = sealed_with(&len, sample_flags[i]);

		unit_note("flags %d", sample_flags[i]);
		CHECK(opens(bytes, len) == !(sample_flags[i] & ENVELOPE_TOKEN_ONLY));
	}
}

static void
test_cut_short(void)
{
	size_t		i;
	size_t		len;
	size_t		cut;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
		for (cut = 0, len = 1; cut < len; cut++)
		{
			const unsigned char *bytes = sealed_with(&len, sample_flags[i]);

			unit_note("flags %d, %zu of %zu bytes", sample_flags[i], cut, len);
			CHECK(!opens(unit_copy(bytes, cut), cut));
			unit_release();
		}
}

static void
test_cut_at_the_front(void)
{
	size_t		i;
	size_t		len;
	size_t		cut;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
		for (cut = 1, len = 2; cut < len; cut++)
		{
			const unsigned char *bytes = sealed_with(&len, sample_flags[i]);

			unit_note("flags %d, without the first %zu bytes", sample_flags[i], cut);
			CHECK(!opens(unit_copy(bytes + cut, len - cut), len - cut));
			unit_release();
		}
}

static void
test_made_longer(void)
{
	size_t		i;
	size_t		len;
	int			value;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
		for (value = 0; value < 256; value++)
		{
			const unsigned char *bytes = sealed_with(&len, sample_flags[i]);
			unsigned char *longer = unit_bytes(len + 1);

			unit_note("flags %d, byte %d behind", sample_flags[i], value);
			memcpy(longer, bytes, len);
			longer[len] = (unsigned char) value;
			CHECK(!opens(longer, len + 1));
			unit_release();
		}
}

static void
test_flipped(void)
{
	size_t		i;
	size_t		len;
	size_t		bit;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
		for (bit = 0, len = 1; bit < 8 * len; bit++)
		{
			unsigned char *bytes = sealed_with(&len, sample_flags[i]);

			unit_note("flags %d, bit %zu of byte %zu", sample_flags[i], bit % 8, bit / 8);
			bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
			CHECK(!opens(bytes, len));
			unit_release();
		}
}

/* The bits of suite, flags and the top bit of the key id are refused; the others show. */
static void
test_flipped_token_only(void)
{
	size_t		len;
	size_t		bit;

	for (bit = 0, len = 1; bit < 8 * len; bit++)
	{
		unsigned char *bytes = sealed_with(&len, ENVELOPE_HAS_TOKEN | ENVELOPE_TOKEN_ONLY);
		unsigned char *again = unit_bytes(len);
		Envelope	envelope;
		bool		parsed;

		unit_note("bit %zu of byte %zu", bit % 8, bit / 8);
		bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		parsed = envelope_parse(&envelope, bytes, len);
		/* the type of the sample is 1, so its lowest bit makes it 0 */
		CHECK(parsed == !(bit / 8 < 2 || bit == 8 * 4 + 7 || bit == 8 * 8));
		if (parsed)
		{
			CHECK(envelope.nonce == NULL);
			envelope_write_head(again, &envelope);
			CHECK(memcmp(again, bytes, len) == 0);
		}
		unit_release();
	}
}

/* The text form of an envelope with these flags, with its NUL. */
static char *
text_with(size_t *text_len, size_t *len, uint8_t flags)
{
	const unsigned char *bytes = sealed_with(len, flags);
	char	   *text;

	*text_len = envelope_text_len(*len);
	text = (char *) unit_bytes(*text_len + 1);
	envelope_to_text(text, *text_len + 1, bytes, *len);
	return text;
}

/*
 * Refused as text, or by what opens it.  Never read as the envelope it was: two
 * texts of one envelope would be two values where one is meant.
 */
static bool
text_refused(const char *text, size_t text_len, uint8_t flags)
{
	size_t		len;
	size_t		read_len;
	const unsigned char *bytes = sealed_with(&len, flags);
	unsigned char *read = unit_bytes(text_len);

	if (!envelope_from_text(read, text_len, &read_len, text, text_len))
		return true;
	if (read_len == len && memcmp(read, bytes, len) == 0)
		return false;
	return !opens(read, read_len);
}

static void
test_text_untouched(void)
{
	size_t		i;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
	{
		size_t		text_len;
		size_t		len;
		size_t		read_len;
		const char *text = text_with(&text_len, &len, sample_flags[i]);
		unsigned char *read = unit_bytes(len);

		unit_note("flags %d", sample_flags[i]);
		CHECK(envelope_from_text(read, len, &read_len, text, text_len) && read_len == len);
		CHECK(opens(read, len) == !(sample_flags[i] & ENVELOPE_TOKEN_ONLY));
	}
}

static void
test_text_cut_short(void)
{
	size_t		i;
	size_t		text_len;
	size_t		len;
	size_t		cut;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
		for (cut = 0, text_len = 1; cut < text_len; cut++)
		{
			const char *text = text_with(&text_len, &len, sample_flags[i]);

			unit_note("flags %d, %zu of %zu characters", sample_flags[i], cut, text_len);
			CHECK(text_refused((const char *) unit_copy(text, cut), cut, sample_flags[i]));
			unit_release();
		}
}

static void
test_text_flipped(void)
{
	size_t		i;
	size_t		text_len;
	size_t		len;
	size_t		bit;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
		for (bit = 0, text_len = 1; bit < 8 * text_len; bit++)
		{
			char	   *text = text_with(&text_len, &len, sample_flags[i]);

			unit_note("flags %d, bit %zu of character %zu", sample_flags[i], bit % 8, bit / 8);
			text[bit / 8] = (char) (text[bit / 8] ^ 1 << bit % 8);
			CHECK(text_refused(text, text_len, sample_flags[i]));
			unit_release();
		}
}

static void
test_wire_flipped(void)
{
	size_t		i;
	size_t		len;
	size_t		bit;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
		for (bit = 0, len = 1; bit < 8 * (ENVELOPE_WIRE_MAGIC_LEN + len); bit++)
		{
			const unsigned char *bytes = sealed_with(&len, sample_flags[i]);
			unsigned char *wire = unit_bytes(ENVELOPE_WIRE_MAGIC_LEN + len);

			unit_note("flags %d, bit %zu of byte %zu", sample_flags[i], bit % 8, bit / 8);
			memcpy(wire, ENVELOPE_WIRE_MAGIC, ENVELOPE_WIRE_MAGIC_LEN);
			memcpy(wire + ENVELOPE_WIRE_MAGIC_LEN, bytes, len);
			wire[bit / 8] ^= (unsigned char) (1 << bit % 8);
			CHECK(envelope_wire_form(wire, ENVELOPE_WIRE_MAGIC_LEN + len) != WIRE_PLAIN);
			unit_release();
		}
}

static void
test_other_key(void)
{
	size_t		i;
	size_t		len;
	size_t		out_len;

	for (i = 0; i < SAMPLE_FLAGS_COUNT; i++)
	{
		const unsigned char *bytes = sealed_with(&len, sample_flags[i]);
		unsigned char *out = unit_bytes(len);
		unsigned char key[SECRET_BYTES];

		unit_note("flags %d", sample_flags[i]);
		memcpy(key, some_key, sizeof(key));
		key[SECRET_BYTES - 1] ^= 0x80;
		CHECK(!sample_open(out, &out_len, bytes, len, key));
	}
}

int
main(void)
{
	unit_start();
	unit_run("envelope: opens when untouched, unless token-only", test_untouched);
	unit_run("envelope: no shorter one opens", test_cut_short);
	unit_run("envelope: none without its first bytes opens", test_cut_at_the_front);
	unit_run("envelope: no longer one opens", test_made_longer);
	unit_run("envelope: none with a flipped bit opens", test_flipped);
	unit_run("envelope: a flipped bit in a token-only one is refused or shows", test_flipped_token_only);
	unit_run("envelope: does not open with another key", test_other_key);
	unit_run("text: read as it was written", test_text_untouched);
	unit_run("text: no shorter one opens", test_text_cut_short);
	unit_run("text: a flipped bit is refused, never the same envelope", test_text_flipped);
	unit_run("wire: a flipped bit never makes a plain value", test_wire_flipped);
	return unit_finish();
}
