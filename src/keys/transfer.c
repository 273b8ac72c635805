/*-------------------------------------------------------------------------
 * transfer.c
 *		The key ring as text, and back.
 *
 * Floor 1.  An export holds what the tables hold: wrapped secrets, rights and
 * tombstones, worth nothing without the root.  Together with old data it is
 * how a backup is restored after a key was destroyed.
 *
 *		pgseal-ring 1 <root fingerprint> <generation>
 *		<table> <base64 of the row, see row.c>			any number of lines
 *		mac <hex>										over all lines before
 *
 * Of two rows about the same thing a tombstone wins, else the one of the later
 * generation; two different live secrets for one version are refused, since
 * taking either would lose values.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "keys/edit.h"

#include "access/xact.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#define EXPORT_MAGIC	"pgseal-ring 1 "
#define MAC_LINE		"mac "

/* What an import is made of, and what it did. */
typedef struct Import
{
	char	   *lines;			/* rows: between header and mac line */
	char		fingerprint[ROOT_FINGERPRINT_LEN + 1];
	int64		generation;
	const char *covered;		/* what the mac line is over */
	size_t		covered_len;
	unsigned char mac[MAC_BYTES];
	int			taken;
} Import;

/* append_row: one line of an export. */
static void
append_row(StringInfo out, RingTable table, int number)
{
	StringInfoData bytes;
	RingRow		row;
	size_t		text_len;

	initStringInfo(&bytes);
	ring_row(&row, table, number);
	row_encode(&bytes, &row, ring_table(table)->desc, true);
	text_len = sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_ORIGINAL);
	appendStringInfo(out, "%s ", ring_table_name(table));
	enlargeStringInfo(out, text_len);
	sodium_bin2base64(out->data + out->len, text_len, (unsigned char *) bytes.data, bytes.len,
					  sodium_base64_VARIANT_ORIGINAL);
	out->len += text_len - 1;
	appendStringInfoChar(out, '\n');
	pfree(bytes.data);
}

/* text_mac: MAC of an export's lines under the ring's root. */
static void
text_mac(unsigned char mac[MAC_BYTES], const char *text, size_t len, const Root *root)
{
	HmacKey		mac_key;

	root_mac_key(&mac_key, root);
	hmac_mac(mac, (const unsigned char *) text, len, &mac_key);
	sodium_memzero(&mac_key, sizeof(mac_key));
}

/* append_mac: the last line. */
static void
append_mac(StringInfo out)
{
	unsigned char mac[MAC_BYTES];
	char		hex[2 * MAC_BYTES + 1];
	RootSet    *roots;
	SealError	error = roots_load(&roots);
	const Root *root = error == SEAL_OK ? roots_find(roots, ring_root()) : NULL;

	if (root != NULL)
		text_mac(mac, out->data, out->len, root);
	roots_free(roots);
	if (root == NULL)
		ring_raise(error != SEAL_OK ? error : SEAL_E_ROOT_UNKNOWN, 0);
	appendStringInfo(out, MAC_LINE "%s\n", sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac)));
}

/*
 * ring_export
 *		The whole ring as text, palloc'd.  Raises what ring_verify() says.
 */
char *
ring_export(void)
{
	SealError	error = ring_verify();
	StringInfoData out;
	RingRow		head;

	if (error != SEAL_OK)
		ring_raise(error, 0);
	if (ring_is_empty())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("key ring is empty"),
						errhint("Create a key with seal.create_key().")));
	ring_row(&head, RING_HEAD, 0);
	initStringInfo(&out);
	appendStringInfo(&out, EXPORT_MAGIC "%s " INT64_FORMAT "\n", ring_root(),
					 DatumGetInt64(head.values[row_column(RING_HEAD, COMMON_GENERATION)]));
	for (int table = 0; table < RING_HEAD; table++)
	{
		for (int i = 0; i < ring_rows(table); i++)
			append_row(&out, table, i);
	}
	append_mac(&out);
	return out.data;
}

/* parse_header: magic, fingerprint and generation; the rest starts at *next. */
static bool
parse_header(Import *import, char **next, char *text)
{
	char	   *end = strchr(text, '\n');
	char		tail;

	if (end == NULL || strncmp(text, EXPORT_MAGIC, strlen(EXPORT_MAGIC)) != 0)
		return false;
	*end = '\0';
	if (sscanf(text + strlen(EXPORT_MAGIC), "%16[0-9a-f] " INT64_FORMAT "%c",
			   import->fingerprint, &import->generation, &tail) != 2)
		return false;
	*end = '\n';
	*next = end + 1;
	return import->generation > 0;
}

