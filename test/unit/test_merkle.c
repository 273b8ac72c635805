/*-------------------------------------------------------------------------
 * test_merkle.c
 *		merkle.c: the tree of the log, its proofs, and what must not pass for one.
 *
 * Known answers are those of the reference implementation of RFC 6962
 * (github.com/google/certificate-transparency, cpp/merkletree/
 * merkle_tree_test.cc).  Everything else is compared with the definitions of
 * RFC 9162 sections 2.1.1, 2.1.3.1 and 2.1.4.1, written down here as they stand
 * there, recursive, and sharing nothing with merkle.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "unit.h"

#define LEAVES			300
#define TAMPER_LEAVES	16
#define SIZES_MAX		64
#define HASH_BITS		(8 * MERKLE_HASH_BYTES)

/* What a test asks a tree of: hash of leaf_count leaves from first on. */
typedef MerkleHash (*RangeHash) (uint64_t first, uint64_t leaf_count);

typedef struct Proof
{
	MerkleHash	hashes[MERKLE_PROOF_MAX + 1];
	size_t		count;
} Proof;

static MerkleHash leaves[LEAVES];
static MerkleHash ranges[LEAVES][LEAVES + 1];	/* by first leaf and number */
static MerkleHash stored[MERKLE_LEVELS][LEAVES];
static bool is_stored[MERKLE_LEVELS][LEAVES];
static uint64_t visible;		/* the size of the tree that the store is asked for */
static int	fetches_left;		/* the one after them fails; -1 for never */

/* The huge tree: all leaves are alike but one. */
static MerkleHash alike[MERKLE_LEVELS];
static MerkleHash special[MERKLE_LEVELS];	/* the subtrees that hold the one */
static uint64_t special_leaf;

