/*-------------------------------------------------------------------------
 * audit.c
 *		Storing a record: who and when, bytes, MAC, segment.
 *
 * Floor 2.  Also the settings of the room.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"
#include "audit/worker.h"

#include "access/transam.h"
#include "access/xact.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define FRAMES_BYTES	(2 * FRAME_MAX)

int			audit_batch = 1000;

/* Made once, so that a record at the end of a transaction needs no memory. */
static StringInfoData body;
static char *frames = NULL;

static AuditMacKey *mac_key = NULL; /* sodium_malloc */
static uint64 mac_stamp = 0;	/* of the ring it was taken from */

/*
 * seal.audit_directory: folder for the segments.  Recommended: a file system of
 * its own, not that of the WAL.  Empty: pg_seal in the data directory.
 */
static void
define_directory(void)
{
	DefineCustomStringVariable("seal.audit_directory",
							   "Folder of the audit segments.",
							   "Owned by the database user. Empty means pg_seal in the data directory. Copy segments that are left in the old folder when this changes.",
							   &audit_directory, "", PGC_POSTMASTER,
							   GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							   NULL, NULL, NULL);
}

/*
 * seal.audit_sync: whether a value waits until its record is on the disk.  Off:
 * a record survives every crash of the server, but not of the machine.
 */
