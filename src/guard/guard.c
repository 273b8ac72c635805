/*-------------------------------------------------------------------------
 * guard.c
 *		The hooks of the guard room: dispatch only.
 *
 * Floor 5.  A definition is judged after the command wrote it into the
 * catalogs and before it can hold data, by hooks that no session can switch
 * off, as it could an event trigger.  Silent during pg_upgrade, which brings
 * back what was judged before.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "guard/guard.h"
#include "guard/internal.h"

#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"

static object_access_hook_type prev_object_access_hook = NULL;
static ProcessUtility_hook_type prev_utility_hook = NULL;

/* is_on_duty: is there anything to guard here and now? */
static bool
is_on_duty(void)
{
	return !IsBinaryUpgrade && seal_in_database();
}

/* is_definition: did the command define something, rather than copy it as CLUSTER does? */
static bool
is_definition(ObjectAccessType access, void *arg)
{
	if (access == OAT_POST_CREATE)
		return true;
	return access == OAT_POST_ALTER && !((ObjectAccessPostAlter *) arg)->is_internal;
}

/* check_object: the class of an object says who judges it. */
static void
check_object(Oid class, Oid object, int column)
{
	switch (class)
	{
		case RelationRelationId:
			ddl_check_relation(object, column);
			break;
		case TypeRelationId:
			ddl_check_type(object);
			break;
		case AttrDefaultRelationId:
			ddl_check_default(object, column);
			break;
		case ConstraintRelationId:
			ddl_check_constraint(object);
			break;
		case TriggerRelationId:
			ddl_check_trigger(object);
			break;
		case StatisticExtRelationId:
			ddl_check_statistics(object);
			break;
		case RewriteRelationId:
			ddl_check_rule(object);
			break;
		default:
			break;
	}
}

/* guard_object: object_access_hook.  Whoever was here first goes first. */
static void
guard_object(ObjectAccessType access, Oid class, Oid object, int column, void *arg)
{
	if (prev_object_access_hook)
		(*prev_object_access_hook) (access, class, object, column, arg);
	if (is_definition(access, arg) && is_on_duty())
		check_object(class, object, column);
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

/* created_relation: the table a CREATE TABLE has just made, found where it was made. */
static Oid
created_relation(const RangeVar *name)
{
	return get_relname_relid(name->relname, RangeVarGetCreationNamespace(name));
}

/* is_matview: CREATE MATERIALIZED VIEW. */
static bool
is_matview(Node *statement)
{
	return IsA(statement, CreateTableAsStmt) &&
		((CreateTableAsStmt *) statement)->objtype == OBJECT_MATVIEW;
}

/*
 * guard_utility
 *		ProcessUtility_hook: partition keys, which no access hook shows, and
 *		materialized views, which are planned and filled before one shows them.
 *
 * The look at the database also tells the log room, which can read no
 * catalog, whether statements here may hold what is to be sealed.
 */
static void
guard_utility(PlannedStmt *statement, const char *query_string, bool read_only_tree,
			  ProcessUtilityContext context, ParamListInfo params,
			  QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	CreateStmt *create = (CreateStmt *) statement->utilityStmt;
	bool		partitioned = IsA(create, CreateStmt) && create->partspec != NULL;

	(void) seal_in_database();
	if (is_matview(statement->utilityStmt) && is_on_duty())
		ddl_check_matview(((CreateTableAsStmt *) statement->utilityStmt)->query);
	run_utility(statement, query_string, read_only_tree, context, params,
				environment, dest, completion);
	if (partitioned && is_on_duty())
		ddl_check_partition_key(created_relation(create->relation));
}

void
guard_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = guard_object;
	prev_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = guard_utility;
	log_init();
}
