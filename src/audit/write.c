/*-------------------------------------------------------------------------
 * write.c
 *		Appending to the current segment of a database, and flushing it.
 *
 * Floor 2.  Raises nothing, so that it can be called where a transaction or a
 * session ends.  One process syncs for all who wait; who comes meanwhile finds
 * his bytes on the disk, or syncs for the next ones.
 *
 * When a sync fails nobody knows what is on the disk, and asking again may say
 * yes without reason.  So the segment takes no more, what was not known to be on
 * the disk is written to a new one, and who saw the failure refuses.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include <unistd.h>

#include "access/xact.h"
#include "storage/fd.h"

/* The segment this process has open, apart from the descriptors that transactions end. */
static int	open_fd = -1;
static AuditSegmentId open_id;

/* Where the slot of a database was found last. */
static Slot *known_slot = NULL;

/* write_segment_id: a segment of this start. */
void
write_segment_id(AuditSegmentId *id, Oid database, uint32 number)
{
	id->database = database;
	memcpy(id->start, audit_shared->start, AUDIT_START_BYTES);
	id->number = number;
}

/* audit_start: id of this start of the server. */
const unsigned char *
audit_start(void)
{
	return audit_shared->start;
}

/* descriptor: of a segment, -1 with errno. */
static int
descriptor(Oid database, uint32 number)
{
	if (open_fd >= 0 && open_id.database == database && open_id.number == number)
		return open_fd;
	if (open_fd < 0)
		ReserveExternalFD();
	else
		close(open_fd);
	write_segment_id(&open_id, database, number);
	open_fd = file_open(&open_id);
	if (open_fd < 0)
		ReleaseExternalFD();
	return open_fd;
}

/* put_bytes: all of them, or SEAL_E_AUDIT_FULL, SEAL_E_AUDIT_IO. */
static SealError
put_bytes(Oid database, uint32 number, const char *bytes, uint32 len, uint32 position)
{
	int			fd = descriptor(database, number);
	ssize_t		done;

	if (fd < 0)
		return SEAL_E_AUDIT_IO;
	do
	{
		errno = 0;
		done = pg_pwrite(fd, bytes, len, position);
	} while (done < 0 && errno == EINTR);
	if (done == (ssize_t) len)
		return SEAL_OK;
	return done >= 0 || errno == ENOSPC || errno == EDQUOT ? SEAL_E_AUDIT_FULL : SEAL_E_AUDIT_IO;
}

/* ----------
 * Segments.  All of these hold the append lock.
 * ----------
 */

/* mark_flushed: so many bytes are on the disk. */
static void
mark_flushed(Slot *slot, uint64 upto)
{
	uint64		flushed = pg_atomic_read_u64(&slot->flushed);

	if (upto <= flushed)
		return;
	slot->tail_len = (uint32) (slot->written - upto);
	memmove(slot->tail, slot->tail + (upto - flushed), slot->tail_len);
	pg_atomic_write_u64(&slot->flushed, upto);
}

/* sync_slot: what is written is on the disk, or the segment has failed. */
static void
sync_slot(Slot *slot)
{
	int			fd;

	if (slot->number == 0 || slot->failed || slot->tail_len == 0)
		return;
	fd = descriptor(slot->database, slot->number);
	if (fd >= 0 && file_sync(fd))
		mark_flushed(slot, slot->written);
	else
		slot->failed = true;
}

/* leave_segment: no process will append to it again. */
static void
leave_segment(Slot *slot)
{
	AuditSegmentId id;

	if (slot->number == 0)
		return;
	write_segment_id(&id, slot->database, slot->number);
	file_cut(&id, slot->end - slot->tail_len);
	slot->number = 0;
}

/*
 * next_segment
 *		Make a new segment current; what is not known to be on the disk moves there.
 *
 * When that fails the slot stays as it was, and the next record tries again.
 */
static SealError
next_segment(Slot *slot)
{
	uint32		number = pg_atomic_add_fetch_u32(&audit_shared->last_number, 1);
	AuditSegmentId id;
	SealError	error;

	sync_slot(slot);
	write_segment_id(&id, slot->database, number);
	error = file_create(&id);
	if (error == SEAL_OK && slot->tail_len > 0)
		error = put_bytes(slot->database, number, slot->tail, slot->tail_len, AUDIT_SEGMENT_FIRST);
	if (error != SEAL_OK)
		return error;
	leave_segment(slot);
	slot->number = number;
	slot->end = AUDIT_SEGMENT_FIRST + slot->tail_len;
	slot->failed = false;
	return SEAL_OK;
}

