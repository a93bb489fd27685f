/* What the state has of machines and jobs, as watch.h and trouble.h take it. */
#include "cmd/manager/inner_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/watch.h"

#define KNOWN_MAX (4 * (size_t)MANAGER_LISTING_MAX) /* bytes of rows as structs, of each kind */

static bool is_up(const struct manager_service *s, const struct manager_host_row *host)
{
	const struct manager_link *link;

	for (link = s->links; link != NULL; link = link->next)
		if (link->hello && strcmp(rpc_conn_peer(link->conn)->host, host->host) == 0)
			return true;
	return false;
}

static int add_host(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct manager_known *k = ctx;
	struct manager_host_row host = *(const struct manager_host_row *)row;

	(void)key;
	if (rpc_deny_has(&k->service->deny, host.host))
		return 0;
	/* Nobody asks it of others, of whom there are many. */
	if (strcmp(host.role, "store") == 0)
		host.up = is_up(k->service, &host);
	return buf_add(&k->host_rows, &host, sizeof host, NULL);
}

static int add_last(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct manager_known *k = ctx;

	(void)key;
	return buf_add(&k->last_rows, row, sizeof(struct manager_last_row), NULL);
}

static int add_alarm(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct manager_known *k = ctx;

	(void)key;
	return buf_add(&k->alarm_rows, row, sizeof(struct manager_alarm_row), NULL);
}

/* The stores that are named, but that nobody can reach. Returns 0, or -1. */
static int find_absent(struct manager_known *k)
{
	const struct manager_config *config = k->service->config;
	const struct manager_host_row *hosts = (const void *)k->host_rows.data;
	size_t i, j, count = k->host_rows.len / sizeof *hosts;

	for (i = 0; i < config->all_stores.count; i++) {
		const char *name = config->all_stores.items[i];
		bool known = false;

		for (j = 0; j < count && !known; j++)
			known = strcmp(hosts[j].role, "store") == 0 &&
				strcmp(hosts[j].name, name) == 0;
		for (j = 0; j < config->store_count && !known; j++)
			known = config->stores[j].address != NULL &&
				strcmp(config->stores[j].name, name) == 0;
		if (!known && buf_add(&k->absent, &name, sizeof name, NULL) != 0)
			return -1;
	}
	return 0;
}

static int read_all(struct manager_known *k, struct err *err)
{
	struct manager_db *db = k->service->db;

	if (manager_db_each(db, MANAGER_TABLE_HOSTS, NULL, add_host, k, err) != 0 ||
		manager_db_each(db, MANAGER_TABLE_LAST, NULL, add_last, k, err) != 0 ||
		manager_db_each(db, MANAGER_TABLE_ALARMS, NULL, add_alarm, k, err) != 0 ||
		find_absent(k) != 0)
		return err->code != ERR_NONE ? -1
					     : err_set(err, ERR_NOMEM, "status: out of memory");
	k->facts = (struct manager_facts){.hosts = (const void *)k->host_rows.data,
		.host_count = k->host_rows.len / sizeof(struct manager_host_row),
		.lasts = (const void *)k->last_rows.data,
		.last_count = k->last_rows.len / sizeof(struct manager_last_row),
		.manager = k->service->self.name,
		.absent = (const void *)k->absent.data,
		.absent_count = k->absent.len / sizeof *k->facts.absent,
		.signs_until = rpc_ca_until(k->service->ca),
		.expires = k->service->expires,
		.started = k->service->started};
	k->kept = (const void *)k->alarm_rows.data;
	k->kept_count = k->alarm_rows.len / sizeof *k->kept;
	return 0;
}

static struct manager_last last_of(const struct manager_last_row *row)
{
	return (struct manager_last){.agent = row->agent,
		.job = row->job,
		.running = row->running,
		.held = row->held,
		.started = row->started,
		.ended = row->ended,
		.result = row->result < MANAGER_RESULTS ? (enum manager_result)row->result
							: MANAGER_FAILED,
		.kept_slot = row->kept_slot,
		.kept_started = row->kept_started,
		.kept_ended = row->kept_ended,
		.copies = (unsigned)row->copies,
		.text = row->text};
}

static int by_names(const void *a, const void *b)
{
	const struct manager_last *x = a, *y = b;
	int order = strcmp(x->agent, y->agent);

	return order != 0 ? order : strcmp(x->job, y->job);
}

/* How far the run of a job is; NULL: its agent has not told. */
static const struct manager_running *running_of(
	const struct manager_service *s, const char *agent, const char *job)
{
	const struct manager_link *link;
	const struct manager_running *running = NULL;

	for (link = s->links; link != NULL && running == NULL; link = link->next)
		if (rpc_conn_peer(link->conn)->role == RPC_AGENT &&
			strcmp(rpc_conn_peer(link->conn)->name, agent) == 0)
			running = manager_running_find(&link->runnings, job);
	return running;
}

