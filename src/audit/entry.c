/*-------------------------------------------------------------------------
 * entry.c
 *		One entry of the log as bytes, and its leaf.
 *
 * Floor 2.  The columns fall into groups that can be given away or erased
 * each by itself; a leaf covers their salted hashes:
 *
 *		group		for each column: length (4, FFFFFFFF for null), bytes
 *		hash		SHA-256(salt of the group (16) | number of the group | group)
 *		leaf data	version (1), entry (8), bit mask of the groups that are not
 *					all null (1), the hashes of those groups
 *
 * Integers are big-endian.  The bytes depend neither on settings nor on how a
 * server prints a value: times are microseconds since 2000-01-01 00:00 UTC.
 *
 * Does not hide which groups an entry has.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/log.h"

#include "catalog/pg_type.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#define LEAF_VERSION	1
#define NULL_LENGTH		PG_UINT32_MAX

/* Groups in the order of their numbers. */
typedef enum EntryGroup
{
	GROUP_EVENT, GROUP_WHO, GROUP_OBJECT, GROUP_SUBJECT, GROUP_OLD, GROUP_NEW,
	GROUP_NONE = -1				/* what the leaf covers in another way */
} EntryGroup;

typedef enum Kind
{
	KIND_INT8, KIND_INT4, KIND_BYTES, KIND_UUID, KIND_NAMES, KIND_NUMBERS, KIND_JSON
} Kind;

#define LEAF_DATA_MAX_BYTES	(1 + 8 + 1 + LOG_GROUPS * MERKLE_HASH_BYTES)

static const struct
{
	EntryGroup	group;
	Kind		kind;
}			columns[ENTRY_COLUMNS] = {
	[ENTRY_NUMBER] = {GROUP_NONE, KIND_INT8},
	[ENTRY_AT] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_ACTION] = {GROUP_EVENT, KIND_BYTES},
	[ENTRY_OUTCOME] = {GROUP_EVENT, KIND_BYTES},
	[ENTRY_LOGIN_ROLE] = {GROUP_WHO, KIND_BYTES},
	[ENTRY_SESSION_ROLE] = {GROUP_WHO, KIND_BYTES},
	[ENTRY_ROLE] = {GROUP_WHO, KIND_BYTES},
	[ENTRY_ACTOR] = {GROUP_WHO, KIND_BYTES},
	[ENTRY_PURPOSE] = {GROUP_WHO, KIND_BYTES},
	[ENTRY_ADDRESS] = {GROUP_WHO, KIND_BYTES},
	[ENTRY_APPLICATION] = {GROUP_WHO, KIND_BYTES},
	[ENTRY_XID] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_STATEMENT] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_RELATION] = {GROUP_OBJECT, KIND_BYTES},
	[ENTRY_ROW_KEY] = {GROUP_OBJECT, KIND_BYTES},
	[ENTRY_SUBJECT] = {GROUP_SUBJECT, KIND_INT8},
	[ENTRY_KEYS] = {GROUP_EVENT, KIND_NAMES},
	[ENTRY_WHAT] = {GROUP_EVENT, KIND_BYTES},
	[ENTRY_DETAIL] = {GROUP_EVENT, KIND_BYTES},
	[ENTRY_COLUMN_NAMES] = {GROUP_OBJECT, KIND_NAMES},
	[ENTRY_OLD] = {GROUP_OLD, KIND_JSON},
	[ENTRY_NEW] = {GROUP_NEW, KIND_JSON},
	[ENTRY_VALUES_OPENED] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_SUBJECTS_OPENED] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_ROWS_RETURNED] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_REPEATED] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_SUBJECTS] = {GROUP_SUBJECT, KIND_NUMBERS},
	[ENTRY_STATEMENT_DIGEST] = {GROUP_EVENT, KIND_BYTES},
	[ENTRY_START] = {GROUP_EVENT, KIND_UUID},
	[ENTRY_SEGMENT] = {GROUP_EVENT, KIND_INT4},
	[ENTRY_POSITION] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_SERIAL] = {GROUP_EVENT, KIND_INT8},
	[ENTRY_SALT] = {GROUP_NONE, KIND_BYTES},
	[ENTRY_LEAF] = {GROUP_NONE, KIND_BYTES},
};

