/*-------------------------------------------------------------------------
 * audit.h
 *		Records of who opened what, and of who was refused: the door of the audit room.
 *
 * Floor 2.  A record is appended to a segment file of its database and start of
 * the server before what it tells of happens; nothing stands between a reader
 * and its record.  doc/storage_format.md has both formats byte by byte.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_AUDIT_H
#define PGSEAL_AUDIT_H

#include "base/base.h"

#include "datatype/timestamp.h"
#include "keys/keys.h"
#include "lib/stringinfo.h"

#define AUDIT_START_BYTES	16		/* random id of one start of the server */
#define AUDIT_DIGEST_BYTES	32
#define AUDIT_UNKNOWN		(-1)	/* of a count */
#define AUDIT_SUBJECTS_MAX	256		/* that one record names */

/* Stored as numbers: never renumber. */
typedef enum AuditAction
{
	AUDIT_INSERT = 1,
	AUDIT_UPDATE,
	AUDIT_DELETE,
	AUDIT_TRUNCATE,
	AUDIT_OPEN,
	AUDIT_PROGRESS,
	AUDIT_CLOSE,
	AUDIT_REFUSE,
	AUDIT_SEARCH,
	AUDIT_EXPORT,
	AUDIT_KEY,
	AUDIT_GRANT,
	AUDIT_PROTECT,
	AUDIT_ADMIT,
	AUDIT_BREAK_GLASS,
	AUDIT_LIMIT,
	AUDIT_ERASE,
	AUDIT_PURGE,
	AUDIT_SETTING,
	AUDIT_ADMIN,
	AUDIT_ACTION_END
} AuditAction;

/*
 * One record.  Strings are UTF-8 and name things, they never are values of
 * sealed columns.  NULL: not known.  Without a login_role, who and where are
 * filled in by audit_append(), as far as they are not given; an actor or a
 * purpose that is empty is none.
 */
typedef struct AuditRecord
{
	AuditAction action;
	const char *outcome;		/* ok, aborted, prepared, or an SQLSTATE; NULL: ok */
	TimestampTz at;				/* 0: now */
	const char *login_role;
	const char *session_role;
	const char *role;
	const char *actor;			/* claimed */
	const char *purpose;		/* claimed */
	const char *address;		/* local, or host:port */
	const char *application;	/* whatever the client says */
	uint64		xid;			/* full, 0: none */
	uint64		statement;		/* links the records of one top-level statement of one start; 0: none */
	const char *relation;
	const char *row_key;
	const char *key;
	const char *what;			/* verb or function */
	const char *detail;
	uint64		subject;		/* 0: none; in open and search that of the first value */
	int64		values_opened;	/* these four: AUDIT_UNKNOWN when not known */
	int64		subjects_opened;
	int64		rows_returned;
	int64		repeated;		/* refusals that are told by their number alone */
	const uint64 *subjects;		/* those of a statement that opened several */
	int			subject_count;	/* of them; 0: none are named */
	bool		has_digest;
	unsigned char digest[AUDIT_DIGEST_BYTES];	/* SHA-256 of the statement without its constants */
} AuditRecord;

/* The counts of a record that counts nothing. */
#define AUDIT_NO_COUNTS \
	.values_opened = AUDIT_UNKNOWN, .subjects_opened = AUDIT_UNKNOWN, \
	.rows_returned = AUDIT_UNKNOWN, .repeated = AUDIT_UNKNOWN

/* What a key was lent for. */
typedef enum AuditUse
{
	AUDIT_USE_OPEN,
	AUDIT_USE_SEARCH,
	AUDIT_USES
} AuditUse;

/* How many more values may be opened before the next record, for the key and role asked about last. */
typedef struct AuditAllowance
{
	uint32		key_id;
	Oid			role;
	int32		left;
	int			account;		/* number of its account in statement.c */
	uint64		claims;			/* under which; others set it aside */
	uint64		subject;		/* of the value before */
} AuditAllowance;

#define AUDIT_ALLOWANCES	16		/* power of 2 */

extern AuditAllowance audit_allowances[AUDIT_USES][AUDIT_ALLOWANCES];

/* audit.c */
extern void audit_init(void);
extern void audit_append(const AuditRecord *record, bool wait_for_disk);

/* who.c */
extern void audit_who(AuditRecord *record);
extern char *audit_text(const char *text);

/* What a client may claim in a transaction. */
typedef enum Claim
{
	CLAIM_ACTOR,
	CLAIM_PURPOSE,
	CLAIMS
} Claim;

