/*-------------------------------------------------------------------------
 * root.h
 *		Root keys; inside the keys room only.
 *
 * Floor 1.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_ROOT_H
#define PGSEAL_ROOT_H

#include "keys/keys.h"

#define ROOT_MAX				16	/* active root and older ones */
#define ROOT_FINGERPRINT_LEN	16	/* hex digits */

typedef struct Root
{
	unsigned char secret[SECRET_BYTES];
	char		fingerprint[ROOT_FINGERPRINT_LEN + 1];
} Root;

/* In sodium_malloc memory; roots[0] is the active root. */
typedef struct RootSet
{
	int			count;
	Root		roots[ROOT_MAX];
} RootSet;

extern SealError roots_load(RootSet **set);
extern void roots_free(RootSet *set);
extern const Root *roots_find(const RootSet *set, const char *fingerprint);
extern void root_mac_key(HmacKey *mac_key, const Root *root);
extern void root_wrapping_key(unsigned char key[SECRET_BYTES], const Root *root);

#endif							/* PGSEAL_ROOT_H */
