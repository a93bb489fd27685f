/* What operators ask: lists, and orders that are handed on to agents. */
#include "cmd/manager/inner_service.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/watch.h"
#include "lib/cbor.h"

#define ORDER_MS 30000 /* until an agent has taken an order */

static void answer(struct manager_service *s, struct rpc_call *call, struct buf *rows, int ret,
	struct err *err)
{
	if (ret == 0) {
		manager_inner_listing(s, call, rows);
		return;
	}
	if (err->code == ERR_NONE)
		err_set(err, ERR_NOMEM, "out of memory");
	buf_fini(rows);
	rpc_call_fail(call, err);
}

/* --- status ---------------------------------------------------------------- */

/* Agents and what is known of their jobs, as manager_watch takes them. */
struct known {
	struct manager_service *service;
	struct buf host_rows, last_rows; /* arrays: the texts that the others borrow */
	struct manager_host *hosts;
	struct manager_last *lasts;
	size_t host_count, last_count;
};

static int add_host(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct known *k = ctx;
	const struct manager_host_row *host = row;

	(void)key;
	if (rpc_deny_has(&k->service->deny, host->host))
		return 0;
	k->host_count++;
	return buf_add(&k->host_rows, host, sizeof *host, NULL);
}

static int add_last(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct known *k = ctx;

	(void)key;
	k->last_count++;
	return buf_add(&k->last_rows, row, sizeof(struct manager_last_row), NULL);
}

static int know(struct known *k, struct manager_service *s, struct err *err)
{
	const struct manager_host_row *hosts;
	const struct manager_last_row *lasts;
	struct manager_db_key prefix;
	size_t i;

	*k = (struct known){.service = s};
	buf_init(&k->host_rows, MANAGER_LISTING_MAX);
	buf_init(&k->last_rows, MANAGER_LISTING_MAX);
	manager_db_words(&prefix, "agent", "");
	if (manager_db_each(s->db, MANAGER_TABLE_HOSTS, &prefix, add_host, k, err) != 0 ||
		manager_db_each(s->db, MANAGER_TABLE_LAST, NULL, add_last, k, err) != 0)
		return -1;
	k->hosts = calloc(k->host_count + 1, sizeof *k->hosts);
	k->lasts = calloc(k->last_count + 1, sizeof *k->lasts);
	if (k->hosts == NULL || k->lasts == NULL)
		return err_set(err, ERR_NOMEM, "status: out of memory");
	hosts = (const void *)k->host_rows.data;
	lasts = (const void *)k->last_rows.data;
	for (i = 0; i < k->host_count; i++)
		k->hosts[i] = (struct manager_host){hosts[i].name, hosts[i].since};
	for (i = 0; i < k->last_count; i++)
		k->lasts[i] = (struct manager_last){.agent = lasts[i].agent,
			.job = lasts[i].job,
			.running = lasts[i].running,
			.held = lasts[i].held,
			.started = lasts[i].started,
			.ended = lasts[i].ended,
			.result = lasts[i].result < MANAGER_RESULTS
					  ? (enum manager_result)lasts[i].result
					  : MANAGER_FAILED,
			.kept_slot = lasts[i].kept_slot,
			.kept_started = lasts[i].kept_started,
			.kept_ended = lasts[i].kept_ended,
			.copies = (unsigned)lasts[i].copies};
	return 0;
}

static void forget(struct known *k)
{
	free(k->hosts);
	free(k->lasts);
	buf_fini(&k->host_rows);
	buf_fini(&k->last_rows);
}

static int by_names(const void *a, const void *b)
{
	const struct manager_last *x = a, *y = b;
	int order = strcmp(x->agent, y->agent);

	return order != 0 ? order : strcmp(x->job, y->job);
}

/* The rows came in the order of agents and jobs. */
static int64_t kept_of(const struct known *k, const struct manager_row *row)
{
	const struct manager_last key = {.agent = row->agent, .job = row->job};
	const struct manager_last *last =
		bsearch(&key, k->lasts, k->last_count, sizeof *k->lasts, by_names);

	return last != NULL ? last->kept_ended : 0;
}

int manager_inner_watch(struct manager_service *s, struct buf *out, struct err *err)
{
	struct manager_status_row row;
	struct manager_row *rows = NULL;
	struct known known;
	size_t i, count = 0;
	int ret;

	ret = know(&known, s, err);
	if (ret == 0)
		ret = manager_watch(s->config, known.hosts, known.host_count, known.lasts,
			known.last_count, time(NULL), &rows, &count, err);
	for (i = 0; i < count && ret == 0; i++) {
		row = (struct manager_status_row){.last = rows[i].last,
			.next = rows[i].next,
			.due = rows[i].due,
			.kept = kept_of(&known, &rows[i]),
			.severity = rows[i].state};
		snprintf(row.agent, sizeof row.agent, "%s", rows[i].agent);
		snprintf(row.job, sizeof row.job, "%s", rows[i].job);
		snprintf(row.state, sizeof row.state, "%s", manager_state_name(rows[i].state));
		snprintf(row.reason, sizeof row.reason, "%s", rows[i].reason);
		ret = buf_add(out, &row, sizeof row, err);
	}
	free(rows);
	forget(&known);
	return ret;
}

