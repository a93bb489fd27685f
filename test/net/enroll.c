/* Enrolment, sponsoring and renewal; the resulting certificates are compared with the verdict of
 * openssl verify. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "rpc/ca.h"
#include "rpc/dial.h"
#include "rpc/join.h"
#include "rpc/listen.h"
#include "rpc/sponsor.h"
#include "test/net/peer.h"

static char folder[256];
static struct rpc_loop *loop;
static struct rpc_ca *ca, *root;
static struct rpc_sponsors *sponsors;
static struct rpc_enroll_server *server;

static const char *path(const char *name)
{
	static char text[16][512];
	static int at;

	at = (at + 1) % 16;
	snprintf(text[at], sizeof text[at], "%s/%s", folder, name);
	return text[at];
}

/* The manager's only token. */
static uint8_t token_hash[RPC_DIGEST_LEN];
static int64_t token_until, token_used;
static struct rpc_identity token_id;
static unsigned asks, gone;

/* Sent with every certificate. */
static const char *const keys[] = {"fdump-key 1 public\nBBBB\n", "fdump-key 1 public\nAAAA\n"};
static size_t keys_sent;

static void make_result(struct rpc_enroll_result *r, const void *chain, size_t len)
{
	size_t i;

	*r = (struct rpc_enroll_result){0};
	memcpy(r->chain, chain, len);
	for (i = 0; i < keys_sent; i++)
		r->recipients[r->recipient_count++] =
			(struct cbormap_blob){keys[i], strlen(keys[i])};
	strcpy(r->managers[0].name, "m1");
	strcpy(r->managers[0].addresses[0], "m1.example.org:7420");
	strcpy(r->managers[0].addresses[1], "[2001:db8::1]:7420");
	r->managers[0].address_count = 2;
	r->manager_count = 1;
	for (i = 0; i < RPC_STORES_MAX; i++) {
		snprintf(r->stores[i].name, sizeof r->stores[i].name, "s%u", (unsigned)i);
		memset(r->stores[i].uid, (int)i, RPC_STORE_UID_LEN);
		memset(r->stores[i].key, (int)i + 1, RPC_STORE_KEY_LEN);
		memset(r->stores[i].address, 'a', RPC_HOST_PORT_MAX);
	}
	r->store_count = RPC_STORES_MAX;
}

static int granted(
	void *arg, struct rpc_enroll_ask *ask, const void *chain, size_t len, struct err *err)
{
	struct rpc_enroll_result result;

	(void)arg, (void)err;
	token_used = time(NULL);
	make_result(&result, chain, len);
	rpc_enroll_answer(ask, &result);
	return 0;
}

/* A manager that replaces the machine's request by its own. */
static bool swaps;

static void put_own_request(struct rpc_enroll_ask *ask)
{
	struct err err = {0};
	struct buf csr;

	buf_init(&csr, RPC_CSR_MAX);
	assert_int_equal(rpc_key_make(path("evil.key"), &err), 0);
	assert_int_equal(rpc_csr_make(path("evil.key"), &csr, &err), 0);
	memcpy(ask->csr, csr.data, csr.len);
	ask->csr_len = csr.len;
	buf_fini(&csr);
}

/* As a manager does it. */
static void on_asked(void *arg, struct rpc_enroll_ask *ask)
{
	bool known = memcmp(ask->hash, token_hash, RPC_DIGEST_LEN) == 0;
	struct err err = {0};
	struct buf chain;

	asks++;
	assert_non_null(strstr(ask->address, "127.0.0.1:"));
	buf_init(&chain, RPC_CHAIN_MAX);
	if (rpc_token_check(known, token_until, token_used, time(NULL), &err) == 0) {
		if (swaps)
			put_own_request(ask);
		if (token_id.role == RPC_MANAGER || token_id.role == RPC_OPERATOR)
			rpc_sponsors_park(sponsors, ask, &err);
		else if (rpc_ca_sign(ca, ask->csr, ask->csr_len, &token_id, 0, 0, &chain, &err) ==
			 0)
			granted(arg, ask, chain.data, chain.len, &err);
	}
	if (err.code != ERR_NONE)
		rpc_enroll_refuse(ask, &err);
	buf_fini(&chain);
}

