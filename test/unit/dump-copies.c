/*
 * Copies: the fan-out that writes to several stores, and the source that reads from them, over
 * stores in memory that do what real ones do on bad days. Time is the test's own.
 */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/dump/crypt.h"
#include "cmd/dump/domain.h"
#include "cmd/dump/fanout.h"
#include "cmd/dump/source.h"
#include "lib/buf.h"
#include "lib/hash.h"
#include "lib/zst.h"
#include "test/unit/fake_store.h"

#define STORES 3
#define CHUNKS 20
#define LEN    1000

static struct err err;
static struct key_secret key;
static struct dump_domain sealed, unsealed;
static int64_t clock_ms;

static int64_t now_ms(void)
{
	return __atomic_load_n(&clock_ms, __ATOMIC_RELAXED);
}

/* --- a backup --------------------------------------------------------------- */

struct fixture {
	struct fake_store *fake[STORES];
	struct store *stores[STORES];
	struct dump_domain *domain;
	struct dump_run run;
	struct zst *zst;
	struct dump_fanout *fanout;
	uint8_t ids[CHUNKS][STORE_ID_LEN]; /* the first one is the manifest's only piece */
	uint8_t list[STORE_ID_LEN], dump[STORE_DUMP_ID];
	struct buf record, missing;
	size_t acked;
	uint64_t stored;
	uint32_t behind; /* bit n: the n-th was left behind */
	char why[ERR_MESSAGE_MAX];
	uint32_t caught_up;
};

static void on_behind(void *ctx, size_t store, const char *why)
{
	struct fixture *f = ctx;

	f->behind |= (uint32_t)1 << store;
	snprintf(f->why, sizeof f->why, "%s", why);
}

static void on_catch_up(void *ctx, size_t store, bool done)
{
	struct fixture *f = ctx;

	f->caught_up |= (uint32_t)done << store;
}

/* Over the stores as they are now. */
static void fan_out(struct fixture *f, size_t wanted)
{
	dump_fanout_free(f->fanout);
	f->fanout = dump_fanout_new(&(struct dump_fanout_options){.stores = f->stores,
					    .count = STORES,
					    .agent = "host",
					    .name = "backup",
					    .domain = f->domain,
					    .wanted = wanted,
					    .behind = on_behind,
					    .ctx = f,
					    .now_ms = now_ms},
		&err);
	assert_non_null(f->fanout);
}

static void fixture_init(struct fixture *f, struct dump_domain *domain, size_t wanted)
{
	static const char *const names[STORES] = {"alpha", "beta", "gamma"};
	size_t i;

	*f = (struct fixture){.domain = domain};
	clock_ms = 0;
	buf_init(&f->record, STORE_DUMP_MAX);
	buf_init(&f->missing, SIZE_MAX);
	for (i = 0; i < STORES; i++) {
		f->fake[i] = fake_store_new(names[i]);
		assert_non_null(f->fake[i]);
		f->fake[i]->clock_ms = &clock_ms;
		f->stores[i] = &f->fake[i]->base;
		assert_int_equal(store_open(f->stores[i], STORE_WRITE, &err), 0);
	}
	assert_int_equal(dump_run_init(&f->run, domain, &err), 0);
	assert_non_null(f->zst = zst_new(1, &err));
	fan_out(f, wanted);
}

static void fixture_fini(struct fixture *f)
{
	size_t i;

	dump_fanout_free(f->fanout);
	zst_free(f->zst);
	for (i = 0; i < STORES; i++)
		store_free(f->stores[i]);
	buf_fini(&f->record);
	buf_fini(&f->missing);
}

static void begin(struct fixture *f)
{
	bool has_base;

	assert_int_equal(dump_fanout_begin(f->fanout, NULL, &has_base, &err), 0);
}

