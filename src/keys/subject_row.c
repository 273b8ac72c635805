/*-------------------------------------------------------------------------
 * subject_row.c
 *		Rows of seal.subject: read, checked and opened, made and written.
 *
 * Floor 1.  A row hangs on a version of the built-in key subject, and not on
 * the root: another root rewrites that key, and no subject.  Rows are read
 * with the newest snapshot, as a catalog's, and written below the executor:
 * no trigger, rule, search path or row security of somebody else comes
 * between.  The form of a row is in doc/storage_format.md: its two sealed
 * columns cover all others, so there is no MAC beside them.
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
#define ID_BOUND_MAX		(BOUND_LABEL_BYTES + 3 * 8 + 2 + SUBJECT_LOOKUP_BYTES + NAMEDATALEN)
#define SECRET_BOUND_BYTES	(BOUND_LABEL_BYTES + 8 + TAG_BYTES)
#define SEALED_ID_MIN		(NONCE_BYTES + SUBJECT_PAD + TAG_BYTES)
#define SEALED_ID_MAX		(NONCE_BYTES + SUBJECT_ID_MAX + SUBJECT_PAD + TAG_BYTES)

typedef enum SubjectColumn
{
	SUBJECT_NUMBER, SUBJECT_TYPE, SUBJECT_LOOKUP, SUBJECT_EXTERNAL, SUBJECT_SECRET,
	SUBJECT_KEY_VERSION, SUBJECT_GENERATION, SUBJECT_CHANGED_AT, SUBJECT_COLUMNS
} SubjectColumn;

static const Oid column_types[SUBJECT_COLUMNS] = {
	INT8OID, NAMEOID, BYTEAOID, BYTEAOID, BYTEAOID, INT2OID, INT8OID, TIMESTAMPTZOID
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

/* id_bound: what the sealed id of a row is bound to: all the rest of it but the secret; returns its length. */
static size_t
id_bound(unsigned char bound[ID_BOUND_MAX], const SubjectRow *row)
{
	unsigned char *at = bound + BOUND_LABEL_BYTES;
	size_t		type_len = strlen(NameStr(row->type));

	memcpy(bound, "extern", BOUND_LABEL_BYTES);
	at = put_number(at, row->number, 8);
	at = put_number(at, row->key_version, 2);
	at = put_number(at, (uint64) row->generation, 8);
	at = put_number(at, (uint64) row->changed_at, 8);
	memcpy(at, VARDATA_ANY(row->lookup), SUBJECT_LOOKUP_BYTES);
	memcpy(at + SUBJECT_LOOKUP_BYTES, NameStr(row->type), type_len);
	return at + SUBJECT_LOOKUP_BYTES + type_len - bound;
}

/* subject_bound: what the secret of a row is bound to: by the tag of the id to the whole row. */
static void
subject_bound(unsigned char bound[SECRET_BOUND_BYTES], const SubjectRow *row)
{
	const char *end = VARDATA_ANY(row->external) + VARSIZE_ANY_EXHDR(row->external);

	memcpy(bound, "subjec", BOUND_LABEL_BYTES);
	(void) put_number(bound + BOUND_LABEL_BYTES, row->number, 8);
	memcpy(bound + BOUND_LABEL_BYTES + 8, end - TAG_BYTES, TAG_BYTES);
}

/* block_is: a column of at least and at most so many bytes. */
static bool
block_is(const struct varlena *bytes, size_t least, size_t most)
{
	return bytes != NULL && VARSIZE_ANY_EXHDR(bytes) >= least && VARSIZE_ANY_EXHDR(bytes) <= most;
}

/*
 * row_desc
 *		The columns of seal.subject, as check_columns() found them.
 *
 * Rows that were copied are taken apart without the table: it is opened to
 * read, and not once more for each subject of a page.
 */
static TupleDesc
row_desc(void)
{
	static TupleDesc desc = NULL;
	MemoryContext old;
	TupleDesc	made;

	if (likely(desc != NULL))
		return desc;
	old = MemoryContextSwitchTo(TopMemoryContext);
	made = CreateTemplateTupleDesc(SUBJECT_COLUMNS);
	for (int i = 0; i < SUBJECT_COLUMNS; i++)
		TupleDescInitEntry(made, i + 1, NULL, column_types[i], -1, 0);
	MemoryContextSwitchTo(old);
	desc = made;
	return desc;
}

/* deform: a tuple taken apart; false when it has not the form of those that pgseal writes. */
static bool
deform(SubjectRow *row, HeapTuple tuple)
{
	Datum		values[SUBJECT_COLUMNS];
	bool		nulls[SUBJECT_COLUMNS];

	heap_deform_tuple(tuple, row_desc(), values, nulls);
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
	return block_is(row->lookup, SUBJECT_LOOKUP_BYTES, SUBJECT_LOOKUP_BYTES) &&
		block_is(row->external, SEALED_ID_MIN, SEALED_ID_MAX) &&
		block_is(row->secret, WRAPPED_BYTES, WRAPPED_BYTES);
}

