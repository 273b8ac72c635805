/*-------------------------------------------------------------------------
 * api.c
 *		The SQL functions of the log: its key, its checkpoints and proofs, and
 *		what an administrator does with it.
 *
 * Floor 2.  Proofs and the public key show hashes only, to everybody.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/audit.h"

#include <sys/stat.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "audit/ingest.h"
#include "audit/log.h"
#include "audit/worker.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(pgseal_public_key);
PG_FUNCTION_INFO_V1(pgseal_checkpoint);
PG_FUNCTION_INFO_V1(pgseal_inclusion_proof);
PG_FUNCTION_INFO_V1(pgseal_consistency_proof);
PG_FUNCTION_INFO_V1(pgseal_ingest_segments);
PG_FUNCTION_INFO_V1(pgseal_remove_segments);
PG_FUNCTION_INFO_V1(pgseal_audit_unread);
PG_FUNCTION_INFO_V1(pgseal_audit_last_error);

/* read_state: as of now; raises 55000 when there is no log yet. */
static void
read_state(LogState *state)
{
	Relation	states = log_open("audit_state", AccessShareLock);

	state_read(state, states, NULL);
	table_close(states, AccessShareLock);
	if (state->tuple == NULL)
		error_raise(SEAL_E_NO_CHECKPOINT, "the log has no entry yet");
}

/* seal.public_key() returns text */
Datum
pgseal_public_key(PG_FUNCTION_ARGS)
{
	char		key_text[NOTE_KEY_TEXT_MAX_BYTES];
	LogState	state;
	NoteKey		key;
	SealError	error;

	read_state(&state);
	error = sign_key(&key, NULL, state_text(&state, STATE_ORIGIN));
	if (error != SEAL_OK)
		ring_raise(error, key_id_of(KEY_AUDIT));
	note_key_to_text(key_text, &key);
	PG_RETURN_TEXT_P(cstring_to_text(key_text));
}

/* refuse_writer: a transaction that holds the log would wait for itself. */
static void
refuse_writer(void)
{
	Relation	states = log_open("audit_state", AccessShareLock);
	bool		held = CheckRelationLockedByMe(states, LOG_LOCK, true);

	table_close(states, AccessShareLock);
	if (held)
		error_raise(SEAL_E_NO_CHECKPOINT, "this transaction has written to the log and must end first");
}

/* seal.checkpoint() returns text */
Datum
pgseal_checkpoint(PG_FUNCTION_ARGS)
{
	LogState	state;

	if (RecoveryInProgress())
		error_raise(SEAL_E_NO_CHECKPOINT, "the server is in recovery");
	refuse_writer();
	worker_demand();
	read_state(&state);
	if (state.nulls[STATE_CHECKPOINT])
		error_raise(SEAL_E_NO_CHECKPOINT, "the log has no entry yet");
	PG_RETURN_DATUM(state.values[STATE_CHECKPOINT]);
}

/* hashes_to_array: as text[], hexadecimal. */
static Datum
hashes_to_array(const MerkleHash *hashes, size_t count)
{
	Datum		texts[MERKLE_PROOF_MAX];
	char		hex[2 * MERKLE_HASH_BYTES + 1];

	for (size_t i = 0; i < count; i++)
	{
		sodium_bin2hex(hex, sizeof(hex), hashes[i].bytes, MERKLE_HASH_BYTES);
		texts[i] = CStringGetTextDatum(hex);
	}
	return PointerGetDatum(construct_array(texts, (int) count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* size_argument: a size of the tree; null means the whole; 22023 for none that the log has. */
static uint64
size_argument(FunctionCallInfo fcinfo, int number)
{
	LogState	state;
	int64		size;

	read_state(&state);
	size = PG_ARGISNULL(number) ? state_size(&state) : PG_GETARG_INT64(number);
	if (size < 0 || size > state_size(&state))
		error_raise(SEAL_E_LOG_NUMBER, NULL);
	return (uint64) size;
}

/* seal.inclusion_proof(entry bigint, tree_size bigint) returns text[] */
Datum
pgseal_inclusion_proof(PG_FUNCTION_ARGS)
{
	MerkleHash	proof[MERKLE_PROOF_MAX];
	size_t		count;
	LogTree		tree;
	MerkleStore store;
	uint64		size;
	bool		made;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	size = size_argument(fcinfo, 1);
	if (PG_GETARG_INT64(0) < 0 || (uint64) PG_GETARG_INT64(0) >= size)
		error_raise(SEAL_E_LOG_NUMBER, NULL);
	tree_open(&tree, RegisterSnapshot(GetLatestSnapshot()));
	store = tree_store(&tree);
	made = merkle_prove_inclusion(proof, &count, (uint64) PG_GETARG_INT64(0), size, &store);
	UnregisterSnapshot(tree.snapshot);
	tree_close(&tree);
	if (!made)
		error_raise(SEAL_E_LOG_BROKEN, NULL);
	PG_RETURN_DATUM(hashes_to_array(proof, count));
}

/* seal.consistency_proof(old bigint, new bigint) returns text[] */
Datum
pgseal_consistency_proof(PG_FUNCTION_ARGS)
{
	MerkleHash	proof[MERKLE_PROOF_MAX];
	size_t		count;
	LogTree		tree;
	MerkleStore store;
	uint64		old_size;
	uint64		new_size;
	bool		made;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	old_size = size_argument(fcinfo, 0);
	new_size = size_argument(fcinfo, 1);
	if (old_size > new_size)
		error_raise(SEAL_E_LOG_NUMBER, NULL);
	tree_open(&tree, RegisterSnapshot(GetLatestSnapshot()));
	store = tree_store(&tree);
	made = merkle_prove_consistency(proof, &count, old_size, new_size, &store);
	UnregisterSnapshot(tree.snapshot);
	tree_close(&tree);
	if (!made)
		error_raise(SEAL_E_LOG_BROKEN, NULL);
	PG_RETURN_DATUM(hashes_to_array(proof, count));
}

/* segments_below: a database's own folder, be it given or the one above. */
static char *
segments_below(char *path)
{
	char	   *own = psprintf("%s/%u", path, MyDatabaseId);
	struct stat st;

	if (stat(path, &st) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not open directory \"%s\": %m", path)));
	return stat(own, &st) == 0 ? own : path;
}

/* seal.ingest_segments(path text) returns bigint */
Datum
pgseal_ingest_segments(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));

	log_require_admin("seal.ingest_segments");
	if (RecoveryInProgress())
		error_raise(SEAL_E_IN_RECOVERY, NULL);
	PG_RETURN_INT64(ingest_batch(ingest_files(segments_below(path)), false, PG_INT64_MAX));
}

/* seal.remove_segments() returns bigint */
Datum
pgseal_remove_segments(PG_FUNCTION_ARGS)
{
	log_require_admin("seal.remove_segments");
	PG_RETURN_INT64(deliver_remove_segments());
}

/* seal.audit_unread() returns bigint */
Datum
pgseal_audit_unread(PG_FUNCTION_ARGS)
{
	char		folder[MAXPGPATH];
	ListCell   *cell;
	int64		unread = 0;

	log_require_reader("audit_status");
	audit_folder(folder, MyDatabaseId);
	foreach(cell, ingest_files(folder))
		unread += ingest_is_read(lfirst(cell)) ? 0 : 1;
	PG_RETURN_INT64(unread);
}

/* seal.audit_last_error() returns text */
Datum
pgseal_audit_last_error(PG_FUNCTION_ARGS)
{
	char		error[WORKER_ERROR_BYTES];

	log_require_reader("audit_status");
	worker_last_error(error);
	if (error[0] == '\0')
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(error));
}
