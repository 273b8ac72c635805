/*-------------------------------------------------------------------------
 * internal.h
 *		What the files of the rows room share.
 *
 * Floor 5.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_ROWS_INTERNAL_H
#define PGSEAL_ROWS_INTERNAL_H

#include "rows/rows.h"

#include "audit/audit.h"
#include "catalog/pg_trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "keys/keys.h"
#include "storage/lock.h"
#include "types/types.h"
#include "utils/rel.h"

/* Columns of seal.audit_change, in the order of audit.sql. */
typedef enum ChangeColumn
{
	CHANGE_ID, CHANGE_AT, CHANGE_ACTION, CHANGE_OUTCOME, CHANGE_LOGIN_ROLE, CHANGE_SESSION_ROLE,
	CHANGE_ROLE, CHANGE_ACTOR, CHANGE_PURPOSE, CHANGE_ADDRESS, CHANGE_APPLICATION, CHANGE_XID,
	CHANGE_STATEMENT, CHANGE_RELATION, CHANGE_ROW_KEY, CHANGE_SUBJECT, CHANGE_KEYS, CHANGE_WHAT,
	CHANGE_DETAIL, CHANGE_COLUMNS, CHANGE_OLD, CHANGE_NEW, CHANGE_COUNT
} ChangeColumn;

/* A row of it that is being made; all columns are null at first. */
typedef struct Change
{
	Datum		values[CHANGE_COUNT];
	bool		nulls[CHANGE_COUNT];
} Change;

/* How a plain column becomes text. */
typedef enum Print
{
	PRINT_BY_TYPE,				/* its output function */
	PRINT_INTEGER,				/* in JSON a number, when it stands in the key of a row */
	PRINT_TEXT
} Print;

/* One column of a watched table. */
typedef struct WatchedColumn
{
	int			place;			/* in a slot, from 0 */
	AuditColumn name;
	Datum		name_text;
	const char *member;			/* its name in JSON, between a comma and a colon */
	int			member_len;
	bool		by_value;
	int16		len;			/* typlen */
	bool		sealed;
	int			key;			/* of a sealed column: which of Watched.keys */
	Print		print;			/* these two: of a column that is not sealed */
	FmgrInfo	output;
} WatchedColumn;

/* Names of some columns, and of the keys that they are sealed with: text[], or 0 for null. */
typedef struct ChosenNames
{
	Datum		columns;
	Datum		keys;
} ChosenNames;

/* What the trigger knows of its table. */
typedef struct Watched
{
	MemoryContext context;		/* holds all of this */
	Oid			logical;		/* the table that is watched: of a partition, its ancestor */
	Datum		relation;		/* its name, as people write it */
	Datum		partition;		/* where the row lies; only when that is another table */
	bool		is_partition;
	bool		is_protected;	/* its rows are about subjects */
	Oid			change_table;
	TupleDesc	change_desc;	/* a copy */
	int			column_count;
	WatchedColumn *columns;		/* in the order of an image */
	int			row_key_count;	/* 0: rows have no key */
	WatchedColumn **row_key;
	int			key_count;
	Datum	   *keys;			/* names of the keys of sealed columns, as text */
	bool		all_known;
	ChosenNames all_names;
	bool		last_known;
	ChosenNames last_names;		/* of last_chosen, what the last UPDATE changed */
	bool	   *last_chosen;
} Watched;

/* The name under which an image has its plain values; no column has it. */
#define IMAGE_PLAIN		""

/* One sealed column of a protected table. */
typedef struct ProtectedColumn
{
	NameData	name;
	AttrNumber	attribute;
	int32		typmod;			/* key id */
	uint64		number;			/* random; of the column in all its partitions */
	bool		made;			/* the last INSERT sealed a value of it; then these three: */
	LocalTransactionId made_by;
	CommandId	made_in;
	unsigned char made_tag[TAG_BYTES];
} ProtectedColumn;

/* One column of the primary key of a protected table. */
typedef struct ProtectedKey
{
	AttrNumber	attribute;
	PlacePart	part;
} ProtectedKey;

/* What is known of a protected table, or of a partition of one. */
typedef struct Protected
{
	MemoryContext context;		/* holds all of this */
	Oid			logical;		/* the table that is protected: of a partition, its ancestor */
	bool		closed;			/* its row in the ring is altered; then nothing below is known */
	bool		complete;		/* every value has a subject */
	NameData	subject_type;
	AttrNumber	subject;
	FmgrInfo	subject_output;
	int			key_count;
	ProtectedKey *key;
	int			column_count;
	ProtectedColumn *columns;
} Protected;

