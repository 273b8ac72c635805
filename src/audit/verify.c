/*-------------------------------------------------------------------------
 * verify.c
 *		Does the log still say what it said?
 *
 * Floor 2.  One pass over the entries in their order: each is hashed again and
 * compared with its leaf, the tree is built anew and compared with the nodes
 * that are kept, with the last checkpoint, and with one that the caller brings
 * from elsewhere.
 *
 * Whoever rewrites entries, leaves, nodes and state alike, and keeps the last
 * checkpoint out of it, is found only by a checkpoint kept elsewhere; which
 * entry he changed can then not be told.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/log.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(pgseal_verify_audit);

#define PROGRESS_ENTRIES	1000000
#define NO_ENTRY			PG_INT64_MIN
#define EXPECTED			2

/* A checkpoint to be met on the way. */
typedef struct Expected
{
	bool		given;
	bool		differs;		/* the first entries are not those that it covered */
	Checkpoint	checkpoint;
	char	   *origin;
	const char *name;			/* for the message */
} Expected;

/* A name that the log had, and the entry from which on it has another. */
typedef struct OldOrigin
{
	char	   *name;
	int64		end;
} OldOrigin;

typedef struct Verify
{
	LogTree		log;
	LogState	state;
	MerkleFrontier frontier;	/* of the entries so far */
	Expected	expected[EXPECTED];	/* the log's own last one, the caller's */
	List	   *origins;		/* OldOrigin */
	int64		nodes;			/* that must be kept */
	int64		first_purged;	/* NO_ENTRY: none */
	int64		last_purged;
	int64		purged_before;	/* what the purge entries allow */
	int64		first_bad;
	const char *problem;		/* NULL: none so far */
	StringInfoData scratch;
	MemoryContext per_entry;
} Verify;

/* find: note the first thing that is wrong; returns false. */
static bool
find(Verify *verify, int64 entry, const char *problem)
{
	if (verify->problem == NULL)
	{
		verify->problem = problem;
		verify->first_bad = entry;
	}
	return false;
}

/* text_is: does a text column hold this?  Asked of every entry, so nothing is copied. */
static bool
text_is(const LogEntry *entry, EntryColumn column, const char *expected)
{
	struct varlena *held;
	size_t		len = strlen(expected);

	if (entry->nulls[column])
		return false;
	held = PG_DETOAST_DATUM_PACKED(entry->values[column]);
	return VARSIZE_ANY_EXHDR(held) == len && memcmp(VARDATA_ANY(held), expected, len) == 0;
}

/* note_origin: the log has another name from this entry on; detail: the old one and its size. */
static void
note_origin(Verify *verify, const LogEntry *entry)
{
	MemoryContext outer = MemoryContextSwitchTo(verify->per_entry->parent);
	OldOrigin  *old = palloc(sizeof(OldOrigin));

	old->name = TextDatumGetCString(entry->values[ENTRY_DETAIL]);
	old->name[strcspn(old->name, " ")] = '\0';
	old->end = DatumGetInt64(entry->values[ENTRY_NUMBER]);
	verify->origins = lappend(verify->origins, old);
	MemoryContextSwitchTo(outer);
}

/* note_meaning: entries that say something of the log itself. */
static void
note_meaning(Verify *verify, const LogEntry *entry)
{
	int64		before;

	if (text_is(entry, ENTRY_ACTION, "admin") && text_is(entry, ENTRY_WHAT, "new_origin") &&
		!entry->nulls[ENTRY_DETAIL] && entry->nulls[ENTRY_START])
		note_origin(verify, entry);
	if (text_is(entry, ENTRY_ACTION, "purge") && !entry->nulls[ENTRY_DETAIL] && entry->nulls[ENTRY_START] &&
		sscanf(TextDatumGetCString(entry->values[ENTRY_DETAIL]), "before=" INT64_FORMAT, &before) == 1)
		verify->purged_before = Max(verify->purged_before, before);
}

