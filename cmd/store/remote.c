/* A store behind a service: opened and closed, what operators do, and the kind itself. */
#include "cmd/store/remote.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/net.h"
#include "cmd/store/proto.h"
#include "lib/name.h"
#include "rpc/ca.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define CLOSE_MS 5000

/* --- life ------------------------------------------------------------------ */

/* NAME or NAME:PORT. Returns 0, or -1 with err set. */
static int find(
	struct store *s, char name[NAME_LEN_MAX + 1], struct store_address *to, struct err *err)
{
	const char *colon = strchr(s->name, ':');
	size_t len = colon != NULL ? (size_t)(colon - s->name) : strlen(s->name);

	if (!name_ok(s->name, len))
		return err_set(
			err, ERR_USAGE, "'%s' is not the name of a store: %s", s->name, NAME_RULE);
	memcpy(name, s->name, len);
	name[len] = 0;
	if (s->access.net == NULL)
		return err_set(err, ERR_CONFIG,
			"'%s' is the name of a service, and this machine has joined no fleet; a "
			"directory is written with a slash, as ./%s",
			s->name, s->name);
	if (s->access.net->find(s->access.net->ctx, name, to, err) != 0)
		return -1;
	if (colon != NULL && strlen(colon + 1) < sizeof to->port)
		strcpy(to->port, colon + 1);
	return 0;
}

static int remote_about(struct store *s, struct store_about *about, struct err *err);
static int ask_about(struct remote *r, struct store_about *about, struct err *err);

static int unhex_host(const char *host, uint8_t bytes[STORE_HOST_LEN])
{
	size_t i;
	unsigned byte;

	for (i = 0; i < STORE_HOST_LEN; i++) {
		if (sscanf(host + 2 * i, "%2x", &byte) != 1)
			return -1;
		bytes[i] = (uint8_t)byte;
	}
	return 0;
}

static int remote_open(struct store *s, enum store_mode mode, struct err *err)
{
	struct remote *r = (struct remote *)s;
	const struct store_net *net = s->access.net;
	struct rpc_tls_opts tls = {.kind = RPC_TLS_MUTUAL};
	char name[NAME_LEN_MAX + 1];
	struct store_address to;
	struct rpc_client_opts opts = {
		.tls = &tls,
		.patience_ms = s->access.patience_ms,
		.bytes_max = UINT64_MAX, /* the window below is smaller */
	};
	struct rpc_cert_info info;
	struct store_about about;

	(void)mode;
	if (find(s, name, &to, err) != 0)
		return -1;
	tls.cert = net->cert;
	tls.key = net->key;
	tls.ca = net->ca;
	opts.expect = (struct rpc_expect){RPC_STORE, name};
	opts.host = to.host;
	opts.port = to.port;
	opts.times = net->times;
	opts.connect_ms = net->connect_ms;
	if (rpc_cert_info(net->cert, &info, err) != 0 || unhex_host(info.id.host, r->host) != 0)
		return -1;
	r->client = rpc_client_open(&opts, err);
	if (r->client == NULL)
		return -1;
	if (ask_about(r, &about, err) == 0 && net->pin(net->ctx, name, s->uid, s->public, err) == 0)
		return 0;
	rpc_client_close(r->client, 0);
	r->client = NULL;
	return -1;
}

/* Sets uid and public too: of a store that is open they must stay the same. */
static int ask_about(struct remote *r, struct store_about *about, struct err *err)
{
	struct rpc_client_request request = {.method = STORE_METHOD_ABOUT};
	struct rpc_value v[STORE_ABOUT_FIELDS];
	struct store *s = &r->base;
	struct cbor_out params;
	struct buf reply;
	uint8_t mem[16];
	int ret;

	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, 0);
	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = store_remote_call(r, &request, &params, store_about_fields, v, &reply, NULL, err);
	if (ret == 0 && s->open &&
		(memcmp(s->uid, v[STORE_ABOUT_UID].bytes, STORE_UID_LEN) != 0 ||
			memcmp(s->public, v[STORE_ABOUT_PUBLIC].bytes, SEAL_SIGN_LEN) != 0))
		ret = err_set(err, ERR_DENIED, "%s: another store answers than before", s->name);
	if (ret == 0) {
		memcpy(s->uid, v[STORE_ABOUT_UID].bytes, STORE_UID_LEN);
		memcpy(s->public, v[STORE_ABOUT_PUBLIC].bytes, SEAL_SIGN_LEN);
		*about = (struct store_about){.time = v[STORE_ABOUT_TIME].integer,
			.free = v[STORE_ABOUT_FREE].number,
			.reserve = v[STORE_ABOUT_RESERVE].number,
			.size = v[STORE_ABOUT_SIZE].number,
			.used = v[STORE_ABOUT_USED].number,
			.has_quota = v[STORE_ABOUT_OWN_USED].has && v[STORE_ABOUT_OWN_QUOTA].has,
			.own_used = v[STORE_ABOUT_OWN_USED].number,
			.own_quota = v[STORE_ABOUT_OWN_QUOTA].number,
			.lock_max_sec = v[STORE_ABOUT_LOCK_MAX].integer};
	}
	buf_fini(&reply);
	return ret;
}

