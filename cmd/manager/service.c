/* Connections, and what agents and stores ask. */
#include "cmd/manager/service.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd/manager/inner_service.h"
#include "lib/cbor.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "rpc/join.h"
#include "rpc/sponsor.h"
#include "rpc/tls.h"

#define DEADLINE_MS     60000
#define TEND_MS         3600000 /* between looks at the own certificates */
#define CLOCK_SEC       300     /* a clock that differs by more is reported */
#define STORE_PORT_TEXT "7421"

/* --- small things ---------------------------------------------------------- */

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

void manager_inner_reply_uint(struct rpc_call *call, const char *key, uint64_t value)
{
	struct cbor_out out;
	uint8_t mem[64];

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, key);
	cbor_put_uint(&out, value);
	assert(!cbor_out_full(&out));
	rpc_call_reply(call, mem, cbor_out_len(&out), false);
}

static int join_path(char to[PATH_MAX], const char *dir, const char *name, struct err *err)
{
	if ((size_t)snprintf(to, PATH_MAX, "%s/%s", dir, name) < PATH_MAX)
		return 0;
	return err_set(err, ERR_LIMIT, "%.64s...: the path is too long", dir);
}

/* --- links ----------------------------------------------------------------- */

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct manager_service *s = arg;
	struct manager_link *link = calloc(1, sizeof *link);

	if (link == NULL) {
		rpc_conn_shutdown(conn);
		return;
	}
	link->conn = conn;
	link->next = s->links;
	s->links = link;
}

static void on_down(void *arg, struct rpc_conn *conn, const struct err *why)
{
	struct manager_service *s = arg;
	struct manager_link **at = &s->links, *link;
	const struct rpc_identity *peer = rpc_conn_peer(conn);

	while (*at != NULL && (*at)->conn != conn)
		at = &(*at)->next;
	link = *at;
	if (link == NULL)
		return;
	*at = link->next;
	if (link->hello)
		manager_inner_log(s, MANAGER_INFO, "%s %s at %s has gone%s%s",
			rpc_role_name(peer->role), peer->name, rpc_conn_address(conn),
			why->code != ERR_NONE ? ": " : "",
			why->code != ERR_NONE ? why->message : "");
	free(link);
}

static void on_refused(void *arg, const char *address, const struct err *why)
{
	manager_inner_log(arg, MANAGER_WARNING, "%s: refused: %s", address, why->message);
}

static void on_access(void *ctx, const struct rpc_access *access)
{
	struct manager_service *s = ctx;

	s->o.access(s->o.ctx, access);
}

struct manager_link *manager_inner_link(struct manager_service *s, struct rpc_call *call)
{
	const struct rpc_identity *peer = rpc_call_peer(call);
	struct manager_link *link;

	for (link = s->links; link != NULL; link = link->next)
		if (rpc_conn_peer(link->conn) == peer)
			return link;
	return NULL;
}

/* --- hosts ----------------------------------------------------------------- */

static void host_key(struct manager_db_key *key, const struct rpc_identity *peer)
{
	manager_db_words(key, rpc_role_name(peer->role), peer->name);
}

/* The row of a peer; one that is not known yet is begun. Returns 0, or -1 with err set: another
 * machine is known by this name. */
static int find_host(struct manager_service *s, const struct rpc_identity *peer,
	struct manager_host_row *row, struct err *err)
{
	struct manager_db_key key;
	int ret;

	host_key(&key, peer);
	ret = manager_db_get(s->db, MANAGER_TABLE_HOSTS, &key, row, err);
	if (ret < 0)
		return -1;
	/* A name whose machine was denied is free for another one. */
	if (ret == 0 && strcmp(row->host, peer->host) != 0 && rpc_deny_has(&s->deny, row->host))
		ret = 1;
	if (ret == 1) {
		*row = (struct manager_host_row){.since = time(NULL)};
		strcpy(row->name, peer->name);
		strcpy(row->role, rpc_role_name(peer->role));
		strcpy(row->host, peer->host);
	}
	if (strcmp(row->host, peer->host) == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		"another machine is known as the %s %s (host id %.8s, this one is %.8s): "
		"'fdump token %s %s --replace' makes a token that lets a new one take its place",
		row->role, row->name, row->host, peer->host, row->role, row->name);
}

