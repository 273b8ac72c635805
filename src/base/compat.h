/*-------------------------------------------------------------------------
 * compat.h
 *		Every difference between PostgreSQL 15 and 19 that pgseal meets.
 *
 * Floor 0.  A room writes the newest form; this file maps it to older servers.
 * A room that needs an #if on the version needs a shim here instead.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_COMPAT_H
#define PGSEAL_COMPAT_H

#include "access/htup_details.h"
#include "access/tableam.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/proc.h"
#include "utils/fmgroids.h"

#if PG_VERSION_NUM < 150000
#error "pgseal needs PostgreSQL 15 or later"
#endif

/* PG 18 writes noreturn before a declaration, as C11 does. */
#ifndef pg_noreturn
#define pg_noreturn _Noreturn
#endif

/* PG 17 moved the local transaction id of a backend into PGPROC.vxid. */
#if PG_VERSION_NUM >= 170000
#define compat_local_xid_of(proc)	((proc)->vxid.lxid)
#else
#define compat_local_xid_of(proc)	((proc)->lxid)
#endif
#define compat_local_xid()	compat_local_xid_of(MyProc)

/* PG 17 dropped the number of a process from PGPROC; its place in the array is the same everywhere. */
#define compat_proc_number(proc)	((int) ((proc) - ProcGlobal->allProcs))

/* PG 18 dropped the argument that said whether a portal may run once only. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_RUN_ARGS
#define COMPAT_RUN_PASS
#else
#define COMPAT_RUN_ARGS		, bool execute_once
#define COMPAT_RUN_PASS		, execute_once
#endif

/* PG 16 made inheritance of rights a property of the membership, no longer of the member. */
#if PG_VERSION_NUM >= 160000
#define compat_membership_inherits(member_inherits, membership) \
	((void) (member_inherits), ((Form_pg_auth_members) GETSTRUCT(membership))->inherit_option)
#else
#define compat_membership_inherits(member_inherits, membership) \
	((void) (membership), (member_inherits))
#endif

/* PG 16 asks for the ownership of any object in one function, and so for any right. */
#if PG_VERSION_NUM >= 160000
#define compat_owns_relation(relation, role) \
	object_ownercheck(RelationRelationId, relation, role)
#define compat_may_create_in(schema, role) \
	(object_aclcheck(NamespaceRelationId, schema, role, ACL_CREATE) == ACLCHECK_OK)
#else
#define compat_owns_relation(relation, role)	pg_class_ownercheck(relation, role)
#define compat_may_create_in(schema, role) \
	(pg_namespace_aclcheck(schema, role, ACL_CREATE) == ACLCHECK_OK)
#endif

/* PG 16 made SET a right of its own, and giving an object away needs it. */
#if PG_VERSION_NUM >= 160000
#define compat_may_give_to(member, role)	member_can_set_role(member, role)
#else
#define compat_may_give_to(member, role)	is_member_of_role(member, role)
#endif

/* PG 16 moved what must be permitted on a relation out of its range table entry. */
#if PG_VERSION_NUM >= 160000
typedef RTEPermissionInfo CompatPermissions;

#define compat_permissions(query, rte)	getRTEPermissionInfo((query)->rteperminfos, rte)
#define compat_new_permissions(query, rte) \
	((rte)->perminfoindex = 0, addRTEPermissionInfo(&(query)->rteperminfos, rte))
#define compat_no_permissions(rte)	((rte)->perminfoindex = 0)
#else
typedef RangeTblEntry CompatPermissions;

#define compat_permissions(query, rte)	(rte)
#define compat_new_permissions(query, rte)	(rte)
#define compat_no_permissions(rte)	((rte)->requiredPerms = 0)
#endif

/* PG 17 moved the condition of MERGE out of its join tree. */
#if PG_VERSION_NUM >= 170000
#define compat_merge_condition(query)	((query)->mergeJoinCondition)
#else
#define compat_merge_condition(query)	((Node *) NULL)
#endif

/* PG 17 tells rows WHEN NOT MATCHED BY SOURCE by the whole row of the source. */
static inline bool
compat_merge_reads_row(Query *query)
{
#if PG_VERSION_NUM >= 170000
	ListCell   *cell;

	foreach(cell, query->mergeActionList)
		if (lfirst_node(MergeAction, cell)->matchKind == MERGE_WHEN_NOT_MATCHED_BY_SOURCE)
			return true;
#endif
	return false;
}

/* PG 18 puts a Var of an entry of FROM in the place of what is grouped by; these are its columns. */
#if PG_VERSION_NUM >= 180000
#define compat_group_exprs(rte)	((rte)->rtekind == RTE_GROUP ? (rte)->groupexprs : NIL)
#else
#define compat_group_exprs(rte)	((void) (rte), NIL)
#endif

/* PG 18 reads no resjunk column of a subquery, not even when it pulls it up. */
#define COMPAT_READS_RESJUNK	(PG_VERSION_NUM < 180000)

/* PG 18 wants to know the result relation, for OLD and NEW in RETURNING. */
#if PG_VERSION_NUM >= 180000
#define compat_replace_vars(node, varno, rte, targets, target_varno, has_sublinks) \
	ReplaceVarsFromTargetList(node, varno, 0, rte, targets, target_varno, \
							  REPLACEVARS_REPORT_ERROR, 0, has_sublinks)
