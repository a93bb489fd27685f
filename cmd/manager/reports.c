/*
 * Reports of agents: the records of their journals become rows in the tables runs and last. The
 * changes of several reports are made durable together, and the reports are acknowledged after
 * that.
 */
#include "cmd/manager/inner_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/esc.h"
#include "lib/mem.h"

#define REPORTS_MAX 16 /* received at the same time */
#define COMMIT_MS   10
#define ALARMS_MS   100   /* before alarms are checked when commits fail, or succeed again */
#define NEWS_SEC    86400 /* older records are not logged, as a new manager gets whole journals */
#define LASTS_MAX   (2 * MANAGER_JOBS_MAX) /* rows for one agent: jobs come and go */

struct manager_report {
	struct manager_service *service;
	struct rpc_call *call;
	struct manager_report *next;
	bool placed;    /* it may be sent now: REPORTS_MAX at a time */
	bool committed; /* it is in the next commit, and answered after it */
	struct buf frames;
	struct manager_msg_report msg;
	struct manager_msg_acked acked;
};

/* --- places ---------------------------------------------------------------- */

static void give_places(struct manager_service *s)
{
	struct manager_report *r;

	for (r = s->reports; r != NULL && !s->ending && s->placed < REPORTS_MAX; r = r->next) {
		if (r->placed)
			continue;
		r->placed = true;
		s->placed++;
		rpc_call_grant(r->call, MANAGER_REPORT_MAX);
	}
}

static void on_done(void *arg, const struct err *err)
{
	struct manager_report *r = arg, **at;
	struct manager_service *s = r->service;

	(void)err;
	for (at = &s->reports; *at != r; at = &(*at)->next)
		continue;
	*at = r->next;
	s->placed -= r->placed;
	buf_fini(&r->frames);
	free(r);
	give_places(s);
}

/* --- commits --------------------------------------------------------------- */

int manager_inner_commit(struct manager_service *s, struct err *err)
{
	bool failed = manager_db_fault(s->db) != NULL;
	int ret = manager_db_commit(s->db, err);
	struct manager_report *r;

	rpc_timer_stop(&s->commit);
	/* Raise the alarm, or end it, without waiting for the next minute. */
	if (failed != (manager_db_fault(s->db) != NULL) && rpc_timer_on(&s->alarms))
		rpc_timer_start(&s->alarms, s->o.loop, ALARMS_MS, s->alarms.fire, s);
	for (r = s->reports; r != NULL; r = r->next) {
		if (!r->committed)
			continue;
		r->committed = false;
		if (ret == 0)
			manager_inner_reply(r->call, manager_acked_fields, &r->acked);
		else
			rpc_call_fail(r->call, err);
	}
	return ret;
}

static void on_commit(void *arg)
{
	struct manager_service *s = arg;
	struct err err = {0};

	if (manager_inner_commit(s, &err) != 0)
		manager_inner_log(s, MANAGER_ERROR, "state: %s", err.message);
}

void manager_inner_commit_soon(struct manager_service *s)
{
	if (!rpc_timer_on(&s->commit))
		rpc_timer_start(&s->commit, s->o.loop, COMMIT_MS, on_commit, s);
}

/* --- records --------------------------------------------------------------- */

static int count_row(void *ctx, const struct manager_db_key *key, const void *row)
{
	(void)key, (void)row;
	++*(size_t *)ctx;
	return 0;
}

/* Gets the row of a job on an agent, or a new one. Returns 0; 1 if the agent has too many; -1 with
 * err set. */
static int get_last(struct manager_service *s, const char *agent, const char *job,
	struct manager_db_key *key, struct manager_last_row *row, struct err *err)
{
	size_t count = 0;
	int ret;

	manager_db_words(key, agent, job);
	ret = manager_db_get(s->db, MANAGER_TABLE_LAST, key, row, err);
	if (ret != 1)
		return ret;
	if (manager_db_each(s->db, MANAGER_TABLE_LAST, agent, count_row, &count, err) != 0)
		return -1;
	if (count >= LASTS_MAX)
		return 1;
	*row = (struct manager_last_row){0};
	strcpy(row->agent, agent);
	strcpy(row->job, job);
	return 0;
}

