/*-------------------------------------------------------------------------
 * test_note.c
 *		note.c and checkpoint.c: what is signed verifies, and nothing else does.
 *
 * Known answers are those of golang.org/x/mod/sumdb/note (example_test.go,
 * note_test.go) and of https://c2sp.org/signed-note; our own are in log.tsv,
 * see test_vectors.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "unit.h"

#define PETER		"PeterNeumann"
#define PETER_KEY	"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define PETER_SEED	"810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173"
#define PETER_SIGN \
	"\342\200\224 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
#define ENOCH_KEY	"EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
#define ENOCH_SIGN \
	"\342\200\224 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
#define GO_TEXT \
	"If you think cryptography is the answer to your problem,\n" \
	"then you don't know what your problem is.\n"

#define C2SP_KEY	"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define C2SP_NOTE \
	"This is an example message.\n\n" \
	"\342\200\224 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"

#define LOG			"pgseal.example/log"
#define ROOT_TEXT	"XcnacfpSzx9d1rhrwIHZ6z5cGpXwPn2DNTSYh1xgVNU="
#define ROOM		(3 * CHECKPOINT_NOTE_MAX_BYTES)

static const unsigned char secret[SECRET_BYTES] = "a secret of thirty-one letters.";

static NoteKey
key_of(const char *text)
{
	NoteKey		key;

	CHECK(note_key_from_text(&key, text, strlen(text)));
	return key;
}

static NoteKey
own_key(void)
{
	NoteKey		key;

	CHECK(note_key_make(&key, LOG, secret));
	return key;
}

/* Of text in guarded memory; a length that was told must be that of the text. */
static bool
verifies(const char *note, size_t len, const NoteKey *key)
{
	size_t		text_len = SIZE_MAX;
	bool		holds = note_verify(&text_len, note, len, key);

	CHECK(holds ? text_len < len && note[text_len] == '\n' : text_len == 0);
	return holds;
}

static bool
verifies_text(const char *note, const NoteKey *key)
{
	return verifies((char *) unit_copy(note, strlen(note)), strlen(note), key);
}

/* A note of ours in guarded memory. */
static char *
sign(size_t *len, const char *text, const char *name)
{
	char	   *note = (char *) unit_bytes(ROOM);

	CHECK(note_sign(note, ROOM, len, text, strlen(text), name, secret));
	CHECK(strlen(note) == *len);
	return (char *) unit_copy(note, *len);
}

static void
test_go_sign(void)
{
	char		note[500];
	size_t		len;
	size_t		seed_len;
	const unsigned char *seed = unit_hex(&seed_len, PETER_SEED);

	CHECK(note_sign(note, sizeof(note), &len, GO_TEXT, strlen(GO_TEXT), PETER, seed));
	CHECK(strcmp(note, GO_TEXT "\n" PETER_SIGN) == 0 && len == strlen(note));
	memset(note, 0, sizeof(note));
	memcpy(note, GO_TEXT, strlen(GO_TEXT));
	CHECK(note_sign(note, sizeof(note), &len, note, strlen(GO_TEXT), PETER, seed));
	CHECK(strcmp(note, GO_TEXT "\n" PETER_SIGN) == 0);
}

static void
test_go_keys(void)
{
	const unsigned char zeros[SECRET_BYTES] = {0};
	char		text[NOTE_KEY_TEXT_MAX_BYTES];
	size_t		seed_len;
	NoteKey		key;

	CHECK(note_key_make(&key, PETER, unit_hex(&seed_len, PETER_SEED)));
	note_key_to_text(text, &key);
	CHECK(strcmp(text, PETER_KEY) == 0);
	CHECK(note_key_make(&key, "EnochRoot", zeros));
	note_key_to_text(text, &key);
	CHECK(strcmp(text, ENOCH_KEY) == 0);
}

