#include "cmd/agent/service.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/agent/command.h"
#include "cmd/agent/jobs.h"
#include "cmd/agent/journal.h"
#include "cmd/agent/run.h"
#include "cmd/agent/schedule.h"
#include "cmd/agent/stores.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/seal.h"
#include "rpc/call.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

#define TICK_MS    1000
#define CALL_MS    60000
#define REPORT_LEN (256u << 10) /* bytes of one report */

enum { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5 };

/* A run under way. It outlives its job's place in a plan. */
struct running {
	struct agent_service *service;
	struct running *next;
	char job[NAME_LEN_MAX + 1];
	uint8_t id[MANAGER_RUN_LEN];
	int64_t slot;
	struct agent_run *run;
};

/* What is under way with a manager. */
struct talk {
	struct agent_service *service;
	size_t peer;
	struct rpc_call *plan, *report;
	struct buf blob; /* of the plan that comes */
	struct buf out;  /* of the report that goes */
	size_t out_at;
	uint64_t first;            /* the number of the report's first record */
	char why[ERR_MESSAGE_MAX]; /* it was not reached when it was tried last */
	bool has_digest;
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of our plan, as this manager has it */
};

struct agent_service {
	struct agent_service_opts o;
	struct rpc_service methods;
	struct manager_uplink *uplink;
	struct agent_journal *journal;
	struct rpc_timer tick;
	struct talk talks[MANAGER_UPLINKS_MAX];
	struct agent_jobs jobs;
	bool plan_refused;
	uint8_t refused[MANAGER_DIGEST_LEN];
	struct running *running;
	size_t running_count;
	bool ending, warned;
	int64_t since; /* when the service was started */
	void (*idle)(void *ctx);
};

