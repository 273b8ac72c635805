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
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/lsyscache.h"

/* form_of: how values of a base type become bytes. */
static PlaceForm
form_of(Oid type)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return PLACE_TEXT;
		case NAMEOID:
			return PLACE_CSTRING;
		case BOOLOID:
		case CHAROID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
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
	if (part->form == PLACE_NONE)
		return false;
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

/* add_text: a varlena that holds text. */
static void
add_text(StringInfo place, Datum value)
{
	text	   *held = DatumGetTextPP(value);

	add_utf8(place, VARDATA_ANY(held), VARSIZE_ANY_EXHDR(held));
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
		case PLACE_TEXT:
			add_text(place, value);
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
