/*
 * The file by which an agent's runs find stores: what a plan does not say of one stays.
 */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/agent/stores.h"
#include "cmd/manager/plan.h"
#include "lib/err.h"
#include "lib/file.h"

#define UID_1 "01010101010101010101010101010101"
#define KEY_2 "0202020202020202020202020202020202020202020202020202020202020202"
#define UID_3 "03030303030303030303030303030303"
#define KEY_4 "0404040404040404040404040404040404040404040404040404040404040404"

static char folder[] = "/tmp/fdump-agent-stores-XXXXXX", path[64];

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/stores", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

/* The file after a plan of these stores was taken. */
static void keeps(struct manager_plan_store *stores, size_t count, const char *text)
{
	const struct manager_plan plan = {.agent = "web1", .stores = stores, .store_count = count};
	char got[4096] = "";
	struct err err = {0};
	size_t len;

	if (agent_stores_keep(path, &plan, &err) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(file_read(path, got, sizeof got - 1, &len, NULL, &err), 0);
	assert_string_equal(got, text);
}

static void test_keep(void **state)
{
	struct manager_plan_store stores[] = {
		{.name = "nas",
			.address = "nas.example.org:7421",
			.has_uid = true,
			.has_key = true},
		{.name = "nas2", .address = "[2001:db8::1]:7421"},
		{.name = "nas3"},
	};

	(void)state;
	memset(stores[0].uid, 1, sizeof stores[0].uid);
	memset(stores[0].key, 2, sizeof stores[0].key);
	keeps(stores, 3, "nas nas.example.org:7421 " UID_1 " " KEY_2 "\nnas2 [2001:db8::1]:7421\n");
	/* A manager that knows less. */
	stores[0].address = NULL;
	stores[0].has_uid = stores[0].has_key = false;
	stores[1].address = NULL;
	keeps(stores, 3, "nas nas.example.org:7421 " UID_1 " " KEY_2 "\nnas2 [2001:db8::1]:7421\n");
	/* One that knows another address; another store under the name. */
	stores[0].address = "nas.example.com";
	stores[1].has_uid = stores[1].has_key = true;
	memset(stores[1].uid, 3, sizeof stores[1].uid);
	memset(stores[1].key, 4, sizeof stores[1].key);
	keeps(stores, 2,
		"nas nas.example.com " UID_1 " " KEY_2 "\nnas2 [2001:db8::1]:7421 " UID_3 " " KEY_4
		"\n");
	stores[0].has_uid = stores[0].has_key = true;
	memset(stores[0].uid, 3, sizeof stores[0].uid);
	memset(stores[0].key, 4, sizeof stores[0].key);
	keeps(stores, 1, "nas nas.example.com " UID_3 " " KEY_4 "\n");
	/* What is no longer in the plan is forgotten. */
	stores[1].has_uid = stores[1].has_key = false;
	keeps(stores + 1, 1, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
