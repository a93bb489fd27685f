/*
 * Enrolment and renewal, and the certificates that come of it, held against
 * openssl verify.
 */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "rpc/ca.h"
#include "rpc/dial.h"
#include "rpc/enroll.h"
#include "rpc/file.h"
#include "rpc/listen.h"
#include "test/net/peer.h"

static char folder[256];
static struct rpc_loop *loop;
static struct rpc_ca *ca;
static struct rpc_enroll_server *server;

/* The manager's tokens: one. */
static uint8_t token_hash[RPC_DIGEST_LEN];
static bool token_there;
static struct rpc_identity token_id;

static int take(
	void *arg, const uint8_t hash[RPC_DIGEST_LEN], struct rpc_identity *id, struct err *err)
{
	(void)arg, (void)err;
	if (!token_there || memcmp(hash, token_hash, RPC_DIGEST_LEN) != 0)
		return 1;
	token_there = false;
	*id = token_id;
	return 0;
}

static const char *path(const char *name)
{
	static char text[4][512];
	static int at;

	at = (at + 1) % 4;
	snprintf(text[at], sizeof text[at], "%s/%s", folder, name);
	return text[at];
}

static struct rpc_token new_token(const char *name, const char *role)
{
	char text[RPC_TOKEN_MAX + 2], host[RPC_HOST_LEN + 1];
	struct rpc_token token, again;
	uint8_t digest[RPC_DIGEST_LEN];
	struct err err = {0};
	struct buf der;

	buf_init(&der, RPC_CA_DER_MAX);
	assert_int_equal(rpc_ca_der(path("root.crt"), &der, digest, &err), 0);
	buf_fini(&der);
	assert_int_equal(rpc_token_new(&token, "m1", digest, &err), 0);
	rpc_token_text(text, &token);
	strcat(text, "\n");
	assert_int_equal(rpc_token_parse(&again, text, strlen(text), &err), 0);
	assert_memory_equal(token.secret, again.secret, RPC_SECRET_LEN);
	assert_memory_equal(token.fingerprint, again.fingerprint, RPC_DIGEST_LEN);
	assert_string_equal(again.manager, "m1");
	assert_int_equal(rpc_token_hash(token_hash, again.secret, &err), 0);
	assert_int_equal(rpc_host_new(host, &err), 0);
	assert_int_equal(
		rpc_identity_set(&token_id, rpc_role_get(role, strlen(role)), name, host, &err), 0);
	token_there = true;
	return again;
}

static int dones;
static struct err result;

static void on_done(void *arg, const struct err *err)
{
	(void)arg;
	dones++;
	result = err != NULL ? *err : (struct err){0};
	rpc_loop_stop(loop);
}

static enum err_code enroll(const struct rpc_token *token, const char *name, unsigned port)
{
	char key[64], cert[64], port_text[8];
	struct rpc_enroll_opts opts = {
		.token = *token, .host = "127.0.0.1", .port = port_text, .done = on_done};
	struct err err = {0};

	snprintf(key, sizeof key, "%s.key", name);
	snprintf(cert, sizeof cert, "%s.crt", name);
	snprintf(port_text, sizeof port_text, "%u", port);
	opts.paths = (struct rpc_enroll_paths){path(key), path(cert), path("got-ca.crt")};
	dones = 0;
	assert_non_null(rpc_enroll_start(loop, &opts, &err));
	assert_int_equal(dones, 0);
	rpc_loop_run(loop);
	assert_int_equal(dones, 1);
	return result.code;
}

static int openssl_verify(const char *cert, const char *purpose)
{
	char command[2048];

	/* The chain's intermediate stands in the same file. */
	snprintf(command, sizeof command,
		"openssl verify -x509_strict -purpose %s -CAfile %s -untrusted %s %s >/dev/null "
		"2>&1",
		purpose, path("root.crt"), path(cert), path(cert));
	return system(command);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(path(name), &st), 0);
	return st.st_mode & 0777;
}

static bool is_there(const char *name)
{
	return access(path(name), F_OK) == 0;
}

