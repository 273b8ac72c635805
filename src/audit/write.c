/*-------------------------------------------------------------------------
 * write.c
 *		Appending records of a database, and bringing them to the disk.
 *
 * Floor 2.  Raises nothing, so that it can be called where a transaction or a
 * session ends.  A record is copied to the ring of its database; whoever needs
 * his on the disk writes and syncs everything that is there, for all who wait.
 * Who comes meanwhile appends, finds his bytes on the disk after that, or
 * writes the next ones.  A file is never written while it is synced: the
 * kernel would make the writer wait.
 *
 * A record that nobody waits for goes out with the next one, or when writer.c
 * finds it.  A crash of the server loses those that are in the ring only: no
 * value was lent for them.
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
#include "storage/s_lock.h"

#define SPINS			100		/* a microsecond or two */

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

/* acquire: a lock that is held for moments; sleeping until it is free takes longer than waiting. */
static void
acquire(LWLock *lock)
{
	for (int spins = SPINS; spins > 0; spins--)
	{
		if (LWLockConditionalAcquire(lock, LW_EXCLUSIVE))
			return;
		SPIN_DELAY();
	}
	LWLockAcquire(lock, LW_EXCLUSIVE);
}

/* ----------
 * Segments.  All of these hold the flush lock.
 * ----------
 */

/* position_of: where a byte of the records stands in the current segment. */
static uint32
position_of(const Slot *slot, uint64 byte)
{
	return AUDIT_SEGMENT_FIRST + (uint32) (byte - slot->begins);
}

/* leave_segment: no process will write to it again. */
static void
leave_segment(Slot *slot)
{
	AuditSegmentId id;

	if (slot->number == 0)
		return;
	write_segment_id(&id, slot->database, slot->number);
	file_cut(&id, position_of(slot, pg_atomic_read_u64(&slot->flushed)));
	slot->number = 0;
}

/*
 * next_segment
 *		Make a new segment current; what is not known to be on the disk goes there.
 *
 * When that fails the slot stays as it was, and the next flush tries again.
 */
static SealError
next_segment(Slot *slot)
{
	uint32		number = pg_atomic_add_fetch_u32(&audit_shared->last_number, 1);
	AuditSegmentId id;
	SealError	error;

	write_segment_id(&id, slot->database, number);
	error = file_create(&id);
	if (error != SEAL_OK)
		return error;
	LWLockAcquire(slot->append_lock, LW_EXCLUSIVE);
	leave_segment(slot);
	slot->number = number;
	slot->begins = pg_atomic_read_u64(&slot->flushed);
	slot->failed = false;
	LWLockRelease(slot->append_lock);
	return SEAL_OK;
}

/* frame_len: of the record that begins with a byte of the ring. */
static uint32
frame_len(const Slot *slot, uint64 from)
{
	uint32		body_len = 0;

	for (int i = 0; i < 4; i++)
		body_len = body_len << 8 | (unsigned char) slot->ring[(from + i) % RING_BYTES];
	return FRAME_HEAD_BYTES + body_len;
}

/* end_of_fitting: the end of the last record before upto that the current segment has room for. */
static uint64
end_of_fitting(const Slot *slot, uint64 from, uint64 upto)
{
	uint64		end = from;

	if (slot->number == 0 || slot->failed)
		return from;
	if (position_of(slot, upto) <= SEGMENT_BYTES)
		return upto;
	while (position_of(slot, end + frame_len(slot, end)) <= SEGMENT_BYTES)
		end += frame_len(slot, end);
	return end;
}

/* write_ring: bytes of the ring to their place in the current segment. */
static SealError
write_ring(const Slot *slot, uint64 from, uint64 upto)
{
	uint32		at = from % RING_BYTES;
	uint32		first = (uint32) Min(upto - from, RING_BYTES - at);
	SealError	error = put_bytes(slot->database, slot->number, slot->ring + at, first,
								  position_of(slot, from));

	if (error == SEAL_OK && from + first < upto)
		error = put_bytes(slot->database, slot->number, slot->ring, (uint32) (upto - from - first),
						  position_of(slot, from + first));
	return error;
}

/* sync_segment: what was written to it is on the disk. */
static SealError
sync_segment(const Slot *slot)
{
	int			fd = descriptor(slot->database, slot->number);

	return fd >= 0 && file_sync(fd) ? SEAL_OK : SEAL_E_AUDIT_IO;
}

/* flush_all: everything that was appended, segment by segment. */
static SealError
flush_all(Slot *slot)
{
	uint64		from = pg_atomic_read_u64(&slot->flushed);
	uint64		upto = pg_atomic_read_u64(&slot->appended);
	SealError	error = SEAL_OK;

	pg_read_barrier();
	while (error == SEAL_OK && from < upto)
	{
		uint64		end = end_of_fitting(slot, from, upto);

		if (end == from)
		{
			error = next_segment(slot);
			continue;
		}
		error = write_ring(slot, from, end);
		if (error == SEAL_OK)
			error = sync_segment(slot);
		slot->failed = error == SEAL_E_AUDIT_IO;
		if (error == SEAL_OK)
			pg_atomic_write_u64(&slot->flushed, from = end);
	}
	return error;
}

/* ----------
 * Slots
 * ----------
 */

/* find_slot: of a database; NULL when it has none.  Holds the directory lock. */
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
	bool		taken = false;

	LWLockAcquire(slot->flush_lock, LW_EXCLUSIVE);
	if (flush_all(slot) == SEAL_OK)
	{
		LWLockAcquire(slot->append_lock, LW_EXCLUSIVE);
		taken = pg_atomic_read_u64(&slot->flushed) == pg_atomic_read_u64(&slot->appended);
		if (taken)
		{
			leave_segment(slot);
			slot->database = database;
		}
		LWLockRelease(slot->append_lock);
	}
	LWLockRelease(slot->flush_lock);
	return taken ? slot : NULL;
}

