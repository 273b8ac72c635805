/*-------------------------------------------------------------------------
 * admitted.c
 *		What the current role is admitted to, and which rows it sees.
 *
 * Floor 3.  The admissions of a role, and of those whose rights reach it, are
 * read when they are first asked for and kept until one changes, the ring or a
 * membership does, or another role asks.  Time passes meanwhile: a value is
 * compared with the clock, a row with the begin of its statement.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(pgseal_sees_all);
PG_FUNCTION_INFO_V1(pgseal_admitted);

/* Until when a closure is admitted to a subject. */
typedef struct Entry
{
	uint64		subject;
	TimestampTz until;
} Entry;

/* What one closure is admitted to, by subject, each once. */
typedef struct Admitted
{
	MemoryContext context;		/* NULL: never read */
	uint64		stamp;			/* of the closure, the ring and the admissions it is about */
	int			count;
	Entry	   *entries;
} Admitted;

static Admitted of_role;
static Admitted of_login;

/* Whether the role sees all rows of a table, of the one asked about last. */
static Oid	seen_relation = InvalidOid;
static uint64 seen_stamp = 0;
static bool seen_all = false;

/* current_stamp: another number for other closures, another ring or other admissions. */
static uint64
current_stamp(void)
{
	static uint64 rights = 0;
	static uint64 admissions = 0;
	static uint64 stamp = 0;

	if (rights != rights_stamp() || admissions != admission_stamp())
		stamp++;
	rights = rights_stamp();
	admissions = admission_stamp();
	return stamp;
}

/* compare_entries: by subject, the longest first. */
static int
compare_entries(const void *a, const void *b)
{
	const Entry *one = a;
	const Entry *other = b;

	if (one->subject != other->subject)
		return one->subject < other->subject ? -1 : 1;
	return one->until > other->until ? -1 : one->until < other->until;
}

/* add_role: append what one role is admitted to; raises what the ring says. */
static Entry *
add_role(Entry *entries, int *count, Oid role)
{
	Admission  *found;
	int			found_count;
	SealError	error = admissions_of(&found, &found_count, role);

	if (error != SEAL_OK)
		ring_raise(error, 0);
	entries = repalloc_huge(entries, sizeof(Entry) * (*count + found_count + 1));
	for (int i = 0; i < found_count; i++)
		entries[(*count)++] = (Entry) {found[i].subject, found[i].until};
	return entries;
}

/* read_closure: in the current memory context. */
static Entry *
read_closure(int *count, const List *closure)
{
	Entry	   *entries = palloc(sizeof(Entry));
	int			read = 0;
	ListCell   *cell;

	foreach(cell, closure)
		entries = add_role(entries, &read, lfirst_oid(cell));
	qsort(entries, read, sizeof(Entry), compare_entries);
	*count = 0;
	for (int i = 0; i < read; i++)
	{
		if (*count == 0 || entries[*count - 1].subject != entries[i].subject)
			entries[(*count)++] = entries[i];
	}
	return entries;
}

/* keep: read a closure's admissions into a context of their own. */
static void
keep(Admitted *admitted, const List *closure)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "pgseal admissions", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	uint64		stamp;
	Entry	   *entries;
	int			count;

	do
	{
		stamp = current_stamp();	/* before reading: news from now on counts */
		entries = read_closure(&count, closure);
	} while (stamp != current_stamp());
	MemoryContextSwitchTo(old);
	if (admitted->context == NULL)
		admitted->context = AllocSetContextCreate(CacheMemoryContext, "pgseal admitted", ALLOCSET_SMALL_SIZES);
	admitted->stamp = 0;		/* an error leaves nothing that counts */
	MemoryContextReset(admitted->context);
	admitted->entries = MemoryContextAllocHuge(admitted->context, sizeof(Entry) * (count + 1));
	memcpy(admitted->entries, entries, sizeof(Entry) * count);
	admitted->count = count;
	admitted->stamp = stamp;
	MemoryContextDelete(work);
}

/* current: what a closure is admitted to. */
static const Admitted *
current(Admitted *admitted, const List *closure)
{
	if (unlikely(admitted->context == NULL || admitted->stamp != current_stamp()))
		keep(admitted, closure);
	return admitted;
}

