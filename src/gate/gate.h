/*-------------------------------------------------------------------------
 * gate.h
 *		The one door to keys: who may seal, search, reveal.
 *
 * Floor 3.  Everything above asks here and gets a lent key or an error.  The
 * key is valid until the next call of a gate function.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_GATE_H
#define PGSEAL_GATE_H

#include "base/base.h"
#include "keys/keys.h"
#include "nodes/pg_list.h"

/* What is told to gate_note(). */
typedef struct GateEvent
{
	const char *action;			/* key, grant, refuse, admin, setting */
	const char *what;			/* function or verb */
	const char *key;			/* key name or NULL */
	const char *detail;			/* never a value; or NULL */
	int			sqlstate;		/* of a refusal, else 0 */
	uint64		subject;		/* 0: none */
	bool		regardless;		/* happens even when no record of it can be stored */
} GateEvent;

extern void gate_init(void);
extern void gate_note(const GateEvent *event);

/*
 * Active version of a key, for sealing; needs verb seal, of either scope: a value
 * that is sealed for nobody yet tells nothing of anybody.  42501, 42704, 55000.
 */
extern SealKey *gate_seal(uint32 key_id);

/* The same for a subject: scope all, or admitted to it. */
extern SealKey *gate_seal_subject(uint32 key_id, uint64 subject);

/*
 * A version of a key, for opening a value that is sealed again at once, for the
 * same subject or another; subject 0: nobody's.  Needs what sealing needs; for
 * nobody's value scope all, unless it is new: of this transaction.  Else who is
 * admitted to one subject could make any such value that subject's, and open it.
 * Not recorded: what is opened goes nowhere.  42501, 55000, XX001.
 */
extern SealKey *gate_reseal_open(uint32 key_id, uint16 version, uint64 subject, bool is_new);

/*
 * A version of a key, for opening a value of a subject; needs verb reveal, of
 * scope all or while admitted to the subject; for 0, nobody's value, of scope
 * all.  42501, 55000, XX001.
 */
extern SealKey *gate_open(uint32 key_id, uint16 version, uint64 subject);

/* As gate_open(), but NULL without the right: one record per statement and key. */
extern SealKey *gate_show(uint32 key_id, uint16 version, uint64 subject);

/*
 * Active version of a key, for its token key; needs verb search or reveal, of
 * either scope: a token finds among the rows that are seen.  42501, 55000, 0A000.
 */
extern SealKey *gate_search(uint32 key_id);

/*
 * The key of unbound literals.  No right is needed: it holds what a statement
 * spelled out, for as long as the statement's own plan or a catalog keeps it.
 */
extern SealKey *gate_literal_seal(void);
extern SealKey *gate_literal_open(uint16 version);
extern uint32 gate_literal_id(void);

/* Rows of a protected table: see admitted.c. */
extern bool gate_sees_all(Oid relation);
extern List *gate_admitted(const char *subject_type);

/* Active version of key audit, for what the log keeps of plain columns.  Who is watched needs no right for it. */
extern SealKey *gate_audit_seal(void);

#endif							/* PGSEAL_GATE_H */
