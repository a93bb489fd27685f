/*
 * One end of a connection, as a program: the peer of the Python implementation,
 * the proxies and the campaigns in test/net/.
 *
 *   rpc-peer ca DIR
 *   rpc-peer fleet DIR       see peer.h
 *   rpc-peer cert DIR NAME ROLE [HOST|- [NOT-BEFORE NOT-AFTER]]
 *   rpc-peer serve DIR NAME [key=value ...]
 *       listens on 127.0.0.1, prints "port N"; USR1 prints counts
 *   rpc-peer call DIR NAME PORT ROLE PEER METHOD [key=value ...]
 *       method: echo sink source twice early fail sleep hold whoami;
 *       prints "ok ..." or "error CODE MESSAGE"; exit status 0 or 1
 *
 * Keys: len seed ms timeout count host handshake frame ping dead bye cancel
 * shaking shaking-host deny log.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cbor.h"
#include "lib/pool.h"
#include "rpc/deny.h"
#include "rpc/dial.h"
#include "rpc/listen.h"
#include "rpc/wire.h"
#include "test/net/peer.h"

static struct rpc_loop *loop;
static struct rpc_deny deny;

static int die(const struct err *err)
{
	printf("error %s %s\n", err_name(err->code), err->message);
	exit(1);
}

static const char *option(char **args, const char *key, const char *missing)
{
	size_t len = strlen(key);

	for (; *args != NULL; args++)
		if (strncmp(*args, key, len) == 0 && (*args)[len] == '=')
			return *args + len + 1;
	return missing;
}

static uint64_t number(char **args, const char *key, uint64_t missing)
{
	const char *text = option(args, key, NULL);

	return text != NULL ? strtoull(text, NULL, 10) : missing;
}

static struct rpc_times times_of(char **args)
{
	struct rpc_times t = rpc_times_default;

	t.handshake = (int64_t)number(args, "handshake", (uint64_t)t.handshake);
	t.frame = (int64_t)number(args, "frame", (uint64_t)t.frame);
	t.ping = (int64_t)number(args, "ping", (uint64_t)t.ping);
	t.dead = (int64_t)number(args, "dead", (uint64_t)t.dead);
	t.bye = (int64_t)number(args, "bye", (uint64_t)t.bye);
	t.cancel = (int64_t)number(args, "cancel", (uint64_t)t.cancel);
	return t;
}

static struct rpc_tls_conf *load(const char *folder, const char *name, char **args)
{
	const char *list = option(args, "deny", NULL);
	struct err err = {0};
	struct rpc_tls_conf *conf;

	rpc_deny_init(&deny);
	if (list != NULL && rpc_deny_load(&deny, list, &err) != 0)
		die(&err);
	conf = peer_conf(folder, name, &deny, &err);
	if (conf == NULL)
		die(&err);
	return conf;
}

/* --- serve --- */

static struct rpc_listen *listener;
static struct peer_state state;

static void on_usr1(void *arg)
{
	(void)arg;
	printf("connections %u handled %u over %u logged %u\n", rpc_listen_count(listener),
		state.handled, state.over, state.logged);
}

static void on_term(void *arg)
{
	(void)arg;
	rpc_loop_stop(loop);
}

static void on_refused(void *arg, const char *address, const struct err *why)
{
	if (arg != NULL)
		fprintf(stderr, "refused %s: %s %s\n", address, err_name(why->code), why->message);
}

static void on_down(void *arg, struct rpc_conn *conn, const struct err *why)
{
	if (arg != NULL)
		fprintf(stderr, "down %s: %s %s\n", rpc_conn_address(conn), err_name(why->code),
			why->message);
}

static void on_pool(void *arg)
{
	(void)arg;
	pool_drain(state.pool);
}

