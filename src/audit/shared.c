/*-------------------------------------------------------------------------
 * shared.c
 *		The shared memory of the audit room.
 *
 * Floor 2.  Made anew by each start of the server, and by each restart after a
 * crash: both are a start of their own, with its own id, and never append to
 * what an earlier one wrote.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#define TRANCHE_NAME	"pgseal audit"
#define TRANCHE_LOCKS	(2 + 2 * SLOT_COUNT)

AuditShared *audit_shared = NULL;

/* shared_bytes: one Leader for each backend. */
static Size
shared_bytes(void)
{
	return add_size(offsetof(AuditShared, leaders), mul_size(MaxBackends, sizeof(Leader)));
}

/* fill_slots: free, each with its two locks. */
static void
fill_slots(LWLockPadded *locks)
{
	for (int i = 0; i < SLOT_COUNT; i++)
	{
		Slot	   *slot = &audit_shared->slots[i];

		slot->flush_lock = &locks[2 * i].lock;
		slot->append_lock = &locks[2 * i + 1].lock;
		pg_atomic_init_u64(&slot->last_used, 0);
		pg_atomic_init_u64(&slot->appended, 0);
		pg_atomic_init_u64(&slot->flushed, 0);
		pg_atomic_init_u64(&slot->asked, 0);
	}
}

/* fill_memory: a new start of the server. */
static void
fill_memory(void)
{
	LWLockPadded *locks = GetNamedLWLockTranche(TRANCHE_NAME);

	file_lock_directory();
	randombytes_buf(audit_shared->start, AUDIT_START_BYTES);
	audit_shared->started_at = GetCurrentTimestamp();
	pg_atomic_init_u32(&audit_shared->last_number, 0);
	pg_atomic_init_u64(&audit_shared->last_serial, 0);
	pg_atomic_init_u64(&audit_shared->last_statement, 0);
	pg_atomic_init_u64(&audit_shared->bytes_on_disk, file_start());
	pg_atomic_init_u64(&audit_shared->next_settling, 0);
	pg_atomic_init_u32(&audit_shared->writer_sleeps, 0);
	pg_atomic_init_u32(&audit_shared->writer_polls, 0);
	audit_shared->directory_lock = &locks[0].lock;
	audit_shared->refusal_lock = &locks[1].lock;
	fill_slots(locks + 2);
	for (int i = 0; i < MaxBackends; i++)
	{
		pg_atomic_init_u64(&audit_shared->leaders[i].statement, 0);
		pg_atomic_init_u32(&audit_shared->leaders[i].keeping, 0);
	}
}

/*
 * finish
 *		on_shmem_exit of the postmaster: give back what was allocated ahead.
 *
 * Not after a crash: what shared memory says is then no reason to cut a file.
 */
static void
finish(int code, Datum arg)
{
	if (code == 0)
		write_finish();
}

/* start_memory: of a SharedPart. */
static void
start_memory(void *memory, bool found)
{
	audit_shared = memory;
	if (!found)
		fill_memory();
	if (!IsUnderPostmaster)
		on_shmem_exit(finish, (Datum) 0);
}

void
shared_init(void)
{
	static const SharedPart part = {TRANCHE_NAME, shared_bytes, TRANCHE_LOCKS, start_memory};

	shmem_part(&part);
}
