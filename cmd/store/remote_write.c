/* Calls for writing to a service. Puts are in flight side by side; a commit is sent once all of
 * them were answered. */
#include "cmd/store/remote.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/store/parcel.h"
#include "lib/cbor.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/uptime.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define BUSY_MS 1000 /* between tries while the store is busy */
#define LOOK_MS 500  /* between looks at the connection, while an answer is waited for */

/* --- calls ---------------------------------------------------------------- */

void store_remote_params(struct rpc_client_request *request, uint8_t mem[STORE_HAVE_PARAMS],
	const struct cbormap_field *fields, const struct store_params *params)
{
	struct cbor_out out;

	cbor_out_init(&out, mem, STORE_HAVE_PARAMS);
	cbormap_put(&out, fields, params);
	assert(!cbor_out_full(&out));
	request->params = mem;
	request->len = cbor_out_len(&out);
}

void store_remote_tell_wait(struct remote *r)
{
	const struct store_access *access = &r->base.access;
	char text[ERR_MESSAGE_MAX + NAME_LEN_MAX + 32];
	struct err why;

	rpc_client_why(r->client, &why);
	snprintf(text, sizeof text, "waiting for store %s: %s", r->base.name, why.message);
	if (access->dials != NULL)
		access->dials(access->ctx, text);
}

/* Whether the connection is lost. If that lasts, the user is told once. */
static bool is_lost(struct remote *r)
{
	int64_t now = uptime_ms();
	struct rpc_client_stats stats;
	bool tell;

	rpc_client_stats(r->client, &stats);
	mutex_lock(&r->base.lock);
	if (!stats.up && (r->lost_at == 0 || r->lost != stats.connections)) {
		r->lost_at = now;
		r->lost = stats.connections;
		r->told = false;
	}
	tell = !stats.up && !r->told && now - r->lost_at >= STORE_TELL_MS;
	r->told |= tell;
	mutex_unlock(&r->base.lock);
	if (tell)
		store_remote_tell_wait(r);
	return !stats.up;
}

void store_remote_wait(struct remote *r, int64_t end)
{
	int64_t until = uptime_ms() + LOOK_MS;

	if (mutex_wait_until(&r->base.lock, &r->base.change, until < end ? until : end) == 0)
		return;
	mutex_unlock(&r->base.lock);
	is_lost(r);
	mutex_lock(&r->base.lock);
}

struct call {
	struct remote *remote;
	struct buf *reply, *blob;
	bool over;
	struct err why;
};

/* Runs in the client's thread. */
static void call_done(void *arg, const struct rpc_client_answer *answer)
{
	struct call *c = arg;
	struct remote *r = c->remote;

	mutex_lock(&r->base.lock);
	if (answer->err != NULL) {
		c->why = *answer->err;
	} else if (buf_add(c->reply, answer->reply, answer->reply_len, &c->why) == 0 &&
		   c->blob != NULL && answer->has_blob) { /* takes over the memory */
		buf_fini(c->blob);
		*c->blob = *answer->blob;
		buf_init(answer->blob, 0);
	}
	c->over = true;
	pthread_cond_broadcast(&r->base.change);
	mutex_unlock(&r->base.lock);
}

int store_remote_call(struct remote *r, const struct rpc_client_request *request, struct buf *reply,
	struct buf *blob, struct err *err)
{
	struct call c = {.remote = r, .reply = reply, .blob = blob};
	struct rpc_client_request q = *request;

	q.done = call_done;
	q.arg = &c;
	if (rpc_client_start(r->client, &q, err) == NULL)
		return -1;
	mutex_lock(&r->base.lock);
	while (!c.over) /* the client's patience ends it */
		store_remote_wait(r, INT64_MAX);
	mutex_unlock(&r->base.lock);
	if (c.why.code != ERR_NONE && err != NULL)
		*err = c.why;
	return c.why.code == ERR_NONE ? 0 : -1;
}

int store_remote_ask(struct remote *r, struct rpc_client_request *request,
	const struct cbormap_field *fields, const struct store_params *params, struct buf *blob,
	struct err *err)
{
	uint8_t mem[STORE_HAVE_PARAMS];
	struct buf reply = {.max = RPC_PAYLOAD_MAX};
	bool is = false;
	int ret;

	store_remote_params(request, mem, fields, params);
	ret = store_remote_call(r, request, &reply, blob, err);
	if (ret == 0)
		ret = cbormap_read(&is, store_flag_fields, reply.data, reply.len, err) == 0
			      ? !is
			      : err_prefix(err, "%s", r->base.name);
	buf_fini(&reply);
	return ret;
}

int store_remote_ask_patiently(struct remote *r, struct rpc_client_request *request,
	const struct cbormap_field *fields, const struct store_params *params, struct buf *blob,
	struct err *err)
{
	const struct timespec pause = uptime_timespec(BUSY_MS);
	int64_t end = uptime_ms() + r->base.access.patience_ms;
	int ret;

	while ((ret = store_remote_ask(r, request, fields, params, blob, err)) < 0 &&
		err->code == ERR_BUSY && uptime_ms() < end)
		nanosleep(&pause, NULL);
	return ret;
}