/* claim.c */
extern const char *audit_claim(Claim claim);
extern bool audit_purpose_known(const char *code);
extern char *audit_purpose_list(void);

/* note.c */
extern void audit_note(const AuditRecord *record);
extern void audit_note_regardless(const AuditRecord *record);
extern bool audit_refuse(const AuditRecord *record, uint32 key_id, int sqlstate);
extern void audit_settle_refusals(bool all);

/* statement.c */
extern void audit_value_recorded(AuditUse use, uint32 key_id, uint64 subject);

/*
 * audit_value
 *		One value is about to be opened, or searched for, with this key.
 *
 *	subject		whose value it is; 0: nobody's
 *
 * Returns when a record of it is on the disk.  53100, 58030.
 */
static inline void
audit_value(AuditUse use, uint32 key_id, uint64 subject)
{
	AuditAllowance *allowance = &audit_allowances[use][key_id & (AUDIT_ALLOWANCES - 1)];

	if (likely(allowance->left > 0 && allowance->key_id == key_id && allowance->role == GetUserId() &&
			   allowance->subject == subject))
		allowance->left--;
	else
		audit_value_recorded(use, key_id, subject);
}

/* record.c */
extern const char *audit_action_name(AuditAction action);
extern AuditAction audit_action_of_name(const char *name);
extern void audit_record_encode(StringInfo body, const AuditRecord *record);
extern bool audit_record_decode(AuditRecord *record, const char *body, size_t len);

/* Which segment: <database>/<start, 32 hex digits>.<number, 8 hex digits> */
typedef struct AuditSegmentId
{
	Oid			database;
	unsigned char start[AUDIT_START_BYTES];
	uint32		number;
} AuditSegmentId;

typedef struct AuditSegment
{
	AuditSegmentId id;
	TimestampTz started_at;		/* of the server start; orders starts */
	uint32		size;			/* end of what may be read, from the file's begin */
	uint32		loaded_from;	/* bytes holds [loaded_from, size) */
	char	   *bytes;
} AuditSegment;

typedef struct AuditFrame
{
	uint32		position;		/* where the record begins */
	uint32		next;			/* where the next one would */
	uint64		serial;			/* of no other record of this start; twice: the same record */
	uint16		key_version;	/* of key audit, under which the MAC is; 0: written without a root */
	const unsigned char *mac;
	const char *body;			/* inside the segment's bytes */
	uint32		body_len;
} AuditFrame;

typedef enum AuditMac
{
	AUDIT_MAC_VALID,
	AUDIT_MAC_NONE,				/* written while no root was loaded */
	AUDIT_MAC_INVALID,
	AUDIT_MAC_UNKNOWN,			/* no root now, or the ring is closed */
	AUDIT_MACS
} AuditMac;

#define AUDIT_SEGMENT_FIRST		64	/* position of the first record of each segment */

/* segment.c */
extern bool audit_segment_of_name(AuditSegmentId *id, Oid database, const char *file_name);
extern void audit_segment_name(char *name, size_t name_size, const AuditSegmentId *id);
extern bool audit_segment_load(AuditSegment *segment, const char *path, uint32 from, uint32 limit);
extern bool audit_segment_read(AuditFrame *frame, const AuditSegment *segment, uint32 position);
extern AuditMac audit_segment_mac(const AuditSegment *segment, const AuditFrame *frame);

/* write.c */
extern void audit_folder(char path[MAXPGPATH], Oid database);
extern const unsigned char *audit_start(void);
extern uint32 audit_segment_limit(const AuditSegmentId *id);
extern SealError audit_flush(void);
extern void audit_segment_remove(const char *path);
extern void audit_set_aside(Oid database);

/* image.c: the values of a row in seal.audit_change */
typedef struct AuditColumn
{
	const char *name;
	uint8		name_len;		/* less than NAMEDATALEN */
} AuditColumn;

extern void audit_image_add(StringInfo image, Size *shown, const AuditColumn *column, const char *envelope, uint32 len);
extern struct varlena *audit_image_show(const struct varlena *image);

/* start.c */
extern bool audit_setting_matters(const char *name);
extern char *audit_setting_text(const char *name, const char *value);

/* worker.c: tell the log that there is something to take in */
extern void audit_wake(Oid database);
extern void audit_wake_at_commit(void);

#endif							/* PGSEAL_AUDIT_H */
