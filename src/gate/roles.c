/*-------------------------------------------------------------------------
 * roles.c
 *		Grants follow their roles: a rename is carried over, a drop refused.
 *
 * Floor 3.  A grant names its role twice, by OID and by name, both under the
 * MAC.  Only the ring of the current database can be kept in step; elsewhere
 * the grant is unbound until seal.rebind_grants().
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static object_access_hook_type prev_object_access_hook = NULL;

/* What an edit is to carry over. */
typedef struct Rename
{
	Oid			role;
	NameData	name;
} Rename;

/* has_grant: is there a row for this role that the ring vouches for? */
static bool
has_grant(Oid role)
{
	int			count;
	const RingGrant *grants = ring_grants(&count);

	for (int i = 0; i < count; i++)
	{
		if (grants[i].role == role && grants[i].verbs != 0)
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

/* rename_grants: an edit; the rows of one role under its new name. */
static void
rename_grants(RingEditor *editor, void *arg)
{
	Rename	   *rename = arg;
	int			count = ring_rows(RING_GRANT);

	for (int i = 0; i < count; i++)
	{
		RingRow		row;

		if (!ring_row_valid(RING_GRANT, i))
			continue;
		ring_row(&row, RING_GRANT, i);
		if (DatumGetObjectId(row.values[GRANT_ROLE_OID]) != rename->role)
			continue;
		ring_set(&row, GRANT_ROLE_NAME, NameGetDatum(&rename->name));
		ring_write(editor, &row);
	}
}

/* role_altered: carry a rename over; without a root the grants become unbound. */
static void
role_altered(Oid role)
{
	Rename		rename = {.role = role};
	const char *old_name = GetUserNameFromId(role, true);

	if (old_name == NULL || !read_new_name(&rename.name, role) ||
		strcmp(old_name, NameStr(rename.name)) == 0)
		return;
	if (ring_verify() != SEAL_OK || !has_grant(role))
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
		const RingKey *key = ring_key_by_id(grants[i].key_id);

		if (grants[i].role == role && grants[i].verbs != 0)
			appendStringInfo(&names, "%srights on key \"%s\"", names.len > 0 ? "\n" : "",
							 key != NULL ? NameStr(key->name) : "?");
	}
	return names.data;
}

/* role_dropped: refuse to drop a role that has rights, as PostgreSQL does for privileges. */
static void
role_dropped(Oid role)
{
	if (ring_verify() != SEAL_OK || !has_grant(role))
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

void
roles_init(void)
{
	prev_object_access_hook = object_access_hook;
	object_access_hook = follow_roles;
}
