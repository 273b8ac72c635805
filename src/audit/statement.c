/*-------------------------------------------------------------------------
 * statement.c
 *		What a top-level statement opens: open, export, progress, close.
 *
 * Floor 2.  All that functions, loops and triggers inside a statement open is
 * the statement's.  For each key, role and use there is an account: its first
 * record is on the disk before the first value, and one with the total is
 * appended when the statement ends, however it ends.
 *
 * A record on the disk that says n values lets as many through as are a batch
 * more.  The next is appended half a batch before that, and is on the
 * disk, as a rule, when it is needed: a scan hardly waits, and what a statement
 * opened is always known up to one batch.
 *
 *		a query			from its first run until its executor ends: a portal that
 *						is read in pieces is one statement
 *		a command		until it returns; a FETCH is a statement of its own, and
 *						so is a CALL or DO, whatever transactions it ends inside
 *		planning		belongs to the query that is run next
 *		outside			until the transaction ends
 *
 * What is opened while a query runs that keeps it (keeping.c), there or in a
 * function that it calls, is recorded as export: in place of open, or after it
 * when values were opened before that were not kept.
 *
 * A parallel worker keeps accounts of its own under its leader's statement.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/memutils.h"

#define ACCOUNTS_AT_FIRST	8
#define EARLY_PART			2		/* of a batch: how long before its end the next record is appended */
#define NAME_BYTES			(4 * NAMEDATALEN)
#define OK					"ok"
#define ABORTED				"aborted"

typedef struct Account
{
	AuditUse	use;
	uint32		key_id;
	Oid			role;
	bool		exported;		/* it is recorded that values are kept */
	int64		granted;		/* values let through without another look at the records */
	int32		left;			/* of them, when this account is not in its allowance */
	uint64		claims;			/* what is claimed; 0: nothing */
	int64		limit;			/* values that the records on the disk speak for */
	int64		next_limit;		/* with the one on its way there; 0: none is */
	Place		next;			/* of that one */
	SubjectCount subjects;
	char		key[NAMEDATALEN];
	char		role_name[NAME_BYTES];
	char		actor[CLAIM_BYTES];
	char		purpose[CLAIM_BYTES];
} Account;

/* The statement that runs; without an owner until a query is run. */
typedef struct Statement
{
	QueryDesc  *owner;			/* NULL for a command, and outside */
	bool		begun;			/* by a query or command */
	uint64		id;				/* 0: nothing was recorded yet */
	const char *text;
	int			location;
	int			len;
	int64		rows;
	char		failure[6];		/* SQLSTATE; empty: none is known */
} Statement;

static const char *const use_names[AUDIT_USES] = {"reveal", "search"};

AuditAllowance audit_allowances[AUDIT_USES][AUDIT_ALLOWANCES];

static Statement statement;
static int	depth = 0;			/* of queries and commands inside each other */
static int	keeping = 0;		/* how many of them keep what they open */
static Account *accounts = NULL;
static int	account_count = 0;
static int	account_room = 0;

static ExecutorRun_hook_type prev_run_hook = NULL;
static ExecutorFinish_hook_type prev_finish_hook = NULL;
static ExecutorEnd_hook_type prev_end_hook = NULL;
static ProcessUtility_hook_type prev_utility_hook = NULL;

/* ----------
 * Accounts
 * ----------
 */

/* my_leader: where this process, or the leader it works for, keeps its statement. */
static Leader *
my_leader(void)
{
	PGPROC	   *proc = IsParallelWorker() && MyProc->lockGroupLeader != NULL ?
	MyProc->lockGroupLeader : MyProc;

	return &audit_shared->leaders[compat_proc_number(proc)];
}

/* statement_id: drawn by whoever first opens something in it, leader or worker. */
static uint64
statement_id(void)
{
	pg_atomic_uint64 *shared = &my_leader()->statement;
	uint64		id = pg_atomic_read_u64(shared);
	uint64		fresh;

	if (statement.id != 0)
		return statement.id;
	if (id == 0)
	{
		fresh = pg_atomic_add_fetch_u64(&audit_shared->last_statement, 1);
		if (pg_atomic_compare_exchange_u64(shared, &id, fresh))
			id = fresh;
	}
	statement.id = id;
	return id;
}