/* Adds the run to the table of runs. If that is repeated the row is the same. */
static int put_run(struct manager_service *s, const char *agent, const struct manager_record *rec,
	int64_t started, const uint8_t *bytes, size_t len, struct err *err)
{
	struct manager_run_row run = {.slot = rec->slot,
		.started = started,
		.ended = rec->time,
		.copies = rec->receipt_count,
		.entries = rec->stats.entries,
		.content = rec->stats.content,
		.read = rec->stats.read,
		.stored = rec->stats.stored,
		.problems = rec->stats.problems,
		.record = {bytes, len}};
	struct manager_db_key key;

	strcpy(run.agent, agent);
	strcpy(run.job, rec->job);
	strcpy(run.result, manager_result_name(rec->result));
	memcpy(run.run, rec->run, sizeof run.run);
	if (rec->has_dump)
		memcpy(run.dump, rec->dump, sizeof run.dump);
	esc_line(run.text, sizeof run.text, rec->text, strlen(rec->text));
	manager_db_time(&key, rec->time, agent, rec->run, sizeof rec->run);
	return manager_db_put(s->db, MANAGER_TABLE_RUNS, &key, &run, err);
}

static void take_ended(struct manager_last_row *row, const struct manager_record *rec)
{
	bool same = memcmp(row->run, rec->run, sizeof row->run) == 0;

	if (!same)
		row->started = 0;
	row->running = row->changed = false;
	row->ended = rec->time;
	row->result = rec->result;
	memcpy(row->run, rec->run, sizeof row->run);
	esc_line(row->text, sizeof row->text, rec->text, strlen(rec->text));
	if (!manager_result_kept(rec->result))
		return;
	row->kept_slot = rec->slot;
	row->kept_started = row->started != 0 ? row->started : rec->time;
	row->kept_ended = rec->time;
	row->copies = rec->receipt_count;
	row->content_before = row->content;
	row->content = rec->stats.content;
	row->entries = rec->stats.entries;
	row->fewer_than = rec->stats.fewer_than;
}

/* Whether the record is an alarm of this id; a reason may follow the id. */
static bool says(const struct manager_record *rec, const char *id)
{
	size_t len = strlen(id);

	return strncmp(rec->text, id, len) == 0 &&
	       (rec->text[len] == 0 || strncmp(rec->text + len, ": ", 2) == 0);
}

/* Applies an alarm that the agent raised. Alarms without a job are stored with the agent. */
static int take_alarm(struct manager_service *s, struct manager_host_row *host,
	const struct manager_record *rec, bool is_news, struct err *err)
{
	char text[ESC_MAX(MANAGER_NOTE_MAX)];
	struct manager_db_key key;
	struct manager_last_row row;
	int ret;

	esc_line(text, sizeof text, rec->text, strlen(rec->text));
	if (is_news)
		manager_inner_log(s, MANAGER_WARNING, "agent %s%s%s reports: %s", host->name,
			rec->job[0] != 0 ? ", job " : "", rec->job, text);
	if (strcmp(rec->text, MANAGER_SAYS_OVERDUE) == 0)
		host->overdue = true;
	else if (says(rec, MANAGER_SAYS_REFUSED) || says(rec, MANAGER_SAYS_MALFORMED))
		esc_line(host->refused, sizeof host->refused, rec->text, strlen(rec->text));
	if (strcmp(rec->text, MANAGER_SAYS_CHANGED) != 0 || rec->job[0] == 0)
		return 0;
	ret = get_last(s, host->name, rec->job, &key, &row, err);
	row.changed = true;
	return ret != 0 ? (ret < 0 ? -1 : 0)
			: manager_db_put(s->db, MANAGER_TABLE_LAST, &key, &row, err);
}

/* Applies a record. Returns 0, or -1 with err set: the state can't be written. */
static int apply(struct manager_service *s, struct manager_host_row *host,
	struct manager_record *rec, const uint8_t *bytes, size_t len, struct err *err)
{
	const char *agent = host->name;
	int64_t now = time(NULL);
	struct manager_db_key key;
	struct manager_link *link;
	struct manager_last_row row;
	bool is_news = rec->time > now - NEWS_SEC;
	int ret;

