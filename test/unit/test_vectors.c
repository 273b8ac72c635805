/*-------------------------------------------------------------------------
 * test_vectors.c
 *		The frozen vectors: reproduce each from its inputs, and open it.
 *
 * vectors.tsv, derivations.tsv and log.tsv are for ever: what a version of
 * pgseal once wrote, every later version opens.  Lines are added, never changed.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "sample.h"

#define COLUMNS_MAX		14
#define LINE_MAX_BYTES	16384
#define PROMISE_MAX		100

/* Columns of vectors.tsv. */
enum
{
	V_NAME, V_KEY, V_SEARCH_KEY, V_KEY_ID, V_VERSION, V_TYPE, V_FLAGS, V_SUBJECT, V_CONTEXT,
	V_PAD, V_PAYLOAD, V_CANONICAL, V_NONCE, V_ENVELOPE, V_COLUMNS
};

/* Columns of derivations.tsv and log.tsv. */
enum
{
	D_KIND, D_TEXT, D_KEY, D_BYTES, D_RESULT, D_COLUMNS
};

_Static_assert(V_COLUMNS <= COLUMNS_MAX && D_COLUMNS <= COLUMNS_MAX, "columns");

static char *columns[COLUMNS_MAX];	/* of the line under test */

/* column: its text, empty when the file says "-". */
static const char *
column(int which)
{
	return strcmp(columns[which], "-") == 0 ? "" : columns[which];
}

static unsigned char *
column_bytes(size_t *len, int which)
{
	return unit_hex(len, column(which));
}

static unsigned char *
column_secret(int which)
{
	size_t		len;
	unsigned char *secret = column_bytes(&len, which);

	CHECK(len == SECRET_BYTES);
	return secret;
}

static uint64_t
column_number(int which)
{
	return strtoull(column(which), NULL, 10);
}

/* The head that the line describes, with the token computed. */
static Envelope
head_of_line(void)
{
	Envelope	head = {
		.flags = (uint8_t) column_number(V_FLAGS),
		.key_version = (uint16_t) column_number(V_VERSION),
		.key_id = (uint32_t) column_number(V_KEY_ID),
		.type = (uint8_t) column_number(V_TYPE),
		.subject = column_number(V_SUBJECT)
	};
	size_t		len;
	const unsigned char *context = column_bytes(&len, V_CONTEXT);
	const unsigned char *canonical;
	unsigned char *token;
	HmacKey		hmac;

	CHECK(len <= ENVELOPE_CONTEXT_BYTES);
	memcpy(head.context, context, len);
	if (!(head.flags & ENVELOPE_HAS_TOKEN))
		return head;
	canonical = column_bytes(&len, V_CANONICAL);
	token = unit_bytes(TOKEN_BYTES);
	hmac_key(&hmac, column_secret(V_SEARCH_KEY), SECRET_BYTES);
	token_make(token, head.type, canonical, len, &hmac);
	head.token = token;
	return head;
}

static void
test_reproduce(void)
{
	Envelope	head = head_of_line();
	size_t		payload_len;
	size_t		nonce_len;
	size_t		wanted_len;
	size_t		len;
	const unsigned char *payload = column_bytes(&payload_len, V_PAYLOAD);
	const unsigned char *nonce = column_bytes(&nonce_len, V_NONCE);
	const unsigned char *wanted = column_bytes(&wanted_len, V_ENVELOPE);
	const unsigned char *sealed = sample_seal(&len, &head, payload, payload_len,
											  column_number(V_PAD), nonce, column_secret(V_KEY));

	CHECK(len == wanted_len && memcmp(sealed, wanted, len) == 0);
}

static void
test_fields(void)
{
	Envelope	head = head_of_line();
	Envelope	envelope;
	size_t		len;
	const unsigned char *bytes = column_bytes(&len, V_ENVELOPE);

	CHECK(envelope_parse(&envelope, bytes, len));
	CHECK(envelope.flags == head.flags && envelope.key_version == head.key_version);
	CHECK(envelope.key_id == head.key_id && envelope.type == head.type);
	CHECK(envelope.subject == head.subject);
	CHECK(memcmp(envelope.context, head.context, ENVELOPE_CONTEXT_BYTES) == 0);
	CHECK((envelope.token == NULL) == (head.token == NULL));
	CHECK(head.token == NULL || memcmp(envelope.token, head.token, TOKEN_BYTES) == 0);
}

