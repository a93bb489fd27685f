/* One lock over the queue, one condition for each change of it. */
#include "cmd/store/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "cmd/store/parcel.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/mutex.h"
#include "lib/uptime.h"

enum commit_state { COMMIT_NONE, COMMIT_WANTED, COMMIT_RUNNING, COMMIT_DONE };

struct store_queue {
	const struct store_queue_ops *ops;
	void *ctx;
	int64_t patience_ms;
	pthread_t thread;
	struct mutex lock;
	pthread_cond_t change;
	struct store_parcel *parcels[STORE_QUEUE_SLOTS]; /* a ring */
	size_t first, count, bytes;
	bool putting;       /* one is out of the ring, and not done */
	bool closing, over; /* over: the thread has ended */
	bool failed;
	struct err why;
	uint64_t stored, taken; /* bytes that were new; records done, to see it move */
	/* The commit. */
	enum commit_state commit;
	struct buf record; /* a copy: who waits may give up before it is done */
	int64_t time;
	int answer;
	struct store_receipt receipt;
	struct buf missing;
};

/* --- the thread ----------------------------------------------------------- */

static void drop_all(struct store_queue *q)
{
	assert(q->count <= STORE_QUEUE_SLOTS && q->first < STORE_QUEUE_SLOTS);
	for (; q->count > 0; q->count--) {
		store_parcel_unref(q->parcels[q->first]);
		q->first = (q->first + 1) % STORE_QUEUE_SLOTS;
	}
	q->bytes = 0;
}

/* The lock is not held while the store works. */
static void put_next(struct store_queue *q)
{
	struct store_parcel *p = q->parcels[q->first];
	struct err why = {0};
	int ret;

	assert(mutex_held(&q->lock) && !q->putting);
	assert(q->count > 0 && q->count <= STORE_QUEUE_SLOTS && q->first < STORE_QUEUE_SLOTS);
	q->first = (q->first + 1) % STORE_QUEUE_SLOTS;
	q->count--;
	q->putting = true;
	mutex_unlock(&q->lock);
	ret = q->ops->put(q->ctx, p->bytes, p->len, &why);
	mutex_lock(&q->lock);
	q->putting = false;
	q->taken++;
	assert(q->bytes >= p->len);
	q->bytes -= p->len;
	if (ret == 0)
		q->stored += p->len;
	if (ret < 0) {
		q->failed = true;
		q->why = why;
		drop_all(q);
	}
	store_parcel_unref(p);
	pthread_cond_broadcast(&q->change);
}

static void commit(struct store_queue *q)
{
	struct err why = {0};
	int ret;

	assert(mutex_held(&q->lock) && q->commit == COMMIT_WANTED && q->count == 0);
	q->commit = COMMIT_RUNNING;
	mutex_unlock(&q->lock);
	ret = q->ops->commit(
		q->ctx, q->record.data, q->record.len, q->time, &q->receipt, &q->missing, &why);
	mutex_lock(&q->lock);
	assert(q->commit == COMMIT_RUNNING);
	q->answer = ret;
	q->commit = COMMIT_DONE;
	if (ret < 0)
		q->why = why;
	pthread_cond_broadcast(&q->change);
}