/* allowance_of: where an account's allowance is, or would be. */
static AuditAllowance *
allowance_of(AuditUse use, uint32 key_id)
{
	return &audit_allowances[use][key_id & (AUDIT_ALLOWANCES - 1)];
}

/* is_allowance_of: is it this account's now? */
static bool
is_allowance_of(const AuditAllowance *allowance, const Account *account)
{
	return allowance->key_id == account->key_id && allowance->role == account->role &&
		allowance->claims == account->claims;
}

/* values_of: how many values an account has let through. */
static int64
values_of(const Account *account)
{
	const AuditAllowance *allowance = allowance_of(account->use, account->key_id);

	return account->granted - (is_allowance_of(allowance, account) ? allowance->left : account->left);
}

/* find_account: of this statement, NULL when it has none. */
static Account *
find_account(AuditUse use, uint32 key_id, Oid role, uint64 claims)
{
	for (int i = 0; i < account_count; i++)
	{
		Account    *account = &accounts[i];

		if (account->use == use && account->key_id == key_id && account->role == role &&
			account->claims == claims)
			return account;
	}
	return NULL;
}

/* put_aside: keep what is left of an allowance that another account needs the place of. */
static void
put_aside(AuditUse use, AuditAllowance *allowance)
{
	Account    *account = find_account(use, allowance->key_id, allowance->role, allowance->claims);

	if (account != NULL)
		account->left = allowance->left;
	*allowance = (AuditAllowance) {.role = InvalidOid};
}

/* statement_set_aside: all allowances, so that each account is looked at before its next value.  Raises nothing. */
void
statement_set_aside(void)
{
	for (int use = 0; use < AUDIT_USES; use++)
	{
		for (int i = 0; i < AUDIT_ALLOWANCES; i++)
			put_aside(use, &audit_allowances[use][i]);
	}
}

/* set_keeping: so many of the queries and commands that run keep what they open. */
static void
set_keeping(int count)
{
	if ((count > 0) != (keeping > 0))
		pg_atomic_write_u32(&my_leader()->keeping, count > 0);
	if (count > 0 && keeping == 0 && account_count > 0)
		statement_set_aside();
	keeping = count;
}

/* is_kept: what is opened now, by this process or for its leader. */
static bool
is_kept(void)
{
	return IsParallelWorker() ? pg_atomic_read_u32(&my_leader()->keeping) != 0 : keeping > 0;
}

/* make_place: for one more account. */
static void
make_place(void)
{
	if (account_count < account_room)
		return;
	if (accounts == NULL)
		accounts = MemoryContextAlloc(TopMemoryContext, ACCOUNTS_AT_FIRST * sizeof(Account));
	else
		accounts = repalloc(accounts, 2 * account_room * sizeof(Account));
	account_room = Max(ACCOUNTS_AT_FIRST, 2 * account_room);
}

/* new_account: nothing is recorded of it yet, and it is not counted among the others. */
static Account *
new_account(AuditUse use, uint32 key_id, Oid role, uint64 claims)
{
	const RingKey *key = ring_key_by_id(key_id);
	AuditRecord who = {AUDIT_NO_COUNTS};
	Account    *account;

	make_place();
	account = &accounts[account_count];
	*account = (Account) {.use = use,.key_id = key_id,.role = role,.claims = claims};
	audit_who(&who);
	strlcpy(account->role_name, who.role, NAME_BYTES);
	strlcpy(account->actor, who.actor != NULL ? who.actor : "", CLAIM_BYTES);
	strlcpy(account->purpose, who.purpose != NULL ? who.purpose : "", CLAIM_BYTES);
	strlcpy(account->key, key != NULL ? NameStr(key->name) : "", NAMEDATALEN);
	return account;
}

