/*
 * One mutex, one condition. Jobs are numbered; job n uses slot n modulo the
 * number of slots. To find work, a thread looks at the few jobs in progress,
 * oldest first. A thread that has found work wakes another only if there is
 * more.
 *
 * A gathered stage starts with half of the jobs, so that the other half can be
 * in the stages before it while these are in the stages after it.
 */
#include "lib/lane.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/mutex.h"

struct slot {
	void *job;
	size_t stage; /* the next one to run */
	bool running;
};

struct lane {
	const struct lane_stage *stages;
	size_t stage_count;
	struct slot *slots;
	size_t slot_count;
	void **gathered; /* the jobs in the gathered stage */
	void *ctx;

	struct mutex lock;
	pthread_cond_t wake;
	size_t waiting;
	uint64_t begun, left;           /* jobs with left <= n < begun are in progress */
	uint64_t next[LANE_STAGES_MAX]; /* serial, gathered: the job whose turn it is */
	bool busy[LANE_STAGES_MAX];     /* serial, gathered: a thread is in it */
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

/* True if no earlier job with the same key is still at this stage. */
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

/* How many jobs, from job n on, wait for a gathered stage. */
static size_t count_waiting(struct lane *l, size_t stage, uint64_t n)
{
	size_t count = 0;

	while (n + count < l->begun && slot_of(l, n + count)->stage == stage)
		count++;
	return count;
}

/* True if half of all jobs have reached a gathered stage, or all that remain. */
static bool are_gathered(struct lane *l, size_t stage, uint64_t n)
{
	size_t count = count_waiting(l, stage, n);

	return 2 * count >= l->slot_count || (l->ended && n + count == l->begun);
}

static bool can_run(struct lane *l, const struct slot *s, uint64_t n)
{
	size_t stage = s->stage;

	if (s->running || stage == l->stage_count)
		return false;
	switch (l->stages[stage].kind) {
	case LANE_PARALLEL:
		return true;
	case LANE_KEYED:
		return key_is_free(l, s, n);
	case LANE_GATHERED:
		return !l->busy[stage] && l->next[stage] == n && are_gathered(l, stage, n);
	default:
		return !l->busy[stage] && l->next[stage] == n;
	}
}

/* Finds work: a job whose next stage can run, else the number of a new job.
 * False if there is none now. */
static bool find(struct lane *l, uint64_t *n)
{
	assert(mutex_held(&l->lock));
	for (*n = l->left; *n < l->begun; ++*n)
		if (can_run(l, slot_of(l, *n), *n))
			return true;
	return !l->ended && !l->busy[0] && l->begun - l->left < l->slot_count;
}

/* Takes the job that was found, and for a gathered stage all that wait with it.
 * Sets *count to how many. */
static struct slot *take(struct lane *l, uint64_t n, size_t *count)
{
	struct slot *s = slot_of(l, n);
	enum lane_kind kind;
	size_t i;

	assert(mutex_held(&l->lock) && n >= l->left && n <= l->begun && !s->running);
	assert(n - l->left < l->slot_count);
	if (n == l->begun) {
		l->begun++;
		s->stage = 0;
	}
	kind = l->stages[s->stage].kind;
	*count = kind == LANE_GATHERED ? count_waiting(l, s->stage, n) : 1;
	for (i = 0; i < *count; i++) {
		slot_of(l, n + i)->running = true;
		if (kind == LANE_GATHERED)
			l->gathered[i] = slot_of(l, n + i)->job;
	}
	if (kind == LANE_SERIAL || kind == LANE_GATHERED)
		l->busy[s->stage] = true;
	return s;
}

/* Records the outcome of a step of job n, and of the jobs taken with it. */
static void done(struct lane *l, uint64_t n, size_t count, int got)
{
	size_t stage = slot_of(l, n)->stage, i;

	assert(mutex_held(&l->lock) && count <= l->begun - n && stage < l->stage_count);
	if (l->stages[stage].kind == LANE_SERIAL || l->stages[stage].kind == LANE_GATHERED) {
		assert(l->busy[stage] && l->next[stage] == n);
		l->busy[stage] = false;
		l->next[stage] += count;
	}
	for (i = 0; i < count; i++) {
		slot_of(l, n + i)->running = false;
		slot_of(l, n + i)->stage += got == 0;
	}
	if (got > 0) {
		assert(stage == 0);
		l->ended = true;
		l->begun--;
	} else if (got < 0) {
		l->failed = true;
	}
	while (l->left < l->begun && slot_of(l, l->left)->stage == l->stage_count)
		l->left++;
}

static bool over(const struct lane *l)
{
	assert(mutex_held(&l->lock));
	return l->failed || (l->ended && l->left == l->begun);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct lane *l = w->lane;

	mutex_lock(&l->lock);
	while (!over(l)) {
		struct err err = {0};
		const struct lane_stage *stage;
		struct slot *s;
		uint64_t n, other;
		size_t count;
		bool more;
		int got;

		if (!find(l, &n)) {
			l->waiting++;
			mutex_wait(&l->lock, &l->wake);
			l->waiting--;
			continue;
		}
		s = take(l, n, &count);
		stage = &l->stages[s->stage];
		more = l->waiting > 0 && find(l, &other);
		mutex_unlock(&l->lock);
		if (more)
			pthread_cond_signal(&l->wake);
		got = stage->kind == LANE_GATHERED
			      ? stage->gathered(l->ctx, w->ctx, l->gathered, count, &err)
			      : stage->step(l->ctx, w->ctx, s->job, &err);
		mutex_lock(&l->lock);
		if (got < 0 && !l->failed && l->err != NULL)
			*l->err = err;
		done(l, n, count, got);
	}
	mutex_unlock(&l->lock);
	pthread_cond_broadcast(&l->wake);
	return NULL;
}

/* Starts the other threads, works in this one too, and joins them. */
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
	bool gathers = false;
	size_t i;
	int result;

	assert(stage_count >= 1 && stage_count <= LANE_STAGES_MAX);
	assert(stages[0].kind == LANE_SERIAL);
	for (i = 1; i < stage_count; i++) {
		assert(stages[i].kind != LANE_KEYED || stages[i - 1].kind == LANE_SERIAL);
		assert(stages[i].kind != LANE_GATHERED || !gathers);
		gathers |= stages[i].kind == LANE_GATHERED;
	}
	assert(job_count >= 1 && worker_count >= 1 && worker_count <= LANE_THREADS_MAX);
	l.slots = calloc(job_count, sizeof *l.slots);
	l.gathered = gathers ? calloc(job_count, sizeof *l.gathered) : NULL;
	if (l.slots == NULL || (gathers && l.gathered == NULL)) {
		free(l.slots);
		free(l.gathered);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	for (i = 0; i < job_count; i++)
		l.slots[i].job = jobs[i];
	mutex_init(&l.lock);
	pthread_cond_init(&l.wake, NULL);
	result = run_threads(&l, workers, worker_count);
	pthread_cond_destroy(&l.wake);
	mutex_fini(&l.lock);
	free(l.slots);
	free(l.gathered);
	return result;
}