void manager_inner_status(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_service *s = ctx;
	const struct manager_status_row *row;
	struct err err = {0};
	struct buf rows, out;
	size_t i;
	int ret;

	(void)values;
	buf_init(&rows, MANAGER_LISTING_MAX);
	buf_init(&out, MANAGER_LISTING_MAX);
	ret = manager_inner_watch(s, &rows, &err);
	row = (const void *)rows.data;
	for (i = 0; i < rows.len / sizeof *row && ret == 0; i++)
		ret = manager_row_put(&out, manager_status_fields, &row[i], &err);
	buf_fini(&rows);
	answer(s, call, &out, ret, &err);
}

/* --- hosts, runs ----------------------------------------------------------- */

struct listing {
	struct manager_service *service;
	struct buf out;
	const struct cbormap_value *agent, *job;
	uint64_t left;
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
	for (link = l->service->links; link != NULL; link = link->next)
		host.up |= strcmp(rpc_conn_peer(link->conn)->host, host.host) == 0;
	return manager_row_put(&l->out, manager_host_fields, &host, &l->err);
}

void manager_inner_hosts(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct listing l = {.service = ctx};
	int ret;

	(void)values;
	buf_init(&l.out, MANAGER_LISTING_MAX);
	ret = manager_db_each(l.service->db, MANAGER_TABLE_HOSTS, NULL, list_host, &l, &l.err);
	answer(ctx, call, &l.out, ret, &l.err);
}

static bool is_wanted(const struct cbormap_value *name, const char *is)
{
	return !name->has || (strlen(is) == name->len && memcmp(is, name->bytes, name->len) == 0);
}

static int list_run(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct listing *l = ctx;
	struct manager_run_row run = *(const struct manager_run_row *)row;

	(void)key;
	if (!is_wanted(l->agent, run.agent) || !is_wanted(l->job, run.job))
		return 0;
	run.record = (struct cbormap_blob){NULL, 0};
	if (manager_row_put(&l->out, manager_run_fields, &run, &l->err) != 0)
		return -1;
	return --l->left == 0;
}

void manager_inner_runs(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct listing l = {.service = ctx,
		.agent = &values[MANAGER_RUNS_AGENT],
		.job = &values[MANAGER_RUNS_JOB],
		.left = values[MANAGER_RUNS_COUNT].has ? values[MANAGER_RUNS_COUNT].number : 50};
	int ret;

	buf_init(&l.out, MANAGER_LISTING_MAX);
	ret = manager_db_each(l.service->db, MANAGER_TABLE_RUNS, NULL, list_run, &l, &l.err);
	answer(ctx, call, &l.out, ret, &l.err);
}

/* --- orders ---------------------------------------------------------------- */

struct order {
	struct manager_service *service;
	struct rpc_call *call; /* the operator's; NULL: it is over */
	struct buf rows;
	unsigned open; /* agents that have not answered */
	bool failed, started;
	struct err err;
};

struct part {
	struct order *order;
	char agent[NAME_LEN_MAX + 1];
	bool run; /* the order is to run the job */
	uint8_t id[MANAGER_RUN_LEN];
	struct err err; /* of its answer */
};

static void order_end(struct order *o)
{
	if (o->open > 0 || !o->started)
		return;
	if (o->call == NULL) {
		buf_fini(&o->rows);
	} else {
		rpc_call_serve(o->call, NULL, NULL);
		answer(o->service, o->call, &o->rows, o->failed ? -1 : 0, &o->err);
	}
	free(o);
}

/* run: the one that began; NULL: none. */
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
	struct cbormap_value v[MANAGER_STARTED_FIELDS];

	(void)more;
	if (part->run && cbormap_get(v, manager_started_fields, bytes, len, &part->err) == 0)
		memcpy(part->id, v[MANAGER_STARTED_RUN].bytes, sizeof part->id);
}

static void part_done(void *arg, const struct err *err)
{
	struct part *part = arg;
	struct order *o = part->order;

	put_outcome(o, part->agent, err != NULL ? err->message : part->err.message, part->id);
	free(part);
	o->open--;
	order_end(o);
}

static void order_gone(void *arg, const struct err *err)
{
	struct order *o = arg;

	(void)err;
	o->call = NULL;
}

