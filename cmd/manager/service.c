/* Connections, the table of methods, the manager's own certificates; start and end of the
 * service. */
#include "cmd/manager/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cmd/manager/inner_service.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/mem.h"
#include "lib/name.h"
#include "rpc/join.h"
#include "rpc/sponsor.h"
#include "rpc/tls.h"

#define DEADLINE_MS 60000
#define CHECK_MS    1000          /* between parts of a check of the state */
#define TEND_MS     3600000       /* between checks of the own certificates */
#define KEEP_SEC    (400 * 86400) /* how long runs and the audit are kept */

/* Sets the path of a file of this manager. One that is too long can't be opened. */
static void set_path(struct manager_service *s, char to[MANAGER_FILE_MAX], const char *name)
{
	snprintf(to, MANAGER_FILE_MAX, "%s/%s", s->o.dir, name);
}

/* --- links ----------------------------------------------------------------- */

/* Operators don't say hello, so the expiry of their certificates is noted when they connect. */
static void note_operator(struct manager_service *s, struct rpc_conn *conn)
{
	const struct rpc_identity *peer = rpc_conn_peer(conn);
	struct manager_host_row row;
	struct err err = {0};
	int ret = manager_inner_get_host(s, "operator", peer->name, &row, &err);

	if (ret == 0 && strcmp(row.host, peer->host) == 0 && row.expires != rpc_conn_until(conn)) {
		row.expires = rpc_conn_until(conn);
		row.seen = time(NULL);
		ret = manager_inner_put_host(s, &row, &err);
		manager_inner_commit_soon(s);
	}
	if (ret < 0)
		manager_inner_log(s, MANAGER_ERROR, "state: %s", err.message);
}

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
	if (rpc_conn_peer(conn)->role == RPC_OPERATOR)
		note_operator(s, conn);
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

static void on_tend(void *arg);

static void on_refused(void *arg, const char *address, const struct err *why)
{
	struct manager_service *s = arg;

	manager_inner_log(s, MANAGER_WARNING, "%s: refused: %s", address, why->message);
	if (time(NULL) < s->valid_from) /* the clock was ahead when it was signed */
		rpc_timer_start(&s->tend, s->o.loop, 0, on_tend, s);
}

static void on_access(void *ctx, const struct rpc_access *access)
{
	struct manager_service *s = ctx;

	s->o.access(s->o.ctx, access);
}

static void handle_plan(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
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
	if (manager_inner_plan(s, row.name, &plan, digest, &err) != 0) {
		buf_fini(&plan);
		rpc_call_fail(call, &err);
		return;
	}
	manager_inner_reply_blob(call, "\xa0", 1, &plan);
}

/* --- methods ------------------------------------------------------------- */

static void handle_renew(void *ctx, struct rpc_call *call, const struct cbormap_value *values)
{
	struct manager_service *s = ctx;
	struct manager_host_row row;

	if (manager_inner_host(s, call, &row) == 0)
		rpc_renew_serve(s->ca, call, values);
}

static void on_progress(void *ctx, const struct rpc_identity *peer, const struct cbormap_value *v)
{
	struct manager_service *s = ctx;
	struct manager_msg_progress msg = {.job = ""};
	struct manager_link *link;

	cbormap_store(&msg, manager_progress_fields, v);
	for (link = s->links; link != NULL; link = link->next)
		if (rpc_conn_peer(link->conn) == peer && link->hello)
			manager_running_take(&link->runnings, msg.job, msg.bytes, msg.entries,
				rpc_loop_now_ms(s->o.loop));
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
	{MANAGER_METHOD_HELLO, "hello", BOTH, MANAGER_MSG_MAX, 0, DEADLINE_MS, manager_hello_fields,
		manager_inner_hello, NULL},
	{MANAGER_METHOD_PLAN, "plan", AGENT, 64, 0, DEADLINE_MS, NULL, handle_plan, NULL},
	{MANAGER_METHOD_REPORT, "report", AGENT, 128, MANAGER_REPORT_MAX, DEADLINE_MS,
		manager_report_fields, manager_inner_report, NULL},
	{MANAGER_METHOD_PROGRESS, "progress", AGENT, 256, 0, DEADLINE_MS, manager_progress_fields,
		NULL, on_progress},
	{MANAGER_METHOD_STATUS, "status", OPERATOR, 256, 0, DEADLINE_MS, manager_runs_fields_in,
		manager_inner_status, NULL},
	{MANAGER_METHOD_ALARMS, "alarms", OPERATOR, 64, 0, DEADLINE_MS, NULL, manager_inner_alarms,
		NULL},
	{MANAGER_METHOD_HOSTS, "hosts", OPERATOR, 128, 0, DEADLINE_MS, manager_hosts_fields_in,
		manager_inner_hosts, NULL},
	{MANAGER_METHOD_RUNS, "runs", OPERATOR, 256, 0, DEADLINE_MS, manager_runs_fields_in,
		manager_inner_runs, NULL},
	{MANAGER_METHOD_TOKEN, "token", OPERATOR, 256, 0, DEADLINE_MS, manager_token_fields_in,
		manager_inner_token, NULL},
	{MANAGER_METHOD_REVOKE, "revoke", OPERATOR, 256, 0, DEADLINE_MS, manager_revoke_fields,
		manager_inner_revoke, NULL},
	{MANAGER_METHOD_REPLACE, "replace", OPERATOR, 128, 0, DEADLINE_MS, manager_replace_fields,
		manager_inner_replace, NULL},
	{MANAGER_METHOD_ORDER, "order", OPERATOR, 256, 0, DEADLINE_MS, manager_order_fields_in,
		manager_inner_order, NULL},
	{MANAGER_METHOD_FLEET, "fleet", OPERATOR, 64, 0, DEADLINE_MS, NULL, manager_inner_fleet,
		NULL},
};