int manager_inner_host(
	struct manager_service *s, struct rpc_call *call, struct manager_host_row *row)
{
	struct manager_link *link = manager_inner_link(s, call);
	struct err err = {0};

	if (link == NULL || !link->hello)
		err_set(&err, ERR_DENIED, "say hello first");
	else if (find_host(s, rpc_call_peer(call), row, &err) == 0)
		return 0;
	rpc_call_fail(call, &err);
	return -1;
}

static int keep_store(void *ctx, const struct manager_db_key *key, const void *row)
{
	struct manager_service *s = ctx;
	const struct manager_host_row *host = row;
	struct manager_host_row *grown;

	(void)key;
	if (host->reach[0] == 0 || rpc_deny_has(&s->deny, host->host))
		return 0;
	grown = realloc(s->stores, (s->store_count + 1) * sizeof *grown);
	if (grown == NULL)
		return -1;
	s->stores = grown;
	grown[s->store_count++] = *host;
	return 0;
}

int manager_inner_load_stores(struct manager_service *s, struct err *err)
{
	struct manager_db_key prefix;

	s->store_count = 0;
	manager_db_words(&prefix, "store", "");
	if (manager_db_each(s->db, MANAGER_TABLE_HOSTS, &prefix, keep_store, s, err) == 0)
		return 0;
	return err != NULL && err->code != ERR_NONE
		       ? -1
		       : err_set(err, ERR_NOMEM, "stores: out of memory");
}