/* Puts a chunk where it is lacking. Returns what the fan-out returns. */
static int put(struct fixture *f, bool list, const void *content, size_t len, const uint8_t *id)
{
	struct buf record;
	uint32_t lacks;
	int ret;

	buf_init(&record, SIZE_MAX);
	assert_int_equal(
		dump_crypt_make(&f->run, f->zst, list, id, content, len, &record, &err), 0);
	ret = dump_fanout_have(f->fanout, id, 1, &lacks, &err);
	if (ret == 0 && lacks != 0)
		ret = dump_fanout_put(f->fanout, record.data, record.len, lacks, &err);
	buf_fini(&record);
	return ret;
}

static void content_of(size_t i, uint8_t content[LEN])
{
	uint8_t sum[HASH_LEN];
	size_t at;

	hash_sha256(&i, sizeof i, sum);
	for (at = 0; at < LEN; at++)
		content[at] = (uint8_t)(sum[at % HASH_LEN] + at / HASH_LEN);
}

/* Puts the chunks from `from` on. */
static void put_chunks(struct fixture *f, size_t from)
{
	uint8_t content[LEN];
	size_t i;

	for (i = 0; i < CHUNKS; i++) {
		content_of(i, content);
		assert_int_equal(dump_domain_id(f->domain, content, LEN, f->ids[i], &err), 0);
		if (i >= from)
			assert_int_equal(put(f, false, content, LEN, f->ids[i]), 0);
	}
}

/* The list of chunks, and the dump's record. */
static void put_list(struct fixture *f)
{
	struct store_dump d = {
		.id = f->dump,
		.agent = "host",
		.agent_len = 4,
		.name = "backup",
		.name_len = 6,
		.domain = f->domain->fingerprint,
		.sealed = !f->domain->open,
		.ephemeral = f->run.ephemeral,
		.wraps = f->run.domain_wraps,
		.wrap_count = f->domain->to_count,
		.base = (const uint8_t *)"/",
		.base_len = 1,
		.manifest_chunks = 1,
		.manifest_len = LEN,
		.chunks = CHUNKS,
		.lists = f->list,
		.list_count = 1,
	};

	hash_sha256(f->ids, sizeof f->ids, f->list);
	assert_int_equal(put(f, true, f->ids, sizeof f->ids, f->list), 0);
	assert_int_equal(seal_random(f->dump, sizeof f->dump, &err), 0);
	buf_clear(&f->record);
	assert_int_equal(store_dump_put(&d, &f->record, &err), 0);
	if (!f->domain->open)
		assert_int_equal(dump_domain_mac(f->domain, f->record.data + STORE_MAC_LEN,
					 f->record.len - STORE_MAC_LEN, f->record.data, &err),
			0);
}

static int commit(struct fixture *f)
{
	buf_clear(&f->missing);
	return dump_fanout_commit(
		f->fanout, f->record.data, f->record.len, &f->acked, &f->stored, &f->missing, &err);
}

static size_t catch_up(struct fixture *f)
{
	return dump_fanout_catch_up(f->fanout, f->dump, on_catch_up, &f->stored);
}

/* All of it. Returns what the commit returns. */
static int back_up(struct fixture *f)
{
	begin(f);
	put_chunks(f, 0);
	put_list(f);
	return commit(f);
}

/* Whether the n-th store has the dump, by what it says itself. */
static bool has_dump(struct fixture *f, size_t n)
{
	return store_hold(f->stores[n], f->dump, NULL, NULL, &err) == 0;
}

/* --- writing ---------------------------------------------------------------- */

/* All have everything, each chunk once, and have signed for it. */
static void all_well(void **state)
{
	struct fixture f;
	struct store_dump dump;
	size_t i;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, STORES);
	assert_int_equal(f.behind, 0);
	assert_int_equal(store_dump_get(&dump, f.record.data, f.record.len, &err), 0);
	for (i = 0; i < STORES; i++) {
		const struct store_receipt *r = dump_fanout_receipt(f.fanout, i);

		assert_int_equal(fake_store_count(f.fake[i]), CHUNKS + 1);
		assert_int_equal(f.fake[i]->puts, CHUNKS + 1);
		assert_non_null(r);
		assert_int_equal(
			store_receipt_check(r, store_uid(f.stores[i]), store_public(f.stores[i]),
				&dump, f.record.data, f.record.len, &err),
			0);
	}
	/* Once more: nothing is sent. */
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.fake[0]->puts, CHUNKS + 1);
	fixture_fini(&f);
}

