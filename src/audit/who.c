/*-------------------------------------------------------------------------
 * who.c
 *		Who runs this session, and from where.
 *
 * Floor 2.  Names are looked up while a transaction is running and kept for the
 * records that are written where none is: at its end, and the session's.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include "common/ip.h"
#include "libpq/pqcomm.h"
#include "mb/pg_wchar.h"
#include "storage/proc.h"
#include "utils/backend_status.h"
#include "utils/guc.h"

#define NAME_BYTES		(4 * NAMEDATALEN)	/* in UTF-8 */
#define ADDRESS_BYTES	NAMEDATALEN		/* of Leader */
#define LOCAL			"local"

typedef struct Who
{
	Oid			login;
	Oid			session;
	Oid			current;
	LocalTransactionId looked_up_in;
	char		login_role[NAME_BYTES];
	char		session_role[NAME_BYTES];
	char		role[NAME_BYTES];
	char		application[NAME_BYTES];
	char		address[ADDRESS_BYTES];
} Who;

static Who	who;

/* mask: in SQL_ASCII, what is no UTF-8 is not known to be text. */
static void
mask(char *text, size_t text_size, const char *name)
{
	int			len = strlen(name);

	if (pg_verify_mbstr(PG_UTF8, name, len, true))
	{
		strlcpy(text, name, pg_encoding_mbcliplen(PG_UTF8, name, len, text_size - 1) + 1);
		return;
	}
	strlcpy(text, name, text_size);
	for (char *c = text; *c != '\0'; c++)
	{
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	}
}

/* who_text: a name as UTF-8, cut at a character.  Needs a live transaction. */
void
who_text(char *text, size_t text_size, const char *name)
{
	int			encoding = GetDatabaseEncoding();
	char	   *converted;
	int			len;

	if (encoding == PG_SQL_ASCII)
	{
		mask(text, text_size, name);
		return;
	}
	converted = pg_server_to_any(name, strlen(name), PG_UTF8);
	len = pg_encoding_mbcliplen(PG_UTF8, converted, strlen(converted), text_size - 1);
	memcpy(text, converted, len);
	text[len] = '\0';
	if (converted != name)
		pfree(converted);
}

/* look_up: the name of a role, or its number when it has none any more; same: the answer, if there is one already. */
static void
look_up(char *text, Oid role, const char *same)
{
	char	   *name = same == NULL ? GetUserNameFromId(role, true) : NULL;

	if (same != NULL)
		strlcpy(text, same, NAME_BYTES);
	else if (name == NULL)
		snprintf(text, NAME_BYTES, "%u", role);
	else
	{
		who_text(text, NAME_BYTES, name);
		pfree(name);
	}
}

/* client_address: host:port of a client that came over the network. */
static bool
client_address(char *text)
{
	char		host[ADDRESS_BYTES];
	char		port[8];
	SockAddr   *client = MyBEEntry != NULL ? &MyBEEntry->st_clientaddr : NULL;

	if (client == NULL || (client->addr.ss_family != AF_INET && client->addr.ss_family != AF_INET6) ||
		pg_getnameinfo_all(&client->addr, client->salen, host, sizeof(host), port, sizeof(port),
						   NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return false;
	snprintf(text, ADDRESS_BYTES, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
	return true;
}

/* find_address: where the client is; a parallel worker has none and takes its leader's. */
static void
find_address(void)
{
	PGPROC	   *leader = MyProc->lockGroupLeader;

	if (client_address(who.address))
		return;
	if (leader != NULL && leader != MyProc)
		strlcpy(who.address, audit_shared->leaders[compat_proc_number(leader)].address, ADDRESS_BYTES);
	if (who.address[0] == '\0')
		strlcpy(who.address, LOCAL, ADDRESS_BYTES);
}

/* refresh: look up names that changed; roles are renamed by transactions, so within one it is done once. */
static void
refresh(void)
{
	Oid			login = GetAuthenticatedUserId();
	Oid			session = GetSessionUserId();
	Oid			current = GetUserId();
	LocalTransactionId now = compat_local_xid();

	if (who.address[0] == '\0')
		find_address();
	if (strcmp(who.application, application_name) != 0)
		who_text(who.application, NAME_BYTES, application_name);
	if (who.looked_up_in == now && who.login == login && who.session == session && who.current == current)
		return;
	who.looked_up_in = InvalidLocalTransactionId;
	look_up(who.login_role, login, NULL);
	look_up(who.session_role, session, session == login ? who.login_role : NULL);
	look_up(who.role, current, current == session ? who.session_role : NULL);
	who.login = login;
	who.session = session;
	who.current = current;
	who.looked_up_in = now;
}

/* who_publish: where the client is, for parallel workers of this backend; it keeps nothing of what it opens yet. */
void
who_publish(void)
{
	Leader	   *own = &audit_shared->leaders[compat_proc_number(MyProc)];

	if (who.address[0] == '\0')
		find_address();
	strlcpy(own->address, who.address, ADDRESS_BYTES);
	pg_atomic_write_u32(&own->keeping, 0);
}

/* fill_claim: what is claimed now; empty text means that nothing was. */
static void
fill_claim(const char **text, Claim claim)
{
	if (*text == NULL)
		*text = claim_text(claim);
	else if ((*text)[0] == '\0')
		*text = NULL;
}

/*
 * who_fill
 *		Fill in who and where, as it was looked up last, as far as the record does not say.
 *
 * The texts are valid until the next record.
 */
void
who_fill(AuditRecord *record)
{
	if (record->login_role != NULL || who.login_role[0] == '\0')
		return;
	record->login_role = who.login_role;
	if (record->session_role == NULL)
		record->session_role = who.session_role;
	if (record->role == NULL)
		record->role = who.role;
	if (record->address == NULL)
		record->address = who.address;
	if (record->application == NULL)
		record->application = who.application;
	fill_claim(&record->actor, CLAIM_ACTOR);
	fill_claim(&record->purpose, CLAIM_PURPOSE);
}

/* audit_who: look up who runs this, and fill it in.  Needs a live transaction. */
void
audit_who(AuditRecord *record)
{
	refresh();
	(void) claim_stamp();
	who_fill(record);
}

/* audit_text: a text of this database as a record takes it, UTF-8; NULL for NULL. */
char *
audit_text(const char *text)
{
	size_t		room = text != NULL ? MAX_CONVERSION_GROWTH * strlen(text) + 1 : 0;
	char	   *result = text != NULL ? palloc(room) : NULL;

	if (text != NULL)
		who_text(result, room, text);
	return result;
}
