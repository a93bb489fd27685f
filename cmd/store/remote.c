/*
 * A store behind a service. Puts are requests that are under way at the same time, at most
 * WINDOW bytes of them; the service takes a record's bytes only if it lacks them. The client
 * sends again what a lost connection left unanswered.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/store/kind.h"
#include "cmd/store/net.h"
#include "cmd/store/parcel.h"
#include "cmd/store/proof.h"
#include "cmd/store/proto.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/name.h"
#include "rpc/ca.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define WINDOW    (8u << 20) /* bytes of records under way */
#define PUTS_MAX  200        /* of them */
#define AHEAD_MAX 32         /* records that are fetched ahead, or wait to be taken */
#define BUSY_MS   1000       /* between questions of who is told that the store is busy */
#define CLOSE_MS  5000
#define READ_BLOB (STORE_DOMAIN_LEN + STORE_RECORD_MAX)

struct put {
	struct remote *remote;
	struct store_parcel *parcel;
};

/* A record that was asked for before it was wanted. */
struct ahead {
	struct remote *remote;
	uint8_t domain[STORE_DOMAIN_LEN], id[STORE_ID_LEN];
	bool used, done;
	int ret; /* as store_get's */
	struct buf record;
	struct err why;
};

enum commit_state { COMMIT_NONE, COMMIT_SETTLING, COMMIT_ASKED, COMMIT_DONE };

