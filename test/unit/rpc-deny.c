/* rpc/deny: a set that only grows, and its file. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/file.h"
#include "rpc/deny.h"

static char path[256];

static void host_of(char host[RPC_HOST_LEN + 1], unsigned n)
{
	snprintf(host, RPC_HOST_LEN + 1, "%08x%024x", n * 2654435761u, n);
}

static void holds_what_was_added(void **state)
{
	struct rpc_deny deny, again;
	struct err err = {0};
	char host[RPC_HOST_LEN + 1];
	unsigned n;

	(void)state;
	rpc_deny_init(&deny);
	rpc_deny_init(&again);
	for (n = 0; n < 1000; n++) {
		host_of(host, n);
		assert_false(rpc_deny_has(&deny, host));
		assert_int_equal(rpc_deny_add(&deny, host, &err), 0);
		assert_int_equal(rpc_deny_add(&deny, host, &err), 1);
	}
	assert_int_equal(rpc_deny_add(&deny, "../x", &err), -1);
	assert_int_equal(rpc_deny_save(&deny, path, &err), 0);
	host_of(host, 5000);
	assert_int_equal(rpc_deny_add(&again, host, &err), 0);
	assert_int_equal(rpc_deny_load(&again, path, &err), 0);
	assert_int_equal(rpc_deny_load(&again, path, &err), 0);
	assert_int_equal(again.ids.len, 1001 * RPC_HOST_LEN);
	assert_true(rpc_deny_has(&again, host));
	for (n = 0; n < 1000; n++) {
		host_of(host, n);
		assert_true(rpc_deny_has(&again, host));
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rpc_deny_load(&again, path, &err), 0); /* none is an empty one */
	rpc_deny_fini(&deny);
	rpc_deny_fini(&again);
}

static void half_a_list_is_none(void **state)
{
	static const char *const bad[] = {"0123456789abcdef0123456789abcdef",
		"0123456789abcdef0123456789abcdef\nx\n",
		"0123456789abcdef0123456789abcdef\n0123456789abcdef0123456789abcdeF\n",
		"0123456789abcdef0123456789abcdef\n\n"};
	struct rpc_deny deny;
	struct err err = {0};
	size_t i;

	(void)state;
	rpc_deny_init(&deny);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(file_write(path, bad[i], strlen(bad[i]), 0600, &err), 0);
		assert_int_equal(rpc_deny_load(&deny, path, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_int_equal(deny.ids.len, 0);
	}
	unlink(path);
	rpc_deny_fini(&deny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_what_was_added),
		cmocka_unit_test(half_a_list_is_none),
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
