/* Requests of operators: lists, and orders, which are passed on to agents. */
#include "cmd/manager/inner_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/mem.h"

#define ORDER_MS 30000 /* timeout for an agent to accept an order */

/* Replies with rows, which it takes over; or, if ret is not 0, with the error. */
static void answer(struct manager_service *s, struct rpc_call *call, struct buf *rows, int ret,
	struct err *err)
{
	struct manager_msg_listing msg = {.now = time(NULL)};
	uint8_t mem[MANAGER_MSG_MAX];

	if (ret != 0) {
		buf_fini(rows);
		rpc_call_fail(call, err);
		return;
	}
	strcpy(msg.manager, s->self.name);
	manager_inner_reply_blob(
		call, mem, manager_msg_put(mem, manager_listing_fields, &msg), rows);
}

/* name: "" for all. */
static bool is_wanted(const char *name, const char *is)
{
	return name[0] == 0 || strcmp(is, name) == 0;
}

/* Finds the job. NULL with err set: it is not in the configuration. */
static const struct manager_config_section *find_job(
	const struct manager_config *config, const char *name, struct err *err)
{
	char jobs[200] = "";
	size_t i, len = 0;

	for (i = 0; i < config->job_count; i++)
		if (strcmp(config->jobs[i].name, name) == 0)
			return &config->jobs[i];
	for (i = 0; i < config->job_count && len + NAME_LEN_MAX + 8 < sizeof jobs; i++)
		len += (size_t)snprintf(jobs + len, sizeof jobs - len, "%s%s", i > 0 ? ", " : "",
			config->jobs[i].name);
	err_set(err, ERR_NOTFOUND, "the configuration has no job %s (its jobs: %s%s)", name,
		len > 0 ? jobs : "none", i < config->job_count ? ", ..." : "");
	return NULL;
}

/* --- status, alarms -------------------------------------------------------- */

void manager_inner_status(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_service *s = ctx;
	struct manager_msg_jobs ask = {.agent = ""};
	struct manager_known known;
	struct err err = {0};
	struct buf out;
	size_t i;
	int ret;

	cbormap_store(&ask, manager_runs_fields_in, values);
	buf_init(&out, MANAGER_LISTING_MAX);
	ret = manager_inner_know(s, &known, &err);
	for (i = 0; i < known.facts.job_count && ret == 0; i++)
		if (is_wanted(ask.agent, known.facts.jobs[i].agent) &&
			is_wanted(ask.job, known.facts.jobs[i].job))
			ret = manager_row_put(
				&out, manager_status_fields, &known.facts.jobs[i], &err);
	manager_inner_forget(&known);
	answer(s, call, &out, ret, &err);
}

static int critical_first(const void *a, const void *b)
{
	const struct manager_alarm_row *x = a, *y = b;

	if (x->critical != y->critical)
		return x->critical ? -1 : 1;
	return strcmp(x->alarm, y->alarm);
}

void manager_inner_alarms(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_service *s = ctx;
	struct manager_alarm_row row, *rows;
	struct manager_known known;
	struct err err = {0};
	struct buf shown, out;
	size_t i, count;
	int ret;

	(void)values;
	buf_init(&shown, MANAGER_LISTING_MAX);
	buf_init(&out, MANAGER_LISTING_MAX);
	ret = manager_inner_know(s, &known, &err);
	for (i = 0; i < known.trouble_count && ret == 0; i++)
		if (manager_trouble_show(&row, &known.troubles[i],
			    manager_inner_kept(&known, known.troubles[i].row.alarm), time(NULL)))
			ret = buf_add(&shown, &row, sizeof row, &err);
	rows = (void *)shown.data;
	count = shown.len / sizeof row;
	if (count > 0)
		qsort(rows, count, sizeof *rows, critical_first);
	for (i = 0; i < count && ret == 0; i++)
		ret = manager_row_put(&out, manager_alarm_fields, &rows[i], &err);
	buf_fini(&shown);
	manager_inner_forget(&known);
	answer(s, call, &out, ret, &err);
}

/* --- hosts, runs ----------------------------------------------------------- */

struct listing {
	struct manager_service *service;
	struct buf out;
	struct manager_msg_jobs ask;
	struct err err;
};

