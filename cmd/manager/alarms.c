/*
 * Alarms and metrics. Every minute everything that can be wrong is checked. A change for the worse,
 * or back to normal, is reported once, even across a restart. A manager that is not the first in
 * the configuration waits ten minutes, so that the first one can report it. The metrics are a file
 * for Prometheus's node exporter and similar programs.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/inner_service.h"
#include "lib/file.h"
#include "lib/mem.h"

#define LOOK_MS  60000
#define FIRST_MS 500 /* after the start */
#define WAIT_SEC 600 /* for a manager that is not the first */
#define TOLD_MAX 20  /* reports in one check; the rest follow in the next ones */

/* Returns whether it was reported. *left: how many more may be. */
static bool tell(
	struct manager_service *s, const struct manager_alarm_row *row, bool raised, unsigned *left)
{
	if (*left == 0 ||
		(s->o.alarm != NULL && !s->o.alarm(s->o.ctx, s->config->alarm_hook, row, raised)))
		return false;
	--*left;
	return true;
}

static int put(struct manager_service *s, const struct manager_alarm_row *row, struct err *err)
{
	struct manager_db_key key;

	manager_db_bytes(&key, row->alarm, strlen(row->alarm));
	return manager_db_put(s->db, MANAGER_TABLE_ALARMS, &key, row, err);
}

/* Compares a trouble with the stored alarm. kept, found: NULL if there is none. */
static int look_at(struct manager_service *s, const struct manager_alarm_row *kept,
	const struct manager_trouble *found, unsigned *left, struct err *err)
{
	const struct manager_config *config = s->config;
	bool second =
		config->manager_count > 0 && strcmp(config->managers[0].name, s->self.name) != 0;
	struct manager_alarm_row row = {.told = ""};
	struct manager_db_key key;

	if (kept != NULL)
		row = *kept;
	switch (manager_trouble_step(&row, found, second ? WAIT_SEC : 0, time(NULL))) {
	case MANAGER_TROUBLE_SAME:
		return 0;
	case MANAGER_TROUBLE_RAISE:
		if (tell(s, &row, true, left))
			memcpy(row.told, row.state, sizeof row.told);
		else if (kept != NULL && strcmp(kept->state, row.state) == 0)
			return 0;
		break;
	case MANAGER_TROUBLE_KEEP:
		break;
	case MANAGER_TROUBLE_OVER:
		if (!tell(s, &row, false, left))
			return 0;
		__attribute__((fallthrough));
	case MANAGER_TROUBLE_DROP:
		manager_db_bytes(&key, row.alarm, strlen(row.alarm));
		return manager_db_del(s->db, MANAGER_TABLE_ALARMS, &key, err) < 0 ? -1 : 0;
	}
	return put(s, &row, err);
}

/* While the state can't be written only that is reported: of the others it could not be kept that
 * they were. Each time is another attempt to write, and to get the reports that were lost. */
static int look_at_unsaved(
	struct manager_service *s, const struct manager_known *k, struct err *err)
{
	unsigned left = 1;
	size_t i;

	for (i = 0; i < k->trouble_count; i++)
		if (strcmp(k->troubles[i].row.kind, "unsaved") == 0 &&
			manager_trouble_step(&s->unsaved, &k->troubles[i], 0, time(NULL)) ==
				MANAGER_TROUBLE_RAISE &&
			tell(s, &s->unsaved, true, &left))
			memcpy(s->unsaved.told, s->unsaved.state, sizeof s->unsaved.told);
	manager_inner_call_all(s);
	return put(s, &s->unsaved, err);
}

static int look_at_all(struct manager_service *s, const struct manager_known *k, struct err *err)
{
	bool *found = mem_new(k->kept_count + 1, err);
	const struct manager_alarm_row *kept;
	unsigned left = TOLD_MAX;
	size_t i;
	int ret = found != NULL ? 0 : -1;

	for (i = 0; i < k->trouble_count && ret == 0; i++) {
		kept = manager_inner_kept(k, k->troubles[i].row.alarm);
		if (kept != NULL)
			found[kept - k->kept] = true;
		ret = look_at(s, kept, &k->troubles[i], &left, err);
	}
	for (i = 0; i < k->kept_count && ret == 0; i++)
		if (!found[i])
			ret = look_at(s, &k->kept[i], NULL, &left, err);
	free(found);
	return ret;
}