/* --- a run ----------------------------------------------------------------- */

int store_remote_begin(
	struct store *s, const struct store_run *run, bool *has_base, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {.method = STORE_METHOD_BEGIN, .greeting = true};
	struct store_params params = {.size = 0};
	struct store_proof proof;
	uint64_t stored;
	int ret;

	if (s->begun && store_remote_settle(s, &stored, err) != 0)
		return -1;
	if (seal_random(r->run_id, sizeof r->run_id, err) != 0)
		return -1;
	memcpy(proof.uid, s->uid, sizeof proof.uid);
	memcpy(proof.host, r->host, sizeof proof.host);
	memcpy(proof.run, r->run_id, sizeof proof.run);
	if (run->prove != NULL &&
		run->prove(run->ctx, &proof, params.public, params.proof, err) != 0)
		return -1;
	memcpy(params.run, r->run_id, sizeof params.run);
	memcpy(params.domain, run->domain, sizeof params.domain);
	if (run->name != NULL)
		snprintf(params.name, sizeof params.name, "%s", run->name);
	if (run->base != NULL)
		memcpy(params.dump, run->base, sizeof params.dump);
	ret = store_remote_ask_patiently(r, &request, store_begin_fields, &params, NULL, err);
	*has_base = ret == 0;
	return ret < 0 ? -1 : 0;
}

/* Without `ask` it answers "unknown": a put asks as well, and need not be waited for. */
int store_remote_have(struct store *s, const uint8_t *ids, size_t count, bool ask,
	enum store_answer *answers, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {.method = STORE_METHOD_HAVE};
	struct store_params params = {.ids = {ids, count * STORE_ID_LEN}};
	struct cbormap_blob has;
	uint8_t mem[STORE_HAVE_PARAMS];
	struct buf reply = {.max = RPC_PAYLOAD_MAX};
	size_t i;
	int ret;

	for (i = 0; i < count; i++)
		answers[i] = STORE_UNKNOWN;
	if (!ask)
		return 0;
	memcpy(params.domain, s->run.domain, sizeof params.domain);
	store_remote_params(&request, mem, store_have_fields, &params);
	ret = store_remote_call(r, &request, &reply, NULL, err);
	if (ret == 0 && cbormap_read(&has, store_bits_fields, reply.data, reply.len, err) != 0)
		ret = err_prefix(err, "%s", s->name);
	if (ret == 0 && has.len != (count + 7) / 8)
		ret = err_set(err, ERR_FORMAT, "%s: malformed answer", s->name);
	for (i = 0; i < count && ret == 0; i++)
		answers[i] =
			((const uint8_t *)has.bytes)[i / 8] >> i % 8 & 1 ? STORE_HAS : STORE_LACKS;
	buf_fini(&reply);
	return ret;
}

struct put {
	struct remote *remote;
	struct store_parcel *parcel;
};

/* Runs in the client's thread. */
static void put_done(void *arg, const struct rpc_client_answer *answer)
{
	struct put *put = arg;
	struct remote *r = put->remote;
	const struct err *failure = answer->err;
	struct err why = {0};
	bool is = false;

	if (failure == NULL &&
		cbormap_read(&is, store_flag_fields, answer->reply, answer->reply_len, &why) != 0)
		failure = &why;
	mutex_lock(&r->base.lock);
	assert(r->puts > 0 && r->bytes >= put->parcel->len);
	r->puts--;
	r->bytes -= put->parcel->len;
	if (failure != NULL && !r->base.failed) {
		r->base.failed = true;
		r->base.why = *failure;
	}
	if (failure == NULL && !is)
		r->base.stored += put->parcel->len;
	pthread_cond_broadcast(&r->base.change);
	mutex_unlock(&r->base.lock);
	store_parcel_unref(put->parcel);
	free(put);
}

static bool has_room(const struct remote *r, size_t len)
{
	assert(mutex_held(&r->base.lock));
	return r->puts == 0 ||
	       (r->puts < STORE_REMOTE_PUTS && r->bytes + len <= STORE_REMOTE_WINDOW);
}

/* Reserves room in the window. Returns as store_put. */
static int take_room(struct remote *r, size_t len, int64_t wait_ms, struct err *err)
{
	int64_t end = uptime_ms() + wait_ms;
	int ret = STORE_TAKEN;

	mutex_lock(&r->base.lock);
	while (!r->base.failed && !has_room(r, len) && uptime_ms() < end)
		store_remote_wait(r, end);
	if (r->base.failed) {
		*err = r->base.why;
		ret = -1;
	} else if (!has_room(r, len)) {
		ret = STORE_NO_ROOM;
	} else {
		r->puts++;
		r->bytes += len;
	}
	mutex_unlock(&r->base.lock);
	return ret;
}

