/* A store behind a service: opening and closing, reading, operators' calls, and the kind itself.
 * Records are requested ahead of their use, into a ring of slots. */
#include "cmd/store/remote.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/esc.h"
#include "lib/uptime.h"
#include "rpc/ca.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define CLOSE_MS 5000

static const uint8_t no_params[] = {0xa0}; /* an empty map */

/* --- life ------------------------------------------------------------------ */

static void clear_ahead(struct remote *r, struct ahead *a)
{
	buf_fini(&a->record);
	*a = (struct ahead){.remote = r};
	buf_init(&a->record, STORE_REMOTE_BLOB);
}

static void remote_init(struct store *s)
{
	struct remote *r = (struct remote *)s;
	size_t i;

	rpc_deny_init(&r->deny);
	for (i = 0; i < STORE_REMOTE_AHEAD; i++)
		clear_ahead(r, &r->aheads[i]);
}

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
	if (s->access.net->find(s->access.net->ctx, r->service, to, err) != 0)
		return -1;
	if (colon != NULL && strlen(colon + 1) < sizeof to->port)
		strcpy(to->port, colon + 1);
	return 0;
}

static int dial(struct remote *r, const struct store_address *to, struct err *err)
{
	static struct mutex one = MUTEX_INITIALIZER; /* clients are made one at a time */
	const struct store_net *net = r->base.access.net;
	const struct rpc_tls_opts tls = {.kind = RPC_TLS_MUTUAL,
		.cert = net->cert,
		.key = net->key,
		.ca = net->ca,
		.deny = &r->deny};
	const struct rpc_client_opts opts = {
		.tls = &tls,
		.expect = {RPC_STORE, r->service},
		.host = to->host,
		.port = to->port,
		.times = net->times,
		.patience_ms = r->base.access.patience_ms,
		.connect_ms = net->connect_ms,
		.lost_ms = r->base.access.lost_ms,
	};
	struct rpc_cert_info info;

	mutex_lock(&one);
	if (rpc_cert_info(net->cert, &info, err) == 0 &&
		(net->deny == NULL || rpc_deny_load(&r->deny, net->deny, err) == 0) &&
		esc_unhex(r->host, sizeof r->host, info.id.host))
		r->client = rpc_client_open(&opts, err);
	mutex_unlock(&one);
	return r->client != NULL ? 0 : -1;
}

static void hang_up(struct remote *r, int64_t deadline_ms)
{
	rpc_client_close(r->client, deadline_ms); /* ends what is in flight */
	r->client = NULL;
	rpc_deny_fini(&r->deny);
}

static int read_about(struct store_greeting *is, const uint8_t *reply, size_t len, struct err *err)
{
	struct cbormap_value v[STORE_ABOUT_FIELDS];

	*is = (struct store_greeting){.about = {.time = 0}};
	if (cbormap_get(v, store_about_fields, reply, len, err) != 0)
		return -1;
	cbormap_store(is, store_about_fields, v);
	is->about.has_quota = v[STORE_ABOUT_OWN_USED].has && v[STORE_ABOUT_OWN_QUOTA].has;
	return 0;
}

/* Runs in the client's thread. */
static void about_done(void *arg, const struct rpc_client_answer *answer)
{
	struct remote *r = arg;

	mutex_lock(&r->base.lock);
	r->greeted = true;
	if (answer->err != NULL)
		r->open_why = *answer->err;
	else
		read_about(&r->is, answer->reply, answer->reply_len, &r->open_why);
	pthread_cond_broadcast(&r->base.change);
	mutex_unlock(&r->base.lock);
}

/* Dials, and asks for the store's identity; remote_open waits for the answer. */
static int remote_open_start(struct store *s, struct err *err)
{
	struct remote *r = (struct remote *)s;
	const struct rpc_client_request request = {.method = STORE_METHOD_ABOUT,
		.params = no_params,
		.len = sizeof no_params,
		.done = about_done,
		.arg = r};
	struct store_address to;

	r->since_ms = uptime_ms();
	r->told = r->greeted = false;
	r->lost_at = 0;
	r->open_why = (struct err){0};
	if (find(r, &to, err) != 0)
		return -1;
	if (dial(r, &to, err) == 0 && rpc_client_start(r->client, &request, err) != NULL)
		return 0;
	hang_up(r, 0);
	return -1;
}

/* Waits for the first answer, at the latest until then. Returns whether it is there. */
static bool wait_greeted(struct remote *r, int64_t until_ms)
{
	bool greeted;

	mutex_lock(&r->base.lock);
	while (!r->greeted && uptime_ms() < until_ms)
		mutex_wait_until(&r->base.lock, &r->base.change, until_ms);
	greeted = r->greeted;
	mutex_unlock(&r->base.lock);
	return greeted;
}

