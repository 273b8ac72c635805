/*-------------------------------------------------------------------------
 * rowimage.c
 *		A row as the log of writes keeps it: its key, and its values.
 *
 * Floor 5.  Values become a jsonb object of envelopes by column: sealed ones as
 * they are stored, plain ones sealed under key audit.  A null stays null.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "catalog/pg_type.h"
#include "types/types.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/json.h"
#include "utils/jsonb.h"

/* ----------
 * Values
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

/* set_value: of a pair of the object. */
static void
set_value(JsonbValue *json, WatchedColumn *column, TupleTableSlot *slot)
{
	Datum		value = slot->tts_values[column->place];
	char	   *image;

	if (slot->tts_isnull[column->place])
	{
		json->type = jbvNull;
		return;
	}
	image = column->sealed ? image_keep(value) : image_seal(OutputFunctionCall(&column->output, value));
	json->type = jbvString;
	json->val.string.val = image;
	json->val.string.len = strlen(image);
}

/*
 * row_image
 *		A jsonb object of the chosen columns; NULL: all.
 *
 * The columns are in the order of the object's keys already.
 */
Datum
row_image(const Watched *watched, TupleTableSlot *slot, const bool *chosen)
{
	JsonbValue	object;
	JsonbPair  *pair;

	object.type = jbvObject;
	object.val.object.nPairs = 0;
	object.val.object.pairs = palloc(sizeof(JsonbPair) * Max(watched->column_count, 1));
	for (int i = 0; i < watched->column_count; i++)
	{
		if (chosen != NULL && !chosen[i])
			continue;
		pair = &object.val.object.pairs[object.val.object.nPairs++];
		pair->key.type = jbvString;
		pair->key.val.string.val = unconstify(char *, watched->columns[i].name);
		pair->key.val.string.len = strlen(watched->columns[i].name);
		set_value(&pair->value, &watched->columns[i], slot);
	}
	return JsonbPGetDatum(JsonbValueToJsonb(&object));
}

/* ----------
 * Names
 * ----------
 */

/* text_array: some texts as a text[]. */
static Datum
text_array(Datum *texts, int count)
{
	return PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* row_column_names: of the chosen columns; NULL: of all. */
Datum
row_column_names(const Watched *watched, const bool *chosen)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(watched->column_count, 1));
	int			count = 0;

	for (int i = 0; i < watched->column_count; i++)
		if (chosen == NULL || chosen[i])
			names[count++] = watched->columns[i].name_text;
	return text_array(names, count);
}

/* row_key_names: of the keys that the chosen columns are sealed with; NULL: of all columns. */
Datum
row_key_names(const Watched *watched, const bool *chosen)
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
	return text_array(names, count);
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

	return column->sealed ? image_name(value) : OutputFunctionCall(&column->output, value);
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
		if (watched->row_key[i]->number)
			appendStringInfoString(&text, part);
		else
			escape_json(&text, part);
	}
	appendStringInfoChar(&text, ']');
	return text.data;
}
