/*-------------------------------------------------------------------------
 * secrets.c
 *		Unwrapped keys, in one arena of locked memory per backend.
 *
 * Floor 1.  A key's versions are unwrapped when the first is needed, and all
 * is wiped when the ring changes.  sodium_malloc() guards, locks and keeps out
 * of core dumps what it gives, at some pages a piece: so slots come in chunks.
 *
 *		nonce		16-byte prefix drawn for each command and key version, 8-byte
 *					counter; subjects share those of their version
 *		subkeys		HChaCha20 of recent prefixes, for opening
 *		derived		data keys of recent subjects, in slots that others take over
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/secrets.h"

#include "access/xact.h"
#include "keys/ring.h"
#include "keys/subject.h"
#include "utils/memutils.h"

#define CHUNK_SLOTS		32
#define SUBKEY_SLOTS	64		/* power of 2 */
#define RECENT_SLOTS	16		/* power of 2 */
#define DERIVED_SLOTS	4096	/* power of 2; some 650 kB */

typedef struct VersionKey VersionKey;

/* A subkey that is there, or not: bytes that nobody derived must open nothing. */
typedef struct KeptSubkey
{
	bool		set;
	AeadSubkey	subkey;
} KeptSubkey;

struct SealKey
{
	VersionKey *base;			/* of the key version; the first member of which may be this */
	uint64		subject;		/* 0: the version's own */
	unsigned char data_key[SECRET_BYTES];
	KeptSubkey	sealing;		/* of the prefix that base is using */
	KeptSubkey	opening;		/* of a subject's last prefix */
};

struct VersionKey
{
	SealKey		key;
	uint32		key_id;
	uint16		version;
	bool		has_token;
	HmacKey		token_key;
	HmacKey		subject_key;	/* subjects' data keys are derived with it */
	unsigned char place_key[SECRET_BYTES];

	/* the command that may go on using this prefix */
	LocalTransactionId sealing_xid;
	CommandId	sealing_command;
	int			sealing_pid;
	uint64		counter;
	unsigned char prefix[NONCE_PREFIX_BYTES];
};

#define BEGUN_PREFIXES	256		/* power of 2 */

/* The last prefixes that this transaction began, of all keys. */
static struct
{
	int			pid;
	LocalTransactionId xid;
	uint64		count;
	unsigned char prefixes[BEGUN_PREFIXES][NONCE_PREFIX_BYTES];
}			begun;

typedef struct Chunk
{
	struct Chunk *next;
	int			used;
	VersionKey *slots;			/* CHUNK_SLOTS, sodium_malloc */
} Chunk;

typedef struct Subkey
{
	const SealKey *owner;
	AeadSubkey	subkey;
} Subkey;

typedef struct SlotKey
{
	uint32		key_id;
	uint32		version;
} SlotKey;

typedef struct SlotEntry
{
	SlotKey		key;
	VersionKey *slot;
} SlotEntry;

typedef struct Recent
{
	uint32		key_id;
	uint16		version;		/* as asked: 0 for the active one */
	SealKey    *slot;			/* NULL: empty */
} Recent;

static Chunk *chunks = NULL;
static HTAB *slots = NULL;
static Recent recent[RECENT_SLOTS];	/* what was asked for lately, and the answer */
static Subkey *subkeys = NULL;	/* SUBKEY_SLOTS, sodium_malloc */
static SealKey *derived = NULL; /* DERIVED_SLOTS, sodium_malloc; subject 0: empty */
static bool derived_used = false;

/* secrets_forget_subjects: wipe the keys of subjects: a row of one changed. */
void
secrets_forget_subjects(void)
{
	if (derived_used)
		sodium_memzero(derived, DERIVED_SLOTS * sizeof(SealKey));
	derived_used = false;
}

/*
 * secrets_forget
 *		Wipe every key: the ring changed.
 */
