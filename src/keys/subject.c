/*-------------------------------------------------------------------------
 * subject.c
 *		Subjects as this backend knows them: found, made, kept for a while.
 *
 * Floor 1.  There may be a million of them, so what is kept is bounded:
 *
 *		kept		SUBJECT_SLOTS subjects that were checked and opened, where
 *					the last one of a slot stays; their secrets, 32 bytes
 *					each, in one piece of locked memory
 *		window		the rows of one page of seal.subject, as read: subjects are
 *					made in the order of the rows they are about, so a scan
 *					over those asks for them page by page
 *
 * All of it is wiped when the ring changes, when a row of seal.subject is
 * changed, and when a transaction that made subjects does not come to pass.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/subject.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "keys/secrets.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#define SUBJECT_SLOTS	8192	/* power of 2; 256 kB of secrets, some 1 MB of the rest */

/* One subject; its secret has the same place among the secrets. */
typedef struct Kept
{
	uint64		number;			/* 0: empty */
	NameData	type;
	char	   *external;		/* in the encoding of the database */
} Kept;

static MemoryContext context = NULL;	/* external ids */
static Kept *kept = NULL;		/* SUBJECT_SLOTS */
static unsigned char (*secrets)[SECRET_BYTES] = NULL;	/* SUBJECT_SLOTS, sodium_malloc */
static uint32 *named = NULL;	/* SUBJECT_SLOTS: by hash of the external id, its place in kept */
static bool stale = false;		/* forget all at the next question */
static bool filled = false;		/* something is kept */
static bool made = false;		/* in this transaction */
static uint64 closed_number = 0;

/* forget_table: relcache callback; a row of seal.subject was changed, not made. */
static void
forget_table(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == subject_table())
		stale = true;
}

/*
 * end_transaction
 *		Subjects that were made are there for all now, or were never there, or
 *		nobody knows: of a transaction that was prepared.
 *
 * Before its end nothing is certain: a commit can still fail.
 */
static void
end_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;
	if (made && event != XACT_EVENT_COMMIT && event != XACT_EVENT_PARALLEL_COMMIT)
		stale = true;
	made = false;
}

/* end_subtransaction: the same, as far as it has come to pass. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (made && event == SUBXACT_EVENT_ABORT_SUB)
		stale = true;
}

/* subjects_init: register for invalidations. */
void
subjects_init(void)
{
	CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}

/* subjects_forget: wipe all that is kept. */
void
subjects_forget(void)
{
	stale = false;
	subject_keys_forget();
	subject_page_forget();
	secrets_forget_subjects();
	if (!filled)
		return;
	memset(kept, 0, SUBJECT_SLOTS * sizeof(Kept));
	sodium_memzero(secrets, SUBJECT_SLOTS * SECRET_BYTES);
	MemoryContextReset(context);
	filled = false;
}

/* subject_hear: what is kept is true from here on. */
void
subject_hear(void)
{
	if (unlikely(stale))
		subjects_forget();
}

/* subject_closed_number: of the subject that SEAL_E_SUBJECT_CLOSED was last said of. */
uint64
subject_closed_number(void)
{
	return closed_number;
}

