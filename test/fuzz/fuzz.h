/*-------------------------------------------------------------------------
 * fuzz.h
 *		What the fuzz targets share: a requirement, and a cursor over the input.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#ifndef PGSEAL_FUZZ_H
#define PGSEAL_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must hold for every input; the fuzzer keeps the input that breaks it. */
#define REQUIRE(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* The part of an input that was not used yet. */
typedef struct Input
{
	const uint8_t *next;
	size_t		left;
} Input;

/* take_bytes: up to len bytes of input, zeros behind its end. */
static inline void
take_bytes(void *bytes, size_t len, Input *input)
{
	size_t		taken = len < input->left ? len : input->left;

	memset(bytes, 0, len);
	if (taken > 0)
		memcpy(bytes, input->next, taken);
	input->next += taken;
	input->left -= taken;
}

static inline uint8_t
take_byte(Input *input)
{
	uint8_t		byte;

	take_bytes(&byte, 1, input);
	return byte;
}

/* copy_exactly: a copy behind whose last byte the sanitizer watches; the caller frees it. */
static inline unsigned char *
copy_exactly(const void *bytes, size_t len)
{
	unsigned char *copy = malloc(len);

	REQUIRE(copy != NULL || len == 0);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif							/* PGSEAL_FUZZ_H */
