/*
 * bench-store index DIR [CHUNKS]   the index of so many chunks (default 10 million): its size,
 *                                  lookups
 * bench-store put DIR [MIB]        chunks of 1 MiB put, compared with write and fsync as dd does it
 *
 * Makes DIR, and keeps it. Pairs in turn, medians.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/store/index.h"
#include "cmd/store/engine.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

static const struct engine_wait no_wait = {.sec = STORE_LOCK_SEC};

#define LOOKUPS 1000000u
#define ROUNDS  5
#define MIB     (1u << 20)

static struct err err;

static void must(bool ok)
{
	if (ok)
		return;
	fprintf(stderr, "bench-store: %s\n", err.message);
	exit(2);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int up(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The key of the n-th chunk: practically random. */
static void key_of(uint64_t n, uint8_t key[STORE_INDEX_KEY])
{
	uint8_t id[STORE_ID_LEN];
	size_t i;

	for (i = 0; i < 4; i++) {
		uint8_t seed[9];

		le_put64(seed, n);
		seed[8] = (uint8_t)i;
		le_put64(id + 8 * i, hash_xxh3(seed, sizeof seed));
	}
	store_chunk_key(1, id, key);
}

static void fill(struct db *db, uint64_t count)
{
	uint8_t key[STORE_INDEX_KEY];
	struct db_txn *txn;
	uint64_t n;

	for (n = 0; n < count; n++) {
		struct store_chunk_row row = {
			.place = {(uint32_t)(n >> 8), (uint32_t)n << 20, MIB}, .raw_len = MIB};

		if (n % DB_BATCH == 0)
			must(db_begin(db, true, &txn, &err) == 0);
		key_of(n, key);
		must(store_row_put(txn, STORE_CHUNKS, key, &row, &err) == 0);
		if (n % DB_BATCH == DB_BATCH - 1 || n + 1 == count)
			must(db_commit(txn, &err) == 0);
	}
}

static void look_up(struct db *db, uint64_t count)
{
	static double took[LOOKUPS];
	uint8_t key[STORE_INDEX_KEY];
	struct store_chunk_row row;
	struct db_txn *txn;
	double sum = 0;
	size_t i;

	for (i = 0; i < LOOKUPS; i++) {
		uint64_t n =
			hash_xxh3(&i, sizeof i) % (count + count / 4); /* a fifth does not exist */
		double before;

		key_of(n, key);
		before = now();
		must(db_begin(db, false, &txn, &err) == 0);
		must(store_row_get(txn, STORE_CHUNKS, key, &row, &err) == (n >= count));
		db_abort(txn);
		took[i] = now() - before;
		sum += took[i];
	}
	qsort(took, LOOKUPS, sizeof *took, up);
	printf("lookup, each in a transaction: mean %.2f us, median %.2f, 99%% %.2f, 99.9%% %.2f\n",
		sum / LOOKUPS * 1e6, took[LOOKUPS / 2] * 1e6, took[LOOKUPS / 100 * 99] * 1e6,
		took[LOOKUPS / 1000 * 999] * 1e6);
}

static void bench_index(const char *dir, uint64_t count)
{
	char path[4200];
	struct stat st;
	struct db *db;
	double before = now();

	must(mkdir(dir, 0700) == 0);
	db = store_index_open(dir, true, &err);
	must(db != NULL);
	fill(db, count);
	snprintf(path, sizeof path, "%s/data.mdb", dir);
	must(stat(path, &st) == 0);
	printf("%llu chunks: %.1f s, %.0f MB, %.1f bytes a chunk\n", (unsigned long long)count,
		now() - before, (double)st.st_size / 1e6, (double)st.st_size / (double)count);
	look_up(db, count);
	db_close(db);
}

/* Seconds, as `dd bs=1M conv=fsync` writes. */
static double plain(const char *dir, const uint8_t *bytes, unsigned mib)
{
	char path[4200];
	double before;
	unsigned i;
	int fd;

	snprintf(path, sizeof path, "%s/plain", dir);
	unlink(path);
	before = now();
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	for (i = 0; i < mib; i++)
		must(write(fd, bytes + i, MIB) == (ssize_t)MIB);
	must(fsync(fd) == 0);
	close(fd);
	return now() - before;
}

/* Seconds, for the same amount as sealed records. */
static double puts_of(struct engine *s, const uint8_t *bytes, unsigned mib, unsigned round)
{
	static uint8_t record[STORE_RECORD_MAX];
	static const uint8_t domain[STORE_DOMAIN_LEN] = "bench", wrap[STORE_WRAP_LEN];
	static const uint8_t nonce[12], ephemeral[32];
	uint8_t id[STORE_ID_LEN] = {0};
	struct store_record r = {.raw_len = MIB, .id = id, .nonce = nonce, .ephemeral = ephemeral};
	double before = now();
	unsigned i;
	size_t head;

	r.wraps = wrap;
	r.wrap_count = 1;
	for (i = 0; i < mib; i++) {
		le_put32(id, round);
		le_put32(id + 4, i);
		head = store_record_put(&r, record);
		memcpy(record + head, bytes + i, MIB + 16);
		must(engine_put(s, "bench", domain, record, head + MIB + 16, &err) == 0);
	}
	must(engine_flush(s, &err) == 0);
	return now() - before;
}

static void bench_put(const char *dir, unsigned mib)
{
	double ratio[ROUNDS], a, b;
	char path[4200];
	struct engine *s;
	uint8_t *bytes;
	unsigned i;

	must(mkdir(dir, 0700) == 0);
	snprintf(path, sizeof path, "%s/store", dir);
	must(hash_crypto_init(&err) == 0 && engine_make(path, 0, &err) == 0);
	s = engine_open(path, ENGINE_WRITE, &no_wait, &err);
	must(s != NULL);
	bytes = malloc((size_t)2 * MIB + mib);
	must(bytes != NULL);
	for (i = 0; i < 2 * MIB + mib; i++)
		bytes[i] = (uint8_t)(hash_xxh3(&i, sizeof i));
	for (i = 0; i < ROUNDS; i++) {
		a = plain(dir, bytes, mib);
		b = puts_of(s, bytes, mib, i);
		ratio[i] = a / b;
		printf("%u MiB: write and fsync %.0f MiB/s, put and flush %.0f MiB/s, %.2f of it\n",
			mib, mib / a, mib / b, ratio[i]);
	}
	qsort(ratio, ROUNDS, sizeof *ratio, up);
	printf("median %.2f\n", ratio[ROUNDS / 2]);
	engine_close(s);
	free(bytes);
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "index") == 0)
		bench_index(argv[2], argc > 3 ? strtoull(argv[3], NULL, 10) : 10000000);
	else if (argc >= 3 && strcmp(argv[1], "put") == 0)
		bench_put(argv[2], argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 512);
	else
		return fprintf(stderr, "usage: bench-store index|put DIR [N]\n"), 2;
	return 0;
}
