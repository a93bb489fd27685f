/* Three stores, 20 chunks, the first of which is the manifest's only piece. */
#include "test/unit/copies.h"

#include "lib/hash.h"
#include "lib/zst.h"
#include "test/unit/unit.h"

struct key_secret copies_key;
struct dump_domain copies_sealed, copies_unsealed;
int64_t copies_clock_ms;

static int64_t now_ms(void)
{
	return __atomic_load_n(&copies_clock_ms, __ATOMIC_RELAXED);
}

static void on_behind(void *ctx, size_t store, const char *why)
{
	struct copies *f = ctx;

	f->behind |= (uint32_t)1 << store;
	snprintf(f->why, sizeof f->why, "%s", why);
}

void copies_fan_out(struct copies *f, size_t wanted)
{
	dump_fanout_free(f->fanout);
	f->fanout = dump_fanout_new(&(struct dump_fanout_options){.stores = f->stores,
					    .count = COPIES_STORES,
					    .agent = "host",
					    .name = "backup",
					    .domain = f->domain,
					    .wanted = wanted,
					    .behind = on_behind,
					    .ctx = f,
					    .now_ms = now_ms},
		&f->err);
	assert_non_null(f->fanout);
}

void copies_init(struct copies *f, struct dump_domain *domain, size_t wanted)
{
	static const char *const names[COPIES_STORES] = {"alpha", "beta", "gamma"};
	size_t i;

	*f = (struct copies){.domain = domain};
	copies_clock_ms = 0;
	buf_init(&f->record, STORE_DUMP_MAX);
	buf_init(&f->missing, SIZE_MAX);
	for (i = 0; i < COPIES_STORES; i++) {
		f->fake[i] = fake_store_new(names[i]);
		assert_non_null(f->fake[i]);
		f->fake[i]->clock_ms = &copies_clock_ms;
		f->stores[i] = &f->fake[i]->base;
		assert_int_equal(store_open(f->stores[i], STORE_WRITE, &f->err), 0);
	}
	assert_int_equal(dump_run_init(&f->run, domain, &f->err), 0);
	assert_non_null(f->zst = zst_new(1, &f->err));
	copies_fan_out(f, wanted);
}

void copies_fini(struct copies *f)
{
	size_t i;

	dump_fanout_free(f->fanout);
	zst_free(f->zst);
	for (i = 0; i < COPIES_STORES; i++)
		store_free(f->stores[i]);
	buf_fini(&f->record);
	buf_fini(&f->missing);
}

void copies_begin(struct copies *f)
{
	bool has_base;

	assert_int_equal(dump_fanout_begin(f->fanout, NULL, &has_base, &f->err), 0);
}

int copies_put(struct copies *f, bool list, const void *content, size_t len, const uint8_t *id)
{
	struct buf record;
	uint32_t lacks;
	int ret;

	buf_init(&record, SIZE_MAX);
	assert_int_equal(
		dump_crypt_make(&f->run, f->zst, list, id, content, len, &record, &f->err), 0);
	ret = dump_fanout_have(f->fanout, id, 1, &lacks, &f->err);
	if (ret == 0 && lacks != 0)
		ret = dump_fanout_put(f->fanout, record.data, record.len, lacks, &f->err);
	buf_fini(&record);
	return ret;
}

void copies_content(size_t i, uint8_t content[COPIES_LEN])
{
	uint8_t sum[HASH_LEN];
	size_t at;

	hash_sha256(&i, sizeof i, sum);
	for (at = 0; at < COPIES_LEN; at++)
		content[at] = (uint8_t)(sum[at % HASH_LEN] + at / HASH_LEN);
}

void copies_put_chunks(struct copies *f, size_t from)
{
	uint8_t content[COPIES_LEN];
	size_t i;

	for (i = 0; i < COPIES_CHUNKS; i++) {
		copies_content(i, content);
		assert_int_equal(
			dump_domain_id(f->domain, content, COPIES_LEN, f->ids[i], &f->err), 0);
		if (i >= from)
			assert_int_equal(copies_put(f, false, content, COPIES_LEN, f->ids[i]), 0);
	}
}

void copies_put_list(struct copies *f)
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
		.manifest_len = COPIES_LEN,
		.chunks = COPIES_CHUNKS,
		.lists = f->list,
		.list_count = 1,
	};

	hash_sha256(f->ids, sizeof f->ids, f->list);
	assert_int_equal(copies_put(f, true, f->ids, sizeof f->ids, f->list), 0);
	assert_int_equal(seal_random(f->dump, sizeof f->dump, &f->err), 0);
	buf_clear(&f->record);
	assert_int_equal(store_dump_put(&d, &f->record, &f->err), 0);
	if (!f->domain->open)
		assert_int_equal(dump_domain_mac(f->domain, f->record.data + STORE_MAC_LEN,
					 f->record.len - STORE_MAC_LEN, f->record.data, &f->err),
			0);
}

int copies_commit(struct copies *f)
{
	buf_clear(&f->missing);
	return dump_fanout_commit(f->fanout, f->record.data, f->record.len, &f->acked, &f->stored,
		&f->missing, &f->err);
}

int copies_back_up(struct copies *f)
{
	copies_begin(f);
	copies_put_chunks(f, 0);
	copies_put_list(f);
	return copies_commit(f);
}

int copies_setup(void **state)
{
	static const uint8_t agent[DUMP_SECRET_LEN] = "an agent's secret, 32 bytes long";
	struct err err;

	(void)state;
	return hash_crypto_init(&err) || key_make(false, &copies_key, &err) ||
	       dump_domain_init(&copies_sealed, agent, &copies_key.half, 1, &err) ||
	       dump_domain_init(&copies_unsealed, agent, NULL, 0, &err);
}