/* parse_mac_line: the last line; cuts the text there. */
static bool
parse_mac_line(Import *import, char *text)
{
	char	   *line = strstr(text, "\n" MAC_LINE);
	size_t		mac_len;
	const char *end;

	if (line == NULL)
		return false;
	line++;
	import->covered = text;
	import->covered_len = line - text;
	if (sodium_hex2bin(import->mac, MAC_BYTES, line + strlen(MAC_LINE), 2 * MAC_BYTES,
					   NULL, &mac_len, &end) != 0 || mac_len != MAC_BYTES)
		return false;
	return end[strspn(end, " \t\r\n")] == '\0';
}

/* row_key_matches: are these two rows about the same thing? */
static bool
row_key_matches(const RingRow *a, const RingRow *b)
{
	if (a->table == RING_PROTECTION)
		return DatumGetInt64(a->values[PROTECTION_ID]) == DatumGetInt64(b->values[PROTECTION_ID]);
	if (DatumGetInt32(a->values[0]) != DatumGetInt32(b->values[0]))
		return false;
	if (a->table == RING_KEY_VERSION)
		return DatumGetInt16(a->values[VERSION_NUMBER]) == DatumGetInt16(b->values[VERSION_NUMBER]);
	if (a->table == RING_GRANT)
		return strcmp(NameStr(*DatumGetName(a->values[GRANT_ROLE_NAME])),
					  NameStr(*DatumGetName(b->values[GRANT_ROLE_NAME]))) == 0;
	return true;
}

/* is_tombstone: does this row say that something is gone for ever? */
static bool
is_tombstone(const RingRow *row)
{
	if (row->table == RING_KEY)
		return DatumGetBool(row->values[KEY_DROPPED]);
	return row->table == RING_KEY_VERSION && row->nulls[VERSION_SECRET];
}

static int64
row_generation(const RingRow *row)
{
	return DatumGetInt64(row->values[row_column(row->table, COMMON_GENERATION)]);
}

/* refuse_conflict: one version, two live secrets. */
static void
refuse_conflict(RingEditor *editor, const RingRow *here, const RingRow *incoming, const Root *from)
{
	unsigned char a[SECRET_BYTES];
	unsigned char b[SECRET_BYTES];
	bool		same;

	if (here->table != RING_KEY_VERSION)
		return;
	same = ring_unwrap(a, here, editor->root) && ring_unwrap(b, incoming, from) &&
		sodium_memcmp(a, b, SECRET_BYTES) == 0;
	sodium_memzero(a, sizeof(a));
	sodium_memzero(b, sizeof(b));
	if (!same)
		error_raise(SEAL_E_RING_CONFLICT, psprintf("%u", DatumGetInt32(here->values[VERSION_KEY])));
}

/* is_unbound: a protection of a table that was not here when it came. */
static bool
is_unbound(const RingRow *row)
{
	return row->table == RING_PROTECTION &&
		!OidIsValid(DatumGetObjectId(row->values[PROTECTION_RELATION]));
}

/* supersedes: is the incoming row to be taken instead of the one that is here? */
static bool
supersedes(RingEditor *editor, const RingRow *incoming, const RingRow *here, bool here_valid,
		   const Root *from)
{
	if (!here_valid || (is_unbound(here) && !is_unbound(incoming)))
		return true;
	if (is_tombstone(here) || is_tombstone(incoming))
		return !is_tombstone(here);
	refuse_conflict(editor, here, incoming, from);
	return row_generation(incoming) > row_generation(here);
}

/* bind_role: the regrole column, which an export leaves out. */
static void
bind_role(RingRow *row)
{
	Oid			role;

	if (row->table != RING_GRANT || row->nulls[GRANT_ROLE_NAME])
		return;
	role = get_role_oid(NameStr(*DatumGetName(row->values[GRANT_ROLE_NAME])), true);
	ring_set(row, GRANT_ROLE, ObjectIdGetDatum(role));
}

/*
 * bind_relation
 *		The regclass column, which an export leaves out; a protection of a table
 *		that is not here is kept, and worth nothing.
 */
static void
bind_relation(RingRow *row)
{
	if (row->table != RING_PROTECTION || row->nulls[PROTECTION_RELATION_NAME])
		return;
	ring_set(row, PROTECTION_RELATION,
			 ObjectIdGetDatum(ring_relation_oid(DatumGetTextPP(row->values[PROTECTION_RELATION_NAME]))));
}

