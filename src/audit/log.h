/*-------------------------------------------------------------------------
 * log.h
 *		What the files of the log share: entries, the tables, the tree.
 *
 * Floor 2.
 *
 *		segments, seal.audit_change  ->  seal.audit_entry  ->  tree  ->  checkpoint
 *
 * Whoever appends holds LOG_LOCK on seal.audit_state until the end of the
 * transaction, so there is one writer and the tree never forks.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_LOG_H
#define PGSEAL_LOG_H

#include "base/base.h"
#include "crypto/crypto.h"
#include "keys/keys.h"

#include "access/htup.h"
#include "catalog/indexing.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define LOG_LOCK			ShareUpdateExclusiveLock
#define LOG_SEED_BYTES		32	/* of an entry; its groups' salts come from it */
#define LOG_GROUPS			6	/* of an entry's columns */
#define LOG_SALT_BYTES		16	/* of a group */
#define LOG_NODE_LEVEL		8	/* lowest level that seal.audit_node keeps */
#define LOG_BUFFER			128 /* entries written at a time: some 5 pages */

/* Columns of seal.audit_entry; those of seal.audit_change are the same up to the new values. */
typedef enum EntryColumn
{
	ENTRY_NUMBER, ENTRY_AT, ENTRY_ACTION, ENTRY_OUTCOME, ENTRY_LOGIN_ROLE, ENTRY_SESSION_ROLE,
	ENTRY_ROLE, ENTRY_ACTOR, ENTRY_PURPOSE, ENTRY_ADDRESS, ENTRY_APPLICATION, ENTRY_XID,
	ENTRY_STATEMENT, ENTRY_RELATION, ENTRY_ROW_KEY, ENTRY_SUBJECT, ENTRY_KEYS, ENTRY_WHAT,
	ENTRY_DETAIL, ENTRY_COLUMN_NAMES, ENTRY_OLD, ENTRY_NEW,
	ENTRY_CHANGE_COLUMNS,		/* those of seal.audit_change, which has its id first */
	ENTRY_VALUES_OPENED = ENTRY_CHANGE_COLUMNS, ENTRY_SUBJECTS_OPENED, ENTRY_ROWS_RETURNED,
	ENTRY_REPEATED, ENTRY_SUBJECTS, ENTRY_STATEMENT_DIGEST, ENTRY_START, ENTRY_SEGMENT, ENTRY_POSITION,
	ENTRY_SERIAL, ENTRY_SALT, ENTRY_LEAF, ENTRY_COLUMNS
} EntryColumn;

/* An entry as Datums, in the order of its table. */
typedef struct LogEntry
{
	Datum		values[ENTRY_COLUMNS];
	bool		nulls[ENTRY_COLUMNS];
} LogEntry;

typedef enum StateColumn
{
	STATE_SINGLETON, STATE_ORIGIN, STATE_PLACE, STATE_SIZE, STATE_INGESTED_AT,
	STATE_CHECKPOINT, STATE_CHECKPOINT_SIZE, STATE_CHECKPOINT_AT,
	STATE_DELIVERED_SIZE, STATE_DELIVERED_AT, STATE_COLUMNS
} StateColumn;

/* The one row of seal.audit_state. */
typedef struct LogState
{
	HeapTuple	tuple;			/* as it stands; NULL before the log begins */
	Datum		values[STATE_COLUMNS];
	bool		nulls[STATE_COLUMNS];
} LogState;

/* The log opened for appending, until log_finish(). */
typedef struct LogWriter
{
	Relation	states;
	Relation	entries;
	Relation	nodes;
	CatalogIndexState node_indexes;
	EState	   *executor;		/* what the executor needs to keep the indexes of entries */
	ResultRelInfo *target;		/* entries */
	TupleTableSlot *buffer[LOG_BUFFER]; /* entries that log_flush() writes */
	int			buffered;
	MemoryContext context;		/* of what lives as long as the writer */
	StringInfoData scratch;
	unsigned char seeds[LOG_BUFFER][LOG_SEED_BYTES];
	int			seeds_left;
	LogState	state;
	MerkleFrontier frontier;
	int64		begun;			/* size of the tree when it was opened */
} LogWriter;

/* entry.c */
extern void entry_clear(LogEntry *entry);
extern void entry_set(LogEntry *entry, EntryColumn column, Datum value);
extern void entry_set_text(LogEntry *entry, EntryColumn column, const char *text);
extern void entry_group(StringInfo bytes, const LogEntry *entry, int group);
extern void entry_salts(unsigned char *salts, const LogEntry *entry);
extern bool entry_leaf(MerkleHash *leaf, const LogEntry *entry, StringInfo scratch);
extern bool entry_group_present(const LogEntry *entry, int group);

/* log.c */
extern void state_read(LogState *state, Relation states, Snapshot snapshot);
extern int64 state_size(const LogState *state);
extern const char *state_text(const LogState *state, StateColumn column);
extern void state_set(LogState *state, StateColumn column, Datum value);
extern void state_write(LogState *state, Relation states);
extern void log_begin(LogWriter *writer);
extern int64 log_append(LogWriter *writer, LogEntry *entry);
extern void log_flush(LogWriter *writer);
extern void log_replace(LogWriter *writer, HeapTuple old, LogEntry *entry);
extern int64 log_written(const LogWriter *writer);
extern void log_finish(LogWriter *writer);
extern Relation log_open(const char *table, LOCKMODE lockmode);
extern void log_require_admin(const char *function);
extern void log_require_reader(const char *view);

/* tree.c */
typedef struct LogTree
{
	Relation	entries;
	Relation	entry_index;
	Relation	nodes;
	Relation	node_index;
	Snapshot	snapshot;
} LogTree;

extern void tree_open(LogTree *tree, Snapshot snapshot);
extern void tree_close(LogTree *tree);
extern MerkleStore tree_store(LogTree *tree);
extern bool tree_stored_node(MerkleHash *hash, uint8_t level, uint64_t index, LogTree *tree);

/* sign.c */
extern SealError sign_key(NoteKey *key, unsigned char secret[SECRET_BYTES], const char *origin);
extern char *sign_place(void);
extern size_t sign_place_in_origin(const char *place);
extern char *sign_new_origin(const char *place);
extern SealError sign_tree(char **note, const char *origin, const MerkleFrontier *frontier);
extern int64 sign_ring(const Checkpoint *checkpoint);
extern SealError sign_verify(Checkpoint *checkpoint, const char *note, char **origin);

#endif							/* PGSEAL_LOG_H */
