/* First each fact is checked; then comes how troubles change over time. */
#include "cmd/manager/trouble.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/watch.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/size.h"

#define DAY_SEC    86400
#define CLONE_SEC  3600       /* since two machines, or a stranger, were seen last */
#define PLAN_SEC   900        /* for all managers to get the same configuration */
#define AWAY_SEC   1800       /* a store may be away this long; it says hello every five minutes */
#define RENEW_DAYS 20         /* of 90; a renewal is due when 30 are left */
#define TELL_DAYS  30         /* for certificates that a person must renew */
#define FREE_PART  20         /* nearly full: less than 1/FREE_PART of the disk is usable */
#define SMALL_PART 4          /* too small: less than 1/SMALL_PART of the dump before it, */
#define SMALL_MIN  (1u << 20) /* if that had at least this many bytes */

struct looking {
	const struct manager_facts *facts;
	int64_t now;
	struct buf *to;
	struct err *err;
	bool failed;
	struct manager_trouble added; /* used if it could not be appended */
};

/* The subject of a trouble. job: "" if it is not about a job. */
struct of {
	const char *role, *name, *job;
};

/* Appends a trouble. Returns it. */
static struct manager_trouble *add(struct looking *l, const struct of *of, const char *kind,
	const char *state, bool critical, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

static struct manager_trouble *add(struct looking *l, const struct of *of, const char *kind,
	const char *state, bool critical, const char *fmt, ...)
{
	struct manager_trouble t = {.row.critical = critical};
	va_list args;

	snprintf(t.row.alarm, sizeof t.row.alarm, "%s/%s/%s%s%s", of->role, of->name, kind,
		of->job[0] != 0 ? "/" : "", of->job);
	snprintf(t.row.kind, sizeof t.row.kind, "%s", kind);
	snprintf(t.row.role, sizeof t.row.role, "%s", of->role);
	snprintf(t.row.name, sizeof t.row.name, "%s", of->name);
	snprintf(t.row.job, sizeof t.row.job, "%s", of->job);
	snprintf(t.row.state, sizeof t.row.state, "%s", state);
	va_start(args, fmt);
	vsnprintf(t.row.reason, sizeof t.row.reason, fmt, args);
	va_end(args);
	if (buf_add(l->to, &t, sizeof t, l->err) == 0)
		return (struct manager_trouble *)(void *)(l->to->data + l->to->len - sizeof t);
	l->failed = true;
	return &l->added;
}

/* --- machines -------------------------------------------------------------- */

/* due_days: it should have been renewed before this many days are left. */
static void look_at_certificate(struct looking *l, const struct of *of, const char *kind,
	int64_t expires, int due_days, const char *advice)
{
	int64_t left = expires - l->now;
	char text[MANAGER_AGE_MAX];

	if (expires == 0 || left > (int64_t)due_days * DAY_SEC)
		return;
	if (left > 0)
		add(l, of, kind, "certificate expiring", false, "it ends in %s%s",
			manager_age(text, left), advice);
	else
		add(l, of, kind, "certificate expired", true, "it has ended %s ago%s",
			manager_age(text, -left), advice);
}

static void look_at_agent(struct looking *l, const struct of *of, const struct manager_host_row *h)
{
	const char *why = strstr(h->refused, ": ");

	if (h->differs && h->follows[0] != 0)
		add(l, of, "plan", "plans differ", false,
			"the manager %s has a different plan for it: is manager.conf the same "
			"there?",
			h->follows)
			->wait_sec = PLAN_SEC;
	if (h->refused[0] != 0)
		add(l, of, "refused", "plan refused", true,
			"the agent refuses its manager's plan: %s",
			why != NULL ? why + strlen(": ") : "its log says why");
	if (h->overdue)
		add(l, of, "overdue", "no success", true,
			"no backup of it has succeeded for longer than its warn_after");
}

static void look_at_store(struct looking *l, const struct of *of, const struct manager_host_row *h)
{
	int64_t seen = h->seen > l->facts->started ? h->seen : l->facts->started;
	char left[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX], text[MANAGER_AGE_MAX];

	if (h->size > 0 && h->free < h->size / FREE_PART) {
		size_print(left, (double)h->free);
		size_print(size, (double)h->size);
		add(l, of, "space", h->free == 0 ? "full" : "nearly full", h->free == 0,
			"it may use %s more, on a disk of %s", left, size);
	}
	if (h->damaged > 0)
		add(l, of, "damage", "damaged", true,
			"%" PRIu64 " chunks or dumps are damaged or missing: 'fdump verify' names "
			"what is lost; what the sources still have comes back with the next "
			"backups",
			h->damaged);
	if (h->fault[0] != 0)
		add(l, of, "stopped", "stopped", true, "its service has ended: %s", h->fault);
	else if (!h->up && h->reach[0] != 0 && l->now - seen > AWAY_SEC)
		add(l, of, "away", "not connected", true, "it was seen last %s ago",
			manager_age(text, l->now - h->seen));
}

static void look_at_host(struct looking *l, const struct manager_host_row *h)
{
	bool is_agent = strcmp(h->role, "agent") == 0, is_store = strcmp(h->role, "store") == 0;
	const struct of of = {h->role, h->name, ""};
	int64_t off = h->clock_off;
	char text[MANAGER_AGE_MAX];

	if (h->cloned != 0 && l->now - h->cloned < CLONE_SEC)
		add(l, &of, "clone", "cloned", true,
			"two machines use its identity, at %s and at %s: make a new token for one "
			"of them",
			h->address, h->address_before);
	if (h->strange != 0 && l->now - h->strange < CLONE_SEC)
		add(l, &of, "stranger", "name taken twice", true, "%s", h->stranger);
	if (off > MANAGER_CLOCK_SEC || off < -MANAGER_CLOCK_SEC)
		add(l, &of, "clock", "clock wrong", false, "its clock is %s %s",
			manager_age(text, off > 0 ? off : -off), off > 0 ? "ahead" : "behind");
	if (is_agent)
		look_at_agent(l, &of, h);
	if (is_store)
		look_at_store(l, &of, h);
	if (is_agent || is_store)
		look_at_certificate(l, &of, "certificate", h->expires, RENEW_DAYS,
			h->expires > l->now
				? ": it is not renewed; is the machine connected?"
				: ": the machine has to join again ('fdump token', with "
				  "--replace)");
	else
		look_at_certificate(l, &of, "certificate", h->expires, TELL_DAYS,
			": a new token is needed ('fdump token')");
}

/* --- jobs ------------------------------------------------------------------ */

static void look_at_last(
	struct looking *l, const struct of *of, const struct manager_last_row *last)
{
	char now[SIZE_TEXT_MAX], before[SIZE_TEXT_MAX];

	if (last->fewer_than > 0) {
		add(l, of, "small", "dump too small", false,
			"the last dump has %" PRIu64 " entries, the last whole one had %" PRIu64
			": is everything mounted?",
			last->entries, last->fewer_than);
	} else if (last->content_before >= SMALL_MIN &&
		   last->content < last->content_before / SMALL_PART) {
		size_print(now, (double)last->content);
		size_print(before, (double)last->content_before);
		add(l, of, "small", "dump too small", false,
			"the last dump has %s, the one before had %s", now, before);
	}
	if (last->changed)
		add(l, of, "identity", "store changed", true,
			"a store has changed its identity%s%s%s", last->text[0] != 0 ? ": " : "",
			last->text,
			strstr(last->text, "agent accept") != NULL
				? ""
				: " (if it was replaced on purpose: 'fdump agent accept STORE' on "
				  "the agent)");
}

static void look_at_job(struct looking *l, const struct manager_status_row *job)
{
	const struct of of = {"agent", job->agent, job->job};
	const struct manager_last_row *last =
		manager_last_find(l->facts->lasts, l->facts->last_count, job->agent, job->job);

	if (last != NULL)
		look_at_last(l, &of, last);
	if (job->severity >= MANAGER_STATE_PARTIAL)
		add(l, &of, "job", job->state, job->severity >= MANAGER_STATE_FAILED, "%s",
			job->reason)
			->row.kept = job->kept;
}

int manager_trouble_list(
	const struct manager_facts *facts, int64_t now, struct buf *troubles, struct err *err)
{
	struct looking l = {.facts = facts, .now = now, .to = troubles, .err = err};
	const struct of self = {"manager", facts->manager, ""};
	size_t i;

	for (i = 0; i < facts->job_count; i++)
		look_at_job(&l, &facts->jobs[i]);
	for (i = 0; i < facts->host_count; i++)
		look_at_host(&l, &facts->hosts[i]);
	for (i = 0; i < facts->absent_count; i++)
		add(&l, &(struct of){"store", facts->absent[i], ""}, "unknown", "unknown store",
			false,
			"manager.conf names the store %s, which has not joined and has no address",
			facts->absent[i]);
	if (facts->damaged_count > 0)
		add(&l, &self, "state", "state damaged", true,
			"its database has %zu damaged entr%s (%s), counted as missing; its log "
			"names them; agents are asked for theirs again, a denial or a token has to "
			"be made again ('fdump revoke', 'fdump token')",
			facts->damaged_count, facts->damaged_count == 1 ? "y" : "ies",
			facts->damaged);
	if (facts->unsaved != NULL)
		add(&l, &self, "unsaved", "state not saved", true,
			"its database can't be written, so no runs are recorded: %s",
			facts->unsaved);
	look_at_certificate(&l, &self, "certificate", facts->expires, RENEW_DAYS,
		": it is not renewed; the manager's log says why");
	look_at_certificate(&l, &self, "intermediate", facts->signs_until, TELL_DAYS,
		": this manager can't sign for others after that, and has to join again");
	return l.failed ? -1 : 0;
}

/* --- changes over time ----------------------------------------------------- */

enum manager_trouble_step manager_trouble_step(struct manager_alarm_row *row,
	const struct manager_trouble *found, int64_t wait_sec, int64_t now)
{
	bool changed = false;

	if (found == NULL)
		return row->told[0] != 0 ? MANAGER_TROUBLE_OVER : MANAGER_TROUBLE_DROP;
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
	*row = found->row;
	row->since = kept != NULL && strcmp(kept->state, row->state) == 0 ? kept->since : now;
	row->told[0] = 0;
	return now - row->since >= found->wait_sec;
}
