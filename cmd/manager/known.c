/* Collects everything that the state has of machines and jobs, in the form that watch.h and
 * trouble.h need. */
#include "cmd/manager/inner_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/watch.h"

#define KNOWN_MAX (4 * (size_t)MANAGER_LISTING_MAX) /* bytes of decoded rows, for each kind */

/* Removes denied hosts, and finds out which of the others are connected. */
static void look_at_hosts(struct manager_known *k)
{
	struct manager_host_row *hosts = (void *)k->host_rows.data;
	size_t i, kept = 0, count = k->host_rows.len / sizeof *hosts;

	for (i = 0; i < count; i++) {
		if (rpc_deny_has(&k->service->deny, hosts[i].host))
			continue;
		/* Not needed for other roles, which are numerous. */
		if (strcmp(hosts[i].role, "store") == 0)
			hosts[i].up = manager_inner_link_of(k->service, &hosts[i]) != NULL;
		hosts[kept++] = hosts[i];
	}
	k->host_rows.len = kept * sizeof *hosts;
}

/* Finds the stores that are named but have no known address. Returns 0, or -1 with err set. */
static int find_absent(struct manager_known *k, struct err *err)
{
	const struct manager_config *config = k->service->config;
	const struct manager_host_row *hosts = (const void *)k->host_rows.data;
	size_t i, j, count = k->host_rows.len / sizeof *hosts;

	for (i = 0; i < config->all_stores.count; i++) {
		const char *name = config->all_stores.items[i];
		bool known = manager_config_address(config, name) != NULL;

		for (j = 0; j < count && !known; j++)
			known = strcmp(hosts[j].role, "store") == 0 &&
				strcmp(hosts[j].name, name) == 0;
		if (!known && buf_add(&k->absent, &name, sizeof name, err) != 0)
			return -1;
	}
	return 0;
}

/* Counts the damaged entries of the database, and names their tables. */
static void find_damage(struct manager_known *k)
{
	const struct manager_db_damage *found;
	size_t i, len = 0, count = manager_db_damage(k->service->db, &found);
	bool seen[MANAGER_TABLES] = {false};

	for (i = 0; i < count && len < sizeof k->damaged; i++) {
		if (!seen[found[i].table])
			len += (size_t)snprintf(k->damaged + len, sizeof k->damaged - len, "%s%s",
				len > 0 ? ", " : "", manager_db_name(found[i].table));
		seen[found[i].table] = true;
	}
	k->facts.damaged = k->damaged;
	k->facts.damaged_count = count;
}

static int read_all(struct manager_known *k, struct err *err)
{
	struct manager_db *db = k->service->db;

	if (manager_db_list(db, MANAGER_TABLE_HOSTS, NULL, &k->host_rows, err) != 0 ||
		manager_db_list(db, MANAGER_TABLE_LAST, NULL, &k->last_rows, err) != 0 ||
		manager_db_list(db, MANAGER_TABLE_ALARMS, NULL, &k->alarm_rows, err) != 0)
		return -1;
	look_at_hosts(k);
	if (find_absent(k, err) != 0)
		return -1;
	k->facts = (struct manager_facts){.hosts = (const void *)k->host_rows.data,
		.host_count = k->host_rows.len / sizeof(struct manager_host_row),
		.lasts = (const void *)k->last_rows.data,
		.last_count = k->last_rows.len / sizeof(struct manager_last_row),
		.manager = k->service->self.name,
		.absent = (const void *)k->absent.data,
		.absent_count = k->absent.len / sizeof *k->facts.absent,
		.signs_until = rpc_ca_until(k->service->ca),
		.expires = k->service->expires,
		.started = k->service->started,
		.unsaved = manager_db_fault(db)};
	find_damage(k);
	k->kept = (const void *)k->alarm_rows.data;
	k->kept_count = k->alarm_rows.len / sizeof *k->kept;
	return 0;
}

/* The connection of an agent; NULL: it is not connected. */
static const struct manager_link *link_of(const struct manager_service *s, const char *agent)
{
	const struct manager_link *link = s->links;

	while (link != NULL && (!link->hello || rpc_conn_peer(link->conn)->role != RPC_AGENT ||
				       strcmp(rpc_conn_peer(link->conn)->name, agent) != 0))
		link = link->next;
	return link;
}

/* Adds the progress of runs to the rows. */
static void add_running(struct manager_known *k)
{
	struct manager_status_row *status = (void *)k->status_rows.data;
	int64_t now_ms = rpc_loop_now_ms(k->service->o.loop);
	const struct manager_running *running;
	const struct manager_last_row *last;
	const struct manager_link *link;
	char text[MANAGER_RUNNING_TEXT];
	size_t i, len;

	for (i = 0; i < k->facts.job_count; i++, status++) {
		last = manager_last_find(
			k->facts.lasts, k->facts.last_count, status->agent, status->job);
		if (last == NULL || !last->running)
			continue;
		link = link_of(k->service, status->agent);
		running = link != NULL ? manager_running_find(&link->runnings, status->job) : NULL;
		if (link == NULL) {
			strcpy(text, "its agent is not connected");
		} else if (running == NULL) {
			continue;
		} else {
			status->bytes = running->bytes;
			status->entries = running->entries;
			status->rate = manager_running_silent(running, now_ms) ? 0 : running->rate;
			status->total = last->content;
			manager_running_print(text, running, last->content, now_ms);
		}
		len = strlen(status->reason);
		snprintf(status->reason + len, sizeof status->reason - len, ": %s", text);
	}
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
	if (read_all(k, err) != 0 ||
		manager_watch(s->config, k->facts.hosts, k->facts.host_count, k->facts.lasts,
			k->facts.last_count, now, &k->status_rows, err) != 0)
		return -1;
	k->facts.jobs = (const void *)k->status_rows.data;
	k->facts.job_count = k->status_rows.len / sizeof *k->facts.jobs;
	add_running(k);
	if (manager_trouble_list(&k->facts, now, &k->trouble_rows, err) != 0)
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

	if (strcmp(k->service->unsaved.alarm, alarm) == 0)
		return &k->service->unsaved;
	snprintf(key.alarm, sizeof key.alarm, "%s", alarm);
	return k->kept_count > 0 ? bsearch(&key, k->kept, k->kept_count, sizeof key, by_alarm)
				 : NULL;
}
