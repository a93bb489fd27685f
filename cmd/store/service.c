/* Joins the parts: a listener, its guests, their jobs. Runs gc and scrub in a thread of the
 * pool. */
#include "cmd/store/service.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/store/engine.h"
#include "cmd/store/job.h"
#include "lib/err.h"
#include "lib/mem.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

#define OWN      SIZE_MAX /* in place of a manager's number: for the store's own key */
#define RETRY_MS 1000     /* interval for checking whether gc can start */

struct store_service {
	struct pool_job tend;   /* must be first */
	struct store_jobs jobs; /* the ctx of methods and log */
	struct rpc_service methods;
	struct rpc_listen *listen;
	/* gc and scrub. */
	bool tending;
	enum store_tending what;
	store_tended *tended;
	struct rpc_timer timer;
	int64_t gc_from_ms; /* gc must not begin earlier */
	int ret;
	struct err err;
	struct engine_gc_result gc;
	struct store_checked scrub;
};

/* --- guests and the log ------------------------------------------------------ */

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct store_service *s = arg;

	store_guests_up(&s->jobs.guests, rpc_conn_peer(conn));
}

static void on_down(void *arg, struct rpc_conn *conn, const struct err *why)
{
	struct store_service *s = arg;
	const struct rpc_identity *id = rpc_conn_peer(conn);
	struct store_guest *g = store_guests_find(&s->jobs.guests, id->host);

	if (g != NULL && g->connections == 1)
		store_jobs_tell(&s->jobs, g);
	store_guests_down(
		&s->jobs.guests, id, why->code == ERR_NONE, rpc_loop_now_ms(s->jobs.o.loop));
}

/* The counter for a request that is not worth a line of its own in the log; NULL: it is. */
static uint64_t *counter(struct store_guest *g, const char *method)
{
	if (g == NULL)
		return NULL;
	if (strcmp(method, "put") == 0)
		return &g->tally.puts;
	if (strcmp(method, "get") == 0)
		return &g->tally.gets;
	return strcmp(method, "have") == 0 ? &g->tally.haves : NULL;
}

static void on_log(void *ctx, const struct rpc_access *access)
{
	struct store_jobs *s = ctx;
	struct store_guest *g = store_guests_find(&s->guests, access->peer->host);
	uint64_t *count = access->status == ERR_NONE ? counter(g, access->method) : NULL;

	if (count != NULL) {
		++*count;
		g->tally.bytes_in += access->bytes_in;
		g->tally.bytes_out += access->bytes_out;
	} else if (s->o.log != NULL) {
		s->o.log(s->o.ctx, access);
	}
}

static void on_refused(void *arg, const char *address, const struct err *why)
{
	const struct store_service_opts *o = &((struct store_service *)arg)->jobs.o;

	if (o->refused != NULL)
		o->refused(o->ctx, address, why);
}

/* --- gc and scrub ------------------------------------------------------------ */

static void tend_work(struct pool_job *pool)
{
	struct store_service *s = (struct store_service *)(void *)pool;
	const struct store_service_opts *o = &s->jobs.o;
	const struct engine_gc_options gc = {.keep_percent = 70, .stop = &s->jobs.stop};
	const struct engine_scrub_options scrub = {.mark = true, .stop = &s->jobs.stop};

	if (s->what == STORE_TEND_GC)
		s->ret = engine_gc(o->engine, &gc, &s->gc, &s->err);
	else
		s->ret = engine_scrub(o->engine, &scrub, o->problem, o->ctx, &s->scrub, &s->err);
}

static void tend_done(struct pool_job *pool)
{
	struct store_service *s = (struct store_service *)(void *)pool;
	const struct store_service_opts *o = &s->jobs.o;

	s->tending = s->jobs.collecting = false;
	s->tended(o->ctx, s->what, &s->gc, &s->scrub, s->ret != 0 ? &s->err : NULL);
	if (engine_failed(o->engine))
		o->failed(o->ctx, &s->err);
}