static int remote_open(struct store *s, int64_t wait_ms, struct err *err)
{
	struct remote *r = (struct remote *)s;
	const struct store_net *net = s->access.net;
	int64_t end = uptime_ms() + wait_ms, tell = r->since_ms + STORE_TELL_MS;
	bool greeted = wait_greeted(r, !r->told && tell < end ? tell : end);

	if (!greeted && !r->told && uptime_ms() >= tell) {
		r->told = true;
		store_remote_tell_wait(r);
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
	const struct rpc_client_request request = {
		.method = STORE_METHOD_ABOUT, .params = no_params, .len = sizeof no_params};
	struct remote *r = (struct remote *)s;
	struct store_greeting is;
	struct buf reply = {.max = RPC_PAYLOAD_MAX};
	int ret;

	ret = store_remote_call(r, &request, &reply, NULL, err);
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

static void remote_cancel(struct store *s)
{
	rpc_client_cancel(((struct remote *)s)->client);
}

static void ignore_answer(void *arg, const struct rpc_client_answer *answer)
{
	(void)arg;
	(void)answer;
}

static void remote_close(struct store *s)
{
	struct rpc_client_request request = {
		.method = STORE_METHOD_END, .timeout_ms = CLOSE_MS, .done = ignore_answer};
	uint8_t mem[STORE_HAVE_PARAMS];
	struct store_params params = {.size = 0};
	struct remote *r = (struct remote *)s;
	bool idle;
	size_t i;

	mutex_lock(&r->base.lock);
	idle = s->open && r->puts == 0 && !r->base.failed;
	for (i = 0; i < STORE_REMOTE_AHEAD; i++)
		idle &= !r->aheads[i].used || r->aheads[i].done;
	mutex_unlock(&r->base.lock);
	/* If nothing is in flight, the connection can end in order. */
	memcpy(params.run, r->run_id, sizeof params.run);
	if (!idle)
		rpc_client_cancel(r->client);
	else if (s->begun) { /* hang_up waits for the answer, but not for long */
		store_remote_params(&request, mem, store_end_fields, &params);
		rpc_client_start(r->client, &request, NULL);
	}
	hang_up(r, CLOSE_MS);
	assert(r->puts == 0 && r->bytes == 0);
	for (i = 0; i < STORE_REMOTE_AHEAD; i++)
		clear_ahead(r, &r->aheads[i]);
}

/* --- reading --------------------------------------------------------------- */

static int remote_dumps(struct store *s, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_DUMPS, .reply_max = STORE_LISTING_MAX};
	struct store_params params = {.after = filter->after};
	struct store_entry entry;
	struct cbor_in in;
	struct buf list = {.max = STORE_LISTING_MAX};
	int ret;

	if (filter->agent != NULL)
		snprintf(params.agent, sizeof params.agent, "%s", filter->agent);
	if (filter->name != NULL)
		snprintf(params.name, sizeof params.name, "%s", filter->name);
	ret = store_remote_ask(r, &request, store_dumps_fields, &params, &list, err) < 0 ? -1 : 0;
	cbor_in_init(&in, list.data, list.len);
	while (ret == 0 && (ret = store_entry_next(&in, s->uid, &entry, err)) == 0)
		ret = each(ctx, &entry, err);
	buf_fini(&list);
	return ret < 0 ? -1 : 0;
}

static int remote_hold(struct store *s, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_HOLD,
		.reply_max = STORE_DUMP_MAX + 1024,
		.greeting = s->mode == STORE_READ, /* in a run, BEGIN is the greeting */
	};
	struct store_params params = {.size = 0};
	struct store_entry e;
	struct cbor_in in;
	struct buf blob;
	int ret;

	memcpy(params.dump, dump, sizeof params.dump);
	buf_init(&blob, request.reply_max);
	ret = store_remote_ask_patiently(r, &request, store_dump_fields, &params, &blob, err);
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

static void put_get_params(struct rpc_client_request *request, uint8_t mem[STORE_HAVE_PARAMS],
	const uint8_t domain[STORE_DOMAIN_LEN], const uint8_t id[STORE_ID_LEN])
{
	struct store_params params = {.size = 0};

	memcpy(params.domain, domain, sizeof params.domain);
	memcpy(params.id, id, sizeof params.id);
	store_remote_params(request, mem, store_get_fields, &params);
}

/* Checks that the reply is the record asked for. Returns as store_get. */
static int check_record(const uint8_t *reply, size_t len, const struct buf *blob, const uint8_t *id,
	struct err *err)
{
	struct store_record record;
	bool is = false;

	if (cbormap_read(&is, store_flag_fields, reply, len, err) != 0)
		return -1;
	if (!is)
		return 1;
	if (blob == NULL || store_record_get(&record, blob->data, blob->len, err) != 0)
		return err_set(err, ERR_DAMAGE, "a malformed record was received");
	if (memcmp(record.id, id, STORE_ID_LEN) != 0)
		return err_set(err, ERR_DAMAGE, "received a record that was not asked for");
	return 0;
}

/* Runs in the client's thread. */
static void ahead_done(void *arg, const struct rpc_client_answer *answer)
{
	struct ahead *a = arg;
	struct remote *r = a->remote;

	mutex_lock(&r->base.lock);
	if (answer->err != NULL) {
		a->ret = -1;
		a->why = *answer->err;
	} else {
		a->ret = check_record(answer->reply, answer->reply_len,
			answer->has_blob ? answer->blob : NULL, a->id, &a->why);
		if (a->ret == 0) { /* takes over the memory */
			buf_fini(&a->record);
			a->record = *answer->blob;
			buf_init(answer->blob, STORE_REMOTE_BLOB);
		}
	}
	a->done = true;
	pthread_cond_broadcast(&r->base.change);
	mutex_unlock(&r->base.lock);
}

static struct ahead *find_ahead(struct remote *r, const uint8_t *domain, const uint8_t *id)
{
	size_t i;

	assert(mutex_held(&r->base.lock));
	for (i = 0; i < STORE_REMOTE_AHEAD; i++)
		if (r->aheads[i].used && memcmp(r->aheads[i].id, id, STORE_ID_LEN) == 0 &&
			memcmp(r->aheads[i].domain, domain, STORE_DOMAIN_LEN) == 0)
			return &r->aheads[i];
	return NULL;
}

/* Reuses the slot that was filled longest ago. NULL: it is still in flight. */
static struct ahead *take_slot(struct remote *r)
{
	struct ahead *a = &r->aheads[r->next_ahead];

	assert(mutex_held(&r->base.lock) && r->next_ahead < STORE_REMOTE_AHEAD);
	if (a->used && !a->done)
		return NULL;
	r->next_ahead = (r->next_ahead + 1) % STORE_REMOTE_AHEAD;
	clear_ahead(r, a);
	a->used = true;
	return a;
}

static int remote_ahead(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err)
{
	struct remote *r = (struct remote *)s;
	size_t i;

	(void)lacks; /* nothing is known without waiting for answers */
	for (i = 0; i < count; i++) {
		const uint8_t *id = ids + i * STORE_ID_LEN;
		struct rpc_client_request request = {.method = STORE_METHOD_GET,
			.reply_max = STORE_REMOTE_BLOB,
			.done = ahead_done};
		struct ahead *a = NULL;
		uint8_t mem[STORE_HAVE_PARAMS];

		mutex_lock(&r->base.lock);
		if (find_ahead(r, domain, id) == NULL && (a = take_slot(r)) != NULL) {
			memcpy(a->domain, domain, sizeof a->domain);
			memcpy(a->id, id, sizeof a->id);
		}
		mutex_unlock(&r->base.lock);
		if (a == NULL)
			continue;
		request.arg = a;
		put_get_params(&request, mem, domain, id);
		if (rpc_client_start(r->client, &request, err) == NULL) {
			mutex_lock(&r->base.lock);
			a->used = false;
			mutex_unlock(&r->base.lock);
			return -1;
		}
	}
	return 0;
}

static int remote_get(
	struct store *s, const uint8_t *domain, const uint8_t *id, struct buf *out, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_GET, .reply_max = STORE_REMOTE_BLOB};
	struct ahead *a;
	struct buf reply = {.max = RPC_PAYLOAD_MAX};
	uint8_t mem[STORE_HAVE_PARAMS];
	int ret;

	buf_clear(out);
	mutex_lock(&r->base.lock);
	/* Another thread may take the slot while this one waits. */
	while ((a = find_ahead(r, domain, id)) != NULL && !a->done)
		store_remote_wait(r, INT64_MAX);
	if (a != NULL && a->ret >= 0) {
		ret = a->ret == 0 ? buf_add(out, a->record.data, a->record.len, err) : 1;
		a->used = false;
		buf_fini(&a->record);
		mutex_unlock(&r->base.lock);
		return ret;
	}
	if (a != NULL)
		a->used = false;
	mutex_unlock(&r->base.lock);
	put_get_params(&request, mem, domain, id);
	ret = store_remote_call(r, &request, &reply, out, err);
	if (ret == 0)
		ret = check_record(reply.data, reply.len, out, id, err);
	buf_fini(&reply);
	return ret;
}

