/*-------------------------------------------------------------------------
 * note.c
 *		Signed notes: a text, a blank line, and lines with signatures of it.
 *
 * Floor 0.  The form is that of https://c2sp.org/signed-note, with Ed25519, so
 * that others' tools verify our notes, and witnesses may add their lines to
 * them.  A note proves who signed its text and nothing else: neither when, nor
 * that there is no newer one.
 *
 *		text, one line or more, each with its newline
 *		<empty line>
 *		EM DASH, space, name, space, base64(key id || signature), newline
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "crypto/crypto.h"

#include <string.h>

#include "crypto/bytes.h"

#define TYPE_ED25519		0x01
#define DASH				"\342\200\224 "
#define DASH_LEN			4
#define BASE64_VARIANT		sodium_base64_VARIANT_ORIGINAL

/* Encoded sizes: base64 without its NUL, hexadecimal without its NUL. */
#define TYPED_KEY_BYTES		(1 + NOTE_PUBLIC_BYTES)
#define TYPED_KEY_LEN		44
#define ID_LEN				(2 * NOTE_KEY_ID_BYTES)
#define SIGNED_BYTES		(NOTE_KEY_ID_BYTES + crypto_sign_BYTES)
#define SIGNED_LEN			92

/* Signatures of other kinds are not looked at, but read: those of ML-DSA have nearly 5 kB. */
#define SIGNED_MAX_BYTES	8192

/* A signature line taken apart. */
typedef struct SignatureLine
{
	const char *name;			/* needs no NUL */
	size_t		name_len;
	unsigned char bytes[SIGNED_MAX_BYTES];	/* key id, then the signature */
	size_t		len;
} SignatureLine;

_Static_assert(sizeof(DASH) - 1 == DASH_LEN, "em dash and space");
_Static_assert(SECRET_BYTES == crypto_sign_SEEDBYTES, "seed");
_Static_assert(sodium_base64_ENCODED_LEN(TYPED_KEY_BYTES, BASE64_VARIANT) == TYPED_KEY_LEN + 1, "key");
_Static_assert(sodium_base64_ENCODED_LEN(SIGNED_BYTES, BASE64_VARIANT) == SIGNED_LEN + 1, "signature");
_Static_assert(NOTE_KEY_TEXT_MAX_BYTES == NOTE_NAME_MAX_BYTES + 1 + ID_LEN + 1 + TYPED_KEY_LEN + 1,
			   "text of a key");

/*
 * next_character
 *		Decode the UTF-8 character that text, not empty, begins with.
 *
 * Returns its length; 0 for anything that is no character in its shortest form.
 * Source: RFC 3629 section 3.
 */
static size_t
next_character(uint32_t *character, const char *text, size_t text_len)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *) text;
	uint32_t	value = bytes[0];
	size_t		len = value < 0x80 ? 1 : value < 0xe0 ? 2 : value < 0xf0 ? 3 : 4;
	size_t		i;

	if ((value >= 0x80 && value < 0xc0) || value >= 0xf8 || text_len < len)
		return 0;
	if (len > 1)
		value &= 0x7fU >> len;
	for (i = 1; i < len; i++)
	{
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < smallest[len] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*character = value;
	return len;
}

/* text_is_sound: UTF-8 without control characters but newline, and ends in one. */
static bool
text_is_sound(const char *text, size_t text_len)
{
	uint32_t	character;
	size_t		at;
	size_t		len;

	if (text_len == 0 || text[text_len - 1] != '\n')
		return false;
	for (at = 0; at < text_len; at += len)
	{
		len = next_character(&character, text + at, text_len - at);
		if (len == 0 || (character < 0x20 && character != '\n'))
			return false;
	}
	return true;
}

/* is_space: the characters beyond ASCII that have the property White_Space. */
static bool
is_space(uint32_t character)
{
	return character == 0x85 || character == 0xa0 || character == 0x1680 ||
		(character >= 0x2000 && character <= 0x200a) ||
		character == 0x2028 || character == 0x2029 || character == 0x202f ||
		character == 0x205f || character == 0x3000;
}

/* name_is_sound: not empty, UTF-8, without control character, space or plus. */
static bool
name_is_sound(const char *name, size_t name_len)
{
	uint32_t	character;
	size_t		at;
	size_t		len;

	for (at = 0; at < name_len; at += len)
	{
		len = next_character(&character, name + at, name_len - at);
		if (len == 0 || character <= ' ' || character == '+' || is_space(character))
			return false;
	}
	return name_len > 0;
}

/* set_id: four bytes that tell keys of one name apart; no protection in themselves. */
static void
set_id(NoteKey *key)
{
	const unsigned char between[] = {'\n', TYPE_ED25519};
	crypto_hash_sha256_state state;
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const unsigned char *) key->name, strlen(key->name));
	crypto_hash_sha256_update(&state, between, sizeof(between));
	crypto_hash_sha256_update(&state, key->public_key, NOTE_PUBLIC_BYTES);
	crypto_hash_sha256_final(&state, hash);
	memcpy(key->id, hash, NOTE_KEY_ID_BYTES);
}