/* account_record: what all records of an account say. */
static AuditRecord
account_record(const Account *account)
{
	return (AuditRecord) {
		AUDIT_NO_COUNTS,
		.statement = statement.id,
		.role = account->role_name,
		.actor = account->actor,
		.purpose = account->purpose,
		.key = account->key,
		.what = use_names[account->use],
	};
}

/* record_begin: open, export, or search, before the first value of an account. */
static void
record_begin(Account *account, uint64 subject)
{
	bool		exported = account->use == AUDIT_USE_OPEN && is_kept();
	AuditRecord record;

	(void) statement_id();
	record = account_record(account);
	record.action = account->use == AUDIT_USE_SEARCH ? AUDIT_SEARCH : exported ? AUDIT_EXPORT : AUDIT_OPEN;
	record.subject = subject;
	if (statement.begun)
		record.has_digest = digest_statement(record.digest, statement.text, statement.location, statement.len);
	else
		record.has_digest = digest_statement(record.digest, debug_query_string, -1, 0);
	audit_append(&record, account->use == AUDIT_USE_OPEN);
	account->exported = exported;
}

/* record_progress: what was let through so far, so that another batch may be. */
static void
record_progress(Account *account)
{
	AuditRecord record = account_record(account);

	record.action = AUDIT_PROGRESS;
	record.values_opened = account->granted;
	if (account->use == AUDIT_USE_OPEN)
		audit_append_ahead(&account->next, &record);
	else
		audit_append(&record, false);
	account->next_limit = account->granted + audit_batch;
}

/*
 * count_subject
 *		A value of this subject is opened; when many are not told yet, they are.
 *
 * Not waited for: they are known as soon as the next record on the disk is.
 */
static void
count_subject(Account *account, uint64 subject)
{
	AuditRecord record;

	if (likely(!subject_add(&account->subjects, subject)))
		return;
	record = account_record(account);
	record.action = AUDIT_PROGRESS;
	record.values_opened = values_of(account);
	subject_tell(&record, &account->subjects);
	audit_append(&record, false);
	subject_told(&account->subjects);
}

/* wait_for_progress: a value is let through when its record is on the disk. */
static void
wait_for_progress(Account *account)
{
	if (account->use == AUDIT_USE_OPEN)
		audit_wait(&account->next);
	account->limit = account->next_limit;
	account->next_limit = 0;
}

/* grant: values up to the limit, or up to where the next record is due. */
static void
grant(Account *account)
{
	int64		early = audit_batch / EARLY_PART;
	int64		upto;

	if (account->next_limit != 0)
		wait_for_progress(account);
	else if (account->granted >= account->limit - early)
		record_progress(account);
	upto = account->next_limit != 0 ? account->limit : account->limit - early;
	account->left = (int32) Max(upto - account->granted, 0);
	account->granted += account->left;
}

/* ----------
 * The end of a statement
 * ----------
 */

/* close_record: the record with its total. */
static AuditRecord
close_record(const Account *account, const char *outcome)
{
	AuditRecord record = account_record(account);

	record.action = AUDIT_CLOSE;
	record.outcome = outcome;
	record.values_opened = values_of(account);
	record.rows_returned = IsParallelWorker() ? AUDIT_UNKNOWN : statement.rows;
	subject_tell(&record, &account->subjects);
	return record;
}

/* close_accounts: not waited for. */
static void
close_accounts(const char *outcome)
{
	AuditRecord records[ACCOUNTS_AT_FIRST];
	SealError	error = SEAL_OK;

	for (int i = 0; i < account_count; i += ACCOUNTS_AT_FIRST)
	{
		int			count = Min(account_count - i, ACCOUNTS_AT_FIRST);

		for (int j = 0; j < count; j++)
			records[j] = close_record(&accounts[i + j], outcome);
		if (error == SEAL_OK)
			error = audit_store(records, count, false);
	}
	if (error != SEAL_OK)
		ereport(LOG_SERVER_ONLY, (errmsg("audit record of the end of a statement could not be stored")));
}

