/*-------------------------------------------------------------------------
 * settings.c
 *		Who changes a setting of the server by ALTER SYSTEM.
 *
 * Floor 3.  Recorded before the file is written, which no transaction takes
 * back; a command that fails is followed by a record that says so.  Only of
 * who may: others are refused by PostgreSQL and could fill the log.  When no
 * record can be stored the change is made all the same, because it may be what
 * gives the log room.  The value that comes into force, whoever wrote which
 * file, is recorded by the audit room.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "audit/audit.h"
#include "catalog/pg_parameter_acl.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/guc.h"

static ProcessUtility_hook_type prev_utility_hook = NULL;

/* may_set: may the current role change this setting of the server? */
static bool
may_set(const char *name)
{
	return superuser() || (name != NULL && pg_parameter_aclcheck(name, GetUserId(), ACL_ALTER_SYSTEM) == ACLCHECK_OK);
}

/* change_text: what is changed, NULL for what is not recorded. */
static const char *
change_text(VariableSetStmt *setting)
{
	if (setting->kind == VAR_RESET_ALL)
		return may_set(NULL) ? "reset all" : NULL;
	if (!audit_setting_matters(setting->name) || !may_set(setting->name))
		return NULL;
	if (setting->kind == VAR_SET_VALUE)
		return audit_setting_text(setting->name, ExtractSetVariableArgs(setting));
	return psprintf("reset %s", setting->name);
}

/* note_setting: ProcessUtility_hook. */
static void
note_setting(PlannedStmt *pstmt, const char *query_string, bool read_only_tree,
			 ProcessUtilityContext context, ParamListInfo params,
			 QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	const char *change = IsA(pstmt->utilityStmt, AlterSystemStmt) ?
	change_text(castNode(AlterSystemStmt, pstmt->utilityStmt)->setstmt) : NULL;

	if (change != NULL)
		gate_note(&(GateEvent) {
			.action = "setting",.what = "alter_system",.detail = change,.regardless = true
		});
	if (prev_utility_hook)
		(*prev_utility_hook) (pstmt, query_string, read_only_tree, context, params,
							  environment, dest, completion);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context, params,
								environment, dest, completion);
}

void
settings_init(void)
{
	prev_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = note_setting;
}
