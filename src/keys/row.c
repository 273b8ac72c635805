/*-------------------------------------------------------------------------
 * row.c
 *		Rows of the key ring as bytes: what a MAC covers and what a ring
 *		export carries.
 *
 * Floor 1.  The form does not depend on settings, on the encoding of the
 * database or on the order of columns: table name, then for each column that
 * is not null its name, length and bytes.  Numbers are big-endian, text is
 * UTF-8.  A regrole or regclass column is left out, because a dump prints it
 * by name; what stands beside it, OID or name, is covered.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/ring.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#define ROW_FORMAT	1

static const int own_columns[RING_TABLES] = {
	[RING_KEY] = KEY_OWN_COLUMNS,
	[RING_KEY_VERSION] = VERSION_OWN_COLUMNS,
	[RING_GRANT] = GRANT_OWN_COLUMNS,
	[RING_PROTECTION] = PROTECTION_OWN_COLUMNS,
	[RING_HEAD] = HEAD_OWN_COLUMNS,
};

/* Types of the columns in keys.sql; the common ones follow the own ones. */
static const Oid column_types[RING_TABLES][RING_MAX_COLUMNS] = {
	[RING_KEY] = {
		INT4OID, NAMEOID, BOOLOID, INT4OID, BOOLOID, TEXTARRAYOID, INT2OID, BYTEAOID, TEXTOID, BOOLOID,
		INT8OID, TIMESTAMPTZOID, TEXTOID, BYTEAOID
	},
	[RING_KEY_VERSION] = {
		INT4OID, INT2OID, BYTEAOID, TIMESTAMPTZOID,
		INT8OID, TIMESTAMPTZOID, TEXTOID, BYTEAOID
	},
	[RING_GRANT] = {
		INT4OID, REGROLEOID, OIDOID, NAMEOID, TEXTARRAYOID, TEXTOID, NAMEOID,
		INT8OID, TIMESTAMPTZOID, TEXTOID, BYTEAOID
	},
	[RING_PROTECTION] = {
		INT8OID, REGCLASSOID, TEXTOID, NAMEOID, NAMEOID, NAMEARRAYOID, INT8ARRAYOID, BOOLOID,
		INT8OID, TIMESTAMPTZOID, TEXTOID, BYTEAOID
	},
	[RING_HEAD] = {
		BOOLOID, BYTEAOID,
		INT8OID, TIMESTAMPTZOID, TEXTOID, BYTEAOID
	},
};

/* row_columns_fit: does a table have the columns that this library reads? */
bool
row_columns_fit(RingTable table, TupleDesc desc)
{
	if (desc->natts != own_columns[table] + COMMON_COLUMNS)
		return false;
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->atttypid != column_types[table][i])
			return false;
	}
	return true;
}

/* row_is_complete: has it every column that pgseal always writes? */
bool
row_is_complete(const RingRow *row)
{
	int			count = own_columns[row->table] + COMMON_COLUMNS;

	for (int i = 0; i < count; i++)
	{
		bool		optional = i == secret_column(row->table) ||
			(row->table == RING_KEY && i == KEY_COMMENT);

		if (row->nulls[i] && !optional)
			return false;
	}
	return true;
}

/* row_column: where a common column stands in a table. */
int
row_column(RingTable table, CommonColumn column)
{
	return own_columns[table] + column;
}

/* row_deform: take a stored tuple apart; the values point into it. */
void
row_deform(RingRow *row, RingTable table, HeapTuple tuple, TupleDesc desc)
{
	row->table = table;
	row->tuple = tuple;
	heap_deform_tuple(tuple, desc, row->values, row->nulls);
}

/* ring_array: the elements of an array of a ring table, palloc'd. */
void
ring_array(ArrayType *array, Oid type, Datum **elements, bool **nulls, int *count)
{
	int16		width;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(type, &width, &by_value, &align);
	deconstruct_array(array, type, width, by_value, align, elements, nulls, count);
}

