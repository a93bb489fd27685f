/*
 * A store in a directory: implements the contract with the engine. Records that are put wait in a
 * queue, bounded by number and bytes. One thread takes them, and commits after them; no other
 * thread of this process writes. Its errors are returned by the next call. One mutex guards the
 * queue, and one condition signals every change.
 */
#include <assert.h>
#include <pthread.h>
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

struct local {
	struct store base;
	struct engine *engine;
	bool started; /* the thread, by the first store_begin */
	pthread_t thread;
	/* Guarded by base.lock: */
	struct store_parcel *parcels[QUEUE_SLOTS]; /* a ring */
	size_t first, count, bytes;
	bool putting;       /* the thread is working on a record that has left the ring */
	bool closing, over; /* over: the thread has ended */
	uint64_t taken;     /* records done, to see progress */
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

	assert(mutex_held(&l->base.lock) && !l->putting);
	assert(l->count > 0 && l->count <= QUEUE_SLOTS && l->first < QUEUE_SLOTS);
	l->first = (l->first + 1) % QUEUE_SLOTS;
	l->count--;
	l->putting = true;
	mutex_unlock(&l->base.lock);
	ret = engine_put(l->engine, l->base.run.agent, l->base.run.domain, p->bytes, p->len, &why);
	mutex_lock(&l->base.lock);
	l->putting = false;
	l->taken++;
	assert(l->bytes >= p->len);
	l->bytes -= p->len;
	if (ret == 0)
		l->base.stored += p->len;
	if (ret < 0) {
		l->base.failed = true;
		l->base.why = why;
		drop_all(l);
	}
	store_parcel_unref(p);
	pthread_cond_broadcast(&l->base.change);
}

/* Anyone who may write to the directory could forge the time, so the receipt is not checked. */
static void commit(struct local *l)
{
	int64_t time = l->base.has_first ? l->base.first.time : STORE_NOW;
	struct err why = {0};
	int ret;

	assert(mutex_held(&l->base.lock) && l->base.commit == COMMIT_WANTED && l->count == 0);
	l->base.commit = COMMIT_RUNNING;
	mutex_unlock(&l->base.lock);
	ret = engine_commit(l->engine, l->base.record.data, l->base.record.len, time,
		&l->base.receipt, &l->base.missing, &why);
	mutex_lock(&l->base.lock);
	assert(l->base.commit == COMMIT_RUNNING);
	l->base.answer = ret;
	l->base.commit = COMMIT_DONE;
	if (ret < 0)
		l->base.commit_why = why;
	pthread_cond_broadcast(&l->base.change);
}

static void *run_thread(void *store)
{
	struct local *l = store;

	mutex_lock(&l->base.lock);
	while (!l->closing)
		if (l->count > 0)
			put_next(l);
		else if (l->base.commit == COMMIT_WANTED && !l->base.failed)
			commit(l);
		else
			mutex_wait(&l->base.lock, &l->base.change);
	l->over = true;
	pthread_cond_broadcast(&l->base.change);
	mutex_unlock(&l->base.lock);
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

static int local_open(struct store *s, int64_t wait_ms, struct err *err)
{
	struct local *l = (struct local *)s;
	const struct engine_wait wait = {s->access.wait_sec, s->access.waits, s->access.ctx};

	(void)wait_ms; /* access.wait_sec (--lock-wait) applies instead */
	if (s->abandoned)
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

	mutex_lock(&l->base.lock);
	l->closing = true;
	drop_all(l);
	pthread_cond_broadcast(&l->base.change);
	while (l->started && !l->over && ret == 0)
		ret = mutex_wait_until(&l->base.lock, &l->base.change, until);
	over = !l->started || l->over;
	mutex_unlock(&l->base.lock);
	s->abandoned = !over;
	if (!over)
		return;
	if (l->started)
		pthread_join(l->thread, NULL);
	engine_close(l->engine);
	l->engine = NULL;
	l->started = l->closing = l->over = false;
}

static int local_about(struct store *s, struct store_about *about, struct err *err)
{
	return engine_about(((struct local *)s)->engine, about, err);
}

/* --- writing -------------------------------------------------------------- */

static bool fits(const struct local *l, size_t len)
{
	assert(mutex_held(&l->base.lock));
	return l->count == 0 || (l->count < QUEUE_SLOTS && l->bytes + len <= QUEUE_BYTES);
}

static int local_put(struct store *s, struct store_parcel *p, int64_t wait_ms, struct err *err)
{
	struct local *l = (struct local *)s;
	int64_t end = uptime_ms() + wait_ms;
	int ret = STORE_TAKEN;

	mutex_lock(&l->base.lock);
	while (!l->base.failed && !fits(l, p->len) && uptime_ms() < end)
		mutex_wait_until(&l->base.lock, &l->base.change, end);
	if (l->base.failed) {
		*err = l->base.why;
		ret = -1;
	} else if (!fits(l, p->len)) {
		ret = STORE_NO_ROOM;
	} else {
		assert(l->count < QUEUE_SLOTS);
		l->parcels[(l->first + l->count++) % QUEUE_SLOTS] = store_parcel_ref(p);
		l->bytes += p->len;
		pthread_cond_broadcast(&l->base.change);
	}
	mutex_unlock(&l->base.lock);
	return ret;
}

/* Waits until all that was put is in the engine; gives up after the patience without progress.
 * Returns 0, or -1 with err set. */
static int settle(struct local *l, uint64_t *stored, struct err *err)
{
	int64_t moved = uptime_ms(), patience = l->base.access.patience_ms;
	uint64_t taken;
	int ret = 0;

	mutex_lock(&l->base.lock);
	taken = l->taken;
	while (!l->base.failed && (l->count > 0 || l->putting) && uptime_ms() - moved < patience) {
		mutex_wait_until(&l->base.lock, &l->base.change, moved + patience);
		if (l->taken != taken)
			moved = uptime_ms();
		taken = l->taken;
	}
	if (l->base.failed) {
		*err = l->base.why;
		ret = -1;
	} else if (l->count > 0 || l->putting) {
		ret = err_set(err, ERR_TIMEOUT, "it made no progress");
	}
	*stored = l->base.stored;
	mutex_unlock(&l->base.lock);
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

static int local_commit_wait(struct store *s, int64_t wait_ms, struct err *err)
{
	int64_t end = uptime_ms() + wait_ms;

	(void)err;
	mutex_lock(&s->lock);
	while (!s->failed && s->commit != COMMIT_DONE && uptime_ms() < end)
		mutex_wait_until(&s->lock, &s->change, end);
	mutex_unlock(&s->lock);
	return 0;
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
	.open = local_open,
	.close = local_close,
	.about = local_about,
	.begin = local_begin,
	.have = local_have,
	.put = local_put,
	.settle = local_settle,
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
