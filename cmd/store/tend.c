/* gc waits for who has a run or a dump open; who comes meanwhile makes it end. */
#include "cmd/store/tend.h"

#include "cmd/store/engine.h"
#include "cmd/store/job.h"

#define RETRY_MS 1000 /* until it is looked at again whether gc can start */

static void work(struct pool_job *pool)
{
	struct store_tend *t = (struct store_tend *)(void *)pool;
	struct engine *engine = t->jobs->engine;
	const struct engine_gc_options gc = {.keep_percent = 70, .stop = &t->stop};
	const struct engine_scrub_options scrub = {.mark = true, .stop = &t->stop};

	if (t->what == STORE_TEND_GC)
		t->ret = engine_gc(engine, &gc, &t->gc, &t->err);
	else
		t->ret = engine_scrub(engine, &scrub, t->problem, t->jobs->ctx, &t->scrub, &t->err);
}

static void done(struct pool_job *pool)
{
	struct store_tend *t = (struct store_tend *)(void *)pool;

	t->tending = t->working = false;
	t->tended(t->jobs->ctx, t->what, &t->gc, &t->scrub, t->ret != 0 ? &t->err : NULL);
	if (engine_failed(t->jobs->engine))
		t->jobs->failed(t->jobs->ctx, &t->err);
}

static void drop(struct pool_job *pool)
{
	(void)pool;
}

/* Starts it as soon as nobody is in its way. */
static void begin(void *arg)
{
	struct store_tend *t = arg;
	int64_t now = rpc_loop_now_ms(t->loop);

	if (t->what != STORE_TEND_GC ||
		(now >= t->gc_from_ms && !store_guests_busy(&t->jobs->guests, now))) {
		t->pool = (struct pool_job){.work = work, .done = done, .drop = drop};
		t->err = (struct err){0};
		t->working = true;
		if (pool_start(t->jobs->pool, &t->pool) == 0)
			return;
		t->working = false;
	}
	rpc_timer_start(&t->timer, t->loop, RETRY_MS, begin, t);
}

void store_tend_init(struct store_tend *t, struct store_jobs *jobs, struct rpc_loop *loop,
	store_problem *problem, int64_t return_ms)
{
	t->jobs = jobs;
	t->loop = loop;
	t->gc_from_ms = rpc_loop_now_ms(loop) + return_ms;
	t->problem = problem;
}

int store_tend_start(struct store_tend *t, enum store_tending what, store_tended *tended)
{
	if (t->tending)
		return 1;
	t->tending = true;
	t->what = what;
	t->tended = tended;
	atomic_store(&t->stop, false);
	begin(t);
	return 0;
}

bool store_tend_gives_way(struct store_tend *t)
{
	if (!t->working || t->what != STORE_TEND_GC)
		return false;
	atomic_store(&t->stop, true);
	return true;
}

void store_tend_stop(struct store_tend *t)
{
	atomic_store(&t->stop, true);
	rpc_timer_stop(&t->timer);
}