/* A row of one. */
typedef struct ProtectedRow
{
	Protected  *protected;
	TupleTableSlot *slot;
	const char *external;		/* what the application calls its subject */
	uint64		subject;		/* its number; 0: not looked for, or there is none */
	StringInfoData place;		/* of the column asked about last; without data: not made yet */
} ProtectedRow;

/* What sealing again does with a value that has a subject already. */
typedef enum ResealMode
{
	RESEAL_ALL,					/* begins: one of another subject is refused */
	RESEAL_REST,				/* goes on beside the trigger: one of another subject is left */
	RESEAL_STRAY,				/* was complete: any is left */
	RESEAL_RELEASE				/* ends: it loses its subject */
} ResealMode;

/* How far the batches are in one table. */
typedef struct ResealProgress
{
	BlockNumber page;			/* the next */
	BlockNumber pages;			/* how many there were at the beginning */
} ResealProgress;

/* One kind of knowledge about tables. */
#define KNOWN_OTHERS	2
typedef struct KnownTable
{
	Oid			relation;
	Oid			others[KNOWN_OTHERS];	/* tables whose changes concern it; InvalidOid: none */
	uint64		ring;			/* ring_stamp() then */
	MemoryContext context;		/* holds what is known */
	void	   *what;
} KnownTable;

typedef struct KnownTables
{
	const char *name;
	void	   *(*read) (Relation relation, Oid others[KNOWN_OTHERS]);	/* in the current context; NULL: nothing to know */
	struct HTAB *cache;			/* of KnownTable; these two belong to known.c */
	KnownTable *last;			/* of the last row; NULL when that must be looked up */
} KnownTables;

/* known.c */
extern void known_init(void);
extern void *known_of(KnownTables *tables, Relation relation);

/* watched.c */
extern Oid	watch_function(void);
extern Oid	watch_logical_relation(Relation relation);
extern char *watch_relation_name(Oid relation);
extern Watched *watched_of(Relation relation);
extern bool watched_has_row_key(Relation relation);

/* change.c */
extern void change_init(void);
extern void change_start(Change *change);
extern void change_set(Change *change, ChangeColumn column, Datum value);
extern void change_set_text(Change *change, ChangeColumn column, const char *text);
extern void change_set_action(Change *change, AuditAction action);
extern void change_store(Change *change, const Watched *watched);

/* pending.c */
extern void pending_init(void);
extern void pending_add(const Watched *watched, Change *change);

/* rowimage.c */
extern char *row_key(const Watched *watched, TupleTableSlot *slot);
extern Datum row_image(const Watched *watched, TupleTableSlot *slot, const bool *chosen);
extern const ChosenNames *row_names(Watched *watched, const bool *chosen);
extern bool row_changes(bool *changed, const Watched *watched, TupleTableSlot *old_slot, TupleTableSlot *new_slot);

/* watch.c */
extern void watch_init(void);

/* protected.c */
extern Oid	protection_relation(Oid relation);
extern bool protection_copy(RingProtection *copy, Oid relation);
extern Protected *protected_of(Relation relation);

/* protect.c */
extern void protect_require_owner(Oid relation);
extern List *protect_sealed_columns(Relation relation);
extern void protect_set_columns(RingRow *row, int count, const NameData *names, const uint64 *numbers);
extern void protect_forget(Oid relation);
extern void protect_reseal(Oid relation);
extern bool protect_find_row(RingRow *row, Oid relation);
extern void protect_give_name(RingEditor *editor, RingRow *row, const char *name);

/* reseal.c */
extern uint64 reseal_rows(Relation table, ResealMode mode);
extern uint64 reseal_batch(Relation table, ResealProgress *progress, uint64 batch, ResealMode mode);

/* follow.c */
extern void follow_init(void);
extern bool follow_pause(void);
extern void follow_resume(bool before);
extern void subject_trigger_add(Oid relation);
extern void subject_trigger_remove(Oid relation);

/* places.c */
extern void places_check_partition(Oid relation);

/* security.c */
extern void security_init(void);
extern bool security_lets_in(Relation relation);
extern void security_enable(List *tables);
extern void security_disable(List *tables);

/* sealrow.c */
extern void row_start(ProtectedRow *row, Protected *protected, TupleTableSlot *slot);
extern bool row_names_subject(ProtectedRow *row);
extern bool row_has_key(ProtectedRow *row);
extern SealError row_seek_subject(ProtectedRow *row);
extern uint64 row_subject(ProtectedRow *row);
extern uint64 row_make_subject(ProtectedRow *row);
extern uint64 row_about(Relation relation, TupleTableSlot *slot);
extern bool row_fits(ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope);
extern Datum row_seal(ProtectedRow *row, const ProtectedColumn *column, const Envelope *envelope);

#endif							/* PGSEAL_ROWS_INTERNAL_H */