static void note(struct agent_service *s, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void note(struct agent_service *s, int priority, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	s->o.log(s->o.ctx, priority, text);
}

static void report_all(struct agent_service *s);

/* --- the journal ------------------------------------------------------------ */

/* Returns 0, or -1: it was not written, and what it announces must not be done. */
static int append(struct agent_service *s, struct manager_record *record)
{
	struct err err = {0};
	uint64_t lost = 0;

	record->time = time(NULL);
	if (agent_journal_append(s->journal, record, &lost, &err) != 0) {
		note(s, LOG_LEVEL_ERROR, "journal: %s", err.message);
		return -1;
	}
	if (lost > 0)
		note(s, LOG_LEVEL_WARNING, "journal: %llu records were dropped unreported",
			(unsigned long long)lost);
	report_all(s);
	return 0;
}

static void alarm_record(struct agent_service *s, const char *id, const char *job)
{
	struct manager_record record = {.kind = MANAGER_ALARM};

	snprintf(record.text, sizeof record.text, "%s", id);
	if (job != NULL)
		snprintf(record.job, sizeof record.job, "%s", job);
	append(s, &record);
}

/* A run that a journal has as under way ended with the service before. */
static int end_lost(struct agent_service *s)
{
	struct agent_job_state *states;
	size_t count, i;

	states = agent_journal_states(s->journal, &count);
	for (i = 0; i < count; i++) {
		struct manager_record record = {.kind = MANAGER_ENDED, .result = MANAGER_LOST};

		if (!states[i].running)
			continue;
		memcpy(record.job, states[i].job, sizeof record.job);
		memcpy(record.run, states[i].run, sizeof record.run);
		record.slot = states[i].slot;
		snprintf(record.text, sizeof record.text, "the agent ended during the run");
		if (append(s, &record) != 0)
			return -1;
		states = agent_journal_states(s->journal, &count);
	}
	return 0;
}

/* --- the plan --------------------------------------------------------------- */

static void plan_path(const struct agent_service *s, char path[4200])
{
	snprintf(path, 4200, "%.4000s/plan", s->o.dir);
}

static void keep_stores(struct agent_service *s);

/* Takes a plan on. Returns 0, or -1 with err set: the one before counts. */
static int take_plan(struct agent_service *s, const void *bytes, size_t len, struct err *err)
{
	size_t i;

	if (agent_jobs_take(&s->jobs, &s->o.own, rpc_tls_conf_self(s->o.conf)->name,
		    s->o.place.recipients, bytes, len, err) != 0)
		return -1;
	for (i = 0; i < s->jobs.count; i++)
		if (!s->jobs.jobs[i].valid)
			note(s, LOG_LEVEL_ERROR, "job %s can't be scheduled: %s",
				s->jobs.jobs[i].plan->name, s->jobs.jobs[i].why);
	keep_stores(s);
	return 0;
}

static int load_plan(struct agent_service *s, struct err *err)
{
	uint8_t *bytes = malloc(MANAGER_PLAN_MAX);
	struct err why = {0};
	char path[4200];
	size_t len;
	int ret = 0;

	if (bytes == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	plan_path(s, path);
	if (file_read(path, bytes, MANAGER_PLAN_MAX, &len, NULL, &why) == 0)
		ret = take_plan(s, bytes, len, &why);
	else if (why.code != ERR_NOTFOUND)
		ret = -1;
	if (ret != 0) /* a manager has it */
		note(s, LOG_LEVEL_WARNING, "the plan that was kept can't be used: %s", why.message);
	free(bytes);
	return 0;
}

/* A plan that a manager gave. */
static void new_plan(struct agent_service *s, size_t peer, const void *bytes, size_t len)
{
	struct manager_record record = {.kind = MANAGER_PLAN};
	const char *manager = manager_uplink_name(s->uplink, peer);
	struct err err = {0};
	char path[4200];

	manager_plan_digest(bytes, len, record.digest);
	if (s->jobs.taken && memcmp(record.digest, s->jobs.digest, sizeof s->jobs.digest) == 0)
		return;
	if (take_plan(s, bytes, len, &err) != 0) {
		if (!s->plan_refused || memcmp(s->refused, record.digest, sizeof s->refused) != 0) {
			note(s, LOG_LEVEL_ERROR, "the plan of manager %s is refused: %s", manager,
				err.message);
			alarm_record(s,
				err.code == ERR_DENIED ? MANAGER_SAYS_REFUSED
						       : MANAGER_SAYS_MALFORMED,
				NULL);
		}
		s->plan_refused = true;
		memcpy(s->refused, record.digest, sizeof s->refused);
		return;
	}
	s->plan_refused = false;
	plan_path(s, path);
	if (file_write(path, bytes, len, 0600, &err) != 0)
		note(s, LOG_LEVEL_WARNING, "%s", err.message);
	note(s, LOG_LEVEL_NOTICE, "plan of manager %s: %zu jobs", manager, s->jobs.count);
	append(s, &record);
	manager_uplink_changed(s->uplink);
}

/* --- stores ----------------------------------------------------------------- */

/* What is known of the plan's stores. */
static void keep_stores(struct agent_service *s)
{
	struct err err = {0};

	if (agent_stores_keep(s->o.stores_path, &s->jobs.plan, &err) != 0)
		note(s, LOG_LEVEL_WARNING, "%s", err.message);
}

/* --- runs ------------------------------------------------------------------- */

static void end_run(void *ctx, const struct agent_run_result *r)
{
	struct running *running = ctx, **at;
	struct agent_service *s = running->service;
	struct manager_record record = {.kind = MANAGER_ENDED,
		.result = r->result,
		.slot = running->slot,
		.has_dump = r->has_dump,
		.has_stats = r->has_stats,
		.stats = r->stats,
		.receipt_count = r->receipt_count};

	memcpy(record.job, running->job, sizeof record.job);
	memcpy(record.run, running->id, sizeof record.run);
	memcpy(record.dump, r->dump, sizeof record.dump);
	memcpy(record.record, r->record, sizeof record.record);
	memcpy(record.receipts, r->receipts, sizeof record.receipts);
	esc_name(record.text, sizeof record.text, r->text, strlen(r->text));
	note(s, manager_result_kept(r->result) ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR,
		"job %s: %s%s%s", running->job, manager_result_name(r->result),
		r->text[0] ? ": " : "", record.text);
	append(s, &record);
	if (r->store_changed)
		alarm_record(s, MANAGER_SAYS_CHANGED, running->job);
	for (at = &s->running; *at != running; at = &(*at)->next)
		;
	*at = running->next;
	s->running_count--;
	free(running);
	if (s->ending && s->running_count == 0 && s->idle != NULL)
		s->idle(s->o.ctx);
}

/* Tells the managers that are connected; who is not does without. */
static void tell_progress(void *ctx, uint64_t bytes, uint64_t entries)
{
	const struct running *running = ctx;
	struct agent_service *s = running->service;
	struct cbor_out out;
	uint8_t mem[NAME_LEN_MAX + 64];
	size_t i;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "job");
	cbor_put_text(&out, running->job);
	cbor_put_text(&out, "bytes");
	cbor_put_uint(&out, bytes);
	cbor_put_text(&out, "entries");
	cbor_put_uint(&out, entries);
	assert(!cbor_out_full(&out));
	for (i = 0; i < manager_uplink_count(s->uplink); i++) {
		struct rpc_conn *conn = manager_uplink_conn(s->uplink, i);

		if (conn != NULL)
			rpc_notify(conn, MANAGER_METHOD_PROGRESS, mem, cbor_out_len(&out), NULL);
	}
}

/* Starts a run: its record is durable before. slot: 0 by order. id (may be NULL) gets the run's.
 * Returns 0, or -1 with err set. */
static int start_run(struct agent_service *s, const struct manager_plan_job *job, int64_t slot,
	uint8_t id[MANAGER_RUN_LEN], struct err *err)
{
	struct running *running = calloc(1, sizeof *running);
	struct manager_record record = {.kind = MANAGER_STARTING, .slot = slot};
	const struct agent_order order = {.job = job, .slot = slot, .plan = s->jobs.digest};
	struct agent_command *command = NULL;
	struct agent_run_result failed = {.result = MANAGER_FAILED};
	int ret = -1;

	if (running == NULL || seal_random(record.run, sizeof record.run, err) != 0) {
		err_set(err, ERR_NOMEM, "out of memory");
		goto out;
	}
	command = agent_command_make(&s->o.place, s->jobs.plan.agent, &order, err);
	if (command == NULL)
		goto out;
	snprintf(record.job, sizeof record.job, "%s", job->name);
	if (append(s, &record) != 0) {
		err_set(err, ERR_IO, "the journal can't be written: no run is started");
		goto out;
	}
	running->service = s;
	memcpy(running->job, record.job, sizeof running->job);
	memcpy(running->id, record.run, sizeof running->id);
	if (id != NULL)
		memcpy(id, record.run, MANAGER_RUN_LEN);
	running->slot = slot;
	running->next = s->running;
	s->running = running;
	s->running_count++;
	note(s, LOG_LEVEL_NOTICE, "job %s: started", job->name);
	running->run =
		agent_run_start(s->o.loop, command->argv, end_run, tell_progress, running, err);
	ret = 0;
	if (running->run == NULL) {
		snprintf(failed.text, sizeof failed.text, "%.400s", err->message);
		end_run(running, &failed);
		ret = -1;
	}
	running = NULL;
out:
	agent_command_free(command);
	free(running);
	return ret;
}

static struct running *find_running(struct agent_service *s, const char *job)
{
	struct running *r;

	for (r = s->running; r != NULL && strcmp(r->job, job) != 0; r = r->next)
		;
	return r;
}

/* --- the schedule ----------------------------------------------------------- */

static void look_at(struct agent_service *s, struct agent_job *job, int64_t now)
{
	struct agent_job_state *state = agent_journal_state(s->journal, job->plan->name);
	struct manager_record record = {.kind = MANAGER_CLOCK};
	struct agent_next next;
	struct err err = {0};

	if (!job->valid || state == NULL)
		return;
	next = agent_schedule_next(&job->slots, state, s->o.own.min_interval_sec, now);
	if (next.clock_set) {
		memcpy(record.job, state->job, sizeof record.job);
		append(s, &record);
	}
	if (next.action != AGENT_RUN || s->running_count >= AGENT_RUNS_MAX)
		return;
	if (start_run(s, job->plan, next.slot, NULL, &err) != 0)
		note(s, LOG_LEVEL_ERROR, "job %s: %s", job->plan->name, err.message);
}

/* The agent complains by itself if nothing was backed up for long. */
static void warn_if_overdue(struct agent_service *s, int64_t now)
{
	int64_t last = s->since;
	size_t i;

	for (i = 0; i < s->jobs.count; i++) {
		const struct agent_job_state *state =
			agent_journal_state(s->journal, s->jobs.jobs[i].plan->name);

		if (state != NULL && state->succeeded > last)
			last = state->succeeded;
	}
	if (now - last <= s->o.own.warn_after_sec) {
		s->warned = false;
	} else if (!s->warned) {
		s->warned = true;
		note(s, LOG_LEVEL_ERROR, "no backup has succeeded for %lld hours",
			(long long)((now - last) / 3600));
		alarm_record(s, MANAGER_SAYS_OVERDUE, NULL);
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
	rpc_timer_start(&s->tick, s->o.loop, TICK_MS, on_tick, s);
}

/* --- talking with managers --------------------------------------------------- */

static void ask_plan(struct agent_service *s, size_t peer);

/* Takes the plan of the manager that is followed, if it is another one than we have. */
static void look_for_plan(struct agent_service *s)
{
	size_t peer = manager_uplink_followed(s->uplink);
	const struct talk *t;

	if (peer == SIZE_MAX)
		return;
	t = &s->talks[peer];
	if (t->has_digest &&
		(!s->jobs.taken || memcmp(t->digest, s->jobs.digest, sizeof t->digest) != 0) &&
		!(s->plan_refused && memcmp(t->digest, s->refused, sizeof t->digest) == 0))
		ask_plan(s, peer);
}

static void on_plan_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct talk *t = arg;

	if (buf_add(&t->blob, bytes, len, NULL) != 0) {
		rpc_call_cancel(t->plan);
		t->plan = NULL;
		note(t->service, LOG_LEVEL_ERROR, "the plan is too large");
		return;
	}
	rpc_call_took(t->plan, len);
	(void)last;
}

static void on_plan_done(void *arg, const struct err *err)
{
	struct talk *t = arg;

	t->plan = NULL;
	if (err == NULL)
		new_plan(t->service, t->peer, t->blob.data, t->blob.len);
	else if (err->code != ERR_CLOSED)
		note(t->service, LOG_LEVEL_ERROR, "plan: %s", err->message);
	buf_fini(&t->blob);
}

static void ask_plan(struct agent_service *s, size_t peer)
{
	static const struct rpc_call_ops ops = {.data = on_plan_data, .done = on_plan_done};
	struct talk *t = &s->talks[peer];
	struct rpc_conn *conn = manager_uplink_conn(s->uplink, peer);
	const struct rpc_request request = {.method = MANAGER_METHOD_PLAN,
		.params = "\xa0",
		.len = 1,
		.reply_max = MANAGER_PLAN_MAX,
		.timeout_ms = CALL_MS,
		.ops = &ops,
		.arg = t};
	struct err err = {0};

	if (conn == NULL || t->plan != NULL)
		return;
	buf_init(&t->blob, MANAGER_PLAN_MAX);
	t->plan = rpc_call_start(conn, &request, &err);
	if (t->plan == NULL)
		note(s, LOG_LEVEL_WARNING, "plan: %s", err.message);
}

static void report(struct talk *t);

static void on_report_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct talk *t = arg;
	struct agent_service *s = t->service;
	struct cbormap_value v[MANAGER_ACKED_FIELDS];
	struct err err = {0};

	(void)more;
	if (cbormap_get(v, manager_acked_fields, bytes, len, &err) != 0 ||
		agent_journal_acknowledge(s->journal, manager_uplink_name(s->uplink, t->peer),
			v[MANAGER_ACKED_NUMBER].number, &err) != 0)
		note(s, LOG_LEVEL_ERROR, "report: %s", err.message);
}

