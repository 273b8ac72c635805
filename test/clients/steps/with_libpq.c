/*
 * with_libpq.c
 *		libpq: parameters in text and in binary, results in binary where the step
 *		says so.
 *
 * Prints answers for steps/judge.
 */
#define _DEFAULT_SOURCE			/* strsep */

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER			"test/clients/steps/"
#define TEXT_FORMAT		0
#define BINARY_FORMAT	1
#define MAX_PARAMS		7

#define UNKNOWN_OID		0
#define INT4_OID		23
#define TEXT_OID		25
#define DATE_OID		1082

/* The epoch of binary dates, 2000-01-01, to 1990-01-16. */
#define BORN_DAYS		(-3637)

static PGconn *app;

typedef struct Param
{
	const char *bytes;			/* NULL: an SQL NULL */
	Oid			type;
	int			format;
	int			len;			/* of binary bytes */
} Param;

#define TEXT(value)				((Param) {value, UNKNOWN_OID, TEXT_FORMAT, 0})
#define BINARY(value, oid, len)	((Param) {(const char *) (value), oid, BINARY_FORMAT, len})
#define PARAMS(...) \
	sizeof((Param[]) {__VA_ARGS__}) / sizeof(Param), (Param[]) {__VA_ARGS__}
#define NO_PARAMS				0, NULL

/* stop: the judge misses the steps that are left. */
static void __attribute__((noreturn))
stop(const char *what, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static PGresult *
run(PGconn *connection, int result_format, const char *sql, int count, const Param *params)
{
	Oid			types[MAX_PARAMS];
	const char *values[MAX_PARAMS];
	int			lengths[MAX_PARAMS];
	int			formats[MAX_PARAMS];

	for (int i = 0; i < count; i++)
	{
		types[i] = params[i].type;
		values[i] = params[i].bytes;
		lengths[i] = params[i].len;
		formats[i] = params[i].format;
	}
	return PQexecParams(connection, sql, count, types, values, lengths, formats, result_format);
}

/* execute: must succeed. */
static void
execute(const char *sql, int count, const Param *params)
{
	PGresult   *result = run(app, TEXT_FORMAT, sql, count, params);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		stop(sql, PQresultErrorMessage(result));
	PQclear(result);
}

/* ----------
 * Answers, as JSON
 * ----------
 */

static void
print_string(const char *text)
{
	putchar('"');
	for (; *text; text++)
	{
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text == '\n' ? ' ' : *text);
	}
	putchar('"');
}

/* print_field: numbers of four bytes in binary, and integer columns in text, are numbers. */
static void
print_field(const PGresult *result, int row, int column)
{
	const char *value = PQgetvalue(result, row, column);
	uint32_t	number;

	if (PQgetisnull(result, row, column))
		printf("null");
	else if (PQftype(result, column) != INT4_OID)
		print_string(value);
	else if (PQfformat(result, column) == TEXT_FORMAT)
		printf("%s", value);
	else
	{
		memcpy(&number, value, sizeof(number));
		printf("%d", (int) ntohl(number));
	}
}

static void
print_row(const PGresult *result, int row)
{
	putchar('[');
	for (int column = 0; column < PQnfields(result); column++)
	{
		if (column > 0)
			putchar(',');
		print_field(result, row, column);
	}
	putchar(']');
}

typedef enum Shape
{
	ROW,						/* the first row */
	ROWS,						/* all rows */
	COLUMN						/* the first field of all rows */
} Shape;

/* answer: the line of a step, from a query; its error is an answer, a wrong one. */
static void
answer(const char *step, const char *how, Shape shape, PGresult *result)
{
	printf("%s\t%s\t", step, how);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		print_string(PQresultErrorMessage(result));
	else if (shape == ROW)
		print_row(result, 0);
	else
	{
		putchar('[');
		for (int row = 0; row < PQntuples(result); row++)
		{
			if (row > 0)
				putchar(',');
			if (shape == ROWS)
				print_row(result, row);
			else
				print_field(result, row, 0);
		}
		putchar(']');
	}
	putchar('\n');
	PQclear(result);
}

/* ----------
 * Files
 * ----------
 */

static FILE *
open_file(const char *path)
{
	FILE	   *file = fopen(path, "r");

	if (file == NULL)
		stop("could not open", path);
	return file;
}

