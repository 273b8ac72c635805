/*-------------------------------------------------------------------------
 * log.c
 *		The tables of the log: its state, and one more entry.
 *
 * Floor 2.  Rows are written below the executor, where no trigger stands and
 * no privilege is asked.  One writer at a time: log_begin() takes LOG_LOCK on
 * seal.audit_state and keeps it until the transaction ends.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/log.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(pgseal_audit_refuse);

/* log_open: a table of the log; 3F000 or 42P01 when it is not there. */
Relation
log_open(const char *table, LOCKMODE lockmode)
{
	Oid			oid = get_relname_relid(table, seal_schema_oid(false));

	if (!OidIsValid(oid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation \"seal.%s\" does not exist", table)));
	return table_open(oid, lockmode);
}

/* log_require_reader: 42501 unless the current role may read a view of the log. */
void
log_require_reader(const char *view)
{
	Oid			oid = seal_relation_oid(view);

	if (!OidIsValid(oid) || pg_class_aclcheck(oid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_VIEW, view);
}

/* log_require_admin: 42501 unless the current role is superuser or a member of seal.admin_role. */
void
log_require_admin(const char *function)
{
	const char *name = GetConfigOption("seal.admin_role", true, false);
	Oid			role = name != NULL && name[0] != '\0' ? get_role_oid(name, true) : InvalidOid;

	if (!superuser() && !(OidIsValid(role) && is_member_of_role_nosuper(GetUserId(), role)))
		error_raise(SEAL_E_NOT_ADMIN, function);
}

/*
 * state_read
 *		The state as of a snapshot; NULL: as it is committed now, or as this
 *		transaction left it.
 *
 * A writer must not read by its transaction's snapshot: in REPEATABLE READ
 * that may be older than the lock.
 */
void
state_read(LogState *state, Relation states, Snapshot snapshot)
{
	Snapshot	registered = RegisterSnapshot(snapshot != NULL ? snapshot : GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(states, InvalidOid, false, registered, 0, NULL);
	HeapTuple	tuple = systable_getnext(scan);

	memset(state, 0, sizeof(*state));
	memset(state->nulls, true, sizeof(state->nulls));
	if (HeapTupleIsValid(tuple))
	{
		state->tuple = heap_copytuple(tuple);
		heap_deform_tuple(state->tuple, RelationGetDescr(states), state->values, state->nulls);
	}
	systable_endscan(scan);
	UnregisterSnapshot(registered);
}

/* state_size: leaves of the tree. */
int64
state_size(const LogState *state)
{
	return state->nulls[STATE_SIZE] ? 0 : DatumGetInt64(state->values[STATE_SIZE]);
}

/* state_text: a column of type text, NULL when it is null. */
const char *
state_text(const LogState *state, StateColumn column)
{
	return state->nulls[column] ? NULL : TextDatumGetCString(state->values[column]);
}

/* state_set: one column, in memory. */
void
state_set(LogState *state, StateColumn column, Datum value)
{
	state->values[column] = value;
	state->nulls[column] = false;
}

/* state_write: put the row in the place of the one that was read. */
void
state_write(LogState *state, Relation states)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(states), state->values, state->nulls);

	if (state->tuple == NULL)
		CatalogTupleInsert(states, tuple);
	else
		CatalogTupleUpdate(states, &state->tuple->t_self, tuple);
	state->tuple = tuple;
	CommandCounterIncrement();
}

/* new_state: of a log that has no entry. */
static void
new_state(LogState *state)
{
	state_set(state, STATE_SINGLETON, BoolGetDatum(true));
	state_set(state, STATE_SIZE, Int64GetDatum(0));
	state_set(state, STATE_CHECKPOINT_SIZE, Int64GetDatum(0));
	state_set(state, STATE_DELIVERED_SIZE, Int64GetDatum(0));
}

/* resume: the frontier of the tree as it stands; XX001 when its tables lack part of it. */
static void
resume(LogWriter *writer)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	LogTree		tree;
	MerkleStore store;
	bool		whole;

	tree_open(&tree, snapshot);
	store = tree_store(&tree);
	whole = merkle_resume(&writer->frontier, writer->begun, &store);
	tree_close(&tree);
	UnregisterSnapshot(snapshot);
	if (!whole)
		error_raise(SEAL_E_LOG_BROKEN, NULL);
}

/*
 * name_origin
 *		A log without a name gets one; a copy in another place gets a new one.
 *
 * The entry that says so names the old one and its size, and is signed under
 * the new name: who holds checkpoints of the old one sees where the two part.
 */