size_t manager_inner_peers(
	const struct manager_service *s, struct manager_peer peers[MANAGER_PEERS_MAX])
{
	size_t i, n = 0;
	bool self = false;

	for (i = 0; i < s->config->manager_count && n < MANAGER_PEERS_MAX - 1; i++) {
		const struct manager_config_store *m = &s->config->managers[i];
		bool is_self = strcmp(m->name, s->self.name) == 0;

		self |= is_self;
		if (m->address == NULL && !is_self)
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

/* Appends the plan of an agent, with its digest. Returns 0, or -1 with err set. */
static int make_plan(struct manager_service *s, const char *agent, struct buf *plan,
	uint8_t digest[MANAGER_DIGEST_LEN], struct err *err)
{
	struct manager_known_store known[MANAGER_STORES_MAX];
	size_t i, n = 0;

	for (i = 0; i < s->store_count && n < MANAGER_STORES_MAX; i++, n++) {
		known[n].name = s->stores[i].name;
		known[n].address = s->stores[i].reach;
		memcpy(known[n].uid, s->stores[i].uid, MANAGER_UID_LEN);
		memcpy(known[n].key, s->stores[i].key, MANAGER_KEY_LEN);
	}
	if (manager_config_plan(s->config, agent, known, n, plan, err) != 0)
		return -1;
	manager_plan_digest(plan->data, plan->len, digest);
	return 0;
}

void manager_inner_plans_changed(struct manager_service *s)
{
	uint8_t digest[MANAGER_DIGEST_LEN];
	struct manager_link *link;
	struct err err = {0};
	struct buf plan;

	buf_init(&plan, MANAGER_PLAN_MAX);
	for (link = s->links; link != NULL; link = link->next) {
		const struct rpc_identity *peer = rpc_conn_peer(link->conn);

		if (!link->hello || peer->role != RPC_AGENT)
			continue;
		buf_clear(&plan);
		if (make_plan(s, peer->name, &plan, digest, &err) != 0) {
			manager_inner_log(s, MANAGER_ERROR, "%s: %s", peer->name, err.message);
			continue;
		}
		if (memcmp(digest, link->digest, sizeof digest) == 0)
			continue;
		memcpy(link->digest, digest, sizeof digest);
		/* One that could not be told hears it with its next hello. */
		rpc_notify(link->conn, MANAGER_METHOD_PLAN_CHANGED, "\xa0", 1, NULL);
	}
	buf_fini(&plan);
}

static int fill_bytes(void *arg, uint8_t *to, size_t cap, size_t *len, bool *last, struct err *err);
static void free_bytes(void *arg, const struct err *err);

/* Bytes that are sent as a blob. */
struct sent {
	struct buf bytes;
	size_t at;
};
static const struct rpc_call_ops sent_ops = {.fill = fill_bytes, .done = free_bytes};

static int fill_bytes(void *arg, uint8_t *to, size_t cap, size_t *len, bool *last, struct err *err)
{
	struct sent *sent = arg;
	size_t left = sent->bytes.len - sent->at;

	(void)err;
	*len = left < cap ? left : cap;
	if (*len > 0)
		memcpy(to, sent->bytes.data + sent->at, *len);
	sent->at += *len;
	*last = sent->at == sent->bytes.len;
	return 0;
}

static void free_bytes(void *arg, const struct err *err)
{
	struct sent *sent = arg;

	(void)err;
	buf_fini(&sent->bytes);
	free(sent);
}

/* Takes buf over. */
static void reply_blob(struct rpc_call *call, const void *map, size_t len, struct buf *buf)
{
	struct sent *sent = calloc(1, sizeof *sent);
	struct err err = {0};

	if (sent == NULL) {
		buf_fini(buf);
		err_set(&err, ERR_NOMEM, "out of memory");
		rpc_call_fail(call, &err);
		return;
	}
	sent->bytes = *buf;
	rpc_call_serve(call, &sent_ops, sent);
	rpc_call_reply(call, map, len, true);
}

void manager_inner_listing(struct manager_service *s, struct rpc_call *call, struct buf *buf)
{
	uint8_t mem[NAME_LEN_MAX + 64];
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "now");
	cbor_put_int(&out, time(NULL));
	cbor_put_text(&out, "manager");
	cbor_put_text(&out, s->self.name);
	assert(!cbor_out_full(&out));
	reply_blob(call, mem, cbor_out_len(&out), buf);
}

static void handle_plan(void *ctx, struct rpc_call *call, const struct rpc_value *values)
{
	struct manager_service *s = ctx;
	uint8_t digest[MANAGER_DIGEST_LEN];
	struct manager_host_row row;
	struct err err = {0};
	struct buf plan;

	(void)values;
	if (manager_inner_host(s, call, &row) != 0)
		return;
	buf_init(&plan, MANAGER_PLAN_MAX);
	if (make_plan(s, row.name, &plan, digest, &err) != 0) {
		buf_fini(&plan);
		rpc_call_fail(call, &err);
		return;
	}
	memcpy(manager_inner_link(s, call)->digest, digest, sizeof digest);
	reply_blob(call, "\xa0", 1, &plan);
}

/* --- hello ----------------------------------------------------------------- */

/* One machine that is there twice, since it started at different times: its files were copied. */
static void look_for_clone(struct manager_service *s, const struct manager_link *link)
{
	static const uint8_t unknown[MANAGER_BOOT_LEN];
	const struct rpc_identity *peer = rpc_conn_peer(link->conn);
	const struct manager_link *other;

	for (other = s->links; other != NULL; other = other->next)
		if (other != link && other->hello &&
			strcmp(rpc_conn_peer(other->conn)->host, peer->host) == 0 &&
			memcmp(other->boot, link->boot, sizeof link->boot) != 0 &&
			memcmp(other->boot, unknown, sizeof unknown) != 0 &&
			memcmp(link->boot, unknown, sizeof unknown) != 0)
			manager_inner_log(s, MANAGER_ERROR,
				"alarm: cloned %s: two machines use the identity of %s, at %s and "
				"at %s: make a new token for one of them",
				rpc_role_name(peer->role), peer->name, rpc_conn_address(link->conn),
				rpc_conn_address(other->conn));
}

static void look_at_agent(struct manager_service *s, const struct manager_hello *h,
	const struct manager_link *link, struct manager_host_row *row)
{
	bool differs = h->has_digest && h->follows[0] != 0 &&
		       strcmp(h->follows, s->self.name) != 0 &&
		       memcmp(h->digest, link->digest, sizeof h->digest) != 0;

	if (differs && (memcmp(row->digest, h->digest, sizeof row->digest) != 0 ||
			       strcmp(row->follows, h->follows) != 0))
		manager_inner_log(s, MANAGER_ERROR,
			"alarm: the plan of %s is another one on the manager %s: is manager.conf "
			"the same there?",
			row->name, h->follows);
	strcpy(row->follows, h->follows);
	memcpy(row->digest, h->digest, sizeof row->digest);
	if (!h->has_journal)
		return;
	if (memcmp(row->journal, h->journal, sizeof row->journal) != 0) {
		if (row->acked > 0)
			manager_inner_log(s, MANAGER_WARNING,
				"%s has a new journal: it lost its state, or was set up again",
				row->name);
		memcpy(row->journal, h->journal, sizeof row->journal);
		row->acked = 0;
	}
}

/* HOST:PORT of a store: as it says, else where it came from. */
static void set_reach(struct manager_host_row *row, const char *says, const char *address)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	const char *end = strrchr(address, ':');

	if (says[0] != 0 && strlen(says) < sizeof row->reach &&
		rpc_address_split(says, host, port, STORE_PORT_TEXT, NULL) == 0)
		snprintf(row->reach, sizeof row->reach, "%s", says);
	else if (end != NULL)
		snprintf(row->reach, sizeof row->reach, "%.*s:" STORE_PORT_TEXT,
			(int)(end - address), address);
}

