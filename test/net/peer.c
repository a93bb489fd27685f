/* The test methods: each is as small as its purpose allows. */
#include "test/net/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/cbor.h"
#include "lib/file.h"
#include "lib/pool.h"
#include "rpc/ca.h"
#include "rpc/wire.h"

/* A prime length, so that no block or frame is a multiple of it. */
#define PATTERN_LEN 65521

static uint8_t pattern[2 * PATTERN_LEN];

static void make_pattern(void)
{
	uint32_t i;

	if (pattern[1] != 0)
		return;
	for (i = 0; i < 2 * PATTERN_LEN; i++) {
		uint32_t j = i % PATTERN_LEN;

		pattern[i] = (uint8_t)(j * j * 7 + j * 13 + (j >> 3));
	}
}

uint8_t peer_byte(uint64_t offset)
{
	make_pattern();
	return pattern[offset % PATTERN_LEN];
}

void peer_fill(uint8_t *to, uint64_t offset, size_t len)
{
	make_pattern();
	while (len > 0) {
		size_t n = len < PATTERN_LEN ? len : PATTERN_LEN;

		memcpy(to, pattern + offset % PATTERN_LEN, n);
		to += n;
		offset += n;
		len -= n;
	}
}

struct buf peer_blob(uint64_t len)
{
	static uint8_t *blob;

	if (blob == NULL) {
		if ((blob = malloc(PEER_BLOB_MAX)) == NULL)
			abort();
		peer_fill(blob, 0, PEER_BLOB_MAX);
	}
	return (struct buf){.data = blob, .len = len < PEER_BLOB_MAX ? len : PEER_BLOB_MAX};
}

bool peer_check(const uint8_t *bytes, uint64_t offset, size_t len)
{
	make_pattern();
	while (len > 0) {
		size_t n = len < PATTERN_LEN ? len : PATTERN_LEN;

		if (memcmp(bytes, pattern + offset % PATTERN_LEN, n) != 0)
			return false;
		bytes += n;
		offset += n;
		len -= n;
	}
	return true;
}

uint32_t peer_random(uint64_t *state, uint32_t limit)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % limit;
}

/* State of a served call. */
struct task {
	struct pool_job job;
	struct peer_state *state;
	struct rpc_call *call;
	struct rpc_timer timer;
	uint64_t offset, len;
	int64_t ms;
	bool bad;
	bool granted; /* put: it is running */
	struct task *put_next;
	struct buf held; /* twice */
};

static void task_done(void *arg, const struct err *err)
{
	struct task *t = arg;

	(void)err;
	t->state->over++;
	rpc_timer_stop(&t->timer);
	buf_fini(&t->held);
	free(t);
}

static struct task *task_new(void *ctx, struct rpc_call *call, const struct rpc_call_ops *ops)
{
	struct task *t = calloc(1, sizeof *t);

	if (t == NULL)
		abort();
	t->state = ctx;
	t->state->handled++;
	t->call = call;
	buf_init(&t->held, PEER_BLOB_MAX);
	rpc_call_serve(call, ops, t);
	return t;
}

static void reply_empty(struct rpc_call *call, const struct buf *blob)
{
	rpc_call_reply(call, "\xa0", 1, blob);
}

static void echo(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	uint8_t mem[RPC_PAYLOAD_MAX];
	struct cbor_out out;

	((struct peer_state *)ctx)->handled++;
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "data");
	cbor_put_bytes(&out, v[0].bytes, v[0].len);
	rpc_call_reply(call, mem, cbor_out_len(&out), NULL);
}

static void sink_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct task *t = arg;
	uint8_t mem[64];
	struct cbor_out out;

	if (!peer_check(bytes, t->offset, len))
		t->bad = true;
	t->offset += len;
	rpc_call_took(t->call, len);
	if (!last)
		return;
	t->state->sunk += t->offset;
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "len");
	cbor_put_uint(&out, t->offset);
	cbor_put_text(&out, "good");
	cbor_put_bool(&out, !t->bad);
	rpc_call_reply(t->call, mem, cbor_out_len(&out), NULL);
}

