#include "cmd/agent/service.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/agent/jobs.h"
#include "cmd/agent/journal.h"
#include "cmd/agent/managers.h"
#include "cmd/agent/notes.h"
#include "cmd/agent/runs.h"
#include "cmd/agent/schedule.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/mem.h"
#include "rpc/call.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

#define TICK_MS 1000
#define CALL_MS 60000

struct agent_service {
	struct agent_service_opts o;
	struct rpc_service methods;
	struct agent_notes notes;
	struct agent_managers *managers;
	struct agent_jobs jobs;
	struct agent_runs runs;
	struct rpc_timer tick;
	char plan_path[4200];
	bool plan_refused;
	struct err refusal; /* why it was refused */
	uint8_t refused[MANAGER_DIGEST_LEN];
	bool ending, warned;
	int64_t since; /* when the service was started */
};

/* --- the plan --------------------------------------------------------------- */

/* Replaces the plan. Returns 0, or -1 with err set: the current one stays. */
static int take_plan(struct agent_service *s, const void *bytes, size_t len, struct err *err)
{
	struct err why = {0};
	size_t i;

	if (agent_jobs_take(&s->jobs, &s->o.own, rpc_tls_conf_self(s->o.uplink.conf)->name,
		    s->o.place.recipients, bytes, len, err) != 0)
		return -1;
	for (i = 0; i < s->jobs.count; i++)
		if (!s->jobs.jobs[i].valid)
			agent_notes_log(&s->notes, AGENT_LOG_ERROR, "job %s can't be scheduled: %s",
				s->jobs.jobs[i].plan->name, s->jobs.jobs[i].why);
	if (agent_jobs_keep_stores(&s->jobs, s->o.stores_path, &why) != 0)
		agent_notes_log(&s->notes, AGENT_LOG_WARNING, "%s", why.message);
	return 0;
}

/* Loads the plan that was kept. If that fails, a manager has it. */
static void load_plan(struct agent_service *s)
{
	struct err err = {0};
	struct buf plan;

	buf_init(&plan, MANAGER_PLAN_MAX + 1);
	if (file_read_buf(s->plan_path, &plan, NULL, &err) == 0)
		(void)take_plan(s, plan.data, plan.len, &err);
	if (err.code != ERR_NONE && err.code != ERR_NOTFOUND)
		agent_notes_log(&s->notes, AGENT_LOG_WARNING,
			"the plan that was kept can't be used: %s", err.message);
	buf_fini(&plan);
}

/* Whether a manager's plan differs from ours, and is not the one that was refused. */
static bool wants_plan(void *ctx, const uint8_t digest[MANAGER_DIGEST_LEN])
{
	const struct agent_service *s = ctx;

	if (s->jobs.taken && memcmp(digest, s->jobs.digest, MANAGER_DIGEST_LEN) == 0)
		return false;
	return !s->plan_refused || memcmp(digest, s->refused, MANAGER_DIGEST_LEN) != 0;
}

/* Takes a plan that a manager sent. */
static void on_plan(void *ctx, const char *manager, const void *bytes, size_t len)
{
	struct agent_service *s = ctx;
	struct manager_record record = {.kind = MANAGER_PLAN};
	struct err err = {0};

	manager_plan_digest(bytes, len, record.digest);
	if (s->jobs.taken && memcmp(record.digest, s->jobs.digest, sizeof s->jobs.digest) == 0)
		return;
	if (take_plan(s, bytes, len, &err) != 0) {
		if (!s->plan_refused || memcmp(s->refused, record.digest, sizeof s->refused) != 0) {
			agent_notes_log(&s->notes, AGENT_LOG_ERROR,
				"the plan of manager %s is refused: %s", manager, err.message);
			agent_notes_alarm(&s->notes,
				err.code == ERR_DENIED ? MANAGER_SAYS_REFUSED
						       : MANAGER_SAYS_MALFORMED,
				NULL, err.message);
		}
		s->plan_refused = true;
		s->refusal = err;
		memcpy(s->refused, record.digest, sizeof s->refused);
		return;
	}
	s->plan_refused = false;
	if (file_write(s->plan_path, bytes, len, 0600, &err) != 0)
		agent_notes_log(&s->notes, AGENT_LOG_WARNING, "%s", err.message);
	agent_notes_log(&s->notes, AGENT_LOG_NOTICE, "plan of manager %s: %zu jobs", manager,
		s->jobs.count);
	agent_notes_happened(&s->notes, &record);
	agent_managers_changed(s->managers);
}

/* --- the schedule ----------------------------------------------------------- */

/* slot: 0 if a person ordered the run. Returns as agent_runs_start. */
static int start_run(struct agent_service *s, const struct manager_plan_job *job, int64_t slot,
	uint8_t id[MANAGER_RUN_LEN], struct err *err)
{
	const struct agent_order order = {.job = job, .slot = slot, .plan = s->jobs.digest};

	return agent_runs_start(&s->runs, s->jobs.plan.agent, &order, id, err);
}

