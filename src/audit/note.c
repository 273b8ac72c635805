/*-------------------------------------------------------------------------
 * note.c
 *		Records of changes, which a transaction may take back, and of refusals,
 *		which may come by the thousand.
 *
 * Floor 2.  A change is recorded before its transaction commits, as "ok"; when
 * the transaction or the part of it that made the change ends otherwise, a
 * second record says so.
 *
 * The first refusal of a login, role, key and reason is recorded at once.  For a
 * minute others of the same are only counted, and the count is one record.  Who
 * is refused for more reasons than there are places has one place for all others
 * of his login, and when those are taken too, all share the last one: so there
 * are never more records in a minute than twice the places.  When the server
 * stops the writer has the counts written; a crash loses those of the last minute.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define WINDOW_USECS	(60 * USECS_PER_SEC)
#define SETTLE_AT_ONCE	16		/* refusals whose counts are written in one go */

typedef struct Note
{
	struct Note *next;
	SubTransactionId made_in;
	AuditRecord record;
} Note;

static Note *notes = NULL;		/* of this transaction, the latest first; in TopTransactionContext */

/* ----------
 * Changes
 * ----------
 */

/* take_back: the changes of a transaction, or of a part of it, did not come to pass. */
static void
take_back(SubTransactionId from, const char *outcome)
{
	while (notes != NULL && notes->made_in >= from)
	{
		notes->record.outcome = outcome;
		notes->record.at = 0;
		if (audit_store(&notes->record, 1, false) != SEAL_OK)
			ereport(LOG_SERVER_ONLY, (errmsg("audit record of a change taken back could not be stored")));
		notes = notes->next;
	}
}

/* follow_transaction: transaction callback. */
static void
follow_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		take_back(InvalidSubTransactionId, "aborted");
	else if (event == XACT_EVENT_PREPARE)
		take_back(InvalidSubTransactionId, "prepared");
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE || event == XACT_EVENT_COMMIT)
		notes = NULL;
}

/* follow_subtransaction: subtransaction callback; what is committed belongs to the parent. */
static void
follow_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		take_back(mine, "aborted");
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (Note *note = notes; note != NULL && note->made_in >= mine; note = note->next)
			note->made_in = parent;
	}
}

void
note_init(void)
{
	RegisterXactCallback(follow_transaction, NULL);
	RegisterSubXactCallback(follow_subtransaction, NULL);
}

/* kept: a copy of a text in the current context, or NULL. */
static const char *
kept(const char *text)
{
	return text != NULL ? pstrdup(text) : NULL;
}

/* remember: until the transaction ends. */
static void
remember(const AuditRecord *record)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	Note	   *note = palloc(sizeof(Note));

	note->record = *record;
	note->record.key = kept(record->key);
	note->record.what = kept(record->what);
	note->record.detail = kept(record->detail);
	note->record.relation = kept(record->relation);
	note->record.row_key = kept(record->row_key);
	note->record.purpose = kept(record->purpose);
	note->record.actor = kept(record->actor);
	note->record.xid = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	note->made_in = GetCurrentSubTransactionId();
	note->next = notes;
	notes = note;
	MemoryContextSwitchTo(old);
}

/*
 * audit_note
 *		Record a change that this transaction makes.  53100, 58030: then it must not be made.
 */
void
audit_note(const AuditRecord *record)
{
	audit_append(record, true);
	remember(record);
}

/* audit_note_regardless: the same of a change that is made even when no record of it can be stored. */
void
audit_note_regardless(const AuditRecord *record)
{
	AuditRecord whole = *record;

	audit_who(&whole);
	audit_mac_key_refresh();
	if (audit_store(&whole, 1, true) != SEAL_OK)
		ereport(LOG_SERVER_ONLY, (errmsg("audit record of a change could not be stored")));
	remember(record);
}

/* ----------
 * Refusals
 * ----------
 */

/* extent: what a count speaks for. */
static const char *
extent(const Refusal *refusal)
{
	if (OidIsValid(refusal->role))
		return "repeated within a minute";
	if (OidIsValid(refusal->login))
		return "others of this login within a minute";
	return "others of all logins and databases within a minute";
}

/* settled: the record that tells a count; false when there is none to tell. */
static bool
settled(AuditRecord *record, char outcome[6], Refusal *refusal)
{
	if (refusal->repeated == 0)
		return false;
	*record = (AuditRecord) {
		AUDIT_NO_COUNTS,
		.action = AUDIT_REFUSE,
		.login_role = NameStr(refusal->login_role), /* empty for all; NULL would be who writes this */
		.role = NameStr(refusal->role_name)[0] != '\0' ? NameStr(refusal->role_name) : NULL,
		.what = NameStr(refusal->what)[0] != '\0' ? NameStr(refusal->what) : NULL,
		.key = NameStr(refusal->key)[0] != '\0' ? NameStr(refusal->key) : NULL,
		.detail = extent(refusal),
	};
	strlcpy(outcome, unpack_sql_state(refusal->sqlstate), 6);
	record->outcome = outcome;
	record->repeated = refusal->repeated;
	return true;
}

/* is_over: has the minute of a refusal passed? */
static bool
is_over(const Refusal *refusal, TimestampTz now)
{
	return OidIsValid(refusal->database) && refusal->since + WINDOW_USECS <= now;
}

/* note_next_settling: when the first minute ends that somebody counts in. */
static void
note_next_settling(void)
{
	TimestampTz next = 0;

	for (int i = 0; i < REFUSAL_COUNT; i++)
	{
		Refusal    *refusal = &audit_shared->refusals[i];

		if (OidIsValid(refusal->database) && refusal->repeated > 0 &&
			(next == 0 || refusal->since + WINDOW_USECS < next))
			next = refusal->since + WINDOW_USECS;
	}
	pg_atomic_write_u64(&audit_shared->next_settling, next);
}