	/* With a time in the future a job would never be late. */
	rec->time = rec->time < now ? rec->time : now;
	rec->slot = rec->slot < now ? rec->slot : now;
	if (rec->kind == MANAGER_ALARM)
		return take_alarm(s, host, rec, is_news, err);
	if (rec->kind == MANAGER_PLAN)
		host->refused[0] = 0;
	if (rec->kind != MANAGER_STARTING && rec->kind != MANAGER_ENDED &&
		rec->kind != MANAGER_HELD && rec->kind != MANAGER_RELEASED)
		return 0;
	ret = get_last(s, agent, rec->job, &key, &row, err);
	if (ret != 0)
		return ret < 0 ? -1 : 0;
	switch (rec->kind) {
	case MANAGER_STARTING:
		row.running = true;
		row.started = rec->time;
		memcpy(row.run, rec->run, sizeof row.run);
		break;
	case MANAGER_ENDED:
		for (link = s->links; link != NULL; link = link->next) {
			if (strcmp(rpc_conn_peer(link->conn)->host, host->host) != 0)
				continue;
			manager_running_end(&link->runnings, rec->job);
			if (rec->result == MANAGER_CANCELLED &&
				strcmp(link->cancelled, rec->job) == 0)
				snprintf(rec->text, sizeof rec->text, "by the operator %s",
					link->canceller);
		}
		take_ended(&row, rec);
		host->overdue &= !manager_result_kept(rec->result);
		if (put_run(s, agent, rec, row.started, bytes, len, err) != 0)
			return -1;
		if (is_news)
			manager_inner_log(s,
				manager_result_kept(rec->result) || rec->result == MANAGER_CANCELLED
					? MANAGER_INFO
					: MANAGER_WARNING,
				"%s: %s: %s, %zu cop%s%s%s", agent, rec->job,
				manager_result_name(rec->result), rec->receipt_count,
				rec->receipt_count == 1 ? "y" : "ies", row.text[0] != 0 ? ": " : "",
				row.text);
		break;
	default:
		row.held = rec->kind == MANAGER_HELD;
	}
	return manager_db_put(s->db, MANAGER_TABLE_LAST, &key, &row, err);
}

/* Applies all records that are new here. Returns 0, or -1 with err set. */
static int apply_all(struct manager_report *r, struct manager_host_row *host, struct err *err)
{
	struct manager_service *s = r->service;
	const uint8_t *at = r->frames.data, *payload;
	size_t left = r->frames.len, skipped, len, frames = 0;
	struct manager_record rec;
	struct err why;

	for (; manager_frame_find(at, left, &skipped, &payload, &len); frames++) {
		left -= (size_t)(payload + len - at);
		at = payload + len;
		why = (struct err){0};
		if (manager_record_decode(&rec, payload, len, &why) != 0) {
			/* It would be sent again forever. It is acknowledged together with later
			 * records. */
			manager_inner_log(s, MANAGER_WARNING, "%s: not understood: %s", host->name,
				why.message);
			continue;
		}
		if (rec.number <= host->acked)
			continue;
		if (apply(s, host, &rec, payload, len, err) != 0)
			return -1;
		host->acked = rec.number;
	}
	return frames > 0 ? 0 : err_set(err, ERR_FORMAT, "report: no record in it");
}

static void take_report(struct manager_report *r)
{
	struct manager_service *s = r->service;
	struct manager_host_row host;
	struct err err = {0};

	if (manager_inner_host(s, r->call, &host) != 0)
		return;
	if (memcmp(host.journal, r->msg.journal, sizeof host.journal) != 0) {
		memcpy(host.journal, r->msg.journal, sizeof host.journal);
		host.acked = 0;
	}
	if (apply_all(r, &host, &err) != 0) {
		rpc_call_fail(r->call, &err);
		return;
	}
	host.seen = time(NULL);
	if (manager_inner_put_host(s, &host, &err) != 0) {
		rpc_call_fail(r->call, &err);
		return;
	}
	r->acked.acked = host.acked;
	r->committed = true;
	manager_inner_commit_soon(s);
}

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct manager_report *r = arg;
	struct err err = {0};

	if (buf_add(&r->frames, bytes, len, &err) != 0)
		rpc_call_fail(r->call, &err);
	else if (last)
		take_report(r);
}

void manager_inner_report(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	static const struct rpc_call_ops ops = {.data = on_data, .done = on_done};
	struct manager_service *s = ctx;
	struct manager_host_row host;
	struct manager_report *r = NULL, **at;
	struct err err = {0};

	if (manager_inner_host(s, call, &host) != 0)
		return;
	if (rpc_call_has_blob(call))
		r = mem_new(sizeof *r, &err);
	else
		err_set(&err, ERR_FORMAT, "report: no record in it");
	if (r == NULL) {
		rpc_call_fail(call, &err);
		return;
	}
	r->service = s;
	r->call = call;
	cbormap_store(&r->msg, manager_report_fields, values);
	buf_init(&r->frames, MANAGER_REPORT_MAX);
	for (at = &s->reports; *at != NULL; at = &(*at)->next)
		continue;
	*at = r;
	rpc_call_serve(call, &ops, r);
	give_places(s);
}
