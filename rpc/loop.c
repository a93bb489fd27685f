/*
 * A wrapper around libev. The "soon" list runs in an ev_prepare watcher, just
 * before the loop would wait; an ev_idle watcher is active while the list is
 * not empty, so that the loop does not wait.
 */
#include "rpc/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include <ev.h>

#include "lib/err.h"
#include "lib/mem.h"

/* Heavy jobs allowed in one turn: a handshake step takes some 5 ms. */
#define HEAVY 1

struct rpc_loop {
	struct ev_loop *ev;
	ev_prepare prepare;
	ev_idle idle;
	TAILQ_HEAD(, rpc_soon) soon;
	unsigned heavy; /* done in this turn */
	uint8_t scratch[RPC_SCRATCH_LEN];
};

/* libev's watchers are stored in memory that the header declares as a union. */
_Static_assert(sizeof(ev_io) <= sizeof(union rpc_watcher) &&
		       sizeof(ev_timer) <= sizeof(union rpc_watcher) &&
		       sizeof(ev_periodic) <= sizeof(union rpc_watcher) &&
		       sizeof(ev_signal) <= sizeof(union rpc_watcher) &&
		       sizeof(ev_async) <= sizeof(union rpc_watcher),
	"union rpc_watcher is too small");

#define IO(w)     ((ev_io *)(void *)&(w)->ev)
#define TIMER(w)  ((ev_timer *)(void *)&(w)->ev)
#define SIGNAL(w) ((ev_signal *)(void *)&(w)->ev)
#define ASYNC(w)  ((ev_async *)(void *)&(w)->ev)

static void on_idle(struct ev_loop *ev, ev_idle *w, int revents)
{
	(void)ev, (void)w, (void)revents;
}

/* Runs the entries now in the list; those added by callbacks wait for the next
 * turn. A mark shows where to stop, because callbacks may remove any entry. */
static void on_prepare(struct ev_loop *ev, ev_prepare *w, int revents)
{
	struct rpc_loop *loop = w->data;
	struct rpc_soon mark, *first;

	(void)revents;
	loop->heavy = 0;
	TAILQ_INSERT_TAIL(&loop->soon, &mark, link);
	while ((first = TAILQ_FIRST(&loop->soon)) != &mark) {
		rpc_soon_stop(first);
		first->fire(first->arg);
	}
	TAILQ_REMOVE(&loop->soon, &mark, link);
	if (TAILQ_EMPTY(&loop->soon))
		ev_idle_stop(ev, &loop->idle);
}

struct rpc_loop *rpc_loop_new(struct err *err)
{
	struct rpc_loop *loop = mem_new(sizeof *loop, err);

	if (loop == NULL)
		return NULL;
	loop->ev = ev_loop_new(EVFLAG_AUTO);
	if (loop->ev == NULL) {
		err_set(err, ERR_FAILED, "event loop: the system can't provide one");
		free(loop);
		return NULL;
	}
	TAILQ_INIT(&loop->soon);
	ev_prepare_init(&loop->prepare, on_prepare);
	loop->prepare.data = loop;
	ev_prepare_start(loop->ev, &loop->prepare);
	ev_unref(loop->ev);
	ev_idle_init(&loop->idle, on_idle);
	return loop;
}

void rpc_loop_free(struct rpc_loop *loop)
{
	if (loop == NULL)
		return;
	assert(TAILQ_EMPTY(&loop->soon));
	ev_ref(loop->ev);
	ev_prepare_stop(loop->ev, &loop->prepare);
	ev_idle_stop(loop->ev, &loop->idle);
	ev_loop_destroy(loop->ev);
	free(loop);
}

void rpc_loop_run(struct rpc_loop *loop)
{
	ev_run(loop->ev, 0);
}

void rpc_loop_stop(struct rpc_loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}

