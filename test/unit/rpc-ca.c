/* rpc/identity and rpc/ca: who may sign what, who may talk to whom; the root's key under its
 * passphrase. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/pass.h"
#include "rpc/ca.h"

#define HOST  "00112233445566778899aabbccddeeff"
#define HOST2 "ff112233445566778899aabbccddeeff"

static char folder[256];

static const char *path(const char *name)
{
	static char text[8][512];
	static int at;

	at = (at + 1) % 8;
	snprintf(text[at], sizeof text[at], "%s/%s", folder, name);
	return text[at];
}

/* Every issuer, role and name. */
static void who_may_sign_what(void **state)
{
	static const struct rpc_issuer root = {"", ""}, m1 = {"m1", HOST};
	static const struct {
		const struct rpc_issuer *issuer;
		enum rpc_role role;
		const char *name;
		bool may;
	} all[] = {
		{&root, RPC_AGENT, "a", false},
		{&root, RPC_STORE, "s", false},
		{&root, RPC_MANAGER, "m1", false},
		{&root, RPC_OPERATOR, "m1", true},
		{&root, RPC_OPERATOR, "o", true},
		{&root, RPC_NOBODY, "o", false},
		{&m1, RPC_AGENT, "a", true},
		{&m1, RPC_AGENT, "m1", true},
		{&m1, RPC_STORE, "s", true},
		{&m1, RPC_MANAGER, "m1", true},
		{&m1, RPC_MANAGER, "m2", false},
		{&m1, RPC_MANAGER, "m1.m1", false},
		{&m1, RPC_OPERATOR, "m1", true},
		{&m1, RPC_OPERATOR, "m2", false},
		{&m1, RPC_OPERATOR, "o", false},
		{&m1, RPC_NOBODY, "m1", false},
	};
	struct err err = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof all / sizeof *all; i++)
		if ((rpc_identity_signed(all[i].issuer, all[i].role, all[i].name, &err) == 0) !=
			all[i].may)
			fail_msg("%u", (unsigned)i);
}

static void operators_of_a_manager_are_accepted_there(void **state)
{
	static const struct rpc_identity of_m1 = {RPC_OPERATOR, "m1", HOST, {"m1", HOST}},
					 of_root = {RPC_OPERATOR, "m1", HOST, {"", ""}};
	struct rpc_identity self = {0};
	struct err err = {0};
	int role;

	(void)state;
	for (role = RPC_NOBODY; role < RPC_ROLES; role++) {
		self.role = (enum rpc_role)role;
		strcpy(self.name, "m1");
		assert_int_equal(
			rpc_identity_accepts(&self, &of_m1, &err), role == RPC_MANAGER ? 0 : -1);
		assert_int_equal(rpc_identity_accepts(&self, &of_root, &err), 0);
		strcpy(self.name, "m2");
		assert_int_equal(rpc_identity_accepts(&self, &of_m1, &err), -1);
		assert_int_equal(err.code, ERR_DENIED);
	}
	assert_int_equal(rpc_identity_accepts(NULL, &of_m1, &err), -1);
	assert_int_equal(rpc_identity_accepts(NULL, &of_root, &err), 0);
}

static int ask(const char *ctx, const char *name, struct pass *pass, struct err *err)
{
	(void)name, (void)err;
	pass->len = strlen(ctx);
	memcpy(pass->bytes, ctx, pass->len);
	return 0;
}

/* A request for a new key NAME.key. */
static struct buf request(const char *name)
{
	struct buf csr;
	struct err err = {0};
	char key[64];

	buf_init(&csr, RPC_CSR_MAX);
	snprintf(key, sizeof key, "%s.key", name);
	assert_int_equal(rpc_key_make(path(key), &err), 0);
	assert_int_equal(rpc_csr_make(path(key), &csr, &err), 0);
	return csr;
}

