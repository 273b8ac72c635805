/*-------------------------------------------------------------------------
 * rowimage.c
 *		A row as the log of writes keeps it: its key, and its values.
 *
 * Floor 5.  Values become envelopes by column, sealed ones as they are stored.
 * The plain ones are one envelope, of a JSON object by column again, under the
 * empty name, which no column has.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "audit/audit.h"
#include "catalog/pg_type.h"
#include "types/types.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/json.h"

#define EACH_BYTE(byte)		((byte) * UINT64CONST(0x0101010101010101))

/* ----------
 * What changed
 * ----------
 */

/* same_pointer: are both one value outside the row? Then nothing need be fetched to compare. */
static bool
same_pointer(const WatchedColumn *column, Datum a, Datum b)
{
	struct varlena *left = (struct varlena *) DatumGetPointer(a);
	struct varlena *right = (struct varlena *) DatumGetPointer(b);

	return column->len == -1 &&
		VARATT_IS_EXTERNAL_ONDISK(left) && VARATT_IS_EXTERNAL_ONDISK(right) &&
		memcmp(left, right, VARSIZE_EXTERNAL(left)) == 0;
}

/* column_changed: other bytes, or a null come or gone. */
static bool
column_changed(const WatchedColumn *column, TupleTableSlot *old_slot, TupleTableSlot *new_slot)
{
	Datum		old_value = old_slot->tts_values[column->place];
	Datum		new_value = new_slot->tts_values[column->place];
	bool		old_null = old_slot->tts_isnull[column->place];

	if (old_null || new_slot->tts_isnull[column->place])
		return old_null != new_slot->tts_isnull[column->place];
	if (column->by_value)
		return old_value != new_value;
	return !same_pointer(column, old_value, new_value) &&
		!datum_image_eq(old_value, new_value, false, column->len);
}

/* row_changes: which columns an UPDATE changed; true when the key of the row is among them. */
bool
row_changes(bool *changed, const Watched *watched, TupleTableSlot *old_slot, TupleTableSlot *new_slot)
{
	bool		moved = false;

	for (int i = 0; i < watched->column_count; i++)
		changed[i] = column_changed(&watched->columns[i], old_slot, new_slot);
	for (int i = 0; i < watched->row_key_count; i++)
		moved |= changed[watched->row_key[i] - watched->columns];
	return moved;
}

/* ----------
 * The plain values
 * ----------
 */

/* has_zero: is one of eight bytes zero? Source: Warren, "Hacker's Delight", section 6-1. */
static inline uint64
has_zero(uint64 word)
{
	return (word - EACH_BYTE(0x01)) & ~word & EACH_BYTE(0x80);
}

/* is_quiet: is there nothing that JSON escapes?  By eight bytes, as most of the letters of a row go through it. */
static bool
is_quiet(const char *bytes, int len)
{
	uint64		loud = 0;
	uint64		word;
	int			i;

	for (i = 0; i + (int) sizeof(word) <= len; i += sizeof(word))
	{
		memcpy(&word, bytes + i, sizeof(word));
		loud |= (word - EACH_BYTE(' ')) & ~word & EACH_BYTE(0x80);
		loud |= has_zero(word ^ EACH_BYTE('"')) | has_zero(word ^ EACH_BYTE('\\'));
	}
	for (; i < len; i++)
		loud |= (unsigned char) bytes[i] < ' ' || bytes[i] == '"' || bytes[i] == '\\';
	return loud == 0;
}

/* append_string: a string of JSON. */
static void
append_string(StringInfo json, const char *bytes, int len)
{
	char	   *end;

	if (!is_quiet(bytes, len))
	{
		escape_json(json, pnstrdup(bytes, len));
		return;
	}
	enlargeStringInfo(json, len + 2);
	end = json->data + json->len;
	*end++ = '"';
	memcpy(end, bytes, len);
	end[len] = '"';
	json->len += len + 2;
}

