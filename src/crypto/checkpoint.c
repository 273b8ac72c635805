/*-------------------------------------------------------------------------
 * checkpoint.c
 *		Checkpoints: size and root of the log, as a signed note.
 *
 * Floor 0.  The form is that of https://c2sp.org/tlog-checkpoint:
 *
 *		origin						the name of the log, and of the key that signs
 *		size						decimal
 *		root						base64
 *		extension lines				none or more, none of them empty
 *
 * and then what note.c puts behind a text.  Two checkpoints of one log that no
 * consistency proof joins show that it was rewritten; nothing here remembers
 * the older one.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "crypto/crypto.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypto/bytes.h"

#define SIZE_MAX_LEN		19	/* digits of MERKLE_SIZE_MAX */
#define ROOT_LEN			44
#define ROOT_VARIANT		sodium_base64_VARIANT_ORIGINAL

_Static_assert(sodium_base64_ENCODED_LEN(MERKLE_HASH_BYTES, ROOT_VARIANT) == ROOT_LEN + 1, "root");

/* The part of a text that was not read yet. */
typedef struct Rest
{
	const char *next;
	size_t		left;
} Rest;

/* extension_is_sound: lines that each have a newline, and none without anything else. */
static bool
extension_is_sound(const char *lines, size_t len)
{
	size_t		i;

	if (len == 0)
		return true;
	if (len > CHECKPOINT_EXTENSION_MAX_BYTES || lines[0] == '\n' || lines[len - 1] != '\n')
		return false;
	for (i = 1; i < len; i++)
		if (lines[i] == '\n' && lines[i - 1] == '\n')
			return false;
	return true;
}

/* write_text: origin, size, root and extension; false when they do not fit. */
static bool
write_text(char *text, size_t text_size, size_t *text_len, const Checkpoint *checkpoint, const char *name)
{
	char		root[ROOT_LEN + 1];
	int			len;

	sodium_bin2base64(root, sizeof(root), checkpoint->root.bytes, MERKLE_HASH_BYTES, ROOT_VARIANT);
	len = snprintf(text, text_size, "%s\n%" PRIu64 "\n%s\n", name, checkpoint->size, root);
	if (len < 0 || (size_t) len >= text_size || checkpoint->extension_len > text_size - (size_t) len)
		return false;
	if (checkpoint->extension_len > 0)
		memcpy(text + len, checkpoint->extension, checkpoint->extension_len);
	*text_len = (size_t) len + checkpoint->extension_len;
	return true;
}

/*
 * checkpoint_sign
 *		Write a checkpoint, signed by its log.
 *
 *	note		out: note_size bytes, of which CHECKPOINT_NOTE_MAX_BYTES are
 *				always enough; a NUL behind the note
 *	note_len	out: without the NUL; 0 on failure
 *	name		the origin of the log
 *	secret		see note_key_make()
 *
 * Returns false when the note does not fit, the size is none, an extension line
 * is empty, has no newline at its end or a control character in it, or when the
 * name will not do.  Never sign a checkpoint of a log that does not begin with
 * what the last one covered: nothing here can notice.
 * Source: https://c2sp.org/tlog-checkpoint.
 */
bool
checkpoint_sign(char *note, size_t note_size, size_t *note_len, const Checkpoint *checkpoint,
				const char *name, const unsigned char secret[SECRET_BYTES])
{
	size_t		text_len;

	*note_len = 0;
	return checkpoint->size <= MERKLE_SIZE_MAX &&
		extension_is_sound(checkpoint->extension, checkpoint->extension_len) &&
		write_text(note, note_size, &text_len, checkpoint, name) &&
		note_sign(note, note_size, note_len, note, text_len, name, secret);
}

/* take_line: the next line without its newline; false when there is none. */
static bool
take_line(const char **line, size_t *len, Rest *rest)
{
	const char *newline = memchr(rest->next, '\n', rest->left);

	if (newline == NULL)
		return false;
	*line = rest->next;
	*len = (size_t) (newline - rest->next);
	rest->next += *len + 1;
	rest->left -= *len + 1;
	return true;
}

/* read_origin: whether the next line is the name of the log. */
static bool
read_origin(const char *name, Rest *rest)
{
	const char *line;
	size_t		len;

	return take_line(&line, &len, rest) && len == strlen(name) && memcmp(line, name, len) == 0;
}

/* read_size: the next line as a number, in the one form that it has. */
static bool
read_size(uint64_t *size, Rest *rest)
{
	const char *line;
	size_t		len;
	size_t		i;

	if (!take_line(&line, &len, rest) || len == 0 || len > SIZE_MAX_LEN)
		return false;
	if (line[0] == '0' && len > 1)
		return false;
	*size = 0;
	for (i = 0; i < len; i++)
	{
		if (line[i] < '0' || line[i] > '9')
			return false;
		*size = 10 * *size + (uint64_t) (line[i] - '0');
	}
	return *size <= MERKLE_SIZE_MAX;
}

/* read_root: the next line as a hash. */
static bool
read_root(MerkleHash *root, Rest *rest)
{
	const char *line;
	size_t		len;
	size_t		root_len;

	return take_line(&line, &len, rest) &&
		bytes_from_base64(root->bytes, MERKLE_HASH_BYTES, &root_len, line, len, ROOT_VARIANT) &&
		root_len == MERKLE_HASH_BYTES;
}

/*
 * checkpoint_verify
 *		Read a checkpoint that this log signed.
 *
 *	checkpoint	out: its extension points into note, which must outlive it
 *	note		needs no NUL; with any lines that witnesses added
 *
 * Returns false, with *checkpoint all zero, when note_verify() does, when the
 * origin is not the key's name, and when size, root or extension are not in
 * their one form.
 * Source: https://c2sp.org/tlog-checkpoint.
 */
bool
checkpoint_verify(Checkpoint *checkpoint, const char *note, size_t note_len, const NoteKey *key)
{
	Rest		rest = {note, 0};

	memset(checkpoint, 0, sizeof(*checkpoint));
	if (note_verify(&rest.left, note, note_len, key) &&
		read_origin(key->name, &rest) &&
		read_size(&checkpoint->size, &rest) &&
		read_root(&checkpoint->root, &rest) &&
		extension_is_sound(rest.next, rest.left))
	{
		checkpoint->extension = rest.next;
		checkpoint->extension_len = rest.left;
		return true;
	}
	memset(checkpoint, 0, sizeof(*checkpoint));
	return false;
}