/* Returns 0, or -1 with err set: it is another store. *changed: agents are to know. */
static int look_at_store(const struct manager_hello *h, const char *address,
	struct manager_host_row *row, bool *changed, struct err *err)
{
	struct manager_host_row before = *row;

	if (!h->is_store)
		return err_set(err, ERR_USAGE, "hello: a store says its uid and its key");
	if (row->reach[0] != 0 && (memcmp(row->uid, h->uid, sizeof row->uid) != 0 ||
					  memcmp(row->key, h->key, sizeof row->key) != 0))
		return err_set(err, ERR_DENIED,
			"the store %s is another one than before: its uid or its key has changed; "
			"if it was replaced on purpose: fdump token store %s --replace",
			row->name, row->name);
	memcpy(row->uid, h->uid, sizeof row->uid);
	memcpy(row->key, h->key, sizeof row->key);
	row->free = h->free;
	set_reach(row, h->address, address);
	*changed = strcmp(before.reach, row->reach) != 0;
	return 0;
}

/* What a hello says goes into the row. Returns 0, or -1 with err set. */
static int take_hello(struct manager_service *s, const struct manager_hello *h,
	struct manager_link *link, struct manager_host_row *row, bool *changed, struct err *err)
{
	const struct rpc_identity *peer = rpc_conn_peer(link->conn);
	const char *address = rpc_conn_address(link->conn);
	struct manager_db_key key;
	int64_t now = time(NULL), off = h->clock - now;
	struct buf plan;
	int ret = 0;

	*changed = false;
	if (find_host(s, peer, row, err) != 0)
		return -1;
	if (peer->role == RPC_STORE && look_at_store(h, address, row, changed, err) != 0)
		return -1;
	if (peer->role == RPC_AGENT) {
		buf_init(&plan, MANAGER_PLAN_MAX);
		ret = make_plan(s, peer->name, &plan, link->digest, err);
		buf_fini(&plan);
		look_at_agent(s, h, link, row);
	}
	if (ret != 0)
		return -1;
	if ((off > CLOCK_SEC || off < -CLOCK_SEC) &&
		!(row->clock_off > CLOCK_SEC || row->clock_off < -CLOCK_SEC))
		manager_inner_log(s, MANAGER_WARNING, "alarm: the clock of %s %s is %s by %lld s",
			row->role, row->name, off > 0 ? "ahead" : "behind",
			(long long)(off > 0 ? off : -off));
	row->clock_off = off;
	row->seen = now;
	snprintf(row->address, sizeof row->address, "%s", address);
	esc_line(row->version, sizeof row->version, h->version, strlen(h->version));
	memcpy(row->boot, h->boot, sizeof row->boot);
	host_key(&key, peer);
	return manager_db_put(s->db, MANAGER_TABLE_HOSTS, &key, row, err);
}

