/*-------------------------------------------------------------------------
 * crypto.h
 *		Envelope, AEAD, derivation, tokens, Merkle tree, signed notes: the door
 *		of the crypto room.
 *
 * Floor 0.  Pure C on libsodium: no palloc, no ereport, no globals, and no
 * postgres.h, so that the unit tests run it without a server.  Every function
 * here that can fail returns false and leaves no plaintext behind; the others
 * cannot fail.  Callers wipe what they were given, and have called
 * sodium_init().  A call that breaks a contract so that a value would be lost
 * or memory overwritten ends in sodium_misuse(), which aborts.
 *
 * An envelope (suite 1), all integers big-endian:
 *
 *		0			suite (ENVELOPE_SUITE)
 *		1			flags (ENVELOPE_HAS_TOKEN | _HAS_SUBJECT | _TOKEN_ONLY)
 *		2 .. 3		key version
 *		4 .. 7		key id, 31 bits
 *		8			type of the value (see types.h)
 *		[8 + 8]		subject, context		when ENVELOPE_HAS_SUBJECT
 *		[16]		token					when ENVELOPE_HAS_TOKEN
 *		24			nonce: 16-byte prefix, 8-byte counter
 *		n			ciphertext of the padded payload, n >= 1
 *		16			tag
 *
 * All bytes before the nonce are associated data.  A token-only envelope, the
 * right-hand side of a comparison, ends after its token.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_CRYPTO_H
#define PGSEAL_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#define SECRET_BYTES			32	/* roots, versions, data keys, search keys */
#define TOKEN_BYTES				16
#define KEY_NAME_MAX_BYTES		63
#define NONCE_PREFIX_BYTES		16
#define NONCE_BYTES				24
#define TAG_BYTES				16
#define MAC_BYTES				32
#define WRAPPED_BYTES			(NONCE_BYTES + SECRET_BYTES + TAG_BYTES)

#define ENVELOPE_SUITE			1
#define ENVELOPE_HAS_TOKEN		0x01
#define ENVELOPE_HAS_SUBJECT	0x02
#define ENVELOPE_TOKEN_ONLY		0x04
#define ENVELOPE_HEAD_BYTES		9
#define ENVELOPE_SUBJECT_BYTES	8
#define ENVELOPE_CONTEXT_BYTES	8

/* Text form: this prefix, then unpadded base64url of the envelope. */
#define ENVELOPE_TEXT_PREFIX		"seal1:"
#define ENVELOPE_TEXT_PREFIX_LEN	6

/* Wire (binary) form: these 8 bytes, then the envelope.  0xFF starts no UTF-8 text. */
#define ENVELOPE_WIRE_MAGIC			"\377seal1\r\n"
#define ENVELOPE_WIRE_MAGIC_LEN		8

/* The Merkle tree of the log: as many leaves as a bigint can count. */
#define MERKLE_HASH_BYTES		32
#define MERKLE_LEVELS			64
#define MERKLE_SIZE_MAX			((uint64_t) INT64_MAX)
#define MERKLE_PROOF_MAX		MERKLE_LEVELS	/* hashes; no proof has more */

/* Signed notes (https://c2sp.org/signed-note), and the checkpoints that are such notes. */
#define NOTE_NAME_MAX_BYTES		255
#define NOTE_KEY_ID_BYTES		4
#define NOTE_KEY_TEXT_MAX_BYTES	(NOTE_NAME_MAX_BYTES + 55)	/* with its NUL */
#define NOTE_PUBLIC_BYTES		crypto_sign_PUBLICKEYBYTES
#define NOTE_MAX_BYTES			1048576		/* of a note that is read */
#define NOTE_SIGNATURES_MAX		100
#define CHECKPOINT_EXTENSION_MAX_BYTES	1024
#define CHECKPOINT_NOTE_MAX_BYTES	(2 * NOTE_NAME_MAX_BYTES + CHECKPOINT_EXTENSION_MAX_BYTES + 166)

/* An envelope taken apart; the pointers point into the parsed bytes. */
typedef struct Envelope
{
	uint8_t		flags;
	uint16_t	key_version;
	uint32_t	key_id;			/* 31 bits */
	uint8_t		type;
	uint64_t	subject;		/* 0 without ENVELOPE_HAS_SUBJECT */
	unsigned char context[ENVELOPE_CONTEXT_BYTES];	/* zero without it */
	const unsigned char *token; /* TOKEN_BYTES, or NULL */
	const unsigned char *nonce; /* NONCE_BYTES; NULL when token-only */
	const unsigned char *ciphertext;	/* padded payload, or NULL */
	size_t		ciphertext_len;
	const unsigned char *tag;	/* TAG_BYTES; NULL when token-only */
	const unsigned char *bound; /* associated data: first byte of the envelope */
	size_t		bound_len;
} Envelope;