/* One that is too slow holds the others up for DUMP_SLOW_MS in all, if they are enough. */
static void slow(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &sealed, 2);
	f.fake[1]->slow = FAKE_FOR_EVER;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.behind, 1u << 1);
	assert_int_equal(f.acked, 2);
	assert_true(clock_ms >= DUMP_SLOW_MS && clock_ms < 2 * DUMP_SLOW_MS);
	assert_null(dump_fanout_receipt(f.fanout, 1));
	assert_int_equal(fake_store_count(f.fake[1]), 0);
	/* It can take again: it catches up. */
	f.fake[1]->slow = 0;
	assert_int_equal(catch_up(&f), 1);
	assert_int_equal(f.caught_up, 1u << 1);
	assert_non_null(dump_fanout_receipt(f.fanout, 1));
	assert_true(has_dump(&f, 1));
	fixture_fini(&f);
}

/* A copy that comes later is as old as the first one, unless its store does not believe that: then
 * it is dated now. */
static void dates(void **state)
{
	const struct store_receipt *first, *later;
	struct fixture f;
	int denies;

	(void)state;
	for (denies = 0; denies < 2; denies++) {
		fixture_init(&f, &sealed, 2);
		f.fake[1]->slow = FAKE_FOR_EVER;
		f.fake[1]->seq = 500; /* its clock goes by that */
		f.fake[1]->denies_receipts = denies;
		assert_int_equal(back_up(&f), 0);
		f.fake[1]->slow = 0;
		assert_int_equal(catch_up(&f), 1);
		first = dump_fanout_receipt(f.fanout, 0);
		later = dump_fanout_receipt(f.fanout, 1);
		assert_int_equal(later->time - first->time, denies ? 500 : 0);
		assert_memory_equal(later->store, store_uid(f.stores[1]), STORE_UID_LEN);
		fixture_fini(&f);
	}
}

/* One that is slow and needed is waited for; one that takes nothing any more is not. */
static void slow_and_needed(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	f.fake[1]->slow = 100;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, STORES);
	assert_true(clock_ms > 10 * DUMP_SLOW_MS);
	fixture_fini(&f);
	fixture_init(&f, &sealed, STORES);
	f.fake[1]->slow = FAKE_FOR_EVER;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1u << 1);
	assert_true(clock_ms >= DUMP_STALL_MS && clock_ms < 2 * DUMP_STALL_MS);
	fixture_fini(&f);
}

/* A store that fails in the middle; then two; then all. */
static void fails(void **state)
{
	struct fixture f;
	uint8_t content[LEN] = {0}, id[STORE_ID_LEN];

	(void)state;
	fixture_init(&f, &sealed, STORES);
	f.fake[0]->puts_left = 5;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1);
	assert_string_equal(f.why, "alpha: has died");
	assert_int_equal(fake_store_count(f.fake[0]), 5);
	/* What it had is not sent again. */
	f.fake[0]->puts_left = FAKE_FOR_EVER;
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 0));
	assert_int_equal(f.fake[0]->puts, CHUNKS + 1);
	fixture_fini(&f);

	fixture_init(&f, &sealed, STORES);
	f.fake[0]->puts_left = 5;
	f.fake[2]->puts_left = 7;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 1);
	assert_int_equal(f.behind, 5);
	fixture_fini(&f);

	fixture_init(&f, &sealed, 1);
	f.fake[0]->puts_left = f.fake[1]->puts_left = f.fake[2]->puts_left = 0;
	begin(&f);
	assert_int_equal(dump_domain_id(&sealed, content, LEN, id, &err), 0);
	assert_int_equal(put(&f, false, content, LEN, id), -1);
	assert_int_equal(err.code, ERR_CLOSED);
	assert_string_equal(err.message, "no store is left");
	assert_int_equal(catch_up(&f), 0); /* from nobody */
	fixture_fini(&f);
}

