/*
 * Both sides of enrolment and renewal. A new key lies beside the old one as
 * KEY.new until its certificate is there; the key is put in place last.
 */
#include "rpc/enroll.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/file.h"
#include "lib/seal.h"
#include "rpc/call.h"
#include "rpc/dial.h"
#include "rpc/file.h"
#include "rpc/listen.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

#define ENROLL_MAX (RPC_CSR_MAX + 192)
#define RENEW_MS   10000

/* --- What is sent --- */

static const struct rpc_field enroll_fields[] = {
	{.key = "ticket",
		.type = RPC_BYTES,
		.need = true,
		.min = RPC_DIGEST_LEN,
		.max = RPC_DIGEST_LEN},
	{.key = "csr", .type = RPC_BYTES, .need = true, .min = 1, .max = RPC_CSR_MAX},
	{.key = "proof",
		.type = RPC_BYTES,
		.need = true,
		.min = RPC_DIGEST_LEN,
		.max = RPC_DIGEST_LEN},
	{0},
};
enum { TICKET, CSR, PROOF };

const struct rpc_field rpc_renew_fields[] = {
	{.key = "csr", .type = RPC_BYTES, .need = true, .min = 1, .max = RPC_CSR_MAX},
	{0},
};

static const struct rpc_field certificate_fields[] = {
	{.key = "chain", .type = RPC_TEXT, .need = true, .min = 1, .max = RPC_CHAIN_MAX},
	{0},
};

static const struct rpc_field recipient_field = {
	.type = RPC_BYTES, .min = 1, .max = RPC_RECIPIENT_LEN_MAX};
static const struct rpc_field address_field = {
	.type = RPC_TEXT, .min = 1, .max = RPC_HOST_PORT_MAX};
static const struct rpc_field manager_fields[] = {
	{.key = "name", .type = RPC_NAME, .need = true},
	{.key = "addresses",
		.type = RPC_LIST,
		.need = true,
		.min = 0,
		.max = RPC_ADDRESSES_MAX,
		.of = &address_field},
	{0},
};
static const struct rpc_field manager_field = {.type = RPC_MAP, .sub = manager_fields};
static const struct rpc_field store_fields[] = {
	{.key = "name", .type = RPC_NAME, .need = true},
	{.key = "uid",
		.type = RPC_BYTES,
		.need = true,
		.min = RPC_STORE_UID_LEN,
		.max = RPC_STORE_UID_LEN},
	{.key = "key",
		.type = RPC_BYTES,
		.need = true,
		.min = RPC_STORE_KEY_LEN,
		.max = RPC_STORE_KEY_LEN},
	{.key = "address", .type = RPC_TEXT, .need = true, .min = 1, .max = RPC_HOST_PORT_MAX},
	{0},
};
static const struct rpc_field store_field = {.type = RPC_MAP, .sub = store_fields};
static const struct rpc_field result_fields[] = {
	{.key = "chain", .type = RPC_TEXT, .need = true, .min = 1, .max = RPC_CHAIN_MAX},
	{.key = "recipients",
		.type = RPC_LIST,
		.need = true,
		.min = 0,
		.max = RPC_RECIPIENTS_MAX,
		.of = &recipient_field},
	{.key = "managers",
		.type = RPC_LIST,
		.need = true,
		.min = 0,
		.max = RPC_MANAGERS_MAX,
		.of = &manager_field},
	{.key = "stores",
		.type = RPC_LIST,
		.need = true,
		.min = 0,
		.max = RPC_STORES_MAX,
		.of = &store_field},
	{0},
};
enum { CHAIN, RECIPIENTS, MANAGERS, STORES, RESULT_FIELDS };

static void put_manager(struct cbor_out *out, const struct rpc_enroll_manager *m)
{
	size_t i;

	cbor_put_map(out, 2);
	cbor_put_text(out, "name");
	cbor_put_text(out, m->name);
	cbor_put_text(out, "addresses");
	cbor_put_array(out, m->address_count);
	for (i = 0; i < m->address_count; i++)
		cbor_put_text(out, m->addresses[i]);
}