/* make_room: for len bytes, in the segment and in the tail. */
static SealError
make_room(Slot *slot, uint32 len)
{
	if (slot->tail_len + len > TAIL_BYTES)
		sync_slot(slot);
	if (slot->number != 0 && !slot->failed && slot->end + len <= SEGMENT_BYTES)
		return SEAL_OK;
	return next_segment(slot);
}

/* append: to the current segment. */
static SealError
append(Slot *slot, const char *frames, uint32 len)
{
	SealError	error = make_room(slot, len);

	if (error != SEAL_OK)
		return error;
	if (slot->tail_len + len > TAIL_BYTES)
		return SEAL_E_AUDIT_IO;
	error = put_bytes(slot->database, slot->number, frames, len, slot->end);
	if (error == SEAL_E_AUDIT_IO)
		slot->failed = true;
	if (error != SEAL_OK)
		return error;
	memcpy(slot->tail + slot->tail_len, frames, len);
	slot->tail_len += len;
	slot->end += len;
	slot->written += len;
	if (!audit_sync)
		mark_flushed(slot, slot->written);
	return SEAL_OK;
}

/* ----------
 * Slots
 * ----------
 */

/* find_slot: of a database; NULL when it has none. */
static Slot *
find_slot(Oid database)
{
	for (int i = 0; i < SLOT_COUNT; i++)
	{
		if (audit_shared->slots[i].database == database)
			return &audit_shared->slots[i];
	}
	return NULL;
}

/* oldest_slot: one that is free, or was used least lately. */
static Slot *
oldest_slot(void)
{
	Slot	   *oldest = &audit_shared->slots[0];

	for (int i = 1; i < SLOT_COUNT && OidIsValid(oldest->database); i++)
	{
		Slot	   *slot = &audit_shared->slots[i];

		if (!OidIsValid(slot->database) ||
			pg_atomic_read_u64(&slot->last_used) < pg_atomic_read_u64(&oldest->last_used))
			oldest = slot;
	}
	return oldest;
}

/*
 * take_slot
 *		Give a database the slot of another, whose segment ends here.
 *
 * NULL when what the other wrote cannot be brought to the disk.
 */
static Slot *
take_slot(Oid database)
{
	Slot	   *slot = oldest_slot();
	bool		taken;

	LWLockAcquire(slot->append_lock, LW_EXCLUSIVE);
	if (slot->failed)
		(void) next_segment(slot);
	sync_slot(slot);
	taken = !slot->failed;
	if (taken)
	{
		leave_segment(slot);
		slot->database = database;
	}
	LWLockRelease(slot->append_lock);
	return taken ? slot : NULL;
}

/* slot_of: the slot of a database, given to it when it has none. */
static Slot *
slot_of(Oid database)
{
	Slot	   *slot;

	LWLockAcquire(audit_shared->directory_lock, LW_SHARED);
	slot = find_slot(database);
	LWLockRelease(audit_shared->directory_lock);
	if (slot != NULL)
		return slot;
	LWLockAcquire(audit_shared->directory_lock, LW_EXCLUSIVE);
	slot = find_slot(database);
	if (slot == NULL)
		slot = take_slot(database);
	LWLockRelease(audit_shared->directory_lock);
	return slot;
}

/* lock_slot: the slot of a database with its append lock held; NULL when there is none to be had. */
static Slot *
lock_slot(Oid database)
{
	for (;;)
	{
		if (known_slot == NULL)
			known_slot = slot_of(database);
		if (known_slot == NULL)
			return NULL;
		LWLockAcquire(known_slot->append_lock, LW_EXCLUSIVE);
		if (known_slot->database == database)
			return known_slot;
		LWLockRelease(known_slot->append_lock);
		known_slot = NULL;
	}
}

/* ----------
 * Flushing
 * ----------
 */

/* what_to_sync: the current segment and how far it is written; moves a failed one's tail first. */
static SealError
what_to_sync(Slot *slot, AuditSegmentId *id, uint64 *upto)
{
	SealError	error = SEAL_OK;

	LWLockAcquire(slot->append_lock, LW_EXCLUSIVE);
	if (slot->failed)
		error = next_segment(slot);
	write_segment_id(id, slot->database, slot->number);
	*upto = slot->written;
	LWLockRelease(slot->append_lock);
	return error;
}

