/* gc waits for who has a run or a dump open; who comes meanwhile makes it end. */
#include "cmd/store/tend.h"

#include "cmd/store/engine.h"
#include "cmd/store/job.h"

#define RETRY_MS 1000 /* until it is looked at again whether gc can start */

static void work(struct pool_job *pool)
{
	struct store_tend *t = (struct store_tend *)(void *)pool;
	const struct store_service_opts *o = &t->jobs->o;
	const struct engine_gc_options gc = {.keep_percent = 70, .stop = &t->stop};
	const struct engine_scrub_options scrub = {.mark = true, .stop = &t->stop};

	if (t->what == STORE_TEND_GC)
		t->ret = engine_gc(o->engine, &gc, &t->gc, &t->err);
	else
		t->ret = engine_scrub(o->engine, &scrub, o->problem, o->ctx, &t->scrub, &t->err);
}

static void done(struct pool_job *pool)
{
	struct store_tend *t = (struct store_tend *)(void *)pool;

	const struct store_service_opts *o = &t->jobs->o;

	t->tending = t->working = false;
	t->tended(o->ctx, t->what, &t->gc, &t->scrub, t->ret != 0 ? &t->err : NULL);
	if (engine_failed(o->engine))
		o->failed(o->ctx, &t->err);
}

static void drop(struct pool_job *pool)
{
	(void)pool;
}

/* Starts it as soon as nobody is in its way. */
static void begin(void *arg)
{
	struct store_tend *t = arg;
	const struct store_service_opts *o = &t->jobs->o;
	int64_t now = rpc_loop_now_ms(o->loop);

	if (t->what != STORE_TEND_GC ||
		(now >= t->gc_from_ms && !store_guests_busy(&t->jobs->guests, now))) {
		t->pool = (struct pool_job){.work = work, .done = done, .drop = drop};
		t->err = (struct err){0};
		t->working = true;
		if (pool_start(o->pool, &t->pool) == 0)
			return;
		t->working = false;
	}
	rpc_timer_start(&t->timer, o->loop, RETRY_MS, begin, t);
}

void store_tend_init(struct store_tend *t, struct store_jobs *jobs)
{
	t->jobs = jobs;
	t->gc_from_ms = rpc_loop_now_ms(jobs->o.loop) + jobs->o.return_ms;
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