static void put_store(struct cbor_out *out, const struct rpc_enroll_store *s)
{
	cbor_put_map(out, 4);
	cbor_put_text(out, "name");
	cbor_put_text(out, s->name);
	cbor_put_text(out, "uid");
	cbor_put_bytes(out, s->uid, RPC_STORE_UID_LEN);
	cbor_put_text(out, "key");
	cbor_put_bytes(out, s->key, RPC_STORE_KEY_LEN);
	cbor_put_text(out, "address");
	cbor_put_text(out, s->address);
}

static void put_result(struct cbor_out *out, const struct rpc_enroll_result *r, size_t stores)
{
	size_t i;

	cbor_put_map(out, RESULT_FIELDS);
	cbor_put_text(out, "chain");
	cbor_put_textn(out, r->chain, r->chain_len);
	cbor_put_text(out, "recipients");
	cbor_put_array(out, r->recipient_count);
	for (i = 0; i < r->recipient_count; i++)
		cbor_put_bytes(out, r->recipients[i].bytes, r->recipients[i].len);
	cbor_put_text(out, "managers");
	cbor_put_array(out, r->manager_count);
	for (i = 0; i < r->manager_count; i++)
		put_manager(out, &r->managers[i]);
	cbor_put_text(out, "stores");
	cbor_put_array(out, stores);
	for (i = 0; i < stores; i++)
		put_store(out, &r->stores[i]);
}

static void copy_text(char *to, const struct rpc_value *value)
{
	memcpy(to, value->bytes, value->len);
	to[value->len] = 0;
}

static void get_manager(struct rpc_enroll_manager *m, const struct rpc_value *map)
{
	struct rpc_value v[2], address;
	int got = rpc_params_get(v, manager_fields, map->bytes, map->len, NULL);

	assert(got == 0);
	(void)got;
	copy_text(m->name, &v[0]);
	for (m->address_count = 0; rpc_list_next(&v[1], &address_field, &address);)
		copy_text(m->addresses[m->address_count++], &address);
}

static void get_store(struct rpc_enroll_store *s, const struct rpc_value *map)
{
	struct rpc_value v[4];
	int got = rpc_params_get(v, store_fields, map->bytes, map->len, NULL);

	assert(got == 0);
	(void)got;
	copy_text(s->name, &v[0]);
	memcpy(s->uid, v[1].bytes, RPC_STORE_UID_LEN);
	memcpy(s->key, v[2].bytes, RPC_STORE_KEY_LEN);
	copy_text(s->address, &v[3]);
}

/* Text that comes from elsewhere: it must be what it says. */
static bool addresses_ok(const struct rpc_enroll_result *r, struct err *err)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	size_t i, k;
	int ret = 0;

	for (i = 0; i < r->manager_count; i++)
		for (k = 0; k < r->managers[i].address_count && ret == 0; k++)
			ret = rpc_address_split(r->managers[i].addresses[k], host, port, "", err);
	for (i = 0; i < r->store_count && ret == 0; i++)
		ret = rpc_address_split(r->stores[i].address, host, port, "", err);
	return ret == 0;
}

static int get_result(
	struct rpc_enroll_result *r, const uint8_t *bytes, size_t len, struct err *err)
{
	struct rpc_value v[RESULT_FIELDS], item;

	if (rpc_params_get(v, result_fields, bytes, len, err) != 0)
		return -1;
	r->chain = v[CHAIN].bytes;
	r->chain_len = v[CHAIN].len;
	while (rpc_list_next(&v[RECIPIENTS], &recipient_field, &item))
		r->recipients[r->recipient_count++] = (struct rpc_bytes){item.bytes, item.len};
	while (rpc_list_next(&v[MANAGERS], &manager_field, &item))
		get_manager(&r->managers[r->manager_count++], &item);
	while (rpc_list_next(&v[STORES], &store_field, &item))
		get_store(&r->stores[r->store_count++], &item);
	return addresses_ok(r, err) ? 0 : -1;
}

