/*-------------------------------------------------------------------------
 * source.c
 *		From a plain expression to the sealed value it is opened from.
 *
 * Floor 5.  The source of seal.show(E) is E.  A column of a subquery, which is
 * what a view is by now, of a join, or of a WITH query that is about to become
 * a subquery, is followed to what it stands for, and the sealed value gets a
 * column of its own on the way:
 *
 *		SELECT v.nir FROM (SELECT show(p.nir) AS nir FROM p) v
 *		SELECT v.nir FROM (SELECT show(p.nir) AS nir, p.nir FROM p) v
 *
 * Only where PostgreSQL can push a condition on the new column down to the
 * table, and only where a row of the subquery is a row of its tables.
 *
 * An entry of FROM that is used as a whole row must keep its shape: there the
 * column is resjunk, which PostgreSQL before 18 reads in a subquery that it
 * pulls up and in no other.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteManip.h"

/* What is done with a source that is found. */
typedef enum Taking
{
	TAKE_NOTHING,				/* it is only looked for */
	TAKE_SEALED,				/* the sealed value gets a column on every level */
	TAKE_CALL					/* so do all columns that it is opened with */
} Taking;

static Node *follow(Node *expr, List *queries, const Scope *scope, Taking taking);

/* ----------
 * Whole rows
 * ----------
 */

/* add_whole_row: an entry of FROM of a query. */
static void
add_whole_row(Scope *scope, Query *query, int rtindex)
{
	scope->whole_rows = list_append_unique_ptr(scope->whole_rows, rt_fetch(rtindex, query->rtable));
}

/* add_merge_source: what PostgreSQL will use as a whole row, though no Var says so yet. */
static void
add_merge_source(Scope *scope, Query *query)
{
	Node	   *source;

	if (!compat_merge_reads_row(query))
		return;
	source = linitial(query->jointree->fromlist);
	if (IsA(source, RangeTblRef))
		add_whole_row(scope, query, ((RangeTblRef *) source)->rtindex);
}

/* whole_row_walker: collects the entries of FROM that a Var without column names. */
static bool
whole_row_walker(Node *node, void *context)
{
	Scope	   *scope = context;
	Var		   *var = (Var *) node;
	bool		stop;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		add_merge_source(scope, (Query *) node);
		scope->queries = lcons(node, scope->queries);
		stop = query_tree_walker((Query *) node, whole_row_walker, context, 0);
		scope->queries = list_delete_first(scope->queries);
		return stop;
	}
	if (IsA(node, Var) && var->varattno == InvalidAttrNumber)
		add_whole_row(scope, list_nth(scope->queries, var->varlevelsup), var->varno);
	return expression_tree_walker(node, whole_row_walker, context);
}

/* source_init_scope: outside of a query, which may change but for its whole rows. */
void
source_init_scope(Scope *scope, Query *query)
{
	memset(scope, 0, sizeof(*scope));
	(void) whole_row_walker((Node *) query, scope);
}

/* ----------
 * Subqueries
 * ----------
 */

/* passes_rows: a condition above the query says the same inside it. */
static bool
passes_rows(Query *query)
{
	return query->commandType == CMD_SELECT && query->setOperations == NULL &&
		!query->hasAggs && query->groupClause == NIL && query->groupingSets == NIL &&
		query->havingQual == NULL && query->distinctClause == NIL && !query->hasWindowFuncs &&
		!query->hasTargetSRFs && query->limitOffset == NULL && query->limitCount == NULL;
}

/* is_pulled_up: as much of is_simple_subquery() in prepjointree.c as passes_rows() leaves open. */
static bool
is_pulled_up(RangeTblEntry *rte, Query *query)
{
	return !rte->lateral && query->sortClause == NIL && !query->hasForUpdate &&
		query->cteList == NIL && !contain_volatile_functions((Node *) query->targetList);
}

