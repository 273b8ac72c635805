/*
 * test_libpq.c
 *		libpq: parameters and results in text and in binary, declared as what
 *		applications declare them; COPY in binary, out and in.
 *
 * Prints TAP.
 */
#define _GNU_SOURCE				/* memmem */

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC		"\377seal1\r\n"
#define MAGIC_LEN	8

#define TEXT_FORMAT		0
#define BINARY_FORMAT	1

#define UNKNOWN_OID		0
#define BYTEA_OID		17
#define INT8_OID		20
#define INT4_OID		23
#define TEXT_OID		25
#define VARCHAR_OID		1043
#define TEXT_ARRAY_OID	1009
#define DATE_OID		1082

static PGconn *app;
static Oid	sealed_text_oid;
static int	tests = 0;
static int	failures = 0;

/* ----------
 * TAP
 * ----------
 */

static void __attribute__((format(printf, 2, 3)))
ok(bool passed, const char *format, ...)
{
	va_list		arguments;

	printf("%sok %d - ", passed ? "" : "not ", ++tests);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	failures += !passed;
}

static void
is(const char *got, const char *expected, const char *name)
{
	bool		same = got && expected ? strcmp(got, expected) == 0 : got == expected;

	ok(same, "%s", name);
	if (!same)
		printf("# got %s, expected %s\n", got ? got : "NULL", expected ? expected : "NULL");
}

/* stop: no plan, so that the file counts as failed. */
static void __attribute__((noreturn))
stop(const char *what, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

/* must: what every later test stands on. */
static PGresult *
must(PGresult *result, const char *what)
{
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
		status != PGRES_COPY_IN && status != PGRES_COPY_OUT)
		stop(what, PQresultErrorMessage(result));
	return result;
}

/* ----------
 * Statements
 * ----------
 */

typedef struct Param
{
	Oid			type;
	int			format;
	const char *bytes;			/* NULL: an SQL NULL */
	int			len;			/* of binary bytes */
} Param;

static Param
text_param(Oid type, const char *text)
{
	return (Param) {type, TEXT_FORMAT, text, 0};
}

static Param
binary_param(Oid type, const void *bytes, int len)
{
	return (Param) {type, BINARY_FORMAT, bytes, len};
}

static PGresult *
run(PGconn *connection, int result_format, const char *sql, int count, const Param *params)
{
	Oid			types[8];
	const char *values[8];
	int			lengths[8];
	int			formats[8];

	for (int i = 0; i < count; i++)
	{
		types[i] = params[i].type;
		values[i] = params[i].bytes;
		lengths[i] = params[i].len;
		formats[i] = params[i].format;
	}
	return PQexecParams(connection, sql, count, types, values, lengths, formats, result_format);
}

#define RUN(result_format, sql, ...) \
	run(app, result_format, sql, \
		sizeof((Param[]) {__VA_ARGS__}) / sizeof(Param), (Param[]) {__VA_ARGS__})

static void
execute(PGconn *connection, const char *sql)
{
	PQclear(must(PQexec(connection, sql), sql));
}

/* field: the first field of a query, or its error; to be freed. */
static char *
field(PGconn *connection, const char *sql)
{
	PGresult   *result = PQexec(connection, sql);
	char	   *value = NULL;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		value = strdup(PQresultErrorMessage(result));
	else if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
		value = strdup(PQgetvalue(result, 0, 0));
	PQclear(result);
	return value;
}

static void
field_is(const char *sql, const char *expected, const char *name)
{
	char	   *value = field(app, sql);

	is(value, expected, name);
	free(value);
}

/* insert_is: INSERT with these parameters, then a query of what it wrote. */
static void
insert_is(PGresult *inserted, const char *sql, const char *expected, const char *name)
{
	if (PQresultStatus(inserted) != PGRES_COMMAND_OK)
		is(PQresultErrorMessage(inserted), "", name);
	else
		field_is(sql, expected, name);
	PQclear(inserted);
}

