/* The plan's bytes: they never change, can be read back, and are refused if they are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/manager/plan.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/hash.h"

static struct manager_plan_job jobs[2];
static struct manager_plan_store stores[2];
static struct manager_plan plan;

/* A plan that has everything, and one job with as little as possible. */
static void fill(void)
{
	static const char *paths[] = {"/etc", "/srv/\xff"}, *exclude[] = {"*.tmp"};
	static const char *both[] = {"nas1", "offsite"}, *keys[] = {"fleet"};

	jobs[0] = (struct manager_plan_job){.name = "web",
		.schedule = "~ 1~4 * * *",
		.zone = "Europe/Riga",
		.before = "dump-db",
		.after = "done",
		.paths = {paths, 2},
		.exclude = {exclude, 1},
		.stores = {both, 2},
		.recipients = {keys, 1},
		.copies = 2,
		.level = 9,
		.jitter_sec = 600,
		.lock_sec = 14 * 86400,
		.alarm_after_sec = 28800,
		.exclude_caches = true,
		.one_file_system = true};
	jobs[1] = (struct manager_plan_job){.name = "a",
		.schedule = "@daily",
		.zone = "UTC",
		.paths = {paths, 1},
		.stores = {both, 1},
		.copies = 1,
		.level = MANAGER_LEVEL,
		.unencrypted = true};
	stores[0] = (struct manager_plan_store){
		.name = "nas1", .has_uid = true, .has_key = true, .uid = {1, 2}, .key = {3, 4}};
	stores[1] = (struct manager_plan_store){
		.name = "offsite", .address = "backup.example.org:7421"};
	plan = (struct manager_plan){
		.agent = "web1", .jobs = jobs, .job_count = 2, .stores = stores, .store_count = 2};
}

static void encode(struct buf *buf)
{
	struct err err = {0};

	buf_init(buf, MANAGER_PLAN_MAX);
	if (manager_plan_encode(&plan, buf, &err) != 0)
		fail_msg("%s", err.message);
}

/* Encodes the plan in its present state, and expects that it is refused. */
static void refuse(const char *what)
{
	struct manager_plan got;
	struct err err = {0};
	struct buf buf;

	encode(&buf);
	assert_int_equal(manager_plan_decode(&got, buf.data, buf.len, &err), -1);
	if (strstr(err.message, what) == NULL)
		fail_msg("'%s' is not in '%s'", what, err.message);
	buf_fini(&buf);
	fill();
}

/* A plan's bytes never change: managers of different versions would otherwise make different plans.
 * test/plans.py makes the same ones. */
static void golden(void **state)
{
	uint8_t bytes[4096], digest[2][MANAGER_DIGEST_LEN];
	struct err err = {0};
	struct buf buf;
	size_t len;

	(void)state;
	fill();
	encode(&buf);
	assert_int_equal(
		file_read("test/data/plan.cbor", bytes, sizeof bytes, &len, NULL, &err), 0);
	assert_int_equal(len, buf.len);
	assert_memory_equal(buf.data, bytes, len);
	manager_plan_digest(buf.data, buf.len, digest[0]);
	hash_sha256(bytes, len, digest[1]);
	assert_memory_equal(digest[0], digest[1], sizeof digest[0]);
	buf_fini(&buf);
}