struct remote {
	struct store base;
	struct rpc_client *client;
	uint8_t host[STORE_HOST_LEN]; /* our own host id */
	uint8_t run_id[STORE_RUN_LEN];
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t change;
	size_t puts, bytes; /* under way */
	bool failed;
	struct err why;
	uint64_t stored;
	enum commit_state commit;
	struct buf record; /* to commit: a copy, for who waits may give up */
	int64_t time;
	int answer;
	struct err commit_why;
	struct store_receipt receipt;
	struct buf missing;
	struct ahead aheads[AHEAD_MAX];
	size_t next_ahead; /* the slot that is used again next */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_until(struct remote *r, int64_t until_ms)
{
	struct timespec t = {until_ms / 1000, until_ms % 1000 * 1000000};

	pthread_cond_timedwait(&r->change, &r->lock, &t);
}

/* --- calls ----------------------------------------------------------------- */

/* Asks, and reads the result into values. blob: of the reply, may be NULL. Returns 0 or -1. */
static int call(struct remote *r, struct rpc_client_request *request, struct cbor_out *params,
	const struct rpc_field *fields, struct rpc_value *values, struct buf *reply,
	struct buf *blob, struct err *err)
{
	assert(!cbor_out_full(params));
	request->params = params->start;
	request->len = cbor_out_len(params);
	if (rpc_client_call(r->client, request, reply, blob, err) != 0)
		return -1;
	if (fields == NULL || rpc_params_get(values, fields, reply->data, reply->len, err) == 0)
		return 0;
	return err_prefix(err, "%s", r->base.name);
}

/* The same for a result that is a yes or no. Returns 0 (yes), 1 or -1. */
static int call_flag(struct remote *r, struct rpc_client_request *request, struct cbor_out *params,
	struct buf *blob, struct err *err)
{
	struct rpc_value v[STORE_FLAG_FIELDS];
	struct buf reply;
	int ret;

	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = call(r, request, params, store_flag_fields, v, &reply, blob, err);
	if (ret == 0)
		ret = v[STORE_FLAG_IS].number == 0;
	buf_fini(&reply);
	return ret;
}

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
	ret = call(r, &request, &params, store_about_fields, v, &reply, NULL, err);
	if (ret == 0 && s->open &&
		(memcmp(s->uid, v[STORE_ABOUT_UID].bytes, STORE_UID_LEN) != 0 ||
			memcmp(s->public, v[STORE_ABOUT_PUBLIC].bytes, SEAL_SIGN_LEN) != 0))
		ret = err_set(err, ERR_DENIED, "%s: another store answers than before", s->name);
	if (ret == 0) {
		memcpy(s->uid, v[STORE_ABOUT_UID].bytes, STORE_UID_LEN);
		memcpy(s->public, v[STORE_ABOUT_PUBLIC].bytes, SEAL_SIGN_LEN);
		about->time = v[STORE_ABOUT_TIME].integer;
		about->free = v[STORE_ABOUT_FREE].number;
		about->reserve = v[STORE_ABOUT_RESERVE].number;
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
	call(r, &request, &params, NULL, NULL, &reply, NULL, NULL);
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
	for (i = 0; i < AHEAD_MAX; i++) {
		buf_fini(&r->aheads[i].record);
		r->aheads[i] = (struct ahead){.remote = r};
		buf_init(&r->aheads[i].record, READ_BLOB);
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

	for (i = 0; i < AHEAD_MAX; i++)
		buf_fini(&r->aheads[i].record);
	pthread_cond_destroy(&r->change);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* --- writing --------------------------------------------------------------- */

static void pause_ms(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static int remote_settle(struct store *s, uint64_t *stored, struct err *err);

static int remote_begin(
	struct store *s, const struct store_run *run, bool *has_base, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {.method = STORE_METHOD_BEGIN, .greeting = true};
	uint8_t mem[512], public[SEAL_SIGN_LEN], signature[SEAL_SIG_LEN];
	struct store_proof proof;
	struct cbor_out params;
	int64_t end = now_ms() + s->access.patience_ms;
	uint64_t stored;
	int ret;

	if (s->begun && remote_settle(s, &stored, err) != 0)
		return -1;
	if (seal_random(r->run_id, sizeof r->run_id, err) != 0)
		return -1;
	memcpy(proof.uid, s->uid, sizeof proof.uid);
	memcpy(proof.host, r->host, sizeof proof.host);
	memcpy(proof.run, r->run_id, sizeof proof.run);
	if (run->prove != NULL && run->prove(run->ctx, &proof, public, signature, err) != 0)
		return -1;
	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, 2 + (size_t)(run->name != NULL) + (size_t)(run->base != NULL) +
				      2 * (size_t)(run->prove != NULL));
	cbor_put_text(&params, "run");
	cbor_put_bytes(&params, r->run_id, sizeof r->run_id);
	cbor_put_text(&params, "domain");
	cbor_put_bytes(&params, run->domain, STORE_DOMAIN_LEN);
	if (run->name != NULL) {
		cbor_put_text(&params, "name");
		cbor_put_text(&params, run->name);
	}
	if (run->base != NULL) {
		cbor_put_text(&params, "base");
		cbor_put_bytes(&params, run->base, STORE_DUMP_ID);
	}
	if (run->prove != NULL) {
		cbor_put_text(&params, "public");
		cbor_put_bytes(&params, public, sizeof public);
		cbor_put_text(&params, "proof");
		cbor_put_bytes(&params, signature, sizeof signature);
	}
	while ((ret = call_flag(r, &request, &params, NULL, err)) < 0 && err->code == ERR_BUSY &&
		now_ms() < end)
		pause_ms(BUSY_MS);
	*has_base = ret == 0;
	return ret < 0 ? -1 : 0;
}

/* Of ids there is nothing to ask: a put is the question. But what is copied from another store
 * is worth one, since it has to be read there first. */
static int remote_have(struct store *s, const uint8_t *ids, size_t count,
	enum store_answer *answers, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {.method = STORE_METHOD_HAVE};
	struct rpc_value v[STORE_BITS_FIELDS];
	size_t room = 64 + STORE_DOMAIN_LEN + count * STORE_ID_LEN, i;
	struct cbor_out params;
	struct buf reply;
	uint8_t *mem;
	int ret;

	for (i = 0; i < count; i++)
		answers[i] = STORE_UNKNOWN;
	if (count <= 1)
		return 0;
	mem = malloc(room);
	if (mem == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	cbor_out_init(&params, mem, room);
	cbor_put_map(&params, 2);
	cbor_put_text(&params, "domain");
	cbor_put_bytes(&params, s->run.domain, STORE_DOMAIN_LEN);
	cbor_put_text(&params, "ids");
	cbor_put_bytes(&params, ids, count * STORE_ID_LEN);
	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = call(r, &request, &params, store_bits_fields, v, &reply, NULL, err);
	if (ret == 0 && v[STORE_BITS_HAS].len != (count + 7) / 8)
		ret = err_set(err, ERR_FORMAT, "%s: malformed answer", s->name);
	for (i = 0; i < count && ret == 0; i++)
		answers[i] = v[STORE_BITS_HAS].bytes[i / 8] >> i % 8 & 1 ? STORE_HAS : STORE_LACKS;
	buf_fini(&reply);
	free(mem);
	return ret;
}

/* In the client's thread. */
static void put_done(void *arg, const struct rpc_client_answer *answer)
{
	struct put *put = arg;
	struct remote *r = put->remote;
	struct rpc_value v[STORE_FLAG_FIELDS];
	const struct err *failure = answer->err;
	struct err why = {0};

	if (failure == NULL &&
		rpc_params_get(v, store_flag_fields, answer->reply, answer->reply_len, &why) != 0)
		failure = &why;
	pthread_mutex_lock(&r->lock);
	assert(r->puts > 0 && r->bytes >= put->parcel->len);
	r->puts--;
	r->bytes -= put->parcel->len;
	if (failure != NULL && !r->failed) {
		r->failed = true;
		r->why = *failure;
	}
	if (failure == NULL && v[STORE_FLAG_IS].number == 0)
		r->stored += put->parcel->len;
	pthread_cond_broadcast(&r->change);
	pthread_mutex_unlock(&r->lock);
	store_parcel_unref(put->parcel);
	free(put);
}

static bool has_room(const struct remote *r, size_t len)
{
	return r->puts == 0 || (r->puts < PUTS_MAX && r->bytes + len <= WINDOW);
}

/* Takes a place in the window. Returns as store_put. */
static int take_room(struct remote *r, size_t len, int64_t wait_ms, struct err *err)
{
	int64_t end = now_ms() + wait_ms;
	int ret = STORE_TAKEN;

	pthread_mutex_lock(&r->lock);
	while (!r->failed && !has_room(r, len) && now_ms() < end)
		wait_until(r, end);
	if (r->failed) {
		*err = r->why;
		ret = -1;
	} else if (!has_room(r, len)) {
		ret = STORE_NO_ROOM;
	} else {
		r->puts++;
		r->bytes += len;
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static void give_room(struct remote *r, size_t len)
{
	pthread_mutex_lock(&r->lock);
	r->puts--;
	r->bytes -= len;
	pthread_mutex_unlock(&r->lock);
}

static int remote_put(
	struct store *s, struct store_parcel *parcel, int64_t wait_ms, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_PUT,
		.blob = parcel->bytes,
		.blob_len = parcel->len,
		.done = put_done,
	};
	struct store_record record;
	struct cbor_out params;
	uint8_t mem[128];
	struct put *put;
	int ret;

	if (store_record_get(&record, parcel->bytes, parcel->len, err) != 0)
		return -1;
	ret = take_room(r, parcel->len, wait_ms, err);
	if (ret != STORE_TAKEN)
		return ret;
	put = malloc(sizeof *put);
	if (put == NULL) {
		give_room(r, parcel->len);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	*put = (struct put){r, store_parcel_ref(parcel)};
	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, 3);
	cbor_put_text(&params, "domain");
	cbor_put_bytes(&params, s->run.domain, STORE_DOMAIN_LEN);
	cbor_put_text(&params, "id");
	cbor_put_bytes(&params, record.id, STORE_ID_LEN);
	cbor_put_text(&params, "size");
	cbor_put_uint(&params, parcel->len);
	assert(!cbor_out_full(&params));
	request.params = mem;
	request.len = cbor_out_len(&params);
	request.arg = put;
	if (rpc_client_start(r->client, &request, err) != NULL)
		return STORE_TAKEN;
	give_room(r, parcel->len);
	store_parcel_unref(parcel);
	free(put);
	return -1;
}

static int remote_settle(struct store *s, uint64_t *stored, struct err *err)
{
	struct remote *r = (struct remote *)s;
	int ret = 0;

	pthread_mutex_lock(&r->lock);
	while (!r->failed && r->puts > 0) /* the client's patience ends each of them */
		pthread_cond_wait(&r->change, &r->lock);
	if (r->failed) {
		*err = r->why;
		ret = -1;
	}
	*stored = r->stored;
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static int remote_commit_start(
	struct store *s, const uint8_t *record, size_t len, int64_t time, struct err *err)
{
	struct remote *r = (struct remote *)s;

	assert(r->commit == COMMIT_NONE);
	buf_clear(&r->record);
	buf_clear(&r->missing);
	if (buf_add(&r->record, record, len, err) != 0)
		return -1;
	r->time = time;
	r->commit = COMMIT_SETTLING;
	return 0;
}

/* What a commit was answered: fills .receipt or .missing. Returns as store_commit_wait. */
static int read_commit(struct remote *r, const struct rpc_client_answer *a, struct err *err)
{
	struct rpc_value v[STORE_RECEIPT_FIELDS];
	struct store_dump dump;

	if (a->err != NULL) {
		*err = *a->err;
		return -1;
	}
	if (rpc_params_get(v, store_receipt_fields, a->reply, a->reply_len, err) != 0)
		return -1;
	if (v[STORE_RECEIPT_MISSING].number != 0) {
		if (!a->has_blob || a->blob->len % STORE_ID_LEN != 0)
			return err_set(err, ERR_FORMAT, "malformed answer to a commit");
		return buf_add(&r->missing, a->blob->data, a->blob->len, err) == 0 ? STORE_MISSING
										   : -1;
	}
	if (!v[STORE_RECEIPT_TIME].has || !v[STORE_RECEIPT_SIGNATURE].has ||
		store_dump_get(&dump, r->record.data, r->record.len, err) != 0)
		return err_set(err, ERR_FORMAT, "malformed answer to a commit");
	memcpy(r->receipt.store, r->base.uid, sizeof r->receipt.store);
	memcpy(r->receipt.dump, dump.id, sizeof r->receipt.dump);
	hash_sha256(r->record.data, r->record.len, r->receipt.record);
	r->receipt.time = v[STORE_RECEIPT_TIME].integer;
	memcpy(r->receipt.signature, v[STORE_RECEIPT_SIGNATURE].bytes, SEAL_SIG_LEN);
	return STORE_COMMITTED;
}

/* In the client's thread. */
static void commit_done(void *arg, const struct rpc_client_answer *answer)
{
	struct remote *r = arg;

	pthread_mutex_lock(&r->lock);
	r->answer = read_commit(r, answer, &r->commit_why);
	r->commit = COMMIT_DONE;
	pthread_cond_broadcast(&r->change);
	pthread_mutex_unlock(&r->lock);
}

static int ask_commit(struct remote *r, struct err *err)
{
	struct rpc_client_request request = {
		.method = STORE_METHOD_COMMIT,
		.blob = r->record.data,
		.blob_len = r->record.len,
		.reply_max = (size_t)STORE_MISSING_MAX * STORE_ID_LEN,
		.done = commit_done,
		.arg = r,
	};
	struct cbor_out params;
	uint8_t mem[32];

	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, r->time != STORE_NOW);
	if (r->time != STORE_NOW) {
		cbor_put_text(&params, "time");
		cbor_put_int(&params, r->time);
	}
	request.params = mem;
	request.len = cbor_out_len(&params);
	return rpc_client_start(r->client, &request, err) != NULL ? 0 : -1;
}

static int remote_commit_wait(struct store *s, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err)
{
	struct remote *r = (struct remote *)s;
	int64_t end = now_ms() + wait_ms;
	int ret = STORE_PENDING;
	bool ask;

	pthread_mutex_lock(&r->lock);
	while (!r->failed && r->puts > 0 && now_ms() < end)
		wait_until(r, end);
	ask = !r->failed && r->puts == 0 && r->commit == COMMIT_SETTLING;
	if (ask)
		r->commit = COMMIT_ASKED;
	pthread_mutex_unlock(&r->lock);
	if (ask && ask_commit(r, err) != 0) {
		r->commit = COMMIT_NONE;
		return -1;
	}
	pthread_mutex_lock(&r->lock);
	while (!r->failed && r->commit == COMMIT_ASKED && now_ms() < end)
		wait_until(r, end);
	if (r->failed || r->commit == COMMIT_DONE) {
		ret = r->failed ? -1 : r->answer;
		if (ret < 0)
			*err = r->failed ? r->why : r->commit_why;
		if (r->commit != COMMIT_ASKED)
			r->commit = COMMIT_NONE;
	}
	pthread_mutex_unlock(&r->lock);
	if (ret == STORE_COMMITTED)
		*receipt = r->receipt;
	if (ret == STORE_MISSING && missing != NULL &&
		buf_add(missing, r->missing.data, r->missing.len, err) != 0)
		ret = -1;
	return ret;
}

/* --- reading --------------------------------------------------------------- */

static int remote_dumps(struct store *s, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_DUMPS, .reply_max = STORE_LISTING_MAX};
	struct store_entry entry;
	struct cbor_out params;
	struct buf reply, list;
	struct cbor_in in;
	uint8_t mem[256];
	int ret;

	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, (size_t)(filter->agent != NULL) + (size_t)(filter->name != NULL) +
				      (size_t)filter->newest + (size_t)(filter->after > 0));
	if (filter->agent != NULL) {
		cbor_put_text(&params, "agent");
		cbor_put_text(&params, filter->agent);
	}
	if (filter->name != NULL) {
		cbor_put_text(&params, "name");
		cbor_put_text(&params, filter->name);
	}
	if (filter->newest) {
		cbor_put_text(&params, "newest");
		cbor_put_bool(&params, true);
	}
	if (filter->after > 0) {
		cbor_put_text(&params, "after");
		cbor_put_uint(&params, filter->after);
	}
	buf_init(&reply, RPC_PAYLOAD_MAX);
	buf_init(&list, STORE_LISTING_MAX);
	ret = call(r, &request, &params, NULL, NULL, &reply, &list, err);
	cbor_in_init(&in, list.data, list.len);
	while (ret == 0 && (ret = store_entry_next(&in, s->uid, &entry, err)) == 0)
		ret = each(ctx, &entry, err);
	buf_fini(&reply);
	buf_fini(&list);
	return ret < 0 ? -1 : 0;
}

static int remote_hold(struct store *s, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_HOLD, .reply_max = STORE_DUMP_MAX + 1024};
	int64_t end = now_ms() + s->access.patience_ms;
	struct store_entry e;
	struct cbor_out params;
	struct cbor_in in;
	struct buf blob;
	uint8_t mem[64];
	int ret;

	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, 1);
	cbor_put_text(&params, "dump");
	cbor_put_bytes(&params, dump, STORE_DUMP_ID);
	buf_init(&blob, request.reply_max);
	while ((ret = call_flag(r, &request, &params, &blob, err)) < 0 && err->code == ERR_BUSY &&
		now_ms() < end)
		pause_ms(BUSY_MS);
	cbor_in_init(&in, blob.data, blob.len);
	if (ret == 0 && (ret = store_entry_next(&in, s->uid, &e, err)) == 1)
		ret = err_set(err, ERR_FORMAT, "%s: malformed answer", s->name);
	if (ret == 0 && (e.record == NULL || memcmp(e.dump.id, dump, STORE_DUMP_ID) != 0))
		ret = err_set(err, ERR_FORMAT, "%s: malformed answer", s->name);
	if (ret == 0 && record != NULL) {
		buf_clear(record);
		ret = buf_add(record, e.record, e.record_len, err);
	}
	if (ret == 0 && entry != NULL) {
		*entry = e;
		entry->record = record->data;
		ret = store_dump_get(&entry->dump, record->data, record->len, err);
	}
	buf_fini(&blob);
	return ret;
}

static size_t put_get_params(
	uint8_t mem[128], const uint8_t domain[STORE_DOMAIN_LEN], const uint8_t id[STORE_ID_LEN])
{
	struct cbor_out params;

	cbor_out_init(&params, mem, 128);
	cbor_put_map(&params, 2);
	cbor_put_text(&params, "domain");
	cbor_put_bytes(&params, domain, STORE_DOMAIN_LEN);
	cbor_put_text(&params, "id");
	cbor_put_bytes(&params, id, STORE_ID_LEN);
	assert(!cbor_out_full(&params));
	return cbor_out_len(&params);
}

/* Whether what came is the record that was asked for. Returns as store_get. */
static int check_record(const uint8_t *reply, size_t len, const struct buf *blob, const uint8_t *id,
	struct err *err)
{
	struct rpc_value v[STORE_FLAG_FIELDS];
	struct store_record record;