/* set_name: false, with key all zero, when no key may be called that. */
static bool
set_name(NoteKey *key, const char *name, size_t name_len)
{
	memset(key, 0, sizeof(*key));
	if (name_len > NOTE_NAME_MAX_BYTES || !name_is_sound(name, name_len))
		return false;
	memcpy(key->name, name, name_len);
	return true;
}

/* make_pair: the public key, and what signs, which the caller wipes. */
static bool
make_pair(NoteKey *key, unsigned char signing[crypto_sign_SECRETKEYBYTES],
		  const char *name, const unsigned char secret[SECRET_BYTES])
{
	if (!set_name(key, name, strlen(name)))
		return false;
	crypto_sign_seed_keypair(key->public_key, signing, secret);
	set_id(key);
	return true;
}

/*
 * note_key_make
 *		The public key of whoever signs with this name and secret.
 *
 *	name		best a URL without its scheme, such as example.org/log
 *	secret		an Ed25519 seed: derive it for this use alone
 *
 * Returns false, with *key all zero, when the name is empty, too long, no UTF-8,
 * or has a control character, a space or a plus in it.
 * Source: https://c2sp.org/signed-note; RFC 8032 section 5.1.5.
 */
bool
note_key_make(NoteKey *key, const char *name, const unsigned char secret[SECRET_BYTES])
{
	unsigned char signing[crypto_sign_SECRETKEYBYTES];
	bool		made = make_pair(key, signing, name, secret);

	sodium_memzero(signing, sizeof(signing));
	return made;
}

/*
 * note_key_to_text
 *		Write a verifier key, name+id+key, and a NUL.  Cannot fail.
 *
 * Source: https://c2sp.org/signed-note, "Verifier keys".
 */
void
note_key_to_text(char text[NOTE_KEY_TEXT_MAX_BYTES], const NoteKey *key)
{
	size_t		name_len = strlen(key->name);
	unsigned char typed[TYPED_KEY_BYTES];
	char	   *id = text + name_len + 1;
	char	   *encoded = id + ID_LEN + 1;

	typed[0] = TYPE_ED25519;
	memcpy(typed + 1, key->public_key, NOTE_PUBLIC_BYTES);
	memcpy(text, key->name, name_len);
	id[-1] = '+';
	sodium_bin2hex(id, ID_LEN + 1, key->id, NOTE_KEY_ID_BYTES);
	encoded[-1] = '+';
	sodium_bin2base64(encoded, TYPED_KEY_LEN + 1, typed, sizeof(typed), BASE64_VARIANT);
}

/* read_key: the name before the first plus and the key at the end of a text. */
static bool
read_key(NoteKey *key, const char *text, size_t text_len)
{
	const char *plus = memchr(text, '+', text_len);
	unsigned char typed[TYPED_KEY_BYTES];
	size_t		typed_len;

	if (plus == NULL || text_len - (size_t) (plus - text) != 1 + ID_LEN + 1 + TYPED_KEY_LEN)
		return false;
	if (!bytes_from_base64(typed, sizeof(typed), &typed_len, text + text_len - TYPED_KEY_LEN,
						   TYPED_KEY_LEN, BASE64_VARIANT))
		return false;
	if (typed_len != sizeof(typed) || typed[0] != TYPE_ED25519)
		return false;
	if (!set_name(key, text, (size_t) (plus - text)))
		return false;
	memcpy(key->public_key, typed + 1, NOTE_PUBLIC_BYTES);
	set_id(key);
	return true;
}

/*
 * note_key_from_text
 *		Read a verifier key; text needs no NUL.
 *
 * Returns false, with *key all zero, unless text is the one text of an Ed25519
 * key: what was read is written again and compared, which checks the id too.
 * Source: https://c2sp.org/signed-note, "Verifier keys".
 */
bool
note_key_from_text(NoteKey *key, const char *text, size_t text_len)
{
	char		again[NOTE_KEY_TEXT_MAX_BYTES];

	memset(key, 0, sizeof(*key));
	if (!read_key(key, text, text_len))
		return false;
	note_key_to_text(again, key);
	if (strlen(again) == text_len && memcmp(again, text, text_len) == 0)
		return true;
	memset(key, 0, sizeof(*key));
	return false;
}

/* write_signature: a blank line, the line with the signature, and a NUL. */
static void
write_signature(char *next, const NoteKey *key, const unsigned char signature[crypto_sign_BYTES])
{
	size_t		name_len = strlen(key->name);
	unsigned char bytes[SIGNED_BYTES];

	memcpy(bytes, key->id, NOTE_KEY_ID_BYTES);
	memcpy(bytes + NOTE_KEY_ID_BYTES, signature, crypto_sign_BYTES);
	*next++ = '\n';
	memcpy(next, DASH, DASH_LEN);
	next += DASH_LEN;
	memcpy(next, key->name, name_len);
	next += name_len;
	*next++ = ' ';
	sodium_bin2base64(next, SIGNED_LEN + 1, bytes, sizeof(bytes), BASE64_VARIANT);
	memcpy(next + SIGNED_LEN, "\n", 2);
}

