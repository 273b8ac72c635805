/*-------------------------------------------------------------------------
 * fuzz_ring.c
 *		Fuzz target: any bytes as a row of the key ring, any text as an export.
 *
 * The first byte of the input says how the rest is taken:
 *
 *		0	a row: one byte for the table, then the bytes of row_decode()
 *		1	the text of an export
 *		2	an export of rows, each one byte for the table, two for the length
 *			and its bytes, dressed in header, base64 and mac line
 *
 * A row that is decoded must be encoded to as many bytes (columns may have
 * come in another order), and from then on to the same.  A ring that took an
 * export must export what it takes nothing from.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "fuzz.h"

#include "server.h"

#define HEADER		"pgseal-ring 1 0123456789abcdef 7\n"
#define MAC_LINE	"mac 0000000000000000000000000000000000000000000000000000000000000000\n"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	server_start();
	return 0;
}

/* A row's bytes, and what became of them. */
typedef struct RowTry
{
	RingTable	table;
	const char *bytes;
	size_t		len;
	bool		decoded;
	StringInfoData encoded;
} RowTry;

/* recode_row: decode, and encode what came out. */
static void
recode_row(void *arg)
{
	RowTry	   *try = arg;
	TupleDesc	desc = ring_table(try->table)->desc;
	RingRow		row;

	try->decoded = row_decode(&row, try->table, desc, try->bytes, try->len);
	if (!try->decoded)
		return;
	initStringInfo(&try->encoded);
	row_encode(&try->encoded, &row, desc, true);
}

static void
try_row(RingTable table, const char *bytes, size_t len)
{
	RowTry		first = {.table = table, .bytes = bytes, .len = len};
	RowTry		second = {.table = table};

	if (server_try(recode_row, &first) != SEAL_OK || !first.decoded)
		return;
	REQUIRE((size_t) first.encoded.len == len);
	second.bytes = first.encoded.data;
	second.len = first.encoded.len;
	REQUIRE(server_try(recode_row, &second) == SEAL_OK && second.decoded);
	REQUIRE((size_t) second.encoded.len == len);
	REQUIRE(memcmp(first.encoded.data, second.encoded.data, len) == 0);
}

typedef struct ExportTry
{
	const char *text;
	int			taken;
} ExportTry;

static void
import_text(void *arg)
{
	ExportTry  *try = arg;

	try->taken = ring_import(try->text);
}

static void
export_text(void *arg)
{
	*(char **) arg = ring_export();
}

static void
try_export(const char *text)
{
	ExportTry	first = {.text = text};
	ExportTry	second = {0};
	char	   *exported;
	int			error;

	if (server_try(import_text, &first) != SEAL_OK)
		return;
	REQUIRE(server_try(export_text, &exported) == SEAL_OK);
	second.text = exported;
	error = server_try(import_text, &second);
	/* a wrapped secret of another length opens for nobody, here neither */
	REQUIRE(error == SEAL_E_RING_CONFLICT || (error == SEAL_OK && second.taken == 0));
}

/* append_line: the next row of the input as a line of an export. */
static void
append_line(StringInfo text, Input *input)
{
	RingTable	table = take_byte(input) % RING_TABLES;
	size_t		len = take_byte(input);
	char		base64[2048];

	len = len << 8 | take_byte(input);
	len = Min(len, input->left);
	len = Min(len, 1024);
	sodium_bin2base64(base64, sizeof(base64), input->next, len, sodium_base64_VARIANT_ORIGINAL);
	input->next += len;
	input->left -= len;
	appendStringInfo(text, "%s ", ring_table_name(table));
	appendBinaryStringInfo(text, base64, strlen(base64));
	appendStringInfoChar(text, '\n');
}

static void
try_rows(Input *input)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, HEADER);
	while (input->left > 0)
		append_line(&text, input);
	appendStringInfo(&text, MAC_LINE);
	try_export(text.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	Input		input = {data, len};
	uint8_t		way = take_byte(&input);
	RingTable	table;
	char	   *rest;

	switch (way % 3)
	{
		case 0:
			table = take_byte(&input) % RING_TABLES;
			rest = (char *) copy_exactly(input.next, input.left);
			try_row(table, rest, input.left);
			free(rest);
			break;
		case 1:
			rest = pnstrdup((const char *) input.next, input.left);
			try_export(rest);
			break;
		default:
			try_rows(&input);
			break;
	}
	server_forget();
	return 0;
}
