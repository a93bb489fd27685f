/*
 * One mutex, one condition. Jobs have numbers; number n uses slot n modulo the
 * number of slots. Picking looks at the few jobs under way, oldest first. A
 * thread that has found work wakes another only if there is more.
 */
#include "lib/lane.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/err.h"

struct slot {
	void *job;
	size_t stage; /* next to be done */
	bool running;
};

struct lane {
	const struct lane_stage *stages;
	size_t stage_count;
	struct slot *slots;
	size_t slot_count;
	void *ctx;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	size_t waiting;
	uint64_t begun, left;           /* jobs with left <= n < begun are under way */
	uint64_t next[LANE_STAGES_MAX]; /* serial: the job that is due */
	bool busy[LANE_STAGES_MAX];     /* serial: somebody is in it */
	bool ended, failed;
	struct err *err;
};

struct worker {
	struct lane *lane;
	void *ctx;
};

static struct slot *slot_of(struct lane *l, uint64_t n)
{
	return &l->slots[n % l->slot_count];
}

/* Whether no job before this one, with the same key, is in or before its stage. */
static bool key_is_free(const struct lane *l, const struct slot *s, uint64_t n)
{
	const void *key = l->stages[s->stage].key(s->job);
	uint64_t i;

	for (i = l->left; key != NULL && i < n; i++) {
		const struct slot *other = &l->slots[i % l->slot_count];

		if (other->stage == s->stage && l->stages[s->stage].key(other->job) == key)
			return false;
	}
	return true;
}

static bool can_run(const struct lane *l, const struct slot *s, uint64_t n)
{
	const struct lane_stage *stage;

	if (s->running || s->stage == l->stage_count)
		return false;
	stage = &l->stages[s->stage];
	if (stage->kind == LANE_KEYED)
		return key_is_free(l, s, n);
	return stage->kind == LANE_PARALLEL || (!l->busy[s->stage] && l->next[s->stage] == n);
}

/* Finds work: a job that can move on, else the number of a new one. False if
 * there is none now. */
static bool find(struct lane *l, uint64_t *n)
{
	for (*n = l->left; *n < l->begun; ++*n)
		if (can_run(l, slot_of(l, *n), *n))
			return true;
	return !l->ended && !l->busy[0] && l->begun - l->left < l->slot_count;
}

/* Takes a job that was found. */
static struct slot *take(struct lane *l, uint64_t n)
{
	struct slot *s = slot_of(l, n);

	if (n == l->begun) {
		l->begun++;
		s->stage = 0;
	}
	s->running = true;
	if (l->stages[s->stage].kind == LANE_SERIAL)
		l->busy[s->stage] = true;
	return s;
}

/* Books the outcome of a step. */
static void done(struct lane *l, struct slot *s, int got)
{
	size_t stage = s->stage;

	s->running = false;
	if (l->stages[stage].kind == LANE_SERIAL) {
		l->busy[stage] = false;
		l->next[stage]++;
	}
	if (got == 0) {
		s->stage++;
	} else if (got > 0) {
		assert(stage == 0);
		l->ended = true;
		l->begun--;
	} else {
		l->failed = true;
	}
	while (l->left < l->begun && slot_of(l, l->left)->stage == l->stage_count)
		l->left++;
}

static bool over(const struct lane *l)
{
	return l->failed || (l->ended && l->left == l->begun);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct lane *l = w->lane;
	uint64_t n;

	pthread_mutex_lock(&l->lock);
	while (!over(l)) {
		struct err err = {0};
		struct slot *s;
		bool more;
		int got;

		if (!find(l, &n)) {
			l->waiting++;
			pthread_cond_wait(&l->wake, &l->lock);
			l->waiting--;
			continue;
		}
		s = take(l, n);
		more = l->waiting > 0 && find(l, &n);
		pthread_mutex_unlock(&l->lock);
		if (more)
			pthread_cond_signal(&l->wake);
		got = l->stages[s->stage].step(l->ctx, w->ctx, s->job, &err);
		pthread_mutex_lock(&l->lock);
		if (got < 0 && !l->failed && l->err != NULL)
			*l->err = err;
		done(l, s, got);
	}
	pthread_mutex_unlock(&l->lock);
	pthread_cond_broadcast(&l->wake);
	return NULL;
}

/* Starts the other threads, works along, and joins them. */
static int run_threads(struct lane *l, void *const *workers, size_t count)
{
	struct worker w[LANE_THREADS_MAX];
	pthread_t threads[LANE_THREADS_MAX];
	size_t i, made;

	for (i = 0; i < count; i++)
		w[i] = (struct worker){l, workers[i]};
	for (made = 1; made < count; made++)
		if (pthread_create(&threads[made], NULL, work, &w[made]) != 0)
			break; /* fewer threads do the same work */
	work(&w[0]);
	for (i = 1; i < made; i++)
		pthread_join(threads[i], NULL);
	return l->failed ? -1 : 0;
}

int lane_run(const struct lane_stage *stages, size_t stage_count, void *const *jobs,
	size_t job_count, void *const *workers, size_t worker_count, void *ctx, struct err *err)
{
	struct lane l = {
		.stages = stages,
		.stage_count = stage_count,
		.slot_count = job_count,
		.ctx = ctx,
		.err = err,
	};
	size_t i;
	int result;

	assert(stage_count >= 1 && stage_count <= LANE_STAGES_MAX);
	assert(stages[0].kind == LANE_SERIAL);
	for (i = 1; i < stage_count; i++)
		assert(stages[i].kind != LANE_KEYED || stages[i - 1].kind == LANE_SERIAL);
	assert(job_count >= 1 && worker_count >= 1 && worker_count <= LANE_THREADS_MAX);
	l.slots = calloc(job_count, sizeof *l.slots);
	if (l.slots == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < job_count; i++)
		l.slots[i].job = jobs[i];
	pthread_mutex_init(&l.lock, NULL);
	pthread_cond_init(&l.wake, NULL);
	result = run_threads(&l, workers, worker_count);
	pthread_cond_destroy(&l.wake);
	pthread_mutex_destroy(&l.lock);
	free(l.slots);
	return result;
}
