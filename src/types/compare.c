/*-------------------------------------------------------------------------
 * compare.c
 *		Comparing, ordering and hashing sealed values without a key.
 *
 * Floor 4.  Two values of one key are equal when their tokens are, and where
 * a key makes no tokens, when their bytes are.  The order is a total one for
 * indexes, merge joins and DISTINCT; it says nothing about the values.
 * Nothing here opens, translates or asks the ring, so all of it is leakproof
 * and runs in maintenance without a root.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "common/hashfn.h"
#include "port/pg_bswap.h"
#include "utils/sortsupport.h"

#define HASH_INPUT_BYTES	(sizeof(uint32) + TOKEN_BYTES)

/* One side of a comparison. */
typedef struct Side
{
	Envelope	envelope;
	Datum		value;
	struct varlena *held;
} Side;

PG_FUNCTION_INFO_V1(pgseal_eq);
PG_FUNCTION_INFO_V1(pgseal_ne);
PG_FUNCTION_INFO_V1(pgseal_lt);
PG_FUNCTION_INFO_V1(pgseal_le);
PG_FUNCTION_INFO_V1(pgseal_ge);
PG_FUNCTION_INFO_V1(pgseal_gt);
PG_FUNCTION_INFO_V1(pgseal_cmp);
PG_FUNCTION_INFO_V1(pgseal_sortsupport);
PG_FUNCTION_INFO_V1(pgseal_hash);
PG_FUNCTION_INFO_V1(pgseal_hash_extended);
PG_FUNCTION_INFO_V1(pgseal_unbound);

/*
 * read_side
 *		Take one side apart.
 *
 * 0A000 for a literal that was not bound to the other side's key: comparing
 * its bytes would silently find nothing.  XX001 for what is no envelope.
 */
static void
read_side(Side *side, Datum value)
{
	side->value = value;
	if (!sealed_envelope(&side->envelope, &side->held, value))
		error_raise(SEAL_E_CORRUPT, NULL);
	if (side->envelope.key_id == gate_literal_id())
		error_raise(SEAL_E_UNBOUND, NULL);
}

/* free_side: a detoasted copy, if there is one; index code calls us in one long context. */
static void
free_side(Side *side)
{
	if (side->held != (struct varlena *) DatumGetPointer(side->value))
		pfree(side->held);
}

/* compare_bytes: whole envelopes, bytewise, the shorter first. */
static int
compare_bytes(const struct varlena *a, const struct varlena *b)
{
	size_t		a_len = VARSIZE_ANY_EXHDR(a);
	size_t		b_len = VARSIZE_ANY_EXHDR(b);
	int			order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(a_len, b_len));

	if (order != 0 || a_len == b_len)
		return order;
	return a_len < b_len ? -1 : 1;
}

/* compare_sides: key id, then whether there is a token, then the token, or all bytes. */
static int
compare_sides(const Side *a, const Side *b)
{
	if (a->envelope.key_id != b->envelope.key_id)
		return a->envelope.key_id < b->envelope.key_id ? -1 : 1;
	if (a->envelope.token != NULL && b->envelope.token != NULL)
		return memcmp(a->envelope.token, b->envelope.token, TOKEN_BYTES);
	if (a->envelope.token == NULL && b->envelope.token == NULL)
		return compare_bytes(a->held, b->held);
	return a->envelope.token == NULL ? -1 : 1;
}

/* compare_values: the order of two sealed datums. */
static int
compare_values(Datum a_value, Datum b_value)
{
	Side		a;
	Side		b;
	int			order;

	read_side(&a, a_value);
	read_side(&b, b_value);
	order = compare_sides(&a, &b);
	free_side(&a);
	free_side(&b);
	return order;
}

/*
 * equal_values
 *		Are two values equal, for the operators = and <>?
 *
 *	written		an expression says so; the planner has not always seen it (CALL,
 *				EXECUTE, ALTER ... USING, COPY ... WHERE)
 *
 * 0A000 for two keys, and in an expression for a key without tokens, where
 * "not equal" would be an answer about nothing.
 */
static bool
equal_values(Datum a_value, Datum b_value, bool written)
{
	Side		a;
	Side		b;
	bool		same;

	read_side(&a, a_value);
	read_side(&b, b_value);
	if (a.envelope.key_id != b.envelope.key_id)
		error_raise(SEAL_E_KEYS_DIFFER, NULL);
	if (written && (a.envelope.token == NULL || b.envelope.token == NULL))
		error_raise(SEAL_E_NOT_SEARCHABLE, value_key_name(a.envelope.key_id));
	same = compare_sides(&a, &b) == 0;
	free_side(&a);
	free_side(&b);
	return same;
}

