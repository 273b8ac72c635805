/*-------------------------------------------------------------------------
 * subject_row.c
 *		Rows of seal.subject: read, checked and opened, made and written.
 *
 * Floor 1.  A row hangs on a version of the built-in key subject, and not on
 * the root: another root rewrites that key, and no subject.  Rows are read
 * with the newest snapshot, as a catalog's, and written below the executor:
 * no trigger, rule, search path or row security of somebody else comes
 * between.  The form of a row is in doc/storage_format.md.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/subject.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define SUBJECT_TABLE		"subject"
#define LOOKUP_INDEX		"subject_lookup_key"
#define SUBJECT_PAD			16
#define KEY_VERSIONS		8		/* kept; power of 2 */
#define LOOKUP_VERSION		1		/* of key subject: external ids are found by it for ever */
#define BOUND_LABEL_BYTES	6
#define BOUND_BYTES			(BOUND_LABEL_BYTES + sizeof(uint64))
#define SEALED_ID_MAX		(NONCE_BYTES + SUBJECT_ID_MAX + SUBJECT_PAD + TAG_BYTES)
#define MAC_LABEL			"subject"

typedef enum SubjectColumn
{
	SUBJECT_NUMBER, SUBJECT_TYPE, SUBJECT_LOOKUP, SUBJECT_EXTERNAL, SUBJECT_SECRET,
	SUBJECT_KEY_VERSION, SUBJECT_GENERATION, SUBJECT_CHANGED_AT, SUBJECT_MAC, SUBJECT_COLUMNS
} SubjectColumn;

static const Oid column_types[SUBJECT_COLUMNS] = {
	INT8OID, NAMEOID, BYTEAOID, BYTEAOID, BYTEAOID, INT2OID, INT8OID, TIMESTAMPTZOID, BYTEAOID
};

/* In sodium_malloc memory. */
typedef struct Keyring
{
	bool		has_lookup;
	HmacKey		lookup;
	SubjectKeys versions[KEY_VERSIONS];
} Keyring;

static Keyring *keyring = NULL;
static Oid	table_oid = InvalidOid;

/* ----------
 * Keys
 * ----------
 */

/* subject_keys_forget: wipe what was derived from key subject. */
void
subject_keys_forget(void)
{
	if (keyring != NULL)
		sodium_memzero(keyring, sizeof(Keyring));
}

