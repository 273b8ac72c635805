/*-------------------------------------------------------------------------
 * admission.c
 *		Which role may open the values of which subject, and until when.
 *
 * Floor 1.  A row of seal.admission gives: it counts only while its MAC fits,
 * role, role_oid and role_name are one role of this cluster, nobody dismissed
 * it, and its time has not come.  As subjects do, admissions hang on the
 * built-in key subject and stand outside the digest of the ring: a row that a
 * superuser puts back behind our back counts again until its end.
 *
 * Rows are never deleted.  Who makes one waits for nobody; who changes one waits
 * for others who do.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/subject.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "keys/secrets.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define ADMISSION_TABLE		"admission"
#define ROLE_INDEX			"admission_role"
#define MAC_LABEL			"admission mac"

/* Columns of seal.admission. */
typedef enum AdmissionColumn
{
	ADMISSION_ID, ADMISSION_SUBJECT, ADMISSION_SUBJECT_TYPE, ADMISSION_ROLE, ADMISSION_ROLE_OID,
	ADMISSION_ROLE_NAME, ADMISSION_PURPOSE, ADMISSION_GRANTED_BY, ADMISSION_GRANTED_BY_OID,
	ADMISSION_GRANTED_AT, ADMISSION_UNTIL, ADMISSION_DISMISSED_AT, ADMISSION_BREAK_GLASS,
	ADMISSION_REASON, ADMISSION_SIGNED_OFF_BY, ADMISSION_SIGNED_OFF_AT, ADMISSION_NOTE,
	ADMISSION_KEY_VERSION, ADMISSION_MAC, ADMISSION_COLUMNS
} AdmissionColumn;

static const Oid column_types[ADMISSION_COLUMNS] = {
	INT8OID, INT8OID, NAMEOID, REGROLEOID, OIDOID,
	NAMEOID, TEXTOID, NAMEOID, OIDOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID,
	TEXTOID, NAMEOID, TIMESTAMPTZOID, TEXTOID,
	INT2OID, BYTEAOID
};

/* A row taken apart; the values point into its tuple. */
typedef struct AdmissionRow
{
	HeapTuple	tuple;			/* where it stands; NULL for a new row */
	Datum		values[ADMISSION_COLUMNS];
	bool		nulls[ADMISSION_COLUMNS];
} AdmissionRow;

static Oid	table_oid = InvalidOid;
static uint64 changes = 1;		/* of any admission, as heard of */

/* forget_table: relcache callback. */
static void
forget_table(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == table_oid)
		changes++;
}

/* admissions_init: register for invalidations. */
void
admissions_init(void)
{
	CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
}

/* admission_stamp: changes whenever an admission may have changed. */
uint64
admission_stamp(void)
{
	return changes;
}

/* open_table: seal.admission. */
static Relation
open_table(LOCKMODE mode)
{
	Relation	table;
	bool		fits;

	table_oid = seal_relation_oid(ADMISSION_TABLE);
	if (!OidIsValid(table_oid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("extension pgseal is not installed in this database"),
						errhint("CREATE EXTENSION pgseal;")));
	table = table_open(table_oid, mode);
	fits = RelationGetDescr(table)->natts == ADMISSION_COLUMNS;
	for (int i = 0; fits && i < ADMISSION_COLUMNS; i++)
		fits = TupleDescAttr(RelationGetDescr(table), i)->atttypid == column_types[i];
	if (!fits)
		elog(ERROR, "table seal.%s does not have the columns this library expects", ADMISSION_TABLE);
	return table;
}

/* ----------
 * The MAC
 * ----------
 */

/* send_block: length and bytes. */
static void
send_block(StringInfo bytes, const char *block, int len)
{
	pq_sendint32(bytes, len);
	pq_sendbytes(bytes, block, len);
}

/* send_text: length and UTF-8. */
static void
send_text(StringInfo bytes, const char *text)
{
	char	   *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);

	send_block(bytes, utf8, strlen(utf8));
}