/* integer_of: what a column of a type of integers holds. */
static int64
integer_of(const WatchedColumn *column, Datum value)
{
	if (column->len == sizeof(int16))
		return DatumGetInt16(value);
	return column->len == sizeof(int32) ? DatumGetInt32(value) : DatumGetInt64(value);
}

/* append_integer: as a string of JSON, too. */
static void
append_integer(StringInfo json, int64 number)
{
	enlargeStringInfo(json, MAXINT8LEN + 2);
	json->data[json->len++] = '"';
	json->len += pg_lltoa(number, json->data + json->len);
	json->data[json->len++] = '"';
}

/* append_text: what the column holds, as its type prints it; integers and texts without a call. */
static void
append_text(StringInfo json, WatchedColumn *column, Datum value)
{
	struct varlena *held;
	char	   *text;

	switch (column->print)
	{
		case PRINT_INTEGER:
			append_integer(json, integer_of(column, value));
			break;
		case PRINT_TEXT:
			held = PG_DETOAST_DATUM_PACKED(value);
			append_string(json, VARDATA_ANY(held), VARSIZE_ANY_EXHDR(held));
			break;
		case PRINT_BY_TYPE:
			text = OutputFunctionCall(&column->output, value);
			append_string(json, text, strlen(text));
			break;
	}
}

/* append_member: a plain column in the object of them, behind a comma. */
static void
append_member(StringInfo json, WatchedColumn *column, TupleTableSlot *slot)
{
	enlargeStringInfo(json, column->member_len);
	memcpy(json->data + json->len, column->member, column->member_len);
	json->len += column->member_len;
	if (slot->tts_isnull[column->place])
		appendBinaryStringInfo(json, "null", 4);
	else
		append_text(json, column, slot->tts_values[column->place]);
}

/* seal_plain: the chosen plain columns as one envelope; NULL when there are none. */
static struct varlena *
seal_plain(const Watched *watched, TupleTableSlot *slot, const bool *chosen)
{
	StringInfoData json;
	int			begin;

	initStringInfo(&json);
	image_start(&json);
	begin = json.len;
	for (int i = 0; i < watched->column_count; i++)
		if (!watched->columns[i].sealed && (chosen == NULL || chosen[i]))
			append_member(&json, &watched->columns[i], slot);
	if (json.len == begin)
		return NULL;
	json.data[begin] = '{';		/* in the place of the first comma */
	appendStringInfoChar(&json, '}');
	return image_seal(&json);
}

/* ----------
 * The image
 * ----------
 */

/* add_sealed: a sealed column. */
static void
add_sealed(StringInfo image, Size *shown, const WatchedColumn *column, TupleTableSlot *slot)
{
	struct varlena *held;

	if (slot->tts_isnull[column->place])
	{
		audit_image_add(image, shown, &column->name, NULL, 0);
		return;
	}
	held = PG_DETOAST_DATUM_PACKED(slot->tts_values[column->place]);
	audit_image_add(image, shown, &column->name, VARDATA_ANY(held), VARSIZE_ANY_EXHDR(held));
}

/*
 * row_image
 *		The chosen columns, NULL: all; bytea.
 *
 * The columns are in the order of an image already, and the empty name of the
 * plain ones comes before them.
 */
Datum
row_image(const Watched *watched, TupleTableSlot *slot, const bool *chosen)
{
	static const AuditColumn plain_name = {IMAGE_PLAIN, 0};
	struct varlena *plain = seal_plain(watched, slot, chosen);
	Size		shown = 0;
	StringInfoData image;

	initStringInfo(&image);
	image.len = VARHDRSZ;
	if (plain != NULL)
		audit_image_add(&image, &shown, &plain_name, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
	for (int i = 0; i < watched->column_count; i++)
		if (watched->columns[i].sealed && (chosen == NULL || chosen[i]))
			add_sealed(&image, &shown, &watched->columns[i], slot);
	SET_VARSIZE(image.data, image.len);
	return PointerGetDatum(image.data);
}

/* ----------
 * Names
 * ----------
 */

/* text_array: some texts as a text[], in the memory of the table's knowledge. */
static Datum
text_array(const Watched *watched, Datum *texts, int count)
{
	MemoryContext before = MemoryContextSwitchTo(watched->context);
	ArrayType  *array = construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT);

	MemoryContextSwitchTo(before);
	return PointerGetDatum(array);
}

