/*-------------------------------------------------------------------------
 * change.c
 *		Rows of seal.audit_change: who did what to which row.
 *
 * Floor 5.  Written below the executor and in the transaction of the change:
 * no right on the table is needed, and no trigger, rule or search path of
 * somebody else comes between.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/xact.h"
#include "audit/audit.h"
#include "common/ip.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#define ADDRESS_LOCAL	"local"

/* Who writes, as read for the last row; texts in TopMemoryContext. */
typedef struct Who
{
	bool		known;
	Oid			login;
	Oid			session;
	Oid			role;
	Datum		login_role;
	Datum		session_role;
	Datum		role_name;
	Datum		address;
	Datum		application;
} Who;

static Who	who;

/* change_start: a row of nulls. */
void
change_start(Change *change)
{
	memset(change->values, 0, sizeof(change->values));
	memset(change->nulls, true, sizeof(change->nulls));
}

void
change_set(Change *change, ChangeColumn column, Datum value)
{
	change->values[column] = value;
	change->nulls[column] = false;
}

/* change_set_text: NULL stays null. */
void
change_set_text(Change *change, ChangeColumn column, const char *text)
{
	if (text != NULL)
		change_set(change, column, CStringGetTextDatum(text));
}

/* constant_text: made once. */
static Datum
constant_text(Datum *text, const char *string)
{
	MemoryContext before;

	if (*text != (Datum) 0)
		return *text;
	before = MemoryContextSwitchTo(TopMemoryContext);
	*text = CStringGetTextDatum(string);
	MemoryContextSwitchTo(before);
	return *text;
}

/* change_set_action: one of those of a write. */
void
change_set_action(Change *change, AuditAction action)
{
	static Datum names[AUDIT_TRUNCATE + 1];

	change_set(change, CHANGE_ACTION, constant_text(&names[action], audit_action_name(action)));
}

/* ----------
 * Who
 * ----------
 */

/* role_text: name of a role, or its OID when it has none any more. */
static Datum
role_text(Oid role)
{
	char		number[MAXINT8LEN + 1];
	char	   *name = GetUserNameFromId(role, true);
	Datum		text;

	snprintf(number, sizeof(number), "%u", role);
	text = CStringGetTextDatum(name != NULL ? name : number);
	if (name != NULL)
		pfree(name);
	return text;
}

/* login_role: who logged in; a background worker works for its session's role. */
static Oid
login_role(void)
{
	Oid			login = GetAuthenticatedUserId();

	return OidIsValid(login) ? login : GetSessionUserId();
}

/* address_text: local, or host:port. */
static Datum
address_text(void)
{
	SockAddr	client = MyBEEntry->st_clientaddr;
	char		host[NI_MAXHOST];
	char		port[NI_MAXSERV];
	char		both[NI_MAXHOST + NI_MAXSERV];

	if ((client.addr.ss_family != AF_INET && client.addr.ss_family != AF_INET6) ||
		pg_getnameinfo_all(&client.addr, client.salen, host, sizeof(host), port, sizeof(port),
						   NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return CStringGetTextDatum(ADDRESS_LOCAL);
	snprintf(both, sizeof(both), "%s:%s", host, port);
	return CStringGetTextDatum(both);
}

/* text_is: is this text that string? */
static bool
text_is(Datum text, const char *string)
{
	const struct varlena *held = (const struct varlena *) DatumGetPointer(text);

	return VARSIZE_ANY_EXHDR(held) == strlen(string) &&
		memcmp(VARDATA_ANY(held), string, VARSIZE_ANY_EXHDR(held)) == 0;
}

/* who_is_known: does what was read for the last row hold for this one? */
static bool
who_is_known(void)
{
	return who.known && who.role == GetUserId() &&
		who.session == GetSessionUserId() && who.login == login_role() &&
		text_is(who.application, application_name);
}

/* set_text: one of the texts. */
static void
set_text(Datum *text, Datum value)
{
	if (*text != (Datum) 0)
		pfree(DatumGetPointer(*text));
	*text = value;
}

/* learn_who: read it, until a role is renamed or another one writes. */
static void
learn_who(void)
{
	MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);

	who.known = true;
	who.login = InvalidOid;		/* until all is read */
	who.session = GetSessionUserId();
	who.role = GetUserId();
	set_text(&who.login_role, role_text(login_role()));
	set_text(&who.session_role, role_text(who.session));
	set_text(&who.role_name, role_text(who.role));
	set_text(&who.address, address_text());
	set_text(&who.application, CStringGetTextDatum(application_name));
	who.login = login_role();
	MemoryContextSwitchTo(before);
}

/* forget_who: syscache callback of roles. */
static void
forget_who(Datum arg, int cache_id, uint32 hash)
{
	who.known = false;
}

/* set_who: the columns that say who. */
static void
set_who(Change *change)
{
	if (!who_is_known())
		learn_who();
	change_set(change, CHANGE_LOGIN_ROLE, who.login_role);
	change_set(change, CHANGE_SESSION_ROLE, who.session_role);
	change_set(change, CHANGE_ROLE, who.role_name);
	change_set(change, CHANGE_ADDRESS, who.address);
	change_set(change, CHANGE_APPLICATION, who.application);
	change_set_text(change, CHANGE_ACTOR, audit_claim(CLAIM_ACTOR));
	change_set_text(change, CHANGE_PURPOSE, audit_claim(CLAIM_PURPOSE));
}

/* ----------
 * Storing
 * ----------
 */

/*
 * change_store
 *		Complete the row, which is written with the next ones.
 */
void
change_store(Change *change, const Watched *watched)
{
	static Datum ok;

	set_who(change);
	change_set(change, CHANGE_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	change_set(change, CHANGE_OUTCOME, constant_text(&ok, "ok"));
	change_set(change, CHANGE_XID, FullTransactionIdGetDatum(GetTopFullTransactionId()));
	change_set(change, CHANGE_RELATION, watched->relation);
	if (watched->is_partition)
		change_set(change, CHANGE_WHAT, watched->partition);
	pending_add(watched, change);
	audit_wake_at_commit();
}

void
change_init(void)
{
	CacheRegisterSyscacheCallback(AUTHOID, forget_who, (Datum) 0);
}