static void sink(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.data = sink_data, .done = task_done};
	struct task *t = task_new(ctx, call, &ops);

	(void)v;
	if (!rpc_call_has_blob(call))
		sink_data(t, NULL, 0, true);
}

static void source(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.done = task_done};
	struct buf blob = peer_blob(v[0].number);
	uint8_t mem[64];
	struct cbor_out out;

	task_new(ctx, call, &ops);
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "len");
	cbor_put_uint(&out, v[0].number);
	rpc_call_reply(call, mem, cbor_out_len(&out), &blob);
}

static void abort_sent(void *arg, size_t len)
{
	struct task *t = arg;
	struct err err = {0};

	t->offset += len;
	if (t->offset < t->len || t->bad)
		return;
	t->bad = true;
	err_set(&err, ERR_IO, "the source has failed, as it was told to");
	rpc_call_fail(t->call, &err);
}

static void abort_source(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.sent = abort_sent, .done = task_done};
	struct task *t = task_new(ctx, call, &ops);
	struct buf blob = peer_blob(UINT64_MAX);

	t->len = v[0].number;
	reply_empty(call, &blob);
}

static void sleep_over(void *arg)
{
	struct task *t = arg;

	reply_empty(t->call, NULL);
}

static void sleep_start(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.done = task_done};
	struct task *t = task_new(ctx, call, &ops);

	rpc_timer_start(&t->timer, t->state->loop, (int64_t)v[0].number, sleep_over, t);
}

static void twice_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct task *t = arg;

	if (buf_add(&t->held, bytes, len, NULL) != 0)
		abort();
	rpc_call_took(t->call, len);
	if (last)
		reply_empty(t->call, &t->held);
}

static void twice(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.data = twice_data, .done = task_done};

	(void)v;
	task_new(ctx, call, &ops);
}

static void fail(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct err err = {0};

	(void)v;
	((struct peer_state *)ctx)->handled++;
	err_set(&err, ERR_DAMAGE, "bad \033[31mred\033[0m\nand \xe2\x80\xae more");
	rpc_call_fail(call, &err);
}

static void hold(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.done = task_done};

	(void)v;
	task_new(ctx, call, &ops);
}

static void stuck_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct task *t = arg;

	(void)bytes, (void)last;
	t->offset += len;
}

static void stuck(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.data = stuck_data, .done = task_done};

	(void)v;
	task_new(ctx, call, &ops);
}

static void tight_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct task *t = arg;

	(void)bytes;
	rpc_call_took(t->call, len);
	if (last)
		reply_empty(t->call, NULL);
}

static void tight(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.data = tight_data, .done = task_done};

	(void)v;
	task_new(ctx, call, &ops);
	if (!rpc_call_has_blob(call))
		reply_empty(call, NULL);
}

static void early(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	(void)v;
	((struct peer_state *)ctx)->handled++;
	reply_empty(call, NULL);
}

static void whoami(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	const struct rpc_identity *peer = rpc_call_peer(call);
	uint8_t mem[256];
	struct cbor_out out;

	(void)v;
	((struct peer_state *)ctx)->handled++;
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "name");
	cbor_put_text(&out, peer->name);
	cbor_put_text(&out, "role");
	cbor_put_text(&out, rpc_role_name(peer->role));
	cbor_put_text(&out, "host");
	cbor_put_text(&out, peer->host);
	rpc_call_reply(call, mem, cbor_out_len(&out), NULL);
}

static void note(void *ctx, const struct rpc_identity *peer, const struct cbormap_value *v)
{
	(void)peer;
	((struct peer_state *)ctx)->notes += v[0].number;
}

/* --- PEER_PUT: a blob is sent in its turn, or not at all --- */

static void put_grant(struct peer_state *state)
{
	while (state->put_first != NULL && state->puts_running < state->put_max) {
		struct task *t = state->put_first;

		state->put_first = t->put_next;
		state->puts_waiting--;
		state->puts_running++;
		t->granted = true;
		rpc_call_grant(t->call, (uint32_t)t->len);
	}
}

static void put_reply(struct rpc_call *call, bool had)
{
	uint8_t mem[16];
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "had");
	cbor_put_bool(&out, had);
	rpc_call_reply(call, mem, cbor_out_len(&out), NULL);
}

