/*-------------------------------------------------------------------------
 * ingest.c
 *		From segments and committed writes into the log, each record once.
 *
 * Floor 2.  An entry names the segment it was read from and the byte where it
 * ends there, so the log itself says how far each segment is read: entry and
 * position commit as one, and a copied folder can be fed late or twice.
 *
 * What cannot be read is entered as such: the log never waits for a record
 * that somebody altered, nor for a file that is no segment.
 *
 * A serial number is believed with its MAC only: what does not fit it is entered
 * without, so it keeps no true record out.  In place of where it ends such an
 * entry has, negative, where it begins; 0 stands for the file as a whole, null
 * for a record whose place another has.  The last position says how far a
 * segment is read.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/ingest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/waiting.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
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
	bool		fed;			/* files are copies: read from their begin */
	int64		left;			/* entries that this batch may still append */
	int64		last_serial;	/* highest that the log has of the start that is being read; 0: none */
} Ingest;

#define WINDOW_BYTES	(1024 * 1024)	/* of a segment, in memory at a time */

/* Records of a file that nothing vouches for, and where the last of them ends. */
typedef struct Unproven
{
	int64		count[AUDIT_MACS];
	uint32		end;
} Unproven;

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

/* file_problem: why a file cannot be read as a segment, NULL when it can; never waits, as for a pipe. */
static char *
file_problem(const char *path)
{
	struct stat st;
	int			fd;

	if (lstat(path, &st) != 0)
		return psprintf("%m");
	if (!S_ISREG(st.st_mode))
		return "it is no regular file";
	fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | PG_BINARY);
	if (fd < 0)
		return psprintf("%m");
	CloseTransientFile(fd);
	return NULL;
}

/* head_problem: why a file's head is not that of the segment it is named after, else NULL and what it says. */
static char *
head_problem(SegmentFile *file)
{
	AuditSegment head;

	if (!audit_segment_load(&head, file->path, 0, AUDIT_SEGMENT_FIRST))
		return "its head is damaged";
	pfree(head.bytes);
	file->started_at = head.started_at;
	if (head.id.database == file->id.database && head.id.number == file->id.number &&
		memcmp(head.id.start, file->id.start, AUDIT_START_BYTES) == 0)
		return NULL;
	return "its head is that of another segment";
}

/* look_at_file: one file of the folder; NULL when it has no segment's name. */
static SegmentFile *
look_at_file(const char *folder, const char *name)
{
	SegmentFile *file = palloc0(sizeof(SegmentFile));

	if (!audit_segment_of_name(&file->id, MyDatabaseId, name))
		return NULL;
	file->path = psprintf("%s/%s", folder, name);
	file->problem = file_problem(file->path);
	if (file->problem == NULL)
		file->problem = head_problem(file);
	return file;
}

/* is_of_this_start: was a segment made since the server started? */
static bool
is_of_this_start(const SegmentFile *file)
{
	return memcmp(file->id.start, audit_start(), AUDIT_START_BYTES) == 0;
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

		if (is_of_this_start(file) && file->problem == NULL &&
			(last == NULL || file->id.number > last->id.number))
			last = file;
	}
	if (last != NULL)
		last->open = true;
}

/*
 * ingest_files
 *		The segments of this database in a folder, in the order to read them; also
 *		what has the name of one and is none.
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

/* read_to: how far a segment is read, 0 for not at all. */
static uint32
read_to(const AuditSegmentId *id, LogTree *log, Relation index)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull = true;
	Datum		position = Int64GetDatum(0);

	source_keys(keys, id, ENTRY_SEGMENT + 1, F_INT4EQ, Int32GetDatum((int32) id->number));
	scan = systable_beginscan_ordered(log->entries, index, log->snapshot, 2, keys);
	while (isnull && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, BackwardScanDirection)))
		position = heap_getattr(tuple, ENTRY_POSITION + 1, RelationGetDescr(log->entries), &isnull);
	systable_endscan_ordered(scan);
	return isnull ? 0 : (uint32) Max(DatumGetInt64(position), 0);
}

