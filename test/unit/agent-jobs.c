/* Which plans an agent's own configuration accepts, and the file by which its runs find stores. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/agent/jobs.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"

#define UID_1 "01010101010101010101010101010101"
#define KEY_2 "0202020202020202020202020202020202020202020202020202020202020202"
#define UID_3 "03030303030303030303030303030303"
#define KEY_4 "0404040404040404040404040404040404040404040404040404040404040404"

static char folder[] = "/tmp/fdump-agent-jobs-XXXXXX";
static struct err err;

/* A plan of one job, encoded. */
static void plan_of(struct buf *buf, const char *agent, const char *path, const char *recipient,
	bool unencrypted)
{
	const char *paths[] = {path}, *recipients[] = {recipient}, *stores[] = {"nas"};
	struct manager_plan_store store = {.name = "nas"};
	struct manager_plan_job job = {.name = "job",
		.schedule = "@daily",
		.zone = "UTC",
		.paths = {paths, 1},
		.stores = {stores, 1},
		.recipients = {recipients, recipient != NULL},
		.copies = 1,
		.level = 2,
		.unencrypted = unencrypted};
	struct manager_plan plan = {
		.agent = agent, .jobs = &job, .job_count = 1, .stores = &store, .store_count = 1};

	buf_init(buf, MANAGER_PLAN_MAX);
	assert_int_equal(manager_plan_encode(&plan, buf, &err), 0);
}

/* Whether the plan is accepted; if not, it must be refused for lack of a right. */
static bool takes(const struct agent_own *own, const char *agent, const char *path,
	const char *recipient, bool unencrypted)
{
	struct agent_jobs jobs = {.taken = false};
	struct buf buf;
	int ret;

	plan_of(&buf, agent, path, recipient, unencrypted);
	ret = agent_jobs_take(&jobs, own, "web1", folder, buf.data, buf.len, &err);
	if (ret != 0)
		assert_int_equal(err.code, ERR_DENIED);
	else
		assert_true(jobs.taken && jobs.count == 1 && jobs.jobs[0].valid);
	agent_jobs_free(&jobs);
	buf_fini(&buf);
	return ret == 0;
}

static void test_rights(void **state)
{
	const char *read[] = {folder, "/nowhere/at/all/"};
	const struct agent_own free_own = {.unencrypted = true}, bound = {.read = {read, 2}};
	char path[512], link[256];

	(void)state;
	assert_true(takes(&free_own, "web1", "/root", NULL, true));
	assert_false(takes(&free_own, "web2", "/root", NULL, true));
	/* Encryption and recipients. */
	assert_false(takes(&bound, "web1", folder, NULL, true));
	assert_true(takes(&bound, "web1", folder, "fleet", false));
	assert_false(takes(&bound, "web1", folder, "stranger", false));
	/* Paths: inside the permitted ones, not beside them, not around them by dots or links. */
	assert_true(takes(&bound, "web1", "/nowhere/at/all/x", NULL, false));
	assert_false(takes(&bound, "web1", "/nowhere/at/alls", NULL, false));
	assert_false(takes(&bound, "web1", "/etc", NULL, false));
	assert_false(takes(&bound, "web1", "/", NULL, false));
	snprintf(path, sizeof path, "%s/../../etc", folder);
	assert_false(takes(&bound, "web1", path, NULL, false));
	snprintf(link, sizeof link, "%s/link", folder);
	assert_int_equal(symlink("/etc", link), 0);
	snprintf(path, sizeof path, "%s/", link);
	assert_false(takes(&bound, "web1", path, NULL, false));
	assert_int_equal(unlink(link), 0);
}

/* The previous plan stays in force while the next is refused. */
static void test_before(void **state)
{
	const struct agent_own own = {.warn_after_sec = 1};
	struct agent_jobs jobs = {.taken = false};
	uint8_t digest[MANAGER_DIGEST_LEN];
	struct buf good, bad;

	(void)state;
	plan_of(&good, "web1", "/etc", NULL, false);
	plan_of(&bad, "web1", "/etc", "stranger", false);
	assert_int_equal(
		agent_jobs_take(&jobs, &own, "web1", folder, good.data, good.len, &err), 0);
	memcpy(digest, jobs.digest, sizeof digest);
	assert_int_equal(agent_jobs_take(&jobs, &own, "web1", folder, bad.data, bad.len, &err), -1);
	assert_int_equal(agent_jobs_take(&jobs, &own, "web1", folder, "nonsense", 8, &err), -1);
	assert_true(jobs.taken);
	assert_memory_equal(jobs.digest, digest, sizeof digest);
	agent_jobs_free(&jobs);
	buf_fini(&good);
	buf_fini(&bad);
}

/* The file after a plan with these stores was accepted. */
static void keeps(struct manager_plan_store *stores, size_t count, const char *text)
{
	const struct agent_jobs jobs = {
		.plan = {.agent = "web1", .stores = stores, .store_count = count}};
	char got[4096] = "", path[64];
	size_t len;

	snprintf(path, sizeof path, "%s/stores", folder);
	if (agent_jobs_keep_stores(&jobs, path, &err) != 0)
		fail_msg("%s", err.message);
	assert_int_equal(file_read(path, got, sizeof got - 1, &len, NULL, &err), 0);
	assert_string_equal(got, text);
}

/* Lines for stores that the plan does not mention are kept. */
static void test_stores(void **state)
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
	/* A manager that knows fewer stores. */
	stores[0].address = NULL;
	stores[0].has_uid = stores[0].has_key = false;
	stores[1].address = NULL;
	keeps(stores, 3, "nas nas.example.org:7421 " UID_1 " " KEY_2 "\nnas2 [2001:db8::1]:7421\n");
	/* A manager that knows another address; another store under the name. */
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
	/* Stores that are no longer in the plan are removed. */
	stores[1].has_uid = stores[1].has_key = false;
	keeps(stores + 1, 1, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rights),
		cmocka_unit_test(test_before), cmocka_unit_test(test_stores)};
	char key[256];
	FILE *file;
	int ret;

	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(key, sizeof key, "%s/fleet.pub", folder);
	file = fopen(key, "w");
	if (file == NULL || fclose(file) != 0)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(key);
	snprintf(key, sizeof key, "%s/stores", folder);
	unlink(key);
	rmdir(folder);
	return ret;
}
