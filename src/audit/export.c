/*-------------------------------------------------------------------------
 * export.c
 *		The log in a form that verifies without the database.
 *
 * Floor 2.  Lines, their fields separated by tabs, bytes in hexadecimal:
 *
 *		pgseal audit export 1
 *		note	a line of the last checkpoint; one of these for each
 *		node	level	index	hash		subtrees left and right of the entries
 *		entry	number	leaf	[group	salt	bytes]...	as entry.c has them
 *		entry	number	leaf	purged
 *
 * The nodes and the leaves together make up the tree that the checkpoint
 * signs.  Whoever is given a part learns of the rest only hashes.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/audit.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "audit/log.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(pgseal_export_audit);
PG_FUNCTION_INFO_V1(pgseal_audit_reading);

typedef struct Export
{
	ReturnSetInfo *result;
	LogTree		tree;
	int64		size;			/* of the checkpoint */
	int64		from;
	int64		to;				/* the first that is not given */
} Export;

/* put_line: one line of the result. */
static void
put_line(Export *export, const char *line)
{
	Datum		value = CStringGetTextDatum(line);
	bool		isnull = false;

	tuplestore_putvalues(export->result->setResult, export->result->setDesc, &value, &isnull);
}

/* add_hex: bytes in hexadecimal. */
static void
add_hex(StringInfo line, const void *bytes, size_t len)
{
	enlargeStringInfo(line, (int) (2 * len + 1));
	sodium_bin2hex(line->data + line->len, 2 * len + 1, bytes, len);
	line->len += (int) (2 * len);
}

/* put_note: the checkpoint, line by line. */
static void
put_note(Export *export, const char *note)
{
	while (*note != '\0')
	{
		size_t		len = strcspn(note, "\n");

		put_line(export, psprintf("note\t%s", pnstrdup(note, len)));
		note += len + (note[len] == '\n');
	}
}

/* put_nodes: the complete subtrees that make up a stretch of leaves. */
static void
put_nodes(Export *export, uint64 from, uint64 to)
{
	MerkleStore store = tree_store(&export->tree);

	while (from < to)
	{
		uint8		level = 0;
		MerkleHash	hash;
		StringInfoData line;

		while (from % (UINT64CONST(2) << level) == 0 && from + (UINT64CONST(2) << level) <= to)
			level++;
		if (!store.fetch(&hash, level, from >> level, store.context))
			error_raise(SEAL_E_LOG_BROKEN, NULL);
		initStringInfo(&line);
		appendStringInfo(&line, "node\t%d\t" UINT64_FORMAT "\t", level, from >> level);
		add_hex(&line, hash.bytes, MERKLE_HASH_BYTES);
		put_line(export, line.data);
		from += UINT64CONST(1) << level;
	}
}

/* put_groups: salt and bytes of the groups that an entry has. */
static void
put_groups(StringInfo line, const LogEntry *entry)
{
	unsigned char salts[LOG_GROUPS * LOG_SALT_BYTES];
	StringInfoData bytes;

	entry_salts(salts, entry);
	for (int group = 0; group < LOG_GROUPS; group++)
	{
		if (!entry_group_present(entry, group))
			continue;
		initStringInfo(&bytes);
		entry_group(&bytes, entry, group);
		appendStringInfo(line, "\t%d\t", group);
		add_hex(line, salts + group * LOG_SALT_BYTES, LOG_SALT_BYTES);
		appendStringInfoChar(line, '\t');
		add_hex(line, bytes.data, bytes.len);
	}
}

/* put_entry: one entry. */
static void
put_entry(Export *export, HeapTuple tuple)
{
	LogEntry	entry;
	StringInfoData line;
	struct varlena *leaf;

	heap_deform_tuple(tuple, RelationGetDescr(export->tree.entries), entry.values, entry.nulls);
	leaf = PG_DETOAST_DATUM_PACKED(entry.values[ENTRY_LEAF]);
	initStringInfo(&line);
	appendStringInfo(&line, "entry\t" INT64_FORMAT "\t", DatumGetInt64(entry.values[ENTRY_NUMBER]));
	add_hex(&line, VARDATA_ANY(leaf), VARSIZE_ANY_EXHDR(leaf));
	if (entry.nulls[ENTRY_SALT])
		appendStringInfoString(&line, "\tpurged");
	else
		put_groups(&line, &entry);
	put_line(export, line.data);
}

/* put_entries: those of the stretch. */
static void
put_entries(Export *export)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	MemoryContext per_entry = AllocSetContextCreate(CurrentMemoryContext, "pgseal export", ALLOCSET_DEFAULT_SIZES);

	ScanKeyInit(&keys[0], ENTRY_NUMBER + 1, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(export->from));
	ScanKeyInit(&keys[1], ENTRY_NUMBER + 1, BTLessStrategyNumber, F_INT8LT, Int64GetDatum(export->to));
	scan = systable_beginscan_ordered(export->tree.entries, export->tree.entry_index,
									  export->tree.snapshot, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		MemoryContext outer = MemoryContextSwitchTo(per_entry);

		CHECK_FOR_INTERRUPTS();
		put_entry(export, tuple);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(per_entry);
	}
	systable_endscan_ordered(scan);
	MemoryContextDelete(per_entry);
}

/* read_stretch: the checkpoint, and which of its entries are asked for. */
static char *
read_stretch(Export *export, FunctionCallInfo fcinfo)
{
	Relation	states = log_open("audit_state", AccessShareLock);
	LogState	state;

	state_read(&state, states, export->tree.snapshot);
	table_close(states, AccessShareLock);
	if (state.tuple == NULL || state.nulls[STATE_CHECKPOINT])
		error_raise(SEAL_E_NO_CHECKPOINT, "there is none yet; call seal.checkpoint()");
	export->size = DatumGetInt64(state.values[STATE_CHECKPOINT_SIZE]);
	export->from = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	export->to = PG_ARGISNULL(1) ? export->size : PG_GETARG_INT64(1) + 1;
	if (export->from < 0 || export->from > export->to || export->to > export->size)
		error_raise(SEAL_E_LOG_NUMBER, NULL);
	return unconstify(char *, state_text(&state, STATE_CHECKPOINT));
}

/* note_reading: a record that the log is read. */
static void
note_reading(const char *what, AuditAction action)
{
	AuditRecord record = {.action = action,.relation = psprintf("seal.%s", what),.what = what, AUDIT_NO_COUNTS};

	audit_append(&record, true);
}

/* seal.export_audit(from_entry bigint, to_entry bigint) returns setof text */
Datum
pgseal_export_audit(PG_FUNCTION_ARGS)
{
	Export		export;
	char	   *note;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	note_reading("audit_entry", AUDIT_EXPORT);
	export.result = (ReturnSetInfo *) fcinfo->resultinfo;
	tree_open(&export.tree, RegisterSnapshot(GetActiveSnapshot()));
	note = read_stretch(&export, fcinfo);
	put_line(&export, "pgseal audit export 1");
	put_note(&export, note);
	put_nodes(&export, 0, (uint64) export.from);
	put_nodes(&export, (uint64) export.to, (uint64) export.size);
	put_entries(&export);
	UnregisterSnapshot(export.tree.snapshot);
	tree_close(&export.tree);
	return (Datum) 0;
}

/* seal.audit_reading(view_name text) returns boolean: only who may read that view can say that he does */
Datum
pgseal_audit_reading(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	log_require_reader(name);
	note_reading(name, AUDIT_OPEN);
	PG_RETURN_BOOL(true);
}