static void
test_open(void)
{
	size_t		payload_len;
	size_t		len;
	size_t		out_len;
	const unsigned char *payload = column_bytes(&payload_len, V_PAYLOAD);
	const unsigned char *bytes = column_bytes(&len, V_ENVELOPE);
	unsigned char *out = unit_bytes(len);
	bool		opened = sample_open(out, &out_len, bytes, len, column_secret(V_KEY));

	if (column_number(V_FLAGS) & ENVELOPE_TOKEN_ONLY)
	{
		CHECK(!opened);
		return;
	}
	CHECK(opened);
	CHECK(out_len == payload_len && memcmp(out, payload, out_len) == 0);
}

/* The bytes in column which are those. */
static void
check_column(int which, const unsigned char *bytes, size_t len)
{
	size_t		wanted_len;
	const unsigned char *wanted = column_bytes(&wanted_len, which);

	CHECK(len == wanted_len && memcmp(bytes, wanted, len) == 0);
}

static void
test_derive(void)
{
	unsigned char *out = unit_bytes(SECRET_BYTES);
	size_t		len;
	const unsigned char *context = column_bytes(&len, D_BYTES);

	derive_secret(out, column(D_TEXT), context, len, column_secret(D_KEY));
	check_column(D_RESULT, out, SECRET_BYTES);
}

static void
test_hmac(void)
{
	unsigned char *mac = unit_bytes(MAC_BYTES);
	size_t		key_len;
	size_t		len;
	const unsigned char *key = column_bytes(&key_len, D_KEY);
	const unsigned char *bytes = column_bytes(&len, D_BYTES);
	HmacKey		hmac;

	hmac_key(&hmac, key, key_len);
	hmac_mac(mac, bytes, len, &hmac);
	check_column(D_RESULT, mac, MAC_BYTES);
}

static void
test_token(void)
{
	unsigned char *token = unit_bytes(TOKEN_BYTES);
	size_t		len;
	const unsigned char *canonical = column_bytes(&len, D_BYTES);
	HmacKey		hmac;

	hmac_key(&hmac, column_secret(D_KEY), SECRET_BYTES);
	token_make(token, (uint8_t) column_number(D_TEXT), canonical, len, &hmac);
	check_column(D_RESULT, token, TOKEN_BYTES);
}

static void
test_key_id(void)
{
	CHECK(key_id_of(column(D_TEXT)) == column_number(D_RESULT));
}

static void
test_fingerprint(void)
{
	char		text[17];

	root_fingerprint(text, column_secret(D_KEY));
	CHECK(strcmp(text, column(D_RESULT)) == 0);
}

static void
test_unwrap(void)
{
	unsigned char *out = unit_bytes(SECRET_BYTES);
	size_t		len;
	const char *bound = column(D_TEXT);
	const unsigned char *wrapped = column_bytes(&len, D_RESULT);

	CHECK(len == WRAPPED_BYTES);
	CHECK(secret_unwrap(out, wrapped, (const unsigned char *) bound, strlen(bound),
						column_secret(D_KEY)));
	check_column(D_BYTES, out, SECRET_BYTES);
}

static void
test_subject(void)
{
	unsigned char *out = unit_bytes(SECRET_BYTES);
	const unsigned char *secret = column_secret(D_BYTES);
	HmacKey		hmac;

	hmac_key(&hmac, column_secret(D_KEY), SECRET_BYTES);
	derive_subject(out, secret, &hmac);
	check_column(D_RESULT, out, SECRET_BYTES);
	derive_secret(out, "subject data", secret, SECRET_BYTES, column_secret(D_KEY));
	check_column(D_RESULT, out, SECRET_BYTES);
}

static void
test_context(void)
{
	unsigned char *context = unit_bytes(ENVELOPE_CONTEXT_BYTES);
	size_t		len;
	const unsigned char *place = column_bytes(&len, D_BYTES);

	place_context(context, place, len, column_secret(D_KEY));
	check_column(D_RESULT, context, ENVELOPE_CONTEXT_BYTES);
}

