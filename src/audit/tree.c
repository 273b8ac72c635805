/*-------------------------------------------------------------------------
 * tree.c
 *		The log's Merkle tree as its tables hold it.
 *
 * Floor 2.  From level LOG_NODE_LEVEL on a complete subtree is a row of
 * seal.audit_node; below, its hash is computed from at most 128 leaves.  That
 * keeps one row for 128 entries, and the proofs read no more pages than with
 * all nodes.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/log.h"

#include "access/genam.h"
#include "access/table.h"
#include "utils/fmgroids.h"

#define ENTRY_ATTNUM	(ENTRY_NUMBER + 1)
#define LEAF_ATTNUM		(ENTRY_LEAF + 1)

/* Columns of seal.audit_node, as attribute numbers. */
#define NODE_LEVEL		1
#define NODE_INDEX		2
#define NODE_HASH		3

/* tree_open: until tree_close(); the snapshot stays the caller's. */
void
tree_open(LogTree *tree, Snapshot snapshot)
{
	tree->entries = log_open("audit_entry", AccessShareLock);
	tree->entry_index = index_open(RelationGetPrimaryKeyIndex(tree->entries), AccessShareLock);
	tree->nodes = log_open("audit_node", AccessShareLock);
	tree->node_index = index_open(RelationGetPrimaryKeyIndex(tree->nodes), AccessShareLock);
	tree->snapshot = snapshot;
}

void
tree_close(LogTree *tree)
{
	index_close(tree->node_index, AccessShareLock);
	table_close(tree->nodes, AccessShareLock);
	index_close(tree->entry_index, AccessShareLock);
	table_close(tree->entries, AccessShareLock);
}

/* read_hash: a bytea of a tuple; false when it has not the length of a hash. */
static bool
read_hash(MerkleHash *hash, HeapTuple tuple, int attnum, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, attnum, desc, &isnull);
	struct varlena *packed;

	if (isnull)
		return false;
	packed = PG_DETOAST_DATUM_PACKED(datum);
	if (VARSIZE_ANY_EXHDR(packed) != MERKLE_HASH_BYTES)
		return false;
	memcpy(hash->bytes, VARDATA_ANY(packed), MERKLE_HASH_BYTES);
	return true;
}

/*
 * tree_stored_node
 *		A row of seal.audit_node; false when there is none, or its hash has a wrong length.
 */
bool
tree_stored_node(MerkleHash *hash, uint8_t level, uint64_t index, LogTree *tree)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&keys[0], NODE_LEVEL, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(level));
	ScanKeyInit(&keys[1], NODE_INDEX, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum((int64) index));
	scan = systable_beginscan_ordered(tree->nodes, tree->node_index, tree->snapshot, 2, keys);
	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	found = HeapTupleIsValid(tuple) &&
		read_hash(hash, tuple, NODE_HASH, RelationGetDescr(tree->nodes));
	systable_endscan_ordered(scan);
	return found;
}

/* computed_node: the hash over the leaves of a small subtree; false when one of them is not there. */
static bool
computed_node(MerkleHash *hash, uint8_t level, uint64_t index, LogTree *tree)
{
	uint64		first = index << level;
	uint64		count = UINT64CONST(1) << level;
	MerkleFrontier frontier;
	size_t		finished_count;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	merkle_start(&frontier);
	ScanKeyInit(&keys[0], ENTRY_ATTNUM, BTGreaterEqualStrategyNumber, F_INT8GE,
				Int64GetDatum((int64) first));
	ScanKeyInit(&keys[1], ENTRY_ATTNUM, BTLessStrategyNumber, F_INT8LT,
				Int64GetDatum((int64) (first + count)));
	scan = systable_beginscan_ordered(tree->entries, tree->entry_index, tree->snapshot, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		MerkleHash	leaf;

		if (!read_hash(&leaf, tuple, LEAF_ATTNUM, RelationGetDescr(tree->entries)) ||
			!merkle_append(NULL, &finished_count, &frontier, &leaf))
			break;
	}
	systable_endscan_ordered(scan);
	merkle_root(hash, &frontier);
	return frontier.size == count;
}

/* fetch: MerkleFetch. */
static bool
fetch(MerkleHash *hash, uint8_t level, uint64_t index, void *context)
{
	CHECK_FOR_INTERRUPTS();
	return level < LOG_NODE_LEVEL ?
		computed_node(hash, level, index, context) :
		tree_stored_node(hash, level, index, context);
}

/* tree_store: the tree for the proofs of the crypto room. */
MerkleStore
tree_store(LogTree *tree)
{
	return (MerkleStore) {fetch, tree};
}
