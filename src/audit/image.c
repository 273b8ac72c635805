/*-------------------------------------------------------------------------
 * image.c
 *		The values of a row as seal.audit_change keeps them, and as the log shows them.
 *
 * Floor 2.  Who writes a row pays for each byte and for each letter: so what
 * waits to be numbered is bytes, and becomes jsonb when it is taken in.
 *
 *		0				length of a column's name
 *		1 ..			the name
 *		then 4			length of its envelope; 0 for null
 *		then			the envelope; then the next column
 *
 * Columns are in the order of the keys of a jsonb object, the short names first.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/log.h"

#include "audit/audit.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(pgseal_audit_image);

/* One column of an image. */
typedef struct Member
{
	const char *name;
	uint8		name_len;
	const unsigned char *envelope;
	uint32		envelope_len;	/* 0: null */
} Member;

/* A jsonb object that is being written: building it of values takes as long as all else that is done for an entry. */
typedef struct Object
{
	StringInfoData bytes;
	int			count;			/* keys and values so far */
	Size		total;			/* their bytes */
} Object;

/* ----------
 * As it is stored
 * ----------
 */

/*
 * audit_image_add
 *		One more column.
 *
 *	shown		in/out: what the jsonb has of keys and texts so far; 0 at first
 *	envelope	NULL for null
 *
 * Raises 54000 for more than a jsonb can have: who writes the row can still be told.
 */
void
audit_image_add(StringInfo image, Size *shown, const AuditColumn *column, const char *envelope, uint32 len)
{
	uint32		big = pg_hton32(len);

	*shown += column->name_len + (len > 0 ? envelope_text_len(len) : 0);
	if (*shown > JENTRY_OFFLENMASK)
		error_raise(SEAL_E_TOO_LONG, "jsonb");
	enlargeStringInfo(image, 1 + column->name_len + sizeof(big) + len);
	image->data[image->len++] = (char) column->name_len;
	memcpy(image->data + image->len, column->name, column->name_len);
	image->len += column->name_len;
	memcpy(image->data + image->len, &big, sizeof(big));
	image->len += sizeof(big);
	if (len > 0)
		memcpy(image->data + image->len, envelope, len);
	image->len += len;
}

/* read_member: the next one; false when it is none. */
static bool
read_member(Member *member, const unsigned char **at, const unsigned char *end)
{
	uint32		big;

	member->name_len = *(*at)++;
	if ((Size) (end - *at) < member->name_len + sizeof(big))
		return false;
	member->name = (const char *) *at;
	memcpy(&big, *at + member->name_len, sizeof(big));
	*at += member->name_len + sizeof(big);
	member->envelope = *at;
	member->envelope_len = pg_ntoh32(big);
	if ((Size) (end - *at) < member->envelope_len)
		return false;
	*at += member->envelope_len;
	return pg_verifymbstr(member->name, member->name_len, true);
}

/* comes_before: is that the order of two keys of a jsonb object? */
static bool
comes_before(const Member *a, const Member *b)
{
	if (a->name_len != b->name_len)
		return a->name_len < b->name_len;
	return memcmp(a->name, b->name, a->name_len) < 0;
}

/* read_members: all of them, palloc'd; how many, -1 when it is no image. */
static int
read_members(Member **members, const unsigned char *at, Size len)
{
	const unsigned char *end = at + len;
	Size		shown = 0;
	int			room = 16;
	int			count = 0;

	*members = palloc(sizeof(Member) * room);
	while (at < end)
	{
		Member	   *member;

		if (count == room)
			*members = repalloc(*members, sizeof(Member) * (room *= 2));
		member = &(*members)[count++];
		if (!read_member(member, &at, end) || (count > 1 && !comes_before(member - 1, member)))
			return -1;
		shown += member->name_len + (member->envelope_len > 0 ? envelope_text_len(member->envelope_len) : 0);
	}
	return shown > JENTRY_OFFLENMASK ? -1 : count;
}

/* ----------
 * As it is shown
 * ----------
 */

/* add_entry: the next key or value, which ends where it ends. */
static void
add_entry(Object *object, uint32 kind, Size len)
{
	JEntry	   *entries = (JEntry *) (object->bytes.data + offsetof(Jsonb, root.children));

	object->total += len;
	if (object->count % JB_OFFSET_STRIDE == 0)
		entries[object->count] = kind | JENTRY_HAS_OFF | (uint32) object->total;
	else
		entries[object->count] = kind | (uint32) len;
	object->count++;
}

/* add_value: the text form of an envelope, or null. */
static void
add_value(Object *object, const Member *member)
{
	StringInfo	bytes = &object->bytes;
	size_t		len;

	if (member->envelope_len == 0)
	{
		add_entry(object, JENTRY_ISNULL, 0);
		return;
	}
	len = envelope_text_len(member->envelope_len);
	enlargeStringInfo(bytes, len);
	envelope_to_text(bytes->data + bytes->len, len + 1, member->envelope, member->envelope_len);
	bytes->len += len;
	add_entry(object, JENTRY_ISSTRING, len);
}

/* start_object: of so many pairs. */
static void
start_object(Object *object, int pairs)
{
	Size		head = offsetof(Jsonb, root.children) + sizeof(JEntry) * 2 * pairs;

	initStringInfo(&object->bytes);
	enlargeStringInfo(&object->bytes, head);
	object->bytes.len = head;
	((Jsonb *) object->bytes.data)->root.header = JB_FOBJECT | pairs;
	object->count = 0;
	object->total = 0;
}

/*
 * audit_image_show
 *		An image as a jsonb object of envelopes in text form, by column.
 *
 * NULL when it is none, as a superuser could have put there.
 */
struct varlena *
audit_image_show(const struct varlena *image)
{
	Member	   *members;
	Object		object;
	int			count = read_members(&members, (const unsigned char *) VARDATA_ANY(image), VARSIZE_ANY_EXHDR(image));

	if (count < 0)
		return NULL;
	start_object(&object, count);
	for (int i = 0; i < count; i++)
	{
		appendBinaryStringInfo(&object.bytes, members[i].name, members[i].name_len);
		add_entry(&object, JENTRY_ISSTRING, members[i].name_len);
	}
	for (int i = 0; i < count; i++)
		add_value(&object, &members[i]);
	SET_VARSIZE(object.bytes.data, object.bytes.len);
	return (struct varlena *) object.bytes.data;
}

/* seal.audit_image(image bytea) returns jsonb */
Datum
pgseal_audit_image(PG_FUNCTION_ARGS)
{
	struct varlena *shown = audit_image_show(PG_GETARG_BYTEA_PP(0));

	if (shown == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(shown);
}
