/*-------------------------------------------------------------------------
 * aim.c
 *		Aim INSERT, UPDATE and DELETE on a revealing view at its table.
 *
 * Floor 5.  PostgreSQL does this itself for simple views, but only for columns
 * that are shown as they are.  Done before the rewriter sees the statement, so
 * that defaults, identity, rules, row security, triggers, ON CONFLICT and
 * partitions are the table's, as if the table had been named:
 *
 *		UPDATE patient_revealed SET note = 'x' WHERE id = 1
 *		UPDATE patient SET note = 'x'::sealed_text(clinical) WHERE id = 1
 *
 * Does not see what PostgreSQL analyses without the hook and stores: bodies of
 * SQL functions written BEGIN ATOMIC, and rules.  There PostgreSQL refuses to
 * write a column that seal.show() shows.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/rel.h"

static post_parse_analyze_hook_type prev_analyze_hook = NULL;

/* ----------
 * What may be asked of the caller
 * ----------
 */

/* table_columns: a set of columns of the view as columns of the table. */
static Bitmapset *
table_columns(Bitmapset *view_columns, List *targets)
{
	bool		whole_row = bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, view_columns);
	Bitmapset  *columns = NULL;
	ListCell   *cell;

	foreach(cell, targets)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);
		bool		sealed;
		Var		   *source = view_source(target->expr, &sealed);

		if (whole_row || bms_is_member(target->resno - FirstLowInvalidHeapAttributeNumber, view_columns))
			columns = bms_add_member(columns, source->varattno - FirstLowInvalidHeapAttributeNumber);
	}
	return columns;
}

/*
 * ask_of_table
 *		The table is asked for the same rights as the view, of the caller.
 *
 * Only for the columns the statement names: that is what it would need without
 * the view, which has no condition that reads others.
 */
static void
ask_of_table(Query *query, RangeTblEntry *view_entry, RangeTblEntry *table_entry, List *targets)
{
	CompatPermissions *asked = compat_permissions(query, view_entry);
	CompatPermissions *asks = compat_new_permissions(query, table_entry);

	asks->checkAsUser = InvalidOid;
	asks->requiredPerms = asked->requiredPerms;
	asks->selectedCols = table_columns(asked->selectedCols, targets);
	asks->insertedCols = table_columns(asked->insertedCols, targets);
	asks->updatedCols = table_columns(asked->updatedCols, targets);
}

/* ----------
 * What cannot go through the view
 * ----------
 */

/* fills_itself: would PostgreSQL find a value for a column that is not named? */
static bool
fills_itself(Relation table, Form_pg_attribute column)
{
	return column->attisdropped || !column->attnotnull || column->attgenerated != '\0' ||
		build_column_default(table, column->attnum) != NULL;
}

/*
 * require_shown
 *		23502 for an INSERT that cannot succeed because the view does not show a
 *		column.
 *
 * A trigger or rule of the table, a partition or a foreign server may fill it.
 */
static void
require_shown(Relation view, Relation table, List *targets)
{
	Bitmapset  *all = bms_make_singleton(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber);
	Bitmapset  *shown = table_columns(all, targets);
	int			i;

	if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_rules != NULL ||
		(table->trigdesc != NULL && table->trigdesc->trig_insert_before_row))
		return;
	for (i = 0; i < RelationGetNumberOfAttributes(table); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(table), i);

		if (!bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, shown) &&
			!fills_itself(table, column))
			error_raise(SEAL_E_NOT_SHOWN, quote_qualified_identifier(RelationGetRelationName(view),
																	 NameStr(column->attname)));
	}
}

/* require_no_defaults: 0A000; those of the view would come before the table's. */
static void
require_no_defaults(Relation view)
{
	if (RelationGetDescr(view)->constr != NULL && RelationGetDescr(view)->constr->num_defval > 0)
		error_raise(SEAL_E_VIEW_DEFAULT, RelationGetRelationName(view));
}

