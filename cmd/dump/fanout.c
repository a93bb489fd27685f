/*
 * One lock over all queues, one condition for every change of them. Records
 * are shared between queues, and counted.
 */
#include "cmd/dump/fanout.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd/dump/before.h"
#include "cmd/store/care.h"
#include "lib/buf.h"
#include "lib/err.h"

#define SLOTS     1024 /* records that wait for one store */
#define CLOSE_SEC 5    /* that a thread is waited for at the end */

struct parcel {
	size_t users, len;
	uint8_t bytes[];
};

struct copy {
	struct dump_fanout *owner;
	struct store *store;
	pthread_t thread;
	bool running; /* the thread was made */
	bool behind;
	struct err why; /* it was left behind */
	bool acked;     /* its commit was answered well */
	/* The queue, a ring. */
	struct parcel *queue[SLOTS];
	size_t first, count, bytes;
	bool commit, done; /* it is to commit; it has answered */
	int answer;
	uint64_t stored, taken; /* bytes that were new; records taken, to see it move */
	int64_t held_up;        /* milliseconds that the others waited for it alone */
};

struct dump_fanout {
	struct dump_fanout_options o;
	const uint8_t *domain;
	pthread_mutex_t lock;
	pthread_cond_t change;
	size_t alive;
	struct err why; /* the last one was left behind */
	bool closing;
	const uint8_t *record; /* to commit */
	size_t record_len;
	struct copy copies[DUMP_STORES_MAX];
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for a change, for at most a second. */
static void wait_change(struct dump_fanout *c)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	pthread_cond_timedwait(&c->change, &c->lock, &until);
}

static void release(struct parcel *p)
{
	if (--p->users == 0)
		free(p);
}

static void empty(struct copy *copy)
{
	for (; copy->count > 0; copy->count--) {
		release(copy->queue[copy->first]);
		copy->first = (copy->first + 1) % SLOTS;
	}
	copy->bytes = 0;
}

/* A store is given up; the lock is held. */
static void leave(struct copy *copy, const struct err *why)
{
	struct dump_fanout *c = copy->owner;

	if (copy->behind)
		return;
	copy->behind = true;
	c->alive--;
	empty(copy);
	copy->why = c->why = *why;
	c->o.behind(c->o.ctx, c->o.paths[copy - c->copies], why->message);
	pthread_cond_broadcast(&c->change);
}

static void leave_unlocked(struct copy *copy, const struct err *why)
{
	pthread_mutex_lock(&copy->owner->lock);
	leave(copy, why);
	pthread_mutex_unlock(&copy->owner->lock);
}

static void leave_for(struct copy *copy, const char *what)
{
	struct err why = {0};

	err_set(&why, ERR_FAILED, "%s", what);
	leave(copy, &why);
}

static bool is_behind(struct copy *copy)
{
	bool behind;

	pthread_mutex_lock(&copy->owner->lock);
	behind = copy->behind;
	pthread_mutex_unlock(&copy->owner->lock);
	return behind;
}

/* Why, was told of each; the lock is held. */
static int none_left(const struct dump_fanout *c, struct err *err)
{
	return err_set(err, c->why.code, "no store is left");
}

static int any_left(struct dump_fanout *c, struct err *err)
{
	int got;

	pthread_mutex_lock(&c->lock);
	got = c->alive > 0 ? 0 : none_left(c, err);
	pthread_mutex_unlock(&c->lock);
	return got;
}

/* --- a store's thread ------------------------------------------------------ */

/* One record; the lock is held, but not meanwhile. */
static void put_next(struct copy *copy)
{
	struct dump_fanout *c = copy->owner;
	struct parcel *p = copy->queue[copy->first];
	struct err why = {0};
	int got;

	copy->first = (copy->first + 1) % SLOTS;
	copy->count--;
	pthread_mutex_unlock(&c->lock);
	got = store_put(copy->store, c->o.agent, c->domain, p->bytes, p->len, &why);
	pthread_mutex_lock(&c->lock);
	copy->taken++;
	if (!copy->behind)
		copy->bytes -= p->len;
	if (got == 0)
		copy->stored += p->len;
	if (got < 0)
		leave(copy, &why);
	release(p);
	pthread_cond_broadcast(&c->change);
}

