/* For each manager, at most one plan request and one report are in progress. */
#include "cmd/agent/managers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/agent/jobs.h"
#include "cmd/agent/journal.h"
#include "cmd/agent/notes.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/mem.h"
#include "rpc/call.h"
#include "rpc/wire.h"

#define CALL_MS       60000
#define REPORT_LEN    (256u << 10) /* bytes of one report */
#define CLOCK_OFF_MAX 300          /* seconds that clocks may differ without a warning */

/* The calls in progress with a manager. */
struct talk {
	struct agent_managers *managers;
	size_t peer;
	struct rpc_call *plan, *report;
	struct buf blob;                    /* the plan, as it arrives */
	struct buf out;                     /* the report being sent */
	uint64_t first;                     /* the number of the report's first record */
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of this agent's plan on that manager; zeros: not
					       known */
};

struct agent_managers {
	struct agent_managers_opts o;
	struct manager_uplink *uplink;
	struct talk talks[MANAGER_UPLINKS_MAX];
};

static const char *name_of(const struct talk *t)
{
	return manager_uplink_name(t->managers->uplink, t->peer);
}

/* --- the plan --------------------------------------------------------------- */

static void on_plan_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct talk *t = arg;

	(void)last;
	if (buf_add(&t->blob, bytes, len, NULL) != 0) {
		rpc_call_cancel(t->plan);
		t->plan = NULL;
		agent_notes_log(t->managers->o.notes, AGENT_LOG_ERROR, "the plan is too large");
		return;
	}
	rpc_call_took(t->plan, len);
}

static void on_plan_done(void *arg, const struct err *err)
{
	struct talk *t = arg;
	struct agent_managers *m = t->managers;

	t->plan = NULL;
	if (err == NULL)
		m->o.plan(m->o.ctx, name_of(t), t->blob.data, t->blob.len);
	else if (err->code != ERR_CLOSED)
		agent_notes_log(m->o.notes, AGENT_LOG_ERROR, "plan: %s", err->message);
	buf_fini(&t->blob);
}

/* Gets the plan from the manager that is followed, if it differs from ours. */
static void ask_plan(struct agent_managers *m)
{
	static const struct rpc_call_ops ops = {.data = on_plan_data, .done = on_plan_done};
	struct rpc_request request = {.method = MANAGER_METHOD_PLAN,
		.params = "\xa0",
		.len = 1,
		.reply_max = MANAGER_PLAN_MAX,
		.timeout_ms = CALL_MS,
		.ops = &ops};
	size_t peer = manager_uplink_followed(m->uplink);
	struct rpc_conn *conn;
	struct err err = {0};
	struct talk *t;

	if (peer == SIZE_MAX)
		return;
	t = &m->talks[peer];
	conn = manager_uplink_conn(m->uplink, peer);
	if (manager_is_zero(t->digest, sizeof t->digest) || !m->o.wants(m->o.ctx, t->digest) ||
		conn == NULL || t->plan != NULL)
		return;
	buf_init(&t->blob, MANAGER_PLAN_MAX);
	request.arg = t;
	t->plan = rpc_call_start(conn, &request, &err);
	if (t->plan == NULL)
		agent_notes_log(m->o.notes, AGENT_LOG_WARNING, "plan: %s", err.message);
}

/* --- the report -------------------------------------------------------------- */

static void report(struct talk *t);

static void on_report_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct talk *t = arg;
	struct agent_notes *notes = t->managers->o.notes;
	struct manager_msg_acked msg;
	struct err err = {0};

	(void)more;
	if (cbormap_read(&msg, manager_acked_fields, bytes, len, &err) != 0 ||
		agent_journal_acknowledge(notes->journal, name_of(t), msg.acked, &err) != 0)
		agent_notes_log(notes, AGENT_LOG_ERROR, "report: %s", err.message);
}

static void on_report_done(void *arg, const struct err *err)
{
	struct talk *t = arg;

	t->report = NULL;
	if (err != NULL && err->code != ERR_CLOSED)
		agent_notes_log(
			t->managers->o.notes, AGENT_LOG_WARNING, "report: %s", err->message);
	/* Send what is left. If the manager acknowledged nothing (it may not understand the
	 * records), stop: they are sent again together with the next one. */
	if (err == NULL &&
		agent_journal_acknowledged(t->managers->o.notes->journal, name_of(t)) >= t->first)
		report(t);
}