/* Hands the order to an agent. */
static void start_part(struct order *o, struct manager_link *link, const struct cbormap_value *v)
{
	static const struct rpc_call_ops ops = {.reply = part_reply, .done = part_done};
	const char *agent = rpc_conn_peer(link->conn)->name;
	struct part *part = calloc(1, sizeof *part);
	struct err err = {0};
	struct cbor_out out;
	uint8_t mem[NAME_LEN_MAX + 16];
	struct rpc_request request = {.method = (uint16_t)v[MANAGER_ORDER_METHOD].number,
		.params = mem,
		.timeout_ms = ORDER_MS,
		.ops = &ops,
		.arg = part};

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "job");
	cbor_put_textn(&out, v[MANAGER_ORDER_JOB].bytes, v[MANAGER_ORDER_JOB].len);
	assert(!cbor_out_full(&out));
	request.len = cbor_out_len(&out);
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
}

/* The job of the order, if the configuration has it. */
static const struct manager_config_job *find_job(
	const struct manager_config *config, const struct cbormap_value *name)
{
	size_t i;

	for (i = 0; i < config->job_count; i++)
		if (is_wanted(name, config->jobs[i].name))
			return &config->jobs[i];
	return NULL;
}

struct targets {
	struct order *order;
	const struct cbormap_value *values;
	const struct manager_config_job *job;
};

/* Each agent that has the job is named in the answer, whether it is there or not. */
static int order_agent(void *ctx, const struct manager_db_key *key, const void *row)
{
	const struct targets *t = ctx;
	const struct manager_host_row *host = row;
	struct manager_service *s = t->order->service;
	struct manager_link *link;

	(void)key;
	if (rpc_deny_has(&s->deny, host->host) ||
		!is_wanted(&t->values[MANAGER_ORDER_AGENT], host->name) ||
		!manager_config_job_for(t->job, host->name))
		return 0;
	for (link = s->links; link != NULL; link = link->next)
		if (link->hello && rpc_conn_peer(link->conn)->role == RPC_AGENT &&
			strcmp(rpc_conn_peer(link->conn)->host, host->host) == 0)
			break;
	if (link != NULL)
		start_part(t->order, link, t->values);
	else
		put_outcome(t->order, host->name, "not connected", NULL);
	return 0;
}

void manager_inner_order(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	static const struct rpc_call_ops ops = {.done = order_gone};
	static const char *const verbs[] = {"run", "cancel", "hold", "release"};
	struct manager_service *s = ctx;
	struct targets t = {
		.values = values, .job = find_job(s->config, &values[MANAGER_ORDER_JOB])};
	struct manager_db_key prefix;
	struct order *o = NULL;
	struct err err = {0};

	if (t.job == NULL)
		err_set(&err, ERR_NOTFOUND, "the configuration has no job %.*s",
			(int)values[MANAGER_ORDER_JOB].len,
			(const char *)values[MANAGER_ORDER_JOB].bytes);
	else if ((o = calloc(1, sizeof *o)) == NULL)
		err_set(&err, ERR_NOMEM, "out of memory");
	if (o == NULL) {
		rpc_call_fail(call, &err);
		return;
	}
	*o = (struct order){.service = s, .call = call};
	buf_init(&o->rows, MANAGER_LISTING_MAX);
	rpc_call_serve(call, &ops, o);
	t.order = o;
	manager_inner_audit(s, rpc_call_peer(call), "%s %s%s%.*s",
		verbs[values[MANAGER_ORDER_METHOD].number - MANAGER_METHOD_RUN], t.job->name,
		values[MANAGER_ORDER_AGENT].has ? " on " : "",
		values[MANAGER_ORDER_AGENT].has ? (int)values[MANAGER_ORDER_AGENT].len : 0,
		values[MANAGER_ORDER_AGENT].has ? (const char *)values[MANAGER_ORDER_AGENT].bytes
						: "");
	manager_inner_commit_soon(s);
	manager_db_words(&prefix, "agent", "");
	if (manager_db_each(s->db, MANAGER_TABLE_HOSTS, &prefix, order_agent, &t, &o->err) != 0)
		o->failed = true;
	if (!o->failed && o->rows.len == 0 && o->open == 0) {
		err_set(&o->err, ERR_NOTFOUND, "no agent %s%.*s%shas the job %s",
			values[MANAGER_ORDER_AGENT].has ? "" : "that has joined ",
			values[MANAGER_ORDER_AGENT].has ? (int)values[MANAGER_ORDER_AGENT].len : 0,
			values[MANAGER_ORDER_AGENT].has
				? (const char *)values[MANAGER_ORDER_AGENT].bytes
				: "",
			values[MANAGER_ORDER_AGENT].has ? " " : "", t.job->name);
		o->failed = true;
	}
	o->started = true;
	order_end(o);
}
