/*-------------------------------------------------------------------------
 * claim.c
 *		Who a client says it works for, and why: seal.actor and seal.purpose.
 *
 * Floor 2.  A pooler hands a session to the next person with all its settings,
 * so a claim counts only in the transaction that made it.  That is remembered
 * with the value, not with the act of setting it: what a rollback to a savepoint
 * brings back counts as little as it did before.
 *
 * A parallel worker has the values of its leader, and asks its leader's place in
 * shared memory whether they count.
 *
 * Does not prove anything: a claim is recorded as one.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/shared.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "storage/proc.h"
#include "utils/guc.h"

/* What GUC keeps beside a value. */
typedef struct SetIn
{
	LocalTransactionId transaction;	/* that set it; invalid: none did */
} SetIn;

static char *settings[CLAIMS];
static LocalTransactionId set_in[CLAIMS];
static char texts[CLAIMS][CLAIM_BYTES]; /* as records take them, when they count */
static uint64 current_stamp = 0;	/* of these claims; 0: none is known to count */

/*
 * HL7 Version 3, value set PurposeOfUse (ActReason), without its head.
 * Source: http://terminology.hl7.org/ValueSet/v3-PurposeOfUse
 */
static const char *const purposes[] = {
	"HMARKT", "HOPERAT", "CAREMGT", "DONAT", "FRAUD", "GOV", "HACCRED", "HCOMPL", "HDECD", "HDIRECT",
	"HDM", "HLEGAL", "HOUTCOMS", "HPRGRP", "HQUALIMP", "HSYSADMIN", "LABELING", "METAMGT", "MEMADMIN",
	"MILCDM", "PATADMIN", "PATSFTY", "PERFMSR", "RECORDMGT", "SYSDEV", "HTEST", "TRAIN",
	"HPAYMT", "CLMATTCH", "COVAUTH", "COVERAGE", "ELIGDTRM", "ELIGVER", "ENROLLM", "MILDCRG", "REMITADV",
	"HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH",
	"PATRQT", "FAMRQT", "PWATRNY", "SUPNWK",
	"PUBHLTH", "DISASTER", "THREAT",
	"TREAT", "CLINTRL", "COC", "ETREAT", "BTG", "ERTREAT", "POPHLTH",
};

/* audit_purpose_known: is this a code of the value set? */
bool
audit_purpose_known(const char *code)
{
	for (int i = 0; i < (int) lengthof(purposes); i++)
	{
		if (strcmp(purposes[i], code) == 0)
			return true;
	}
	return false;
}

/* audit_purpose_list: all codes, for a hint; palloc'd. */
char *
audit_purpose_list(void)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < (int) lengthof(purposes); i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", purposes[i]);
	return list.data;
}

/* is_blank: nothing but spaces. */
static bool
is_blank(const char *text)
{
	return text == NULL || text[strspn(text, " \t\r\n")] == '\0';
}

/*
 * remember_transaction
 *		What a value is set by; goes with it through savepoints and resets.
 *
 * A file that is read again while a transaction is open claims nothing in it.
 */
static bool
remember_transaction(void **extra, GucSource source)
{
	SetIn	   *remembered = compat_guc_malloc(sizeof(SetIn));

	if (remembered == NULL)
		return false;
	remembered->transaction = source == PGC_S_SESSION && MyProc != NULL && IsTransactionState() ?
		compat_local_xid() : InvalidLocalTransactionId;
	*extra = remembered;
	return true;
}

/* check_actor: check hook. */
static bool
check_actor(char **value, void **extra, GucSource source)
{
	return remember_transaction(extra, source);
}

/* check_purpose: check hook; 22023 for what is no code. */
static bool
check_purpose(char **value, void **extra, GucSource source)
{
	if (!is_blank(*value) && !audit_purpose_known(*value))
	{
		GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
		GUC_check_errmsg("unknown purpose of use");
		GUC_check_errhint("Codes of HL7 PurposeOfUse are %s.", audit_purpose_list());
		return false;
	}
	return remember_transaction(extra, source);
}

/* forget: what was claimed may count no longer; accounts of it are set aside. */
static void
forget(void)
{
	current_stamp = 0;
	statement_set_aside();
}