static int on_report_fill(
	void *arg, uint8_t *to, size_t cap, size_t *len, bool *last, struct err *err)
{
	struct talk *t = arg;

	(void)err;
	*len = t->out.len - t->out_at < cap ? t->out.len - t->out_at : cap;
	memcpy(to, t->out.data + t->out_at, *len);
	t->out_at += *len;
	*last = t->out_at == t->out.len;
	return 0;
}

static void on_report_done(void *arg, const struct err *err)
{
	struct talk *t = arg;

	t->report = NULL;
	if (err != NULL && err->code != ERR_CLOSED)
		note(t->service, LOG_LEVEL_WARNING, "report: %s", err->message);
	/* There may be more. A manager that does not understand a record gets it with the next one.
	 */
	if (err == NULL && agent_journal_acknowledged(t->service->journal,
				   manager_uplink_name(t->service->uplink, t->peer)) >= t->first)
		report(t);
}

/* Sends the records that the manager lacks, a piece at a time. */
static void report(struct talk *t)
{
	static const struct rpc_call_ops ops = {
		.reply = on_report_reply, .fill = on_report_fill, .done = on_report_done};
	struct agent_service *s = t->service;
	struct rpc_conn *conn = manager_uplink_conn(s->uplink, t->peer);
	uint64_t first, last;
	struct rpc_request request = {.method = MANAGER_METHOD_REPORT,
		.blob = true,
		.timeout_ms = CALL_MS,
		.ops = &ops,
		.arg = t};
	struct cbor_out params;
	struct err err = {0};
	uint8_t mem[64], *to;
	size_t len;
	int ret;

	if (conn == NULL || t->report != NULL)
		return;
	first = agent_journal_acknowledged(s->journal, manager_uplink_name(s->uplink, t->peer)) + 1;
	buf_clear(&t->out);
	to = buf_room(&t->out, REPORT_LEN, &err);
	ret = to != NULL ? agent_journal_read(s->journal, first, to, REPORT_LEN, &len, &last, &err)
			 : -1;
	if (ret < 0)
		note(s, LOG_LEVEL_ERROR, "report: %s", err.message);
	if (ret != 0)
		return;
	buf_took(&t->out, len);
	t->out_at = 0;
	t->first = first;
	cbor_out_init(&params, mem, sizeof mem);
	cbor_put_map(&params, 2);
	cbor_put_text(&params, "first");
	cbor_put_uint(&params, first);
	cbor_put_text(&params, "journal");
	cbor_put_bytes(&params, agent_journal_id(s->journal), AGENT_JOURNAL_ID_LEN);
	assert(!cbor_out_full(&params));
	request.params = mem;
	request.len = cbor_out_len(&params);
	t->report = rpc_call_start(conn, &request, &err);
	if (t->report == NULL)
		note(s, LOG_LEVEL_WARNING, "report: %s", err.message);
}