/* visible_columns: how many columns a query gives; those that only sort or group follow. */
static int
visible_columns(Query *query)
{
	int			visible = 0;
	ListCell   *cell;

	foreach(cell, query->targetList)
		if (!lfirst_node(TargetEntry, cell)->resjunk)
			visible++;
	return visible;
}

/*
 * add_column
 *		Behind all others, or, when it is no resjunk, behind those of its kind.
 *
 * A column after a resjunk one would be lost when a locked row has changed and
 * the others of the join are taken from what PostgreSQL kept of them.  Nobody
 * outside knows the numbers of the resjunk ones.
 */
static AttrNumber
add_column(Query *query, Var *var, bool resjunk, const char *name)
{
	int			before = resjunk ? list_length(query->targetList) : visible_columns(query);
	int			i;

	query->targetList = list_insert_nth(query->targetList, before,
										makeTargetEntry(copyObject((Expr *) var), before + 1, pstrdup(name), resjunk));
	for (i = before + 1; i < list_length(query->targetList); i++)
		list_nth_node(TargetEntry, query->targetList, i)->resno = i + 1;
	return before + 1;
}

/* column_of: the number of a column of the query that is this variable; it is added where there is none. */
static AttrNumber
column_of(Query *query, Var *var, bool resjunk, const char *name)
{
	ListCell   *cell;

	foreach(cell, query->targetList)
	{
		TargetEntry *column = lfirst_node(TargetEntry, cell);

		if (equal(column->expr, var) && (resjunk || !column->resjunk))
			return column->resno;
	}
	return add_column(query, var, resjunk, name);
}

/* name_columns: PostgreSQL counts the columns of a subquery by their names. */
static void
name_columns(RangeTblEntry *rte, Query *query, bool resjunk)
{
	int			count = resjunk ? list_length(query->targetList) : visible_columns(query);

	while (list_length(rte->eref->colnames) < count)
	{
		TargetEntry *column = list_nth(query->targetList, list_length(rte->eref->colnames));

		rte->eref->colnames = lappend(rte->eref->colnames,
									  makeString(pstrdup(column->resname ? column->resname : "?column?")));
	}
}

/* What is needed to give a column of a subquery to the query above. */
typedef struct Giving
{
	Var		   *var;			/* a column it gives already */
	RangeTblEntry *rte;
	Query	   *query;
	bool		resjunk;
	const char *name;
} Giving;

/* give_var: a column inside the subquery as one of the query above. */
static Node *
give_var(const Giving *giving, Var *inner)
{
	Var		   *outer = copyObject(giving->var);

	outer->varattno = column_of(giving->query, inner, giving->resjunk, giving->name);
	outer->vartype = inner->vartype;
	outer->vartypmod = inner->vartypmod;
	outer->varcollid = inner->varcollid;
	outer->varnosyn = outer->varno;
	outer->varattnosyn = outer->varattno;
	name_columns(giving->rte, giving->query, giving->resjunk);
	return (Node *) outer;
}

/* give_columns: mutator; an expression inside the subquery as one of the query above. */
static Node *
give_columns(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
		return give_var(context, (Var *) node);
	return expression_tree_mutator(node, give_columns, context);
}

/* is_given: can what was found be a column of the query above? */
static bool
is_given(Node *inner, Taking taking)
{
	if (inner == NULL)
		return false;
	return IsA(taking == TAKE_CALL ? (Node *) linitial(((FuncExpr *) inner)->args) : inner, Var);
}

/* follow_output: a column of an entry of FROM that is a query. */
static Node *
follow_output(Var *var, RangeTblEntry *rte, Query *query, List *inner_queries,
			  const Scope *scope, Taking taking)
{
	TargetEntry *column = get_tle_by_resno(query->targetList, var->varattno);
	Giving		giving = {var, rte, query, list_member_ptr(scope->whole_rows, rte), NULL};
	Node	   *inner;

	if (column == NULL || rte->security_barrier || !passes_rows(query) ||
		(giving.resjunk && !(COMPAT_READS_RESJUNK && is_pulled_up(rte, query))))
		return NULL;
	inner = follow((Node *) column->expr, inner_queries, scope, taking);
	if (!is_given(inner, taking))
		return NULL;
	giving.name = column->resname ? column->resname : "?column?";
	return taking == TAKE_NOTHING ? inner : give_columns(inner, &giving);
}