/* ----------
 * ON CONFLICT
 * ----------
 */

/* sealed_column: seal.show(column) as the column. */
static Node *
sealed_column(Node *expr)
{
	bool		sealed;
	Var		   *source = view_source((Expr *) expr, &sealed);

	return sealed && source != NULL ? (Node *) source : expr;
}

/* unshow_null_tests: mutator; a partial index says nir IS NOT NULL, and means the column. */
static Node *
unshow_null_tests(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	node = expression_tree_mutator(node, unshow_null_tests, context);
	if (IsA(node, NullTest))
		((NullTest *) node)->arg = (Expr *) sealed_column((Node *) ((NullTest *) node)->arg);
	return node;
}

/* aim_arbiter: which index a row conflicts on; indexes are on the column, not on what is shown. */
static void
aim_arbiter(OnConflictExpr *conflict)
{
	ListCell   *cell;

	foreach(cell, conflict->arbiterElems)
	{
		InferenceElem *element = lfirst_node(InferenceElem, cell);

		element->expr = sealed_column(element->expr);
	}
	conflict->arbiterWhere = unshow_null_tests(conflict->arbiterWhere, NULL);
}

/* add_excluded: the row that was not inserted, as one of the table; returns its index. */
static int
add_excluded(Query *query, Relation table)
{
	ParseNamespaceItem *item = addRangeTableEntryForRelation(make_parsestate(NULL), table, RowExclusiveLock,
															 makeAlias("excluded", NIL), false, false);

	item->p_rte->relkind = RELKIND_COMPOSITE_TYPE;
	compat_no_permissions(item->p_rte);
	query->rtable = lappend(query->rtable, item->p_rte);
	return list_length(query->rtable);
}

/*
 * aim_conflict
 *		The ON CONFLICT clause of an INSERT that is already aimed.
 *
 *	targets		what the view shows, of the table
 *
 * Source: rewriteTargetView().
 */
static void
aim_conflict(Query *query, RangeTblEntry *view_entry, Relation table, List *targets)
{
	OnConflictExpr *conflict = query->onConflict;
	int			view_excluded = conflict->exclRelIndex;
	List	   *excluded_targets;

	aim_arbiter(conflict);
	if (conflict->action != ONCONFLICT_UPDATE)
		return;
	conflict->exclRelIndex = add_excluded(query, table);
	conflict->exclRelTlist = BuildOnConflictExcludedTargetlist(table, conflict->exclRelIndex);
	excluded_targets = copyObject(targets);
	ChangeVarNodes((Node *) excluded_targets, query->resultRelation, conflict->exclRelIndex, 0);
	conflict = (OnConflictExpr *)
		compat_replace_vars((Node *) conflict, view_excluded, view_entry, excluded_targets,
							query->resultRelation, &query->hasSubLinks);
	conflict->onConflictSet = assign_targets(conflict->onConflictSet, targets, query->rtable);
	query->onConflict = conflict;
}

/* ----------
 * One statement
 * ----------
 */

/* add_table: the table as a member of the statement's range table; returns its index. */
static int
add_table(Query *query, RevealingView *view, Relation table)
{
	RangeTblEntry *entry = view->table;
	int			index = list_length(query->rtable) + 1;

	entry->relkind = table->rd_rel->relkind;
	entry->rellockmode = RowExclusiveLock;
	if (query->commandType == CMD_INSERT)
		entry->inh = false;
	query->rtable = lappend(query->rtable, entry);
	ChangeVarNodes((Node *) view->targets, view->table_index, index, 0);
	ask_of_table(query, rt_fetch(query->resultRelation, query->rtable), entry, view->targets);
	return index;
}

/*
 * aim_at_table
 *		Make the table the result relation; changes the query.
 *
 * The view stays in the range table, unread: the executor asks for the rights
 * on it, and a plan depends on it.
 * Source: rewriteTargetView().
 */