static int serve(const char *folder, const char *name, char **args)
{
	struct rpc_times times = times_of(args);
	struct rpc_listen_limits limits = rpc_listen_limits_default;
	struct rpc_service service;
	struct rpc_listen_opts opts = {.conf = load(folder, name, args),
		.service = &service,
		.times = &times,
		.limits = &limits,
		.host = "127.0.0.1",
		.port = option(args, "port", "0"),
		.down = on_down,
		.refused = on_refused};
	struct rpc_signal usr1 = {0}, term = {0};
	struct rpc_async wake = {0};
	struct err err = {0};

	limits.shaking_max = (unsigned)number(args, "shaking", limits.shaking_max);
	limits.shaking_per_host = (unsigned)number(args, "shaking-host", limits.shaking_per_host);
	limits.conns_per_peer = (unsigned)number(args, "per-peer", limits.conns_per_peer);
	state.loop = loop;
	state.print = option(args, "log", NULL) != NULL;
	state.put_max = (unsigned)number(args, "puts", 4);
	opts.credit = (uint32_t)number(args, "credit", 0);
	opts.arg = state.print ? &state : NULL;
	rpc_async_start(&wake, loop, on_pool, NULL);
	state.pool = pool_new(2, 100, rpc_async_send, &wake, &err);
	peer_service(&service, &state);
	listener = rpc_listen_new(loop, &opts, &err);
	if (listener == NULL)
		die(&err);
	printf("port %u\n", rpc_listen_port(listener));
	rpc_signal_start(&usr1, loop, SIGUSR1, on_usr1, NULL);
	rpc_signal_start(&term, loop, SIGTERM, on_term, NULL);
	rpc_loop_run(loop);
	rpc_listen_free(listener);
	pool_free(state.pool);
	rpc_signal_stop(&usr1);
	rpc_signal_stop(&term);
	rpc_async_stop(&wake);
	rpc_tls_conf_unref(opts.conf);
	return 0;
}

/* --- call --- */

static struct client {
	char **args;
	uint16_t method;
	struct rpc_dial *dial;
	struct rpc_conn *conn; /* NULL: lost */
	struct rpc_call *call;
	uint64_t count, sent, got, len, random;
	bool bad, ended, over;
	struct err err;
	char reply[64];
} client;

static void next_call(struct rpc_conn *conn);

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	size_t i;

	(void)arg, (void)more;
	for (i = 0; i < len && i < 30; i++)
		sprintf(client.reply + 2 * i, "%02x", bytes[i]);
}

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	(void)arg;
	if (!peer_check(bytes, client.got, len))
		client.bad = true;
	client.got += len;
	client.ended = last;
	rpc_call_took(client.call, len);
}

static void on_sent(void *arg, size_t len)
{
	(void)arg;
	client.sent += len;
}

static void on_done(void *arg, const struct err *err)
{
	(void)arg;
	if (err != NULL)
		client.err = *err;
	if (err == NULL && --client.count > 0) {
		next_call(client.conn);
		return;
	}
	client.over = true;
	if (err == NULL && client.conn != NULL)
		rpc_conn_shutdown(client.conn);
	else
		rpc_loop_stop(loop);
}

static const struct rpc_call_ops call_ops = {on_reply, on_data, on_sent, on_done};

static void next_call(struct rpc_conn *conn)
{
	static const char echo[] = "\xa1\x64"
				   "data\x45hello";
	uint8_t mem[64];
	struct cbor_out out;
	struct rpc_request r = {.method = client.method,
		.timeout_ms = (int64_t)number(client.args, "timeout", 10000),
		.reply_max = UINT64_MAX,
		.ops = &call_ops};
	uint64_t ms = number(client.args, "ms", 0);
	struct buf blob;

	client.sent = client.got = 0;
	client.ended = false;
	client.len = number(client.args, "len", 0);
	client.random = number(client.args, "seed", 0);
	cbor_out_init(&out, mem, sizeof mem);
	r.params = mem;
	switch (client.method) {
	case PEER_ECHO:
		r.params = echo;
		r.len = sizeof echo - 1;
		break;
	case PEER_SOURCE:
		cbor_put_map(&out, 2);
		cbor_put_text(&out, "len");
		cbor_put_uint(&out, client.len);
		cbor_put_text(&out, "seed");
		cbor_put_uint(&out, client.random);
		r.len = cbor_out_len(&out);
		break;
	case PEER_SLEEP:
		cbor_put_map(&out, 1);
		cbor_put_text(&out, "ms");
		cbor_put_uint(&out, ms);
		r.len = cbor_out_len(&out);
		break;
	case PEER_SINK:
	case PEER_TWICE:
	case PEER_EARLY:
		blob = peer_blob(client.len);
		r.blob = client.len > 0 ? blob.data : NULL;
		r.blob_len = blob.len;
		break;
	default:
		break;
	}
	client.call = rpc_call_start(conn, &r, &client.err);
	if (client.call == NULL)
		rpc_loop_stop(loop);
}