/* found_is: a query's rows, first column, joined by blanks. */
static void
found_is(PGresult *result, const char *expected, const char *name)
{
	char		found[256] = "";

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		is(PQresultErrorMessage(result), expected, name);
	else
	{
		for (int row = 0; row < PQntuples(result); row++)
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
					 row ? " " : "", PQgetvalue(result, row, 0));
		is(found, expected, name);
	}
	PQclear(result);
}

static void
state_is(PGresult *result, const char *sqlstate, const char *name)
{
	is(PQresultErrorField(result, PG_DIAG_SQLSTATE), sqlstate, name);
	PQclear(result);
}

/* read_file: a whole file as a string; to be freed. */
static char *
read_file(const char *path)
{
	FILE	   *file = path ? fopen(path, "rb") : NULL;
	size_t		room = 1 << 20;
	char	   *text = malloc(room);
	size_t		len;

	if (file == NULL || text == NULL)
		stop("could not read", path ? path : "a file that no variable names");
	len = fread(text, 1, room - 1, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

/* ----------
 * Tests
 * ----------
 */

static void
test_parameters_in(void)
{
	const char *insert = "INSERT INTO patient (id, nir) VALUES ($1, $2)";
	const char *open = "SELECT seal.reveal(nir) FROM patient ORDER BY id DESC LIMIT 1";
	uint32_t	id = htonl(7);
	uint32_t	born = htonl((uint32_t) -5507);	/* 1984-12-03, in days from 2000-01-01 */

	insert_is(RUN(TEXT_FORMAT, insert, text_param(INT4_OID, "1"), text_param(UNKNOWN_OID, "unknown")),
			  open, "unknown", "insert: text without a type");
	insert_is(RUN(TEXT_FORMAT, insert, text_param(INT4_OID, "2"), text_param(TEXT_OID, "text")),
			  open, "text", "insert: text as text");
	insert_is(RUN(TEXT_FORMAT, insert, text_param(INT4_OID, "3"), text_param(VARCHAR_OID, "varchar")),
			  open, "varchar", "insert: text as varchar");
	insert_is(RUN(TEXT_FORMAT, insert, text_param(INT4_OID, "4"), text_param(sealed_text_oid, "sealed")),
			  open, "sealed", "insert: text as sealed_text");
	insert_is(RUN(TEXT_FORMAT, insert, text_param(INT4_OID, "5"), binary_param(TEXT_OID, "text \303\251", 7)),
			  open, "text \303\251", "insert: binary as text");
	insert_is(RUN(TEXT_FORMAT, insert, text_param(INT4_OID, "6"), binary_param(sealed_text_oid, "sealed \303\251", 9)),
			  open, "sealed \303\251", "insert: binary as sealed_text");
	insert_is(RUN(TEXT_FORMAT, insert, binary_param(INT4_OID, &id, 4), binary_param(UNKNOWN_OID, "unknown \303\251", 10)),
			  open, "unknown \303\251", "insert: binary without a type");
	insert_is(RUN(TEXT_FORMAT, "UPDATE patient SET visits = $1, born = $2 WHERE id = 1",
				  binary_param(INT4_OID, &id, 4), binary_param(DATE_OID, &born, 4)),
			  "SELECT concat_ws(' ', seal.reveal(visits), born::date) FROM patient WHERE id = 1", "7 1984-12-03",
			  "update: binary int4 and date");
	insert_is(RUN(TEXT_FORMAT, "UPDATE patient SET name = $1, born = $2 WHERE id = 1",
				  text_param(UNKNOWN_OID, NULL), text_param(UNKNOWN_OID, NULL)),
			  "SELECT (name IS NULL AND born IS NULL)::text FROM patient WHERE id = 1", "true", "update: NULL");
	insert_is(RUN(TEXT_FORMAT, "INSERT INTO patient (id, name) VALUES (10, $1), (11, $1), (12, $2)",
				  text_param(UNKNOWN_OID, "twice"), text_param(UNKNOWN_OID, "")),
			  "SELECT string_agg(seal.reveal(name), '/' ORDER BY id) FROM patient WHERE id BETWEEN 10 AND 12", "twice/twice/",
			  "insert: several rows, one of them empty");
	field_is("SELECT count(DISTINCT name) || '/' || count(DISTINCT to_jsonb(patient)->>'name')"
			 " FROM patient WHERE id IN (10, 11)", "1/2", "one parameter in two rows: equal values, two ciphertexts");
	insert_is(RUN(TEXT_FORMAT, "INSERT INTO patient (id, nir, name) VALUES (99, $1, $2)"
				  " ON CONFLICT (nir) DO UPDATE SET name = excluded.name",
				  text_param(UNKNOWN_OID, "text"), text_param(UNKNOWN_OID, "upserted")),
			  "SELECT id || ' ' || seal.reveal(name) FROM patient WHERE nir = 'text'", "2 upserted",
			  "upsert finds the row by its sealed column");
}

static void
test_search(void)
{
	const char *by_nir = "SELECT id FROM patient WHERE nir = $1";
	const char *by_any = "SELECT id FROM patient WHERE nir = ANY($1) ORDER BY id";

	found_is(RUN(TEXT_FORMAT, by_nir, text_param(UNKNOWN_OID, "varchar")), "3", "search: text without a type");
	found_is(RUN(TEXT_FORMAT, by_nir, text_param(TEXT_OID, "varchar")), "3", "search: text as text");
	found_is(RUN(TEXT_FORMAT, by_nir, text_param(VARCHAR_OID, "varchar")), "3", "search: text as varchar");
	found_is(RUN(TEXT_FORMAT, by_nir, text_param(sealed_text_oid, "varchar")), "3", "search: text as sealed_text");
	found_is(RUN(TEXT_FORMAT, by_nir, binary_param(TEXT_OID, "varchar", 7)), "3", "search: binary as text");
	found_is(RUN(TEXT_FORMAT, by_nir, binary_param(UNKNOWN_OID, "varchar", 7)), "3", "search: binary without a type");
	found_is(RUN(TEXT_FORMAT, by_nir, text_param(UNKNOWN_OID, "nobody")), "", "search: nobody");
	found_is(RUN(TEXT_FORMAT, by_nir, text_param(UNKNOWN_OID, NULL)), "", "search: NULL");
	found_is(RUN(TEXT_FORMAT, by_any, text_param(UNKNOWN_OID, "{text,varchar,nobody}")), "2 3", "= ANY: array without a type");
	found_is(RUN(TEXT_FORMAT, by_any, text_param(TEXT_ARRAY_OID, "{text,varchar,nobody}")), "2 3", "= ANY: text[]");
	found_is(RUN(TEXT_FORMAT, "SELECT id FROM patient WHERE nir IN ($1, $2) ORDER BY id",
				 text_param(UNKNOWN_OID, "text"), text_param(VARCHAR_OID, "varchar")), "2 3", "IN");
	state_is(RUN(TEXT_FORMAT, "SELECT id FROM patient WHERE visits = $1", text_param(UNKNOWN_OID, "7")),
			 "0A000", "search: 0A000 when the key is not searchable");
}

static void
test_index(void)
{
	PGresult   *plan;
	bool		found = false;

	execute(app, "SET enable_seqscan = off");
	plan = must(RUN(TEXT_FORMAT, "EXPLAIN (COSTS OFF) SELECT id FROM patient WHERE nir = $1",
					text_param(UNKNOWN_OID, "varchar")), "EXPLAIN");
	for (int row = 0; row < PQntuples(plan); row++)
		found = found || strstr(PQgetvalue(plan, row, 0), "Index Scan using patient_nir_key");
	ok(found, "search by a parameter uses the index");
	PQclear(plan);
	execute(app, "RESET enable_seqscan");
}

/* is_envelope: has a binary field the magic, and nothing of the plain value? */
static bool
is_envelope(PGresult *result, int row, int column, const char *plain)
{
	const char *bytes = PQgetvalue(result, row, column);
	int			len = PQgetlength(result, row, column);

	return len > MAGIC_LEN && memcmp(bytes, MAGIC, MAGIC_LEN) == 0 && memmem(bytes, len, plain, strlen(plain)) == NULL;
}

static void
test_results(void)
{
	const char *select = "SELECT nir FROM patient WHERE id = 3";
	PGresult   *text = must(run(app, TEXT_FORMAT, select, 0, NULL), select);
	PGresult   *binary = must(run(app, BINARY_FORMAT, select, 0, NULL), select);
	PGresult   *opened = run(app, BINARY_FORMAT, "SELECT seal.reveal(nir) FROM patient WHERE id = 3", 0, NULL);

	ok(PQftype(text, 0) == sealed_text_oid, "result: the type is sealed_text");
	ok(strncmp(PQgetvalue(text, 0, 0), "seal1:", 6) == 0, "result: text starts with seal1:");
	ok(is_envelope(binary, 0, 0, "varchar"), "result: binary starts with the magic");
	is(PQgetvalue(opened, 0, 0), "varchar", "result: reveal in binary");

	insert_is(RUN(TEXT_FORMAT, "UPDATE patient SET nir = $1 WHERE id = 3", text_param(UNKNOWN_OID, PQgetvalue(text, 0, 0))),
			  "SELECT seal.reveal(nir) FROM patient WHERE id = 3", "varchar", "an envelope read as text can be written back");
	insert_is(RUN(TEXT_FORMAT, "UPDATE patient SET nir = $1 WHERE id = 3",
				  binary_param(UNKNOWN_OID, PQgetvalue(binary, 0, 0), PQgetlength(binary, 0, 0))),
			  select, PQgetvalue(text, 0, 0), "an envelope read in binary can be written back, unchanged");
	state_is(RUN(TEXT_FORMAT, "UPDATE patient SET name = $1 WHERE id = 3",
				 binary_param(UNKNOWN_OID, PQgetvalue(binary, 0, 0), PQgetlength(binary, 0, 0))),
			 "22023", "an envelope of another key is refused");
	PQclear(text);
	PQclear(binary);
	PQclear(opened);

	state_is(RUN(TEXT_FORMAT, "UPDATE patient SET nir = $1 WHERE id = 3", text_param(UNKNOWN_OID, "seal1:AAAA")),
			 "22P02", "a malformed envelope in text is refused");
	state_is(RUN(TEXT_FORMAT, "UPDATE patient SET nir = $1 WHERE id = 3", binary_param(UNKNOWN_OID, MAGIC "AAAA", MAGIC_LEN + 4)),
			 "22P03", "a malformed envelope in binary is refused");
	state_is(RUN(TEXT_FORMAT, "UPDATE patient SET nir = $1 WHERE id = 3", binary_param(UNKNOWN_OID, "\377\376", 2)),
			 "22P03", "bytes that are not UTF-8 are refused");
}

static void
test_prepared(void)
{
	const char *values[2] = {NULL, "three times"};
	const char *ids[] = {"20", "21", "22"};

	PQclear(must(PQprepare(app, "insert_name", "INSERT INTO patient (id, name) VALUES ($1, $2)", 2, NULL), "prepare"));
	for (int i = 0; i < 3; i++)
	{
		values[0] = ids[i];
		PQclear(must(PQexecPrepared(app, "insert_name", 2, values, NULL, NULL, TEXT_FORMAT), "execute"));
	}
	field_is("SELECT count(DISTINCT to_jsonb(patient)->>'name') FROM patient WHERE id BETWEEN 20 AND 22", "3",
			 "prepared, executed three times: three ciphertexts");
	field_is("SELECT count(*) FROM patient WHERE name = 'three times'", "3", "and three equal values");
}

/* A revealing view describes its parameters and columns in plain types, and takes both formats. */
static void
test_view(void)
{
	const Oid	types[] = {INT4_OID, TEXT_OID, DATE_OID, INT8_OID, BYTEA_OID};
	const uint32_t born = htonl(366);	/* days since 2000-01-01 */
	const char *values[] = {"50", "by view", (const char *) &born, "7", "\001\002"};
	const int	lengths[] = {0, 0, sizeof(born), 0, 2};
	const int	formats[] = {TEXT_FORMAT, TEXT_FORMAT, BINARY_FORMAT, TEXT_FORMAT, BINARY_FORMAT};
	PGresult   *described;
	PGresult   *written;
	bool		plain = true;

	execute(app, "SELECT seal.create_revealing_view('patient')");
	PQclear(must(PQprepare(app, "view", "INSERT INTO patient_revealed (id, nir, born, visits, scan) VALUES ($1, $2, $3, $4, $5)"
						   " RETURNING nir, born, visits", 0, NULL), "prepare"));
	described = must(PQdescribePrepared(app, "view"), "describe");
	for (int i = 0; i < 5; i++)
		plain = plain && PQparamtype(described, i) == types[i];
	ok(PQnparams(described) == 5 && plain, "view: parameters are described in the plain types");
	ok(PQftype(described, 0) == TEXT_OID && PQftype(described, 1) == DATE_OID && PQftype(described, 2) == INT8_OID,
	   "view: and so are the columns it returns");
	written = PQexecPrepared(app, "view", 5, values, lengths, formats, TEXT_FORMAT);
	found_is(written, "by view", "view: a row is written, its parameters in text and in binary");
	field_is("SELECT concat_ws(' ', seal.reveal(nir), born::date, visits::int4, seal.reveal(scan)) FROM patient WHERE id = 50",
			 "by view 2001-01-01 7 \\x0102", "view: and sealed in the table");
	found_is(RUN(TEXT_FORMAT, "UPDATE patient_revealed SET nir = nir || $2 WHERE id = $1 RETURNING nir",
				 text_param(UNKNOWN_OID, "50"), text_param(VARCHAR_OID, "!")), "by view!", "view: updated with a varchar parameter");
	PQclear(described);
}

/* Names are written, found and read one by one, as an application would. */
static void
test_names(void)
{
	char	   *names = read_file(getenv("CLIENTS_NAMES"));
	char	   *rest = NULL;
	char		id[16];
	int			count = 0;
	int			written = 0;
	int			found = 0;

	PQclear(must(PQprepare(app, "write", "INSERT INTO patient (id, nir, name) VALUES ($1, $2, $2)", 2, NULL), "prepare"));
	PQclear(must(PQprepare(app, "find", "SELECT id, seal.reveal(name) FROM patient WHERE nir = $1", 1, NULL), "prepare"));
	execute(app, "BEGIN");
	for (char *name = strtok_r(names, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest))
	{
		const char *row[] = {id, name};
		PGresult   *result;

		snprintf(id, sizeof(id), "%d", 1000 + count++);
		result = PQexecPrepared(app, "write", 2, row, NULL, NULL, TEXT_FORMAT);
		written += PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
		result = PQexecPrepared(app, "find", 1, row + 1, NULL, NULL, TEXT_FORMAT);
		found += PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), id) == 0 && strcmp(PQgetvalue(result, 0, 1), name) == 0;
		PQclear(result);
	}
	execute(app, "COMMIT");
	ok(count > 0 && written == count, "names of all scripts are written: %d of %d", written, count);
	ok(found == count, "and found and read: %d of %d", found, count);
	free(names);
}