/* was_synced: note what came of a sync, unless another segment is current by now. */
static void
was_synced(Slot *slot, const AuditSegmentId *id, uint64 upto, bool synced)
{
	LWLockAcquire(slot->append_lock, LW_EXCLUSIVE);
	if (slot->database == id->database && slot->number == id->number)
	{
		if (synced)
			mark_flushed(slot, upto);
		else
			slot->failed = true;
	}
	LWLockRelease(slot->append_lock);
}

/* sync_for_all: with the flush lock held. */
static SealError
sync_for_all(Slot *slot)
{
	AuditSegmentId id;
	uint64		upto;
	bool		synced;
	int			fd;
	SealError	error = what_to_sync(slot, &id, &upto);

	if (error != SEAL_OK)
		return error;
	fd = descriptor(id.database, id.number);
	synced = fd >= 0 && file_sync(fd);
	was_synced(slot, &id, upto, synced);
	return synced ? SEAL_OK : SEAL_E_AUDIT_IO;
}

/* flush: return when so many bytes of a slot are on the disk. */
static SealError
flush(Slot *slot, uint64 upto)
{
	SealError	error = SEAL_OK;

	while (error == SEAL_OK && pg_atomic_read_u64(&slot->flushed) < upto)
	{
		if (!LWLockAcquireOrWait(slot->flush_lock, LW_EXCLUSIVE))
			continue;
		if (pg_atomic_read_u64(&slot->flushed) < upto)
			error = sync_for_all(slot);
		LWLockRelease(slot->flush_lock);
	}
	return error;
}

/*
 * write_frames
 *		Append records to the current segment of a database, whole or not at all.
 *
 *	wait		return when they are on the disk
 *
 * SEAL_OK or why not.  A record that was appended and could not be synced may
 * still come to the log.
 */
SealError
write_frames(Oid database, const char *frames, uint32 len, bool wait)
{
	Slot	   *slot = lock_slot(database);
	SealError	error;
	uint64		upto;

	if (slot == NULL)
		return SEAL_E_AUDIT_IO;
	error = append(slot, frames, len);
	upto = slot->written;
	LWLockRelease(slot->append_lock);
	pg_atomic_write_u64(&slot->last_used, (uint64) GetCurrentStatementStartTimestamp());
	return error == SEAL_OK && wait ? flush(slot, upto) : error;
}

/*
 * audit_flush
 *		Everything this database's processes have written is on the disk.  58030.
 */
void
audit_flush(void)
{
	Slot	   *slot = lock_slot(MyDatabaseId);
	uint64		upto = 0;
	SealError	error = SEAL_E_AUDIT_IO;

	if (slot != NULL)
	{
		upto = slot->written;
		LWLockRelease(slot->append_lock);
		error = flush(slot, upto);
	}
	if (error != SEAL_OK)
		error_raise(error, NULL);
}

/*
 * audit_segment_limit
 *		How far a segment may be read: what is behind can still move elsewhere.
 *
 * 0 for a segment that nobody appends to: to its end.
 */
uint32
audit_segment_limit(const AuditSegmentId *id)
{
	uint32		limit = 0;

	if (memcmp(id->start, audit_shared->start, AUDIT_START_BYTES) != 0)
		return 0;
	LWLockAcquire(audit_shared->directory_lock, LW_SHARED);
	for (int i = 0; i < SLOT_COUNT; i++)
	{
		Slot	   *slot = &audit_shared->slots[i];

		LWLockAcquire(slot->append_lock, LW_SHARED);
		if (slot->database == id->database && slot->number == id->number)
			limit = slot->end - slot->tail_len;
		LWLockRelease(slot->append_lock);
	}
	LWLockRelease(audit_shared->directory_lock);
	return limit;
}

/* write_forget: a database is gone, and another one may get its oid; what is in its segment stays there. */
void
write_forget(Oid database)
{
	Slot	   *slot;

	LWLockAcquire(audit_shared->directory_lock, LW_EXCLUSIVE);
	slot = find_slot(database);
	if (slot != NULL)
	{
		LWLockAcquire(slot->append_lock, LW_EXCLUSIVE);
		sync_slot(slot);
		leave_segment(slot);
		mark_flushed(slot, slot->written);
		slot->failed = false;
		slot->database = InvalidOid;
		LWLockRelease(slot->append_lock);
	}
	LWLockRelease(audit_shared->directory_lock);
}

/* write_finish: in the postmaster, when nobody else is left. */
void
write_finish(void)
{
	for (int i = 0; i < SLOT_COUNT; i++)
	{
		Slot	   *slot = &audit_shared->slots[i];

		if (!OidIsValid(slot->database))
			continue;
		sync_slot(slot);
		if (!slot->failed)
			leave_segment(slot);
	}
}
