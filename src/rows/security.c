/*-------------------------------------------------------------------------
 * security.c
 *		Which rows of a protected table a role sees and writes.
 *
 * Floor 5.  Row security of PostgreSQL, with policies that no table has and no
 * owner can drop: a restrictive one, that lets through the rows of subjects whom
 * the role may see, and a permissive one that lets everything through, where the
 * table has none of its own: else the laboratory's policies decide what the
 * restrictive one restricts.  A partition that is asked directly has those of the
 * table that is protected.  Owners, and roles that pass row security, see every
 * row; the gate asks about each value again.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "rows/internal.h"

#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/tablecmds.h"
#include "nodes/makefuncs.h"
#include "parser/parse_collate.h"
#include "parser/parse_node.h"
#include "parser/parse_oper.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define POLICY				"seal_subject"
#define SEES_ALL_FUNCTION	"sees_all"
#define ADMITTED_FUNCTION	"admitted"

static row_security_policy_hook_type prev_permissive_hook = NULL;
static row_security_policy_hook_type prev_restrictive_hook = NULL;

/* ----------
 * The condition
 * ----------
 */

/* gate_function: one of schema seal. */
static Oid
gate_function(const char *name, int count, Oid first, Oid second)
{
	Oid			types[2] = {first, second};
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
										   PointerGetDatum(buildoidvector(types, count)),
										   ObjectIdGetDatum(seal_schema_oid(false)));

	if (!OidIsValid(function))
		elog(ERROR, "no function seal.%s", name);
	return function;
}

