/*-------------------------------------------------------------------------
 * fuzz_envelope.c
 *		Fuzz target: any bytes as an envelope in its three forms.
 *
 * The first byte of the input says how the rest is taken:
 *
 *		0	text form		envelope_from_text
 *		1	wire form		envelope_wire_form
 *		2	stored form		envelope_parse, aead_open, payload_unpad
 *		3	a value to seal, open, alter in one place, and not open again
 *
 * Whatever parses must give the same bytes when it is written again, and what
 * opens must be what sealing gives, bit by bit.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "fuzz.h"

#include "crypto/crypto.h"

static const unsigned char key[SECRET_BYTES] = "the key of the fuzz target, 32 B";

static const uint8_t all_flags[] = {
	0,
	ENVELOPE_HAS_TOKEN,
	ENVELOPE_HAS_SUBJECT,
	ENVELOPE_HAS_TOKEN | ENVELOPE_HAS_SUBJECT,
	ENVELOPE_HAS_TOKEN | ENVELOPE_TOKEN_ONLY
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	REQUIRE(sodium_init() >= 0);
	return 0;
}

/* open_envelope: padded payload of a parsed envelope; the caller frees it; NULL when it does not open. */
static unsigned char *
open_envelope(const Envelope *envelope)
{
	AeadSubkey	subkey;
	unsigned char *padded;

	if (envelope->nonce == NULL)
		return NULL;
	padded = malloc(envelope->ciphertext_len);
	aead_subkey(&subkey, envelope->nonce, key);
	if (aead_open(padded, envelope->ciphertext, envelope->ciphertext_len, envelope->tag,
				  envelope->bound, envelope->bound_len, envelope->nonce, &subkey))
		return padded;
	REQUIRE(sodium_is_zero(padded, envelope->ciphertext_len));
	free(padded);
	return NULL;
}

/* require_same_envelope: writing what was parsed gives the bytes that were parsed. */
static void
require_same_envelope(const Envelope *envelope, const unsigned char *bytes, size_t len)
{
	size_t		head_len = envelope_head_len(envelope->flags);
	unsigned char *head = malloc(head_len);

	REQUIRE(envelope_len(envelope->flags, envelope->ciphertext_len) == len);
	envelope_write_head(head, envelope);
	REQUIRE(memcmp(head, bytes, head_len) == 0);
	free(head);
	REQUIRE(envelope->bound == bytes && envelope->bound_len == head_len);
	if (envelope->flags & ENVELOPE_TOKEN_ONLY)
	{
		REQUIRE(envelope->nonce == NULL && envelope->ciphertext == NULL && envelope->tag == NULL);
		return;
	}
	REQUIRE(envelope->ciphertext_len > 0);
	REQUIRE(envelope->nonce == bytes + head_len);
	REQUIRE(envelope->ciphertext == envelope->nonce + NONCE_BYTES);
	REQUIRE(envelope->tag + TAG_BYTES == bytes + len);
}

/* require_sealed: padded is what sealing turns into this very envelope. */
static void
require_sealed(const Envelope *envelope, const unsigned char *padded)
{
	size_t		len = envelope->ciphertext_len;
	unsigned char *again = malloc(len);
	unsigned char tag[TAG_BYTES];
	size_t		payload_len;
	AeadSubkey	subkey;

	aead_subkey(&subkey, envelope->nonce, key);
	aead_seal(again, tag, padded, len, envelope->bound, envelope->bound_len, envelope->nonce, &subkey);
	REQUIRE(memcmp(again, envelope->ciphertext, len) == 0);
	REQUIRE(memcmp(tag, envelope->tag, TAG_BYTES) == 0);
	if (payload_unpad(&payload_len, padded, len))
	{
		REQUIRE(payload_len < len);
		memcpy(again, padded, payload_len);
		payload_pad(again, payload_len, len);
		REQUIRE(memcmp(again, padded, len) == 0);
	}
	else
		REQUIRE(payload_len == 0);
	free(again);
}