static void look_at(struct agent_service *s, struct agent_job *job, int64_t now)
{
	struct agent_job_state *state = agent_journal_state(s->notes.journal, job->plan->name);
	struct manager_record record = {.kind = MANAGER_CLOCK};
	struct agent_next next;
	struct err err = {0};

	if (!job->valid || state == NULL)
		return;
	next = agent_schedule_next(&job->slots, state, s->o.own.min_interval_sec, now);
	if (next.clock_set) {
		memcpy(record.job, state->job, sizeof record.job);
		agent_notes_happened(&s->notes, &record);
	}
	if (!next.run || s->runs.count >= AGENT_RUNS_MAX)
		return;
	if (start_run(s, job->plan, next.slot, NULL, &err) != 0)
		agent_notes_log(
			&s->notes, AGENT_LOG_ERROR, "job %s: %s", job->plan->name, err.message);
}

/* Raises an alarm if no backup has succeeded for long. */
static void warn_if_overdue(struct agent_service *s, int64_t now)
{
	int64_t last = s->since;
	size_t i;

	for (i = 0; i < s->jobs.count; i++) {
		const struct agent_job_state *state =
			agent_journal_state(s->notes.journal, s->jobs.jobs[i].plan->name);

		if (state != NULL && state->succeeded > last)
			last = state->succeeded;
	}
	if (now - last <= s->o.own.warn_after_sec) {
		s->warned = false;
	} else if (!s->warned) {
		s->warned = true;
		agent_notes_log(&s->notes, AGENT_LOG_ERROR,
			"no backup has succeeded for %lld hours", (long long)((now - last) / 3600));
		agent_notes_alarm(&s->notes, MANAGER_SAYS_OVERDUE, NULL, NULL);
	}
}

static void on_tick(void *arg)
{
	struct agent_service *s = arg;
	int64_t now = time(NULL);
	size_t i;

	if (s->ending)
		return;
	for (i = 0; i < s->jobs.count; i++)
		look_at(s, &s->jobs.jobs[i], now);
	warn_if_overdue(s, now);
	rpc_timer_start(&s->tick, s->o.uplink.loop, TICK_MS, on_tick, s);
}

/* --- orders ------------------------------------------------------------------ */

static void answer(struct rpc_call *call, const struct err *err)
{
	if (err->code == ERR_NONE)
		rpc_call_reply(call, "\xa0", 1, NULL);
	else
		rpc_call_fail(call, err);
}

/* Finds a job of the plan by its name. NULL with err set. */
static const struct manager_plan_job *job_of(
	struct agent_service *s, const char *name, struct err *err)
{
	const struct manager_plan_job *job =
		s->jobs.taken ? manager_plan_job(&s->jobs.plan, name) : NULL;

	if (job == NULL && s->plan_refused)
		err_set(err, ERR_NOTFOUND, "no job '%s': the agent refuses the manager's plan: %s",
			name, s->refusal.message);
	else if (job == NULL)
		err_set(err, ERR_NOTFOUND, "this agent has no job '%s'", name);
	return job;
}

static void on_run(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct agent_service *s = ctx;
	struct manager_msg_jobs order = {.job = ""};
	struct manager_msg_started started;
	const struct manager_plan_job *job;
	uint8_t mem[MANAGER_MSG_MAX];
	struct err err = {0};

	cbormap_store(&order, manager_job_fields, v);
	job = job_of(s, order.job, &err);
	if (job != NULL && s->ending)
		err_set(&err, ERR_BUSY, "the agent is ending");
	else if (job != NULL && agent_runs_has(&s->runs, order.job))
		err_set(&err, ERR_BUSY, "job '%s' is running", order.job);
	else if (job != NULL)
		start_run(s, job, 0, started.run, &err);
	if (err.code == ERR_NONE)
		rpc_call_reply(
			call, mem, manager_msg_put(mem, manager_started_fields, &started), NULL);
	else
		rpc_call_fail(call, &err);
}

static void on_cancel(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct agent_service *s = ctx;
	struct manager_msg_jobs order = {.job = ""};
	struct err err = {0};

	cbormap_store(&order, manager_job_fields, v);
	agent_runs_cancel(&s->runs, order.job, rpc_call_peer(call)->name, &err);
	answer(call, &err);
}

static void hold(struct agent_service *s, struct rpc_call *call, const struct cbormap_value *v,
	enum manager_kind kind)
{
	struct manager_record record = {.kind = kind};
	struct manager_msg_jobs order = {.job = ""};
	struct err err = {0};

	cbormap_store(&order, manager_job_fields, v);
	strcpy(record.job, order.job);
	if (job_of(s, order.job, &err) != NULL)
		agent_notes_record(&s->notes, &record, &err);
	answer(call, &err);
}

