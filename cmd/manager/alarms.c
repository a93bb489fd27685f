/*
 * What is told without being asked. Every minute each job on each agent is looked at: a change for
 * the worse, or for the better again, is told once, also across a restart. A manager that is not
 * the first one of the configuration waits ten minutes, for the first one to do it. The metrics are
 * a file for Prometheus's node exporter, or whatever reads that.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/inner_service.h"
#include "cmd/manager/watch.h"
#include "lib/file.h"

#define LOOK_MS  60000
#define FIRST_MS 500 /* after the start */
#define WAIT_SEC 600 /* of a manager that is not the first */
#define TOLD_MAX 20  /* at a look; the rest with the next one */

/* Whether another manager comes first. */
static bool is_second(const struct manager_service *s)
{
	return s->config->manager_count > 0 &&
	       strcmp(s->config->managers[0].name, s->self.name) != 0;
}

/* Compares a job's state with what was told. *left: how many may be told still. */
static int look_at(struct manager_service *s, const struct manager_status_row *row, unsigned *left,
	struct err *err)
{
	uint64_t bad = row->severity >= MANAGER_STATE_PARTIAL ? row->severity : 0;
	int64_t now = time(NULL);
	struct manager_last_row last, before;
	struct manager_db_key key;
	int ret = manager_inner_last(s, row->agent, row->job, &key, &last, err);

	/* A further try is neither better nor worse. */
	if (ret != 0 || row->severity == MANAGER_STATE_RUNNING)
		return ret < 0 ? -1 : 0;
	before = last;
	if (last.bad != bad) {
		last.bad = bad;
		last.bad_since = now;
	}
	if (last.told != bad && *left > 0 &&
		(bad == 0 || !is_second(s) || now - last.bad_since >= WAIT_SEC) &&
		(s->o.alarm == NULL ||
			s->o.alarm(s->o.ctx, s->config->alarm_hook, row, bad != 0))) {
		last.told = bad;
		--*left;
	}
	if (before.bad == last.bad && before.told == last.told)
		return 0;
	return manager_db_put(s->db, MANAGER_TABLE_LAST, &key, &last, err);
}

static int put_metrics(struct manager_service *s, const struct manager_status_row *rows,
	size_t count, struct err *err)
{
	struct manager_link *link;
	struct buf text;
	size_t i, up = 0;
	int ret;

	for (link = s->links; link != NULL; link = link->next)
		up += link->hello && rpc_conn_peer(link->conn)->role == RPC_AGENT;
	buf_init(&text, MANAGER_LISTING_MAX);
	ret = buf_addf(&text, err,
		"# HELP fdump_job_state 0 ok ... 5 partial, 6 too few copies, 7 failed, 8 late\n"
		"# TYPE fdump_job_state gauge\n");
	for (i = 0; i < count && ret == 0; i++)
		ret = buf_addf(&text, err,
			"fdump_job_state{agent=\"%s\",job=\"%s\",state=\"%s\"} %" PRIu64 "\n",
			rows[i].agent, rows[i].job, rows[i].state, rows[i].severity);
	if (ret == 0)
		ret = buf_addf(&text, err,
			"# HELP fdump_job_last_dump_seconds when the last dump was made\n"
			"# TYPE fdump_job_last_dump_seconds gauge\n");
	for (i = 0; i < count && ret == 0; i++)
		ret = buf_addf(&text, err,
			"fdump_job_last_dump_seconds{agent=\"%s\",job=\"%s\"} %" PRId64 "\n",
			rows[i].agent, rows[i].job, rows[i].kept);
	if (ret == 0)
		ret = buf_addf(&text, err,
			"# TYPE fdump_agents_connected gauge\nfdump_agents_connected %zu\n"
			"# TYPE fdump_manager_time_seconds gauge\nfdump_manager_time_seconds "
			"%lld\n",
			up, (long long)time(NULL));
	if (ret == 0)
		ret = file_write(s->config->metrics, text.data, text.len, 0644, err);
	buf_fini(&text);
	return ret;
}

static void on_look(void *arg)
{
	struct manager_service *s = arg;
	const struct manager_status_row *rows;
	unsigned left = TOLD_MAX;
	struct err err = {0};
	struct buf buf;
	size_t i, count;
	int ret;

	rpc_timer_start(&s->alarms, s->o.loop, LOOK_MS, on_look, s);
	buf_init(&buf, MANAGER_LISTING_MAX);
	ret = manager_inner_watch(s, &buf, &err);
	rows = (const void *)buf.data;
	count = buf.len / sizeof *rows;
	for (i = 0; i < count && ret == 0; i++)
		ret = look_at(s, &rows[i], &left, &err);
	if (ret == 0 && s->config->metrics != NULL)
		ret = put_metrics(s, rows, count, &err);
	if (ret != 0)
		manager_inner_log(s, MANAGER_ERROR, "alarms: %s", err.message);
	if (manager_db_changed(s->db))
		manager_inner_commit_soon(s);
	buf_fini(&buf);
}

void manager_inner_alarms_start(struct manager_service *s)
{
	rpc_timer_start(&s->alarms, s->o.loop, FIRST_MS, on_look, s);
}

void manager_inner_alarms_stop(struct manager_service *s)
{
	rpc_timer_stop(&s->alarms);
}