/* send_value: length and bytes of one column, which is not null. */
static void
send_value(StringInfo bytes, Oid type, Datum value)
{
	switch (type)
	{
		case INT8OID:
		case TIMESTAMPTZOID:
			pq_sendint32(bytes, 8);
			pq_sendint64(bytes, DatumGetInt64(value));
			break;
		case OIDOID:
			pq_sendint32(bytes, 4);
			pq_sendint32(bytes, DatumGetObjectId(value));
			break;
		case INT2OID:
			pq_sendint32(bytes, 2);
			pq_sendint16(bytes, DatumGetInt16(value));
			break;
		case BOOLOID:
			pq_sendint32(bytes, 1);
			pq_sendint8(bytes, DatumGetBool(value) ? 1 : 0);
			break;
		case NAMEOID:
			send_block(bytes, NameStr(*DatumGetName(value)), strlen(NameStr(*DatumGetName(value))));
			break;
		default:
			send_text(bytes, TextDatumGetCString(value));
			break;
	}
}

/* lend_version: a version of key subject, 0 is the active one; a verdict about that key is one about all subjects. */
static SealError
lend_version(SealKey **key, uint16 version)
{
	SealError	error = secrets_lend(key, key_id_of(KEY_SUBJECT), version);

	return error == SEAL_E_UNKNOWN_KEY || error == SEAL_E_KEY_CLOSED ? SEAL_E_SUBJECT_KEY : error;
}

/* mac_of: MAC of so many bytes under a version of key subject. */
static void
mac_of(unsigned char mac[MAC_BYTES], const StringInfo bytes, const SealKey *key)
{
	unsigned char secret[SECRET_BYTES];
	HmacKey		hmac;

	sealkey_secret(secret, key, MAC_LABEL, "");
	hmac_key(&hmac, secret, sizeof(secret));
	hmac_mac(mac, (unsigned char *) bytes->data, bytes->len, &hmac);
	sodium_memzero(secret, sizeof(secret));
	sodium_memzero(&hmac, sizeof(hmac));
}

/* row_mac_of: over every column but the role, which a dump prints by name, and the MAC. */
static void
row_mac_of(unsigned char mac[MAC_BYTES], const AdmissionRow *row, const SealKey *key)
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	for (int i = 0; i < ADMISSION_MAC; i++)
	{
		if (i == ADMISSION_ROLE)
			continue;
		if (row->nulls[i])
			pq_sendint32(&bytes, PG_UINT32_MAX);
		else
			send_value(&bytes, column_types[i], row->values[i]);
	}
	mac_of(mac, &bytes, key);
	pfree(bytes.data);
}

/* is_complete: has it every column that pgseal always writes? */
static bool
is_complete(const AdmissionRow *row)
{
	for (int i = 0; i < ADMISSION_COLUMNS; i++)
	{
		bool		optional = i == ADMISSION_PURPOSE || i == ADMISSION_DISMISSED_AT || i == ADMISSION_REASON ||
			(i >= ADMISSION_SIGNED_OFF_BY && i <= ADMISSION_NOTE);

		if (row->nulls[i] && !optional)
			return false;
	}
	return true;
}

/*
 * check_row
 *		Was this row written by pgseal?
 *
 * SEAL_OK, SEAL_E_CORRUPT when it was not, SEAL_E_SUBJECT_KEY, or what ring_verify() says.
 */
static SealError
check_row(const AdmissionRow *row)
{
	SealKey    *key;
	unsigned char mac[MAC_BYTES];
	struct varlena *stored;
	SealError	error;

	if (!is_complete(row) || DatumGetInt16(row->values[ADMISSION_KEY_VERSION]) <= 0)
		return SEAL_E_CORRUPT;
	error = lend_version(&key, (uint16) DatumGetInt16(row->values[ADMISSION_KEY_VERSION]));
	if (error != SEAL_OK)
		return error == SEAL_E_UNKNOWN_VERSION ? SEAL_E_CORRUPT : error;
	stored = PG_DETOAST_DATUM_PACKED(row->values[ADMISSION_MAC]);
	if (VARSIZE_ANY_EXHDR(stored) != MAC_BYTES)
		return SEAL_E_CORRUPT;
	row_mac_of(mac, row, key);
	return sodium_memcmp(mac, VARDATA_ANY(stored), MAC_BYTES) == 0 ? SEAL_OK : SEAL_E_CORRUPT;
}

