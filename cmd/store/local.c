/*
 * A store in a directory: implements the contract with the engine. Records that are put wait in a
 * queue, bounded by number and bytes. One thread takes them, and commits after them; no other
 * thread of this process writes. Its errors are returned by the next call. One mutex guards the
 * queue, and one condition signals every change.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/care.h"
#include "cmd/store/engine.h"
#include "cmd/store/kind.h"
#include "cmd/store/parcel.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/mutex.h"
#include "lib/uptime.h"

#define QUEUE_SLOTS 1024       /* records in the queue */
#define QUEUE_BYTES (4u << 20) /* bytes of the queue */
#define CLOSE_MS    5000       /* time for the thread to end */

enum commit_state { COMMIT_NONE, COMMIT_WANTED, COMMIT_RUNNING, COMMIT_DONE };

struct local {
	struct store base;
	struct engine *engine;
	bool started; /* the thread, by the first store_begin */
	pthread_t thread;
	struct mutex lock; /* guards all below */
	pthread_cond_t change;
	struct store_parcel *parcels[QUEUE_SLOTS]; /* a ring */
	size_t first, count, bytes;
	bool putting;       /* the thread is working on a record that has left the ring */
	bool closing, over; /* over: the thread has ended */
	bool failed;
	struct err why;
	uint64_t stored, taken; /* bytes that were new; records done, to see progress */
	/* The commit. */
	enum commit_state commit;
	struct buf record; /* a copy, as the caller may give up waiting */
	int64_t time;
	int answer;
	struct store_receipt receipt;
	struct buf missing;
};

/* --- the thread ----------------------------------------------------------- */

static void drop_all(struct local *l)
{
	assert(l->count <= QUEUE_SLOTS && l->first < QUEUE_SLOTS);
	for (; l->count > 0; l->count--) {
		l->bytes -= l->parcels[l->first]->len;
		store_parcel_unref(l->parcels[l->first]);
		l->first = (l->first + 1) % QUEUE_SLOTS;
	}
}

/* Releases the lock while the engine works. */
static void put_next(struct local *l)
{
	struct store_parcel *p = l->parcels[l->first];
	struct err why = {0};
	int ret;

	assert(mutex_held(&l->lock) && !l->putting);
	assert(l->count > 0 && l->count <= QUEUE_SLOTS && l->first < QUEUE_SLOTS);
	l->first = (l->first + 1) % QUEUE_SLOTS;
	l->count--;
	l->putting = true;
	mutex_unlock(&l->lock);
	ret = engine_put(l->engine, l->base.run.agent, l->base.run.domain, p->bytes, p->len, &why);
	mutex_lock(&l->lock);
	l->putting = false;
	l->taken++;
	assert(l->bytes >= p->len);
	l->bytes -= p->len;
	if (ret == 0)
		l->stored += p->len;
	if (ret < 0) {
		l->failed = true;
		l->why = why;
		drop_all(l);
	}
	store_parcel_unref(p);
	pthread_cond_broadcast(&l->change);
}

static void commit(struct local *l)
{
	struct err why = {0};
	int ret;

	assert(mutex_held(&l->lock) && l->commit == COMMIT_WANTED && l->count == 0);
	l->commit = COMMIT_RUNNING;
	mutex_unlock(&l->lock);
	ret = engine_commit(
		l->engine, l->record.data, l->record.len, l->time, &l->receipt, &l->missing, &why);
	mutex_lock(&l->lock);
	assert(l->commit == COMMIT_RUNNING);
	l->answer = ret;
	l->commit = COMMIT_DONE;
	if (ret < 0)
		l->why = why;
	pthread_cond_broadcast(&l->change);
}