/* take_row: write an incoming row under this ring's root. */
static void
take_row(RingEditor *editor, RingRow *row, const Root *from)
{
	int			column = secret_column(row->table);
	unsigned char secret[SECRET_BYTES];

	if (from != editor->root && column >= 0 && !row->nulls[column])
	{
		if (!ring_unwrap(secret, row, from))
			error_raise(SEAL_E_RING_TEXT, NULL);
		ring_set(row, column, ring_wrap(editor, row, secret));
		sodium_memzero(secret, sizeof(secret));
	}
	ring_write_kept(editor, row);
}

/* merge_row: take or leave one row. */
static void
merge_row(RingEditor *editor, Import *import, RingRow *incoming, const Root *from)
{
	for (int i = 0; i < ring_rows(incoming->table); i++)
	{
		RingRow		here;

		ring_row(&here, incoming->table, i);
		if (!row_key_matches(&here, incoming))
			continue;
		if (!supersedes(editor, incoming, &here, ring_row_valid(incoming->table, i), from))
			return;
		incoming->tuple = here.tuple;
		break;
	}
	take_row(editor, incoming, from);
	import->taken++;
}

/* decode_line: one line of the export as a row whose own MAC fits. */
static bool
decode_line(RingRow *row, char *line, const Root *from)
{
	char	   *base64 = strchr(line, ' ');
	int			table;
	unsigned char *bytes;
	size_t		len;
	const LoadedTable *loaded;
	HmacKey		mac_key;
	bool		fits;

	if (base64 == NULL)
		return false;
	*base64++ = '\0';
	for (table = 0; table < RING_HEAD; table++)
	{
		if (strcmp(line, ring_table_name(table)) == 0)
			break;
	}
	if (table == RING_HEAD)
		return false;
	bytes = palloc(strlen(base64) + 1);
	if (sodium_base642bin(bytes, strlen(base64), base64, strlen(base64), NULL, &len, NULL,
						  sodium_base64_VARIANT_ORIGINAL) != 0)
		return false;
	loaded = ring_table(table);
	if (!row_decode(row, table, loaded->desc, (char *) bytes, len))
		return false;
	root_mac_key(&mac_key, from);
	fits = row_mac_fits(row, loaded->desc, from->fingerprint, &mac_key);
	sodium_memzero(&mac_key, sizeof(mac_key));
	if (!fits)
		return false;
	bind_role(row);
	bind_relation(row);
	return row_is_complete(row);
}

/* destroy_orphans: versions of dropped keys that only one side had. */
static void
destroy_orphans(RingEditor *editor)
{
	int			count;

	CommandCounterIncrement();
	ring_reload();
	count = ring_rows(RING_KEY_VERSION);
	for (int i = 0; i < count; i++)
	{
		const RingKey *key;
		RingRow		row;

		ring_row(&row, RING_KEY_VERSION, i);
		key = ring_key_by_id(DatumGetInt32(row.values[VERSION_KEY]));
		if (row.nulls[VERSION_SECRET] || key == NULL || !key->dropped)
			continue;
		row.nulls[VERSION_SECRET] = true;
		ring_write(editor, &row);
	}
}

/* import_rows: an edit; all lines or none. */
static void
import_rows(RingEditor *editor, void *arg)
{
	Import	   *import = arg;
	const Root *from = roots_find(editor->roots, import->fingerprint);
	unsigned char mac[MAC_BYTES];
	char	   *line;
	char	   *rest = import->lines;

	if (from == NULL)
		error_raise(SEAL_E_ROOT_UNKNOWN, import->fingerprint);
	text_mac(mac, import->covered, import->covered_len, from);
	if (sodium_memcmp(mac, import->mac, MAC_BYTES) != 0)
		error_raise(SEAL_E_RING_TEXT, NULL);
	editor->generation = Max(editor->generation, import->generation + 1);
	rest = pnstrdup(import->lines, import->covered + import->covered_len - import->lines);
	while ((line = strsep(&rest, "\n")) != NULL)
	{
		RingRow		row;

		if (line[0] == '\0')
			continue;
		if (!decode_line(&row, line, from))
			error_raise(SEAL_E_RING_TEXT, NULL);
		merge_row(editor, import, &row, from);
	}
	destroy_orphans(editor);
}

/*
 * ring_import
 *		Merge an exported ring into this one; returns the number of rows taken.
 *
 * 22023 when the text is no export or was altered, 55000 when its root is not
 * loaded; then nothing is changed.
 */
int
ring_import(const char *text)
{
	Import		import = {0};
	char	   *copy = pstrdup(text);

	if (!parse_header(&import, &import.lines, copy) || !parse_mac_line(&import, copy))
		error_raise(SEAL_E_RING_TEXT, NULL);
	ring_change(import_rows, &import);
	return import.taken;
}
