/*-------------------------------------------------------------------------
 * internal.h
 *		What the files of the audit room share.
 *
 * Floor 2.  Inside the room only.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_AUDIT_INTERNAL_H
#define PGSEAL_AUDIT_INTERNAL_H

#include "audit/audit.h"

#define AUDIT_DEFAULT_FOLDER	"pg_seal"	/* in the data directory */
#define AUDIT_BODY_MAX		8192	/* more than all fields at their limits take */
#define FRAME_HEAD_BYTES	36
#define FRAME_MAX			(FRAME_HEAD_BYTES + AUDIT_BODY_MAX)
#define FRAME_MAC_BYTES		16
#define SEGMENT_NAME_LEN	(2 * AUDIT_START_BYTES + 1 + 8)
#define SEGMENT_BYTES		(16 * 1024 * 1024)

struct Place;					/* shared.h */
struct PlannedStmt;
struct QueryDesc;

/* The key of MACs, as this process knows it. */
typedef struct AuditMacKey
{
	uint16		version;		/* of key audit; 0: none, MACs are zero */
	unsigned char secret[SECRET_BYTES];
} AuditMacKey;

/* segment.c */
extern void segment_write_head(unsigned char head[AUDIT_SEGMENT_FIRST], const AuditSegmentId *id,
							   TimestampTz started_at, TimestampTz created_at);
extern void segment_write_frame(unsigned char head[FRAME_HEAD_BYTES], const AuditSegmentId *id, uint64 serial,
								const char *body, uint32 body_len, const AuditMacKey *mac_key);
extern SealError segment_mac_key(AuditMacKey *mac_key, uint16 version);

/* audit.c */
extern int	audit_batch;

extern SealError audit_store(const AuditRecord *records, int count, bool wait);
extern SealError audit_store_of(Oid database, const AuditRecord *records, int count, bool wait);
extern void audit_append_ahead(struct Place *place, const AuditRecord *record);
extern void audit_wait(const struct Place *place);
extern void audit_mac_key_refresh(void);

/* who.c */
extern void who_fill(AuditRecord *record);
extern void who_text(char *text, size_t text_size, const char *name);
extern void who_publish(void);

/* claim.c */
#define CLAIM_BYTES		(4 * NAMEDATALEN)	/* in UTF-8 */

extern void claim_init(void);
extern void claim_publish(void);
extern uint64 claim_stamp(void);
extern const char *claim_text(Claim claim);

/* subject.c */
typedef struct SubjectSet SubjectSet;

/* Of one account; all zero: none yet. */
typedef struct SubjectCount
{
	uint64		first;
	uint64		last;
	SubjectSet *set;			/* NULL while there is one at most; in TopMemoryContext */
} SubjectCount;

extern bool subject_add(SubjectCount *count, uint64 subject);
extern void subject_tell(AuditRecord *record, const SubjectCount *count);
extern void subject_told(SubjectCount *count);
extern void subject_forget(SubjectCount *count);

/* digest.c */
extern bool digest_statement(unsigned char digest[AUDIT_DIGEST_BYTES], const char *text, int location, int len);

/* note.c */
extern void note_init(void);

/* keeping.c */
extern bool keeping_query(const struct QueryDesc *query);
extern bool keeping_command(const struct PlannedStmt *command);

/* statement.c */
extern void statement_init(void);
extern void statement_set_aside(void);

#endif							/* PGSEAL_AUDIT_INTERNAL_H */
