/*-------------------------------------------------------------------------
 * keeping.c
 *		Which queries and commands keep, outside of sealed columns, what they open.
 *
 * Floor 2.  CREATE TABLE AS, SELECT INTO and COPY ... TO keep their rows, and so
 * does an INSERT that reads from anywhere.  An UPDATE, a MERGE, an INSERT of
 * VALUES or an ON CONFLICT DO UPDATE does when an expression that it stores may
 * have opened a value: one that is of no sealed type, and calls a function that
 * is not PostgreSQL's own or asks a subquery.
 *
 * In doubt it keeps: a subquery of a condition counts as one of a stored value.
 * What is only returned or compared is not kept.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/internal.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define SEALED_PREFIX	"sealed_"

/* is_sealed: a sealed type, or a domain over one?  They are in pg_catalog, where others cannot make types. */
static bool
is_sealed(Oid type)
{
	HeapTuple	row;
	bool		sealed;

	if (type < FirstNormalObjectId)
		return false;
	row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(getBaseType(type)));
	if (!HeapTupleIsValid(row))
		return false;
	sealed = ((Form_pg_type) GETSTRUCT(row))->typnamespace == PG_CATALOG_NAMESPACE &&
		strncmp(NameStr(((Form_pg_type) GETSTRUCT(row))->typname), SEALED_PREFIX, strlen(SEALED_PREFIX)) == 0;
	ReleaseSysCache(row);
	return sealed;
}

/* is_foreign: check_functions_in_node(); a function that is not PostgreSQL's own. */
static bool
is_foreign(Oid function, void *context)
{
	return function >= FirstNormalObjectId;
}

/* may_open: expression_tree_walker; may what an expression gives have been opened? */
static bool
may_open(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_SubPlan:
		case T_AlternativeSubPlan:
			return !is_sealed(exprType(node));
		case T_Param:
			return ((Param *) node)->paramkind == PARAM_EXEC && !is_sealed(exprType(node));
		case T_FuncExpr:
			if (is_sealed(((FuncExpr *) node)->funcresulttype))
				return false;
			break;
		default:
			break;
	}
	return check_functions_in_node(node, is_foreign, NULL) || expression_tree_walker(node, may_open, NULL);
}

/* computes: planstate_tree_walker; may a node of a plan, or one below it, open what it gives? */
static bool
computes(PlanState *state, void *context)
{
	Plan	   *plan = state->plan;

	if (may_open((Node *) plan->targetlist, NULL) ||
		(IsA(plan, ValuesScan) && may_open((Node *) ((ValuesScan *) plan)->values_lists, NULL)) ||
		(IsA(plan, FunctionScan) && may_open((Node *) ((FunctionScan *) plan)->functions, NULL)))
		return true;
	return planstate_tree_walker(state, computes, NULL);
}

/* merges: may an action of a MERGE open what it stores? */
static bool
merges(const ModifyTable *modify)
{
	ListCell   *list;
	ListCell   *cell;

	foreach(list, modify->mergeActionLists)
	{
		foreach(cell, (List *) lfirst(list))
		{
			if (may_open((Node *) lfirst_node(MergeAction, cell)->targetList, NULL))
				return true;
		}
	}
	return false;
}

/* reads: has an INSERT rows from anywhere but VALUES? */
static bool
reads(PlanState *state)
{
	const Plan *source = outerPlanState(state)->plan;

	return !IsA(source, ValuesScan) && !(IsA(source, Result) && outerPlan(source) == NULL);
}

/* modifies: does this part of a plan keep what it opens?  What an extension has put in its place, in doubt, does. */
static bool
modifies(PlanState *state)
{
	const ModifyTable *modify = (const ModifyTable *) state->plan;

	if (!IsA(state, ModifyTableState))
		return true;
	if (modify->operation == CMD_DELETE)
		return false;
	return (modify->operation == CMD_INSERT && reads(state)) ||
		may_open((Node *) modify->onConflictSet, NULL) || merges(modify) ||
		planstate_tree_walker(state, computes, NULL);
}

/* keeping_query: does a query that is about to run keep what it opens, itself or in a WITH? */
bool
keeping_query(const QueryDesc *query)
{
	ListCell   *cell;

	if (query->operation != CMD_SELECT && modifies(query->planstate))
		return true;
	foreach(cell, query->estate->es_auxmodifytables)
	{
		if (modifies(lfirst(cell)))
			return true;
	}
	return false;
}

/* keeping_command: does a command keep the rows of the query in it? */
bool
keeping_command(const PlannedStmt *command)
{
	const Node *statement = command->utilityStmt;

	if (IsA(statement, ExplainStmt))
		statement = castNode(Query, ((const ExplainStmt *) statement)->query)->utilityStmt;
	if (statement == NULL)
		return false;
	return IsA(statement, CreateTableAsStmt) ||
		(IsA(statement, CopyStmt) && !((const CopyStmt *) statement)->is_from);
}