static void on_gone(void *arg, struct rpc_enroll_ask *ask)
{
	(void)arg;
	gone++;
	rpc_sponsors_gone(sponsors, ask);
}

static struct rpc_token new_token(const char *name, const char *role)
{
	char text[RPC_TOKEN_MAX + 2], host[RPC_HOST_LEN + 1];
	struct cbormap_blob files[] = {{keys[1], strlen(keys[1])}, {keys[0], strlen(keys[0])}};
	struct rpc_token token = {.manager = "m1", .address_count = 1}, again;
	uint8_t ticket[RPC_DIGEST_LEN];
	struct err err = {0};
	struct buf der;

	buf_init(&der, RPC_CA_DER_MAX);
	assert_int_equal(rpc_ca_der(path("root.crt"), &der, token.fingerprint, &err), 0);
	buf_fini(&der);
	token.role = rpc_role_get(role, strlen(role));
	strcpy(token.name, name);
	snprintf(token.addresses[0], sizeof token.addresses[0], "127.0.0.1:%u",
		rpc_enroll_server_port(server));
	keys_sent = 2;
	assert_int_equal(rpc_recipients_digest(token.recipients, files, 2, &err), 0);
	assert_int_equal(rpc_token_secret(&token, &err), 0);
	assert_int_equal(rpc_token_text(text, &token, &err), 0);
	strcat(text, "\n");
	assert_int_equal(rpc_token_parse(&again, text, strlen(text), &err), 0);
	assert_memory_equal(&token, &again, sizeof token);
	assert_int_equal(rpc_token_ticket(ticket, &again, &err), 0);
	rpc_ticket_hash(token_hash, ticket);
	assert_int_equal(rpc_host_new(host, &err), 0);
	assert_int_equal(rpc_identity_set(&token_id, token.role, name, host, &err), 0);
	token_until = time(NULL) + RPC_TOKEN_SEC;
	token_used = 0;
	return again;
}

static int dones;
static struct err result;
static bool take_fails;
static struct rpc_enroll_result taken; /* except for what is borrowed */

static int on_take(void *arg, const struct rpc_enroll_result *r, struct err *err)
{
	(void)arg;
	taken = *r;
	assert_int_equal(r->recipient_count, 2);
	assert_memory_equal(r->recipients[0].bytes, keys[0], strlen(keys[0]));
	return take_fails ? err_set(err, ERR_NOSPACE, "disk full") : 0;
}

static void on_done(void *arg, const struct err *err)
{
	(void)arg;
	dones++;
	result = err != NULL ? *err : (struct err){0};
	rpc_loop_stop(loop);
}

static struct rpc_join *start(const struct rpc_token *token, const char *name)
{
	static char key[512], cert[512], got_ca[512], int_key[512], int_cert[512];
	struct rpc_join_opts opts = {.token = *token, .take = on_take, .done = on_done};
	struct rpc_join *enroll;
	struct err err = {0};

	snprintf(key, sizeof key, "%s/%s.key", folder, name);
	snprintf(cert, sizeof cert, "%s/%s.crt", folder, name);
	snprintf(int_key, sizeof int_key, "%s/%s.int.key", folder, name);
	snprintf(int_cert, sizeof int_cert, "%s/%s.int.crt", folder, name);
	snprintf(got_ca, sizeof got_ca, "%s/got-ca.crt", folder);
	opts.paths = (struct rpc_join_paths){key, cert, got_ca, int_key, int_cert};
	dones = 0;
	enroll = rpc_join_start(loop, &opts, &err);
	assert_non_null(enroll);
	assert_int_equal(dones, 0);
	return enroll;
}

static enum err_code enroll(const struct rpc_token *token, const char *name)
{
	start(token, name);
	rpc_loop_run(loop);
	assert_int_equal(dones, 1);
	return result.code;
}

