/*
 * Hello: an agent or store reports its identity and state; the answer has everything that it must
 * know. If something is wrong with it there is an alarm: another machine under its name, two
 * machines with its files, a wrong clock, a different plan.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/inner_service.h"
#include "lib/esc.h"

#define STORE_PORT_TEXT "7421"

/* Detects two machines that use the same files. A machine that is restarted has a new boot id, and
 * never one that it had before. So if the previous boot id is seen again, a second machine is
 * alive. To find out at once, the other connections of this host are asked to say hello. */
static void look_for_clone(struct manager_service *s, const struct manager_hello *h,
	const struct manager_link *link, struct manager_host_row *row)
{
	const char *host = rpc_conn_peer(link->conn)->host;
	const struct manager_link *other;

	if (manager_is_zero(h->boot, sizeof h->boot) ||
		memcmp(h->boot, row->boot, sizeof row->boot) == 0)
		return;
	if (memcmp(h->boot, row->boot_before, sizeof row->boot_before) == 0)
		row->cloned = time(NULL);
	memcpy(row->boot_before, row->boot, sizeof row->boot_before);
	memcpy(row->boot, h->boot, sizeof row->boot);
	memcpy(row->address_before, row->address, sizeof row->address_before);
	if (manager_is_zero(row->boot_before, sizeof row->boot_before))
		return;
	for (other = s->links; other != NULL; other = other->next)
		if (other != link && other->hello &&
			strcmp(rpc_conn_peer(other->conn)->host, host) == 0)
			rpc_notify(other->conn, MANAGER_METHOD_PLAN_CHANGED, "\xa0", 1, NULL);
}

static void look_at_agent(struct manager_service *s, const struct manager_hello *h,
	const struct manager_link *link, struct manager_host_row *row)
{
	bool has_plan = !manager_is_zero(h->digest, sizeof h->digest);
	bool same = has_plan && memcmp(h->digest, link->digest, sizeof h->digest) == 0;

	if (same)
		row->refused[0] = 0;
	row->differs =
		has_plan && h->follows[0] != 0 && strcmp(h->follows, s->self.name) != 0 && !same;
	strcpy(row->follows, h->follows);
	memcpy(row->digest, h->digest, sizeof row->digest);
	if (!manager_is_zero(h->journal, sizeof h->journal) &&
		memcmp(row->journal, h->journal, sizeof row->journal) != 0) {
		if (row->acked > 0)
			manager_inner_log(s, MANAGER_WARNING,
				"%s has a new journal: it lost its state, or was set up again",
				row->name);
		memcpy(row->journal, h->journal, sizeof row->journal);
		row->acked = 0;
	}
}

/* Sets HOST:PORT of a store: as it says, or :PORT at the address that it came from. */
static void set_reach(struct manager_host_row *row, const char *says, const char *address)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8], text[MANAGER_ADDRESS_MAX];
	const char *end = strrchr(address, ':');
	int from = end != NULL ? (int)(end - address) : 0;

	/* This goes into lists on other machines, so anything that is not an address is ignored. */
	snprintf(text, sizeof text, "%.*s%.200s", says[0] == ':' ? from : 0, address, says);
	if (says[0] == 0 || rpc_address_split(text, host, port, STORE_PORT_TEXT, NULL) != 0)
		snprintf(text, sizeof text, "%.*s:" STORE_PORT_TEXT, from, address);
	strcpy(row->reach, text);
}