/* --- own certificates ------------------------------------------------------ */

/* Renews a certificate that this manager signs for itself, if it is due. Returns 1 if it was
 * renewed, 0 if not, -1 with err set. */
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

/* Removes old entries, a limited number at a time. If nobody is connected, the clock may be years
 * ahead: then nobody accepts the certificate. */
static void drop_old(struct manager_service *s)
{
	const struct manager_link *link = s->links;
	struct manager_db_key key;
	struct err err = {0};

	while (link != NULL && !link->hello)
		link = link->next;
	if (link == NULL)
		return;
	manager_db_time(&key, time(NULL) - KEEP_SEC, "", NULL, 0);
	if (manager_db_drop_after(s->db, MANAGER_TABLE_RUNS, &key, &err) != 0 ||
		manager_db_drop_after(s->db, MANAGER_TABLE_AUDIT, &key, &err) != 0)
		manager_inner_log(s, MANAGER_ERROR, "state: %s", err.message);
	if (manager_db_changed(s->db))
		manager_inner_commit_soon(s);
}

static void on_damaged(void *ctx, enum manager_table table, const struct manager_db_key *key)
{
	struct manager_service *s = ctx;
	const struct manager_db_damage *found;
	char text[ESC_MAX(MANAGER_KEY_ROOM)];

	esc_name(text, sizeof text, key->bytes, key->len);
	manager_inner_log(s, MANAGER_ERROR,
		"state: a damaged entry in the table '%s', counted as missing: %s",
		manager_db_name(table), text);
	if (manager_db_damage(s->db, &found) == MANAGER_DAMAGED_MAX)
		manager_inner_log(s, MANAGER_ERROR,
			"state: too many damaged entries; further ones are not listed");
	s->new_damage = true;
}

/* The agent that an entry belongs to; NULL if none. In the key of a run its name comes after the
 * time. */
static const char *agent_of(const struct manager_db_damage *entry)
{
	size_t at = entry->table == MANAGER_TABLE_RUNS ? sizeof(uint64_t) : 0;
	const char *name = (const char *)entry->key.bytes + at;

	if (entry->table != MANAGER_TABLE_RUNS && entry->table != MANAGER_TABLE_LAST)
		return NULL;
	if (at >= entry->key.len || memchr(name, 0, entry->key.len - at) == NULL)
		return NULL;
	return name_ok(name, strlen(name)) ? name : NULL;
}

/* Checks entries, a limited number at a time, until all are checked. If entries of an agent are
 * damaged, the agent is asked for its journal again, and they are rewritten from it. */
static void check_state(void *arg)
{
	struct manager_service *s = arg;
	const struct manager_db_damage *found;
	struct manager_host_row row;
	struct err err = {0};
	size_t i, count;
	int ret = manager_db_check(s->db, &err);
	bool over = ret != 0;

	count = s->new_damage ? manager_db_damage(s->db, &found) : 0;
	for (i = 0; i < count && ret >= 0; i++) {
		if (agent_of(&found[i]) == NULL)
			continue;
		ret = manager_inner_get_host(s, "agent", agent_of(&found[i]), &row, &err);
		row.acked = 0;
		if (ret == 0)
			ret = manager_inner_put_host(s, &row, &err);
	}
	if (ret < 0)
		manager_inner_log(s, MANAGER_ERROR, "state: %s", err.message);
	if (count > 0)
		manager_inner_call_all(s);
	s->new_damage = false;
	if (ret >= 0 && !over)
		rpc_timer_start(&s->check, s->o.loop, CHECK_MS, check_state, s);
}

/* Renews the own certificates if they are due. */
static void on_tend(void *arg)
{
	struct manager_service *s = arg;
	char key[MANAGER_FILE_MAX], cert[MANAGER_FILE_MAX];
	struct rpc_cert_info info;
	struct err err = {0};

	if (renew_own(s, s->key, s->cert, &err) > 0 && manager_service_reload(s, &err) == 0)
		manager_inner_log(s, MANAGER_NOTICE, "the certificate was renewed");
	if (rpc_cert_info(s->cert, &info, NULL) == 0) {
		s->valid_from = info.not_before;
		s->expires = info.not_after;
	}
	set_path(s, key, "operator/key.pem");
	set_path(s, cert, "operator/cert.pem");
	if (err.code == ERR_NONE && renew_own(s, key, cert, &err) < 0 && err.code == ERR_NOTFOUND)
		err = (struct err){0}; /* there is no local operator */
	if (err.code != ERR_NONE)
		manager_inner_log(s, MANAGER_ERROR, "certificates: %s", err.message);
	check_state(s);
	drop_old(s);
	rpc_timer_start(&s->tend, s->o.loop, TEND_MS, on_tend, s);
}