static void welcome(struct manager_service *s, struct rpc_call *call, struct manager_link *link,
	const struct manager_host_row *row)
{
	struct manager_welcome w = {.clock = time(NULL), .acked = row->acked};
	struct manager_plan_store stores[MANAGER_STORES_MAX];
	struct manager_peer peers[MANAGER_PEERS_MAX];
	size_t i, n = 0, peer_count = manager_inner_peers(s, peers);
	struct err err = {0};
	struct buf reply;

	w.has_digest = rpc_conn_peer(link->conn)->role == RPC_AGENT;
	memcpy(w.digest, link->digest, sizeof w.digest);
	w.denied_count = manager_inner_denied(s, &w.denied);
	for (i = 0; i < s->store_count && n < MANAGER_STORES_MAX; i++, n++) {
		stores[n] = (struct manager_plan_store){.name = s->stores[i].name,
			.address = s->stores[i].reach,
			.has_uid = true,
			.has_key = true};
		memcpy(stores[n].uid, s->stores[i].uid, MANAGER_UID_LEN);
		memcpy(stores[n].key, s->stores[i].key, MANAGER_KEY_LEN);
	}
	buf_init(&reply, MANAGER_WELCOME_MAX);
	if (manager_welcome_put(&reply, &w, stores, n, peers, peer_count, &err) == 0)
		rpc_call_reply(call, reply.data, reply.len, false);
	else
		rpc_call_fail(call, &err);
	buf_fini(&reply);
}

static void handle_hello(void *ctx, struct rpc_call *call, const struct rpc_value *values)
{
	struct manager_service *s = ctx;
	struct manager_link *link = manager_inner_link(s, call);
	const struct rpc_identity *peer = rpc_call_peer(call);
	struct manager_host_row row;
	struct manager_hello h;
	struct err err = {0};
	bool changed, first;

	if (link == NULL) {
		err_set(&err, ERR_CLOSED, "the connection is ending");
		rpc_call_fail(call, &err);
		return;
	}
	manager_hello_get(&h, values);
	if (take_hello(s, &h, link, &row, &changed, &err) != 0) {
		if (err.code == ERR_DENIED)
			manager_inner_log(s, MANAGER_ERROR, "alarm: %s: %s",
				rpc_conn_address(link->conn), err.message);
		rpc_call_fail(call, &err);
		return;
	}
	first = !link->hello;
	link->hello = true;
	memcpy(link->boot, h.boot, sizeof link->boot);
	if (first) {
		manager_inner_log(s, MANAGER_INFO, "%s %s at %s: hello, FDump %s",
			rpc_role_name(peer->role), peer->name, rpc_conn_address(link->conn),
			row.version);
		look_for_clone(s, link);
	}
	manager_inner_commit_soon(s);
	if (changed && manager_inner_load_stores(s, &err) != 0)
		manager_inner_log(s, MANAGER_ERROR, "%s", err.message);
	welcome(s, call, link, &row);
	if (changed)
		manager_inner_plans_changed(s);
}

static void handle_renew(void *ctx, struct rpc_call *call, const struct rpc_value *values)
{
	struct manager_service *s = ctx;
	struct manager_host_row row;

	if (manager_inner_host(s, call, &row) == 0)
		rpc_renew_serve(s->ca, call, values);
}

static void on_progress(void *ctx, const struct rpc_identity *peer, const struct rpc_value *values)
{
	/* Nobody looks at it yet; the journal has what counts. */
	(void)ctx, (void)peer, (void)values;
}