/* open_keyring: at first use. */
static void
open_keyring(void)
{
	if (keyring != NULL)
		return;
	keyring = sodium_malloc(sizeof(Keyring));
	if (keyring == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for keys")));
	sodium_memzero(keyring, sizeof(Keyring));
}

/* lend_version: a version of key subject; a verdict about that key is one about all subjects. */
static SealError
lend_version(SealKey **key, uint16 version)
{
	static uint32 id = 0;
	SealError	error;

	if (id == 0)
		id = key_id_of(KEY_SUBJECT);
	error = secrets_lend(key, id, version);
	if (error == SEAL_E_UNKNOWN_KEY || error == SEAL_E_KEY_CLOSED)
		return SEAL_E_SUBJECT_KEY;
	return error;
}

/* derive_hmac: a MAC key from a version of key subject. */
static void
derive_hmac(HmacKey *hmac, const SealKey *key, const char *label)
{
	unsigned char secret[SECRET_BYTES];

	sealkey_secret(secret, key, label, "");
	hmac_key(hmac, secret, sizeof(secret));
	sodium_memzero(secret, sizeof(secret));
}

/*
 * subject_keys
 *		Keys of the rows that hang on one version of key subject; 0 is the active one.
 *
 * SEAL_OK, SEAL_E_SUBJECT_KEY, SEAL_E_UNKNOWN_VERSION, or what ring_verify() says.
 */
SealError
subject_keys(const SubjectKeys **keys, uint16 version)
{
	SealKey    *key;
	SealError	error = lend_version(&key, version);
	SubjectKeys *kept;

	if (error != SEAL_OK)
		return error;
	open_keyring();
	version = sealkey_version(key);
	kept = &keyring->versions[version & (KEY_VERSIONS - 1)];
	if (kept->version != version)
	{
		sealkey_secret(kept->wrap, key, "subject wrap", "");
		derive_hmac(&kept->mac, key, "subject mac");
		kept->version = version;
	}
	*keys = kept;
	return SEAL_OK;
}

/*
 * subject_lookup
 *		What an external id is found by: nobody without the key can try ids.
 */
SealError
subject_lookup(unsigned char lookup[SUBJECT_LOOKUP_BYTES], const char *type, const char *utf8)
{
	unsigned char mac[MAC_BYTES];
	unsigned char bytes[NAMEDATALEN + SUBJECT_ID_MAX];
	size_t		type_len = strlen(type);
	size_t		len = strlen(utf8);
	SealKey    *key;
	SealError	error = lend_version(&key, LOOKUP_VERSION);

	if (error != SEAL_OK)
		return error;
	open_keyring();
	if (!keyring->has_lookup)
		derive_hmac(&keyring->lookup, key, "subject lookup");
	keyring->has_lookup = true;
	memcpy(bytes, type, type_len + 1);
	memcpy(bytes + type_len + 1, utf8, len);
	hmac_mac(mac, bytes, type_len + 1 + len, &keyring->lookup);
	memcpy(lookup, mac, SUBJECT_LOOKUP_BYTES);
	return SEAL_OK;
}

/* ----------
 * What a row says
 * ----------
 */

/* put_number: big-endian; returns what comes after. */
static unsigned char *
put_number(unsigned char *at, uint64 number, int width)
{
	for (int i = width; i > 0; i--, number >>= 8)
		at[i - 1] = (unsigned char) number;
	return at + width;
}

/* put_block: length and bytes; no block is not an empty one. */
static unsigned char *
put_block(unsigned char *at, const struct varlena *bytes)
{
	if (bytes == NULL)
		return put_number(at, PG_UINT32_MAX, 4);
	at = put_number(at, VARSIZE_ANY_EXHDR(bytes), 4);
	memcpy(at, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	return at + VARSIZE_ANY_EXHDR(bytes);
}

/* bound_bytes: what a secret or an id is bound to, so that none can be moved to another row. */
static void
bound_bytes(unsigned char bound[BOUND_BYTES], const char *label, uint64 number)
{
	memcpy(bound, label, BOUND_LABEL_BYTES);
	(void) put_number(bound + BOUND_LABEL_BYTES, number, sizeof(uint64));
}

/* block_is: a column of exactly, or at most, so many bytes. */
static bool
block_is(const struct varlena *bytes, size_t least, size_t most)
{
	return bytes != NULL && VARSIZE_ANY_EXHDR(bytes) >= least && VARSIZE_ANY_EXHDR(bytes) <= most;
}

/* sizes_fit: has the row the form of those that pgseal writes? */
static bool
sizes_fit(const SubjectRow *row)
{
	return block_is(row->lookup, SUBJECT_LOOKUP_BYTES, SUBJECT_LOOKUP_BYTES) &&
		block_is(row->external, NONCE_BYTES + SUBJECT_PAD + TAG_BYTES, SEALED_ID_MAX) &&
		(row->secret == NULL || block_is(row->secret, WRAPPED_BYTES, WRAPPED_BYTES));
}

/* row_mac_of: MAC over all other columns; the sizes fit. */
static void
row_mac_of(unsigned char mac[MAC_BYTES], const SubjectRow *row, const SubjectKeys *keys)
{
	unsigned char bytes[SEALED_ID_MAX + WRAPPED_BYTES + NAMEDATALEN + 128];
	unsigned char *at = bytes;
	size_t		type_len = strlen(NameStr(row->type));

	memcpy(at, MAC_LABEL, sizeof(MAC_LABEL));
	at = put_number(at + sizeof(MAC_LABEL), row->number, 8);
	at = put_number(at, type_len, 4);
	memcpy(at, NameStr(row->type), type_len);
	at = put_block(at + type_len, row->lookup);
	at = put_block(at, row->external);
	at = put_block(at, row->secret);
	at = put_number(at, row->key_version, 2);
	at = put_number(at, (uint64) row->generation, 8);
	at = put_number(at, (uint64) row->changed_at, 8);
	hmac_mac(mac, bytes, at - bytes, &keys->mac);
}

/* deform: a tuple taken apart; false when it lacks what pgseal always writes. */
static bool
deform(SubjectRow *row, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[SUBJECT_COLUMNS];
	bool		nulls[SUBJECT_COLUMNS];

	heap_deform_tuple(tuple, desc, values, nulls);
	for (int i = 0; i < SUBJECT_COLUMNS; i++)
	{
		if (nulls[i] && i != SUBJECT_SECRET)
			return false;
	}
	row->number = (uint64) DatumGetInt64(values[SUBJECT_NUMBER]);
	row->type = *DatumGetName(values[SUBJECT_TYPE]);
	row->lookup = PG_DETOAST_DATUM_PACKED(values[SUBJECT_LOOKUP]);
	row->external = PG_DETOAST_DATUM_PACKED(values[SUBJECT_EXTERNAL]);
	row->secret = nulls[SUBJECT_SECRET] ? NULL : PG_DETOAST_DATUM_PACKED(values[SUBJECT_SECRET]);
	row->key_version = (uint16) DatumGetInt16(values[SUBJECT_KEY_VERSION]);
	row->generation = DatumGetInt64(values[SUBJECT_GENERATION]);
	row->changed_at = DatumGetTimestampTz(values[SUBJECT_CHANGED_AT]);
	row->mac = PG_DETOAST_DATUM_PACKED(values[SUBJECT_MAC]);
	return sizes_fit(row) && block_is(row->mac, MAC_BYTES, MAC_BYTES);
}

/* open_external: the external id of a row. */
static bool
open_external(char external[SUBJECT_ID_MAX + 1], const SubjectRow *row, const SubjectKeys *keys)
{
	const unsigned char *nonce = (const unsigned char *) VARDATA_ANY(row->external);
	size_t		padded_len = VARSIZE_ANY_EXHDR(row->external) - NONCE_BYTES - TAG_BYTES;
	unsigned char padded[SUBJECT_ID_MAX + SUBJECT_PAD];
	unsigned char bound[BOUND_BYTES];
	AeadSubkey	subkey;
	size_t		len;
	bool		opened;

	bound_bytes(bound, "extern", row->number);
	aead_subkey(&subkey, nonce, keys->wrap);
	opened = aead_open(padded, nonce + NONCE_BYTES, padded_len, nonce + NONCE_BYTES + padded_len,
					   bound, sizeof(bound), nonce, &subkey) &&
		payload_unpad(&len, padded, padded_len) && len <= SUBJECT_ID_MAX;
	if (opened)
	{
		memcpy(external, padded, len);
		external[len] = '\0';
	}
	sodium_memzero(&subkey, sizeof(subkey));
	return opened;
}

/* open_secret: the secret of a row. */
static bool
open_secret(unsigned char secret[SECRET_BYTES], const SubjectRow *row, const SubjectKeys *keys)
{
	unsigned char bound[BOUND_BYTES];

	if (row->secret == NULL)
		return false;
	bound_bytes(bound, "subjec", row->number);
	return secret_unwrap(secret, (const unsigned char *) VARDATA_ANY(row->secret), bound,
						 sizeof(bound), keys->wrap);
}

/* check_columns: does the table have the columns that this library reads? */
static void
check_columns(TupleDesc desc)
{
	bool		fits = desc->natts == SUBJECT_COLUMNS;

	for (int i = 0; fits && i < SUBJECT_COLUMNS; i++)
		fits = TupleDescAttr(desc, i)->atttypid == column_types[i];
	if (!fits)
		elog(ERROR, "table seal.%s does not have the columns this library expects", SUBJECT_TABLE);
}

/* subject_table: OID of seal.subject as last opened. */
Oid
subject_table(void)
{
	return table_oid;
}

/* open_table: seal.subject, or NULL where there is none. */
static Relation
open_table(LOCKMODE mode)
{
	Relation	table;

	table_oid = seal_relation_oid(SUBJECT_TABLE);
	if (!OidIsValid(table_oid))
		return NULL;
	table = table_open(table_oid, mode);
	check_columns(RelationGetDescr(table));
	return table;
}

/*
 * subject_open
 *		Check a row and open it.
 *
 * SEAL_OK; SEAL_E_SUBJECT_CLOSED when it was altered or has no secret, or what
 * subject_keys() says.
 */
SealError
subject_open(OpenSubject *subject, HeapTuple tuple)
{
	Relation	table = open_table(AccessShareLock);
	const SubjectKeys *keys;
	unsigned char mac[MAC_BYTES];
	SubjectRow	row;
	SealError	error;
	bool		fits = table != NULL && deform(&row, tuple, RelationGetDescr(table));

	if (table != NULL)
		table_close(table, NoLock);
	if (!fits || row.key_version == 0)
		return SEAL_E_SUBJECT_CLOSED;
	error = subject_keys(&keys, row.key_version);
	if (error != SEAL_OK)
		return error == SEAL_E_UNKNOWN_VERSION ? SEAL_E_SUBJECT_CLOSED : error;
	row_mac_of(mac, &row, keys);
	if (sodium_memcmp(mac, VARDATA_ANY(row.mac), MAC_BYTES) != 0 ||
		!open_secret(subject->secret, &row, keys) || !open_external(subject->external, &row, keys))
		return SEAL_E_SUBJECT_CLOSED;
	subject->number = row.number;
	subject->type = row.type;
	return SEAL_OK;
}

/* ----------
 * Reading
 * ----------
 */

/*
 * newest
 *		A snapshot of now that also sees what the current command wrote: a
 *		subject is made and asked for again by one COPY.
 */
static Snapshot
newest(Oid table)
{
	Snapshot	snapshot = RegisterSnapshot(GetCatalogSnapshot(table));

	snapshot->curcid = GetCurrentCommandId(false) + 1;
	return snapshot;
}

/* find_row: a copy of the row that an index finds, or NULL. */
static HeapTuple
find_row(Relation table, Oid index, ScanKey key)
{
	Snapshot	snapshot = newest(RelationGetRelid(table));
	SysScanDesc scan = systable_beginscan(table, index, OidIsValid(index), snapshot, 1, key);
	HeapTuple	tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return tuple;
}

/* subject_read: the row with this number, palloc'd, or NULL. */
HeapTuple
subject_read(uint64 number)
{
	Relation	table = HistoricSnapshotActive() ? NULL : open_table(AccessShareLock);
	ScanKeyData key;
	HeapTuple	tuple;

	if (table == NULL)
		return NULL;
	ScanKeyInit(&key, SUBJECT_NUMBER + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) number));
	tuple = find_row(table, RelationGetPrimaryKeyIndex(table), &key);
	table_close(table, NoLock);
	return tuple;
}

