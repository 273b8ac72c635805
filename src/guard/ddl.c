/*-------------------------------------------------------------------------
 * ddl.c
 *		Which definitions may not be: columns without a key, indexes that
 *		could not find anything, stored expressions that need clear values.
 *
 * Floor 5.  Each function judges one object right after it was written; an
 * error undoes the command.  What a stored expression may do is in stored.c.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "guard/internal.h"

#include "keys/keys.h"
#include "access/relation.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"

/* column_row: pg_attribute of a column, NULL when it is dropped. */
static HeapTuple
column_row(Oid relation, AttrNumber column)
{
	HeapTuple	row = fresh_of_column(AttributeRelationId, AttributeRelidNumIndexId,
									  Anum_pg_attribute_attrelid, Anum_pg_attribute_attnum,
									  relation, column);

	if (row == NULL || ((Form_pg_attribute) GETSTRUCT(row))->attisdropped)
		return NULL;
	return row;
}

/* relation_row: pg_class of a relation, or NULL. */
static HeapTuple
relation_row(Oid relation)
{
	return fresh_by_oid(RelationRelationId, ClassOidIndexId, Anum_pg_class_oid, relation);
}

/* ----------
 * Columns and domains
 * ----------
 */

/* range_element: what a range or multirange is of, or InvalidOid. */
static Oid
range_element(Oid type)
{
	Oid			range = get_multirange_range(type);

	return get_range_subtype(OidIsValid(range) ? range : type);
}

/* hold_key: the key of a column that is being made is not dropped meanwhile. */
static void
hold_key(Oid type, int32 typmod)
{
	const RingKey *row;
	int32		key;

	if (!column_key(type, typmod, &key) || key < 0)
		return;
	ring_hold();
	row = ring_key_by_id((uint32) key);
	if (row != NULL && row->dropped)
		error_raise(SEAL_E_UNKNOWN_KEY, NameStr(row->name));
}

/* check_column_type: of a column or a domain. */
static void
check_column_type(const char *name, Oid type, int32 typmod)
{
	Oid			element = get_base_element_type(type);

	if (sealed_kind_of_type(type) != SEALED_NONE && typmod < 0)
		error_raise(SEAL_E_NO_COLUMN_KEY, name);
	if (OidIsValid(element) && sealed_kind_of_type(getBaseType(element)) != SEALED_NONE)
		error_raise(SEAL_E_ARRAY, name);
	if (sealed_kind_of_type(range_element(type)) != SEALED_NONE)
		error_raise(SEAL_E_TOKEN_ORDER, NULL);
	hold_key(type, typmod);
}

static void
check_column(Oid relation, AttrNumber column)
{
	HeapTuple	row = column_row(relation, column);
	Form_pg_attribute attribute;

	if (row == NULL)
		return;
	attribute = (Form_pg_attribute) GETSTRUCT(row);
	check_column_type(NameStr(attribute->attname), attribute->atttypid, attribute->atttypmod);
}

/* ddl_check_type: CREATE DOMAIN, ALTER DOMAIN ... SET DEFAULT. */
void
ddl_check_type(Oid type)
{
	HeapTuple	row = fresh_by_oid(TypeRelationId, TypeOidIndexId, Anum_pg_type_oid, type);
	Form_pg_type form;

	if (row == NULL)
		return;
	form = (Form_pg_type) GETSTRUCT(row);
	if (form->typtype != TYPTYPE_DOMAIN)
		return;
	check_column_type(NameStr(form->typname), form->typbasetype, form->typtypmod);
	stored_check_default(fresh_tree(TypeRelationId, row, Anum_pg_type_typdefaultbin), "domain default");
}

/* ----------
 * Indexes
 * ----------
 */

/* check_index_column: a column of the table; the index's own may hold a hash instead. */
static void
check_index_column(Oid table, AttrNumber column)
{
	Form_pg_attribute attribute = (Form_pg_attribute) GETSTRUCT(column_row(table, column));

	column_require_searchable_inside(attribute->atttypid, attribute->atttypmod);
}

/* check_index: what is searched for must have tokens; INCLUDE is free. */
static void
check_index(Oid index)
{
	HeapTuple	row = fresh_by_oid(IndexRelationId, IndexRelidIndexId, Anum_pg_index_indexrelid, index);
	Form_pg_index form;
	List	   *exprs;
	ListCell   *cell;
	int			i;

	if (row == NULL)
		return;
	form = (Form_pg_index) GETSTRUCT(row);
	for (i = 0; i < form->indnkeyatts; i++)
		if (form->indkey.values[i] > 0)
			check_index_column(form->indrelid, form->indkey.values[i]);
	exprs = (List *) fresh_tree(IndexRelationId, row, Anum_pg_index_indexprs);
	stored_check((Node *) exprs, "functional index");
	foreach(cell, exprs)
		column_require_searchable_inside(exprType(lfirst(cell)), exprTypmod(lfirst(cell)));
	stored_check(fresh_tree(IndexRelationId, row, Anum_pg_index_indpred), "partial index");
}