static int openssl_verify(const char *cert, const char *purpose)
{
	char command[2048];

	/* The chain's intermediate is in the same file. */
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
	struct rpc_cert_info info;
	struct err err = {0};

	(void)unused;
	if (enroll(&token, "web1") != ERR_NONE)
		fail_msg("%s", result.message);
	assert_int_equal(taken.manager_count, 1);
	assert_string_equal(taken.managers[0].addresses[1], "[2001:db8::1]:7420");
	/* As many stores as there is room for. */
	assert_in_range(taken.store_count, 20, RPC_STORES_MAX - 1);
	assert_string_equal(taken.stores[1].name, "s1");
	assert_int_equal(taken.stores[19].key[31], 20);
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
	assert_string_equal(info.id.issuer.manager, "m1");
	/* The second time the token is used up, and existing files are kept. */
	assert_int_equal(enroll(&token, "web1"), ERR_DENIED);
	assert_non_null(strstr(result.message, "already used"));
	assert_true(is_there("web1.key"));
	assert_false(is_there("web1.key.new"));
}

static void trusts_only_the_fingerprint_and_the_name(void **unused)
{
	struct rpc_token token = new_token("web2", "agent");
	unsigned before = asks;

	(void)unused;
	token.fingerprint[5] ^= 1;
	assert_int_equal(enroll(&token, "web2"), ERR_DENIED);
	assert_false(is_there("web2.key"));
	token.fingerprint[5] ^= 1;
	strcpy(token.manager, "m2");
	assert_int_equal(enroll(&token, "web2"), ERR_DENIED);
	assert_int_equal(asks, before); /* nothing was revealed */
	strcpy(token.manager, "m1");
	token.secret[0] ^= 1;
	assert_int_equal(enroll(&token, "web2"), ERR_DENIED);
	assert_non_null(strstr(result.message, "not one of this manager's"));
	token.secret[0] ^= 1;
	token_until = time(NULL);
	assert_int_equal(enroll(&token, "web2"), ERR_DENIED);
	assert_non_null(strstr(result.message, "expired"));
	token_until = time(NULL) + 60;
	assert_int_equal(enroll(&token, "web2"), ERR_NONE);
}

/* Nobody is at the first address, and somebody else at the second. */
static void tries_all_addresses(void **unused)
{
	struct rpc_token token = new_token("web3", "agent");

	(void)unused;
	strcpy(token.addresses[2], token.addresses[0]);
	strcpy(token.addresses[0], "127.0.0.1:1");
	strcpy(token.addresses[1], "[::1]:1");
	token.address_count = 3;
	assert_int_equal(enroll(&token, "web3"), ERR_NONE);
	token = new_token("web3", "agent");
	strcpy(token.addresses[0], "127.0.0.1:1");
	assert_int_not_equal(enroll(&token, "web3"), ERR_NONE);
}

/* Whatever the manager sends is checked, not trusted. */
static void believes_only_what_the_token_says(void **unused)
{
	struct rpc_token token = new_token("web4", "agent");
	struct err err = {0};

	(void)unused;
	keys_sent = 1;
	assert_int_equal(enroll(&token, "web4"), ERR_DENIED);
	assert_non_null(strstr(result.message, "public keys"));
	token = new_token("web4", "agent");
	rpc_identity_set(&token_id, RPC_AGENT, "web5", token_id.host, &err);
	assert_int_equal(enroll(&token, "web4"), ERR_DENIED);
	assert_non_null(strstr(result.message, "another"));
	token = new_token("web4", "agent");
	rpc_identity_set(&token_id, RPC_STORE, "web4", token_id.host, &err);
	assert_int_equal(enroll(&token, "web4"), ERR_DENIED);
	assert_false(is_there("web4.key") || is_there("web4.crt") || is_there("web4.key.new"));
	/* A certificate that can't be saved is not used. */
	token = new_token("web4", "agent");
	take_fails = true;
	assert_int_equal(enroll(&token, "web4"), ERR_NOSPACE);
	take_fails = false;
	assert_false(is_there("web4.key") || is_there("web4.crt") || is_there("web4.key.new"));
}

/* --- Over an ordinary connection --- */

static void handle_renew(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	(void)ctx;
	rpc_renew_serve(ca, call, values);
}

static void handle_sponsor(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	(void)ctx;
	rpc_sponsor_serve(sponsors, call, values);
}

static void handle_grant(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	(void)ctx;
	rpc_grant_serve(sponsors, call, values);
}

