/*-------------------------------------------------------------------------
 * sign.c
 *		The name of a log, the key that signs its checkpoints, and the notes.
 *
 * Floor 2.  The signing key follows from version 1 of the ring's key audit and
 * the name of the log: it outlives every rotation, needs no place of its own,
 * and is another one for each log.  Who holds the root key can sign.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "access/xlog.h"

#define SIGNING_LABEL		"audit checkpoint"
#define SIGNING_VERSION		1	/* of key audit; never destroyed */
#define RING_LINE			"ring "	/* begin of a checkpoint's extension line */
#define ORIGIN_RANDOM_BYTES	8
#define MARKED_FILE			"PG_VERSION"

/*
 * folder_mark
 *		What a copied data directory has otherwise: number and birth of a file
 *		that initdb, or whoever made the copy, created and nobody replaces.
 *
 * "-" where the file system knows no births: its file numbers may not last
 * either, and a log must not change its name at each start.
 */
static char *
folder_mark(void)
{
#ifdef STATX_BTIME
	struct statx st;

	if (statx(AT_FDCWD, MARKED_FILE, 0, STATX_INO | STATX_BTIME, &st) == 0 &&
		(st.stx_mask & STATX_INO) != 0 && (st.stx_mask & STATX_BTIME) != 0)
		return psprintf("%llx.%llx.%x", (unsigned long long) st.stx_ino,
						(unsigned long long) st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
#endif
	return pstrdup("-");
}

/*
 * sign_place
 *		What a copy of the log has otherwise: cluster, database, timeline, and
 *		behind a space what tells the data directory from a copy of it.
 */
char *
sign_place(void)
{
	return psprintf(UINT64_FORMAT "/%u/%u %s", GetSystemIdentifier(), MyDatabaseId,
					GetWALInsertionTimeLine(), folder_mark());
}

/* sign_place_in_origin: how much of a place stands in its origins. */
size_t
sign_place_in_origin(const char *place)
{
	return strcspn(place, " ");
}

/*
 * sign_new_origin
 *		A name that no other log has: cluster, database, timeline, and chance for
 *		two copies that part from one.
 */
char *
sign_new_origin(const char *place)
{
	unsigned char random[ORIGIN_RANDOM_BYTES];
	char		hex[2 * ORIGIN_RANDOM_BYTES + 1];

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(hex, sizeof(hex), random, sizeof(random));
	return psprintf("pgseal/%.*s/%s", (int) sign_place_in_origin(place), place, hex);
}

/*
 * sign_key
 *		The keys of a log.
 *
 *	secret		out: the caller wipes it; NULL when only the public key is wanted
 *
 * SEAL_OK, SEAL_E_LOG_NUMBER for what can be no name of a log, or why the ring
 * lends no key.
 */
SealError
sign_key(NoteKey *key, unsigned char secret[SECRET_BYTES], const char *origin)
{
	unsigned char own[SECRET_BYTES];
	SealKey    *lent;
	SealError	error = secrets_lend(&lent, key_id_of(KEY_AUDIT), SIGNING_VERSION);
	bool		made;

	if (error != SEAL_OK)
		return error;
	sealkey_secret(own, lent, SIGNING_LABEL, origin);
	made = note_key_make(key, origin, own);
	if (secret != NULL)
		memcpy(secret, own, SECRET_BYTES);
	sodium_memzero(own, sizeof(own));
	return made ? SEAL_OK : SEAL_E_LOG_NUMBER;
}

/*
 * sign_tree
 *		A checkpoint of a tree, palloc'd; SEAL_OK or why there is none.
 *
 * It also says of which generation the ring is that lent the key, so that who
 * keeps checkpoints sees when an older ring was put back.
 */
SealError
sign_tree(char **note, const char *origin, const MerkleFrontier *frontier)
{
	unsigned char secret[SECRET_BYTES];
	Checkpoint	checkpoint = {.size = frontier->size};
	NoteKey		key;
	SealError	error = sign_key(&key, secret, origin);
	char	   *ring;
	size_t		len;
	bool		signed_it;

	*note = NULL;
	if (error != SEAL_OK)
		return error;
	ring = psprintf(RING_LINE INT64_FORMAT "\n", ring_generation());
	checkpoint.extension = ring;
	checkpoint.extension_len = strlen(ring);
	merkle_root(&checkpoint.root, frontier);
	*note = palloc(CHECKPOINT_NOTE_MAX_BYTES + 1);
	signed_it = checkpoint_sign(*note, CHECKPOINT_NOTE_MAX_BYTES, &len, &checkpoint, origin, secret);
	sodium_memzero(secret, sizeof(secret));
	if (!signed_it)
		return SEAL_E_LOG_NUMBER;
	(*note)[len] = '\0';
	return SEAL_OK;
}

/* origin_of: the first line of a note, as a string; NULL when it is too long. */
static char *
origin_of(const char *note)
{
	size_t		len = strcspn(note, "\n");

	return len <= NOTE_NAME_MAX_BYTES ? pnstrdup(note, len) : NULL;
}

/*
 * sign_verify
 *		Is a note a checkpoint of a log of this ring?
 *
 *	origin		out: of which log, palloc'd; or NULL
 *
 * SEAL_OK, SEAL_E_CORRUPT when it is not, or why the ring lends no key.
 */
SealError
sign_verify(Checkpoint *checkpoint, const char *note, char **origin)
{
	char	   *name = origin_of(note);
	NoteKey		key;
	SealError	error;

	if (name == NULL)
		return SEAL_E_CORRUPT;
	error = sign_key(&key, NULL, name);
	if (error == SEAL_E_LOG_NUMBER)
		return SEAL_E_CORRUPT;
	if (error != SEAL_OK)
		return error;
	if (origin != NULL)
		*origin = name;
	return checkpoint_verify(checkpoint, note, strlen(note), &key) ? SEAL_OK : SEAL_E_CORRUPT;
}

/* sign_ring: the generation of the ring that a checkpoint, whose note is a string, tells of; 0: it does not. */
int64
sign_ring(const Checkpoint *checkpoint)
{
	int64		generation;

	if (checkpoint->extension_len == 0 ||
		sscanf(checkpoint->extension, RING_LINE INT64_FORMAT "\n", &generation) != 1)
		return 0;
	return generation;
}
