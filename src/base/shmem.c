/*-------------------------------------------------------------------------
 * shmem.c
 *		The parts of shared memory that rooms ask for.
 *
 * Floor 0.  Hooks of whoever was loaded before come first.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "base/base.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#define PARTS_MOST	8

static const SharedPart *parts[PARTS_MOST];
static int	part_count = 0;

static shmem_request_hook_type prev_request_hook = NULL;
static shmem_startup_hook_type prev_startup_hook = NULL;

/* request_memory: shmem_request_hook. */
static void
request_memory(void)
{
	if (prev_request_hook)
		(*prev_request_hook) ();
	for (int i = 0; i < part_count; i++)
	{
		RequestAddinShmemSpace(MAXALIGN(parts[i]->bytes()));
		if (parts[i]->locks > 0)
			RequestNamedLWLockTranche(parts[i]->name, parts[i]->locks);
	}
}

/* start_memory: shmem_startup_hook. */
static void
start_memory(void)
{
	if (prev_startup_hook)
		(*prev_startup_hook) ();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < part_count; i++)
	{
		Size		bytes = parts[i]->bytes();
		bool		found;
		void	   *memory = ShmemInitStruct(parts[i]->name, bytes, &found);

		if (!found)
			memset(memory, 0, bytes);
		parts[i]->start(memory, found);
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * shmem_part
 *		Ask for a part, while the library is loaded.
 */
void
shmem_part(const SharedPart *part)
{
	Assert(part_count < PARTS_MOST);
	if (part_count == 0)
	{
		prev_request_hook = shmem_request_hook;
		shmem_request_hook = request_memory;
		prev_startup_hook = shmem_startup_hook;
		shmem_startup_hook = start_memory;
	}
	parts[part_count++] = part;
}