static void *run(void *queue)
{
	struct store_queue *q = queue;

	mutex_lock(&q->lock);
	while (!q->closing)
		if (q->count > 0)
			put_next(q);
		else if (q->commit == COMMIT_WANTED && !q->failed)
			commit(q);
		else
			mutex_wait(&q->lock, &q->change);
	q->over = true;
	pthread_cond_broadcast(&q->change);
	mutex_unlock(&q->lock);
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

static void queue_free(struct store_queue *q)
{
	drop_all(q);
	buf_fini(&q->missing);
	buf_fini(&q->record);
	pthread_cond_destroy(&q->change);
	mutex_fini(&q->lock);
	free(q);
}

struct store_queue *store_queue_new(
	const struct store_queue_ops *ops, void *ctx, int64_t patience_ms, struct err *err)
{
	struct store_queue *q = calloc(1, sizeof *q);
	int ret;

	if (q == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	q->ops = ops;
	q->ctx = ctx;
	q->patience_ms = patience_ms;
	buf_init(&q->record, STORE_DUMP_MAX);
	buf_init(&q->missing, (size_t)STORE_MISSING_MAX * STORE_ID_LEN);
	mutex_init(&q->lock);
	pthread_cond_init(&q->change, NULL);
	ret = pthread_create(&q->thread, NULL, run, q);
	if (ret == 0)
		return q;
	err_errno(err, ret, "thread");
	queue_free(q);
	return NULL;
}

bool store_queue_close(struct store_queue *q)
{
	int64_t until = uptime_ms() + STORE_CLOSE_MS;
	int ret = 0;
	bool over;

	if (q == NULL)
		return true;
	mutex_lock(&q->lock);
	q->closing = true;
	drop_all(q);
	pthread_cond_broadcast(&q->change);
	while (!q->over && ret == 0)
		ret = mutex_wait_until(&q->lock, &q->change, until);
	over = q->over;
	mutex_unlock(&q->lock);
	if (!over)
		return false;
	pthread_join(q->thread, NULL);
	queue_free(q);
	return true;
}

/* --- its user ------------------------------------------------------------- */

static bool fits(const struct store_queue *q, size_t len)
{
	assert(mutex_held(&q->lock));
	return q->count == 0 ||
	       (q->count < STORE_QUEUE_SLOTS && q->bytes + len <= STORE_QUEUE_BYTES);
}

/* Waits while the store works and `busy` says so, but no longer than its patience without
 * progress. Returns 0, or -1 with err set. */
static int wait_while(
	struct store_queue *q, bool (*busy)(const struct store_queue *q), struct err *err)
{
	int64_t moved = uptime_ms();
	uint64_t taken = q->taken;

	while (!q->failed && busy(q)) {
		if (q->taken != taken) {
			moved = uptime_ms();
			taken = q->taken;
		}
		if (uptime_ms() - moved >= q->patience_ms)
			return err_set(err, ERR_TIMEOUT, "it accepts nothing any more");
		mutex_wait_until(&q->lock, &q->change, moved + q->patience_ms);
	}
	if (!q->failed)
		return 0;
	*err = q->why;
	return -1;
}

int store_queue_put(struct store_queue *q, struct store_parcel *p, int64_t wait_ms, struct err *err)
{
	int64_t end = uptime_ms() + wait_ms;
	int ret = STORE_TAKEN;

	mutex_lock(&q->lock);
	while (!q->failed && !fits(q, p->len) && uptime_ms() < end)
		mutex_wait_until(&q->lock, &q->change, end);
	if (q->failed) {
		*err = q->why;
		ret = -1;
	} else if (!fits(q, p->len)) {
		ret = STORE_NO_ROOM;
	} else {
		assert(q->count < STORE_QUEUE_SLOTS);
		q->parcels[(q->first + q->count++) % STORE_QUEUE_SLOTS] = store_parcel_ref(p);
		q->bytes += p->len;
		pthread_cond_broadcast(&q->change);
	}
	mutex_unlock(&q->lock);
	return ret;
}

static bool has_work(const struct store_queue *q)
{
	assert(mutex_held(&q->lock));
	return q->count > 0 || q->putting;
}

int store_queue_settle(struct store_queue *q, uint64_t *stored, struct err *err)
{
	int ret;

	mutex_lock(&q->lock);
	ret = wait_while(q, has_work, err);
	*stored = q->stored;
	mutex_unlock(&q->lock);
	return ret;
}

int store_queue_commit(
	struct store_queue *q, const uint8_t *record, size_t len, int64_t time, struct err *err)
{
	int ret = 0;

	mutex_lock(&q->lock);
	assert(q->commit == COMMIT_NONE || q->commit == COMMIT_DONE);
	buf_clear(&q->record);
	if (q->failed) {
		*err = q->why;
		ret = -1;
	} else if (buf_add(&q->record, record, len, err) != 0) {
		ret = -1;
	} else {
		q->commit = COMMIT_WANTED;
		q->time = time;
		buf_clear(&q->missing);
		pthread_cond_broadcast(&q->change);
	}
	mutex_unlock(&q->lock);
	return ret;
}

int store_queue_answer(struct store_queue *q, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err)
{
	int64_t end = uptime_ms() + wait_ms;
	int ret = STORE_PENDING;

	mutex_lock(&q->lock);
	while (!q->failed && q->commit != COMMIT_DONE && uptime_ms() < end)
		mutex_wait_until(&q->lock, &q->change, end);
	if (q->failed || q->commit == COMMIT_DONE) {
		ret = q->failed ? -1 : q->answer;
		q->commit = COMMIT_NONE;
	}
	if (ret < 0)
		*err = q->why;
	if (ret == STORE_COMMITTED)
		*receipt = q->receipt;
	if (ret == STORE_MISSING && missing != NULL &&
		buf_add(missing, q->missing.data, q->missing.len, err) != 0)
		ret = -1;
	mutex_unlock(&q->lock);
	return ret;
}