static void put_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct task *t = arg;
	struct err err = {0};

	if (!peer_check(bytes, t->offset, len))
		t->bad = true;
	t->offset += len;
	if (!last)
		return;
	if (t->bad || t->offset != t->len) {
		err_set(&err, ERR_DAMAGE, "put: the blob is not what it should be");
		rpc_call_fail(t->call, &err);
		return;
	}
	t->state->sunk += t->offset;
	put_reply(t->call, false);
}

static void put_done(void *arg, const struct err *err)
{
	struct task *t = arg, **at = &t->state->put_first;
	struct peer_state *state = t->state;

	if (t->granted) {
		state->puts_running--;
	} else {
		while (*at != NULL && *at != t)
			at = &(*at)->put_next;
		if (*at == t) {
			*at = t->put_next;
			state->puts_waiting--;
		}
	}
	task_done(t, err);
	put_grant(state);
}

static void put(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.data = put_data, .done = put_done};
	struct peer_state *state = ctx;
	struct task *t = task_new(ctx, call, &ops), **at = &state->put_first;

	t->len = v[0].number;
	if (v[1].number != 0 || !rpc_call_has_blob(call)) {
		put_reply(call, true);
		return;
	}
	while (*at != NULL)
		at = &(*at)->put_next;
	*at = t;
	if (++state->puts_waiting > state->puts_most)
		state->puts_most = state->puts_waiting;
	put_grant(state);
}

/* --- PEER_WORK: the call may be over before the thread is --- */

static void work_work(struct pool_job *job)
{
	usleep((unsigned)((struct task *)job)->ms * 1000);
}

static void work_done(struct pool_job *job)
{
	struct task *t = (struct task *)job;

	t->ms = -1;
	reply_empty(t->call, NULL);
}

static void work_drop(struct pool_job *job)
{
	free(job);
}

static void work_over(void *arg, const struct err *err)
{
	struct task *t = arg;

	(void)err;
	t->state->over++;
	if (t->ms >= 0)
		pool_cancel(t->state->pool, &t->job);
	else
		free(t);
}

static void work(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.done = work_over};
	struct task *t = task_new(ctx, call, &ops);
	struct err err = {0};

	t->ms = (int64_t)v[0].number;
	t->job.work = work_work;
	t->job.done = work_done;
	t->job.drop = work_drop;
	if (pool_start(t->state->pool, &t->job) != 0) {
		t->ms = -1;
		err_set(&err, ERR_BUSY, "too much work");
		rpc_call_fail(call, &err);
	}
}

/* --- The table --- */

static const struct cbormap_field echo_fields[] = {
	{.key = "data", .type = CBORMAP_BYTES, .need = true, .max = 16000},
	{0},
};
static const struct cbormap_field source_fields[] = {
	{.key = "len", .type = CBORMAP_UINT, .need = true},
	{.key = "seed", .type = CBORMAP_UINT},
	{0},
};
static const struct cbormap_field put_fields[] = {
	{.key = "len",
		.type = CBORMAP_UINT,
		.need = true,
		.min = 1,
		.max = RPC_WINDOW_MAX - RPC_WINDOW},
	{.key = "had", .type = CBORMAP_BOOL},
	{0},
};
static const struct cbormap_field ms_fields[] = {
	{.key = "ms", .type = CBORMAP_UINT, .need = true, .max = 60000},
	{0},
};
static const struct cbormap_field tight_fields[] = {
	{.key = "data", .type = CBORMAP_BYTES, .max = 64},
	{.key = "name", .type = CBORMAP_NAME},
	{0},
};
static const struct cbormap_field note_fields[] = {
	{.key = "n", .type = CBORMAP_UINT, .need = true, .max = 1000},
	{0},
};

#define ANYBODY                                                                                    \
	(RPC_ROLE_BIT(RPC_AGENT) | RPC_ROLE_BIT(RPC_MANAGER) | RPC_ROLE_BIT(RPC_STORE) |           \
		RPC_ROLE_BIT(RPC_OPERATOR))
#define ENDLESS UINT64_MAX