/* find: until when; NULL when there is no admission. */
static const Entry *
find(const Admitted *admitted, uint64 subject)
{
	int			low = 0;
	int			high = admitted->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (admitted->entries[middle].subject < subject)
			low = middle + 1;
		else
			high = middle;
	}
	return low < admitted->count && admitted->entries[low].subject == subject ? &admitted->entries[low] : NULL;
}

/* is_admitted: by the clock? */
static bool
is_admitted(const Admitted *admitted, uint64 subject)
{
	const Entry *entry = find(admitted, subject);

	return entry != NULL && GetCurrentTimestamp() < entry->until;
}

/*
 * admitted_role, admitted_login
 *		Is the closure of the current role, or of the login role, admitted to a
 *		subject by the clock?  The ring must be verified; raises what it says of
 *		admissions.
 */
bool
admitted_role(uint64 subject)
{
	return subject != 0 && is_admitted(current(&of_role, rights_role_closure()), subject);
}

bool
admitted_login(uint64 subject)
{
	return subject != 0 && is_admitted(current(&of_login, rights_login_closure()), subject);
}

/* ----------
 * Rows
 * ----------
 */

/* hear: changes of others, and a ring that is true; raises what it says. */
static void
hear(void)
{
	SealError	error;

	gate_follow_changes();
	error = ring_verify();
	if (error != SEAL_OK)
		ring_raise(error, 0);
	rights_refresh();
}

/* forget_relation: relcache callback; a table has other columns. */
static void
forget_relation(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == seen_relation)
		seen_relation = InvalidOid;
}

void
admitted_init(void)
{
	CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
}

/* look: has the role a grant of scope all on a key of this table? */
static bool
look(Oid relation)
{
	Relation	table = table_open(relation, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(table);
	bool		found = false;

	for (int i = 0; i < desc->natts && !found; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		int32		key_id = attribute->attisdropped ? -1 : key_of_type(attribute->atttypid, attribute->atttypmod);

		found = key_id >= 0 && rights_hold((uint32) key_id, VERB_ALL);
	}
	table_close(table, AccessShareLock);
	return found;
}

/*
 * gate_sees_all
 *		Does the current role see all rows of a protected table?
 *
 * When it has a verb of scope all on a key of it: each value is then checked
 * with its own key.  Raises what the ring says.
 */
bool
gate_sees_all(Oid relation)
{
	uint64		stamp;
	uint64		ring;

	hear();
	while (seen_relation != relation || seen_stamp != rights_stamp())
	{
		stamp = rights_stamp();
		ring = ring_stamp();
		seen_relation = relation;
		seen_stamp = 0;			/* an error leaves no answer about another table */
		seen_all = look(relation);
		if (ring == ring_stamp())
			seen_stamp = stamp;
		else
			hear();				/* a ring that came with the table's lock has no grants yet */
	}
	return seen_all;
}

/* seal.sees_all(relation regclass) returns boolean */
Datum
pgseal_sees_all(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(gate_sees_all(PG_GETARG_OID(0)));
}

/* add_external: the external id of a subject of a type; one that is closed has none. */
static List *
add_external(List *externals, const char *subject_type, uint64 number)
{
	const Subject *subject;
	SealError	error = subject_find(&subject, number);

	if (error == SEAL_E_SUBJECT_CLOSED)
		return externals;
	if (error != SEAL_OK)
		ring_raise(error, 0);
	if (strcmp(NameStr(subject->type), subject_type) != 0)
		return externals;
	return lappend(externals, pstrdup(subject->external));
}

/*
 * gate_admitted
 *		External ids of the subjects of a type that the current role is admitted
 *		to, as of the begin of the statement; palloc'd.
 *
 * The login role is not asked: when it is a superuser it sees all rows anyway,
 * and what is sealed in them is asked for value by value.
 */
List *
gate_admitted(const char *subject_type)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();
	List	   *externals = NIL;
	const Admitted *admitted;

	hear();
	admitted = current(&of_role, rights_role_closure());
	for (int i = 0; i < admitted->count; i++)
	{
		if (now < admitted->entries[i].until)
			externals = add_external(externals, subject_type, admitted->entries[i].subject);
	}
	return externals;
}