static void
test_known_notes(void)
{
	NoteKey		peter = key_of(PETER_KEY);
	NoteKey		enoch = key_of(ENOCH_KEY);
	NoteKey		foo = key_of(C2SP_KEY);
	size_t		len;

	CHECK(verifies_text(GO_TEXT "\n" PETER_SIGN, &peter));
	CHECK(verifies_text(GO_TEXT "\n" PETER_SIGN ENOCH_SIGN, &peter));
	CHECK(verifies_text(GO_TEXT "\n" PETER_SIGN ENOCH_SIGN, &enoch));
	CHECK(!verifies_text(GO_TEXT "\n" PETER_SIGN, &enoch));
	CHECK(verifies_text(C2SP_NOTE, &foo));
	CHECK(!verifies_text(C2SP_NOTE, &peter));
	CHECK(note_verify(&len, GO_TEXT "\n" PETER_SIGN, strlen(GO_TEXT "\n" PETER_SIGN), &peter));
	CHECK(len == strlen(GO_TEXT));
}

/* refuses_key: and leaves nothing of it. */
static bool
refuses_key(const char *text, size_t len)
{
	NoteKey		key;
	bool		refused = !note_key_from_text(&key, (char *) unit_copy(text, len), len);

	unit_release();
	return refused && unit_is_filled((unsigned char *) &key, sizeof(key), 0);
}

/*
 * A flipped bit of the name can only be noticed by the id, which is 4 bytes long;
 * none of these few is a collision.
 */
static void
test_key_text_altered(void)
{
	char		text[NOTE_KEY_TEXT_MAX_BYTES];
	size_t		len = strlen(PETER_KEY);
	size_t		bit;
	size_t		i;

	strcpy(text, PETER_KEY);
	for (bit = 0; bit < 8 * len; bit++)
	{
		unit_note("bit %zu", bit);
		text[bit / 8] = (char) (text[bit / 8] ^ 1 << bit % 8);
		CHECK(refuses_key(text, len));
		text[bit / 8] = (char) (text[bit / 8] ^ 1 << bit % 8);
	}
	for (i = 0; i < len; i++)
	{
		unit_note("cut at %zu", i);
		CHECK(refuses_key(text, i));
	}
	for (i = 0; i < 256; i++)
	{
		unit_note("byte %zu behind", i);
		text[len] = (char) i;
		CHECK(refuses_key(text, len + 1));
	}
}

static void
test_key_text_refused(void)
{
	static const char *const refused[] = {
		"PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		/* a longer key, and one of another type, with the ids they would have */
		"PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
		"PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		" PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann++c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"PeterNeumann-c74f20a3-ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
		"+", "++", ""
	};
	size_t		i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		unit_note("%s", refused[i]);
		CHECK(refuses_key(refused[i], strlen(refused[i])));
	}
}

static bool
takes_name(const char *name)
{
	NoteKey		key;
	NoteKey		again;
	char		text[NOTE_KEY_TEXT_MAX_BYTES];
	char		note[ROOM];
	size_t		len;
	bool		taken = note_key_make(&key, name, secret);

	CHECK(note_sign(note, sizeof(note), &len, "text\n", 5, name, secret) == taken);
	if (!taken)
	{
		CHECK(len == 0 && unit_is_filled((unsigned char *) &key, sizeof(key), 0));
		return false;
	}
	CHECK(strcmp(key.name, name) == 0);
	note_key_to_text(text, &key);
	CHECK(note_key_from_text(&again, text, strlen(text)));
	CHECK(memcmp(&again, &key, sizeof(key)) == 0);
	CHECK(verifies(note, len, &key));
	return true;
}