static void
name_origin(LogWriter *writer)
{
	char	   *place = sign_place();
	const char *old_place = state_text(&writer->state, STATE_PLACE);
	const char *old_origin = state_text(&writer->state, STATE_ORIGIN);
	LogEntry	entry;

	if (old_place != NULL && strcmp(place, old_place) == 0)
		return;
	state_set(&writer->state, STATE_PLACE, CStringGetTextDatum(place));
	state_set(&writer->state, STATE_ORIGIN, CStringGetTextDatum(sign_new_origin(place)));
	if (old_origin == NULL)
		return;
	entry_clear(&entry);
	entry_set(&entry, ENTRY_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	entry_set_text(&entry, ENTRY_ACTION, "admin");
	entry_set_text(&entry, ENTRY_OUTCOME, "ok");
	entry_set_text(&entry, ENTRY_WHAT, "new_origin");
	entry_set_text(&entry, ENTRY_DETAIL,
				   psprintf("%s " INT64_FORMAT, old_origin, state_size(&writer->state)));
	log_append(writer, &entry);
}

/* open_entries: what appending them needs, in a context of the writer's own. */
static void
open_entries(LogWriter *writer)
{
	MemoryContext outer;

	writer->entries = log_open("audit_entry", RowExclusiveLock);
	writer->context = AllocSetContextCreate(CurrentMemoryContext, "pgseal log", ALLOCSET_DEFAULT_SIZES);
	outer = MemoryContextSwitchTo(writer->context);
	initStringInfo(&writer->scratch);
	writer->executor = CreateExecutorState();
	writer->target = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->target, writer->entries, 0, NULL, 0);
	ExecOpenIndices(writer->target, false);
	for (int i = 0; i < LOG_BUFFER; i++)
		writer->buffer[i] = MakeSingleTupleTableSlot(RelationGetDescr(writer->entries), &TTSOpsHeapTuple);
	writer->buffered = 0;
	writer->seeds_left = 0;
	MemoryContextSwitchTo(outer);
}

/* close_entries: the other way round; the table's lock stays. */
static void
close_entries(LogWriter *writer)
{
	for (int i = 0; i < LOG_BUFFER; i++)
		ExecDropSingleTupleTableSlot(writer->buffer[i]);
	ExecCloseIndices(writer->target);
	FreeExecutorState(writer->executor);
	sodium_memzero(writer->seeds, sizeof(writer->seeds));
	MemoryContextDelete(writer->context);
	table_close(writer->entries, NoLock);
}

/*
 * log_begin
 *		Open the log for appending; other writers wait until the transaction ends.
 *
 * Raises XX001 when the tables lack part of the tree.
 */
void
log_begin(LogWriter *writer)
{
	writer->states = log_open("audit_state", LOG_LOCK);
	open_entries(writer);
	writer->nodes = log_open("audit_node", RowExclusiveLock);
	writer->node_indexes = CatalogOpenIndexes(writer->nodes);
	state_read(&writer->state, writer->states, NULL);
	if (writer->state.tuple == NULL)
		new_state(&writer->state);
	writer->begun = state_size(&writer->state);
	resume(writer);
	name_origin(writer);
}

/* store_node: keep a complete subtree, when it is one of those that are kept. */
static void
store_node(LogWriter *writer, const MerkleNode *node)
{
	Datum		values[3] = {Int16GetDatum(node->level), Int64GetDatum(node->index)};
	bool		nulls[3] = {false};
	bytea	   *hash;

	if (node->level < LOG_NODE_LEVEL)
		return;
	hash = palloc(VARHDRSZ + MERKLE_HASH_BYTES);
	SET_VARSIZE(hash, VARHDRSZ + MERKLE_HASH_BYTES);
	memcpy(VARDATA(hash), node->hash.bytes, MERKLE_HASH_BYTES);
	values[2] = PointerGetDatum(hash);
	CatalogTupleInsertWithInfo(writer->nodes,
							   heap_form_tuple(RelationGetDescr(writer->nodes), values, nulls),
							   writer->node_indexes);
}

/* set_bytes: a bytea column. */
static void
set_bytes(LogEntry *entry, EntryColumn column, const unsigned char *bytes, size_t len)
{
	bytea	   *value = palloc(VARHDRSZ + len);

	SET_VARSIZE(value, VARHDRSZ + len);
	memcpy(VARDATA(value), bytes, len);
	entry_set(entry, column, PointerGetDatum(value));
}

