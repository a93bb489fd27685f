/*
 * Functions that the service's files share: log, connections, hosts, stores, managers, plans,
 * replies.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/inner_service.h"
#include "lib/mem.h"

#define CALL_MS 250 /* before all are notified: once for several changes */

/* --- helpers --------------------------------------------------------------- */

void manager_inner_log(struct manager_service *s, enum manager_level level, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	s->o.log(s->o.ctx, level, text);
}

void manager_inner_audit(
	struct manager_service *s, const struct rpc_identity *who, const char *fmt, ...)
{
	struct manager_audit_row row = {.time = time(NULL)};
	struct manager_db_key key;
	struct err err = {0};
	va_list args;

	va_start(args, fmt);
	vsnprintf(row.what, sizeof row.what, fmt, args);
	va_end(args);
	snprintf(row.who, sizeof row.who, "%s %s", rpc_role_name(who->role), who->name);
	manager_inner_log(s, MANAGER_NOTICE, "%s: %s", row.who, row.what);
	s->audits++;
	manager_db_time(&key, row.time, s->self.name, &s->audits, sizeof s->audits);
	if (manager_db_put(s->db, MANAGER_TABLE_AUDIT, &key, &row, &err) != 0)
		manager_inner_log(s, MANAGER_ERROR, "audit: %s", err.message);
}

/* --- hosts ----------------------------------------------------------------- */

struct manager_link *manager_inner_link(struct manager_service *s, struct rpc_call *call)
{
	const struct rpc_identity *peer = rpc_call_peer(call);
	struct manager_link *link;

	for (link = s->links; link != NULL; link = link->next)
		if (rpc_conn_peer(link->conn) == peer)
			return link;
	return NULL;
}

int manager_inner_get_host(struct manager_service *s, const char *role, const char *name,
	struct manager_host_row *row, struct err *err)
{
	struct manager_db_key key;

	manager_db_words(&key, role, name);
	return manager_db_get(s->db, MANAGER_TABLE_HOSTS, &key, row, err);
}

int manager_inner_put_host(
	struct manager_service *s, const struct manager_host_row *row, struct err *err)
{
	struct manager_db_key key;

	manager_db_words(&key, row->role, row->name);
	return manager_db_put(s->db, MANAGER_TABLE_HOSTS, &key, row, err);
}

struct manager_host_row manager_inner_new_host(const char *role, const char *name, const char *host)
{
	struct manager_host_row row = {.since = time(NULL)};

	snprintf(row.role, sizeof row.role, "%s", role);
	snprintf(row.name, sizeof row.name, "%s", name);
	snprintf(row.host, sizeof row.host, "%s", host);
	return row;
}

int manager_inner_find_host(struct manager_service *s, const struct rpc_identity *peer,
	struct manager_host_row *row, struct err *err)
{
	const char *role = rpc_role_name(peer->role);
	int ret = manager_inner_get_host(s, role, peer->name, row, err);

	if (ret < 0)
		return -1;
	/* A name is free for another machine if its machine was denied or is to be replaced. */
	if (ret == 1 || (strcmp(row->host, peer->host) != 0 &&
				(rpc_deny_has(&s->deny, row->host) || row->replace > time(NULL))))
		*row = manager_inner_new_host(role, peer->name, peer->host);
	if (strcmp(row->host, peer->host) == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		"another machine is known as the %s %s (host id %.8s, this one is %.8s); if this "
		"one is to take its place: 'fdump token %s %s --replace' (the token is not needed, "
		"for it has joined)",
		row->role, row->name, row->host, peer->host, row->role, row->name);
}

int manager_inner_host(
	struct manager_service *s, struct rpc_call *call, struct manager_host_row *row)
{
	struct manager_link *link = manager_inner_link(s, call);
	struct err err = {0};

	if (link == NULL || !link->hello)
		err_set(&err, ERR_DENIED, "say hello first");
	else if (manager_inner_find_host(s, rpc_call_peer(call), row, &err) == 0)
		return 0;
	rpc_call_fail(call, &err);
	return -1;
}

int manager_inner_load_stores(struct manager_service *s, struct err *err)
{
	struct buf rows;
	int ret;

	buf_init(&rows, SIZE_MAX);
	ret = manager_db_list(s->db, MANAGER_TABLE_HOSTS, "store", &rows, err);
	if (ret == 0) {
		struct manager_host_row *row = (void *)rows.data;
		size_t i, count = rows.len / sizeof *row;

		s->store_count = 0;
		for (i = 0; i < count; i++)
			if (row[i].reach[0] != 0 && !rpc_deny_has(&s->deny, row[i].host))
				row[s->store_count++] = row[i];
		buf_fini(&s->store_rows);
		s->store_rows = rows;
		s->stores = row;
	} else {
		buf_fini(&rows);
	}
	return ret;
}