static void report_all(struct agent_service *s)
{
	size_t i;

	for (i = 0; s->uplink != NULL && i < manager_uplink_count(s->uplink); i++)
		report(&s->talks[i]);
}

static void on_hello(void *ctx, size_t peer, struct manager_hello *hello)
{
	struct agent_service *s = ctx;
	size_t followed = manager_uplink_followed(s->uplink);

	(void)peer;
	hello->has_journal = true;
	memcpy(hello->journal, agent_journal_id(s->journal), sizeof hello->journal);
	hello->number = agent_journal_last(s->journal);
	hello->has_digest = s->jobs.taken;
	memcpy(hello->digest, s->jobs.digest, sizeof hello->digest);
	if (followed != SIZE_MAX)
		snprintf(hello->follows, sizeof hello->follows, "%s",
			manager_uplink_name(s->uplink, followed));
}

static void on_welcome(void *ctx, size_t peer, struct manager_welcome *w)
{
	struct agent_service *s = ctx;
	struct talk *t = &s->talks[peer];
	const char *name = manager_uplink_name(s->uplink, peer);
	struct err err = {0};
	int64_t off = w->clock - time(NULL);

	if (off > 300 || off < -300)
		note(s, LOG_LEVEL_WARNING,
			"this machine's clock and that of manager %s differ by %lld s", name,
			(long long)off);
	t->why[0] = 0;
	t->has_digest = w->has_digest;
	memcpy(t->digest, w->digest, sizeof t->digest);
	if (agent_journal_lacks(s->journal, name, w->acked, &err) != 0)
		note(s, LOG_LEVEL_WARNING, "%s", err.message);
	look_for_plan(s);
	report(t);
}