#else
#define compat_replace_vars(node, varno, rte, targets, target_varno, has_sublinks) \
	ReplaceVarsFromTargetList(node, varno, 0, rte, targets, \
							  REPLACEVARS_REPORT_ERROR, 0, has_sublinks)
#endif

/* PG 18 wants to know it here too, for whole rows of OLD and NEW. */
#if PG_VERSION_NUM >= 180000
#define compat_expand_rte(rte, rtindex, include_dropped, names, columns) \
	expandRTE(rte, rtindex, 0, VAR_RETURNING_DEFAULT, -1, include_dropped, names, columns)
#else
#define compat_expand_rte(rte, rtindex, include_dropped, names, columns) \
	expandRTE(rte, rtindex, 0, -1, include_dropped, names, columns)
#endif

/* PG 19 tells the planner for which EXPLAIN it plans. */
#if PG_VERSION_NUM >= 190000
#define COMPAT_PLANNER_ARGS		, struct ExplainState *es
#define COMPAT_PLANNER_PASS		, es
#else
#define COMPAT_PLANNER_ARGS
#define COMPAT_PLANNER_PASS
#endif

/* PG 19 renamed the expansion of a function in FROM when support functions joined in. */
#if PG_VERSION_NUM >= 190000
#define compat_inline_from(root, rte)	inline_function_in_from(root, rte)
#else
#define compat_inline_from(root, rte)	inline_set_returning_function(root, rte)
#endif

/* PG 16 notes in a Var which outer joins can make it NULL; a Var that another stands for inherits them. */
#if PG_VERSION_NUM >= 160000
#define compat_nulled_as(expr, var) \
	(((Var *) (expr))->varnullingrels = bms_union(((Var *) (expr))->varnullingrels, (var)->varnullingrels), \
	 (expr))
#else
#define compat_nulled_as(expr, var) (expr)
#endif

/* PG 18 added functions that order whole rows and arrays; names of utils/fmgroids.h. */
#ifdef F_MAX_RECORD
#define COMPAT_ORDER_FUNCTIONS	F_MAX_RECORD, F_MIN_RECORD, F_RECORD_LARGER, F_RECORD_SMALLER, \
	F_ARRAY_SORT_ANYARRAY, F_ARRAY_SORT_ANYARRAY_BOOL, F_ARRAY_SORT_ANYARRAY_BOOL_BOOL,
#else
#define COMPAT_ORDER_FUNCTIONS
#endif

/* PG 16 keeps settings in a hash table, and makes the array. */
#if PG_VERSION_NUM >= 160000
#define compat_guc_variables(count)	get_guc_variables(count)
#else
#define compat_guc_variables(count)	(*(count) = GetNumConfigOptions(), get_guc_variables())
#endif

/* PG 16 added a condition of partial updates, PG 18 the row that an update replaces. */
#if PG_VERSION_NUM >= 190000
#define compat_insert_index_tuples(target, slot, estate, refused) \
	ExecInsertIndexTuples(target, estate, EIIT_NO_DUPE_ERROR, slot, NIL, refused)
#elif PG_VERSION_NUM >= 160000
#define compat_insert_index_tuples(target, slot, estate, refused) \
	ExecInsertIndexTuples(target, slot, estate, false, true, refused, NIL, false)
#else
#define compat_insert_index_tuples(target, slot, estate, refused) \
	ExecInsertIndexTuples(target, slot, estate, false, true, refused, NIL)
#endif
#if PG_VERSION_NUM >= 180000
#define compat_check_conflicts(target, slot, estate, conflict) \
	ExecCheckIndexConstraints(target, slot, estate, conflict, &(slot)->tts_tid, NIL)
#else
#define compat_check_conflicts(target, slot, estate, conflict) \
	ExecCheckIndexConstraints(target, slot, estate, conflict, NIL)
#endif

/* PG 16 tells an UPDATE that needs no index entries from one that needs those of summarizing indexes. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes CompatUpdateIndexes;

#define compat_indexes_change(indexes)	((indexes) != TU_None)
#if PG_VERSION_NUM >= 190000
#define compat_replace_index_tuples(target, slot, estate, indexes) \
	ExecInsertIndexTuples(target, estate, \
						  EIIT_IS_UPDATE | ((indexes) == TU_Summarizing ? EIIT_ONLY_SUMMARIZING : 0), \
						  slot, NIL, NULL)
#else
#define compat_replace_index_tuples(target, slot, estate, indexes) \
	ExecInsertIndexTuples(target, slot, estate, true, false, NULL, NIL, (indexes) == TU_Summarizing)
#endif
#else
typedef bool CompatUpdateIndexes;

#define compat_indexes_change(indexes)	(indexes)
#define compat_replace_index_tuples(target, slot, estate, indexes) \
	ExecInsertIndexTuples(target, slot, estate, true, false, NULL, NIL)
#endif

/* PG 16 keeps what belongs to a setting in a memory context of its own. */
#if PG_VERSION_NUM >= 160000
#define compat_guc_malloc(len)	guc_malloc(LOG, len)
#else
#define compat_guc_malloc(len)	malloc(len)
#endif

/* PG 18 gave the magic block a name and a version. */
#ifdef PG_MODULE_MAGIC_EXT
#define COMPAT_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "pgseal", .version = "0.1.0")
#else
#define COMPAT_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif							/* PGSEAL_COMPAT_H */