/* publish: for parallel workers of this backend. */
static void
publish(Claim claim)
{
	if (MyProc != NULL && audit_shared != NULL && !IsParallelWorker())
		audit_shared->leaders[compat_proc_number(MyProc)].set_in[claim] = set_in[claim];
}

/* claim_publish: whoever had this place in shared memory before claims nothing any more. */
void
claim_publish(void)
{
	for (int i = 0; i < CLAIMS; i++)
		publish(i);
}

/*
 * set_claim
 *		A value comes into force: by SET, or because another one ends.
 *
 * Raises nothing: it is also called at the end of a transaction that failed.
 */
static void
set_claim(Claim claim, const SetIn *extra)
{
	set_in[claim] = extra != NULL ? extra->transaction : InvalidLocalTransactionId;
	publish(claim);
	forget();
}

/* assign_actor, assign_purpose: assign hooks. */
static void
assign_actor(const char *value, void *extra)
{
	set_claim(CLAIM_ACTOR, extra);
}

static void
assign_purpose(const char *value, void *extra)
{
	set_claim(CLAIM_PURPOSE, extra);
}

/* counts: was this set in the transaction that runs? */
static bool
counts(Claim claim)
{
	PGPROC	   *leader = IsParallelWorker() ? MyProc->lockGroupLeader : NULL;
	LocalTransactionId now = leader != NULL ? compat_local_xid_of(leader) : compat_local_xid();
	LocalTransactionId set = leader != NULL ?
	audit_shared->leaders[compat_proc_number(leader)].set_in[claim] : set_in[claim];

	return LocalTransactionIdIsValid(now) && set == now && !is_blank(settings[claim]);
}

/* audit_claim: what is claimed in this transaction, NULL when nothing is. */
const char *
audit_claim(Claim claim)
{
	return counts(claim) ? settings[claim] : NULL;
}

/*
 * claim_stamp
 *		Another number for other claims.  Needs a live transaction.
 *
 * Zero stands for none.
 */
uint64
claim_stamp(void)
{
	static uint64 last_stamp = 0;
	bool		any = false;

	if (current_stamp != 0)
		return current_stamp;
	for (int i = 0; i < CLAIMS; i++)
	{
		const char *claim = audit_claim(i);

		texts[i][0] = '\0';
		if (claim == NULL)
			continue;
		who_text(texts[i], CLAIM_BYTES, claim);
		any = true;
	}
	if (any)
		current_stamp = ++last_stamp;
	return current_stamp;
}

/* claim_text: a claim as records take it, as claim_stamp() found it in this transaction; NULL: none. */
const char *
claim_text(Claim claim)
{
	return current_stamp != 0 && texts[claim][0] != '\0' ? texts[claim] : NULL;
}

/* seal.actor: the person on whose behalf the client works, as it claims. */
static void
define_actor(void)
{
	DefineCustomStringVariable("seal.actor",
							   "Person on whose behalf the client works.",
							   "Counts in the transaction that sets it, as SET LOCAL does, and is recorded as claimed. Empty means that nobody is named.",
							   &settings[CLAIM_ACTOR], "", PGC_USERSET, GUC_NOT_IN_SAMPLE,
							   check_actor, assign_actor, NULL);
}

/* seal.purpose: why the client opens values, as it claims. */
static void
define_purpose(void)
{
	DefineCustomStringVariable("seal.purpose",
							   "Purpose for which the client opens values, a code of HL7 PurposeOfUse.",
							   "Counts in the transaction that sets it, as SET LOCAL does, and is recorded as claimed. Empty means that none is named.",
							   &settings[CLAIM_PURPOSE], "", PGC_USERSET, GUC_NOT_IN_SAMPLE,
							   check_purpose, assign_purpose, NULL);
}

/* follow_transaction: transaction callback; a transaction takes its claims with it. */
static void
follow_transaction(XactEvent event, void *arg)
{
	if (current_stamp != 0 &&
		(event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE))
		forget();
}

/* claim_init: before other files' callbacks are registered, so that they run while claims still count. */
void
claim_init(void)
{
	define_actor();
	define_purpose();
	RegisterXactCallback(follow_transaction, NULL);
}
