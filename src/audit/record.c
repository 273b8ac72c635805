/*-------------------------------------------------------------------------
 * record.c
 *		A record as bytes, and back.
 *
 * Floor 2.  One byte of version, then the fields that are known, in the order
 * of their tags:
 *
 *		tag(1) length(2) value(length)
 *
 * Integers are big-endian.  Texts are UTF-8 without zero bytes; one longer than
 * its limit is cut at a character and ends in an ellipsis, because clients
 * choose some of them.  Reading is strict: what this file would not have
 * written is no record.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/audit.h"

#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"

#define RECORD_VERSION		1
#define FIELD_HEAD_BYTES	3
#define ELLIPSIS			"\xe2\x80\xa6"
#define ELLIPSIS_LEN		3

#define NAME_LIMIT			256		/* bytes; a name of PostgreSQL is shorter */
#define ROW_KEY_LIMIT		1024
#define DETAIL_LIMIT		1024

typedef enum FieldKind
{
	FIELD_TEXT,					/* const char *, NULL when not known */
	FIELD_NUMBER,				/* 8 bytes, 0 when not known */
	FIELD_COUNT,				/* 8 bytes, AUDIT_UNKNOWN when not known */
	FIELD_ACTION,				/* 1 byte */
	FIELD_DIGEST,
	FIELD_SUBJECTS				/* 8 bytes each, at most AUDIT_SUBJECTS_MAX */
} FieldKind;

typedef struct Field
{
	FieldKind	kind;
	size_t		offset;			/* in AuditRecord */
	size_t		limit;			/* of a text, in bytes */
} Field;

#define TEXT(member, limit)	{FIELD_TEXT, offsetof(AuditRecord, member), limit}
#define NUMBER(member)		{FIELD_NUMBER, offsetof(AuditRecord, member), 0}
#define COUNT(member)		{FIELD_COUNT, offsetof(AuditRecord, member), 0}

/* The tag of a field is its place here, from 1 on: never reorder. */
static const Field fields[] = {
	{FIELD_ACTION, offsetof(AuditRecord, action), 0},
	TEXT(outcome, NAME_LIMIT),
	NUMBER(at),
	TEXT(login_role, NAME_LIMIT),
	TEXT(session_role, NAME_LIMIT),
	TEXT(role, NAME_LIMIT),
	TEXT(actor, NAME_LIMIT),
	TEXT(purpose, NAME_LIMIT),
	TEXT(address, NAME_LIMIT),
	TEXT(application, NAME_LIMIT),
	NUMBER(xid),
	NUMBER(statement),
	TEXT(relation, 2 * NAME_LIMIT),
	TEXT(row_key, ROW_KEY_LIMIT),
	TEXT(key, NAME_LIMIT),
	TEXT(what, NAME_LIMIT),
	TEXT(detail, DETAIL_LIMIT),
	NUMBER(subject),
	COUNT(values_opened),
	COUNT(subjects_opened),
	COUNT(rows_returned),
	COUNT(repeated),
	{FIELD_DIGEST, offsetof(AuditRecord, digest), 0},
	{FIELD_SUBJECTS, offsetof(AuditRecord, subjects), 0},
};

#define FIELDS		((int) lengthof(fields))

static const char *const action_names[AUDIT_ACTION_END] = {
	[AUDIT_INSERT] = "insert",
	[AUDIT_UPDATE] = "update",
	[AUDIT_DELETE] = "delete",
	[AUDIT_TRUNCATE] = "truncate",
	[AUDIT_OPEN] = "open",
	[AUDIT_PROGRESS] = "progress",
	[AUDIT_CLOSE] = "close",
	[AUDIT_REFUSE] = "refuse",
	[AUDIT_SEARCH] = "search",
	[AUDIT_EXPORT] = "export",
	[AUDIT_KEY] = "key",
	[AUDIT_GRANT] = "grant",
	[AUDIT_PROTECT] = "protect",
	[AUDIT_ADMIT] = "admit",
	[AUDIT_BREAK_GLASS] = "break_glass",
	[AUDIT_LIMIT] = "limit",
	[AUDIT_ERASE] = "erase",
	[AUDIT_PURGE] = "purge",
	[AUDIT_SETTING] = "setting",
	[AUDIT_ADMIN] = "admin",
};