int store_remote_put(struct store *s, struct store_parcel *parcel, int64_t wait_ms, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_PUT,
		.blob = parcel->bytes,
		.blob_len = parcel->len,
		.done = put_done,
	};
	struct store_params params = {.size = parcel->len};
	uint8_t mem[STORE_HAVE_PARAMS];
	struct store_record record;
	struct put *put;
	int ret;

	if (store_record_get(&record, parcel->bytes, parcel->len, err) != 0)
		return -1;
	ret = take_room(r, parcel->len, wait_ms, err);
	if (ret == STORE_NO_ROOM && is_lost(r))
		rpc_client_why(r->client, err);
	if (ret != STORE_TAKEN)
		return ret;
	memcpy(params.domain, s->run.domain, sizeof params.domain);
	memcpy(params.id, record.id, sizeof params.id);
	store_remote_params(&request, mem, store_put_fields, &params);
	put = mem_new(sizeof *put, err);
	if (put != NULL) {
		*put = (struct put){r, store_parcel_ref(parcel)};
		request.arg = put;
		if (rpc_client_start(r->client, &request, err) != NULL)
			return STORE_TAKEN;
		store_parcel_unref(parcel);
		free(put);
	}
	mutex_lock(&s->lock);
	r->puts--;
	r->bytes -= parcel->len;
	mutex_unlock(&s->lock);
	return -1;
}

int store_remote_settle(struct store *s, uint64_t *stored, struct err *err)
{
	struct remote *r = (struct remote *)s;
	int ret = 0;

	mutex_lock(&r->base.lock);
	while (!r->base.failed && r->puts > 0) /* the client's patience ends each of them */
		store_remote_wait(r, INT64_MAX);
	if (r->base.failed) {
		*err = r->base.why;
		ret = -1;
	}
	*stored = r->base.stored;
	mutex_unlock(&r->base.lock);
	return ret;
}

/* Decodes the answer to a commit into .receipt or .missing. Returns as store_commit_wait. */
static int read_commit(struct remote *r, const struct rpc_client_answer *a, struct err *err)
{
	struct cbormap_value v[STORE_COMMIT_FIELDS];
	struct store_commit_result is = {.missing = false};
	struct store_dump dump;

	if (a->err != NULL) {
		*err = *a->err;
		return -1;
	}
	if (cbormap_get(v, store_result_fields, a->reply, a->reply_len, err) != 0)
		return -1;
	cbormap_store(&is, store_result_fields, v);
	if (is.missing) {
		if (!a->has_blob || a->blob->len % STORE_ID_LEN != 0)
			return err_set(err, ERR_FORMAT, "malformed answer to a commit");
		return buf_add(&r->base.missing, a->blob->data, a->blob->len, err) == 0
			       ? STORE_MISSING
			       : -1;
	}
	if (!v[STORE_COMMIT_TIME].has || !v[STORE_COMMIT_SIGNATURE].has ||
		store_dump_get(&dump, r->base.record.data, r->base.record.len, err) != 0)
		return err_set(err, ERR_FORMAT, "malformed answer to a commit");
	r->base.receipt = is.receipt;
	memcpy(r->base.receipt.store, r->base.uid, sizeof r->base.receipt.store);
	memcpy(r->base.receipt.dump, dump.id, sizeof r->base.receipt.dump);
	hash_sha256(r->base.record.data, r->base.record.len, r->base.receipt.record);
	return STORE_COMMITTED;
}

/* Runs in the client's thread. */
static void commit_done(void *arg, const struct rpc_client_answer *answer)
{
	struct remote *r = arg;

	mutex_lock(&r->base.lock);
	r->base.answer = read_commit(r, answer, &r->base.commit_why);
	r->base.commit = COMMIT_DONE;
	pthread_cond_broadcast(&r->base.change);
	mutex_unlock(&r->base.lock);
}

static int ask_commit(struct remote *r, struct err *err)
{
	struct rpc_client_request request = {
		.method = STORE_METHOD_COMMIT,
		.blob = r->base.record.data,
		.blob_len = r->base.record.len,
		.reply_max = (size_t)STORE_MISSING_MAX * STORE_ID_LEN,
		.done = commit_done,
		.arg = r,
	};
	struct store_params params = {.size = 0};
	uint8_t mem[STORE_HAVE_PARAMS];

	if (r->base.has_first)
		params.first = r->base.first;
	store_remote_params(&request, mem, store_commit_fields, &params);
	return rpc_client_start(r->client, &request, err) != NULL ? 0 : -1;
}

int store_remote_commit_wait(struct store *s, int64_t wait_ms, struct err *err)
{
	struct remote *r = (struct remote *)s;
	int64_t end = uptime_ms() + wait_ms;
	bool ask;

	mutex_lock(&s->lock);
	while (!s->failed && r->puts > 0 && uptime_ms() < end)
		store_remote_wait(r, end);
	ask = !s->failed && r->puts == 0 && s->commit == COMMIT_WANTED;
	if (ask)
		s->commit = COMMIT_RUNNING;
	mutex_unlock(&s->lock);
	if (ask && ask_commit(r, err) != 0) {
		s->commit = COMMIT_NONE;
		return -1;
	}
	mutex_lock(&s->lock);
	while (!s->failed && s->commit == COMMIT_RUNNING && uptime_ms() < end)
		store_remote_wait(r, end);
	mutex_unlock(&s->lock);
	return 0;
}
