/* The enrolment listener, renewal, and the CBOR form of a certificate and what
 * comes with it. */
#include "rpc/enroll.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/mem.h"
#include "rpc/call.h"
#include "rpc/listen.h"
#include "rpc/tls.h"
#include "rpc/wire.h"

/* --- Messages --- */

const struct cbormap_field rpc_enroll_fields[] = {
	{CBORMAP_OF(struct rpc_enroll_request, BYTES, ticket), .need = true},
	{CBORMAP_OF(struct rpc_enroll_request, BLOB, csr), .need = true, .min = 1,
		.max = RPC_CSR_MAX},
	{CBORMAP_OF(struct rpc_enroll_request, BYTES, proof), .need = true},
	{CBORMAP_OF(struct rpc_enroll_request, BYTES, recipients), .need = true},
	{0},
};

const struct cbormap_field rpc_renew_fields[] = {
	{.key = "csr",
		.type = CBORMAP_BLOB,
		.need = true,
		.min = 1,
		.max = RPC_CSR_MAX,
		.size = sizeof(struct cbormap_blob)},
	{0},
};

static const struct cbormap_field recipient_field = {.type = CBORMAP_BLOB,
	.min = 1,
	.max = RPC_RECIPIENT_LEN_MAX,
	.size = sizeof(struct cbormap_blob)};
static const struct cbormap_field manager_fields[] = {
	{CBORMAP_OF(struct rpc_enroll_manager, NAME, name), .need = true},
	{.key = "addresses",
		CBORMAP_LIST_IN(
			struct rpc_enroll_manager, addresses, address_count, rpc_address_field),
		.need = true},
	{0},
};
static const struct cbormap_field manager_field = {
	.type = CBORMAP_MAP, .sub = manager_fields, .size = sizeof(struct rpc_enroll_manager)};
static const struct cbormap_field store_fields[] = {
	{CBORMAP_OF(struct rpc_enroll_store, NAME, name), .need = true},
	{CBORMAP_OF(struct rpc_enroll_store, BYTES, uid), .need = true},
	{CBORMAP_OF(struct rpc_enroll_store, BYTES, key), .need = true},
	{CBORMAP_OF(struct rpc_enroll_store, TEXT, address), .need = true, .min = 1},
	{0},
};
static const struct cbormap_field store_field = {
	.type = CBORMAP_MAP, .sub = store_fields, .size = sizeof(struct rpc_enroll_store)};

#define LIST(member, counter, items)                                                               \
	{                                                                                          \
		.key = #member, .need = true,                                                      \
		CBORMAP_LIST_IN(struct rpc_enroll_result, member, counter, items)                  \
	}
static const struct cbormap_field result_fields[] = {
	{CBORMAP_OF(struct rpc_enroll_result, TEXT, chain), .need = true, .min = 1},
	LIST(recipients, recipient_count, recipient_field),
	LIST(managers, manager_count, manager_field),
	LIST(stores, store_count, store_field),
	{0},
};

/* Writes the result, with as many stores as fit, to RPC_PAYLOAD_MAX bytes.
 * Returns the length; 0 if it does not fit even without stores. */
static size_t put_result(uint8_t *to, struct rpc_enroll_result *result)
{
	struct cbor_out out;

	for (;; result->store_count--) {
		cbor_out_init(&out, to, RPC_PAYLOAD_MAX);
		cbormap_put(&out, result_fields, result);
		if (!cbor_out_full(&out))
			return cbor_out_len(&out);
		if (result->store_count == 0)
			return 0;
	}
}

/* Addresses come from the network: check that they are well-formed. */
static int check_addresses(const struct rpc_enroll_result *r, struct err *err)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	size_t i, k;
	int ret = 0;

	for (i = 0; i < r->manager_count; i++)
		for (k = 0; k < r->managers[i].address_count && ret == 0; k++)
			ret = rpc_address_split(r->managers[i].addresses[k], host, port, "", err);
	for (i = 0; i < r->store_count && ret == 0; i++)
		ret = rpc_address_split(r->stores[i].address, host, port, "", err);
	return ret;
}

int rpc_enroll_result_get(
	struct rpc_enroll_result *r, const uint8_t *bytes, size_t len, struct err *err)
{
	memset(r, 0, sizeof *r);
	if (cbormap_read(r, result_fields, bytes, len, err) != 0)
		return -1;
	return check_addresses(r, err);
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
	struct buf chain = {.max = RPC_CHAIN_MAX};
	struct err err = {0};

