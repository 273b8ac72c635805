/*-------------------------------------------------------------------------
 * roles.c
 *		Grants and admissions follow their roles: a rename is carried over, a drop
 *		refused, a membership noted.
 *
 * Floor 3.  They name their role twice, by OID and by name, both under the MAC.
 * Only those of the current database can be kept in step; elsewhere they are
 * unbound until seal.rebind_grants().
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static object_access_hook_type prev_object_access_hook = NULL;
static ProcessUtility_hook_type prev_process_utility_hook = NULL;

/* What an edit is to carry over. */
typedef struct Rename
{
	Oid			role;
	NameData	old_name;
	NameData	name;
} Rename;

/* counts: does a grant give something on a key that is still there? */
static bool
counts(const RingGrant *grant)
{
	const RingKey *key = ring_key_by_id(grant->key_id);

	return grant->verbs != 0 && key != NULL && !key->dropped;
}

/* has_grant: has this role a right that counts? */
static bool
has_grant(Oid role)
{
	int			count;
	const RingGrant *grants = ring_grants(&count);

	for (int i = 0; i < count; i++)
	{
		if (grants[i].role == role && counts(&grants[i]))
			return true;
	}
	return false;
}

/* read_new_name: the name a role has in this command; false when it is gone. */
static bool
read_new_name(NameData *name, Oid role)
{
	Relation	roles = table_open(AuthIdRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, Anum_pg_authid_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(role));
	scan = systable_beginscan(roles, AuthIdOidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		*name = ((Form_pg_authid) GETSTRUCT(tuple))->rolname;
	systable_endscan(scan);
	table_close(roles, AccessShareLock);
	return found;
}

/* leave_tombstone: the old name has no right from now on, whatever an older ring says. */
static void
leave_tombstone(RingEditor *editor, RingRow row)
{
	ring_set(&row, GRANT_VERBS, PointerGetDatum(construct_empty_array(TEXTOID)));
	ring_write(editor, &row);
}

/* rename_grant: one row under the role's new name. */
static void
rename_grant(RingEditor *editor, const RingRow *row, Rename *rename)
{
	RingRow		renamed = *row;
	RingRow		there;
	uint32		key_id = DatumGetInt32(row->values[GRANT_KEY]);

	renamed.tuple = ring_find_grant(&there, key_id, NameStr(rename->name)) ? there.tuple : NULL;
	ring_set(&renamed, GRANT_ROLE_NAME, NameGetDatum(&rename->name));
	ring_write(editor, &renamed);
	leave_tombstone(editor, *row);
}

/* rename_grants: an edit; all rows of one role. */
static void
rename_grants(RingEditor *editor, void *arg)
{
	Rename	   *rename = arg;
	RingRow		row;
	int			next = 0;

	while (ring_next_valid(&row, RING_GRANT, &next))
	{
		if (DatumGetObjectId(row.values[GRANT_ROLE_OID]) == rename->role &&
			namestrcmp(DatumGetName(row.values[GRANT_ROLE_NAME]), NameStr(rename->old_name)) == 0)
			rename_grant(editor, &row, rename);
	}
}

/* role_altered: carry a rename over; without a root the grants become unbound. */
static void
role_altered(Oid role)
{
	Rename		rename = {.role = role};
	const char *old_name = GetUserNameFromId(role, true);
	bool		granted;

	if (old_name == NULL || !read_new_name(&rename.name, role) ||
		strcmp(old_name, NameStr(rename.name)) == 0)
		return;
	if (ring_verify() != SEAL_OK)
		return;
	granted = has_grant(role);
	namestrcpy(&rename.old_name, old_name);
	if (admission_is_open(role))
		(void) admission_rename(role, old_name, NameStr(rename.name));
	if (!granted)
		return;
	ring_change(rename_grants, &rename);
	gate_note(&(GateEvent) {
		.action = "grant",.what = "rename_role",.detail = psprintf("to=%s", NameStr(rename.name))
	});
}

/* keys_of: names of the keys a role has rights on, one a line. */
static char *
keys_of(Oid role)
{
	StringInfoData names;
	int			count;
	const RingGrant *grants = ring_grants(&count);

	initStringInfo(&names);
	for (int i = 0; i < count; i++)
	{
		if (grants[i].role == role && counts(&grants[i]))
			appendStringInfo(&names, "%srights on key \"%s\"", names.len > 0 ? "\n" : "",
							 NameStr(ring_key_by_id(grants[i].key_id)->name));
	}
	return names.data;
}

/* role_dropped: refuse to drop a role that has rights, as PostgreSQL does for privileges. */
static void
role_dropped(Oid role)
{
	if (ring_verify() != SEAL_OK)
		return;
	if (admission_is_open(role))
		ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						errmsg("role \"%s\" cannot be dropped because it is admitted to subjects",
							   GetUserNameFromId(role, false)),
						errhint("Dismiss it with seal.dismiss() first, or wait until its admissions are over.")));
	if (!has_grant(role))
		return;
	ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					errmsg("role \"%s\" cannot be dropped because it has rights on keys",
						   GetUserNameFromId(role, false)),
					errdetail("%s", keys_of(role)),
					errhint("Take them away with seal.revoke_key() first.")));
}