/*
 * source_with_query
 *		The WITH query that an entry of FROM names, and the queries it stands in.
 */
Query *
source_with_query(RangeTblEntry *rte, List *queries, List **scope)
{
	ListCell   *cell;

	*scope = list_copy_tail(queries, rte->ctelevelsup);
	foreach(cell, *scope == NIL ? NIL : ((Query *) linitial(*scope))->cteList)
	{
		CommonTableExpr *with = lfirst_node(CommonTableExpr, cell);

		if (strcmp(with->ctename, rte->ctename) == 0)
			return castNode(Query, with->ctequery);
	}
	return NULL;
}

/* modifies_data: has the query, or one inside it, a WITH query that is no SELECT? */
static bool
modifies_data(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return ((Query *) node)->commandType != CMD_SELECT || ((Query *) node)->rowMarks != NIL ||
			query_tree_walker((Query *) node, modifies_data, context, 0);
	return expression_tree_walker(node, modifies_data, context);
}

/* is_inlined: will SS_process_ctes() in subselect.c make a subquery of the WITH query? */
static bool
is_inlined(RangeTblEntry *rte, Query *query, List *queries)
{
	ListCell   *cell;

	foreach(cell, ((Query *) linitial(queries))->cteList)
	{
		CommonTableExpr *with = lfirst_node(CommonTableExpr, cell);

		if (with->ctequery == (Node *) query)
			return with->cterefcount == 1 && !with->cterecursive &&
				with->ctematerialized != CTEMaterializeAlways &&
				!modifies_data((Node *) query, NULL) && !contain_volatile_functions((Node *) query);
	}
	return false;
}

/* ----------
 * Following
 * ----------
 */

/* follow_with: a column of a WITH query. */
static Node *
follow_with(Var *var, RangeTblEntry *rte, List *queries, const Scope *scope, Taking taking)
{
	List	   *outer;
	Query	   *query = source_with_query(rte, queries, &outer);

	if (query == NULL || rte->self_reference || !is_inlined(rte, query, outer))
		return NULL;
	return follow_output(var, rte, query, lcons(query, outer), scope, taking);
}

/* nulled_as: walker; what stands for a column of a join can be NULL where that can. */
static bool
nulled_as(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		(void) compat_nulled_as(node, (Var *) context);
	return expression_tree_walker(node, nulled_as, context);
}

/* follow_join: a column of a join is a column of one side, or of both, which has no one source. */
static Node *
follow_join(Var *var, RangeTblEntry *rte, List *queries, const Scope *scope, Taking taking)
{
	Node	   *column = list_nth(rte->joinaliasvars, var->varattno - 1);
	Node	   *source;

	if (column == NULL || !IsA(column, Var))
		return NULL;
	source = follow(column, queries, scope, taking);
	if (source == NULL)
		return NULL;
	source = copyObject(source);
	IncrementVarSublevelsUp(source, var->varlevelsup, 0);
	(void) nulled_as(source, var);
	return source;
}

static Node *
follow_var(Var *var, List *queries, const Scope *scope, Taking taking)
{
	RangeTblEntry *rte;
	Query	   *query;

	if (var->varattno <= 0 || (int) var->varlevelsup >= list_length(queries))
		return NULL;
	queries = list_copy_tail(queries, var->varlevelsup);
	query = linitial(queries);
	if (list_member_ptr(scope->grouped, query))
		return NULL;
	rte = rt_fetch(var->varno, query->rtable);
	switch (rte->rtekind)
	{
		case RTE_SUBQUERY:
			return follow_output(var, rte, rte->subquery, lcons(rte->subquery, queries), scope, taking);
		case RTE_CTE:
			return follow_with(var, rte, queries, scope, taking);
		case RTE_JOIN:
			return follow_join(var, rte, queries, scope, taking);
		default:
			return NULL;
	}
}