#define AGENT    RPC_ROLE_BIT(RPC_AGENT)
#define BOTH     (RPC_ROLE_BIT(RPC_AGENT) | RPC_ROLE_BIT(RPC_STORE))
#define OPERATOR RPC_ROLE_BIT(RPC_OPERATOR)

static const struct rpc_method methods[] = {
	{RPC_METHOD_RENEW, "renew", BOTH, RPC_RENEW_MAX, 0, 10000, rpc_renew_fields, handle_renew,
		NULL},
	{RPC_METHOD_SPONSOR, "sponsor", OPERATOR, RPC_SPONSOR_MAX, 0, RPC_TOKEN_SEC * 1000,
		rpc_sponsor_fields, manager_inner_sponsor, NULL},
	{RPC_METHOD_GRANT, "grant", OPERATOR, RPC_GRANT_MAX, 0, 10000, rpc_grant_fields,
		manager_inner_grant, NULL},
	{MANAGER_METHOD_HELLO, "hello", BOTH, MANAGER_HELLO_MAX + MANAGER_TEXT_MAX, 0, DEADLINE_MS,
		manager_hello_fields, handle_hello, NULL},
	{MANAGER_METHOD_PLAN, "plan", AGENT, 64, 0, DEADLINE_MS, NULL, handle_plan, NULL},
	{MANAGER_METHOD_REPORT, "report", AGENT, 128, MANAGER_REPORT_MAX, DEADLINE_MS,
		manager_report_fields, manager_inner_report, NULL},
	{MANAGER_METHOD_PROGRESS, "progress", AGENT, 256, 0, DEADLINE_MS, manager_progress_fields,
		NULL, on_progress},
	{MANAGER_METHOD_STATUS, "status", OPERATOR, 64, 0, DEADLINE_MS, NULL, manager_inner_status,
		NULL},
	{MANAGER_METHOD_HOSTS, "hosts", OPERATOR, 64, 0, DEADLINE_MS, NULL, manager_inner_hosts,
		NULL},
	{MANAGER_METHOD_RUNS, "runs", OPERATOR, 256, 0, DEADLINE_MS, manager_runs_fields_in,
		manager_inner_runs, NULL},
	{MANAGER_METHOD_TOKEN, "token", OPERATOR, 256, 0, DEADLINE_MS, manager_token_fields_in,
		manager_inner_token, NULL},
	{MANAGER_METHOD_REVOKE, "revoke", OPERATOR, 128, 0, DEADLINE_MS, manager_revoke_fields,
		manager_inner_revoke, NULL},
	{MANAGER_METHOD_ORDER, "order", OPERATOR, 256, 0, DEADLINE_MS, manager_order_fields_in,
		manager_inner_order, NULL},
};

/* --- own certificates ------------------------------------------------------ */

/* A certificate that this manager signs for itself, if it is due. Returns 1 if it was renewed. */
static int renew_own(struct manager_service *s, const char *key, const char *cert, struct err *err)
{
	struct rpc_cert_info info;

	if (rpc_cert_info(cert, &info, err) != 0)
		return -1;
	if (!rpc_cert_due(&info, time(NULL)))
		return 0;
	return rpc_join_issue(s->ca, &info.id, key, cert, err) == 0 ? 1 : -1;
}

static int load_tls(struct manager_service *s, struct rpc_tls_conf **conf, struct err *err)
{
	const struct rpc_tls_opts opts = {.kind = RPC_TLS_MUTUAL,
		.cert = s->cert,
		.key = s->key,
		.ca = s->ca_cert,
		.deny = &s->deny};

	*conf = rpc_tls_conf_new(&opts, err);
	return *conf != NULL ? 0 : -1;
}

