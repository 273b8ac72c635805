/*-------------------------------------------------------------------------
 * subject.h
 *		Subjects and their rows; inside the keys room only.
 *
 * Floor 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_SUBJECT_H
#define PGSEAL_SUBJECT_H

#include "keys/keys.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#define SUBJECT_LOOKUP_BYTES	16
#define SUBJECT_ID_MAX			1000	/* bytes of an external id, as UTF-8 */

/* Keys of one version of key subject, in locked memory. */
typedef struct SubjectKeys
{
	uint16		version;		/* 0: empty */
	unsigned char wrap[SECRET_BYTES];
} SubjectKeys;

/* One row of seal.subject; pointers into its tuple. */
typedef struct SubjectRow
{
	uint64		number;
	NameData	type;
	struct varlena *lookup;
	struct varlena *external;	/* sealed */
	struct varlena *secret;		/* sealed; NULL once destroyed */
	uint16		key_version;
	int64		generation;
	TimestampTz changed_at;
} SubjectRow;

/* What a subject is, in the clear; the caller wipes it. */
typedef struct OpenSubject
{
	uint64		number;
	NameData	type;
	unsigned char secret[SECRET_BYTES];
	char		external[SUBJECT_ID_MAX + 1];	/* UTF-8 */
} OpenSubject;

/* admission.c */
extern void admissions_init(void);

/* subject.c */
extern void subjects_init(void);
extern void subjects_forget(void);
extern void subject_hear(void);
extern SealError subject_secret(const unsigned char **secret, uint64 number);
extern uint64 subject_closed_number(void);

/* subject_row.c */
extern Oid	subject_table(void);
extern uint64 subject_number(HeapTuple tuple);
extern Snapshot subject_snapshot(Relation table);
extern void subject_keys_forget(void);
extern SealError subject_keys(const SubjectKeys **keys, uint16 version);
extern SealError subject_lookup(unsigned char lookup[SUBJECT_LOOKUP_BYTES], const char *type,
								const char *utf8);
extern HeapTuple subject_read(uint64 number);
extern HeapTuple subject_read_lookup(const unsigned char lookup[SUBJECT_LOOKUP_BYTES]);
extern SealError subject_open(OpenSubject *subject, uint64 *number, HeapTuple tuple);
extern SealError subject_start(HeapTuple *tuple, OpenSubject *subject,
							   const unsigned char lookup[SUBJECT_LOOKUP_BYTES]);
extern bool subject_insert(HeapTuple tuple);

/* subject_page.c */
extern void subject_page_forget(void);
extern HeapTuple subject_page_find(uint64 number);
extern void subject_page_follow(Relation table, BlockNumber block);

#endif							/* PGSEAL_SUBJECT_H */
