/* What a service lets agents do with its store: quotas and the age before deletion. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/engine.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"

static struct err err;
static char folder[64], path[80];
static struct engine *s;

static int setup(void **state)
{
	static const struct engine_wait wait = {.sec = 5};

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/fdump-limits-XXXXXX");
	if (mkdtemp(folder) == NULL || hash_crypto_init(&err) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/store", folder);
	if (engine_make(path, 0, &err) != 0)
		return -1;
	s = engine_open(path, ENGINE_WRITE, &wait, &err);
	return s != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	char command[100];

	(void)state;
	engine_close(s);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static size_t record(const void *text, size_t len, uint8_t *out)
{
	uint8_t id[HASH_LEN];
	struct store_record r = {.raw_len = (uint32_t)len, .id = id};
	size_t head;

	hash_sha256(text, len, id);
	head = store_record_put(&r, out);
	memcpy(out + head, text, len);
	return head + len;
}

/* Puts a record of 1,000 bytes of content into the agent's domain, whose name is the agent's. */
static int put(const char *agent, uint8_t tag)
{
	uint8_t domain[STORE_DOMAIN_LEN] = {0}, text[1000] = {tag}, bytes[1100];

	memcpy(domain, agent, strlen(agent));
	return engine_put(s, agent, domain, bytes, record(text, sizeof text, bytes), &err);
}

static void set(uint64_t quota, const struct engine_agent_quota *quotas, size_t count, int64_t age)
{
	const struct engine_limits limits = {
		.quotas = quotas, .count = count, .quota = quota, .min_age_sec = age};

	assert_int_equal(engine_limits_set(s, &limits, &err), 0);
}

static void quotas(void **state)
{
	const struct engine_agent_quota more[] = {{"b", 5000}, {"c", ENGINE_QUOTA_NONE}};

	(void)state;
	assert_int_equal(put("a", 1), 0);
	set(1500, NULL, 0, 0);
	assert_int_equal(put("a", 2), -1);
	assert_int_equal(err.code, ERR_NOSPACE);
	assert_int_equal(put("a", 1), 1); /* it is there */
	assert_int_equal(put("b", 1), 0);
	assert_int_equal(put("b", 2), -1);
	set(1500, more, 2, 0);
	assert_int_equal(put("b", 2), 0);
	assert_int_equal(put("c", 1), 0);
	assert_int_equal(put("c", 2), 0);
	assert_int_equal(put("a", 2), -1);
	/* The store's own quota comes before that of all, and after that of the one agent. */
	assert_int_equal(engine_quota_set(s, "a", 2500, &err), 0);
	assert_int_equal(engine_quota_set(s, "b", 10, &err), 0);
	assert_int_equal(put("a", 2), 0);
	assert_int_equal(put("a", 3), -1);
	assert_int_equal(put("b", 3), 0);
	set(ENGINE_QUOTA_NONE, NULL, 0, 0);
	assert_int_equal(put("a", 3), -1);
	assert_int_equal(put("d", 1), 0);
	assert_int_equal(put("d", 2), 0);
}

static void young(void **state)
{
	static const uint8_t domain[STORE_DOMAIN_LEN] = "a", id[STORE_DUMP_ID] = {9};
	uint8_t list[STORE_ID_LEN], bytes[1100], text[1000] = {1};
	struct store_receipt receipt;
	struct store_dump d = {.id = id,
		.agent = "a",
		.agent_len = 1,
		.name = "backup",
		.name_len = 6,
		.domain = domain,
		.base = (const uint8_t *)"/",
		.base_len = 1,
		.chunks = 1,
		.list_count = 1,
		.lists = bytes + 8};
	struct buf out;
	size_t len;

	(void)state;
	record(text, sizeof text, bytes);
	memcpy(list, bytes + 8, sizeof list);
	len = record(list, sizeof list, bytes);
	assert_int_equal(engine_quota_set(s, "a", ENGINE_QUOTA_NONE, &err), 0);
	assert_true(engine_put(s, "a", domain, bytes, len, &err) >= 0);
	buf_init(&out, STORE_DUMP_MAX);
	assert_int_equal(store_dump_put(&d, &out, &err), 0);
	assert_int_equal(engine_commit(s, out.data, out.len, STORE_NOW, &receipt, NULL, &err), 0);
	set(ENGINE_QUOTA_NONE, NULL, 0, 3600);
	assert_int_equal(engine_delete(s, id, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	set(ENGINE_QUOTA_NONE, NULL, 0, 0);
	assert_int_equal(engine_delete(s, id, &err), 0);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(quotas), cmocka_unit_test(young)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
