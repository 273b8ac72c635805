/*-------------------------------------------------------------------------
 * log.c
 *		Keep statements out of the server log where they may hold values.
 *
 * Floor 5.  With stock settings every failed statement is written to the log
 * whole, with the line of a COPY or the statement inside a function as its
 * context.  What the client gets is never touched.
 *
 * Does not protect against values in the message itself, or against
 * log_statement and log_min_duration_statement.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "guard/internal.h"

#include "miscadmin.h"

static emit_log_hook_type prev_emit_log_hook = NULL;

static int	twin_severity = 0;	/* of the report whose twin is on its way to the hook; 0: none is */

/* is_crash_report: the postmaster tells what a crashed process was running. */
static bool
is_crash_report(const ErrorData *report)
{
	return IsPostmasterEnvironment && !IsUnderPostmaster &&
		report->funcname != NULL && strcmp(report->funcname, "LogChildExit") == 0;
}

/*
 * log_without_query
 *		Write a report to the log alone, without the query inside a function.
 *
 * There is no switch for this field, and clearing it would take it from the
 * client, so the log gets a twin.  A twin of level ERROR would end the command
 * once more; it is thrown as LOG, and redact_report() gives it its severity
 * when nothing but the printing is left.  Printing may not be interrupted: the
 * client still waits for the report itself.
 */
static void
log_without_query(ErrorData *report)
{
	ErrorContextCallback *callbacks = error_context_stack;
	ErrorData	twin = *report;

	twin.elevel = LOG_SERVER_ONLY;
	twin.internalquery = NULL;
	twin.internalpos = 0;
	twin.context = NULL;
	twin_severity = report->elevel;
	error_context_stack = NULL;
	HOLD_INTERRUPTS();
	ThrowErrorData(&twin);
	RESUME_INTERRUPTS();
	error_context_stack = callbacks;
	report->output_to_server = false;
}

/* is_twin: is it the report that log_without_query() is writing?  No other is taken for it later. */
static bool
is_twin(const ErrorData *report, int *severity)
{
	*severity = twin_severity;
	twin_severity = 0;
	return *severity != 0 && report->elevel == LOG_SERVER_ONLY;
}

/*
 * redact_report
 *		emit_log_hook.
 *
 * Whoever was here first sees the report as it was, and no twin.  The
 * statement of another process stands in the detail that a deadlock gives the
 * log alone; without it the log shows the client's.
 */
static void
redact_report(ErrorData *report)
{
	int			severity;

	if (is_twin(report, &severity))
		report->elevel = severity;
	else if (prev_emit_log_hook)
		(*prev_emit_log_hook) (report);
	if (is_crash_report(report))
		report->detail = NULL;
	if (!report->output_to_server || !OidIsValid(MyDatabaseId) || !seal_may_be_in_database())
		return;
	report->hide_stmt = true;
	report->hide_ctx = true;
	if (report->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED)
		report->detail_log = NULL;
	if (report->internalquery != NULL)
		log_without_query(report);
}

void
log_init(void)
{
	prev_emit_log_hook = emit_log_hook;
	emit_log_hook = redact_report;
}