/* known_slot_of: the slot a database has, or NULL. */
static Slot *
known_slot_of(Oid database)
{
	Slot	   *slot;

	LWLockAcquire(audit_shared->directory_lock, LW_SHARED);
	slot = find_slot(database);
	LWLockRelease(audit_shared->directory_lock);
	return slot;
}

/* slot_of: the slot of a database, given to it when it has none. */
static Slot *
slot_of(Oid database)
{
	Slot	   *slot = known_slot_of(database);

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
		acquire(known_slot->append_lock);
		if (known_slot->database == database)
			return known_slot;
		LWLockRelease(known_slot->append_lock);
		known_slot = NULL;
	}
}

/* ----------
 * Appending
 * ----------
 */

/* has_room: for len bytes more in the ring. */
static bool
has_room(Slot *slot, uint32 len)
{
	return pg_atomic_read_u64(&slot->appended) + len - pg_atomic_read_u64(&slot->flushed) <= RING_BYTES;
}

/* put: at the end of the ring, which has room. */
static void
put(Slot *slot, const char *frames, uint32 len)
{
	uint64		appended = pg_atomic_read_u64(&slot->appended);
	uint32		at = appended % RING_BYTES;
	uint32		first = Min(len, RING_BYTES - at);

	memcpy(slot->ring + at, frames, first);
	memcpy(slot->ring, frames + first, len - first);
	pg_write_barrier();			/* who reads appended without the lock finds the bytes */
	pg_atomic_write_u64(&slot->appended, appended + len);
}

/* lock_room: as lock_slot(), with room in the ring. */
static SealError
lock_room(Slot **locked, Oid database, uint32 len)
{
	for (;;)
	{
		Slot	   *slot = lock_slot(database);
		Place		place = {.slot = slot};
		SealError	error;

		*locked = slot;
		if (slot == NULL)
			return SEAL_E_AUDIT_IO;
		if (has_room(slot, len))
			return SEAL_OK;
		place.upto = pg_atomic_read_u64(&slot->appended);
		LWLockRelease(slot->append_lock);
		error = write_flush(&place);
		if (error != SEAL_OK)
			return error;
	}
}

/*
 * write_append
 *		Append records of a database, whole or not at all.
 *
 *	place		out: what write_flush() waits for
 *
 * SEAL_OK or why not.  A record that was appended and could not be stored may
 * still come to the log.
 */
SealError
write_append(Place *place, Oid database, const char *frames, uint32 len)
{
	SealError	error = lock_room(&place->slot, database, len);

	if (error != SEAL_OK)
		return error;
	put(place->slot, frames, len);
	place->upto = pg_atomic_read_u64(&place->slot->appended);
	LWLockRelease(place->slot->append_lock);
	pg_atomic_write_u64(&place->slot->last_used, (uint64) GetCurrentStatementStartTimestamp());
	return SEAL_OK;
}

/* ----------
 * Flushing
 * ----------
 */

/*
 * lock_flush
 *		False when somebody else flushed meanwhile.  Writing takes moments; for
 *		who syncs one sleeps.
 */
static bool
lock_flush(const Place *place)
{
	Slot	   *slot = place->slot;

	for (int spins = audit_sync ? 0 : SPINS; spins > 0; spins--)
	{
		if (LWLockConditionalAcquire(slot->flush_lock, LW_EXCLUSIVE))
			return true;
		SPIN_DELAY();
		if (pg_atomic_read_u64(&slot->flushed) >= place->upto)
			return false;
	}
	return LWLockAcquireOrWait(slot->flush_lock, LW_EXCLUSIVE);
}

/*
 * write_flush
 *		Return when the records up to a place are on the disk; with
 *		seal.audit_sync off, written.
 */
SealError
write_flush(const Place *place)
{
	Slot	   *slot = place->slot;
	SealError	error = SEAL_OK;

	while (error == SEAL_OK && pg_atomic_read_u64(&slot->flushed) < place->upto)
	{
		if (!lock_flush(place))
			continue;
		if (pg_atomic_read_u64(&slot->flushed) < place->upto)
			error = flush_all(slot);
		LWLockRelease(slot->flush_lock);
	}
	return error;
}

/*
 * audit_flush
 *		Everything this database's processes have appended is on the disk: SEAL_OK or why not.
 */
SealError
audit_flush(void)
{
	Place		place = {.slot = known_slot_of(MyDatabaseId)};

	if (place.slot == NULL)
		return SEAL_OK;
	place.upto = pg_atomic_read_u64(&place.slot->appended);
	return write_flush(&place);
}

/*
 * audit_segment_limit
 *		How far a segment may be read: what is behind can still move elsewhere.
 *
 * 0 for a segment that nobody writes to: to its end.
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
			limit = position_of(slot, pg_atomic_read_u64(&slot->flushed));
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
		LWLockAcquire(slot->flush_lock, LW_EXCLUSIVE);
		(void) flush_all(slot);
		LWLockAcquire(slot->append_lock, LW_EXCLUSIVE);
		leave_segment(slot);
		pg_atomic_write_u64(&slot->flushed, pg_atomic_read_u64(&slot->appended));
		slot->failed = false;
		slot->database = InvalidOid;
		LWLockRelease(slot->append_lock);
		LWLockRelease(slot->flush_lock);
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

		if (OidIsValid(slot->database) && flush_all(slot) == SEAL_OK)
			leave_segment(slot);
	}
}
