/*-------------------------------------------------------------------------
 * gate.c
 *		The door: every key that is lent for a value is lent here.
 *
 * Floor 3.  The order of the questions is the same everywhere: is this a place
 * where values may be opened, does the ring say the truth, does the key exist,
 * has the role the right.  A refusal is noted before it is raised, an opening is
 * recorded before the key is lent.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "access/xact.h"
#include "audit/audit.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#define ANY_SUBJECT		PG_UINT64_MAX	/* no subject has this number */

/* gate_init: open the room. */
void
gate_init(void)
{
	rights_init();
	roles_init();
	settings_init();
	admin_init();
	admitted_init();
	admit_init();
}

/* verb_name: the verb as grant_key() takes it. */
static const char *
verb_name(int verb)
{
	if (verb & VERB_SEARCH)
		return "search";
	return verb & VERB_SEAL ? "seal" : "reveal";
}

/* note_refusal: tell that a key was refused, for values of a subject or of nobody. */
static void
note_refusal(uint32 key_id, const char *what, SealError error, uint64 subject)
{
	const RingKey *key = ring_key_by_id(key_id);

	gate_note(&(GateEvent) {
		.action = "refuse",
		.what = what,
		.key = key != NULL ? pstrdup(NameStr(key->name)) : NULL,
		.sqlstate = error_sqlstate(error),
		.subject = subject
	});
}

/* refuse_for: note and raise. */
static void
refuse_for(SealError error, uint32 key_id, const char *what, uint64 subject)
{
	note_refusal(key_id, what, error, subject);
	ring_raise(error, key_id);
}

/* refuse: the same for nobody's values. */
static void
refuse(SealError error, uint32 key_id, const char *what)
{
	refuse_for(error, key_id, what, 0);
}

/*
 * gate_follow_changes
 *		Take note of other sessions' changes at the first key of each statement.
 *
 * PostgreSQL itself does so when it takes a new lock.  A statement that runs
 * again in an open transaction, and a FETCH, take none.
 */
void
gate_follow_changes(void)
{
	static TimestampTz seen = 0;

	if (unlikely(seen != GetCurrentStatementStartTimestamp()))
	{
		seen = GetCurrentStatementStartTimestamp();
		AcceptInvalidationMessages();
	}
}

/* refusal: of a key that is there, why it is not lent. */
static SealError
refusal(uint32 key_id, int verbs, uint64 subject)
{
	const RingKey *key = ring_key_by_id(key_id);

	if (key == NULL || key->dropped)
		return SEAL_E_UNKNOWN_KEY;
	return subject != 0 && rights_hold_somehow(key_id, verbs) ? SEAL_E_NOT_ADMITTED : SEAL_E_DENIED;
}

/*
 * ask
 *		May the current role use this key for any of these verbs?
 *
 *	subject		for values of a subject; 0: for nobody's, which needs scope all;
 *				ANY_SUBJECT: where nobody's value is opened, either scope will do
 *
 * SEAL_OK or the reason why not.  Looking up roles can bring news of a change of
 * the ring; an answer counts only about the ring that was verified.
 */
static SealError
ask(uint32 key_id, int verbs, uint64 subject)
{
	SealError	error;
	uint64		stamp;
	bool		held;

	gate_follow_changes();
	do
	{
		error = ring_verify();
		if (unlikely(error != SEAL_OK))
			return error;
		stamp = ring_stamp();
		held = subject == ANY_SUBJECT ? rights_hold_somehow(key_id, verbs) :
			rights_hold_for(key_id, verbs, subject);
	} while (unlikely(stamp != ring_stamp()));
	if (held)
		return SEAL_OK;
	return refusal(key_id, verbs, subject);
}

/* takes_purpose: does a key take this purpose, or need none? */
static bool
takes_purpose(const RingKey *key, const char *purpose)
{
	for (int i = 0; i < key->purpose_count && purpose != NULL; i++)
	{
		if (strcmp(key->purposes[i], purpose) == 0)
			return true;
	}
	return key->purpose_count == 0;
}

/*
 * ask_to_read
 *		May the current role open or search for values of this key, and did the
 *		client say for whom and why, where the key wants to know?
 */
static SealError
ask_to_read(uint32 key_id, int verbs, uint64 subject)
{
	SealError	error = ask(key_id, verbs, subject);
	const RingKey *key;

	if (error != SEAL_OK || likely(!rights_demand(key_id)))
		return error;
	key = ring_key_by_id(key_id);
	if (key->require_actor && audit_claim(CLAIM_ACTOR) == NULL)
		return SEAL_E_NO_ACTOR;
	return takes_purpose(key, audit_claim(CLAIM_PURPOSE)) ? SEAL_OK : SEAL_E_NO_PURPOSE;
}

/* lend_for: the secrets of a subject, or raise why not; 0: those of nobody's values. */
static SealKey *
lend_for(uint32 key_id, uint16 version, const char *what, uint64 subject)
{
	SealKey    *key;
	SealError	error = subject != 0 ? secrets_lend_subject(&key, key_id, version, subject) :
	secrets_lend(&key, key_id, version);

	if (unlikely(error != SEAL_OK))
		refuse_for(error, key_id, what, subject);
	return key;
}