/* entry_found: the entry that an index has for these keys, -1 for none. */
static int64
entry_found(LogTree *log, Relation index, int key_count, ScanKeyData *keys)
{
	SysScanDesc scan = systable_beginscan_ordered(log->entries, index, log->snapshot, key_count, keys);
	HeapTuple	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	bool		isnull;
	int64		number = -1;

	if (HeapTupleIsValid(tuple))
		number = DatumGetInt64(heap_getattr(tuple, ENTRY_NUMBER + 1, RelationGetDescr(log->entries), &isnull));
	systable_endscan_ordered(scan);
	return number;
}

/* entry_of_serial: the record of this serial number, from whatever segment; -1 for none. */
static int64
entry_of_serial(LogTree *log, Relation index, const AuditSegmentId *id, uint64 serial)
{
	ScanKeyData keys[2];

	source_keys(keys, id, ENTRY_SERIAL + 1, F_INT8EQ, Int64GetDatum((int64) serial));
	return entry_found(log, index, 2, keys);
}

/* last_serial_of: the highest serial number of a start in the log; 0 for none. */
static int64
last_serial_of(LogTree *log, Relation index, const unsigned char *start)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Datum		serial = Int64GetDatum(0);
	bool		isnull = true;

	ScanKeyInit(&key, ENTRY_START + 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum((const pg_uuid_t *) start));
	scan = systable_beginscan_ordered(log->entries, index, log->snapshot, 1, &key);
	while (isnull && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, BackwardScanDirection)))
		serial = heap_getattr(tuple, ENTRY_SERIAL + 1, RelationGetDescr(log->entries), &isnull);
	systable_endscan_ordered(scan);
	return isnull ? 0 : DatumGetInt64(serial);
}

/* entry_at: what has this position of a segment; -1 for nothing. */
static int64
entry_at(LogTree *log, Relation index, const AuditSegmentId *id, int64 position)
{
	ScanKeyData keys[3];

	source_keys(keys, id, ENTRY_SEGMENT + 1, F_INT4EQ, Int32GetDatum((int32) id->number));
	ScanKeyInit(&keys[2], ENTRY_POSITION + 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(position));
	return entry_found(log, index, 3, keys);
}

/* needs_mac: is this a record that is only written by who opens a value, with the root key? */
static bool
needs_mac(const AuditFrame *frame)
{
	AuditRecord record;

	return audit_record_decode(&record, frame->body, frame->body_len) && record.key != NULL &&
		(record.action == AUDIT_OPEN || record.action == AUDIT_EXPORT ||
		 record.action == AUDIT_PROGRESS || record.action == AUDIT_CLOSE || record.action == AUDIT_SEARCH);
}

/* judge_frame: what the MAC says of a record. */
static AuditMac
judge_frame(const AuditSegment *segment, const AuditFrame *frame)
{
	AuditMac	mac = audit_segment_mac(segment, frame);

	return mac == AUDIT_MAC_NONE && needs_mac(frame) ? AUDIT_MAC_INVALID : mac;
}

/* entry_of_frame: what has a record of a segment, judged by its MAC; -1 for nothing. */
static int64
entry_of_frame(LogTree *log, Relation sources, Relation serials, const AuditSegment *segment,
			   const AuditFrame *frame, AuditMac mac)
{
	if (mac == AUDIT_MAC_INVALID)
		return entry_at(log, sources, &segment->id, -(int64) frame->position);
	return entry_of_serial(log, serials, &segment->id, frame->serial);
}

