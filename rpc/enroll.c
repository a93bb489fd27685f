/* The enrolment listener, renewal, and what comes with a certificate as CBOR. */
#include "rpc/enroll.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "rpc/call.h"
#include "rpc/listen.h"
#include "rpc/loop.h"
#include "rpc/tls.h"
#include "rpc/wire.h"

/* --- What is sent --- */

static const struct cbormap_field enroll_fields[] = {
	{.key = "ticket", CBORMAP_FIXED(RPC_DIGEST_LEN), .need = true},
	{.key = "csr", .type = CBORMAP_BYTES, .need = true, .min = 1, .max = RPC_CSR_MAX},
	{.key = "proof", CBORMAP_FIXED(RPC_DIGEST_LEN), .need = true},
	{.key = "recipients", CBORMAP_FIXED(RPC_DIGEST_LEN), .need = true},
	{0},
};
enum { TICKET, CSR, PROOF, VOUCHED };

const struct cbormap_field rpc_renew_fields[] = {
	{.key = "csr", .type = CBORMAP_BYTES, .need = true, .min = 1, .max = RPC_CSR_MAX},
	{0},
};

static const struct cbormap_field recipient_field = {
	.type = CBORMAP_BYTES, .min = 1, .max = RPC_RECIPIENT_LEN_MAX};
static const struct cbormap_field address_field = {
	.type = CBORMAP_TEXT, .min = 1, .max = RPC_HOST_PORT_MAX, .size = RPC_HOST_PORT_MAX + 1};
enum { MANAGER_NAME, MANAGER_ADDRESSES, MANAGER_FIELDS };
static const struct cbormap_field manager_fields[] = {
	{CBORMAP_OF(struct rpc_enroll_manager, NAME, name), .need = true},
	{.key = "addresses", CBORMAP_LIST_OF(address_field, RPC_ADDRESSES_MAX), .need = true},
	{0},
};
static const struct cbormap_field manager_field = {.type = CBORMAP_MAP, .sub = manager_fields};
static const struct cbormap_field store_fields[] = {
	{CBORMAP_OF(struct rpc_enroll_store, NAME, name), .need = true},
	{CBORMAP_OF(struct rpc_enroll_store, BYTES, uid), .need = true},
	{CBORMAP_OF(struct rpc_enroll_store, BYTES, key), .need = true},
	{CBORMAP_OF(struct rpc_enroll_store, TEXT, address), .need = true, .min = 1},
	{0},
};
static const struct cbormap_field store_field = {.type = CBORMAP_MAP, .sub = store_fields};
static const struct cbormap_field result_fields[] = {
	{.key = "chain", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = RPC_CHAIN_MAX},
	{.key = "recipients", CBORMAP_LIST_OF(recipient_field, RPC_RECIPIENTS_MAX), .need = true},
	{.key = "managers", CBORMAP_LIST_OF(manager_field, RPC_MANAGERS_MAX), .need = true},
	{.key = "stores", CBORMAP_LIST_OF(store_field, RPC_STORES_MAX), .need = true},
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
		cbormap_put(out, store_fields, &r->stores[i]);
}

size_t rpc_enroll_result_put(uint8_t *to, const struct rpc_enroll_result *result)
{
	size_t stores = result->store_count;
	struct cbor_out out;

	for (;; stores--) {
		cbor_out_init(&out, to, RPC_PAYLOAD_MAX);
		put_result(&out, result, stores);
		if (!cbor_out_full(&out))
			return cbor_out_len(&out);
		if (stores == 0)
			return 0;
	}
}

static void get_manager(struct rpc_enroll_manager *m, const struct cbormap_value *map)
{
	struct cbormap_value v[MANAGER_FIELDS], address;

	cbormap_inner(v, &manager_field, map);
	cbormap_store(m, manager_fields, v);
	while (cbormap_next(&v[MANAGER_ADDRESSES], &address_field, &address))
		cbormap_store_item(m->addresses[m->address_count++], &address_field, &address);
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

int rpc_enroll_result_get(
	struct rpc_enroll_result *r, const uint8_t *bytes, size_t len, struct err *err)
{
	struct cbormap_value v[RESULT_FIELDS], item;

	memset(r, 0, sizeof *r);
	if (cbormap_get(v, result_fields, bytes, len, err) != 0)
		return -1;
	r->chain = v[CHAIN].bytes;
	r->chain_len = v[CHAIN].len;
	while (cbormap_next(&v[RECIPIENTS], &recipient_field, &item))
		r->recipients[r->recipient_count++] = (struct rpc_bytes){item.bytes, item.len};
	while (cbormap_next(&v[MANAGERS], &manager_field, &item))
		get_manager(&r->managers[r->manager_count++], &item);
	while (cbormap_next(&v[STORES], &store_field, &item))
		cbormap_store_item(&r->stores[r->store_count++], &store_field, &item);
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

void rpc_renew_serve(struct rpc_ca *ca, struct rpc_call *call, const struct cbormap_value *values)
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

static void handle_enroll(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
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
	memcpy(ask->recipients, values[VOUCHED].bytes, RPC_DIGEST_LEN);
	memcpy(ask->csr, values[CSR].bytes, values[CSR].len);
	ask->csr_len = values[CSR].len;
	rpc_call_serve(call, &ops, ask);
	server->opts.asked(server->opts.arg, ask);
}

void rpc_enroll_answer(struct rpc_enroll_ask *ask, const struct rpc_enroll_result *result)
{
	uint8_t mem[RPC_PAYLOAD_MAX];
	size_t len = rpc_enroll_result_put(mem, result);
	struct err err = {0};

	assert(!ask->answered);
	if (len == 0) {
		err_set(&err, ERR_LIMIT, "enrolment: the result is too long");
		rpc_enroll_refuse(ask, &err);
		return;
	}
	ask->answered = true;
	rpc_call_reply(ask->call, mem, len, false);
}

void rpc_enroll_refuse(struct rpc_enroll_ask *ask, const struct err *why)
{
	assert(!ask->answered);
	ask->answered = true;
	rpc_call_fail(ask->call, why);
}

static const struct rpc_method enroll_methods[] = {
	{RPC_METHOD_ENROLL, "enroll", RPC_ROLE_BIT(RPC_NOBODY), RPC_ENROLL_MAX, 0, RPC_ENROLL_MS,
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

int rpc_enroll_server_reload(struct rpc_enroll_server *server, struct err *err)
{
	struct rpc_tls_opts tls = {.kind = RPC_TLS_ENROLL_SERVER,
		.cert = server->opts.cert,
		.key = server->opts.key,
		.ca = server->opts.ca_cert};
	struct rpc_tls_conf *conf = rpc_tls_conf_new(&tls, err);

	if (conf == NULL)
		return -1;
	rpc_tls_conf_unref(server->conf);
	server->conf = conf;
	rpc_listen_conf(server->listen, conf);
	return 0;
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
