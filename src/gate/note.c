/*-------------------------------------------------------------------------
 * note.c
 *		Where refusals and changes of rights are told.
 *
 * Floor 3.  A record of the audit for each event, and a line in the server log
 * for whoever watches that: who did what to which key.  Never a value, and never
 * the statement.  The record is what counts; repeated refusals have no line.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/gate.h"

#include "audit/audit.h"
#include "utils/builtins.h"
#include "utils/guc.h"

/* role_name: name of a role, or its OID when it has none any more. */
static const char *
role_name(Oid role)
{
	const char *name = GetUserNameFromId(role, true);

	return name != NULL ? name : psprintf("%u", role);
}

/* write_line: the line itself. */
static void
write_line(const GateEvent *event)
{
	ereport(LOG_SERVER_ONLY,
			(errmsg("pgseal: %s %s%s%s%s%s%s%s login=%s session=%s role=%s",
					event->action, event->what,
					event->key != NULL ? " key=" : "", event->key != NULL ? event->key : "",
					event->detail != NULL ? " " : "", event->detail != NULL ? event->detail : "",
					event->sqlstate != 0 ? " sqlstate=" : "",
					event->sqlstate != 0 ? unpack_sql_state(event->sqlstate) : "",
					role_name(GetAuthenticatedUserId()),
					role_name(GetSessionUserId()),
					role_name(GetUserId())),
			 errhidestmt(true),
			 errhidecontext(true)));
}

/* write_record: true for an event that is more than the repetition of a refusal. */
static bool
write_record(const GateEvent *event)
{
	AuditRecord record = {
		AUDIT_NO_COUNTS,
		.action = audit_action_of_name(event->action),
		.key = event->key,
		.what = event->what,
		.detail = audit_text(event->detail),
		.subject = event->subject,
	};
	const RingKey *key;

	if (event->sqlstate == 0)
	{
		if (event->regardless)
			audit_note_regardless(&record);
		else
			audit_note(&record);
		return true;
	}
	key = event->key != NULL ? ring_key_by_name(event->key) : NULL;
	return audit_refuse(&record, key != NULL ? key->id : 0, event->sqlstate);
}

/*
 * gate_note
 *		Tell one event.  The strings are names, never values.
 *
 * A database without the extension has no records, but it can give memberships.
 * The line is written whatever log_min_messages says: a superuser can set it
 * for his own session.
 */
void
gate_note(const GateEvent *event)
{
	int			threshold = log_min_messages;

	if (seal_in_database() && !write_record(event))
		return;
	log_min_messages = LOG;
	PG_TRY();
	{
		write_line(event);
	}
	PG_FINALLY();
	{
		log_min_messages = threshold;
	}
	PG_END_TRY();
}