/* --- The manager's side --- */

struct rpc_enroll_server {
	struct rpc_enroll_server_opts opts;
	struct rpc_service service;
	struct rpc_listen *listen;
	struct rpc_tls_conf *conf;
	struct buf prelude;
};

void rpc_renew_serve(struct rpc_ca *ca, struct rpc_call *call, const struct rpc_value *values)
{
	uint8_t mem[RPC_CHAIN_MAX + 32];
	struct cbor_out out;
	struct buf chain;
	struct err err = {0};

	buf_init(&chain, RPC_CHAIN_MAX);
	if (rpc_ca_sign(ca, values[0].bytes, values[0].len, rpc_call_peer(call), 0, 0, &chain,
		    &err) != 0) {
		rpc_call_fail(call, &err);
	} else {
		cbor_out_init(&out, mem, sizeof mem);
		cbor_put_map(&out, 1);
		cbor_put_text(&out, "chain");
		cbor_put_textn(&out, chain.data, chain.len);
		rpc_call_reply(call, mem, cbor_out_len(&out), false);
	}
	buf_fini(&chain);
}

static void ask_done(void *arg, const struct err *err)
{
	struct rpc_enroll_ask *ask = arg;
	const struct rpc_enroll_server_opts *opts = &ask->server->opts;

	(void)err;
	if (!ask->answered && opts->gone != NULL)
		opts->gone(opts->arg, ask);
	free(ask);
}

static void handle_enroll(void *ctx, struct rpc_call *call, const struct rpc_value *values)
{
	static const struct rpc_call_ops ops = {.done = ask_done};
	struct rpc_enroll_server *server = ctx;
	struct rpc_enroll_ask *ask = calloc(1, sizeof *ask);
	struct err err = {0};

	if (ask == NULL) {
		err_set(&err, ERR_NOMEM, "enrolment: out of memory");
		rpc_call_fail(call, &err);
		return;
	}
	ask->server = server;
	ask->call = call;
	ask->address = rpc_call_address(call);
	rpc_ticket_hash(ask->hash, values[TICKET].bytes);
	memcpy(ask->proof, values[PROOF].bytes, RPC_DIGEST_LEN);
	memcpy(ask->csr, values[CSR].bytes, values[CSR].len);
	ask->csr_len = values[CSR].len;
	rpc_call_serve(call, &ops, ask);
	server->opts.asked(server->opts.arg, ask);
}

void rpc_enroll_answer(struct rpc_enroll_ask *ask, const struct rpc_enroll_result *result)
{
	uint8_t mem[RPC_PAYLOAD_MAX];
	size_t stores = result->store_count;
	struct cbor_out out;
	struct err err = {0};

	assert(!ask->answered);
	for (;;) {
		cbor_out_init(&out, mem, sizeof mem);
		put_result(&out, result, stores);
		if (!cbor_out_full(&out) || stores == 0)
			break;
		stores--;
	}
	if (cbor_out_full(&out)) {
		err_set(&err, ERR_LIMIT, "enrolment: the result is too long");
		rpc_enroll_refuse(ask, &err);
		return;
	}
	ask->answered = true;
	rpc_call_reply(ask->call, mem, cbor_out_len(&out), false);
}

void rpc_enroll_refuse(struct rpc_enroll_ask *ask, const struct err *why)
{
	assert(!ask->answered);
	ask->answered = true;
	rpc_call_fail(ask->call, why);
}

static const struct rpc_method enroll_methods[] = {
	{RPC_METHOD_ENROLL, "enroll", RPC_ROLE_BIT(RPC_NOBODY), ENROLL_MAX, 0, RPC_ENROLL_MS,
		enroll_fields, handle_enroll, NULL},
};

static void on_log(void *ctx, const struct rpc_access *access)
{
	struct rpc_enroll_server *server = ctx;

	if (server->opts.log != NULL)
		server->opts.log(server->opts.arg, access);
}

static void on_refused(void *arg, const char *address, const struct err *why)
{
	struct rpc_enroll_server *server = arg;

	if (server->opts.refused != NULL)
		server->opts.refused(server->opts.arg, address, why);
}