/* open_cache: at first use. */
static void
open_cache(void)
{
	if (context == NULL)
		context = AllocSetContextCreate(CacheMemoryContext, "pgseal subjects", ALLOCSET_DEFAULT_SIZES);
	if (kept == NULL)
		kept = MemoryContextAllocZero(CacheMemoryContext, SUBJECT_SLOTS * sizeof(Kept));
	if (named == NULL)
		named = MemoryContextAllocZero(CacheMemoryContext, SUBJECT_SLOTS * sizeof(uint32));
	if (secrets == NULL)
		secrets = sodium_malloc(SUBJECT_SLOTS * SECRET_BYTES);
	if (secrets == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for keys")));
}

/* slot_of: the one place where a subject may be kept. */
static inline uint32
slot_of(uint64 number)
{
	return number & (SUBJECT_SLOTS - 1);
}

/* slot_named: where the place of the subject with this external id is noted. */
static uint32 *
slot_named(const char *type, const char *external)
{
	uint32		hash = hash_combine(hash_bytes((const unsigned char *) type, strlen(type)),
									hash_bytes((const unsigned char *) external, strlen(external)));

	return &named[hash & (SUBJECT_SLOTS - 1)];
}

/* keep: put an opened subject into its slot. */
static void
keep(const OpenSubject *subject)
{
	uint32		slot = slot_of(subject->number);
	char	   *external = pg_any_to_server(subject->external, strlen(subject->external), PG_UTF8);
	Kept	   *place;

	open_cache();
	place = &kept[slot];
	if (place->external != NULL)
		pfree(place->external);
	*place = (Kept) {.number = 0};
	place->external = MemoryContextStrdup(context, external);
	place->type = subject->type;
	place->number = subject->number;
	memcpy(secrets[slot], subject->secret, SECRET_BYTES);
	*slot_named(NameStr(place->type), place->external) = slot;
	filled = true;
}

/* take_row: check a row and keep its subject; number is what the row says. */
static SealError
take_row(uint64 *number, HeapTuple tuple)
{
	OpenSubject subject;
	SealError	error = subject_open(&subject, number, tuple);

	if (error == SEAL_OK)
		keep(&subject);
	else if (error == SEAL_E_SUBJECT_CLOSED)
		closed_number = *number;
	sodium_memzero(&subject, sizeof(subject));
	return error;
}

/* load: keep the subject with this number. */
static SealError
load(uint64 number)
{
	HeapTuple	tuple = subject_read(number);

	if (tuple != NULL)
		return take_row(&number, tuple);
	closed_number = number;
	return SEAL_E_SUBJECT_CLOSED;
}

/* is_kept: is the subject with this number here? */
static inline bool
is_kept(uint64 number)
{
	return filled && number != 0 && kept[slot_of(number)].number == number;
}

/* bring: the subject with this number is kept afterwards, under a ring that is true. */
static SealError
bring(uint64 number)
{
	SealError	error;

	subject_hear();
	error = ring_verify();
	if (error != SEAL_OK || likely(is_kept(number)))
		return error;
	return load(number);
}

/*
 * subject_secret
 *		The secret of a subject, until the next call into this room.
 *
 * SEAL_OK, SEAL_E_SUBJECT_CLOSED, SEAL_E_SUBJECT_KEY, or what ring_verify() says.
 */
SealError
subject_secret(const unsigned char **secret, uint64 number)
{
	SealError	error = bring(number);

	*secret = error == SEAL_OK ? secrets[slot_of(number)] : NULL;
	return error;
}

/*
 * subject_find
 *		Whom a number stands for.
 *
 *	subject		out: until the next call into this room
 *
 * Says what subject_secret() says.
 */
SealError
subject_find(const Subject **subject, uint64 number)
{
	static Subject lent;
	SealError	error = bring(number);
	const Kept *place;

	*subject = NULL;
	if (error != SEAL_OK)
		return error;
	place = &kept[slot_of(number)];
	lent = (Subject) {place->number, place->type, place->external};
	*subject = &lent;
	return SEAL_OK;
}

/* find_kept: number of the subject with this external id, when it is here; 0 otherwise. */
static uint64
find_kept(const char *type, const char *external)
{
	const Kept *place;

	if (!filled)
		return 0;
	place = &kept[*slot_named(type, external)];
	if (place->number == 0 || strcmp(NameStr(place->type), type) != 0 ||
		strcmp(place->external, external) != 0)
		return 0;
	return place->number;
}

/* is_id: can a subject be called so? */
static bool
is_id(const char *utf8)
{
	return utf8[0] != '\0' && strlen(utf8) <= SUBJECT_ID_MAX;
}

/* check_id: what no subject is called; returns the id as UTF-8. */
static char *
check_id(const char *type, const char *external)
{
	char	   *utf8;

	if (!key_name_fits(type))
		error_raise(SEAL_E_SUBJECT_TYPE, type);
	utf8 = pg_server_to_any(external, strlen(external), PG_UTF8);
	if (!is_id(utf8))
		error_raise(SEAL_E_SUBJECT_ID, NULL);
	return utf8;
}

/* find_stored: as subject_find_external(), from the table; *number stays 0 without a row. */
static SealError
find_stored(uint64 *number, const unsigned char lookup[SUBJECT_LOOKUP_BYTES])
{
	HeapTuple	tuple = subject_read_lookup(lookup);

	return tuple != NULL ? take_row(number, tuple) : SEAL_OK;
}

/*
 * subject_find_external
 *		The number of the subject that the application calls so; *number is 0
 *		when there is none.
 *
 * Says what subject_secret() says; 42602, 22023 for what no subject is called.
 */
SealError
subject_find_external(uint64 *number, const char *type, const char *external)
{
	unsigned char lookup[SUBJECT_LOOKUP_BYTES];
	const char *utf8;
	SealError	error;

	*number = 0;
	subject_hear();
	error = ring_verify();
	if (error != SEAL_OK)
		return error;
	*number = find_kept(type, external);
	if (*number != 0)
		return SEAL_OK;
	utf8 = check_id(type, external);
	error = subject_lookup(lookup, type, utf8);
	return error == SEAL_OK ? find_stored(number, lookup) : error;
}

/*
 * subject_named
 *		The number of the subject that a row names; 0 when there is none, or when
 *		that cannot be said.
 *
 * For telling of rows that are there, whatever they say: raises nothing about it.
 */
uint64
subject_named(const char *type, const char *external)
{
	uint64		number;

	if (!is_id(pg_server_to_any(external, strlen(external), PG_UTF8)) ||
		subject_find_external(&number, type, external) != SEAL_OK)
		return 0;
	return number;
}

/* make: a new subject; *number stays 0 when somebody else was first. */
static SealError
make(uint64 *number, const char *type, const char *utf8)
{
	unsigned char lookup[SUBJECT_LOOKUP_BYTES];
	OpenSubject subject;
	HeapTuple	tuple;
	SealError	error = subject_lookup(lookup, type, utf8);

	if (error != SEAL_OK)
		return error;
	namestrcpy(&subject.type, type);
	strlcpy(subject.external, utf8, sizeof(subject.external));
	error = subject_start(&tuple, &subject, lookup);
	if (error == SEAL_OK && subject_insert(tuple))
	{
		made = true;
		keep(&subject);
		*number = subject.number;
	}
	sodium_memzero(&subject, sizeof(subject));
	return error;
}

/*
 * subject_make
 *		The number of the subject that the application calls so, made when there
 *		is none, in this transaction.
 *
 * Says what subject_find_external() says; 25006 where nothing can be written.
 * Another session that is making the same subject is waited for; when it
 * commits, its row is the one.
 */
SealError
subject_make(uint64 *number, const char *type, const char *external)
{
	SealError	error = subject_find_external(number, type, external);

	while (error == SEAL_OK && *number == 0)
	{
		CHECK_FOR_INTERRUPTS();
		error = make(number, type, check_id(type, external));
		if (error == SEAL_OK && *number == 0)
			error = subject_find_external(number, type, external);
	}
	return error;
}
