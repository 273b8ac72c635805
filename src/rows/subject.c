/*-------------------------------------------------------------------------
 * subject.c
 *		seal.subject(): the trigger that seals each row for its subject.
 *
 * Floor 5.  The last trigger before a row is written: what types made of plain
 * values, under the key alone, becomes a value of this subject, row and column.
 * A value that is one already passes unchanged, whoever wrote it: a restore, an
 * apply, an UPDATE of other columns need no right.  One that belongs elsewhere is
 * refused, unless this very UPDATE moves its row to another subject or key.
 *
 * Without a root nothing can be checked, and envelopes pass as they are: one that
 * does not belong where it stands does not open there.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "gate/gate.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(pgseal_subject);

/* Two subjects, one of whose values became the other's. */
typedef struct Transfer
{
	Oid			table;
	uint64		from;
	uint64		to;
} Transfer;

/* A row that is being written. */
typedef struct Written
{
	ProtectedRow new;
	ProtectedRow old;			/* of an UPDATE */
	bool		is_update;
	bool		same_place;		/* the UPDATE leaves the row its subject and its key */
	int			count;			/* columns that get other values */
	int		   *columns;
	Datum	   *values;
	bool	   *nulls;
} Written;

/* ----------
 * Transfers
 * ----------
 */

/* transfers: those of this statement. */
static HTAB *
transfers(void)
{
	static HTAB *told = NULL;
	static TimestampTz statement = 0;
	HASHCTL		info = {.keysize = sizeof(Transfer), .entrysize = sizeof(Transfer), .hcxt = TopMemoryContext};

	if (told != NULL && statement == GetCurrentStatementStartTimestamp())
		return told;
	if (told != NULL)
		hash_destroy(told);
	told = NULL;
	told = hash_create("pgseal transfers", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	statement = GetCurrentStatementStartTimestamp();
	return told;
}

/* note_transfer: once for each statement and pair of subjects. */
static void
note_transfer(const Protected *protected, uint64 from, uint64 to)
{
	Transfer	transfer;
	bool		found;

	memset(&transfer, 0, sizeof(transfer));
	transfer.table = protected->logical;
	transfer.from = from;
	transfer.to = to;
	(void) hash_search(transfers(), &transfer, HASH_ENTER, &found);
	if (!found)
		gate_note(&(GateEvent) {
			.action = "protect",.what = "transfer",
			.detail = psprintf("table=%s from=" UINT64_FORMAT " to=" UINT64_FORMAT,
							   watch_relation_name(protected->logical), from, to),
			.subject = from
		});
}

/* ----------
 * What an INSERT made
 * ----------
 */

/*
 * remember
 *		The value that this INSERT sealed.
 *
 * ON CONFLICT DO UPDATE can give it to another row, as excluded.<column>.
 */
static void
remember(ProtectedColumn *column, Datum sealed)
{
	Envelope	envelope;
	struct varlena *held;

	column->made = sealed_envelope(&envelope, &held, sealed);
	if (column->made)
		memcpy(column->made_tag, envelope.tag, TAG_BYTES);
	column->made_in = GetCurrentCommandId(false);
	column->made_by = compat_local_xid();
}

/* just_made: was this value sealed by the INSERT that has become an UPDATE? */
static bool
just_made(const ProtectedColumn *column, const Envelope *envelope)
{
	return column->made && column->made_in == GetCurrentCommandId(false) &&
		column->made_by == compat_local_xid() &&
		memcmp(column->made_tag, envelope->tag, TAG_BYTES) == 0;
}

/* ----------
 * One value
 * ----------
 */

/* same_bytes: also of a value outside the row, which need not be fetched for that. */
static bool
same_bytes(Datum a, Datum b)
{
	struct varlena *left = (struct varlena *) DatumGetPointer(a);
	struct varlena *right = (struct varlena *) DatumGetPointer(b);

	return VARSIZE_ANY(left) == VARSIZE_ANY(right) && memcmp(left, right, VARSIZE_ANY(left)) == 0;
}

/* is_unchanged: has the row had this value already?  A trigger may have fetched it where that matters, in a row that moves. */
static bool
is_unchanged(Written *written, const ProtectedColumn *column, Datum value)
{
	Datum		before;
	bool		null;

	if (!written->is_update)
		return false;
	before = slot_getattr(written->old.slot, column->attribute, &null);
	if (null || same_bytes(before, value))
		return !null;
	return !written->same_place && datum_image_eq(before, value, false, -1);
}

/* give: a column gets another value. */
static void
give(Written *written, const ProtectedColumn *column, Datum value)
{
	written->columns[written->count] = column->attribute;
	written->values[written->count] = value;
	written->nulls[written->count] = false;
	written->count++;
}

/* transfer: the row goes to another subject or gets another key, and takes its value along. */
static void
transfer(Written *written, const ProtectedColumn *column, const Envelope *envelope)
{
	give(written, column, row_seal(&written->new, column, envelope));
	note_transfer(written->new.protected, envelope->subject, written->new.subject);
}

/* seal_fresh: a value that no subject has yet. */
static void
seal_fresh(Written *written, ProtectedColumn *column, const Envelope *envelope)
{
	Datum		sealed = row_seal(&written->new, column, envelope);

	give(written, column, sealed);
	if (!written->is_update)
		remember(column, sealed);
}

/*
 * place_value
 *		See to it that one value belongs where it is written.  22023
 */
static void
place_value(Written *written, ProtectedColumn *column, Datum value, bool unchanged)
{
	Envelope	envelope;
	struct varlena *held;

	if (!sealed_envelope(&envelope, &held, value) || (envelope.flags & ENVELOPE_TOKEN_ONLY))
		error_raise(SEAL_E_CORRUPT, NULL);
	if (envelope.subject == 0)
		seal_fresh(written, column, &envelope);
	else if (unchanged && written->same_place)
		return;
	else if (row_fits(&written->new, column, &envelope))
		return;
	else if (unchanged && row_fits(&written->old, column, &envelope))
		transfer(written, column, &envelope);
	else if (just_made(column, &envelope))
		give(written, column, row_seal(&written->new, column, &envelope));
	else
		error_raise(SEAL_E_MISPLACED, NULL);
}

/* ----------
 * One row
 * ----------
 */

/* must_look: a value that may need to be looked at; one that stays in its place does not. */
static bool
must_look(Written *written, const ProtectedColumn *column, bool unchanged)
{
	return !(unchanged && written->same_place && written->new.protected->complete);
}

/* place_values: of all sealed columns that are not null. */
static void
place_values(Written *written)
{
	Protected  *protected = written->new.protected;

	for (int i = 0; i < protected->column_count; i++)
	{
		ProtectedColumn *column = &protected->columns[i];
		bool		null;
		Datum		value = slot_getattr(written->new.slot, column->attribute, &null);
		bool		unchanged;

		if (!written->is_update)
			column->made = false;
		if (null)
			continue;
		unchanged = is_unchanged(written, column, value);
		if (must_look(written, column, unchanged))
			place_value(written, column, value, unchanged);
	}
}

/* same_column: has the row kept its value of a column? */
static bool
same_column(Written *written, AttrNumber attribute)
{
	Form_pg_attribute form = TupleDescAttr(written->new.slot->tts_tupleDescriptor, attribute - 1);
	bool		null,
				was_null;
	Datum		value = slot_getattr(written->new.slot, attribute, &null);
	Datum		before = slot_getattr(written->old.slot, attribute, &was_null);

	return null == was_null && (null || datum_image_eq(value, before, form->attbyval, form->attlen));
}

/* keeps_place: does an UPDATE leave the row with its subject and its key? */
static bool
keeps_place(Written *written)
{
	const Protected *protected = written->new.protected;

	if (!written->is_update || !same_column(written, protected->subject))
		return false;
	for (int i = 0; i < protected->key_count; i++)
		if (!same_column(written, protected->key[i].attribute))
			return false;
	return true;
}

/* start: nothing is given to any column yet. */
static void
start(Written *written, Protected *protected, const TriggerData *trigger)
{
	memset(written, 0, sizeof(Written));
	written->is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	row_start(&written->new, protected, written->is_update ? trigger->tg_newslot : trigger->tg_trigslot);
	row_start(&written->old, protected, trigger->tg_trigslot);
	written->same_place = keeps_place(written);
	written->columns = palloc(sizeof(int) * protected->column_count);
	written->values = palloc(sizeof(Datum) * protected->column_count);
	written->nulls = palloc(sizeof(bool) * protected->column_count);
}

/* seal_row: the row as it is to be stored. */
static HeapTuple
seal_row(Protected *protected, const TriggerData *trigger)
{
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	Written		written;

	start(&written, protected, trigger);
	if (!row_names_subject(&written.new))
		error_raise(SEAL_E_SUBJECT_NULL, NULL);
	/* without a key the row is refused after this */
	if (!row_has_key(&written.new))
		return tuple;
	place_values(&written);
	if (written.count == 0)
		return tuple;
	return heap_modify_tuple_by_cols(tuple, RelationGetDescr(trigger->tg_relation), written.count,
									 written.columns, written.values, written.nulls);
}

/* ----------
 * The trigger
 * ----------
 */

/* refuse_protocol: 39P01, in the words of core. */
static void
refuse_protocol(const char *message)
{
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg(message, "subject")));
}

/* trigger_called: as what we were called; raises unless it is before a row is written. */
static const TriggerData *
trigger_called(FunctionCallInfo fcinfo)
{
	const TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		refuse_protocol("function \"%s\" was not called by trigger manager");
	if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		refuse_protocol("function \"%s\" must be fired BEFORE ROW");
	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		refuse_protocol("function \"%s\" must be fired for INSERT or UPDATE");
	return trigger;
}

/* unchanged_row: as it came. */
static Datum
unchanged_row(const TriggerData *trigger)
{
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple);
}

/* seal.subject() returns trigger */
Datum
pgseal_subject(PG_FUNCTION_ARGS)
{
	const TriggerData *trigger = trigger_called(fcinfo);
	Protected  *protected;

	if (ring_verify() != SEAL_OK || ring_is_empty())
		return unchanged_row(trigger);
	protected = protected_of(trigger->tg_relation);
	if (protected == NULL)
		error_raise(SEAL_E_NOT_PROTECTED, RelationGetRelationName(trigger->tg_relation));
	if (protected->closed)
		error_raise(SEAL_E_PROTECTION_CLOSED, RelationGetRelationName(trigger->tg_relation));
	return PointerGetDatum(seal_row(protected, trigger));
}
