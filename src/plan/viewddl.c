/*-------------------------------------------------------------------------
 * viewddl.c
 *		seal.create_revealing_view() and seal.refresh_revealing_view().
 *
 * Floor 5.  Both write the statements that an owner could write himself, and
 * run them as the caller.  Every name in them is qualified and quoted, so that
 * no search path leads them elsewhere.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#define VIEW_SUFFIX		"revealed"
/* A column of a view between two names: as unlikely as what PostgreSQL calls a dropped one. */
#define WHILE_RENAMED	"........seal.renamed.%d........"

PG_FUNCTION_INFO_V1(pgseal_create_revealing_view);
PG_FUNCTION_INFO_V1(pgseal_refresh_revealing_view);

/* ----------
 * Statements
 * ----------
 */

/* run_statement: as the caller, whose event triggers find what they find in his own statements. */
static void
run_statement(const char *statement)
{
	SPI_connect();
	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run: %s", statement);
	SPI_finish();
}

/* qualified_name: of a relation, quoted. */
static char *
qualified_name(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
}

/* append_column: as the view shows it. */
static void
append_column(StringInfo statement, const CellForm *form, Form_pg_attribute column)
{
	const char *name = quote_identifier(NameStr(column->attname));

	if (sealed_kind_of_type(getBaseType(column->atttypid)) == SEALED_NONE)
	{
		appendStringInfoString(statement, name);
		return;
	}
	cell_append(statement, form, column->attnum);
	appendStringInfo(statement, " AS %s", name);
}

/* define_view: CREATE [OR REPLACE] VIEW with these columns of a table; attnums is a list of their numbers. */
static void
define_view(const char *verb, const char *view_name, Relation table, List *attnums)
{
	StringInfoData statement;
	const char *separator = "";
	CellForm	form;
	ListCell   *cell;

	cell_form(&form, RelationGetRelid(table));
	initStringInfo(&statement);
	appendStringInfo(&statement, "%s VIEW %s WITH (security_invoker = true) AS SELECT ", verb, view_name);
	foreach(cell, attnums)
	{
		appendStringInfoString(&statement, separator);
		append_column(&statement, &form, TupleDescAttr(RelationGetDescr(table), lfirst_int(cell) - 1));
		separator = ", ";
	}
	appendStringInfo(&statement, " FROM %s", qualified_name(RelationGetRelid(table)));
	run_statement(statement.data);
}

/* rename_column: of a view. */
static void
rename_column(Oid view, const char *from, const char *to)
{
	run_statement(psprintf("ALTER VIEW %s RENAME COLUMN %s TO %s", qualified_name(view),
						   quote_identifier(from), quote_identifier(to)));
}

/* ----------
 * What both do
 * ----------
 */

/* require_owner: 42501 as core words it; 42P01 when there is no such relation. */
static void
require_owner(Oid relation)
{
	if (get_rel_relkind(relation) == '\0')
		error_raise(SEAL_E_UNKNOWN_RELATION, psprintf("%u", relation));
	if (!compat_owns_relation(relation, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)),
					   get_rel_name(relation));
}

/* copy_comment: of a table or column; the view keeps its own where the table has none. */
static void
copy_comment(Oid view, int view_column, Oid table, int table_column)
{
	char	   *comment = GetComment(table, RelationRelationId, table_column);

	if (comment != NULL)
		CreateComments(view, RelationRelationId, view_column, comment);
}

/* copy_comments: of a table and of the columns a view shows; one statement may do it twice. */
static void
copy_comments(Oid view, Oid table, List *attnums)
{
	ListCell   *cell;

	copy_comment(view, 0, table, 0);
	foreach(cell, attnums)
		copy_comment(view, foreach_current_index(cell) + 1, table, lfirst_int(cell));
	CommandCounterIncrement();
}

/* ----------
 * Create
 * ----------
 */

/* open_viewed_table: a table, partitioned or foreign, that the caller owns. */
static Relation
open_viewed_table(Oid oid)
{
	Relation	table;
	char		kind;

	require_owner(oid);
	table = relation_open(oid, AccessShareLock);
	kind = table->rd_rel->relkind;
	if ((kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_FOREIGN_TABLE) ||
		IsSystemRelation(table))
		error_raise(SEAL_E_NO_VIEW_OF, RelationGetRelationName(table));
	return table;
}

/* columns_after: numbers of the columns of a table beyond one. */
static List *
columns_after(Relation table, int last)
{
	List	   *attnums = NIL;
	int			i;

	for (i = last; i < RelationGetNumberOfAttributes(table); i++)
		if (!TupleDescAttr(RelationGetDescr(table), i)->attisdropped)
			attnums = lappend_int(attnums, i + 1);
	return attnums;
}

/* named_column: number of one column; 42703 when there is none. */
static int
named_column(Relation table, const char *name)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(table), name);

	if (attnum <= 0)
		error_raise(SEAL_E_NO_COLUMN, name);
	return attnum;
}

