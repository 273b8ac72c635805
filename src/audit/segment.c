/*-------------------------------------------------------------------------
 * segment.c
 *		The form of a segment file, and reading one.
 *
 * Floor 2.  All integers are big-endian.
 *
 *		0			"pgsealA1"
 *		8			database(4) start(16) number(4): the identity
 *		32			begin of this start(8), begin of this segment(8), zero(12)
 *		60			CRC-32C of the 60 bytes before
 *		64			records
 *
 * A record:
 *
 *		0			length of the body
 *		4			CRC-32C of the length and of all after this field
 *		8			serial number(8), of no other record of this start
 *		16			version of key audit that the MAC is under, 0 for none; zero(2)
 *		20			MAC(16): keyed BLAKE2b of database | start | serial | key version(2) | body
 *		36			body, as record.c has it
 *
 * After a failed fsync records are written once more to another segment, as they
 * are: the MAC is bound to the serial number and not to a place, and who finds a
 * serial number twice has found one record.
 *
 * Files are allocated ahead: behind the last record stand zeros.  Reading ends
 * at the first record that does not fit.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/pg_crc32c.h"
#include "storage/fd.h"

#define SEGMENT_MAGIC		"pgsealA1"
#define MAGIC_BYTES			8
#define HEAD_CRC_AT			60
#define MAC_LABEL			"audit segments"
#define MAC_BOUND_BYTES		(4 + AUDIT_START_BYTES + 8 + 2)

/* head_crc: of a segment's head. */
static uint32
head_crc(const unsigned char *head)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, head, HEAD_CRC_AT);
	FIN_CRC32C(crc);
	return crc;
}

/* frame_crc: of a record, over everything but the field that holds it. */
static uint32
frame_crc(const unsigned char *head, const char *body, uint32 body_len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, head, 4);
	COMP_CRC32C(crc, head + 8, FRAME_HEAD_BYTES - 8);
	COMP_CRC32C(crc, body, body_len);
	FIN_CRC32C(crc);
	return crc;
}

/*
 * frame_mac
 *		A record can be neither altered, nor brought to another start or database.
 *
 * Source: RFC 7693 section 2.9, keyed hashing.
 */
static void
frame_mac(unsigned char mac[FRAME_MAC_BYTES], const AuditSegmentId *id, uint64 serial,
		  const char *body, uint32 body_len, const AuditMacKey *mac_key)
{
	unsigned char bytes[MAC_BOUND_BYTES + AUDIT_BODY_MAX];

	bytes_put_be(bytes, 4, id->database);
	memcpy(bytes + 4, id->start, AUDIT_START_BYTES);
	bytes_put_be(bytes + 4 + AUDIT_START_BYTES, 8, serial);
	bytes_put_be(bytes + 12 + AUDIT_START_BYTES, 2, mac_key->version);
	memcpy(bytes + MAC_BOUND_BYTES, body, body_len);
	crypto_generichash(mac, FRAME_MAC_BYTES, bytes, MAC_BOUND_BYTES + body_len,
					   mac_key->secret, sizeof(mac_key->secret));
}

/* ----------
 * Writing
 * ----------
 */

/* segment_write_head: the first bytes of a new segment. */
void
segment_write_head(unsigned char head[AUDIT_SEGMENT_FIRST], const AuditSegmentId *id,
				   TimestampTz started_at, TimestampTz created_at)
{
	memset(head, 0, AUDIT_SEGMENT_FIRST);
	memcpy(head, SEGMENT_MAGIC, MAGIC_BYTES);
	bytes_put_be(head + 8, 4, id->database);
	memcpy(head + 12, id->start, AUDIT_START_BYTES);
	bytes_put_be(head + 12 + AUDIT_START_BYTES, 4, id->number);
	bytes_put_be(head + 32, 8, started_at);
	bytes_put_be(head + 40, 8, created_at);
	bytes_put_be(head + HEAD_CRC_AT, 4, head_crc(head));
}