/* ----------
 * Reading
 * ----------
 */

/* is_bound: are role, role_oid and role_name one role of this cluster? */
static bool
is_bound(const AdmissionRow *row)
{
	Oid			role = DatumGetObjectId(row->values[ADMISSION_ROLE_OID]);
	char	   *name = GetUserNameFromId(role, true);

	return DatumGetObjectId(row->values[ADMISSION_ROLE]) == role && name != NULL &&
		strcmp(name, NameStr(*DatumGetName(row->values[ADMISSION_ROLE_NAME]))) == 0;
}

/* is_over: was it dismissed, or has its time come? */
static bool
is_over(const AdmissionRow *row, TimestampTz now)
{
	return !row->nulls[ADMISSION_DISMISSED_AT] ||
		DatumGetTimestampTz(row->values[ADMISSION_UNTIL]) <= now;
}

/*
 * read_rows
 *		The rows that an index finds, or all without one; palloc'd.
 *
 * By a snapshot of now, which also sees what the current command wrote.
 */
static AdmissionRow *
read_rows(int *count, Relation table, Oid index, ScanKey keys, int key_count)
{
	Snapshot	snapshot = RegisterSnapshot(GetCatalogSnapshot(RelationGetRelid(table)));
	AdmissionRow *rows = palloc(sizeof(AdmissionRow) * 16);
	SysScanDesc scan;
	HeapTuple	tuple;
	int			room = 16;

	snapshot->curcid = GetCurrentCommandId(false) + 1;
	scan = systable_beginscan(table, index, OidIsValid(index), snapshot, key_count, keys);
	*count = 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (*count == room)
		{
			room *= 2;
			rows = repalloc_huge(rows, sizeof(AdmissionRow) * room);
		}
		rows[*count].tuple = heap_copytuple(tuple);
		heap_deform_tuple(rows[*count].tuple, RelationGetDescr(table), rows[*count].values, rows[*count].nulls);
		(*count)++;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return rows;
}

/*
 * rows_of_role
 *		The admissions of one role, believed or not.
 *
 * The index leaves out those that are over, which gather over the years; without
 * it, where no index of the system is used, they are among the others.
 */
static AdmissionRow *
rows_of_role(int *count, Relation table, Oid role, TimestampTz now)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], ADMISSION_ROLE_OID + 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(role));
	ScanKeyEntryInitialize(&keys[1], SK_ISNULL | SK_SEARCHNULL, ADMISSION_DISMISSED_AT + 1,
						   InvalidStrategy, InvalidOid, InvalidOid, InvalidOid, (Datum) 0);
	ScanKeyInit(&keys[2], ADMISSION_UNTIL + 1, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT,
				TimestampTzGetDatum(now));
	return read_rows(count, table, seal_relation_oid(ROLE_INDEX), keys, IgnoreSystemIndexes ? 1 : lengthof(keys));
}

/* row_of_id: one admission; false when there is none. */
static bool
row_of_id(AdmissionRow *row, Relation table, uint64 id)
{
	AdmissionRow *rows;
	ScanKeyData key;
	int			count;

	ScanKeyInit(&key, ADMISSION_ID + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum((int64) id));
	rows = read_rows(&count, table, RelationGetPrimaryKeyIndex(table), &key, 1);
	if (count == 0)
		return false;
	*row = rows[0];
	return true;
}