static void on_hold(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	hold(ctx, call, v, MANAGER_HELD);
}

static void on_release(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	hold(ctx, call, v, MANAGER_RELEASED);
}

/* The answer to another hello has the new digest. */
static void on_plan_changed(
	void *ctx, const struct rpc_identity *peer, const struct cbormap_value *v)
{
	(void)peer;
	(void)v;
	agent_managers_changed(((struct agent_service *)ctx)->managers);
}

#define M RPC_ROLE_BIT(RPC_MANAGER)

static const struct rpc_method methods[] = {
	{MANAGER_METHOD_PLAN_CHANGED, "plan-changed", M, 64, 0, CALL_MS, NULL, NULL,
		on_plan_changed},
	{MANAGER_METHOD_RUN, "run", M, 256, 0, CALL_MS, manager_job_fields, on_run, NULL},
	{MANAGER_METHOD_CANCEL, "cancel", M, 256, 0, CALL_MS, manager_job_fields, on_cancel, NULL},
	{MANAGER_METHOD_HOLD, "hold-job", M, 256, 0, CALL_MS, manager_job_fields, on_hold, NULL},
	{MANAGER_METHOD_RELEASE, "release", M, 256, 0, CALL_MS, manager_job_fields, on_release,
		NULL},
};

/* --- new and free ------------------------------------------------------------ */

static int open_journal(struct agent_service *s, struct err *err)
{
	struct agent_journal_found found;
	char path[4200], away[4300];

	snprintf(path, sizeof path, "%.4000s/journal", s->o.dir);
	if (agent_journal_open(path, 0, &s->notes.journal, &found, err) != 0) {
		if (err->code != ERR_DAMAGE)
			return -1;
		/* Begin a new journal; managers will notice. */
		snprintf(away, sizeof away, "%s.damaged", path);
		agent_notes_log(&s->notes, AGENT_LOG_ERROR,
			"%s; it is moved to %s, and another one begun", err->message, away);
		*err = (struct err){0};
		if (rename(path, away) != 0)
			return err_errno(err, errno, "%s", away);
		if (agent_journal_open(path, 0, &s->notes.journal, &found, err) != 0)
			return -1;
	}
	if (found.cut + found.damaged > 0)
		agent_notes_log(&s->notes, AGENT_LOG_WARNING,
			"journal: %llu bytes cut off, %llu damaged", (unsigned long long)found.cut,
			(unsigned long long)found.damaged);
	return 0;
}

struct agent_service *agent_service_new(const struct agent_service_opts *opts, struct err *err)
{
	struct agent_service *s = mem_new(sizeof *s, err);
	struct agent_managers_opts managers = {
		.uplink = opts->uplink,
		.renewed = opts->renewed,
		.renewed_ctx = opts->ctx,
		.ctx = s,
		.wants = wants_plan,
		.plan = on_plan,
	};

	if (s == NULL)
		return NULL;
	s->o = *opts;
	s->since = time(NULL);
	s->methods = (struct rpc_service){
		.methods = methods, .count = sizeof methods / sizeof *methods, .ctx = s};
	snprintf(s->plan_path, sizeof s->plan_path, "%.4000s/plan", s->o.dir);
	s->notes = (struct agent_notes){
		.log = opts->log, .log_ctx = opts->ctx, .added = agent_managers_report};
	s->runs = (struct agent_runs){.loop = s->o.uplink.loop,
		.place = &s->o.place,
		.notes = &s->notes,
		.progress = agent_managers_progress};
	managers.uplink.service = &s->methods;
	managers.notes = &s->notes;
	managers.jobs = &s->jobs;
	if (open_journal(s, err) != 0 || agent_runs_end_lost(&s->runs, err) != 0)
		goto fail;
	load_plan(s);
	s->managers = agent_managers_new(&managers, err);
	if (s->managers == NULL)
		goto fail;
	s->notes.added_ctx = s->runs.progress_ctx = s->managers;
	on_tick(s);
	return s;
fail:
	agent_service_free(s);
	return NULL;
}

void agent_service_conf(struct agent_service *s, struct rpc_tls_conf *conf)
{
	s->o.uplink.conf = conf;
	agent_managers_conf(s->managers, conf);
}

void agent_service_shutdown(struct agent_service *s, void (*idle)(void *ctx))
{
	assert(!s->ending);
	s->ending = true;
	rpc_timer_stop(&s->tick);
	agent_runs_shutdown(&s->runs, idle, s->o.ctx);
}

void agent_service_free(struct agent_service *s)
{
	if (s == NULL)
		return;
	rpc_timer_stop(&s->tick);
	agent_managers_free(s->managers);
	agent_runs_fini(&s->runs);
	agent_jobs_free(&s->jobs);
	agent_journal_close(s->notes.journal);
	free(s);
}