static void on_down(void *ctx, size_t peer, const struct err *why)
{
	struct agent_service *s = ctx;

	struct talk *t = &s->talks[peer];
	const char *text = why->code != ERR_NONE ? why->message : "it has ended the connection";

	t->has_digest = false;
	if (strcmp(t->why, text) != 0)
		note(s, LOG_LEVEL_WARNING, "manager %s: %s", manager_uplink_name(s->uplink, peer),
			text);
	snprintf(t->why, sizeof t->why, "%s", text);
	look_for_plan(s);
}

/* --- orders ------------------------------------------------------------------ */

static void answer(struct rpc_call *call, const struct err *err)
{
	if (err->code == ERR_NONE)
		rpc_call_reply(call, "\xa0", 1, false);
	else
		rpc_call_fail(call, err);
}

/* The plan's job of that name; else err is set. */
static const struct manager_plan_job *job_of(struct agent_service *s, const struct cbormap_value *v,
	char name[NAME_LEN_MAX + 1], struct err *err)
{
	const struct manager_plan_job *job;

	memcpy(name, v[MANAGER_JOB_JOB].bytes, v[MANAGER_JOB_JOB].len);
	name[v[MANAGER_JOB_JOB].len] = 0;
	job = s->jobs.taken ? manager_plan_job(&s->jobs.plan, name) : NULL;
	if (job == NULL)
		err_set(err, ERR_NOTFOUND, "this agent has no job '%s'", name);
	return job;
}