/* all_zero: is a segment empty from a position on? */
static bool
all_zero(const AuditSegment *segment, uint32 position)
{
	const char *bytes = segment->bytes + (position - segment->loaded_from);
	uint32		len = segment->size - position;

	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/*
 * read_through
 *		Is everything behind what was loaded in the log, or no record?
 *
 *	last		in/out: the last entry there is from the segment
 */
static bool
read_through(int64 *last, const AuditSegment *segment, LogTree *log, Relation sources, Relation serials, bool open)
{
	AuditFrame	frame;
	uint32		next;
	int64		number;

	for (next = segment->loaded_from; audit_segment_read(&frame, segment, next); next = frame.next)
	{
		number = entry_of_frame(log, sources, serials, segment, &frame, judge_frame(segment, &frame));
		if (number < 0)
			return false;
		*last = Max(*last, number);
	}
	if (open || all_zero(segment, next))
		return true;
	number = entry_at(log, sources, &segment->id, -(int64) next);
	*last = Max(*last, number);
	return number >= 0;
}

/*
 * read_so_far
 *		Has the log everything of a segment?
 *
 *	last		out: the last entry from it, -1 for none
 */
static bool
read_so_far(int64 *last, const SegmentFile *file)
{
	uint32		limit = audit_segment_limit(&file->id);
	AuditSegment segment;
	LogTree		log;
	Relation	sources;
	Relation	serials;
	uint32		position;
	bool		is_read;

	*last = -1;
	if (file->problem != NULL)
		return false;
	tree_open(&log, SnapshotSelf);
	sources = index_of(log.entries, ENTRY_SEGMENT + 1);
	serials = index_of(log.entries, ENTRY_SERIAL + 1);
	position = read_to(&file->id, &log, sources);
	if (position > 0)
		*last = entry_at(&log, sources, &file->id, position);
	is_read = (limit != 0 && position >= limit) ||
		(audit_segment_load(&segment, file->path, position, limit) &&
		 read_through(last, &segment, &log, sources, serials, file->open));
	index_close(serials, AccessShareLock);
	index_close(sources, AccessShareLock);
	tree_close(&log);
	return is_read;
}

/* ingest_is_read: has the log everything of a segment that it may read by now? */
bool
ingest_is_read(const SegmentFile *file)
{
	int64		last;

	return read_so_far(&last, file);
}

/* ingest_is_covered: is a segment read to its end, and in a checkpoint of that size? */
bool
ingest_is_covered(const SegmentFile *file, int64 size)
{
	int64		last;

	return !file->open && read_so_far(&last, file) && last < size;
}

/* ingest_untouched: from how many of the last files the log has no record. */
int
ingest_untouched(List *files)
{
	LogTree		log;
	Relation	sources;
	int			count = 0;

	tree_open(&log, SnapshotSelf);
	sources = index_of(log.entries, ENTRY_SEGMENT + 1);
	for (int i = list_length(files) - 1; i >= 0; i--)
	{
		SegmentFile *file = list_nth(files, i);

		if (read_to(&file->id, &log, sources) > 0)
			break;
		count += file->problem == NULL;
	}
	index_close(sources, AccessShareLock);
	tree_close(&log);
	return count;
}

/* ----------
 * Records into entries
 * ----------
 */

/*
 * in_database
 *		A text as this database writes it, palloc'd or as it came; NULL when it is
 *		no UTF-8, or has characters that its encoding has not.
 */
static char *
in_database(const char *text)
{
	int			encoding = GetDatabaseEncoding();
	int			len = strlen(text);
	int			room = len * MAX_CONVERSION_GROWTH + 1;
	Oid			conversion;
	unsigned char *converted;

	if (!pg_verify_mbstr(PG_UTF8, text, len, true))
		return NULL;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return unconstify(char *, text);
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return NULL;
	converted = palloc0(room);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding, (unsigned char *) unconstify(char *, text),
									  len, converted, room, true) != len)
		return NULL;
	return (char *) converted;
}

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
	char	   *converted = text != NULL ? in_database(text) : NULL;

	if (text == NULL || converted != NULL)
		return converted;
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
	bytea	   *digest;

	if (!record->has_digest)
		return;
	digest = palloc(VARHDRSZ + AUDIT_DIGEST_BYTES);
	SET_VARSIZE(digest, VARHDRSZ + AUDIT_DIGEST_BYTES);
	memcpy(VARDATA(digest), record->digest, AUDIT_DIGEST_BYTES);
	entry_set(entry, ENTRY_STATEMENT_DIGEST, PointerGetDatum(digest));
}