static int list_host(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct listing *l = ctx;
	struct manager_host_row host = *(const struct manager_host_row *)row;
	const struct manager_link *link;

	(void)key;
	if (strcmp(host.role, "store") == 0)
		snprintf(host.reach, sizeof host.reach, "%s", manager_inner_reach(l->service, row));
	host.denied = rpc_deny_has(&l->service->deny, host.host);
	/* An agent or store whose hello was refused is not connected. Operators don't say hello. */
	for (link = l->service->links; link != NULL; link = link->next)
		host.up |= (link->hello || rpc_conn_peer(link->conn)->role == RPC_OPERATOR) &&
			   strcmp(rpc_conn_peer(link->conn)->host, host.host) == 0;
	return manager_row_put(&l->out, manager_host_fields, &host, &l->err);
}

void manager_inner_hosts(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct listing l = {.service = ctx};
	struct manager_host_row row;
	int ret;

	buf_init(&l.out, MANAGER_LISTING_MAX);
	cbormap_store(&l.ask, manager_hosts_fields_in, values);
	if (l.ask.agent[0] != 0) {
		ret = manager_inner_get_host(l.service, "agent", l.ask.agent, &row, &l.err);
		if (ret >= 0)
			ret = ret == 0 ? list_host(&l, NULL, &row) : 0;
	} else {
		ret = manager_db_each(
			l.service->db, MANAGER_TABLE_HOSTS, NULL, list_host, &l, &l.err);
	}
	answer(ctx, call, &l.out, ret, &l.err);
}

static int list_run(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct listing *l = ctx;
	struct manager_run_row run = *(const struct manager_run_row *)row;

	(void)key;
	if (!is_wanted(l->ask.agent, run.agent) || !is_wanted(l->ask.job, run.job))
		return 0;
	run.record = (struct cbormap_blob){NULL, 0};
	if (manager_row_put(&l->out, manager_run_fields, &run, &l->err) != 0)
		return -1;
	return --l->ask.count == 0;
}

/* If no run was found: checks that the agent and the job exist. Returns 0, or -1 with err set. */
static int check_names(
	struct manager_service *s, const struct manager_msg_jobs *ask, struct err *err)
{
	struct manager_host_row row;
	int ret = 0;

	if (ask->agent[0] != 0)
		ret = manager_inner_get_host(s, "agent", ask->agent, &row, err);
	if (ret == 1)
		ret = err_set(err, ERR_NOTFOUND,
			"no agent of the name %s has joined ('fdump hosts' lists them)",
			ask->agent);
	if (ret == 0 && ask->job[0] != 0 && find_job(s->config, ask->job, err) == NULL)
		ret = -1;
	return ret;
}

void manager_inner_runs(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct listing l = {.service = ctx, .ask = {.count = 50}};
	struct err err = {0};
	int ret;

	/* A run that is shown is durable. */
	if (manager_inner_commit(l.service, &err) != 0)
		manager_inner_log(l.service, MANAGER_ERROR, "state: %s", err.message);
	cbormap_store(&l.ask, manager_runs_fields_in, values);
	buf_init(&l.out, MANAGER_LISTING_MAX);
	ret = manager_db_each(l.service->db, MANAGER_TABLE_RUNS, NULL, list_run, &l, &l.err);
	if (ret == 0 && l.out.len == 0)
		ret = check_names(l.service, &l.ask, &l.err);
	answer(ctx, call, &l.out, ret, &l.err);
}

/* --- orders ---------------------------------------------------------------- */

struct order {
	struct manager_service *service;
	struct rpc_call *call; /* the operator's; NULL: it has ended */
	struct buf rows;
	unsigned open; /* agents still to answer; one more until all were asked */
	bool failed;
	struct err err;
	struct manager_msg_jobs ask;
	const struct manager_config_section *job; /* valid only until all were asked */
};

struct part {
	struct order *order;
	char agent[NAME_LEN_MAX + 1];
	bool run; /* the order is to run the job */
	struct manager_msg_started started;
	struct err err; /* from its answer */
};

static void order_end(struct order *o)
{
	if (--o->open > 0)
		return;
	if (o->call == NULL) {
		buf_fini(&o->rows);
	} else {
		rpc_call_serve(o->call, NULL, NULL);
		answer(o->service, o->call, &o->rows, o->failed ? -1 : 0, &o->err);
	}
	free(o);
}

/* run: the run that was started; NULL: none. */
static void put_outcome(
	struct order *o, const char *agent, const char *error, const uint8_t run[MANAGER_RUN_LEN])
{
	struct manager_order_row row = {.agent = ""};