/* What the wire form of a received value turned out to be. */
typedef enum WireForm
{
	WIRE_PLAIN,					/* not an envelope */
	WIRE_ENVELOPE,				/* magic, then bytes to parse */
	WIRE_MALFORMED				/* the magic cut short or with one bit flipped */
} WireForm;

/* HChaCha20(key, prefix): with it every nonce of that prefix costs one ChaCha20-Poly1305. */
typedef struct AeadSubkey
{
	unsigned char prefix[NONCE_PREFIX_BYTES];
	unsigned char bytes[SECRET_BYTES];
} AeadSubkey;

/* HMAC-SHA-256 with the key already absorbed. */
typedef struct HmacKey
{
	crypto_hash_sha256_state inner;
	crypto_hash_sha256_state outer;
} HmacKey;

/* One hash of the tree. */
typedef struct MerkleHash
{
	unsigned char bytes[MERKLE_HASH_BYTES];
} MerkleHash;

/* A complete subtree: 2^level leaves, the first of them leaf index * 2^level. */
typedef struct MerkleNode
{
	uint8_t		level;			/* 0 is a leaf */
	uint64_t	index;			/* from the left, among those of its level */
	MerkleHash	hash;
} MerkleNode;

/* The complete subtrees that make up a tree: one for each bit of its size. */
typedef struct MerkleFrontier
{
	uint64_t	size;			/* leaves */
	MerkleHash	hashes[MERKLE_LEVELS];	/* by level; counts where size has that bit */
} MerkleFrontier;

/* Where the hashes of complete subtrees lie; false when it does not have that one. */
typedef bool (*MerkleFetch) (MerkleHash *hash, uint8_t level, uint64_t index, void *context);

typedef struct MerkleStore
{
	MerkleFetch fetch;
	void	   *context;		/* handed to fetch */
} MerkleStore;

/* Whose notes are trusted: a name and a public key. */
typedef struct NoteKey
{
	char		name[NOTE_NAME_MAX_BYTES + 1];
	unsigned char id[NOTE_KEY_ID_BYTES];	/* follows from the other two */
	unsigned char public_key[NOTE_PUBLIC_BYTES];
} NoteKey;

/* What a log says of itself; its origin is the name of the key that signs. */
typedef struct Checkpoint
{
	uint64_t	size;			/* leaves */
	MerkleHash	root;
	const char *extension;		/* lines, each with its newline; needs no NUL */
	size_t		extension_len;	/* 0 without such lines */
} Checkpoint;

/* Big-endian integers.  No alignment is assumed; neither can fail. */

