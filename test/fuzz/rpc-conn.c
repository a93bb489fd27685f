/* Arbitrary bytes from an authenticated peer, over a record layer without TLS: the connection must
 * accept them or end, run each callback once, and leak nothing. Both roles at once: it serves the
 * test methods, and has calls of its own that the input may answer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "lib/err.h"
#include "rpc/wire.h"
#include "test/net/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- The record layer: in place of rpc/tls.c --- */

static struct {
	const uint8_t *data;
	size_t size, at, piece;
} input;
static struct rpc_loop *loop;

struct rpc_tls_conf {
	int unused;
};
static struct rpc_tls_conf the_conf;
static const struct rpc_identity the_peer = {
	.role = RPC_AGENT, .name = "fuzz", .host = "00000000000000000000000000000000"};

struct rpc_tls_conf *rpc_tls_conf_new(const struct rpc_tls_opts *opts, struct err *err)
{
	(void)opts, (void)err;
	return &the_conf;
}

struct rpc_tls_conf *rpc_tls_conf_ref(struct rpc_tls_conf *conf)
{
	return conf;
}

void rpc_tls_conf_unref(struct rpc_tls_conf *conf)
{
	(void)conf;
}

const struct rpc_identity *rpc_tls_conf_self(const struct rpc_tls_conf *conf)
{
	(void)conf;
	return &the_peer;
}

struct rpc_tls *rpc_tls_new(
	struct rpc_tls_conf *conf, int fd, const struct rpc_expect *expect, struct err *err)
{
	(void)fd, (void)expect, (void)err;
	return (struct rpc_tls *)conf;
}

void rpc_tls_free(struct rpc_tls *tls)
{
	(void)tls;
}

int rpc_tls_handshake(struct rpc_tls *tls, struct err *err)
{
	(void)tls, (void)err;
	return 0;
}

int64_t rpc_tls_until(const struct rpc_tls *tls)
{
	(void)tls;
	return 0;
}

const struct rpc_identity *rpc_tls_peer(const struct rpc_tls *tls)
{
	(void)tls;
	return &the_peer;
}

bool rpc_tls_peer_valid(const struct rpc_tls *tls)
{
	(void)tls;
	return true;
}

/* In pieces, whose size is the first byte of the input. */
int rpc_tls_read(struct rpc_tls *tls, uint8_t *to, size_t cap, size_t *len, struct err *err)
{
	size_t n = input.size - input.at;

	(void)tls, (void)err;
	if (n == 0) {
		rpc_loop_stop(loop);
		return 1;
	}
	n = n < input.piece ? n : input.piece;
	n = n < cap ? n : cap;
	memcpy(to, input.data + input.at, n);
	input.at += n;
	*len = n;
	return 0;
}

int rpc_tls_write(
	struct rpc_tls *tls, const uint8_t *bytes, size_t bytes_len, size_t *len, struct err *err)
{
	(void)tls, (void)bytes, (void)err;
	*len = bytes_len < 16384 ? bytes_len : 16384;
	return 0;
}

int rpc_tls_bye(struct rpc_tls *tls, struct err *err)
{
	(void)tls, (void)err;
	return 0;
}

int rpc_tls_wants(const struct rpc_tls *tls)
{
	(void)tls;
	return RPC_READ;
}

/* --- The connection --- */

static struct rpc_conn *conn;
static int starts, dones, closes;
static struct rpc_call *calls[3];
static volatile uint8_t fuzz_sum; /* so that the bytes are looked at */

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct rpc_call **call = arg;

	(void)last;
	for (size_t i = 0; i < len; i++)
		fuzz_sum ^= bytes[i];
	rpc_call_took(*call, len);
}

static void on_done(void *arg, const struct err *err)
{
	(void)arg, (void)err;
	dones++;
}

static void on_up(void *arg)
{
	static const uint8_t blob[64 * 1024];
	static const struct rpc_call_ops ops = {.data = on_data, .done = on_done};
	struct rpc_request r = {.method = 1, .timeout_ms = 10000, .reply_max = 300, .ops = &ops};
	int i;

	(void)arg;
	for (i = 0; i < 3; i++) {
		r.blob = i > 0 ? blob : NULL;
		r.blob_len = sizeof blob;
		r.arg = &calls[i];
		calls[i] = rpc_call_start(conn, &r, NULL);
		starts += calls[i] != NULL;
	}
}

static void on_closed(void *arg, const struct err *why)
{
	(void)arg, (void)why;
	closes++;
	rpc_loop_stop(loop);
}

static const struct rpc_conn_ops ops = {on_up, NULL, on_closed};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct peer_state state;
	static struct rpc_service service;
	struct rpc_conn_opts opts = {
		.conf = &the_conf, .service = &service, .ops = &ops, .address = "fuzz"};
	struct peer_state fresh = {.put_max = 2};
	struct err err = {0};
	/* Always readable and writable. */
	int fd = eventfd(1, EFD_NONBLOCK);

	if (size == 0)
		return 0;
	if (loop == NULL) {
		loop = rpc_loop_new(&err);
		state.loop = loop;
		peer_service(&service, &state);
		service.count = 10; /* without those that need a pool */
	}
	fresh.loop = loop;
	state = fresh;
	opts.credit = data[0] % 2 == 1 ? RPC_CREDIT_NONE : 0;
	input.data = data + 1;
	input.size = size - 1;
	input.at = 0;
	input.piece = data[0] == 0 ? 1 : (size_t)data[0] * 256;
	starts = dones = closes = 0;
	conn = rpc_conn_new(loop, fd, &opts, &err);
	if (conn == NULL)
		abort();
	rpc_loop_run(loop);
	if (closes > 1 || (closes == 1 && dones != starts))
		abort();
	rpc_conn_free(conn);
	if (dones != starts)
		abort();
	return 0;
}