static void
define_sync(void)
{
	DefineCustomBoolVariable("seal.audit_sync",
							 "Waits until a record is on the disk before a value is opened.",
							 "When off, records are written but not synced: a crash of the operating system can lose the latest.",
							 &audit_sync, true, PGC_SIGHUP,
							 GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
}

/* seal.audit_batch: values that one record speaks for, beside the first of a statement. */
static void
define_batch(void)
{
	DefineCustomIntVariable("seal.audit_batch",
							"Values of a key that a statement opens between two records.",
							"After a crash the log knows what was opened up to this number for each process.",
							&audit_batch, 1000, 1, 1000000, PGC_SIGHUP,
							GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE,
							NULL, NULL, NULL);
}

/* seal.audit_max_size: beyond, nothing is recorded and so nothing opened; before the disk is full. */
static void
define_max_size(void)
{
	DefineCustomIntVariable("seal.audit_max_size",
							"Disk space that audit segments may take.",
							"Counts what was not yet taken into the log. When a new segment would exceed it, values are refused.",
							&audit_max_size, 1024, 64, MAX_KILOBYTES / 1024, PGC_SIGHUP,
							GUC_SUPERUSER_ONLY | GUC_NOT_IN_SAMPLE | GUC_UNIT_MB,
							NULL, NULL, NULL);
}

void
audit_init(void)
{
	define_directory();
	define_sync();
	define_batch();
	define_max_size();
	shared_init();
	claim_init();
	statement_init();
	note_init();
	start_init();
	writer_init();
	worker_init();
}

/* prepare: memory for records, at first use in a process. */
static void
prepare(void)
{
	MemoryContext old;

	if (mac_key != NULL)
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	if (body.data == NULL)
	{
		initStringInfo(&body);
		enlargeStringInfo(&body, AUDIT_BODY_MAX);
	}
	if (frames == NULL)
		frames = palloc(FRAMES_BYTES);
	MemoryContextSwitchTo(old);
	mac_key = sodium_malloc(sizeof(AuditMacKey));
	if (mac_key == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for keys")));
	sodium_memzero(mac_key, sizeof(AuditMacKey));
}

/*
 * audit_mac_key_refresh
 *		Take the key of MACs from the ring, when the ring changed.  Needs a live transaction.
 *
 * A ring that is closed, or a root that is gone, leaves the key there was: the
 * MAC says who wrote the record, and that is still the same.
 */
void
audit_mac_key_refresh(void)
{
	uint64		stamp;
	AuditMacKey fresh;
	SealError	error;

	prepare();
	stamp = ring_stamp();
	if (stamp == mac_stamp && mac_key->version != 0)
		return;
	error = segment_mac_key(&fresh, 0);
	if (error == SEAL_OK || error == SEAL_E_UNKNOWN_KEY)
		*mac_key = fresh;
	mac_stamp = stamp;
	sodium_memzero(&fresh, sizeof(fresh));
}

/* complete: what every record says. */
static void
complete(AuditRecord *record)
{
	who_fill(record);
	if (record->outcome == NULL)
		record->outcome = "ok";
	if (record->at == 0)
		record->at = GetCurrentTimestamp();
	if (record->xid == 0)
		record->xid = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
}

/*
 * put_frame: one record at the end of frames; its length.
 *
 * The key of MACs is of this database's ring: a record for another has none.
 */
static uint32
put_frame(char *frame, Oid database, const AuditRecord *record)
{
	AuditRecord whole = *record;
	static const AuditMacKey no_key = {0};
	AuditSegmentId id;
	uint64		serial = pg_atomic_add_fetch_u64(&audit_shared->last_serial, 1);

	complete(&whole);
	resetStringInfo(&body);
	audit_record_encode(&body, &whole);
	Assert(body.len <= AUDIT_BODY_MAX);
	write_segment_id(&id, database, 0);
	segment_write_frame((unsigned char *) frame, &id, serial, body.data, body.len,
						database == MyDatabaseId ? mac_key : &no_key);
	memcpy(frame + FRAME_HEAD_BYTES, body.data, body.len);
	return FRAME_HEAD_BYTES + body.len;
}

/*
 * append_all
 *		Append records of a database, in as few pieces as they fit into.
 *
 *	place		out: of the last of them
 */
static SealError
append_all(Place *place, Oid database, const AuditRecord *records, int count)
{
	SealError	error = SEAL_OK;
	uint32		len = 0;

	prepare();
	for (int i = 0; i < count && error == SEAL_OK; i++)
	{
		len += put_frame(frames + len, database, &records[i]);
		if (i == count - 1 || len > FRAMES_BYTES - FRAME_MAX)
		{
			error = write_append(place, database, frames, len);
			len = 0;
		}
	}
	audit_wake(database);
	return error;
}

/*
 * audit_store_of
 *		Append records of a database, and when told to, wait until they are on the disk.
 *
 * SEAL_OK or why not; raises nothing once a record was stored in this process.
 */
SealError
audit_store_of(Oid database, const AuditRecord *records, int count, bool wait)
{
	Place		place;
	SealError	error = append_all(&place, database, records, count);

	if (error == SEAL_OK && wait)
		error = write_flush(&place);
	else
		writer_notice();
	return error;
}

/* audit_store: the same for the database of this session. */
SealError
audit_store(const AuditRecord *records, int count, bool wait)
{
	return audit_store_of(MyDatabaseId, records, count, wait);
}

/*
 * audit_append_ahead
 *		Append one record, and have it brought to the disk meanwhile.  Needs a
 *		live transaction.  53100, 58030.
 *
 *	place		out: for audit_wait()
 */
void
audit_append_ahead(Place *place, const AuditRecord *record)
{
	AuditRecord whole = *record;
	SealError	error;

	audit_who(&whole);
	audit_mac_key_refresh();
	error = append_all(place, MyDatabaseId, &whole, 1);
	if (error != SEAL_OK)
		error_raise(error, NULL);
	if (audit_sync)
		writer_ask(place);
	else
		writer_notice();
	audit_settle_refusals(false);
}

/* audit_wait: until a record that was appended is on the disk.  53100, 58030. */
void
audit_wait(const Place *place)
{
	SealError	error = write_flush(place);

	if (error != SEAL_OK)
		error_raise(error, NULL);
}

/*
 * audit_append
 *		Store one record.  Needs a live transaction.  53100, 58030.
 *
 *	wait_for_disk	return when it is on the disk
 */
void
audit_append(const AuditRecord *record, bool wait_for_disk)
{
	AuditRecord whole = *record;
	SealError	error;

	audit_who(&whole);
	audit_mac_key_refresh();
	error = audit_store(&whole, 1, wait_for_disk);
	if (error != SEAL_OK)
		error_raise(error, NULL);
	audit_settle_refusals(false);
}