/* read_admission: what a row says. */
static void
read_admission(Admission *admission, const AdmissionRow *row)
{
	*admission = (Admission) {
		.id = (uint64) DatumGetInt64(row->values[ADMISSION_ID]),
		.subject = (uint64) DatumGetInt64(row->values[ADMISSION_SUBJECT]),
		.subject_type = *DatumGetName(row->values[ADMISSION_SUBJECT_TYPE]),
		.role = DatumGetObjectId(row->values[ADMISSION_ROLE_OID]),
		.granted_by = DatumGetObjectId(row->values[ADMISSION_GRANTED_BY_OID]),
		.until = DatumGetTimestampTz(row->values[ADMISSION_UNTIL]),
		.break_glass = DatumGetBool(row->values[ADMISSION_BREAK_GLASS]),
		.signed_off = !row->nulls[ADMISSION_SIGNED_OFF_AT],
	};
}

/*
 * is_uncommitted_glass
 *		A broken glass counts from its commit on: rolled back, it would have
 *		opened values and alarmed nobody.
 */
static bool
is_uncommitted_glass(const AdmissionRow *row)
{
	return DatumGetBool(row->values[ADMISSION_BREAK_GLASS]) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row->tuple->t_data));
}

/*
 * admissions_of
 *		What a role is admitted to now: rows that count.
 *
 *	found		out: palloc'd
 *
 * SEAL_OK, SEAL_E_SUBJECT_KEY, or what ring_verify() says.
 */
SealError
admissions_of(Admission **found, int *count, Oid role)
{
	SealError	error = ring_verify();
	TimestampTz now = GetCurrentTimestamp();
	Relation	table;
	AdmissionRow *rows;
	int			row_count;

	*count = 0;
	if (error != SEAL_OK)
		return error;
	table = open_table(AccessShareLock);
	rows = rows_of_role(&row_count, table, role, now);
	table_close(table, NoLock);
	*found = palloc(sizeof(Admission) * (row_count + 1));
	for (int i = 0; i < row_count && error == SEAL_OK; i++)
	{
		if (!is_complete(&rows[i]) || is_over(&rows[i], now) || is_uncommitted_glass(&rows[i]) ||
			!is_bound(&rows[i]))
			continue;
		error = check_row(&rows[i]);
		if (error == SEAL_OK)
			read_admission(&(*found)[(*count)++], &rows[i]);
		else if (error == SEAL_E_CORRUPT)
			error = SEAL_OK;
	}
	return error;
}

/* admission_is_open: has a role any admission that is not over? */
bool
admission_is_open(Oid role)
{
	Relation	table = open_table(AccessShareLock);
	TimestampTz now = GetCurrentTimestamp();
	AdmissionRow *rows;
	int			count;
	bool		open = false;

	rows = rows_of_role(&count, table, role, now);
	table_close(table, NoLock);
	for (int i = 0; i < count && !open; i++)
		open = !is_over(&rows[i], now) && check_row(&rows[i]) == SEAL_OK;
	return open;
}

/*
 * admission_find
 *		The admission with this id, over or not.
 *
 * SEAL_OK, SEAL_E_CORRUPT when there is none or it was altered,
 * SEAL_E_SUBJECT_KEY, or what ring_verify() says.
 */
SealError
admission_find(Admission *admission, uint64 id)
{
	Relation	table = open_table(AccessShareLock);
	AdmissionRow row;
	bool		found = row_of_id(&row, table, id);
	SealError	error = found ? check_row(&row) : SEAL_E_CORRUPT;

	table_close(table, NoLock);
	if (error == SEAL_OK)
		read_admission(admission, &row);
	return error;
}

/* admission_state: what a row is worth, for the view. */
AdmissionState
admission_state(uint64 id)
{
	Relation	table = open_table(AccessShareLock);
	AdmissionRow row;
	bool		found = row_of_id(&row, table, id);
	SealError	error = ring_verify();

	table_close(table, NoLock);
	if (error == SEAL_OK)
		error = found ? check_row(&row) : SEAL_E_CORRUPT;
	if (error == SEAL_E_CORRUPT)
		return ADMISSION_INVALID;
	if (error != SEAL_OK)
		return ADMISSION_UNVERIFIED;
	if (!row.nulls[ADMISSION_DISMISSED_AT])
		return ADMISSION_DISMISSED;
	if (is_over(&row, GetCurrentTimestamp()))
		return ADMISSION_OVER;
	return is_bound(&row) ? ADMISSION_VALID : ADMISSION_UNBOUND;
}

