/* The rights of agents in a store: quotas, and the age before a dump may be deleted. */
#include "lib/buf.h"
#include "test/unit/temp_store.h"
#include "test/unit/unit.h"

static struct err err;

/* Puts a record of 1,000 bytes of content into the agent's domain, whose name is the agent's. */
static int put(struct engine *s, const char *agent, uint8_t tag)
{
	uint8_t domain[STORE_DOMAIN_LEN] = {0}, text[1000] = {tag}, bytes[1100];

	memcpy(domain, agent, strlen(agent));
	return engine_put(
		s, agent, domain, bytes, temp_store_record(text, sizeof text, bytes), &err);
}

static void set(struct engine *s, uint64_t quota, const struct engine_agent_quota *quotas,
	size_t count, int64_t age)
{
	const struct engine_limits limits = {
		.quotas = quotas, .count = count, .quota = quota, .min_age_sec = age};

	assert_int_equal(engine_limits_set(s, &limits, &err), 0);
}

/* The service's quotas: for all agents, and for some. */
static void quotas(void **state)
{
	const struct engine_agent_quota more[] = {{"b", 5000}, {"c", ENGINE_QUOTA_NONE}};
	struct engine *s = temp_store_open(NULL);

	(void)state;
	assert_int_equal(put(s, "a", 1), 0);
	set(s, 1500, NULL, 0, 0);
	assert_int_equal(put(s, "a", 2), -1);
	assert_int_equal(err.code, ERR_NOSPACE);
	assert_int_equal(put(s, "a", 1), 1); /* it is there */
	assert_int_equal(put(s, "b", 1), 0);
	assert_int_equal(put(s, "b", 2), -1);
	set(s, 1500, more, 2, 0);
	assert_int_equal(put(s, "b", 2), 0);
	assert_int_equal(put(s, "c", 1), 0);
	assert_int_equal(put(s, "c", 2), 0);
	assert_int_equal(put(s, "a", 2), -1);
	/* The store's own quota takes precedence over that for all agents, but not over that for
	 * one agent. */
	assert_int_equal(engine_quota_set(s, "a", 2500, &err), 0);
	assert_int_equal(engine_quota_set(s, "b", 10, &err), 0);
	assert_int_equal(put(s, "a", 2), 0);
	assert_int_equal(put(s, "a", 3), -1);
	assert_int_equal(put(s, "b", 3), 0);
	set(s, ENGINE_QUOTA_NONE, NULL, 0, 0);
	assert_int_equal(put(s, "a", 3), -1);
	assert_int_equal(put(s, "d", 1), 0);
	assert_int_equal(put(s, "d", 2), 0);
	engine_close(s);
}

static void young(void **state)
{
	const uint8_t dump[STORE_DUMP_ID] = {9};
	struct engine *s = temp_store_open(NULL);
	uint8_t id[STORE_ID_LEN];

	(void)state;
	assert_int_equal(temp_store_put(s, "young", id, &err), 0);
	temp_store_commit(s, id, 1, 9);
	set(s, ENGINE_QUOTA_NONE, NULL, 0, 3600);
	assert_int_equal(engine_delete(s, dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	set(s, ENGINE_QUOTA_NONE, NULL, 0, 0);
	assert_int_equal(engine_delete(s, dump, &err), 0);
	engine_close(s);
}

/* The store's own quota applies to its agent, at put and at commit, now and after the store is
 * opened again. */
static void quota_kept(void **state)
{
	struct engine *s = temp_store_open(NULL);
	struct store_receipt receipt;
	uint8_t id[STORE_ID_LEN], bytes[100];
	struct buf dump;
	size_t len = temp_store_record("of another", 10, bytes);
	int round;

	(void)state;
	assert_true(temp_store_put(s, "quota", id, &err) >= 0);
	temp_store_commit(s, id, 1, 80);
	assert_int_equal(engine_quota_set(s, "host", 10, &err), 0);
	for (round = 0; round < 2; round++) {
		assert_int_equal(temp_store_put(s, "more", id, &err), -1);
		assert_int_equal(err.code, ERR_NOSPACE);
		assert_int_equal(temp_store_put(s, "quota", id, &err), 1);
		temp_store_dump(s, id, 1, 81, 0, &dump);
		assert_int_equal(
			engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), -1);
		assert_int_equal(err.code, ERR_NOSPACE);
		buf_fini(&dump);
		assert_int_equal(
			engine_put(s, "guest", temp_store_domain, bytes, len, &err), round);
		s = temp_store_open(s);
	}
	assert_int_equal(engine_quota_set(s, "host", ENGINE_QUOTA_NONE, &err), 0);
	assert_int_equal(temp_store_put(s, "more", id, &err), 0);
	engine_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotas),
		cmocka_unit_test(young),
		cmocka_unit_test(quota_kept),
	};

	return cmocka_run_group_tests(tests, temp_store_setup, temp_store_teardown);
}