static void
test_names(void)
{
	static const char *const refused[] = {
		"", "a b", " a", "a ", "a+b", "+", "a\nb", "a\tb", "a\rb", "\001", "\037",
		/* spaces beyond ASCII */
		"a\302\205", "a\302\240b", "\341\232\200", "\342\200\200", "\342\200\212", "\342\200\250",
		"\342\200\251", "\342\200\257", "\342\201\237", "\343\200\200",
		/* no UTF-8: alone, cut short, too long, surrogate, too large */
		"\200", "a\277", "\302", "\302a", "\342\202", "\360\237\230", "\300\257", "\301\277",
		"\340\237\277", "\355\240\200", "\355\277\277", "\360\217\277\277", "\364\220\200\200",
		"\365\200\200\200", "\370\210\200\200\200", "\376", "\377"
	};
	static const char *const taken[] = {
		"a", LOG, "caf\303\251", "\302\200", "\337\277", "\340\240\200", "\342\200\213", "\355\237\277",
		"\356\200\200", "\357\277\277", "\360\220\200\200", "\364\217\277\277", "a-b_c.d/e:f?~\177"
	};
	char		name[NOTE_NAME_MAX_BYTES + 2] = {0};
	size_t		i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		unit_note("refused %zu", i);
		CHECK(!takes_name(refused[i]));
	}
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
	{
		unit_note("taken %zu", i);
		CHECK(takes_name(taken[i]));
	}
	memset(name, 'n', NOTE_NAME_MAX_BYTES);
	CHECK(takes_name(name));
	name[NOTE_NAME_MAX_BYTES] = 'n';
	CHECK(!takes_name(name));
}

static bool
takes_text(const char *text, size_t len)
{
	char		note[ROOM];
	size_t		note_len;
	bool		taken = note_sign(note, sizeof(note), &note_len, text, len, LOG, secret);
	NoteKey		key = own_key();

	if (taken)
		CHECK(verifies(note, note_len, &key));
	else
		CHECK(note_len == 0);
	return taken;
}

static void
test_texts(void)
{
	static const char *const refused[] = {
		"", "no newline", "a\tb\n", "a\rb\n", "a\r\n", "\033[2J\n", "a\001\n", "\037\n", "\200\n", "caf\351\n",
		"\300\212\n", "a\342\200\n", "\355\240\200\n", "a\n\342"
	};
	static const char *const taken[] = {
		"\n", "\n\n", "a\n", "a\n\nb\n", "\n\na\n", "caf\303\251\n", "\342\200\224 a b\n", "a\n\n\n", "\177\n"
	};
	size_t		i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		unit_note("refused %zu", i);
		CHECK(!takes_text(refused[i], strlen(refused[i])));
	}
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
	{
		unit_note("taken %zu", i);
		CHECK(takes_text(taken[i], strlen(taken[i])));
	}
	CHECK(!takes_text("a\0b\n", 4));
}

/* In each room that is too small nothing comes of it, and no byte behind it is written. */
static void
test_room(void)
{
	size_t		len;
	size_t		none;
	size_t		size;

	sign(&len, "text\n", LOG);
	for (size = 0; size <= len; size++)
	{
		char	   *note = (char *) unit_bytes(size);

		unit_note("%zu bytes", size);
		CHECK(!note_sign(note, size, &none, "text\n", 5, LOG, secret) && none == 0);
		unit_release();
	}
	CHECK(note_sign((char *) unit_bytes(len + 1), len + 1, &none, "text\n", 5, LOG, secret));
	CHECK(none == len);
	CHECK(!note_sign(NULL, SIZE_MAX, &none, NULL, SIZE_MAX, LOG, secret));
}

/* The largest note that is signed, and that is read. */
static void
test_largest(void)
{
	NoteKey		key = own_key();
	const char *line = "\342\200\224 witness AAAAAAA=\n";
	size_t		text_len = NOTE_MAX_BYTES - 1 - 4 - strlen(LOG) - 1 - 92 - 1;
	char	   *note = (char *) unit_bytes(NOTE_MAX_BYTES + 2);
	size_t		len;

	memset(note, 'x', NOTE_MAX_BYTES + 2);
	note[text_len] = '\n';
	CHECK(!note_sign(note, NOTE_MAX_BYTES + 2, &len, note, text_len + 1, LOG, secret));
	note[text_len - 1] = '\n';
	CHECK(note_sign(note, NOTE_MAX_BYTES + 2, &len, note, text_len, LOG, secret));
	CHECK(len == NOTE_MAX_BYTES && verifies(note, len, &key));

	/* a witness makes it longer: as long as allowed, then by one byte more */
	text_len -= strlen(line);
	note[text_len - 1] = '\n';
	CHECK(note_sign(note, NOTE_MAX_BYTES + 2, &len, note, text_len, LOG, secret));
	memcpy(note + len, line, strlen(line));
	CHECK(len + strlen(line) == NOTE_MAX_BYTES && verifies(note, NOTE_MAX_BYTES, &key));
	note[text_len] = '\n';
	CHECK(note_sign(note, NOTE_MAX_BYTES + 2, &len, note, text_len + 1, LOG, secret));
	memcpy(note + len, line, strlen(line));
	CHECK(verifies(note, len, &key) && !verifies(note, NOTE_MAX_BYTES + 1, &key));
}

