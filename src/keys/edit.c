/*-------------------------------------------------------------------------
 * edit.c
 *		Changes of the key ring, whole or not at all.
 *
 * Floor 1.  One change at a time: an editor holds ShareRowExclusiveLock on the
 * ring's tables until the end of its transaction, seal.ring_head first.  Rows
 * are written as catalog rows are, without SPI: no search_path, trigger or row
 * security of somebody else comes between; the head is written last.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/edit.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_namespace.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* bytea_datum: bytes as a bytea in the current memory context. */
static Datum
bytea_datum(const unsigned char *bytes, size_t len)
{
	return PointerGetDatum(cstring_to_text_with_len((const char *) bytes, len));
}

/* ring_start_row: a new row, all columns null. */
void
ring_start_row(RingRow *row, RingTable table)
{
	row->table = table;
	row->tuple = NULL;
	for (int i = 0; i < RING_MAX_COLUMNS; i++)
	{
		row->values[i] = (Datum) 0;
		row->nulls[i] = true;
	}
}

/* ring_set: give a column a value. */
void
ring_set(RingRow *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

/* store_row: write the row with its MAC, and tell every backend. */
static void
store_row(RingEditor *editor, RingRow *row)
{
	Relation	relation = table_open(seal_relation_oid(ring_table_name(row->table)), RowExclusiveLock);
	unsigned char mac[MAC_BYTES];
	HeapTuple	tuple;

	ring_set(row, row_column(row->table, COMMON_ROOT),
			 CStringGetTextDatum(editor->root->fingerprint));
	row_mac(mac, row, RelationGetDescr(relation), &editor->mac_key);
	ring_set(row, row_column(row->table, COMMON_MAC), bytea_datum(mac, MAC_BYTES));
	tuple = heap_form_tuple(RelationGetDescr(relation), row->values, row->nulls);
	if (row->tuple == NULL)
		CatalogTupleInsert(relation, tuple);
	else
		CatalogTupleUpdate(relation, &row->tuple->t_self, tuple);
	CacheInvalidateRelcache(relation);
	table_close(relation, NoLock);
}

/*
 * ring_write
 *		Write a new or changed row of this change's generation.
 */
void
ring_write(RingEditor *editor, RingRow *row)
{
	ring_set(row, row_column(row->table, COMMON_GENERATION), Int64GetDatum(editor->generation));
	ring_set(row, row_column(row->table, COMMON_CHANGED_AT),
			 TimestampTzGetDatum(GetCurrentTimestamp()));
	store_row(editor, row);
}

/* ring_write_kept: write a row that keeps the generation and time it came with. */
void
ring_write_kept(RingEditor *editor, RingRow *row)
{
	store_row(editor, row);
}

/* ring_delete: take a row away; whoever holds an older ring may bring it back. */
void
ring_delete(RingEditor *editor, RingRow *row)
{
	Relation	relation = table_open(seal_relation_oid(ring_table_name(row->table)), RowExclusiveLock);

	CatalogTupleDelete(relation, &row->tuple->t_self);
	CacheInvalidateRelcache(relation);
	table_close(relation, NoLock);
}

/* ring_wrap: a secret, wrapped for its row under the editor's root. */
Datum
ring_wrap(RingEditor *editor, const RingRow *row, const unsigned char secret[SECRET_BYTES])
{
	unsigned char wrapped[WRAPPED_BYTES];
	unsigned char key[SECRET_BYTES];
	unsigned char bound[16];
	int			bound_len = secret_bound(bound, row);

	root_wrapping_key(key, editor->root);
	secret_wrap(wrapped, secret, bound, bound_len, key);
	sodium_memzero(key, sizeof(key));
	return bytea_datum(wrapped, WRAPPED_BYTES);
}

/* ring_unwrap: the secret of a row that was wrapped under a root; false when it does not open. */
bool
ring_unwrap(unsigned char secret[SECRET_BYTES], const RingRow *row, const Root *root)
{
	unsigned char wrapped[WRAPPED_BYTES];
	unsigned char key[SECRET_BYTES];
	unsigned char bound[16];
	int			bound_len = secret_bound(bound, row);
	bool		opened;

	if (!row_get_secret(wrapped, row, secret_column(row->table)))
		return false;
	root_wrapping_key(key, root);
	opened = secret_unwrap(secret, wrapped, bound, bound_len, key);
	sodium_memzero(key, sizeof(key));
	return opened;
}

/*
 * ring_set_new_secret
 *		Put a new random secret, wrapped, into a row whose key columns are set.
 */
void
ring_set_new_secret(RingEditor *editor, RingRow *row)
{
	unsigned char secret[SECRET_BYTES];

	randombytes_buf(secret, sizeof(secret));
	ring_set(row, secret_column(row->table), ring_wrap(editor, row, secret));
	sodium_memzero(secret, sizeof(secret));
}

/* write_head: what the rows are now. */
static void
write_head(RingEditor *editor)
{
	unsigned char digest[MAC_BYTES];
	RingRow		head;

	CommandCounterIncrement();
	ring_reload();
	ring_digest(digest);
	if (ring_rows(RING_HEAD) > 0)
		ring_row(&head, RING_HEAD, 0);
	else
		ring_start_row(&head, RING_HEAD);
	ring_set(&head, HEAD_SINGLETON, BoolGetDatum(true));
	ring_set(&head, HEAD_DIGEST, bytea_datum(digest, MAC_BYTES));
	ring_write(editor, &head);
	CommandCounterIncrement();
}

/* ring_generation: of the head as it stands; 0 before the first change. */
int64
ring_generation(void)
{
	RingRow		head;

	if (ring_rows(RING_HEAD) == 0)
		return 0;
	ring_row(&head, RING_HEAD, 0);
	return DatumGetInt64(head.values[row_column(RING_HEAD, COMMON_GENERATION)]);
}

/* choose_root: the ring's root; for an empty ring the active one; NULL when it is not loaded. */
static const Root *
choose_root(const RootSet *roots)
{
	return ring_root()[0] == '\0' ? &roots->roots[0] : roots_find(roots, ring_root());
}

/* writes_keys: was any row of seal.key written under this root? */
static bool
writes_keys(const Root *root)
{
	const LoadedTable *keys = ring_table(RING_KEY);
	HmacKey		mac_key;
	bool		found = false;

	root_mac_key(&mac_key, root);
	for (int i = 0; i < keys->count && !found; i++)
	{
		RingRow		row;

		row_deform(&row, RING_KEY, keys->tuples[i], keys->desc);
		found = row_mac_fits(&row, keys->desc, root->fingerprint, &mac_key);
	}
	sodium_memzero(&mac_key, sizeof(mac_key));
	return found;
}

/* find_root: the root that the keys say they are under, whatever the head says. */
static const Root *
find_root(const RootSet *roots)
{
	for (int i = 0; i < roots->count; i++)
	{
		if (writes_keys(&roots->roots[i]))
			return &roots->roots[i];
	}
	return ring_rows(RING_KEY) == 0 ? &roots->roots[0] : NULL;
}

/* ring_use_root: write under this root from now on. */
void
ring_use_root(RingEditor *editor, const Root *root)
{
	editor->root = root;
	root_mac_key(&editor->mac_key, root);
}

/* lock_ring: from here until the end of the transaction the ring is ours to change. */
static void
lock_ring(void)
{
	Oid			head = seal_relation_oid(ring_table_name(RING_HEAD));

	PreventCommandIfReadOnly("a change of the key ring");
	if (!OidIsValid(head))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("extension pgseal is not installed in this database"),
						errhint("CREATE EXTENSION pgseal;")));
	for (int table = RING_HEAD; table >= 0; table--)
		LockRelationOid(seal_relation_oid(ring_table_name(table)), ShareRowExclusiveLock);
	ring_reload();
}

