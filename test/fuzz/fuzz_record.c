/*-------------------------------------------------------------------------
 * fuzz_record.c
 *		Fuzz target: any bytes as an audit record.
 *
 * What is decoded is encoded to the same bytes: there is one form of a record,
 * so no byte of it can change unseen.  Before the first input a record with
 * every field goes there and back whole, and then cut at each byte and with
 * each bit flipped.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "fuzz.h"

#include "server.h"

#include "audit/internal.h"

AuditAllowance audit_allowances[AUDIT_USES][AUDIT_ALLOWANCES];

Oid
GetUserId(void)
{
	return InvalidOid;
}

void
audit_value_recorded(AuditUse use, uint32 key_id, uint64 subject)
{
}

/* try_bytes: decode, and encode what came out; whether it was a record. */
static bool
try_bytes(const char *bytes, size_t len)
{
	AuditRecord record;
	StringInfoData again;

	if (!audit_record_decode(&record, bytes, len))
		return false;
	initStringInfo(&again);
	audit_record_encode(&again, &record);
	REQUIRE((size_t) again.len == len);
	REQUIRE(memcmp(again.data, bytes, len) == 0);
	return true;
}

/* try_copy: the same, with the sanitizer behind the last byte. */
static bool
try_copy(const char *bytes, size_t len)
{
	char	   *copy = (char *) copy_exactly(bytes, len);
	bool		is_record = try_bytes(copy, len);

	free(copy);
	return is_record;
}

/* full_record: no field is missing; texts end in a character of several bytes. */
static void
full_record(AuditRecord *record)
{
	static const uint64 subjects[] = {1, 0, PG_UINT64_MAX};

	*record = (AuditRecord)
	{
		.action = AUDIT_UPDATE,.outcome = "42501",.at = 842400000000000,
		.login_role = "médecin",.session_role = "lab_app",.role = "lab_owner",
		.actor = "Dr. Šimůnek",.purpose = "TREAT",.address = "192.0.2.1:5432",.application = "",
		.xid = UINT64CONST(0x0102030405060708),.statement = PG_UINT64_MAX,
		.relation = "public.patient",.row_key = "[1, \"a\"]",.key = "note",
		.what = "reveal",.detail = "d",.subject = 1,
		.values_opened = 0,.subjects_opened = -2,.rows_returned = PG_INT64_MAX,.repeated = PG_INT64_MIN,
		.subjects = subjects,.subject_count = lengthof(subjects),
		.has_digest = true,.digest = {1, 2, 3},
	};
}

/* same_text: also when both are not known. */
static bool
same_text(const char *one, const char *other)
{
	return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* require_same: what one record says, the other does. */
static void
require_same(const AuditRecord *one, const AuditRecord *other)
{
	REQUIRE(one->action == other->action && one->at == other->at && one->xid == other->xid);
	REQUIRE(one->statement == other->statement && one->subject == other->subject);
	REQUIRE(same_text(one->outcome, other->outcome) && same_text(one->login_role, other->login_role));
	REQUIRE(same_text(one->session_role, other->session_role) && same_text(one->role, other->role));
	REQUIRE(same_text(one->actor, other->actor) && same_text(one->purpose, other->purpose));
	REQUIRE(same_text(one->address, other->address) && same_text(one->application, other->application));
	REQUIRE(same_text(one->relation, other->relation) && same_text(one->row_key, other->row_key));
	REQUIRE(same_text(one->key, other->key) && same_text(one->what, other->what));
	REQUIRE(same_text(one->detail, other->detail));
	REQUIRE(one->values_opened == other->values_opened && one->subjects_opened == other->subjects_opened);
	REQUIRE(one->rows_returned == other->rows_returned && one->repeated == other->repeated);
	REQUIRE(one->subject_count == other->subject_count);
	REQUIRE(one->subject_count == 0 ||
			memcmp(one->subjects, other->subjects, one->subject_count * sizeof(uint64)) == 0);
	REQUIRE(one->has_digest == other->has_digest);
	REQUIRE(memcmp(one->digest, other->digest, AUDIT_DIGEST_BYTES) == 0);
}

/* try_long_texts: what clients choose is cut at a character, and a body stays within its bound. */
static void
try_long_texts(size_t len)
{
	AuditRecord record;
	AuditRecord again;
	StringInfoData body;
	char	   *text = palloc(len + 1);

	for (size_t i = 0; i < len; i++)
		text[i] = i % 2 == 0 ? '\xc3' : '\xa9';
	text[len - len % 2] = '\0';
	full_record(&record);
	record.login_role = record.session_role = record.role = record.actor = record.purpose = text;
	record.address = record.application = record.relation = record.row_key = record.key = text;
	record.what = record.detail = record.outcome = text;
	initStringInfo(&body);
	audit_record_encode(&body, &record);
	REQUIRE(body.len <= AUDIT_BODY_MAX);
	REQUIRE(try_copy(body.data, body.len));
	REQUIRE(audit_record_decode(&again, body.data, body.len));
	REQUIRE(len > 256 || same_text(again.actor, text));
	REQUIRE(len <= 258 || (strlen(again.actor) <= 256 && strncmp(again.actor, text, 252) == 0));
}

/* try_full: there and back, then cut and flipped. */
static void
try_full(void)
{
	AuditRecord record;
	AuditRecord again;
	StringInfoData body;
	int			records = 0;

	full_record(&record);
	initStringInfo(&body);
	audit_record_encode(&body, &record);
	REQUIRE(audit_record_decode(&again, body.data, body.len));
	require_same(&record, &again);
	for (int len = 0; len < body.len; len++)
		records += try_copy(body.data, len);
	for (int bit = 0; bit < 8 * body.len; bit++)
	{
		body.data[bit / 8] ^= 1 << bit % 8;
		records += try_copy(body.data, body.len);
		body.data[bit / 8] ^= 1 << bit % 8;
	}
	/* some are records, of other things: the loops above saw both kinds */
	REQUIRE(records > 0);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	server_start();
	try_full();
	for (size_t len = 1; len < 1100; len += 1)
	{
		try_long_texts(len);
		server_forget();
	}
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	(void) try_copy((const char *) data, len);
	server_forget();
	return 0;
}