/* Own certificates are renewed when they are due. */
static void on_tend(void *arg)
{
	struct manager_service *s = arg;
	char key[PATH_MAX], cert[PATH_MAX];
	struct err err = {0};

	if (renew_own(s, s->key, s->cert, &err) > 0 && manager_service_reload(s, &err) == 0)
		manager_inner_log(s, MANAGER_NOTICE, "the certificate was renewed");
	if (err.code == ERR_NONE && join_path(key, s->dir, "operator/key.pem", &err) == 0 &&
		join_path(cert, s->dir, "operator/cert.pem", &err) == 0 &&
		renew_own(s, key, cert, &err) < 0 && err.code == ERR_NOTFOUND)
		err = (struct err){0}; /* there is none */
	if (err.code != ERR_NONE)
		manager_inner_log(s, MANAGER_ERROR, "certificates: %s", err.message);
	rpc_timer_start(&s->tend, s->o.loop, TEND_MS, on_tend, s);
}

/* --- the whole ------------------------------------------------------------- */

static int set_paths(struct manager_service *s, struct err *err)
{
	if ((size_t)snprintf(s->host, sizeof s->host, "%s", s->o.address) >= sizeof s->host ||
		(size_t)snprintf(s->dir, sizeof s->dir, "%s", s->o.dir) >= sizeof s->dir ||
		(size_t)snprintf(s->enroll_port, sizeof s->enroll_port, "%s", s->o.enroll_port) >=
			sizeof s->enroll_port ||
		(s->o.enroll_host != NULL &&
			(size_t)snprintf(s->enroll_host, sizeof s->enroll_host, "%s",
				s->o.enroll_host) >= sizeof s->enroll_host))
		return err_set(err, ERR_LIMIT, "%.64s: a path or an address is too long", s->o.dir);
	return join_path(s->key, s->dir, "key.pem", err) != 0 ||
			       join_path(s->cert, s->dir, "cert.pem", err) != 0 ||
			       join_path(s->ca_cert, s->dir, "ca.pem", err) != 0
		       ? -1
		       : 0;
}

static int open_all(struct manager_service *s, struct err *err)
{
	char path[PATH_MAX], int_key[PATH_MAX];
	int ret;

	if (join_path(int_key, s->dir, "int.key", err) != 0 ||
		join_path(path, s->dir, "int.pem", err) != 0)
		return -1;
	s->ca = rpc_ca_open(int_key, path, NULL, NULL, err);
	if (s->ca == NULL || rpc_join_mend(s->key, s->cert, err) != 0)
		return -1;
	ret = renew_own(s, s->key, s->cert, err);
	if (ret < 0 || load_tls(s, &s->tls, err) != 0)
		return -1;
	s->self = *rpc_tls_conf_self(s->tls);
	if (s->self.role != RPC_MANAGER || strcmp(s->self.name, rpc_ca_issuer(s->ca)->manager) != 0)
		return err_set(err, ERR_CONFIG, "%s: not the certificate of this manager", s->cert);
	if (join_path(path, s->dir, "db", err) != 0)
		return -1;
	s->db = manager_db_open(path, err);
	if (s->db == NULL || manager_inner_load_denied(s, err) != 0 ||
		manager_inner_load_stores(s, err) != 0)
		return -1;
	return 0;
}

static int listen_all(struct manager_service *s, struct err *err)
{
	struct rpc_listen_opts opts = {.conf = s->tls,
		.service = &s->methods,
		.times = s->o.times,
		.host = s->o.host,
		.port = s->o.port,
		.credit = RPC_CREDIT_NONE,
		.arg = s,
		.up = on_up,
		.down = on_down,
		.refused = on_refused};
	bool v6 = strchr(s->host, ':') != NULL;
	char port[8];

	s->listen = rpc_listen_new(s->o.loop, &opts, err);
	if (s->listen == NULL)
		return -1;
	snprintf(port, sizeof port, "%u", rpc_listen_port(s->listen));
	if ((size_t)snprintf(s->address, sizeof s->address, "%s%s%s:%s", v6 ? "[" : "", s->host,
		    v6 ? "]" : "",
		    s->o.address_port[0] != 0 ? s->o.address_port : port) >= sizeof s->address)
		return err_set(err, ERR_LIMIT, "%.64s...: the address is too long", s->host);
	return 0;
}

