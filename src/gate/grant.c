/*-------------------------------------------------------------------------
 * grant.c
 *		The SQL functions that give and take rights on keys.
 *
 * Floor 3.  A row of seal.grant is never deleted: one without verbs keeps an
 * older ring from bringing a right back.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define SCOPE_ALL		"all"
#define SCOPE_ADMITTED	"admitted"

PG_FUNCTION_INFO_V1(pgseal_grant_key);
PG_FUNCTION_INFO_V1(pgseal_revoke_key);
PG_FUNCTION_INFO_V1(pgseal_rebind_grants);
PG_FUNCTION_INFO_V1(pgseal_grant_state);

/* What grant_key() and revoke_key() were asked for. */
typedef struct RightsChange
{
	const char *key;
	const char *role_name;
	Oid			role;
	int			verbs;
	const char *scope;
} RightsChange;

/* parse_verbs: verbs of an array; 22023 for what is none. */
static int
parse_verbs(ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			verbs = 0;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *name = nulls[i] ? "null" : TextDatumGetCString(elements[i]);
		int			verb = verb_of_name(name);

		if (verb == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("unknown verb \"%s\"", name),
							errhint("Verbs are seal, search and reveal.")));
		verbs |= verb;
	}
	return verbs;
}

/* verbs_array: verbs as an array of their names. */
static Datum
verbs_array(int verbs)
{
	Datum		elements[VERB_COUNT];
	int			count = 0;

	for (int bit = 0; bit < VERB_COUNT; bit++)
	{
		if (verbs & (1 << bit))
			elements[count++] = CStringGetTextDatum(verb_names[bit]);
	}
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* verbs_text: verbs for a note. */
static const char *
verbs_text(int verbs)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int bit = 0; bit < VERB_COUNT; bit++)
	{
		if (verbs & (1 << bit))
			appendStringInfo(&text, "%s%s", text.len > 0 ? "," : "", verb_names[bit]);
	}
	return text.data;
}

/* current_verbs: what a row of seal.grant gives now; a row that counts for nothing gives none. */
static int
current_verbs(const RingRow *row, uint32 key_id, const char *role_name)
{
	if (ring_grant_state(key_id, role_name) != GRANT_VALID)
		return 0;
	return parse_verbs(DatumGetArrayTypeP(row->values[GRANT_VERBS]));
}

/* write_grant: the row that says what the role holds from now on. */
static void
write_grant(RingEditor *editor, RingRow *row, uint32 key_id, const RightsChange *change, int verbs)
{
	NameData	role_name;
	NameData	granted_by;

	namestrcpy(&role_name, change->role_name);
	namestrcpy(&granted_by, GetUserNameFromId(GetUserId(), false));
	ring_set(row, GRANT_KEY, Int32GetDatum((int32) key_id));
	ring_set(row, GRANT_ROLE, ObjectIdGetDatum(change->role));
	ring_set(row, GRANT_ROLE_OID, ObjectIdGetDatum(change->role));
	ring_set(row, GRANT_ROLE_NAME, NameGetDatum(&role_name));
	ring_set(row, GRANT_VERBS, verbs_array(verbs));
	ring_set(row, GRANT_SCOPE, CStringGetTextDatum(change->scope));
	ring_set(row, GRANT_GRANTED_BY, NameGetDatum(&granted_by));
	ring_write(editor, row);
}

/*
 * check_scope
 *		Verbs of a role on a key have one scope.
 *
 * It changes only for all of them: or who gives the verb seal, without a word of
 * scope, would widen a right to open that was given for some subjects.
 */
static void
check_scope(const RightsChange *change, int held, const char *scope)
{
	if (strcmp(scope, change->scope) != 0 && (held & ~change->verbs) != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("role \"%s\" holds verbs of scope %s on key \"%s\"", change->role_name, scope, change->key),
						errdetail("It holds %s.", verbs_text(held)),
						errhint("Name all of them to change the scope, or give the other scope to another role.")));
}

/* grant_key: an edit; verbs add up. */
static void
grant_key(RingEditor *editor, void *arg)
{
	RightsChange *change = arg;
	uint32		key_id = admin_find_key(change->key, true);
	int			verbs = change->verbs;
	RingRow		row;

	if (strcmp(change->key, KEY_LITERAL) == 0 || strcmp(change->key, KEY_SUBJECT) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("key \"%s\" cannot be granted", change->key),
						errhint("It seals what a statement spells out, and opens for nobody.")));
	if (ring_find_grant(&row, key_id, change->role_name))
	{
		int			held = current_verbs(&row, key_id, change->role_name);

		check_scope(change, held, TextDatumGetCString(row.values[GRANT_SCOPE]));
		verbs |= held;
	}
	else
		ring_start_row(&row, RING_GRANT);
	write_grant(editor, &row, key_id, change, verbs);
}