static bool
same(const MerkleHash *a, const MerkleHash *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static MerkleHash
hash_hex(const char *hex)
{
	MerkleHash	hash;

	CHECK(sodium_hex2bin(hash.bytes, sizeof(hash), hex, strlen(hex), NULL, NULL, NULL) == 0);
	return hash;
}

static MerkleHash
naive_leaf(const unsigned char *data, size_t len)
{
	unsigned char bytes[100] = {0x00};
	MerkleHash	hash;

	memcpy(bytes + 1, data, len);
	crypto_hash_sha256(hash.bytes, bytes, 1 + len);
	return hash;
}

static MerkleHash
naive_node(MerkleHash left, MerkleHash right)
{
	unsigned char bytes[65] = {0x01};
	MerkleHash	hash;

	memcpy(bytes + 1, &left, 32);
	memcpy(bytes + 33, &right, 32);
	crypto_hash_sha256(hash.bytes, bytes, sizeof(bytes));
	return hash;
}

/* The largest power of two smaller than count, which is at least 2. */
static uint64_t
split(uint64_t count)
{
	uint64_t	k = 1;

	while (k < count - k)
		k *= 2;
	return k;
}

static MerkleHash
empty_root(void)
{
	return hash_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* MTH, section 2.1.1, from the table. */
static MerkleHash
naive_range(uint64_t first, uint64_t count)
{
	return count == 0 ? empty_root() : ranges[first][count];
}

/* PATH, section 2.1.3.1, for leaf m of count leaves from first on. */
static void
naive_path(Proof *proof, uint64_t m, uint64_t first, uint64_t count, RangeHash range)
{
	uint64_t	k;

	if (count == 1)
		return;
	k = split(count);
	if (m < k)
	{
		naive_path(proof, m, first, k, range);
		proof->hashes[proof->count++] = range(first + k, count - k);
	}
	else
	{
		naive_path(proof, m - k, first + k, count - k, range);
		proof->hashes[proof->count++] = range(first, k);
	}
}

/* SUBPROOF, section 2.1.4.1. */
static void
naive_subproof(Proof *proof, uint64_t m, uint64_t first, uint64_t count, bool complete, RangeHash range)
{
	uint64_t	k;

	if (m == count)
	{
		if (!complete)
			proof->hashes[proof->count++] = range(first, m);
		return;
	}
	k = split(count);
	if (m <= k)
	{
		naive_subproof(proof, m, first, k, complete, range);
		proof->hashes[proof->count++] = range(first + k, count - k);
	}
	else
	{
		naive_subproof(proof, m - k, first + k, count - k, false, range);
		proof->hashes[proof->count++] = range(first, k);
	}
}

static Proof
naive_inclusion(uint64_t m, uint64_t count, RangeHash range)
{
	Proof		proof = {.count = 0};

	naive_path(&proof, m, 0, count, range);
	return proof;
}

static Proof
naive_consistency(uint64_t m, uint64_t count, RangeHash range)
{
	Proof		proof = {.count = 0};

	if (m > 0)
		naive_subproof(&proof, m, 0, count, true, range);
	return proof;
}

/* MerkleFetch: only what append has reported, and only what a tree of that size has complete. */
static bool
fetch_stored(MerkleHash *hash, uint8_t level, uint64_t index, void *context)
{
	CHECK(context == &visible);
	CHECK(index < LEAVES && (index + 1) << level <= visible);
	CHECK(is_stored[level][index]);
	if (fetches_left >= 0 && fetches_left-- == 0)
		return false;
	*hash = stored[level][index];
	return true;
}

static const MerkleStore store = {fetch_stored, &visible};

/* MerkleFetch of the huge tree. */
static bool
fetch_huge(MerkleHash *hash, uint8_t level, uint64_t index, void *context)
{
	CHECK(context == NULL);
	CHECK(level < 63 && index < visible >> level);
	*hash = special_leaf >> level == index ? special[level] : alike[level];
	return true;
}

static const MerkleStore huge_store = {fetch_huge, NULL};

/* MTH in the huge tree; complete subtrees from the table. */
static MerkleHash
huge_range(uint64_t first, uint64_t count)
{
	uint64_t	k;
	int			level;

	if (count == 0)
		return empty_root();
	for (level = 0; level < 63; level++)
		if (count == (uint64_t) 1 << level && first % count == 0)
			return special_leaf / count == first / count ? special[level] : alike[level];
	k = split(count);
	return naive_node(huge_range(first, k), huge_range(first + k, count - k));
}

static void
plant_huge(uint64_t leaf)
{
	int			level;

	special_leaf = leaf;
	alike[0] = naive_leaf((const unsigned char *) "alike", 5);
	special[0] = naive_leaf((const unsigned char *) "special", 7);
	for (level = 1; level < MERKLE_LEVELS; level++)
	{
		alike[level] = naive_node(alike[level - 1], alike[level - 1]);
		special[level] = leaf >> (level - 1) & 1
			? naive_node(alike[level - 1], special[level - 1])
			: naive_node(special[level - 1], alike[level - 1]);
	}
}

/* Before all tests: leaf i is the number i in 8 bytes, big-endian. */
static void
make_leaves(void)
{
	unsigned char data[8] = {0};
	uint64_t	first;
	uint64_t	count;
	uint64_t	k;

	for (first = 0; first < LEAVES; first++)
	{
		data[6] = (unsigned char) (first >> 8);
		data[7] = (unsigned char) first;
		leaves[first] = ranges[first][1] = naive_leaf(data, sizeof(data));
	}
	for (count = 2; count <= LEAVES; count++)
		for (first = 0; first + count <= LEAVES; first++)
		{
			k = split(count);
			ranges[first][count] = naive_node(ranges[first][k], ranges[first + k][count - k]);
		}
}

/* keep: put what an append finished into the store, once. */
static void
keep(const MerkleNode *finished, size_t count)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		CHECK(!is_stored[finished[i].level][finished[i].index]);
		is_stored[finished[i].level][finished[i].index] = true;
		stored[finished[i].level][finished[i].index] = finished[i].hash;
	}
}

static void
fill_store(const MerkleHash *from, size_t count)
{
	MerkleFrontier frontier;
	MerkleNode	finished[MERKLE_LEVELS];
	size_t		finished_count;
	size_t		i;

	memset(is_stored, 0, sizeof(is_stored));
	fetches_left = -1;
	merkle_start(&frontier);
	for (i = 0; i < count; i++)
	{
		CHECK(merkle_append(finished, &finished_count, &frontier, &from[i]));
		keep(finished, finished_count);
	}
}

