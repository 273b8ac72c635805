/*-------------------------------------------------------------------------
 * ingest.c
 *		From segments and committed writes into the log, each record once.
 *
 * Floor 2.  An entry names the segment it was read from and the byte where it
 * ends there, so the log itself says how far each segment is read: entry and
 * position commit as one, and a copied folder can be fed late or twice.
 *
 * What cannot be read is entered as such: the log never waits for a record
 * that somebody altered.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/ingest.h"

#include <dirent.h>
#include <sys/stat.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "storage/fd.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* A batch that is being taken in. */
typedef struct Ingest
{
	LogWriter	writer;
	LogTree		log;			/* for what was taken in before */
	Relation	source_index;	/* (start, segment, position) */
	Relation	serial_index;	/* (start, serial) */
	MemoryContext per_entry;
	int64		left;			/* entries that this batch may still append */
} Ingest;

/* ----------
 * What is there
 * ----------
 */

/* compare_files: list_sort; starts in their order, then segments in theirs. */
static int
compare_files(const ListCell *a, const ListCell *b)
{
	const SegmentFile *left = lfirst(a);
	const SegmentFile *right = lfirst(b);
	int			order;

	if (left->started_at != right->started_at)
		return left->started_at < right->started_at ? -1 : 1;
	order = memcmp(left->id.start, right->id.start, AUDIT_START_BYTES);
	if (order != 0)
		return order;
	return left->id.number < right->id.number ? -1 : left->id.number > right->id.number;
}

/* look_at_file: one file of the folder; NULL when it is no segment of this database. */
static SegmentFile *
look_at_file(const char *folder, const char *name)
{
	SegmentFile *file = palloc0(sizeof(SegmentFile));
	AuditSegment head;

	if (!audit_segment_of_name(&file->id, MyDatabaseId, name))
		return NULL;
	file->path = psprintf("%s/%s", folder, name);
	if (!audit_segment_load(&head, file->path, 0, AUDIT_SEGMENT_FIRST) ||
		head.id.database != file->id.database || head.id.number != file->id.number ||
		memcmp(head.id.start, file->id.start, AUDIT_START_BYTES) != 0)
		return NULL;
	file->started_at = head.started_at;
	pfree(head.bytes);
	return file;
}

/* mark_open: the last segment of this start is being written, or was just made to be. */
static void
mark_open(List *files)
{
	ListCell   *cell;
	SegmentFile *last = NULL;

	foreach(cell, files)
	{
		SegmentFile *file = lfirst(cell);

		if (memcmp(file->id.start, audit_start(), AUDIT_START_BYTES) == 0)
			last = file;
	}
	if (last != NULL)
		last->open = true;
}

/*
 * ingest_files
 *		The segments of this database in a folder, in the order to read them.
 */
List *
ingest_files(const char *folder)
{
	List	   *files = NIL;
	DIR		   *dir = AllocateDir(folder);
	struct dirent *item;

	if (dir == NULL && errno == ENOENT)
		return NIL;
	while ((item = ReadDir(dir, folder)) != NULL)
	{
		SegmentFile *file = look_at_file(folder, item->d_name);

		if (file != NULL)
			files = lappend(files, file);
	}
	FreeDir(dir);
	list_sort(files, compare_files);
	mark_open(files);
	return files;
}

/* ----------
 * What was taken in before
 * ----------
 */

/* index_of: the index of the entries on start and one more column. */
static Relation
index_of(Relation entries, AttrNumber second)
{
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(entries))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indnkeyatts > 1 && index->rd_index->indkey.values[1] == second)
			return index;
		index_close(index, AccessShareLock);
	}
	error_raise(SEAL_E_LOG_BROKEN, NULL);
}

/* source_keys: scan keys on start and one more column. */
static void
source_keys(ScanKeyData keys[2], const AuditSegmentId *id, AttrNumber second, RegProcedure equal,
			Datum value)
{
	ScanKeyInit(&keys[0], ENTRY_START + 1, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum((const pg_uuid_t *) id->start));
	ScanKeyInit(&keys[1], second, BTEqualStrategyNumber, equal, value);
}

/*
 * last_of_segment
 *		The last entry that came from a segment: its number and where it ended.
 *
 * Returns false when none did.
 */
static bool
last_of_segment(int64 *number, int64 *position, const AuditSegmentId *id, LogTree *log, Relation index)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	bool		found;

	source_keys(keys, id, ENTRY_SEGMENT + 1, F_INT4EQ, Int32GetDatum((int32) id->number));
	scan = systable_beginscan_ordered(log->entries, index, log->snapshot, 2, keys);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		TupleDesc	desc = RelationGetDescr(log->entries);

		*number = DatumGetInt64(heap_getattr(tuple, ENTRY_NUMBER + 1, desc, &isnull));
		*position = Max(0, DatumGetInt64(heap_getattr(tuple, ENTRY_POSITION + 1, desc, &isnull)));
	}
	systable_endscan_ordered(scan);
	return found;
}