/* Sends the records that the manager lacks, up to REPORT_LEN bytes at a time. */
static void report(struct talk *t)
{
	static const struct rpc_call_ops ops = {.reply = on_report_reply, .done = on_report_done};
	struct agent_notes *notes = t->managers->o.notes;
	struct rpc_conn *conn = manager_uplink_conn(t->managers->uplink, t->peer);
	struct manager_msg_report msg;
	struct rpc_request request = {
		.method = MANAGER_METHOD_REPORT, .timeout_ms = CALL_MS, .ops = &ops, .arg = t};
	struct err err = {0};
	uint8_t mem[MANAGER_MSG_MAX], *to;
	uint64_t last;
	size_t len;
	int ret = -1;

	if (conn == NULL || t->report != NULL)
		return;
	msg.first = agent_journal_acknowledged(notes->journal, name_of(t)) + 1;
	memcpy(msg.journal, agent_journal_id(notes->journal), sizeof msg.journal);
	buf_clear(&t->out);
	to = buf_room(&t->out, REPORT_LEN, &err);
	if (to != NULL)
		ret = agent_journal_read(
			notes->journal, msg.first, to, REPORT_LEN, &len, &last, &err);
	if (ret < 0)
		agent_notes_log(notes, AGENT_LOG_ERROR, "report: %s", err.message);
	if (ret != 0)
		return;
	buf_took(&t->out, len);
	t->first = msg.first;
	request.params = mem;
	request.len = manager_msg_put(mem, manager_report_fields, &msg);
	request.blob = t->out.data;
	request.blob_len = t->out.len;
	t->report = rpc_call_start(conn, &request, &err);
	if (t->report == NULL)
		agent_notes_log(notes, AGENT_LOG_WARNING, "report: %s", err.message);
}

void agent_managers_report(void *managers)
{
	struct agent_managers *m = managers;
	size_t i;

	for (i = 0; m != NULL && i < manager_uplink_count(m->uplink); i++)
		report(&m->talks[i]);
}

/* --- the uplink -------------------------------------------------------------- */

static void on_hello(void *ctx, size_t peer, struct manager_hello *hello)
{
	struct agent_managers *m = ctx;
	const struct agent_journal *journal = m->o.notes->journal;
	size_t followed = manager_uplink_followed(m->uplink);

	(void)peer;
	memcpy(hello->journal, agent_journal_id(journal), sizeof hello->journal);
	hello->number = agent_journal_last(journal);
	memcpy(hello->digest, m->o.jobs->digest, sizeof hello->digest);
	if (followed != SIZE_MAX)
		snprintf(hello->follows, sizeof hello->follows, "%s",
			manager_uplink_name(m->uplink, followed));
}

static void on_welcome(void *ctx, size_t peer, const struct manager_welcome *w)
{
	struct agent_managers *m = ctx;
	struct agent_notes *notes = m->o.notes;
	struct talk *t = &m->talks[peer];
	struct err err = {0};
	int64_t off = w->clock - time(NULL);
	int ret;

	if (off > CLOCK_OFF_MAX || off < -CLOCK_OFF_MAX)
		agent_notes_log(notes, AGENT_LOG_WARNING,
			"this machine's clock and that of manager %s differ by %lld s", name_of(t),
			(long long)off);
	memcpy(t->digest, w->digest, sizeof t->digest);
	ret = agent_journal_lacks(notes->journal, name_of(t), w->acked, &err);
	if (ret == 1)
		agent_notes_log(notes, AGENT_LOG_WARNING,
			"manager %s has later records than this journal: an older state was "
			"restored, "
			"or a copy of this machine is in use",
			name_of(t));
	else if (ret < 0)
		agent_notes_log(notes, AGENT_LOG_WARNING, "%s", err.message);
	ask_plan(m);
	report(t);
}

static void forget_digest(struct talk *t)
{
	memset(t->digest, 0, sizeof t->digest);
}