/* ----------
 * Writing
 * ----------
 */

/* set: give a column a value. */
static void
set(AdmissionRow *row, AdmissionColumn column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/* set_name: one of type name, in memory that lasts as long as the row. */
static void
set_name(AdmissionRow *row, AdmissionColumn column, const char *name)
{
	Name		copy = palloc0(sizeof(NameData));

	namestrcpy(copy, name);
	set(row, column, NameGetDatum(copy));
}

/* set_text: one of type text; NULL is null. */
static void
set_text(AdmissionRow *row, AdmissionColumn column, const char *text)
{
	row->nulls[column] = true;
	if (text != NULL)
		set(row, column, CStringGetTextDatum(text));
}

/* store: write a row with its MAC, and tell every backend. */
static void
store(Relation table, AdmissionRow *row)
{
	SealKey    *key;
	unsigned char mac[MAC_BYTES];
	SealError	error = lend_version(&key, 0);
	HeapTuple	tuple;

	if (error != SEAL_OK)
		ring_raise(error, 0);
	set(row, ADMISSION_KEY_VERSION, Int16GetDatum((int16) sealkey_version(key)));
	row_mac_of(mac, row, key);
	set(row, ADMISSION_MAC, PointerGetDatum(cstring_to_text_with_len((char *) mac, MAC_BYTES)));
	tuple = heap_form_tuple(RelationGetDescr(table), row->values, row->nulls);
	if (row->tuple == NULL)
		CatalogTupleInsert(table, tuple);
	else
		CatalogTupleUpdate(table, &row->tuple->t_self, tuple);
	CacheInvalidateRelcache(table);
	CommandCounterIncrement();
}

/* open_to_change: who changes a row waits for others who do, and not for who makes one. */
static Relation
open_to_change(void)
{
	SealError	error = ring_verify();

	if (error != SEAL_OK)
		ring_raise(error, 0);
	PreventCommandIfReadOnly("a change of an admission");
	return open_table(ShareUpdateExclusiveLock);
}

/*
 * admission_write
 *		Admit a role to a subject; returns the id.
 *
 *	reason		sealed, as text; NULL without one
 *
 * 25006 where nothing can be written; 55000.
 */
uint64
admission_write(const Admission *admission, const char *purpose, const char *reason)
{
	AdmissionRow row = {.tuple = NULL};
	SealError	error = ring_verify();
	Relation	table;
	uint64		id;

	if (error != SEAL_OK)
		ring_raise(error, 0);
	PreventCommandIfReadOnly("an admission");
	table = open_table(RowExclusiveLock);
	randombytes_buf(&id, sizeof(id));
	id = Max(id & PG_INT64_MAX, 1);
	memset(row.nulls, true, sizeof(row.nulls));
	set(&row, ADMISSION_ID, Int64GetDatum((int64) id));
	set(&row, ADMISSION_SUBJECT, Int64GetDatum((int64) admission->subject));
	set_name(&row, ADMISSION_SUBJECT_TYPE, NameStr(admission->subject_type));
	set(&row, ADMISSION_ROLE, ObjectIdGetDatum(admission->role));
	set(&row, ADMISSION_ROLE_OID, ObjectIdGetDatum(admission->role));
	set_name(&row, ADMISSION_ROLE_NAME, GetUserNameFromId(admission->role, false));
	set_text(&row, ADMISSION_PURPOSE, purpose);
	set_name(&row, ADMISSION_GRANTED_BY, GetUserNameFromId(admission->granted_by, false));
	set(&row, ADMISSION_GRANTED_BY_OID, ObjectIdGetDatum(admission->granted_by));
	set(&row, ADMISSION_GRANTED_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	set(&row, ADMISSION_UNTIL, TimestampTzGetDatum(admission->until));
	set(&row, ADMISSION_BREAK_GLASS, BoolGetDatum(admission->break_glass));
	set_text(&row, ADMISSION_REASON, reason);
	store(table, &row);
	table_close(table, NoLock);
	return id;
}

/* admission_dismiss: end what a role is admitted to of a subject; how many admissions were ended. */
int
admission_dismiss(uint64 subject, Oid role)
{
	Relation	table = open_to_change();
	TimestampTz now = GetCurrentTimestamp();
	AdmissionRow *rows;
	int			count;
	int			dismissed = 0;

	rows = rows_of_role(&count, table, role, now);
	for (int i = 0; i < count; i++)
	{
		if ((uint64) DatumGetInt64(rows[i].values[ADMISSION_SUBJECT]) != subject ||
			is_over(&rows[i], now) || check_row(&rows[i]) != SEAL_OK)
			continue;
		set(&rows[i], ADMISSION_DISMISSED_AT, TimestampTzGetDatum(now));
		store(table, &rows[i]);
		dismissed++;
	}
	table_close(table, NoLock);
	return dismissed;
}

/* admission_sign_off: somebody looked at a broken glass; note: sealed, as text.  False when somebody else just did. */
bool
admission_sign_off(uint64 id, Oid by, const char *note)
{
	Relation	table = open_to_change();
	AdmissionRow row;
	bool		open = row_of_id(&row, table, id) && check_row(&row) == SEAL_OK &&
		row.nulls[ADMISSION_SIGNED_OFF_AT];

	if (open)
	{
		set_name(&row, ADMISSION_SIGNED_OFF_BY, GetUserNameFromId(by, false));
		set(&row, ADMISSION_SIGNED_OFF_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
		set_text(&row, ADMISSION_NOTE, note);
		store(table, &row);
	}
	table_close(table, NoLock);
	return open;
}

/* admission_rename: the admissions of a role go on under its new name; how many that were still good. */
int
admission_rename(Oid role, const char *old_name, const char *name)
{
	Relation	table = open_to_change();
	TimestampTz now = GetCurrentTimestamp();
	AdmissionRow *rows;
	int			count;
	int			renamed = 0;

	rows = rows_of_role(&count, table, role, now);
	for (int i = 0; i < count; i++)
	{
		if (is_over(&rows[i], now) || check_row(&rows[i]) != SEAL_OK ||
			strcmp(NameStr(*DatumGetName(rows[i].values[ADMISSION_ROLE_NAME])), old_name) != 0)
			continue;
		set_name(&rows[i], ADMISSION_ROLE_NAME, name);
		store(table, &rows[i]);
		renamed++;
	}
	table_close(table, NoLock);
	return renamed;
}

/*
 * admission_rebind
 *		Bind admissions that are still good to the roles that have their names in
 *		this cluster, after a restore; how many.
 */
int
admission_rebind(void)
{
	Relation	table = open_to_change();
	TimestampTz now = GetCurrentTimestamp();
	AdmissionRow *rows;
	int			count;
	int			bound = 0;

	rows = read_rows(&count, table, InvalidOid, NULL, 0);
	for (int i = 0; i < count; i++)
	{
		Oid			role;

		if (!is_complete(&rows[i]) || is_over(&rows[i], now) || is_bound(&rows[i]) || check_row(&rows[i]) != SEAL_OK)
			continue;
		role = get_role_oid(NameStr(*DatumGetName(rows[i].values[ADMISSION_ROLE_NAME])), true);
		if (!OidIsValid(role))
			continue;
		set(&rows[i], ADMISSION_ROLE, ObjectIdGetDatum(role));
		set(&rows[i], ADMISSION_ROLE_OID, ObjectIdGetDatum(role));
		store(table, &rows[i]);
		bound++;
	}
	table_close(table, NoLock);
	return bound;
}
