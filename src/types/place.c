/*-------------------------------------------------------------------------
 * place.c
 *		Where a value stands: the bytes of which its context is made.
 *
 * Floor 4.  The number of the column, then each column of the primary key:
 *
 *		0 .. 7		number of the column, as its protection has it, big-endian
 *		[4 + n]		length, big-endian, and bytes of one column of the key
 *
 * The bytes are the type's binary send form; of text, and of the label of an
 * enum, UTF-8.  They must depend on nothing but the value: not on a setting, not
 * on the client's encoding.  So the types are those that are known to be so.
 *
 * ALTER TABLE may make an integer a bigint and a char(8) a varchar(10), and
 * fires no trigger: so integers have eight bytes, and char(n) no padding.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(pgseal_place);

#define PLACE_ROOM	64			/* bytes, of which most places need less */

/* ----------
 * Which columns
 * ----------
 */

/* primary_key: the row of the index behind it, or NULL. */
static HeapTuple
primary_key(Relation relation)
{
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(relation))
	{
		HeapTuple	index = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));

		if (!HeapTupleIsValid(index))
			continue;
		if (((Form_pg_index) GETSTRUCT(index))->indisprimary)
			return index;
		ReleaseSysCache(index);
	}
	return NULL;
}

/* place_columns: numbers of the columns of the primary key, in its order; how many, 0 without one. */
int
place_columns(AttrNumber columns[INDEX_MAX_KEYS], Relation relation)
{
	HeapTuple	index = primary_key(relation);
	Form_pg_index form;
	int			count,
				i;

	if (index == NULL)
		return 0;
	form = (Form_pg_index) GETSTRUCT(index);
	count = form->indnkeyatts;
	for (i = 0; i < count; i++)
		columns[i] = form->indkey.values[i];
	ReleaseSysCache(index);
	return count;
}

/* ----------
 * Bytes
 * ----------
 */

/* form_of: how values of a base type become bytes. */
static PlaceForm
form_of(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return PLACE_INTEGER;
		case TEXTOID:
		case VARCHAROID:
			return PLACE_TEXT;
		case BPCHAROID:
			return PLACE_PADDED;
		case NAMEOID:
			return PLACE_CSTRING;
		case BOOLOID:
		case CHAROID:
		case OIDOID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case CASHOID:
		case UUIDOID:
		case BYTEAOID:
		case BITOID:
		case VARBITOID:
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
			return PLACE_SEND;
		default:
			return get_typtype(type) == TYPTYPE_ENUM ? PLACE_LABEL : PLACE_NONE;
	}
}

/*
 * place_part_init
 *		How values of one column of a key become part of a place.
 *
 *	context		where what is looked up is kept
 *
 * Returns false for a type that cannot be part of one.
 */
bool
place_part_init(PlacePart *part, Oid type, MemoryContext context)
{
	Oid			base = getBaseType(type);
	Oid			function;
	bool		is_varlena;

	part->form = form_of(base);
	part->len = get_typlen(base);
	if (part->form == PLACE_NONE)
		return false;
	if (part->form != PLACE_LABEL && part->form != PLACE_SEND)
		return true;
	if (part->form == PLACE_LABEL)
		getTypeOutputInfo(base, &function, &is_varlena);
	else
		getTypeBinaryOutputInfo(base, &function, &is_varlena);
	fmgr_info_cxt(function, &part->function, context);
	return true;
}

/* place_start: the place of a value of this column. */
void
place_start(StringInfo place, uint64 column_number)
{
	resetStringInfo(place);
	pq_sendint64(place, column_number);
}

/* add_bytes: length and bytes. */
static void
add_bytes(StringInfo place, const char *bytes, int len)
{
	pq_sendint32(place, len);
	appendBinaryStringInfo(place, bytes, len);
}

/* add_utf8: text of the server's encoding. */
static void
add_utf8(StringInfo place, const char *bytes, int len)
{
	char	   *utf8 = pg_server_to_any(bytes, len, PG_UTF8);

	add_bytes(place, utf8, utf8 == bytes ? len : (int) strlen(utf8));
}