/* subject_number: of a row as it stands, believed or not; 0 for one that has none. */
uint64
subject_number(HeapTuple tuple)
{
	Relation	table = open_table(AccessShareLock);
	bool		missing = true;
	Datum		number = (Datum) 0;

	if (table == NULL)
		return 0;
	number = heap_getattr(tuple, SUBJECT_NUMBER + 1, RelationGetDescr(table), &missing);
	table_close(table, NoLock);
	return missing ? 0 : (uint64) DatumGetInt64(number);
}

/* lookup_datum: as a bytea, palloc'd. */
static struct varlena *
lookup_datum(const unsigned char *bytes, size_t len)
{
	return (struct varlena *) cstring_to_text_with_len((const char *) bytes, len);
}

/* subject_read_lookup: the row of an external id, palloc'd, or NULL. */
HeapTuple
subject_read_lookup(const unsigned char lookup[SUBJECT_LOOKUP_BYTES])
{
	Relation	table = HistoricSnapshotActive() ? NULL : open_table(AccessShareLock);
	struct varlena *wanted;
	ScanKeyData key;
	HeapTuple	tuple;

	if (table == NULL)
		return NULL;
	wanted = lookup_datum(lookup, SUBJECT_LOOKUP_BYTES);
	ScanKeyInit(&key, SUBJECT_LOOKUP + 1, BTEqualStrategyNumber, F_BYTEAEQ, PointerGetDatum(wanted));
	tuple = find_row(table, seal_relation_oid(LOOKUP_INDEX), &key);
	pfree(wanted);
	table_close(table, NoLock);
	return tuple;
}

