/*-------------------------------------------------------------------------
 * digest.c
 *		A statement as a number: the same for all that differ in constants alone.
 *
 * Floor 2.  What a statement spells out may be a patient's, and a digest of few
 * possible values is as good as the value.  So the statement is taken apart as
 * the server does it, and every constant is replaced before it is hashed.
 * Comments and white space do not count either.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include "audit/internal.h"

#include "common/hashfn.h"
#include "parser/parser.h"
#include "parser/scanner.h"

#define DIGEST_TEXT_MAX		(1024 * 1024)	/* longer statements have no digest */
#define KEPT_TEXTS			16		/* power of 2 */
#define KEPT_TEXT_MAX		1024	/* of a text that is kept, in bytes */

/* What the server's scanner returns; the numbers are the same in each of its parsers. */
typedef enum Token
{
	TOKEN_IDENTIFIER = 258,
	TOKEN_UNICODE_IDENTIFIER,
	TOKEN_FLOAT,
	TOKEN_STRING,
	TOKEN_UNICODE_STRING,
	TOKEN_BITS,
	TOKEN_HEX,
	TOKEN_OPERATOR,
	TOKEN_INTEGER,
	TOKEN_PARAMETER,
	TOKEN_TYPECAST,
	TOKEN_DOT_DOT,
	TOKEN_COLON_EQUALS,
	TOKEN_EQUALS_GREATER,
	TOKEN_LESS_EQUALS,
	TOKEN_GREATER_EQUALS,
	TOKEN_NOT_EQUALS,
	TOKEN_FIRST_KEYWORD
} Token;

/* A statement and its digest; applications send the same ones again and again. */
typedef struct Kept
{
	int			len;			/* 0: none */
	bool		standard_strings;	/* how the constants were read */
	unsigned char digest[AUDIT_DIGEST_BYTES];
	char		text[KEPT_TEXT_MAX];
} Kept;

static Kept kept_texts[KEPT_TEXTS];

/* token_text: what is hashed of a token. */
static const char *
token_text(char single[2], int token, const core_YYSTYPE *value)
{
	switch (token)
	{
		case TOKEN_IDENTIFIER:
		case TOKEN_UNICODE_IDENTIFIER:
		case TOKEN_OPERATOR:
			return value->str;
		case TOKEN_FLOAT:
		case TOKEN_STRING:
		case TOKEN_UNICODE_STRING:
		case TOKEN_BITS:
		case TOKEN_HEX:
		case TOKEN_INTEGER:
		case TOKEN_PARAMETER:
			return "?";
		default:
			break;
	}
	if (token >= TOKEN_FIRST_KEYWORD)
		return value->keyword;
	single[0] = token < TOKEN_IDENTIFIER ? token : '0' + (token - TOKEN_TYPECAST);
	return single;
}

/* hash_tokens: each with its zero byte, which no token holds; a semicolon ends a statement and is none of it. */
static void
hash_tokens(crypto_hash_sha256_state *state, const char *text)
{
	core_yy_extra_type extra;
	core_YYSTYPE value;
	YYLTYPE		location;
	core_yyscan_t scanner = scanner_init(text, &extra, &ScanKeywords, ScanKeywordTokens);
	int			token;

	extra.escape_string_warning = false;
	while ((token = core_yylex(&value, &location, scanner)) != 0)
	{
		char		single[2] = "";
		const char *bytes = token_text(single, token, &value);

		if (token != ';')
			crypto_hash_sha256_update(state, (const unsigned char *) bytes, strlen(bytes) + 1);
	}
	scanner_finish(scanner);
}

/* scan: false for what is no SQL, which other extensions may run. */
static bool
scan(crypto_hash_sha256_state *state, const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool scanned = true;

	PG_TRY();
	{
		hash_tokens(state, text);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		scanned = false;
	}
	PG_END_TRY();
	return scanned;
}

/* compute: the digest of len bytes. */
static bool
compute(unsigned char digest[AUDIT_DIGEST_BYTES], const char *text, int len)
{
	crypto_hash_sha256_state state;
	char	   *statement = pnstrdup(text, len);
	bool		scanned;

	crypto_hash_sha256_init(&state);
	scanned = scan(&state, statement);
	crypto_hash_sha256_final(&state, digest);
	pfree(statement);
	return scanned;
}

/*
 * digest_statement
 *		SHA-256 of a statement without its constants.
 *
 *	location	of the statement in the text, and its length, as in PlannedStmt:
 *				-1 and 0 when it is not known
 *
 * False when there is none: no text, no SQL, or too long.
 */
bool
digest_statement(unsigned char digest[AUDIT_DIGEST_BYTES], const char *text, int location, int len)
{
	Kept	   *kept;

	if (text == NULL)
		return false;
	text += Max(location, 0);
	if (len <= 0)
		len = strlen(text);
	if (len > KEPT_TEXT_MAX || len == 0)
		return len <= DIGEST_TEXT_MAX && compute(digest, text, len);
	kept = &kept_texts[hash_bytes((const unsigned char *) text, len) & (KEPT_TEXTS - 1)];
	if (kept->len != len || kept->standard_strings != standard_conforming_strings ||
		memcmp(kept->text, text, len) != 0)
	{
		kept->len = 0;
		if (!compute(kept->digest, text, len))
			return false;
		memcpy(kept->text, text, len);
		kept->standard_strings = standard_conforming_strings;
		kept->len = len;
	}
	memcpy(digest, kept->digest, AUDIT_DIGEST_BYTES);
	return true;
}