/* sees_all: seal.sees_all(table) */
static Node *
sees_all(Oid table)
{
	Node	   *argument = (Node *) makeConst(REGCLASSOID, -1, InvalidOid, sizeof(Oid),
											  ObjectIdGetDatum(table), false, true);

	return (Node *) makeFuncExpr(gate_function(SEES_ALL_FUNCTION, 1, REGCLASSOID, InvalidOid), BOOLOID,
								 list_make1(argument), InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

/* admitted: seal.admitted(type, NULL::<type of the column>) */
static Node *
admitted(const char *subject_type, Oid column_type)
{
	Node	   *type = (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
										  CStringGetTextDatum(subject_type), false, false);
	Node	   *null = (Node *) makeNullConst(column_type, -1, get_typcollation(column_type));

	return (Node *) makeFuncExpr(gate_function(ADMITTED_FUNCTION, 2, TEXTOID, ANYELEMENTOID),
								 get_array_type(column_type), list_make2(type, null),
								 get_typcollation(column_type), DEFAULT_COLLATION_OID, COERCE_EXPLICIT_CALL);
}

/* subject_column: as its base type, which has an array type in any case. */
static Node *
subject_column(Relation relation, const char *name, Oid *type)
{
	AttrNumber	number = get_attnum(RelationGetRelid(relation), name);
	Form_pg_attribute attribute;
	int32		typmod;
	Node	   *column;

	if (number <= 0)
		error_raise(SEAL_E_PROTECTION_CLOSED, RelationGetRelationName(relation));
	attribute = TupleDescAttr(RelationGetDescr(relation), number - 1);
	typmod = attribute->atttypmod;
	*type = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
	column = (Node *) makeVar(1, number, attribute->atttypid, attribute->atttypmod,
							  attribute->attcollation, 0);
	if (*type != attribute->atttypid)
		column = (Node *) makeRelabelType((Expr *) column, *type, typmod, attribute->attcollation,
										  COERCE_IMPLICIT_CAST);
	return column;
}

/* condition: seal.sees_all(table) OR subject = ANY (seal.admitted(type, NULL::<type>)) */
static Expr *
condition(Relation relation, Oid protected)
{
	RingProtection ring;
	ParseState *state = make_parsestate(NULL);
	Oid			type;
	Node	   *subject;
	Node	   *among;
	Expr	   *either;

	(void) protection_copy(&ring, protected);
	subject = subject_column(relation, NameStr(ring.subject_column), &type);
	among = (Node *) make_scalar_array_op(state, list_make2(makeString("pg_catalog"), makeString("=")), true,
										  subject, admitted(NameStr(ring.subject_type), type), -1);
	either = makeBoolExpr(OR_EXPR, list_make2(sees_all(protected), among), -1);
	assign_expr_collations(state, (Node *) either);
	free_parsestate(state);
	return either;
}

/* ----------
 * The policies
 * ----------
 */

/* new_policy: for every role and command. */
static RowSecurityPolicy *
new_policy(bool permissive, Expr *expression)
{
	RowSecurityPolicy *policy = palloc0(sizeof(RowSecurityPolicy));
	Datum		everybody = ObjectIdGetDatum(ACL_ID_PUBLIC);

	policy->policy_name = pstrdup(POLICY);
	policy->polcmd = '*';
	policy->roles = construct_array(&everybody, 1, OIDOID, sizeof(Oid), true, TYPALIGN_INT);
	policy->permissive = permissive;
	policy->qual = expression;
	policy->with_check_qual = copyObject(expression);
	return policy;
}

/* protected_relation: whose protection holds for a table that a query names; InvalidOid: none does. */
static Oid
protected_relation(Relation relation)
{
	return seal_in_database() ? protection_relation(RelationGetRelid(relation)) : InvalidOid;
}

/* security_lets_in: has the table a permissive policy of its own? */
bool
security_lets_in(Relation relation)
{
	ListCell   *cell;

	if (relation->rd_rsdesc == NULL)
		return false;
	foreach(cell, relation->rd_rsdesc->policies)
		if (((RowSecurityPolicy *) lfirst(cell))->permissive)
			return true;
	return false;
}

/* restrictive_policies: row_security_policy_hook_restrictive.  Whoever was here first goes first. */
static List *
restrictive_policies(CmdType command, Relation relation)
{
	List	   *policies = prev_restrictive_hook ? (*prev_restrictive_hook) (command, relation) : NIL;
	Oid			protected = protected_relation(relation);

	if (!OidIsValid(protected))
		return policies;
	return lappend(policies, new_policy(false, condition(relation, protected)));
}

/* permissive_policies: row_security_policy_hook_permissive.  Whoever was here first goes first. */
static List *
permissive_policies(CmdType command, Relation relation)
{
	List	   *policies = prev_permissive_hook ? (*prev_permissive_hook) (command, relation) : NIL;

	if (policies != NIL || security_lets_in(relation) || !OidIsValid(protected_relation(relation)))
		return policies;
	return list_make1(new_policy(true, (Expr *) makeBoolConst(true, false)));
}

/* ----------
 * Turning it on and off
 * ----------
 */

/* alter_security: ALTER TABLE ... ENABLE or DISABLE ROW LEVEL SECURITY. */
static void
alter_security(Oid table, AlterTableType what)
{
	AlterTableCmd *command = makeNode(AlterTableCmd);

	command->subtype = what;
	AlterTableInternal(table, list_make1(command), false);
}

/* security_enable: on tables that are locked. */
void
security_enable(List *tables)
{
	ListCell   *cell;

	foreach(cell, tables)
		alter_security(lfirst_oid(cell), AT_EnableRowSecurity);
}

/* has_policies: of its own. */
static bool
has_policies(Oid table)
{
	Relation	relation = table_open(table, NoLock);
	bool		found = relation->rd_rsdesc != NULL && relation->rd_rsdesc->policies != NIL;

	table_close(relation, NoLock);
	return found;
}

/* security_disable: where no policy of the laboratory's relies on it. */
void
security_disable(List *tables)
{
	ListCell   *cell;

	foreach(cell, tables)
		if (!has_policies(lfirst_oid(cell)))
			alter_security(lfirst_oid(cell), AT_DisableRowSecurity);
}

void
security_init(void)
{
	prev_permissive_hook = row_security_policy_hook_permissive;
	row_security_policy_hook_permissive = permissive_policies;
	prev_restrictive_hook = row_security_policy_hook_restrictive;
	row_security_policy_hook_restrictive = restrictive_policies;
}