/* ring_make_array: the reverse of ring_array(). */
ArrayType *
ring_make_array(Datum *elements, int count, Oid type)
{
	int16		width;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(type, &width, &by_value, &align);
	return construct_array(elements, count, type, width, by_value, align);
}

/* send_bytes: length and bytes. */
static void
send_bytes(StringInfo out, const char *bytes, int len)
{
	pq_sendint32(out, len);
	pq_sendbytes(out, bytes, len);
}

/* send_text: length and UTF-8. */
static void
send_text(StringInfo out, const text *value)
{
	char	   *utf8 = pg_server_to_any(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), PG_UTF8);
	int			len = utf8 == VARDATA_ANY(value) ? VARSIZE_ANY_EXHDR(value) : strlen(utf8);

	send_bytes(out, utf8, len);
}

/* element_type: what the arrays of ring tables hold. */
static Oid
element_type(Oid array_type)
{
	switch (array_type)
	{
		case TEXTARRAYOID:
			return TEXTOID;
		case NAMEARRAYOID:
			return NAMEOID;
		case INT8ARRAYOID:
			return INT8OID;
		default:
			return InvalidOid;
	}
}

static void send_value(StringInfo out, Oid type, Datum value);

/* send_array: number of elements, then each as a value of its type. */
static void
send_array(StringInfo out, ArrayType *array, Oid type)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	StringInfoData inner;

	ring_array(array, type, &elements, &nulls, &count);
	initStringInfo(&inner);
	pq_sendint32(&inner, count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			pq_sendint32(&inner, PG_UINT32_MAX);
		else
			send_value(&inner, type, elements[i]);
	}
	send_bytes(out, inner.data, inner.len);
	pfree(inner.data);
}

/* send_value: one column's length and bytes. */
static void
send_value(StringInfo out, Oid type, Datum value)
{
	struct varlena *bytes;

	switch (type)
	{
		case BOOLOID:
			pq_sendint32(out, 1);
			pq_sendint8(out, DatumGetBool(value) ? 1 : 0);
			break;
		case INT2OID:
			pq_sendint32(out, 2);
			pq_sendint16(out, DatumGetInt16(value));
			break;
		case INT4OID:
		case OIDOID:
			pq_sendint32(out, 4);
			pq_sendint32(out, DatumGetInt32(value));
			break;
		case INT8OID:
		case TIMESTAMPTZOID:
			pq_sendint32(out, 8);
			pq_sendint64(out, DatumGetInt64(value));
			break;
		case NAMEOID:
			send_bytes(out, NameStr(*DatumGetName(value)), strlen(NameStr(*DatumGetName(value))));
			break;
		case TEXTOID:
			send_text(out, DatumGetTextPP(value));
			break;
		case BYTEAOID:
			bytes = PG_DETOAST_DATUM_PACKED(value);
			send_bytes(out, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
			break;
		case TEXTARRAYOID:
		case NAMEARRAYOID:
		case INT8ARRAYOID:
			send_array(out, DatumGetArrayTypeP(value), element_type(type));
			break;
		default:
			elog(ERROR, "unexpected type %u in a table of the key ring", type);
	}
}

/* is_covered: does the form carry this column? */
static bool
is_covered(const RingRow *row, TupleDesc desc, int column, bool with_mac)
{
	Oid			type = TupleDescAttr(desc, column)->atttypid;

	if (row->nulls[column] || type == REGROLEOID || type == REGCLASSOID)
		return false;
	return with_mac || column != row_column(row->table, COMMON_MAC);
}

/*
 * row_encode
 *		Append the byte form of a row.
 *
 *	with_mac	the form of a ring export; without it what the MAC covers
 */
void
row_encode(StringInfo bytes, const RingRow *row, TupleDesc desc, bool with_mac)
{
	pq_sendint8(bytes, ROW_FORMAT);
	send_bytes(bytes, ring_table_name(row->table), strlen(ring_table_name(row->table)));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (!is_covered(row, desc, i, with_mac))
			continue;
		send_bytes(bytes, NameStr(attribute->attname), strlen(NameStr(attribute->attname)));
		send_value(bytes, attribute->atttypid, row->values[i]);
	}
}