/* integer_of: false for what an integer column does not print so. */
static bool
integer_of(Datum *value, const char *text, Oid type)
{
	char	   *end;
	char		again[MAXINT8LEN + 1];
	int64		number;

	errno = 0;
	number = strtoll(text, &end, 10);
	snprintf(again, sizeof(again), INT64_FORMAT, number);
	if (errno != 0 || *end != '\0' || strcmp(text, again) != 0 ||
		(type == INT2OID && number != (int16) number) || (type == INT4OID && number != (int32) number))
		return false;
	*value = type == INT2OID ? Int16GetDatum((int16) number) :
		type == INT4OID ? Int32GetDatum((int32) number) : Int64GetDatum(number);
	return true;
}

/* uuid_of: false for what a uuid column does not print so. */
static bool
uuid_of(Datum *value, const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (strlen(text) != sizeof(shape) - 1)
		return false;
	for (int i = 0; shape[i] != '\0'; i++)
	{
		bool		fits = shape[i] == 'x' ? (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')
			: text[i] == '-';

		if (!fits)
			return false;
	}
	*value = DirectFunctionCall1(uuid_in, CStringGetDatum(text));
	return true;
}

/*
 * value_of
 *		An external id as the value of a subject column.
 *
 * False for an id that no column of this type has: tables about one type of
 * subjects may name them in columns of several types.
 */
static bool
value_of(Datum *value, const char *external, Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return integer_of(value, external, type);
		case UUIDOID:
			return uuid_of(value, external);
		case TEXTOID:
		case VARCHAROID:
			*value = CStringGetTextDatum(external);
			return true;
		default:
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("a subject has no id of type %s", format_type_be(type)),
							errhint("A subject column is of type smallint, integer, bigint, uuid, text or varchar.")));
	}
}

/* array_of: external ids as an array of a subject column's type. */
static ArrayType *
array_of(List *externals, Oid type)
{
	Datum	   *values = palloc(sizeof(Datum) * (list_length(externals) + 1));
	int			count = 0;
	int16		len;
	bool		by_value;
	char		align;
	ListCell   *cell;

	foreach(cell, externals)
	{
		if (value_of(&values[count], lfirst(cell), type))
			count++;
	}
	get_typlenbyvalalign(type, &len, &by_value, &align);
	return construct_array(values, count, type, len, by_value, align);
}

/* What a call of seal.admitted() answered last. */
typedef struct Answered
{
	uint64		stamp;
	TimestampTz statement;
	NameData	subject_type;
	MemoryContext context;
	ArrayType  *array;
} Answered;

/* answered: of a call; as a filter it is asked for every row. */
static Answered *
answered_of(FmgrInfo *flinfo)
{
	Answered   *answered = flinfo->fn_extra;

	if (answered == NULL)
	{
		answered = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(Answered));
		answered->context = AllocSetContextCreate(flinfo->fn_mcxt, "pgseal admitted", ALLOCSET_SMALL_SIZES);
		flinfo->fn_extra = answered;
	}
	return answered;
}

/* answer: the array, made anew. */
static void
answer(Answered *answered, const char *subject_type, Oid type)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "pgseal admitted", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	uint64		stamp = current_stamp();	/* before reading: news from now on counts */
	List	   *externals = gate_admitted(subject_type);

	answered->array = NULL;
	MemoryContextReset(answered->context);
	MemoryContextSwitchTo(answered->context);
	answered->array = array_of(externals, type);
	answered->stamp = stamp;
	answered->statement = GetCurrentStatementStartTimestamp();
	namestrcpy(&answered->subject_type, subject_type);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

/* seal.admitted(subject_type text, subject anyelement) returns anyarray */
Datum
pgseal_admitted(PG_FUNCTION_ARGS)
{
	Answered   *answered = answered_of(fcinfo->flinfo);
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	char	   *subject_type;

	admin_argument(fcinfo, 0, "subject_type");
	subject_type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	hear();
	if (answered->array == NULL || answered->stamp != current_stamp() ||
		answered->statement != GetCurrentStatementStartTimestamp() ||
		strcmp(NameStr(answered->subject_type), subject_type) != 0)
		answer(answered, subject_type, type);
	PG_RETURN_ARRAYTYPE_P(answered->array);
}
