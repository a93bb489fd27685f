/* A dump's record: existing bytes stay readable for ever, and are written the same again. */
#include "unit.h"

#include <string.h>

#include "cmd/store/dump.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"

static const char *const kept[] = {
#include "test/data/dump-v1.inc"
};

static struct err err;

static size_t bytes_of(size_t i, uint8_t *bytes)
{
	size_t len = strlen(kept[i]) / 2;

	assert_true(esc_unhex(bytes, len, kept[i]));
	return len;
}

static void is_kept(void **state)
{
	uint8_t bytes[1024];
	struct store_dump d;
	struct buf out;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof kept / sizeof *kept; i++) {
		len = bytes_of(i, bytes);
		assert_int_equal(store_dump_get(&d, bytes, len, &err), 0);
		assert_int_equal(d.agent_len, 3);
		assert_memory_equal(d.agent, "web", 3);
		assert_int_equal(d.ended.sec, 1700000060);
		assert_int_equal(d.lock, 1800000000);
		assert_int_equal(d.fewer_than, 41);
		assert_int_equal(d.plan != NULL, i == 1);
		if (i == 1) {
			assert_int_equal(d.slot, 1700000400);
			assert_memory_equal(
				d.plan, "\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf", STORE_PLAN_LEN);
		}
		buf_init(&out, STORE_DUMP_MAX);
		assert_int_equal(store_dump_put(&d, &out, &err), 0);
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, bytes, len);
		buf_fini(&out);
	}
}

/* The second record with another value of "j", which is at its end. */
static int with_job(const void *value, size_t value_len)
{
	static const uint8_t tail[] = {0x61, 'j', 0x82};
	uint8_t bytes[1024];
	size_t len = bytes_of(1, bytes), at = len - 2 - 1 - 5 - 1 - STORE_PLAN_LEN;
	struct store_dump d;

	assert_memory_equal(bytes + at, tail, sizeof tail);
	memcpy(bytes + at + 2, value, value_len);
	return store_dump_get(&d, bytes, at + 2 + value_len, &err);
}

static void refuses_jobs(void **state)
{
	(void)state;
	assert_int_equal(with_job("\x82\x00\x48janeplan", 11), 0);
	assert_int_equal(with_job("\x82\x00\x47no plan", 10), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_int_equal(with_job("\x82\x48janeplan\x00", 11), -1);
	assert_int_equal(with_job("\x81\x00", 2), -1);
	assert_int_equal(with_job("\x83\x00\x48janeplan\x00", 12), -1);
	assert_int_equal(with_job("\xf6", 1), -1);
}

/* Encodes a dump's record and decodes it again. */
static void dump_record(void **state)
{
	static const uint8_t domain[STORE_DOMAIN_LEN] = "a domain", wraps[STORE_WRAP_LEN],
			     ephemeral[32], id[STORE_DUMP_ID], lists[64];
	struct store_dump d = {.id = id,
		.agent = "host",
		.agent_len = 4,
		.name = "n",
		.name_len = 1,
		.domain = domain,
		.sealed = true,
		.ephemeral = ephemeral,
		.wraps = wraps,
		.wrap_count = 1,
		.base = (const uint8_t *)"/home",
		.base_len = 5,
		.paths = (const uint8_t *)"\x41/\x42/b",
		.paths_len = 5,
		.path_count = 2,
		.began = {-5, 7},
		.entries = 1,
		.content = 2,
		.statuses = 3,
		.manifest_chunks = 4,
		.manifest_len = 5,
		.chunks = 6,
		.lists = lists,
		.list_count = 2,
		.lock = 99};
	struct store_dump got;
	const uint8_t *at = NULL, *one;
	struct buf out;
	size_t len, i;

	(void)state;
	buf_init(&out, STORE_DUMP_MAX);
	assert_int_equal(store_dump_put(&d, &out, &err), 0);
	assert_int_equal(store_dump_get(&got, out.data, out.len, &err), 0);
	assert_true(got.lock == 99 && got.chunks == 6 && got.began.sec == -5 && got.sealed);
	assert_true(store_dump_path(&got, &at, &one, &len) && len == 1 && one[0] == '/');
	assert_true(store_dump_path(&got, &at, &one, &len) && len == 2 && one[1] == 'b');
	assert_false(store_dump_path(&got, &at, &one, &len));
	for (i = 0; i < out.len; i++)
		assert_int_equal(store_dump_get(&got, out.data, i, &err), -1);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_kept),
		cmocka_unit_test(refuses_jobs),
		cmocka_unit_test(dump_record),
	};
	return RUN(tests);
}