/*
 * follow_param
 *		In  x IN (SELECT show(p.nir) ...)  the parameter that stands for the
 *		column; taking its source makes it the column.
 */
static Node *
follow_param(Param *param, const Scope *scope, Taking taking)
{
	Query	   *query;
	TargetEntry *column;
	Node	   *inner;

	if (param->paramkind != PARAM_SUBLINK || scope->sublink == NULL)
		return NULL;
	query = castNode(Query, scope->sublink->subselect);
	column = get_tle_by_resno(query->targetList, param->paramid);
	if (column == NULL || column->resjunk || column->ressortgroupref != 0 || !passes_rows(query))
		return NULL;
	inner = follow((Node *) column->expr, lcons(query, list_copy(scope->queries)), scope, taking);
	if (inner == NULL || taking == TAKE_NOTHING)
		return inner;
	column->expr = (Expr *) inner;
	param = copyObject(param);
	param->paramtype = exprType(inner);
	param->paramtypmod = exprTypmod(inner);
	param->paramcollid = InvalidOid;
	return (Node *) param;
}

/*
 * follow_call
 *		What seal.show() and its twins open, when its key is known; or the call.
 *
 * The subject and the place that a value of a protected table is opened with
 * say nothing about what it is equal to.
 */
static Node *
follow_call(FuncExpr *call, Taking taking)
{
	Opening		opening = sealed_opening(call->funcid);
	Node	   *sealed;

	if (opening == OPENING_NONE || opening == OPENING_REVEAL)
		return NULL;
	sealed = linitial(call->args);
	if (sealed_kind_of_type(exprType(sealed)) == SEALED_NONE || exprkey_of(sealed) < 0 ||
		contain_volatile_functions((Node *) call->args) || contain_subplans((Node *) call->args))
		return NULL;
	return taking == TAKE_CALL ? copyObject((Node *) call) : copyObject(sealed);
}

/* follow: the source, or NULL; unless it is taken, only its type and key mean something outside. */
static Node *
follow(Node *expr, List *queries, const Scope *scope, Taking taking)
{
	check_stack_depth();
	switch (nodeTag(expr))
	{
		case T_FuncExpr:
			return follow_call((FuncExpr *) expr, taking);
		case T_Var:
			return follow_var((Var *) expr, queries, scope, taking);
		case T_Param:
			return follow_param((Param *) expr, scope, taking);
		default:
			return NULL;
	}
}

/* source_of: look for the source of an expression; what is given tells its type and key. */
Node *
source_of(Node *expr, const Scope *scope)
{
	return follow(expr, scope->queries, scope, TAKE_NOTHING);
}

/* source_take: the source of an expression that has one, to be put in its place. */
Node *
source_take(Node *expr, const Scope *scope)
{
	return follow(expr, scope->queries, scope, TAKE_SEALED);
}

/* source_take_call: the call that opens such an expression, over columns of the query the expression stands in. */
FuncExpr *
source_take_call(Node *expr, const Scope *scope)
{
	return castNode(FuncExpr, follow(expr, scope->queries, scope, TAKE_CALL));
}

/* source_twin: seal.<name> of the arguments of a call that opens a value. */
Oid
source_twin(const char *name, List *args)
{
	Oid			signature[FUNC_MAX_ARGS];
	ListCell   *cell;

	foreach(cell, args)
		signature[foreach_current_index(cell)] = exprType(lfirst(cell));
	return LookupFuncName(list_make2(makeString("seal"), makeString(pstrdup(name))),
						  list_length(args), signature, false);
}
