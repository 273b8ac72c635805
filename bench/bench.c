/*-------------------------------------------------------------------------
 * bench.c
 *		What the measurements need inside a backend: its CPU time and memory,
 *		a function that does nothing, and libsodium alone in a loop.
 *
 * Not part of pgseal; bench/run compiles and loads it.
 *------------------------------------------------------------------------*/
#include "postgres.h"

#include <sodium.h>
#include <sys/resource.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_cpu);
PG_FUNCTION_INFO_V1(bench_memory);
PG_FUNCTION_INFO_V1(bench_nothing);
PG_FUNCTION_INFO_V1(bench_encrypt);
PG_FUNCTION_INFO_V1(bench_decrypt);

static double
seconds(struct timeval time)
{
	return time.tv_sec + time.tv_usec / 1e6;
}

/* bench.cpu() returns float8: seconds that this backend has used, user and system */
Datum
bench_cpu(PG_FUNCTION_ARGS)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		elog(ERROR, "getrusage: %m");
	PG_RETURN_FLOAT8(seconds(usage.ru_utime) + seconds(usage.ru_stime));
}

/* bench.memory() returns integer: kB of this backend's own memory, without shared buffers */
Datum
bench_memory(PG_FUNCTION_ARGS)
{
	FILE	   *status = fopen("/proc/self/status", "r");
	char		line[256];
	int			kilobytes = -1;

	if (status == NULL)
		elog(ERROR, "could not open the status of the process: %m");
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "RssAnon: %d", &kilobytes) == 1)
			break;
	fclose(status);
	PG_RETURN_INT32(kilobytes);
}

/* bench.nothing(any type) returns text: its argument, which nobody looks at */
Datum
bench_nothing(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* One value as libsodium takes it. */
typedef struct Box
{
	unsigned char key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
	unsigned char nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
	unsigned char *bound;
	unsigned char *plain;
	unsigned char *sealed;
	int			bound_len;
	int			plain_len;
} Box;

static void
make_box(Box *box, int plain_len, int bound_len)
{
	randombytes_buf(box->key, sizeof(box->key));
	randombytes_buf(box->nonce, sizeof(box->nonce));
	box->bound_len = bound_len;
	box->bound = palloc0(bound_len);
	box->plain_len = plain_len;
	box->plain = palloc0(plain_len);
	box->sealed = palloc(plain_len + crypto_aead_xchacha20poly1305_ietf_ABYTES);
}

static void
encrypt(Box *box)
{
	sodium_increment(box->nonce, sizeof(box->nonce));
	crypto_aead_xchacha20poly1305_ietf_encrypt(box->sealed, NULL, box->plain, box->plain_len,
											   box->bound, box->bound_len, NULL, box->nonce, box->key);
}

/* bench.encrypt(plain_len integer, bound_len integer, times integer) returns void */
Datum
bench_encrypt(PG_FUNCTION_ARGS)
{
	Box			box;

	make_box(&box, PG_GETARG_INT32(0), PG_GETARG_INT32(1));
	for (int i = 0; i < PG_GETARG_INT32(2); i++)
		encrypt(&box);
	PG_RETURN_VOID();
}

/* bench.decrypt(plain_len integer, bound_len integer, times integer) returns void */
Datum
bench_decrypt(PG_FUNCTION_ARGS)
{
	Box			box;

	make_box(&box, PG_GETARG_INT32(0), PG_GETARG_INT32(1));
	encrypt(&box);
	for (int i = 0; i < PG_GETARG_INT32(2); i++)
		if (crypto_aead_xchacha20poly1305_ietf_decrypt(box.plain, NULL, NULL,
													   box.sealed, box.plain_len + crypto_aead_xchacha20poly1305_ietf_ABYTES,
													   box.bound, box.bound_len, box.nonce, box.key) != 0)
			elog(ERROR, "does not decrypt");
	PG_RETURN_VOID();
}