/* A commit that is not answered: DUMP_SLOW_MS if the others are enough, else DUMP_STALL_MS. */
static void hangs(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &sealed, 2);
	f.fake[2]->hangs = true;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1u << 2);
	assert_true(clock_ms < DUMP_SLOW_MS + 1000);
	f.fake[2]->hangs = false;
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 2));
	fixture_fini(&f);

	fixture_init(&f, &sealed, STORES);
	f.fake[2]->hangs = true;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_true(clock_ms >= DUMP_STALL_MS && clock_ms < DUMP_STALL_MS + 1000);
	assert_string_equal(f.why, "it did not acknowledge in time");
	fixture_fini(&f);
}

/* "Not known" is an answer: what is put again is there once. */
static void not_known(void **state)
{
	struct fixture f;
	size_t i;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	for (i = 0; i < STORES; i++)
		f.fake[i]->unknown = true;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, STORES);
	assert_int_equal(f.fake[1]->puts, 2 * (CHUNKS + 1));
	assert_int_equal(fake_store_count(f.fake[1]), CHUNKS + 1);
	fixture_fini(&f);
}

/* A receipt that the store's own key has not signed does not count. */
static void foreign_receipt(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	f.fake[1]->foreign_receipts = true;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1u << 1);
	assert_null(dump_fanout_receipt(f.fanout, 1));
	assert_non_null(strstr(f.why, "not signed by the store's key"));
	assert_int_equal(catch_up(&f), 0);
	assert_null(dump_fanout_receipt(f.fanout, 1));
	fixture_fini(&f);
}

/* What one store lacks, and another has, it gets from that one. */
static void one_lacks(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	assert_int_equal(back_up(&f), 0);
	assert_true(fake_store_lose(f.fake[0], f.ids[3]));
	begin(&f);
	put_chunks(&f, CHUNKS); /* all is carried over */
	put_list(&f);
	assert_int_equal(commit(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1);
	assert_int_equal(catch_up(&f), 1);
	assert_true(fake_store_has(f.fake[0], f.ids[3]));
	assert_non_null(dump_fanout_receipt(f.fanout, 0));
	fixture_fini(&f);
}

/* What all lack is named; it is put, and then the commit goes through. */
static void all_lack(void **state)
{
	struct fixture f;
	uint8_t content[LEN];
	size_t i;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	assert_int_equal(back_up(&f), 0);
	for (i = 0; i < STORES; i++)
		assert_true(fake_store_lose(f.fake[i], f.ids[3]));
	assert_true(fake_store_lose(f.fake[1], f.ids[7]));
	begin(&f);
	put_chunks(&f, CHUNKS);
	put_list(&f);
	assert_int_equal(commit(&f), 1);
	assert_int_equal(f.acked, 0);
	assert_int_equal(f.missing.len, 4 * STORE_ID_LEN); /* as each store has named it */
	assert_memory_equal(f.missing.data, f.ids[3], STORE_ID_LEN);
	begin(&f);
	content_of(3, content);
	assert_int_equal(put(&f, false, content, LEN, f.ids[3]), 0);
	content_of(7, content);
	assert_int_equal(put(&f, false, content, LEN, f.ids[7]), 0);
	assert_int_equal(commit(&f), 0);
	assert_int_equal(f.acked, STORES);
	assert_int_equal(f.behind, 0);
	fixture_fini(&f);
}

/* It catches up from a store that is whole, though another one that has the dump is not. */
static void catches_up_from_whole(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &sealed, 2);
	f.fake[2]->puts_left = 1;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	f.fake[2]->puts_left = FAKE_FOR_EVER;
	f.fake[0]->gets_left = 4; /* then it dies */
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 2));
	assert_true(f.fake[1]->gets > 0);
	fixture_fini(&f);
	/* None is: it is reported, and nothing is committed. */
	fixture_init(&f, &sealed, 2);
	f.fake[2]->puts_left = 1;
	assert_int_equal(back_up(&f), 0);
	f.fake[2]->puts_left = FAKE_FOR_EVER;
	assert_true(fake_store_lose(f.fake[0], f.ids[3]));
	assert_true(fake_store_lose(f.fake[1], f.ids[5]));
	assert_int_equal(catch_up(&f), 0);
	assert_false(has_dump(&f, 2));
	fixture_fini(&f);
}

