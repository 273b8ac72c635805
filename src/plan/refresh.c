/*-------------------------------------------------------------------------
 * refresh.c
 *		Revealing views follow the protection of their table.
 *
 * Floor 5.  When a table is protected, or no longer, all its revealing views are
 * rewritten, whoever owns them: one that nobody refreshes would go on showing
 * values out of their place.  Only seal.show() in them changes, so no name, type
 * or right does.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "plan/internal.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_rewrite.h"
#include "rewrite/rewriteDefine.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteSupport.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* rule_relation: the relation a rewrite rule is of. */
static Oid
rule_relation(Oid rule)
{
	Relation	rewrite = table_open(RewriteRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	Oid			relation;

	ScanKeyInit(&key, Anum_pg_rewrite_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(rule));
	scan = systable_beginscan(rewrite, RewriteOidIndexId, true, NULL, 1, &key);
	row = systable_getnext(scan);
	relation = HeapTupleIsValid(row) ? ((Form_pg_rewrite) GETSTRUCT(row))->ev_class : InvalidOid;
	systable_endscan(scan);
	table_close(rewrite, AccessShareLock);
	return relation;
}

/* views_of: the views that read a relation. */
static List *
views_of(Oid relation)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	row;
	List	   *views = NIL;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
		if (((Form_pg_depend) GETSTRUCT(row))->classid == RewriteRelationId)
			views = list_append_unique_oid(views, rule_relation(((Form_pg_depend) GETSTRUCT(row))->objid));
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return views;
}

/* current_query: the query of a revealing view, each sealed column as the table's protection says; a copy. */
static Query *
current_query(Relation relation, const RevealingView *view)
{
	Query	   *query = copyObject(get_view_query(relation));
	CellForm	form;
	ListCell   *cell;

	cell_form(&form, view->table->relid);
	foreach(cell, query->targetList)
	{
		TargetEntry *target = lfirst_node(TargetEntry, cell);
		FuncExpr   *call = view_call(target->expr);
		bool		sealed;

		if (call != NULL)
			target->expr = (Expr *) cell_show(&form, cell_number(&form, view_source(target->expr, &sealed)->varattno),
											  linitial(call->args), view->table_index);
	}
	return query;
}

/*
 * follow_protection
 *		One view, whoever owns it; what it shows keeps its names and types.
 *
 * In his name, because PostgreSQL asks for the owner; no statement of anybody's runs.
 */
static void
follow_protection(Oid oid)
{
	Relation	relation;
	RevealingView view;
	Oid			user;
	int			context;

	if (get_rel_relkind(oid) != RELKIND_VIEW)
		return;
	relation = relation_open(oid, AccessExclusiveLock);
	if (view_read(&view, relation) && view.outdated)
	{
		GetUserIdAndSecContext(&user, &context);
		SetUserIdAndSecContext(relation->rd_rel->relowner, context | SECURITY_LOCAL_USERID_CHANGE);
		(void) DefineQueryRewrite(pstrdup(ViewSelectRuleName), oid, NULL, CMD_SELECT, true, true,
								  list_make1(current_query(relation, &view)));
		SetUserIdAndSecContext(user, context);
	}
	relation_close(relation, NoLock);
}

/* refresh_views: the revealing views of a table whose protection changed, and those of its partitions. */
static void
refresh_views(Oid table)
{
	ListCell   *relation,
			   *view;

	foreach(relation, find_all_inheritors(table, AccessShareLock, NULL))
		foreach(view, views_of(lfirst_oid(relation)))
			follow_protection(lfirst_oid(view));
	CommandCounterIncrement();
}

void
refresh_init(void)
{
	refresh_revealing_views = refresh_views;
}
