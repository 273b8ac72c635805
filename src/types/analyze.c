/*-------------------------------------------------------------------------
 * analyze.c
 *		Statistics of sealed columns.
 *
 * Floor 4.  ANALYZE opens nothing and needs no root.  What it stores is how
 * many values are null, how wide they are and how many are distinct, counted
 * by their tokens: no most common values and no histogram, which would tell
 * frequencies of values to whoever reads the catalog.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include <math.h>

#include "access/detoast.h"
#include "commands/vacuum.h"

/* Wider values are not fetched, as in core's compute_scalar_stats(). */
#define WIDTH_THRESHOLD		1024

/* What a sample holds. */
typedef struct Sample
{
	int			nulls;
	int			values;			/* not null */
	int			singles;		/* without token, or too wide to look */
	double		width;			/* bytes of all values */
	unsigned char (*tokens)[TOKEN_BYTES];
	int			token_count;
} Sample;

PG_FUNCTION_INFO_V1(pgseal_analyze);

/* take_token: the token of one sampled value; what has none counts as distinct. */
static void
take_token(Sample *sample, Datum value)
{
	Envelope	envelope;
	struct varlena *held;

	if (toast_raw_datum_size(value) > WIDTH_THRESHOLD)
	{
		sample->singles++;
		return;
	}
	if (sealed_envelope(&envelope, &held, value) && envelope.token != NULL)
		memcpy(sample->tokens[sample->token_count++], envelope.token, TOKEN_BYTES);
	else
		sample->singles++;
	if (held != (struct varlena *) DatumGetPointer(value))
		pfree(held);
}

/* read_sample: every row of the sample, once. */
static void
read_sample(Sample *sample, VacAttrStatsP stats, AnalyzeAttrFetchFunc fetch, int rows)
{
	int			row;

	sample->tokens = palloc(Max(rows, 1) * sizeof(*sample->tokens));
	for (row = 0; row < rows; row++)
	{
		bool		is_null;
		Datum		value = fetch(stats, row, &is_null);

		CHECK_FOR_INTERRUPTS();
		if (is_null)
		{
			sample->nulls++;
			continue;
		}
		sample->values++;
		sample->width += VARSIZE_ANY(DatumGetPointer(value));
		take_token(sample, value);
	}
}

static int
compare_tokens(const void *a, const void *b)
{
	return memcmp(a, b, TOKEN_BYTES);
}

/* count_tokens: distinct ones, and of these the ones seen once. */
static void
count_tokens(Sample *sample, int *distinct, int *once)
{
	int			i;
	int			run = 0;

	*distinct = *once = 0;
	qsort(sample->tokens, sample->token_count, TOKEN_BYTES, compare_tokens);
	for (i = 0; i < sample->token_count; i++)
	{
		run++;
		if (i + 1 < sample->token_count &&
			compare_tokens(sample->tokens[i], sample->tokens[i + 1]) == 0)
			continue;
		(*distinct)++;
		if (run == 1)
			(*once)++;
		run = 0;
	}
}

/*
 * estimate_distinct
 *		Distinct values of the table, as pg_statistic.stadistinct wants it:
 *		a number, or a negative fraction of the rows.
 *
 * Source: compute_scalar_stats(); Haas and Stokes, estimator Duj1.
 */
static double
estimate_distinct(Sample *sample, double null_fraction, double total_rows)
{
	int			distinct;
	int			once;
	double		n = sample->values;
	double		all = total_rows * (1.0 - null_fraction);
	double		f1;
	double		estimate;

	count_tokens(sample, &distinct, &once);
	distinct += sample->singles;
	f1 = once + sample->singles;
	if (f1 == distinct)
		return -(1.0 - null_fraction);
	if (f1 == 0)
		estimate = distinct;
	else
		estimate = all <= 0 ? 0 : (n * distinct) / ((n - f1) + f1 * n / all);
	estimate = floor(Min(Max(estimate, distinct), all) + 0.5);
	return estimate > 0.1 * total_rows ? -(estimate / total_rows) : estimate;
}

/* compute_sealed_stats: compute_stats of VacAttrStats. */
static void
compute_sealed_stats(VacAttrStatsP stats, AnalyzeAttrFetchFunc fetch, int rows, double total_rows)
{
	Sample		sample = {0};

	read_sample(&sample, stats, fetch, rows);
	if (sample.values + sample.nulls > 0)
	{
		stats->stats_valid = true;
		stats->stanullfrac = (double) sample.nulls / rows;
		if (sample.values > 0)
		{
			stats->stawidth = sample.width / sample.values;
			stats->stadistinct = estimate_distinct(&sample, stats->stanullfrac, total_rows);
		}
	}
	pfree(sample.tokens);
}

/* seal.sealed_analyze(internal) returns boolean */
Datum
pgseal_analyze(PG_FUNCTION_ARGS)
{
	VacAttrStats *stats = (VacAttrStats *) PG_GETARG_POINTER(0);

	if (!std_typanalyze(stats))
		PG_RETURN_BOOL(false);
	stats->compute_stats = compute_sealed_stats;
	PG_RETURN_BOOL(true);
}