/* open_external: the external id of a row; with it the whole row is what pgseal wrote, but for the secret. */
static bool
open_external(char external[SUBJECT_ID_MAX + 1], const SubjectRow *row, const AeadSubkey *subkey)
{
	const unsigned char *nonce = (const unsigned char *) VARDATA_ANY(row->external);
	const unsigned char *ciphertext = nonce + NONCE_BYTES;
	size_t		padded_len = VARSIZE_ANY_EXHDR(row->external) - NONCE_BYTES - TAG_BYTES;
	unsigned char padded[SUBJECT_ID_MAX + SUBJECT_PAD];
	unsigned char bound[ID_BOUND_MAX];
	size_t		bound_len = id_bound(bound, row);
	size_t		len;

	if (!aead_open(padded, ciphertext, padded_len, ciphertext + padded_len, bound, bound_len,
				   nonce, subkey) ||
		!payload_unpad(&len, padded, padded_len) || len > SUBJECT_ID_MAX)
		return false;
	memcpy(external, padded, len);
	external[len] = '\0';
	return true;
}

/* open_secret: the secret of a row. */
static bool
open_secret(unsigned char secret[SECRET_BYTES], const SubjectRow *row, const AeadSubkey *subkey)
{
	const unsigned char *nonce = (const unsigned char *) VARDATA_ANY(row->secret);
	const unsigned char *ciphertext = nonce + NONCE_BYTES;
	unsigned char bound[SECRET_BOUND_BYTES];

	subject_bound(bound, row);
	return aead_open(secret, ciphertext, SECRET_BYTES, ciphertext + SECRET_BYTES, bound,
					 sizeof(bound), nonce, subkey);
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

/* subject_number: of a row as it stands, believed or not; 0 for one that has none. */
uint64
subject_number(HeapTuple tuple)
{
	bool		missing;
	Datum		number = heap_getattr(tuple, SUBJECT_NUMBER + 1, row_desc(), &missing);

	return missing ? 0 : (uint64) DatumGetInt64(number);
}

/* open_row: check a row and open it. */
static SealError
open_row(OpenSubject *subject, const SubjectRow *row)
{
	const SubjectKeys *keys;
	AeadSubkey	subkey;
	SealError	error = row->key_version == 0 ? SEAL_E_UNKNOWN_VERSION :
		subject_keys(&keys, row->key_version);

	if (error == SEAL_OK)
	{
		aead_subkey(&subkey, (const unsigned char *) VARDATA_ANY(row->external), keys->wrap);
		if (!open_external(subject->external, row, &subkey) || !open_secret(subject->secret, row, &subkey))
			error = SEAL_E_SUBJECT_CLOSED;
		sodium_memzero(&subkey, sizeof(subkey));
	}
	subject->number = row->number;
	subject->type = row->type;
	return error == SEAL_E_UNKNOWN_VERSION ? SEAL_E_SUBJECT_CLOSED : error;
}

/*
 * subject_open
 *		Check a row and open it.
 *
 *	number		out: what the row says, believed or not
 *
 * SEAL_OK; SEAL_E_SUBJECT_CLOSED when it was altered or has no secret, or what
 * subject_keys() says.
 */
SealError
subject_open(OpenSubject *subject, uint64 *number, HeapTuple tuple)
{
	SubjectRow	row;

	*number = subject_number(tuple);
	return deform(&row, tuple) ? open_row(subject, &row) : SEAL_E_SUBJECT_CLOSED;
}

/* ----------
 * Reading
 * ----------
 */

/*
 * subject_snapshot
 *		A snapshot of now that also sees what the current command wrote: a
 *		subject is made and asked for again by one COPY.
 */
Snapshot
subject_snapshot(Relation table)
{
	Snapshot	snapshot = RegisterSnapshot(GetCatalogSnapshot(RelationGetRelid(table)));

	snapshot->curcid = GetCurrentCommandId(false) + 1;
	return snapshot;
}

/* find_row: a copy of the row that an index finds, or NULL. */
static HeapTuple
find_row(Relation table, Oid index, ScanKey key)
{
	Snapshot	snapshot = subject_snapshot(table);
	SysScanDesc scan = systable_beginscan(table, index, OidIsValid(index), snapshot, 1, key);
	HeapTuple	tuple = systable_getnext(scan);

	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return tuple;
}

/* subject_read: the row with this number, or NULL; until the next call. */
HeapTuple
subject_read(uint64 number)
{
	Relation	table;
	ScanKeyData key;
	HeapTuple	tuple = subject_page_find(number);

	if (tuple != NULL)
		return tuple;
	table = HistoricSnapshotActive() ? NULL : open_table(AccessShareLock);
	if (table == NULL)
		return NULL;
	ScanKeyInit(&key, SUBJECT_NUMBER + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum((int64) number));
	tuple = find_row(table, RelationGetPrimaryKeyIndex(table), &key);
	if (tuple != NULL)
		subject_page_follow(table, ItemPointerGetBlockNumber(&tuple->t_self));
	table_close(table, NoLock);
	return tuple;
}

/* bytes_datum: as a bytea, palloc'd. */
static struct varlena *
bytes_datum(const unsigned char *bytes, size_t len)
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
	wanted = bytes_datum(lookup, SUBJECT_LOOKUP_BYTES);
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
seal_external(const char *external, const SubjectRow *row, const unsigned char nonce[NONCE_BYTES],
			  const AeadSubkey *subkey)
{
	size_t		len = strlen(external);
	size_t		padded_len = payload_padded_len(len, SUBJECT_PAD);
	unsigned char sealed[SEALED_ID_MAX];
	unsigned char *payload = sealed + NONCE_BYTES;
	unsigned char bound[ID_BOUND_MAX];
	size_t		bound_len = id_bound(bound, row);

	memcpy(sealed, nonce, NONCE_BYTES);
	memcpy(payload, external, len);
	payload_pad(payload, len, padded_len);
	aead_seal(payload, payload + padded_len, payload, padded_len, bound, bound_len, nonce, subkey);
	return bytes_datum(sealed, NONCE_BYTES + padded_len + TAG_BYTES);
}

/* seal_secret: the secret of a subject, sealed for its row. */
static struct varlena *
seal_secret(const unsigned char secret[SECRET_BYTES], const SubjectRow *row,
			const unsigned char nonce[NONCE_BYTES], const AeadSubkey *subkey)
{
	unsigned char wrapped[WRAPPED_BYTES];
	unsigned char *ciphertext = wrapped + NONCE_BYTES;
	unsigned char bound[SECRET_BOUND_BYTES];

	subject_bound(bound, row);
	memcpy(wrapped, nonce, NONCE_BYTES);
	aead_seal(ciphertext, ciphertext + SECRET_BYTES, secret, SECRET_BYTES, bound, sizeof(bound),
			  nonce, subkey);
	return bytes_datum(wrapped, WRAPPED_BYTES);
}

/* form: a row as a tuple. */
static HeapTuple
form(const SubjectRow *row)
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
	};

	return heap_form_tuple(row_desc(), values, nulls);
}