/* seal.sealed_eq(sealed_*, sealed_*) returns boolean */
Datum
pgseal_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(equal_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1),
								fcinfo->flinfo != NULL && fcinfo->flinfo->fn_expr != NULL));
}

/* seal.sealed_ne(sealed_*, sealed_*) returns boolean */
Datum
pgseal_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!equal_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1),
								 fcinfo->flinfo != NULL && fcinfo->flinfo->fn_expr != NULL));
}

/* seal.sealed_lt(sealed_*, sealed_*) returns boolean; le, ge, gt alike */
Datum
pgseal_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) < 0);
}

Datum
pgseal_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) <= 0);
}

Datum
pgseal_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) >= 0);
}

Datum
pgseal_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) > 0);
}

/* seal.sealed_cmp(sealed_*, sealed_*) returns integer */
Datum
pgseal_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

/* ----------
 * Sorting
 * ----------
 */

static int
compare_for_sort(Datum a, Datum b, SortSupport sort)
{
	return compare_values(a, b);
}

/* abbreviate: the start of what compare_sides() looks at, as one number. */
static Datum
abbreviate(Datum value, SortSupport sort)
{
	Side		side;
	uint64		start;
	uint32		token_start = 0;

	read_side(&side, value);
	if (side.envelope.token != NULL)
		memcpy(&token_start, side.envelope.token, sizeof(token_start));
	start = (uint64) side.envelope.key_id << 33 |
		(uint64) (side.envelope.token != NULL) << 32 |
		pg_ntoh32(token_start);
	free_side(&side);
	return (Datum) start;
}

/* never_abort: tokens are random, so their first bytes tell nearly all of them apart. */
static bool
never_abort(int tuples, SortSupport sort)
{
	return false;
}

/* seal.sealed_sortsupport(internal) returns void */
Datum
pgseal_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport sort = (SortSupport) PG_GETARG_POINTER(0);

	sort->comparator = compare_for_sort;
	if (sort->abbreviate && sizeof(Datum) == sizeof(uint64))
	{
		sort->comparator = ssup_datum_unsigned_cmp;
		sort->abbrev_full_comparator = compare_for_sort;
		sort->abbrev_converter = abbreviate;
		sort->abbrev_abort = never_abort;
	}
	PG_RETURN_VOID();
}

/* ----------
 * Hashing
 * ----------
 */

/*
 * hash_value
 *		Hash of key id and token, else of the whole envelope.
 *
 * A token-only envelope hashes as the full one with the same token.
 */
static Datum
hash_value(Datum value, Datum (*hash) (const unsigned char *bytes, int len, uint64 seed), uint64 seed)
{
	Side		side;
	Datum		result;
	unsigned char input[HASH_INPUT_BYTES];
	uint32		key_id;

	read_side(&side, value);
	if (side.envelope.token != NULL)
	{
		key_id = pg_hton32(side.envelope.key_id);
		memcpy(input, &key_id, sizeof(key_id));
		memcpy(input + sizeof(key_id), side.envelope.token, TOKEN_BYTES);
		result = hash(input, sizeof(input), seed);
	}
	else
		result = hash((unsigned char *) VARDATA_ANY(side.held), VARSIZE_ANY_EXHDR(side.held), seed);
	free_side(&side);
	return result;
}

static Datum
hash_unseeded(const unsigned char *bytes, int len, uint64 seed)
{
	return hash_any(bytes, len);
}

/* seal.sealed_hash(sealed_*) returns integer */
Datum
pgseal_hash(PG_FUNCTION_ARGS)
{
	return hash_value(PG_GETARG_DATUM(0), hash_unseeded, 0);
}

/* seal.sealed_hash_extended(sealed_*, bigint) returns bigint */
Datum
pgseal_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_value(PG_GETARG_DATUM(0), hash_any_extended, (uint64) PG_GETARG_INT64(1));
}

/* ----------
 * Comparisons with plain values
 * ----------
 */

/*
 * seal.sealed_unbound(sealed_*, plain) returns boolean
 *
 * The planner hook has replaced this function wherever it may be used.
 */
Datum
pgseal_unbound(PG_FUNCTION_ARGS)
{
	error_raise(SEAL_E_UNBOUND, NULL);
}
