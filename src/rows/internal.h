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

/* watched.c */
extern void watched_init(void);
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

#endif							/* PGSEAL_ROWS_INTERNAL_H */