/* leaf_of: what the table says of an entry's leaf; false when it has not the length of one. */
static bool
leaf_of(MerkleHash *leaf, const LogEntry *entry)
{
	struct varlena *stored;

	if (entry->nulls[ENTRY_LEAF])
		return false;
	stored = PG_DETOAST_DATUM_PACKED(entry->values[ENTRY_LEAF]);
	if (VARSIZE_ANY_EXHDR(stored) != MERKLE_HASH_BYTES)
		return false;
	memcpy(leaf->bytes, VARDATA_ANY(stored), MERKLE_HASH_BYTES);
	return true;
}

/* is_emptied: is nothing left of an entry but its number, its source and its leaf? */
static bool
is_emptied(const LogEntry *entry)
{
	for (int i = ENTRY_AT; i < ENTRY_START; i++)
	{
		if (!entry->nulls[i])
			return false;
	}
	return true;
}

/* check_content: do an entry's columns give its leaf, or was it purged? */
static bool
check_content(Verify *verify, const LogEntry *entry, const MerkleHash *leaf)
{
	int64		number = DatumGetInt64(entry->values[ENTRY_NUMBER]);
	MerkleHash	computed;

	if (entry->nulls[ENTRY_SALT] && is_emptied(entry))
	{
		if (verify->first_purged == NO_ENTRY)
			verify->first_purged = number;
		verify->last_purged = number;
		return true;
	}
	if (!entry_leaf(&computed, entry, &verify->scratch) ||
		memcmp(computed.bytes, leaf->bytes, MERKLE_HASH_BYTES) != 0)
		return find(verify, number, "entry was altered");
	note_meaning(verify, entry);
	return true;
}

/* check_nodes: are the subtrees that this leaf completed those that are kept? */
static bool
check_nodes(Verify *verify, const MerkleNode *finished, size_t count)
{
	MerkleHash	stored;

	for (size_t i = 0; i < count; i++)
	{
		const MerkleNode *node = &finished[i];

		if (node->level < LOG_NODE_LEVEL)
			continue;
		verify->nodes++;
		if (!tree_stored_node(&stored, node->level, node->index, &verify->log) ||
			memcmp(stored.bytes, node->hash.bytes, MERKLE_HASH_BYTES) != 0)
			return find(verify, (int64) (node->index << node->level),
						psprintf("leaves of " UINT64_FORMAT " entries from this one on, or the node over them, were altered",
								 UINT64CONST(1) << node->level));
	}
	return true;
}

/*
 * own_until
 *		Up to which size has this log, or had it before it was copied or put back,
 *		a name?  NO_ENTRY: never.
 */
static int64
own_until(Verify *verify, const char *origin)
{
	ListCell   *cell;

	if (strcmp(origin, state_text(&verify->state, STATE_ORIGIN)) == 0)
		return PG_INT64_MAX;
	foreach(cell, verify->origins)
	{
		OldOrigin  *old = lfirst(cell);

		if (strcmp(origin, old->name) == 0)
			return old->end;
	}
	return NO_ENTRY;
}

/* went_on_elsewhere: does a checkpoint cover more under an old name than this log ever had? */
static bool
went_on_elsewhere(Verify *verify, const Expected *expected)
{
	int64		end = own_until(verify, expected->origin);

	if (end == NO_ENTRY || (int64) expected->checkpoint.size <= end)
		return false;
	find(verify, end, psprintf("the log was copied or put back: from this entry on it has another name, and %s covers " UINT64_FORMAT " entries under the old one",
							   expected->name, expected->checkpoint.size));
	return true;
}

/* check_roots: is this a size of which a checkpoint says something else? */
static void
check_roots(Verify *verify)
{
	MerkleHash	root;

	for (int i = 0; i < EXPECTED; i++)
	{
		Expected   *expected = &verify->expected[i];

		if (!expected->given || expected->checkpoint.size != verify->frontier.size)
			continue;
		merkle_root(&root, &verify->frontier);
		expected->differs = memcmp(root.bytes, expected->checkpoint.root.bytes, MERKLE_HASH_BYTES) != 0;
	}
}

