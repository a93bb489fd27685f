/*
 * Both sides of enrolment and renewal. The new key lies beside the old one as
 * KEY.new until its certificate is there; the key is put in place last.
 */
#include "rpc/enroll.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/file.h"
#include "rpc/call.h"
#include "rpc/dial.h"
#include "rpc/file.h"
#include "rpc/listen.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

#define DEADLINE_MS 10000

/* --- The manager's side --- */

struct rpc_enroll_server {
	struct rpc_enroll_server_opts opts;
	struct rpc_service service;
	struct rpc_listen *listen;
	struct rpc_tls_conf *conf;
	struct buf prelude;
};

static const struct rpc_field enroll_fields[] = {
	{.key = "secret",
		.type = RPC_BYTES,
		.need = true,
		.min = RPC_SECRET_LEN,
		.max = RPC_SECRET_LEN},
	{.key = "csr", .type = RPC_BYTES, .need = true, .min = 1, .max = RPC_CSR_MAX},
	{0},
};

const struct rpc_field rpc_renew_fields[] = {
	{.key = "csr", .type = RPC_BYTES, .need = true, .min = 1, .max = RPC_CSR_MAX},
	{0},
};

/* Answers with a certificate for id, or with an error. */
static void answer(struct rpc_ca *ca, struct rpc_call *call, const struct rpc_identity *id,
	const struct rpc_value *csr)
{
	uint8_t mem[RPC_CHAIN_MAX + 32];
	struct cbor_out out;
	struct buf chain;
	struct err err = {0};

	buf_init(&chain, RPC_CHAIN_MAX);
	if (rpc_ca_sign(ca, csr->bytes, csr->len, id, 0, 0, &chain, &err) != 0) {
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

void rpc_renew_serve(struct rpc_ca *ca, struct rpc_call *call, const struct rpc_value *values)
{
	answer(ca, call, rpc_call_peer(call), &values[0]);
}

static void handle_enroll(void *ctx, struct rpc_call *call, const struct rpc_value *values)
{
	struct rpc_enroll_server *server = ctx;
	uint8_t hash[RPC_DIGEST_LEN];
	struct rpc_identity id;
	struct err err = {0};
	int status = rpc_token_hash(hash, values[0].bytes, &err);

	if (status == 0)
		status = server->opts.take(server->opts.arg, hash, &id, &err);
	if (status == 1)
		err_set(&err, ERR_DENIED,
			"token: there is no such one: it was used, or is too old: make a new one");
	if (status != 0)
		rpc_call_fail(call, &err);
	else
		answer(server->opts.ca, call, &id, &values[1]);
}

static const struct rpc_method enroll_methods[] = {
	{RPC_METHOD_ENROLL, "enroll", RPC_ROLE_BIT(RPC_NOBODY), RPC_CSR_MAX + 128, 0, DEADLINE_MS,
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
	struct rpc_dial *dial; /* NULL: a renewal */
	struct rpc_call *call;
	struct rpc_token token;
	char key[PATH_MAX], new_key[PATH_MAX], cert[PATH_MAX], ca[PATH_MAX];
	struct buf csr;
	struct err result;
	bool answered;
	void *arg;
	void (*done)(void *arg, const struct err *err);
};

static void enroll_free(struct rpc_enroll *e)
{
	rpc_dial_free(e->dial);
	unlink(e->new_key);
	explicit_bzero(&e->token, sizeof e->token);
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

static int write_ca(struct rpc_enroll *e, struct err *err)
{
	size_t len;
	const uint8_t *der = rpc_dial_pinned(e->dial, &len);
	struct buf pem;
	int status;

	buf_init(&pem, RPC_FILE_MAX);
	status = rpc_ca_pem(der, len, &pem, err);
	if (status == 0)
		status = file_write(e->ca, pem.data, pem.len, 0644, err);
	buf_fini(&pem);
	return status;
}

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	static const struct rpc_field fields[] = {
		{.key = "chain", .type = RPC_TEXT, .need = true, .min = 1, .max = RPC_CHAIN_MAX},
		{0},
	};
	struct rpc_enroll *e = arg;
	struct err *err = &e->result;
	struct rpc_value chain;

	(void)more;
	if (rpc_params_get(&chain, fields, bytes, len, err) != 0 ||
		(e->dial != NULL && write_ca(e, err) != 0) ||
		file_write(e->cert, chain.bytes, chain.len, 0644, err) != 0)
		return;
	if (rename(e->new_key, e->key) != 0)
		err_errno(err, errno, "put %s in place", e->key);
}

static void on_done(void *arg, const struct err *err)
{
	struct rpc_enroll *e = arg;

	e->call = NULL;
	if (err == NULL && e->result.code != ERR_NONE)
		err = &e->result;
	finish(e, err);
}

static int ask(struct rpc_enroll *e, struct rpc_conn *conn, struct err *err)
{
	static const struct rpc_call_ops ops = {.reply = on_reply, .done = on_done};
	uint8_t mem[RPC_CSR_MAX + 128];
	struct cbor_out out;
	struct rpc_request r = {.params = mem, .timeout_ms = DEADLINE_MS, .ops = &ops, .arg = e};

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, e->dial != NULL ? 2 : 1);
	if (e->dial != NULL) {
		cbor_put_text(&out, "secret");
		cbor_put_bytes(&out, e->token.secret, RPC_SECRET_LEN);
	}
	cbor_put_text(&out, "csr");
	cbor_put_bytes(&out, e->csr.data, e->csr.len);
	r.method = e->dial != NULL ? RPC_METHOD_ENROLL : RPC_METHOD_RENEW;
	r.len = cbor_out_len(&out);
	e->call = rpc_call_start(conn, &r, err);
	explicit_bzero(mem, sizeof mem);
	return e->call != NULL ? 0 : -1;
}

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct rpc_enroll *e = arg;
	struct err err = {0};

	if (ask(e, conn, &err) != 0)
		finish(e, &err);
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms)
{
	(void)wait_ms;
	finish(arg, why);
}

static struct rpc_enroll *enroll_new(const struct rpc_enroll_paths *paths,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err)
{
	struct rpc_enroll *e = calloc(1, sizeof *e);

	if (e == NULL) {
		err_set(err, ERR_NOMEM, "enrolment: out of memory");
		return NULL;
	}
	e->done = done;
	e->arg = arg;
	snprintf(e->key, sizeof e->key, "%s", paths->key);
	snprintf(e->cert, sizeof e->cert, "%s", paths->cert);
	snprintf(e->ca, sizeof e->ca, "%s", paths->ca != NULL ? paths->ca : "");
	buf_init(&e->csr, RPC_CSR_MAX);
	if (snprintf(e->new_key, sizeof e->new_key, "%s.new", paths->key) >= PATH_MAX) {
		err_set(err, ERR_USAGE, "%s: the path is too long", paths->key);
		free(e);
		return NULL;
	}
	if (rpc_key_make(e->new_key, err) != 0 || rpc_csr_make(e->new_key, &e->csr, err) != 0) {
		enroll_free(e);
		return NULL;
	}
	return e;
}

struct rpc_enroll *rpc_enroll_start(
	struct rpc_loop *loop, const struct rpc_enroll_opts *opts, struct err *err)
{
	struct rpc_enroll *e = enroll_new(&opts->paths, opts->done, opts->arg, err);
	struct rpc_dial_opts dial = {
		.expect = {RPC_MANAGER, opts->token.manager},
		.host = opts->host,
		.port = opts->port,
		.pool = opts->pool,
		.pin = opts->token.fingerprint,
		.once = true,
		.arg = e,
		.up = on_up,
		.down = on_down,
	};

	if (e == NULL)
		return NULL;
	e->token = opts->token;
	e->dial = rpc_dial_new(loop, &dial, err);
	if (e->dial == NULL) {
		enroll_free(e);
		return NULL;
	}
	return e;
}

struct rpc_enroll *rpc_renew_start(struct rpc_conn *conn, const struct rpc_enroll_paths *paths,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err)
{
	struct rpc_enroll *e = enroll_new(paths, done, arg, err);

	if (e != NULL && ask(e, conn, err) != 0) {
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
