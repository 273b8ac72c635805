/*-------------------------------------------------------------------------
 * base.h
 *		The error table and the small PostgreSQL helpers: the door of the base room.
 *
 * Floor 0.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_BASE_H
#define PGSEAL_BASE_H

#include "postgres.h"

#include "base/compat.h"

/*
 * Everything pgseal can say no with.  SQLSTATE, message and hint of each
 * stand in error.c; a message takes at most one name, never a value.
 */
typedef enum SealError
{
	SEAL_OK = 0,
	SEAL_E_NOT_PRELOADED,
	SEAL_E_NO_ROOT,
	SEAL_E_ROOT_UNKNOWN,		/* name: fingerprint of the root */
	SEAL_E_ROOT_FILE,			/* name: what is wrong with it */
	SEAL_E_RING_CLOSED,
	SEAL_E_RING_TEXT,
	SEAL_E_RING_CONFLICT,		/* name: key id */
	SEAL_E_KEY_CLOSED,			/* name: key */
	SEAL_E_DENIED,				/* name: key */
	SEAL_E_NO_ACTOR,			/* name: key */
	SEAL_E_NO_PURPOSE,			/* name: key */
	SEAL_E_NOT_ADMITTED,		/* name: key */
	SEAL_E_NO_GLASS,
	SEAL_E_OWN_GLASS,
	SEAL_E_NOT_AUDITOR,			/* name: function */
	SEAL_E_NO_ADMISSION,
	SEAL_E_NO_SUBJECT,			/* name: type */
	SEAL_E_NO_SUBJECT_TYPE,		/* name: type */
	SEAL_E_NOT_ADMIN,			/* name: function */
	SEAL_E_UNKNOWN_KEY,			/* name: key */
	SEAL_E_UNKNOWN_VERSION,
	SEAL_E_MALFORMED_TEXT,		/* name: type */
	SEAL_E_MALFORMED_BINARY,	/* name: type */
	SEAL_E_OTHER_KEY,			/* name: key of the column */
	SEAL_E_OTHER_TYPE,			/* name: type */
	SEAL_E_TOKEN_STORED,		/* name: key */
	SEAL_E_INPUT_TEXT,			/* name: type */
	SEAL_E_INPUT_BINARY,		/* name: type */
	SEAL_E_TOO_LONG,			/* name: type */
	SEAL_E_NO_COLUMN_KEY,		/* name: column */
	SEAL_E_ARRAY,				/* name: column */
	SEAL_E_BAD_TYPMOD,			/* name: type modifier */
	SEAL_E_NOT_SEARCHABLE,		/* name: key */
	SEAL_E_TOKEN_ORDER,
	SEAL_E_KEYS_DIFFER,
	SEAL_E_KEY_NOT_KNOWN,
	SEAL_E_UNBOUND,
	SEAL_E_INEXACT,				/* name: type */
	SEAL_E_ENVELOPE_AS_TEXT,
	SEAL_E_STORED_REVEAL,		/* name: kind of object */
	SEAL_E_STORED_LITERAL,		/* name: kind of object */
	SEAL_E_STORED_USE,			/* name: kind of object */
	SEAL_E_STORED_PLAIN,		/* name: kind of object */
	SEAL_E_RESTRICTED,
	SEAL_E_CORRUPT,
	SEAL_E_SUBJECT_CLOSED,		/* name: number of the subject */
	SEAL_E_SUBJECT_KEY,
	SEAL_E_SUBJECT_TYPE,		/* name: what was given */
	SEAL_E_SUBJECT_ID,
	SEAL_E_PLACE_TYPE,			/* name: type */
	SEAL_E_NO_RELATION,
	SEAL_E_UNKNOWN_RELATION,	/* name: OID */
	SEAL_E_NO_VIEW_OF,			/* name: relation */
	SEAL_E_NOT_REVEALING,		/* name: relation */
	SEAL_E_NO_COLUMN,			/* name: column */
	SEAL_E_COLUMN_LIST,
	SEAL_E_COLUMN_TWICE,		/* name: column */
	SEAL_E_NOT_SHOWN,			/* name: column */
	SEAL_E_VIEW_DEFAULT,		/* name: view */
	SEAL_E_AUDIT_IO,
	SEAL_E_AUDIT_FULL,
	SEAL_E_AUDIT_LIMIT,
	SEAL_E_AUDIT_TAKEN,
	SEAL_E_LOG_CLOSED,			/* name: table */
	SEAL_E_LOG_BROKEN,
	SEAL_E_LOG_NUMBER,
	SEAL_E_NO_CHECKPOINT,		/* name: why */
	SEAL_E_IN_RECOVERY,
	SEAL_E_RETENTION,
	SEAL_E_NOT_WATCHABLE,		/* name: relation */
	SEAL_E_NOT_WATCHED,			/* name: relation */
	SEAL_E_WATCHED_AS_PART,		/* name: relation */
	SEAL_E_NO_ROW_KEY,			/* name: relation */
	SEAL_E_NO_ROW_KEY_GIVEN,
	SEAL_E_NO_ARGUMENT,			/* name: argument */
	SEAL_E_NOT_PROTECTABLE,		/* name: relation */
	SEAL_E_PROTECT_PARENT,		/* name: relation */
	SEAL_E_PROTECT_INHERITS,	/* name: relation */
	SEAL_E_PROTECTED,			/* name: relation */
	SEAL_E_NOT_PROTECTED,		/* name: relation */
	SEAL_E_PROTECTION_CLOSED,	/* name: relation */
	SEAL_E_NOTHING_SEALED,		/* name: relation */
	SEAL_E_SUBJECT_COLUMN,		/* name: column */
	SEAL_E_SUBJECT_NULL,
	SEAL_E_NO_PRIMARY_KEY,		/* name: relation */
	SEAL_E_PLACE_GENERATED,		/* name: column */
	SEAL_E_PLACE_RETYPED,		/* name: column */
	SEAL_E_PROTECTION_NEEDS,	/* name: what */
	SEAL_E_LATE_TRIGGER,		/* name: trigger */
	SEAL_E_DENIES_ALL,			/* name: relation */
	SEAL_E_PARTITION_ROWS,		/* name: relation */
	SEAL_E_MISPLACED,
	SEAL_E_BATCH_SIZE,
	SEAL_E_COUNT
} SealError;

/* error.c */
pg_noreturn extern void error_raise(SealError error, const char *name);
extern int	error_sqlstate(SealError error);

/* catalog.c */
extern void base_init(void);
extern Oid	seal_schema_oid(bool missing_ok);
extern Oid	seal_relation_oid(const char *name);
extern bool seal_in_database(void);
extern bool seal_may_be_in_database(void);

/* typewalk.c: visitor returns true to stop */
typedef bool (*TypeVisitor) (Oid type, int32 typmod, void *context);

extern bool type_walk(Oid type, int32 typmod, TypeVisitor visit, void *context);

/* shmem.c */
typedef struct SharedPart
{
	const char *name;			/* of the memory, and of its locks */
	Size		(*bytes) (void);
	int			locks;			/* LWLocks in a tranche of its own */
	void		(*start) (void *memory, bool found);	/* zero unless found; AddinShmemInitLock is held */
} SharedPart;

extern void shmem_part(const SharedPart *part);

#endif							/* PGSEAL_BASE_H */