static void
test_altered(void)
{
	NoteKey		key = own_key();
	size_t		len;
	char	   *note = sign(&len, "one line\n\nand a third\n", LOG);
	char	   *longer = (char *) unit_bytes(len + 1);
	size_t		bit;
	size_t		i;

	CHECK(verifies(note, len, &key));
	for (bit = 0; bit < 8 * len; bit++)
	{
		unit_note("bit %zu", bit);
		note[bit / 8] = (char) (note[bit / 8] ^ 1 << bit % 8);
		CHECK(!verifies(note, len, &key));
		note[bit / 8] = (char) (note[bit / 8] ^ 1 << bit % 8);
	}
	for (i = 0; i < len; i++)
	{
		unit_note("without byte %zu", i);
		memcpy(longer, note, i);
		memcpy(longer + i, note + i + 1, len - i - 1);
		CHECK(!verifies(longer, len - 1, &key));
		CHECK(!verifies(note, i, &key));
		CHECK(i == 0 || !verifies(note + i, len - i, &key));
	}
	for (i = 0; i <= len * 256; i++)
	{
		unit_note("a byte at %zu", i / 256);
		memcpy(longer, note, i / 256);
		longer[i / 256] = (char) i;
		memcpy(longer + i / 256 + 1, note + i / 256, len - i / 256);
		CHECK(!verifies(longer, len + 1, &key));
	}
}

/* holds_with: a note of ours, its signature between other lines. */
static bool
holds_with(const char *before, const char *after)
{
	NoteKey		key = own_key();
	size_t		len;
	char		text[ROOM];
	char		note[4 * ROOM];
	char	   *signed_note;
	bool		holds;

	signed_note = sign(&len, "text\n", LOG);
	memcpy(text, signed_note, len);
	text[len] = '\0';
	snprintf(note, sizeof(note), "text\n\n%s%s%s", before, text + 6, after);
	holds = verifies_text(note, &key);
	unit_release();
	return holds;
}

static void
test_other_lines(void)
{
	static const char *const malformed[] = {
		"\n", "x\n", "- a AAAAAAA=\n", "\342\200\224\n", "\342\200\224 \n", "\342\200\224 a\n", "\342\200\224 a \n",
		"\342\200\224a AAAAAAA=\n", "\342\200\224  AAAAAAA=\n", "\342\200\224 AAAAAAA=\n",
		"\342\200\224 a AAAAAAA\n", "\342\200\224 a AAAAAAA= \n", "\342\200\224 a  AAAAAAA=\n",
		"\342\200\224 a AAAAAAB=\n", "\342\200\224 a AAAA AAA=\n", "\342\200\224 a AAA-AAA=\n",
		"\342\200\224 a b AAAAAAA=\n", "\342\200\224 a+b AAAAAAA=\n", "\342\200\224 a\302\240b AAAAAAA=\n",
		"\342\200\224 a AAAAAAA=", "\342\200\224 a AAAAAAA=\r\n", "\342\200\224 a\200 AAAAAAA=\n",
		/* a key id and no signature, less than a key id, nothing */
		"\342\200\224 a AAAAAA==\n", "\342\200\224 a AAAA\n", "\342\200\224 a ====\n",
		"\342\200\223 a AAAAAAA=\n", " \342\200\224 a AAAAAAA=\n"
	};
	size_t		i;

	CHECK(holds_with("", ""));
	CHECK(holds_with("\342\200\224 a AAAAAAA=\n", ""));
	CHECK(holds_with("", "\342\200\224 a AAAAAAA=\n"));
	CHECK(holds_with(PETER_SIGN, ENOCH_SIGN));
	CHECK(holds_with("", "\342\200\224 caf\303\251 AAAAAAA=\n"));
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
	{
		unit_note("%zu", i);
		CHECK(!holds_with("", malformed[i]));
		CHECK(!holds_with(malformed[i], ""));
	}
}

