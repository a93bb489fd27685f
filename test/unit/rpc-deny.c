/* rpc/deny: who denies whom, whose denials count, and the file. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/file.h"
#include "rpc/deny.h"

static char path[256];
static const struct rpc_issuer m1 = {"m1", "00000000000000000000000000000001"},
			       m2 = {"m2", "00000000000000000000000000000002"},
			       m3 = {"m3", "00000000000000000000000000000003"};

#define H(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define A    H("a")
#define B    H("b")
#define C    H("c")

static int deny(struct rpc_deny *list, const struct rpc_issuer *by, const char *hosts)
{
	struct err err = {0};
	int ret = rpc_deny_replace(list, by, hosts, strlen(hosts) / RPC_HOST_LEN, &err);

	return ret < 0 ? -(int)err.code : ret;
}

static size_t count(const struct rpc_deny *list)
{
	return list->denials.len / sizeof(struct rpc_denial);
}

static void each_manager_speaks_for_itself(void **state)
{
	struct rpc_deny list;

	(void)state;
	rpc_deny_init(&list);
	assert_false(rpc_deny_has(&list, A));
	assert_int_equal(deny(&list, &m1, B A B), 0);
	assert_int_equal(count(&list), 2);
	assert_int_equal(deny(&list, &m1, A B), 1); /* the same again */
	assert_int_equal(deny(&list, &m2, B C), 0);
	assert_true(rpc_deny_has(&list, A) && rpc_deny_has(&list, B) && rpc_deny_has(&list, C));
	/* m1 withdraws all its denials: m2's stay. */
	assert_int_equal(deny(&list, &m1, ""), 0);
	assert_false(rpc_deny_has(&list, A));
	assert_true(rpc_deny_has(&list, B) && rpc_deny_has(&list, C));
	/* A malformed list changes nothing. */
	assert_int_equal(deny(&list, &m2, A "0123456789abcdef0123456789abcdeF"), -ERR_FORMAT);
	assert_int_equal(count(&list), 2);
	rpc_deny_fini(&list);
}

static void a_denied_manager_has_no_say(void **state)
{
	struct rpc_deny list;
	char both[2 * RPC_HOST_LEN + 1];

	(void)state;
	rpc_deny_init(&list);
	assert_int_equal(deny(&list, &m2, A B), 0);
	assert_int_equal(deny(&list, &m3, B C), 0);
	snprintf(both, sizeof both, "%s%s", m2.host, C);
	assert_int_equal(deny(&list, &m1, both), 0);
	assert_false(rpc_deny_has(&list, A)); /* m2 alone said so */
	assert_true(rpc_deny_has(&list, B) && rpc_deny_has(&list, C));
	/* A denied manager can't deny the other in return, nor anyone else. */
	assert_int_equal(deny(&list, &m2, m1.host), -ERR_DENIED);
	assert_int_equal(deny(&list, &m2, A), -ERR_DENIED);
	/* Nobody can deny himself. */
	assert_int_equal(deny(&list, &m3, m3.host), 0);
	assert_false(rpc_deny_has(&list, m3.host));
	/* Once its own denial is withdrawn, m2's word counts again. */
	assert_int_equal(deny(&list, &m1, C), 0);
	assert_int_equal(deny(&list, &m2, A), 0);
	assert_true(rpc_deny_has(&list, A));
	rpc_deny_fini(&list);
}

static void a_file_keeps_it(void **state)
{
	struct rpc_deny list, again;
	struct err err = {0};
	char *hosts = malloc(1000 * RPC_HOST_LEN + 1);
	unsigned n;

	(void)state;
	rpc_deny_init(&list);
	rpc_deny_init(&again);
	for (n = 0; n < 1000; n++)
		sprintf(hosts + n * RPC_HOST_LEN, "%08x%024x", n * 2654435761u, n);
	assert_int_equal(deny(&list, &m1, hosts), 0);
	assert_int_equal(deny(&list, &m2, hosts), 0);
	assert_int_equal(rpc_deny_save(&list, path, &err), 0);
	assert_int_equal(deny(&again, &m3, A), 0); /* goes */
	assert_int_equal(rpc_deny_load(&again, path, &err), 0);
	assert_int_equal(again.denials.len, list.denials.len);
	assert_memory_equal(again.denials.data, list.denials.data, list.denials.len);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
		rpc_deny_load(&again, path, &err), 0); /* a missing file is an empty list */
	assert_int_equal(count(&again), 0);
	free(hosts);
	rpc_deny_fini(&list);
	rpc_deny_fini(&again);
}

static void half_a_list_is_refused(void **state)
{
	static const char *const bad[] = {A, A "\n", A " m1 " B, A " m1 " B "\nx\n",
		A " m1 " B "\n\n", A " M1 " B "\n", A "  " B "\n", A " m1  " B "\n",
		A " m1 " B " \n", "0123456789abcdef0123456789abcdeF m1 " B "\n",
		A " m1 0123456789abcdef0123456789abcdeF\n", A "\tm1 " B "\n"};
	struct rpc_deny list;
	struct err err = {0};
	size_t i;

	(void)state;
	rpc_deny_init(&list);
	assert_int_equal(deny(&list, &m1, C), 0);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(file_write(path, bad[i], strlen(bad[i]), 0600, &err), 0);
		if (rpc_deny_load(&list, path, &err) != -1)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_true(count(&list) == 1 && rpc_deny_has(&list, C));
	}
	unlink(path);
	rpc_deny_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_manager_speaks_for_itself),
		cmocka_unit_test(a_denied_manager_has_no_say),
		cmocka_unit_test(a_file_keeps_it),
		cmocka_unit_test(half_a_list_is_refused),
	};
	const char *temp = getenv("TMPDIR");
	int fd, failed;

	snprintf(path, sizeof path, "%s/fdump-deny-XXXXXX", temp != NULL ? temp : "/tmp");
	fd = mkstemp(path);
	if (fd < 0)
		return 2;
	close(fd);
	failed = RUN(tests);
	unlink(path);
	return failed;
}
