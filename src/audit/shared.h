/*-------------------------------------------------------------------------
 * shared.h
 *		What all processes know of the segments; inside the audit room only.
 *
 * Floor 2.  Locks, in the order in which they are taken: directory (which
 * database has which slot), a slot's flush (writing and syncing, one process
 * at a time), a slot's append (end of the ring).  Refusals has its own and is
 * held alone.
 *
 *		appended	bytes of records of this slot, ever; never goes back
 *		flushed		as many of them are on the disk
 *		ring		the bytes between the two, byte n at n modulo its size; so
 *					they can be written once more after a failed sync
 *		begins		the byte that stands first in the current segment
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_AUDIT_SHARED_H
#define PGSEAL_AUDIT_SHARED_H

#include "audit/internal.h"

#include "port/atomics.h"
#include "storage/lwlock.h"

#define SLOT_COUNT			32		/* databases that write at a time */
#define RING_BYTES			(64 * 1024)	/* power of 2, several times FRAME_MAX */
#define REFUSAL_COUNT		256
#define REFUSAL_LOGINS		32		/* of them: what a login has beyond the others; the last: what all have beyond these */

typedef struct Slot
{
	Oid			database;		/* InvalidOid: free; changes under all three locks */
	uint32		number;			/* of the current segment; 0: none; this and begins change under flush and append */
	uint64		begins;
	bool		failed;			/* the current segment takes no more; under flush */
	LWLock	   *flush_lock;
	LWLock	   *append_lock;
	char		apart[PG_CACHE_LINE_SIZE];	/* what follows changes with each record, what is above hardly ever */
	pg_atomic_uint64 last_used;
	pg_atomic_uint64 appended;	/* changes under append */
	pg_atomic_uint64 flushed;	/* changes under flush */
	pg_atomic_uint64 asked;		/* as many bytes are wanted on the disk soon */
	char		ring[RING_BYTES];
} Slot;

/* Where a record ends: it is stored when its slot is flushed up to there. */
typedef struct Place
{
	Slot	   *slot;
	uint64		upto;
} Place;

/* Refusals of one login, role, key and reason within a minute; or all others of a login, or of all. */
typedef struct Refusal
{
	Oid			database;		/* InvalidOid: free */
	Oid			login;			/* InvalidOid: of all */
	Oid			role;			/* InvalidOid: of a login, or of all */
	uint32		key_id;			/* 0: none, or none of the ring */
	int			sqlstate;
	TimestampTz since;			/* when the first of them was written */
	int64		repeated;		/* how many were not */
	NameData	login_role;
	NameData	role_name;
	NameData	key;
	NameData	what;
} Refusal;

/* What a parallel worker takes from its leader. */
typedef struct Leader
{
	pg_atomic_uint64 statement; /* of the top-level statement that runs; 0: none yet */
	pg_atomic_uint32 keeping;	/* does a query that runs keep what it opens? */
	LocalTransactionId set_in[CLAIMS];	/* the transaction that made each claim */
	char		address[NAMEDATALEN];
	char		apart[PG_CACHE_LINE_SIZE - NAMEDATALEN - sizeof(pg_atomic_uint64)];
} Leader;

typedef struct AuditShared
{
	unsigned char start[AUDIT_START_BYTES];
	TimestampTz started_at;
	pg_atomic_uint32 last_number;	/* of a segment */
	pg_atomic_uint64 bytes_on_disk; /* what all segments take */
	pg_atomic_uint64 next_settling; /* when a minute of refusals ends; 0: none is counted */
	LWLock	   *directory_lock;
	LWLock	   *refusal_lock;
	struct Latch *writer;		/* NULL while there is none; a latch outlives its process */
	pg_atomic_uint32 writer_sleeps; /* until somebody wakes it */
	pg_atomic_uint32 writer_polls;	/* it sees what is asked without being woken */
	char		apart[PG_CACHE_LINE_SIZE];	/* from what each record changes */
	pg_atomic_uint64 last_serial;	/* of a record */
	pg_atomic_uint64 last_statement;
	char		apart_too[PG_CACHE_LINE_SIZE];
	Refusal		refusals[REFUSAL_COUNT];
	Slot		slots[SLOT_COUNT];
	Leader		leaders[FLEXIBLE_ARRAY_MEMBER]; /* by process */
} AuditShared;

/* shared.c */
extern AuditShared *audit_shared;

extern void shared_init(void);

/* file.c */
extern char *audit_directory;
extern bool audit_sync;
extern int	audit_max_size;

extern void file_path(char path[MAXPGPATH], const AuditSegmentId *id);
extern SealError file_create(const AuditSegmentId *id);
extern int	file_open(const AuditSegmentId *id);
extern bool file_sync(int fd);
extern void file_cut(const AuditSegmentId *id, uint32 size);
extern uint64 file_start(void);
extern void file_lock_directory(void);

/* write.c */
extern SealError write_append(Place *place, Oid database, const char *frames, uint32 len);
extern SealError write_flush(const Place *place);
extern void write_segment_id(AuditSegmentId *id, Oid database, uint32 number);
extern void write_forget(Oid database);
extern void write_finish(void);

/* writer.c */
extern void writer_init(void);
extern void writer_ask(const Place *place);
extern void writer_notice(void);

#endif							/* PGSEAL_AUDIT_SHARED_H */