/* is_known: was a record of this serial number taken in, from whatever segment? */
static bool
is_known(LogTree *log, Relation index, const AuditSegmentId *id, uint64 serial)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	bool		found;

	source_keys(keys, id, ENTRY_SERIAL + 1, F_INT8EQ, Int64GetDatum((int64) serial));
	scan = systable_beginscan_ordered(log->entries, index, log->snapshot, 2, keys);
	found = HeapTupleIsValid(systable_getnext_ordered(scan, ForwardScanDirection));
	systable_endscan_ordered(scan);
	return found;
}

/*
 * is_told
 *		Does an entry tell already that no record stands at a position?
 *
 * Such an entry has the position negated, so that it says nothing of how far
 * the segment is read: a whole copy of it may still be fed.
 */
static bool
is_told(LogTree *log, Relation index, const AuditSegmentId *id, uint32 position)
{
	ScanKeyData keys[3];
	SysScanDesc scan;
	bool		found;

	source_keys(keys, id, ENTRY_SEGMENT + 1, F_INT4EQ, Int32GetDatum((int32) id->number));
	ScanKeyInit(&keys[2], ENTRY_POSITION + 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(-(int64) position));
	scan = systable_beginscan_ordered(log->entries, index, log->snapshot, 3, keys);
	found = HeapTupleIsValid(systable_getnext_ordered(scan, ForwardScanDirection));
	systable_endscan_ordered(scan);
	return found;
}