/* seal_row: id and secret under one nonce prefix, which no other row has. */
static void
seal_row(SubjectRow *row, const OpenSubject *subject, const unsigned char prefix[NONCE_PREFIX_BYTES],
		 const SubjectKeys *keys)
{
	unsigned char nonce[NONCE_BYTES] = {0};
	AeadSubkey	subkey;

	aead_subkey(&subkey, prefix, keys->wrap);
	memcpy(nonce, prefix, NONCE_PREFIX_BYTES);
	row->external = seal_external(subject->external, row, nonce, &subkey);
	nonce[NONCE_BYTES - 1] = 1;
	row->secret = seal_secret(subject->secret, row, nonce, &subkey);
	sodium_memzero(&subkey, sizeof(subkey));
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
	struct
	{
		uint64		number;
		unsigned char secret[SECRET_BYTES];
		unsigned char prefix[NONCE_PREFIX_BYTES];
	}			drawn;
	SubjectRow	row = {0};

	if (error != SEAL_OK)
		return error;
	randombytes_buf(&drawn, sizeof(drawn));
	subject->number = Max(drawn.number & PG_INT64_MAX, 1);
	memcpy(subject->secret, drawn.secret, SECRET_BYTES);
	row.number = subject->number;
	row.type = subject->type;
	row.lookup = bytes_datum(lookup, SUBJECT_LOOKUP_BYTES);
	row.key_version = keys->version;
	row.generation = generation;
	row.changed_at = GetCurrentTimestamp();
	seal_row(&row, subject, drawn.prefix, keys);
	sodium_memzero(&drawn, sizeof(drawn));
	*tuple = form(&row);
	return SEAL_OK;
}

/*
 * insert_speculatively
 *		Insert, and take it back when another row turns out to be in the way; one
 *		that is being written is waited for.  An index tells, after both have
 *		written, whose row it is: as in ON CONFLICT DO NOTHING, but written first,
 *		as whoever comes here has looked for the row already.
 */
static bool
insert_speculatively(EState *estate, ResultRelInfo *target, TupleTableSlot *slot)
{
	ItemPointerData conflict;
	bool		refused = false;
	uint32		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());

	table_tuple_insert_speculative(target->ri_RelationDesc, slot, estate->es_output_cid, 0, NULL, token);
	list_free(compat_insert_index_tuples(target, slot, estate, &refused));
	table_tuple_complete_speculative(target->ri_RelationDesc, slot, token, !refused);
	SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	if (refused)
		(void) compat_check_conflicts(target, slot, estate, &conflict);
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

	PreventCommandIfReadOnly("creation of a subject");
	PreventCommandIfParallelMode("creation of a subject");
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