/* failure: outcome of a statement that failed. */
static const char *
failure(void)
{
	return statement.failure[0] != '\0' ? statement.failure : ABORTED;
}

/*
 * end_statement
 *		Close its accounts.  Raises nothing.
 */
static void
end_statement(const char *outcome)
{
	if (account_count > 0)
	{
		close_accounts(outcome);
		for (int i = 0; i < account_count; i++)
			subject_forget(&accounts[i].subjects);
		account_count = 0;
		memset(audit_allowances, 0, sizeof(audit_allowances));
	}
	if (!IsParallelWorker() && pg_atomic_read_u64(&my_leader()->statement) != 0)
		pg_atomic_write_u64(&my_leader()->statement, 0);
	statement = (Statement) {.rows = AUDIT_UNKNOWN};
}

/* end_session: before_shmem_exit; whatever runs is aborted. */
static void
end_session(int code, Datum arg)
{
	end_statement(ABORTED);
}

/*
 * follow_transaction
 *		Transaction callback: what is open outside of a statement ends here.
 */
static void
follow_transaction(XactEvent event, void *arg)
{
	if (depth > 0)
		return;
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT)
		end_statement(failure());
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PARALLEL_COMMIT || event == XACT_EVENT_PREPARE)
		end_statement(OK);
}

/* follow_subtransaction: subtransaction callback; a statement that fails after a savepoint ends with it. */
static void
follow_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (depth == 0 && event == SUBXACT_EVENT_ABORT_SUB)
		end_statement(failure());
}

/* ----------
 * Values
 * ----------
 */

/* first_account: an account whose first record is on its way; the session closes it if nobody else does. */
static Account *
first_account(AuditUse use, uint32 key_id, Oid role, uint64 claims, uint64 subject)
{
	static bool registered = false;
	Account    *account = new_account(use, key_id, role, claims);

	if (!registered)
		before_shmem_exit(end_session, (Datum) 0);
	registered = true;
	record_begin(account, subject);
	account->limit = audit_batch;
	account_count++;
	return account;
}

/* is_let_through: does what was let through last speak for this value too, of whatever subject? */
static bool
is_let_through(const AuditAllowance *allowance, uint32 key_id, Oid role)
{
	return allowance->left > 0 && allowance->key_id == key_id && allowance->role == role;
}

/*
 * audit_value_recorded
 *		A value of another subject than the one before, or one that no record
 *		speaks for yet: then the record comes first.
 */
void
audit_value_recorded(AuditUse use, uint32 key_id, uint64 subject)
{
	AuditAllowance *allowance = allowance_of(use, key_id);
	Oid			role = GetUserId();
	uint64		claims;
	Account    *account;

	if (is_let_through(allowance, key_id, role))
	{
		count_subject(&accounts[allowance->account], subject);
		allowance->subject = subject;
		allowance->left--;
		return;
	}
	claims = claim_stamp();
	put_aside(use, allowance);
	account = find_account(use, key_id, role, claims);
	if (account == NULL)
		account = first_account(use, key_id, role, claims, subject);
	else if (use == AUDIT_USE_OPEN && !account->exported && is_kept())
		record_begin(account, subject);
	while (account->left == 0)
		grant(account);
	count_subject(account, subject);
	*allowance = (AuditAllowance) {key_id, role, account->left - 1, account - accounts, claims, subject};
}

/* ----------
 * Hooks.  Whoever was here first goes first.
 * ----------
 */

/* begin: a query or command; inside another it is part of that. */
static void
begin(QueryDesc *owner, const char *text, int location, int len)
{
	static bool published = false;

	if (depth > 0 || (statement.begun && owner != NULL && statement.owner == owner))
		return;
	if (statement.begun)
		end_statement(OK);
	if (!published)
	{
		who_publish();
		claim_publish();
	}
	published = true;
	statement.begun = true;
	statement.owner = owner;
	statement.text = text;
	statement.location = location;
	statement.len = len;
	statement.failure[0] = '\0';
}

