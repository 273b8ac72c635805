/*-------------------------------------------------------------------------
 * merkle.c
 *		The Merkle tree of the log: append, root, proofs, and their verification.
 *
 * Floor 0.  Everything here is public: there is no key, and no time to hide.
 * The hashes of complete subtrees never change once they are finished, so a
 * store keeps them and nothing else; what the right edge of a tree of some size
 * adds to them is computed.  Who may append, and that nobody else did, is for
 * the signature on the root to say.
 *
 *		level 2					  (2,0)
 *		level 1			(1,0)				(1,1)
 *		level 0		(0,0)	(0,1)		(0,2)	(0,3)		(0,4)
 *
 * The tree of 5 leaves: its frontier is (2,0) and (0,4), its root the node over
 * these two.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "crypto/crypto.h"

#include <string.h>

#define LEAF_PREFIX			0x00
#define NODE_PREFIX			0x01

_Static_assert(MERKLE_HASH_BYTES == crypto_hash_sha256_BYTES, "hash");
_Static_assert(sizeof(MerkleHash) == MERKLE_HASH_BYTES, "hashes lie side by side");
_Static_assert(MERKLE_SIZE_MAX < (uint64_t) 1 << (MERKLE_LEVELS - 1), "a level for each bit of a size");

/*
 * merkle_leaf
 *		The hash of a leaf: SHA-256(0x00 || data).  Cannot fail.
 *
 * Source: RFC 9162 section 2.1.1.
 */
void
merkle_leaf(MerkleHash *hash, const unsigned char *data, size_t len)
{
	const unsigned char prefix = LEAF_PREFIX;
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &prefix, 1);
	crypto_hash_sha256_update(&state, data, len);
	crypto_hash_sha256_final(&state, hash->bytes);
}

/*
 * merkle_node
 *		The hash above two others: SHA-256(0x01 || left || right).  Cannot fail.
 *
 *	hash		out: may be left or right itself
 *
 * The prefix keeps leaves and nodes apart: without it the two hashes below a
 * node would be a leaf with the node's hash.
 * Source: RFC 9162 section 2.1.1.
 */
void
merkle_node(MerkleHash *hash, const MerkleHash *left, const MerkleHash *right)
{
	unsigned char bytes[1 + 2 * MERKLE_HASH_BYTES];

	bytes[0] = NODE_PREFIX;
	memcpy(bytes + 1, left->bytes, MERKLE_HASH_BYTES);
	memcpy(bytes + 1 + MERKLE_HASH_BYTES, right->bytes, MERKLE_HASH_BYTES);
	crypto_hash_sha256(hash->bytes, bytes, sizeof(bytes));
}

/* same_hash: hashes are public, so any comparison will do. */
static bool
same_hash(const MerkleHash *a, const MerkleHash *b)
{
	return memcmp(a->bytes, b->bytes, MERKLE_HASH_BYTES) == 0;
}

/* has_level: whether a complete subtree of this level is part of the frontier. */
static bool
has_level(uint64_t size, unsigned int level)
{
	return (size >> level & 1) != 0;
}

/* merkle_start: the frontier of the empty tree.  Cannot fail. */
void
merkle_start(MerkleFrontier *frontier)
{
	memset(frontier, 0, sizeof(*frontier));
}

/*
 * merkle_resume
 *		The frontier of a tree whose complete subtrees are in a store.
 *
 * Returns false, with *frontier that of the empty tree, when there can be no
 * tree of this size, or when the store lacks one of at most 63 subtrees.
 */
bool
merkle_resume(MerkleFrontier *frontier, uint64_t size, const MerkleStore *store)
{
	uint8_t		level;

	merkle_start(frontier);
	if (size > MERKLE_SIZE_MAX)
		return false;
	for (level = 0; level < MERKLE_LEVELS; level++)
		if (has_level(size, level) &&
			!store->fetch(&frontier->hashes[level], level, (size >> level) - 1, store->context))
		{
			merkle_start(frontier);
			return false;
		}
	frontier->size = size;
	return true;
}