static void on_up(void *arg, struct rpc_conn *conn)
{
	(void)arg;
	client.conn = conn;
	next_call(conn);
}

static void on_lost(void *arg, const struct err *why, int64_t wait)
{
	(void)arg, (void)wait;
	client.conn = NULL;
	/* An orderly end after the last call is not an error. */
	if (client.err.code == ERR_NONE && why->code != ERR_NONE)
		client.err = *why;
	rpc_loop_stop(loop);
}

static uint16_t method_of(const char *name)
{
	size_t i;

	for (i = 0; i < peer_methods_count; i++)
		if (strcmp(peer_methods[i].name, name) == 0)
			return peer_methods[i].number;
	return (uint16_t)atoi(name);
}

static int call(char **argv)
{
	char **args = argv + 6;
	struct rpc_times times = times_of(args);
	struct rpc_service service;
	struct rpc_dial_opts opts = {.conf = load(argv[0], argv[1], args),
		.expect = {rpc_role_get(argv[3], strlen(argv[3])), argv[4]},
		.service = &service,
		.times = &times,
		.host = option(args, "host", "127.0.0.1"),
		.port = argv[2],
		.once = true,
		.up = on_up,
		.down = on_lost};
	struct err err = {0};

	state.loop = loop;
	peer_service(&service, &state);
	client.args = args;
	client.method = method_of(argv[5]);
	client.count = number(args, "count", 1);
	client.dial = rpc_dial_new(loop, &opts, &err);
	if (client.dial == NULL)
		die(&err);
	rpc_loop_run(loop);
	rpc_dial_free(client.dial);
	rpc_tls_conf_unref(opts.conf);
	if (client.err.code != ERR_NONE || !client.over)
		die(&client.err);
	if (client.bad || (client.got > 0 && !client.ended)) {
		err_set(&err, ERR_DAMAGE, "the blob is not what it should be");
		die(&err);
	}
	printf("ok sent=%llu got=%llu reply=%s\n", (unsigned long long)client.sent,
		(unsigned long long)client.got, client.reply);
	return 0;
}

static int64_t when(const char *text)
{
	return text != NULL ? (int64_t)strtoll(text, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
	struct err err = {0};
	int status = 2;

	setvbuf(stdout, NULL, _IOLBF, 0);
	loop = rpc_loop_new(&err);
	if (loop == NULL)
		die(&err);
	if (argc == 3 && strcmp(argv[1], "ca") == 0) {
		peer_make_ca(argv[2]);
		status = 0;
	} else if (argc == 3 && strcmp(argv[1], "fleet") == 0) {
		peer_make_fleet(argv[2]);
		status = 0;
	} else if (argc >= 5 && strcmp(argv[1], "cert") == 0) {
		const char *host = argc > 5 && strcmp(argv[5], "-") != 0 ? argv[5] : NULL;

		peer_make_cert(argv[2], argv[3], argv[4], host, when(argc > 6 ? argv[6] : NULL),
			when(argc > 7 ? argv[7] : NULL));
		status = 0;
	} else if (argc >= 4 && strcmp(argv[1], "serve") == 0) {
		status = serve(argv[2], argv[3], argv + 4);
	} else if (argc >= 8 && strcmp(argv[1], "call") == 0) {
		status = call(argv + 2);
	}
	rpc_deny_fini(&deny);
	rpc_loop_free(loop);
	return status;
}