static int put_metrics(struct manager_service *s, const struct manager_known *k, struct err *err)
{
	const struct manager_status_row *rows = k->facts.jobs;
	size_t count = k->facts.job_count, i, up = 0;
	struct manager_alarm_row alarm;
	struct manager_link *link;
	struct buf text;
	int failed;

	for (link = s->links; link != NULL; link = link->next)
		up += link->hello && rpc_conn_peer(link->conn)->role == RPC_AGENT;
	buf_init(&text, MANAGER_LISTING_MAX);
	failed = buf_addf(&text, err,
		"# HELP fdump_job_state 0 ok ... 5 partial, 6 too few copies, 7 failed, 8 late\n"
		"# TYPE fdump_job_state gauge\n");
	for (i = 0; i < count; i++)
		failed |= buf_addf(&text, err,
			"fdump_job_state{agent=\"%s\",job=\"%s\",state=\"%s\"} %" PRIu64 "\n",
			rows[i].agent, rows[i].job, rows[i].state, rows[i].severity);
	failed |= buf_addf(&text, err,
		"# HELP fdump_job_last_dump_seconds when the last dump was made\n"
		"# TYPE fdump_job_last_dump_seconds gauge\n");
	for (i = 0; i < count; i++)
		failed |= buf_addf(&text, err,
			"fdump_job_last_dump_seconds{agent=\"%s\",job=\"%s\"} %" PRId64 "\n",
			rows[i].agent, rows[i].job, rows[i].kept);
	failed |= buf_addf(&text, err,
		"# HELP fdump_alarm 1 a warning, 2 critical\n"
		"# TYPE fdump_alarm gauge\n");
	for (i = 0; i < k->trouble_count; i++)
		if (manager_trouble_show(&alarm, &k->troubles[i],
			    manager_inner_kept(k, k->troubles[i].row.alarm), time(NULL)))
			failed |= buf_addf(&text, err,
				"fdump_alarm{kind=\"%s\",role=\"%s\",name=\"%s\",job=\"%s\","
				"state=\"%s\"} %d\n",
				alarm.kind, alarm.role, alarm.name, alarm.job, alarm.state,
				alarm.critical ? 2 : 1);
	failed |= buf_addf(&text, err,
		"# TYPE fdump_agents_connected gauge\nfdump_agents_connected %zu\n"
		"# TYPE fdump_manager_time_seconds gauge\nfdump_manager_time_seconds %lld\n",
		up, (long long)time(NULL));
	if (failed == 0)
		failed = file_write(s->config->metrics, text.data, text.len, 0644, err);
	buf_fini(&text);
	return failed;
}

static void on_look(void *arg)
{
	struct manager_service *s = arg;
	struct manager_known known;
	struct err err = {0};
	bool unsaved = manager_db_fault(s->db) != NULL;
	int ret = 0;

	rpc_timer_start(&s->alarms, s->o.loop, LOOK_MS, on_look, s);
	if (!unsaved && s->unsaved.alarm[0] != 0) {
		ret = put(s, &s->unsaved, &err);
		s->unsaved = (struct manager_alarm_row){.told = ""};
	}
	if (manager_inner_know(s, &known, &err) != 0)
		ret = -1;
	if (ret == 0)
		ret = unsaved ? look_at_unsaved(s, &known, &err) : look_at_all(s, &known, &err);
	if (ret == 0 && s->config->metrics != NULL)
		ret = put_metrics(s, &known, &err);
	if (ret != 0)
		manager_inner_log(s, MANAGER_ERROR, "alarms: %s", err.message);
	if (manager_db_changed(s->db))
		manager_inner_commit_soon(s);
	manager_inner_forget(&known);
}

void manager_inner_alarms_start(struct manager_service *s)
{
	rpc_timer_start(&s->alarms, s->o.loop, FIRST_MS, on_look, s);
}