/* Two bytes of length, then the CA's certificate. */
static int make_prelude(struct rpc_enroll_server *server, struct err *err)
{
	uint8_t digest[RPC_DIGEST_LEN];
	size_t len;

	buf_init(&server->prelude, 2 + RPC_CA_DER_MAX);
	if (buf_add(&server->prelude, "\0\0", 2, err) != 0 ||
		rpc_ca_der(server->opts.ca_cert, &server->prelude, digest, err) != 0)
		return -1;
	len = server->prelude.len - 2;
	server->prelude.data[0] = (uint8_t)len;
	server->prelude.data[1] = (uint8_t)(len >> 8);
	return 0;
}

struct rpc_enroll_server *rpc_enroll_server_new(
	struct rpc_loop *loop, const struct rpc_enroll_server_opts *opts, struct err *err)
{
	struct rpc_enroll_server *server = calloc(1, sizeof *server);
	struct rpc_tls_opts tls = {.kind = RPC_TLS_ENROLL_SERVER,
		.cert = opts->cert,
		.key = opts->key,
		.ca = opts->ca_cert};
	struct rpc_listen_opts listen = {.host = opts->host, .port = opts->port};

	if (server == NULL) {
		err_set(err, ERR_NOMEM, "enrolment: out of memory");
		return NULL;
	}
	server->opts = *opts;
	server->service = (struct rpc_service){enroll_methods, 1, server, on_log};
	server->conf = rpc_tls_conf_new(&tls, err);
	if (server->conf == NULL || make_prelude(server, err) != 0)
		goto fail;
	listen.conf = server->conf;
	listen.service = &server->service;
	listen.prelude = server->prelude.data;
	listen.prelude_len = server->prelude.len;
	listen.arg = server;
	listen.refused = on_refused;
	server->listen = rpc_listen_new(loop, &listen, err);
	if (server->listen != NULL)
		return server;
fail:
	rpc_enroll_server_free(server);
	return NULL;
}

unsigned rpc_enroll_server_port(const struct rpc_enroll_server *server)
{
	return rpc_listen_port(server->listen);
}

void rpc_enroll_server_free(struct rpc_enroll_server *server)
{
	if (server == NULL)
		return;
	rpc_listen_free(server->listen);
	rpc_tls_conf_unref(server->conf);
	buf_fini(&server->prelude);
	free(server);
}

/* --- The side that gets a certificate --- */

struct rpc_enroll {
	struct rpc_loop *loop;
	struct rpc_dial *dial; /* NULL: a renewal */
	struct rpc_call *call;
	struct pool *pool;
	struct rpc_token token;
	size_t next; /* of the token's addresses */
	/* Paths; request: of the key that the request is for, until it is in place. */
	char key[PATH_MAX], cert[PATH_MAX], ca[PATH_MAX], int_key[PATH_MAX], int_cert[PATH_MAX],
		request[PATH_MAX];
	struct buf csr;
	struct err result;
	void *arg;
	int (*take)(void *arg, const struct rpc_enroll_result *result, struct err *err);
	void (*done)(void *arg, const struct err *err);
};

static void enroll_free(struct rpc_enroll *e)
{
	rpc_dial_free(e->dial);
	if (e->request[0] != 0)
		unlink(e->request);
	seal_wipe(&e->token, sizeof e->token);
	buf_fini(&e->csr);
	free(e);
}

static void finish(struct rpc_enroll *e, const struct err *err)
{
	void (*done)(void *arg, const struct err *err) = e->done;
	void *arg = e->arg;
	struct err copy = {0};

	if (err != NULL)
		copy = *err;
	enroll_free(e);
	done(arg, err != NULL ? &copy : NULL);
}

/* A new key beside its place, and the request for it. */
static int make_request(const char *key, char request[PATH_MAX], struct buf *csr, struct err *err)
{
	if (snprintf(request, PATH_MAX, "%s.new", key) >= PATH_MAX) {
		request[0] = 0;
		return err_set(err, ERR_USAGE, "%s: the path is too long", key);
	}
	if (rpc_key_make(request, err) != 0)
		return -1;
	return rpc_csr_make(request, csr, err);
}

