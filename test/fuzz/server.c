/*-------------------------------------------------------------------------
 * server.c
 *		The server that the keys room finds when it is fuzzed.
 *
 * Functions have the names and promises of PostgreSQL's and of the ring's; see
 * server.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "fuzz.h"

#include "server.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include <sanitizer/asan_interface.h>

#define RING_ROOM	64			/* rows a table of the ring can hold */
#define PIECE_MAX	1000000		/* bytes; no input that is tried needs as much at once */

typedef struct Column
{
	RingTable	table;
	const char *name;
	Oid			type;
	bool		not_null;
} Column;

static const Column columns[] = {
#include "columns.h"
};

/* A piece of memory that the next input finds gone. */
typedef struct Piece
{
	struct Piece *next;
	struct Piece *previous;
} Piece;

sigjmp_buf	server_caught;
static int	raised;
static Piece pieces = {&pieces, &pieces};
static LoadedTable tables[RING_TABLES];
static RingRow rows[RING_TABLES][RING_ROOM];
static HeapTupleData places[RING_TABLES][RING_ROOM];
static RootSet roots = {1, {{"a root", "0123456789abcdef"}}};

static void
fail(int error)
{
	raised = error;
	siglongjmp(server_caught, 1);
}

int
server_try(void (*call) (void *arg), void *arg)
{
	raised = SEAL_OK;
	if (sigsetjmp(server_caught, 0) == 0)
		call(arg);
	return raised;
}

/* ----------
 * Errors
 * ----------
 */

void
error_raise(SealError error, const char *name)
{
	fail(error);
	abort();
}

void
ring_raise(SealError error, uint32 key_id)
{
	error_raise(error, NULL);
}

bool
errstart(int level, const char *domain)
{
	return level >= ERROR;
}

bool
errstart_cold(int level, const char *domain)
{
	return errstart(level, domain);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	fail(SERVER_ERROR);
}

int
errcode(int sqlerrcode)
{
	return 0;
}

int
errmsg(const char *format,...)
{
	return 0;
}

int
errmsg_internal(const char *format,...)
{
	return 0;
}

int
errhint(const char *format,...)
{
	return 0;
}

/* ----------
 * Memory
 * ----------
 */

void *
palloc(Size len)
{
	Piece	   *piece;

	REQUIRE(len <= PIECE_MAX);
	piece = malloc(sizeof(Piece) + len);
	REQUIRE(piece != NULL);
	piece->next = pieces.next;
	piece->previous = &pieces;
	pieces.next->previous = piece;
	pieces.next = piece;
	return piece + 1;
}

void *
palloc0(Size len)
{
	return memset(palloc(len), 0, len);
}

void
pfree(void *pointer)
{
	Piece	   *piece = (Piece *) pointer - 1;

	piece->next->previous = piece->previous;
	piece->previous->next = piece->next;
	free(piece);
}

char *
pnstrdup(const char *text, Size len)
{
	char	   *copy;

	len = strnlen(text, len);
	copy = memcpy(palloc(len + 1), text, len);
	copy[len] = '\0';
	return copy;
}

char *
pstrdup(const char *text)
{
	return pnstrdup(text, strlen(text));
}

char *
psprintf(const char *format,...)
{
	return pstrdup(format);
}

void
server_forget(void)
{
	while (pieces.next != &pieces)
		pfree(pieces.next + 1);
	for (int i = 0; i < RING_TABLES; i++)
		tables[i].count = 0;
}

/* ----------
 * Strings
 * ----------
 */

void
initStringInfo(StringInfo string)
{
	string->data = palloc(1);
	string->data[0] = '\0';
	string->len = 0;
	string->maxlen = 1;
	string->cursor = 0;
}

/* enlargeStringInfo: to the byte, so that whoever writes more is seen. */
void
enlargeStringInfo(StringInfo string, int needed)
{
	char	   *data;

	REQUIRE(needed >= 0);
	if (string->len + needed < string->maxlen)
		return;
	string->maxlen = string->len + needed + 1;
	data = memcpy(palloc(string->maxlen), string->data, string->len + 1);
	pfree(string->data);
	string->data = data;
}

void
appendBinaryStringInfo(StringInfo string, const char *bytes, int len)
{
	enlargeStringInfo(string, len);
	memcpy(string->data + string->len, bytes, len);
	string->len += len;
	string->data[string->len] = '\0';
}

void
appendStringInfoChar(StringInfo string, char character)
{
	appendBinaryStringInfo(string, &character, 1);
}

void
appendStringInfo(StringInfo string, const char *format,...)
{
	char		text[256];
	va_list		args;
	int			len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	REQUIRE(len >= 0 && (size_t) len < sizeof(text));
	appendBinaryStringInfo(string, text, len);
}

void
pq_sendbytes(StringInfo string, const char *bytes, int len)
{
	appendBinaryStringInfo(string, bytes, len);
}