static void add_running(struct manager_status_row *status, const struct manager_running *running,
	const struct manager_last_row *last)
{
	char text[MANAGER_RUNNING_TEXT];
	size_t len = strlen(status->reason);

	status->bytes = running->bytes;
	status->entries = running->entries;
	status->rate = running->rate;
	status->total = last->content;
	snprintf(status->reason + len, sizeof status->reason - len, ": %s",
		manager_running_print(text, running, last->content));
}

static int add_status(struct manager_known *k, const struct manager_row *row,
	const struct manager_last *lasts, struct err *err)
{
	const struct manager_last key = {.agent = row->agent, .job = row->job};
	/* The rows came in the order of agents and jobs. */
	const struct manager_last *last =
		k->facts.last_count > 0
			? bsearch(&key, lasts, k->facts.last_count, sizeof *lasts, by_names)
			: NULL;
	struct manager_status_row status = {.last = row->last,
		.next = row->next,
		.due = row->due,
		.kept = last != NULL ? last->kept_ended : 0,
		.severity = row->state};
	const struct manager_running *running;

	snprintf(status.agent, sizeof status.agent, "%s", row->agent);
	snprintf(status.job, sizeof status.job, "%s", row->job);
	snprintf(status.state, sizeof status.state, "%s", manager_state_name(row->state));
	snprintf(status.reason, sizeof status.reason, "%s", row->reason);
	if (last != NULL && last->running &&
		(running = running_of(k->service, row->agent, row->job)) != NULL)
		add_running(&status, running, &k->facts.lasts[last - lasts]);
	return buf_add(&k->status_rows, &status, sizeof status, err);
}

/* The jobs of all agents, compared with what should be. */
static int watch(struct manager_known *k, int64_t now, struct err *err)
{
	const struct manager_facts *f = &k->facts;
	struct manager_host *hosts = calloc(f->host_count + 1, sizeof *hosts);
	struct manager_last *lasts = calloc(f->last_count + 1, sizeof *lasts);
	struct manager_row *rows = NULL;
	size_t i, host_count = 0, count = 0;
	int ret = 0;

	if (hosts == NULL || lasts == NULL)
		ret = err_set(err, ERR_NOMEM, "status: out of memory");
	for (i = 0; i < f->host_count && ret == 0; i++)
		if (strcmp(f->hosts[i].role, "agent") == 0)
			hosts[host_count++] =
				(struct manager_host){f->hosts[i].name, f->hosts[i].since};
	for (i = 0; i < f->last_count && ret == 0; i++)
		lasts[i] = last_of(&f->lasts[i]);
	if (ret == 0)
		ret = manager_watch(k->service->config, hosts, host_count, lasts, f->last_count,
			now, &rows, &count, err);
	for (i = 0; i < count && ret == 0; i++)
		ret = add_status(k, &rows[i], lasts, err);
	k->facts.jobs = (const void *)k->status_rows.data;
	k->facts.job_count = k->status_rows.len / sizeof *k->facts.jobs;
	free(rows);
	free(hosts);
	free(lasts);
	return ret;
}

int manager_inner_know(struct manager_service *s, struct manager_known *k, struct err *err)
{
	int64_t now = time(NULL);

	*k = (struct manager_known){.service = s};
	buf_init(&k->host_rows, KNOWN_MAX);
	buf_init(&k->last_rows, KNOWN_MAX);
	buf_init(&k->status_rows, KNOWN_MAX);
	buf_init(&k->trouble_rows, KNOWN_MAX);
	buf_init(&k->alarm_rows, KNOWN_MAX);
	buf_init(&k->absent, KNOWN_MAX);
	if (read_all(k, err) != 0 || watch(k, now, err) != 0 ||
		manager_trouble_list(&k->facts, now, &k->trouble_rows, err) != 0)
		return -1;
	k->troubles = (const void *)k->trouble_rows.data;
	k->trouble_count = k->trouble_rows.len / sizeof *k->troubles;
	return 0;
}

void manager_inner_forget(struct manager_known *k)
{
	buf_fini(&k->host_rows);
	buf_fini(&k->last_rows);
	buf_fini(&k->status_rows);
	buf_fini(&k->trouble_rows);
	buf_fini(&k->alarm_rows);
	buf_fini(&k->absent);
}

static int by_alarm(const void *a, const void *b)
{
	const struct manager_alarm_row *x = a, *y = b;

	return strcmp(x->alarm, y->alarm);
}

const struct manager_alarm_row *manager_inner_kept(const struct manager_known *k, const char *alarm)
{
	struct manager_alarm_row key;

	snprintf(key.alarm, sizeof key.alarm, "%s", alarm);
	return k->kept_count > 0 ? bsearch(&key, k->kept, k->kept_count, sizeof key, by_alarm)
				 : NULL;
}