/* require_same_text: the text form of these bytes is read as these bytes. */
static void
require_same_text(const unsigned char *bytes, size_t len)
{
	size_t		text_len = envelope_text_len(len);
	char	   *text = malloc(text_len + 1);
	unsigned char *read = malloc(text_len * 3 / 4);
	size_t		read_len;

	envelope_to_text(text, text_len + 1, bytes, len);
	REQUIRE(strlen(text) == text_len);
	REQUIRE(envelope_from_text(read, text_len * 3 / 4, &read_len, text, text_len));
	REQUIRE(read_len == len && memcmp(read, bytes, len) == 0);
	free(read);
	free(text);
}

static void
try_stored(const unsigned char *bytes, size_t len)
{
	Envelope	envelope;
	unsigned char *padded;

	if (!envelope_parse(&envelope, bytes, len))
	{
		REQUIRE(sodium_is_zero((unsigned char *) &envelope, sizeof(envelope)));
		return;
	}
	require_same_envelope(&envelope, bytes, len);
	require_same_text(bytes, len);
	padded = open_envelope(&envelope);
	if (padded != NULL)
		require_sealed(&envelope, padded);
	free(padded);
}

static void
try_text(const char *text, size_t len)
{
	unsigned char *room = malloc(len * 3 / 4);
	unsigned char *bytes;
	size_t		bytes_len;
	char	   *again;

	if (envelope_from_text(room, len * 3 / 4, &bytes_len, text, len))
	{
		bytes = copy_exactly(room, bytes_len);
		again = malloc(envelope_text_len(bytes_len) + 1);
		REQUIRE(envelope_text_len(bytes_len) == len);
		envelope_to_text(again, len + 1, bytes, bytes_len);
		REQUIRE(memcmp(again, text, len) == 0);
		try_stored(bytes, bytes_len);
		free(again);
		free(bytes);
	}
	else
		REQUIRE(bytes_len == 0);
	free(room);
}

/* bits_apart_from_magic: counted naively, bit by bit. */
static int
bits_apart_from_magic(const unsigned char *bytes)
{
	int			bits = 0;

	for (int i = 0; i < 8 * ENVELOPE_WIRE_MAGIC_LEN; i++)
		bits += ((bytes[i / 8] ^ (unsigned char) ENVELOPE_WIRE_MAGIC[i / 8]) >> i % 8) & 1;
	return bits;
}

static void
try_wire(const unsigned char *bytes, size_t len)
{
	WireForm	form = envelope_wire_form(bytes, len);
	unsigned char *envelope;

	if (len < ENVELOPE_WIRE_MAGIC_LEN)
	{
		REQUIRE(form != WIRE_ENVELOPE);
		REQUIRE((form == WIRE_MALFORMED) == (len > 0 && memcmp(bytes, ENVELOPE_WIRE_MAGIC, len) == 0));
		return;
	}
	REQUIRE((form == WIRE_ENVELOPE) == (bits_apart_from_magic(bytes) == 0));
	REQUIRE((form == WIRE_MALFORMED) == (bits_apart_from_magic(bytes) == 1));
	if (form != WIRE_ENVELOPE)
		return;
	envelope = copy_exactly(bytes + ENVELOPE_WIRE_MAGIC_LEN, len - ENVELOPE_WIRE_MAGIC_LEN);
	try_stored(envelope, len - ENVELOPE_WIRE_MAGIC_LEN);
	free(envelope);
}