static bool
same_proof(const Proof *a, const Proof *b)
{
	return a->count == b->count && memcmp(a->hashes, b->hashes, a->count * sizeof(MerkleHash)) == 0;
}

static Proof
prove_inclusion(uint64_t index, uint64_t size, const MerkleStore *from)
{
	Proof		proof;

	visible = size;
	CHECK(merkle_prove_inclusion(proof.hashes, &proof.count, index, size, from));
	return proof;
}

static Proof
prove_consistency(uint64_t old_size, uint64_t size, const MerkleStore *from)
{
	Proof		proof;

	visible = size;
	CHECK(merkle_prove_consistency(proof.hashes, &proof.count, old_size, size, from));
	return proof;
}

static bool
includes(const Proof *proof, const MerkleHash *leaf, uint64_t index, const MerkleHash *root, uint64_t size)
{
	return merkle_verify_inclusion(leaf, index, root, size, proof->hashes, proof->count);
}

static bool
extends(const Proof *proof, const MerkleHash *old_root, uint64_t old_size, const MerkleHash *root, uint64_t size)
{
	return merkle_verify_consistency(old_root, old_size, root, size, proof->hashes, proof->count);
}

/* The test data of the reference implementation. */
static const char *const reference_data[8] = {
	"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
	"606162636465666768696a6b6c6d6e6f"
};

static const char *const reference_roots[9] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
};

/* Leaf (from 0) or old size, size, proof. */
typedef struct ReferenceProof
{
	uint64_t	which;
	uint64_t	size;
	const char *hashes[3];
} ReferenceProof;