/* check_entry: the next row; false ends the pass. */
static bool
check_entry(Verify *verify, HeapTuple tuple)
{
	MerkleNode	finished[MERKLE_LEVELS];
	size_t		finished_count;
	MerkleHash	leaf;
	LogEntry	entry;
	int64		next = (int64) verify->frontier.size;
	int64		number;

	heap_deform_tuple(tuple, RelationGetDescr(verify->log.entries), entry.values, entry.nulls);
	number = DatumGetInt64(entry.values[ENTRY_NUMBER]);
	if (number < next || number >= state_size(&verify->state))
		return find(verify, number, "entry was added");
	if (number > next)
		return find(verify, next, "entry is missing");
	if (!leaf_of(&leaf, &entry))
		return find(verify, number, "entry was altered");
	if (!check_content(verify, &entry, &leaf))
		return false;
	if (!merkle_append(finished, &finished_count, &verify->frontier, &leaf))
		return find(verify, number, "entry was added");
	check_roots(verify);
	return check_nodes(verify, finished, finished_count);
}

/* report_progress: tell whoever waits how far it is. */
static void
report_progress(Verify *verify)
{
	if (verify->frontier.size % PROGRESS_ENTRIES == 0 && verify->frontier.size > 0)
		ereport(NOTICE, (errmsg("verified " UINT64_FORMAT " of " INT64_FORMAT " entries",
								verify->frontier.size, state_size(&verify->state))));
}

/* check_entries: the pass. */
static void
check_entries(Verify *verify)
{
	SysScanDesc scan = systable_beginscan_ordered(verify->log.entries, verify->log.entry_index,
												  verify->log.snapshot, 0, NULL);
	HeapTuple	tuple;
	bool		fine = true;

	check_roots(verify);
	while (fine && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		MemoryContext outer = MemoryContextSwitchTo(verify->per_entry);

		CHECK_FOR_INTERRUPTS();
		fine = check_entry(verify, tuple);
		MemoryContextSwitchTo(outer);
		if (fine)
			MemoryContextReset(verify->per_entry);
		report_progress(verify);
	}
	systable_endscan_ordered(scan);
	if (fine && (int64) verify->frontier.size < state_size(&verify->state))
		find(verify, (int64) verify->frontier.size, "entry is missing");
}

/* count_nodes: rows of seal.audit_node. */
static int64
count_nodes(Verify *verify)
{
	TableScanDesc scan = table_beginscan(verify->log.nodes, verify->log.snapshot, 0, NULL);
	int64		count = 0;

	while (heap_getnext(scan, ForwardScanDirection) != NULL)
		count++;
	table_endscan(scan);
	return count;
}

/* check_purge: does the log say of every purged entry that it was purged? */
static void
check_purge(Verify *verify)
{
	if (verify->last_purged >= verify->purged_before)
		find(verify, Max(verify->first_purged, verify->purged_before),
			 "entry was emptied, and no entry tells of a purge");
}

/*
 * check_ring
 *		Is the ring older than when a checkpoint was signed?
 *
 * A change that has just committed may not have told this process yet.
 */
static void
check_ring(Verify *verify, const Expected *expected)
{
	int64		generation = sign_ring(&expected->checkpoint);

	if (generation > ring_generation() && !RecoveryInProgress())
		ring_settle();
	if (generation > ring_generation())
		find(verify, NO_ENTRY, psprintf("the key ring was put back: its generation is " INT64_FORMAT ", %s tells of " INT64_FORMAT,
										ring_generation(), expected->name, generation));
}