static void on_down(void *ctx, size_t peer)
{
	struct agent_managers *m = ctx;

	forget_digest(&m->talks[peer]);
	ask_plan(m);
}

static void forget(struct agent_managers *m, const char *name)
{
	struct err err = {0};

	if (agent_journal_forget(m->o.notes->journal, name, &err) != 0)
		agent_notes_log(m->o.notes, AGENT_LOG_WARNING, "%s", err.message);
}

static void on_dropped(void *ctx, size_t peer)
{
	struct agent_managers *m = ctx;

	assert(m->talks[peer].plan == NULL && m->talks[peer].report == NULL);
	forget_digest(&m->talks[peer]);
	forget(m, name_of(&m->talks[peer]));
	ask_plan(m);
}

/* Forgets managers in the journal that are no longer in the agent's list. */
static void forget_others(struct agent_managers *m)
{
	const struct agent_journal *journal = m->o.notes->journal;
	char name[NAME_LEN_MAX + 1];
	size_t i = 0, k;

	while (agent_journal_manager(journal, i) != NULL) {
		strcpy(name, agent_journal_manager(journal, i));
		for (k = 0; k < m->o.uplink.peer_count; k++)
			if (strcmp(m->o.uplink.peers[k].name, name) == 0)
				break;
		if (k == m->o.uplink.peer_count)
			forget(m, name);
		else
			i++;
	}
}

static void on_log(void *ctx, bool is_error, const char *text)
{
	struct agent_managers *m = ctx;

	agent_notes_log(m->o.notes, is_error ? AGENT_LOG_ERROR : AGENT_LOG_NOTICE, "%s", text);
}

static void on_renewed(void *ctx)
{
	struct agent_managers *m = ctx;

	m->o.renewed(m->o.renewed_ctx);
}

void agent_managers_changed(struct agent_managers *m)
{
	manager_uplink_changed(m->uplink);
}

/* Managers that are not connected miss it. */
void agent_managers_progress(void *managers, const char *job, uint64_t bytes, uint64_t entries)
{
	struct agent_managers *m = managers;
	struct manager_msg_progress msg = {.bytes = bytes, .entries = entries};
	uint8_t mem[MANAGER_MSG_MAX];
	size_t i, len;

	snprintf(msg.job, sizeof msg.job, "%s", job);
	len = manager_msg_put(mem, manager_progress_fields, &msg);
	for (i = 0; i < manager_uplink_count(m->uplink); i++) {
		struct rpc_conn *conn = manager_uplink_conn(m->uplink, i);

		if (conn != NULL)
			rpc_notify(conn, MANAGER_METHOD_PROGRESS, mem, len, NULL);
	}
}

void agent_managers_conf(struct agent_managers *m, struct rpc_tls_conf *conf)
{
	manager_uplink_conf(m->uplink, conf);
}

/* --- new and free ------------------------------------------------------------ */

struct agent_managers *agent_managers_new(const struct agent_managers_opts *opts, struct err *err)
{
	struct agent_managers *m = mem_new(sizeof *m, err);
	struct manager_uplink_opts uplink = opts->uplink;
	size_t i;

	if (m == NULL)
		return NULL;
	m->o = *opts;
	uplink.ctx = m;
	uplink.hello = on_hello;
	uplink.welcome = on_welcome;
	uplink.down = on_down;
	uplink.dropped = on_dropped;
	uplink.renewed = on_renewed;
	uplink.log = on_log;
	for (i = 0; i < MANAGER_UPLINKS_MAX; i++) {
		m->talks[i].managers = m;
		m->talks[i].peer = i;
		buf_init(&m->talks[i].out, REPORT_LEN);
	}
	forget_others(m);
	m->uplink = manager_uplink_new(&uplink, err);
	if (m->uplink != NULL)
		return m;
	free(m);
	return NULL;
}

void agent_managers_free(struct agent_managers *m)
{
	size_t i;

	if (m == NULL)
		return;
	manager_uplink_free(m->uplink);
	for (i = 0; i < MANAGER_UPLINKS_MAX; i++) {
		buf_fini(&m->talks[i].out);
		buf_fini(&m->talks[i].blob);
	}
	free(m);
}
