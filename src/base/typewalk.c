/*-------------------------------------------------------------------------
 * typewalk.c
 *		What lies inside a type: array elements, domain bases, columns of rows.
 *
 * Floor 0.  Ranges are not entered.  RECORD has no columns that a type tells.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "base/base.h"

#include "access/transam.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* rowtype_walk: every live column of a composite type. */
static bool
rowtype_walk(Oid type, TypeVisitor visit, void *context)
{
	TupleDesc	columns = lookup_rowtype_tupdesc(type, -1);
	bool		stop = false;
	int			i;

	for (i = 0; i < columns->natts && !stop; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);

		if (!column->attisdropped)
			stop = type_walk(column->atttypid, column->atttypmod, visit, context);
	}
	ReleaseTupleDesc(columns);
	return stop;
}

/*
 * type_walk
 *		Visit a type and everything inside it, outermost first, columns in order.
 *
 * True as soon as the visitor says true.  A type of core holds nothing but
 * types of core, so it is visited and not entered: this is asked for every
 * variable of every query.
 */
bool
type_walk(Oid type, int32 typmod, TypeVisitor visit, void *context)
{
	TypeCacheEntry *entry;

	check_stack_depth();
	if (visit(type, typmod, context))
		return true;
	if (type < FirstNormalObjectId)
		return false;
	entry = lookup_type_cache(type, 0);
	if (entry->typtype == TYPTYPE_DOMAIN)
	{
		type = getBaseTypeAndTypmod(type, &typmod);
		return type_walk(type, typmod, visit, context);
	}
	if (entry->typtype == TYPTYPE_COMPOSITE)
		return rowtype_walk(type, visit, context);
	if (entry->typsubscript == F_ARRAY_SUBSCRIPT_HANDLER)
		return type_walk(entry->typelem, typmod, visit, context);
	return false;
}