/* row_mac: MAC of a row under a root's MAC key. */
void
row_mac(unsigned char mac[MAC_BYTES], const RingRow *row, TupleDesc desc, const HmacKey *mac_key)
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	row_encode(&bytes, row, desc, false);
	hmac_mac(mac, (unsigned char *) bytes.data, bytes.len, mac_key);
	pfree(bytes.data);
}

/* row_root: fingerprint of the root a row says it was written under; palloc'd. */
const char *
row_root(const RingRow *row)
{
	int			column = row_column(row->table, COMMON_ROOT);

	return row->nulls[column] ? "" : TextDatumGetCString(row->values[column]);
}

/* row_mac_fits: was this row written by pgseal under this root? */
bool
row_mac_fits(const RingRow *row, TupleDesc desc, const char *root, const HmacKey *mac_key)
{
	int			column = row_column(row->table, COMMON_MAC);
	struct varlena *stored;
	unsigned char mac[MAC_BYTES];

	if (row->nulls[column] || strcmp(row_root(row), root) != 0)
		return false;
	stored = PG_DETOAST_DATUM_PACKED(row->values[column]);
	if (VARSIZE_ANY_EXHDR(stored) != MAC_BYTES)
		return false;
	row_mac(mac, row, desc, mac_key);
	return sodium_memcmp(mac, VARDATA_ANY(stored), MAC_BYTES) == 0;
}

/* A cursor over the bytes of an encoded row. */
typedef struct Reader
{
	const char *next;
	int			left;
} Reader;

/* read_block: the next length-prefixed block. */
static bool
read_block(const char **block, int *len, Reader *reader)
{
	uint32		n;

	if (reader->left < 4)
		return false;
	memcpy(&n, reader->next, 4);
	n = pg_ntoh32(n);
	if (n > (uint32) (reader->left - 4))
		return false;
	*block = reader->next + 4;
	*len = n;
	reader->next += 4 + n;
	reader->left -= 4 + n;
	return true;
}

/* read_number: a big-endian integer of exactly width bytes. */
static bool
read_number(int64 *number, const char *block, int len, int width)
{
	uint64		value = 0;

	if (len != width)
		return false;
	for (int i = 0; i < len; i++)
		value = (value << 8) | (unsigned char) block[i];
	*number = (int64) value;
	return true;
}

/* read_text: UTF-8 into the encoding of the database; text holds no zero byte. */
static bool
read_text(Datum *value, const char *block, int len)
{
	char	   *copy;

	if (memchr(block, '\0', len) != NULL)
		return false;
	copy = pnstrdup(block, len);
	*value = CStringGetTextDatum(pg_any_to_server(copy, len, PG_UTF8));
	return true;
}

static bool read_value(Datum *value, Oid type, const char *block, int len);

/* read_array: the reverse of send_array(). */
static bool
read_array(Datum *value, Oid type, const char *block, int len)
{
	Reader		reader = {block + 4, len - 4};
	int64		count;
	Datum	   *elements;

	if (len < 4 || !read_number(&count, block, 4, 4) || count < 0 || count > len / 4)
		return false;
	elements = palloc(sizeof(Datum) * (count + 1));
	for (int i = 0; i < count; i++)
	{
		const char *element;
		int			element_len;

		if (!read_block(&element, &element_len, &reader) ||
			!read_value(&elements[i], type, element, element_len))
			return false;
	}
	*value = PointerGetDatum(ring_make_array(elements, count, type));
	return reader.left == 0;
}