/* finish: note a subtree, when somebody wants to know. */
static void
finish(MerkleNode *finished, size_t *finished_count, uint8_t level, uint64_t index, const MerkleHash *hash)
{
	if (finished != NULL)
	{
		finished[*finished_count].level = level;
		finished[*finished_count].index = index;
		finished[*finished_count].hash = *hash;
	}
	(*finished_count)++;
}

/*
 * merkle_append
 *		Put one more leaf at the right end of a tree.
 *
 *	finished		out: the subtrees that became complete, the leaf itself first,
 *					then upwards; NULL when nobody stores them
 *	finished_count	out: how many, at least 1; 0 on failure
 *	frontier		in and out
 *
 * Returns false, with the tree as it was, when it has MERKLE_SIZE_MAX leaves.
 * Half of all leaves finish nothing but themselves; on average there is one
 * node to hash.
 */
bool
merkle_append(MerkleNode finished[MERKLE_LEVELS], size_t *finished_count,
			  MerkleFrontier *frontier, const MerkleHash *leaf)
{
	MerkleHash	hash = *leaf;
	uint64_t	size = frontier->size;
	uint8_t		level = 0;

	*finished_count = 0;
	if (size >= MERKLE_SIZE_MAX)
		return false;
	finish(finished, finished_count, level, size, &hash);
	for (; has_level(size, level); level++)
	{
		merkle_node(&hash, &frontier->hashes[level], &hash);
		finish(finished, finished_count, level + 1, size >> (level + 1), &hash);
	}
	frontier->hashes[level] = hash;
	frontier->size = size + 1;
	return true;
}

/* fetch_from_frontier: MerkleFetch of a frontier, which has its own subtrees only. */
static bool
fetch_from_frontier(MerkleHash *hash, uint8_t level, uint64_t index, void *context)
{
	const MerkleFrontier *frontier = context;

	(void) index;
	*hash = frontier->hashes[level];
	return true;
}

/*
 * hash_edge
 *		The hash over the last leaves of a tree, size % 2^levels of them.
 *
 * They are the frontier below that level, folded from the right.  There must be
 * at least one.  Returns false when the store lacks a subtree.
 */
static bool
hash_edge(MerkleHash *hash, uint64_t size, uint8_t levels, const MerkleStore *store)
{
	bool		started = false;
	MerkleHash	left;
	uint8_t		level;

	for (level = 0; level < levels; level++)
	{
		if (!has_level(size, level))
			continue;
		if (!store->fetch(&left, level, (size >> level) - 1, store->context))
			return false;
		if (started)
			merkle_node(hash, &left, hash);
		else
			*hash = left;
		started = true;
	}
	return true;
}

/*
 * merkle_root_at
 *		The root of the first size leaves.
 *
 * Returns false, with *root all zero, when there can be no tree of this size,
 * or when the store lacks one of at most 63 subtrees.
 * Source: RFC 9162 section 2.1.1.
 */
bool
merkle_root_at(MerkleHash *root, uint64_t size, const MerkleStore *store)
{
	if (size == 0)
	{
		crypto_hash_sha256(root->bytes, NULL, 0);
		return true;
	}
	if (size <= MERKLE_SIZE_MAX && hash_edge(root, size, MERKLE_LEVELS, store))
		return true;
	memset(root, 0, sizeof(*root));
	return false;
}

/*
 * merkle_root
 *		The root of the tree so far.
 *
 * A frontier that no function here made, of too many leaves, ends in
 * sodium_misuse().
 */
void
merkle_root(MerkleHash *root, const MerkleFrontier *frontier)
{
	MerkleStore store = {fetch_from_frontier, (void *) frontier};

	if (!merkle_root_at(root, frontier->size, &store))
		sodium_misuse();
}