static const struct rpc_method methods[] = {
	{RPC_METHOD_RENEW, "renew", RPC_ROLE_BIT(RPC_AGENT), RPC_RENEW_MAX, 0, 10000,
		rpc_renew_fields, handle_renew, NULL},
	{RPC_METHOD_SPONSOR, "sponsor", RPC_ROLE_BIT(RPC_OPERATOR), RPC_SPONSOR_MAX, 0,
		RPC_TOKEN_SEC * 1000, rpc_sponsor_fields, handle_sponsor, NULL},
	{RPC_METHOD_GRANT, "grant", RPC_ROLE_BIT(RPC_OPERATOR), RPC_GRANT_MAX, 0, 10000,
		rpc_grant_fields, handle_grant, NULL},
};
static const struct rpc_service manager_service = {methods, 3, NULL, NULL};
static struct rpc_conn *connection;

static void on_up(void *arg, struct rpc_conn *conn)
{
	(void)arg;
	connection = conn;
	rpc_loop_stop(loop);
}

/* A connection of NAME to the manager's service, in `connection`. */
struct link {
	struct rpc_listen *listen;
	struct rpc_dial *dial;
	struct rpc_tls_conf *m1, *own;
};

static void link_up(struct link *l, const char *name)
{
	struct err err = {0};
	char port[8];
	struct rpc_listen_opts lopts = {
		.service = &manager_service, .host = "127.0.0.1", .port = "0"};
	struct rpc_dial_opts dopts = {
		.expect = {RPC_MANAGER, "m1"}, .host = "127.0.0.1", .port = port, .up = on_up};

	l->m1 = lopts.conf = peer_conf(folder, "m1", NULL, &err);
	l->own = dopts.conf = peer_conf(folder, name, NULL, &err);
	l->listen = rpc_listen_new(loop, &lopts, &err);
	assert_non_null(l->listen);
	snprintf(port, sizeof port, "%u", rpc_listen_port(l->listen));
	l->dial = rpc_dial_new(loop, &dopts, &err);
	rpc_loop_run(loop);
}

static void link_down(struct link *l)
{
	rpc_dial_free(l->dial);
	rpc_listen_free(l->listen);
	rpc_tls_conf_unref(l->m1);
	rpc_tls_conf_unref(l->own);
}

static int sponsored;
static struct err sponsored_err;

static void on_sponsored(void *arg, const struct err *err)
{
	(void)arg;
	sponsored++;
	sponsored_err = err != NULL ? *err : (struct err){0};
	rpc_loop_stop(loop);
}

static void run_until_both(void)
{
	while (dones == 0 || sponsored == 0)
		rpc_loop_run(loop);
}

static void the_root_signs_for_managers_and_operators(void **unused)
{
	struct rpc_token token = new_token("m7", "manager");
	struct rpc_cert_info info;
	struct err err = {0};
	struct rpc_ca *m7;
	struct link l;

	(void)unused;
	/* There is no sponsor. */
	assert_int_equal(enroll(&token, "m7"), ERR_NOTFOUND);
	link_up(&l, "o1");
	sponsored = 0;
	assert_non_null(rpc_sponsor_start(
		connection, root, &token, token_id.host, on_sponsored, NULL, &err));
	start(&token, "m7");
	run_until_both();
	if (result.code != ERR_NONE || sponsored_err.code != ERR_NONE)
		fail_msg("%s; %s", result.message, sponsored_err.message);
	assert_int_equal(mode_of("m7.key"), 0600);
	assert_int_equal(mode_of("m7.int.key"), 0600);
	assert_false(is_there("m7.key.new") || is_there("m7.int.key.new"));
	assert_int_equal(rpc_cert_info(path("m7.crt"), &info, &err), 0);
	assert_int_equal(info.id.role, RPC_MANAGER);
	assert_string_equal(info.id.name, "m7");
	assert_string_equal(info.id.host, token_id.host);
	assert_string_equal(info.id.issuer.manager, "m7");
	assert_string_equal(info.id.issuer.host, token_id.host);
	m7 = rpc_ca_open(path("m7.int.key"), path("m7.int.crt"), NULL, NULL, &err);
	assert_non_null(m7);
	assert_in_range(rpc_ca_until(m7) - time(NULL), 1826 * 86400LL - 60, 1826 * 86400LL + 60);
	rpc_ca_close(m7);
	assert_int_equal(openssl_verify("m7.crt", "sslserver"), 0);
	assert_int_equal(enroll(&token, "m7"), ERR_DENIED);

	token = new_token("alice", "operator");
	sponsored = 0;
	assert_non_null(rpc_sponsor_start(
		connection, root, &token, token_id.host, on_sponsored, NULL, &err));
	start(&token, "alice");
	run_until_both();
	assert_int_equal(result.code, ERR_NONE);
	assert_int_equal(rpc_cert_info(path("alice.crt"), &info, &err), 0);
	assert_int_equal(info.id.role, RPC_OPERATOR);
	assert_string_equal(info.id.issuer.manager, "");
	assert_in_range(info.not_after - time(NULL), 400 * 86400 - 60, 400 * 86400 + 60);
	link_down(&l);
}

