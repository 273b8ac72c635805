/*-------------------------------------------------------------------------
 * unrecorded.c
 *		src/audit/statement.c without what it does: values are opened, and no
 *		record says so.
 *
 * Not part of pgseal; bench/run links it instead, to learn what records cost.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

AuditAllowance audit_allowances[AUDIT_USES][AUDIT_ALLOWANCES];

void
statement_init(void)
{
}

/* audit_value_recorded: as many values as anybody will open. */
void
audit_value_recorded(AuditUse use, uint32 key_id)
{
	audit_allowances[use][key_id & (AUDIT_ALLOWANCES - 1)] = (AuditAllowance) {key_id, GetUserId(), INT32_MAX};
}
