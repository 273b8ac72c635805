/*-------------------------------------------------------------------------
 * column.c
 *		What the guard room asks about types and keys.
 *
 * Floor 5.  Definitions come back from a dump before the key ring does, so a
 * key that the ring does not know is taken at its word: its id alone says
 * which columns belong together.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "guard/internal.h"

#include "keys/keys.h"
#include "utils/lsyscache.h"

/* column_key: key of a column of this type, -1 without one; false when the type is not sealed. */
bool
column_key(Oid type, int32 typmod, int32 *key)
{
	*key = typmod;
	return sealed_kind_of_type(getBaseTypeAndTypmod(type, key)) != SEALED_NONE;
}

/* column_require_searchable: 0A000 when the ring knows that values of this key have no token. */
void
column_require_searchable(int32 key)
{
	const RingKey *row;

	if (key < 0)
		error_raise(SEAL_E_KEY_NOT_KNOWN, NULL);
	row = ring_key_by_id((uint32) key);
	if (row != NULL && !row->searchable)
		error_raise(SEAL_E_NOT_SEARCHABLE, NameStr(row->name));
}

/* visit_searchable: TypeVisitor of column_require_searchable_inside(). */
static bool
visit_searchable(Oid type, int32 typmod, void *context)
{
	if (sealed_kind_of_type(type) != SEALED_NONE)
		column_require_searchable(typmod);
	return false;
}

/* column_require_searchable_inside: the same for each sealed value in a value of any type. */
void
column_require_searchable_inside(Oid type, int32 typmod)
{
	(void) type_walk(type, typmod, visit_searchable, NULL);
}