static void a_request_that_was_changed_is_not_signed(void **unused)
{
	struct rpc_token token = new_token("m8", "manager");
	struct err err = {0};
	struct link l;

	(void)unused;
	link_up(&l, "o1");
	sponsored = 0;
	assert_non_null(rpc_sponsor_start(
		connection, root, &token, token_id.host, on_sponsored, NULL, &err));
	swaps = true;
	start(&token, "m8");
	run_until_both();
	swaps = false;
	assert_int_equal(sponsored_err.code, ERR_DENIED);
	assert_non_null(strstr(sponsored_err.message, "changed"));
	assert_int_equal(result.code, ERR_DENIED);
	assert_false(is_there("m8.int.key") || is_there("m8.int.crt") || is_there("m8.crt"));
	assert_int_equal(token_used, 0);
	/* A sponsor that is cancelled, or whose connection ends, no longer sponsors. */
	sponsored = 0;
	rpc_sponsor_cancel(rpc_sponsor_start(
		connection, root, &token, token_id.host, on_sponsored, NULL, &err));
	token = new_token("m9", "manager");
	assert_non_null(rpc_sponsor_start(
		connection, root, &token, token_id.host, on_sponsored, NULL, &err));
	link_down(&l);
	assert_int_equal(sponsored, 1);
	assert_int_equal(enroll(&token, "m9"), ERR_NOTFOUND);
}

static void renews_with_the_same_identity(void **unused)
{
	struct rpc_join_paths paths = {
		.key = path("web1.key"), .cert = path("web1.crt"), .ca = path("root.crt")};
	struct rpc_cert_info before, after;
	struct rpc_tls_conf *web1;
	struct err err = {0};
	struct buf old, new;
	struct link l;

	(void)unused;
	link_up(&l, "web1");
	buf_init(&old, RPC_FILE_MAX);
	buf_init(&new, RPC_FILE_MAX);
	assert_int_equal(file_read_buf(path("web1.key"), &old, NULL, &err), 0);
	assert_int_equal(rpc_cert_info(path("web1.crt"), &before, &err), 0);
	dones = 0;
	assert_non_null(rpc_join_renew(connection, &paths, on_done, NULL, &err));
	rpc_loop_run(loop);
	assert_int_equal(result.code, ERR_NONE);
	assert_int_equal(file_read_buf(path("web1.key"), &new, NULL, &err), 0);
	assert_int_equal(rpc_cert_info(path("web1.crt"), &after, &err), 0);
	assert_string_equal(before.id.name, after.id.name);
	assert_string_equal(before.id.host, after.id.host);
	assert_int_equal(before.id.role, after.id.role);
	assert_true(old.len != new.len || memcmp(old.data, new.data, old.len) != 0);
	web1 = peer_conf(folder, "web1", NULL, &err); /* key and certificate fit */
	assert_non_null(web1);
	/* As after a crash between the certificate and the key. */
	assert_int_equal(rpc_join_mend(paths.key, paths.cert, &err), 0);
	assert_int_equal(rename(path("web1.key"), path("web1.key.new")), 0);
	assert_int_equal(file_write(path("web1.key"), old.data, old.len, 0600, &err), 0);
	assert_int_equal(rpc_key_fits(path("web1.key"), path("web1.crt"), &err), 1);
	assert_int_equal(rpc_join_mend(paths.key, paths.cert, &err), 0);
	assert_int_equal(rpc_key_fits(path("web1.key"), path("web1.crt"), &err), 0);
	assert_false(is_there("web1.key.new"));
	/* Before the certificate. */
	assert_int_equal(file_write(path("web1.key.new"), old.data, old.len, 0600, &err), 0);
	assert_int_equal(rpc_join_mend(paths.key, paths.cert, &err), 0);
	assert_int_equal(rpc_key_fits(path("web1.key"), path("web1.crt"), &err), 0);
	assert_false(is_there("web1.key.new"));
	/* A cancelled one leaves no files. */
	dones = 0;
	rpc_join_cancel(rpc_join_renew(connection, &paths, on_done, NULL, &err));
	assert_false(is_there("web1.key.new"));
	link_down(&l);
	assert_int_equal(dones, 0);
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
	/* No byte of the request can be changed: all are signed, or are the signature. */
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
	assert_non_null(strstr(err.message, "does not belong to it"));
}