static void
aim_at_table(Query *query, RevealingView *view, Relation table)
{
	int			view_index = query->resultRelation;
	int			table_index = add_table(query, view, table);
	RangeTblEntry *view_entry = rt_fetch(view_index, query->rtable);
	Query	   *aimed = (Query *) compat_replace_vars((Node *) query, view_index, view_entry,
													  view->targets, table_index, NULL);

	ChangeVarNodes((Node *) aimed, view_index, table_index, 0);
	if (aimed->commandType != CMD_DELETE)
		aimed->targetList = assign_targets(aimed->targetList, view->targets, aimed->rtable);
	if (aimed->onConflict != NULL)
		aim_conflict(aimed, view_entry, table, view->targets);
	*query = *aimed;
}

/* is_redirected: has the view a trigger or rule for this command, which then decides? */
static bool
is_redirected(Relation view, CmdType command)
{
	TriggerDesc *triggers = view->trigdesc;

	if (view->rd_rules->numLocks > 1)
		return true;
	if (triggers == NULL)
		return false;
	switch (command)
	{
		case CMD_INSERT:
			return triggers->trig_insert_instead_row;
		case CMD_UPDATE:
			return triggers->trig_update_instead_row;
		default:
			return triggers->trig_delete_instead_row;
	}
}

/* aim_through: a statement whose result relation is a revealing view. */
static void
aim_through(Query *query, RevealingView *view, Relation relation)
{
	Relation	table = table_open(view->table->relid, RowExclusiveLock);

	if (query->commandType != CMD_DELETE)
		require_no_defaults(relation);
	if (query->commandType == CMD_INSERT)
		require_shown(relation, table, view->targets);
	aim_at_table(query, view, table);
	table_close(table, NoLock);
}

/* aim_modification: INSERT, UPDATE or DELETE, whatever its result relation is. */
static void
aim_modification(Query *query)
{
	RangeTblEntry *entry = rt_fetch(query->resultRelation, query->rtable);
	RevealingView view;
	Relation	relation;

	if (entry->relkind != RELKIND_VIEW || !seal_in_database())
		return;
	relation = table_open(entry->relid, NoLock);
	if (view_read(&view, relation) && view.reveals && !view.misplaced &&
		!is_redirected(relation, query->commandType))
		aim_through(query, &view, relation);
	table_close(relation, NoLock);
}

/* ----------
 * Finding the statements
 * ----------
 */

/* utility_query: the analysed statement inside a utility statement, or NULL. */
static Query *
utility_query(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_ExplainStmt:
			return castNode(Query, ((ExplainStmt *) statement)->query);
		case T_CreateTableAsStmt:
			return castNode(Query, ((CreateTableAsStmt *) statement)->query);
		case T_DeclareCursorStmt:
			return castNode(Query, ((DeclareCursorStmt *) statement)->query);
		default:
			return NULL;
	}
}

/* aim_query: a statement and those in its WITH, the only place PostgreSQL has for more. */
static void
aim_query(Query *query)
{
	ListCell   *cell;

	check_stack_depth();
	if (query->commandType == CMD_UTILITY)
	{
		Query	   *inside = utility_query(query->utilityStmt);

		if (inside != NULL)
			aim_query(inside);
		return;
	}
	foreach(cell, query->cteList)
		aim_query(castNode(Query, lfirst_node(CommonTableExpr, cell)->ctequery));
	if (query->commandType == CMD_INSERT || query->commandType == CMD_UPDATE ||
		query->commandType == CMD_DELETE)
		aim_modification(query);
}

/*
 * aim_analyzed
 *		post_parse_analyze_hook.
 *
 * Whoever was here first goes first and sees the statement as it was written;
 * its query id is that of the text in any case, computed before the hooks.
 */
static void
aim_analyzed(ParseState *pstate, Query *query, JumbleState *jumble)
{
	if (prev_analyze_hook)
		(*prev_analyze_hook) (pstate, query, jumble);
	aim_query(query);
}

void
aim_init(void)
{
	prev_analyze_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = aim_analyzed;
}