/* A store that could not be opened at first, and turns out to be one of the others. */
static void same_store(void **state)
{
	struct fixture f;
	struct fake_store *twin;

	(void)state;
	fixture_init(&f, &sealed, 2);
	store_close(f.stores[2]);
	fan_out(&f, STORES);
	twin = f.fake[2];
	memcpy(twin->uid, f.fake[0]->uid, sizeof twin->uid);
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(catch_up(&f), 0);
	assert_string_equal(f.why, "is the same store as alpha");
	fixture_fini(&f);
}

/* A store in which the run does not begin gets DUMP_SLOW_MS, if the others are enough. */
static void begins_late(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &sealed, 2);
	f.fake[0]->stuck = true;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.behind, 1);
	assert_string_equal(f.why, "it does not answer, and the others are enough");
	assert_int_equal(f.acked, 2);
	assert_true(clock_ms >= DUMP_SLOW_MS && clock_ms < DUMP_STALL_MS);
	f.fake[0]->stuck = false;
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 0));
	fixture_fini(&f);
}

/* Stores that are still being opened when the backup begins: one is there at the end, one is not.
 */
static void opens_late(void **state)
{
	struct fixture f;
	size_t i;

	(void)state;
	fixture_init(&f, &sealed, 1);
	for (i = 1; i < STORES; i++) {
		f.fake[i]->far = true;
		assert_int_equal(store_open_start(f.stores[i], STORE_WRITE, &err), 0);
		assert_int_equal(store_open_wait(f.stores[i], 0, &err), STORE_OPENING);
	}
	fan_out(&f, 1);
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 1);
	f.fake[1]->far = false;
	assert_int_equal(catch_up(&f), 1);
	assert_int_equal(f.caught_up, 1u << 1);
	assert_true(has_dump(&f, 1));
	assert_false(store_is_open(f.stores[2]) || store_is_opening(f.stores[2]));
	assert_int_equal(f.behind, 0); /* whoever opened it has told */
	fixture_fini(&f);
	/* One that is there at the end, but can't be opened, is reported. */
	fixture_init(&f, &sealed, 1);
	f.fake[2]->far = true;
	assert_int_equal(store_open_start(f.stores[2], STORE_WRITE, &err), 0);
	fan_out(&f, 1);
	assert_int_equal(back_up(&f), 0);
	f.fake[2]->far = false;
	f.fake[2]->absent = true;
	assert_int_equal(catch_up(&f), 0);
	assert_int_equal(f.behind, 1u << 2);
	assert_string_equal(f.why, "gamma: not found");
	fixture_fini(&f);
}

/* Several catch up at the same time; one that can't holds up no other. */
static void catch_up_together(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, &sealed, 1);
	f.fake[0]->puts_left = f.fake[2]->puts_left = 3;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(f.acked, 1);
	f.fake[0]->absent = true;
	f.fake[2]->puts_left = FAKE_FOR_EVER;
	assert_int_equal(catch_up(&f), 1);
	assert_int_equal(f.caught_up, 1u << 2);
	f.fake[0]->absent = false;
	f.fake[0]->puts_left = FAKE_FOR_EVER;
	fixture_fini(&f);

	fixture_init(&f, &sealed, 1);
	f.fake[0]->puts_left = f.fake[2]->puts_left = 3;
	assert_int_equal(back_up(&f), 0);
	f.fake[0]->puts_left = f.fake[2]->puts_left = FAKE_FOR_EVER;
	assert_int_equal(catch_up(&f), 2);
	assert_true(has_dump(&f, 0) && has_dump(&f, 2));
	assert_int_equal(fake_store_count(f.fake[0]), CHUNKS + 1);
	fixture_fini(&f);

	/* One whose service was killed meanwhile, and has not all that it had taken. */
	fixture_init(&f, &sealed, 1);
	f.fake[0]->puts_left = 3;
	assert_int_equal(back_up(&f), 0);
	f.fake[0]->puts_left = FAKE_FOR_EVER;
	f.fake[0]->forgets = true;
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 0));
	fixture_fini(&f);
}

