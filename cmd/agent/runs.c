#include "cmd/agent/runs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/agent/journal.h"
#include "cmd/agent/notes.h"
#include "cmd/agent/run.h"
#include "cmd/agent/schedule.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/seal.h"

/* It outlives its job's place in a plan. */
struct agent_running {
	struct agent_runs *runs;
	struct agent_running *next;
	char job[NAME_LEN_MAX + 1];
	uint8_t id[MANAGER_RUN_LEN];
	int64_t slot;
	struct agent_run *run;
};

void agent_runs_init(struct agent_runs *s, struct rpc_loop *loop, const struct agent_place *place,
	struct agent_notes *notes)
{
	*s = (struct agent_runs){.loop = loop, .place = place, .notes = notes};
}

void agent_runs_fini(struct agent_runs *s)
{
	struct agent_running *r;

	while ((r = s->first) != NULL) {
		s->first = r->next;
		agent_run_free(r->run);
		free(r);
	}
	s->count = 0;
}

int agent_runs_end_lost(struct agent_runs *s, struct err *err)
{
	struct agent_job_state *states;
	size_t count, i;

	assert(s->count == 0);
	states = agent_journal_states(s->notes->journal, &count);
	for (i = 0; i < count; i++) {
		struct manager_record record = {.kind = MANAGER_ENDED, .result = MANAGER_LOST};

		if (!states[i].running)
			continue;
		memcpy(record.job, states[i].job, sizeof record.job);
		memcpy(record.run, states[i].run, sizeof record.run);
		record.slot = states[i].slot;
		snprintf(record.text, sizeof record.text, "the agent ended during the run");
		if (agent_notes_record(s->notes, &record, err) != 0)
			return -1;
		states = agent_journal_states(s->notes->journal, &count);
	}
	return 0;
}

static struct agent_running *find_running(const struct agent_runs *s, const char *job)
{
	struct agent_running *r;

	for (r = s->first; r != NULL && strcmp(r->job, job) != 0; r = r->next)
		;
	return r;
}

static void remove_running(struct agent_runs *s, struct agent_running *running)
{
	struct agent_running **at;

	for (at = &s->first; *at != running; at = &(*at)->next)
		assert(*at != NULL);
	*at = running->next;
	assert(s->count > 0);
	s->count--;
	free(running);
}

static void on_ended(void *ctx, const struct agent_run_result *r)
{
	struct agent_running *running = ctx;
	struct agent_runs *s = running->runs;
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
	agent_notes_log(s->notes,
		manager_result_kept(r->result) ? AGENT_LOG_NOTICE : AGENT_LOG_ERROR,
		"job %s: %s%s%s", running->job, manager_result_name(r->result),
		r->text[0] ? ": " : "", record.text);
	agent_notes_happened(s->notes, &record);
	if (r->store_changed)
		agent_notes_alarm(s->notes, MANAGER_SAYS_CHANGED, running->job, NULL);
	remove_running(s, running);
	if (s->idle != NULL && s->count == 0)
		s->idle(s->idle_ctx);
}

static void on_progress(void *ctx, uint64_t bytes, uint64_t entries)
{
	const struct agent_running *running = ctx;
	struct agent_runs *s = running->runs;

	if (s->progress != NULL)
		s->progress(s->progress_ctx, running->job, bytes, entries);
}

int agent_runs_start(struct agent_runs *s, const char *agent, const struct agent_order *order,
	uint8_t id[MANAGER_RUN_LEN], struct err *err)
{
	struct agent_running *running = calloc(1, sizeof *running);
	struct manager_record record = {.kind = MANAGER_STARTING, .slot = order->slot};
	const char *job = order->job->name;
	struct agent_command *command = NULL;
	int ret = -1;

	assert(s->idle == NULL && find_running(s, job) == NULL);
	if (running == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		goto out;
	}
	if (seal_random(record.run, sizeof record.run, err) != 0)
		goto out;
	command = agent_command_make(s->place, agent, order, err);
	if (command == NULL)
		goto out;
	snprintf(record.job, sizeof record.job, "%s", job);
	if (agent_notes_record(s->notes, &record, err) != 0) {
		err_prefix(err, "no run is started");
		goto out;
	}
	running->runs = s;
	memcpy(running->job, record.job, sizeof running->job);
	memcpy(running->id, record.run, sizeof running->id);
	if (id != NULL)
		memcpy(id, record.run, MANAGER_RUN_LEN);
	running->slot = order->slot;
	running->next = s->first;
	s->first = running;
	s->count++;
	agent_notes_log(s->notes, AGENT_LOG_NOTICE, "job %s: started", job);
	running->run = agent_run_start(s->loop, command->argv, on_ended, on_progress, running, err);
	if (running->run != NULL) {
		ret = 0;
	} else {
		struct agent_run_result failed = {.result = MANAGER_FAILED};

		snprintf(failed.text, sizeof failed.text, "%.400s", err->message);
		on_ended(running, &failed);
	}
	running = NULL;
out:
	agent_command_free(command);
	free(running);
	return ret;
}

bool agent_runs_has(const struct agent_runs *s, const char *job)
{
	return find_running(s, job) != NULL;
}

int agent_runs_cancel(struct agent_runs *s, const char *job, struct err *err)
{
	struct agent_running *r = find_running(s, job);

	if (r == NULL)
		return err_set(err, ERR_NOTFOUND, "job '%s' is not running", job);
	agent_run_cancel(r->run);
	return 0;
}

void agent_runs_shutdown(struct agent_runs *s, void (*idle)(void *ctx), void *ctx)
{
	struct agent_running *r;

	assert(idle != NULL);
	s->idle = idle;
	s->idle_ctx = ctx;
	for (r = s->first; r != NULL; r = r->next)
		agent_run_cancel(r->run);
	if (s->count == 0)
		idle(ctx);
}