/* execute_file: SQL without parameters. */
static void
execute_file(const char *path)
{
	char		sql[4096];
	FILE	   *file = open_file(path);
	PGresult   *result;

	sql[fread(sql, 1, sizeof(sql) - 1, file)] = '\0';
	fclose(file);
	result = PQexec(app, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		stop(path, PQresultErrorMessage(result));
	PQclear(result);
}

/* next_line: without its end; false after the last one. */
static bool
next_line(char *line, int room, FILE *file)
{
	if (fgets(line, room, file) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

/* ----------
 * Steps
 * ----------
 */

static void
step_create(void)
{
	execute_file(FOLDER "table.sql");
	execute_file(FOLDER "view.sql");
	answer("create", "PQexec of CREATE TABLE", COLUMN,
		   run(app, TEXT_FORMAT, "SELECT id FROM patient_revealed", NO_PARAMS));
}

static void
step_type(void)
{
	PGresult   *column = run(app, BINARY_FORMAT, "SELECT nir, born FROM patient", NO_PARAMS);
	char		oids[2][16];

	for (int i = 0; i < 2; i++)
		snprintf(oids[i], sizeof(oids[i]), "%u", PQftype(column, i));
	answer("type", "PQftype of a text and of a date column, as regtype", ROW,
		   run(app, TEXT_FORMAT, "SELECT $1::oid::regtype::text, $2::oid::regtype::text", PARAMS(TEXT(oids[0]), TEXT(oids[1]))));
	PQclear(column);
}

static void
step_insert(void)
{
	char		line[512];
	FILE	   *file = open_file(FOLDER "patients.tsv");

	next_line(line, sizeof(line), file);	/* the heading */
	while (next_line(line, sizeof(line), file))
	{
		Param		params[MAX_PARAMS];
		char	   *rest = line;

		for (int i = 0; i < MAX_PARAMS; i++)
			params[i] = TEXT(strsep(&rest, "\t"));
		execute("INSERT INTO patient VALUES ($1, $2, $3, $4, $5, $6, $7)", MAX_PARAMS, params);
	}
	fclose(file);
	answer("insert", "PQexecParams, text without a type", ROW,
		   run(app, TEXT_FORMAT, "SELECT id, nir, name, born, to_char(seen, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), dose, note"
			   " FROM patient_revealed WHERE id = 1", NO_PARAMS));
}

static void
step_null(void)
{
	execute("INSERT INTO patient VALUES ($1, $2, $3, $4, $5, $6, $7)",
			PARAMS(TEXT("5"), TEXT("555"), TEXT(NULL), TEXT(NULL), TEXT(NULL), TEXT(NULL), TEXT(NULL)));
	answer("null", "a NULL pointer", ROW,
		   run(app, TEXT_FORMAT, "SELECT name, born, seen, dose, note FROM patient_revealed WHERE id = 5", NO_PARAMS));
}

static void
step_update(void)
{
	const char *read = "SELECT born, dose, note FROM patient_revealed WHERE id = 2";
	uint32_t	born = htonl((uint32_t) BORN_DAYS);

	execute("UPDATE patient SET born = $1, dose = $2, note = $3 WHERE id = 2",
			PARAMS(TEXT("1990-01-16"), TEXT("12.50"), TEXT("négatif")));
	answer("update", "text without a type", ROW, run(app, TEXT_FORMAT, read, NO_PARAMS));

	execute("UPDATE patient SET born = $1, note = $2 WHERE id = 2",
			PARAMS(BINARY(&born, DATE_OID, sizeof(born)), BINARY("négatif", TEXT_OID, strlen("négatif"))));
	answer("update", "binary date and text", ROW, run(app, TEXT_FORMAT, read, NO_PARAMS));
}

static void
step_upsert(void)
{
	const char *upsert = "INSERT INTO patient (id, nir, name) VALUES ($1, $2, $3) ON CONFLICT (nir) DO UPDATE SET name = excluded.name";

	execute(upsert, PARAMS(TEXT("33"), TEXT("175063312345612"), TEXT("Noël")));
	execute(upsert, PARAMS(TEXT("6"), TEXT("666"), TEXT("Nadia")));
	answer("upsert", "ON CONFLICT (nir) DO UPDATE", ROWS,
		   run(app, TEXT_FORMAT, "SELECT id, name FROM patient_revealed WHERE id IN (3, 6) ORDER BY id", NO_PARAMS));
}

static void
step_equality(void)
{
	const char *nir = "184127645108946";
	const char *in_view = "SELECT id FROM patient_revealed WHERE nir = $1";
	const char *in_table = "SELECT id FROM patient WHERE nir = $1";
	PGresult   *result;

	answer("equality", "on the view", COLUMN, run(app, TEXT_FORMAT, in_view, PARAMS(TEXT(nir))));
	answer("equality", "on the table", COLUMN, run(app, TEXT_FORMAT, in_table, PARAMS(TEXT(nir))));
	answer("equality", "on the view, in binary, the result too", COLUMN,
		   run(app, BINARY_FORMAT, in_view, PARAMS(BINARY(nir, TEXT_OID, strlen(nir)))));
	answer("equality", "on the table, in binary, the result too", COLUMN,
		   run(app, BINARY_FORMAT, in_table, PARAMS(BINARY(nir, UNKNOWN_OID, strlen(nir)))));

	PQclear(PQprepare(app, "find", in_table, 1, NULL));
	for (int turn = 0; turn < 9; turn++)
		PQclear(PQexecPrepared(app, "find", 1, &nir, NULL, NULL, TEXT_FORMAT));
	result = PQexecPrepared(app, "find", 1, &nir, NULL, NULL, TEXT_FORMAT);
	answer("equality", "prepared, the tenth time", COLUMN, result);
}

static void
step_searches(void)
{
	answer("like", "LIKE", COLUMN,
		   run(app, TEXT_FORMAT, "SELECT id FROM patient_revealed WHERE name LIKE $1 ORDER BY id", PARAMS(TEXT("N%"))));
	answer("range", "two strings without a type", COLUMN,
		   run(app, TEXT_FORMAT, "SELECT id FROM patient_revealed WHERE born >= $1 AND born < $2 ORDER BY id",
			   PARAMS(TEXT("1990-01-01"), TEXT("1991-01-01"))));
	answer("page", "ORDER BY, LIMIT, OFFSET", COLUMN,
		   run(app, TEXT_FORMAT, "SELECT id FROM patient_revealed ORDER BY name LIMIT $1 OFFSET $2", PARAMS(TEXT("2"), TEXT("2"))));
	answer("native", "as all the others", ROWS,
		   run(app, TEXT_FORMAT, "SELECT id, name, dose FROM patient_revealed WHERE nir = $1 AND born > $2",
			   PARAMS(TEXT("290017512345678"), TEXT("1990-01-01"))));
}

static void
step_names(void)
{
	char		name[256];
	char		id[16];
	int			number = 10;
	FILE	   *file = open_file(FOLDER "../names.txt");

	printf("names\tone by one\t[");
	while (next_line(name, sizeof(name), file))
	{
		PGresult   *found;

		snprintf(id, sizeof(id), "%d", number);
		execute("INSERT INTO patient (id, nir, name) VALUES ($1, $2, $3)", PARAMS(TEXT(id), TEXT(id), TEXT(name)));
		found = run(app, TEXT_FORMAT, "SELECT name FROM patient_revealed WHERE name = $1 AND id >= 10", PARAMS(TEXT(name)));
		printf("%s", number++ > 10 ? "," : "");
		print_string(PQntuples(found) == 1 ? PQgetvalue(found, 0, 0) : PQresultErrorMessage(found));
		PQclear(found);
	}
	puts("]");
	fclose(file);
}

static void
step_refused(void)
{
	PGconn	   *intern = PQconnectdb("user=client_intern password=intern");
	PGresult   *reveal = PQexec(intern, "SELECT seal.reveal(nir) FROM patient WHERE id = 1");
	PGresult   *insert = run(intern, TEXT_FORMAT, "INSERT INTO patient (id, nir) VALUES (99, $1)", PARAMS(TEXT("x")));
	const char *states[] = {PQresultErrorField(reveal, PG_DIAG_SQLSTATE), PQresultErrorField(insert, PG_DIAG_SQLSTATE)};

	printf("refused\tPG_DIAG_SQLSTATE\t[\"%s\",\"%s\"]\n", states[0] ? states[0] : "", states[1] ? states[1] : "");
	PQclear(reveal);
	PQclear(insert);
	PQfinish(intern);
}

static void
step_view_writes(void)
{
	execute("INSERT INTO patient_revealed (id, nir, name, born, note) VALUES ($1, $2, $3, $4, $5)",
			PARAMS(TEXT("7"), TEXT("777"), TEXT("Vue"), TEXT("2001-02-03"), TEXT("à relire")));
	answer("view_insert", "INSERT", ROW,
		   run(app, TEXT_FORMAT, "SELECT id, name, born, note FROM patient_revealed WHERE id = 7", NO_PARAMS));
	execute("UPDATE patient_revealed SET note = $1 WHERE id = 7", PARAMS(TEXT("relu")));
	answer("view_update", "UPDATE", COLUMN,
		   run(app, TEXT_FORMAT, "SELECT note FROM patient_revealed WHERE id = 7", NO_PARAMS));
}

int
main(void)
{
	int			version = PQlibVersion();

	app = PQconnectdb("client_encoding=UTF8");
	if (PQstatus(app) != CONNECTION_OK)
		stop("could not connect", PQerrorMessage(app));
	printf("client\tlibpq %d.%d\n", version / 10000, version % 10000);
	step_create();
	step_type();
	step_insert();
	step_null();
	step_update();
	step_upsert();
	step_equality();
	step_searches();
	step_names();
	step_refused();
	step_view_writes();
	PQfinish(app);
	return 0;
}