/* --- reading ---------------------------------------------------------------- */

/* The dump, chosen and opened, of the stores that are open. */
struct reading {
	struct dump_keys *keys;
	struct dump_source *source;
	struct dump_taker *taker;
	struct buf out;
};

static void reading_init(struct reading *r, struct fixture *f)
{
	r->keys = dump_keys_new(&key, 1, &err);
	r->source = dump_source_new(f->stores, STORES, r->keys, &err);
	assert_non_null(r->source);
	if (dump_source_choose(r->source, "backup@latest", "host", &err) != 0)
		fail_msg("%s", err.message);
	if (dump_source_unlock(r->source, &err) != 0)
		fail_msg("%s", err.message);
	r->taker = dump_taker_new(r->source, &err);
	assert_non_null(r->taker);
	buf_init(&r->out, STORE_CONTENT_MAX);
}

static void reading_fini(struct reading *r)
{
	dump_taker_free(r->taker);
	dump_source_free(r->source);
	dump_keys_free(r->keys);
	buf_fini(&r->out);
}

/* Takes the chunks from `from` to before `to`, each as it was. */
static void take(struct reading *r, struct fixture *f, size_t from, size_t to)
{
	uint8_t content[LEN];
	size_t i;

	for (i = from; i < to; i++) {
		content_of(i, content);
		if (dump_taker_chunk(r->taker, f->ids[i], &r->out, &err) != 0)
			fail_msg("chunk %zu: %s", i, err.message);
		assert_int_equal(r->out.len, LEN);
		assert_memory_equal(r->out.data, content, LEN);
	}
}

