/* The source that reads a dump from whichever stores have its chunks. */
#include <unistd.h>

#include "cmd/dump/source.h"
#include "test/unit/copies.h"
#include "test/unit/unit.h"

static struct err err;

/* The dump, selected and opened, of the stores that are open. */
struct reading {
	struct dump_keys *keys;
	struct dump_source *source;
	struct dump_taker *taker;
	struct buf out;
};

static void reading_init(struct reading *r, struct copies *f)
{
	r->keys = dump_keys_new(&copies_key, 1, &err);
	r->source = dump_source_new(f->stores, COPIES_STORES, r->keys, &err);
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

/* Reads the chunks from `from` to before `to`, each in its original form. */
static void take(struct reading *r, struct copies *f, size_t from, size_t to)
{
	uint8_t content[COPIES_LEN];
	size_t i;

	for (i = from; i < to; i++) {
		copies_content(i, content);
		if (dump_taker_chunk(r->taker, f->ids[i], &r->out, &err) != 0)
			fail_msg("chunk %zu: %s", i, err.message);
		assert_int_equal(r->out.len, COPIES_LEN);
		assert_memory_equal(r->out.data, content, COPIES_LEN);
	}
}

/* Each chunk is read from a store that has it. */
static void take_any(void **state)
{
	struct copies f;
	struct reading r;
	const struct dump_healed *healed;
	size_t i, count;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	assert_int_equal(copies_back_up(&f), 0);
	for (i = 1; i < COPIES_CHUNKS; i++) {
		assert_true(fake_store_lose(f.fake[i % 3], f.ids[i]));
		assert_true(fake_store_lose(f.fake[(i + 1) % 3], f.ids[i]));
	}
	reading_init(&r, &f);
	take(&r, &f, 0, COPIES_CHUNKS);
	assert_int_equal(dump_taker_piece(r.taker, 0, &r.out, &err), 0);
	take(&r, &f, 0, COPIES_CHUNKS);
	/* Lacking chunks are known, each once: of the stores that were asked before one had it. */
	healed = dump_source_healed(r.source, &count);
	for (i = 0; i < count; i++) {
		assert_true(healed[i].store < healed[i].from);
		assert_false(fake_store_has(f.fake[healed[i].store], healed[i].id));
		assert_true(fake_store_has(f.fake[healed[i].from], healed[i].id));
	}
	assert_int_equal(count, 6 * 2 + 6); /* 6 are in the third only, 6 in the second */
	/* A chunk that no store has is an error that names it. */
	assert_true(fake_store_lose(f.fake[(5 + 2) % 3], f.ids[5]));
	assert_int_equal(dump_taker_chunk(r.taker, f.ids[5], &r.out, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	reading_fini(&r);
	copies_fini(&f);
}

/* All stores are asked for their dumps, and to hold one, at the same time: each waits until the
 * others are asked too. */
static void choose_together(void **state)
{
	pthread_barrier_t all;
	struct copies f;
	struct reading r;
	size_t i;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	assert_int_equal(copies_back_up(&f), 0);
	pthread_barrier_init(&all, NULL, COPIES_STORES);
	for (i = 0; i < COPIES_STORES; i++)
		f.fake[i]->meets = &all;
	alarm(60);
	reading_init(&r, &f);
	alarm(0);
	for (i = 0; i < COPIES_STORES; i++)
		assert_int_equal(f.fake[i]->holds, 1);
	take(&r, &f, 0, COPIES_CHUNKS);
	reading_fini(&r);
	copies_fini(&f);
	pthread_barrier_destroy(&all);
}

/* Two of three stores die in the middle. */
static void take_from_survivor(void **state)
{
	struct copies f;
	struct reading r;
	size_t count;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	assert_int_equal(copies_back_up(&f), 0);
	reading_init(&r, &f);
	f.fake[0]->gets_left = 5;
	f.fake[1]->gets_left = 7;
	take(&r, &f, 0, COPIES_CHUNKS);
	assert_true(f.fake[0]->dead && f.fake[1]->dead);
	/* Neither was asked again, and nothing in them is reported as damaged. */
	assert_int_equal(dump_source_lost(r.source), 3);
	assert_int_equal(f.fake[0]->gets, 1 + 6); /* the list; the last was not answered */
	assert_int_equal(f.fake[1]->gets, 8);
	dump_source_healed(r.source, &count);
	assert_int_equal(count, 0);
	/* Prefetching goes on past the dead stores. */
	dump_taker_ahead(r.taker, f.ids[0], COPIES_CHUNKS);
	reading_fini(&r);
	copies_fini(&f);
}

/* Bytes other than those that were put are not accepted, sealed or not. */
static void take_no_lies(void **state)
{
	struct dump_domain *const domains[] = {&copies_sealed, &copies_unsealed};
	struct copies f;
	struct reading r;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		copies_init(&f, domains[i], COPIES_STORES);
		assert_int_equal(copies_back_up(&f), 0);
		f.fake[0]->lies = f.fake[1]->lies = true;
		reading_init(&r, &f);
		take(&r, &f, 0, COPIES_CHUNKS);
		f.fake[2]->lies = true;
		assert_int_equal(dump_taker_chunk(r.taker, f.ids[5], &r.out, &err), -1);
		reading_fini(&r);
		copies_fini(&f);
	}
}

/* A reader holds the dump in every store that has it. */
static void holds(void **state)
{
	struct copies f;
	struct reading r;

	(void)state;
	copies_init(&f, &copies_sealed, 2);
	f.fake[2]->puts_left = 3;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(store_open(f.stores[2], STORE_READ, &err), 0);
	f.fake[0]->holds = f.fake[1]->holds = f.fake[2]->holds = 0;
	reading_init(&r, &f);
	assert_int_equal(f.fake[0]->holds, 1);
	assert_int_equal(f.fake[1]->holds, 1);
	assert_int_equal(f.fake[2]->holds, 0);
	reading_fini(&r);
	copies_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_any),
		cmocka_unit_test(choose_together),
		cmocka_unit_test(take_from_survivor),
		cmocka_unit_test(take_no_lies),
		cmocka_unit_test(holds),
	};

	return cmocka_run_group_tests(tests, copies_setup, NULL);
}