/* integer_value: of two, four or eight bytes. */
static int64
integer_value(Datum value, int len)
{
	switch (len)
	{
		case sizeof(int16):
			return DatumGetInt16(value);
		case sizeof(int32):
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

/* add_text: a varlena that holds text; of a padded one what is before the padding. */
static void
add_text(StringInfo place, Datum value, bool padded)
{
	text	   *held = DatumGetTextPP(value);
	int			len = VARSIZE_ANY_EXHDR(held);

	add_utf8(place, VARDATA_ANY(held), padded ? bpchartruelen(VARDATA_ANY(held), len) : len);
	if (held != (text *) DatumGetPointer(value))
		pfree(held);
}

/* add_sent: what the send function of the type makes of it. */
static void
add_sent(StringInfo place, PlacePart *part, Datum value)
{
	bytea	   *sent = SendFunctionCall(&part->function, value);

	add_bytes(place, VARDATA(sent), VARSIZE(sent) - VARHDRSZ);
	pfree(sent);
}

/* place_add: the next column of the key; its value is not null. */
void
place_add(StringInfo place, PlacePart *part, Datum value)
{
	char	   *label;

	switch (part->form)
	{
		case PLACE_INTEGER:
			pq_sendint32(place, sizeof(int64));
			pq_sendint64(place, integer_value(value, part->len));
			break;
		case PLACE_TEXT:
		case PLACE_PADDED:
			add_text(place, value, part->form == PLACE_PADDED);
			break;
		case PLACE_CSTRING:
			add_utf8(place, NameStr(*DatumGetName(value)), strlen(NameStr(*DatumGetName(value))));
			break;
		case PLACE_LABEL:
			label = OutputFunctionCall(&part->function, value);
			add_utf8(place, label, strlen(label));
			pfree(label);
			break;
		case PLACE_SEND:
			add_sent(place, part, value);
			break;
		case PLACE_NONE:
			elog(ERROR, "part of a place without a form");
	}
}

/* place_number: the column number that a place begins with; 0, which no column has, when it is too short. */
uint64
place_number(const char *place, size_t place_len)
{
	uint64		number;

	if (place_len < sizeof(number))
		return 0;
	memcpy(&number, place, sizeof(number));
	return pg_ntoh64(number);
}

/* call_parts: of the arguments behind the first, kept at the call site. */
static PlacePart *
call_parts(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	PlacePart  *parts;
	int			i;

	if (flinfo->fn_extra != NULL)
		return flinfo->fn_extra;
	parts = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(PlacePart) * fcinfo->nargs);
	for (i = 1; i < fcinfo->nargs; i++)
	{
		Oid			type = get_fn_expr_argtype(flinfo, i);

		if (!OidIsValid(type) || !place_part_init(&parts[i], type, flinfo->fn_mcxt))
			error_raise(SEAL_E_PLACE_TYPE, format_type_be(type));
	}
	flinfo->fn_extra = parts;
	return parts;
}

/* start_bytes: a varlena of which only the header is there, with room for so many bytes: called for every value of a scan. */
static void
start_bytes(StringInfo bytes, int room)
{
	bytes->data = palloc(room);
	bytes->maxlen = room;
	bytes->len = VARHDRSZ;
	bytes->cursor = 0;
}

/* seal.place(bigint, VARIADIC "any") returns bytea */
Datum
pgseal_place(PG_FUNCTION_ARGS)
{
	PlacePart  *parts = call_parts(fcinfo);
	StringInfoData place;
	int			i;

	start_bytes(&place, PLACE_ROOM);
	pq_sendint64(&place, (uint64) PG_GETARG_INT64(0));
	for (i = 1; i < PG_NARGS(); i++)
		place_add(&place, &parts[i], PG_GETARG_DATUM(i));
	SET_VARSIZE(place.data, place.len);
	PG_RETURN_BYTEA_P((bytea *) place.data);
}