static void
test_text(void)
{
	size_t		len;
	const unsigned char *bytes = column_bytes(&len, D_BYTES);
	size_t		text_len = envelope_text_len(len);
	char	   *text = (char *) unit_bytes(text_len + 1);
	unsigned char *read = unit_bytes(len);
	size_t		read_len;

	envelope_to_text(text, text_len + 1, bytes, len);
	CHECK(strcmp(text, column(D_RESULT)) == 0);
	CHECK(envelope_from_text(read, len, &read_len, column(D_RESULT), strlen(column(D_RESULT))));
	check_column(D_BYTES, read, read_len);
}

static MerkleHash
column_hash(int which)
{
	MerkleHash	hash;
	size_t		len;
	const unsigned char *bytes = column_bytes(&len, which);

	CHECK(len == sizeof(hash));
	memcpy(&hash, bytes, sizeof(hash));
	return hash;
}

/* column_name: bytes as a string. */
static char *
column_name(int which)
{
	size_t		len;
	const unsigned char *bytes = column_bytes(&len, which);
	char	   *name = (char *) unit_bytes(len + 1);

	memcpy(name, bytes, len);
	name[len] = '\0';
	return name;
}

/* column_pair: two numbers. */
static void
column_pair(uint64_t *first, uint64_t *second, int which)
{
	char	   *end;

	*first = strtoull(column(which), &end, 10);
	*second = strtoull(end, NULL, 10);
}

/* MerkleFetch of the trees of log.tsv: the leaves are their own numbers. */
static bool
fetch_numbered(MerkleHash *hash, uint8_t level, uint64_t index, void *context)
{
	unsigned char number[8] = {0};
	MerkleHash	right;

	if (level == 0)
	{
		number[6] = (unsigned char) (index >> 8);
		number[7] = (unsigned char) index;
		merkle_leaf(hash, number, sizeof(number));
		return true;
	}
	fetch_numbered(hash, level - 1, 2 * index, context);
	fetch_numbered(&right, level - 1, 2 * index + 1, context);
	merkle_node(hash, hash, &right);
	return true;
}

static const MerkleStore numbered = {fetch_numbered, NULL};

static void
test_leaf(void)
{
	size_t		len;
	const unsigned char *data = column_bytes(&len, D_BYTES);
	MerkleHash	hash;

	merkle_leaf(&hash, data, len);
	check_column(D_RESULT, hash.bytes, sizeof(hash));
}

static void
test_root(void)
{
	uint64_t	size = column_number(D_TEXT);
	MerkleFrontier frontier;
	MerkleHash	hash;
	size_t		count;

	CHECK(merkle_root_at(&hash, size, &numbered));
	check_column(D_RESULT, hash.bytes, sizeof(hash));
	merkle_start(&frontier);
	while (frontier.size < size)
	{
		CHECK(fetch_numbered(&hash, 0, frontier.size, NULL));
		CHECK(merkle_append(NULL, &count, &frontier, &hash));
	}
	merkle_root(&hash, &frontier);
	check_column(D_RESULT, hash.bytes, sizeof(hash));
}

static void
test_inclusion(void)
{
	MerkleHash	proof[MERKLE_PROOF_MAX];
	MerkleHash	leaf = column_hash(D_BYTES);
	MerkleHash	root;
	size_t		count;
	uint64_t	index;
	uint64_t	size;

	column_pair(&index, &size, D_TEXT);
	CHECK(merkle_prove_inclusion(proof, &count, index, size, &numbered));
	check_column(D_RESULT, (unsigned char *) proof, count * sizeof(MerkleHash));
	CHECK(merkle_root_at(&root, size, &numbered));
	CHECK(merkle_verify_inclusion(&leaf, index, &root, size, proof, count));
}

static void
test_consistency(void)
{
	MerkleHash	proof[MERKLE_PROOF_MAX];
	MerkleHash	old_root = column_hash(D_BYTES);
	MerkleHash	root;
	size_t		count;
	uint64_t	old_size;
	uint64_t	size;

	column_pair(&old_size, &size, D_TEXT);
	CHECK(merkle_prove_consistency(proof, &count, old_size, size, &numbered));
	check_column(D_RESULT, (unsigned char *) proof, count * sizeof(MerkleHash));
	CHECK(merkle_root_at(&root, size, &numbered));
	CHECK(merkle_verify_consistency(&old_root, old_size, &root, size, proof, count));
}