/* set_seed: random bytes; the operating system is asked for many at a time. */
static void
set_seed(LogWriter *writer, LogEntry *entry)
{
	unsigned char *seed;

	if (writer->seeds_left == 0)
	{
		randombytes_buf(writer->seeds, sizeof(writer->seeds));
		writer->seeds_left = LOG_BUFFER;
	}
	seed = writer->seeds[--writer->seeds_left];
	set_bytes(entry, ENTRY_SALT, seed, LOG_SEED_BYTES);
	sodium_memzero(seed, LOG_SEED_BYTES);
}

/* put_into: a slot of the writer gets a row. */
static void
put_into(LogWriter *writer, TupleTableSlot *slot, LogEntry *entry)
{
	MemoryContext outer = MemoryContextSwitchTo(writer->context);
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(writer->entries), entry->values, entry->nulls);

	tuple->t_tableOid = RelationGetRelid(writer->entries);
	ExecStoreHeapTuple(tuple, slot, true);
	MemoryContextSwitchTo(outer);
}

/*
 * log_flush
 *		Write the entries that were appended; who reads the table in the same
 *		transaction calls this first.
 */
void
log_flush(LogWriter *writer)
{
	MemoryContext outer;

	if (writer->buffered == 0)
		return;
	outer = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->executor));
	heap_multi_insert(writer->entries, writer->buffer, writer->buffered, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < writer->buffered; i++)
	{
		(void) ExecInsertIndexTuples(writer->target, writer->buffer[i], writer->executor, false, false, NULL, NIL);
		ExecClearTuple(writer->buffer[i]);
	}
	writer->buffered = 0;
	MemoryContextSwitchTo(outer);
	ResetPerTupleExprContext(writer->executor);
}

/*
 * log_append
 *		Number an entry, give it a seed and a leaf, and have it written soon.
 *
 * Returns its number.  What it allocates is left to the caller's context.
 */
int64
log_append(LogWriter *writer, LogEntry *entry)
{
	MerkleNode	finished[MERKLE_LEVELS];
	size_t		finished_count;
	MerkleHash	leaf;
	int64		number = (int64) writer->frontier.size;

	entry_set(entry, ENTRY_NUMBER, Int64GetDatum(number));
	set_seed(writer, entry);
	if (!entry_leaf(&leaf, entry, &writer->scratch) ||
		!merkle_append(finished, &finished_count, &writer->frontier, &leaf))
		error_raise(SEAL_E_LOG_BROKEN, NULL);
	set_bytes(entry, ENTRY_LEAF, leaf.bytes, MERKLE_HASH_BYTES);
	put_into(writer, writer->buffer[writer->buffered++], entry);
	if (writer->buffered == LOG_BUFFER)
		log_flush(writer);
	for (size_t i = 0; i < finished_count; i++)
		store_node(writer, &finished[i]);
	return number;
}

/* log_replace: write a row in the place of another, with the same number. */
void
log_replace(LogWriter *writer, HeapTuple old, LogEntry *entry)
{
	TupleTableSlot *slot;
	HeapTuple	tuple;

	log_flush(writer);
	slot = writer->buffer[0];
	put_into(writer, slot, entry);
	tuple = ExecFetchSlotHeapTuple(slot, false, NULL);
	simple_heap_update(writer->entries, &old->t_self, tuple);
	slot->tts_tid = tuple->t_self;
	if (!HeapTupleIsHeapOnly(tuple))
		(void) ExecInsertIndexTuples(writer->target, slot, writer->executor, false, false, NULL, NIL);
	ExecClearTuple(slot);
	ResetPerTupleExprContext(writer->executor);
}

/* log_written: how many entries this writer has appended. */
int64
log_written(const LogWriter *writer)
{
	return (int64) writer->frontier.size - writer->begun;
}

/* log_finish: write the state; the lock stays until the transaction ends. */
void
log_finish(LogWriter *writer)
{
	log_flush(writer);
	if (log_written(writer) > 0 || writer->state.tuple == NULL)
	{
		state_set(&writer->state, STATE_SIZE, Int64GetDatum((int64) writer->frontier.size));
		state_set(&writer->state, STATE_INGESTED_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
		state_write(&writer->state, writer->states);
	}
	CatalogCloseIndexes(writer->node_indexes);
	table_close(writer->nodes, NoLock);
	close_entries(writer);
	table_close(writer->states, NoLock);
}

/* seal.audit_refuse() returns trigger */
Datum
pgseal_audit_refuse(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function \"%s\" was not called by trigger manager", "audit_refuse")));
	error_raise(SEAL_E_LOG_CLOSED, RelationGetRelationName(((TriggerData *) fcinfo->context)->tg_relation));
}
