/*-------------------------------------------------------------------------
 * internal.h
 *		What the files of the types room share.
 *
 * Floor 4.  Inside the room only.  A value passes three forms: the Datum of
 * its plain type, the bytes of its payload, the sealed varlena.
 *
 *		plain Datum  -- encode -->  payload  -- value_seal -->  sealed
 *		plain Datum  <-- decode --  payload  <-- value_open --  sealed
 *									payload  -- canonical -->  bytes of the token
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_TYPES_INTERNAL_H
#define PGSEAL_TYPES_INTERNAL_H

#include "types/types.h"

#include "fmgr.h"
#include "gate/gate.h"

#define PLAIN_SMALL_BYTES	64
#define PAYLOAD_MAX_BYTES	((size_t) 512 * 1024 * 1024)
#define JSONB_PAYLOAD_VERSION 1		/* first byte of a payload of sealed_jsonb */
#define TOKEN_NEVER			0x80	/* over the kind in a token: made of what equals no value of the type */

/*
 * Clear bytes of one value.  They lie in `small`, in a chunk of their own
 * (`owned`), or are borrowed from a datum that outlives this (`owned` NULL).
 * What is not borrowed is wiped by plain_wipe().
 */
typedef struct PlainBytes
{
	unsigned char *bytes;
	size_t		len;
	void	   *owned;			/* palloc'd, holds bytes */
	unsigned char small[PLAIN_SMALL_BYTES];
} PlainBytes;

/* One row of the table of types; every SQL function of this room reads it. */
typedef struct SealedType
{
	SealedKind	kind;
	const char *name;
	Oid			plain;
	int16		plain_len;		/* typlen of the plain type */
	bool		plain_byval;
	size_t		payload_min;	/* bytes of the shortest payload */
	PGFunction	plain_in;		/* NULL: any text is a value */
	PGFunction	plain_recv;
	void		(*encode) (PlainBytes *payload, Datum value);
	bool		(*decode) (Datum *value, PlainBytes *payload);
	void		(*canonical) (PlainBytes *canonical, PlainBytes *payload);	/* NULL: payload */
} SealedType;

/* codec.c */
extern const SealedType *sealed_type(SealedKind kind);
extern const SealedType *sealed_type_of_oid(Oid type);
extern const SealedType *sealed_type_of_plain(Oid plain);
extern void plain_borrow(PlainBytes *plain, const void *bytes, size_t len, void *owned);
extern unsigned char *plain_small(PlainBytes *plain, size_t len);
extern void plain_wipe(PlainBytes *plain);
extern void plain_release(const SealedType *type, Datum value);
extern void text_to_payload(PlainBytes *payload);

/* canonical.c */
extern void canonical_float8(PlainBytes *canonical, PlainBytes *payload);
extern void canonical_numeric(PlainBytes *canonical, PlainBytes *payload);
extern void canonical_jsonb(PlainBytes *canonical, PlainBytes *payload);

/* quiet.c: core's functions, whose errors would print the value */
extern Datum quiet_run(Datum (*body) (void *arg), void *arg, SealError error, const char *type_name);
extern Datum quiet_call(PGFunction function, Datum first, Datum second, Datum third,
						SealError error, const char *type_name);

/* value.c */

/* Where a value is sealed for. */
typedef struct Cell
{
	uint64		subject;
	const char *place;
	size_t		place_len;
} Cell;

/* What the ring says of a column of a protected table. */
typedef enum ColumnState
{
	COLUMN_UNPROTECTED,			/* nothing, or nothing that can be believed */
	COLUMN_INCOMPLETE,			/* rows from before the protection may be left */
	COLUMN_PROTECTED
} ColumnState;

typedef struct ProtectedColumn
{
	ColumnState state;
	NameData	subject_type;	/* unless unprotected */
} ProtectedColumn;

/* Where a value is said to be opened from. */
typedef struct OpenedCell
{
	ProtectedColumn column;
	const char *subject;		/* external id, in the encoding of the database */
	size_t		subject_len;
	const char *place;
	size_t		place_len;
} OpenedCell;

typedef SealKey *(*OpeningGate) (uint32 key_id, uint16 version, uint64 subject);

extern struct varlena *value_seal(const SealedType *type, PlainBytes *payload, int32 typmod);
extern struct varlena *value_seal_plain(const SealedType *type, Datum value, int32 typmod);
extern struct varlena *value_seal_audit(const SealedType *type, PlainBytes *payload);
extern struct varlena *value_keep(const SealedType *type, const unsigned char *bytes, size_t len,
								  int32 typmod, SealError malformed);
extern struct varlena *value_of_token(uint32 key_id, SealedKind kind, const unsigned char token[TOKEN_BYTES]);
extern struct varlena *value_token(const SealedType *type, uint8_t type_byte,
								   PlainBytes *payload, uint32 key_id);
extern void value_read(Envelope *envelope, struct varlena **held, const SealedType *type, Datum value);
extern void value_check_key(const SealedType *type, const Envelope *envelope, int32 typmod);
extern void value_open(PlainBytes *payload, const Envelope *envelope, SealKey *key);
extern SealKey *value_literal_key(const Envelope *envelope);
extern bool value_open_plain(Datum *plain, const SealedType *type, Datum value, OpeningGate gate);
extern bool value_open_at(Datum *plain, const SealedType *type, Datum value, const OpenedCell *cell,
						  OpeningGate gate);
extern char *value_key_name(uint32 key_id);

/* io.c */
extern char *text_from_sealed(const struct varlena *sealed);
extern struct varlena *value_from_text(const char *text, size_t len, int32 typmod, SealError malformed);

#endif							/* PGSEAL_TYPES_INTERNAL_H */
