#include "cmd/ui/loop.h"

#include <signal.h>

#include "cmd/ui/log.h"
#include "lib/notify.h"
#include "lib/pool.h"

#define END_MS  10000 /* longest time to end in good order */
#define LOOK_MS 20    /* between checks whether nothing is left */

static void on_wake(void *arg)
{
	pool_drain(((struct ui_loop *)arg)->pool);
}

int ui_loop_start(struct ui_loop *l, unsigned threads, size_t queue, struct err *err)
{
	l->loop = rpc_loop_new(err);
	if (l->loop == NULL || threads == 0)
		return l->loop != NULL ? 0 : -1;
	rpc_async_start(&l->wake, l->loop, on_wake, l);
	l->pool = pool_new(threads, queue, rpc_async_send, &l->wake, err);
	return l->pool != NULL ? 0 : -1;
}

static void look(void *arg)
{
	struct ui_loop *l = arg;

	if (l->idle(l->ctx) || rpc_loop_now_ms(l->loop) >= l->end_ms)
		rpc_loop_stop(l->loop);
	else
		rpc_timer_start(&l->look, l->loop, LOOK_MS, look, l);
}

static void on_term(void *arg)
{
	struct ui_loop *l = arg;

	if (l->ending) {
		rpc_loop_stop(l->loop);
		return;
	}
	l->ending = true;
	ui_log(UI_LOG_NOTICE, "ending");
	notify_send("STOPPING=1");
	l->end_ms = rpc_loop_now_ms(l->loop) + END_MS;
	l->end(l->ctx);
	if (l->idle != NULL)
		look(l);
}

static void on_hangup(void *arg)
{
	struct ui_loop *l = arg;

	notify_send("RELOADING=1");
	l->reload(l->ctx);
	notify_send("READY=1");
}

void ui_loop_serve(struct ui_loop *l)
{
	rpc_signal_start(&l->term, l->loop, SIGTERM, on_term, l);
	rpc_signal_start(&l->interrupt, l->loop, SIGINT, on_term, l);
	rpc_signal_start(&l->hangup, l->loop, SIGHUP, on_hangup, l);
	notify_send("READY=1");
	rpc_loop_run(l->loop);
}

void ui_loop_stop(struct ui_loop *l)
{
	rpc_timer_stop(&l->look);
	rpc_signal_stop(&l->term);
	rpc_signal_stop(&l->interrupt);
	rpc_signal_stop(&l->hangup);
	pool_free(l->pool);
	rpc_async_stop(&l->wake);
	rpc_loop_free(l->loop);
}