/* own_line: a line of this name and id with this signature. */
static void
own_line(char line[200], const char *name, const unsigned char *id, const unsigned char *signature, size_t len)
{
	unsigned char bytes[100];
	char		text[150];

	memcpy(bytes, id, NOTE_KEY_ID_BYTES);
	memcpy(bytes + NOTE_KEY_ID_BYTES, signature, len);
	sodium_bin2base64(text, sizeof(text), bytes, NOTE_KEY_ID_BYTES + len, sodium_base64_VARIANT_ORIGINAL);
	snprintf(line, 200, "\342\200\224 %s %s\n", name, text);
}

/* A line under our name and id must fit, whatever else is there; under one of the two it is another's. */
static void
test_own_lines(void)
{
	NoteKey		key = own_key();
	unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
	unsigned char signing[crypto_sign_SECRETKEYBYTES];
	unsigned char signature[crypto_sign_BYTES + 1] = {0};
	const unsigned char other_id[NOTE_KEY_ID_BYTES] = {1, 2, 3, 4};
	char		line[200];

	crypto_sign_seed_keypair(public_key, signing, secret);
	crypto_sign_detached(signature, NULL, (const unsigned char *) "text\n", 5, signing);
	own_line(line, LOG, key.id, signature, crypto_sign_BYTES);
	CHECK(holds_with(line, line));
	own_line(line, LOG, key.id, signature, crypto_sign_BYTES + 1);
	CHECK(!holds_with(line, "") && !holds_with("", line));
	own_line(line, LOG, key.id, signature, crypto_sign_BYTES - 1);
	CHECK(!holds_with(line, "") && !holds_with("", line));
	own_line(line, LOG, key.id, signature, 1);
	CHECK(!holds_with(line, "") && !holds_with("", line));
	signature[10] ^= 1;
	own_line(line, LOG, key.id, signature, crypto_sign_BYTES);
	CHECK(!holds_with(line, "") && !holds_with("", line));
	own_line(line, LOG, other_id, signature, crypto_sign_BYTES);
	CHECK(holds_with(line, "") && holds_with("", line));
	own_line(line, LOG "2", key.id, signature, crypto_sign_BYTES);
	CHECK(holds_with(line, "") && holds_with("", line));
}

/* Name and id right, key another: somebody who found a collision of the short id. */
static void
test_colliding_key(void)
{
	NoteKey		key = own_key();
	NoteKey		forged;
	unsigned char other[SECRET_BYTES] = "another secret of thirty-two...";
	size_t		len;
	char	   *note = sign(&len, "text\n", LOG);

	CHECK(note_key_make(&forged, LOG, other));
	CHECK(!verifies(note, len, &forged));
	memcpy(forged.id, key.id, NOTE_KEY_ID_BYTES);
	CHECK(!verifies(note, len, &forged));
	memset(forged.public_key, 0, NOTE_PUBLIC_BYTES);
	CHECK(!verifies(note, len, &forged));
	CHECK(verifies(note, len, &key));
}

/* add_line: a line of a witness, with a signature so many characters long. */
static void
add_line(char *note, size_t *len, size_t encoded_len)
{
	const char *start = "\342\200\224 witness ";

	memcpy(note + *len, start, strlen(start));
	*len += strlen(start);
	memset(note + *len, 'A', encoded_len);
	*len += encoded_len;
	note[(*len)++] = '\n';
}

