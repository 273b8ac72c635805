/*-------------------------------------------------------------------------
 * key.c
 *		The SQL functions that make, rotate and drop keys.
 *
 * Floor 3.  A dropped key leaves tombstones: its name and id are not used
 * again, and no older ring brings its secrets back.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/keywords.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define PAD_MAX			4096	/* bytes */
#define PAD_BUILTIN		16

PG_FUNCTION_INFO_V1(pgseal_create_key);
PG_FUNCTION_INFO_V1(pgseal_rotate_key);
PG_FUNCTION_INFO_V1(pgseal_drop_key);
PG_FUNCTION_INFO_V1(pgseal_key_of_type);

_Static_assert(KEY_NAME_MAX_BYTES == NAMEDATALEN - 1, "key name");

/* check_key_name: a name that a type modifier can spell without quotes. */
static void
check_key_name(const char *name)
{
	int			keyword = ScanKeywordLookup(name, &ScanKeywords);

	if (!key_name_fits(name))
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("invalid key name: \"%s\"", name),
						errhint("A key name has lower-case letters, digits and underscores, and at most 63 of them.")));
	if (keyword >= 0 && ScanKeywordCategories[keyword] != UNRESERVED_KEYWORD)
		ereport(ERROR, (errcode(ERRCODE_RESERVED_NAME),
						errmsg("key name \"%s\" is a reserved word", name)));
}

/* add_version: a new version row with a new secret. */
static void
add_version(RingEditor *editor, uint32 key_id, uint16 version)
{
	RingRow		row;

	ring_start_row(&row, RING_KEY_VERSION);
	ring_set(&row, VERSION_KEY, Int32GetDatum((int32) key_id));
	ring_set(&row, VERSION_NUMBER, Int16GetDatum((int16) version));
	ring_set(&row, VERSION_CREATED_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	ring_set_new_secret(editor, &row);
	ring_write(editor, &row);
}

/* What create_key() was asked for. */
typedef struct NewKey
{
	const char *name;
	bool		searchable;
	int			pad;
	bool		require_actor;
	ArrayType  *require_purpose;	/* NULL: none */
	text	   *comment;
} NewKey;

/* add_key: the row of a key and its first version. */
static void
add_key(RingEditor *editor, const NewKey *key)
{
	uint32		id = key_id_of(key->name);
	NameData	name;
	RingRow		row;

	namestrcpy(&name, key->name);
	ring_start_row(&row, RING_KEY);
	ring_set(&row, KEY_ID, Int32GetDatum((int32) id));
	ring_set(&row, KEY_NAME, NameGetDatum(&name));
	ring_set(&row, KEY_SEARCHABLE, BoolGetDatum(key->searchable));
	ring_set(&row, KEY_PAD, Int32GetDatum(key->pad));
	ring_set(&row, KEY_REQUIRE_ACTOR, BoolGetDatum(key->require_actor));
	ring_set(&row, KEY_REQUIRE_PURPOSE,
			 PointerGetDatum(key->require_purpose != NULL ? key->require_purpose : construct_empty_array(TEXTOID)));
	ring_set(&row, KEY_ACTIVE_VERSION, Int16GetDatum(1));
	ring_set(&row, KEY_DROPPED, BoolGetDatum(false));
	if (key->searchable)
		ring_set_new_secret(editor, &row);
	if (key->comment != NULL)
		ring_set(&row, KEY_COMMENT, PointerGetDatum(key->comment));
	ring_write(editor, &row);
	add_version(editor, id, 1);
}

/* create_key: an edit; the first one makes the built-in keys too. */
static void
create_key(RingEditor *editor, void *arg)
{
	NewKey	   *key = arg;
	const RingKey *taken = ring_key_by_id(key_id_of(key->name));

	if (taken != NULL)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						strcmp(NameStr(taken->name), key->name) != 0
						? errmsg("key \"%s\" would have the id of key \"%s\"", key->name, NameStr(taken->name))
						: taken->dropped
						? errmsg("key \"%s\" was dropped, its name cannot be used again", key->name)
						: errmsg("key \"%s\" already exists", key->name),
						errhint("Choose another name.")));
	if (ring_is_empty())
	{
		add_key(editor, &(NewKey) {.name = KEY_LITERAL,.pad = PAD_BUILTIN});
		add_key(editor, &(NewKey) {.name = KEY_AUDIT,.pad = PAD_BUILTIN});
		add_key(editor, &(NewKey) {.name = KEY_SUBJECT,.pad = PAD_BUILTIN});
	}
	add_key(editor, key);
}