static void the_root_is_opened_by_its_passphrase(void **state)
{
	const struct pass pass = {4, "open"};
	struct err err = {0};
	struct stat st;
	struct rpc_ca *ca;

	(void)state;
	assert_int_equal(rpc_ca_make(path("root.key"), path("root.crt"), "fleet", &pass, &err), 0);
	assert_int_equal(stat(path("root.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_null(rpc_ca_open(path("root.key"), path("root.crt"), NULL, NULL, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_null(rpc_ca_open(path("root.key"), path("root.crt"), ask, "Open", &err));
	assert_int_equal(err.code, ERR_DENIED);
	ca = rpc_ca_open(path("root.key"), path("root.crt"), ask, "open", &err);
	if (ca == NULL)
		fail_msg("%s", err.message);
	assert_string_equal(rpc_ca_issuer(ca)->manager, "");
	rpc_ca_close(ca);
	/* No file is replaced. */
	assert_int_equal(rpc_ca_make(path("root.key"), path("root.crt"), "fleet", &pass, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
}

static void each_signs_its_own(void **state)
{
	struct rpc_ca *root, *m1;
	struct buf csr = request("m1"), chain, der;
	uint8_t digest[RPC_DIGEST_LEN];
	struct rpc_identity id, got;
	struct err err = {0};

	(void)state;
	buf_init(&chain, RPC_CHAIN_MAX);
	buf_init(&der, RPC_CA_DER_MAX);
	root = rpc_ca_open(path("root.key"), path("root.crt"), ask, "open", &err);
	assert_non_null(root);
	assert_int_equal(rpc_ca_der(path("root.crt"), &der, digest, &err), 0);
	assert_int_equal(
		rpc_ca_intermediate(root, csr.data, csr.len, "M1", HOST, &chain, &err), -1);
	assert_int_equal(rpc_ca_intermediate(root, csr.data, csr.len, "m1", HOST, &chain, &err), 0);
	assert_int_equal(file_write(path("m1.crt"), chain.data, chain.len, 0644, &err), 0);
	assert_int_equal(rpc_cert_check(der.data, der.len, chain.data, chain.len, path("m1.key"),
				 true, &got, &err),
		0);
	assert_string_equal(got.name, "m1");
	assert_string_equal(got.host, HOST);
	/* An intermediate is not an end certificate. */
	assert_int_equal(rpc_cert_check(der.data, der.len, chain.data, chain.len, path("m1.key"),
				 false, &got, &err),
		-1);
	m1 = rpc_ca_open(path("m1.key"), path("m1.crt"), NULL, NULL, &err);
	assert_non_null(m1);
	assert_string_equal(rpc_ca_issuer(m1)->manager, "m1");
	assert_string_equal(rpc_ca_issuer(m1)->host, HOST);
	assert_int_equal(rpc_ca_intermediate(m1, csr.data, csr.len, "m2", HOST2, &chain, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	buf_fini(&csr);
	csr = request("end");
	assert_int_equal(rpc_identity_set(&id, RPC_OPERATOR, "o", HOST2, &err), 0);
	assert_int_equal(rpc_ca_sign(m1, csr.data, csr.len, &id, 0, 0, &chain, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	buf_clear(&chain);
	assert_int_equal(rpc_ca_sign(root, csr.data, csr.len, &id, 0, 0, &chain, &err), 0);
	assert_int_equal(rpc_cert_check(der.data, der.len, chain.data, chain.len, path("end.key"),
				 false, &got, &err),
		0);
	assert_string_equal(got.name, "o");
	/* Another's key; a byte of it changed; not a CA. */
	assert_int_equal(rpc_cert_check(der.data, der.len, chain.data, chain.len, path("m1.key"),
				 false, &got, &err),
		-1);
	assert_int_equal(rpc_cert_check(der.data, der.len, chain.data, chain.len, path("end.key"),
				 true, &got, &err),
		-1);
	chain.data[chain.len / 2] ^= 1;
	assert_int_equal(rpc_cert_check(der.data, der.len, chain.data, chain.len, path("end.key"),
				 false, &got, &err),
		-1);
	rpc_ca_close(root);
	rpc_ca_close(m1);
	buf_fini(&csr);
	buf_fini(&chain);
	buf_fini(&der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_sign_what),
		cmocka_unit_test(operators_of_a_manager_are_accepted_there),
		cmocka_unit_test(the_root_is_opened_by_its_passphrase),
		cmocka_unit_test(each_signs_its_own),
	};
	const char *temp = getenv("TMPDIR");
	struct err err = {0};
	char command[300];
	int failed;

	snprintf(folder, sizeof folder, "%s/fdump-ca-XXXXXX", temp != NULL ? temp : "/tmp");
	if (hash_crypto_init(&err) != 0 || mkdtemp(folder) == NULL)
		return 2;
	failed = RUN(tests);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command) != 0 || failed;
}