/* revoke_key: an edit; the row stays, so that an older ring cannot bring the right back. */
static void
revoke_key(RingEditor *editor, void *arg)
{
	RightsChange *change = arg;
	uint32		key_id = admin_find_key(change->key, true);
	RingRow		row;

	if (!ring_find_grant(&row, key_id, change->role_name))
		return;
	change->scope = TextDatumGetCString(row.values[GRANT_SCOPE]);
	write_grant(editor, &row, key_id, change,
				current_verbs(&row, key_id, change->role_name) & ~change->verbs);
}

/* read_change: the arguments that grant_key() and revoke_key() share. */
static void
read_change(RightsChange *change, FunctionCallInfo fcinfo)
{
	admin_argument(fcinfo, 0, "key");
	admin_argument(fcinfo, 1, "role");
	change->key = text_to_cstring(PG_GETARG_TEXT_PP(0));
	change->role = PG_GETARG_OID(1);
	change->role_name = GetUserNameFromId(change->role, true);
	change->verbs = PG_ARGISNULL(2) ? VERB_ALL : parse_verbs(PG_GETARG_ARRAYTYPE_P(2));
	change->scope = SCOPE_ALL;
	if (change->role_name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("role with OID %u does not exist", change->role)));
}

/* read_scope: all, or admitted. */
static const char *
read_scope(FunctionCallInfo fcinfo)
{
	char	   *scope;

	admin_argument(fcinfo, 3, "scope");
	scope = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (strcmp(scope, SCOPE_ALL) == 0)
		return SCOPE_ALL;
	if (strcmp(scope, SCOPE_ADMITTED) == 0)
		return SCOPE_ADMITTED;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unknown scope \"%s\"", scope),
					errhint("Scopes are %s and %s.", SCOPE_ALL, SCOPE_ADMITTED)));
}

/* seal.grant_key(key text, role regrole, verbs text[], scope text) returns void */
Datum
pgseal_grant_key(PG_FUNCTION_ARGS)
{
	RightsChange change;

	admin_require("seal.grant_key");
	admin_argument(fcinfo, 2, "verbs");
	read_change(&change, fcinfo);
	change.scope = read_scope(fcinfo);
	ring_change(grant_key, &change);
	admin_note("grant", "grant", change.key,
				psprintf("to=%s verbs=%s scope=%s", change.role_name, verbs_text(change.verbs), change.scope));
	PG_RETURN_VOID();
}

/* seal.revoke_key(key text, role regrole, verbs text[]) returns void */
Datum
pgseal_revoke_key(PG_FUNCTION_ARGS)
{
	RightsChange change;

	admin_require("seal.revoke_key");
	read_change(&change, fcinfo);
	ring_change(revoke_key, &change);
	admin_note("grant", "revoke", change.key,
				psprintf("from=%s verbs=%s", change.role_name, verbs_text(change.verbs)));
	PG_RETURN_VOID();
}

/*
 * rebind_row: bind a grant to the role that has its name here; false when there is none.
 * The row stays as old as it is: what was revoked since must win when it is imported.
 */
static bool
rebind_row(RingEditor *editor, RingRow *row)
{
	Oid			role = get_role_oid(NameStr(*DatumGetName(row->values[GRANT_ROLE_NAME])), true);

	if (!OidIsValid(role))
		return false;
	ring_set(row, GRANT_ROLE, ObjectIdGetDatum(role));
	ring_set(row, GRANT_ROLE_OID, ObjectIdGetDatum(role));
	ring_write_kept(editor, row);
	return true;
}

/* rebind_grants: an edit; rows without verbs give nothing and stay as they are. */
static void
rebind_grants(RingEditor *editor, void *arg)
{
	int		   *rebound = arg;
	RingRow		row;
	int			next = 0;

	while (ring_next_valid(&row, RING_GRANT, &next))
	{
		if (parse_verbs(DatumGetArrayTypeP(row.values[GRANT_VERBS])) != 0 &&
			!ring_row_bound(&row) && rebind_row(editor, &row))
			(*rebound)++;
	}
}

/* seal.rebind_grants() returns integer */
Datum
pgseal_rebind_grants(PG_FUNCTION_ARGS)
{
	int			rebound = 0;

	admin_require("seal.rebind_grants");
	ring_change(rebind_grants, &rebound);
	rebound += admission_rebind();
	admin_note("admin", "rebind_grants", NULL, psprintf("rebound=%d", rebound));
	PG_RETURN_INT32(rebound);
}

/* seal.grant_state(key integer, role_name name) returns text */
Datum
pgseal_grant_state(PG_FUNCTION_ARGS)
{
	static const char *const states[] = {
		[GRANT_VALID] = "valid",
		[GRANT_UNBOUND] = "unbound",
		[GRANT_INVALID] = "not valid",
		[GRANT_UNVERIFIED] = "not verified",
	};

	PG_RETURN_TEXT_P(cstring_to_text(states[ring_grant_state((uint32) PG_GETARG_INT32(0),
															 NameStr(*PG_GETARG_NAME(1)))]));
}