/* named_columns: numbers of the columns in a name[], in its order. */
static List *
named_columns(Relation table, ArrayType *names)
{
	List	   *attnums = NIL;
	Datum	   *values;
	bool	   *nulls;
	int			count,
				i;

	deconstruct_array(names, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &values, &nulls, &count);
	if (count == 0)
		error_raise(SEAL_E_COLUMN_LIST, NULL);
	for (i = 0; i < count; i++)
	{
		int			attnum;

		if (nulls[i])
			error_raise(SEAL_E_COLUMN_LIST, NULL);
		attnum = named_column(table, NameStr(*DatumGetName(values[i])));
		if (list_member_int(attnums, attnum))
			error_raise(SEAL_E_COLUMN_TWICE, NameStr(*DatumGetName(values[i])));
		attnums = lappend_int(attnums, attnum);
	}
	return attnums;
}

/*
 * give_to_owner
 *		A view made by a superuser or a member belongs to the table's owner, as
 *		what he needs to refresh or drop it.
 *
 * Where the caller could not say ALTER VIEW ... OWNER TO, the view stays his.
 */
static void
give_to_owner(Oid view, Oid owner)
{
	Oid			caller = GetUserId();

	if (owner == caller)
		return;
	if (!superuser() &&
		!(compat_may_give_to(caller, owner) && compat_may_create_in(get_rel_namespace(view), owner)))
		return;
	run_statement(psprintf("ALTER VIEW %s OWNER TO %s", qualified_name(view),
						   quote_identifier(GetUserNameFromId(owner, false))));
}

/* seal.create_revealing_view(regclass, name, name[]) returns regclass */
Datum
pgseal_create_revealing_view(PG_FUNCTION_ARGS)
{
	Relation	table;
	char	   *name;
	List	   *attnums;
	Oid			view;

	if (PG_ARGISNULL(0))
		error_raise(SEAL_E_NO_RELATION, NULL);
	table = open_viewed_table(PG_GETARG_OID(0));
	name = PG_ARGISNULL(1) ? makeObjectName(RelationGetRelationName(table), NULL, VIEW_SUFFIX)
		: NameStr(*PG_GETARG_NAME(1));
	attnums = PG_ARGISNULL(2) ? columns_after(table, 0) : named_columns(table, PG_GETARG_ARRAYTYPE_P(2));
	define_view("CREATE", quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)), name),
				table, attnums);
	view = get_relname_relid(name, RelationGetNamespace(table));
	copy_comments(view, RelationGetRelid(table), attnums);
	give_to_owner(view, table->rd_rel->relowner);
	relation_close(table, NoLock);
	PG_RETURN_OID(view);
}

/* ----------
 * Refresh
 * ----------
 */

/* shown_columns: numbers of the table's columns that a view shows, in its order. */
static List *
shown_columns(RevealingView *view)
{
	List	   *attnums = NIL;
	ListCell   *cell;

	foreach(cell, view->targets)
	{
		bool		sealed;

		attnums = lappend_int(attnums, view_source(lfirst_node(TargetEntry, cell)->expr, &sealed)->varattno);
	}
	return attnums;
}

/* last_column: highest of the numbers. */
static int
last_column(List *attnums)
{
	int			last = 0;
	ListCell   *cell;

	foreach(cell, attnums)
		last = Max(last, lfirst_int(cell));
	return last;
}

/* open_refreshed: what a view of the caller shows; locked as CREATE OR REPLACE VIEW will lock it. */
static void
open_refreshed(RevealingView *view, Oid oid)
{
	Relation	relation;

	require_owner(oid);
	relation = relation_open(oid, AccessExclusiveLock);
	if (!view_read(view, relation))
		error_raise(SEAL_E_NOT_REVEALING, RelationGetRelationName(relation));
	/* PostgreSQL changes no view that is open */
	relation_close(relation, NoLock);
}

/*
 * follow_names
 *		Give the view's columns the names of the table's.
 *
 * Two columns of the table may have swapped their names, so all that changed
 * lose theirs before one gets another.
 */
static void
follow_names(Oid view, Relation table, List *attnums)
{
	List	   *changed = NIL;
	ListCell   *cell;

	foreach(cell, attnums)
	{
		int			number = foreach_current_index(cell) + 1;
		char	   *old_name = get_attname(view, number, false);

		if (strcmp(old_name, get_attname(RelationGetRelid(table), lfirst_int(cell), false)) == 0)
			continue;
		rename_column(view, old_name, psprintf(WHILE_RENAMED, number));
		changed = lappend_int(changed, number);
	}
	foreach(cell, changed)
		rename_column(view, psprintf(WHILE_RENAMED, lfirst_int(cell)),
					  get_attname(RelationGetRelid(table), list_nth_int(attnums, lfirst_int(cell) - 1), false));
}

/* seal.refresh_revealing_view(regclass) returns regclass */
Datum
pgseal_refresh_revealing_view(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	RevealingView view;
	Relation	table;
	List	   *attnums,
			   *added;

	open_refreshed(&view, oid);
	table = relation_open(view.table->relid, AccessShareLock);
	attnums = shown_columns(&view);
	added = columns_after(table, last_column(attnums));
	follow_names(oid, table, attnums);
	attnums = list_concat(attnums, added);
	if (added != NIL || view.outdated)
		define_view("CREATE OR REPLACE", qualified_name(oid), table, attnums);
	copy_comments(oid, RelationGetRelid(table), attnums);
	relation_close(table, NoLock);
	PG_RETURN_OID(oid);
}