/* read_value: the reverse of send_value(), without its length. */
static bool
read_value(Datum *value, Oid type, const char *block, int len)
{
	int64		number;
	NameData   *name;

	switch (type)
	{
		case BOOLOID:
			if (!read_number(&number, block, len, 1) || number > 1)
				return false;
			*value = BoolGetDatum(number == 1);
			return true;
		case INT2OID:
			if (!read_number(&number, block, len, 2))
				return false;
			*value = Int16GetDatum((int16) number);
			return true;
		case INT4OID:
		case OIDOID:
			if (!read_number(&number, block, len, 4))
				return false;
			*value = Int32GetDatum((int32) number);
			return true;
		case INT8OID:
		case TIMESTAMPTZOID:
			if (!read_number(&number, block, len, 8))
				return false;
			*value = Int64GetDatum(number);
			return true;
		case NAMEOID:
			if (len >= NAMEDATALEN || memchr(block, '\0', len) != NULL)
				return false;
			name = palloc0(sizeof(NameData));
			memcpy(NameStr(*name), block, len);
			*value = NameGetDatum(name);
			return true;
		case TEXTOID:
			return read_text(value, block, len);
		case BYTEAOID:
			*value = PointerGetDatum(cstring_to_text_with_len(block, len));
			return true;
		case TEXTARRAYOID:
		case NAMEARRAYOID:
		case INT8ARRAYOID:
			return read_array(value, element_type(type), block, len);
		default:
			return false;
	}
}

/* column_of_name: number of the column with this name, or -1. */
static int
column_of_name(TupleDesc desc, const char *name, int len)
{
	for (int i = 0; i < desc->natts; i++)
	{
		const char *attname = NameStr(TupleDescAttr(desc, i)->attname);

		if ((int) strlen(attname) == len && memcmp(attname, name, len) == 0)
			return i;
	}
	return -1;
}

/*
 * row_decode
 *		The reverse of row_encode(with_mac).  False when the bytes are not
 *		such a row; columns that are left out are null.
 */
bool
row_decode(RingRow *row, RingTable table, TupleDesc desc, const char *bytes, int len)
{
	Reader		reader = {bytes + 1, len - 1};
	const char *block;
	int			block_len;

	ring_start_row(row, table);
	if (len < 1 || bytes[0] != ROW_FORMAT || !read_block(&block, &block_len, &reader) ||
		(int) strlen(ring_table_name(table)) != block_len ||
		memcmp(ring_table_name(table), block, block_len) != 0)
		return false;
	while (reader.left > 0)
	{
		int			column;

		if (!read_block(&block, &block_len, &reader))
			return false;
		column = column_of_name(desc, block, block_len);
		if (column < 0 || !row->nulls[column] || !read_block(&block, &block_len, &reader))
			return false;
		if (!read_value(&row->values[column], TupleDescAttr(desc, column)->atttypid, block, block_len))
			return false;
		row->nulls[column] = false;
	}
	return true;
}

/* secret_column: the column of a table that holds a wrapped secret, or -1. */
int
secret_column(RingTable table)
{
	switch (table)
	{
		case RING_KEY:
			return KEY_SEARCH_SECRET;
		case RING_KEY_VERSION:
			return VERSION_SECRET;
		default:
			return -1;
	}
}

/* secret_bound: what a wrapped secret is bound to, so that none can be moved; returns its length. */
int
secret_bound(unsigned char bound[16], const RingRow *row)
{
	uint32		id = pg_hton32(DatumGetInt32(row->values[0]));
	uint16		version = 0;

	memset(bound, 0, 16);
	if (row->table == RING_KEY_VERSION)
		version = pg_hton16(DatumGetInt16(row->values[VERSION_NUMBER]));
	memcpy(bound, row->table == RING_KEY ? "search" : "versio", 6);
	memcpy(bound + 6, &id, 4);
	memcpy(bound + 10, &version, 2);
	return 12;
}

/* row_get_secret: the wrapped secret of a row; false when it has none. */
bool
row_get_secret(unsigned char wrapped[WRAPPED_BYTES], const RingRow *row, int column)
{
	struct varlena *stored;

	if (column < 0 || row->nulls[column])
		return false;
	stored = PG_DETOAST_DATUM_PACKED(row->values[column]);
	if (VARSIZE_ANY_EXHDR(stored) != WRAPPED_BYTES)
		return false;
	memcpy(wrapped, VARDATA_ANY(stored), WRAPPED_BYTES);
	return true;
}
