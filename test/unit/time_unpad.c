/*-------------------------------------------------------------------------
 * time_unpad.c
 *		payload_unpad takes no branch and no address from the payload.
 *
 * Only under MemorySanitizer, which is told that the payload is unknown: it
 * ends the program at the first branch or address that depends on it.
 *
 * SPDX-License-Identifier: PostgreSQL
 *------------------------------------------------------------------------*/
#include <sanitizer/msan_interface.h>

#include "unit.h"

#define PAYLOAD_MAX		80

static void
test_unknown_payload(void)
{
	unsigned char payload[PAYLOAD_MAX];
	size_t		padded_len;
	size_t		len;
	bool		found;

	for (padded_len = 1; padded_len <= PAYLOAD_MAX; padded_len++)
	{
		unit_note("%zu bytes", padded_len);
		memset(payload, 'x', padded_len);
		payload_pad(payload, padded_len / 2, padded_len);
		__msan_poison(payload, padded_len);
		found = payload_unpad(&len, payload, padded_len);
		__msan_unpoison(&found, sizeof(found));
		__msan_unpoison(&len, sizeof(len));
		CHECK(found && len == padded_len / 2);
	}
}

int
main(void)
{
	unit_start();
	unit_run("unpad: time and addresses do not depend on the payload", test_unknown_payload);
	return unit_finish();
}