/* hash_clipped: the hash of a subtree, or of as much of it as a tree of this size has. */
static bool
hash_clipped(MerkleHash *hash, uint8_t level, uint64_t index, uint64_t size, const MerkleStore *store)
{
	if (index < size >> level)
		return store->fetch(hash, level, index, store->context);
	return hash_edge(hash, size, level, store);
}

/*
 * prove_path
 *		Add to a proof what leads from a complete subtree up to the root.
 *
 * That is its sibling, and the sibling of each subtree above it, but for the
 * subtrees at the right edge that have none.  The last node of a level is the
 * one that the last leaf is under.
 */
static bool
prove_path(MerkleHash *proof, size_t *proof_count, uint8_t level, uint64_t index,
		   uint64_t size, const MerkleStore *store)
{
	uint64_t	last = (size - 1) >> level;

	for (; last > 0; level++)
	{
		if ((index ^ 1) <= last &&
			!hash_clipped(&proof[(*proof_count)++], level, index ^ 1, size, store))
			return false;
		index >>= 1;
		last >>= 1;
	}
	return true;
}

/* give_proof: a proof that could not be made is empty. */
static bool
give_proof(bool made, MerkleHash *proof, size_t *proof_count)
{
	if (made)
		return true;
	memset(proof, 0, MERKLE_PROOF_MAX * sizeof(MerkleHash));
	*proof_count = 0;
	return false;
}

/*
 * merkle_prove_inclusion
 *		What leads from one leaf to the root of the first size leaves.
 *
 *	proof		out: room for MERKLE_PROOF_MAX hashes
 *	proof_count	out: how many were written; 0 on failure
 *
 * Returns false when there is no such leaf in a tree of this size, or when the
 * store lacks a subtree.
 * Source: RFC 9162 section 2.1.3.1.
 */
bool
merkle_prove_inclusion(MerkleHash proof[MERKLE_PROOF_MAX], size_t *proof_count,
					   uint64_t leaf_index, uint64_t size, const MerkleStore *store)
{
	bool		made;

	*proof_count = 0;
	made = size <= MERKLE_SIZE_MAX && leaf_index < size &&
		prove_path(proof, proof_count, 0, leaf_index, size, store);
	return give_proof(made, proof, proof_count);
}

/* lowest_level: that of the last, smallest subtree of a frontier that is not empty. */
static uint8_t
lowest_level(uint64_t size)
{
	uint8_t		level = 0;

	while (!has_level(size, level))
		level++;
	return level;
}

/*
 * merkle_prove_consistency
 *		What shows that the first size leaves begin with the first old_size.
 *
 *	proof		out: room for MERKLE_PROOF_MAX hashes
 *	proof_count	out: how many were written; 0 on failure
 *
 * The proof starts at the last complete subtree of the old tree, which is left
 * out when it is all of it, and goes up to the new root.  For an empty old tree,
 * and for one of the same size, there is nothing to show: the proof is empty.
 * Returns false when the old tree would be the larger one, or when the store
 * lacks a subtree.
 * Source: RFC 9162 section 2.1.4.1, which leaves old_size 0 open.
 */
bool
merkle_prove_consistency(MerkleHash proof[MERKLE_PROOF_MAX], size_t *proof_count,
						 uint64_t old_size, uint64_t size, const MerkleStore *store)
{
	bool		made = true;
	uint8_t		level;
	uint64_t	index;

	*proof_count = 0;
	if (size > MERKLE_SIZE_MAX || old_size > size)
		return give_proof(false, proof, proof_count);
	if (old_size == 0 || old_size == size)
		return true;
	level = lowest_level(old_size);
	index = (old_size >> level) - 1;
	if (index > 0)
		made = store->fetch(&proof[(*proof_count)++], level, index, store->context);
	made = made && prove_path(proof, proof_count, level, index, size, store);
	return give_proof(made, proof, proof_count);
}

