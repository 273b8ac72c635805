/*-------------------------------------------------------------------------
 * rights.c
 *		Which verbs the current role holds on a key.
 *
 * Floor 3.  Grants reach members through memberships that inherit, computed
 * from pg_auth_members: has_privs_of_role() would let every superuser in.
 * When the login role is a superuser, its own grants are asked too, so that
 * SET ROLE gains nothing.  Inside SECURITY DEFINER code the current role is
 * the definer.  Answers are kept until the ring, a role or a membership changes.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "catalog/pg_auth_members.h"
#include "utils/catcache.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define ANSWER_SLOTS	16		/* power of 2 */

/* Verbs by their scope. */
typedef struct Verbs
{
	int			all;
	int			admitted;		/* for subjects that the closure is admitted to */
} Verbs;

typedef struct Answer
{
	uint32		key_id;			/* 0: empty */
	int			verbs;			/* for everything */
	Verbs		role;			/* what these come from */
	Verbs		login;			/* all, when the login role is not asked */
	bool		demands;		/* an actor or a purpose */
} Answer;

/* Who the answers are about. */
static Oid	asked_role = InvalidOid;
static Oid	asked_login = InvalidOid;
static uint64 asked_stamp = 0;
static bool login_counts = false;
static List *role_closure = NIL;
static List *login_closure = NIL;
static Answer answers[ANSWER_SLOTS];
static uint64 memberships_changed = 0;	/* times */
static uint64 stamp_given = 0;	/* of the answers */

/* forget_answers: syscache callback; a membership changed. */
static void
forget_answers(Datum arg, int cacheid, uint32 hashvalue)
{
	asked_role = InvalidOid;
	memberships_changed++;
}

void
rights_init(void)
{
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_answers, (Datum) 0);
}

/* inherits: does this role inherit by default? */
static bool
inherits(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		result = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolinherit;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return result;
}

/*
 * closure_of
 *		The role and every role whose rights reach it by inheritance.
 *		Source: roles_is_member_of(), without its superuser case.
 */
static List *
closure_of(Oid role)
{
	List	   *closure = list_make1_oid(role);
	ListCell   *cell;

	foreach(cell, closure)
	{
		Oid			member = lfirst_oid(cell);
		bool		member_inherits = inherits(member);
		CatCList   *memberships = SearchSysCacheList1(AUTHMEMMEMROLE, ObjectIdGetDatum(member));

		for (int i = 0; i < memberships->n_members; i++)
		{
			HeapTuple	tuple = &memberships->members[i]->tuple;

			if (compat_membership_inherits(member_inherits, tuple))
				closure = list_append_unique_oid(closure,
												 ((Form_pg_auth_members) GETSTRUCT(tuple))->roleid);
		}
		ReleaseSysCacheList(memberships);
	}
	return closure;
}

/* keep_closure: replace a kept closure. */
static void
keep_closure(List **kept, Oid role)
{
	MemoryContext old;
	List	   *fresh = closure_of(role);

	old = MemoryContextSwitchTo(TopMemoryContext);
	list_free(*kept);
	*kept = list_copy(fresh);
	MemoryContextSwitchTo(old);
	list_free(fresh);
}

/*
 * ask_about
 *		Make the answers about these roles and this ring.
 *
 * Reading memberships can bring news of their change: then they are read again.
 */
static void
ask_about(Oid role, Oid login, uint64 stamp)
{
	uint64		before;

	asked_role = InvalidOid;	/* an error leaves no answer behind */
	stamp_given++;
	memset(answers, 0, sizeof(answers));
	do
	{
		before = memberships_changed;
		login_counts = login != role && superuser_arg(login);
		keep_closure(&role_closure, role);
		if (login_counts)
			keep_closure(&login_closure, login);
	} while (before != memberships_changed);
	asked_login = login;
	asked_stamp = stamp;
	asked_role = role;
}

/* verbs_of: what the grants give to any role of a closure. */
static Verbs
verbs_of(const List *closure, uint32 key_id)
{
	int			count;
	const RingGrant *grants = ring_grants(&count);
	Verbs		verbs = {0, 0};

	for (int i = 0; i < count; i++)
	{
		if (grants[i].key_id != key_id || !list_member_oid(closure, grants[i].role))
			continue;
		if (grants[i].admitted_only)
			verbs.admitted |= grants[i].verbs;
		else
			verbs.all |= grants[i].verbs;
	}
	return verbs;
}

