/*-------------------------------------------------------------------------
 * ingest.h
 *		Taking segments and committed writes into the log; inside the room only.
 *
 * Floor 2.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_INGEST_H
#define PGSEAL_INGEST_H

#include "audit/audit.h"
#include "audit/log.h"
#include "nodes/pg_list.h"

/* A segment of this database. */
typedef struct SegmentFile
{
	AuditSegmentId id;
	char	   *path;
	char	   *problem;		/* NULL, or why it cannot be read */
	TimestampTz started_at;		/* of its start of the server */
	bool		open;			/* somebody may still append to it */
} SegmentFile;

extern List *ingest_files(const char *folder);
extern int64 ingest_batch(List *files, bool changes, int64 most);
extern void ingest_set_record(LogEntry *entry, const AuditRecord *record);
extern bool ingest_is_read(const SegmentFile *file);
extern int	ingest_untouched(List *files);
extern bool ingest_is_covered(const SegmentFile *file, int64 size);

#endif							/* PGSEAL_INGEST_H */
