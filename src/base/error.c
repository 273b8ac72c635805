/*-------------------------------------------------------------------------
 * error.c
 *		One table of everything pgseal can say no with.
 *
 * Floor 0.  Rooms return SealError codes; SQL-callable glue raises them here,
 * so that one refusal has one SQLSTATE, one message and one hint everywhere.
 * No message carries a value, and none lets the statement reach the log.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "base/base.h"

typedef struct ErrorRow
{
	int			sqlstate;
	const char *message;		/* at most one %s: the name */
	const char *hint;
} ErrorRow;

/* Two causes, and one text: it must not tell a wrong key from altered bytes. */
#define DOES_NOT_OPEN	ERRCODE_DATA_CORRUPTED, \
	gettext_noop("sealed value does not open"), \
	gettext_noop("It was altered, or sealed under another key ring: restore it from a backup together with its ring.")

static const ErrorRow error_table[SEAL_E_COUNT] = {
	[SEAL_E_NOT_PRELOADED] = {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		gettext_noop("pgseal must be loaded via shared_preload_libraries"),
	gettext_noop("Add pgseal to shared_preload_libraries in postgresql.conf and restart the server.")},
	[SEAL_E_NO_ROOT] = {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		gettext_noop("no root key is loaded"),
	gettext_noop("Set seal.root_key_file or seal.root_key_command and reload the server.")},
	[SEAL_E_ROOT_UNKNOWN] = {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		gettext_noop("root key %s, under which the key ring was written, is not loaded"),
	gettext_noop("Add the root key with this fingerprint to the source that seal.root_key_file or seal.root_key_command names.")},
	[SEAL_E_ROOT_FILE] = {ERRCODE_CONFIG_FILE_ERROR,
		gettext_noop("root key cannot be used: %s"),
	gettext_noop("See doc/keys.md for what a root key file or command must look like.")},
	[SEAL_E_RING_CLOSED] = {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		gettext_noop("key ring was altered outside pgseal; every key is closed"),
	gettext_noop("Find out who changed the tables of schema seal; then an administrator calls seal.accept_ring().")},
	[SEAL_E_RING_TEXT] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("ring export is malformed or was altered"),
	gettext_noop("Give the text that seal.export_ring() returned, whole and unchanged.")},
	[SEAL_E_RING_CONFLICT] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("key %s has other secrets in this database"),
	gettext_noop("The two rings were rotated separately; values of one of them would be lost. Import into an empty database instead.")},
	[SEAL_E_KEY_CLOSED] = {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		gettext_noop("key \"%s\" is closed: a row of it in the key ring was altered"),
	gettext_noop("Restore the row from a backup of the ring with seal.import_ring().")},
	[SEAL_E_DENIED] = {ERRCODE_INSUFFICIENT_PRIVILEGE,
		gettext_noop("permission denied for key \"%s\""),
	gettext_noop("An administrator can give the right with seal.grant_key(); superusers and owners have none by default.")},
	[SEAL_E_NOT_ADMIN] = {ERRCODE_INSUFFICIENT_PRIVILEGE,
		gettext_noop("permission denied for function %s"),
	gettext_noop("Key ring administration needs superuser or membership in the role that seal.admin_role names.")},
	[SEAL_E_UNKNOWN_KEY] = {ERRCODE_UNDEFINED_OBJECT,
		gettext_noop("key \"%s\" does not exist"),
	gettext_noop("List the keys with SELECT name FROM seal.keys; create one with seal.create_key().")},
	[SEAL_E_UNKNOWN_VERSION] = {DOES_NOT_OPEN},
	[SEAL_E_MALFORMED_TEXT] = {ERRCODE_INVALID_TEXT_REPRESENTATION,
		gettext_noop("malformed envelope for type %s"),
	gettext_noop("Text that starts with \"seal1:\" is read as an envelope; seal.seal() seals such text as it is.")},
	[SEAL_E_MALFORMED_BINARY] = {ERRCODE_INVALID_BINARY_REPRESENTATION,
		gettext_noop("malformed envelope for type %s"),
	gettext_noop("Binary input that starts with the envelope magic is read as an envelope; seal.seal() seals such a value as it is.")},
	[SEAL_E_OTHER_KEY] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("envelope was not sealed with key \"%s\""),
	gettext_noop("An envelope is never converted: reveal the value and seal it with the key of the column.")},
	[SEAL_E_OTHER_TYPE] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("envelope does not hold a value of type %s"),
	gettext_noop("An envelope is never converted: reveal the value and cast it.")},
	[SEAL_E_TOKEN_STORED] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("a search token of key \"%s\" cannot be stored"),
	gettext_noop("A token literal is for comparisons only; it holds no value that could be opened.")},
	[SEAL_E_INPUT_TEXT] = {ERRCODE_INVALID_TEXT_REPRESENTATION,
		gettext_noop("invalid input syntax for type %s"),
	gettext_noop("The value is not repeated here, it may be a patient's.")},
	[SEAL_E_INPUT_BINARY] = {ERRCODE_INVALID_BINARY_REPRESENTATION,
		gettext_noop("incorrect binary data format for type %s"),
	gettext_noop("Send the envelope, or the plain type's binary form.")},
	[SEAL_E_TOO_LONG] = {ERRCODE_PROGRAM_LIMIT_EXCEEDED,
		gettext_noop("value too long for type %s"),
	gettext_noop("A sealed value holds at most 512 MB, so that its envelope can still be dumped.")},
	[SEAL_E_NO_COLUMN_KEY] = {ERRCODE_INVALID_TABLE_DEFINITION,
		gettext_noop("column \"%s\" has a sealed type without a key"),
	gettext_noop("Name the key in the type, as in sealed_text(identity).")},
	[SEAL_E_ARRAY] = {ERRCODE_INVALID_TABLE_DEFINITION,
		gettext_noop("column \"%s\" is an array of a sealed type"),
	gettext_noop("Keep one value per row, or seal the whole array as sealed_jsonb.")},
	[SEAL_E_BAD_TYPMOD] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("invalid key name in type modifier: \"%s\""),
	gettext_noop("A sealed type takes the name of one key, as in sealed_text(identity).")},
	[SEAL_E_NOT_SEARCHABLE] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("key \"%s\" is not searchable"),
	gettext_noop("Values of this key cannot be compared, grouped or indexed while sealed; create the key with searchable => true, or compare revealed values.")},
	[SEAL_E_TOKEN_ORDER] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("sealed values have no order"),
	gettext_noop("Order by the revealed value, as in ORDER BY seal.reveal(column).")},
	[SEAL_E_KEYS_DIFFER] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("sealed values of different keys cannot be compared"),
	gettext_noop("Compare revealed values, as in seal.reveal(a) = seal.reveal(b).")},
	[SEAL_E_KEY_NOT_KNOWN] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("key of a sealed value is not known when the statement is planned"),
	gettext_noop("Cast the value to its sealed type with the key, as in x::sealed_text(identity).")},
	[SEAL_E_UNBOUND] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("comparison of a sealed value was not bound to a key"),
	gettext_noop("Compare a sealed column with a value in a query, or with seal.token_literal() in a stored predicate.")},
	[SEAL_E_INEXACT] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("comparison of %s with this double precision value would not be exact"),
	gettext_noop("Compare with numeric or bigint.")},
	[SEAL_E_ENVELOPE_AS_TEXT] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("a sealed value is not text"),
	gettext_noop("This would print the envelope, or open the value unasked: write col::text where you mean the value.")},
	[SEAL_E_STORED_REVEAL] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("a sealed value cannot be revealed in a %s"),
	gettext_noop("What PostgreSQL stores and keeps up must not hold clear values.")},
	[SEAL_E_STORED_LITERAL] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("a plain literal cannot be compared with a sealed column in a %s"),
	gettext_noop("Use the envelope that seal.token_literal(key, value) prints.")},
	[SEAL_E_STORED_USE] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("a sealed column cannot be used this way in a %s"),
	gettext_noop("A stored predicate may test IS NULL, compare two columns of one searchable key, or compare with an envelope of that key.")},
	[SEAL_E_STORED_PLAIN] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("a plain value to be sealed cannot be stored in a %s"),
	gettext_noop("Write the value as a quoted literal without a cast, as in DEFAULT 'x'; then it is stored sealed.")},
	[SEAL_E_RESTRICTED] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("sealed values cannot be opened inside maintenance"),
	gettext_noop("ANALYZE, CREATE INDEX, REINDEX, CLUSTER and materialized views work on ciphertext only.")},
	[SEAL_E_CORRUPT] = {DOES_NOT_OPEN},
	[SEAL_E_SUBJECT_CLOSED] = {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		gettext_noop("subject %s is closed: its row in seal.subject is missing or was altered"),
	gettext_noop("Restore the row from a backup.")},
	[SEAL_E_SUBJECT_KEY] = {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		gettext_noop("key \"subject\", under which subjects are kept, is missing or closed"),
	gettext_noop("It is made with the first key; restore its rows from a backup of the ring with seal.import_ring().")},
	[SEAL_E_SUBJECT_TYPE] = {ERRCODE_INVALID_NAME,
		gettext_noop("invalid subject type: \"%s\""),
	gettext_noop("A subject type, as patient, has lower-case letters, digits and underscores, and at most 63 of them.")},
	[SEAL_E_SUBJECT_ID] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("the id of a subject must have between 1 and 1000 bytes"),
	gettext_noop("A subject is named by the value of its table's subject column.")},
	[SEAL_E_PLACE_TYPE] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("a value of type %s cannot tell the place of a sealed value"),
	gettext_noop("The primary key of a protected table is made of integers, strings, uuid, date, numeric and the like.")},
	[SEAL_E_NO_RELATION] = {ERRCODE_NULL_VALUE_NOT_ALLOWED,
		gettext_noop("relation must not be null"), NULL},
	[SEAL_E_UNKNOWN_RELATION] = {ERRCODE_UNDEFINED_TABLE,
		gettext_noop("relation with OID %s does not exist"), NULL},
	[SEAL_E_NO_VIEW_OF] = {ERRCODE_WRONG_OBJECT_TYPE,
		gettext_noop("cannot make a revealing view of \"%s\""),
	gettext_noop("A revealing view shows a table, a partitioned table or a foreign table that is no system catalog.")},
	[SEAL_E_NOT_REVEALING] = {ERRCODE_WRONG_OBJECT_TYPE,
		gettext_noop("\"%s\" is not a revealing view"),
	gettext_noop("A revealing view has security_invoker on and security_barrier off, and shows each column of one table once, as it is or as seal.show(column), and nothing else.")},
	[SEAL_E_NO_COLUMN] = {ERRCODE_UNDEFINED_COLUMN,
		gettext_noop("column \"%s\" does not exist"),
	gettext_noop("A revealing view shows columns of its table.")},
	[SEAL_E_COLUMN_LIST] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("columns must be a list of column names"),
	gettext_noop("Name at least one column, or leave the list out to show every column.")},
	[SEAL_E_COLUMN_TWICE] = {ERRCODE_DUPLICATE_COLUMN,
		gettext_noop("column \"%s\" specified more than once"),
	gettext_noop("A revealing view shows a column once.")},
	[SEAL_E_NOT_SHOWN] = {ERRCODE_NOT_NULL_VIOLATION,
		gettext_noop("column %s needs a value, and the view does not show it"),
	gettext_noop("Add the columns that are new in the table with seal.refresh_revealing_view(), give the column a default, or insert into the table.")},
	[SEAL_E_VIEW_DEFAULT] = {ERRCODE_FEATURE_NOT_SUPPORTED,
		gettext_noop("revealing view \"%s\" has column defaults of its own"),
	gettext_noop("Set the default on the table, and drop the view's with ALTER VIEW ... ALTER COLUMN ... DROP DEFAULT.")},
	[SEAL_E_AUDIT_IO] = {ERRCODE_IO_ERROR,
		gettext_noop("audit record could not be stored"),
	gettext_noop("No value is opened without its record. Look at the file system of seal.audit_directory.")},
	[SEAL_E_AUDIT_FULL] = {ERRCODE_DISK_FULL,
		gettext_noop("audit record could not be stored: no space left"),
	gettext_noop("No value is opened without its record. Make room in the file system of seal.audit_directory.")},
	[SEAL_E_AUDIT_LIMIT] = {ERRCODE_DISK_FULL,
		gettext_noop("audit record could not be stored: segments take as much as seal.audit_max_size allows"),
	gettext_noop("No value is opened without its record. See why segments are not taken into the log, or raise seal.audit_max_size.")},
	[SEAL_E_AUDIT_TAKEN] = {ERRCODE_LOCK_FILE_EXISTS,
		gettext_noop("the folder of the audit segments is used by another server"),
	gettext_noop("Each server, a copy of this one too, needs its own seal.audit_directory.")},
	[SEAL_E_LOG_CLOSED] = {ERRCODE_INSUFFICIENT_PRIVILEGE,
		gettext_noop("rows of \"seal.%s\" cannot be changed or removed"),
	gettext_noop("The log only grows; old entries leave it with seal.purge_audit().")},
	[SEAL_E_LOG_BROKEN] = {ERRCODE_DATA_CORRUPTED,
		gettext_noop("tables of the audit log lack part of its tree"),
	gettext_noop("Find out with seal.verify_audit() what was altered; records stay in their segments meanwhile.")},
	[SEAL_E_LOG_NUMBER] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("no such entry, or no such size of the audit log"),
	gettext_noop("Entries are numbered from 0; SELECT tree_size FROM seal.audit_status gives the size of the tree.")},
	[SEAL_E_NO_CHECKPOINT] = {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
		gettext_noop("no checkpoint could be made: %s"),
	gettext_noop("See last_error of seal.audit_status, and the server log.")},
	[SEAL_E_IN_RECOVERY] = {ERRCODE_READ_ONLY_SQL_TRANSACTION,
		gettext_noop("the log cannot be written while the server is in recovery"),
	gettext_noop("Copy the segments of this server to the primary and feed them there.")},
	[SEAL_E_RETENTION] = {ERRCODE_INVALID_PARAMETER_VALUE,
		gettext_noop("entries of the audit log are kept for six months at least"),
	gettext_noop("Give below_minimum => true where a shorter time is lawful.")},
	[SEAL_E_NOT_WATCHABLE] = {ERRCODE_WRONG_OBJECT_TYPE,
		gettext_noop("cannot watch \"%s\""),
	gettext_noop("A table or a partitioned table can be watched that is not temporary, no system catalog and not pgseal's own.")},
	[SEAL_E_NOT_WATCHED] = {ERRCODE_UNDEFINED_OBJECT,
		gettext_noop("\"%s\" is not watched"),
	gettext_noop("seal.watch() watches a table.")},
	[SEAL_E_WATCHED_AS_PART] = {ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
		gettext_noop("\"%s\" is watched as a partition"),
	gettext_noop("Call seal.unwatch() with the partitioned table that is watched.")},
	[SEAL_E_NO_ROW_KEY] = {ERRCODE_INVALID_TABLE_DEFINITION,
		gettext_noop("rows of \"%s\" have no key"),
	gettext_noop("A row is found by its primary key, or by the index that is the table's replica identity.")},
	[SEAL_E_NO_ROW_KEY_GIVEN] = {ERRCODE_NULL_VALUE_NOT_ALLOWED,
		gettext_noop("row key must not be null"), NULL},
};

/*
 * error_raise
 *		Raise one row of the table as ERROR.
 *
 *	name		what the message's %s stands for, or NULL when it has none
 */
void
error_raise(SealError error, const char *name)
{
	const ErrorRow *row = &error_table[error];

	Assert(error > SEAL_OK && error < SEAL_E_COUNT && row->message != NULL);
	ereport(ERROR,
			(errcode(row->sqlstate),
			 name != NULL ? errmsg(row->message, name) : errmsg("%s", _(row->message)),
			 row->hint != NULL ? errhint("%s", _(row->hint)) : 0,
			 errhidestmt(true)));
}

/*
 * error_sqlstate
 *		SQLSTATE that error_raise() gives; for records of refusals.
 */
int
error_sqlstate(SealError error)
{
	return error_table[error].sqlstate;
}