/* Starts the work, or tries again later: gc must wait while a guest has a run or a dump open. */
static void tend_begin(void *arg)
{
	struct store_service *s = arg;
	const struct store_service_opts *o = &s->jobs.o;
	int64_t now = rpc_loop_now_ms(o->loop);

	if (s->what != STORE_TEND_GC ||
		(now >= s->gc_from_ms && !store_guests_busy(&s->jobs.guests, now))) {
		s->tend = (struct pool_job){.work = tend_work, .done = tend_done};
		s->err = (struct err){0};
		s->jobs.collecting = s->what == STORE_TEND_GC;
		if (pool_start(o->pool, &s->tend) == 0)
			return;
		s->jobs.collecting = false;
	}
	rpc_timer_start(&s->timer, o->loop, RETRY_MS, tend_begin, s);
}

int store_service_tend(struct store_service *s, enum store_tending what, store_tended *tended)
{
	if (s->tending)
		return 1;
	s->tending = true;
	s->what = what;
	s->tended = tended;
	atomic_store(&s->jobs.stop, false);
	tend_begin(s);
	return 0;
}

static void tend_stop(struct store_service *s)
{
	atomic_store(&s->jobs.stop, true);
	rpc_timer_stop(&s->timer);
}

/* --- life ------------------------------------------------------------------ */

struct store_service *store_service_new(const struct store_service_opts *opts, struct err *err)
{
	struct store_service *s = mem_new(sizeof *s, err);
	struct rpc_listen_opts listen = {
		.conf = opts->conf,
		.times = opts->times,
		.host = opts->host,
		.port = opts->port,
		.credit = RPC_CREDIT_NONE,
		.up = on_up,
		.down = on_down,
		.refused = on_refused,
	};
	struct store_key own;

	if (s == NULL)
		return NULL;
	s->jobs.o = *opts;
	if (opts->budget == 0)
		s->jobs.o.budget = STORE_BUDGET;
	if (opts->return_ms == 0)
		s->jobs.o.return_ms = STORE_RETURN_MS;
	s->jobs.free = s->jobs.o.budget;
	s->jobs.puts.last = &s->jobs.puts.first;
	s->jobs.gets.last = &s->jobs.gets.first;
	s->jobs.lock_max_sec = STORE_LOCK_MAX_SEC;
	memcpy(own.uid, engine_uid(opts->engine), sizeof own.uid);
	memcpy(own.public, engine_public(opts->engine), sizeof own.public);
	s->gc_from_ms = rpc_loop_now_ms(opts->loop) + s->jobs.o.return_ms;
	s->methods = (struct rpc_service){
		.methods = store_methods,
		.count = store_methods_count,
		.ctx = &s->jobs,
		.log = on_log,
	};
	listen.service = &s->methods;
	listen.arg = s;
	if (store_service_fleet(s, OWN, &own, 1, err) == 0)
		s->listen = rpc_listen_new(opts->loop, &listen, err);
	if (s->listen != NULL)
		return s;
	store_foreign_fini(&s->jobs.foreign);
	free(s);
	return NULL;
}

void store_service_limits(struct store_service *s, int64_t lock_max_sec)
{
	s->jobs.lock_max_sec = lock_max_sec;
}

int store_service_fleet(struct store_service *s, size_t manager, const struct store_key *keys,
	size_t count, struct err *err)
{
	return store_foreign_set(&s->jobs.foreign, manager, keys, count, err);
}

struct rpc_listen *store_service_listener(const struct store_service *s)
{
	return s->listen;
}

void store_service_shutdown(struct store_service *s)
{
	tend_stop(s);
	rpc_listen_shutdown(s->listen);
}

void store_service_free(struct store_service *s)
{
	if (s == NULL)
		return;
	tend_stop(s);
	rpc_listen_free(s->listen);
	store_guests_free(&s->jobs.guests);
	store_foreign_fini(&s->jobs.foreign);
	free(s);
}