/*
 * hold_keys
 *		A lock of its own on schema seal: a dump, which locks the ring's tables
 *		while it runs, is in nobody's way, and nobody is in the way of reading them.
 */
static void
hold_keys(LOCKMODE mode)
{
	Oid			schema = seal_schema_oid(true);

	if (OidIsValid(schema))
		LockDatabaseObject(NamespaceRelationId, schema, 0, mode);
}

/*
 * ring_hold
 *		Until the end of the transaction no key goes away: something that
 *		needs one is being made.
 */
void
ring_hold(void)
{
	hold_keys(AccessShareLock);
}

/*
 * ring_settle
 *		Wait for changes that are being made, and hear of all that were: a change
 *		keeps its lock until it has told everybody.
 */
void
ring_settle(void)
{
	Oid			head = seal_relation_oid(ring_table_name(RING_HEAD));

	LockRelationOid(head, ShareLock);
	UnlockRelationOid(head, ShareLock);
}

/*
 * ring_exclude
 *		Wait for whoever is making something that needs a key, and keep others
 *		from it until the end of the transaction.
 */
void
ring_exclude(void)
{
	PreventCommandIfReadOnly("a change of the key ring");
	hold_keys(AccessExclusiveLock);
}

/* edit_with_roots: run an edit and write the head; roots and keys are wiped on every way out. */
static void
edit_with_roots(RingEdit edit, void *arg, const Root *(*choose) (const RootSet *roots))
{
	RingEditor *editor = sodium_malloc(sizeof(RingEditor));
	SealError	error;

	if (editor == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for keys")));
	error = roots_load(&editor->roots);
	PG_TRY();
	{
		const Root *root;

		if (error != SEAL_OK)
			ring_raise(error, 0);
		root = choose(editor->roots);
		if (root == NULL)
			ring_raise(SEAL_E_ROOT_UNKNOWN, 0);
		ring_use_root(editor, root);
		editor->generation = ring_generation() + 1;
		edit(editor, arg);
		write_head(editor);
	}
	PG_FINALLY();
	{
		roots_free(editor->roots);
		sodium_free(editor);
	}
	PG_END_TRY();
}

/*
 * ring_change
 *		Change the ring; the edit and the new head are one.
 *
 * Raises what ring_verify() says: a ring that is not known to be true is not
 * changed, or the change would vouch for it.
 */
void
ring_change(RingEdit edit, void *arg)
{
	SealError	error;

	lock_ring();
	error = ring_verify();
	if (error != SEAL_OK)
		ring_raise(error, 0);
	edit_with_roots(edit, arg, choose_root);
}

/* accept_rows: an edit that changes no row. */
static void
accept_rows(RingEditor *editor, void *arg)
{
}

/*
 * ring_accept
 *		Vouch for the rows as they are: a new head, under the root that the
 *		keys are under.  Rows whose own MAC does not fit stay what they are.
 */
void
ring_accept(void)
{
	SealError	error;

	lock_ring();
	error = ring_verify();
	if (error == SEAL_E_NO_ROOT || error == SEAL_E_ROOT_FILE)
		ring_raise(error, 0);
	edit_with_roots(accept_rows, NULL, find_root);
}

/* rewrap_row: the same row under the new root. */
static void
rewrap_row(RingEditor *editor, RingRow *row, const Root *from)
{
	int			column = secret_column(row->table);
	unsigned char secret[SECRET_BYTES];

	if (column >= 0 && !row->nulls[column])
	{
		if (!ring_unwrap(secret, row, from))
			ring_raise(SEAL_E_KEY_CLOSED, DatumGetInt32(row->values[0]));
		ring_set(row, column, ring_wrap(editor, row, secret));
		sodium_memzero(secret, sizeof(secret));
	}
	ring_write_kept(editor, row);
}

/* rewrap_all: every valid row; one that does not fit is left as it is, and stays worth nothing. */
static void
rewrap_all(RingEditor *editor, void *arg)
{
	const Root *from = editor->root;

	ring_use_root(editor, &editor->roots->roots[0]);
	for (int table = 0; table < RING_HEAD; table++)
	{
		RingRow    *rows = palloc(sizeof(RingRow) * (ring_rows(table) + 1));
		int			valid = 0;
		int			next = 0;

		while (ring_next_valid(&rows[valid], table, &next))
			valid++;
		for (int i = 0; i < valid; i++)
			rewrap_row(editor, &rows[i], from);
	}
	*(char **) arg = pstrdup(editor->root->fingerprint);
}

/*
 * ring_rewrap_all
 *		Put the whole ring under the active root; returns its fingerprint.
 */
char *
ring_rewrap_all(void)
{
	char	   *fingerprint = NULL;

	ring_change(rewrap_all, &fingerprint);
	return fingerprint;
}