/*
 * ddl_check_relation
 *		CREATE or ALTER TABLE, TYPE AS, FOREIGN TABLE, MATERIALIZED VIEW, INDEX.
 *
 *	column		the one that was added or changed, or 0 for all
 *
 * Views hold no data and need no key.
 */
void
ddl_check_relation(Oid relation, AttrNumber column)
{
	HeapTuple	row = relation_row(relation);
	Form_pg_class class;
	AttrNumber	last;

	if (row == NULL)
		return;
	class = (Form_pg_class) GETSTRUCT(row);
	last = column != 0 ? column : class->relnatts;
	switch (class->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_MATVIEW:
		case RELKIND_COMPOSITE_TYPE:
			for (column = Max(column, 1); column <= last; column++)
				check_column(relation, column);
			break;
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			check_index(relation);
			break;
		default:
			break;
	}
}

/* ----------
 * Constraints, defaults, triggers
 * ----------
 */

/* key_of_column: false when the column is not sealed. */
static bool
key_of_column(Oid relation, AttrNumber column, int32 *key)
{
	Form_pg_attribute attribute = (Form_pg_attribute) GETSTRUCT(column_row(relation, column));

	return column_key(attribute->atttypid, attribute->atttypmod, key);
}

/* constraint_columns: an int2[] of pg_constraint. */
static Datum *
constraint_columns(HeapTuple row, AttrNumber attribute, int *count)
{
	bool		isnull;
	Datum		columns = fresh_value(ConstraintRelationId, row, attribute, &isnull);
	Datum	   *numbers;

	deconstruct_array(DatumGetArrayTypeP(columns), INT2OID, sizeof(int16), true, TYPALIGN_SHORT,
					  &numbers, NULL, count);
	return numbers;
}

/* check_foreign_key: the tokens of two keys never meet. */
static void
check_foreign_key(HeapTuple row)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(row);
	int			count;
	Datum	   *columns = constraint_columns(row, Anum_pg_constraint_conkey, &count);
	Datum	   *referenced = constraint_columns(row, Anum_pg_constraint_confkey, &count);
	int			i;

	for (i = 0; i < count; i++)
	{
		int32		key,
					other;
		bool		sealed = key_of_column(form->conrelid, DatumGetInt16(columns[i]), &key);

		if (sealed != key_of_column(form->confrelid, DatumGetInt16(referenced[i]), &other))
			error_raise(SEAL_E_KEY_NOT_KNOWN, NULL);
		if (!sealed)
			continue;
		if (key != other)
			error_raise(SEAL_E_KEYS_DIFFER, NULL);
		column_require_searchable(key);
	}
}

/* ddl_check_constraint: CHECK and FOREIGN KEY; the others are indexes. */
void
ddl_check_constraint(Oid constraint)
{
	HeapTuple	row = fresh_by_oid(ConstraintRelationId, ConstraintOidIndexId,
								   Anum_pg_constraint_oid, constraint);

	if (row == NULL)
		return;
	if (((Form_pg_constraint) GETSTRUCT(row))->contype == CONSTRAINT_CHECK)
		stored_check(fresh_tree(ConstraintRelationId, row, Anum_pg_constraint_conbin), "CHECK constraint");
	if (((Form_pg_constraint) GETSTRUCT(row))->contype == CONSTRAINT_FOREIGN)
		check_foreign_key(row);
}

/* ddl_check_default: DEFAULT and GENERATED ALWAYS AS (expression). */
void
ddl_check_default(Oid relation, AttrNumber column)
{
	HeapTuple	row = fresh_of_column(AttrDefaultRelationId, AttrDefaultIndexId,
									  Anum_pg_attrdef_adrelid, Anum_pg_attrdef_adnum,
									  relation, column);
	HeapTuple	attribute = column_row(relation, column);
	Node	   *expr;

	if (row == NULL || attribute == NULL)
		return;
	expr = fresh_tree(AttrDefaultRelationId, row, Anum_pg_attrdef_adbin);
	if (((Form_pg_attribute) GETSTRUCT(attribute))->attgenerated != '\0')
		stored_check(expr, "generated column");
	else
		stored_check_default(expr, "default");
}