/* column_names: of the chosen columns. */
static Datum
column_names(const Watched *watched, const bool *chosen)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(watched->column_count, 1));
	int			count = 0;

	for (int i = 0; i < watched->column_count; i++)
		if (chosen[i])
			names[count++] = watched->columns[i].name_text;
	return text_array(watched, names, count);
}

/* key_names: of the keys that the chosen columns are sealed with; 0 when none is; NULL: of all columns. */
static Datum
key_names(const Watched *watched, const bool *chosen)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(watched->column_count, 1));
	bool	   *used = palloc0(sizeof(bool) * Max(watched->column_count, 1));
	int			count = 0;

	for (int i = 0; i < watched->column_count; i++)
		if (watched->columns[i].sealed && (chosen == NULL || chosen[i]))
			used[watched->columns[i].key] = true;
	for (int i = 0; i < watched->key_count; i++)
		if (used[i])
			names[count++] = watched->keys[i];
	return count > 0 ? text_array(watched, names, count) : (Datum) 0;
}

/* free_names: of the UPDATE before. */
static void
free_names(ChosenNames *names)
{
	if (names->columns != (Datum) 0)
		pfree(DatumGetPointer(names->columns));
	if (names->keys != (Datum) 0)
		pfree(DatumGetPointer(names->keys));
	names->columns = (Datum) 0;
	names->keys = (Datum) 0;
}

/*
 * row_names
 *		Of the columns that an UPDATE changed, and of their keys.
 *
 * NULL: of a whole row, whose columns need not be named.  The next UPDATE will
 * mostly change the same columns: so they are kept.  Valid until the next call.
 */
const ChosenNames *
row_names(Watched *watched, const bool *chosen)
{
	Size		len = sizeof(bool) * watched->column_count;

	if (chosen == NULL)
	{
		if (!watched->all_known)
			watched->all_names.keys = key_names(watched, NULL);
		watched->all_known = true;
		return &watched->all_names;
	}
	if (watched->last_known && memcmp(watched->last_chosen, chosen, len) == 0)
		return &watched->last_names;
	watched->last_known = false;
	free_names(&watched->last_names);
	watched->last_names.columns = column_names(watched, chosen);
	watched->last_names.keys = key_names(watched, chosen);
	memcpy(watched->last_chosen, chosen, len);
	watched->last_known = true;
	return &watched->last_names;
}

/* ----------
 * The key of a row
 * ----------
 */

/* part_text: one column of the key. */
static char *
part_text(WatchedColumn *column, TupleTableSlot *slot)
{
	Datum		value = slot->tts_values[column->place];
	char	   *digits;

	if (column->sealed)
		return image_name(value);
	if (column->print != PRINT_INTEGER)
		return OutputFunctionCall(&column->output, value);
	digits = palloc(MAXINT8LEN + 1);
	pg_lltoa(integer_of(column, value), digits);
	return digits;
}

/*
 * row_key
 *		The key of a row as text, NULL when the table has none.
 *
 * One column: its text.  Several: a JSON array as jsonb_build_array() prints
 * it, integers as numbers and all else as strings.
 */
char *
row_key(const Watched *watched, TupleTableSlot *slot)
{
	StringInfoData text;

	if (watched->row_key_count == 0)
		return NULL;
	if (watched->row_key_count == 1)
		return part_text(watched->row_key[0], slot);
	initStringInfo(&text);
	for (int i = 0; i < watched->row_key_count; i++)
	{
		char	   *part = part_text(watched->row_key[i], slot);

		appendStringInfoString(&text, i == 0 ? "[" : ", ");
		if (watched->row_key[i]->print == PRINT_INTEGER)
			appendStringInfoString(&text, part);
		else
			escape_json(&text, part);
	}
	appendStringInfoChar(&text, ']');
	return text.data;
}