static void enrols_once(void **unused)
{
	struct rpc_token token = new_token("web1", "agent");
	unsigned port = rpc_enroll_server_port(server);
	struct rpc_cert_info info;
	struct err err = {0};

	(void)unused;
	if (enroll(&token, "web1", port) != ERR_NONE)
		fail_msg("%s", result.message);
	assert_int_equal(mode_of("web1.key"), 0600);
	assert_false(is_there("web1.key.new"));
	assert_int_equal(rpc_cert_info(path("web1.crt"), &info, &err), 0);
	assert_string_equal(info.id.name, "web1");
	assert_string_equal(info.id.host, token_id.host);
	assert_int_equal(info.id.role, RPC_AGENT);
	assert_in_range(info.not_after - time(NULL), 90 * 86400 - 60, 90 * 86400 + 60);
	assert_false(rpc_cert_due(&info, time(NULL)));
	assert_false(rpc_cert_due(&info, time(NULL) + 59 * 86400));
	assert_true(rpc_cert_due(&info, time(NULL) + 60 * 86400 + 60));
	assert_int_equal(openssl_verify("web1.crt", "sslserver"), 0);
	assert_int_equal(openssl_verify("web1.crt", "sslclient"), 0);
	assert_int_not_equal(openssl_verify("web1.crt", "smimesign"), 0);
	/* The second time the token is gone, and what was there stays. */
	assert_int_equal(enroll(&token, "web1", port), ERR_DENIED);
	assert_true(is_there("web1.key"));
	assert_false(is_there("web1.key.new"));
}

static void trusts_only_the_fingerprint_and_the_name(void **unused)
{
	struct rpc_token token = new_token("web2", "agent");
	unsigned port = rpc_enroll_server_port(server);

	(void)unused;
	token.fingerprint[5] ^= 1;
	assert_int_equal(enroll(&token, "web2", port), ERR_DENIED);
	assert_false(is_there("web2.key"));
	token.fingerprint[5] ^= 1;
	strcpy(token.manager, "m2");
	assert_int_equal(enroll(&token, "web2", port), ERR_DENIED);
	assert_true(token_there); /* its secret was never shown */
	strcpy(token.manager, "m1");
	token.secret[0] ^= 1;
	assert_int_equal(enroll(&token, "web2", port), ERR_DENIED);
	token.secret[0] ^= 1;
	assert_int_equal(enroll(&token, "web2", port), ERR_NONE);
}

/* --- Renewal, over an ordinary connection --- */

static void handle_renew(void *ctx, struct rpc_call *call, const struct rpc_value *values)
{
	(void)ctx;
	rpc_renew_serve(ca, call, values);
}

static const struct rpc_method renew_methods[] = {
	{RPC_METHOD_RENEW, "renew", RPC_ROLE_BIT(RPC_AGENT), RPC_RENEW_MAX, 0, 10000,
		rpc_renew_fields, handle_renew, NULL},
};
static const struct rpc_service renew_service = {renew_methods, 1, NULL, NULL};
static struct rpc_conn *connection;

static void on_up(void *arg, struct rpc_conn *conn)
{
	(void)arg;
	connection = conn;
	rpc_loop_stop(loop);
}

static void renews_with_the_same_identity(void **unused)
{
	struct err err = {0};
	struct rpc_tls_conf *m1 = peer_conf(folder, "m1", NULL, &err);
	struct rpc_tls_conf *web1 = peer_conf(folder, "web1", NULL, &err);
	struct rpc_listen_opts lopts = {
		.conf = m1, .service = &renew_service, .host = "127.0.0.1", .port = "0"};
	struct rpc_listen *listen = rpc_listen_new(loop, &lopts, &err);
	char port[8];
	struct rpc_dial_opts dopts = {.conf = web1,
		.expect = {RPC_MANAGER, "m1"},
		.host = "127.0.0.1",
		.port = port,
		.up = on_up};
	struct rpc_enroll_paths paths = {path("web1.key"), path("web1.crt"), NULL};
	struct rpc_cert_info before, after;
	struct rpc_dial *dial;
	struct buf old, new;

	(void)unused;
	assert_non_null(listen);
	snprintf(port, sizeof port, "%u", rpc_listen_port(listen));
	dial = rpc_dial_new(loop, &dopts, &err);
	rpc_loop_run(loop);
	buf_init(&old, RPC_FILE_MAX);
	buf_init(&new, RPC_FILE_MAX);
	assert_int_equal(rpc_file_read(path("web1.key"), &old, true, &err), 0);
	assert_int_equal(rpc_cert_info(path("web1.crt"), &before, &err), 0);
	dones = 0;
	assert_non_null(rpc_renew_start(connection, &paths, on_done, NULL, &err));
	rpc_loop_run(loop);
	assert_int_equal(result.code, ERR_NONE);
	assert_int_equal(rpc_file_read(path("web1.key"), &new, true, &err), 0);
	assert_int_equal(rpc_cert_info(path("web1.crt"), &after, &err), 0);
	assert_string_equal(before.id.name, after.id.name);
	assert_string_equal(before.id.host, after.id.host);
	assert_int_equal(before.id.role, after.id.role);
	assert_true(old.len != new.len || memcmp(old.data, new.data, old.len) != 0);
	rpc_tls_conf_unref(web1);
	web1 = peer_conf(folder, "web1", NULL, &err); /* key and certificate fit */
	assert_non_null(web1);
	/* One that is cancelled leaves nothing behind. */
	dones = 0;
	rpc_enroll_cancel(rpc_renew_start(connection, &paths, on_done, NULL, &err));
	assert_false(is_there("web1.key.new"));
	rpc_dial_free(dial);
	rpc_listen_free(listen);
	assert_int_equal(dones, 0);
	rpc_tls_conf_unref(m1);
	rpc_tls_conf_unref(web1);
	buf_fini(&old);
	buf_fini(&new);
}