/* pg_any_to_server: the database is UTF-8 too; all len bytes must be there. */
char *
pg_any_to_server(const char *text, int len, int encoding)
{
	REQUIRE(encoding == PG_UTF8);
	REQUIRE(__asan_region_is_poisoned(unconstify(char *, text), len) == NULL);
	if (pg_encoding_verifymbstr(PG_UTF8, text, len) != len)
		fail(SERVER_ERROR);
	return unconstify(char *, text);
}

char *
pg_server_to_any(const char *text, int len, int encoding)
{
	return pg_any_to_server(text, len, encoding);
}

text *
cstring_to_text_with_len(const char *bytes, int len)
{
	text	   *value = palloc(VARHDRSZ + len);

	SET_VARSIZE(value, VARHDRSZ + len);
	memcpy(VARDATA(value), bytes, len);
	return value;
}

text *
cstring_to_text(const char *text)
{
	return cstring_to_text_with_len(text, strlen(text));
}

char *
text_to_cstring(const text *value)
{
	char	   *copy = palloc(VARSIZE_ANY_EXHDR(value) + 1);

	memcpy(copy, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	copy[VARSIZE_ANY_EXHDR(value)] = '\0';
	return copy;
}

struct varlena *
pg_detoast_datum(struct varlena *value)
{
	return value;
}

struct varlena *
pg_detoast_datum_packed(struct varlena *value)
{
	return value;
}

void
get_typlenbyvalalign(Oid type, int16 *len, bool *by_value, char *align)
{
	*len = -1;
	*by_value = false;
	*align = TYPALIGN_INT;
}

/* An array as this server keeps it; nobody else looks inside. */
typedef struct Array
{
	int			count;
	Datum		elements[FLEXIBLE_ARRAY_MEMBER];
} Array;

ArrayType *
construct_array(Datum *elements, int count, Oid type, int len, bool by_value, char align)
{
	Array	   *array = palloc(offsetof(Array, elements) + sizeof(Datum) * count);

	REQUIRE(type == TEXTOID || type == NAMEOID || type == INT8OID);
	array->count = count;
	memcpy(array->elements, elements, sizeof(Datum) * count);
	return (ArrayType *) array;
}

void
deconstruct_array(ArrayType *value, Oid type, int len, bool by_value, char align,
				  Datum **elements, bool **nulls, int *count)
{
	Array	   *array = (Array *) value;

	*elements = array->elements;
	if (nulls != NULL)
		*nulls = palloc0(sizeof(bool) * (array->count + 1));
	*count = array->count;
}

/* ----------
 * The ring
 * ----------
 */

static TupleDesc
make_desc(RingTable table)
{
	TupleDesc	desc = calloc(1, offsetof(struct TupleDescData, attrs) +
							  RING_MAX_COLUMNS * sizeof(FormData_pg_attribute));

	for (size_t i = 0; i < lengthof(columns); i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, desc->natts);

		if (columns[i].table != table)
			continue;
		REQUIRE(desc->natts < RING_MAX_COLUMNS);
		strcpy(NameStr(attribute->attname), columns[i].name);
		attribute->atttypid = columns[i].type;
		attribute->attnotnull = columns[i].not_null;
		desc->natts++;
	}
	REQUIRE(row_columns_fit(table, desc));
	return desc;
}

void
server_start(void)
{
	REQUIRE(sodium_init() >= 0);
	for (int i = 0; i < RING_TABLES; i++)
		tables[i].desc = make_desc(i);
}

const LoadedTable *
ring_table(RingTable table)
{
	return &tables[table];
}

const char *
ring_table_name(RingTable table)
{
	static const char *const names[] = {"key", "key_version", "grant", "protection", "ring_head"};

	return names[table];
}

/* ring_relation_oid: some tables are here. */
Oid
ring_relation_oid(text *name)
{
	return VARSIZE_ANY_EXHDR(name) % 2;
}

int
ring_rows(RingTable table)
{
	return tables[table].count;
}

void
ring_row(RingRow *row, RingTable table, int number)
{
	REQUIRE(number < tables[table].count);
	*row = rows[table][number];
	row->tuple = &places[table][number];
}

bool
ring_row_valid(RingTable table, int number)
{
	return true;
}

bool
ring_is_empty(void)
{
	return tables[RING_HEAD].count == 0;
}

SealError
ring_verify(void)
{
	return SEAL_OK;
}

const char *
ring_root(void)
{
	return roots.roots[0].fingerprint;
}

void
ring_start_row(RingRow *row, RingTable table)
{
	row->table = table;
	row->tuple = NULL;
	for (int i = 0; i < RING_MAX_COLUMNS; i++)
	{
		row->values[i] = (Datum) 0;
		row->nulls[i] = true;
	}
}

