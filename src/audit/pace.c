/*-------------------------------------------------------------------------
 * pace.c
 *		How much of a processor a worker takes from the readers.
 *
 * Floor 2.  A tenth of one while little is unread, and more the nearer that
 * comes to a quarter of seal.audit_max_size; all of one from there on, or when
 * segments fill half of the limit, because beyond it reads are refused.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include "audit/worker.h"

#define LEAST_SHARE			0.1
#define LONGEST_REST		1000	/* ms */

/* pace_share: the part of a processor to take while so many segments are untouched. */
double
pace_share(int untouched)
{
	double		most = (double) audit_max_size * 1024 * 1024;

	if (pg_atomic_read_u64(&audit_shared->bytes_on_disk) > most / 2)
		return 1;
	return Min(1, LEAST_SHARE + (1 - LEAST_SHARE) * untouched * SEGMENT_BYTES / (most / 4));
}

/* pace_rest: for how many milliseconds to rest after having worked since then. */
long
pace_rest(TimestampTz begun, double share)
{
	long		worked = TimestampDifferenceMilliseconds(begun, GetCurrentTimestamp());

	return (long) Min(worked * (1 / share - 1), LONGEST_REST);
}
