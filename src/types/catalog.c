/*-------------------------------------------------------------------------
 * catalog.c
 *		Which OID is which sealed type.
 *
 * Floor 4.  The types live in pg_catalog under fixed names; their OIDs are
 * cached until a type changes.  The planner hook asks for every operator of
 * every query, so a type of core is answered by one comparison.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static const char *const opening_names[] = {
	[OPENING_REVEAL] = "reveal",
	[OPENING_REVEAL_STABLE] = "reveal_stable",
	[OPENING_SHOW] = "show",
	[OPENING_SHOW_VOLATILE] = "show_volatile"
};

void		(*refresh_revealing_views) (Oid table) = NULL;

static bool types_known = false;
static Oid	type_oids[SEALED_KINDS + 1];	/* by SealedKind; [SEALED_NONE] unused */
static Oid	array_oids[SEALED_KINDS + 1];

/* forget_types: syscache callback; some type came, went or changed. */
static void
forget_types(Datum arg, int cacheid, uint32 hashvalue)
{
	types_known = false;
}

void
types_init(void)
{
	CacheRegisterSyscacheCallback(TYPENAMENSP, forget_types, (Datum) 0);
}

/* learn_types: fill the arrays; false where no catalog can be read. */
static bool
learn_types(void)
{
	SealedKind	kind;

	if (types_known)
		return true;
	if (!IsTransactionState())
		return false;
	types_known = true;			/* first: a callback while we look must undo it */
	for (kind = SEALED_TEXT; kind <= SEALED_KINDS; kind++)
	{
		type_oids[kind] = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
										  CStringGetDatum(sealed_type(kind)->name),
										  ObjectIdGetDatum(PG_CATALOG_NAMESPACE));
		array_oids[kind] = OidIsValid(type_oids[kind]) ? get_array_type(type_oids[kind]) : InvalidOid;
	}
	return true;
}

/* kind_in: which of the OIDs this one is. */
static SealedKind
kind_in(const Oid *oids, Oid type)
{
	SealedKind	kind;

	if (type < FirstNormalObjectId || !learn_types())
		return SEALED_NONE;
	for (kind = SEALED_TEXT; kind <= SEALED_KINDS; kind++)
		if (oids[kind] == type)
			return kind;
	return SEALED_NONE;
}

/* sealed_kind_of_type: SEALED_NONE when the type is not sealed.  Cannot fail. */
SealedKind
sealed_kind_of_type(Oid type)
{
	return kind_in(type_oids, type);
}

/* sealed_kind_of_array: kind of the elements, SEALED_NONE when it is no array of a sealed type. */
SealedKind
sealed_kind_of_array(Oid type)
{
	return kind_in(array_oids, type);
}

/* visit_sealed: TypeVisitor of sealed_type_inside(). */
static bool
visit_sealed(Oid type, int32 typmod, void *context)
{
	return sealed_kind_of_type(type) != SEALED_NONE;
}

/* sealed_type_inside: is it a sealed type, or does it hold one?  Asked for every node of every query. */
bool
sealed_type_inside(Oid type)
{
	return type >= FirstNormalObjectId && type_walk(type, -1, visit_sealed, NULL);
}

/* sealed_type_oid: InvalidOid in a database without the extension. */
Oid
sealed_type_oid(SealedKind kind)
{
	return learn_types() ? type_oids[kind] : InvalidOid;
}

Oid
sealed_array_oid(SealedKind kind)
{
	return learn_types() ? array_oids[kind] : InvalidOid;
}

/* sealed_plain_oid: the type that values of this kind have when revealed. */
Oid
sealed_plain_oid(SealedKind kind)
{
	return sealed_type(kind)->plain;
}

const char *
sealed_type_name(SealedKind kind)
{
	return sealed_type(kind)->name;
}

/* sealed_type_of_oid: the table's row of a type, NULL when the type is not sealed. */
const SealedType *
sealed_type_of_oid(Oid type)
{
	SealedKind	kind = sealed_kind_of_type(type);

	return kind == SEALED_NONE ? NULL : sealed_type(kind);
}

/* sealed_opening: does a function open its first argument, and how? */
Opening
sealed_opening(Oid function)
{
	Opening		opening;
	char	   *name;

	if (function < FirstNormalObjectId || get_func_namespace(function) != seal_schema_oid(true))
		return OPENING_NONE;
	name = get_func_name(function);
	for (opening = OPENING_REVEAL; name != NULL && opening <= OPENING_SHOW_VOLATILE; opening++)
		if (strcmp(name, opening_names[opening]) == 0)
			return opening;
	return OPENING_NONE;
}