static void
test_verifier_key(void)
{
	char		text[NOTE_KEY_TEXT_MAX_BYTES];
	NoteKey		key;
	NoteKey		read;

	CHECK(note_key_make(&key, column_name(D_TEXT), column_secret(D_KEY)));
	note_key_to_text(text, &key);
	check_column(D_RESULT, (unsigned char *) text, strlen(text));
	CHECK(note_key_from_text(&read, text, strlen(text)));
	CHECK(memcmp(&read, &key, sizeof(key)) == 0);
}

/* Signed as a text, read, and signed once more from what was read. */
static void
test_checkpoint(void)
{
	char		note[CHECKPOINT_NOTE_MAX_BYTES];
	char		again[CHECKPOINT_NOTE_MAX_BYTES];
	const char *name = column_name(D_TEXT);
	const unsigned char *secret = column_secret(D_KEY);
	size_t		text_len;
	size_t		len;
	const char *text = (const char *) column_bytes(&text_len, D_BYTES);
	Checkpoint	checkpoint;
	NoteKey		key;

	CHECK(note_sign(note, sizeof(note), &len, text, text_len, name, secret));
	check_column(D_RESULT, (unsigned char *) note, len);
	CHECK(note_key_make(&key, name, secret));
	CHECK(checkpoint_verify(&checkpoint, note, len, &key));
	CHECK(checkpoint_sign(again, sizeof(again), &len, &checkpoint, name, secret));
	check_column(D_RESULT, (unsigned char *) again, len);
}

static const struct
{
	const char *kind;
	UnitTest	test;
}			kinds[] = {
	{"derive", test_derive},
	{"hmac", test_hmac},
	{"token", test_token},
	{"key id", test_key_id},
	{"fingerprint", test_fingerprint},
	{"unwrap", test_unwrap},
	{"text", test_text},
	{"subject", test_subject},
	{"context", test_context},
	{"leaf", test_leaf},
	{"root", test_root},
	{"inclusion", test_inclusion},
	{"consistency", test_consistency},
	{"key", test_verifier_key},
	{"checkpoint", test_checkpoint}
};

static void
test_unknown_kind(void)
{
	unit_note("kind \"%s\"", columns[D_KIND]);
	CHECK(!"known kind");
}

static void
run_vector(const char *path, int line)
{
	char		promise[PROMISE_MAX];

	(void) path;
	(void) line;
	snprintf(promise, sizeof(promise), "vector %s: reproduced from its inputs", columns[V_NAME]);
	unit_run(promise, test_reproduce);
	snprintf(promise, sizeof(promise), "vector %s: taken apart", columns[V_NAME]);
	unit_run(promise, test_fields);
	snprintf(promise, sizeof(promise), "vector %s: opens, unless token-only", columns[V_NAME]);
	unit_run(promise, test_open);
}

static void
run_kind(const char *path, int line)
{
	char		promise[PROMISE_MAX];
	UnitTest	test = test_unknown_kind;
	size_t		i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(columns[D_KIND], kinds[i].kind) == 0)
			test = kinds[i].test;
	snprintf(promise, sizeof(promise), "%s line %d: %s", path, line, columns[D_KIND]);
	unit_run(promise, test);
}

/* split_line: point columns at the fields of line; how many there are. */
static int
split_line(char *line)
{
	int			count = 0;
	char	   *field;

	line[strcspn(line, "\n")] = '\0';
	while (count < COLUMNS_MAX && (field = line) != NULL)
	{
		line = strchr(field, '\t');
		if (line != NULL)
			*line++ = '\0';
		columns[count++] = field;
	}
	return line == NULL ? count : -1;
}

/* run_file: each line but comments; a file that is missing or misshapen ends the program. */
static void
run_file(const char *path, int column_count, void (*run_line) (const char *path, int line))
{
	char		text[LINE_MAX_BYTES];
	FILE	   *file = fopen(path, "r");
	int			line;

	if (file == NULL)
		abort();
	for (line = 1; fgets(text, sizeof(text), file) != NULL; line++)
	{
		if (text[0] == '#')
			continue;
		if (split_line(text) != column_count)
			abort();
		run_line(path, line);
	}
	fclose(file);
}

int
main(void)
{
	unit_start();
	run_file("vectors.tsv", V_COLUMNS, run_vector);
	run_file("derivations.tsv", D_COLUMNS, run_kind);
	run_file("log.tsv", D_COLUMNS, run_kind);
	return unit_finish();
}