static void
test_many_lines(void)
{
	NoteKey		key = own_key();
	size_t		signed_len;
	const char *note = sign(&signed_len, "text\n", LOG);
	char	   *many = (char *) unit_bytes(NOTE_MAX_BYTES);
	size_t		len = signed_len;
	int			i;

	memcpy(many, note, len);
	for (i = 1; i < NOTE_SIGNATURES_MAX; i++)
		add_line(many, &len, 8);
	CHECK(verifies(many, len, &key));
	add_line(many, &len, 8);
	CHECK(!verifies(many, len, &key));

	/* 16 of ML-DSA-87; the longest that is read; one that is longer */
	for (len = signed_len, i = 0; i < 16; i++)
		add_line(many, &len, 4 * 4632 / 3);
	CHECK(verifies(many, len, &key));
	len = signed_len;
	add_line(many, &len, 4 * 8190 / 3);
	CHECK(verifies(many, len, &key));
	len = signed_len;
	add_line(many, &len, 4 * 8193 / 3);
	CHECK(!verifies(many, len, &key));
}

/* The text ends at the last empty line: what looks like signatures in it is text. */
static void
test_split(void)
{
	NoteKey		key = own_key();
	size_t		len;
	size_t		text_len;
	const char *text = "a\n\n" PETER_SIGN "\nb\n";
	const char *note = sign(&len, text, LOG);

	CHECK(note_verify(&text_len, note, len, &key) && text_len == strlen(text));
	CHECK(!verifies_text("a\n" PETER_SIGN, &key));
	CHECK(!verifies_text("a\n\n", &key));
	CHECK(!verifies_text("\n\n", &key));
	CHECK(!verifies_text("\n", &key));
	CHECK(!verifies_text("a\n\n\n" PETER_SIGN, &key));
	CHECK(!verifies("", 0, &key));
}

