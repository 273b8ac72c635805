/*-------------------------------------------------------------------------
 * admit.c
 *		The SQL functions that admit a role to a subject: by an administrator, or
 *		by breaking the glass.
 *
 * Floor 3.  Breaking the glass asks nobody, and tells everybody: its record is on
 * the disk and its line in the server log before it counts, and sessions that
 * LISTEN to seal_alert hear of it when it commits, which is when it begins to
 * count.  An external id of a subject goes into none of them; the reason is
 * sealed under key audit.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "access/xact.h"
#include "audit/audit.h"
#include "commands/async.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#define ALERT_CHANNEL		"seal_alert"
#define BREAK_GLASS_MAX		(4 * 60)	/* minutes */
#define SEALED_TEXT_KIND	1		/* doc/storage_format.md */
#define REASON_MAX_BYTES	4096

PG_FUNCTION_INFO_V1(pgseal_admit);
PG_FUNCTION_INFO_V1(pgseal_dismiss);
PG_FUNCTION_INFO_V1(pgseal_break_glass);
PG_FUNCTION_INFO_V1(pgseal_sign_off);
PG_FUNCTION_INFO_V1(pgseal_admission_state);
PG_FUNCTION_INFO_V1(pgseal_subject_number);

static int	break_glass_max = BREAK_GLASS_MAX;

/*
 * seal.break_glass_max: longest time for which somebody may admit himself.
 * Recommended: a shift at most.
 */
void
admit_init(void)
{
	DefineCustomIntVariable("seal.break_glass_max",
							"Longest time for which seal.break_glass() admits.",
							"Zero means that nobody may break the glass.",
							&break_glass_max, BREAK_GLASS_MAX, 0, 7 * 24 * 60, PGC_SIGHUP,
							GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE | GUC_UNIT_MIN,
							NULL, NULL, NULL);
}

/* ----------
 * Arguments
 * ----------
 */

/* text_argument: 22004 for NULL. */
static char *
text_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	admin_argument(fcinfo, number, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

/* has_subjects_of: is any protected table about subjects of this type? */
static bool
has_subjects_of(const char *type)
{
	int			count = ring_rows(RING_PROTECTION);

	for (int i = 0; i < count; i++)
	{
		RingRow		row;

		ring_row(&row, RING_PROTECTION, i);
		if (strcmp(NameStr(*DatumGetName(row.values[PROTECTION_SUBJECT_TYPE])), type) == 0)
			return true;
	}
	return false;
}

/* find_subject: number of a subject; 42704 without one, and what the ring says. */
static uint64
find_subject(const char *type, const char *external)
{
	uint64		number;
	SealError	error = ring_verify();

	if (error != SEAL_OK)
		ring_raise(error, 0);
	if (!has_subjects_of(type))
		error_raise(SEAL_E_NO_SUBJECT_TYPE, type);
	error = subject_find_external(&number, type, external);
	if (error != SEAL_OK)
		ring_raise(error, 0);
	if (number == 0)
		error_raise(SEAL_E_NO_SUBJECT, type);
	return number;
}

/* admit_subject: the subject that the first two arguments name. */
uint64
admit_subject(FunctionCallInfo fcinfo, Name type)
{
	char	   *name = text_argument(fcinfo, 0, "subject_type");
	char	   *external = text_argument(fcinfo, 1, "subject");
	uint64		number = find_subject(name, external);

	namestrcpy(type, name);
	return number;
}

/* role_argument: 22004 for NULL, 42704 for a role that is gone. */
static Oid
role_argument(FunctionCallInfo fcinfo, int number)
{
	Oid			role;

	admin_argument(fcinfo, number, "role");
	role = PG_GETARG_OID(number);
	if (GetUserNameFromId(role, true) == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("role with OID %u does not exist", role)));
	return role;
}

/* end_text: a time for a record; infinity is one. */
static const char *
end_text(TimestampTz end)
{
	return TIMESTAMP_IS_NOEND(end) ? "infinity" : pstrdup(timestamptz_to_str(end));
}

/* ----------
 * By an administrator
 * ----------
 */

/* seal.admit(subject_type text, subject text, role regrole, purpose text, until timestamptz) returns void */
Datum
pgseal_admit(PG_FUNCTION_ARGS)
{
	Admission	admission = {.granted_by = GetAuthenticatedUserId()};
	char	   *purpose;

	admin_require("seal.admit");
	purpose = text_argument(fcinfo, 3, "purpose");
	admin_purpose(purpose);
	admin_argument(fcinfo, 4, "until");
	admission.until = PG_GETARG_TIMESTAMPTZ(4);
	if (admission.until <= GetCurrentTimestamp())
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("until must be in the future")));
	admission.role = role_argument(fcinfo, 2);
	admission.subject = admit_subject(fcinfo, &admission.subject_type);
	PreventCommandIfReadOnly("an admission");
	gate_note(&(GateEvent) {
		.action = "admit",.what = "admit",.subject = admission.subject,
		.detail = psprintf("to=%s purpose=%s until=%s", GetUserNameFromId(admission.role, false), purpose,
						   end_text(admission.until))
	});
	(void) admission_write(&admission, purpose, NULL);
	PG_RETURN_VOID();
}