/*
 * climb
 *		Follow a path upwards, to the root it leads to.
 *
 *	hash		in and out: of a subtree of the tree, in the end its root
 *	old_hash	the same for an older tree that ends with this subtree; only what
 *				stands to the left of a path was in it already; or NULL
 *	index		of the subtree, last that of the last one of its level
 *
 * Returns false when the path is too short or too long.
 * Source: RFC 9162 sections 2.1.3.2 and 2.1.4.2, where they are fn and sn.
 */
static bool
climb(MerkleHash *hash, MerkleHash *old_hash, uint64_t index, uint64_t last,
	  const MerkleHash *path, size_t path_count)
{
	size_t		i;

	for (i = 0; i < path_count; i++)
	{
		if (last == 0)
			return false;
		if ((index & 1) == 0 && index != last)
			merkle_node(hash, hash, &path[i]);
		else
		{
			merkle_node(hash, &path[i], hash);
			if (old_hash != NULL)
				merkle_node(old_hash, &path[i], old_hash);
			/* at the right edge, up to where there is a left sibling */
			for (; (index & 1) == 0 && index != 0; index >>= 1)
				last >>= 1;
		}
		index >>= 1;
		last >>= 1;
	}
	return last == 0;
}

/*
 * merkle_verify_inclusion
 *		Whether the tree with this root has this leaf at this place.
 *
 *	leaf		its hash, see merkle_leaf()
 *	root		of the first size leaves, from a checkpoint whose signature holds
 *
 * Returns false also for a proof that is too long or too short.
 * Source: RFC 9162 section 2.1.3.2.
 */
bool
merkle_verify_inclusion(const MerkleHash *leaf, uint64_t leaf_index,
						const MerkleHash *root, uint64_t size,
						const MerkleHash *proof, size_t proof_count)
{
	MerkleHash	hash = *leaf;

	if (size > MERKLE_SIZE_MAX || leaf_index >= size)
		return false;
	return climb(&hash, NULL, leaf_index, size - 1, proof, proof_count) &&
		same_hash(&hash, root);
}

/* verify_trivial: an old tree that is empty or of the same size; its proof is empty. */
static bool
verify_trivial(const MerkleHash *old_root, uint64_t old_size, const MerkleHash *root, uint64_t size)
{
	MerkleHash	empty;

	if (old_size == size && !same_hash(old_root, root))
		return false;
	crypto_hash_sha256(empty.bytes, NULL, 0);
	return old_size != 0 || same_hash(old_root, &empty);
}

/*
 * merkle_verify_consistency
 *		Whether the tree with the newer root begins with all leaves of the older.
 *
 * Both roots come from checkpoints whose signatures hold.  Returns false also
 * for a proof that is too long or too short.  An empty old tree is the beginning
 * of each tree, and a tree of the same size must be the same: in both cases the
 * proof is empty.
 * Source: RFC 9162 section 2.1.4.2, which leaves old_size 0 open.
 */
bool
merkle_verify_consistency(const MerkleHash *old_root, uint64_t old_size,
						  const MerkleHash *root, uint64_t size,
						  const MerkleHash *proof, size_t proof_count)
{
	MerkleHash	hash;
	MerkleHash	old_hash;
	uint8_t		level;
	uint64_t	index;

	if (size > MERKLE_SIZE_MAX || old_size > size)
		return false;
	if (old_size == 0 || old_size == size)
		return proof_count == 0 && verify_trivial(old_root, old_size, root, size);
	level = lowest_level(old_size);
	index = (old_size >> level) - 1;
	hash = *old_root;
	if (index > 0)
	{
		if (proof_count == 0)
			return false;
		hash = *proof++;
		proof_count--;
	}
	old_hash = hash;
	return climb(&hash, &old_hash, index, (size - 1) >> level, proof, proof_count) &&
		same_hash(&old_hash, old_root) && same_hash(&hash, root);
}
