/*-------------------------------------------------------------------------
 * edit.h
 *		An ongoing change of the ring; inside the keys room only.
 *
 * Floor 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_EDIT_H
#define PGSEAL_EDIT_H

#include "keys/ring.h"

/* In sodium_malloc memory. */
struct RingEditor
{
	RootSet    *roots;
	const Root *root;			/* rows are written under this one */
	HmacKey		mac_key;
	int64		generation;		/* of this change */
};

extern void ring_use_root(RingEditor *editor, const Root *root);
extern Datum ring_wrap(RingEditor *editor, const RingRow *row, const unsigned char secret[SECRET_BYTES]);
extern bool ring_unwrap(unsigned char secret[SECRET_BYTES], const RingRow *row, const Root *root);

#endif							/* PGSEAL_EDIT_H */