/* seal.dismiss(subject_type text, subject text, role regrole) returns integer */
Datum
pgseal_dismiss(PG_FUNCTION_ARGS)
{
	NameData	type;
	uint64		subject;
	Oid			role;

	admin_require("seal.dismiss");
	role = role_argument(fcinfo, 2);
	subject = admit_subject(fcinfo, &type);
	PreventCommandIfReadOnly("a change of an admission");
	gate_note(&(GateEvent) {
		.action = "admit",.what = "dismiss",.subject = subject,
		.detail = psprintf("from=%s", GetUserNameFromId(role, false))
	});
	PG_RETURN_INT32(admission_dismiss(subject, role));
}

/* ----------
 * Breaking the glass
 * ----------
 */

/*
 * seal_note_text
 *		Text of the envelope of a text under key audit; as the types room makes it.
 *
 * The clear copy is wiped.
 */
static char *
seal_note_text(char *text)
{
	char	   *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
	size_t		len = strlen(utf8);
	SealKey    *key = gate_audit_seal();
	Envelope	head = {.key_id = sealkey_ring(key)->id,.key_version = sealkey_version(key),.type = SEALED_TEXT_KIND};
	size_t		padded_len = payload_padded_len(len, sealkey_ring(key)->pad);
	size_t		head_len = envelope_head_len(head.flags);
	size_t		sealed_len = envelope_len(head.flags, padded_len);
	unsigned char *bytes = palloc(sealed_len);
	unsigned char *ciphertext = bytes + head_len + NONCE_BYTES;
	char	   *result = palloc(envelope_text_len(sealed_len) + 1);
	const AeadSubkey *subkey = sealkey_next_nonce(bytes + head_len, key);

	envelope_write_head(bytes, &head);
	memcpy(ciphertext, utf8, len);
	payload_pad(ciphertext, len, padded_len);
	aead_seal(ciphertext, ciphertext + padded_len, ciphertext, padded_len, bytes, head_len, bytes + head_len, subkey);
	envelope_to_text(result, envelope_text_len(sealed_len) + 1, bytes, sealed_len);
	if (utf8 != text)
		sodium_memzero(utf8, len);
	sodium_memzero(text, strlen(text));
	return result;
}

/* reason_argument: 22023 for one that says nothing, or too much. */
static char *
reason_argument(FunctionCallInfo fcinfo, int number)
{
	char	   *reason = text_argument(fcinfo, number, "reason");

	if (reason[strspn(reason, " \t\r\n\v\f")] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("reason must not be blank"),
						errhint("Somebody else will read it, and sign it off.")));
	if (strlen(reason) > REASON_MAX_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("reason must not be longer than %d bytes", REASON_MAX_BYTES)));
	return reason;
}

/* glass_until: when a time from now ends; 22023 for none, and for one beyond seal.break_glass_max. */
static TimestampTz
glass_until(FunctionCallInfo fcinfo, int number)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until;

	admin_argument(fcinfo, number, "duration");
	until = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now),
													PG_GETARG_DATUM(number)));
	if (until <= now)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("duration must be positive")));
	if (until > now + (int64) break_glass_max * SECS_PER_MINUTE * USECS_PER_SEC)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("duration must not exceed %d minutes", break_glass_max),
						errhint("That is what seal.break_glass_max says; an administrator can admit for longer with seal.admit().")));
	return until;
}

/* require_admitted_scope: 42501 for a role whose rights no admission widens. */
static void
require_admitted_scope(void)
{
	SealError	error = ring_verify();

	if (error != SEAL_OK)
		ring_raise(error, 0);
	if (rights_hold_admitted())
		return;
	gate_note(&(GateEvent) {
		.action = "refuse",.what = "seal.break_glass",.sqlstate = error_sqlstate(SEAL_E_NO_GLASS)
	});
	error_raise(SEAL_E_NO_GLASS, NULL);
}

/* add_member: of a JSON object. */
static void
add_member(StringInfo json, const char *name, const char *value)
{
	appendStringInfo(json, ", \"%s\": ", name);
	escape_json(json, value);
}