/* ----------
 * Making
 * ----------
 */

/* seal_external: the id of a subject, sealed for its row. */
static struct varlena *
seal_external(const OpenSubject *subject, const SubjectKeys *keys)
{
	size_t		len = strlen(subject->external);
	size_t		padded_len = payload_padded_len(len, SUBJECT_PAD);
	unsigned char sealed[SEALED_ID_MAX];
	unsigned char *payload = sealed + NONCE_BYTES;
	unsigned char bound[BOUND_BYTES];
	AeadSubkey	subkey;

	bound_bytes(bound, "extern", subject->number);
	randombytes_buf(sealed, NONCE_BYTES);
	aead_subkey(&subkey, sealed, keys->wrap);
	memcpy(payload, subject->external, len);
	payload_pad(payload, len, padded_len);
	aead_seal(payload, payload + padded_len, payload, padded_len, bound, sizeof(bound), sealed, &subkey);
	sodium_memzero(&subkey, sizeof(subkey));
	return lookup_datum(sealed, NONCE_BYTES + padded_len + TAG_BYTES);
}

/* wrap_secret: the secret of a subject, wrapped for its row. */
static struct varlena *
wrap_secret(const OpenSubject *subject, const SubjectKeys *keys)
{
	unsigned char wrapped[WRAPPED_BYTES];
	unsigned char bound[BOUND_BYTES];

	bound_bytes(bound, "subjec", subject->number);
	secret_wrap(wrapped, subject->secret, bound, sizeof(bound), keys->wrap);
	return lookup_datum(wrapped, WRAPPED_BYTES);
}

