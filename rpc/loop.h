/*
 * The event loop: a thin wrapper around libev, so that nothing outside rpc/
 * uses libev.
 *
 * rpc_loop_new -> watchers are started -> rpc_loop_run ... rpc_loop_stop ->
 * rpc_loop_free.
 *
 * A service has one loop, and so has each rpc/client. All calls except
 * rpc_async_send come from the thread that runs the loop. Nothing may block in
 * a callback; that is work for lib/pool, whose wake function is rpc_async_send.
 *
 * Watchers are embedded in the object that they serve; zero-initialised means
 * "not started". Callback and argument are set at every start. Stopping a
 * watcher that is not started does nothing. A callback may stop, or free, its
 * own watcher. After a stop the callback does not run any more. Starting or
 * stopping never runs a callback.
 */
#ifndef FDUMP_RPC_LOOP_H
#define FDUMP_RPC_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct err;
struct rpc_loop;

/* Bytes at rpc_loop_scratch. */
#define RPC_SCRATCH_LEN (32 * 1024)

/* Makes a loop. Returns NULL with err set if the system refuses or memory is
 * out. */
struct rpc_loop *rpc_loop_new(struct err *err);
/* All watchers must be stopped. NULL does nothing. */
void rpc_loop_free(struct rpc_loop *loop);
/* Runs until rpc_loop_stop, or until no watcher is active. */
void rpc_loop_run(struct rpc_loop *loop);
void rpc_loop_stop(struct rpc_loop *loop);
/* Monotonic milliseconds, only as exact as the kernel's tick
 * (CLOCK_MONOTONIC_COARSE). */
int64_t rpc_loop_now_ms(const struct rpc_loop *loop);
/* Memory of RPC_SCRATCH_LEN bytes that any callback may use until it returns or
 * calls another. */
uint8_t *rpc_loop_scratch(struct rpc_loop *loop);

/* Ask before work that takes milliseconds but can wait for the next turn (a TLS
 * handshake): true for the first caller in a turn. So a flood of such work does
 * not delay the rest of the loop. */
bool rpc_loop_may(struct rpc_loop *loop);

/* What a descriptor is ready for, and what to wait for. */
enum { RPC_READ = 1, RPC_WRITE = 2 };

/* Room for one of libev's watchers; loop.c checks the size. */
union rpc_watcher {
	void *pointer;
	double number;
	uint8_t room[96];
} __attribute__((__may_alias__));

struct rpc_fd {
	union rpc_watcher ev;
	struct rpc_loop *loop;
	void (*ready)(void *arg, int events);
	void *arg;
};
/* Waits for events on fd; 0: for none. Call it again to change the events. */
void rpc_fd_want(struct rpc_fd *w, struct rpc_loop *loop, int fd, int events,
	void (*ready)(void *arg, int events), void *arg);
void rpc_fd_stop(struct rpc_fd *w);

struct rpc_timer {
	union rpc_watcher ev;
	struct rpc_loop *loop;
	void (*fire)(void *arg);
	void *arg;
};
/* Fires once, after ms milliseconds of monotonic time. Restarts a timer that is
 * started. */
void rpc_timer_start(
	struct rpc_timer *w, struct rpc_loop *loop, int64_t ms, void (*fire)(void *arg), void *arg);
void rpc_timer_stop(struct rpc_timer *w);
bool rpc_timer_on(const struct rpc_timer *w);

struct rpc_signal {
	union rpc_watcher ev;
	struct rpc_loop *loop;
	void (*fire)(void *arg);
	void *arg;
};
/* Fires each time the signal arrives. Does not keep the loop running. */
void rpc_signal_start(struct rpc_signal *w, struct rpc_loop *loop, int signum,
	void (*fire)(void *arg), void *arg);
void rpc_signal_stop(struct rpc_signal *w);

/* Wakes the loop from another thread. Several sends may fire once, so the
 * callback must drain a queue. Does not keep the loop running. */
struct rpc_async {
	union rpc_watcher ev;
	struct rpc_loop *loop;
	void (*fire)(void *arg);
	void *arg;
};
void rpc_async_start(
	struct rpc_async *w, struct rpc_loop *loop, void (*fire)(void *arg), void *arg);
void rpc_async_stop(struct rpc_async *w);
/* From any thread while it is started. w is a void pointer so that this
 * function can be a pool's wake. */
void rpc_async_send(void *w);

/* Runs a callback once, in this turn of the loop before it waits, or in the
 * next. For work that must be done later, not inside a start function. */
struct rpc_soon {
	struct rpc_loop *loop;
	TAILQ_ENTRY(rpc_soon) link;
	bool on;
	void (*fire)(void *arg);
	void *arg;
};
void rpc_soon_start(struct rpc_soon *w, struct rpc_loop *loop, void (*fire)(void *arg), void *arg);
void rpc_soon_stop(struct rpc_soon *w);

#endif
