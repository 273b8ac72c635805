/*-------------------------------------------------------------------------
 * pgseal.c
 *		Front door of the library: opens the rooms in floor order.
 *
 * Floor 6.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "base/base.h"

#include "audit/audit.h"
#include "fmgr.h"
#include "gate/gate.h"
#include "guard/guard.h"
#include "keys/keys.h"
#include "plan/plan.h"
#include "rows/rows.h"
#include "types/types.h"
#include "utils/guc.h"

COMPAT_MODULE_MAGIC;

void		_PG_init(void);

/*
 * _PG_init
 *		Refuses to be loaded later than the server: hooks that come and go
 *		guard nothing.
 */
void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		error_raise(SEAL_E_NOT_PRELOADED, NULL);
	if (sodium_init() < 0)
		elog(FATAL, "could not initialize libsodium");
	base_init();
	keys_init();
	audit_init();
	gate_init();
	types_init();
	plan_init();
	rows_init();
	guard_init();
	MarkGUCPrefixReserved("seal");
}
