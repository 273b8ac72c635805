/*-------------------------------------------------------------------------
 * protected.c
 *		What must be known of a protected table to seal a row of it.
 *
 * Floor 5.  A partition is protected by what protects its topmost ancestor;
 * columns are found by their names, which are the same there.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "catalog/partition.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* ----------
 * Which table
 * ----------
 */

/*
 * protection_relation
 *		The table whose protection holds for this one: itself, or of a partition
 *		its topmost ancestor that has one; InvalidOid for a table without any.
 */
Oid
protection_relation(Oid relation)
{
	Oid			found = ring_protection_of(relation) != NULL ? relation : InvalidOid;
	ListCell   *cell;

	if (!get_rel_relispartition(relation))
		return found;
	foreach(cell, get_partition_ancestors(relation))
		if (ring_protection_of(lfirst_oid(cell)) != NULL)
			found = lfirst_oid(cell);
	return found;
}

/* protection_copy: what the ring says of a table, to keep; false when it says nothing. */
bool
protection_copy(RingProtection *copy, Oid relation)
{
	const RingProtection *ring = ring_protection_of(relation);
	NameData   *columns;
	uint64	   *numbers;

	if (ring == NULL)
		return false;
	*copy = *ring;
	columns = palloc(sizeof(NameData) * Max(copy->column_count, 1));
	numbers = palloc(sizeof(uint64) * Max(copy->column_count, 1));
	memcpy(columns, copy->columns, sizeof(NameData) * copy->column_count);
	memcpy(numbers, copy->numbers, sizeof(uint64) * copy->column_count);
	copy->columns = columns;
	copy->numbers = numbers;
	return true;
}

/* ----------
 * Columns
 * ----------
 */

/* read_key: the columns of the primary key, in its order. */
static void
read_key(Protected *protected, Relation relation)
{
	AttrNumber	columns[INDEX_MAX_KEYS];

	protected->key_count = place_columns(columns, relation);
	if (protected->key_count == 0)
		error_raise(SEAL_E_NO_PRIMARY_KEY, RelationGetRelationName(relation));
	protected->key = palloc(sizeof(ProtectedKey) * protected->key_count);
	for (int i = 0; i < protected->key_count; i++)
	{
		Oid			type = TupleDescAttr(RelationGetDescr(relation), columns[i] - 1)->atttypid;

		protected->key[i].attribute = columns[i];
		if (!place_part_init(&protected->key[i].part, type, protected->context))
			error_raise(SEAL_E_PLACE_TYPE, format_type_be(type));
	}
}

/* find_attribute: of a name; it is there, or the protection would have followed. */
static Form_pg_attribute
find_attribute(Relation relation, const char *name)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), name);

	if (number <= 0)
		error_raise(SEAL_E_PROTECTION_CLOSED, RelationGetRelationName(relation));
	return TupleDescAttr(RelationGetDescr(relation), number - 1);
}

/* read_subject: the column that says whom the row is about. */
static void
read_subject(Protected *protected, Relation relation, const char *name)
{
	Form_pg_attribute attribute = find_attribute(relation, name);
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(attribute->atttypid, &output, &is_varlena);
	fmgr_info_cxt(output, &protected->subject_output, protected->context);
	protected->subject = attribute->attnum;
}

/* read_column: one sealed column. */
static void
read_column(ProtectedColumn *column, Relation relation, const char *name, uint64 number)
{
	Form_pg_attribute attribute = find_attribute(relation, name);
	int32		typmod = attribute->atttypmod;

	(void) getBaseTypeAndTypmod(attribute->atttypid, &typmod);
	column->attribute = attribute->attnum;
	column->typmod = typmod;
	column->number = number;
	column->name = attribute->attname;
}

/* read_protection: what the ring says. */
static void
read_protection(Protected *protected, Relation relation)
{
	RingProtection ring;

	if (!protection_copy(&ring, protected->logical))
		elog(ERROR, "no protection of table %u", protected->logical);
	protected->complete = ring.complete;
	protected->closed = ring.closed;
	protected->subject_type = ring.subject_type;
	protected->column_count = ring.column_count;
	protected->columns = palloc0(sizeof(ProtectedColumn) * Max(ring.column_count, 1));
	if (ring.closed)
		return;
	for (int i = 0; i < ring.column_count; i++)
		read_column(&protected->columns[i], relation, NameStr(ring.columns[i]), ring.numbers[i]);
	read_subject(protected, relation, NameStr(ring.subject_column));
	read_key(protected, relation);
}

/* read_table: everything; NULL when nothing protects the table. */
static void *
read_table(Relation relation, Oid others[KNOWN_OTHERS])
{
	Oid			logical = protection_relation(RelationGetRelid(relation));
	Protected  *protected;

	if (!OidIsValid(logical))
		return NULL;
	protected = palloc0(sizeof(Protected));
	protected->context = CurrentMemoryContext;
	protected->logical = others[0] = logical;
	read_protection(protected, relation);
	return protected;
}

/*
 * protected_of
 *		What is known of a table that the query has locked; NULL when nothing
 *		protects it.
 *
 * Valid until the end of the transaction.  55000 when a column of it is gone.
 */
Protected *
protected_of(Relation relation)
{
	static KnownTables tables = {.name = "pgseal protected tables",.read = read_table};

	return known_of(&tables, relation);
}