	if (rpc_params_get(v, store_flag_fields, reply, len, err) != 0)
		return -1;
	if (v[STORE_FLAG_IS].number == 0)
		return 1;
	if (blob == NULL || store_record_get(&record, blob->data, blob->len, err) != 0)
		return err_set(err, ERR_DAMAGE, "a malformed record was received");
	if (memcmp(record.id, id, STORE_ID_LEN) != 0)
		return err_set(err, ERR_DAMAGE, "another record was received than asked for");
	return 0;
}

/* In the client's thread. */
static void ahead_done(void *arg, const struct rpc_client_answer *answer)
{
	struct ahead *a = arg;
	struct remote *r = a->remote;

	pthread_mutex_lock(&r->lock);
	if (answer->err != NULL) {
		a->ret = -1;
		a->why = *answer->err;
	} else {
		a->ret = check_record(answer->reply, answer->reply_len,
			answer->has_blob ? answer->blob : NULL, a->id, &a->why);
		if (a->ret == 0) { /* the memory changes hands */
			buf_fini(&a->record);
			a->record = *answer->blob;
			buf_init(answer->blob, READ_BLOB);
		}
	}
	a->done = true;
	pthread_cond_broadcast(&r->change);
	pthread_mutex_unlock(&r->lock);
}

static struct ahead *find_ahead(struct remote *r, const uint8_t *domain, const uint8_t *id)
{
	size_t i;