/* copy_out: the bytes of COPY TO STDOUT; to be freed. */
static char *
copy_out(const char *sql, size_t *len)
{
	char	   *all = NULL;
	char	   *chunk;
	int			chunk_len;

	*len = 0;
	PQclear(must(PQexec(app, sql), sql));
	while ((chunk_len = PQgetCopyData(app, &chunk, 0)) > 0)
	{
		all = realloc(all, *len + chunk_len);
		memcpy(all + *len, chunk, chunk_len);
		*len += chunk_len;
		PQfreemem(chunk);
	}
	PQclear(must(PQgetResult(app), sql));
	while (PQgetResult(app))
		;
	return all;
}

static void
copy_in(const char *sql, const char *bytes, size_t len)
{
	PQclear(must(PQexec(app, sql), sql));
	PQputCopyData(app, bytes, len);
	PQputCopyEnd(app, NULL);
	PQclear(must(PQgetResult(app), sql));
	while (PQgetResult(app))
		;
}

static void
test_copy(void)
{
	/* header, then one row of two columns: id 30, nir "copied" */
	static const char plain[] = "PGCOPY\n\377\r\n\0" "\0\0\0\0" "\0\0\0\0"
		"\0\2" "\0\0\0\4" "\0\0\0\36" "\0\0\0\6" "copied" "\377\377";
	size_t		len;
	char	   *rows;

	copy_in("COPY patient (id, nir) FROM STDIN (FORMAT binary)", plain, sizeof(plain) - 1);
	field_is("SELECT seal.reveal(nir) FROM patient WHERE id = 30", "copied", "COPY in binary: plain values are sealed");

	execute(app, "CREATE TEMP TABLE before AS SELECT id, to_jsonb(patient) AS envelopes FROM patient");
	rows = copy_out("COPY patient TO STDOUT (FORMAT binary)", &len);
	ok(memmem(rows, len, MAGIC, MAGIC_LEN) && !memmem(rows, len, "varchar", 7) && !memmem(rows, len, "copied", 6),
	   "COPY out in binary: envelopes, no plain value");
	execute(app, "TRUNCATE patient");
	copy_in("COPY patient FROM STDIN (FORMAT binary)", rows, len);
	field_is("SELECT count(*) > 0 AND bool_and(to_jsonb(patient) = envelopes) FROM before LEFT JOIN patient USING (id)", "t",
			 "COPY in of what COPY out gave: the same envelopes");
	field_is("SELECT id FROM patient WHERE nir = 'copied'", "30", "and they are found");
	free(rows);
}