static void a_request_must_show_its_key(void **unused)
{
	struct rpc_identity id;
	struct err err = {0};
	struct buf csr, chain;
	size_t i;

	(void)unused;
	buf_init(&csr, RPC_CSR_MAX);
	buf_init(&chain, RPC_CHAIN_MAX);
	assert_int_equal(rpc_key_make(path("k.key"), &err), 0);
	assert_int_equal(rpc_csr_make(path("k.key"), &csr, &err), 0);
	rpc_identity_set(&id, RPC_STORE, "k", "00112233445566778899aabbccddeeff", &err);
	assert_int_equal(rpc_ca_sign(ca, csr.data, csr.len, &id, 0, 0, &chain, &err), 0);
	/* No byte of the request can be another: what is signed, or the signature. */
	for (i = 0; i < csr.len; i++) {
		chain.len = 0;
		csr.data[i] ^= 0x04;
		assert_int_equal(rpc_ca_sign(ca, csr.data, csr.len, &id, 0, 0, &chain, &err), -1);
		csr.data[i] ^= 0x04;
	}
	assert_int_equal(rpc_ca_sign(ca, csr.data, RPC_CSR_MAX + 1, &id, 0, 0, &chain, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_fini(&csr);
	buf_fini(&chain);
}

static void wide_keys_are_refused(void **unused)
{
	struct err err = {0};

	(void)unused;
	assert_int_equal(mode_of("root.key"), 0600);
	assert_int_equal(mode_of("int.key"), 0600);
	assert_int_equal(chmod(path("s1.key"), 0640), 0);
	assert_null(peer_conf(folder, "s1", NULL, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(chmod(path("s1.key"), 0600), 0);
	assert_int_equal(rename(path("s1.key"), path("m1x.key")), 0);
	assert_int_equal(rpc_key_make(path("s1.key"), &err), 0);
	assert_null(peer_conf(folder, "s1", NULL, &err)); /* another's key */
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.message, "another's"));
}

static void tokens_are_strict(void **unused)
{
	static const char *const bad[] = {"", "fdump-token:1:", "fdump-token:1:m1:00:00",
		"fdump-token:2:m1:", "fdump-token:1:../m1:"};
	struct rpc_token token;
	struct err err = {0};
	char text[RPC_TOKEN_MAX];
	size_t i, len;

	(void)unused;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(rpc_token_parse(&token, bad[i], strlen(bad[i]), &err), -1);
	token = new_token("x", "agent");
	rpc_token_text(text, &token);
	len = strlen(text);
	for (i = 0; i < len; i++)
		assert_int_equal(rpc_token_parse(&token, text, i, &err), -1);
	assert_null(strstr(err.message, text + 20));
}

static int set_up(void **unused)
{
	const char *temp = getenv("TMPDIR");
	struct rpc_enroll_server_opts opts = {.host = "127.0.0.1", .port = "0", .take = take};
	struct err err = {0};

	(void)unused;
	snprintf(folder, sizeof folder, "%s/fdump-enroll-XXXXXX", temp != NULL ? temp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return -1;
	peer_make_ca(folder);
	peer_make_cert(folder, "m1", "manager", NULL, 0, 0);
	peer_make_cert(folder, "s1", "store", NULL, 0, 0);
	loop = rpc_loop_new(&err);
	ca = rpc_ca_open(path("int.key"), path("int.crt"), NULL, NULL, &err);
	opts.cert = path("m1.crt");
	opts.key = path("m1.key");
	opts.ca_cert = path("root.crt");
	opts.ca = ca;
	server = rpc_enroll_server_new(loop, &opts, &err);
	if (server == NULL)
		fprintf(stderr, "%s\n", err.message);
	return server != NULL ? 0 : -1;
}

static int tear_down(void **unused)
{
	char command[300];

	(void)unused;
	rpc_enroll_server_free(server);
	rpc_ca_close(ca);
	rpc_loop_free(loop);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enrols_once),
		cmocka_unit_test(trusts_only_the_fingerprint_and_the_name),
		cmocka_unit_test(renews_with_the_same_identity),
		cmocka_unit_test(a_request_must_show_its_key),
		cmocka_unit_test(wide_keys_are_refused),
		cmocka_unit_test(tokens_are_strict),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