/* The certificate, then the key. */
static int put_in_place(char *request, const char *key, const char *cert, const void *chain,
	size_t len, struct err *err)
{
	if (file_write(cert, chain, len, 0644, err) != 0)
		return -1;
	if (rename(request, key) != 0)
		return err_errno(err, errno, "put %s in place", key);
	request[0] = 0;
	return 0;
}

int rpc_ca_issue(struct rpc_ca *ca, const struct rpc_identity *id, const char *key_path,
	const char *cert_path, struct err *err)
{
	char request[PATH_MAX] = "";
	struct buf csr, chain;
	int ret;

	buf_init(&csr, RPC_CSR_MAX);
	buf_init(&chain, RPC_CHAIN_MAX);
	ret = make_request(key_path, request, &csr, err);
	if (ret == 0)
		ret = rpc_ca_sign(ca, csr.data, csr.len, id, 0, 0, &chain, err);
	if (ret == 0)
		ret = put_in_place(request, key_path, cert_path, chain.data, chain.len, err);
	if (request[0] != 0)
		unlink(request);
	buf_fini(&csr);
	buf_fini(&chain);
	return ret;
}

/* --- Enrolment --- */

static int check_recipients(
	const struct rpc_enroll *e, const struct rpc_enroll_result *result, struct err *err)
{
	struct rpc_bytes files[RPC_RECIPIENTS_MAX];
	uint8_t digest[RPC_DIGEST_LEN];

	memcpy(files, result->recipients, sizeof files);
	if (rpc_recipients_digest(digest, files, result->recipient_count, err) != 0)
		return -1;
	if (memcmp(digest, e->token.recipients, sizeof digest) == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		"enrolment: the manager sent other public keys than the token vouches for");
}

static int check_identity(const struct rpc_enroll *e, const struct rpc_enroll_result *result,
	const void *root, size_t root_len, struct err *err)
{
	struct rpc_cert_info info;
	struct rpc_issuer issuer;

	if (e->token.role == RPC_MANAGER) {
		if (rpc_ca_check(root, root_len, result->chain, result->chain_len, e->request,
			    &issuer, err) != 0)
			return -1;
		if (strcmp(issuer.manager, e->token.name) == 0)
			return 0;
	} else {
		if (rpc_cert_check(root, root_len, result->chain, result->chain_len, e->request,
			    &info, err) != 0)
			return -1;
		if (info.id.role == e->token.role && strcmp(info.id.name, e->token.name) == 0)
			return 0;
	}
	return err_set(err, ERR_DENIED,
		"enrolment: the manager sent a certificate for another than %s %s",
		rpc_role_name(e->token.role), e->token.name);
}

static int write_ca(struct rpc_enroll *e, const void *der, size_t len, struct err *err)
{
	struct buf pem;
	int ret;

	buf_init(&pem, RPC_FILE_MAX);
	ret = rpc_ca_pem(der, len, &pem, err);
	if (ret == 0)
		ret = file_write(e->ca, pem.data, pem.len, 0644, err);
	buf_fini(&pem);
	return ret;
}

/* With its intermediate in place a manager signs for itself. */
static int install_manager(
	struct rpc_enroll *e, const struct rpc_enroll_result *result, struct err *err)
{
	struct rpc_ca *ca = NULL;
	struct rpc_identity id;
	int ret = put_in_place(
		e->request, e->int_key, e->int_cert, result->chain, result->chain_len, err);

	if (ret == 0) {
		ca = rpc_ca_open(e->int_key, e->int_cert, NULL, NULL, err);
		ret = ca != NULL ? rpc_identity_set(&id, RPC_MANAGER, e->token.name,
					   rpc_ca_issuer(ca)->host, err)
				 : -1;
	}
	if (ret == 0)
		ret = rpc_ca_issue(ca, &id, e->key, e->cert, err);
	rpc_ca_close(ca);
	return ret;
}