/* Returns 0, or -1 with err set: it is another store, or a copy. *changed: agents must be told. */
static int look_at_store(const struct manager_service *s, const struct manager_hello *h,
	const char *address, struct manager_host_row *row, bool *changed, struct err *err)
{
	struct manager_host_row before = *row;
	size_t i;

	if (manager_is_zero(h->uid, sizeof h->uid) || manager_is_zero(h->key, sizeof h->key))
		return err_set(err, ERR_USAGE, "hello: a store must give its uid and its key");
	if (row->reach[0] != 0 && (memcmp(row->uid, h->uid, sizeof row->uid) != 0 ||
					  memcmp(row->key, h->key, sizeof row->key) != 0))
		return err_set(err, ERR_DENIED,
			"the store %s is not the same as before: its uid or its key has changed; "
			"if it was replaced on purpose: fdump token store %s --replace",
			row->name, row->name);
	for (i = 0; i < s->store_count; i++)
		if (memcmp(s->stores[i].uid, h->uid, sizeof h->uid) == 0 &&
			strcmp(s->stores[i].name, row->name) != 0)
			return err_set(err, ERR_DENIED,
				"the store %s has the uid of the store %s: its directory is a "
				"copy (make a new store, and fill it by 'fdump store replicate'), "
				"or has moved (then: fdump revoke store %s)",
				row->name, s->stores[i].name, s->stores[i].name);
	memcpy(row->uid, h->uid, sizeof row->uid);
	memcpy(row->key, h->key, sizeof row->key);
	row->size = h->size;
	row->used = h->used;
	row->free = h->free;
	row->damaged = h->damaged;
	esc_line(row->fault, sizeof row->fault, h->fault, strlen(h->fault));
	set_reach(row, h->address, address);
	*changed = strcmp(before.reach, row->reach) != 0;
	return 0;
}

/* Managers don't call one another. This one learns of another one from the machines whose
 * certificates it signed, so that the other one can be listed and denied. Returns 0, or -1 with err
 * set. */
static int keep_signer(struct manager_service *s, const struct rpc_issuer *issuer, struct err *err)
{
	struct manager_host_row row;
	struct rpc_identity signer;
	int ret;

	if (strcmp(issuer->manager, s->self.name) == 0)
		return 0;
	if (rpc_identity_set(&signer, RPC_MANAGER, issuer->manager, issuer->host, err) != 0)
		return -1;
	ret = manager_inner_get_host(s, "manager", signer.name, &row, err);
	if (ret < 0)
		return -1;
	/* If the known one is denied it may have been replaced. */
	if (ret == 0 && (strcmp(row.host, signer.host) == 0 || !rpc_deny_has(&s->deny, row.host)))
		return 0;
	if (manager_inner_find_host(s, &signer, &row, err) != 0)
		return -1;
	return manager_inner_put_host(s, &row, err);
}

/* Puts a hello into the row. Returns 0, or -1 with err set. */
static int take_hello(struct manager_service *s, const struct manager_hello *h,
	struct manager_link *link, struct manager_host_row *row, bool *changed, bool *replaced,
	struct err *err)
{
	const struct rpc_identity *peer = rpc_conn_peer(link->conn);
	const char *address = rpc_conn_address(link->conn);
	int64_t now = time(NULL), off = h->clock - now;
	struct buf plan;
	int ret = 0;

	*changed = false;
	if (manager_inner_find_host(s, peer, row, err) != 0 ||
		keep_signer(s, &peer->issuer, err) != 0)
		return -1;
	if (peer->role == RPC_STORE && look_at_store(s, h, address, row, changed, err) != 0)
		return -1;
	if (peer->role == RPC_AGENT) {
		buf_init(&plan, MANAGER_PLAN_MAX);
		ret = manager_inner_plan(s, peer->name, &plan, link->digest, err);
		buf_fini(&plan);
		look_at_agent(s, h, link, row);
	}
	if (ret != 0)
		return -1;
	look_for_clone(s, h, link, row);
	row->clock_off = off;
	row->seen = now;
	snprintf(row->address, sizeof row->address, "%s", address);
	esc_line(row->version, sizeof row->version, h->version, strlen(h->version));
	row->expires = h->expires;
	ret = manager_inner_deny_other(s, row->role, row->name, row->host, err);
	*replaced = ret == 0;
	if (*replaced)
		manager_inner_log(s, MANAGER_NOTICE,
			"%s %s is another machine now; the one before is denied", row->role,
			row->name);
	return ret < 0 ? -1 : manager_inner_put_host(s, row, err);
}