const struct rpc_method peer_methods[] = {
	{PEER_ECHO, "echo", ANYBODY, RPC_PAYLOAD_MAX, 0, 10000, echo_fields, echo, NULL},
	{PEER_SINK, "sink", ANYBODY, 16, ENDLESS, 10000, NULL, sink, NULL},
	{PEER_SOURCE, "source", ANYBODY, 64, 0, 10000, source_fields, source, NULL},
	{PEER_SLEEP, "sleep", ANYBODY, 64, 0, 70000, ms_fields, sleep_start, NULL},
	{PEER_TWICE, "twice", ANYBODY, 16, ENDLESS, 10000, NULL, twice, NULL},
	{PEER_FAIL, "fail", ANYBODY, 16, 0, 10000, NULL, fail, NULL},
	{PEER_HOLD, "hold", ANYBODY, 16, 0, 300, NULL, hold, NULL},
	{PEER_TIGHT, "tight", ANYBODY, 100, 1000, 10000, tight_fields, tight, NULL},
	{PEER_NOTE, "note", ANYBODY, 64, 0, 0, note_fields, NULL, note},
	{PEER_PUT, "put", ANYBODY, 64, RPC_WINDOW_MAX, 10000, put_fields, put, NULL},
	{PEER_WORK, "work", ANYBODY, 64, 0, 70000, ms_fields, work, NULL},
	{PEER_ABORT, "abort", ANYBODY, 64, 0, 10000, source_fields, abort_source, NULL},
	{PEER_STUCK, "stuck", ANYBODY, 16, ENDLESS, 10000, NULL, stuck, NULL},
	{PEER_EARLY, "early", ANYBODY, 16, ENDLESS, 10000, NULL, early, NULL},
	{PEER_WHOAMI, "whoami", ANYBODY, 16, 0, 10000, NULL, whoami, NULL},
	{PEER_FOR_AGENTS, "for-agents", RPC_ROLE_BIT(RPC_AGENT), 16, 0, 10000, NULL, early, NULL},
	{PEER_FOR_MANAGERS, "for-managers", RPC_ROLE_BIT(RPC_MANAGER), 16, 0, 10000, NULL, early,
		NULL},
	{PEER_FOR_STORES, "for-stores", RPC_ROLE_BIT(RPC_STORE), 16, 0, 10000, NULL, early, NULL},
	{PEER_FOR_OPERATORS, "for-operators", RPC_ROLE_BIT(RPC_OPERATOR), 16, 0, 10000, NULL, early,
		NULL},
};
const size_t peer_methods_count = sizeof peer_methods / sizeof *peer_methods;

static void log_access(void *ctx, const struct rpc_access *access)
{
	struct peer_state *state = ctx;
	char line[RPC_ACCESS_MAX];

	state->logged++;
	state->last = *access;
	if (state->print) {
		rpc_access_line(line, access);
		fprintf(stderr, "%s\n", line);
	}
}

void peer_service(struct rpc_service *service, struct peer_state *state)
{
	*service = (struct rpc_service){
		.methods = peer_methods,
		.count = peer_methods_count,
		.ctx = state,
		.log = log_access,
	};
}

/* --- Certificates --- */

static void must(int status, const struct err *err)
{
	if (status != 0) {
		fprintf(stderr, "%s\n", err->message);
		exit(2);
	}
}

struct paths {
	char key[512], cert[512];
};

static struct paths paths_of(const char *folder, const char *name)
{
	struct paths p;

	snprintf(p.key, sizeof p.key, "%s/%s.key", folder, name);
	snprintf(p.cert, sizeof p.cert, "%s/%s.crt", folder, name);
	return p;
}