/* Each chunk from whichever store has it. */
static void take_any(void **state)
{
	struct fixture f;
	struct reading r;
	const struct dump_healed *healed;
	size_t i, count;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	assert_int_equal(back_up(&f), 0);
	for (i = 1; i < CHUNKS; i++) {
		assert_true(fake_store_lose(f.fake[i % 3], f.ids[i]));
		assert_true(fake_store_lose(f.fake[(i + 1) % 3], f.ids[i]));
	}
	reading_init(&r, &f);
	take(&r, &f, 0, CHUNKS);
	assert_int_equal(dump_taker_piece(r.taker, 0, &r.out, &err), 0);
	take(&r, &f, 0, CHUNKS);
	/* What was lacking is known, each once: of those that were asked before one had it. */
	healed = dump_source_healed(r.source, &count);
	for (i = 0; i < count; i++) {
		assert_true(healed[i].store < healed[i].from);
		assert_false(fake_store_has(f.fake[healed[i].store], healed[i].id));
		assert_true(fake_store_has(f.fake[healed[i].from], healed[i].id));
	}
	assert_int_equal(count, 6 * 2 + 6); /* 6 are in the third only, 6 in the second */
	/* What none has is an error that names the chunk. */
	assert_true(fake_store_lose(f.fake[(5 + 2) % 3], f.ids[5]));
	assert_int_equal(dump_taker_chunk(r.taker, f.ids[5], &r.out, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	reading_fini(&r);
	fixture_fini(&f);
}

/* All stores are asked for their dumps, and to hold one, at the same time: each waits until the
 * others are asked too. */
static void choose_together(void **state)
{
	pthread_barrier_t all;
	struct fixture f;
	struct reading r;
	size_t i;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	assert_int_equal(back_up(&f), 0);
	pthread_barrier_init(&all, NULL, STORES);
	for (i = 0; i < STORES; i++)
		f.fake[i]->meets = &all;
	alarm(60);
	reading_init(&r, &f);
	alarm(0);
	for (i = 0; i < STORES; i++)
		assert_int_equal(f.fake[i]->holds, 1);
	take(&r, &f, 0, CHUNKS);
	reading_fini(&r);
	fixture_fini(&f);
	pthread_barrier_destroy(&all);
}

/* Two of three die in the middle. */
static void take_from_survivor(void **state)
{
	struct fixture f;
	struct reading r;
	size_t count;

	(void)state;
	fixture_init(&f, &sealed, STORES);
	assert_int_equal(back_up(&f), 0);
	reading_init(&r, &f);
	f.fake[0]->gets_left = 5;
	f.fake[1]->gets_left = 7;
	take(&r, &f, 0, CHUNKS);
	assert_true(f.fake[0]->dead && f.fake[1]->dead);
	/* Neither was asked again, nor is anything of it damaged. */
	assert_int_equal(dump_source_lost(r.source), 3);
	assert_int_equal(f.fake[0]->gets, 1 + 6); /* the list; the last was not answered */
	assert_int_equal(f.fake[1]->gets, 8);
	dump_source_healed(r.source, &count);
	assert_int_equal(count, 0);
	/* What it asks to be fetched ahead goes on past the dead ones. */
	dump_taker_ahead(r.taker, f.ids[0], CHUNKS);
	reading_fini(&r);
	fixture_fini(&f);
}

/* Other bytes than were put are not believed, sealed or not. */
static void take_no_lies(void **state)
{
	struct dump_domain *const domains[] = {&sealed, &unsealed};
	struct fixture f;
	struct reading r;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		fixture_init(&f, domains[i], STORES);
		assert_int_equal(back_up(&f), 0);
		f.fake[0]->lies = f.fake[1]->lies = true;
		reading_init(&r, &f);
		take(&r, &f, 0, CHUNKS);
		f.fake[2]->lies = true;
		assert_int_equal(dump_taker_chunk(r.taker, f.ids[5], &r.out, &err), -1);
		reading_fini(&r);
		fixture_fini(&f);
	}
}

/* Who reads a dump holds it, in every store that has it. */
static void holds(void **state)
{
	struct fixture f;
	struct reading r;

	(void)state;
	fixture_init(&f, &sealed, 2);
	f.fake[2]->puts_left = 3;
	assert_int_equal(back_up(&f), 0);
	assert_int_equal(store_open(f.stores[2], STORE_READ, &err), 0);
	f.fake[0]->holds = f.fake[1]->holds = f.fake[2]->holds = 0;
	reading_init(&r, &f);
	assert_int_equal(f.fake[0]->holds, 1);
	assert_int_equal(f.fake[1]->holds, 1);
	assert_int_equal(f.fake[2]->holds, 0);
	reading_fini(&r);
	fixture_fini(&f);
}

static int setup(void **state)
{
	static const uint8_t agent[DUMP_SECRET_LEN] = "an agent's secret, 32 bytes long";

	(void)state;
	return hash_crypto_init(&err) || key_make(false, &key, &err) ||
	       dump_domain_init(&sealed, agent, &key.half, 1, &err) ||
	       dump_domain_init(&unsealed, agent, NULL, 0, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_well),
		cmocka_unit_test(slow),
		cmocka_unit_test(dates),
		cmocka_unit_test(slow_and_needed),
		cmocka_unit_test(fails),
		cmocka_unit_test(hangs),
		cmocka_unit_test(not_known),
		cmocka_unit_test(foreign_receipt),
		cmocka_unit_test(one_lacks),
		cmocka_unit_test(all_lack),
		cmocka_unit_test(catches_up_from_whole),
		cmocka_unit_test(begins_late),
		cmocka_unit_test(opens_late),
		cmocka_unit_test(catch_up_together),
		cmocka_unit_test(same_store),
		cmocka_unit_test(take_any),
		cmocka_unit_test(choose_together),
		cmocka_unit_test(take_from_survivor),
		cmocka_unit_test(take_no_lies),
		cmocka_unit_test(holds),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
