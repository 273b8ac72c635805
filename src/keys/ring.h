/*-------------------------------------------------------------------------
 * ring.h
 *		The loaded ring and the form of its rows; inside the keys room only.
 *
 * Floor 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_RING_H
#define PGSEAL_RING_H

#include "keys/root.h"
#include "lib/stringinfo.h"
#include "utils/array.h"

/* One table as it was read. */
typedef struct LoadedTable
{
	Oid			oid;
	TupleDesc	desc;
	int			count;
	HeapTuple  *tuples;
	bool	   *valid;			/* MAC fits; meaningful once verified */
} LoadedTable;

/* ring.c */
extern void ring_init(void);
extern void ring_reload(void);
extern const LoadedTable *ring_table(RingTable table);
extern const char *ring_table_name(RingTable table);
extern Oid	ring_relation_oid(text *name);
extern void ring_digest(unsigned char digest[MAC_BYTES]);
extern bool ring_next_version(unsigned char wrapped[WRAPPED_BYTES], uint16 *version, int *row,
							  uint32 key_id);
extern bool ring_wrapped_search(unsigned char wrapped[WRAPPED_BYTES], uint32 key_id);

/* row.c */
extern void ring_array(ArrayType *array, Oid type, Datum **elements, bool **nulls, int *count);
extern ArrayType *ring_make_array(Datum *elements, int count, Oid type);
extern bool row_columns_fit(RingTable table, TupleDesc desc);
extern bool row_is_complete(const RingRow *row);
extern int	row_column(RingTable table, CommonColumn column);
extern void row_deform(RingRow *row, RingTable table, HeapTuple tuple, TupleDesc desc);
extern void row_encode(StringInfo bytes, const RingRow *row, TupleDesc desc, bool with_mac);
extern bool row_decode(RingRow *row, RingTable table, TupleDesc desc, const char *bytes, int len);
extern void row_mac(unsigned char mac[MAC_BYTES], const RingRow *row, TupleDesc desc, const HmacKey *mac_key);
extern bool row_mac_fits(const RingRow *row, TupleDesc desc, const char *root, const HmacKey *mac_key);
extern const char *row_root(const RingRow *row);
extern bool row_get_secret(unsigned char wrapped[WRAPPED_BYTES], const RingRow *row, int column);
extern int	secret_column(RingTable table);
extern int	secret_bound(unsigned char bound[16], const RingRow *row);

#endif							/* PGSEAL_RING_H */
