/*-------------------------------------------------------------------------
 * quiet.c
 *		Core's input and conversion functions, without the value in their errors.
 *
 * Floor 4.  "invalid input syntax for type date: "03/12/1984 Dupont"" would
 * put a patient's data into the server log and the client's.  An error about
 * the data is raised again under its own SQLSTATE with the type's name only;
 * any other error (cancel, out of memory) passes as it is.  Nothing goes on
 * after the error, so no subtransaction is needed to swallow it.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "utils/elog.h"

typedef struct CoreCall
{
	PGFunction	function;
	Datum		args[3];
} CoreCall;

/* is_about_data: may an error of this SQLSTATE print the value? */
static bool
is_about_data(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		sqlstate == ERRCODE_PROTOCOL_VIOLATION;
}

/* message_for: what can be said of an error without the value; takes the type's name. */
static const char *
message_for(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE:
		case ERRCODE_DATETIME_FIELD_OVERFLOW:
			return gettext_noop("value out of range for type %s");
		case ERRCODE_CHARACTER_NOT_IN_REPERTOIRE:
		case ERRCODE_UNTRANSLATABLE_CHARACTER:
			return gettext_noop("value of type %s has a character that the encoding does not have");
		default:
			return gettext_noop("invalid input syntax for type %s");
	}
}

/* raise_quietly: the error instead; core's SQLSTATE is kept for values given as text. */
static void
raise_quietly(SealError error, int sqlstate, const char *type_name)
{
	if (error != SEAL_E_INPUT_TEXT)
		error_raise(error, error == SEAL_E_CORRUPT ? NULL : type_name);
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg(message_for(sqlstate), type_name),
			 errhint("The value is not repeated here, it may be a patient's."),
			 errhidestmt(true)));
}

/*
 * quiet_run
 *		Run something that may raise an error with a value in it.
 *
 *	error		what to raise instead; SEAL_E_INPUT_TEXT keeps the SQLSTATE
 *	type_name	the type that the value was meant for
 */
Datum
quiet_run(Datum (*body) (void *arg), void *arg, SealError error, const char *type_name)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		result = (Datum) 0;

	PG_TRY();
	{
		result = body(arg);
	}
	PG_CATCH();
	{
		int			sqlstate = geterrcode();

		if (!is_about_data(sqlstate))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		raise_quietly(error, sqlstate, type_name);
	}
	PG_END_TRY();
	return result;
}

/* call_core: body of quiet_call(). */
static Datum
call_core(void *arg)
{
	CoreCall   *call = arg;

	return DirectFunctionCall3(call->function, call->args[0], call->args[1], call->args[2]);
}

/* quiet_call: one of core's functions of up to three arguments, by its C name. */
Datum
quiet_call(PGFunction function, Datum first, Datum second, Datum third,
		   SealError error, const char *type_name)
{
	CoreCall	call = {function, {first, second, third}};

	return quiet_run(call_core, &call, error, type_name);
}