static int remote_about(struct store *s, struct store_about *about, struct err *err)
{
	return ask_about((struct remote *)s, about, err);
}

static void end_run(struct remote *r)
{
	struct rpc_client_request request = {.method = STORE_METHOD_END, .timeout_ms = CLOSE_MS};
	struct cbor_out params;
	struct buf reply;
	uint8_t mem[64];

	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, 1);
	cbor_put_text(&params, "run");
	cbor_put_bytes(&params, r->run_id, sizeof r->run_id);
	buf_init(&reply, RPC_PAYLOAD_MAX);
	store_remote_call(r, &request, &params, NULL, NULL, &reply, NULL, NULL);
	buf_fini(&reply);
}

static void remote_close(struct store *s)
{
	struct remote *r = (struct remote *)s;
	size_t i;

	pthread_mutex_lock(&r->lock);
	if (r->puts == 0 && s->begun && !r->failed) {
		pthread_mutex_unlock(&r->lock);
		end_run(r);
	} else {
		pthread_mutex_unlock(&r->lock);
		rpc_client_cancel(r->client);
	}
	rpc_client_close(r->client, CLOSE_MS); /* ends what is under way */
	r->client = NULL;
	assert(r->puts == 0 && r->bytes == 0);
	for (i = 0; i < STORE_REMOTE_AHEAD; i++) {
		buf_fini(&r->aheads[i].record);
		r->aheads[i] = (struct ahead){.remote = r};
		buf_init(&r->aheads[i].record, STORE_REMOTE_BLOB);
	}
	r->failed = false;
	r->stored = 0;
	r->commit = COMMIT_NONE;
	buf_fini(&r->record);
	buf_fini(&r->missing);
}

static void remote_free(struct store *s)
{
	struct remote *r = (struct remote *)s;
	size_t i;

	for (i = 0; i < STORE_REMOTE_AHEAD; i++)
		buf_fini(&r->aheads[i].record);
	pthread_cond_destroy(&r->change);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* --- operators ------------------------------------------------------------- */

static int dump_call(struct store *s, uint16_t method, const uint8_t *dump, const int64_t *until,
	struct err *err)
{
	struct rpc_client_request request = {.method = method};
	struct cbor_out params;
	uint8_t mem[64];

	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, until != NULL ? 2 : 1);
	cbor_put_text(&params, "dump");
	cbor_put_bytes(&params, dump, STORE_DUMP_ID);
	if (until != NULL) {
		cbor_put_text(&params, "until");
		cbor_put_int(&params, *until);
	}
	return store_remote_flag((struct remote *)s, &request, &params, NULL, err);
}

static int remote_delete(struct store *s, const uint8_t *dump, struct err *err)
{
	return dump_call(s, STORE_METHOD_DELETE, dump, NULL, err);
}

static int remote_lock(struct store *s, const uint8_t *dump, int64_t until, struct err *err)
{
	return dump_call(s, STORE_METHOD_LOCK, dump, &until, err);
}

static int remote_check(struct store *s, enum store_check what, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err)
{
	(void)s;
	(void)what;
	(void)problem;
	(void)ctx;
	(void)result;
	(void)err;
	return 1;
}

static const struct store_kind remote_kind = {
	.open = remote_open,
	.close = remote_close,
	.free = remote_free,
	.about = remote_about,
	.begin = store_remote_begin,
	.have = store_remote_have,
	.put = store_remote_put,
	.settle = store_remote_settle,
	.commit_start = store_remote_commit_start,
	.commit_wait = store_remote_commit_wait,
	.dumps = store_remote_dumps,
	.hold = store_remote_hold,
	.ahead = store_remote_ahead,
	.get = store_remote_get,
	.delete = remote_delete,
	.lock = remote_lock,
	.check = remote_check,
};

struct store *store_remote_new(struct err *err)
{
	struct remote *r = calloc(1, sizeof *r);
	pthread_condattr_t attr;
	size_t i;

	if (r == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->base.kind = &remote_kind;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->change, &attr);
	pthread_condattr_destroy(&attr);
	buf_init(&r->record, STORE_DUMP_MAX);
	buf_init(&r->missing, (size_t)STORE_MISSING_MAX * STORE_ID_LEN);
	for (i = 0; i < STORE_REMOTE_AHEAD; i++) {
		r->aheads[i].remote = r;
		buf_init(&r->aheads[i].record, STORE_REMOTE_BLOB);
	}
	return &r->base;
}