/* take_over: move refusals whose minute is over, or all, out of the table; their number. */
static int
take_over(Refusal *taken, bool all)
{
	TimestampTz now = GetCurrentTimestamp();
	int			count = 0;

	LWLockAcquire(audit_shared->refusal_lock, LW_EXCLUSIVE);
	for (int i = 0; i < REFUSAL_COUNT && count < SETTLE_AT_ONCE; i++)
	{
		Refusal    *refusal = &audit_shared->refusals[i];

		if (OidIsValid(refusal->database) && (all || is_over(refusal, now)))
		{
			taken[count++] = *refusal;
			refusal->database = InvalidOid;
		}
	}
	note_next_settling();
	LWLockRelease(audit_shared->refusal_lock);
	return count;
}

/*
 * audit_settle_refusals
 *		Write the counts of refusals whose minute is over, or all of them.
 *
 * Raises nothing: whoever comes by does it for others.
 */
void
audit_settle_refusals(bool all)
{
	uint64		due = pg_atomic_read_u64(&audit_shared->next_settling);
	Refusal		taken[SETTLE_AT_ONCE];
	int			count;

	if (!all && (due == 0 || GetCurrentTimestamp() < (TimestampTz) due))
		return;
	do
	{
		count = take_over(taken, all);
		for (int i = 0; i < count; i++)
		{
			AuditRecord record;
			char		outcome[6];

			if (settled(&record, outcome, &taken[i]) &&
				audit_store_of(taken[i].database, &record, 1, false) != SEAL_OK)
				ereport(LOG_SERVER_ONLY, (errmsg("audit record of repeated refusals could not be stored")));
		}
	} while (count == SETTLE_AT_ONCE);
}

/* is_like: is a refusal counted in this place of the table? */
static bool
is_like(const Refusal *refusal, const Refusal *wanted)
{
	return refusal->database == wanted->database && refusal->login == wanted->login &&
		refusal->role == wanted->role && refusal->key_id == wanted->key_id && refusal->sqlstate == wanted->sqlstate;
}

/* find_place: of a refusal among count places, else a free one of them, else NULL. */
static Refusal *
find_place(const Refusal *wanted, Refusal *places, int count)
{
	Refusal    *vacant = NULL;

	for (int i = 0; i < count; i++)
	{
		if (is_like(&places[i], wanted))
			return &places[i];
		if (!OidIsValid(places[i].database))
			vacant = &places[i];
	}
	return vacant;
}

/* find_refusal: where a refusal is counted; wanted is changed to what is counted there. */
static Refusal *
find_refusal(Refusal *wanted)
{
	Refusal    *places = audit_shared->refusals;
	int			own = REFUSAL_COUNT - REFUSAL_LOGINS;
	Refusal    *place = find_place(wanted, places, own);

	if (place != NULL)
		return place;
	*wanted = (Refusal) {
		.database = wanted->database,.login = wanted->login,.sqlstate = wanted->sqlstate,.since = wanted->since,
		.login_role = wanted->login_role
	};
	place = find_place(wanted, places + own, REFUSAL_LOGINS - 1);
	if (place != NULL)
		return place;
	wanted->login = InvalidOid;
	memset(&wanted->login_role, 0, sizeof(NameData));
	return &places[REFUSAL_COUNT - 1];
}

/* keep_name: a UTF-8 name as far as whole characters of it fit; NULL is empty. */
static void
keep_name(NameData *kept_name, const char *name)
{
	int			len = name != NULL ? strlen(name) : 0;

	memset(kept_name, 0, sizeof(NameData));
	if (len > 0)
		memcpy(NameStr(*kept_name), name, pg_encoding_mbcliplen(PG_UTF8, name, len, NAMEDATALEN - 1));
}

/* count: true when a refusal is only counted; else it is to be written, and begins a minute. */
static bool
count(const AuditRecord *record, uint32 key_id, int sqlstate)
{
	Refusal		wanted = {
		.database = MyDatabaseId,.login = GetAuthenticatedUserId(),.role = GetUserId(),
		.key_id = key_id,.sqlstate = sqlstate,.since = GetCurrentTimestamp()
	};
	Refusal    *refusal;
	bool		counted;

	keep_name(&wanted.login_role, record->login_role);
	keep_name(&wanted.role_name, record->role);
	keep_name(&wanted.key, record->key);
	keep_name(&wanted.what, record->what);
	LWLockAcquire(audit_shared->refusal_lock, LW_EXCLUSIVE);
	refusal = find_refusal(&wanted);
	counted = OidIsValid(refusal->database);
	if (counted)
		refusal->repeated++;
	else
		*refusal = wanted;
	note_next_settling();
	LWLockRelease(audit_shared->refusal_lock);
	return counted;
}

/*
 * audit_refuse
 *		Record a refusal, or count it.
 *
 *	key_id		0 for none, and for one that the ring does not have
 *
 * True when it was written, not only counted.  The refusal stands even if no
 * record can be stored.
 */
bool
audit_refuse(const AuditRecord *record, uint32 key_id, int sqlstate)
{
	AuditRecord whole = *record;

	audit_settle_refusals(false);
	audit_mac_key_refresh();
	audit_who(&whole);
	if (count(&whole, key_id, sqlstate))
		return false;
	whole.outcome = unpack_sql_state(sqlstate);
	if (audit_store(&whole, 1, true) != SEAL_OK)
		ereport(LOG_SERVER_ONLY, (errmsg("audit record of a refusal could not be stored")));
	return true;
}
