/*-------------------------------------------------------------------------
 * fresh.c
 *		Catalog rows as the running command left them.
 *
 * Floor 5.  An access hook fires before the command counter moves, so what it
 * is called about is in no cache and in no ordinary snapshot: SnapshotSelf.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "guard/internal.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* first_row: a copy of the row the scan keys name, or NULL. */
static HeapTuple
first_row(Oid catalog, Oid index, ScanKey keys, int count)
{
	Relation	relation = table_open(catalog, AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, index, true, SnapshotSelf, count, keys);
	HeapTuple	row = systable_getnext(scan);

	if (HeapTupleIsValid(row))
		row = heap_copytuple(row);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return row;
}

/* fresh_by_oid: NULL when there is no such row (any more). */
HeapTuple
fresh_by_oid(Oid catalog, Oid index, AttrNumber key, Oid oid)
{
	ScanKeyData keys[1];

	ScanKeyInit(&keys[0], key, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	return first_row(catalog, index, keys, 1);
}

/* fresh_of_column: from a catalog whose key is a relation and a column number. */
HeapTuple
fresh_of_column(Oid catalog, Oid index, AttrNumber relation_key, AttrNumber column_key,
			  Oid relation, AttrNumber column)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], relation_key, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	ScanKeyInit(&keys[1], column_key, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(column));
	return first_row(catalog, index, keys, 2);
}

/* fresh_value: one attribute of a row, valid as long as the row. */
Datum
fresh_value(Oid catalog, HeapTuple row, AttrNumber attribute, bool *isnull)
{
	Relation	relation = table_open(catalog, AccessShareLock);
	Datum		value = heap_getattr(row, attribute, RelationGetDescr(relation), isnull);

	table_close(relation, AccessShareLock);
	return value;
}

/* fresh_tree: a stored expression, or NULL. */
Node *
fresh_tree(Oid catalog, HeapTuple row, AttrNumber attribute)
{
	bool		isnull;
	Datum		value = fresh_value(catalog, row, attribute, &isnull);

	return isnull ? NULL : stringToNode(TextDatumGetCString(value));
}
