/* A store behind a service: opened and closed, what operators do, and the kind itself. */
#include "cmd/store/remote.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/net.h"
#include "cmd/store/proto.h"
#include "lib/esc.h"
#include "lib/name.h"
#include "lib/uptime.h"
#include "rpc/ca.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define CLOSE_MS 5000

/* --- life ------------------------------------------------------------------ */

/* NAME or NAME:PORT. Returns 0, or -1 with err set. */
static int find(struct remote *r, struct store_address *to, struct err *err)
{
	struct store *s = &r->base;
	const char *colon = strchr(s->name, ':');
	size_t len = colon != NULL ? (size_t)(colon - s->name) : strlen(s->name);

	if (!name_ok(s->name, len))
		return err_set(
			err, ERR_USAGE, "'%s' is not the name of a store: %s", s->name, NAME_RULE);
	memcpy(r->service, s->name, len);
	r->service[len] = 0;
	if (s->access.net == NULL)
		return err_set(err, ERR_CONFIG,
			"'%s' is the name of a service, and this machine has joined no fleet; a "
			"directory is written with a slash, as ./%s",
			s->name, s->name);
	if (s->access.net->find(s->access.net->ctx, r->service, to, err) != 0)
		return -1;
	if (colon != NULL && strlen(colon + 1) < sizeof to->port)
		strcpy(to->port, colon + 1);
	return 0;
}

static int dial(struct remote *r, const struct store_address *to, struct err *err)
{
	static struct mutex one = MUTEX_INITIALIZER; /* clients are made one by one */
	const struct store_net *net = r->base.access.net;
	const struct rpc_tls_opts tls = {
		.kind = RPC_TLS_MUTUAL, .cert = net->cert, .key = net->key, .ca = net->ca};
	const struct rpc_client_opts opts = {
		.tls = &tls,
		.expect = {RPC_STORE, r->service},
		.host = to->host,
		.port = to->port,
		.times = net->times,
		.patience_ms = r->base.access.patience_ms,
		.connect_ms = net->connect_ms,
		.bytes_max = UINT64_MAX, /* the window below is smaller */
	};
	struct rpc_cert_info info;

	mutex_lock(&one);
	if (rpc_cert_info(net->cert, &info, err) == 0 &&
		esc_unhex(r->host, sizeof r->host, info.id.host))
		r->client = rpc_client_open(&opts, err);
	mutex_unlock(&one);
	return r->client != NULL ? 0 : -1;
}

static void hang_up(struct remote *r, int64_t deadline_ms)
{
	rpc_client_close(r->client, deadline_ms); /* ends what is under way */
	r->client = NULL;
}

static int read_about(struct remote_about *is, const uint8_t *reply, size_t len, struct err *err)
{
	struct cbormap_value v[STORE_ABOUT_FIELDS];

	if (cbormap_get(v, store_about_fields, reply, len, err) != 0)
		return -1;
	memcpy(is->uid, v[STORE_ABOUT_UID].bytes, STORE_UID_LEN);
	memcpy(is->public, v[STORE_ABOUT_PUBLIC].bytes, SEAL_SIGN_LEN);
	is->about = (struct store_about){.time = v[STORE_ABOUT_TIME].integer,
		.free = v[STORE_ABOUT_FREE].number,
		.reserve = v[STORE_ABOUT_RESERVE].number,
		.size = v[STORE_ABOUT_SIZE].number,
		.used = v[STORE_ABOUT_USED].number,
		.has_quota = v[STORE_ABOUT_OWN_USED].has && v[STORE_ABOUT_OWN_QUOTA].has,
		.own_used = v[STORE_ABOUT_OWN_USED].number,
		.own_quota = v[STORE_ABOUT_OWN_QUOTA].number,
		.lock_max_sec = v[STORE_ABOUT_LOCK_MAX].integer};
	return 0;
}

/* In the client's thread. */
static void about_done(void *arg, const struct rpc_client_answer *answer)
{
	struct remote *r = arg;

	mutex_lock(&r->lock);
	r->greeted = true;
	if (answer->err != NULL)
		r->open_why = *answer->err;
	else
		read_about(&r->is, answer->reply, answer->reply_len, &r->open_why);
	pthread_cond_broadcast(&r->change);
	mutex_unlock(&r->lock);
}