/* check_purposes: each a code that seal.purpose takes; 22023. */
static void
check_purposes(ArrayType *purposes)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(purposes, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		admin_purpose(nulls[i] ? "null" : TextDatumGetCString(elements[i]));
}

/* seal.create_key(name text, searchable boolean, pad integer, require_actor boolean, require_purpose text[], comment text) returns integer */
Datum
pgseal_create_key(PG_FUNCTION_ARGS)
{
	static const char *const arguments[] = {"name", "searchable", "pad", "require_actor", "require_purpose"};
	NewKey		key;

	admin_require("seal.create_key");
	for (int i = 0; i < (int) lengthof(arguments); i++)
		admin_argument(fcinfo, i, arguments[i]);
	key.name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	key.searchable = PG_GETARG_BOOL(1);
	key.pad = PG_GETARG_INT32(2);
	key.comment = PG_ARGISNULL(5) ? NULL : PG_GETARG_TEXT_PP(5);
	check_key_name(key.name);
	if (strcmp(key.name, KEY_LITERAL) == 0 || strcmp(key.name, KEY_AUDIT) == 0 ||
		strcmp(key.name, KEY_SUBJECT) == 0)
		ereport(ERROR, (errcode(ERRCODE_RESERVED_NAME), errmsg("key \"%s\" is built in", key.name)));
	if (key.pad < 1 || key.pad > PAD_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("pad must be between 1 and %d bytes", PAD_MAX)));
	key.require_actor = PG_GETARG_BOOL(3);
	key.require_purpose = PG_GETARG_ARRAYTYPE_P(4);
	check_purposes(key.require_purpose);
	ring_change(create_key, &key);
	admin_note("key", "create", key.name, NULL);
	PG_RETURN_INT32((int32) key_id_of(key.name));
}

/* What rotate_key() rotates, and the version that came of it. */
typedef struct Rotation
{
	const char *name;
	uint16		version;
} Rotation;

/* rotate_key: an edit. */
static void
rotate_key(RingEditor *editor, void *arg)
{
	Rotation   *rotation = arg;
	RingRow		row;

	(void) ring_find_key(&row, admin_find_key(rotation->name, true));
	rotation->version = (uint16) DatumGetInt16(row.values[KEY_ACTIVE_VERSION]);
	if (rotation->version == PG_INT16_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("key \"%s\" has no version left", rotation->name)));
	rotation->version++;
	ring_set(&row, KEY_ACTIVE_VERSION, Int16GetDatum((int16) rotation->version));
	ring_write(editor, &row);
	add_version(editor, DatumGetInt32(row.values[KEY_ID]), rotation->version);
}

/* seal.rotate_key(name text) returns smallint */
Datum
pgseal_rotate_key(PG_FUNCTION_ARGS)
{
	Rotation	rotation = {text_to_cstring(PG_GETARG_TEXT_PP(0)), 0};

	admin_require("seal.rotate_key");
	ring_change(rotate_key, &rotation);
	admin_note("key", "rotate", rotation.name, psprintf("version=%u", rotation.version));
	PG_RETURN_INT16((int16) rotation.version);
}

/* key_of_type: key of a sealed type, or of a domain over one; -1 for any other type. */
int32
key_of_type(Oid type, int32 typmod)
{
	Oid			typmodin;

	if (type < FirstNormalObjectId)
		return -1;
	typmodin = get_typmodin(getBaseTypeAndTypmod(type, &typmod));
	if (!OidIsValid(typmodin) || get_func_namespace(typmodin) != seal_schema_oid(true))
		return -1;
	return typmod;
}