	if (run != NULL)
		memcpy(row.run, run, sizeof row.run);
	snprintf(row.agent, sizeof row.agent, "%s", agent);
	snprintf(row.error, sizeof row.error, "%.*s", MANAGER_NOTE_MAX, error);
	if (manager_row_put(&o->rows, manager_order_fields, &row, &o->err) != 0)
		o->failed = true;
}

static void part_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct part *part = arg;

	(void)more;
	if (part->run)
		cbormap_read(&part->started, manager_started_fields, bytes, len, &part->err);
}

static void part_done(void *arg, const struct err *err)
{
	struct part *part = arg;
	struct order *o = part->order;

	put_outcome(
		o, part->agent, err != NULL ? err->message : part->err.message, part->started.run);
	free(part);
	order_end(o);
}

static void order_gone(void *arg, const struct err *err)
{
	struct order *o = arg;

	(void)err;
	o->call = NULL;
}

/* Passes the order on to an agent. */
static void start_part(struct order *o, struct manager_link *link)
{
	static const struct rpc_call_ops ops = {.reply = part_reply, .done = part_done};
	const char *agent = rpc_conn_peer(link->conn)->name;
	struct part *part = calloc(1, sizeof *part);
	struct err err = {0};
	uint8_t mem[MANAGER_MSG_MAX];
	struct rpc_request request = {.method = (uint16_t)o->ask.method,
		.params = mem,
		.len = manager_msg_put(mem, manager_job_fields, &o->ask),
		.timeout_ms = ORDER_MS,
		.ops = &ops,
		.arg = part};

	if (part == NULL) {
		put_outcome(o, agent, "out of memory", NULL);
		return;
	}
	part->order = o;
	part->run = request.method == MANAGER_METHOD_RUN;
	strcpy(part->agent, agent);
	if (rpc_call_start(link->conn, &request, &err) == NULL) {
		put_outcome(o, agent, err.message, NULL);
		free(part);
		return;
	}
	o->open++;
	if (request.method != MANAGER_METHOD_CANCEL)
		return;
	strcpy(link->cancelled, o->ask.job);
	strcpy(link->canceller, rpc_call_peer(o->call)->name);
}

/* Every agent that has the job is in the answer, even if it is not connected. */
static int order_agent(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct order *o = ctx;
	const struct manager_host_row *host = row;
	struct manager_service *s = o->service;
	struct manager_link *link;

	(void)key;
	if (rpc_deny_has(&s->deny, host->host) || !is_wanted(o->ask.agent, host->name) ||
		!manager_config_job_for(o->job, host->name))
		return 0;
	link = manager_inner_link_of(s, host);
	if (link != NULL)
		start_part(o, link);
	else
		put_outcome(o, host->name, "not connected", NULL);
	return 0;
}

void manager_inner_order(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	static const struct rpc_call_ops ops = {.done = order_gone};
	static const char *const verbs[] = {"run", "cancel", "hold", "release"};
	struct manager_service *s = ctx;
	struct manager_msg_jobs ask = {.agent = ""};
	const struct manager_config_section *job;
	struct err err = {0};
	struct order *o;

	cbormap_store(&ask, manager_order_fields_in, values);
	job = find_job(s->config, ask.job, &err);
	o = job != NULL ? mem_new(sizeof *o, &err) : NULL;
	if (o == NULL) {
		rpc_call_fail(call, &err);
		return;
	}
	*o = (struct order){.service = s, .call = call, .open = 1, .ask = ask, .job = job};
	buf_init(&o->rows, MANAGER_LISTING_MAX);
	rpc_call_serve(call, &ops, o);
	manager_inner_audit(s, rpc_call_peer(call), "%s %s%s%s",
		verbs[ask.method - MANAGER_METHOD_RUN], job->name, ask.agent[0] != 0 ? " on " : "",
		ask.agent);
	manager_inner_commit_soon(s);
	if (manager_db_each(s->db, MANAGER_TABLE_HOSTS, "agent", order_agent, o, &o->err) != 0)
		o->failed = true;
	if (!o->failed && o->rows.len == 0 && o->open == 1) {
		err_set(&o->err, ERR_NOTFOUND, "no agent %s has the job %s",
			ask.agent[0] != 0 ? ask.agent : "that has joined", job->name);
		o->failed = true;
	}
	order_end(o);
}