/* entry_clear: all null. */
void
entry_clear(LogEntry *entry)
{
	memset(entry->values, 0, sizeof(entry->values));
	memset(entry->nulls, true, sizeof(entry->nulls));
}

/* entry_set: one column. */
void
entry_set(LogEntry *entry, EntryColumn column, Datum value)
{
	entry->values[column] = value;
	entry->nulls[column] = false;
}

/* entry_set_text: one column of type text; NULL leaves it null. */
void
entry_set_text(LogEntry *entry, EntryColumn column, const char *text)
{
	if (text != NULL)
		entry_set(entry, column, CStringGetTextDatum(text));
}

/* add_int32, add_int64: big-endian. */
static void
add_int32(StringInfo bytes, uint32 value)
{
	uint32		big = pg_hton32(value);

	appendBinaryStringInfo(bytes, (char *) &big, sizeof(big));
}

static void
add_int64(StringInfo bytes, uint64 value)
{
	uint64		big = pg_hton64(value);

	add_int32(bytes, sizeof(big));
	appendBinaryStringInfo(bytes, (char *) &big, sizeof(big));
}

/* add_bytes: a length and so many bytes. */
static void
add_bytes(StringInfo bytes, const void *data, size_t len)
{
	add_int32(bytes, len);
	appendBinaryStringInfo(bytes, data, len);
}

/* add_varlena: what a text or bytea holds. */
static void
add_varlena(StringInfo bytes, Datum value)
{
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);

	add_bytes(bytes, VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
	if ((Pointer) packed != DatumGetPointer(value))
		pfree(packed);
}

/* frame: write at start how many bytes followed it. */
static void
frame(StringInfo bytes, int start)
{
	uint32		len = pg_hton32((uint32) (bytes->len - start - sizeof(uint32)));

	memcpy(bytes->data + start, &len, sizeof(len));
}

/* add_names: a text[], each element as a column of its own. */
static void
add_names(StringInfo bytes, Datum value)
{
	Datum	   *names;
	bool	   *nulls;
	int			count;
	int			start = bytes->len;

	add_int32(bytes, 0);
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			add_int32(bytes, NULL_LENGTH);
		else
			add_varlena(bytes, names[i]);
	}
	frame(bytes, start);
}

/* add_numbers: a bigint[], each element as a column of its own. */
static void
add_numbers(StringInfo bytes, Datum value)
{
	Datum	   *numbers;
	bool	   *nulls;
	int			count;
	int			start = bytes->len;

	add_int32(bytes, 0);
	deconstruct_array(DatumGetArrayTypeP(value), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &numbers, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			add_int32(bytes, NULL_LENGTH);
		else
			add_int64(bytes, DatumGetUInt64(numbers[i]));
	}
	frame(bytes, start);
}

/* add_scalar: a token of a JSON document: s, n, t, f or 0, and what it holds. */
static void
add_scalar(StringInfo bytes, const JsonbValue *value)
{
	char	   *number;

	switch (value->type)
	{
		case jbvString:
			appendStringInfoChar(bytes, 's');
			add_bytes(bytes, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			number = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
			appendStringInfoChar(bytes, 'n');
			add_bytes(bytes, number, strlen(number));
			pfree(number);
			break;
		case jbvBool:
			appendStringInfoChar(bytes, value->val.boolean ? 't' : 'f');
			break;
		default:
			appendStringInfoChar(bytes, '0');
			break;
	}
}

/* add_json: a jsonb as its tokens in stored order, which is that of its keys. */
static void
add_json(StringInfo bytes, Datum datum)
{
	JsonbIterator *iterator = JsonbIteratorInit(&DatumGetJsonbP(datum)->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			start = bytes->len;

	add_int32(bytes, 0);
	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM)
			add_scalar(bytes, &value);
		else
			appendStringInfoChar(bytes, token == WJB_BEGIN_OBJECT ? '{' :
								 token == WJB_END_OBJECT ? '}' :
								 token == WJB_BEGIN_ARRAY ? '[' : ']');
	}
	frame(bytes, start);
}