static void *run_thread(void *store)
{
	struct local *l = store;

	mutex_lock(&l->lock);
	while (!l->closing)
		if (l->count > 0)
			put_next(l);
		else if (l->commit == COMMIT_WANTED && !l->failed)
			commit(l);
		else
			mutex_wait(&l->lock, &l->change);
	l->over = true;
	pthread_cond_broadcast(&l->change);
	mutex_unlock(&l->lock);
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

static void local_init(struct store *s)
{
	struct local *l = (struct local *)s;

	mutex_init(&l->lock);
	pthread_cond_init(&l->change, NULL);
	buf_init(&l->record, STORE_DUMP_MAX);
	buf_init(&l->missing, (size_t)STORE_MISSING_MAX * STORE_ID_LEN);
}

static int local_open(struct store *s, int64_t wait_ms, struct err *err)
{
	struct local *l = (struct local *)s;
	const struct engine_wait wait = {s->access.wait_sec, s->access.waits, s->access.ctx};

	(void)wait_ms;         /* access.wait_sec (--lock-wait) applies instead */
	if (l->engine != NULL) /* it was abandoned by local_close */
		return err_set(err, ERR_FAILED, "%s: still busy with an earlier call", s->name);
	l->engine = engine_open(
		s->name, s->mode == STORE_WRITE ? ENGINE_WRITE : ENGINE_READ, &wait, err);
	if (l->engine == NULL)
		return -1;
	memcpy(s->uid, engine_uid(l->engine), sizeof s->uid);
	memcpy(s->public, engine_public(l->engine), sizeof s->public);
	return 0;
}

/* If the thread hangs in the engine, it is abandoned with all that it uses. */
static void local_close(struct store *s)
{
	struct local *l = (struct local *)s;
	int64_t until = uptime_ms() + CLOSE_MS;
	int ret = 0;
	bool over;

	mutex_lock(&l->lock);
	l->closing = true;
	drop_all(l);
	pthread_cond_broadcast(&l->change);
	while (l->started && !l->over && ret == 0)
		ret = mutex_wait_until(&l->lock, &l->change, until);
	over = !l->started || l->over;
	mutex_unlock(&l->lock);
	if (!over)
		return;
	if (l->started)
		pthread_join(l->thread, NULL);
	engine_close(l->engine);
	l->engine = NULL;
	l->started = l->closing = l->over = l->failed = false;
	l->stored = 0;
	l->commit = COMMIT_NONE;
	buf_fini(&l->missing);
	buf_fini(&l->record);
}

static void local_free(struct store *s)
{
	struct local *l = (struct local *)s;

	if (l->engine != NULL)
		return;
	pthread_cond_destroy(&l->change);
	mutex_fini(&l->lock);
	free(l);
}

static int local_about(struct store *s, struct store_about *about, struct err *err)
{
	return engine_about(((struct local *)s)->engine, about, err);
}

/* --- writing -------------------------------------------------------------- */

static bool fits(const struct local *l, size_t len)
{
	assert(mutex_held(&l->lock));
	return l->count == 0 || (l->count < QUEUE_SLOTS && l->bytes + len <= QUEUE_BYTES);
}

static int local_put(struct store *s, struct store_parcel *p, int64_t wait_ms, struct err *err)
{
	struct local *l = (struct local *)s;
	int64_t end = uptime_ms() + wait_ms;
	int ret = STORE_TAKEN;

	mutex_lock(&l->lock);
	while (!l->failed && !fits(l, p->len) && uptime_ms() < end)
		mutex_wait_until(&l->lock, &l->change, end);
	if (l->failed) {
		*err = l->why;
		ret = -1;
	} else if (!fits(l, p->len)) {
		ret = STORE_NO_ROOM;
	} else {
		assert(l->count < QUEUE_SLOTS);
		l->parcels[(l->first + l->count++) % QUEUE_SLOTS] = store_parcel_ref(p);
		l->bytes += p->len;
		pthread_cond_broadcast(&l->change);
	}
	mutex_unlock(&l->lock);
	return ret;
}

/* Waits until all that was put is in the engine; gives up after the patience without progress.
 * Returns 0, or -1 with err set. */
static int settle(struct local *l, uint64_t *stored, struct err *err)
{
	int64_t moved = uptime_ms(), patience = l->base.access.patience_ms;
	uint64_t taken;
	int ret = 0;

	mutex_lock(&l->lock);
	taken = l->taken;
	while (!l->failed && (l->count > 0 || l->putting) && uptime_ms() - moved < patience) {
		mutex_wait_until(&l->lock, &l->change, moved + patience);
		if (l->taken != taken)
			moved = uptime_ms();
		taken = l->taken;
	}
	if (l->failed) {
		*err = l->why;
		ret = -1;
	} else if (l->count > 0 || l->putting) {
		ret = err_set(err, ERR_TIMEOUT, "it made no progress");
	}
	*stored = l->stored;
	mutex_unlock(&l->lock);
	return ret;
}

static int local_begin(
	struct store *s, const struct store_run *run, bool *has_base, struct err *err)
{
	struct local *l = (struct local *)s;
	uint64_t stored;
	int ret = 1;

	if (settle(l, &stored, err) != 0)
		return -1;
	if (run->base != NULL)
		ret = engine_hold(l->engine, run->base, NULL, NULL, err);
	if (ret < 0)
		return -1;
	*has_base = ret == 0;
	if (l->started)
		return 0;
	ret = pthread_create(&l->thread, NULL, run_thread, l);
	if (ret != 0)
		return err_errno(err, ret, "thread");
	l->started = true;
	return 0;
}

static int local_have(struct store *s, const uint8_t *ids, size_t count, bool ask,
	enum store_answer *answers, struct err *err)
{
	struct local *l = (struct local *)s;
	bool has[STORE_HAVE_MAX];
	size_t i;

	(void)ask;
	if (engine_have(l->engine, s->run.domain, ids, count, has, err) != 0)
		return -1;
	for (i = 0; i < count; i++)
		answers[i] = has[i] ? STORE_HAS : STORE_LACKS;
	return 0;
}

static int local_settle(struct store *s, uint64_t *stored, struct err *err)
{
	struct local *l = (struct local *)s;

	return settle(l, stored, err) != 0 ? -1 : engine_flush(l->engine, err);
}

/* Anyone who may write to the directory could forge the time, so the receipt is not checked. */
static int local_commit_start(struct store *s, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct err *err)
{
	struct local *l = (struct local *)s;
	int ret = 0;

	mutex_lock(&l->lock);
	assert(l->commit == COMMIT_NONE || l->commit == COMMIT_DONE);
	buf_clear(&l->record);
	if (l->failed) {
		*err = l->why;
		ret = -1;
	} else if (buf_add(&l->record, record, len, err) != 0) {
		ret = -1;
	} else {
		l->commit = COMMIT_WANTED;
		l->time = first != NULL ? first->time : STORE_NOW;
		buf_clear(&l->missing);
		pthread_cond_broadcast(&l->change);
	}
	mutex_unlock(&l->lock);
	return ret;
}

static int local_commit_wait(struct store *s, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err)
{
	struct local *l = (struct local *)s;
	int64_t end = uptime_ms() + wait_ms;
	int ret = STORE_PENDING;

	mutex_lock(&l->lock);
	while (!l->failed && l->commit != COMMIT_DONE && uptime_ms() < end)
		mutex_wait_until(&l->lock, &l->change, end);
	if (l->failed || l->commit == COMMIT_DONE) {
		ret = l->failed ? -1 : l->answer;
		l->commit = COMMIT_NONE;
	}
	if (ret < 0)
		*err = l->why;
	if (ret == STORE_COMMITTED)
		*receipt = l->receipt;
	if (ret == STORE_MISSING && missing != NULL &&
		buf_add(missing, l->missing.data, l->missing.len, err) != 0)
		ret = -1;
	mutex_unlock(&l->lock);
	return ret;
}

/* --- reading and operators ------------------------------------------------- */

static int local_dumps(struct store *s, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	return engine_dumps(((struct local *)s)->engine, filter, each, ctx, err);
}

/* Nothing to pin: gc waits for the lock that an open store holds. */
static int local_hold(struct store *s, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err)
{
	return engine_hold(((struct local *)s)->engine, dump, record, entry, err);
}

static int local_ahead(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err)
{
	return engine_ahead(((struct local *)s)->engine, domain, ids, count, lacks, err);
}

static int local_get(
	struct store *s, const uint8_t *domain, const uint8_t *id, struct buf *out, struct err *err)
{
	return engine_get(((struct local *)s)->engine, domain, id, out, err);
}

static int local_delete(struct store *s, const uint8_t *dump, struct err *err)
{
	return engine_delete(((struct local *)s)->engine, dump, err);
}

static int local_lock(struct store *s, const uint8_t *dump, int64_t until, struct err *err)
{
	return engine_lock(((struct local *)s)->engine, dump, until, err);
}

static int local_doubt(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	size_t *marked, struct err *err)
{
	return engine_doubt(((struct local *)s)->engine, domain, ids, count, marked, err);
}

static int local_check(struct store *s, enum store_check what, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err)
{
	const struct engine_scrub_options read_only = {.mark = false};
	struct engine *engine = ((struct local *)s)->engine;

	switch (what) {
	case STORE_CHECK_NOTE:
		engine_note_reads(engine);
		return 0;
	case STORE_CHECK_BLOCKS:
		return engine_scrub(engine, &read_only, problem, ctx, result, err);
	default:
		return engine_check_lists(engine, problem, ctx, result, err);
	}
}

const struct store_kind store_local = {
	.size = sizeof(struct local),
	.init = local_init,
	.open = local_open,
	.close = local_close,
	.free = local_free,
	.about = local_about,
	.begin = local_begin,
	.have = local_have,
	.put = local_put,
	.settle = local_settle,
	.commit_start = local_commit_start,
	.commit_wait = local_commit_wait,
	.dumps = local_dumps,
	.hold = local_hold,
	.ahead = local_ahead,
	.get = local_get,
	.delete = local_delete,
	.lock = local_lock,
	.doubt = local_doubt,
	.check = local_check,
};
