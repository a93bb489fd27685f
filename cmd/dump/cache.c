/*
 * A hash table with buckets, and a list of the idle chunks, those that nobody has taken, in the
 * order in which they are evicted: the least recently used first, but ahead of all others those
 * that are done with. Their memory, which is still in the processor's cache, is reused for the next
 * chunk.
 */
#include "cmd/dump/cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cmd/dump/source.h"
#include "cmd/store/record.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/mutex.h"

#define BUCKETS 1024
#define IDLE    4096 /* idle chunks at most: small ones are numerous */

enum state { OPENING, THERE, FAILED };

struct dump_cached {
	struct dump_cached *next; /* in the bucket */
	TAILQ_ENTRY(dump_cached) idle;
	unsigned taken; /* how many times */
	bool done;
	enum state state;
	struct err why; /* if FAILED */
	struct buf content;
	uint8_t id[STORE_ID_LEN];
};

struct dump_cache {
	struct mutex lock;
	pthread_cond_t opened;
	size_t limit, bytes; /* bytes: memory of all chunks in the table */
	size_t idle_count;
	TAILQ_HEAD(idle, dump_cached)
	idle; /* in the order of eviction */
	struct dump_cached *buckets[BUCKETS];
};

struct dump_cache *dump_cache_new(size_t limit, struct err *err)
{
	struct dump_cache *c = mem_new(sizeof *c, err);

	if (c == NULL)
		return NULL;
	c->limit = limit;
	TAILQ_INIT(&c->idle);
	mutex_init(&c->lock);
	pthread_cond_init(&c->opened, NULL);
	return c;
}

/* --- under the lock ------------------------------------------------------- */

static struct dump_cached **bucket(struct dump_cache *c, const uint8_t *id)
{
	return &c->buckets[hash_xxh3(id, STORE_ID_LEN) % BUCKETS];
}

/* Removes it from its bucket. */
static void forget(struct dump_cache *c, struct dump_cached *e)
{
	struct dump_cached **at = bucket(c, e->id);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	assert(c->bytes >= e->content.cap);
	c->bytes -= e->content.cap;
}

static void destroy(struct dump_cached *e)
{
	buf_fini(&e->content);
	free(e);
}

/* Removes it from the idle list. */
static void unlist(struct dump_cache *c, struct dump_cached *e)
{
	assert(mutex_held(&c->lock) && c->idle_count > 0);
	TAILQ_REMOVE(&c->idle, e, idle);
	c->idle_count--;
}

static void trim(struct dump_cache *c)
{
	struct dump_cached *e;

	while ((e = TAILQ_FIRST(&c->idle)) != NULL &&
		(c->bytes > c->limit || c->idle_count > IDLE)) {
		unlist(c, e);
		forget(c, e);
		destroy(e);
	}
}

/* Adds a chunk that is about to be opened. */
static struct dump_cached *add(struct dump_cache *c, const uint8_t *id)
{
	struct dump_cached *e = TAILQ_FIRST(&c->idle), **at = bucket(c, id);

	if (e != NULL && (e->done || c->bytes >= c->limit)) {
		unlist(c, e); /* its memory is reused */
		forget(c, e);
	} else {
		e = calloc(1, sizeof *e);
		if (e == NULL)
			return NULL;
		buf_init(&e->content, STORE_CONTENT_MAX);
	}
	c->bytes += e->content.cap;
	e->taken = 1;
	e->done = false;
	e->state = OPENING;
	memcpy(e->id, id, STORE_ID_LEN);
	e->next = *at;
	*at = e;
	return e;
}

static void give(struct dump_cache *c, struct dump_cached *e)
{
	assert(mutex_held(&c->lock) && e->taken > 0);
	if (--e->taken > 0)
		return;
	if (e->state != THERE) {
		forget(c, e);
		destroy(e);
		return;
	}
	if (e->done)
		TAILQ_INSERT_HEAD(&c->idle, e, idle);
	else
		TAILQ_INSERT_TAIL(&c->idle, e, idle);
	c->idle_count++;
	trim(c);
}

/* --- the interface ---------------------------------------------------------- */

/* Opens the chunk, without the lock; others wait until it is open. */
static void open_chunk(struct dump_cache *c, struct dump_cached *e, struct dump_taker *taker)
{
	size_t before = e->content.cap;
	struct err why = {0};
	int got;

	assert(e->taken > 0 && e->state == OPENING);
	mutex_unlock(&c->lock);
	got = dump_taker_chunk(taker, e->id, &e->content, &why);
	mutex_lock(&c->lock);
	c->bytes += e->content.cap - before;
	e->state = got == 0 ? THERE : FAILED;
	e->why = why;
	trim(c);
	pthread_cond_broadcast(&c->opened);
}

struct dump_cached *dump_cache_take(
	struct dump_cache *c, struct dump_taker *taker, const uint8_t *id, struct err *err)
{
	struct dump_cached *e;

	mutex_lock(&c->lock);
	for (e = *bucket(c, id); e != NULL && memcmp(e->id, id, STORE_ID_LEN) != 0; e = e->next)
		continue;
	if (e != NULL) {
		if (e->taken++ == 0)
			unlist(c, e);
		while (e->state == OPENING)
			mutex_wait(&c->lock, &c->opened);
	} else if ((e = add(c, id)) != NULL) {
		open_chunk(c, e, taker);
	} else {
		err_set(err, ERR_NOMEM, "out of memory");
	}
	if (e != NULL && e->state == FAILED) {
		*err = e->why;
		give(c, e);
		e = NULL;
	}
	mutex_unlock(&c->lock);
	return e;
}

void dump_cache_give(struct dump_cache *c, struct dump_cached *e, bool done)
{
	if (e == NULL)
		return;
	mutex_lock(&c->lock);
	e->done = done;
	give(c, e);
	mutex_unlock(&c->lock);
}

const struct buf *dump_cached_content(const struct dump_cached *e)
{
	return &e->content;
}

bool dump_cached_is(const struct dump_cached *e, const uint8_t *id)
{
	return memcmp(e->id, id, STORE_ID_LEN) == 0;
}

void dump_cache_free(struct dump_cache *c)
{
	struct dump_cached *e;

	if (c == NULL)
		return;
	while ((e = TAILQ_FIRST(&c->idle)) != NULL) {
		TAILQ_REMOVE(&c->idle, e, idle);
		destroy(e);
	}
	mutex_fini(&c->lock);
	pthread_cond_destroy(&c->opened);
	free(c);
}
