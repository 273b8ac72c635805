/*-------------------------------------------------------------------------
 * cell.c
 *		How a revealing view shows a column of a protected table.
 *
 * Floor 5.  With the subject and the place of the row itself, so that a value
 * that was moved there from another patient, row or column does not open:
 *
 *		seal.show(name, patient_id::text, seal.place('4711'::bigint, id))
 *
 * The number is the column's in the ring, id the primary key.  A column that
 * came after the protection has no number and is shown without.  Of a partition
 * what protects its topmost ancestor holds; names of columns are the same there.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "keys/keys.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* ----------
 * What protects a table
 * ----------
 */

/* protection_of: the one of a table, or of a partition's topmost ancestor that has one; NULL without. */
static const RingProtection *
protection_of(Oid relation)
{
	Oid			found = relation;
	ListCell   *cell;

	if (get_rel_relispartition(relation))
		foreach(cell, get_partition_ancestors(relation))
			if (ring_protection_of(lfirst_oid(cell)) != NULL)
				found = lfirst_oid(cell);
	return ring_protection_of(found);
}

/* read_numbers: of the columns of the relation; those of dropped ones go with nothing. */
static void
read_numbers(CellForm *form, const RingProtection *protection)
{
	NameData   *names = palloc(sizeof(NameData) * protection->column_count);
	int			count = protection->column_count;
	int			i;

	form->numbers = palloc(sizeof(uint64) * count);
	form->columns = palloc(sizeof(AttrNumber) * count);
	form->column_count = count;
	memcpy(form->numbers, protection->numbers, sizeof(uint64) * count);
	memcpy(names, protection->columns, sizeof(NameData) * count);
	for (i = 0; i < count; i++)
		form->columns[i] = get_attnum(form->relation, NameStr(names[i]));
	pfree(names);
}

/* read_row: where the relation has its subject and its primary key. */
static void
read_row(CellForm *form, const char *subject_column)
{
	Relation	relation = table_open(form->relation, AccessShareLock);

	form->subject = get_attnum(form->relation, subject_column);
	form->key_count = place_columns(form->key, relation);
	table_close(relation, NoLock);
}

/*
 * cell_form
 *		How the columns of a table are shown; no column has a number where the
 *		table is not protected, or lacks what its protection is about.
 */
void
cell_form(CellForm *form, Oid relation)
{
	const RingProtection *protection = protection_of(relation);
	NameData	subject_column;

	memset(form, 0, sizeof(*form));
	form->relation = relation;
	if (protection == NULL)
		return;
	subject_column = protection->subject_column;
	read_numbers(form, protection);
	read_row(form, NameStr(subject_column));
	if (form->subject <= 0 || form->key_count == 0)
		form->column_count = 0;
}

/* cell_number: the number of a column; 0 when it has none. */
uint64
cell_number(const CellForm *form, AttrNumber column)
{
	int			i;

	for (i = 0; i < form->column_count; i++)
		if (form->columns[i] == column)
			return form->numbers[i];
	return 0;
}

/* ----------
 * As an expression
 * ----------
 */

/* column_var: a column of the relation, which is number varno of its query. */
static Node *
column_var(const CellForm *form, AttrNumber column, Index varno)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(form->relation, column, &type, &typmod, &collation);
	return (Node *) makeVar(varno, column, type, typmod, collation, 0);
}

/*
 * subject_text
 *		The subject column as text.
 *
 * Its collation would become that of the value that is shown.
 */
static Node *
subject_text(const CellForm *form, Index varno)
{
	Node	   *column = column_var(form, form->subject, varno);
	Node	   *text = coerce_to_target_type(NULL, column, exprType(column), TEXTOID, -1,
											 COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
	CollateExpr *collate;

	if (!OidIsValid(exprCollation(column)) || exprCollation(column) == DEFAULT_COLLATION_OID)
		return text;
	collate = makeNode(CollateExpr);
	collate->arg = (Expr *) text;
	collate->collOid = DEFAULT_COLLATION_OID;
	collate->location = -1;
	return (Node *) collate;
}

/* seal_function: one of schema seal. */
static Oid
seal_function(const char *name, int count, const Oid *types)
{
	return LookupFuncName(list_make2(makeString("seal"), makeString(pstrdup(name))), count, types, false);
}

/* place_call: seal.place() of a column. */
static Node *
place_call(const CellForm *form, uint64 number, Index varno)
{
	const Oid	signature[] = {INT8OID, ANYOID};
	List	   *args = list_make1(makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
											Int64GetDatum((int64) number), false, FLOAT8PASSBYVAL));
	int			i;

	for (i = 0; i < form->key_count; i++)
		args = lappend(args, column_var(form, form->key[i], varno));
	return (Node *) makeFuncExpr(seal_function("place", 2, signature), BYTEAOID, args,
								 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

/*
 * cell_show
 *		seal.show() of a column, as the parser would read it from a view.
 *
 *	sealed		the column as it was, cast to its sealed type where that is a domain's
 *	number		of the column; 0: without subject and place
 */
Node *
cell_show(const CellForm *form, uint64 number, Node *sealed, Index varno)
{
	const Oid	signature[] = {exprType(sealed), TEXTOID, BYTEAOID};
	List	   *args = list_make1(sealed);
	Oid			function;
	Node	   *call;

	if (number != 0)
		args = list_concat(args, list_make2(subject_text(form, varno), place_call(form, number, varno)));
	function = seal_function("show", list_length(args), signature);
	call = (Node *) makeFuncExpr(function, get_func_rettype(function), args,
								 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	assign_expr_collations(NULL, call);
	return call;
}

/* ----------
 * As text
 * ----------
 */

/* quoted_column: its name. */
static const char *
quoted_column(const CellForm *form, AttrNumber column)
{
	return quote_identifier(get_attname(form->relation, column, false));
}

/* cell_append: the same in a statement. */
void
cell_append(StringInfo statement, const CellForm *form, AttrNumber column)
{
	uint64		number = cell_number(form, column);
	Oid			type;
	int32		typmod;
	Oid			collation;
	int			i;

	appendStringInfo(statement, "seal.show(%s", quoted_column(form, column));
	if (number != 0)
	{
		get_atttypetypmodcoll(form->relation, form->subject, &type, &typmod, &collation);
		appendStringInfo(statement, ", %s::pg_catalog.text%s, seal.place('" UINT64_FORMAT "'::pg_catalog.int8",
						 quoted_column(form, form->subject),
						 OidIsValid(collation) && collation != DEFAULT_COLLATION_OID ? " COLLATE pg_catalog.\"default\"" : "",
						 number);
		for (i = 0; i < form->key_count; i++)
			appendStringInfo(statement, ", %s", quoted_column(form, form->key[i]));
		appendStringInfoChar(statement, ')');
	}
	appendStringInfoChar(statement, ')');
}