/* --- operators ------------------------------------------------------------- */

static int ask_of_dump(
	struct store *s, uint16_t method, const uint8_t *dump, int64_t until, struct err *err)
{
	struct rpc_client_request request = {.method = method};
	struct store_params params = {.until = until};

	memcpy(params.dump, dump, sizeof params.dump);
	return store_remote_ask(
		(struct remote *)s, &request, store_dump_fields, &params, NULL, err);
}

static int remote_delete(struct store *s, const uint8_t *dump, struct err *err)
{
	return ask_of_dump(s, STORE_METHOD_DELETE, dump, 0, err);
}

static int remote_lock(struct store *s, const uint8_t *dump, int64_t until, struct err *err)
{
	return ask_of_dump(s, STORE_METHOD_LOCK, dump, until, err);
}

const struct store_kind store_remote = {
	.size = sizeof(struct remote),
	.init = remote_init,
	.open_start = remote_open_start,
	.open = remote_open,
	.cancel = remote_cancel,
	.close = remote_close,
	.about = remote_about,
	.begin = store_remote_begin,
	.have = store_remote_have,
	.put = store_remote_put,
	.settle = store_remote_settle,
	.commit_wait = store_remote_commit_wait,
	.dumps = remote_dumps,
	.hold = remote_hold,
	.ahead = remote_ahead,
	.get = remote_get,
	.delete = remote_delete,
	.lock = remote_lock,
};