/* audit_action_name: as the log shows it. */
const char *
audit_action_name(AuditAction action)
{
	Assert(action > 0 && action < AUDIT_ACTION_END);
	return action_names[action];
}

/* audit_action_of_name: AUDIT_ACTION_END when no action is called so. */
AuditAction
audit_action_of_name(const char *name)
{
	for (int action = 1; action < AUDIT_ACTION_END; action++)
	{
		if (strcmp(action_names[action], name) == 0)
			return action;
	}
	return AUDIT_ACTION_END;
}

/* ----------
 * Writing
 * ----------
 */

/* put_field: tag, length, value. */
static void
put_field(StringInfo body, int tag, const void *value, size_t len)
{
	unsigned char head[FIELD_HEAD_BYTES] = {tag, len >> 8, len & 0xFF};

	appendBinaryStringInfo(body, (char *) head, sizeof(head));
	appendBinaryStringInfo(body, value, len);
}

/* put_number: eight bytes. */
static void
put_number(StringInfo body, int tag, uint64 number)
{
	uint64		bytes = pg_hton64(number);

	put_field(body, tag, &bytes, sizeof(bytes));
}

/* cut_at: the longest prefix of whole characters that leaves room for the ellipsis. */
static size_t
cut_at(const char *text, size_t limit)
{
	size_t		len = limit - ELLIPSIS_LEN;

	while (len > 0 && ((unsigned char) text[len] & 0xC0) == 0x80)
		len--;
	return len;
}

/* put_text: cut when it is too long. */
static void
put_text(StringInfo body, int tag, const char *text, size_t limit)
{
	size_t		len = strlen(text);
	size_t		kept = len > limit ? cut_at(text, limit) : len;
	bool		cut = kept < len;
	unsigned char head[FIELD_HEAD_BYTES];

	len = kept + (cut ? ELLIPSIS_LEN : 0);
	head[0] = tag;
	head[1] = len >> 8;
	head[2] = len & 0xFF;
	appendBinaryStringInfo(body, (char *) head, sizeof(head));
	appendBinaryStringInfo(body, text, kept);
	if (cut)
		appendBinaryStringInfo(body, ELLIPSIS, ELLIPSIS_LEN);
}

/* put_subjects: their numbers. */
static void
put_subjects(StringInfo body, int tag, const uint64 *subjects, int count)
{
	uint64		bytes[AUDIT_SUBJECTS_MAX];

	Assert(count <= AUDIT_SUBJECTS_MAX);
	for (int i = 0; i < count; i++)
		bytes[i] = pg_hton64(subjects[i]);
	put_field(body, tag, bytes, count * sizeof(uint64));
}

/* put: one field when it is known. */
static void
put(StringInfo body, int tag, const AuditRecord *record)
{
	const Field *field = &fields[tag - 1];
	const char *member = (const char *) record + field->offset;
	unsigned char action = record->action;

	switch (field->kind)
	{
		case FIELD_TEXT:
			if (*(const char *const *) member != NULL)
				put_text(body, tag, *(const char *const *) member, field->limit);
			break;
		case FIELD_NUMBER:
			if (*(const uint64 *) member != 0)
				put_number(body, tag, *(const uint64 *) member);
			break;
		case FIELD_COUNT:
			if (*(const int64 *) member != AUDIT_UNKNOWN)
				put_number(body, tag, (uint64) *(const int64 *) member);
			break;
		case FIELD_ACTION:
			put_field(body, tag, &action, sizeof(action));
			break;
		case FIELD_DIGEST:
			if (record->has_digest)
				put_field(body, tag, record->digest, AUDIT_DIGEST_BYTES);
			break;
		case FIELD_SUBJECTS:
			if (record->subject_count > 0)
				put_subjects(body, tag, record->subjects, record->subject_count);
			break;
	}
}