void
secrets_forget(void)
{
	secrets_forget_subjects();
	memset(recent, 0, sizeof(recent));
	if (subkeys != NULL)
		sodium_memzero(subkeys, SUBKEY_SLOTS * sizeof(Subkey));
	while (chunks != NULL)
	{
		Chunk	   *next = chunks->next;

		sodium_free(chunks->slots);
		pfree(chunks);
		chunks = next;
	}
	if (slots != NULL)
	{
		hash_destroy(slots);
		slots = NULL;
	}
}

/* secret_memory: sodium_malloc that raises. */
static void *
secret_memory(size_t len)
{
	void	   *memory = sodium_malloc(len);

	if (memory == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for keys")));
	return memory;
}

/* new_slot: room for one key version, zeroed. */
static VersionKey *
new_slot(void)
{
	if (chunks == NULL || chunks->used == CHUNK_SLOTS)
	{
		Chunk	   *chunk = MemoryContextAllocZero(CacheMemoryContext, sizeof(Chunk));

		chunk->slots = sodium_malloc(CHUNK_SLOTS * sizeof(VersionKey));
		if (chunk->slots == NULL)
		{
			pfree(chunk);
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for keys")));
		}
		sodium_memzero(chunk->slots, CHUNK_SLOTS * sizeof(VersionKey));
		chunk->next = chunks;
		chunks = chunk;
	}
	return &chunks->slots[chunks->used++];
}

/* open_caches: the hash of slots and the subkey cache, at first use. */
static void
open_caches(void)
{
	HASHCTL		control = {0};

	if (subkeys == NULL)
	{
		subkeys = secret_memory(SUBKEY_SLOTS * sizeof(Subkey));
		sodium_memzero(subkeys, SUBKEY_SLOTS * sizeof(Subkey));
	}
	if (slots != NULL)
		return;
	control.keysize = sizeof(SlotKey);
	control.entrysize = sizeof(SlotEntry);
	control.hcxt = CacheMemoryContext;
	slots = hash_create("pgseal key versions", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* unwrap: the secret of a ring row. */
static bool
unwrap(unsigned char secret[SECRET_BYTES], const unsigned char wrapped[WRAPPED_BYTES],
	   RingTable table, uint32 key_id, uint16 version, const Root *root)
{
	unsigned char wrapping_key[SECRET_BYTES];
	unsigned char bound[16];
	RingRow		row;
	int			bound_len;
	bool		opened;

	row.table = table;
	row.values[0] = Int32GetDatum((int32) key_id);
	row.values[VERSION_NUMBER] = Int16GetDatum((int16) version);
	bound_len = secret_bound(bound, &row);
	root_wrapping_key(wrapping_key, root);
	opened = secret_unwrap(secret, wrapped, bound, bound_len, wrapping_key);
	sodium_memzero(wrapping_key, sizeof(wrapping_key));
	return opened;
}

/* fill_data: what a version's secret gives. */
static void
fill_data(VersionKey *slot, const unsigned char secret[SECRET_BYTES])
{
	slot->key.base = slot;
	derive_secret(slot->key.data_key, "data", NULL, 0, secret);
	derive_secret(slot->place_key, "place", NULL, 0, secret);
	hmac_key(&slot->subject_key, secret, SECRET_BYTES);
}

/* fill_slot: data key and token key from the wrapped secrets. */
static SealError
fill_slot(VersionKey *slot, const unsigned char *version_wrapped,
		  const unsigned char *search_wrapped, const Root *root)
{
	unsigned char secret[SECRET_BYTES];
	unsigned char token_secret[SECRET_BYTES];
	bool		opened;

	opened = unwrap(secret, version_wrapped, RING_KEY_VERSION, slot->key_id, slot->version, root);
	if (opened)
		fill_data(slot, secret);
	if (opened && search_wrapped != NULL)
	{
		opened = unwrap(secret, search_wrapped, RING_KEY, slot->key_id, 0, root);
		if (opened)
		{
			derive_secret(token_secret, "token", NULL, 0, secret);
			hmac_key(&slot->token_key, token_secret, sizeof(token_secret));
			slot->has_token = true;
		}
	}
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(token_secret, sizeof(token_secret));
	return opened ? SEAL_OK : SEAL_E_KEY_CLOSED;
}

/* find_slot: the slot of a key version, NULL when it was not unwrapped. */
static SealKey *
find_slot(uint32 key_id, uint16 version)
{
	SlotKey		slot_key = {key_id, version};
	SlotEntry  *entry = slots != NULL ? hash_search(slots, &slot_key, HASH_FIND, NULL) : NULL;

	return entry != NULL ? &entry->slot->key : NULL;
}

/* keep_slot: make a filled slot findable. */
static void
keep_slot(VersionKey *slot)
{
	SlotKey		slot_key = {slot->key_id, slot->version};
	SlotEntry  *entry = hash_search(slots, &slot_key, HASH_ENTER, NULL);

	entry->slot = slot;
}

/* unwrap_versions: every version of a key under this root. */
static SealError
unwrap_versions(const RingKey *key, const Root *root)
{
	unsigned char wrapped[WRAPPED_BYTES];
	unsigned char search_wrapped[WRAPPED_BYTES];
	bool		searchable = ring_wrapped_search(search_wrapped, key->id);
	uint16		version;
	int			row = 0;

	while (ring_next_version(wrapped, &version, &row, key->id))
	{
		VersionKey *slot = new_slot();
		SealError	error;

		slot->key_id = key->id;
		slot->version = version;
		error = fill_slot(slot, wrapped, searchable ? search_wrapped : NULL, root);
		if (error != SEAL_OK)
		{
			sodium_memzero(slot, sizeof(VersionKey));
			chunks->used--;
			return error;
		}
		keep_slot(slot);
	}
	return SEAL_OK;
}

/*
 * load_key
 *		Unwrap all versions of a key; the root is in memory only meanwhile.
 *
 * One by one would read the root once for each.
 */
static SealError
load_key(const RingKey *key)
{
	RootSet    *roots;
	const Root *root;
	SealError	error;

	open_caches();
	error = roots_load(&roots);
	if (error != SEAL_OK)
		return error;
	PG_TRY();
	{
		root = roots_find(roots, ring_root());
		error = root == NULL ? SEAL_E_ROOT_UNKNOWN : unwrap_versions(key, root);
	}
	PG_FINALLY();
	{
		roots_free(roots);
	}
	PG_END_TRY();
	return error;
}

/* find_or_load: a key that was loaded has all its versions; an unknown one is not looked for again. */
static SealError
find_or_load(SealKey **lent, const RingKey *key, uint16 version)
{
	SealError	error = SEAL_OK;

	*lent = find_slot(key->id, version);
	if (*lent == NULL && find_slot(key->id, key->active_version) == NULL)
	{
		error = load_key(key);
		*lent = find_slot(key->id, version);
	}
	if (error == SEAL_OK && *lent == NULL)
		error = SEAL_E_UNKNOWN_VERSION;
	return error;
}

/*
 * secrets_lend
 *		The secrets of one key version.
 *
 *	lent		out: until the next call into this room
 *	version		0 means the active one
 *
 * SEAL_OK; SEAL_E_UNKNOWN_KEY (also dropped), SEAL_E_KEY_CLOSED,
 * SEAL_E_UNKNOWN_VERSION, or what ring_verify() says.
 */
SealError
secrets_lend(SealKey **lent, uint32 key_id, uint16 version)
{
	SealError	error = ring_verify();
	const RingKey *key;
	Recent	   *asked = &recent[(key_id ^ version) & (RECENT_SLOTS - 1)];

	if (error != SEAL_OK)
		return error;
	if (likely(asked->slot != NULL && asked->key_id == key_id && asked->version == version))
	{
		*lent = asked->slot;
		return SEAL_OK;
	}
	key = ring_key_by_id(key_id);
	if (key == NULL || key->dropped)
		return SEAL_E_UNKNOWN_KEY;
	if (key->closed)
		return SEAL_E_KEY_CLOSED;
	error = find_or_load(lent, key, version != 0 ? version : key->active_version);
	if (error == SEAL_OK)
		*asked = (Recent) {key_id, version, *lent};
	return error;
}

/* open_derived: room for the keys of subjects, at first use. */
static void
open_derived(void)
{
	if (derived == NULL)
		derived = secret_memory(DERIVED_SLOTS * sizeof(SealKey));
	if (!derived_used)
		sodium_memzero(derived, DERIVED_SLOTS * sizeof(SealKey));
	derived_used = true;
}

/* derived_slot: where the key of a subject is, or would be. */
static SealKey *
derived_slot(const SealKey *base, uint64 number)
{
	uint64		hash = number ^ base->base->key_id ^ base->base->version;

	return &derived[hash & (DERIVED_SLOTS - 1)];
}

/* derive: make a subject's key, in the place of whichever is there. */
static SealKey *
derive(SealKey *base, uint64 number, const unsigned char secret[SECRET_BYTES])
{
	SealKey    *slot;

	open_derived();
	slot = derived_slot(base, number);
	sodium_memzero(slot, sizeof(SealKey));
	slot->base = base->base;
	slot->subject = number;
	derive_subject(slot->data_key, secret, &base->base->subject_key);
	return slot;
}

/*
 * secrets_lend_subject
 *		The secrets of one subject under a key version.
 *
 *	lent		out: until the next call into this room
 *	version		0 means the active one
 *
 * As secrets_lend(), and SEAL_E_SUBJECT_CLOSED.  Reading the subject's row can
 * bring news of the ring, which wipes what was lent before: then all is
 * asked again.
 */
SealError
secrets_lend_subject(SealKey **lent, uint32 key_id, uint16 version, uint64 number)
{
	const unsigned char *secret;
	SealKey    *base;
	SealError	error;
	uint64		asked;

	subject_hear();
	error = secrets_lend(&base, key_id, version);
	if (error != SEAL_OK)
		return error;
	if (likely(derived_used))
	{
		*lent = derived_slot(base, number);
		if (likely((*lent)->subject == number && (*lent)->base == base->base))
			return SEAL_OK;
	}
	do
	{
		asked = ring_stamp();
		error = subject_secret(&secret, number);
		if (error == SEAL_OK)
			error = secrets_lend(&base, key_id, version);
	} while (error == SEAL_OK && ring_stamp() != asked);
	if (error == SEAL_OK)
		*lent = derive(base, number, secret);
	return error;
}

/* sealkey_ring: the ring's row of a lent key. */
const RingKey *
sealkey_ring(const SealKey *key)
{
	return ring_key_by_id(key->base->key_id);
}

/* sealkey_version: the version that is lent. */
uint16
sealkey_version(const SealKey *key)
{
	return key->base->version;
}

/* sealkey_token: the key of search tokens, the same for all subjects; NULL when the key is not searchable. */
const HmacKey *
sealkey_token(const SealKey *key)
{
	return key->base->has_token ? &key->base->token_key : NULL;
}

/* sealkey_context: the context of a value of this key version that belongs to a place. */
void
sealkey_context(unsigned char context[ENVELOPE_CONTEXT_BYTES], SealKey *key, const char *place,
				size_t place_len)
{
	place_context(context, (const unsigned char *) place, place_len, key->base->place_key);
}

/* sealkey_secret: a secret of its own for one use of a version, given a label and a context; the caller wipes it. */
void
sealkey_secret(unsigned char secret[SECRET_BYTES], const SealKey *key, const char *label,
			   const char *context)
{
	derive_secret(secret, label, (const unsigned char *) context, strlen(context),
				  key->base->key.data_key);
}

/* note_prefix: what it begins is of this transaction. */
static void
note_prefix(const unsigned char prefix[NONCE_PREFIX_BYTES], LocalTransactionId xid)
{
	if (begun.pid != MyProcPid || begun.xid != xid)
		begun.count = 0;
	begun.pid = MyProcPid;
	begun.xid = xid;
	memcpy(begun.prefixes[begun.count++ & (BEGUN_PREFIXES - 1)], prefix, NONCE_PREFIX_BYTES);
}

/*
 * nonce_is_new
 *		Was a value with this nonce sealed by this transaction?
 *
 * Says no, too, of one that many commands of this transaction came after.
 */
bool
nonce_is_new(const unsigned char nonce[NONCE_BYTES])
{
	uint64		kept = Min(begun.count, BEGUN_PREFIXES);

	if (begun.pid != MyProcPid || begun.xid != compat_local_xid())
		return false;
	for (uint64 i = 1; i <= kept; i++)
		if (memcmp(begun.prefixes[(begun.count - i) & (BEGUN_PREFIXES - 1)], nonce, NONCE_PREFIX_BYTES) == 0)
			return true;
	return false;
}

/* start_prefix: a new nonce prefix, straight from the kernel, for this command. */
static void
start_prefix(VersionKey *base, LocalTransactionId xid, CommandId command)
{
	randombytes_buf(base->prefix, sizeof(base->prefix));
	note_prefix(base->prefix, xid);
	base->sealing_xid = xid;
	base->sealing_command = command;
	base->sealing_pid = MyProcPid;
	base->counter = 0;
}

/* keep_subkey: the subkey of a prefix, derived unless it is the one that is kept. */
static const AeadSubkey *
keep_subkey(KeptSubkey *kept, const unsigned char prefix[NONCE_PREFIX_BYTES], const SealKey *key)
{
	if (!kept->set || memcmp(kept->subkey.prefix, prefix, NONCE_PREFIX_BYTES) != 0)
		aead_subkey(&kept->subkey, prefix, key->data_key);
	kept->set = true;
	return &kept->subkey;
}

/*
 * sealkey_next_nonce
 *		A nonce that no value of this key has, and the subkey it goes with.
 *
 * The prefix is drawn anew for each command, so that what one export holds is
 * not linked to another, and a virtual machine resumed twice repeats at most
 * the nonces of the statements it was running.
 */
const AeadSubkey *
sealkey_next_nonce(unsigned char nonce[NONCE_BYTES], SealKey *key)
{
	VersionKey *base = key->base;
	LocalTransactionId xid = compat_local_xid();
	CommandId	command = GetCurrentCommandId(false);
	uint64		counter;

	if (base->sealing_pid != MyProcPid || base->sealing_xid != xid ||
		base->sealing_command != command || base->counter == PG_UINT64_MAX)
		start_prefix(base, xid, command);
	counter = pg_hton64(base->counter++);
	memcpy(nonce, base->prefix, NONCE_PREFIX_BYTES);
	memcpy(nonce + NONCE_PREFIX_BYTES, &counter, sizeof(counter));
	return keep_subkey(&key->sealing, base->prefix, key);
}

/*
 * sealkey_subkey
 *		The subkey of a stored nonce's prefix, from the cache of recent ones.
 *
 * A subject keeps its own: what is known of it was mostly sealed at one go.
 */
const AeadSubkey *
sealkey_subkey(const unsigned char prefix[NONCE_PREFIX_BYTES], SealKey *key)
{
	Subkey	   *cached = &subkeys[prefix[0] & (SUBKEY_SLOTS - 1)];

	if (key->subject != 0)
		return keep_subkey(&key->opening, prefix, key);
	if (cached->owner != key ||
		memcmp(cached->subkey.prefix, prefix, NONCE_PREFIX_BYTES) != 0)
	{
		aead_subkey(&cached->subkey, prefix, key->data_key);
		cached->owner = key;
	}
	return &cached->subkey;
}