	for (i = 0; i < AHEAD_MAX; i++)
		if (r->aheads[i].used && memcmp(r->aheads[i].id, id, STORE_ID_LEN) == 0 &&
			memcmp(r->aheads[i].domain, domain, STORE_DOMAIN_LEN) == 0)
			return &r->aheads[i];
	return NULL;
}

/* A slot for one more: the one that was filled longest ago, unless it is under way. */
static struct ahead *take_slot(struct remote *r)
{
	struct ahead *a = &r->aheads[r->next_ahead];

	if (a->used && !a->done)
		return NULL;
	r->next_ahead = (r->next_ahead + 1) % AHEAD_MAX;
	buf_fini(&a->record);
	*a = (struct ahead){.remote = r, .used = true};
	buf_init(&a->record, READ_BLOB);
	return a;
}

static int remote_ahead(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err)
{
	struct remote *r = (struct remote *)s;
	size_t i;

	(void)lacks; /* a hint goes without an answer */
	for (i = 0; i < count; i++) {
		const uint8_t *id = ids + i * STORE_ID_LEN;
		struct rpc_client_request request = {
			.method = STORE_METHOD_GET, .reply_max = READ_BLOB, .done = ahead_done};
		struct ahead *a = NULL;
		uint8_t mem[128];

		pthread_mutex_lock(&r->lock);
		if (find_ahead(r, domain, id) == NULL && (a = take_slot(r)) != NULL) {
			memcpy(a->domain, domain, sizeof a->domain);
			memcpy(a->id, id, sizeof a->id);
		}
		pthread_mutex_unlock(&r->lock);
		if (a == NULL)
			continue;
		request.arg = a;
		request.params = mem;
		request.len = put_get_params(mem, domain, id);
		if (rpc_client_start(r->client, &request, err) == NULL) {
			pthread_mutex_lock(&r->lock);
			a->used = false;
			pthread_mutex_unlock(&r->lock);
			return -1;
		}
	}
	return 0;
}

static int remote_get(
	struct store *s, const uint8_t *domain, const uint8_t *id, struct buf *out, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {.method = STORE_METHOD_GET, .reply_max = READ_BLOB};
	struct ahead *a;
	struct buf reply;
	uint8_t mem[128];
	int ret;

	buf_clear(out);
	pthread_mutex_lock(&r->lock);
	/* Another thread may take the slot while this one waits. */
	while ((a = find_ahead(r, domain, id)) != NULL && !a->done)
		pthread_cond_wait(&r->change, &r->lock);
	if (a != NULL && a->ret >= 0) {
		ret = a->ret == 0 ? buf_add(out, a->record.data, a->record.len, err) : 1;
		a->used = false;
		buf_fini(&a->record);
		pthread_mutex_unlock(&r->lock);
		return ret;
	}
	if (a != NULL)
		a->used = false;
	pthread_mutex_unlock(&r->lock);
	request.params = mem;
	request.len = put_get_params(mem, domain, id);
	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = rpc_client_call(r->client, &request, &reply, out, err);
	if (ret == 0)
		ret = check_record(reply.data, reply.len, out, id, err);
	buf_fini(&reply);
	return ret;
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
	return call_flag((struct remote *)s, &request, &params, NULL, err);
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
	.begin = remote_begin,
	.have = remote_have,
	.put = remote_put,
	.settle = remote_settle,
	.commit_start = remote_commit_start,
	.commit_wait = remote_commit_wait,
	.dumps = remote_dumps,
	.hold = remote_hold,
	.ahead = remote_ahead,
	.get = remote_get,
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
	for (i = 0; i < AHEAD_MAX; i++) {
		r->aheads[i].remote = r;
		buf_init(&r->aheads[i].record, READ_BLOB);
	}
	return &r->base;
}