/* add_column: one value. */
static void
add_column(StringInfo bytes, Datum value, Kind kind)
{
	switch (kind)
	{
		case KIND_INT8:
			add_int64(bytes, DatumGetUInt64(value));
			break;
		case KIND_INT4:
			add_int64(bytes, (uint64) DatumGetInt32(value));
			break;
		case KIND_BYTES:
			add_varlena(bytes, value);
			break;
		case KIND_UUID:
			add_bytes(bytes, DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case KIND_NAMES:
			add_names(bytes, value);
			break;
		case KIND_NUMBERS:
			add_numbers(bytes, value);
			break;
		case KIND_JSON:
			add_json(bytes, value);
			break;
	}
}

/* present_groups: as a bit mask, in one pass. */
static unsigned char
present_groups(const LogEntry *entry)
{
	unsigned char mask = 0;

	for (int i = 0; i < ENTRY_COLUMNS; i++)
	{
		if (columns[i].group != GROUP_NONE && !entry->nulls[i])
			mask |= 1 << columns[i].group;
	}
	return mask;
}

/* entry_group_present: is a column of this group not null? */
bool
entry_group_present(const LogEntry *entry, int group)
{
	return (present_groups(entry) & 1 << group) != 0;
}

/* entry_group: the bytes of one group, appended. */
void
entry_group(StringInfo bytes, const LogEntry *entry, int group)
{
	for (int i = 0; i < ENTRY_COLUMNS; i++)
	{
		if ((int) columns[i].group != group)
			continue;
		if (entry->nulls[i])
			add_int32(bytes, NULL_LENGTH);
		else
			add_column(bytes, entry->values[i], columns[i].kind);
	}
}

/* seed_of: the seed of an entry, NULL without one. */
static const unsigned char *
seed_of(const LogEntry *entry)
{
	struct varlena *seed;

	if (entry->nulls[ENTRY_SALT])
		return NULL;
	seed = PG_DETOAST_DATUM_PACKED(entry->values[ENTRY_SALT]);
	return VARSIZE_ANY_EXHDR(seed) == LOG_SEED_BYTES ? (unsigned char *) VARDATA_ANY(seed) : NULL;
}

/*
 * entry_salts
 *		The salts of all groups, LOG_SALT_BYTES each.
 *
 * A ChaCha20 key stream under the seed: who is told one salt learns of no
 * other, and it costs a tenth of a hash for each.
 */
void
entry_salts(unsigned char *salts, const LogEntry *entry)
{
	static const unsigned char nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = {0};
	const unsigned char *seed = seed_of(entry);

	if (seed == NULL)
		memset(salts, 0, LOG_GROUPS * LOG_SALT_BYTES);
	else
		crypto_stream_chacha20_ietf(salts, LOG_GROUPS * LOG_SALT_BYTES, nonce, seed);
}

/* group_hash: the salted hash of one group. */
static void
group_hash(unsigned char *hash, const unsigned char *salt, const LogEntry *entry, int group,
		   StringInfo scratch)
{
	resetStringInfo(scratch);
	appendBinaryStringInfo(scratch, (const char *) salt, LOG_SALT_BYTES);
	appendStringInfoChar(scratch, (char) group);
	entry_group(scratch, entry, group);
	crypto_hash_sha256(hash, (unsigned char *) scratch->data, scratch->len);
}

/*
 * entry_leaf
 *		The leaf that an entry's columns and seed give.
 *
 *	scratch		an initialized buffer, overwritten
 *
 * Returns false when the entry has no seed of the right length.
 */
bool
entry_leaf(MerkleHash *leaf, const LogEntry *entry, StringInfo scratch)
{
	unsigned char data[LEAF_DATA_MAX_BYTES];
	unsigned char salts[LOG_GROUPS * LOG_SALT_BYTES];
	uint64		number = pg_hton64(DatumGetUInt64(entry->values[ENTRY_NUMBER]));
	unsigned char *end = data + 10;

	if (seed_of(entry) == NULL)
		return false;
	entry_salts(salts, entry);
	data[0] = LEAF_VERSION;
	memcpy(data + 1, &number, sizeof(number));
	data[9] = present_groups(entry);
	for (int group = 0; group < LOG_GROUPS; group++)
	{
		if ((data[9] & 1 << group) == 0)
			continue;
		group_hash(end, salts + group * LOG_SALT_BYTES, entry, group, scratch);
		end += MERKLE_HASH_BYTES;
	}
	merkle_leaf(leaf, data, end - data);
	return true;
}
