/* A look at each fact; then how it changes. */
#include "cmd/manager/trouble.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/inner.h"
#include "cmd/manager/watch.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/size.h"

#define DAY_SEC    86400
#define CLONE_SEC  3600       /* since two machines were seen, or another one */
#define PLAN_SEC   900        /* until all managers have the same configuration */
#define AWAY_SEC   1800       /* that a store may be away: a hello comes every five minutes */
#define RENEW_DAYS 20         /* of 90: they are renewed with 30 left */
#define TELL_DAYS  30         /* of what a person renews */
#define FREE_PART  20         /* nearly full: less than that part of the disk may still be used */
#define SMALL_PART 4          /* too small: less than that part of the dump before, */
#define SMALL_MIN  (1u << 20) /* if that had so many bytes */

struct looking {
	const struct manager_facts *facts;
	int64_t now;
	struct buf *to;
	struct err *err;
};

/* What is wrong: of which kind, in which words. */
struct what {
	const char *kind, *role, *name, *job, *state;
	bool critical, unsure;
	int64_t wait_sec, kept;
};

static int add(const struct looking *l, const struct what *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int add(const struct looking *l, const struct what *what, const char *fmt, ...)
{
	struct manager_trouble t = {.row = {.critical = what->critical, .kept = what->kept},
		.wait_sec = what->wait_sec,
		.unsure = what->unsure};
	const char *job = what->job != NULL ? what->job : "";
	va_list args;

	snprintf(t.row.alarm, sizeof t.row.alarm, "%s/%s/%s%s%s", what->role, what->name,
		what->kind, job[0] != 0 ? "/" : "", job);
	snprintf(t.row.kind, sizeof t.row.kind, "%s", what->kind);
	snprintf(t.row.role, sizeof t.row.role, "%s", what->role);
	snprintf(t.row.name, sizeof t.row.name, "%s", what->name);
	snprintf(t.row.job, sizeof t.row.job, "%s", job);
	snprintf(t.row.state, sizeof t.row.state, "%s", what->state);
	va_start(args, fmt);
	vsnprintf(t.row.reason, sizeof t.row.reason, fmt, args);
	va_end(args);
	return buf_add(l->to, &t, sizeof t, l->err);
}

/* --- machines -------------------------------------------------------------- */

static int look_at_identity(const struct looking *l, const struct manager_host_row *h)
{
	struct what clone = {.kind = "clone",
		.role = h->role,
		.name = h->name,
		.state = "cloned",
		.critical = true};
	struct what clock = {
		.kind = "clock", .role = h->role, .name = h->name, .state = "clock wrong"};
	struct what stranger = {.kind = "stranger",
		.role = h->role,
		.name = h->name,
		.state = "name taken twice",
		.critical = true};
	char text[MANAGER_AGE_MAX];
	bool ahead = h->clock_off > 0;

	if (h->cloned != 0 && l->now - h->cloned < CLONE_SEC &&
		add(l, &clone,
			"two machines use its identity, at %s and at %s: make a new token for one "
			"of "
			"them",
			h->address, h->address_before) != 0)
		return -1;
	if (h->strange != 0 && l->now - h->strange < CLONE_SEC &&
		add(l, &stranger, "%s", h->stranger) != 0)
		return -1;
	if (h->clock_off > MANAGER_CLOCK_SEC || h->clock_off < -MANAGER_CLOCK_SEC)
		return add(l, &clock, "its clock is %s %s",
			manager_inner_age(text, ahead ? h->clock_off : -h->clock_off),
			ahead ? "ahead" : "behind");
	return 0;
}

/* due_days: with so many left it should have been renewed. */
static int look_at_certificate(const struct looking *l, const char *kind, const char *role,
	const char *name, int64_t expires, int due_days, const char *advice)
{
	int64_t left = expires - l->now;
	struct what what = {.kind = kind,
		.role = role,
		.name = name,
		.state = left > 0 ? "certificate expiring" : "certificate expired",
		.critical = left <= 0};
	char text[MANAGER_AGE_MAX];

	if (expires == 0 || left > (int64_t)due_days * DAY_SEC)
		return 0;
	return add(l, &what, left > 0 ? "it ends in %s%s" : "it has ended %s ago%s",
		manager_inner_age(text, left > 0 ? left : -left), advice);
}

static int look_at_agent(const struct looking *l, const struct manager_host_row *h)
{
	struct what what = {.role = h->role, .name = h->name, .critical = true};
	const char *why = strstr(h->refused, ": ");

	if (h->differs && h->follows[0] != 0) {
		what = (struct what){.kind = "plan",
			.role = h->role,
			.name = h->name,
			.state = "plans differ",
			.wait_sec = PLAN_SEC};
		if (add(l, &what,
			    "the manager %s has a different plan for it: is manager.conf the same "
			    "there?",
			    h->follows) != 0)
			return -1;
		what.critical = true;
		what.wait_sec = 0;
	}
	if (h->refused[0] != 0) {
		what.kind = "refused";
		what.state = "plan refused";
		if (add(l, &what, "it refuses the plan of the manager that it follows: %s",
			    why != NULL ? why + strlen(": ") : "its log says why") != 0)
			return -1;
	}
	if (!h->overdue)
		return 0;
	what.kind = "overdue";
	what.state = "no success";
	return add(l, &what, "no backup of it has succeeded for longer than its warn_after");
}

static int look_at_space(const struct looking *l, const struct manager_host_row *h)
{
	struct what what = {.kind = "space",
		.role = h->role,
		.name = h->name,
		.state = h->free == 0 ? "full" : "nearly full",
		.critical = h->free == 0};
	char left[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX];

	if (h->size == 0 || h->free >= h->size / FREE_PART)
		return 0;
	size_print(left, (double)h->free);
	size_print(size, (double)h->size);
	return add(l, &what, "it may use %s more, on a disk of %s", left, size);
}

static int look_at_store(const struct looking *l, const struct manager_host_row *h)
{
	struct what what = {.role = h->role, .name = h->name, .critical = true};
	int64_t seen = h->seen > l->facts->started ? h->seen : l->facts->started;
	char text[MANAGER_AGE_MAX];

	if (look_at_space(l, h) != 0)
		return -1;
	if (h->damaged > 0) {
		what.kind = "damage";
		what.state = "damaged";
		if (add(l, &what,
			    "%" PRIu64
			    " chunks or dumps are damaged or missing: 'fdump verify' names "
			    "what is lost; what the sources still have comes back with the next "
			    "backups",
			    h->damaged) != 0)
			return -1;
	}
	what.kind = h->fault[0] != 0 ? "stopped" : "away";
	what.state = h->fault[0] != 0 ? "stopped" : "not connected";
	if (h->fault[0] != 0)
		return add(l, &what, "its service has ended: %s", h->fault);
	if (h->up || h->reach[0] == 0 || l->now - seen <= AWAY_SEC)
		return 0;
	return add(l, &what, "it was seen last %s ago", manager_inner_age(text, l->now - h->seen));
}

static int look_at_absent(const struct looking *l, const char *store)
{
	const struct what what = {
		.kind = "unknown", .role = "store", .name = store, .state = "unknown store"};

	return add(l, &what,
		"manager.conf names the store %s, which has not joined and has no address", store);
}

static int look_at_host(const struct looking *l, const struct manager_host_row *h)
{
	bool is_agent = strcmp(h->role, "agent") == 0, is_store = strcmp(h->role, "store") == 0;

	if (look_at_identity(l, h) != 0)
		return -1;
	if (is_agent && look_at_agent(l, h) != 0)
		return -1;
	if (is_store && look_at_store(l, h) != 0)
		return -1;
	return is_agent || is_store
		       ? look_at_certificate(l, "certificate", h->role, h->name, h->expires,
				 RENEW_DAYS, ": it is not renewed; is the machine connected?")
		       : look_at_certificate(l, "certificate", h->role, h->name, h->expires,
				 TELL_DAYS, ": a new token is needed ('fdump token')");
}

/* --- jobs ------------------------------------------------------------------ */

static int by_names(const void *a, const void *b)
{
	const struct manager_last_row *x = a, *y = b;
	int order = strcmp(x->agent, y->agent);

	return order != 0 ? order : strcmp(x->job, y->job);
}

static int look_at_last(const struct looking *l, const struct manager_last_row *last)
{
	struct what what = {.kind = "small",
		.role = "agent",
		.name = last->agent,
		.job = last->job,
		.state = "dump too small"};
	char now[SIZE_TEXT_MAX], before[SIZE_TEXT_MAX];

	if (last->fewer_than > 0) {
		if (add(l, &what,
			    "the last dump has %" PRIu64 " entries, the last whole one had %" PRIu64
			    ": is everything mounted?",
			    last->entries, last->fewer_than) != 0)
			return -1;
	} else if (last->content_before >= SMALL_MIN &&
		   last->content < last->content_before / SMALL_PART) {
		size_print(now, (double)last->content);
		size_print(before, (double)last->content_before);
		if (add(l, &what, "the last dump has %s, the one before had %s", now, before) != 0)
			return -1;
	}
	what.kind = "identity";
	what.state = "store changed";
	what.critical = true;
	if (!last->changed)
		return 0;
	return add(l, &what,
		"another store answers by the name of one that it knows%s%s (if it was replaced on "
		"purpose: 'fdump agent accept STORE' on the agent)",
		last->text[0] != 0 ? ": " : "", last->text);
}

static int look_at_job(const struct looking *l, const struct manager_status_row *job)
{
	const struct manager_facts *f = l->facts;
	const struct what what = {.kind = "job",
		.role = "agent",
		.name = job->agent,
		.job = job->job,
		.state = job->state,
		.critical = job->severity >= MANAGER_STATE_FAILED,
		.unsure = job->severity == MANAGER_STATE_RUNNING,
		.kept = job->kept};
	struct manager_last_row *key = calloc(1, sizeof *key);
	const struct manager_last_row *last;

	if (key == NULL)
		return err_set(l->err, ERR_NOMEM, "alarms: out of memory");
	strcpy(key->agent, job->agent);
	strcpy(key->job, job->job);
	last = f->last_count > 0 ? bsearch(key, f->lasts, f->last_count, sizeof *key, by_names)
				 : NULL;
	free(key);
	if (last != NULL && look_at_last(l, last) != 0)
		return -1;
	if (job->severity < MANAGER_STATE_PARTIAL && !what.unsure)
		return 0;
	return add(l, &what, "%s", job->reason);
}

int manager_trouble_list(
	const struct manager_facts *facts, int64_t now, struct buf *troubles, struct err *err)
{
	const struct looking l = {facts, now, troubles, err};
	size_t i;

	for (i = 0; i < facts->job_count; i++)
		if (look_at_job(&l, &facts->jobs[i]) != 0)
			return -1;
	for (i = 0; i < facts->host_count; i++)
		if (look_at_host(&l, &facts->hosts[i]) != 0)
			return -1;
	for (i = 0; i < facts->absent_count; i++)
		if (look_at_absent(&l, facts->absent[i]) != 0)
			return -1;
	if (look_at_certificate(&l, "certificate", "manager", facts->manager, facts->expires,
		    RENEW_DAYS, ": it is not renewed; the manager's log says why") != 0)
		return -1;
	return look_at_certificate(&l, "intermediate", "manager", facts->manager,
		facts->signs_until, TELL_DAYS,
		": this manager can't sign for others after that, and has to join again");
}

/* --- how it changes -------------------------------------------------------- */

enum manager_trouble_step manager_trouble_step(struct manager_alarm_row *row,
	const struct manager_trouble *found, int64_t wait_sec, int64_t now)
{
	bool changed = false;

	if (found == NULL)
		return row->told[0] != 0 ? MANAGER_TROUBLE_OVER : MANAGER_TROUBLE_DROP;
	if (found->unsure)
		return MANAGER_TROUBLE_SAME;
	if (strcmp(row->state, found->row.state) != 0) {
		char told[MANAGER_WORD_MAX];

		memcpy(told, row->told, sizeof told);
		*row = found->row;
		memcpy(row->told, told, sizeof told);
		row->since = now;
		changed = true;
	}
	if (strcmp(row->told, row->state) != 0 && now - row->since >= found->wait_sec + wait_sec)
		return MANAGER_TROUBLE_RAISE;
	return changed ? MANAGER_TROUBLE_KEEP : MANAGER_TROUBLE_SAME;
}

bool manager_trouble_show(struct manager_alarm_row *row, const struct manager_trouble *found,
	const struct manager_alarm_row *kept, int64_t now)
{
	if (found->unsure) {
		if (kept == NULL)
			return false;
		*row = *kept;
	} else {
		*row = found->row;
		row->since =
			kept != NULL && strcmp(kept->state, row->state) == 0 ? kept->since : now;
	}
	row->told[0] = 0;
	return now - row->since >= found->wait_sec;
}