/* seal_input: an envelope whose head, nonce and payload the input says; the caller frees both. */
static unsigned char *
seal_input(size_t *len, unsigned char **payload, size_t *payload_len, Input *input)
{
	Envelope	head = {0};
	unsigned char token[TOKEN_BYTES];
	unsigned char numbers[6];
	unsigned char nonce[NONCE_BYTES];
	size_t		pad = 1 + take_byte(input) % 64;
	unsigned char *bytes;
	unsigned char *padded;
	size_t		padded_len;
	AeadSubkey	subkey;

	head.flags = all_flags[take_byte(input) % sizeof(all_flags)];
	take_bytes(numbers, sizeof(numbers), input);
	head.key_version = (uint16_t) (numbers[0] << 8 | numbers[1]);
	head.key_id = (uint32_t) (numbers[2] & 0x7f) << 24 | numbers[3] << 16 | numbers[4] << 8 | numbers[5];
	head.type = take_byte(input) | 1;
	if (head.flags & ENVELOPE_HAS_SUBJECT)
	{
		head.subject = take_byte(input);
		take_bytes(head.context, sizeof(head.context), input);
	}
	take_bytes(token, sizeof(token), input);
	head.token = token;
	take_bytes(nonce, sizeof(nonce), input);
	*payload_len = input->left;
	*payload = copy_exactly(input->next, input->left);

	padded_len = payload_padded_len(*payload_len, pad);
	*len = envelope_len(head.flags, padded_len);
	bytes = malloc(*len);
	envelope_write_head(bytes, &head);
	if (head.flags & ENVELOPE_TOKEN_ONLY)
		return bytes;
	memcpy(bytes + envelope_head_len(head.flags), nonce, NONCE_BYTES);
	padded = bytes + envelope_head_len(head.flags) + NONCE_BYTES;
	if (*payload_len > 0)
		memcpy(padded, *payload, *payload_len);
	payload_pad(padded, *payload_len, padded_len);
	aead_subkey(&subkey, nonce, key);
	aead_seal(padded, padded + padded_len, padded, padded_len,
			  bytes, envelope_head_len(head.flags), nonce, &subkey);
	return bytes;
}

/* require_opens: the envelope opens, and to this payload. */
static void
require_opens(const unsigned char *bytes, size_t len, const unsigned char *payload, size_t payload_len)
{
	Envelope	envelope;
	unsigned char *padded;
	size_t		opened_len;

	REQUIRE(envelope_parse(&envelope, bytes, len));
	if (envelope.flags & ENVELOPE_TOKEN_ONLY)
		return;
	padded = open_envelope(&envelope);
	REQUIRE(padded != NULL);
	REQUIRE(payload_unpad(&opened_len, padded, envelope.ciphertext_len));
	REQUIRE(opened_len == payload_len);
	REQUIRE(payload_len == 0 || memcmp(padded, payload, payload_len) == 0);
	free(padded);
}

/* alter: one bit turned, cut short, or a byte longer; the caller frees it. */
static unsigned char *
alter(size_t *altered_len, const unsigned char *bytes, size_t len, uint8_t how, uint16_t where)
{
	unsigned char *longer = malloc(len + 1);
	unsigned char *altered;

	memcpy(longer, bytes, len);
	longer[len] = (unsigned char) where;
	*altered_len = len;
	if (how % 8 == 0)
		*altered_len = where % len;
	else if (how % 8 == 1)
		*altered_len = len + 1;
	else
		longer[where % len] ^= (unsigned char) (1 << how / 8 % 8);
	altered = copy_exactly(longer, *altered_len);
	free(longer);
	return altered;
}

static void
try_sealed(Input *input)
{
	uint8_t		how = take_byte(input);
	uint8_t		where_high = take_byte(input);
	uint16_t	where = (uint16_t) (where_high << 8 | take_byte(input));
	unsigned char *payload;
	size_t		payload_len;
	size_t		len;
	unsigned char *bytes = seal_input(&len, &payload, &payload_len, input);
	size_t		altered_len;
	unsigned char *altered = alter(&altered_len, bytes, len, how, where);
	Envelope	envelope;

	require_opens(bytes, len, payload, payload_len);
	try_stored(bytes, len);
	try_stored(altered, altered_len);
	if (envelope_parse(&envelope, altered, altered_len))
		REQUIRE(open_envelope(&envelope) == NULL);
	free(altered);
	free(bytes);
	free(payload);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	Input		input = {data, len};
	uint8_t		way = take_byte(&input);
	unsigned char *rest = copy_exactly(input.next, input.left);

	switch (way % 4)
	{
		case 0:
			try_text((char *) rest, input.left);
			break;
		case 1:
			try_wire(rest, input.left);
			break;
		case 2:
			try_stored(rest, input.left);
			break;
		default:
			try_sealed(&input);
			break;
	}
	free(rest);
	return 0;
}