/* follow_roles: object_access_hook.  Whoever was here first goes first. */
static void
follow_roles(ObjectAccessType access, Oid classId, Oid objectId, int subId, void *arg)
{
	if (prev_object_access_hook)
		(*prev_object_access_hook) (access, classId, objectId, subId, arg);
	if (classId != AuthIdRelationId || IsBinaryUpgrade || !seal_in_database())
		return;
	if (access == OAT_POST_ALTER)
		role_altered(objectId);
	else if (access == OAT_DROP)
		role_dropped(objectId);
}

/* add_role: one name of a list. */
static void
add_role(StringInfo text, const char *name)
{
	if (text->len > 0 && text->data[text->len - 1] != '=')
		appendStringInfoChar(text, ',');
	appendStringInfoString(text, name);
}

/* add_roles: RoleSpecs, by the names the statement gives them. */
static void
add_roles(StringInfo text, List *roles)
{
	ListCell   *cell;

	foreach(cell, roles)
	{
		RoleSpec   *role = lfirst_node(RoleSpec, cell);

		add_role(text, role->roletype == ROLESPEC_CSTRING ? role->rolename : "current_role");
	}
}

/* granted_text: GRANT and REVOKE of roles. */
static char *
granted_text(const GrantRoleStmt *stmt)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	appendStringInfoString(&text, "roles=");
	foreach(cell, stmt->granted_roles)
		add_role(&text, lfirst_node(AccessPriv, cell)->priv_name);
	appendStringInfoString(&text, stmt->is_grant ? " to=" : " from=");
	add_roles(&text, stmt->grantee_roles);
	return text.data;
}

/*
 * option_text
 *		CREATE ROLE ... IN ROLE, ROLE, ADMIN and ALTER GROUP ... ADD, DROP; NULL
 *		when no option is about memberships.
 */
static char *
option_text(const char *role, List *options, bool given)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);
		bool		into = strcmp(option->defname, "addroleto") == 0;

		if (!into && strcmp(option->defname, "rolemembers") != 0 &&
			strcmp(option->defname, "adminmembers") != 0)
			continue;
		appendStringInfoString(&text, text.len > 0 ? " roles=" : "roles=");
		if (into)
			add_roles(&text, (List *) option->arg);
		else
			add_role(&text, role);
		appendStringInfoString(&text, given ? " to=" : " from=");
		if (into)
			add_role(&text, role);
		else
			add_roles(&text, (List *) option->arg);
	}
	return text.len > 0 ? text.data : NULL;
}

/* membership_text: who becomes a member of what, or ceases to be; NULL for other statements. */
static char *
membership_text(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_GrantRoleStmt:
			return granted_text((GrantRoleStmt *) statement);
		case T_CreateRoleStmt:
			return option_text(((CreateRoleStmt *) statement)->role,
							   ((CreateRoleStmt *) statement)->options, true);
		case T_AlterRoleStmt:
			{
				AlterRoleStmt *alter = (AlterRoleStmt *) statement;

				return option_text(alter->role->roletype == ROLESPEC_CSTRING ?
								   alter->role->rolename : "current_role",
								   alter->options, alter->action > 0);
			}
		default:
			return NULL;
	}
}

/*
 * note_memberships
 *		ProcessUtility_hook.  Rights reach members: a membership given is a right
 *		given, in whatever database of the server it is done.
 */
static void
note_memberships(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree,
				 ProcessUtilityContext context, ParamListInfo params,
				 QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	char	   *detail = membership_text(pstmt->utilityStmt);

	if (prev_process_utility_hook)
		(*prev_process_utility_hook) (pstmt, queryString, readOnlyTree, context, params,
									  queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params,
								queryEnv, dest, qc);
	if (detail != NULL)
		gate_note(&(GateEvent) {
			.action = "grant",.what = "membership",.detail = detail
		});
}

void
roles_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = follow_roles;
	prev_process_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = note_memberships;
}
