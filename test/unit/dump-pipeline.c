/* The backup pipeline over stores in memory: presence is asked in batches, once for each chunk; the
 * order of entries is that of the walk; a store that doesn't know gets everything. */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/dump/cutter.h"
#include "cmd/dump/domain.h"
#include "cmd/dump/fanout.h"
#include "cmd/dump/pipeline.h"
#include "cmd/store/marks.h"
#include "lib/hash.h"
#include "test/unit/fake_store.h"

#define STORES 2
#define FILES  30

static struct err err;
static struct dump_domain domain;
static char folder[] = "/tmp/fdump-pipeline-XXXXXX";
static char last[sizeof folder + 8];

struct fixture {
	struct fake_store *fake[STORES];
	struct store *stores[STORES];
	struct dump_fanout *fanout;
	struct dump_pipeline_options backup;
	struct dump_pipeline_result result;
	struct store_marks lost;
	bool walked;
	char path[64]; /* of the previous entry */
	size_t entries, troubles;
};

static void on_behind(void *ctx, size_t store, const char *why)
{
	struct fixture *f = ctx;

	fprintf(stderr, "store %zu is left behind: %s\n", store, why);
	f->troubles++;
}

static int next_root(void *ctx, const char **path, struct err *e)
{
	struct fixture *f = ctx;

	(void)e;
	*path = ".";
	return f->walked ? 1 : (f->walked = true, 0);
}

static void on_problem(void *ctx, const char *path, size_t len, const char *what)
{
	struct fixture *f = ctx;

	fprintf(stderr, "%.*s: %s\n", (int)len, path, what);
	f->troubles++;
}

static void on_entry(void *ctx, const char *path, size_t len, bool carried)
{
	struct fixture *f = ctx;

	(void)carried;
	if (f->entries > 0 && dump_path_order(f->path, strlen(f->path), path, len) >= 0)
		on_problem(ctx, path, len, "not in order");
	snprintf(f->path, sizeof f->path, "%.*s", (int)len, path);
	f->entries++;
}

static void fixture_init(struct fixture *f, unsigned threads)
{
	static const char *const names[STORES] = {"alpha", "beta"};
	size_t i;

	*f = (struct fixture){.walked = false};
	for (i = 0; i < STORES; i++) {
		f->fake[i] = fake_store_new(names[i]);
		assert_non_null(f->fake[i]);
		f->stores[i] = &f->fake[i]->base;
		assert_int_equal(store_open(f->stores[i], STORE_WRITE, &err), 0);
	}
	f->fanout = dump_fanout_new(&(struct dump_fanout_options){.stores = f->stores,
					    .count = STORES,
					    .agent = "host",
					    .name = "backup",
					    .domain = &domain,
					    .wanted = STORES,
					    .behind = on_behind,
					    .ctx = f},
		&err);
	assert_non_null(f->fanout);
	f->backup = (struct dump_pipeline_options){
		.scan = {.base = open(folder, O_RDONLY | O_DIRECTORY),
			.next_root = next_root,
			.ctx = f},
		.threads = threads,
		.domain = &domain,
		.copies = f->fanout,
		.agent = "host",
		.name = "backup",
		.base = "/",
		.last = last,
		.lost = &f->lost,
		.entry = on_entry,
		.problem = on_problem,
		.ctx = f};
	assert_true(f->backup.scan.base >= 0);
}

static void fixture_fini(struct fixture *f)
{
	size_t i;

	dump_fanout_free(f->fanout);
	for (i = 0; i < STORES; i++)
		store_free(f->stores[i]);
	store_marks_fini(&f->lost);
	close(f->backup.scan.base);
	unlink(last);
}

/* Counts questions and puts from here on. */
static void back_up(struct fixture *f)
{
	size_t i;

	for (i = 0; i < STORES; i++) {
		f->fake[i]->haves = f->fake[i]->puts = 0;
		f->fake[i]->have_ids = f->fake[i]->have_most = 0;
	}
	f->walked = false;
	f->entries = 0;
	assert_int_equal(dump_pipeline_run(&f->backup, &f->result, &err), 0);
	assert_int_equal(f->result.acknowledged, STORES);
	assert_int_equal(f->entries, FILES + 1);
	assert_int_equal(f->troubles, 0);
}

/* Each file is a job and a chunk; a thread has four jobs, and waits for half of them. The pieces of
 * manifest and list are one more question. */
static void asks_in_batches(void **state)
{
	struct fixture f;
	size_t i, chunks;

	(void)state;
	fixture_init(&f, 1);
	back_up(&f);
	chunks = fake_store_count(f.fake[0]);
	assert_true(chunks > FILES);
	for (i = 0; i < STORES; i++) {
		assert_int_equal(f.fake[i]->have_ids, chunks);
		assert_int_equal(f.fake[i]->puts, chunks);
		assert_true(f.fake[i]->have_most >= 2);
		assert_true(f.fake[i]->haves <= FILES / 2 + 2);
	}
	/* A second run: the same questions, and nothing is put. */
	f.backup.store_all = true;
	back_up(&f);
	assert_int_equal(f.fake[0]->have_ids, chunks);
	assert_int_equal(f.fake[0]->puts, 0);
	fixture_fini(&f);
}

/* The same with many threads: each chunk once, and in order. */
static void asks_once(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 8);
	back_up(&f);
	assert_int_equal(f.fake[0]->have_ids, fake_store_count(f.fake[0]));
	assert_true(f.fake[0]->have_most >= 9); /* half of 18 jobs */
	assert_int_equal(f.fake[0]->have_ids, f.fake[1]->have_ids);
	fixture_fini(&f);
}

/* "Not known": everything is put, in that store only. */
static void not_known(void **state)
{
	struct fixture f;
	size_t chunks;

	(void)state;
	fixture_init(&f, 2);
	back_up(&f);
	chunks = fake_store_count(f.fake[0]);
	f.backup.store_all = true;
	f.fake[1]->unknown = true;
	back_up(&f);
	assert_int_equal(f.result.carried, 0);
	assert_int_equal(f.fake[0]->puts, 0);
	assert_int_equal(f.fake[1]->puts, chunks);
	assert_int_equal(fake_store_count(f.fake[1]), chunks);
	fixture_fini(&f);
}

/* Files that are each a job, and too short to be cut. */
static int make_files(void)
{
	static uint32_t content[DUMP_CUT_LARGE / sizeof(uint32_t)];
	char path[sizeof folder + 16];
	size_t i, k;

	if (mkdtemp(folder) == NULL)
		return -1;
	for (i = 0; i < FILES; i++) {
		FILE *file;

		for (k = 0; k < sizeof content / sizeof *content; k++)
			content[k] = (uint32_t)((k + 1) * 2654435761u + i);
		snprintf(path, sizeof path, "%s/%02zu", folder, i);
		file = fopen(path, "w");
		if (file == NULL || fwrite(content, sizeof content, 1, file) != 1 ||
			fclose(file) != 0)
			return -1;
	}
	snprintf(last, sizeof last, "%s.last", folder);
	return 0;
}

static int setup(void **state)
{
	static const uint8_t agent[DUMP_SECRET_LEN] = "an agent's secret, 32 bytes long";

	(void)state;
	return hash_crypto_init(&err) || dump_domain_init(&domain, agent, NULL, 0, &err) ||
	       make_files();
}

static int teardown(void **state)
{
	char path[sizeof folder + 16];
	size_t i;

	(void)state;
	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "%s/%02zu", folder, i);
		unlink(path);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_in_batches),
		cmocka_unit_test(asks_once),
		cmocka_unit_test(not_known),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