void peer_make_intermediate(const char *folder, const char *file, const char *manager)
{
	struct paths root = paths_of(folder, "root"), own = paths_of(folder, file);
	char host[RPC_HOST_LEN + 1];
	struct err err = {0};
	struct buf csr, cert;
	struct rpc_ca *ca = rpc_ca_open(root.key, root.cert, NULL, NULL, &err);

	must(ca == NULL ? -1 : 0, &err);
	buf_init(&csr, RPC_CSR_MAX);
	buf_init(&cert, RPC_CHAIN_MAX);
	must(rpc_host_new(host, &err), &err);
	must(rpc_key_make(own.key, &err), &err);
	must(rpc_csr_make(own.key, &csr, &err), &err);
	must(rpc_ca_intermediate(ca, csr.data, csr.len, manager, host, &cert, &err), &err);
	must(file_write(own.cert, cert.data, cert.len, 0644, &err), &err);
	buf_fini(&csr);
	buf_fini(&cert);
	rpc_ca_close(ca);
}

void peer_make_root(const char *folder)
{
	struct paths root = paths_of(folder, "root");
	struct err err = {0};

	must(rpc_ca_make(root.key, root.cert, "test-root", NULL, &err), &err);
}

void peer_make_ca(const char *folder)
{
	peer_make_root(folder);
	peer_make_intermediate(folder, "int", "m1");
}

void peer_make_cert_by(const char *folder, const char *issuer, const char *file, const char *name,
	const char *role, const char *host, int64_t not_before, int64_t not_after)
{
	struct paths above = paths_of(folder, issuer), own = paths_of(folder, file);
	char new_host[RPC_HOST_LEN + 1];
	struct rpc_identity id;
	struct err err = {0};
	struct buf csr, chain;
	struct rpc_ca *ca = rpc_ca_open(above.key, above.cert, NULL, NULL, &err);

	must(ca == NULL ? -1 : 0, &err);
	buf_init(&csr, RPC_CSR_MAX);
	buf_init(&chain, RPC_CHAIN_MAX);
	must(rpc_host_new(new_host, &err), &err);
	must(rpc_identity_set(&id, rpc_role_get(role, strlen(role)), name,
		     host != NULL ? host : new_host, &err),
		&err);
	must(rpc_key_make(own.key, &err), &err);
	must(rpc_csr_make(own.key, &csr, &err), &err);
	must(rpc_ca_sign(ca, csr.data, csr.len, &id, not_before, not_after, &chain, &err), &err);
	must(file_write(own.cert, chain.data, chain.len, 0644, &err), &err);
	buf_fini(&csr);
	buf_fini(&chain);
	rpc_ca_close(ca);
}

void peer_make_cert(const char *folder, const char *name, const char *role, const char *host,
	int64_t not_before, int64_t not_after)
{
	peer_make_cert_by(folder, strcmp(role, "operator") == 0 ? "root" : "int", name, name, role,
		host, not_before, not_after);
}

void peer_make_fleet(const char *folder)
{
	static const char *const below[][4] = {
		{"int", "m1", "a1", "s1"}, {"int2", "m2", "a2", "s2"}};
	int64_t now = time(NULL);
	size_t i;

	peer_make_ca(folder);
	peer_make_intermediate(folder, "int2", "m2");
	for (i = 0; i < 2; i++) {
		const char *const *b = below[i];
		char operator[8];

		snprintf(operator, sizeof operator, "o-%s", b[1]);
		peer_make_cert_by(folder, b[0], b[1], b[1], "manager", NULL, 0, 0);
		peer_make_cert_by(folder, b[0], b[2], b[2], "agent", NULL, 0, 0);
		peer_make_cert_by(folder, b[0], b[3], b[3], "store", NULL, 0, 0);
		peer_make_cert_by(folder, b[0], operator, b[1], "operator", NULL, 0, 0);
	}
	peer_make_cert(folder, "o1", "operator", NULL, 0, 0);
	peer_make_cert(folder, "expired", "agent", NULL, now - 1000, now - 10);
	peer_make_cert(folder, "early", "agent", NULL, now + 1000, now + 2000);
}

struct rpc_tls_conf *peer_conf(
	const char *folder, const char *name, const struct rpc_deny *deny, struct err *err)
{
	struct paths own = paths_of(folder, name), root = paths_of(folder, "root");
	struct rpc_tls_opts opts = {
		.kind = RPC_TLS_MUTUAL,
		.cert = own.cert,
		.key = own.key,
		.ca = root.cert,
		.deny = deny,
	};

	return rpc_tls_conf_new(&opts, err);
}