static void commit(struct copy *copy)
{
	struct dump_fanout *c = copy->owner;
	struct store_receipt receipt;
	struct err why = {0};
	int got;

	copy->commit = false;
	pthread_mutex_unlock(&c->lock);
	got = store_commit(copy->store, c->record, c->record_len, &receipt, NULL, &why);
	pthread_mutex_lock(&c->lock);
	copy->done = true;
	copy->answer = got;
	if (got < 0)
		leave(copy, &why);
	pthread_cond_broadcast(&c->change);
}

static void *run(void *copy_)
{
	struct copy *copy = copy_;
	struct dump_fanout *c = copy->owner;

	pthread_mutex_lock(&c->lock);
	while (!c->closing && !copy->behind)
		if (copy->count > 0)
			put_next(copy);
		else if (copy->commit)
			commit(copy);
		else
			wait_change(c);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* --- the whole ----------------------------------------------------------- */

static int start(struct copy *copy, struct err *err)
{
	int got;

	copy->store =
		store_open(copy->owner->o.paths[copy - copy->owner->copies], STORE_WRITE, err);
	if (copy->store == NULL)
		return -1;
	got = pthread_create(&copy->thread, NULL, run, copy);
	copy->running = got == 0;
	return got == 0 ? 0 : err_errno(err, got, "thread");
}

static bool is_before(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev ? a->st_dev < b->st_dev : a->st_ino < b->st_ino;
}

/* Stores are locked in the same order by all, however they are named: else two backups could wait
 * for each other. */
static void lock_order(const struct dump_fanout_options *o, size_t order[DUMP_STORES_MAX])
{
	struct stat st[DUMP_STORES_MAX] = {0};
	size_t i, k;

	for (i = 0; i < o->count; i++) {
		stat(o->paths[i], &st[i]); /* one that is not there is not locked either */
		for (k = i; k > 0 && is_before(&st[i], &st[order[k - 1]]); k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
}

struct dump_fanout *dump_fanout_open(
	const struct dump_fanout_options *options, const uint8_t *domain, struct err *err)
{
	struct dump_fanout *c = calloc(1, sizeof *c);
	pthread_condattr_t attr;
	struct err why = {0};
	size_t i, order[DUMP_STORES_MAX];

	if (c == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->o = *options;
	c->domain = domain;
	c->alive = options->count;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->change, &attr);
	pthread_condattr_destroy(&attr);
	lock_order(options, order);
	for (i = 0; i < options->count; i++)
		c->copies[i].owner = c;
	for (i = 0; i < options->count; i++)
		if (start(&c->copies[order[i]], &why) != 0)
			leave_unlocked(&c->copies[order[i]], &why);
	if (any_left(c, err) == 0)
		return c;
	dump_fanout_close(c);
	return NULL;
}

/* Returns whether the thread has ended: one that hangs in a store can't be
 * stopped, and what it uses must stay. */
static bool end_thread(struct copy *copy)
{
	struct timespec until;

	if (!copy->running)
		return true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += copy->behind ? CLOSE_SEC : DUMP_STALL_SEC;
	if (pthread_timedjoin_np(copy->thread, NULL, &until) != 0)
		return false;
	copy->running = false;
	return true;
}

void dump_fanout_close(struct dump_fanout *c)
{
	bool ended = true;
	size_t i;

	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->closing = true;
	pthread_cond_broadcast(&c->change);
	pthread_mutex_unlock(&c->lock);
	for (i = 0; i < c->o.count; i++)
		if (end_thread(&c->copies[i])) {
			empty(&c->copies[i]);
			store_close(c->copies[i].store);
		} else
			ended = false;
	if (!ended)
		return;
	pthread_cond_destroy(&c->change);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int dump_fanout_have(struct dump_fanout *c, const uint8_t *id, bool *has, struct err *err)
{
	struct err why = {0};
	bool one;
	size_t i;

	*has = true;
	for (i = 0; i < c->o.count && *has; i++) {
		if (is_behind(&c->copies[i]))
			continue;
		if (store_have(c->copies[i].store, c->domain, id, 1, &one, &why) != 0)
			leave_unlocked(&c->copies[i], &why);
		else
			*has = one;
	}
	return any_left(c, err);
}

/* --- putting ------------------------------------------------------------- */

static bool fits(const struct copy *copy, size_t len)
{
	return copy->count == 0 || (copy->count < SLOTS && copy->bytes + len <= DUMP_QUEUE);
}

/* Whether enough others could take it at once. */
static bool can_be_spared(const struct dump_fanout *c, const struct copy *copy, size_t len)
{
	size_t ready = 0, i;

	for (i = 0; i < c->o.count; i++)
		ready += &c->copies[i] != copy && !c->copies[i].behind && fits(&c->copies[i], len);
	return ready >= c->o.wanted;
}

/* Waits for room in a queue, or leaves the store behind. */
static void wait_room(struct copy *copy, size_t len)
{
	struct dump_fanout *c = copy->owner;
	int64_t moved = now_ms();
	uint64_t taken = copy->taken;

	while (!copy->behind && !fits(copy, len)) {
		int64_t before = now_ms();
		bool spare = can_be_spared(c, copy, len);

		wait_change(c);
		if (spare)
			copy->held_up += now_ms() - before;
		if (copy->taken != taken)
			moved = now_ms();
		taken = copy->taken;
		if (copy->held_up > DUMP_SLOW_SEC * 1000)
			leave_for(copy, "it is slower than the others, which are enough");
		else if (now_ms() - moved > DUMP_STALL_SEC * 1000)
			leave_for(copy, "it takes nothing any more");
	}
}

static void queue(struct copy *copy, struct parcel *p)
{
	copy->queue[(copy->first + copy->count++) % SLOTS] = p;
	copy->bytes += p->len;
	p->users++;
}

int dump_fanout_put(struct dump_fanout *c, const uint8_t *record, size_t len, struct err *err)
{
	struct parcel *p = malloc(sizeof *p + len);
	size_t i;
	int got;

	if (p == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	p->users = 1;
	p->len = len;
	memcpy(p->bytes, record, len);
	pthread_mutex_lock(&c->lock);
	for (i = 0; i < c->o.count; i++) {
		wait_room(&c->copies[i], len);
		if (!c->copies[i].behind)
			queue(&c->copies[i], p);
	}
	release(p);
	got = c->alive > 0 ? 0 : none_left(c, err);
	pthread_cond_broadcast(&c->change);
	pthread_mutex_unlock(&c->lock);
	return got;
}

int dump_fanout_has_dump(struct dump_fanout *c, const uint8_t *dump, bool *has, struct err *err)
{
	struct err why = {0};
	size_t i;
	int got;

	*has = false;
	for (i = 0; i < c->o.count && !*has; i++) {
		if (is_behind(&c->copies[i]))
			continue;
		got = store_has_dump(c->copies[i].store, dump, &why);
		if (got < 0)
			leave_unlocked(&c->copies[i], &why);
		*has = got == 0;
	}
	return any_left(c, err);
}

void dump_fanout_before(
	struct dump_fanout *c, const char *name, dump_fanout_each_before *each, void *ctx)
{
	struct dump_before before;
	struct err why = {0};
	size_t i;

	for (i = 0; i < c->o.count; i++) {
		if (is_behind(&c->copies[i]))
			continue;
		if (dump_before_read(&before, c->copies[i].store, c->o.agent, name, &why) != 0)
			leave_unlocked(&c->copies[i], &why);
		else
			each(ctx, c->o.paths[i], &before);
		dump_before_fini(&before);
	}
}

/* --- the end -------------------------------------------------------------- */

/* Stores that have not answered yet, are not behind; the lock is held. */
static size_t pending(const struct dump_fanout *c, size_t *acked, bool *lacks)
{
	size_t left = 0, i;

	*acked = 0;
	*lacks = false;
	for (i = 0; i < c->o.count; i++) {
		const struct copy *copy = &c->copies[i];

		left += !copy->behind && !copy->done;
		*acked += copy->done && copy->answer == 0;
		*lacks |= copy->done && copy->answer == 1;
	}
	return left;
}

/* Until all have answered; when enough have, the others get DUMP_SLOW_SEC. */
static void wait_answers(struct dump_fanout *c, size_t *acked, bool *lacks)
{
	int64_t end = now_ms() + DUMP_STALL_SEC * 1000;
	bool enough = false;
	size_t i;

	while (pending(c, acked, lacks) > 0 && now_ms() < end) {
		if (*acked >= c->o.wanted && !enough) {
			enough = true;
			end = now_ms() + DUMP_SLOW_SEC * 1000;
		}
		wait_change(c);
	}
	for (i = 0; i < c->o.count; i++)
		if (!c->copies[i].done)
			leave_for(&c->copies[i], "it did not acknowledge in time");
	pending(c, acked, lacks);
}

int dump_fanout_commit(struct dump_fanout *c, const uint8_t *record, size_t len,
	size_t *acknowledged, uint64_t *stored, struct err *err)
{
	bool lacks;
	size_t i;
	int got;

	pthread_mutex_lock(&c->lock);
	c->record = record;
	c->record_len = len;
	for (i = 0; i < c->o.count; i++) {
		c->copies[i].done = false;
		c->copies[i].commit = !c->copies[i].behind;
	}
	pthread_cond_broadcast(&c->change);
	wait_answers(c, acknowledged, &lacks);
	*stored = 0;
	for (i = 0; i < c->o.count; i++) {
		struct copy *copy = &c->copies[i];

		copy->acked = copy->done && copy->answer == 0;
		if (copy->acked && copy->stored > *stored)
			*stored = copy->stored;
		if (*acknowledged > 0 && copy->done && copy->answer == 1)
			leave_for(copy, "it lacks chunks of earlier dumps");
	}
	got = *acknowledged > 0 ? 0 : lacks ? 1 : none_left(c, err);
	pthread_mutex_unlock(&c->lock);
	return got;
}

static void ignore(void *ctx, const struct store_entry *dump, const char *what)
{
	(void)ctx;
	(void)dump;
	(void)what;
}

/* Returns 0, or -1 with err set. */
static int reopen(struct copy *copy, struct err *err)
{
	if (!end_thread(copy))
		return err_set(err, ERR_FAILED, "it does not answer");
	store_close(copy->store);
	copy->store =
		store_open(copy->owner->o.paths[copy - copy->owner->copies], STORE_WRITE, err);
	return copy->store != NULL ? 0 : -1;
}

size_t dump_fanout_catch_up(struct dump_fanout *c, const uint8_t *dump,
	void (*each)(void *ctx, const char *store, bool done), uint64_t *stored)
{
	struct store_replicated result;
	struct store *from = NULL;
	size_t count = 0, i;

	for (i = 0; i < c->o.count; i++)
		if (c->copies[i].acked)
			from = c->copies[i].store;
	for (i = 0; i < c->o.count && from != NULL; i++) {
		struct copy *copy = &c->copies[i];
		struct err why = {0};
		int got;

		if (!copy->behind)
			continue;
		got = reopen(copy, &why);
		if (got == 0) {
			each(c->o.ctx, c->o.paths[i], false);
			got = store_replicate(from, copy->store, dump, ignore, NULL, &result, &why);
		} else if (strcmp(why.message, copy->why.message) == 0) {
			continue; /* as it was told */
		}
		if (got != 0) {
			if (why.code != ERR_NOSPACE || copy->why.code != ERR_NOSPACE)
				c->o.behind(c->o.ctx, c->o.paths[i], why.message);
			continue;
		}
		each(c->o.ctx, c->o.paths[i], true);
		if (copy->stored + result.bytes > *stored)
			*stored = copy->stored + result.bytes;
		count++;
	}
	return count;
}
