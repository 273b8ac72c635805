/*-------------------------------------------------------------------------
 * keys.h
 *		Root keys, the key ring, the caches of both: the door of the keys room.
 *
 * Floor 1.  Returns verdicts and records nothing.  Who may use a key is the
 * gate's question; whether the ring says the truth is answered here.
 *
 * The ring is five tables of schema seal.  Each row carries a MAC under a key
 * derived from the root; one row of seal.ring_head carries a digest of all
 * those MACs, so that a row taken away or put back is seen too.  The whole
 * ring is always written under one root: the one ring_head names.
 *
 * Subjects are too many for that: rows of seal.subject hang on the built-in
 * key subject, are looked up one by one, and stand outside the digest.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_KEYS_H
#define PGSEAL_KEYS_H

#include "base/base.h"
#include "crypto/crypto.h"

#include "datatype/timestamp.h"

#define KEY_LITERAL		"literal"	/* seals what has no key yet; opens in no statement by itself */
#define KEY_AUDIT		"audit"
#define KEY_SUBJECT		"subject"	/* wraps subjects; seals no value */

/* Verbs of a grant, a bit mask. */
#define VERB_SEAL		0x01
#define VERB_SEARCH		0x02
#define VERB_REVEAL		0x04
#define VERB_COUNT		3
#define VERB_ALL		(VERB_SEAL | VERB_SEARCH | VERB_REVEAL)

extern const char *const verb_names[VERB_COUNT];	/* of bit 0, 1, 2 */

/* One row of seal.key as last loaded.  Valid until the next call into this room. */
typedef struct RingKey
{
	uint32		id;				/* = type modifier of the columns */
	NameData	name;
	bool		searchable;
	bool		dropped;		/* a tombstone: the name stays taken */
	bool		builtin;		/* literal, audit, subject */
	bool		closed;			/* a restricting row is altered; only known with a root */
	uint16		active_version; /* the version new values are sealed with */
	int			pad;			/* bytes */
	bool		require_actor;	/* opening and searching need seal.actor */
	int			purpose_count;	/* and seal.purpose, one of these; 0: none is needed */
	const char **purposes;
} RingKey;

/* One valid and bound row of seal.grant. */
typedef struct RingGrant
{
	uint32		key_id;
	Oid			role;
	int			verbs;			/* mask of VERB_ */
	bool		admitted_only;
} RingGrant;

/* A protected table: one row of seal.protection as last loaded.  Valid until the next call into this room. */
typedef struct RingProtection
{
	uint64		id;
	Oid			relation;		/* InvalidOid: there is no table of that name here */
	NameData	subject_type;
	NameData	subject_column;
	int			column_count;
	const NameData *columns;
	const uint64 *numbers;		/* of the columns, same order */
	bool		complete;		/* every value in it is a subject's */
	bool		closed;			/* altered, or the relation has another name; only known with a root */
} RingProtection;

/* Whom a row is about.  Valid until the next call into this room. */
typedef struct Subject
{
	uint64		number;			/* random, 1 .. 2^63 - 1; 0 is none */
	NameData	type;
	const char *external;		/* as the application calls it */
} Subject;

/*
 * Secrets of one key version, or of one subject under it, in locked memory;
 * lent until the next call into this room.
 */
typedef struct SealKey SealKey;

/* The ring's tables, in the order of keys.sql. */
typedef enum RingTable
{
	RING_KEY,
	RING_KEY_VERSION,
	RING_GRANT,
	RING_PROTECTION,
	RING_HEAD,
	RING_TABLES
} RingTable;

/* Columns of each table; the last four are the same everywhere. */
typedef enum KeyColumn
{
	KEY_ID, KEY_NAME, KEY_SEARCHABLE, KEY_PAD, KEY_REQUIRE_ACTOR, KEY_REQUIRE_PURPOSE,
	KEY_ACTIVE_VERSION, KEY_SEARCH_SECRET, KEY_COMMENT, KEY_DROPPED, KEY_OWN_COLUMNS
} KeyColumn;

typedef enum VersionColumn
{
	VERSION_KEY, VERSION_NUMBER, VERSION_SECRET, VERSION_CREATED_AT, VERSION_OWN_COLUMNS
} VersionColumn;

typedef enum GrantColumn
{
	GRANT_KEY, GRANT_ROLE, GRANT_ROLE_OID, GRANT_ROLE_NAME, GRANT_VERBS, GRANT_SCOPE,
	GRANT_GRANTED_BY, GRANT_OWN_COLUMNS
} GrantColumn;

typedef enum ProtectionColumn
{
	PROTECTION_ID, PROTECTION_RELATION, PROTECTION_RELATION_NAME, PROTECTION_SUBJECT_TYPE,
	PROTECTION_SUBJECT_COLUMN, PROTECTION_COLUMNS, PROTECTION_NUMBERS, PROTECTION_COMPLETE,
	PROTECTION_OWN_COLUMNS
} ProtectionColumn;

typedef enum HeadColumn
{
	HEAD_SINGLETON, HEAD_DIGEST, HEAD_OWN_COLUMNS
} HeadColumn;

typedef enum CommonColumn
{
	COMMON_GENERATION, COMMON_CHANGED_AT, COMMON_ROOT, COMMON_MAC, COMMON_COLUMNS
} CommonColumn;

#define RING_MAX_COLUMNS	(KEY_OWN_COLUMNS + COMMON_COLUMNS)

