/*-------------------------------------------------------------------------
 * store.c
 *		Which query fills a table that is being made.
 *
 * Floor 5.  The query tree of CREATE TABLE AS, as of SELECT INTO, is that of a
 * SELECT, and nothing in it tells the planner that its rows are kept.  But it
 * is planned while the command runs, and with the command's own text, which no
 * other query has: triggers and functions have theirs.  EXECUTE in the place
 * of a query is planned with the text of PREPARE, and is not known here.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "nodes/parsenodes.h"
#include "tcop/utility.h"

static ProcessUtility_hook_type prev_utility_hook = NULL;
static const char *storing_text = NULL; /* of the command that runs, or NULL */

/* stores_rows: CREATE TABLE AS, or an EXPLAIN of it. */
static bool
stores_rows(Node *statement)
{
	if (IsA(statement, ExplainStmt))
		statement = castNode(Query, ((ExplainStmt *) statement)->query)->utilityStmt;
	return statement != NULL && IsA(statement, CreateTableAsStmt);
}

/* run_utility: the next hook, or the standard one. */
static void
run_utility(PlannedStmt *statement, const char *query_string, bool read_only_tree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = prev_utility_hook ? prev_utility_hook : standard_ProcessUtility;

	(*next) (statement, query_string, read_only_tree, context, params, environment, dest, completion);
}

/* note_storing: ProcessUtility_hook. */
static void
note_storing(PlannedStmt *statement, const char *query_string, bool read_only_tree,
			 ProcessUtilityContext context, ParamListInfo params,
			 QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	const char *outer_text = storing_text;

	storing_text = stores_rows(statement->utilityStmt) ? query_string : NULL;
	PG_TRY();
	{
		run_utility(statement, query_string, read_only_tree, context, params, environment, dest, completion);
	}
	PG_FINALLY();
	{
		storing_text = outer_text;
	}
	PG_END_TRY();
}

/* store_keeps_rows: is the query with this text the one that fills the table? */
bool
store_keeps_rows(const char *query_string)
{
	return query_string != NULL && query_string == storing_text;
}

void
store_init(void)
{
	prev_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = note_storing;
}
