/*-------------------------------------------------------------------------
 * report.c
 *		seal.access_report(): who opened the values of a subject, when and why.
 *
 * Floor 3.  The rows of the log are read with the rights of its owner: who may
 * call the function may read them.  It shows no value, and asking is recorded.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "gate/internal.h"

#include "audit/audit.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/syscache.h"

#define REPORT_COLUMNS	8

PG_FUNCTION_INFO_V1(pgseal_access_report);

/*
 * One line for each statement, and for each other event.  Every name and
 * operator is qualified, as this runs as the owner of the log.
 * audit_entry_subject and audit_entry_subjects are the indexes for it.
 */
static const char report_query[] =
"SELECT pg_catalog.min(at), kind, pg_catalog.min(outcome), purpose, login_role, role, actor,"
"       pg_catalog.array_agg(DISTINCT key) FILTER (WHERE key IS NOT NULL)"
"  FROM (SELECT entry, at, outcome, purpose, login_role, role, actor, keys, start,"
"               COALESCE(statement, OPERATOR(pg_catalog.-) entry) AS statement,"
"               CASE WHEN action OPERATOR(pg_catalog.=) ANY ('{progress,close}'::pg_catalog.text[])"
"                    THEN 'open' ELSE action END AS kind"
"          FROM seal.audit_entry"
"          WHERE (subject OPERATOR(pg_catalog.=) $1 AND subject IS NOT NULL"
"                 OR subjects OPERATOR(pg_catalog.@>) $2 AND subjects IS NOT NULL)"
"            AND (what IS NULL OR what OPERATOR(pg_catalog.<>) 'access_report')) AS entries"
"    LEFT JOIN LATERAL pg_catalog.unnest(keys) AS key ON true"
"  GROUP BY start, statement, kind, purpose, login_role, role, actor"
"  ORDER BY 1, 2";

/* owner_of_log: whose rights read the log. */
static Oid
owner_of_log(void)
{
	Oid			relation = seal_relation_oid("audit_entry");
	HeapTuple	row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	owner = ((Form_pg_class) GETSTRUCT(row))->relowner;
	ReleaseSysCache(row);
	return owner;
}

/* read_log: the lines about a subject, into SPI_tuptable. */
static void
read_log(uint64 subject)
{
	Datum		number = Int64GetDatum((int64) subject);
	Datum		list = PointerGetDatum(construct_array(&number, 1, INT8OID, sizeof(int64),
													   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	Oid			types[2] = {INT8OID, INT8ARRAYOID};
	Datum		values[2] = {number, list};
	Oid			caller;
	int			context;

	GetUserIdAndSecContext(&caller, &context);
	SetUserIdAndSecContext(owner_of_log(), context | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_execute_with_args(report_query, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the log");
	SetUserIdAndSecContext(caller, context);
}

/* record_reading: a look into the log is recorded itself, before anything is shown. */
static void
record_reading(uint64 subject)
{
	AuditRecord record = {
		AUDIT_NO_COUNTS,
		.action = AUDIT_OPEN,
		.subject = subject,
		.what = "access_report"
	};

	audit_append(&record, true);
}

/* seal.access_report(subject_type text, subject text) returns table */
Datum
pgseal_access_report(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	NameData	type;
	uint64		subject = admit_subject(fcinfo, &type);

	InitMaterializedSRF(fcinfo, 0);
	record_reading(subject);
	SPI_connect();
	read_log(subject);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[REPORT_COLUMNS];
		bool		nulls[REPORT_COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
