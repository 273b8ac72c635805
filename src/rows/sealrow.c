/*-------------------------------------------------------------------------
 * sealrow.c
 *		A row of a protected table: whom it is about, where its values stand.
 *
 * Floor 5.  Both are found when first asked for: a row without a sealed value
 * makes no subject.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "port/pg_bswap.h"

/* row_start: nothing is known of it yet but where it is. */
void
row_start(ProtectedRow *row, Protected *protected, TupleTableSlot *slot)
{
	row->protected = protected;
	row->slot = slot;
	row->subject = 0;
	row->external = NULL;
	row->place.data = NULL;
}

/* external_of: what the application calls the subject; NULL when the column is null. */
static const char *
external_of(ProtectedRow *row)
{
	Datum		value;
	bool		null;

	if (row->external == NULL)
	{
		value = slot_getattr(row->slot, row->protected->subject, &null);
		if (!null)
			row->external = OutputFunctionCall(&row->protected->subject_output, value);
	}
	return row->external;
}

/* row_names_subject: is its subject column not null? */
bool
row_names_subject(ProtectedRow *row)
{
	return external_of(row) != NULL;
}

/* row_seek_subject: look for it; it needs not be there yet. */
SealError
row_seek_subject(ProtectedRow *row)
{
	SealError	error;

	if (row->subject != 0 || !row_names_subject(row))
		return SEAL_OK;
	error = subject_find_external(&row->subject, NameStr(row->protected->subject_type), row->external);
	if (error != SEAL_OK)
		row->subject = 0;		/* a closed one is not found for the next column either */
	return error;
}

/* row_subject: its number; 0 when there is no such subject yet. */
uint64
row_subject(ProtectedRow *row)
{
	SealError	error = row_seek_subject(row);

	if (error != SEAL_OK)
		ring_raise(error, 0);
	return row->subject;
}

/*
 * row_about
 *		The number of the subject that a row of this table is about; 0 when nothing
 *		protects the table, there is no such subject, or that cannot be said.
 */
uint64
row_about(Relation relation, TupleTableSlot *slot)
{
	ProtectedRow row;
	Protected  *protected;

	if (ring_verify() != SEAL_OK)
		return 0;
	protected = protected_of(relation);
	if (protected == NULL || protected->closed)
		return 0;
	row_start(&row, protected, slot);
	if (!row_names_subject(&row))
		return 0;
	return subject_named(NameStr(protected->subject_type), row.external);
}

/* row_make_subject: the same, and there is one afterwards.  23502 */
uint64
row_make_subject(ProtectedRow *row)
{
	SealError	error;

	if (row_subject(row) != 0)
		return row->subject;
	if (!row_names_subject(row))
		error_raise(SEAL_E_SUBJECT_NULL, NULL);
	error = subject_make(&row->subject, NameStr(row->protected->subject_type), row->external);
	if (error != SEAL_OK)
		ring_raise(error, 0);
	return row->subject;
}

/* start_place: all of it but the number of the column; false when the row has no key. */
static bool
start_place(ProtectedRow *row)
{
	Protected  *protected = row->protected;

	initStringInfo(&row->place);
	place_start(&row->place, 0);
	for (int i = 0; i < protected->key_count; i++)
	{
		bool		null;
		Datum		value = slot_getattr(row->slot, protected->key[i].attribute, &null);

		if (null)
			return false;
		place_add(&row->place, &protected->key[i].part, value);
	}
	return true;
}

/* row_has_key: no, and the row will be refused for that. */
bool
row_has_key(ProtectedRow *row)
{
	return row->place.data != NULL || start_place(row);
}

/* set_column: the place of this row's value of a column. */
static void
set_column(ProtectedRow *row, const ProtectedColumn *column)
{
	uint64		number = pg_hton64(column->number);

	(void) row_has_key(row);
	memcpy(row->place.data, &number, sizeof(number));
}

/* row_fits: does a value that has a subject belong to this one, this row and this column? */
bool
row_fits(ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope)
{
	if (envelope->subject == 0 || row_subject(row) != envelope->subject)
		return false;
	set_column(row, column);
	return value_fits(envelope, row->subject, row->place.data, row->place.len);
}

/* row_seal: a value, sealed again for this row and column. */
Datum
row_seal(ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope)
{
	(void) row_make_subject(row);
	set_column(row, column);
	return PointerGetDatum(value_move(envelope, column->typmod, row->subject,
									  row->place.data, row->place.len));
}