	if (rpc_ca_sign(ca, values[0].bytes, values[0].len, rpc_call_peer(call), 0, 0, &chain,
		    &err) != 0) {
		rpc_call_fail(call, &err);
	} else {
		cbor_out_init(&out, mem, sizeof mem);
		cbor_put_map(&out, 1);
		cbor_put_text(&out, "chain");
		cbor_put_textn(&out, chain.data, chain.len);
		rpc_call_reply(call, mem, cbor_out_len(&out), NULL);
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
	struct err err = {0};
	struct rpc_enroll_ask *ask = mem_new(sizeof *ask, &err);
	struct rpc_enroll_request request;

	if (ask == NULL) {
		rpc_call_fail(call, &err);
		return;
	}
	cbormap_store(&request, rpc_enroll_fields, values);
	ask->server = server;
	ask->call = call;
	ask->address = rpc_call_address(call);
	rpc_ticket_hash(ask->hash, request.ticket);
	memcpy(ask->proof, request.proof, RPC_DIGEST_LEN);
	memcpy(ask->recipients, request.recipients, RPC_DIGEST_LEN);
	memcpy(ask->csr, request.csr.bytes, request.csr.len);
	ask->csr_len = request.csr.len;
	rpc_call_serve(call, &ops, ask);
	server->opts.asked(server->opts.arg, ask);
}

void rpc_enroll_answer(struct rpc_enroll_ask *ask, struct rpc_enroll_result *result)
{
	uint8_t mem[RPC_PAYLOAD_MAX];
	size_t len = put_result(mem, result);
	struct err err = {0};

	assert(!ask->answered);
	if (len == 0) {
		err_set(&err, ERR_LIMIT, "enrolment: the result is too long");
		rpc_enroll_refuse(ask, &err);
		return;
	}
	ask->answered = true;
	rpc_call_reply(ask->call, mem, len, NULL);
}

void rpc_enroll_refuse(struct rpc_enroll_ask *ask, const struct err *why)
{
	assert(!ask->answered);
	ask->answered = true;
	rpc_call_fail(ask->call, why);
}

static const struct rpc_method enroll_methods[] = {
	{RPC_METHOD_ENROLL, "enroll", RPC_ROLE_BIT(RPC_NOBODY), RPC_ENROLL_MAX, 0, RPC_ENROLL_MS,
		rpc_enroll_fields, handle_enroll, NULL},
};

static void on_log(void *ctx, const struct rpc_access *access)
{
	struct rpc_enroll_server *server = ctx;

	if (server->opts.log != NULL)
		server->opts.log(server->opts.arg, access);
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

static struct rpc_tls_conf *load_conf(const struct rpc_enroll_server *server, struct err *err)
{
	const struct rpc_tls_opts tls = {.kind = RPC_TLS_ENROLL_SERVER,
		.cert = server->opts.cert,
		.key = server->opts.key,
		.ca = server->opts.ca_cert};

	return rpc_tls_conf_new(&tls, err);
}

struct rpc_enroll_server *rpc_enroll_server_new(
	struct rpc_loop *loop, const struct rpc_enroll_server_opts *opts, struct err *err)
{
	struct rpc_enroll_server *server = mem_new(sizeof *server, err);
	struct rpc_listen_opts listen = {.host = opts->host, .port = opts->port};

	if (server == NULL)
		return NULL;
	server->opts = *opts;
	server->service = (struct rpc_service){enroll_methods, 1, server, on_log};
	server->conf = load_conf(server, err);
	if (server->conf == NULL || make_prelude(server, err) != 0)
		goto fail;
	listen.conf = server->conf;
	listen.service = &server->service;
	listen.prelude = server->prelude.data;
	listen.prelude_len = server->prelude.len;
	listen.arg = opts->arg;
	listen.refused = opts->refused;
	server->listen = rpc_listen_new(loop, &listen, err);
	if (server->listen != NULL)
		return server;
fail:
	rpc_enroll_server_free(server);
	return NULL;
}

int rpc_enroll_server_reload(struct rpc_enroll_server *server, struct err *err)
{
	struct rpc_tls_conf *conf = load_conf(server, err);

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