/*
 * audit_record_encode
 *		Append the bytes of a record.  At most AUDIT_BODY_MAX of internal.h.
 */
void
audit_record_encode(StringInfo body, const AuditRecord *record)
{
	appendStringInfoCharMacro(body, RECORD_VERSION);
	for (int tag = 1; tag <= FIELDS; tag++)
		put(body, tag, record);
}

/* ----------
 * Reading
 * ----------
 */

/* get_text: a copy; false for what is no text, or longer than its limit. */
static bool
get_text(const char **text, const char *value, size_t len, size_t limit)
{
	if (len > limit || memchr(value, '\0', len) != NULL ||
		pg_encoding_verifymbstr(PG_UTF8, value, len) != (int) len)
		return false;
	*text = pnstrdup(value, len);
	return true;
}

/* get_number: false for another length, or for what stands for "not known". */
static bool
get_number(uint64 *number, const char *value, size_t len, uint64 unknown)
{
	if (len != sizeof(*number))
		return false;
	memcpy(number, value, len);
	*number = pg_ntoh64(*number);
	return *number != unknown;
}

/* get_action: false for a number that is none. */
static bool
get_action(AuditAction *action, const char *value, size_t len)
{
	if (len != 1)
		return false;
	*action = (unsigned char) value[0];
	return *action > 0 && *action < AUDIT_ACTION_END;
}

/* get_digest: false for another length. */
static bool
get_digest(AuditRecord *record, const char *value, size_t len)
{
	if (len != AUDIT_DIGEST_BYTES)
		return false;
	memcpy(record->digest, value, len);
	record->has_digest = true;
	return true;
}

/* get_subjects: a copy; false for none, too many, and a length that is no number of them. */
static bool
get_subjects(AuditRecord *record, const char *value, size_t len)
{
	int			count = len / sizeof(uint64);
	uint64	   *subjects;

	if (count == 0 || count > AUDIT_SUBJECTS_MAX || len % sizeof(uint64) != 0)
		return false;
	subjects = palloc(len);
	memcpy(subjects, value, len);
	for (int i = 0; i < count; i++)
		subjects[i] = pg_ntoh64(subjects[i]);
	record->subjects = subjects;
	record->subject_count = count;
	return true;
}

/* get: one field. */
static bool
get(AuditRecord *record, int tag, const char *value, size_t len)
{
	const Field *field = &fields[tag - 1];
	void	   *member = (char *) record + field->offset;

	switch (field->kind)
	{
		case FIELD_TEXT:
			return get_text(member, value, len, field->limit);
		case FIELD_NUMBER:
			return get_number(member, value, len, 0);
		case FIELD_COUNT:
			return get_number(member, value, len, (uint64) AUDIT_UNKNOWN);
		case FIELD_ACTION:
			return get_action(&record->action, value, len);
		case FIELD_DIGEST:
			return get_digest(record, value, len);
		case FIELD_SUBJECTS:
			return get_subjects(record, value, len);
	}
	return false;
}

/*
 * audit_record_decode
 *		The record in len bytes; texts are copied into the current context.
 *
 * False, with some fields filled in, for bytes that audit_record_encode() does
 * not write.
 */
bool
audit_record_decode(AuditRecord *record, const char *body, size_t len)
{
	size_t		at = 1;
	int			last_tag = 0;

	*record = (AuditRecord) {AUDIT_NO_COUNTS};
	if (len < 1 || body[0] != RECORD_VERSION)
		return false;
	while (at < len)
	{
		const unsigned char *head = (const unsigned char *) body + at;
		size_t		value_len;

		if (len - at < FIELD_HEAD_BYTES)
			return false;
		value_len = (size_t) head[1] << 8 | head[2];
		at += FIELD_HEAD_BYTES;
		if (head[0] <= last_tag || head[0] > FIELDS || value_len > len - at)
			return false;
		last_tag = head[0];
		if (!get(record, last_tag, body + at, value_len))
			return false;
		at += value_len;
	}
	return record->action != 0 && record->outcome != NULL && record->at != 0;
}
