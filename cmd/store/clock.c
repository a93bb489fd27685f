/* Whether the clock is to be believed. */
#include "cmd/store/clock.h"

#include <assert.h>

#include "cmd/store/engine.h"
#include "cmd/store/state.h"
#include "lib/err.h"
#include "lib/uptime.h"

#define CLOCK_JUMP 86400 /* seconds */

/* The clock as it is by now, unless it is not to be believed: it was set by more than a day while
 * the machine ran. That stays until engine_trust_clock. */
void engine_see_clock(struct engine *s)
{
	struct store_meta *m = &s->meta;
	int64_t now = engine_now(), uptime, off;
	uint64_t boot;

	assert(mutex_held(&s->writer));
	if (m->clock == STORE_CLOCK_DOUBTED)
		return;
	uptime = uptime_get(&boot);
	off = (now - m->clock) - (uptime - m->uptime);
	if (boot != 0 && boot == m->boot && (off > CLOCK_JUMP || off < -CLOCK_JUMP)) {
		m->clock = STORE_CLOCK_DOUBTED;
	} else if (now >= m->clock) {
		m->clock = now;
		m->boot = boot;
		m->uptime = uptime;
	}
}

/* Whether the clock is right, as far as can be told. Returns 0, or -1 with err set. */
int engine_believe_clock(struct engine *s, struct err *err)
{
	bool doubted = s->meta.clock == STORE_CLOCK_DOUBTED;

	engine_see_clock(s);
	if (s->meta.clock == STORE_CLOCK_DOUBTED) {
		if (!doubted && engine_put_meta(s, err) != 0)
			return -1;
		return err_set(err, ERR_FAILED,
			"%s: the clock was set by more than a day: nothing is deleted until it is "
			"confirmed (fdump store trust-clock)",
			s->path);
	}
	if (engine_now() < s->meta.clock)
		return err_set(err, ERR_FAILED,
			"%s: the clock is earlier than the last write: nothing is deleted until it "
			"has caught up, or is confirmed "
			"(fdump store trust-clock)",
			s->path);
	return 0;
}

int engine_trust_clock(struct engine *s, struct err *err)
{
	int got;

	mutex_lock(&s->writer);
	s->meta.clock = engine_now();
	s->meta.uptime = uptime_get(&s->meta.boot);
	got = s->failed
		      ? err_set(err, ERR_IO, "%s: an earlier write failed: open it again", s->path)
		      : engine_put_meta(s, err);
	mutex_unlock(&s->writer);
	return got;
}
