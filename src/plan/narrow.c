/*-------------------------------------------------------------------------
 * narrow.c
 *		Row access: without the arm of our policy that can let no row through.
 *
 * Floor 5.  The policy of a protected table is
 *
 *		seal.sees_all(table) OR subject = ANY (seal.admitted(...))
 *
 * and an OR is no condition of an index.  Where sees_all() is false for the role
 * that plans, only the other arm is left.  Such a plan shows too few rows, never
 * too many, once a grant is given; so it is made anew when the ring changes, or a
 * role.  PostgreSQL itself plans anew for another role.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#define SEES_ALL	"sees_all"

/* Tables whose change may give a role sight of all rows; the last is written with each change of the ring. */
static const char *const followed_tables[] = {"grant", "protection", "ring_head"};

static bool narrowed_any = false;	/* some plan of this backend may depend on memberships */

/* is_sees_all: a call of seal.sees_all() for a table that is known. */
static bool
is_sees_all(Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;
	char	   *name;

	if (!IsA(node, FuncExpr) || call->funcresulttype != BOOLOID || list_length(call->args) != 1 ||
		!IsA(linitial(call->args), Const) || linitial_node(Const, call->args)->constisnull ||
		get_func_namespace(call->funcid) != seal_schema_oid(true))
		return false;
	name = get_func_name(call->funcid);
	return name != NULL && strcmp(name, SEES_ALL) == 0;
}

/* sees_nothing: is it such a call, and false now? */
static bool
sees_nothing(Node *node)
{
	return is_sees_all(node) &&
		!DatumGetBool(OidFunctionCall1(((FuncExpr *) node)->funcid,
									   linitial_node(Const, ((FuncExpr *) node)->args)->constvalue));
}

/* narrowed: a condition without its arms that are false; itself when it has none. */
static Node *
narrowed(Node *condition)
{
	List	   *arms = NIL;
	ListCell   *cell;

	if (!is_orclause(condition))
		return condition;
	foreach(cell, ((BoolExpr *) condition)->args)
		if (!sees_nothing(lfirst(cell)))
			arms = lappend(arms, lfirst(cell));
	if (arms == NIL || list_length(arms) == list_length(((BoolExpr *) condition)->args))
		return condition;
	return list_length(arms) == 1 ? linitial(arms) : (Node *) make_orclause(arms);
}

/* narrow_entry: an entry of FROM; is a condition of it another one now? */
bool
narrow_entry(RangeTblEntry *rte)
{
	bool		changed = false;
	ListCell   *cell;

	foreach(cell, rte->securityQuals)
	{
		Node	   *condition = narrowed(lfirst(cell));

		changed |= condition != lfirst(cell);
		lfirst(cell) = condition;
	}
	narrowed_any |= changed;
	return changed;
}

/* narrow_follow: make the plan anew when what it took for granted changes. */
void
narrow_follow(PlannedStmt *plan)
{
	int			i;

	for (i = 0; i < (int) lengthof(followed_tables); i++)
		plan->relationOids = list_append_unique_oid(plan->relationOids, seal_relation_oid(followed_tables[i]));
}

/* forget_plans: syscache callback; a role or a membership changed, which no plan depends on by itself. */
static void
forget_plans(Datum arg, int cacheid, uint32 hashvalue)
{
	if (narrowed_any)
		ResetPlanCache();
}

void
narrow_init(void)
{
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, forget_plans, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, forget_plans, (Datum) 0);
}