/* alert: who LISTENs hears of it at commit. */
static void
alert(const Admission *admission)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"alert\": \"break_glass\", \"admission\": " UINT64_FORMAT ", \"subject\": " UINT64_FORMAT,
					 admission->id, admission->subject);
	add_member(&json, "subject_type", NameStr(admission->subject_type));
	add_member(&json, "database", get_database_name(MyDatabaseId));
	add_member(&json, "login_role", GetUserNameFromId(admission->granted_by, false));
	add_member(&json, "role", GetUserNameFromId(admission->role, false));
	add_member(&json, "until", end_text(admission->until));
	appendStringInfoChar(&json, '}');
	Async_Notify(ALERT_CHANNEL, json.data);
}

/* seal.break_glass(subject_type text, subject text, reason text, duration interval) returns timestamptz */
Datum
pgseal_break_glass(PG_FUNCTION_ARGS)
{
	Admission	admission = {.role = GetUserId(),.granted_by = GetAuthenticatedUserId(),.break_glass = true};
	char	   *reason = reason_argument(fcinfo, 2);

	admission.until = glass_until(fcinfo, 3);
	PreventCommandIfReadOnly("seal.break_glass()");
	if (InSecurityRestrictedOperation())
		error_raise(SEAL_E_RESTRICTED, NULL);
	gate_follow_changes();
	require_admitted_scope();
	admission.subject = admit_subject(fcinfo, &admission.subject_type);
	gate_note(&(GateEvent) {
		.action = "break_glass",.what = "break_glass",.subject = admission.subject,
		.detail = psprintf("subject=" UINT64_FORMAT " type=%s until=%s", admission.subject,
						   NameStr(admission.subject_type), end_text(admission.until))
	});
	admission.id = admission_write(&admission, audit_claim(CLAIM_PURPOSE), seal_note_text(reason));
	alert(&admission);
	PG_RETURN_TIMESTAMPTZ(admission.until);
}

/* ----------
 * Looking at it afterwards
 * ----------
 */

/* require_auditor: 42501 unless the current role administers, or reads the log in the clear. */
static void
require_auditor(const char *function)
{
	gate_follow_changes();
	if (admin_is() || (ring_verify() == SEAL_OK && rights_hold(key_id_of(KEY_AUDIT), VERB_REVEAL)))
		return;
	gate_note(&(GateEvent) {
		.action = "refuse",.what = function,.sqlstate = error_sqlstate(SEAL_E_NOT_AUDITOR)
	});
	error_raise(SEAL_E_NOT_AUDITOR, function);
}

/* find_broken: a broken glass that nobody signed off; 42704. */
static void
find_broken(Admission *admission, uint64 id)
{
	SealError	error = admission_find(admission, id);

	if (error == SEAL_E_CORRUPT || (error == SEAL_OK && (!admission->break_glass || admission->signed_off)))
		error_raise(SEAL_E_NO_ADMISSION, NULL);
	if (error != SEAL_OK)
		ring_raise(error, 0);
}

/* seal.sign_off(admission bigint, note text) returns void */
Datum
pgseal_sign_off(PG_FUNCTION_ARGS)
{
	Oid			login = GetAuthenticatedUserId();
	Admission	admission;

	require_auditor("seal.sign_off");
	admin_argument(fcinfo, 0, "admission");
	find_broken(&admission, (uint64) PG_GETARG_INT64(0));
	if (admission.granted_by == login)
		error_raise(SEAL_E_OWN_GLASS, NULL);
	PreventCommandIfReadOnly("a change of an admission");
	gate_note(&(GateEvent) {
		.action = "break_glass",.what = "sign_off",.subject = admission.subject,
		.detail = psprintf("admission=" UINT64_FORMAT, admission.id)
	});
	if (!admission_sign_off(admission.id, login,
							PG_ARGISNULL(1) ? NULL : seal_note_text(text_to_cstring(PG_GETARG_TEXT_PP(1)))))
		error_raise(SEAL_E_NO_ADMISSION, NULL);
	PG_RETURN_VOID();
}

/* seal.admission_state(admission bigint) returns text */
Datum
pgseal_admission_state(PG_FUNCTION_ARGS)
{
	static const char *const states[] = {
		[ADMISSION_VALID] = "valid",
		[ADMISSION_OVER] = "over",
		[ADMISSION_DISMISSED] = "dismissed",
		[ADMISSION_UNBOUND] = "unbound",
		[ADMISSION_INVALID] = "not valid",
		[ADMISSION_UNVERIFIED] = "not verified",
	};

	PG_RETURN_TEXT_P(cstring_to_text(states[admission_state((uint64) PG_GETARG_INT64(0))]));
}

/* seal.subject_number(subject_type text, subject text) returns bigint */
Datum
pgseal_subject_number(PG_FUNCTION_ARGS)
{
	NameData	type;

	require_auditor("seal.subject_number");
	PG_RETURN_INT64((int64) admit_subject(fcinfo, &type));
}