/* check_expected: checkpoints of other logs, and of more entries than there are. */
static void
check_expected(Verify *verify)
{
	int64		size = state_size(&verify->state);

	for (int i = 0; i < EXPECTED; i++)
	{
		Expected   *expected = &verify->expected[i];

		if (!expected->given)
			continue;
		if (own_until(verify, expected->origin) == NO_ENTRY)
			find(verify, NO_ENTRY, psprintf("%s is of another log", expected->name));
		if (!went_on_elsewhere(verify, expected) && expected->differs)
			find(verify, NO_ENTRY,
				 psprintf("entries before " UINT64_FORMAT " are not those that %s covered; which one was rewritten cannot be told",
						  expected->checkpoint.size, expected->name));
		if ((int64) expected->checkpoint.size > size)
			find(verify, size, psprintf("the log was cut or put back: %s covers " UINT64_FORMAT " entries",
										expected->name, expected->checkpoint.size));
		check_ring(verify, expected);
	}
}

/* check_state: what the state says beyond its size. */
static void
check_state(Verify *verify)
{
	const LogState *state = &verify->state;
	const char *place = state_text(state, STATE_PLACE);
	char	   *begin = psprintf("pgseal/%.*s/", (int) sign_place_in_origin(place), place);
	int64		signed_size = verify->expected[0].given ? (int64) verify->expected[0].checkpoint.size : 0;

	if (strncmp(state_text(state, STATE_ORIGIN), begin, strlen(begin)) != 0 ||
		DatumGetInt64(state->values[STATE_CHECKPOINT_SIZE]) != signed_size ||
		DatumGetInt64(state->values[STATE_DELIVERED_SIZE]) > signed_size)
		find(verify, NO_ENTRY, "state of the log was altered");
}

/* expect: a checkpoint that the tree must meet. */
static void
expect(Verify *verify, Expected *expected, const char *note, const char *name)
{
	SealError	error;

	if (note == NULL)
		return;
	error = sign_verify(&expected->checkpoint, note, &expected->origin);
	if (error != SEAL_OK && error != SEAL_E_CORRUPT)
		ring_raise(error, key_id_of(KEY_AUDIT));
	expected->given = error == SEAL_OK;
	expected->name = name;
	if (error == SEAL_E_CORRUPT)
		find(verify, NO_ENTRY, psprintf("%s is not signed by this log", name));
}

/* verify_log: all of it. */
static void
verify_log(Verify *verify, const char *note)
{
	Relation	states = log_open("audit_state", AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetActiveSnapshot());

	tree_open(&verify->log, snapshot);
	state_read(&verify->state, states, snapshot);
	initStringInfo(&verify->scratch);
	verify->per_entry = AllocSetContextCreate(CurrentMemoryContext, "pgseal verify", ALLOCSET_DEFAULT_SIZES);
	merkle_start(&verify->frontier);
	expect(verify, &verify->expected[1], note, "the given checkpoint");
	expect(verify, &verify->expected[0], state_text(&verify->state, STATE_CHECKPOINT), "the last checkpoint");
	check_entries(verify);
	if (verify->state.tuple != NULL)
	{
		if (verify->problem == NULL && count_nodes(verify) != verify->nodes)
			find(verify, NO_ENTRY, "a node was added to the tree");
		check_purge(verify);
		check_expected(verify);
		check_state(verify);
	}
	else if (note != NULL)
		find(verify, 0, "there is no log");
	tree_close(&verify->log);
	UnregisterSnapshot(snapshot);
	table_close(states, AccessShareLock);
}

/* seal.verify_audit(checkpoint text) returns (intact boolean, entries bigint, first_bad bigint, problem text) */
Datum
pgseal_verify_audit(PG_FUNCTION_ARGS)
{
	Verify		verify = {.first_purged = NO_ENTRY,.last_purged = NO_ENTRY,.first_bad = NO_ENTRY};
	TupleDesc	desc;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	verify_log(&verify, PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)));
	values[0] = BoolGetDatum(verify.problem == NULL);
	values[1] = Int64GetDatum((int64) verify.frontier.size);
	values[2] = Int64GetDatum(verify.first_bad);
	nulls[2] = verify.first_bad == NO_ENTRY;
	nulls[3] = verify.problem == NULL;
	if (verify.problem != NULL)
		values[3] = CStringGetTextDatum(verify.problem);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