static void on_run(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct agent_service *s = ctx;
	char name[NAME_LEN_MAX + 1];
	struct err err = {0};
	const struct manager_plan_job *job = job_of(s, v, name, &err);
	uint8_t id[MANAGER_RUN_LEN], mem[64];
	struct cbor_out out;

	if (job != NULL && s->ending)
		err_set(&err, ERR_BUSY, "the agent is ending");
	else if (job != NULL && find_running(s, name) != NULL)
		err_set(&err, ERR_BUSY, "job '%s' is running", name);
	else if (job != NULL)
		start_run(s, job, 0, id, &err);
	if (err.code != ERR_NONE) {
		rpc_call_fail(call, &err);
		return;
	}
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "run");
	cbor_put_bytes(&out, id, sizeof id);
	assert(!cbor_out_full(&out));
	rpc_call_reply(call, mem, cbor_out_len(&out), false);
}

static void on_cancel(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct agent_service *s = ctx;
	char name[NAME_LEN_MAX + 1];
	struct err err = {0};
	struct running *running;

	memcpy(name, v[MANAGER_JOB_JOB].bytes, v[MANAGER_JOB_JOB].len);
	name[v[MANAGER_JOB_JOB].len] = 0;
	running = find_running(s, name);
	if (running != NULL)
		agent_run_cancel(running->run);
	else
		err_set(&err, ERR_NOTFOUND, "job '%s' is not running", name);
	answer(call, &err);
}

static void hold(struct agent_service *s, struct rpc_call *call, const struct cbormap_value *v,
	enum manager_kind kind)
{
	struct manager_record record = {.kind = kind};
	struct err err = {0};