/*
 * note_sign
 *		Write a note: the text, and one signature of it.
 *
 *	note		out: note_size bytes, a NUL behind the note
 *	note_len	out: without the NUL; 0 on failure
 *	text		may be note itself; ends in a newline
 *
 * Returns false when the note does not fit, or would be longer than a reader
 * takes; when the text is no UTF-8, has a control character other than newline,
 * or no newline at its end; when the name will not do, see note_key_make().
 * Source: https://c2sp.org/signed-note; RFC 8032 section 5.1.6.
 */
bool
note_sign(char *note, size_t note_size, size_t *note_len,
		  const char *text, size_t text_len,
		  const char *name, const unsigned char secret[SECRET_BYTES])
{
	size_t		len = 1 + DASH_LEN + strlen(name) + 1 + SIGNED_LEN + 1;
	NoteKey		key;
	unsigned char signing[crypto_sign_SECRETKEYBYTES];
	unsigned char signature[crypto_sign_BYTES];

	*note_len = 0;
	if (text_len > NOTE_MAX_BYTES || len > NOTE_MAX_BYTES - text_len || text_len + len >= note_size)
		return false;
	if (!text_is_sound(text, text_len) || !make_pair(&key, signing, name, secret))
		return false;
	crypto_sign_detached(signature, NULL, (const unsigned char *) text, text_len, signing);
	sodium_memzero(signing, sizeof(signing));
	memmove(note, text, text_len);
	write_signature(note + text_len, &key, signature);
	*note_len = text_len + len;
	return true;
}

/* split_note: where the text ends: at the last empty line, with something behind it. */
static bool
split_note(size_t *text_len, const char *note, size_t note_len)
{
	size_t		at;

	for (at = note_len; at >= 2; at--)
		if (note[at - 1] == '\n' && note[at - 2] == '\n')
		{
			*text_len = at - 1;
			return at < note_len;
		}
	return false;
}

/* read_signature: one line, without its newline; false when it is none. */
static bool
read_signature(SignatureLine *signature, const char *line, size_t line_len)
{
	const char *encoded;

	if (line_len < DASH_LEN || memcmp(line, DASH, DASH_LEN) != 0)
		return false;
	signature->name = line + DASH_LEN;
	encoded = memchr(signature->name, ' ', line_len - DASH_LEN);
	if (encoded == NULL)
		return false;
	signature->name_len = (size_t) (encoded - signature->name);
	encoded++;
	return name_is_sound(signature->name, signature->name_len) &&
		bytes_from_base64(signature->bytes, sizeof(signature->bytes), &signature->len,
						  encoded, line_len - (size_t) (encoded - line), BASE64_VARIANT) &&
		signature->len > NOTE_KEY_ID_BYTES;
}

/* is_of_key: both name and id, as another key may have one of them. */
static bool
is_of_key(const SignatureLine *signature, const NoteKey *key)
{
	return signature->name_len == strlen(key->name) &&
		memcmp(signature->name, key->name, signature->name_len) == 0 &&
		memcmp(signature->bytes, key->id, NOTE_KEY_ID_BYTES) == 0;
}

/* signature_fits: whether it is one of these bytes under this key. */
static bool
signature_fits(const SignatureLine *signature, const char *text, size_t text_len, const NoteKey *key)
{
	return signature->len == SIGNED_BYTES &&
		crypto_sign_verify_detached(signature->bytes + NOTE_KEY_ID_BYTES,
									(const unsigned char *) text, text_len, key->public_key) == 0;
}

/* signed_by: whether the lines behind a text are signatures, one of key's, and all of key's fit. */
static bool
signed_by(const NoteKey *key, const char *text, size_t text_len, const char *lines, size_t lines_len)
{
	SignatureLine signature;
	const char *end = lines + lines_len;
	const char *newline;
	int			count;
	bool		found = false;

	for (count = 0; lines < end; count++)
	{
		newline = memchr(lines, '\n', (size_t) (end - lines));
		if (newline == NULL || count == NOTE_SIGNATURES_MAX)
			return false;
		if (!read_signature(&signature, lines, (size_t) (newline - lines)))
			return false;
		if (is_of_key(&signature, key))
		{
			if (!signature_fits(&signature, text, text_len, key))
				return false;
			found = true;
		}
		lines = newline + 1;
	}
	return found;
}

/*
 * note_verify
 *		Whether a note is signed by this key.
 *
 *	text_len	out: the text is the first so many bytes of note; 0 on failure
 *	note		needs no NUL
 *
 * Lines of other keys, of whatever kind, are skipped, but must be in form.
 * Returns false when anything is not in form, when a line of this key does not
 * fit, or when there is none.
 * Source: https://c2sp.org/signed-note; RFC 8032 section 5.1.7.
 */
bool
note_verify(size_t *text_len, const char *note, size_t note_len, const NoteKey *key)
{
	size_t		len;

	*text_len = 0;
	if (note_len > NOTE_MAX_BYTES || !text_is_sound(note, note_len) || !split_note(&len, note, note_len))
		return false;
	if (!signed_by(key, note, len, note + len + 1, note_len - len - 1))
		return false;
	*text_len = len;
	return true;
}
