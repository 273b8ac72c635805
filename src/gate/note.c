/*-------------------------------------------------------------------------
 * note.c
 *		Where refusals and changes of rights are told.
 *
 * Floor 3.  One line in the server log for each event: who did what to which
 * key.  Never a value, and never the statement.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/gate.h"

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

/*
 * gate_note
 *		Tell one event.  The strings are names, never values.
 *
 * Written whatever log_min_messages says: a superuser can set it for his own
 * session.
 */
void
gate_note(const GateEvent *event)
{
	int			threshold = log_min_messages;

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
