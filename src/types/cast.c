/*-------------------------------------------------------------------------
 * cast.c
 *		Casts into and out of the sealed types, seal(), reveal(), show().
 *
 * Floor 4.  A cast goes through the plain type: core converts between plain
 * types, this room seals and opens.  Which types a function is about is read
 * from its own signature once per call site.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "types/internal.h"

#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Core's own cast between two plain types, looked up once per call site. */
typedef struct Converter
{
	Oid			target;
	CoercionPathType path;
	FmgrInfo	call;			/* cast function, or input function of the target */
	FmgrInfo	print;			/* output function of the source */
	Oid			ioparam;
} Converter;

/* What a call site of one of these functions works with. */
typedef struct CallSite
{
	const SealedType *type;
	Converter	converter;
	uint64		column_number;	/* what is kept of a protected column; 0: nothing */
	uint64		column_stamp;	/* ring_stamp() then */
	ProtectedColumn column;
} CallSite;

PG_FUNCTION_INFO_V1(pgseal_cast_in);
PG_FUNCTION_INFO_V1(pgseal_seal);
PG_FUNCTION_INFO_V1(pgseal_reveal);
PG_FUNCTION_INFO_V1(pgseal_show);
PG_FUNCTION_INFO_V1(pgseal_reveal_at);
PG_FUNCTION_INFO_V1(pgseal_show_at);
PG_FUNCTION_INFO_V1(pgseal_token_literal);

/* ----------
 * Core's own casts
 * ----------
 */

/* converter_find: how core casts one plain type to another; the result lives in context. */
static void
converter_find(Converter *converter, Oid target, Oid source, MemoryContext context)
{
	Oid			function = InvalidOid;
	bool		is_varlena;

	converter->target = target;
	converter->path = find_coercion_pathway(target, source, COERCION_EXPLICIT, &function);
	switch (converter->path)
	{
		case COERCION_PATH_RELABELTYPE:
			return;
		case COERCION_PATH_FUNC:
			fmgr_info_cxt(function, &converter->call, context);
			return;
		case COERCION_PATH_COERCEVIAIO:
			getTypeOutputInfo(source, &function, &is_varlena);
			fmgr_info_cxt(function, &converter->print, context);
			getTypeInputInfo(target, &function, &converter->ioparam);
			fmgr_info_cxt(function, &converter->call, context);
			return;
		default:
			elog(ERROR, "no cast from type %u to type %u", source, target);
	}
}

typedef struct Conversion
{
	Converter  *converter;
	Datum		value;
} Conversion;

/* convert: body of quiet_run(). */
static Datum
convert(void *arg)
{
	Conversion *conversion = arg;
	Converter  *converter = conversion->converter;
	char	   *text;

	if (converter->path == COERCION_PATH_FUNC)
		return FunctionCall3(&converter->call, conversion->value, Int32GetDatum(-1), BoolGetDatum(true));
	text = OutputFunctionCall(&converter->print, conversion->value);
	return InputFunctionCall(&converter->call, text, converter->ioparam, -1);
}

/* converter_run: cast a plain value; core's errors come without the value. */
static Datum
converter_run(Converter *converter, Datum value)
{
	Conversion	conversion = {converter, value};

	if (converter->path == COERCION_PATH_RELABELTYPE)
		return value;
	return quiet_run(convert, &conversion, SEAL_E_INPUT_TEXT, format_type_be(converter->target));
}

/* ----------
 * Call sites
 * ----------
 */

/* new_call_site: sealed and plain as the function's signature says; kept in fn_extra. */
static CallSite *
new_call_site(FmgrInfo *flinfo, const SealedType *type, Oid target, Oid source)
{
	CallSite   *site;

	if (type == NULL)
		elog(ERROR, "function %u is not about a sealed type", flinfo->fn_oid);
	site = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(CallSite));
	site->type = type;
	converter_find(&site->converter, target, source, flinfo->fn_mcxt);
	flinfo->fn_extra = site;
	return site;
}

