/*
 * The event loop of a command, with threads for work that blocks; and for a service what signals
 * do: SIGTERM and SIGINT end it in good order (the second at once), SIGHUP reloads it.
 *
 *   zeroed -> ui_loop_start -> [ui_loop_serve, or rpc_loop_run] -> ui_loop_stop
 */
#ifndef FDUMP_CMD_UI_LOOP_H
#define FDUMP_CMD_UI_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/loop.h"

struct err;
struct pool;

struct ui_loop {
	struct rpc_loop *loop;
	struct pool *pool;
	bool ending; /* by a signal; or set by the service, and then the next signal is the second
		      */
	/* Set before ui_loop_serve. end: begins the end. idle: whether nothing is left; the loop
	 * then stops, after 10 seconds in any case. NULL: the service itself stops it. */
	void *ctx;
	void (*end)(void *ctx);
	bool (*idle)(void *ctx);
	void (*reload)(void *ctx);
	/* Private. */
	struct rpc_async wake;
	struct rpc_signal term, interrupt, hangup;
	struct rpc_timer look;
	int64_t end_ms;
};

/* Makes the loop, and a pool of threads, unless `threads` is 0. queue: most jobs that wait. Returns
 * 0, or -1 with err set; call ui_loop_stop in either case. */
int ui_loop_start(struct ui_loop *l, unsigned threads, size_t queue, struct err *err);

/* Tells systemd that the service is ready, and runs the loop until it ends. */
void ui_loop_serve(struct ui_loop *l);

/* Frees pool and loop; all other watchers must have been stopped. */
void ui_loop_stop(struct ui_loop *l);

#endif