static int install(struct rpc_enroll *e, const uint8_t *bytes, size_t len, struct err *err)
{
	struct rpc_enroll_result result = {0};
	size_t root_len;
	const uint8_t *root = rpc_dial_pinned(e->dial, &root_len);

	if (get_result(&result, bytes, len, err) != 0 ||
		check_identity(e, &result, root, root_len, err) != 0 ||
		check_recipients(e, &result, err) != 0 ||
		(e->take != NULL && e->take(e->arg, &result, err) != 0) ||
		write_ca(e, root, root_len, err) != 0)
		return -1;
	if (e->token.role == RPC_MANAGER)
		return install_manager(e, &result, err);
	return put_in_place(e->request, e->key, e->cert, result.chain, result.chain_len, err);
}

/* --- Renewal --- */

/* Who we are, by the old certificate and by the new one. */
static int install_renewed(struct rpc_enroll *e, const uint8_t *bytes, size_t len, struct err *err)
{
	struct rpc_cert_info before, after;
	uint8_t digest[RPC_DIGEST_LEN];
	struct rpc_value chain;
	struct buf root;
	int ret;

	if (rpc_params_get(&chain, certificate_fields, bytes, len, err) != 0)
		return -1;
	buf_init(&root, RPC_CA_DER_MAX);
	ret = rpc_ca_der(e->ca, &root, digest, err);
	if (ret == 0)
		ret = rpc_cert_info(e->cert, &before, err);
	if (ret == 0)
		ret = rpc_cert_check(
			root.data, root.len, chain.bytes, chain.len, e->request, &after, err);
	if (ret == 0 &&
		(before.id.role != after.id.role || strcmp(before.id.name, after.id.name) != 0 ||
			strcmp(before.id.host, after.id.host) != 0))
		ret = err_set(err, ERR_DENIED,
			"renewal: the manager sent a certificate of another identity");
	if (ret == 0)
		ret = put_in_place(e->request, e->key, e->cert, chain.bytes, chain.len, err);
	buf_fini(&root);
	return ret;
}

/* --- Both --- */

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct rpc_enroll *e = arg;
	int ret = e->dial != NULL ? install(e, bytes, len, &e->result)
				  : install_renewed(e, bytes, len, &e->result);

	(void)more;
	if (ret != 0 && e->result.code == ERR_NONE)
		err_set(&e->result, ERR_FAILED, "enrolment failed");
}

static void on_done(void *arg, const struct err *err)
{
	struct rpc_enroll *e = arg;

	e->call = NULL;
	if (err == NULL && e->result.code != ERR_NONE)
		err = &e->result;
	finish(e, err);
}

static int start_call(
	struct rpc_enroll *e, struct rpc_conn *conn, struct rpc_request *r, struct err *err)
{
	static const struct rpc_call_ops ops = {.reply = on_reply, .done = on_done};

	r->ops = &ops;
	r->arg = e;
	e->call = rpc_call_start(conn, r, err);
	return e->call != NULL ? 0 : -1;
}

static int ask_enroll(struct rpc_enroll *e, struct rpc_conn *conn, struct err *err)
{
	uint8_t mem[ENROLL_MAX], ticket[RPC_DIGEST_LEN], proof[RPC_DIGEST_LEN];
	struct cbor_out out;
	struct rpc_request r = {
		.method = RPC_METHOD_ENROLL, .params = mem, .timeout_ms = RPC_ENROLL_MS};

	if (rpc_token_ticket(ticket, &e->token, err) != 0 ||
		rpc_token_proof(proof, &e->token, e->csr.data, e->csr.len, err) != 0)
		return -1;
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "ticket");
	cbor_put_bytes(&out, ticket, sizeof ticket);
	cbor_put_text(&out, "csr");
	cbor_put_bytes(&out, e->csr.data, e->csr.len);
	cbor_put_text(&out, "proof");
	cbor_put_bytes(&out, proof, sizeof proof);
	r.len = cbor_out_len(&out);
	return start_call(e, conn, &r, err);
}