/* sealing_site: of f(plain, ...) returns sealed. */
static CallSite *
sealing_site(FmgrInfo *flinfo)
{
	const SealedType *type;
	Oid		   *arguments;
	int			count;

	if (flinfo->fn_extra != NULL)
		return flinfo->fn_extra;
	type = sealed_type_of_oid(get_func_signature(flinfo->fn_oid, &arguments, &count));
	return new_call_site(flinfo, type, type != NULL ? type->plain : InvalidOid, arguments[0]);
}

/* opening_site: of f(sealed) returns plain. */
static CallSite *
opening_site(FmgrInfo *flinfo)
{
	const SealedType *type;
	Oid			target;
	Oid		   *arguments;
	int			count;

	if (flinfo->fn_extra != NULL)
		return flinfo->fn_extra;
	target = get_func_signature(flinfo->fn_oid, &arguments, &count);
	type = sealed_type_of_oid(arguments[0]);
	return new_call_site(flinfo, type, target, type != NULL ? type->plain : InvalidOid);
}

/* token_site: of f(key, plain) returns text. */
static CallSite *
token_site(FmgrInfo *flinfo)
{
	const SealedType *type;
	Oid		   *arguments;
	int			count;

	if (flinfo->fn_extra != NULL)
		return flinfo->fn_extra;
	(void) get_func_signature(flinfo->fn_oid, &arguments, &count);
	type = sealed_type_of_plain(arguments[1]);
	return new_call_site(flinfo, type, type != NULL ? type->plain : InvalidOid, arguments[1]);
}

/* release_converted: wipe what a conversion made, unless it is the argument itself. */
static void
release_converted(const SealedType *type, Datum converted, Datum argument)
{
	if (converted != argument)
		plain_release(type, converted);
}

/* ----------
 * Sealing
 * ----------
 */

/* seal_argument: convert and seal as it is. */
static struct varlena *
seal_argument(CallSite *site, Datum argument, int32 typmod)
{
	Datum		value = converter_run(&site->converter, argument);
	struct varlena *sealed = value_seal_plain(site->type, value, typmod);

	release_converted(site->type, value, argument);
	return sealed;
}

/* seal_text_argument: as input does, an envelope stays one. */
static struct varlena *
seal_text_argument(CallSite *site, Datum argument, int32 typmod)
{
	Datum		value = converter_run(&site->converter, argument);
	struct varlena *text = PG_DETOAST_DATUM_PACKED(value);
	struct varlena *sealed = value_from_text(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text),
											 typmod, SEAL_E_MALFORMED_TEXT);

	if (text != (struct varlena *) DatumGetPointer(value))
		plain_release(site->type, PointerGetDatum(text));
	release_converted(site->type, value, argument);
	return sealed;
}

/* seal.sealed_*(plain, integer, boolean) returns sealed_*: assignment casts */
Datum
pgseal_cast_in(PG_FUNCTION_ARGS)
{
	CallSite   *site = sealing_site(fcinfo->flinfo);
	Datum		argument = PG_GETARG_DATUM(0);
	int32		typmod = PG_GETARG_INT32(1);

	if (site->type->kind == SEALED_TEXT)
		PG_RETURN_POINTER(seal_text_argument(site, argument, typmod));
	PG_RETURN_POINTER(seal_argument(site, argument, typmod));
}

/* known_key: id of the key an argument names; 42704 when there is none. */
static uint32
known_key(text *argument)
{
	char	   *name = text_to_cstring(argument);
	const RingKey *key = ring_key_by_name(name);

	if (key == NULL || key->dropped)
		error_raise(SEAL_E_UNKNOWN_KEY, name);
	return key->id;
}

/* seal.seal(plain, text) returns sealed_* */
Datum
pgseal_seal(PG_FUNCTION_ARGS)
{
	CallSite   *site = sealing_site(fcinfo->flinfo);
	uint32		key_id = known_key(PG_GETARG_TEXT_PP(1));

	PG_RETURN_POINTER(seal_argument(site, PG_GETARG_DATUM(0), (int32) key_id));
}