/* The local operator finds this manager by a file, whatever its port is. */
static int tell_operator(struct manager_service *s, struct err *err)
{
	char path[PATH_MAX], text[PATH_MAX];
	const char *host = s->o.host;
	struct stat st;

	if (join_path(path, s->dir, "operator", err) != 0)
		return -1;
	if (stat(path, &st) != 0)
		return 0; /* there is none */
	if (host == NULL || strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0)
		host = "127.0.0.1";
	if (join_path(path, s->dir, "operator/managers", err) != 0)
		return -1;
	snprintf(text, sizeof text, strchr(host, ':') != NULL ? "%s [%s]:%u\n" : "%s %s:%u\n",
		s->self.name, host, rpc_listen_port(s->listen));
	return file_write(path, text, strlen(text), 0644, err);
}

struct manager_service *manager_service_new(
	const struct manager_service_opts *opts, struct err *err)
{
	struct manager_service *s = calloc(1, sizeof *s);

	if (s == NULL) {
		manager_config_free(opts->config);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->o = *opts;
	s->config = opts->config;
	s->last_waiting = &s->first_waiting;
	rpc_deny_init(&s->deny);
	buf_init(&s->recipient_bytes, RPC_RECIPIENTS_MAX * RPC_RECIPIENT_LEN_MAX);
	s->methods = (struct rpc_service){methods, sizeof methods / sizeof *methods, s, on_access};
	if (set_paths(s, err) != 0 || open_all(s, err) != 0 ||
		manager_inner_load_recipients(s, err) != 0 || listen_all(s, err) != 0 ||
		manager_inner_enrolment_start(s, err) != 0 || tell_operator(s, err) != 0) {
		manager_service_free(s);
		return NULL;
	}
	on_tend(s);
	return s;
}

const char *manager_service_name(const struct manager_service *s)
{
	return s->self.name;
}

unsigned manager_service_port(const struct manager_service *s)
{
	return rpc_listen_port(s->listen);
}

unsigned manager_service_enroll_port(const struct manager_service *s)
{
	return rpc_enroll_server_port(s->enroll);
}

void manager_service_config(struct manager_service *s, struct manager_config *config)
{
	manager_config_free(s->config);
	s->config = config;
	manager_inner_plans_changed(s);
}

int manager_service_reload(struct manager_service *s, struct err *err)
{
	struct rpc_tls_conf *tls;

	if (load_tls(s, &tls, err) != 0)
		return -1;
	if (manager_inner_load_recipients(s, err) != 0 ||
		manager_inner_enrolment_listen(s, err) != 0) {
		rpc_tls_conf_unref(tls);
		return -1;
	}
	rpc_tls_conf_unref(s->tls);
	s->tls = tls;
	rpc_listen_conf(s->listen, tls);
	return 0;
}

bool manager_service_is_idle(const struct manager_service *s)
{
	return rpc_listen_count(s->listen) == 0;
}

void manager_service_shutdown(struct manager_service *s)
{
	s->ending = true;
	manager_inner_enrolment_stop(s);
	rpc_listen_shutdown(s->listen);
}

void manager_service_free(struct manager_service *s)
{
	struct manager_link *link;
	struct err err = {0};

	if (s == NULL)
		return;
	s->ending = true;
	rpc_timer_stop(&s->tend);
	if (s->db != NULL && manager_inner_commit(s, &err) != 0)
		manager_inner_log(s, MANAGER_ERROR, "state: %s", err.message);
	rpc_timer_stop(&s->commit);
	manager_inner_enrolment_stop(s);
	rpc_listen_free(s->listen);
	while ((link = s->links) != NULL) {
		s->links = link->next;
		free(link);
	}
	manager_db_close(s->db);
	rpc_ca_close(s->ca);
	rpc_tls_conf_unref(s->tls);
	rpc_deny_fini(&s->deny);
	buf_fini(&s->recipient_bytes);
	manager_config_free(s->config);
	free(s->stores);
	free(s);
}
