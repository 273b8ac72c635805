/*-------------------------------------------------------------------------
 * admin.c
 *		The SQL functions that change the key ring as a whole, and who may call them.
 *
 * Floor 3.  All changes of the ring need superuser or membership in
 * seal.admin_role, and check it themselves.  Each is noted.  Administration
 * gives no right to a value: an administrator who grants himself one leaves a
 * note of that.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "audit/audit.h"
#include "commands/trigger.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(pgseal_rotate_root);
PG_FUNCTION_INFO_V1(pgseal_accept_ring);
PG_FUNCTION_INFO_V1(pgseal_export_ring);
PG_FUNCTION_INFO_V1(pgseal_import_ring);
PG_FUNCTION_INFO_V1(pgseal_ring_changed);

static char *admin_role = NULL;

/*
 * seal.admin_role: role whose members may administer the key ring, beside
 * superusers.  Recommended: one without login.  Empty: superusers only.
 */
void
admin_init(void)
{
	DefineCustomStringVariable("seal.admin_role",
							   "Role whose members may administer keys and grants.",
							   "Empty means that only superusers may. Administering the key ring gives no right to open a value.",
							   &admin_role, "", PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
}

/* admin_is: does the current role administer the ring? */
bool
admin_is(void)
{
	Oid			role;

	if (superuser())
		return true;
	role = admin_role[0] != '\0' ? get_role_oid(admin_role, true) : InvalidOid;
	return OidIsValid(role) && is_member_of_role_nosuper(GetUserId(), role);
}

/* admin_require: 42501 unless the current role administers the ring. */
void
admin_require(const char *function)
{
	if (admin_is())
		return;
	gate_note(&(GateEvent) {
		.action = "refuse",.what = function,.sqlstate = error_sqlstate(SEAL_E_NOT_ADMIN)
	});
	error_raise(SEAL_E_NOT_ADMIN, function);
}

/* admin_argument: 22004 for an argument that must not be null. */
void
admin_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("argument \"%s\" must not be null", name)));
}

/* admin_purpose: 22023 for what is no code of HL7 PurposeOfUse. */
void
admin_purpose(const char *code)
{
	if (!audit_purpose_known(code))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown purpose of use"),
						errhint("Codes of HL7 PurposeOfUse are %s.", audit_purpose_list())));
}

/* admin_note: tell a change of the ring. */
void
admin_note(const char *action, const char *what, const char *key, const char *detail)
{
	gate_note(&(GateEvent) {
		.action = action,.what = what,.key = key,.detail = detail
	});
}

/* admin_find_key: the row of a key that is neither unknown, dropped nor built-in; 42704, 42939. */
uint32
admin_find_key(const char *name, bool builtin_too)
{
	const RingKey *key = ring_key_by_name(name);

	if (key == NULL || key->dropped)
		error_raise(SEAL_E_UNKNOWN_KEY, name);
	if (key->builtin && !builtin_too)
		ereport(ERROR, (errcode(ERRCODE_RESERVED_NAME),
						errmsg("key \"%s\" is built in", name),
						errhint("It is made with the first key, and rotated with seal.rotate_key().")));
	return key->id;
}

/* seal.rotate_root() returns text */
Datum
pgseal_rotate_root(PG_FUNCTION_ARGS)
{
	char	   *fingerprint;

	admin_require("seal.rotate_root");
	fingerprint = ring_rewrap_all();
	admin_note("key", "rotate_root", NULL, psprintf("root=%s", fingerprint));
	PG_RETURN_TEXT_P(cstring_to_text(fingerprint));
}

/* seal.accept_ring() returns void */
Datum
pgseal_accept_ring(PG_FUNCTION_ARGS)
{
	admin_require("seal.accept_ring");
	ring_accept();
	admin_note("admin", "accept_ring", NULL, NULL);
	PG_RETURN_VOID();
}

/* seal.export_ring() returns text */
Datum
pgseal_export_ring(PG_FUNCTION_ARGS)
{
	char	   *text;

	admin_require("seal.export_ring");
	text = ring_export();
	admin_note("admin", "export_ring", NULL, NULL);
	PG_RETURN_TEXT_P(cstring_to_text(text));
}

/* seal.import_ring(ring text) returns integer */
Datum
pgseal_import_ring(PG_FUNCTION_ARGS)
{
	int			taken;

	admin_require("seal.import_ring");
	taken = ring_import(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	admin_note("admin", "import_ring", NULL, psprintf("rows=%d", taken));
	PG_RETURN_INT32(taken);
}

/*
 * seal.ring_changed() returns trigger
 *
 * Statement trigger of the ring's tables, enabled always: a change by hand is
 * told to every backend at once, and noted.
 */
Datum
pgseal_ring_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function \"%s\" was not called by trigger manager", "ring_changed")));
	trigger = (TriggerData *) fcinfo->context;
	if (RelationGetNamespace(trigger->tg_relation) != seal_schema_oid(true))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function \"%s\" is for the tables of the key ring only", "ring_changed")));
	CacheInvalidateRelcache(trigger->tg_relation);
	admin_note("admin", "ring_changed", NULL,
				psprintf("table=%s", RelationGetRelationName(trigger->tg_relation)));
	PG_RETURN_POINTER(NULL);
}