/* bytes_get_be: the integer in len bytes, len <= 8. */
static inline uint64_t
bytes_get_be(const unsigned char *bytes, size_t len)
{
	uint64_t	value = 0;
	size_t		i;

	for (i = 0; i < len; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* bytes_put_be: the low len bytes of value, len <= 8. */
static inline void
bytes_put_be(unsigned char *bytes, size_t len, uint64_t value)
{
	while (len > 0)
	{
		bytes[--len] = (unsigned char) value;
		value >>= 8;
	}
}

/* envelope.c */
extern bool envelope_parse(Envelope *envelope, const unsigned char *bytes, size_t len);
extern size_t envelope_head_len(uint8_t flags);
extern size_t envelope_len(uint8_t flags, size_t padded_len);
extern void envelope_write_head(unsigned char *bytes, const Envelope *envelope);
extern size_t envelope_text_len(size_t len);	/* without its NUL */
extern void envelope_to_text(char *text, size_t text_size, const unsigned char *bytes, size_t len);
extern bool envelope_from_text(unsigned char *bytes, size_t bytes_size, size_t *len,
							   const char *text, size_t text_len);
extern WireForm envelope_wire_form(const unsigned char *bytes, size_t len);
extern size_t payload_padded_len(size_t len, size_t pad);
extern void payload_pad(unsigned char *payload, size_t len, size_t padded_len);
extern bool payload_unpad(size_t *len, const unsigned char *payload, size_t padded_len);

/* aead.c */
extern void aead_subkey(AeadSubkey *subkey, const unsigned char prefix[NONCE_PREFIX_BYTES],
						const unsigned char key[SECRET_BYTES]);
extern void aead_seal(unsigned char *ciphertext, unsigned char tag[TAG_BYTES],
					  const unsigned char *padded, size_t len,
					  const unsigned char *bound, size_t bound_len,
					  const unsigned char nonce[NONCE_BYTES], const AeadSubkey *subkey);
extern bool aead_open(unsigned char *padded,
					  const unsigned char *ciphertext, size_t len,
					  const unsigned char tag[TAG_BYTES],
					  const unsigned char *bound, size_t bound_len,
					  const unsigned char nonce[NONCE_BYTES], const AeadSubkey *subkey)
			__attribute__((warn_unused_result));
extern void secret_wrap(unsigned char wrapped[WRAPPED_BYTES], const unsigned char secret[SECRET_BYTES],
						const unsigned char *bound, size_t bound_len,
						const unsigned char key[SECRET_BYTES]);
extern bool secret_unwrap(unsigned char secret[SECRET_BYTES], const unsigned char wrapped[WRAPPED_BYTES],
						  const unsigned char *bound, size_t bound_len,
						  const unsigned char key[SECRET_BYTES])
			__attribute__((warn_unused_result));

/* derive.c */
extern void hmac_key(HmacKey *hmac, const unsigned char *key, size_t key_len);
extern void hmac_mac(unsigned char mac[MAC_BYTES], const unsigned char *bytes, size_t len,
					 const HmacKey *hmac);
extern void derive_secret(unsigned char out[SECRET_BYTES], const char *label,
						  const unsigned char *context, size_t context_len,
						  const unsigned char key[SECRET_BYTES]);
extern void derive_subject(unsigned char out[SECRET_BYTES], const unsigned char secret[SECRET_BYTES],
						   const HmacKey *hmac);
extern void place_context(unsigned char context[ENVELOPE_CONTEXT_BYTES],
						  const unsigned char *place, size_t len,
						  const unsigned char key[SECRET_BYTES]);
extern void token_make(unsigned char token[TOKEN_BYTES], uint8_t type,
					   const unsigned char *canonical, size_t len, const HmacKey *hmac);
extern bool key_name_fits(const char *name);
extern uint32_t key_id_of(const char *name);
extern bool root_parse(unsigned char root[SECRET_BYTES], const char *line, size_t len);
extern void root_fingerprint(char text[17], const unsigned char root[SECRET_BYTES]);

/* merkle.c */
extern void merkle_leaf(MerkleHash *hash, const unsigned char *data, size_t len);
extern void merkle_node(MerkleHash *hash, const MerkleHash *left, const MerkleHash *right);
extern void merkle_start(MerkleFrontier *frontier);
extern bool merkle_resume(MerkleFrontier *frontier, uint64_t size, const MerkleStore *store)
			__attribute__((warn_unused_result));
extern bool merkle_append(MerkleNode finished[MERKLE_LEVELS], size_t *finished_count,
						  MerkleFrontier *frontier, const MerkleHash *leaf)
			__attribute__((warn_unused_result));
extern void merkle_root(MerkleHash *root, const MerkleFrontier *frontier);
extern bool merkle_root_at(MerkleHash *root, uint64_t size, const MerkleStore *store)
			__attribute__((warn_unused_result));
extern bool merkle_prove_inclusion(MerkleHash proof[MERKLE_PROOF_MAX], size_t *proof_count,
								   uint64_t leaf_index, uint64_t size, const MerkleStore *store)
			__attribute__((warn_unused_result));
extern bool merkle_prove_consistency(MerkleHash proof[MERKLE_PROOF_MAX], size_t *proof_count,
									 uint64_t old_size, uint64_t size, const MerkleStore *store)
			__attribute__((warn_unused_result));
extern bool merkle_verify_inclusion(const MerkleHash *leaf, uint64_t leaf_index,
									const MerkleHash *root, uint64_t size,
									const MerkleHash *proof, size_t proof_count)
			__attribute__((warn_unused_result));
extern bool merkle_verify_consistency(const MerkleHash *old_root, uint64_t old_size,
									  const MerkleHash *root, uint64_t size,
									  const MerkleHash *proof, size_t proof_count)
			__attribute__((warn_unused_result));

/* note.c */
extern bool note_key_make(NoteKey *key, const char *name, const unsigned char secret[SECRET_BYTES])
			__attribute__((warn_unused_result));
extern void note_key_to_text(char text[NOTE_KEY_TEXT_MAX_BYTES], const NoteKey *key);
extern bool note_key_from_text(NoteKey *key, const char *text, size_t text_len)
			__attribute__((warn_unused_result));
extern bool note_sign(char *note, size_t note_size, size_t *note_len,
					  const char *text, size_t text_len,
					  const char *name, const unsigned char secret[SECRET_BYTES])
			__attribute__((warn_unused_result));
extern bool note_verify(size_t *text_len, const char *note, size_t note_len, const NoteKey *key)
			__attribute__((warn_unused_result));

/* checkpoint.c */
extern bool checkpoint_sign(char *note, size_t note_size, size_t *note_len,
							const Checkpoint *checkpoint,
							const char *name, const unsigned char secret[SECRET_BYTES])
			__attribute__((warn_unused_result));
extern bool checkpoint_verify(Checkpoint *checkpoint, const char *note, size_t note_len,
							  const NoteKey *key)
			__attribute__((warn_unused_result));

#endif							/* PGSEAL_CRYPTO_H */