/* A row being read or written. */
typedef struct RingRow
{
	RingTable	table;
	HeapTuple	tuple;			/* where it stands; NULL for a new row */
	Datum		values[RING_MAX_COLUMNS];
	bool		nulls[RING_MAX_COLUMNS];
} RingRow;

/* State of a row of seal.grant, for the view. */
typedef enum GrantState
{
	GRANT_VALID,
	GRANT_UNBOUND,				/* role renamed, dropped, or of another cluster */
	GRANT_INVALID,				/* MAC does not fit */
	GRANT_UNVERIFIED			/* no root */
} GrantState;

typedef struct RingEditor RingEditor;

/* root.c */
extern void keys_init(void);
extern const char *root_problem(void);

/* ring.c: names and ids; no root needed */
extern const RingKey *ring_key_by_id(uint32 id);
extern const RingKey *ring_key_by_name(const char *name);
extern bool ring_is_empty(void);
extern uint64 ring_stamp(void);
extern const RingProtection *ring_protection_of(Oid relation);
extern const RingProtection *ring_protection_with(uint64 column_number);
extern char *ring_relation_name(Oid relation);

/* ring.c: with the root; SEAL_OK or why not */
extern SealError ring_verify(void);
extern const RingGrant *ring_grants(int *count);
extern GrantState ring_grant_state(uint32 key_id, const char *role_name);
extern const char *ring_root(void);
extern int	verb_of_name(const char *name);
pg_noreturn extern void ring_raise(SealError error, uint32 key_id);

/* secrets.c */
extern SealError secrets_lend(SealKey **lent, uint32 key_id, uint16 version);
extern SealError secrets_lend_subject(SealKey **lent, uint32 key_id, uint16 version, uint64 number);
extern const RingKey *sealkey_ring(const SealKey *key);
extern uint16 sealkey_version(const SealKey *key);
extern void sealkey_secret(unsigned char secret[SECRET_BYTES], const SealKey *key, const char *label,
						   const char *context);
extern const AeadSubkey *sealkey_next_nonce(unsigned char nonce[NONCE_BYTES], SealKey *key);
extern bool nonce_is_new(const unsigned char nonce[NONCE_BYTES]);
extern const AeadSubkey *sealkey_subkey(const unsigned char prefix[NONCE_PREFIX_BYTES], SealKey *key);
extern const HmacKey *sealkey_token(const SealKey *key);
extern void sealkey_context(unsigned char context[ENVELOPE_CONTEXT_BYTES], SealKey *key,
							const char *place, size_t place_len);

/* subject.c */
extern SealError subject_find(const Subject **subject, uint64 number);
extern SealError subject_find_external(uint64 *number, const char *type, const char *external);
extern uint64 subject_named(const char *type, const char *external);
extern SealError subject_make(uint64 *number, const char *type, const char *external);

/* Which role may open the values of which subject: one row of seal.admission. */
typedef struct Admission
{
	uint64		id;				/* random */
	uint64		subject;
	NameData	subject_type;
	Oid			role;
	Oid			granted_by;		/* the login role */
	TimestampTz until;			/* by the clock; may be infinity */
	bool		break_glass;
	bool		signed_off;
} Admission;

/* State of a row of seal.admission, for the view. */
typedef enum AdmissionState
{
	ADMISSION_VALID,
	ADMISSION_OVER,
	ADMISSION_DISMISSED,
	ADMISSION_UNBOUND,			/* role renamed, dropped, or of another cluster */
	ADMISSION_INVALID,			/* MAC does not fit */
	ADMISSION_UNVERIFIED		/* no root */
} AdmissionState;

/* admission.c */
extern uint64 admission_stamp(void);
extern SealError admissions_of(Admission **found, int *count, Oid role);
extern SealError admission_find(Admission *admission, uint64 id);
extern AdmissionState admission_state(uint64 id);
extern bool admission_is_open(Oid role);
extern uint64 admission_write(const Admission *admission, const char *purpose, const char *reason);
extern int	admission_dismiss(uint64 subject, Oid role);
extern bool admission_sign_off(uint64 id, Oid by, const char *note);
extern int	admission_rename(Oid role, const char *old_name, const char *name);
extern int	admission_rebind(void);

/* edit.c: changes of the ring, whole or not at all */
typedef void (*RingEdit) (RingEditor *editor, void *arg);
extern void ring_change(RingEdit edit, void *arg);
extern void ring_hold(void);
extern void ring_exclude(void);
extern void ring_settle(void);
extern int64 ring_generation(void);
extern void ring_accept(void);
extern char *ring_rewrap_all(void);
extern int	ring_rows(RingTable table);
extern void ring_row(RingRow *row, RingTable table, int number);
extern bool ring_row_valid(RingTable table, int number);
extern bool ring_next_valid(RingRow *row, RingTable table, int *number);
extern bool ring_find_key(RingRow *row, uint32 key_id);
extern bool ring_find_grant(RingRow *row, uint32 key_id, const char *role_name);
extern bool ring_find_protection(RingRow *row, Oid relation);
extern void ring_start_row(RingRow *row, RingTable table);
extern void ring_write(RingEditor *editor, RingRow *row);
extern void ring_write_kept(RingEditor *editor, RingRow *row);
extern void ring_delete(RingEditor *editor, RingRow *row);
extern void ring_set(RingRow *row, int column, Datum value);
extern void ring_set_new_secret(RingEditor *editor, RingRow *row);
extern bool ring_row_bound(const RingRow *row);

/* transfer.c: a ring as text */
extern char *ring_export(void);
extern int	ring_import(const char *text);

#endif							/* PGSEAL_KEYS_H */
