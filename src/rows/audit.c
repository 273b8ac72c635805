/*-------------------------------------------------------------------------
 * audit.c
 *		seal.audit(): the trigger that records each write to a watched table.
 *
 * Floor 5.  A row is recorded when it has been written, once for each write,
 * whatever command or cascade or replication made it.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "commands/trigger.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"

#define WHEN_KEY_CHANGES	"new key "	/* detail of an UPDATE that changes the key of its row */

PG_FUNCTION_INFO_V1(pgseal_audit);

/* How values are printed: settings of the session that the log must not depend on. */
typedef struct PrintSettings
{
	int			date_style;
	int			date_order;
	int			interval_style;
	int			float_digits;
	int			bytes;
	pg_tz	   *zone;
} PrintSettings;

/* ----------
 * Printing
 * ----------
 */

/* print_settings: those of the session. */
static PrintSettings
print_settings(void)
{
	return (PrintSettings) {
		DateStyle, DateOrder, IntervalStyle, extra_float_digits, bytea_output, session_timezone
	};
}

/* set_print_settings: without GUC, which would take longer than the row. */
static void
set_print_settings(const PrintSettings *settings)
{
	DateStyle = settings->date_style;
	DateOrder = settings->date_order;
	IntervalStyle = settings->interval_style;
	extra_float_digits = settings->float_digits;
	bytea_output = settings->bytes;
	session_timezone = settings->zone;
}

/* log_settings: one value has one text in the log, and none loses a digit. */
static PrintSettings
log_settings(void)
{
	static pg_tz *zone = NULL;

	if (zone == NULL)
		zone = pg_tzset("GMT");
	return (PrintSettings) {
		USE_ISO_DATES, DATEORDER_YMD, INTSTYLE_POSTGRES, 3, BYTEA_OUTPUT_HEX, zone
	};
}

/* ----------
 * Events
 * ----------
 */

/* set_names: of the columns that are recorded, null for all of them, and of their keys. */
static void
set_names(Change *change, const ChosenNames *names)
{
	if (names->columns != (Datum) 0)
		change_set(change, CHANGE_COLUMNS, names->columns);
	if (names->keys != (Datum) 0)
		change_set(change, CHANGE_KEYS, names->keys);
}

/* set_subject: whom the row is about, where its table is protected. */
static void
set_subject(Change *change, const Watched *watched, Relation relation, TupleTableSlot *slot)
{
	uint64		subject = watched->is_protected ? row_about(relation, slot) : 0;

	if (subject != 0)
		change_set(change, CHANGE_SUBJECT, Int64GetDatum((int64) subject));
}

/* record_whole: INSERT or DELETE of a row. */
static void
record_whole(Watched *watched, Relation relation, AuditAction action, ChangeColumn image, TupleTableSlot *slot)
{
	Change		change;

	change_start(&change);
	slot_getallattrs(slot);
	set_subject(&change, watched, relation, slot);
	change_set_action(&change, action);
	change_set_text(&change, CHANGE_ROW_KEY, row_key(watched, slot));
	set_names(&change, row_names(watched, NULL));
	change_set(&change, image, row_image(watched, slot, NULL));
	change_store(&change, watched);
}

/* set_row_key: the key that the row had, and the one it got where that is another. */
static void
set_row_key(Change *change, const Watched *watched, TupleTableSlot *old_slot, TupleTableSlot *new_slot)
{
	char	   *before = row_key(watched, old_slot);
	char	   *after = row_key(watched, new_slot);

	change_set_text(change, CHANGE_ROW_KEY, before);
	if (before != NULL && strcmp(before, after) != 0)
		change_set_text(change, CHANGE_DETAIL, psprintf(WHEN_KEY_CHANGES "%s", after));
}

/*
 * record_update
 *		What changed, and nothing but that.
 *
 * A row that goes to another subject is a write about that one: the transfer of its
 * values is recorded of the one it leaves.
 */
static void
record_update(Watched *watched, Relation relation, TupleTableSlot *old_slot, TupleTableSlot *new_slot)
{
	bool	   *changed = palloc(sizeof(bool) * Max(watched->column_count, 1));
	Change		change;

	change_start(&change);
	slot_getallattrs(old_slot);
	slot_getallattrs(new_slot);
	set_subject(&change, watched, relation, new_slot);
	if (row_changes(changed, watched, old_slot, new_slot))
		set_row_key(&change, watched, old_slot, new_slot);
	else
		change_set_text(&change, CHANGE_ROW_KEY, row_key(watched, old_slot));
	change_set_action(&change, AUDIT_UPDATE);
	set_names(&change, row_names(watched, changed));
	change_set(&change, CHANGE_OLD, row_image(watched, old_slot, changed));
	change_set(&change, CHANGE_NEW, row_image(watched, new_slot, changed));
	change_store(&change, watched);
}

/* record_truncate: a statement, without rows. */
static void
record_truncate(const Watched *watched)
{
	Change		change;

	change_start(&change);
	change_set_action(&change, AUDIT_TRUNCATE);
	change_store(&change, watched);
}

/* record_event: by kind. */
static void
record_event(const TriggerData *trigger, Watched *watched)
{
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		record_whole(watched, trigger->tg_relation, AUDIT_INSERT, CHANGE_NEW, trigger->tg_trigslot);
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		record_whole(watched, trigger->tg_relation, AUDIT_DELETE, CHANGE_OLD, trigger->tg_trigslot);
	else if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		record_update(watched, trigger->tg_relation, trigger->tg_trigslot, trigger->tg_newslot);
	else
		record_truncate(watched);
}

/* ----------
 * The trigger
 * ----------
 */

/* refuse_protocol: 39P01, in the words of core. */
static void
refuse_protocol(const char *message)
{
	ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg(message, "audit")));
}

/* trigger_called: as what we were called; raises unless it is after a row, or after TRUNCATE. */
static const TriggerData *
trigger_called(FunctionCallInfo fcinfo)
{
	const TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		refuse_protocol("function \"%s\" was not called by trigger manager");
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event))
		refuse_protocol("function \"%s\" must be fired AFTER ROW");
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) && !TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		refuse_protocol("function \"%s\" must be fired AFTER ROW");
	return trigger;
}

/* seal.audit() returns trigger */
Datum
pgseal_audit(PG_FUNCTION_ARGS)
{
	const TriggerData *trigger = trigger_called(fcinfo);
	PrintSettings session = print_settings();
	PrintSettings ours = log_settings();
	Watched    *watched = watched_of(trigger->tg_relation);

	set_print_settings(&ours);
	PG_TRY();
	{
		record_event(trigger, watched);
	}
	PG_FINALLY();
	{
		set_print_settings(&session);
	}
	PG_END_TRY();
	return PointerGetDatum(NULL);
}