static void round_trip(void **state)
{
	struct manager_plan got;
	struct err err = {0};
	struct buf buf, again;

	(void)state;
	fill();
	encode(&buf);
	assert_int_equal(manager_plan_decode(&got, buf.data, buf.len, &err), 0);
	assert_string_equal(got.agent, "web1");
	assert_string_equal(got.jobs[0].paths.items[1], "/srv/\xff");
	assert_string_equal(got.jobs[0].before, "dump-db");
	assert_null(got.jobs[1].before);
	assert_int_equal(got.jobs[0].jitter_sec, 600);
	assert_true(got.jobs[0].one_file_system && got.jobs[0].exclude_caches);
	assert_false(got.jobs[0].unencrypted);
	assert_true(got.jobs[1].unencrypted);
	assert_int_equal(got.stores[0].key[1], 4);
	assert_false(got.stores[1].has_uid);
	/* A plan that was read is written the same. */
	buf_init(&again, MANAGER_PLAN_MAX);
	assert_int_equal(manager_plan_encode(&got, &again, &err), 0);
	assert_int_equal(again.len, buf.len);
	assert_memory_equal(again.data, buf.data, buf.len);
	buf_fini(&again);
	buf_fini(&buf);
	manager_plan_free(&got);
	/* A plan without work is valid too. */
	plan = (struct manager_plan){.agent = "idle"};
	encode(&buf);
	assert_int_equal(manager_plan_decode(&got, buf.data, buf.len, &err), 0);
	assert_int_equal(got.job_count, 0);
	manager_plan_free(&got);
	buf_fini(&buf);
}

static void refused(void **state)
{
	(void)state;
	fill();
	jobs[1].name = "web";
	refuse("job web: there are two jobs of this name");
	jobs[0].name = "Web";
	refuse("not a name");
	jobs[0].schedule = "61 * * * *";
	refuse("job web: minute");
	jobs[0].schedule = "@reboot";
	refuse("job web: the schedule never runs");
	jobs[0].copies = 3;
	refuse("job web: 3 copies on 2 stores");
	jobs[0].copies = 17;
	refuse("key 'copies': 17, expected 1 to 16");
	jobs[0].level = 20;
	refuse("key 'level': 20, expected 0 to 19");
	jobs[0].paths.items = (const char *[]){"etc", "/"};
	refuse("does not begin with '/'");
	plan.store_count = 1;
	refuse("store offsite is not in the plan's list");
	stores[1].name = "nas1";
	refuse("two stores named nas1");
	jobs[0].lock_sec = (int64_t)MANAGER_SECONDS_MAX + 1;
	refuse("key 'lock-for': ");
	jobs[0].zone = "";
	refuse("zone");
	plan.agent = "";
	refuse("agent");
}

/* Keys of later versions: ignored, unless they must be understood. */
static void later_keys(void **state)
{
	static const char *const keys[] = {"later", "Later"};
	struct manager_plan got;
	struct cbor_out out;
	struct err err = {0};
	uint8_t mem[128];
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		cbor_out_init(&out, mem, sizeof mem);
		cbor_put_map(&out, 2);
		cbor_put_text(&out, "agent");
		cbor_put_text(&out, "a");
		cbor_put_text(&out, keys[i]);
		cbor_put_array(&out, 1);
		cbor_put_uint(&out, 7);
		assert_int_equal(
			manager_plan_decode(&got, mem, cbor_out_len(&out), &err), i == 0 ? 0 : -1);
		if (i == 0)
			manager_plan_free(&got);
		else
			assert_int_equal(err.code, ERR_UNSUPPORTED);
	}
	assert_int_equal(manager_plan_decode(&got, mem, 0, &err), -1);
}

/* Cut anywhere: refused. Any bit flipped: refused or another plan, never a crash or a leak. */
static void mangled(void **state)
{
	struct manager_plan got;
	struct err err = {0};
	struct buf buf;
	size_t i, bit;

	(void)state;
	fill();
	encode(&buf);
	for (i = 0; i < buf.len; i++) {
		assert_int_equal(manager_plan_decode(&got, buf.data, i, &err), -1);
		for (bit = 0; bit < 8; bit++) {
			buf.data[i] ^= (uint8_t)(1u << bit);
			if (manager_plan_decode(&got, buf.data, buf.len, &err) == 0)
				manager_plan_free(&got);
			buf.data[i] ^= (uint8_t)(1u << bit);
		}
	}
	assert_int_equal(manager_plan_decode(&got, buf.data, buf.len, &err), 0);
	manager_plan_free(&got);
	buf_fini(&buf);
}

static int setup(void **state)
{
	struct err err;

	(void)state;
	return hash_crypto_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(refused),
		cmocka_unit_test(later_keys),
		cmocka_unit_test(mangled),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