/* segment_write_frame: what stands before a body of at most AUDIT_BODY_MAX bytes. */
void
segment_write_frame(unsigned char head[FRAME_HEAD_BYTES], const AuditSegmentId *id, uint64 serial,
					const char *body, uint32 body_len, const AuditMacKey *mac_key)
{
	memset(head, 0, FRAME_HEAD_BYTES);
	bytes_put_be(head, 4, body_len);
	bytes_put_be(head + 8, 8, serial);
	bytes_put_be(head + 16, 2, mac_key->version);
	if (mac_key->version != 0)
		frame_mac(head + 20, id, serial, body, body_len, mac_key);
	bytes_put_be(head + 4, 4, frame_crc(head, body, body_len));
}

/* segment_mac_key: key for MACs of this version of key audit, 0 the active one; SEAL_OK or why there is none. */
SealError
segment_mac_key(AuditMacKey *mac_key, uint16 version)
{
	SealKey    *key;
	SealError	error = secrets_lend(&key, key_id_of(KEY_AUDIT), version);

	mac_key->version = 0;
	if (error != SEAL_OK)
		return error;
	sealkey_secret(mac_key->secret, key, MAC_LABEL, "");
	mac_key->version = sealkey_version(key);
	return SEAL_OK;
}

/* ----------
 * Names
 * ----------
 */

/* audit_segment_name: of the file, below the folder of its database. */
void
audit_segment_name(char *name, size_t name_size, const AuditSegmentId *id)
{
	char		start[2 * AUDIT_START_BYTES + 1];

	sodium_bin2hex(start, sizeof(start), id->start, AUDIT_START_BYTES);
	snprintf(name, name_size, "%s.%08x", start, id->number);
}

/* audit_segment_of_name: false for a name that no segment has. */
bool
audit_segment_of_name(AuditSegmentId *id, Oid database, const char *file_name)
{
	char		again[SEGMENT_NAME_LEN + 1];
	size_t		len;

	id->database = database;
	if (strlen(file_name) != SEGMENT_NAME_LEN ||
		sodium_hex2bin(id->start, AUDIT_START_BYTES, file_name, 2 * AUDIT_START_BYTES,
					   NULL, &len, NULL) != 0 || len != AUDIT_START_BYTES)
		return false;
	id->number = (uint32) strtoul(file_name + 2 * AUDIT_START_BYTES + 1, NULL, 16);
	audit_segment_name(again, sizeof(again), id);
	return strcmp(again, file_name) == 0;
}

/* ----------
 * Reading
 * ----------
 */

/* read_fully: len bytes from a place of a file, fewer at its end; raises what cannot be read. */
static size_t
read_fully(int fd, const char *path, void *bytes, size_t len, off_t from)
{
	size_t		got = 0;

	while (got < len)
	{
		ssize_t		now = pread(fd, (char *) bytes + got, len - got, from + got);

		if (now < 0 && errno == EINTR)
			continue;
		if (now < 0)
			ereport(ERROR, (errcode_for_file_access(),
							errmsg("could not read file \"%s\": %m", path)));
		if (now == 0)
			break;
		got += now;
	}
	return got;
}

/* read_head: false for a file that begins like no segment. */
static bool
read_head(AuditSegment *segment, int fd, const char *path)
{
	unsigned char head[AUDIT_SEGMENT_FIRST];

	if (read_fully(fd, path, head, sizeof(head), 0) != sizeof(head) ||
		memcmp(head, SEGMENT_MAGIC, MAGIC_BYTES) != 0 ||
		(uint32) bytes_get_be(head + HEAD_CRC_AT, 4) != head_crc(head))
		return false;
	segment->id.database = (uint32) bytes_get_be(head + 8, 4);
	memcpy(segment->id.start, head + 12, AUDIT_START_BYTES);
	segment->id.number = (uint32) bytes_get_be(head + 12 + AUDIT_START_BYTES, 4);
	segment->started_at = (TimestampTz) bytes_get_be(head + 32, 8);
	return true;
}

/* read_rest: the records from a position on. */
static void
read_rest(AuditSegment *segment, int fd, const char *path, uint32 from, uint32 limit)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not stat file \"%s\": %m", path)));
	segment->loaded_from = Max(from, AUDIT_SEGMENT_FIRST);
	segment->size = (uint32) Min(st.st_size, SEGMENT_BYTES);
	if (limit != 0)
		segment->size = Min(segment->size, limit);
	segment->size = Max(segment->size, segment->loaded_from);
	segment->bytes = palloc(segment->size - segment->loaded_from + 1);
	segment->size = segment->loaded_from +
		(uint32) read_fully(fd, path, segment->bytes, segment->size - segment->loaded_from,
							segment->loaded_from);
}

