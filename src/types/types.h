/*-------------------------------------------------------------------------
 * types.h
 *		The sealed types: the door of the types room.
 *
 * Floor 4.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_TYPES_H
#define PGSEAL_TYPES_H

#include "base/base.h"
#include "crypto/crypto.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "pg_config_manual.h"
#include "utils/relcache.h"

/* The type byte of an envelope.  Never renumber: envelopes are for decades. */
typedef enum SealedKind
{
	SEALED_NONE = 0,
	SEALED_TEXT = 1,
	SEALED_BYTEA = 2,
	SEALED_BOOL = 3,
	SEALED_INT = 4,
	SEALED_FLOAT8 = 5,
	SEALED_NUMERIC = 6,
	SEALED_DATE = 7,
	SEALED_TIMESTAMPTZ = 8,
	SEALED_UUID = 9,
	SEALED_JSONB = 10
} SealedKind;

#define SEALED_KINDS	10

/* The functions of schema seal that open a value. */
typedef enum Opening
{
	OPENING_NONE = 0,
	OPENING_REVEAL,				/* seal.reveal; its other names, reveal_int4 and so on, are casts */
	OPENING_REVEAL_STABLE,
	OPENING_SHOW,
	OPENING_SHOW_VOLATILE
} Opening;

/* How a column of a primary key becomes part of a place. */
typedef enum PlaceForm
{
	PLACE_NONE = 0,				/* not at all */
	PLACE_SEND,					/* binary send form */
	PLACE_INTEGER,				/* that of bigint */
	PLACE_TEXT,					/* UTF-8 */
	PLACE_PADDED,				/* UTF-8, without blanks at the end */
	PLACE_CSTRING,				/* a name, in UTF-8 */
	PLACE_LABEL					/* of an enum, in UTF-8 */
} PlaceForm;

typedef struct PlacePart
{
	PlaceForm	form;
	int16		len;			/* typlen */
	FmgrInfo	function;		/* send, of a label output */
} PlacePart;

/* catalog.c: which type is which, cached until pg_type changes */
extern void types_init(void);
extern SealedKind sealed_kind_of_type(Oid type);	/* SEALED_NONE when it is not sealed */
extern SealedKind sealed_kind_of_array(Oid type);	/* kind of the elements */
extern bool sealed_type_inside(Oid type);	/* sealed, or holds a sealed type */
extern Oid	sealed_type_oid(SealedKind kind);	/* InvalidOid without the extension */
extern Oid	sealed_array_oid(SealedKind kind);
extern Oid	sealed_plain_oid(SealedKind kind);
extern const char *sealed_type_name(SealedKind kind);
extern Opening sealed_opening(Oid function);

/* image.c: values as the log of writes keeps them, all of them envelopes */
extern void image_start(StringInfo json);
extern struct varlena *image_seal(const StringInfoData *json);	/* plain values, under key audit; 55000 without a root */
extern char *image_name(Datum value);	/* the same for equal values, where the key is searchable */
extern char *image_show(const char *text, size_t len);	/* clear text; NULL without the right or the key */

/* place.c: where a value stands, as bytes */
extern bool place_part_init(PlacePart *part, Oid type, MemoryContext context);
extern void place_start(StringInfo place, uint64 column_number);
extern void place_add(StringInfo place, PlacePart *part, Datum value);
extern int	place_columns(AttrNumber columns[INDEX_MAX_KEYS], Relation relation);
extern uint64 place_number(const char *place, size_t place_len);

/* value.c: the envelope in a sealed datum; false when it is malformed */
extern bool sealed_envelope(Envelope *envelope, struct varlena **held, Datum value);

/* value.c: envelopes of protected tables, which belong to a subject and a place */
extern bool value_fits(const Envelope *envelope, uint64 subject, const char *place, size_t place_len);
extern struct varlena *value_move(const Envelope *envelope, int32 typmod, uint64 subject,
								  const char *place, size_t place_len);
extern bool value_opens(const Envelope *envelope);

/*
 * The plan room's: revealing views of a table, and of its partitions, follow its
 * protection.  Here for the rows room, which is on the same floor.
 */
extern void (*refresh_revealing_views) (Oid table);

#endif							/* PGSEAL_TYPES_H */