static const ReferenceProof reference_paths[] = {
	{0, 1, {NULL}},
	{0, 8,
		{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	{5, 8,
		{"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	{2, 3,
	{"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
	{1, 5,
		{"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}
};

static const ReferenceProof reference_proofs[] = {
	{1, 1, {NULL}},
	{1, 8,
		{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	{6, 8,
		{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	{2, 5,
		{"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}
};

static void
reference_leaves(MerkleHash reference[8])
{
	size_t		len;
	size_t		i;

	for (i = 0; i < 8; i++)
	{
		const unsigned char *data = unit_hex(&len, reference_data[i]);
		MerkleHash	naive = naive_leaf(data, len);

		merkle_leaf(&reference[i], data, len);
		CHECK(same(&reference[i], &naive));
	}
}

static Proof
reference_proof(const ReferenceProof *reference)
{
	Proof		proof = {.count = 0};

	while (proof.count < 3 && reference->hashes[proof.count] != NULL)
	{
		proof.hashes[proof.count] = hash_hex(reference->hashes[proof.count]);
		proof.count++;
	}
	return proof;
}

static void
test_reference_roots(void)
{
	MerkleHash	reference[8];
	MerkleHash	wanted;
	MerkleHash	root;
	MerkleFrontier frontier;
	size_t		count;
	size_t		i;

	reference_leaves(reference);
	fill_store(reference, 8);
	merkle_start(&frontier);
	for (i = 0; i <= 8; i++)
	{
		unit_note("size %zu", i);
		wanted = hash_hex(reference_roots[i]);
		merkle_root(&root, &frontier);
		CHECK(same(&root, &wanted));
		visible = i;
		CHECK(merkle_root_at(&root, i, &store));
		CHECK(same(&root, &wanted));
		CHECK(i == 8 || merkle_append(NULL, &count, &frontier, &reference[i]));
	}
}

static void
test_reference_proofs(void)
{
	MerkleHash	reference[8];
	MerkleHash	roots[9];
	size_t		i;

	reference_leaves(reference);
	fill_store(reference, 8);
	for (i = 0; i <= 8; i++)
		roots[i] = hash_hex(reference_roots[i]);
	for (i = 0; i < sizeof(reference_paths) / sizeof(reference_paths[0]); i++)
	{
		const ReferenceProof *path = &reference_paths[i];
		Proof		wanted = reference_proof(path);
		Proof		proof = prove_inclusion(path->which, path->size, &store);

		unit_note("path %zu", i);
		CHECK(same_proof(&proof, &wanted));
		CHECK(includes(&wanted, &reference[path->which], path->which, &roots[path->size], path->size));
	}
	for (i = 0; i < sizeof(reference_proofs) / sizeof(reference_proofs[0]); i++)
	{
		const ReferenceProof *known = &reference_proofs[i];
		Proof		wanted = reference_proof(known);
		Proof		proof = prove_consistency(known->which, known->size, &store);

		unit_note("proof %zu", i);
		CHECK(same_proof(&proof, &wanted));
		CHECK(extends(&wanted, &roots[known->which], known->which, &roots[known->size], known->size));
	}
}

/* Two hashes as the data of a leaf are not the node above them. */
static void
test_prefixes(void)
{
	MerkleHash	node;
	MerkleHash	leaf;
	MerkleHash	wanted = naive_node(leaves[0], leaves[1]);
	unsigned char both[64];

	merkle_node(&node, &leaves[0], &leaves[1]);
	CHECK(same(&node, &wanted));
	memcpy(both, &leaves[0], 32);
	memcpy(both + 32, &leaves[1], 32);
	merkle_leaf(&leaf, both, sizeof(both));
	wanted = naive_leaf(both, sizeof(both));
	CHECK(same(&leaf, &wanted) && !same(&leaf, &node));
	node = leaves[0];
	merkle_node(&node, &node, &leaves[1]);
	wanted = naive_node(leaves[0], leaves[1]);
	CHECK(same(&node, &wanted));
}

/* Each complete subtree is reported by the append that completes it, and no other. */
static void
test_append_reports(void)
{
	MerkleFrontier frontier;
	MerkleNode	finished[MERKLE_LEVELS];
	size_t		count;
	size_t		level;
	size_t		i;
	size_t		j;

	merkle_start(&frontier);
	for (i = 0; i < LEAVES; i++)
	{
		unit_note("leaf %zu", i);
		CHECK(merkle_append(finished, &count, &frontier, &leaves[i]));
		CHECK(frontier.size == i + 1);
		for (level = 0, j = 0; (i + 1) % ((size_t) 1 << level) == 0; level++, j++)
		{
			CHECK(j < count && finished[j].level == level);
			CHECK(finished[j].index == (i + 1) / ((size_t) 1 << level) - 1);
			CHECK(same(&finished[j].hash,
					   &ranges[finished[j].index << level][(size_t) 1 << level]));
		}
		CHECK(j == count);
	}
}

static void
test_roots(void)
{
	MerkleFrontier frontier;
	MerkleFrontier resumed;
	MerkleHash	root;
	MerkleHash	wanted;
	size_t		count;
	uint64_t	size;

	fill_store(leaves, LEAVES);
	merkle_start(&frontier);
	for (size = 0; size <= LEAVES; size++)
	{
		unit_note("size %d", (int) size);
		visible = size;
		wanted = naive_range(0, size);
		merkle_root(&root, &frontier);
		CHECK(same(&root, &wanted));
		CHECK(merkle_root_at(&root, size, &store));
		CHECK(same(&root, &wanted));
		CHECK(merkle_resume(&resumed, size, &store));
		CHECK(resumed.size == size);
		merkle_root(&root, &resumed);
		CHECK(same(&root, &wanted));
		if (size == LEAVES)
			break;
		CHECK(merkle_append(NULL, &count, &resumed, &leaves[size]));
		CHECK(merkle_append(NULL, &count, &frontier, &leaves[size]));
		merkle_root(&root, &resumed);
		wanted = naive_range(0, size + 1);
		CHECK(same(&root, &wanted));
	}
}

static void
test_all_inclusion(void)
{
	uint64_t	index;
	uint64_t	size;

	fill_store(leaves, LEAVES);
	for (size = 1; size <= LEAVES; size++)
		for (index = 0; index < size; index++)
		{
			Proof		wanted = naive_inclusion(index, size, naive_range);
			Proof		proof = prove_inclusion(index, size, &store);
			MerkleHash	root = naive_range(0, size);
			uint64_t	other = (index + 1 + unit_random_below(LEAVES)) % (size + 1);

			unit_note("leaf %d of %d", (int) index, (int) size);
			CHECK(same_proof(&proof, &wanted));
			CHECK(includes(&proof, &leaves[index], index, &root, size));
			CHECK(other == index || !includes(&proof, &leaves[index], other, &root, size));
			CHECK(!includes(&proof, &leaves[(index + 1) % LEAVES], index, &root, size));
			CHECK(!includes(&proof, &leaves[index], size, &root, size));
		}
}

static void
test_all_consistency(void)
{
	uint64_t	old_size;
	uint64_t	size;

	fill_store(leaves, LEAVES);
	for (size = 0; size <= LEAVES; size++)
		for (old_size = 0; old_size <= size; old_size++)
		{
			Proof		wanted = naive_consistency(old_size, size, naive_range);
			Proof		proof = prove_consistency(old_size, size, &store);
			MerkleHash	old_root = naive_range(0, old_size);
			MerkleHash	root = naive_range(0, size);
			uint64_t	other = (old_size + 1 + unit_random_below(LEAVES)) % (size + 1);

			unit_note("%d of %d", (int) old_size, (int) size);
			CHECK(same_proof(&proof, &wanted));
			CHECK(extends(&proof, &old_root, old_size, &root, size));
			CHECK(other == old_size || !extends(&proof, &old_root, other, &root, size));
			CHECK(!extends(&proof, &leaves[7], old_size, &root, size));
			CHECK(!extends(&proof, &old_root, old_size, &leaves[7], size) || old_size == 0);
			CHECK(!extends(&proof, &root, size, &old_root, old_size) || size == old_size);
		}
}

/* The same proof with one bit turned, for all bits. */
static void
refuse_flips(Proof proof, bool (*holds) (const Proof *proof))
{
	size_t		bit;

	for (bit = 0; bit < proof.count * HASH_BITS; bit++)
	{
		unsigned char *byte = &proof.hashes[bit / HASH_BITS].bytes[bit % HASH_BITS / 8];

		*byte ^= (unsigned char) (1 << bit % 8);
		CHECK(!holds(&proof));
		*byte ^= (unsigned char) (1 << bit % 8);
	}
	CHECK(holds(&proof));
}

/* The same proof one hash longer or shorter, or with two hashes exchanged. */
static void
refuse_reshaped(const Proof *proof, bool (*holds) (const Proof *proof))
{
	Proof		other;
	MerkleHash	hash;
	size_t		i;

	for (i = 0; i < proof->count; i++)
	{
		other = *proof;
		memmove(&other.hashes[i], &other.hashes[i + 1], (other.count - i - 1) * sizeof(MerkleHash));
		other.count--;
		CHECK(!holds(&other));
	}
	for (i = 0; i <= proof->count; i++)
	{
		other = *proof;
		memmove(&other.hashes[i + 1], &other.hashes[i], (other.count - i) * sizeof(MerkleHash));
		other.hashes[i] = proof->count > 0 ? proof->hashes[i % proof->count] : leaves[0];
		other.count++;
		CHECK(!holds(&other));
	}
	for (i = 1; i < proof->count; i++)
	{
		other = *proof;
		hash = other.hashes[i];
		other.hashes[i] = other.hashes[i - 1];
		other.hashes[i - 1] = hash;
		CHECK(!holds(&other));
	}
	other = *proof;
	other.count = 0;
	CHECK(proof->count == 0 || !holds(&other));
}

/* What the proof under test is about. */
static uint64_t tried_which;
static uint64_t tried_size;
static MerkleHash tried_subject;	/* the leaf, or the old root */
static MerkleHash tried_root;

static bool
tried_includes(const Proof *proof)
{
	return includes(proof, &tried_subject, tried_which, &tried_root, tried_size);
}

static bool
tried_extends(const Proof *proof)
{
	return extends(proof, &tried_subject, tried_which, &tried_root, tried_size);
}

/* Leaf or old root, and root, with one bit turned. */
static void
refuse_other_hashes(const Proof *proof, bool (*holds) (const Proof *proof))
{
	size_t		bit;

	for (bit = 0; bit < HASH_BITS; bit++)
	{
		tried_subject.bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		CHECK(!holds(proof));
		tried_subject.bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		tried_root.bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
		CHECK(!holds(proof));
		tried_root.bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
	}
}

static void
test_tampered_inclusion(void)
{
	Proof		proof;

	fill_store(leaves, LEAVES);
	for (tried_size = 1; tried_size <= TAMPER_LEAVES; tried_size++)
		for (tried_which = 0; tried_which < tried_size; tried_which++)
		{
			unit_note("leaf %d of %d", (int) tried_which, (int) tried_size);
			tried_subject = leaves[tried_which];
			tried_root = naive_range(0, tried_size);
			proof = prove_inclusion(tried_which, tried_size, &store);
			CHECK(tried_includes(&proof));
			refuse_flips(proof, tried_includes);
			refuse_reshaped(&proof, tried_includes);
			refuse_other_hashes(&proof, tried_includes);
		}
}

static void
test_tampered_consistency(void)
{
	Proof		proof;

	fill_store(leaves, LEAVES);
	for (tried_size = 1; tried_size <= TAMPER_LEAVES; tried_size++)
		for (tried_which = 1; tried_which <= tried_size; tried_which++)
		{
			unit_note("%d of %d", (int) tried_which, (int) tried_size);
			tried_subject = naive_range(0, tried_which);
			tried_root = naive_range(0, tried_size);
			proof = prove_consistency(tried_which, tried_size, &store);
			CHECK(tried_extends(&proof));
			refuse_flips(proof, tried_extends);
			refuse_reshaped(&proof, tried_extends);
			refuse_other_hashes(&proof, tried_extends);
		}
}

/* A count that lies: no hash behind the path is read. */
static void
test_claimed_count(void)
{
	MerkleHash	root = naive_range(0, 13);
	MerkleHash	old_root = naive_range(0, 6);
	Proof		path;
	Proof		proof;

	fill_store(leaves, LEAVES);
	path = prove_inclusion(3, 13, &store);
	proof = prove_consistency(6, 13, &store);
	CHECK(!merkle_verify_inclusion(&leaves[3], 3, &root, 13,
								   (MerkleHash *) unit_copy(path.hashes, path.count * sizeof(MerkleHash)),
								   SIZE_MAX));
	CHECK(!merkle_verify_consistency(&old_root, 6, &root, 13,
									 (MerkleHash *) unit_copy(proof.hashes, proof.count * sizeof(MerkleHash)),
									 SIZE_MAX));
	CHECK(!merkle_verify_consistency(&old_root, 6, &root, 13, NULL, 0));
}

/* Before an empty tree there is nothing, and nothing is shown by it. */
static void
test_empty_tree(void)
{
	MerkleHash	empty = empty_root();
	MerkleHash	root = naive_range(0, 5);
	Proof		none = {.count = 0};
	Proof		one = {.count = 1};

	CHECK(extends(&none, &empty, 0, &empty, 0));
	CHECK(extends(&none, &empty, 0, &root, 5));
	CHECK(!extends(&none, &root, 0, &root, 5));
	CHECK(!extends(&none, &root, 0, &root, 0));
	CHECK(!extends(&none, &empty, 0, &root, 0));
	CHECK(!extends(&none, &root, 5, &empty, 0));
	CHECK(!extends(&one, &empty, 0, &root, 5));
	CHECK(!extends(&one, &root, 5, &root, 5));
	CHECK(!includes(&none, &leaves[0], 0, &leaves[0], 0));
	CHECK(!includes(&none, &empty, 0, &empty, 0));
}

static void
test_guards(void)
{
	MerkleFrontier frontier;
	MerkleHash	root;
	Proof		proof;
	Proof		none = {.count = 0};

	fill_store(leaves, LEAVES);
	visible = 5;
	CHECK(!merkle_prove_inclusion(proof.hashes, &proof.count, 5, 5, &store) && proof.count == 0);
	CHECK(!merkle_prove_inclusion(proof.hashes, &proof.count, 0, 0, &store) && proof.count == 0);
	CHECK(!merkle_prove_inclusion(proof.hashes, &proof.count, 0, MERKLE_SIZE_MAX + 1, &store));
	CHECK(!merkle_prove_consistency(proof.hashes, &proof.count, 6, 5, &store) && proof.count == 0);
	CHECK(!merkle_prove_consistency(proof.hashes, &proof.count, 5, UINT64_MAX, &store));
	CHECK(!merkle_root_at(&root, MERKLE_SIZE_MAX + 1, &store));
	CHECK(unit_is_filled(root.bytes, sizeof(root), 0));
	CHECK(!merkle_resume(&frontier, MERKLE_SIZE_MAX + 1, &store));
	CHECK(frontier.size == 0);
	CHECK(!includes(&none, &leaves[0], UINT64_MAX - 1, &leaves[0], UINT64_MAX));
	CHECK(!extends(&none, &leaves[0], UINT64_MAX, &leaves[0], UINT64_MAX));
}

static void
root_of_no_frontier(void)
{
	MerkleFrontier frontier;
	MerkleHash	root;

	merkle_start(&frontier);
	frontier.size = UINT64_MAX;
	merkle_root(&root, &frontier);
}

static void
test_no_frontier(void)
{
	CHECK(unit_aborts(root_of_no_frontier));
}

/* Whichever fetch fails: nothing half-made comes back. */
static void
test_lacking_store(void)
{
	MerkleFrontier frontier;
	MerkleHash	root;
	Proof		proof;
	int			lacking;
	int			failures = 0;

	fill_store(leaves, LEAVES);
	visible = 219;
	for (lacking = 0; lacking < 20; lacking++)
	{
		unit_note("fetch %d", lacking);
		fetches_left = lacking;
		if (!merkle_root_at(&root, 219, &store))
		{
			CHECK(unit_is_filled(root.bytes, sizeof(root), 0));
			failures++;
		}
		fetches_left = lacking;
		if (!merkle_resume(&frontier, 219, &store))
		{
			CHECK(unit_is_filled((unsigned char *) &frontier, sizeof(frontier), 0));
			failures++;
		}
		fetches_left = lacking;
		if (!merkle_prove_inclusion(proof.hashes, &proof.count, 100, 219, &store))
		{
			CHECK(proof.count == 0);
			CHECK(unit_is_filled((unsigned char *) proof.hashes, MERKLE_PROOF_MAX * sizeof(MerkleHash), 0));
			failures++;
		}
		fetches_left = lacking;
		if (!merkle_prove_consistency(proof.hashes, &proof.count, 101, 219, &store))
		{
			CHECK(proof.count == 0);
			CHECK(unit_is_filled((unsigned char *) proof.hashes, MERKLE_PROOF_MAX * sizeof(MerkleHash), 0));
			failures++;
		}
	}
	/* 219 = 128 + 64 + 16 + 8 + 2 + 1 */
	CHECK(failures > 2 * 6 && failures < 4 * 20);
	fetches_left = -1;
}

/* Sizes around the powers of two, up to the largest tree there can be. */
static int
huge_sizes(uint64_t sizes[SIZES_MAX])
{
	static const int powers[] = {1, 2, 8, 16, 31, 32, 33, 48, 61, 62};
	int			count = 0;
	size_t		i;

	for (i = 0; i < sizeof(powers) / sizeof(powers[0]); i++)
	{
		sizes[count++] = ((uint64_t) 1 << powers[i]) - 1;
		sizes[count++] = (uint64_t) 1 << powers[i];
		sizes[count++] = ((uint64_t) 1 << powers[i]) + 1;
	}
	sizes[count++] = UINT64_C(491840);
	sizes[count++] = UINT64_C(0x5555555555555555);
	sizes[count++] = MERKLE_SIZE_MAX - 1;
	sizes[count++] = MERKLE_SIZE_MAX;
	return count;
}

/* try_huge: proofs of one size of the huge tree. */
static void
try_huge(uint64_t size, const uint64_t *sizes, int size_count)
{
	MerkleHash	root;
	MerkleHash	wanted_root = huge_range(0, size);
	int			i;

	visible = size;
	CHECK(merkle_root_at(&root, size, &huge_store));
	CHECK(same(&root, &wanted_root));
	for (i = 0; i < size_count; i++)
	{
		uint64_t	index = sizes[i] - 1;
		const MerkleHash *leaf = index == special_leaf ? &special[0] : &alike[0];
		MerkleHash	old_root = huge_range(0, sizes[i]);
		Proof		wanted;
		Proof		proof;

		unit_note("%llu of %llu", (unsigned long long) sizes[i], (unsigned long long) size);
		if (sizes[i] > size)
			continue;
		wanted = naive_inclusion(index, size, huge_range);
		proof = prove_inclusion(index, size, &huge_store);
		CHECK(same_proof(&proof, &wanted));
		CHECK(includes(&proof, leaf, index, &root, size));
		CHECK(leaf == &alike[0] || !includes(&proof, leaf, index ^ 1, &root, size));
		if (proof.count > 0)
			proof.count--;
		CHECK(proof.count == wanted.count || !includes(&proof, leaf, index, &root, size));
		wanted = naive_consistency(sizes[i], size, huge_range);
		proof = prove_consistency(sizes[i], size, &huge_store);
		CHECK(same_proof(&proof, &wanted));
		CHECK(extends(&proof, &old_root, sizes[i], &root, size));
		proof.hashes[proof.count++] = alike[0];
		CHECK(!extends(&proof, &old_root, sizes[i], &root, size));
	}
}

static void
test_huge(void)
{
	uint64_t	sizes[SIZES_MAX];
	int			count = huge_sizes(sizes);
	int			i;

	for (i = 0; i < count; i++)
	{
		plant_huge(sizes[(i + 7) % count] - 1);
		try_huge(sizes[i], sizes, count);
	}
}

/* A frontier of any size goes on, up to the last leaf and no further. */
static void
test_huge_append(void)
{
	MerkleFrontier frontier;
	MerkleFrontier before;
	MerkleNode	finished[MERKLE_LEVELS];
	MerkleHash	root;
	MerkleHash	wanted;
	uint64_t	sizes[SIZES_MAX];
	int			size_count = huge_sizes(sizes);
	size_t		count;
	size_t		j;
	int			i;

	plant_huge(12345);
	for (i = 0; i < size_count; i++)
	{
		unit_note("size %llu", (unsigned long long) sizes[i]);
		visible = sizes[i];
		CHECK(merkle_resume(&frontier, sizes[i], &huge_store));
		before = frontier;
		if (sizes[i] == MERKLE_SIZE_MAX)
		{
			CHECK(!merkle_append(finished, &count, &frontier, &alike[0]) && count == 0);
			CHECK(memcmp(&frontier, &before, sizeof(before)) == 0);
			continue;
		}
		CHECK(merkle_append(finished, &count, &frontier, &alike[0]));
		merkle_root(&root, &frontier);
		wanted = huge_range(0, sizes[i] + 1);
		CHECK(same(&root, &wanted));
		for (j = 0; j < count; j++)
		{
			wanted = huge_range(finished[j].index << j, (uint64_t) 1 << j);
			CHECK(finished[j].level == j && same(&finished[j].hash, &wanted));
			CHECK((finished[j].index + 1) << j == sizes[i] + 1);
		}
		CHECK((sizes[i] + 1) >> count << count != sizes[i] + 1);
	}
}

int
main(void)
{
	unit_start();
	make_leaves();
	unit_run("roots are those of the reference implementation", test_reference_roots);
	unit_run("proofs are those of the reference implementation", test_reference_proofs);
	unit_run("a leaf is no node", test_prefixes);
	unit_run("append reports each complete subtree once", test_append_reports);
	unit_run("roots of all sizes up to 300, by append, from the store, resumed", test_roots);
	unit_run("all inclusion proofs up to 300 leaves are those of the definition, and hold", test_all_inclusion);
	unit_run("all consistency proofs up to 300 leaves are those of the definition, and hold", test_all_consistency);
	unit_run("an inclusion proof altered in one place does not hold", test_tampered_inclusion);
	unit_run("a consistency proof altered in one place does not hold", test_tampered_consistency);
	unit_run("a count that lies reads nothing behind a proof", test_claimed_count);
	unit_run("an empty tree begins each tree, and has no leaf", test_empty_tree);
	unit_run("leaves, sizes and orders that cannot be are refused", test_guards);
	unit_run("a frontier that is none aborts", test_no_frontier);
	unit_run("a store that lacks a subtree gives nothing half-made", test_lacking_store);
	unit_run("trees of up to 2^63 - 1 leaves: roots and proofs", test_huge);
	unit_run("trees of up to 2^63 - 1 leaves: append, and the end of it", test_huge_append);
	return unit_finish();
}