/* form: a row as a tuple. */
static HeapTuple
form(const SubjectRow *row, TupleDesc desc)
{
	bool		nulls[SUBJECT_COLUMNS] = {0};
	Datum		values[SUBJECT_COLUMNS] = {
		[SUBJECT_NUMBER] = Int64GetDatum((int64) row->number),
		[SUBJECT_TYPE] = NameGetDatum(&row->type),
		[SUBJECT_LOOKUP] = PointerGetDatum(row->lookup),
		[SUBJECT_EXTERNAL] = PointerGetDatum(row->external),
		[SUBJECT_SECRET] = PointerGetDatum(row->secret),
		[SUBJECT_KEY_VERSION] = Int16GetDatum((int16) row->key_version),
		[SUBJECT_GENERATION] = Int64GetDatum(row->generation),
		[SUBJECT_CHANGED_AT] = TimestampTzGetDatum(row->changed_at),
		[SUBJECT_MAC] = PointerGetDatum(row->mac),
	};

	return heap_form_tuple(desc, values, nulls);
}

/*
 * subject_start
 *		A row for a new subject, whose type and external id are set; number and
 *		secret are drawn.
 */
SealError
subject_start(HeapTuple *tuple, OpenSubject *subject, const unsigned char lookup[SUBJECT_LOOKUP_BYTES])
{
	int64		generation = ring_generation();
	const SubjectKeys *keys;
	SealError	error = subject_keys(&keys, 0);
	unsigned char mac[MAC_BYTES];
	SubjectRow	row = {0};
	Relation	table;

	if (error != SEAL_OK)
		return error;
	randombytes_buf(&subject->number, sizeof(subject->number));
	randombytes_buf(subject->secret, sizeof(subject->secret));
	subject->number = Max(subject->number & PG_INT64_MAX, 1);
	row.number = subject->number;
	row.type = subject->type;
	row.lookup = lookup_datum(lookup, SUBJECT_LOOKUP_BYTES);
	row.external = seal_external(subject, keys);
	row.secret = wrap_secret(subject, keys);
	row.key_version = keys->version;
	row.generation = generation;
	row.changed_at = GetCurrentTimestamp();
	row_mac_of(mac, &row, keys);
	row.mac = lookup_datum(mac, MAC_BYTES);
	table = open_table(AccessShareLock);
	*tuple = form(&row, RelationGetDescr(table));
	table_close(table, NoLock);
	return SEAL_OK;
}

/*
 * insert_speculatively
 *		Insert unless another row is in the way, as ON CONFLICT DO NOTHING does:
 *		an index tells, after both have written, whose row it is.
 */
static bool
insert_speculatively(EState *estate, ResultRelInfo *target, TupleTableSlot *slot)
{
	ItemPointerData conflict;
	bool		refused = false;
	uint32		token;

	if (!compat_check_conflicts(target, slot, estate, &conflict))
		return false;
	token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
	table_tuple_insert_speculative(target->ri_RelationDesc, slot, estate->es_output_cid, 0, NULL, token);
	list_free(compat_insert_index_tuples(target, slot, estate, &refused));
	table_tuple_complete_speculative(target->ri_RelationDesc, slot, token, !refused);
	SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	return !refused;
}

/*
 * subject_insert
 *		Write a new row.  False when another session, or this one, has made that
 *		subject; a session that is about to is waited for.
 */
bool
subject_insert(HeapTuple tuple)
{
	Relation	table;
	EState	   *estate;
	ResultRelInfo target;
	TupleTableSlot *slot;
	bool		inserted;

	PreventCommandIfReadOnly("a new subject");
	PreventCommandIfParallelMode("a new subject");
	table = open_table(RowExclusiveLock);
	estate = CreateExecutorState();
	estate->es_output_cid = GetCurrentCommandId(true);
	slot = MakeSingleTupleTableSlot(RelationGetDescr(table), table_slot_callbacks(table));
	InitResultRelInfo(&target, table, 0, NULL, 0);
	ExecOpenIndices(&target, true);
	ExecForceStoreHeapTuple(tuple, slot, false);
	inserted = insert_speculatively(estate, &target, slot);
	ExecCloseIndices(&target);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	table_close(table, NoLock);
	return inserted;
}