/* set_subjects: those that a record names. */
static void
set_subjects(LogEntry *entry, const AuditRecord *record)
{
	Datum		numbers[AUDIT_SUBJECTS_MAX];

	if (record->subject_count == 0)
		return;
	for (int i = 0; i < record->subject_count; i++)
		numbers[i] = UInt64GetDatum(record->subjects[i]);
	entry_set(entry, ENTRY_SUBJECTS,
			  PointerGetDatum(construct_array(numbers, record->subject_count, INT8OID, sizeof(int64),
											  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
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
	set_subjects(entry, record);
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

/* set_source: where a record was read; position: where it ends there, or another as above. */
static void
set_source(LogEntry *entry, const AuditSegmentId *id, int64 position)
{
	entry_set(entry, ENTRY_START, UUIDPGetDatum((const pg_uuid_t *) id->start));
	entry_set(entry, ENTRY_SEGMENT, Int32GetDatum((int32) id->number));
	entry_set(entry, ENTRY_POSITION, Int64GetDatum(position));
}

/* append: one entry of the batch. */
static int64
append(Ingest *ingest, LogEntry *entry)
{
	ingest->left--;
	return log_append(&ingest->writer, entry);
}

/* tell: what is wrong with an entry. */
static void
tell(Ingest *ingest, const char *what, int64 number, const char *why)
{
	LogEntry	entry;

	entry_clear(&entry);
	set_finding(&entry, what, psprintf("entry " INT64_FORMAT " %s", number, why));
	append(ingest, &entry);
}

/* is_moved: did another record end at this place, in another copy of the segment? */
static bool
is_moved(Ingest *ingest, const AuditSegment *segment, const AuditFrame *frame)
{
	return ingest->fed &&
		entry_at(&ingest->log, ingest->source_index, &segment->id, frame->next) >= 0;
}

/* is_taken: has the log a record?  Most serial numbers are beyond all that it has; only others are looked up. */
static bool
is_taken(Ingest *ingest, const AuditSegment *segment, const AuditFrame *frame, AuditMac mac)
{
	if (mac != AUDIT_MAC_INVALID && (int64) frame->serial > ingest->last_serial)
	{
		ingest->last_serial = (int64) frame->serial;
		return false;
	}
	log_flush(&ingest->writer);
	return entry_of_frame(&ingest->log, ingest->source_index, ingest->serial_index, segment, frame, mac) >= 0;
}

/* take_record: one record; what it claims is kept even when its MAC does not fit, and that is told. */
static void
take_record(Ingest *ingest, const AuditSegment *segment, const AuditFrame *frame, Unproven *unproven)
{
	AuditMac	mac = judge_frame(segment, frame);
	AuditRecord record;
	LogEntry	entry;
	bool		readable = audit_record_decode(&record, frame->body, frame->body_len);
	int64		number;
	bool		moved;

	if (is_taken(ingest, segment, frame, mac))
		return;
	entry_clear(&entry);
	if (readable)
		ingest_set_record(&entry, &record);
	else
		set_finding(&entry, "unreadable_record", NULL);
	set_source(&entry, &segment->id, mac == AUDIT_MAC_INVALID ? -(int64) frame->position : frame->next);
	if (mac != AUDIT_MAC_INVALID)
		entry_set(&entry, ENTRY_SERIAL, Int64GetDatum((int64) frame->serial));
	moved = mac != AUDIT_MAC_INVALID && is_moved(ingest, segment, frame);
	entry.nulls[ENTRY_POSITION] = moved;
	number = append(ingest, &entry);
	if (mac == AUDIT_MAC_INVALID)
		tell(ingest, "altered_record", number, "does not fit its MAC");
	if (moved)
		tell(ingest, "moved_record", number, "has the place of another");
	unproven->count[mac]++;
	unproven->end = frame->next;
}

/* tell_unproven: records without a MAC can be right; who reads the log must know of them. */
static void
tell_unproven(Ingest *ingest, AuditMac mac, const char *what, const char *why, const Unproven *unproven)
{
	LogEntry	entry;

	if (unproven->count[mac] == 0)
		return;
	entry_clear(&entry);
	set_finding(&entry, what, psprintf(INT64_FORMAT " records before byte %u %s", unproven->count[mac], unproven->end, why));
	entry_set_text(&entry, ENTRY_OUTCOME, "ok");
	append(ingest, &entry);
}

/* take_problem: a file that cannot be read is told once. */
static void
take_problem(Ingest *ingest, const SegmentFile *file)
{
	LogEntry	entry;

	if (entry_at(&ingest->log, ingest->source_index, &file->id, 0) >= 0)
		return;
	entry_clear(&entry);
	set_finding(&entry, "unreadable_segment", file->problem);
	set_source(&entry, &file->id, 0);
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

	if (all_zero(segment, position) ||
		entry_at(&ingest->log, ingest->source_index, &segment->id, -(int64) position) >= 0)
		return;
	entry_clear(&entry);
	set_finding(&entry, "torn_segment",
				psprintf("from byte %u on there is no record", position));
	set_source(&entry, &segment->id, -(int64) position);
	append(ingest, &entry);
}

/* take_window: the records in a part of a segment; where they end. */
static uint32
take_window(Ingest *ingest, const AuditSegment *segment, Unproven *unproven)
{
	AuditFrame	frame;
	uint32		next;

	for (next = segment->loaded_from;
		 ingest->left > 0 && audit_segment_read(&frame, segment, next);
		 next = frame.next)
	{
		MemoryContext outer = MemoryContextSwitchTo(ingest->per_entry);

		CHECK_FOR_INTERRUPTS();
		take_record(ingest, segment, &frame, unproven);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(ingest->per_entry);
	}
	return next;
}

/* window_end: where to stop loading. */
static uint32
window_end(uint32 position, uint32 limit)
{
	uint32		end = Max(position, AUDIT_SEGMENT_FIRST) + WINDOW_BYTES;

	return limit != 0 ? Min(limit, end) : end;
}

/*
 * take_records
 *		A segment's records from a position on, a part of it at a time: a batch
 *		would read the rest of it for nothing.  Returns where they end.
 */
static uint32
take_records(Ingest *ingest, const SegmentFile *file, uint32 position, uint32 limit)
{
	Unproven	unproven = {0};
	bool		more = true;

	while (more && ingest->left > 0)
	{
		uint32		end = window_end(position, limit);
		uint32		next;
		AuditSegment segment;

		if (!audit_segment_load(&segment, file->path, position, end))
			break;
		next = take_window(ingest, &segment, &unproven);
		more = segment.size == end && end != limit && next > segment.loaded_from;
		pfree(segment.bytes);
		position = next;
	}
	tell_unproven(ingest, AUDIT_MAC_NONE, "unsigned_records", "have no MAC: there was no root key, no key yet, or they are counts of refusals that another process wrote", &unproven);
	tell_unproven(ingest, AUDIT_MAC_UNKNOWN, "unchecked_records", "were taken in while their MAC could not be checked", &unproven);
	return position;
}

/* take_file: what is new in one segment. */
static void
take_file(Ingest *ingest, const SegmentFile *file)
{
	uint32		limit = audit_segment_limit(&file->id);
	uint32		position = 0;
	AuditSegment rest;

	log_flush(&ingest->writer);
	if (file->problem != NULL)
	{
		take_problem(ingest, file);
		return;
	}
	ingest->last_serial = last_serial_of(&ingest->log, ingest->serial_index, file->id.start);
	if (!ingest->fed)
		position = read_to(&file->id, &ingest->log, ingest->source_index);
	if (limit != 0 && position >= limit)
		return;
	position = take_records(ingest, file, position, limit);
	if (ingest->left > 0 && !file->open && audit_segment_load(&rest, file->path, position, limit))
	{
		take_rest(ingest, &rest, rest.loaded_from);
		pfree(rest.bytes);
	}
}

/* ----------
 * Committed writes
 * ----------
 */

/* show_image: what waited as bytes as the log has it; false when it is no image. */
static bool
show_image(LogEntry *entry, EntryColumn column)
{
	struct varlena *shown;

	if (entry->nulls[column])
		return true;
	shown = audit_image_show(PG_DETOAST_DATUM_PACKED(entry->values[column]));
	entry->values[column] = PointerGetDatum(shown);
	return shown != NULL;
}

/* enter_forged: in the place of a change that is none. */
static void
enter_forged(LogEntry *entry, char *why)
{
	entry_clear(entry);
	set_finding(entry, "forged_change", why);
}

/*
 * refuse_forged
 *		Enter in its place that a change is none; else show its images.
 *
 * A superuser can insert what he likes; an entry that tells of a purge, or of
 * another name of the log, would have verification believe him.
 */
static void
refuse_forged(LogEntry *entry)
{
	char	   *action = entry->nulls[ENTRY_ACTION] ? "" : TextDatumGetCString(entry->values[ENTRY_ACTION]);

	if (audit_action_of_name(action) > AUDIT_TRUNCATE)
		enter_forged(entry, psprintf("a change says that it is: %s", action));
	else if (!show_image(entry, ENTRY_OLD) || !show_image(entry, ENTRY_NEW))
		enter_forged(entry, "a change has values that are no image of a row");
}

/* take_change: one row of seal.audit_change becomes an entry. */
static void
take_change(Ingest *ingest, Relation changes, TupleTableSlot *slot)
{
	LogEntry	entry;

	entry_clear(&entry);
	slot_getallattrs(slot);
	memcpy(entry.values, slot->tts_values, sizeof(Datum) * ENTRY_CHANGE_COLUMNS);
	memcpy(entry.nulls, slot->tts_isnull, sizeof(bool) * ENTRY_CHANGE_COLUMNS);
	refuse_forged(&entry);
	append(ingest, &entry);
	simple_heap_delete(changes, &slot->tts_tid);
}

/* take_waiting: of the writes that were found, as many as this batch may. */
static void
take_waiting(Ingest *ingest, Relation changes, TupleTableSlot *slot)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	while (ingest->left > 0 && waiting_next(slot, changes, snapshot))
	{
		MemoryContext outer = MemoryContextSwitchTo(ingest->per_entry);

		CHECK_FOR_INTERRUPTS();
		take_change(ingest, changes, slot);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(ingest->per_entry);
	}
	UnregisterSnapshot(snapshot);
}

/* find_changes: those of transactions that committed, and were not taken by this one. */
static void
find_changes(Relation changes)
{
	Snapshot	snapshot;

	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	waiting_look(changes, snapshot);
	UnregisterSnapshot(snapshot);
}

/* take_changes: in the order of their ids; first those that a batch before found. */
static void
take_changes(Ingest *ingest)
{
	Relation	changes = log_open("audit_change", RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(changes, NULL);

	waiting_resume(changes);
	take_waiting(ingest, changes, slot);
	if (ingest->left > 0)
	{
		find_changes(changes);
		take_waiting(ingest, changes, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_close(changes, NoLock);
}

/*
 * ingest_batch
 *		Take in at most so many records, in this transaction.
 *
 *	files		what ingest_files() found
 *	changes		the writes too?  Else the files are copies, and read from their begin.
 *
 * Returns how many entries there are more.  The caller commits.
 */
int64
ingest_batch(List *files, bool changes, int64 most)
{
	Ingest		ingest = {.left = most,.fed = !changes};
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