static unsigned downs;

static void idle_up(void *arg, struct rpc_conn *conn)
{
	(void)arg;
	(void)conn;
	rpc_loop_stop(loop);
}

static void idle_down(void *arg, const struct err *why, int64_t wait_ms)
{
	(void)arg;
	(void)why;
	(void)wait_ms;
	downs++;
}

/* Nobody shows who they are here, so those that have waited longest give way also after the
 * handshake. */
static void idle_ones_give_way(void **unused)
{
	struct rpc_token token = new_token("idle", "agent");
	struct rpc_dial_opts opts = {.expect = {RPC_MANAGER, "m1"},
		.host = "127.0.0.1",
		.port = strchr(token.addresses[0], ':') + 1,
		.pin = token.fingerprint,
		.once = true,
		.up = idle_up,
		.down = idle_down};
	struct rpc_dial *dial[70];
	struct err err = {0};
	int i;

	(void)unused;
	for (i = 0; i < 70; i++) {
		dial[i] = rpc_dial_new(loop, &opts, &err);
		assert_non_null(dial[i]);
		rpc_loop_run(loop); /* until it is up */
	}
	assert_int_equal(enroll(&token, "idle"), ERR_NONE);
	assert_in_range(downs, 6, 7);
	for (i = 0; i < 70; i++)
		rpc_dial_free(dial[i]);
}

static int set_up(void **unused)
{
	const char *temp = getenv("TMPDIR");
	struct rpc_enroll_server_opts opts = {
		.host = "127.0.0.1", .port = "0", .asked = on_asked, .gone = on_gone};
	struct err err = {0};

	(void)unused;
	if (hash_crypto_init(&err) != 0)
		return -1;
	snprintf(folder, sizeof folder, "%s/fdump-enroll-XXXXXX", temp != NULL ? temp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return -1;
	peer_make_ca(folder);
	peer_make_cert(folder, "m1", "manager", NULL, 0, 0);
	peer_make_cert(folder, "s1", "store", NULL, 0, 0);
	peer_make_cert(folder, "o1", "operator", NULL, 0, 0);
	loop = rpc_loop_new(&err);
	ca = rpc_ca_open(path("int.key"), path("int.crt"), NULL, NULL, &err);
	opts.cert = path("m1.crt");
	opts.key = path("m1.key");
	opts.ca_cert = path("root.crt");
	root = rpc_ca_open(path("root.key"), path("root.crt"), NULL, NULL, &err);
	sponsors = rpc_sponsors_new(granted, NULL, &err);
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
	rpc_sponsors_free(sponsors);
	rpc_ca_close(ca);
	rpc_ca_close(root);
	rpc_loop_free(loop);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enrols_once),
		cmocka_unit_test(trusts_only_the_fingerprint_and_the_name),
		cmocka_unit_test(tries_all_addresses),
		cmocka_unit_test(believes_only_what_the_token_says),
		cmocka_unit_test(renews_with_the_same_identity),
		cmocka_unit_test(a_request_must_show_its_key),
		cmocka_unit_test(idle_ones_give_way),
		cmocka_unit_test(wide_keys_are_refused),
		cmocka_unit_test(the_root_signs_for_managers_and_operators),
		cmocka_unit_test(a_request_that_was_changed_is_not_signed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