static Checkpoint
checkpoint_of(uint64_t size, const char *extension)
{
	Checkpoint	checkpoint = {.size = size, .extension = extension, .extension_len = strlen(extension)};
	size_t		len;

	CHECK(sodium_base642bin(checkpoint.root.bytes, MERKLE_HASH_BYTES, ROOT_TEXT, strlen(ROOT_TEXT),
							NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0);
	return checkpoint;
}

static bool
signs_checkpoint(uint64_t size, const char *extension, const char *name)
{
	Checkpoint	checkpoint = checkpoint_of(size, extension);
	char		note[CHECKPOINT_NOTE_MAX_BYTES];
	size_t		len;
	bool		made = checkpoint_sign(note, sizeof(note), &len, &checkpoint, name, secret);
	Checkpoint	read;
	NoteKey		key;

	if (!made)
	{
		CHECK(len == 0);
		return false;
	}
	CHECK(note_key_make(&key, name, secret));
	CHECK(checkpoint_verify(&read, (char *) unit_copy(note, len), len, &key));
	CHECK(read.size == size && memcmp(&read.root, &checkpoint.root, sizeof(read.root)) == 0);
	CHECK(read.extension_len == strlen(extension));
	CHECK(memcmp(read.extension, extension, read.extension_len) == 0);
	unit_release();
	return true;
}

static void
test_checkpoint_text(void)
{
	Checkpoint	checkpoint = checkpoint_of(8, "ring 17\n");
	char		note[CHECKPOINT_NOTE_MAX_BYTES];
	const char *wanted = LOG "\n8\n" ROOT_TEXT "\nring 17\n\n\342\200\224 " LOG " ";
	size_t		len;

	CHECK(checkpoint_sign(note, sizeof(note), &len, &checkpoint, LOG, secret));
	CHECK(strncmp(note, wanted, strlen(wanted)) == 0);
	CHECK(len == strlen(wanted) + 92 + 1 && note[len - 1] == '\n');
}

static void
test_checkpoints(void)
{
	CHECK(signs_checkpoint(0, "", LOG));
	CHECK(signs_checkpoint(1, "", LOG));
	CHECK(signs_checkpoint(10, "", LOG));
	CHECK(signs_checkpoint(MERKLE_SIZE_MAX, "", LOG));
	CHECK(signs_checkpoint(MERKLE_SIZE_MAX - 1, "a\n", "caf\303\251"));
	CHECK(signs_checkpoint(5, "a\nb b\n\342\200\224 c\n", LOG));
	CHECK(!signs_checkpoint(MERKLE_SIZE_MAX + 1, "", LOG));
	CHECK(!signs_checkpoint(UINT64_MAX, "", LOG));
	CHECK(!signs_checkpoint(5, "a", LOG));
	CHECK(!signs_checkpoint(5, "\n", LOG));
	CHECK(!signs_checkpoint(5, "a\n\n", LOG));
	CHECK(!signs_checkpoint(5, "a\n\nb\n", LOG));
	CHECK(!signs_checkpoint(5, "\na\n", LOG));
	CHECK(!signs_checkpoint(5, "a\tb\n", LOG));
	CHECK(!signs_checkpoint(5, "a\r\n", LOG));
	CHECK(!signs_checkpoint(5, "\377\n", LOG));
	CHECK(!signs_checkpoint(5, "", ""));
	CHECK(!signs_checkpoint(5, "", "two words"));
	CHECK(!signs_checkpoint(5, "", "one+one"));
	CHECK(!signs_checkpoint(5, "", "one\n5"));
}

/* The largest name, size and extension fit exactly into the room that is always enough. */
static void
test_checkpoint_room(void)
{
	char		name[NOTE_NAME_MAX_BYTES + 1] = {0};
	char		extension[CHECKPOINT_EXTENSION_MAX_BYTES + 2] = {0};
	Checkpoint	checkpoint;
	size_t		len;
	size_t		size;
	char	   *note;

	memset(name, 'n', NOTE_NAME_MAX_BYTES);
	memset(extension, 'e', CHECKPOINT_EXTENSION_MAX_BYTES);
	extension[CHECKPOINT_EXTENSION_MAX_BYTES] = '\n';
	CHECK(!signs_checkpoint(5, extension, LOG));
	extension[CHECKPOINT_EXTENSION_MAX_BYTES] = '\0';
	extension[CHECKPOINT_EXTENSION_MAX_BYTES - 1] = '\n';
	CHECK(signs_checkpoint(5, extension, LOG));
	checkpoint = checkpoint_of(MERKLE_SIZE_MAX, extension);
	for (size = 0; size < CHECKPOINT_NOTE_MAX_BYTES; size++)
	{
		unit_note("%zu bytes", size);
		note = (char *) unit_bytes(size);
		CHECK(!checkpoint_sign(note, size, &len, &checkpoint, name, secret) && len == 0);
		unit_release();
	}
	note = (char *) unit_bytes(size);
	CHECK(checkpoint_sign(note, size, &len, &checkpoint, name, secret) && len == size - 1);
}

/* reads_checkpoint: a text that is a well-signed note. */
static bool
reads_checkpoint(const char *text)
{
	NoteKey		key = own_key();
	Checkpoint	checkpoint;
	size_t		len;
	const char *note = sign(&len, text, LOG);
	bool		read = checkpoint_verify(&checkpoint, note, len, &key);

	CHECK(verifies(note, len, &key));
	CHECK(read || unit_is_filled((unsigned char *) &checkpoint, sizeof(checkpoint), 0));
	unit_release();
	return read;
}

static void
test_checkpoint_form(void)
{
#define AROUND(size)	LOG "\n" size "\n" ROOT_TEXT "\n"
#define BEHIND(root)	LOG "\n5\n" root "\n"
	static const char *const refused[] = {
		AROUND(""), AROUND("05"), AROUND("00"), AROUND("+5"), AROUND("-5"), AROUND(" 5"), AROUND("5 "), AROUND("5."),
		AROUND("0x5"), AROUND("5e3"), AROUND("/"), AROUND(":"), AROUND("a"), AROUND("9223372036854775808"),
		AROUND("9999999999999999999"), AROUND("18446744073709551616"), AROUND("18446744073709551621"),
		AROUND("\331\245"),
		BEHIND(""), BEHIND("XcnacfpSzx9d1rhrwIHZ6z5cGpXwPn2DNTSYh1xgVNU"),
		BEHIND("XcnacfpSzx9d1rhrwIHZ6z5cGpXwPn2DNTSYh1xgVNV="), BEHIND("XcnacfpSzx9d1rhrwIHZ6z5cGpXwPn2DNTSYh1xgVA=="),
		BEHIND("XcnacfpSzx9d1rhrwIHZ6z5cGpXwPn2DNTSYh1xgVNUA"), BEHIND("XcnacfpSzx9d1rhrwIHZ6z5cGpXwPn2DNTSYh1xgVN-="),
		BEHIND("XcnacfpSzx9d1rhrwIHZ6z5cGpXwPn2DNTSYh1xgVNU= "), BEHIND(" " ROOT_TEXT), BEHIND(ROOT_TEXT ROOT_TEXT),
		"pgseal.example/lob\n5\n" ROOT_TEXT "\n", "Pgseal.example/log\n5\n" ROOT_TEXT "\n",
		LOG "2\n5\n" ROOT_TEXT "\n", " " LOG "\n5\n" ROOT_TEXT "\n", "\n5\n" ROOT_TEXT "\n",
		"5\n" ROOT_TEXT "\n", LOG "\n" ROOT_TEXT "\n5\n", LOG "\n5\n", LOG "\n", "\n",
		AROUND("5") "\n", AROUND("5") "a\n\nb\n", AROUND("5") "\na\n",
		LOG "\n\n5\n" ROOT_TEXT "\n"
	};
	size_t		i;

	CHECK(reads_checkpoint(AROUND("5")));
	CHECK(reads_checkpoint(AROUND("0")));
	CHECK(reads_checkpoint(AROUND("9223372036854775807")));
	CHECK(reads_checkpoint(AROUND("5") "a\nb\n"));
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		unit_note("%zu: %s", i, refused[i]);
		CHECK(!reads_checkpoint(refused[i]));
	}
}