/* all_zero: is a segment empty from a position on? */
static bool
all_zero(const AuditSegment *segment, uint32 position)
{
	const char *bytes = segment->bytes + (position - segment->loaded_from);
	uint32		len = segment->size - position;

	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* nothing_follows: is everything behind what was loaded known, or no record? */
static bool
nothing_follows(const AuditSegment *segment, LogTree *log, Relation sources, Relation serials, bool open)
{
	AuditFrame	frame;
	uint32		next;

	for (next = segment->loaded_from; audit_segment_read(&frame, segment, next); next = frame.next)
	{
		if (!is_known(log, serials, &segment->id, frame.serial))
			return false;
	}
	return open || all_zero(segment, next) || is_told(log, sources, &segment->id, next);
}

/*
 * read_so_far
 *		Has the log everything of a segment?
 *
 *	number		out: the last entry from it, -1 for none
 */
static bool
read_so_far(int64 *number, const SegmentFile *file)
{
	uint32		limit = audit_segment_limit(&file->id);
	AuditSegment segment;
	LogTree		log;
	Relation	sources;
	Relation	serials;
	int64		position = 0;
	bool		is_read;

	*number = -1;
	tree_open(&log, SnapshotSelf);
	sources = index_of(log.entries, ENTRY_SEGMENT + 1);
	serials = index_of(log.entries, ENTRY_SERIAL + 1);
	(void) last_of_segment(number, &position, &file->id, &log, sources);
	is_read = (limit != 0 && position >= limit) ||
		(audit_segment_load(&segment, file->path, (uint32) position, limit) &&
		 nothing_follows(&segment, &log, sources, serials, file->open));
	index_close(serials, AccessShareLock);
	index_close(sources, AccessShareLock);
	tree_close(&log);
	return is_read;
}

/* ingest_is_read: has the log everything of a segment that it may read by now? */
bool
ingest_is_read(const SegmentFile *file)
{
	int64		number;

	return read_so_far(&number, file);
}

/* ingest_is_covered: is a segment read to its end, and in a checkpoint of that size? */
bool
ingest_is_covered(const SegmentFile *file, int64 size)
{
	int64		number;

	return !file->open && read_so_far(&number, file) && number < size;
}

/* ----------
 * Records into entries
 * ----------
 */

/*
 * clean_text
 *		A text of a record as this database can store it.
 *
 * Clients choose some of these texts: one that is no text of the encoding must
 * not stop the log, so its bytes beyond ASCII are spelled out.
 */
static char *
clean_text(const char *text)
{
	StringInfoData clean;

	if (text == NULL || (GetDatabaseEncoding() == PG_UTF8 &&
						 pg_verify_mbstr(PG_UTF8, text, strlen(text), true)))
		return unconstify(char *, text);
	initStringInfo(&clean);
	for (; *text != '\0'; text++)
	{
		if (IS_HIGHBIT_SET(*text))
			appendStringInfo(&clean, "\\x%02x", (unsigned char) *text);
		else
			appendStringInfoChar(&clean, *text);
	}
	return clean.data;
}

/* set_count: a count, null when it is not known. */
static void
set_count(LogEntry *entry, EntryColumn column, int64 count)
{
	if (count >= 0)
		entry_set(entry, column, Int64GetDatum(count));
}

/* set_number: a number that is null when 0. */
static void
set_number(LogEntry *entry, EntryColumn column, uint64 number)
{
	if (number != 0)
		entry_set(entry, column, UInt64GetDatum(number));
}

/* set_digest: the digest of the statement. */
static void
set_digest(LogEntry *entry, const AuditRecord *record)
{
	bytea	   *digest = palloc(VARHDRSZ + AUDIT_DIGEST_BYTES);

	if (!record->has_digest)
		return;
	SET_VARSIZE(digest, VARHDRSZ + AUDIT_DIGEST_BYTES);
	memcpy(VARDATA(digest), record->digest, AUDIT_DIGEST_BYTES);
	entry_set(entry, ENTRY_STATEMENT_DIGEST, PointerGetDatum(digest));
}

/* ingest_set_record: what a record says. */
void
ingest_set_record(LogEntry *entry, const AuditRecord *record)
{
	entry_set(entry, ENTRY_AT, TimestampTzGetDatum(record->at));
	entry_set_text(entry, ENTRY_ACTION, audit_action_name(record->action));
	entry_set_text(entry, ENTRY_OUTCOME, clean_text(record->outcome));
	entry_set_text(entry, ENTRY_LOGIN_ROLE, clean_text(record->login_role));
	entry_set_text(entry, ENTRY_SESSION_ROLE, clean_text(record->session_role));
	entry_set_text(entry, ENTRY_ROLE, clean_text(record->role));
	entry_set_text(entry, ENTRY_ACTOR, clean_text(record->actor));
	entry_set_text(entry, ENTRY_PURPOSE, clean_text(record->purpose));
	entry_set_text(entry, ENTRY_ADDRESS, clean_text(record->address));
	entry_set_text(entry, ENTRY_APPLICATION, clean_text(record->application));
	set_number(entry, ENTRY_XID, record->xid);
	set_number(entry, ENTRY_STATEMENT, record->statement);
	entry_set_text(entry, ENTRY_RELATION, clean_text(record->relation));
	entry_set_text(entry, ENTRY_ROW_KEY, clean_text(record->row_key));
	set_number(entry, ENTRY_SUBJECT, record->subject);
	if (record->key != NULL)
	{
		Datum		key = CStringGetTextDatum(clean_text(record->key));

		entry_set(entry, ENTRY_KEYS,
				  PointerGetDatum(construct_array(&key, 1, TEXTOID, -1, false, TYPALIGN_INT)));
	}
	entry_set_text(entry, ENTRY_WHAT, clean_text(record->what));
	entry_set_text(entry, ENTRY_DETAIL, clean_text(record->detail));
	set_count(entry, ENTRY_VALUES_OPENED, record->values_opened);
	set_count(entry, ENTRY_SUBJECTS_OPENED, record->subjects_opened);
	set_count(entry, ENTRY_ROWS_RETURNED, record->rows_returned);
	set_count(entry, ENTRY_REPEATED, record->repeated);
	set_digest(entry, record);
}

/* set_finding: what the log itself has to say of a segment. */
static void
set_finding(LogEntry *entry, const char *what, char *detail)
{
	entry_set(entry, ENTRY_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	entry_set_text(entry, ENTRY_ACTION, audit_action_name(AUDIT_ADMIN));
	entry_set_text(entry, ENTRY_OUTCOME, unpack_sql_state(ERRCODE_DATA_CORRUPTED));
	entry_set_text(entry, ENTRY_WHAT, what);
	entry_set_text(entry, ENTRY_DETAIL, detail);
}

/* set_source: where a record was read, and where it ends there; see is_told(). */
static void
set_source(LogEntry *entry, const AuditSegmentId *id, int64 end)
{
	entry_set(entry, ENTRY_START, UUIDPGetDatum((const pg_uuid_t *) id->start));
	entry_set(entry, ENTRY_SEGMENT, Int32GetDatum((int32) id->number));
	entry_set(entry, ENTRY_POSITION, Int64GetDatum(end));
}

/* append: one entry of the batch. */
static int64
append(Ingest *ingest, LogEntry *entry)
{
	ingest->left--;
	return log_append(&ingest->writer, entry);
}

/* take_record: one record; what it claims is kept even when its MAC does not fit, and that is told. */
static void
take_record(Ingest *ingest, const AuditSegment *segment, const AuditFrame *frame)
{
	LogEntry	entry;
	AuditRecord record;
	int64		number;

	entry_clear(&entry);
	if (audit_record_decode(&record, frame->body, frame->body_len))
		ingest_set_record(&entry, &record);
	else
		set_finding(&entry, "unreadable_record", NULL);
	set_source(&entry, &segment->id, frame->next);
	entry_set(&entry, ENTRY_SERIAL, Int64GetDatum((int64) frame->serial));
	number = append(ingest, &entry);
	if (audit_segment_mac(segment, frame) != AUDIT_MAC_INVALID)
		return;
	entry_clear(&entry);
	set_finding(&entry, "altered_record",
				psprintf("entry " INT64_FORMAT " does not fit its MAC", number));
	append(ingest, &entry);
}

/*
 * take_rest
 *		What stands behind the last record of a segment that nobody writes to.
 *
 * A crash or a copy of a segment that was being written can leave part of a
 * record there; so can who wants the rest to be skipped.  It is told once.
 */
static void
take_rest(Ingest *ingest, const AuditSegment *segment, uint32 position)
{
	LogEntry	entry;

	if (all_zero(segment, position) || is_told(&ingest->log, ingest->source_index, &segment->id, position))
		return;
	entry_clear(&entry);
	set_finding(&entry, "torn_segment",
				psprintf("from byte %u on there is no record", position));
	set_source(&entry, &segment->id, -(int64) position);
	append(ingest, &entry);
}

/* take_file: what is new in one segment. */
static void
take_file(Ingest *ingest, const SegmentFile *file)
{
	uint32		limit = audit_segment_limit(&file->id);
	int64		number;
	int64		position = 0;
	AuditSegment segment;
	AuditFrame	frame;
	uint32		next;

	(void) last_of_segment(&number, &position, &file->id, &ingest->log, ingest->source_index);
	if ((limit != 0 && position >= limit) ||
		!audit_segment_load(&segment, file->path, (uint32) position, limit))
		return;
	for (next = segment.loaded_from;
		 ingest->left > 0 && audit_segment_read(&frame, &segment, next);
		 next = frame.next)
	{
		MemoryContext outer = MemoryContextSwitchTo(ingest->per_entry);

		CHECK_FOR_INTERRUPTS();
		if (!is_known(&ingest->log, ingest->serial_index, &file->id, frame.serial))
			take_record(ingest, &segment, &frame);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(ingest->per_entry);
	}
	if (ingest->left > 0 && !file->open)
		take_rest(ingest, &segment, next);
	pfree(segment.bytes);
}

/* ----------
 * Committed writes
 * ----------
 */

/* take_change: one row of seal.audit_change becomes an entry. */
static void
take_change(Ingest *ingest, Relation changes, HeapTuple tuple)
{
	LogEntry	entry;

	entry_clear(&entry);
	heap_deform_tuple(tuple, RelationGetDescr(changes), entry.values, entry.nulls);
	append(ingest, &entry);
	simple_heap_delete(changes, &tuple->t_self);
}

/* take_changes: in the order of their ids, those of transactions that committed. */
static void
take_changes(Ingest *ingest)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Relation	changes = log_open("audit_change", RowExclusiveLock);
	Relation	index = index_open(RelationGetPrimaryKeyIndex(changes), AccessShareLock);
	SysScanDesc scan = systable_beginscan_ordered(changes, index, snapshot, 0, NULL);
	HeapTuple	tuple;

	while (ingest->left > 0 &&
		   HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		MemoryContext outer = MemoryContextSwitchTo(ingest->per_entry);

		take_change(ingest, changes, tuple);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(ingest->per_entry);
	}
	systable_endscan_ordered(scan);
	UnregisterSnapshot(snapshot);
	index_close(index, AccessShareLock);
	table_close(changes, NoLock);
}

/*
 * ingest_batch
 *		Take in at most so many records, in this transaction.
 *
 *	files		what ingest_files() found
 *	changes		the writes too?
 *
 * Returns how many entries there are more.  The caller commits.
 */
int64
ingest_batch(List *files, bool changes, int64 most)
{
	Ingest		ingest = {.left = most};
	ListCell   *cell;

	log_begin(&ingest.writer);
	tree_open(&ingest.log, SnapshotSelf);	/* what this batch has taken in counts too */
	ingest.source_index = index_of(ingest.log.entries, ENTRY_SEGMENT + 1);
	ingest.serial_index = index_of(ingest.log.entries, ENTRY_SERIAL + 1);
	ingest.per_entry = AllocSetContextCreate(CurrentMemoryContext, "pgseal entry", ALLOCSET_DEFAULT_SIZES);
	foreach(cell, files)
	{
		if (ingest.left > 0)
			take_file(&ingest, lfirst(cell));
	}
	if (changes && ingest.left > 0)
		take_changes(&ingest);
	MemoryContextDelete(ingest.per_entry);
	index_close(ingest.source_index, AccessShareLock);
	index_close(ingest.serial_index, AccessShareLock);
	tree_close(&ingest.log);
	log_finish(&ingest.writer);
	return log_written(&ingest.writer);
}