/*
 * audit_segment_load
 *		Read a segment's records from a position on.
 *
 *	segment		out: its bytes are the caller's to pfree
 *	from		a position that audit_segment_read() gave as next, or 0
 *	limit		where to stop, or 0; for a segment that is being written, what
 *				audit_segment_limit() says
 *
 * False when there is no such file, or it is no segment.  Raises when it
 * cannot be read.
 */
bool
audit_segment_load(AuditSegment *segment, const char *path, uint32 from, uint32 limit)
{
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	bool		fits;

	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not open file \"%s\": %m", path)));
	fits = read_head(segment, fd, path);
	if (fits)
		read_rest(segment, fd, path, from, limit);
	CloseTransientFile(fd);
	return fits;
}

/*
 * audit_segment_read
 *		The record at a position; false at the end, and at what is no record.
 */
bool
audit_segment_read(AuditFrame *frame, const AuditSegment *segment, uint32 position)
{
	const unsigned char *head = (unsigned char *) segment->bytes + (position - segment->loaded_from);

	Assert(position >= segment->loaded_from);
	if (position + FRAME_HEAD_BYTES > segment->size)
		return false;
	frame->position = position;
	frame->body_len = (uint32) bytes_get_be(head, 4);
	frame->body = (const char *) head + FRAME_HEAD_BYTES;
	frame->serial = bytes_get_be(head + 8, 8);
	frame->key_version = (uint16) bytes_get_be(head + 16, 2);
	frame->mac = head + 20;
	if (frame->body_len == 0 || frame->body_len > AUDIT_BODY_MAX || head[18] != 0 || head[19] != 0 ||
		frame->body_len > segment->size - position - FRAME_HEAD_BYTES)
		return false;
	frame->next = position + FRAME_HEAD_BYTES + frame->body_len;
	return (uint32) bytes_get_be(head + 4, 4) == frame_crc(head, frame->body, frame->body_len);
}

/*
 * reading_key
 *		The key of a version, kept for the next record; SEAL_OK or why there is none.
 *
 * In locked memory; wiped when another is asked for or the ring changed.
 */
static SealError
reading_key(const AuditMacKey **key, uint16 version)
{
	static AuditMacKey *kept = NULL;
	static uint16 kept_version = 0;
	static uint64 kept_stamp;
	static SealError kept_error;
	uint64		stamp = ring_stamp();

	if (kept == NULL)
		kept = sodium_malloc(sizeof(AuditMacKey));
	if (kept == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for keys")));
	*key = kept;
	if (kept_version == version && kept_stamp == stamp && kept_error == SEAL_OK)
		return SEAL_OK;
	sodium_memzero(kept, sizeof(AuditMacKey));
	kept_version = version;
	kept_stamp = stamp;
	kept_error = SEAL_E_UNKNOWN_KEY;	/* should the next line raise */
	kept_error = segment_mac_key(kept, version);
	return kept_error;
}

/*
 * audit_segment_mac
 *		Did pgseal write this record, with the ring's key audit?
 */
AuditMac
audit_segment_mac(const AuditSegment *segment, const AuditFrame *frame)
{
	const AuditMacKey *key;
	unsigned char mac[FRAME_MAC_BYTES];
	SealError	error;

	if (frame->key_version == 0)
		return AUDIT_MAC_NONE;
	error = reading_key(&key, frame->key_version);
	if (error != SEAL_OK)
		return error == SEAL_E_UNKNOWN_VERSION ? AUDIT_MAC_INVALID : AUDIT_MAC_UNKNOWN;
	frame_mac(mac, &segment->id, frame->serial, frame->body, frame->body_len, key);
	return sodium_memcmp(mac, frame->mac, FRAME_MAC_BYTES) == 0 ? AUDIT_MAC_VALID : AUDIT_MAC_INVALID;
}