int64_t rpc_loop_now_ms(const struct rpc_loop *loop)
{
	struct timespec now;

	(void)loop;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint8_t *rpc_loop_scratch(struct rpc_loop *loop)
{
	return loop->scratch;
}

bool rpc_loop_may(struct rpc_loop *loop)
{
	return loop->heavy++ < HEAVY;
}

static void on_io(struct ev_loop *ev, ev_io *io, int revents)
{
	struct rpc_fd *w = io->data;
	int events = 0;

	(void)ev;
	if (revents & EV_READ)
		events |= RPC_READ;
	if (revents & EV_WRITE)
		events |= RPC_WRITE;
	w->ready(w->arg, events);
}

void rpc_fd_want(struct rpc_fd *w, struct rpc_loop *loop, int fd, int events,
	void (*ready)(void *arg, int events), void *arg)
{
	int wanted = (events & RPC_READ ? EV_READ : 0) | (events & RPC_WRITE ? EV_WRITE : 0);

	w->loop = loop;
	w->ready = ready;
	w->arg = arg;
	if (ev_is_active(IO(w))) {
		if (IO(w)->fd == fd && (IO(w)->events & (EV_READ | EV_WRITE)) == wanted)
			return;
		ev_io_stop(loop->ev, IO(w));
	}
	if (wanted == 0)
		return;
	ev_io_init(IO(w), on_io, fd, wanted);
	IO(w)->data = w;
	ev_io_start(loop->ev, IO(w));
}

void rpc_fd_stop(struct rpc_fd *w)
{
	if (w->loop != NULL)
		ev_io_stop(w->loop->ev, IO(w));
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct rpc_timer *w = timer->data;

	(void)ev, (void)revents;
	w->fire(w->arg);
}

void rpc_timer_start(
	struct rpc_timer *w, struct rpc_loop *loop, int64_t ms, void (*fire)(void *arg), void *arg)
{
	rpc_timer_stop(w);
	w->loop = loop;
	w->fire = fire;
	w->arg = arg;
	/* libev counts from the beginning of this turn, which may be some time ago.
	 * (Don't use ev_time() - ev_now(): that is wrong by any change of the wall clock
	 * in between.) */
	ev_now_update(loop->ev);
	ev_timer_init(TIMER(w), on_timer, (double)ms / 1000, 0);
	TIMER(w)->data = w;
	ev_timer_start(loop->ev, TIMER(w));
}

void rpc_timer_stop(struct rpc_timer *w)
{
	if (w->loop != NULL)
		ev_timer_stop(w->loop->ev, TIMER(w));
}

bool rpc_timer_on(const struct rpc_timer *w)
{
	return ev_is_active(TIMER(w));
}

static void on_signal(struct ev_loop *ev, ev_signal *signal_watcher, int revents)
{
	struct rpc_signal *w = signal_watcher->data;

	(void)ev, (void)revents;
	w->fire(w->arg);
}

/* Signals and asyncs are always active: ev_unref lets the loop end despite
 * them. */
void rpc_signal_start(
	struct rpc_signal *w, struct rpc_loop *loop, int signum, void (*fire)(void *arg), void *arg)
{
	rpc_signal_stop(w);
	w->loop = loop;
	w->fire = fire;
	w->arg = arg;
	ev_signal_init(SIGNAL(w), on_signal, signum);
	SIGNAL(w)->data = w;
	ev_signal_start(loop->ev, SIGNAL(w));
	ev_unref(loop->ev);
}

void rpc_signal_stop(struct rpc_signal *w)
{
	if (w->loop == NULL || !ev_is_active(SIGNAL(w)))
		return;
	ev_ref(w->loop->ev);
	ev_signal_stop(w->loop->ev, SIGNAL(w));
}

static void on_async(struct ev_loop *ev, ev_async *async, int revents)
{
	struct rpc_async *w = async->data;

	(void)ev, (void)revents;
	w->fire(w->arg);
}

void rpc_async_start(struct rpc_async *w, struct rpc_loop *loop, void (*fire)(void *arg), void *arg)
{
	rpc_async_stop(w);
	w->loop = loop;
	w->fire = fire;
	w->arg = arg;
	ev_async_init(ASYNC(w), on_async);
	ASYNC(w)->data = w;
	ev_async_start(loop->ev, ASYNC(w));
	ev_unref(loop->ev);
}

void rpc_async_stop(struct rpc_async *w)
{
	if (w->loop == NULL || !ev_is_active(ASYNC(w)))
		return;
	ev_ref(w->loop->ev);
	ev_async_stop(w->loop->ev, ASYNC(w));
}

void rpc_async_send(void *watcher)
{
	struct rpc_async *w = watcher;

	ev_async_send(w->loop->ev, ASYNC(w));
}

void rpc_soon_start(struct rpc_soon *w, struct rpc_loop *loop, void (*fire)(void *arg), void *arg)
{
	if (w->on)
		return;
	w->loop = loop;
	w->fire = fire;
	w->arg = arg;
	w->on = true;
	TAILQ_INSERT_TAIL(&loop->soon, w, link);
	ev_idle_start(loop->ev, &loop->idle);
}

void rpc_soon_stop(struct rpc_soon *w)
{
	if (!w->on)
		return;
	TAILQ_REMOVE(&w->loop->soon, w, link);
	w->on = false;
	if (TAILQ_EMPTY(&w->loop->soon))
		ev_idle_stop(w->loop->ev, &w->loop->idle);
}