void
ring_set(RingRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/* ring_write_kept: like a table, it takes no null where none may be. */
void
ring_write_kept(RingEditor *editor, RingRow *row)
{
	LoadedTable *table = &tables[row->table];
	int			number = row->tuple == NULL ? table->count : row->tuple - places[row->table];
	char		mac[MAC_BYTES] = {0};

	ring_set(row, row_column(row->table, COMMON_ROOT), CStringGetTextDatum(editor->root->fingerprint));
	ring_set(row, row_column(row->table, COMMON_MAC),
			 PointerGetDatum(cstring_to_text_with_len(mac, MAC_BYTES)));
	for (int i = 0; i < table->desc->natts; i++)
		REQUIRE(!row->nulls[i] || !TupleDescAttr(table->desc, i)->attnotnull);
	if (number == RING_ROOM)
		fail(SERVER_ERROR);
	rows[row->table][number] = *row;
	if (number == table->count)
		table->count++;
}

void
ring_write(RingEditor *editor, RingRow *row)
{
	ring_set(row, row_column(row->table, COMMON_GENERATION), Int64GetDatum(editor->generation));
	ring_set(row, row_column(row->table, COMMON_CHANGED_AT), Int64GetDatum(0));
	ring_write_kept(editor, row);
}

const RingKey *
ring_key_by_id(uint32 id)
{
	static RingKey key;

	for (int i = 0; i < tables[RING_KEY].count; i++)
	{
		Datum	   *values = rows[RING_KEY][i].values;

		if ((uint32) DatumGetInt32(values[KEY_ID]) != id)
			continue;
		key.id = id;
		key.dropped = DatumGetBool(values[KEY_DROPPED]);
		return &key;
	}
	return NULL;
}

/* What is written here is seen at once. */
void
CommandCounterIncrement(void)
{
}

void
ring_reload(void)
{
}

static void
write_head(RingEditor *editor)
{
	RingRow		head;
	char		digest[MAC_BYTES] = {0};

	ring_start_row(&head, RING_HEAD);
	if (tables[RING_HEAD].count > 0)
		ring_row(&head, RING_HEAD, 0);
	ring_set(&head, HEAD_SINGLETON, BoolGetDatum(true));
	ring_set(&head, HEAD_DIGEST, PointerGetDatum(cstring_to_text_with_len(digest, MAC_BYTES)));
	ring_write(editor, &head);
}

void
ring_change(RingEdit edit, void *arg)
{
	RingEditor	editor = {.roots = &roots, .root = &roots.roots[0], .generation = 1};

	if (tables[RING_HEAD].count > 0)
		editor.generation =
			DatumGetInt64(rows[RING_HEAD][0].values[row_column(RING_HEAD, COMMON_GENERATION)]) + 1;
	edit(&editor, arg);
	write_head(&editor);
}

/* ring_unwrap: a wrapped secret is its own secret here. */
bool
ring_unwrap(unsigned char secret[SECRET_BYTES], const RingRow *row, const Root *root)
{
	unsigned char wrapped[WRAPPED_BYTES];

	if (!row_get_secret(wrapped, row, secret_column(row->table)))
		return false;
	memcpy(secret, wrapped, SECRET_BYTES);
	return true;
}

Datum
ring_wrap(RingEditor *editor, const RingRow *row, const unsigned char secret[SECRET_BYTES])
{
	unsigned char wrapped[WRAPPED_BYTES] = {0};

	memcpy(wrapped, secret, SECRET_BYTES);
	return PointerGetDatum(cstring_to_text_with_len((char *) wrapped, WRAPPED_BYTES));
}

Oid
get_role_oid(const char *name, bool missing_ok)
{
	return name[0] == '\0' ? InvalidOid : 10 + strlen(name);
}

/* ----------
 * Roots and MACs
 * ----------
 */

SealError
roots_load(RootSet **set)
{
	*set = &roots;
	return SEAL_OK;
}

void
roots_free(RootSet *set)
{
}

const Root *
roots_find(const RootSet *set, const char *fingerprint)
{
	return strcmp(fingerprint, set->roots[0].fingerprint) == 0 ? &set->roots[0] : NULL;
}

void
root_mac_key(HmacKey *mac_key, const Root *root)
{
	memset(mac_key, 0, sizeof(*mac_key));
}

/* hmac_mac: what it is over must be there; gives zeros. */
void
hmac_mac(unsigned char mac[MAC_BYTES], const unsigned char *bytes, size_t len, const HmacKey *hmac)
{
	REQUIRE(__asan_region_is_poisoned(unconstify(unsigned char *, bytes), len) == NULL);
	memset(mac, 0, MAC_BYTES);
}

/* ----------
 * What the room's files name and no input reaches
 * ----------
 */

void
heap_deform_tuple(HeapTuple tuple, TupleDesc desc, Datum *values, bool *nulls)
{
	abort();
}
