/*-------------------------------------------------------------------------
 * ring.c
 *		The key ring as this backend knows it.
 *
 * Floor 1.  The five tables are read with one snapshot, the catalog's, so the
 * ring follows the transaction like a catalog does: own changes are seen after
 * the command, others' after their commit, at the next invalidation.
 *
 *		stale		an invalidation came; the next question reads again
 *		loaded		names and ids are known; nothing is believed yet
 *		verified	MACs and head were checked with the root; verdict says how
 *
 * A ring that does not verify closes every key, a row that does not fit closes
 * its own key when it restricts, and counts for nothing when it gives.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/ring.h"

#include "access/genam.h"
#include "access/heaptoast.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "keys/secrets.h"
#include "keys/subject.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

typedef struct Ring
{
	MemoryContext context;
	LoadedTable tables[RING_TABLES];
	RingKey    *keys;			/* parallel to tables[RING_KEY] */
	RingGrant  *grants;
	int			grant_count;
	RingProtection *protections;	/* parallel to tables[RING_PROTECTION] */
	bool		bound;			/* closed of protections is up to date */
	bool		verified;
	SealError	verdict;		/* once verified: SEAL_OK or SEAL_E_RING_CLOSED */
	char		root[ROOT_FINGERPRINT_LEN + 1];
} Ring;

static const char *const table_names[RING_TABLES] = {
	[RING_KEY] = "key",
	[RING_KEY_VERSION] = "key_version",
	[RING_GRANT] = "grant",
	[RING_PROTECTION] = "protection",
	[RING_HEAD] = "ring_head",
};

static Ring *ring = NULL;
static bool stale = true;
static uint64 stamp = 0;

/* ring_table_name: name of a table in schema seal. */
const char *
ring_table_name(RingTable table)
{
	return table_names[table];
}

/* forget_table: relcache callback. */
static void
forget_table(Datum arg, Oid relid)
{
	if (ring == NULL || relid == InvalidOid)
		stale = true;
	else
	{
		for (int i = 0; i < RING_TABLES; i++)
		{
			if (!OidIsValid(ring->tables[i].oid) || ring->tables[i].oid == relid)
				stale = true;
		}
		for (int i = 0; i < ring->tables[RING_PROTECTION].count && ring->bound; i++)
			ring->bound = ring->protections[i].relation != relid;
	}
}

/* forget_roles: syscache callback; grants are bound to names and OIDs of roles. */
static void
forget_roles(Datum arg, int cacheid, uint32 hashvalue)
{
	stale = true;
}

/* ring_init: register for invalidations. */
void
ring_init(void)
{
	CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, forget_roles, (Datum) 0);
}

/*
 * copy_row
 *		One row, with nothing left in a TOAST table that VACUUM may clean.
 *
 * 55000 for a row that lacks what pgseal always writes: a constraint was taken
 * away to make it.
 */
static HeapTuple
copy_row(RingTable table, HeapTuple tuple, TupleDesc desc)
{
	HeapTuple	copy = HeapTupleHasExternal(tuple) ? toast_flatten_tuple(tuple, desc) : heap_copytuple(tuple);
	RingRow		row;

	row_deform(&row, table, copy, desc);
	if (!row_is_complete(&row))
		error_raise(SEAL_E_RING_CLOSED, NULL);
	return copy;
}