/* Replies with *w, to which it adds the fleet's stores and managers. */
static void reply_welcome(
	struct manager_service *s, struct rpc_call *call, struct manager_welcome *w)
{
	struct manager_store_text *store = w->stores;
	struct err err = {0};
	struct buf reply;
	size_t i;

	for (i = 0; i < s->store_count && i < MANAGER_STORES_MAX; i++, store++) {
		strcpy(store->name, s->stores[i].name);
		strcpy(store->address, manager_inner_reach(s, &s->stores[i]));
		memcpy(store->uid, s->stores[i].uid, sizeof store->uid);
		memcpy(store->key, s->stores[i].key, sizeof store->key);
	}
	w->store_count = i;
	w->manager_count = manager_inner_peers(s, w->managers);
	buf_init(&reply, MANAGER_WELCOME_MAX);
	if (manager_welcome_put(&reply, w, &err) == 0)
		rpc_call_reply(call, reply.data, reply.len, NULL);
	else
		rpc_call_fail(call, &err);
	buf_fini(&reply);
}

void manager_inner_fleet(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_welcome w = {.clock = time(NULL)};

	(void)values;
	reply_welcome(ctx, call, &w);
}

/* Notes a machine or store that is not the one known by its name. */
static void note_stranger(
	struct manager_service *s, const struct manager_link *link, const struct err *why)
{
	const char *address = rpc_conn_address(link->conn);
	const struct rpc_identity *peer = rpc_conn_peer(link->conn);
	struct manager_host_row row;
	struct err err = {0};
	char text[MANAGER_REASON_MAX];

	manager_inner_log(s, MANAGER_ERROR, "%s: refused: %s", address, why->message);
	if (manager_inner_get_host(s, rpc_role_name(peer->role), peer->name, &row, &err) != 0)
		return;
	snprintf(text, sizeof text, "from %s: %s", address, why->message);
	esc_line(row.stranger, sizeof row.stranger, text, strlen(text));
	row.strange = time(NULL);
	if (manager_inner_put_host(s, &row, &err) == 0)
		manager_inner_commit_soon(s);
	else
		manager_inner_log(s, MANAGER_ERROR, "state: %s", err.message);
}

void manager_inner_hello(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_service *s = ctx;
	struct manager_link *link = manager_inner_link(s, call);
	const struct rpc_identity *peer = rpc_call_peer(call);
	struct manager_host_row row;
	struct manager_welcome w = {.clock = time(NULL)};
	struct manager_hello h = {.clock = 0};
	struct err err = {0};
	bool changed, replaced, first;

	if (link == NULL) {
		err_set(&err, ERR_CLOSED, "the connection is ending");
		rpc_call_fail(call, &err);
		return;
	}
	cbormap_store(&h, manager_hello_fields, values);
	if (take_hello(s, &h, link, &row, &changed, &replaced, &err) != 0) {
		link->hello &= err.code != ERR_DENIED;
		if (err.code == ERR_DENIED)
			note_stranger(s, link, &err);
		rpc_call_fail(call, &err);
		return;
	}
	first = !link->hello;
	link->hello = true;
	if (first)
		manager_inner_log(s, MANAGER_INFO, "%s %s at %s: hello, FDump %s",
			rpc_role_name(peer->role), peer->name, rpc_conn_address(link->conn),
			row.version);
	if (!replaced)
		manager_inner_commit_soon(s);
	else if (manager_inner_commit(s, &err) != 0)
		manager_inner_log(s, MANAGER_ERROR, "state: %s", err.message);
	if (changed && manager_inner_load_stores(s, &err) != 0)
		manager_inner_log(s, MANAGER_ERROR, "%s", err.message);
	w.acked = row.acked;
	memcpy(w.digest, link->digest, sizeof w.digest); /* zeros for a store */
	if (manager_inner_denied(s, &w, &err) == 0)
		reply_welcome(s, call, &w);
	else
		rpc_call_fail(call, &err);
	if (replaced)
		manager_inner_denied_changed(s);
	else if (changed)
		manager_inner_call_all(s);
}