/* --- start and end --------------------------------------------------------- */

static int open_all(struct manager_service *s, struct err *err)
{
	char path[MANAGER_FILE_MAX], int_key[MANAGER_FILE_MAX];
	int ret;

	set_path(s, s->key, "key.pem");
	set_path(s, s->cert, "cert.pem");
	set_path(s, s->ca_cert, "ca.pem");
	set_path(s, int_key, "int.key");
	set_path(s, path, "int.pem");
	s->ca = rpc_ca_open(int_key, path, NULL, NULL, err);
	if (s->ca == NULL || rpc_join_mend(s->key, s->cert, err) != 0)
		return -1;
	ret = renew_own(s, s->key, s->cert, err);
	if (ret < 0 || load_tls(s, &s->tls, err) != 0)
		return -1;
	s->self = *rpc_tls_conf_self(s->tls);
	if (s->self.role != RPC_MANAGER || strcmp(s->self.name, rpc_ca_issuer(s->ca)->manager) != 0)
		return err_set(err, ERR_CONFIG, "%s: not the certificate of this manager", s->cert);
	set_path(s, path, "db");
	s->db = manager_db_open(path, on_damaged, s, err);
	if (s->db == NULL || manager_inner_load_denied(s, err) != 0 ||
		manager_inner_load_stores(s, err) != 0)
		return -1;
	return 0;
}

static int listen_all(struct manager_service *s, struct err *err)
{
	/* High limits, since agents stay connected. */
	static const struct rpc_listen_limits limits = {256, 64, 8192, 16};
	struct rpc_listen_opts opts = {.conf = s->tls,
		.service = &s->methods,
		.times = s->o.times,
		.host = s->o.host,
		.port = s->o.port,
		.limits = &limits,
		.credit = RPC_CREDIT_NONE,
		.arg = s,
		.up = on_up,
		.down = on_down,
		.refused = on_refused};
	char port[8];

	s->listen = rpc_listen_new(s->o.loop, &opts, err);
	if (s->listen == NULL)
		return -1;
	snprintf(port, sizeof port, "%u", rpc_listen_port(s->listen));
	return manager_inner_address(
		s, s->o.address_port[0] != 0 ? s->o.address_port : port, s->address, err);
}

/* Writes the file in which the local operator finds this manager's address and port, unless it has
 * them: a full disk need not keep a manager from starting. */
static int tell_operator(struct manager_service *s, struct err *err)
{
	char path[MANAGER_FILE_MAX], text[NAME_LEN_MAX + 300], old[sizeof text];
	const char *host = s->o.host;
	struct stat st;
	size_t len;

	set_path(s, path, "operator");
	if (stat(path, &st) != 0)
		return 0; /* there is no local operator */
	if (host == NULL || strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0)
		host = "127.0.0.1";
	set_path(s, path, "operator/managers");
	snprintf(text, sizeof text, strchr(host, ':') != NULL ? "%s [%s]:%u\n" : "%s %s:%u\n",
		s->self.name, host, rpc_listen_port(s->listen));
	if (file_read(path, old, sizeof old, &len, NULL, NULL) == 0 && len == strlen(text) &&
		memcmp(old, text, len) == 0)
		return 0;
	return file_write(path, text, strlen(text), 0644, err);
}

struct manager_service *manager_service_new(
	const struct manager_service_opts *opts, struct err *err)
{
	struct manager_service *s = mem_new(sizeof *s, err);

	if (s == NULL) {
		manager_config_free(opts->config);
		return NULL;
	}
	s->o = *opts;
	s->config = opts->config;
	s->started = time(NULL);
	rpc_deny_init(&s->deny);
	buf_init(&s->recipient_bytes, RPC_RECIPIENTS_MAX * RPC_RECIPIENT_LEN_MAX);
	s->methods = (struct rpc_service){methods, sizeof methods / sizeof *methods, s, on_access};
	if (open_all(s, err) != 0 || manager_inner_load_recipients(s, err) != 0 ||
		listen_all(s, err) != 0 || manager_inner_enrolment_start(s, err) != 0 ||
		tell_operator(s, err) != 0) {
		manager_service_free(s);
		return NULL;
	}
	on_tend(s);
	manager_inner_alarms_start(s);
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
	manager_inner_call_all(s);
}

int manager_service_reload(struct manager_service *s, struct err *err)
{
	struct rpc_tls_conf *tls;

	if (load_tls(s, &tls, err) != 0)
		return -1;
	if (manager_inner_load_recipients(s, err) != 0 ||
		rpc_enroll_server_reload(s->enroll, err) != 0) {
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
	rpc_timer_stop(&s->check);
	rpc_timer_stop(&s->call);
	rpc_timer_stop(&s->alarms);
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
	buf_fini(&s->store_rows);
	free(s);
}