/* Dials, and asks what is there; who waits for the answer is told of it by remote_open. */
static int remote_open_start(struct store *s, struct err *err)
{
	static const uint8_t no_params[] = {0xa0};
	struct remote *r = (struct remote *)s;
	const struct rpc_client_request request = {.method = STORE_METHOD_ABOUT,
		.params = no_params,
		.len = sizeof no_params,
		.done = about_done,
		.arg = r};
	struct store_address to;

	r->since_ms = uptime_ms();
	r->told = r->greeted = false;
	r->open_why = (struct err){0};
	if (find(r, &to, err) != 0 || dial(r, &to, err) != 0)
		return -1;
	if (rpc_client_start(r->client, &request, err) != NULL)
		return 0;
	hang_up(r, 0);
	return -1;
}

/* Whether it has answered, at the latest by then. */
static bool wait_greeted(struct remote *r, int64_t until_ms)
{
	bool greeted;

	mutex_lock(&r->lock);
	while (!r->greeted && uptime_ms() < until_ms)
		store_remote_wait(r, until_ms);
	greeted = r->greeted;
	mutex_unlock(&r->lock);
	return greeted;
}

/* Says for whom it waits, and why. */
static void tell_wait(struct remote *r)
{
	const struct store_access *access = &r->base.access;
	char text[ERR_MESSAGE_MAX + NAME_LEN_MAX + 32];
	struct err why;

	r->told = true;
	rpc_client_why(r->client, &why);
	snprintf(text, sizeof text, "waiting for store %s: %s", r->base.name, why.message);
	if (access->dials != NULL)
		access->dials(access->ctx, text);
}

static int remote_open(struct store *s, int64_t wait_ms, struct err *err)
{
	struct remote *r = (struct remote *)s;
	const struct store_net *net = s->access.net;
	int64_t end = uptime_ms() + wait_ms, tell = r->since_ms + STORE_TELL_MS;
	bool greeted = wait_greeted(r, !r->told && tell < end ? tell : end);

	if (!greeted && !r->told && uptime_ms() >= tell) {
		tell_wait(r);
		greeted = wait_greeted(r, end);
	}
	if (!greeted) {
		rpc_client_why(r->client, err);
		return STORE_OPENING;
	}
	memcpy(s->uid, r->is.uid, sizeof s->uid);
	memcpy(s->public, r->is.public, sizeof s->public);
	if (r->open_why.code != ERR_NONE)
		*err = r->open_why;
	else if (net->pin(net->ctx, r->service, s->uid, s->public, err) == 0)
		return STORE_OPEN;
	hang_up(r, 0);
	return -1;
}

static int remote_about(struct store *s, struct store_about *about, struct err *err)
{
	static const uint8_t no_params[] = {0xa0};
	const struct rpc_client_request request = {
		.method = STORE_METHOD_ABOUT, .params = no_params, .len = sizeof no_params};
	struct remote *r = (struct remote *)s;
	struct remote_about is;
	struct buf reply;
	int ret;

	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = rpc_client_call(r->client, &request, &reply, NULL, err);
	if (ret == 0)
		ret = read_about(&is, reply.data, reply.len, err);
	if (ret == 0 && (memcmp(s->uid, is.uid, sizeof is.uid) != 0 ||
				memcmp(s->public, is.public, sizeof is.public) != 0))
		ret = err_set(err, ERR_DENIED, "%s: another store answers than before", s->name);
	if (ret == 0)
		*about = is.about;
	buf_fini(&reply);
	return ret;
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

static void remote_cancel(struct store *s)
{
	rpc_client_cancel(((struct remote *)s)->client);
}

/* Whether nothing is under way, so that the connection can end in order. */
static bool is_idle(struct remote *r)
{
	bool idle;
	size_t i;

	mutex_lock(&r->lock);
	idle = r->base.open && r->puts == 0 && !r->failed;
	for (i = 0; i < STORE_REMOTE_AHEAD; i++)
		idle &= !r->aheads[i].used || r->aheads[i].done;
	mutex_unlock(&r->lock);
	return idle;
}

static void remote_close(struct store *s)
{
	struct remote *r = (struct remote *)s;
	size_t i;

	if (!is_idle(r))
		rpc_client_cancel(r->client);
	else if (s->begun)
		end_run(r);
	hang_up(r, CLOSE_MS);
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
	mutex_fini(&r->lock);
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
	.open_start = remote_open_start,
	.open = remote_open,
	.cancel = remote_cancel,
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
	size_t i;

	if (r == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->base.kind = &remote_kind;
	mutex_init(&r->lock);
	pthread_cond_init(&r->change, NULL);
	buf_init(&r->record, STORE_DUMP_MAX);
	buf_init(&r->missing, (size_t)STORE_MISSING_MAX * STORE_ID_LEN);
	for (i = 0; i < STORE_REMOTE_AHEAD; i++) {
		r->aheads[i].remote = r;
		buf_init(&r->aheads[i].record, STORE_REMOTE_BLOB);
	}
	return &r->base;
}
