/*-------------------------------------------------------------------------
 * known.c
 *		What is known of tables that rows are written to.
 *
 * Floor 5.  Each kind of knowledge is read once, and kept until the table,
 * another one that it tells of, a schema or the ring changes; the lock of the
 * query that writes keeps it true meanwhile.  What is outdated lives until the
 * end of the transaction, because a trigger that is running may use it.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/xact.h"
#include "utils/catcache.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define KINDS	2				/* what is watched, what is protected */

static KnownTables *kinds[KINDS];
static int	kind_count = 0;
static uint64 changes = 0;		/* how many there were that an entry may not know of */
static List *outdated = NIL;	/* contexts */

/* ----------
 * Forgetting
 * ----------
 */

/* keep_until_end: of the transaction. */
static void
keep_until_end(MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(CacheMemoryContext);

	outdated = lappend(outdated, context);
	MemoryContextSwitchTo(before);
}

/* forget: an entry. */
static void
forget(KnownTables *tables, KnownTable *known)
{
	keep_until_end(known->context);
	hash_search(tables->cache, &known->relation, HASH_REMOVE, NULL);
	tables->last = NULL;
}

/* concerns: does a change of a relation, or of any, make an entry untrue? */
static bool
concerns(Oid relation, const KnownTable *known)
{
	if (!OidIsValid(relation) || known->relation == relation)
		return true;
	for (int i = 0; i < KNOWN_OTHERS; i++)
		if (known->others[i] == relation)
			return true;
	return false;
}

/* forget_relation: relcache callback. */
static void
forget_relation(Datum arg, Oid relation)
{
	changes++;
	for (int i = 0; i < kind_count; i++)
	{
		HASH_SEQ_STATUS status;
		KnownTable *known;

		hash_seq_init(&status, kinds[i]->cache);
		while ((known = hash_seq_search(&status)) != NULL)
			if (concerns(relation, known))
				forget(kinds[i], known);
	}
}

/* forget_all: syscache callback of schemas, which have names, too. */
static void
forget_all(Datum arg, int cache_id, uint32 hash)
{
	forget_relation(arg, InvalidOid);
}

/* free_outdated: XactCallback; no trigger is running any more. */
static void
free_outdated(XactEvent event, void *arg)
{
	ListCell   *cell;

	if (outdated == NIL || event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;
	foreach(cell, outdated)
		MemoryContextDelete(lfirst(cell));
	list_free(outdated);
	outdated = NIL;
}

/* ----------
 * Learning
 * ----------
 */

/* start: a kind, at its first use. */
static void
start(KnownTables *tables)
{
	HASHCTL		info = {.keysize = sizeof(Oid), .entrysize = sizeof(KnownTable)};

	Assert(kind_count < KINDS);
	if (CacheMemoryContext == NULL)
		CreateCacheMemoryContext();
	info.hcxt = CacheMemoryContext;
	tables->cache = hash_create(tables->name, 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (kind_count == 0)
	{
		CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, forget_all, (Datum) 0);
	}
	kinds[kind_count++] = tables;
}

/* read_table: in a context that goes with an error, and stays otherwise. */
static void
read_table(KnownTables *tables, KnownTable *known, Relation relation)
{
	MemoryContext before;

	known->context = AllocSetContextCreate(CurrentMemoryContext, "pgseal known table", ALLOCSET_SMALL_SIZES);
	before = MemoryContextSwitchTo(known->context);
	known->what = (*tables->read) (relation, known->others);
	MemoryContextSwitchTo(before);
	if (known->what == NULL)
		MemoryContextDelete(known->context);
	else
		MemoryContextSetParent(known->context, CacheMemoryContext);
}

/* learn: read a table, and keep that unless it may have changed meanwhile; NULL when there is nothing to know. */
static void *
learn(KnownTables *tables, Relation relation)
{
	uint64		before = changes;
	KnownTable	known = {.relation = RelationGetRelid(relation),.ring = ring_stamp()};
	bool		found;

	read_table(tables, &known, relation);
	if (known.what == NULL)
		return NULL;
	if (changes != before || known.ring != ring_stamp())
	{
		keep_until_end(known.context);
		return known.what;
	}
	tables->last = hash_search(tables->cache, &known.relation, HASH_ENTER, &found);
	*tables->last = known;
	return known.what;
}

/*
 * known_of
 *		What is known of a table that the query has locked; NULL when there is
 *		nothing to know.
 *
 * Valid until the end of the transaction.  Raises what its reading raises.
 */
void *
known_of(KnownTables *tables, Relation relation)
{
	Oid			oid = RelationGetRelid(relation);
	uint64		ring = ring_stamp();

	if (tables->cache == NULL)
		start(tables);
	if (tables->last == NULL || tables->last->relation != oid)
		tables->last = hash_search(tables->cache, &oid, HASH_FIND, NULL);
	if (tables->last != NULL && tables->last->ring != ring)
		forget(tables, tables->last);
	return tables->last != NULL ? tables->last->what : learn(tables, relation);
}

void
known_init(void)
{
	RegisterXactCallback(free_outdated, NULL);
}