/* seal.key_of_type(type oid, typmod integer) returns integer */
Datum
pgseal_key_of_type(PG_FUNCTION_ARGS)
{
	int32		key_id = key_of_type(PG_GETARG_OID(0), PG_GETARG_INT32(1));

	if (key_id < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(key_id);
}

/* is_sealed_column: does a live column of a table hold values of this key? */
static bool
is_sealed_column(Form_pg_attribute attribute, uint32 key_id)
{
	char		relkind;

	if (attribute->attisdropped ||
		key_of_type(attribute->atttypid, attribute->atttypmod) != (int32) key_id)
		return false;
	relkind = get_rel_relkind(attribute->attrelid);
	return relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE ||
		relkind == RELKIND_FOREIGN_TABLE || relkind == RELKIND_MATVIEW ||
		relkind == RELKIND_COMPOSITE_TYPE;
}

/* add_columns: columns that hold values of a key, one a line. */
static void
add_columns(StringInfo names, uint32 key_id)
{
	Relation	attributes = table_open(AttributeRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(attributes, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_attribute attribute = (Form_pg_attribute) GETSTRUCT(tuple);

		if (is_sealed_column(attribute, key_id))
			appendStringInfo(names, "%scolumn %s of %s", names->len > 0 ? "\n" : "",
							 quote_identifier(NameStr(attribute->attname)),
							 quote_qualified_identifier(get_namespace_name(get_rel_namespace(attribute->attrelid)),
														get_rel_name(attribute->attrelid)));
	}
	systable_endscan(scan);
	table_close(attributes, AccessShareLock);
}

/* add_domains: domains of a key, one a line. */
static void
add_domains(StringInfo names, uint32 key_id)
{
	Relation	types = table_open(TypeRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(types, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_type type = (Form_pg_type) GETSTRUCT(tuple);

		if (type->typtype == TYPTYPE_DOMAIN && key_of_type(type->oid, -1) == (int32) key_id)
			appendStringInfo(names, "%sdomain %s", names->len > 0 ? "\n" : "",
							 format_type_be(type->oid));
	}
	systable_endscan(scan);
	table_close(types, AccessShareLock);
}

/* users_of_key: what needs a key, NULL when nothing does. */
static char *
users_of_key(uint32 key_id)
{
	StringInfoData names;

	initStringInfo(&names);
	add_columns(&names, key_id);
	add_domains(&names, key_id);
	return names.len > 0 ? names.data : NULL;
}

/* destroy_versions: the secrets go, the rows stay as tombstones. */
static void
destroy_versions(RingEditor *editor, uint32 key_id)
{
	int			count = ring_rows(RING_KEY_VERSION);

	for (int i = 0; i < count; i++)
	{
		RingRow		row;

		ring_row(&row, RING_KEY_VERSION, i);
		if ((uint32) DatumGetInt32(row.values[VERSION_KEY]) != key_id)
			continue;
		row.nulls[VERSION_SECRET] = true;
		ring_write(editor, &row);
	}
}

/* drop_key: an edit; leaves a tombstone. */
static void
drop_key(RingEditor *editor, void *arg)
{
	const char *name = arg;
	uint32		id = admin_find_key(name, false);
	char	   *users = users_of_key(id);
	RingRow		row;

	if (users != NULL)
		ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						errmsg("cannot drop key \"%s\" because columns use it", name),
						errdetail("%s", users),
						errhint("Drop the columns first: without the key their values open nowhere, not even from backups.")));
	(void) ring_find_key(&row, id);
	ring_set(&row, KEY_DROPPED, BoolGetDatum(true));
	row.nulls[KEY_SEARCH_SECRET] = true;
	ring_write(editor, &row);
	destroy_versions(editor, id);
}

/* seal.drop_key(name text) returns void */
Datum
pgseal_drop_key(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	admin_require("seal.drop_key");
	ring_exclude();
	ring_change(drop_key, name);
	admin_note("key", "drop", name, NULL);
	PG_RETURN_VOID();
}