static int ask_renew(struct rpc_enroll *e, struct rpc_conn *conn, struct err *err)
{
	uint8_t mem[RPC_RENEW_MAX];
	struct cbor_out out;
	struct rpc_request r = {.method = RPC_METHOD_RENEW, .params = mem, .timeout_ms = RENEW_MS};

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "csr");
	cbor_put_bytes(&out, e->csr.data, e->csr.len);
	r.len = cbor_out_len(&out);
	return start_call(e, conn, &r, err);
}

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct rpc_enroll *e = arg;
	struct err err = {0};

	e->next = e->token.address_count; /* the ticket is shown once */
	if (ask_enroll(e, conn, &err) != 0)
		finish(e, &err);
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms);

static int dial_next(struct rpc_enroll *e, struct err *err)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	struct rpc_dial_opts dial = {
		.expect = {RPC_MANAGER, e->token.manager},
		.host = host,
		.port = port,
		.pool = e->pool,
		.pin = e->token.fingerprint,
		.once = true,
		.arg = e,
		.up = on_up,
		.down = on_down,
	};

	if (rpc_address_split(e->token.addresses[e->next++], host, port, RPC_ENROLL_PORT, err) != 0)
		return -1;
	e->dial = rpc_dial_new(e->loop, &dial, err);
	return e->dial != NULL ? 0 : -1;
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms)
{
	struct rpc_enroll *e = arg;
	struct err err = *why;

	(void)wait_ms;
	if (e->next < e->token.address_count) {
		rpc_dial_free(e->dial);
		e->dial = NULL;
		if (dial_next(e, &err) == 0)
			return;
	}
	finish(e, &err);
}

static int keep_paths(
	struct rpc_enroll *e, const struct rpc_enroll_paths *paths, bool manager, struct err *err)
{
	const char *from[] = {paths->key, paths->cert, paths->ca, manager ? paths->int_key : "",
		manager ? paths->int_cert : ""};
	char *to[] = {e->key, e->cert, e->ca, e->int_key, e->int_cert};
	size_t i;

	for (i = 0; i < sizeof to / sizeof *to; i++)
		if ((size_t)snprintf(to[i], PATH_MAX, "%s", from[i]) >= PATH_MAX)
			return err_set(err, ERR_USAGE, "%s: the path is too long", from[i]);
	return make_request(manager ? e->int_key : e->key, e->request, &e->csr, err);
}

static struct rpc_enroll *enroll_new(
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err)
{
	struct rpc_enroll *e = calloc(1, sizeof *e);

	if (e == NULL) {
		err_set(err, ERR_NOMEM, "enrolment: out of memory");
		return NULL;
	}
	e->done = done;
	e->arg = arg;
	buf_init(&e->csr, RPC_CSR_MAX);
	return e;
}

struct rpc_enroll *rpc_enroll_start(
	struct rpc_loop *loop, const struct rpc_enroll_opts *opts, struct err *err)
{
	struct rpc_enroll *e = enroll_new(opts->done, opts->arg, err);

	if (e == NULL)
		return NULL;
	e->loop = loop;
	e->pool = opts->pool;
	e->token = opts->token;
	e->take = opts->take;
	if (keep_paths(e, &opts->paths, e->token.role == RPC_MANAGER, err) != 0 ||
		dial_next(e, err) != 0) {
		enroll_free(e);
		return NULL;
	}
	return e;
}

struct rpc_enroll *rpc_renew_start(struct rpc_conn *conn, const struct rpc_enroll_paths *paths,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err)
{
	struct rpc_enroll *e = enroll_new(done, arg, err);

	if (e != NULL && (keep_paths(e, paths, false, err) != 0 || ask_renew(e, conn, err) != 0)) {
		enroll_free(e);
		return NULL;
	}
	return e;
}

void rpc_enroll_cancel(struct rpc_enroll *e)
{
	if (e->call != NULL)
		rpc_call_cancel(e->call);
	enroll_free(e);
}