int manager_inner_address(const struct manager_service *s, const char *port,
	char to[MANAGER_HOST_PORT + 1], struct err *err)
{
	bool v6 = strchr(s->o.address, ':') != NULL;

	if ((size_t)snprintf(to, MANAGER_HOST_PORT + 1, v6 ? "[%s]:%s" : "%s:%s", s->o.address,
		    port) <= MANAGER_HOST_PORT)
		return 0;
	return err_set(err, ERR_LIMIT, "%.64s...: the address is too long", s->o.address);
}

const char *manager_inner_reach(
	const struct manager_service *s, const struct manager_host_row *store)
{
	const char *address = manager_config_address(s->config, store->name);

	return address != NULL ? address : store->reach;
}

/* Whether the manager known by this name is denied; then agents and stores are not told of it. */
static bool is_denied(struct manager_service *s, const char *manager)
{
	struct manager_host_row row;

	return manager_inner_get_host(s, "manager", manager, &row, NULL) == 0 &&
	       rpc_deny_has(&s->deny, row.host);
}

size_t manager_inner_peers(struct manager_service *s, struct manager_peer peers[MANAGER_PEERS_MAX])
{
	size_t i, n = 0;
	bool self = false;

	for (i = 0; i < s->config->manager_count && n < MANAGER_PEERS_MAX - 1; i++) {
		const struct manager_config_section *m = &s->config->managers[i];
		bool is_self = strcmp(m->name, s->self.name) == 0;

		self |= is_self;
		if (!is_self && (m->address == NULL || is_denied(s, m->name)))
			continue;
		snprintf(peers[n].name, sizeof peers[n].name, "%s", m->name);
		snprintf(peers[n].address, sizeof peers[n].address, "%s",
			m->address != NULL ? m->address : s->address);
		n++;
	}
	if (!self) {
		strcpy(peers[n].name, s->self.name);
		strcpy(peers[n].address, s->address);
		n++;
	}
	return n;
}

/* --- plans ----------------------------------------------------------------- */

int manager_inner_plan(struct manager_service *s, const char *agent, struct buf *plan,
	uint8_t digest[MANAGER_DIGEST_LEN], struct err *err)
{
	struct manager_plan_store known[MANAGER_STORES_MAX];
	size_t i;

	for (i = 0; i < s->store_count && i < MANAGER_STORES_MAX; i++) {
		known[i] = (struct manager_plan_store){.name = s->stores[i].name,
			.address = s->stores[i].reach,
			.has_uid = true,
			.has_key = true};
		memcpy(known[i].uid, s->stores[i].uid, MANAGER_UID_LEN);
		memcpy(known[i].key, s->stores[i].key, MANAGER_KEY_LEN);
	}
	if (manager_config_plan(s->config, agent, known, i, plan, err) != 0)
		return -1;
	manager_plan_digest(plan->data, plan->len, digest);
	return 0;
}

static void call_all(void *arg)
{
	struct manager_service *s = arg;
	struct manager_link *link;

	for (link = s->links; link != NULL; link = link->next) {
		enum rpc_role role = rpc_conn_peer(link->conn)->role;

		/* Those whose hello was refused too: they may be let in now. If this fails, the
		 * next hello will bring the news. */
		if (role == RPC_AGENT || role == RPC_STORE)
			rpc_notify(link->conn, MANAGER_METHOD_PLAN_CHANGED, "\xa0", 1, NULL);
	}
}

void manager_inner_call_all(struct manager_service *s)
{
	if (!s->ending && !rpc_timer_on(&s->call))
		rpc_timer_start(&s->call, s->o.loop, CALL_MS, call_all, s);
}

void manager_inner_reply(struct rpc_call *call, const struct cbormap_field *fields, const void *msg)
{
	uint8_t mem[MANAGER_MSG_MAX];

	rpc_call_reply(call, mem, manager_msg_put(mem, fields, msg), NULL);
}

static void free_sent(void *arg, const struct err *err)
{
	(void)err;
	buf_fini(arg);
	free(arg);
}

void manager_inner_reply_blob(struct rpc_call *call, const void *map, size_t len, struct buf *buf)
{
	static const struct rpc_call_ops ops = {.done = free_sent};
	struct err err = {0};
	struct buf *sent = mem_new(sizeof *sent, &err);

	if (sent == NULL) {
		buf_fini(buf);
		rpc_call_fail(call, &err);
		return;
	}
	*sent = *buf;
	rpc_call_serve(call, &ops, sent);
	rpc_call_reply(call, map, len, sent);
}

void manager_inner_listing(struct manager_service *s, struct rpc_call *call, struct buf *buf)
{
	struct manager_msg_listing msg = {.now = time(NULL)};
	uint8_t mem[MANAGER_MSG_MAX];

	strcpy(msg.manager, s->self.name);
	manager_inner_reply_blob(
		call, mem, manager_msg_put(mem, manager_listing_fields, &msg), buf);
}