/* lend: the secrets, or raise why not. */
static SealKey *
lend(uint32 key_id, uint16 version, const char *what)
{
	return lend_for(key_id, version, what, 0);
}

/*
 * refuse_restricted
 *		Nothing is opened inside ANALYZE, CREATE INDEX, REINDEX, CLUSTER and
 *		materialized views: what they compute is stored.
 */
static inline void
refuse_restricted(uint32 key_id, const char *what)
{
	if (unlikely(InSecurityRestrictedOperation()))
		refuse(SEAL_E_RESTRICTED, key_id, what);
}

SealKey *
gate_seal(uint32 key_id)
{
	SealError	error = ask(key_id, VERB_SEAL, ANY_SUBJECT);

	if (unlikely(error != SEAL_OK))
		refuse(error, key_id, verb_name(VERB_SEAL));
	return lend(key_id, 0, verb_name(VERB_SEAL));
}

SealKey *
gate_seal_subject(uint32 key_id, uint64 subject)
{
	SealError	error = ask(key_id, VERB_SEAL, subject);

	if (unlikely(error != SEAL_OK))
		refuse_for(error, key_id, verb_name(VERB_SEAL), subject);
	return lend_for(key_id, 0, verb_name(VERB_SEAL), subject);
}

SealKey *
gate_reseal_open(uint32 key_id, uint16 version, uint64 subject, bool is_new)
{
	SealError	error;

	refuse_restricted(key_id, verb_name(VERB_SEAL));
	error = ask(key_id, VERB_SEAL, subject == 0 && is_new ? ANY_SUBJECT : subject);
	if (unlikely(error != SEAL_OK))
		refuse_for(error, key_id, verb_name(VERB_SEAL), subject);
	return lend_for(key_id, version, verb_name(VERB_SEAL), subject);
}

SealKey *
gate_open(uint32 key_id, uint16 version, uint64 subject)
{
	SealError	error;

	refuse_restricted(key_id, verb_name(VERB_REVEAL));
	error = ask_to_read(key_id, VERB_REVEAL, subject);
	if (unlikely(error != SEAL_OK))
		refuse_for(error, key_id, verb_name(VERB_REVEAL), subject);
	audit_value(AUDIT_USE_OPEN, key_id, subject);
	return lend_for(key_id, version, verb_name(VERB_REVEAL), subject);
}

/*
 * first_refusal
 *		Is this the first value of this key that this role is refused in this statement?
 *
 * A statement that shows a table is refused once, and not once a row.
 */
static bool
first_refusal(uint32 key_id)
{
	static MemoryContext context = NULL;
	static TimestampTz statement = 0;
	static Oid	role = InvalidOid;
	static List *refused = NIL;
	MemoryContext old;

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "pgseal refused keys", ALLOCSET_SMALL_SIZES);
	if (statement != GetCurrentStatementStartTimestamp() || role != GetUserId())
	{
		refused = NIL;
		MemoryContextReset(context);
		statement = GetCurrentStatementStartTimestamp();
		role = GetUserId();
	}
	if (list_member_oid(refused, key_id))
		return false;
	old = MemoryContextSwitchTo(context);
	refused = lappend_oid(refused, key_id);
	MemoryContextSwitchTo(old);
	return true;
}

SealKey *
gate_show(uint32 key_id, uint16 version, uint64 subject)
{
	SealError	error;

	refuse_restricted(key_id, "show");
	error = ask_to_read(key_id, VERB_REVEAL, subject);
	if (unlikely(error == SEAL_E_DENIED || error == SEAL_E_NOT_ADMITTED))
	{
		if (first_refusal(key_id))
			note_refusal(key_id, "show", error, subject);
		return NULL;
	}
	if (unlikely(error != SEAL_OK))
		refuse_for(error, key_id, "show", subject);
	audit_value(AUDIT_USE_OPEN, key_id, subject);
	return lend_for(key_id, version, "show", subject);
}

SealKey *
gate_search(uint32 key_id)
{
	SealKey    *key;
	SealError	error;

	refuse_restricted(key_id, verb_name(VERB_SEARCH));
	error = ask_to_read(key_id, VERB_SEARCH | VERB_REVEAL, ANY_SUBJECT);
	if (unlikely(error != SEAL_OK))
		refuse(error, key_id, verb_name(VERB_SEARCH));
	audit_value(AUDIT_USE_SEARCH, key_id, 0);
	key = lend(key_id, 0, verb_name(VERB_SEARCH));
	if (unlikely(sealkey_token(key) == NULL))
		refuse(SEAL_E_NOT_SEARCHABLE, key_id, verb_name(VERB_SEARCH));
	return key;
}

uint32
gate_literal_id(void)
{
	static uint32 id = 0;

	if (unlikely(id == 0))
		id = key_id_of(KEY_LITERAL);
	return id;
}

SealKey *
gate_literal_seal(void)
{
	return lend(gate_literal_id(), 0, KEY_LITERAL);
}

SealKey *
gate_literal_open(uint16 version)
{
	refuse_restricted(gate_literal_id(), KEY_LITERAL);
	return lend(gate_literal_id(), version, KEY_LITERAL);
}

SealKey *
gate_audit_seal(void)
{
	static uint32 id = 0;

	if (unlikely(id == 0))
		id = key_id_of(KEY_AUDIT);
	return lend(id, 0, KEY_AUDIT);
}