/* seal.token_literal(text, plain) returns text */
Datum
pgseal_token_literal(PG_FUNCTION_ARGS)
{
	CallSite   *site = token_site(fcinfo->flinfo);
	uint32		key_id = known_key(PG_GETARG_TEXT_PP(0));
	Datum		value = converter_run(&site->converter, PG_GETARG_DATUM(1));
	PlainBytes	payload;
	struct varlena *token;

	site->type->encode(&payload, value);
	token = value_token(site->type, site->type->kind, &payload, key_id);
	release_converted(site->type, value, PG_GETARG_DATUM(1));
	PG_RETURN_TEXT_P(cstring_to_text(text_from_sealed(token)));
}

/* ----------
 * Opening
 * ----------
 */

/* give_result: convert to what the function returns. */
static Datum
give_result(CallSite *site, Datum value)
{
	Datum		result = converter_run(&site->converter, value);

	if (result != value)
		plain_release(site->type, value);
	return result;
}

/* open_anywhere: a function of a sealed value alone. */
static Datum
open_anywhere(FunctionCallInfo fcinfo, OpeningGate gate)
{
	CallSite   *site = opening_site(fcinfo->flinfo);
	Datum		value;

	if (!value_open_plain(&value, site->type, PG_GETARG_DATUM(0), gate))
		PG_RETURN_NULL();
	return give_result(site, value);
}

/* seal.reveal(sealed_*) returns plain */
Datum
pgseal_reveal(PG_FUNCTION_ARGS)
{
	return open_anywhere(fcinfo, gate_open);
}

/* seal.show(sealed_*) returns plain, NULL without the right */
Datum
pgseal_show(PG_FUNCTION_ARGS)
{
	return open_anywhere(fcinfo, gate_show);
}

/* ----------
 * Opening in the place where a value belongs
 * ----------
 */

/* read_column: what the ring says of a column number. */
static void
read_column(ProtectedColumn *column, uint64 number)
{
	const RingProtection *protection = NULL;

	column->state = COLUMN_UNPROTECTED;
	if (ring_verify() == SEAL_OK)
		protection = ring_protection_with(number);
	if (protection == NULL || protection->closed)
		return;
	column->state = protection->complete ? COLUMN_PROTECTED : COLUMN_INCOMPLETE;
	column->subject_type = protection->subject_type;
}

/* protected_column: the same, kept until the ring changes; a call site asks for one column again and again. */
static const ProtectedColumn *
protected_column(CallSite *site, uint64 number)
{
	uint64		stamp = ring_stamp();

	if (site->column_number != number || site->column_stamp != stamp || number == 0)
	{
		site->column_number = 0;
		read_column(&site->column, number);
		site->column_number = number;
		site->column_stamp = ring_stamp();
	}
	return &site->column;
}

/* open_in_place: a function of a sealed value, the external id of its subject, and its place. */
static Datum
open_in_place(FunctionCallInfo fcinfo, OpeningGate gate)
{
	CallSite   *site = opening_site(fcinfo->flinfo);
	text	   *subject = PG_GETARG_TEXT_PP(1);
	bytea	   *place = PG_GETARG_BYTEA_PP(2);
	OpenedCell	cell;
	Datum		value;

	cell.subject = VARDATA_ANY(subject);
	cell.subject_len = VARSIZE_ANY_EXHDR(subject);
	cell.place = VARDATA_ANY(place);
	cell.place_len = VARSIZE_ANY_EXHDR(place);
	cell.column = *protected_column(site, place_number(cell.place, cell.place_len));
	if (!value_open_at(&value, site->type, PG_GETARG_DATUM(0), &cell, gate))
		PG_RETURN_NULL();
	return give_result(site, value);
}

/* seal.reveal(sealed_*, text, bytea) returns plain */
Datum
pgseal_reveal_at(PG_FUNCTION_ARGS)
{
	return open_in_place(fcinfo, gate_open);
}

/* seal.show(sealed_*, text, bytea) returns plain, NULL without the right */
Datum
pgseal_show_at(PG_FUNCTION_ARGS)
{
	return open_in_place(fcinfo, gate_show);
}