static void
test_without_right(void)
{
	PGconn	   *intern = PQconnectdb("user=client_intern password=intern");

	state_is(PQexec(intern, "SELECT seal.reveal(nir) FROM patient"), "42501", "without a right: reveal");
	state_is(run(intern, TEXT_FORMAT, "INSERT INTO patient (id, nir) VALUES (40, $1)", 1,
				 (Param[]) {text_param(UNKNOWN_OID, "x")}), "42501", "without a right: insert");
	state_is(run(intern, TEXT_FORMAT, "SELECT id FROM patient WHERE nir = $1", 1,
				 (Param[]) {text_param(TEXT_OID, "text")}), "42501", "without a right: search");
	PQfinish(intern);
}

int
main(void)
{
	char	   *table = read_file("test/clients/patient.sql");
	char	   *oid;

	app = PQconnectdb("client_encoding=UTF8");
	if (PQstatus(app) != CONNECTION_OK)
		stop("could not connect", PQerrorMessage(app));
	oid = field(app, "SELECT 'sealed_text'::regtype::oid");
	sealed_text_oid = (Oid) strtoul(oid, NULL, 10);
	execute(app, table);
	free(oid);
	free(table);

	test_parameters_in();
	test_search();
	test_index();
	test_results();
	test_prepared();
	test_view();
	test_names();
	test_copy();
	test_without_right();
	PQfinish(app);
	printf("1..%d\n", tests);
	return failures > 0;
}