/* demands: does a key want to know for whom or why it opens? */
static bool
demands(uint32 key_id)
{
	const RingKey *key = ring_key_by_id(key_id);

	return key != NULL && (key->require_actor || key->purpose_count > 0);
}

/* rights_demand: the same, of a key that rights_hold() was asked about just before. */
bool
rights_demand(uint32 key_id)
{
	const Answer *answer = &answers[key_id & (ANSWER_SLOTS - 1)];

	return answer->key_id == key_id ? answer->demands : demands(key_id);
}

/*
 * rights_refresh
 *		Closures of the roles of now.
 *
 * The ring must be verified.  One that came since is looked at first: it has no
 * grants until then, and that answer would stay.
 */
void
rights_refresh(void)
{
	Oid			role = GetUserId();
	Oid			login = GetAuthenticatedUserId();
	uint64		stamp = ring_stamp();

	if (unlikely(role != asked_role || login != asked_login || stamp != asked_stamp))
	{
		(void) ring_verify();
		ask_about(role, login, ring_stamp());
	}
}

/* rights_stamp: another number for other closures, and for another ring; after rights_refresh(). */
uint64
rights_stamp(void)
{
	return asked_role != InvalidOid ? stamp_given : 0;
}

/* rights_role_closure: the current role and those whose rights reach it. */
const List *
rights_role_closure(void)
{
	return role_closure;
}

/* rights_login_closure: the same of the login role, NIL when it is not asked. */
const List *
rights_login_closure(void)
{
	return login_counts ? login_closure : NIL;
}

/* answer_of: what is held on a key. */
static inline const Answer *
answer_of(uint32 key_id)
{
	Answer	   *answer = &answers[key_id & (ANSWER_SLOTS - 1)];

	rights_refresh();
	if (unlikely(answer->key_id != key_id))
	{
		answer->role = verbs_of(role_closure, key_id);
		answer->login = login_counts ? verbs_of(login_closure, key_id) : (Verbs) {VERB_ALL, 0};
		answer->verbs = answer->role.all & answer->login.all;
		answer->demands = demands(key_id);
		answer->key_id = key_id;
	}
	return answer;
}

/*
 * rights_hold
 *		Does the current role hold any of these verbs on a key, for everything?
 *
 * The ring must be verified; an unverified one has no grants.
 */
bool
rights_hold(uint32 key_id, int verbs)
{
	return (answer_of(key_id)->verbs & verbs) != 0;
}

/* somehow: the verbs of either scope. */
static int
somehow(const Answer *answer)
{
	return (answer->role.all | answer->role.admitted) & (answer->login.all | answer->login.admitted);
}

/* rights_hold_somehow: the same, be it for some subjects only. */
bool
rights_hold_somehow(uint32 key_id, int verbs)
{
	return (somehow(answer_of(key_id)) & verbs) != 0;
}

/*
 * rights_hold_for
 *		The same, for a subject; 0 is nobody.
 *
 * Raises what the ring says of admissions.
 */
bool
rights_hold_for(uint32 key_id, int verbs, uint64 subject)
{
	const Answer *answer = answer_of(key_id);
	Answer		held;
	int			role;
	int			login;

	if (likely((answer->verbs & verbs) != 0))
		return true;
	held = *answer;				/* reading admissions may bring news */
	if ((somehow(&held) & verbs) == 0)
		return false;
	role = held.role.all;
	login = held.login.all;
	if ((role & verbs) == 0 && admitted_role(subject))
		role |= held.role.admitted;
	if ((login & verbs) == 0 && admitted_login(subject))
		login |= held.login.admitted;
	return (role & login & verbs) != 0;
}

/* holds_any: has any role of a closure a verb on any key; admitted_only: one of scope admitted? */
static bool
holds_any(const List *closure, bool admitted_only)
{
	int			count;
	const RingGrant *grants = ring_grants(&count);

	for (int i = 0; i < count; i++)
	{
		if ((grants[i].admitted_only || !admitted_only) && grants[i].verbs != 0 &&
			list_member_oid(closure, grants[i].role))
			return true;
	}
	return false;
}

/* rights_hold_admitted: has the current role any right that admissions widen? */
bool
rights_hold_admitted(void)
{
	rights_refresh();
	return holds_any(role_closure, true) && (!login_counts || holds_any(login_closure, false));
}