	if (job_of(s, v, record.job, &err) != NULL && append(s, &record) != 0)
		err_set(&err, ERR_IO, "the journal can't be written");
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

/* Another hello brings the new digest. */
static void on_plan_changed(
	void *ctx, const struct rpc_identity *peer, const struct cbormap_value *v)
{
	(void)peer;
	(void)v;
	manager_uplink_changed(((struct agent_service *)ctx)->uplink);
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

/* --- life -------------------------------------------------------------------- */

static void on_log(void *ctx, bool is_error, const char *text)
{
	note(ctx, is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE, "%s", text);
}

static void on_renewed(void *ctx)
{
	struct agent_service *s = ctx;

	s->o.renewed(s->o.ctx);
}

static int open_journal(struct agent_service *s, struct err *err)
{
	struct agent_journal_found found;
	char path[4200], away[4300];

	snprintf(path, sizeof path, "%.4000s/journal", s->o.dir);
	if (agent_journal_open(path, 0, &s->journal, &found, err) != 0) {
		if (err->code != ERR_DAMAGE)
			return -1;
		/* Managers will see another journal. */
		snprintf(away, sizeof away, "%s.damaged", path);
		note(s, LOG_LEVEL_ERROR, "%s; it is moved to %s, and another one begun",
			err->message, away);
		*err = (struct err){0};
		if (rename(path, away) != 0)
			return err_errno(err, errno, "%s", away);
		if (agent_journal_open(path, 0, &s->journal, &found, err) != 0)
			return -1;
	}
	if (found.cut + found.damaged > 0)
		note(s, LOG_LEVEL_WARNING, "journal: %llu bytes cut off, %llu damaged",
			(unsigned long long)found.cut, (unsigned long long)found.damaged);
	return 0;
}

struct agent_service *agent_service_new(const struct agent_service_opts *opts, struct err *err)
{
	struct agent_service *s = calloc(1, sizeof *s);
	struct manager_uplink_opts uplink = {
		.loop = opts->loop,
		.pool = opts->pool,
		.conf = opts->conf,
		.paths = opts->paths,
		.deny = opts->deny,
		.deny_path = opts->deny_path,
		.peers = opts->managers,
		.peer_count = opts->manager_count,
		.times = opts->times,
		.ctx = s,
		.hello = on_hello,
		.welcome = on_welcome,
		.down = on_down,
		.renewed = on_renewed,
		.log = on_log,
	};
	size_t i;

	if (s == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->o = *opts;
	s->since = time(NULL);
	s->methods = (struct rpc_service){
		.methods = methods, .count = sizeof methods / sizeof *methods, .ctx = s};
	uplink.service = &s->methods;
	for (i = 0; i < MANAGER_UPLINKS_MAX; i++) {
		s->talks[i].service = s;
		s->talks[i].peer = i;
		buf_init(&s->talks[i].out, REPORT_LEN);
	}
	if (open_journal(s, err) != 0 || end_lost(s) != 0 || load_plan(s, err) != 0)
		goto fail;
	s->uplink = manager_uplink_new(&uplink, err);
	if (s->uplink == NULL)
		goto fail;
	on_tick(s);
	return s;
fail:
	agent_service_free(s);
	return NULL;
}

void agent_service_conf(struct agent_service *s, struct rpc_tls_conf *conf)
{
	s->o.conf = conf;
	manager_uplink_conf(s->uplink, conf);
}

void agent_service_shutdown(struct agent_service *s, void (*idle)(void *ctx))
{
	struct running *r;

	s->ending = true;
	s->idle = idle;
	rpc_timer_stop(&s->tick);
	for (r = s->running; r != NULL; r = r->next)
		agent_run_cancel(r->run);
	if (s->running_count == 0)
		idle(s->o.ctx);
}

void agent_service_free(struct agent_service *s)
{
	struct running *r;
	size_t i;

	if (s == NULL)
		return;
	rpc_timer_stop(&s->tick);
	manager_uplink_free(s->uplink);
	while ((r = s->running) != NULL) {
		s->running = r->next;
		agent_run_free(r->run);
		free(r);
	}
	agent_jobs_free(&s->jobs);
	agent_journal_close(s->journal);
	for (i = 0; i < MANAGER_UPLINKS_MAX; i++) {
		buf_fini(&s->talks[i].out);
		buf_fini(&s->talks[i].blob);
	}
	free(s);
}
