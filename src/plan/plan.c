/*-------------------------------------------------------------------------
 * plan.c
 *		The planner hook: comparisons of sealed values are bound to a key here.
 *
 * Floor 5.  A token says nothing without its key, and the key is known only
 * from the type modifier of an expression, when a statement is planned.  So
 * every comparison is bound now (binder.c), and what would group, order or
 * compare tokens of unknown or different keys is refused now (refuse.c).
 *
 * What a query reads through seal.show(), as revealing views do, is looked at
 * too, in this order:
 *
 *		comparisons of shown values become comparisons of sealed ones, which
 *			are then bound like any other (resolve.c)
 *		where rows depend on a shown value, it may not be hidden (strict.c)
 *		what is only given out is opened after the sort (late.c)
 *
 * Expressions that are never planned (CHECK, trigger WHEN, COPY ... WHERE) do
 * not pass here: the guard room and the operators themselves answer for them.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/plan.h"
#include "plan/internal.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"

static planner_hook_type prev_planner_hook = NULL;

/* What one look at a query finds. */
typedef struct Survey
{
	bool		sealed;			/* some expression has or holds a sealed type */
	bool		calls;			/* a SQL function is called with one */
	bool		narrowed;		/* the condition of a policy lost an arm */
	PlannerInfo *root;			/* collects dependencies of inlined functions; NULL without any */
} Survey;

/* inlining_root: as much of a PlannerInfo as inlining functions needs. */
static PlannerInfo *
inlining_root(Survey *survey, Query *query)
{
	if (survey->root == NULL)
	{
		survey->root = makeNode(PlannerInfo);
		survey->root->glob = makeNode(PlannerGlobal);
		survey->root->parse = query;
		survey->root->query_level = 1;
		survey->root->planner_cxt = CurrentMemoryContext;
	}
	return survey->root;
}

/* carried_type: type of a node that can bring a value into a query, or InvalidOid. */
static Oid
carried_type(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
			return ((Var *) node)->vartype;
		case T_Const:
			return ((Const *) node)->consttype;
		case T_Param:
			return ((Param *) node)->paramtype;
		case T_FuncExpr:
			return ((FuncExpr *) node)->funcresulttype;
		case T_OpExpr:
			return ((OpExpr *) node)->opresulttype;
		case T_Aggref:
			return ((Aggref *) node)->aggtype;
		case T_WindowFunc:
			return ((WindowFunc *) node)->wintype;
		case T_FieldSelect:
			return ((FieldSelect *) node)->resulttype;
		case T_SubscriptingRef:
			return exprType(node);
		case T_RelabelType:
			return ((RelabelType *) node)->resulttype;
		case T_CoerceViaIO:
			return ((CoerceViaIO *) node)->resulttype;
		case T_ArrayCoerceExpr:
			return ((ArrayCoerceExpr *) node)->resulttype;
		case T_ConvertRowtypeExpr:
			return ((ConvertRowtypeExpr *) node)->resulttype;
		case T_CoerceToDomain:
			return ((CoerceToDomain *) node)->resulttype;
		default:
			return InvalidOid;
	}
}

static bool survey_walker(Node *node, void *context);

/*
 * survey_query
 *		One level, and on the way its functions in FROM.
 *
 * SQL functions are expanded first, because the planner would do it after us
 * and the body would then never be bound; the others are held to their column
 * definition lists.  Policies of protected tables are narrowed.
 */
static bool
survey_query(Query *query, Survey *survey)
{
	ListCell   *cell;

	if (inline_has_set_functions(query))
		inline_set_functions(query, inlining_root(survey, query));
	(void) query_tree_walker(query, survey_walker, survey, 0);
	foreach(cell, query->rtable)
	{
		if (coldef_check_keys(lfirst_node(RangeTblEntry, cell)))
			survey->sealed = true;
		if (narrow_entry(lfirst_node(RangeTblEntry, cell)))
			survey->narrowed = true;
	}
	return false;
}

/* survey_walker: look for sealed types everywhere. */
static bool
survey_walker(Node *node, void *context)
{
	Survey	   *survey = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return survey_query((Query *) node, survey);
	if (!survey->sealed)
		survey->sealed = sealed_type_inside(carried_type(node));
	if (IsA(node, FuncExpr) && !survey->calls)
		survey->calls = inline_is_candidate((FuncExpr *) node);
	return expression_tree_walker(node, survey_walker, context);
}

/* run_planner: the next hook, or the standard planner. */
static PlannedStmt *
run_planner(Query *parse, const char *query_string, int cursor_options,
			ParamListInfo bound_params COMPAT_PLANNER_ARGS)
{
	if (prev_planner_hook)
		return (*prev_planner_hook) (parse, query_string, cursor_options,
									 bound_params COMPAT_PLANNER_PASS);
	return standard_planner(parse, query_string, cursor_options,
							bound_params COMPAT_PLANNER_PASS);
}

/* bind_query: what the planner gets instead of a query with sealed values; it may be changed. */
static Query *
bind_query(Query *query, Survey *survey, bool keeps_rows)
{
	if (survey->calls)
		query = inline_scalar_functions(query, inlining_root(survey, query));
	resolve_comparisons(query);
	query = binder_bind(query);
	strict_open(query, keeps_rows);
	if (!keeps_rows)
		late_open(query);
	return query;
}

/* follow_inlined: the plan depends on the functions inlined here as if the planner had inlined them. */
static void
follow_inlined(PlannedStmt *plan, PlannerGlobal *glob)
{
	plan->invalItems = list_concat(plan->invalItems, glob->invalItems);
	plan->dependsOnRole |= glob->dependsOnRole;
}

/*
 * plan_query
 *		planner_hook.  We go first, so that others see the bound query.
 */
static PlannedStmt *
plan_query(Query *parse, const char *query_string, int cursor_options,
		   ParamListInfo bound_params COMPAT_PLANNER_ARGS)
{
	PlannedStmt *plan;
	Survey		survey = {false, false, false, NULL};

	if (!seal_in_database())
		return run_planner(parse, query_string, cursor_options,
						   bound_params COMPAT_PLANNER_PASS);

	(void) survey_walker((Node *) parse, &survey);
	if (survey.sealed)
		parse = bind_query(parse, &survey, store_keeps_rows(query_string));
	plan = run_planner(parse, query_string, cursor_options, bound_params COMPAT_PLANNER_PASS);
	if (survey.root != NULL)
		follow_inlined(plan, survey.root->glob);
	if (survey.narrowed)
		narrow_follow(plan);
	return plan;
}

void
plan_init(void)
{
	prev_planner_hook = planner_hook;
	planner_hook = plan_query;
	aim_init();
	store_init();
	narrow_init();
	refresh_init();
}
