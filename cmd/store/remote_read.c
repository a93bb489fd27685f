/* Records are asked for before they are wanted, in a ring of slots. */
#include "cmd/store/remote.h"

#include <assert.h>
#include <string.h>

#include "cmd/store/proto.h"
#include "lib/uptime.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define BUSY_MS 1000 /* between questions of who is told that the store is busy */

int store_remote_dumps(struct store *s, const struct store_filter *filter, store_each_dump *each,
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
				      (size_t)(filter->after > 0));
	if (filter->agent != NULL) {
		cbor_put_text(&params, "agent");
		cbor_put_text(&params, filter->agent);
	}
	if (filter->name != NULL) {
		cbor_put_text(&params, "name");
		cbor_put_text(&params, filter->name);
	}
	if (filter->after > 0) {
		cbor_put_text(&params, "after");
		cbor_put_uint(&params, filter->after);
	}
	buf_init(&reply, RPC_PAYLOAD_MAX);
	buf_init(&list, STORE_LISTING_MAX);
	ret = store_remote_call(r, &request, &params, NULL, NULL, &reply, &list, err);
	cbor_in_init(&in, list.data, list.len);
	while (ret == 0 && (ret = store_entry_next(&in, s->uid, &entry, err)) == 0)
		ret = each(ctx, &entry, err);
	buf_fini(&reply);
	buf_fini(&list);
	return ret < 0 ? -1 : 0;
}

int store_remote_hold(struct store *s, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_HOLD,
		.reply_max = STORE_DUMP_MAX + 1024,
		.greeting = s->mode == STORE_READ, /* a run's is that it was begun */
	};
	int64_t end = uptime_ms() + s->access.patience_ms;
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
	while ((ret = store_remote_flag(r, &request, &params, &blob, err)) < 0 &&
		err->code == ERR_BUSY && uptime_ms() < end)
		store_remote_pause(BUSY_MS);
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
	struct cbormap_value v[STORE_FLAG_FIELDS];
	struct store_record record;

	if (cbormap_get(v, store_flag_fields, reply, len, err) != 0)
		return -1;
	if (v[STORE_FLAG_IS].number == 0)
		return 1;
	if (blob == NULL || store_record_get(&record, blob->data, blob->len, err) != 0)
		return err_set(err, ERR_DAMAGE, "a malformed record was received");
	if (memcmp(record.id, id, STORE_ID_LEN) != 0)
		return err_set(err, ERR_DAMAGE, "received a record that was not asked for");
	return 0;
}

/* In the client's thread. */
static void ahead_done(void *arg, const struct rpc_client_answer *answer)
{
	struct ahead *a = arg;
	struct remote *r = a->remote;

	mutex_lock(&r->lock);
	if (answer->err != NULL) {
		a->ret = -1;
		a->why = *answer->err;
	} else {
		a->ret = check_record(answer->reply, answer->reply_len,
			answer->has_blob ? answer->blob : NULL, a->id, &a->why);
		if (a->ret == 0) { /* the memory changes hands */
			buf_fini(&a->record);
			a->record = *answer->blob;
			buf_init(answer->blob, STORE_REMOTE_BLOB);
		}
	}
	a->done = true;
	pthread_cond_broadcast(&r->change);
	mutex_unlock(&r->lock);
}

static struct ahead *find_ahead(struct remote *r, const uint8_t *domain, const uint8_t *id)
{
	size_t i;

	assert(mutex_held(&r->lock));
	for (i = 0; i < STORE_REMOTE_AHEAD; i++)
		if (r->aheads[i].used && memcmp(r->aheads[i].id, id, STORE_ID_LEN) == 0 &&
			memcmp(r->aheads[i].domain, domain, STORE_DOMAIN_LEN) == 0)
			return &r->aheads[i];
	return NULL;
}

/* A slot for one more: the one that was filled longest ago, unless it is under way. */
static struct ahead *take_slot(struct remote *r)
{
	struct ahead *a = &r->aheads[r->next_ahead];

	assert(mutex_held(&r->lock) && r->next_ahead < STORE_REMOTE_AHEAD);
	if (a->used && !a->done)
		return NULL;
	r->next_ahead = (r->next_ahead + 1) % STORE_REMOTE_AHEAD;
	buf_fini(&a->record);
	*a = (struct ahead){.remote = r, .used = true};
	buf_init(&a->record, STORE_REMOTE_BLOB);
	return a;
}

int store_remote_ahead(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err)
{
	struct remote *r = (struct remote *)s;
	size_t i;

	(void)lacks; /* a hint goes without an answer */
	for (i = 0; i < count; i++) {
		const uint8_t *id = ids + i * STORE_ID_LEN;
		struct rpc_client_request request = {.method = STORE_METHOD_GET,
			.reply_max = STORE_REMOTE_BLOB,
			.done = ahead_done};
		struct ahead *a = NULL;
		uint8_t mem[128];

		mutex_lock(&r->lock);
		if (find_ahead(r, domain, id) == NULL && (a = take_slot(r)) != NULL) {
			memcpy(a->domain, domain, sizeof a->domain);
			memcpy(a->id, id, sizeof a->id);
		}
		mutex_unlock(&r->lock);
		if (a == NULL)
			continue;
		request.arg = a;
		request.params = mem;
		request.len = put_get_params(mem, domain, id);
		if (rpc_client_start(r->client, &request, err) == NULL) {
			mutex_lock(&r->lock);
			a->used = false;
			mutex_unlock(&r->lock);
			return -1;
		}
	}
	return 0;
}

int store_remote_get(
	struct store *s, const uint8_t *domain, const uint8_t *id, struct buf *out, struct err *err)
{
	struct remote *r = (struct remote *)s;
	struct rpc_client_request request = {
		.method = STORE_METHOD_GET, .reply_max = STORE_REMOTE_BLOB};
	struct ahead *a;
	struct buf reply;
	uint8_t mem[128];
	int ret;

	buf_clear(out);
	mutex_lock(&r->lock);
	/* Another thread may take the slot while this one waits. */
	while ((a = find_ahead(r, domain, id)) != NULL && !a->done)
		mutex_wait(&r->lock, &r->change);
	if (a != NULL && a->ret >= 0) {
		ret = a->ret == 0 ? buf_add(out, a->record.data, a->record.len, err) : 1;
		a->used = false;
		buf_fini(&a->record);
		mutex_unlock(&r->lock);
		return ret;
	}
	if (a != NULL)
		a->used = false;
	mutex_unlock(&r->lock);
	request.params = mem;
	request.len = put_get_params(mem, domain, id);
	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = rpc_client_call(r->client, &request, &reply, out, err);
	if (ret == 0)
		ret = check_record(reply.data, reply.len, out, id, err);
	buf_fini(&reply);
	return ret;
}