/* read_table: copy all rows of one table into the current memory context. */
static void
read_table(LoadedTable *loaded, RingTable table, Snapshot snapshot)
{
	Relation	relation = table_open(loaded->oid, AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	tuple;
	int			room = 16;

	loaded->desc = CreateTupleDescCopy(RelationGetDescr(relation));
	if (!row_columns_fit(table, loaded->desc))
		elog(ERROR, "table seal.%s does not have the columns this library expects", table_names[table]);
	loaded->count = 0;
	loaded->tuples = palloc(sizeof(HeapTuple) * room);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (loaded->count == room)
		{
			room *= 2;
			loaded->tuples = repalloc(loaded->tuples, sizeof(HeapTuple) * room);
		}
		loaded->tuples[loaded->count++] = copy_row(table, tuple, loaded->desc);
	}
	loaded->valid = palloc0(sizeof(bool) * (loaded->count + 1));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

/* read_purposes: those that a key requires. */
static void
read_purposes(RingKey *key, Datum purposes)
{
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(DatumGetArrayTypeP(purposes), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &key->purpose_count);
	key->purposes = palloc0(sizeof(char *) * (key->purpose_count + 1));
	for (int i = 0; i < key->purpose_count; i++)
		key->purposes[i] = nulls[i] ? "" : TextDatumGetCString(elements[i]);
}

/* read_keys: names and ids, believed or not. */
static void
read_keys(Ring *fresh)
{
	LoadedTable *table = &fresh->tables[RING_KEY];

	fresh->keys = palloc0(sizeof(RingKey) * (table->count + 1));
	for (int i = 0; i < table->count; i++)
	{
		RingKey    *key = &fresh->keys[i];
		RingRow		row;

		row_deform(&row, RING_KEY, table->tuples[i], table->desc);
		key->id = DatumGetInt32(row.values[KEY_ID]);
		key->name = *DatumGetName(row.values[KEY_NAME]);
		key->searchable = DatumGetBool(row.values[KEY_SEARCHABLE]);
		key->pad = DatumGetInt32(row.values[KEY_PAD]);
		key->dropped = DatumGetBool(row.values[KEY_DROPPED]);
		key->require_actor = DatumGetBool(row.values[KEY_REQUIRE_ACTOR]);
		read_purposes(key, row.values[KEY_REQUIRE_PURPOSE]);
		key->active_version = (uint16) DatumGetInt16(row.values[KEY_ACTIVE_VERSION]);
		key->builtin = strcmp(NameStr(key->name), KEY_LITERAL) == 0 ||
			strcmp(NameStr(key->name), KEY_AUDIT) == 0 ||
			strcmp(NameStr(key->name), KEY_SUBJECT) == 0;
	}
}

/* read_names: columns of a protection, in the ring's memory. */
static const NameData *
read_names(Datum array, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	NameData   *names;

	ring_array(DatumGetArrayTypeP(array), NAMEOID, &elements, &nulls, count);
	names = palloc0(sizeof(NameData) * (*count + 1));
	for (int i = 0; i < *count; i++)
	{
		if (!nulls[i])
			names[i] = *DatumGetName(elements[i]);
	}
	return names;
}

/* read_numbers: of as many columns as were named; one that is missing is 0. */
static const uint64 *
read_numbers(Datum array, int wanted)
{
	uint64	   *numbers = palloc0(sizeof(uint64) * (wanted + 1));
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	ring_array(DatumGetArrayTypeP(array), INT8OID, &elements, &nulls, &count);
	for (int i = 0; i < Min(count, wanted); i++)
		numbers[i] = nulls[i] ? 0 : (uint64) DatumGetInt64(elements[i]);
	return numbers;
}

/* read_protections: protected tables, believed or not. */
static void
read_protections(Ring *fresh)
{
	LoadedTable *table = &fresh->tables[RING_PROTECTION];

	fresh->protections = palloc0(sizeof(RingProtection) * (table->count + 1));
	for (int i = 0; i < table->count; i++)
	{
		RingProtection *protection = &fresh->protections[i];
		RingRow		row;

		row_deform(&row, RING_PROTECTION, table->tuples[i], table->desc);
		protection->id = (uint64) DatumGetInt64(row.values[PROTECTION_ID]);
		protection->relation = DatumGetObjectId(row.values[PROTECTION_RELATION]);
		protection->subject_type = *DatumGetName(row.values[PROTECTION_SUBJECT_TYPE]);
		protection->subject_column = *DatumGetName(row.values[PROTECTION_SUBJECT_COLUMN]);
		protection->columns = read_names(row.values[PROTECTION_COLUMNS], &protection->column_count);
		protection->numbers = read_numbers(row.values[PROTECTION_NUMBERS], protection->column_count);
		protection->complete = DatumGetBool(row.values[PROTECTION_COMPLETE]);
	}
}

/* read_ring: all tables with one snapshot; tables that do not exist are empty. */
static void
read_ring(Ring *fresh)
{
	Snapshot	snapshot;

	if (!seal_in_database())
		return;
	for (int i = 0; i < RING_TABLES; i++)
		fresh->tables[i].oid = seal_relation_oid(table_names[i]);
	if (HistoricSnapshotActive())
		return;
	snapshot = RegisterSnapshot(GetCatalogSnapshot(fresh->tables[RING_HEAD].oid));
	for (int i = 0; i < RING_TABLES; i++)
		read_table(&fresh->tables[i], i, snapshot);
	UnregisterSnapshot(snapshot);
	read_keys(fresh);
	read_protections(fresh);
}

/*
 * ring_reload
 *		Read the ring anew; secrets of the old one are wiped.
 */
void
ring_reload(void)
{
	MemoryContext context = AllocSetContextCreate(CacheMemoryContext, "pgseal key ring",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Ring	   *fresh = palloc0(sizeof(Ring));

	fresh->context = context;
	stale = HistoricSnapshotActive();	/* before reading: an invalidation from now on counts */
	PG_TRY();
	{
		read_ring(fresh);
	}
	PG_CATCH();
	{
		stale = true;
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	secrets_forget();
	subjects_forget();
	if (ring != NULL)
		MemoryContextDelete(ring->context);
	ring = fresh;
	stamp++;
}

/*
 * current: the ring, read again when an invalidation came.
 *
 * Logical decoding sees catalogs as they were, and the ring is no catalog: there
 * the last ring that was read must do, which is empty in a walsender, and key
 * ids are printed as numbers.
 */
static inline Ring *
current(void)
{
	if (unlikely(stale) && (ring == NULL || !HistoricSnapshotActive()))
		ring_reload();
	return ring;
}

/* ring_table: one table as loaded. */
const LoadedTable *
ring_table(RingTable table)
{
	return &current()->tables[table];
}

/* ring_stamp: changes whenever the ring was read anew. */
uint64
ring_stamp(void)
{
	(void) current();
	return stamp;
}

/* ring_key_by_id: the key with this id, tombstones included, or NULL. */
const RingKey *
ring_key_by_id(uint32 id)
{
	Ring	   *now = current();

	for (int i = 0; i < now->tables[RING_KEY].count; i++)
	{
		if (now->keys[i].id == id)
			return &now->keys[i];
	}
	return NULL;
}

/* ring_key_by_name: the key with this name, tombstones included, or NULL. */
const RingKey *
ring_key_by_name(const char *name)
{
	Ring	   *now = current();

	for (int i = 0; i < now->tables[RING_KEY].count; i++)
	{
		if (strcmp(NameStr(now->keys[i].name), name) == 0)
			return &now->keys[i];
	}
	return NULL;
}

/* ring_relation_name: schema and name of a relation, quoted as needed, palloc'd; NULL when there is none. */
char *
ring_relation_name(Oid relation)
{
	char	   *name = get_rel_name(relation);
	char	   *schema = name != NULL ? get_namespace_name(get_rel_namespace(relation)) : NULL;

	return schema != NULL ? quote_qualified_identifier(schema, name) : NULL;
}

/* ring_relation_oid: the relation that has such a name, or InvalidOid. */
Oid
ring_relation_oid(text *name)
{
	return RangeVarGetRelid(makeRangeVarFromNameList(textToQualifiedNameList(name)), NoLock, true);
}

/* names_relation: is the relation of a protection the one whose name the MAC covers? */
static bool
names_relation(const RingRow *row)
{
	char	   *name = ring_relation_name(DatumGetObjectId(row->values[PROTECTION_RELATION]));

	return name != NULL && strcmp(name, TextDatumGetCString(row->values[PROTECTION_RELATION_NAME])) == 0;
}

/*
 * bind_protections
 *		Which of them are to be believed: without a root none is closed.
 *
 * Looking names up can bring news of the relations: flag first.
 */
static void
bind_protections(Ring *now)
{
	LoadedTable *table = &now->tables[RING_PROTECTION];

	now->bound = true;
	for (int i = 0; i < table->count; i++)
	{
		RingRow		row;

		row_deform(&row, RING_PROTECTION, table->tuples[i], table->desc);
		now->protections[i].closed = now->verified && (!table->valid[i] || !names_relation(&row));
	}
}

/* protections: with closed as it is now. */
static const RingProtection *
protections(int *count)
{
	Ring	   *now = current();

	if (unlikely(!now->bound))
		bind_protections(now);
	*count = now->tables[RING_PROTECTION].count;
	return now->protections;
}

/* ring_protection_of: of a table itself, or NULL: whoever has a partition asks for its ancestors. */
const RingProtection *
ring_protection_of(Oid relation)
{
	int			count;
	const RingProtection *all = protections(&count);

	for (int i = 0; i < count; i++)
	{
		if (all[i].relation == relation && OidIsValid(relation))
			return &all[i];
	}
	return NULL;
}

/* ring_protection_with: the one that gave a column this number, or NULL. */
const RingProtection *
ring_protection_with(uint64 column_number)
{
	int			count;
	const RingProtection *all = protections(&count);

	for (int i = 0; i < count; i++)
	{
		for (int j = 0; j < all[i].column_count; j++)
		{
			if (all[i].numbers[j] == column_number && column_number != 0)
				return &all[i];
		}
	}
	return NULL;
}

/* is_empty: no row in any table. */
static bool
is_empty(const Ring *now)
{
	for (int i = 0; i < RING_TABLES; i++)
	{
		if (now->tables[i].count > 0)
			return false;
	}
	return true;
}

/* ring_is_empty: true before the first create_key, and in a database without the extension. */
bool
ring_is_empty(void)
{
	return is_empty(current());
}

static int
compare_macs(const void *a, const void *b)
{
	return memcmp(a, b, MAC_BYTES);
}

/*
 * digest_rows
 *		SHA-256 over the sorted MACs of all rows but the head.
 *
 * A stored MAC of another length is folded to its SHA-256: it fits no row,
 * but it must not be invisible either.
 */
static void
digest_rows(unsigned char digest[MAC_BYTES], const Ring *now)
{
	unsigned char *macs;
	int			total = 0;
	int			n = 0;

	for (int i = 0; i < RING_HEAD; i++)
		total += now->tables[i].count;
	macs = palloc0((Size) (total + 1) * MAC_BYTES);
	for (int i = 0; i < RING_HEAD; i++)
	{
		for (int j = 0; j < now->tables[i].count; j++, n++)
		{
			RingRow		row;
			struct varlena *mac;

			row_deform(&row, i, now->tables[i].tuples[j], now->tables[i].desc);
			mac = PG_DETOAST_DATUM_PACKED(row.values[row_column(i, COMMON_MAC)]);
			if (VARSIZE_ANY_EXHDR(mac) == MAC_BYTES)
				memcpy(macs + n * MAC_BYTES, VARDATA_ANY(mac), MAC_BYTES);
			else
				crypto_hash_sha256(macs + n * MAC_BYTES, (unsigned char *) VARDATA_ANY(mac),
								   VARSIZE_ANY_EXHDR(mac));
		}
	}
	qsort(macs, total, MAC_BYTES, compare_macs);
	crypto_hash_sha256(digest, macs, (size_t) total * MAC_BYTES);
	pfree(macs);
}

/* ring_digest: what the head must say of the rows as they are. */
void
ring_digest(unsigned char digest[MAC_BYTES])
{
	digest_rows(digest, current());
}

/* check_rows: which rows were written by pgseal under this root? */
static void
check_rows(Ring *now, const HmacKey *mac_key)
{
	for (int i = 0; i < RING_TABLES; i++)
	{
		LoadedTable *table = &now->tables[i];

		for (int j = 0; j < table->count; j++)
		{
			RingRow		row;

			row_deform(&row, i, table->tuples[j], table->desc);
			table->valid[j] = row_mac_fits(&row, table->desc, now->root, mac_key);
		}
	}
}

/* head_fits: is the one head row valid, and its digest that of the rows? */
static bool
head_fits(Ring *now)
{
	LoadedTable *table = &now->tables[RING_HEAD];
	unsigned char digest[MAC_BYTES];
	struct varlena *stored;
	RingRow		row;

	if (table->count != 1 || !table->valid[0])
		return false;
	row_deform(&row, RING_HEAD, table->tuples[0], table->desc);
	stored = PG_DETOAST_DATUM_PACKED(row.values[HEAD_DIGEST]);
	if (VARSIZE_ANY_EXHDR(stored) != MAC_BYTES)
		return false;
	digest_rows(digest, now);
	return sodium_memcmp(digest, VARDATA_ANY(stored), MAC_BYTES) == 0;
}

/* close_keys: a restricting row that is altered or missing closes its key. */
static void
close_keys(Ring *now)
{
	LoadedTable *versions = &now->tables[RING_KEY_VERSION];

	for (int i = 0; i < now->tables[RING_KEY].count; i++)
	{
		RingKey    *key = &now->keys[i];
		bool		active = key->dropped;

		key->closed = !now->tables[RING_KEY].valid[i];
		for (int j = 0; j < versions->count; j++)
		{
			RingRow		row;

			row_deform(&row, RING_KEY_VERSION, versions->tuples[j], versions->desc);
			if ((uint32) DatumGetInt32(row.values[VERSION_KEY]) != key->id)
				continue;
			if (!versions->valid[j])
				key->closed = true;
			if ((uint16) DatumGetInt16(row.values[VERSION_NUMBER]) == key->active_version)
				active = true;
		}
		if (!active)
			key->closed = true;
	}
}

const char *const verb_names[VERB_COUNT] = {"seal", "search", "reveal"};

/* verb_of_name: the bit of a verb; 0 when there is none of that name. */
int
verb_of_name(const char *name)
{
	for (int i = 0; i < VERB_COUNT; i++)
	{
		if (strcmp(name, verb_names[i]) == 0)
			return 1 << i;
	}
	return 0;
}

/* verb_mask: verbs of a row of seal.grant. */
static int
verb_mask(Datum verbs)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			mask = 0;

	deconstruct_array(DatumGetArrayTypeP(verbs), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			mask |= verb_of_name(TextDatumGetCString(elements[i]));
	}
	return mask;
}

/*
 * ring_row_bound
 *		Are role, role_oid and role_name of a grant one role of this cluster?
 */
bool
ring_row_bound(const RingRow *row)
{
	Oid			role = DatumGetObjectId(row->values[GRANT_ROLE_OID]);
	HeapTuple	tuple;
	bool		bound;

	if (DatumGetObjectId(row->values[GRANT_ROLE]) != role)
		return false;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	if (!HeapTupleIsValid(tuple))
		return false;
	bound = namestrcmp(&((Form_pg_authid) GETSTRUCT(tuple))->rolname,
					   NameStr(*DatumGetName(row->values[GRANT_ROLE_NAME]))) == 0;
	ReleaseSysCache(tuple);
	return bound;
}

/* read_grants: the rows that give something. */
static void
read_grants(Ring *now)
{
	LoadedTable *table = &now->tables[RING_GRANT];
	MemoryContext old = MemoryContextSwitchTo(now->context);

	now->grants = palloc(sizeof(RingGrant) * (table->count + 1));
	now->grant_count = 0;
	for (int i = 0; i < table->count; i++)
	{
		RingGrant  *grant = &now->grants[now->grant_count];
		RingRow		row;

		row_deform(&row, RING_GRANT, table->tuples[i], table->desc);
		if (!table->valid[i] || !ring_row_bound(&row))
			continue;
		grant->key_id = DatumGetInt32(row.values[GRANT_KEY]);
		grant->role = DatumGetObjectId(row.values[GRANT_ROLE_OID]);
		grant->verbs = verb_mask(row.values[GRANT_VERBS]);
		grant->admitted_only = strcmp(TextDatumGetCString(row.values[GRANT_SCOPE]), "all") != 0;
		now->grant_count++;
	}
	MemoryContextSwitchTo(old);
}

/* head_root: fingerprint of the root the ring says it is under. */
static void
head_root(Ring *now)
{
	LoadedTable *table = &now->tables[RING_HEAD];
	RingRow		row;

	now->root[0] = '\0';
	if (table->count != 1)
		return;
	row_deform(&row, RING_HEAD, table->tuples[0], table->desc);
	strlcpy(now->root, row_root(&row), sizeof(now->root));
}

/* verify_with: the checks, once the roots are here. */
static SealError
verify_with(Ring *now, const RootSet *roots)
{
	const Root *root = roots_find(roots, now->root);
	HmacKey		mac_key;

	if (root == NULL)
		return now->root[0] == '\0' ? SEAL_E_RING_CLOSED : SEAL_E_ROOT_UNKNOWN;
	root_mac_key(&mac_key, root);
	check_rows(now, &mac_key);
	sodium_memzero(&mac_key, sizeof(mac_key));
	close_keys(now);
	read_grants(now);
	return head_fits(now) ? SEAL_OK : SEAL_E_RING_CLOSED;
}

/* verify: the checks, with the roots in memory only meanwhile. */
static SealError
verify(Ring *now)
{
	RootSet    *roots;
	SealError	error = roots_load(&roots);

	if (error != SEAL_OK)
		return error;
	PG_TRY();
	{
		head_root(now);
		error = is_empty(now) ? SEAL_OK : verify_with(now, roots);
	}
	PG_FINALLY();
	{
		roots_free(roots);
	}
	PG_END_TRY();
	return error;
}

/*
 * ring_verify
 *		Does the ring say the truth?  Needs the root, once per change.
 *
 * SEAL_OK, SEAL_E_NO_ROOT, SEAL_E_ROOT_FILE, SEAL_E_ROOT_UNKNOWN,
 * SEAL_E_RING_CLOSED.  Only the answers that stay true are kept.  After
 * SEAL_OK the ring that was checked is the one that is in use: an invalidation
 * that came while roles were looked up makes it start again.
 */
SealError
ring_verify(void)
{
	Ring	   *now = current();

	while (unlikely(!now->verified))
	{
		SealError	error = verify(now);

		if (error != SEAL_OK && error != SEAL_E_RING_CLOSED)
			return error;
		now->verdict = error;
		now->verified = true;
		now->bound = false;
		now = current();
	}
	return now->verdict;
}

/* ring_root: fingerprint of the root the ring is under; empty before ring_verify(). */
const char *
ring_root(void)
{
	return current()->root;
}

/* ring_grants: grants that count; empty until ring_verify() said SEAL_OK. */
const RingGrant *
ring_grants(int *count)
{
	Ring	   *now = current();

	*count = now->verified && now->verdict == SEAL_OK ? now->grant_count : 0;
	return now->grants;
}

/* ring_grant_state: what a row of seal.grant is worth. */
GrantState
ring_grant_state(uint32 key_id, const char *role_name)
{
	SealError	error = ring_verify();
	const LoadedTable *table = ring_table(RING_GRANT);

	if (error != SEAL_OK && error != SEAL_E_RING_CLOSED)
		return GRANT_UNVERIFIED;
	for (int i = 0; i < table->count; i++)
	{
		RingRow		row;

		row_deform(&row, RING_GRANT, table->tuples[i], table->desc);
		if ((uint32) DatumGetInt32(row.values[GRANT_KEY]) != key_id ||
			strcmp(NameStr(*DatumGetName(row.values[GRANT_ROLE_NAME])), role_name) != 0)
			continue;
		if (!table->valid[i])
			return GRANT_INVALID;
		return ring_row_bound(&row) ? GRANT_VALID : GRANT_UNBOUND;
	}
	return GRANT_INVALID;
}

/* ring_row_valid: does the MAC of a loaded row fit?  Raises when that cannot be told. */
bool
ring_row_valid(RingTable table, int number)
{
	SealError	error = ring_verify();

	if (error != SEAL_OK && error != SEAL_E_RING_CLOSED)
		ring_raise(error, 0);
	return current()->tables[table].valid[number];
}

/* ring_rows: number of rows of a table. */
int
ring_rows(RingTable table)
{
	return current()->tables[table].count;
}

/* peek_row: one loaded row, valid until the ring is read anew. */
static void
peek_row(RingRow *row, RingTable table, int number)
{
	const LoadedTable *loaded = ring_table(table);

	row_deform(row, table, loaded->tuples[number], loaded->desc);
}

/* ring_row: one loaded row, copied into the current memory context. */
void
ring_row(RingRow *row, RingTable table, int number)
{
	const LoadedTable *loaded = ring_table(table);

	row_deform(row, table, heap_copytuple(loaded->tuples[number]), loaded->desc);
}

/* ring_next_valid: the next row with a valid MAC, from *number on, which moves; false at the end. */
bool
ring_next_valid(RingRow *row, RingTable table, int *number)
{
	while (*number < ring_rows(table))
	{
		if (ring_row_valid(table, (*number)++))
		{
			ring_row(row, table, *number - 1);
			return true;
		}
	}
	return false;
}

/*
 * ring_next_version
 *		The next live version of a key, from the row number *row on.
 *
 * False when there is none left.
 */
bool
ring_next_version(unsigned char wrapped[WRAPPED_BYTES], uint16 *version, int *row, uint32 key_id)
{
	for (; *row < ring_rows(RING_KEY_VERSION); (*row)++)
	{
		RingRow		stored;

		peek_row(&stored, RING_KEY_VERSION, *row);
		if ((uint32) DatumGetInt32(stored.values[VERSION_KEY]) != key_id ||
			!row_get_secret(wrapped, &stored, VERSION_SECRET))
			continue;
		*version = (uint16) DatumGetInt16(stored.values[VERSION_NUMBER]);
		(*row)++;
		return true;
	}
	return false;
}

/* ring_wrapped_search: the wrapped search secret of a key; false when there is none. */
bool
ring_wrapped_search(unsigned char wrapped[WRAPPED_BYTES], uint32 key_id)
{
	RingRow		row;

	return ring_find_key(&row, key_id) && row_get_secret(wrapped, &row, KEY_SEARCH_SECRET);
}

/* ring_find_key: the row of a key. */
bool
ring_find_key(RingRow *row, uint32 key_id)
{
	for (int i = 0; i < ring_rows(RING_KEY); i++)
	{
		peek_row(row, RING_KEY, i);
		if ((uint32) DatumGetInt32(row->values[KEY_ID]) == key_id)
		{
			ring_row(row, RING_KEY, i);
			return true;
		}
	}
	return false;
}

/* ring_find_protection: the row of a protected table. */
bool
ring_find_protection(RingRow *row, Oid relation)
{
	for (int i = 0; i < ring_rows(RING_PROTECTION); i++)
	{
		peek_row(row, RING_PROTECTION, i);
		if (DatumGetObjectId(row->values[PROTECTION_RELATION]) == relation)
		{
			ring_row(row, RING_PROTECTION, i);
			return true;
		}
	}
	return false;
}

/* ring_find_grant: the row of a role's rights on a key, found by the role's name. */
bool
ring_find_grant(RingRow *row, uint32 key_id, const char *role_name)
{
	for (int i = 0; i < ring_rows(RING_GRANT); i++)
	{
		peek_row(row, RING_GRANT, i);
		if ((uint32) DatumGetInt32(row->values[GRANT_KEY]) == key_id &&
			strcmp(NameStr(*DatumGetName(row->values[GRANT_ROLE_NAME])), role_name) == 0)
		{
			ring_row(row, RING_GRANT, i);
			return true;
		}
	}
	return false;
}

/*
 * ring_raise
 *		Raise a verdict of this room, naming the key, root or file it is about.
 */
void
ring_raise(SealError error, uint32 key_id)
{
	const RingKey *key;
	const char *name = NULL;

	switch (error)
	{
		case SEAL_E_ROOT_FILE:
			name = root_problem();
			break;
		case SEAL_E_ROOT_UNKNOWN:
			name = ring_root();
			break;
		case SEAL_E_SUBJECT_CLOSED:
			name = psprintf(UINT64_FORMAT, subject_closed_number());
			break;
		case SEAL_E_KEY_CLOSED:
		case SEAL_E_UNKNOWN_KEY:
		case SEAL_E_DENIED:
		case SEAL_E_NOT_ADMITTED:
		case SEAL_E_NO_ACTOR:
		case SEAL_E_NO_PURPOSE:
		case SEAL_E_NOT_SEARCHABLE:
			key = ring_key_by_id(key_id);
			name = key ? pstrdup(NameStr(key->name)) : psprintf("%u", key_id);
			break;
		default:
			break;
	}
	error_raise(error, name);
}