/* ddl_check_trigger: WHEN (condition). */
void
ddl_check_trigger(Oid trigger)
{
	HeapTuple	row = fresh_by_oid(TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, trigger);

	if (row != NULL)
		stored_check(fresh_tree(TriggerRelationId, row, Anum_pg_trigger_tgqual), "trigger condition");
}

/* ----------
 * Extended statistics
 * ----------
 */

/* has_kind: is one of the kinds in a char[] of pg_statistic_ext. */
static bool
has_kind(HeapTuple row, char kind)
{
	bool		isnull;
	Datum		value = fresh_value(StatisticExtRelationId, row, Anum_pg_statistic_ext_stxkind, &isnull);
	Datum	   *kinds;
	int			count,
				i;

	deconstruct_array(DatumGetArrayTypeP(value), CHAROID, sizeof(char), true, TYPALIGN_CHAR,
					  &kinds, NULL, &count);
	for (i = 0; i < count; i++)
		if (DatumGetChar(kinds[i]) == kind)
			return true;
	return false;
}

/*
 * ddl_check_statistics
 *		CREATE STATISTICS.
 *
 * Counts of distinct values and dependencies hold no value.  Lists of most
 * common values say which patients share one, so a sealed type gets none:
 * not from its own statistics, and not here.
 */
void
ddl_check_statistics(Oid statistics)
{
	HeapTuple	row = fresh_by_oid(StatisticExtRelationId, StatisticExtOidIndexId,
								   Anum_pg_statistic_ext_oid, statistics);
	Form_pg_statistic_ext form;
	Node	   *exprs;
	ListCell   *cell;
	int			i;

	if (row == NULL)
		return;
	form = (Form_pg_statistic_ext) GETSTRUCT(row);
	for (i = 0; i < form->stxkeys.dim1 && has_kind(row, STATS_EXT_MCV); i++)
	{
		Form_pg_attribute column = (Form_pg_attribute) GETSTRUCT(column_row(form->stxrelid,
																			form->stxkeys.values[i]));

		if (sealed_type_inside(column->atttypid))
			error_raise(SEAL_E_STORED_USE, "statistics object of kind mcv");
	}
	exprs = fresh_tree(StatisticExtRelationId, row, Anum_pg_statistic_ext_stxexprs);
	stored_check(exprs, "statistics object");
	foreach(cell, (List *) exprs)
		if (sealed_type_inside(exprType(lfirst(cell))))
			error_raise(SEAL_E_STORED_USE, "statistics object");
}

/* ----------
 * Materialized views and partition keys
 * ----------
 */

/* check_matview: walker over the query of a materialized view. */
static bool
check_matview(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, check_matview, context, 0);
	stored_check_in_query(node, "materialized view");
	return expression_tree_walker(node, check_matview, context);
}

/*
 * ddl_check_matview
 *		The query of a materialized view, or the actions of the rule that keeps it.
 *
 * A reveal or a search behind a view or a function is stopped by the gate,
 * which lends no key for either while a materialized view is filled.
 */
void
ddl_check_matview(Node *query)
{
	(void) check_matview(query, NULL);
}

/* ddl_check_rule: of a materialized view; other rules are planned when they are used. */
void
ddl_check_rule(Oid rule)
{
	HeapTuple	row = fresh_by_oid(RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, rule);
	HeapTuple	relation;

	if (row == NULL)
		return;
	relation = relation_row(((Form_pg_rewrite) GETSTRUCT(row))->ev_class);
	if (relation != NULL && ((Form_pg_class) GETSTRUCT(relation))->relkind == RELKIND_MATVIEW)
		ddl_check_matview(fresh_tree(RewriteRelationId, row, Anum_pg_rewrite_ev_action));
}

/* ddl_check_partition_key: rows are routed by tokens, which have no order. */
void
ddl_check_partition_key(Oid relation)
{
	Relation	table;
	PartitionKey key;
	int			i;

	if (!OidIsValid(relation))
		return;
	table = relation_open(relation, AccessShareLock);
	key = RelationGetPartitionKey(table);
	for (i = 0; key != NULL && i < key->partnatts; i++)
	{
		if (!sealed_type_inside(key->parttypid[i]))
			continue;
		if (key->strategy == PARTITION_STRATEGY_RANGE)
			error_raise(SEAL_E_TOKEN_ORDER, NULL);
		column_require_searchable_inside(key->parttypid[i], key->parttypmod[i]);
	}
	if (key != NULL)
		stored_check((Node *) key->partexprs, "partition key");
	relation_close(table, NoLock);
}
