/*-------------------------------------------------------------------------
 * catalog.c
 *		Where the extension's own objects are.
 *
 * Floor 0.  Answers are cached until the catalog changes.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "base/base.h"

#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define SEAL_EXTENSION		"pgseal"
#define SEAL_SCHEMA			"seal"
#define WITNESS_TABLE		"ring_head"

typedef enum Presence
{
	PRESENCE_UNKNOWN,
	PRESENCE_YES,
	PRESENCE_NO
} Presence;

static Presence presence = PRESENCE_UNKNOWN;

/* forget_presence: syscache callback; a relation or schema came or went. */
static void
forget_presence(Datum arg, int cacheid, uint32 hashvalue)
{
	presence = PRESENCE_UNKNOWN;
}

void
base_init(void)
{
	CacheRegisterSyscacheCallback(NAMESPACENAME, forget_presence, (Datum) 0);
	CacheRegisterSyscacheCallback(RELOID, forget_presence, (Datum) 0);
}

/* seal_schema_oid: OID of schema seal; InvalidOid or 3F000 when there is none. */
Oid
seal_schema_oid(bool missing_ok)
{
	return get_namespace_oid(SEAL_SCHEMA, missing_ok);
}

/* seal_relation_oid: OID of a table of schema seal, InvalidOid when there is none. */
Oid
seal_relation_oid(const char *name)
{
	Oid			schema = seal_schema_oid(true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

/* look: is there a table of ours, and not one that somebody calls so? */
static Presence
look(void)
{
	Oid			witness = seal_relation_oid(WITNESS_TABLE);
	Oid			extension;

	if (!OidIsValid(witness))
		return PRESENCE_NO;
	extension = get_extension_oid(SEAL_EXTENSION, true);
	if (!OidIsValid(extension) || getExtensionOfObject(RelationRelationId, witness) != extension)
		return PRESENCE_NO;
	return PRESENCE_YES;
}

/*
 * seal_in_database
 *		Does this database have the extension?  Needs a live transaction.
 *
 * Starts from a table of ours, which is found in a cache; pg_extension has none.
 */
bool
seal_in_database(void)
{
	if (presence == PRESENCE_UNKNOWN && IsTransactionState())
		presence = look();
	return presence == PRESENCE_YES;
}

/*
 * seal_may_be_in_database
 *		The same from where no catalog may be read: unknown counts as yes.
 */
bool
seal_may_be_in_database(void)
{
	return presence != PRESENCE_NO;
}
