/* One slot; the thread fills it, the caller empties it. */
#include "cmd/dump/prefetch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/dump/source.h"
#include "lib/buf.h"
#include "lib/err.h"

enum state { IDLE, WANTED, READY, STOP };

struct dump_prefetch {
	struct dump_taker *taker; /* whoever is at work has it: never both */
	pthread_t thread;
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t changed;
	enum state state;
	uint64_t number;
	/* Of the piece that is READY. */
	struct buf piece;
	int got;
	struct err err;
};

static void *work(void *arg)
{
	struct dump_prefetch *a = arg;

	pthread_mutex_lock(&a->lock);
	while (a->state != STOP) {
		if (a->state != WANTED) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		/* While it is WANTED nobody else touches what it needs. */
		pthread_mutex_unlock(&a->lock);
		a->got = dump_taker_piece(a->taker, a->number, &a->piece, &a->err);
		pthread_mutex_lock(&a->lock);
		a->state = READY;
		pthread_cond_broadcast(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

struct dump_prefetch *dump_prefetch_new(struct dump_source *source, struct err *err)
{
	struct dump_prefetch *a = calloc(1, sizeof *a);
	int failed;

	if (a == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	buf_init(&a->piece, STORE_CONTENT_MAX);
	a->taker = dump_taker_new(source, err);
	if (a->taker == NULL) {
		free(a);
		return NULL;
	}
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	failed = pthread_create(&a->thread, NULL, work, a);
	if (failed == 0)
		return a;
	err_errno(err, failed, "a thread for the manifest");
	a->state = STOP;
	dump_prefetch_free(a);
	return NULL;
}

/* Until nothing is under way; the lock is held. */
static void settle(struct dump_prefetch *a)
{
	while (a->state == WANTED)
		pthread_cond_wait(&a->changed, &a->lock);
}

void dump_prefetch_free(struct dump_prefetch *a)
{
	bool runs;

	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	settle(a);
	runs = a->state != STOP;
	a->state = STOP;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	if (runs)
		pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	dump_taker_free(a->taker);
	buf_fini(&a->piece);
	free(a);
}

void dump_prefetch_want(struct dump_prefetch *a, uint64_t number)
{
	pthread_mutex_lock(&a->lock);
	settle(a);
	a->number = number;
	a->state = WANTED;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

int dump_prefetch_take(struct dump_prefetch *a, uint64_t number, struct buf *out, struct err *err)
{
	struct buf empty = *out;
	int got;

	pthread_mutex_lock(&a->lock);
	settle(a);
	if (a->state != READY || a->number != number) {
		got = dump_taker_piece(a->taker, number, out, err);
	} else {
		*out = a->piece;
		a->piece = empty;
		got = a->got;
		if (got < 0)
			*err = a->err;
	}
	a->state = IDLE;
	pthread_mutex_unlock(&a->lock);
	return got;
}