/* leave: a query or command has ended; kept: how many of those around it keep what they open. */
static void
leave(int kept)
{
	set_keeping(kept);
	depth--;
}

/* leave_failed: the same in a PG_CATCH. */
static void
leave_failed(int kept)
{
	leave(kept);
	if (depth == 0)
		strlcpy(statement.failure, unpack_sql_state(geterrcode()), sizeof(statement.failure));
}

/* add_rows: to what the statement returned. */
static void
add_rows(uint64 rows)
{
	statement.rows = Max(statement.rows, 0) + (int64) rows;
}

/* run_query: ExecutorRun_hook. */
static void
run_query(QueryDesc *query, ScanDirection direction, uint64 count COMPAT_RUN_ARGS)
{
	int			kept = keeping;

	begin(query, query->sourceText, query->plannedstmt->stmt_location, query->plannedstmt->stmt_len);
	depth++;
	PG_TRY();
	{
		set_keeping(kept + keeping_query(query));
		if (prev_run_hook)
			(*prev_run_hook) (query, direction, count COMPAT_RUN_PASS);
		else
			standard_ExecutorRun(query, direction, count COMPAT_RUN_PASS);
	}
	PG_CATCH();
	{
		leave_failed(kept);
		PG_RE_THROW();
	}
	PG_END_TRY();
	leave(kept);
	if (depth == 0)
		add_rows(query->estate->es_processed);
}

/* finish_query: ExecutorFinish_hook; triggers run in it. */
static void
finish_query(QueryDesc *query)
{
	int			kept = keeping;

	begin(query, query->sourceText, query->plannedstmt->stmt_location, query->plannedstmt->stmt_len);
	depth++;
	PG_TRY();
	{
		if (prev_finish_hook)
			(*prev_finish_hook) (query);
		else
			standard_ExecutorFinish(query);
	}
	PG_CATCH();
	{
		leave_failed(kept);
		PG_RE_THROW();
	}
	PG_END_TRY();
	leave(kept);
}

/* end_query: ExecutorEnd_hook. */
static void
end_query(QueryDesc *query)
{
	if (prev_end_hook)
		(*prev_end_hook) (query);
	else
		standard_ExecutorEnd(query);
	if (depth == 0 && statement.owner == query)
		end_statement(OK);
}

/* next_utility: the next hook, or the standard one. */
static void
next_utility(PlannedStmt *command, const char *text, bool read_only_tree,
			 ProcessUtilityContext context, ParamListInfo params,
			 QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = prev_utility_hook ? prev_utility_hook : standard_ProcessUtility;

	(*next) (command, text, read_only_tree, context, params, environment, dest, completion);
}

/* run_utility: ProcessUtility_hook. */
static void
run_utility(PlannedStmt *command, const char *text, bool read_only_tree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	int			kept = keeping;

	begin(NULL, text, command->stmt_location, command->stmt_len);
	depth++;
	PG_TRY();
	{
		set_keeping(kept + keeping_command(command));
		next_utility(command, text, read_only_tree, context, params, environment, dest, completion);
	}
	PG_CATCH();
	{
		leave_failed(kept);
		PG_RE_THROW();
	}
	PG_END_TRY();
	leave(kept);
	if (depth > 0)
		return;
	if (completion != NULL)
		add_rows(completion->nprocessed);
	end_statement(OK);
}

void
statement_init(void)
{
	statement.rows = AUDIT_UNKNOWN;
	prev_run_hook = ExecutorRun_hook;
	ExecutorRun_hook = run_query;
	prev_finish_hook = ExecutorFinish_hook;
	ExecutorFinish_hook = finish_query;
	prev_end_hook = ExecutorEnd_hook;
	ExecutorEnd_hook = end_query;
	prev_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = run_utility;
	RegisterXactCallback(follow_transaction, NULL);
	RegisterSubXactCallback(follow_subtransaction, NULL);
}