static void
test_checkpoint_altered(void)
{
	NoteKey		key = own_key();
	Checkpoint	checkpoint = checkpoint_of(491840, "ring 17\n");
	char		note[CHECKPOINT_NOTE_MAX_BYTES];
	size_t		len;
	size_t		bit;

	CHECK(checkpoint_sign(note, sizeof(note), &len, &checkpoint, LOG, secret));
	for (bit = 0; bit < 8 * len; bit++)
	{
		unit_note("bit %zu", bit);
		note[bit / 8] = (char) (note[bit / 8] ^ 1 << bit % 8);
		CHECK(!checkpoint_verify(&checkpoint, note, len, &key));
		CHECK(unit_is_filled((unsigned char *) &checkpoint, sizeof(checkpoint), 0));
		note[bit / 8] = (char) (note[bit / 8] ^ 1 << bit % 8);
	}
	CHECK(checkpoint_verify(&checkpoint, note, len, &key));
	/* a checkpoint of another log, though one key signs for both */
	CHECK(note_key_make(&key, LOG "2", secret));
	CHECK(!checkpoint_verify(&checkpoint, note, len, &key));
}

int
main(void)
{
	unit_start();
	unit_run("signs what the reference implementation signs", test_go_sign);
	unit_run("keys are those of the reference implementation", test_go_keys);
	unit_run("the known notes hold, under their keys only", test_known_notes);
	unit_run("a verifier key altered in one place is refused", test_key_text_altered);
	unit_run("verifier keys of other kinds and forms are refused", test_key_text_refused);
	unit_run("names: UTF-8 without spaces, pluses and control characters", test_names);
	unit_run("texts: UTF-8 without control characters, with a newline at the end", test_texts);
	unit_run("too little room gives nothing", test_room);
	unit_run("no more is signed than is read", test_largest);
	unit_run("a note altered in one place does not hold", test_altered);
	unit_run("lines of other keys are skipped, malformed ones refused", test_other_lines);
	unit_run("lines of the key must all fit", test_own_lines);
	unit_run("an id that collides does not help another key", test_colliding_key);
	unit_run("a hundred signatures, and long ones of other kinds", test_many_lines);
	unit_run("the text ends at the last empty line", test_split);
	unit_run("a checkpoint is origin, size, root, extension", test_checkpoint_text);
	unit_run("checkpoints that can be are signed, and read again", test_checkpoints);
	unit_run("the room for a checkpoint is enough", test_checkpoint_room);
	unit_run("a well-signed text that is no checkpoint is refused", test_checkpoint_form);
	unit_run("a checkpoint altered in one place is refused", test_checkpoint_altered);
	return unit_finish();
}
