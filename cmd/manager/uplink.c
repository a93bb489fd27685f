#include "cmd/manager/uplink.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/le.h"
#include "lib/mem.h"
#include "lib/uptime.h"
#include "rpc/call.h"
#include "rpc/deny.h"
#include "rpc/dial.h"
#include "rpc/dispatch.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

#define CALL_MS  60000
#define RENEW_MS 3600000 /* between checks of the certificate */

struct peer {
	struct manager_uplink *uplink;
	struct manager_uplink_peer at;
	struct rpc_dial *dial; /* NULL: the manager was dropped */
	struct rpc_conn *conn; /* NULL: not connected */
	struct rpc_call *call; /* the hello in progress */
	bool welcome;          /* the manager has answered on this connection */
	bool again;            /* say hello again after it */
	bool was_up;
	int64_t lost_ms;           /* when the connection was lost */
	char why[ERR_MESSAGE_MAX]; /* the last reason, logged again only when it changes; "": it has
				      answered since */
};

struct manager_uplink {
	struct manager_uplink_opts o;
	struct peer peers[MANAGER_UPLINKS_MAX];
	size_t count;
	struct rpc_timer hello_timer, renew_timer;
	struct rpc_join *renewal;
	struct rpc_service own; /* used if the owner has no methods */
};

static void say(const struct manager_uplink *u, bool is_error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes to the log. */
static void say(const struct manager_uplink *u, bool is_error, const char *fmt, ...)
{
	char text[ERR_MESSAGE_MAX + NAME_LEN_MAX + 64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	u->o.log(u->o.ctx, is_error, text);
}

/* --- hello ----------------------------------------------------------------- */

static void say_hello(struct peer *p);

/* Replaces the host ids that this manager denies. */
static void take_denied(struct peer *p, const struct manager_welcome *w)
{
	struct manager_uplink *u = p->uplink;
	struct err err = {0};
	int ret = rpc_deny_replace(u->o.deny, &rpc_conn_peer(p->conn)->issuer, w->denied,
		strlen(w->denied) / RPC_HOST_LEN, &err);

	if (ret == 1)
		return; /* nothing has changed */
	if (ret < 0 || rpc_deny_save(u->o.deny, u->o.deny_path, &err) != 0)
		say(u, true, "%s", err.message);
	else if (u->o.denied != NULL)
		u->o.denied(u->o.ctx);
}

static int dial_peer(struct manager_uplink *u, struct peer *p, const struct manager_uplink_peer *at,
	struct err *err);

static struct peer *find_peer(struct manager_uplink *u, const char *name)
{
	size_t i;

	for (i = 0; i < u->count; i++)
		if (strcmp(u->peers[i].at.name, name) == 0)
			return &u->peers[i];
	return NULL;
}

/* Writes the file `managers`, which tells the next start where to dial. */
static int save_managers(const struct manager_uplink *u, struct err *err)
{
	struct buf lines;
	size_t i;
	int ret = 0;

	buf_init(&lines, MANAGER_UPLINKS_MAX * (sizeof(struct manager_uplink_peer) + 8));
	for (i = 0; i < u->count && ret == 0; i++) {
		const struct manager_uplink_peer *at = &u->peers[i].at;
		bool v6 = strchr(at->host, ':') != NULL;

		if (u->peers[i].dial != NULL)
			ret = buf_addf(&lines, err, "%s %s%s%s:%s%s%s\n", at->name, v6 ? "[" : "",
				at->host, v6 ? "]" : "", at->port, at->id[0] != 0 ? " " : "",
				at->id);
	}
	if (ret == 0)
		ret = file_write(u->o.managers_path, lines.data, lines.len, 0644, err);
	buf_fini(&lines);
	return ret;
}

static bool denies(const struct manager_welcome *w, const char *id)
{
	size_t i;

	for (i = 0; w->denied[i] != 0; i += RPC_HOST_LEN)
		if (strncmp(w->denied + i, id, RPC_HOST_LEN) == 0)
			return true;
	return false;
}

/* Uses another manager's address, as given in a welcome. Returns 0; 1 if nothing is new; -1 with
 * err set. */
static int take_manager(struct manager_uplink *u, const struct manager_welcome *w,
	const struct manager_peer *told, struct err *err)
{
	struct peer *p = find_peer(u, told->name);
	struct manager_uplink_peer at = {.name = ""};
	char host[RPC_HOST_PORT_MAX + 1];

	if (p != NULL ? p->conn != NULL : u->count == MANAGER_UPLINKS_MAX)
		return 1;
	/* If it was dropped, only a manager that denies it can know whether another machine is
	 * meant. */
	if (p != NULL && p->dial == NULL && !denies(w, p->at.id))
		return 1;
	strcpy(at.name, told->name);
	if (rpc_address_split(told->address, host, at.port, MANAGER_PORT, err) != 0)
		return -1;
	if (strlen(host) >= sizeof at.host)
		return err_set(err, ERR_LIMIT, "the address is too long");
	strcpy(at.host, host);
	if (p != NULL && p->dial != NULL && strcmp(p->at.host, at.host) == 0 &&
		strcmp(p->at.port, at.port) == 0)
		return 1;
	if (dial_peer(u, p, &at, err) != 0)
		return -1;
	return save_managers(u, err);
}

static void take_managers(struct manager_uplink *u, const struct manager_welcome *w)
{
	const struct manager_peer *manager = w->managers, *end = manager + w->manager_count;

	for (; manager < end; manager++) {
		struct err err = {0};
		int ret = take_manager(u, w, manager, &err);

		if (ret == 0)
			say(u, false, "manager %s: dialled at %s", manager->name, manager->address);
		else if (ret < 0)
			say(u, true, "manager %s: %s", manager->name, err.message);
	}
}

/* Drops the managers that are denied, except the one that has just answered. */
static void drop_denied(struct manager_uplink *u, const struct peer *speaker)
{
	struct err err = {0};
	bool dropped = false;
	size_t i;

	for (i = 0; i < u->count; i++) {
		struct peer *p = &u->peers[i];

		if (p == speaker || p->dial == NULL || p->at.id[0] == 0 ||
			!rpc_deny_has(u->o.deny, p->at.id))
			continue;
		p->conn = NULL;
		p->welcome = p->again = p->was_up = false;
		p->why[0] = 0;
		rpc_dial_free(p->dial);
		p->dial = NULL;
		dropped = true;
		say(u, false, "manager %s: revoked, and not dialled any more", p->at.name);
		if (u->o.dropped != NULL)
			u->o.dropped(u->o.ctx, i);
	}
	if (dropped && save_managers(u, &err) != 0)
		say(u, true, "%s", err.message);
}

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct peer *p = arg;
	struct manager_uplink *u = p->uplink;
	struct manager_welcome w;
	struct err err = {0};

	(void)more;
	if (manager_welcome_get(&w, bytes, len, &err) != 0) {
		say(u, true, "%s", err.message);
		return;
	}
	p->welcome = true;
	p->why[0] = 0;
	take_denied(p, &w);
	drop_denied(u, p);
	take_managers(u, &w);
	u->o.welcome(u->o.ctx, (size_t)(p - u->peers), &w);
}

static void on_hello_done(void *arg, const struct err *err)
{
	struct peer *p = arg;

	p->call = NULL;
	if (err != NULL && p->conn != NULL && !rpc_conn_is_lost(p->conn))
		say(p->uplink, true, "manager %s: hello: %s", p->at.name, err->message);
	/* Also after a refusal: the manager may have changed its mind while it was on its way. */
	if (p->again && p->conn != NULL && !rpc_conn_is_lost(p->conn))
		say_hello(p);
}

static void say_hello(struct peer *p)
{
	static const struct rpc_call_ops ops = {.reply = on_reply, .done = on_hello_done};
	struct manager_uplink *u = p->uplink;
	struct manager_hello hello = {.version = FDUMP_VERSION, .clock = time(NULL)};
	struct rpc_request request = {
		.method = MANAGER_METHOD_HELLO, .timeout_ms = CALL_MS, .ops = &ops, .arg = p};
	struct rpc_cert_info info;
	struct err err = {0};
	uint8_t mem[MANAGER_MSG_MAX];
	uint64_t boot;

	p->again = p->call != NULL;
	if (p->call != NULL || p->conn == NULL)
		return;
	uptime_get(&boot);
	le_put64(hello.boot, boot);
	if (rpc_cert_info(u->o.paths.cert, &info, NULL) == 0)
		hello.expires = info.not_after;
	u->o.hello(u->o.ctx, (size_t)(p - u->peers), &hello);
	request.params = mem;
	request.len = manager_msg_put(mem, manager_hello_fields, &hello);
	p->call = rpc_call_start(p->conn, &request, &err);
	if (p->call == NULL)
		say(u, true, "%s", err.message);
}

static void on_hello_timer(void *arg)
{
	struct manager_uplink *u = arg;

	manager_uplink_changed(u);
	rpc_timer_start(&u->hello_timer, u->o.loop, MANAGER_HELLO_EVERY_MS, on_hello_timer, u);
}

void manager_uplink_changed(struct manager_uplink *u)
{
	size_t i;

	for (i = 0; i < u->count; i++)
		if (u->peers[i].conn != NULL)
			say_hello(&u->peers[i]);
}

/* --- renewal --------------------------------------------------------------- */

static void on_renewed(void *arg, const struct err *err)
{
	struct manager_uplink *u = arg;

	u->renewal = NULL;
	if (err != NULL) {
		say(u, true, "%s", err->message);
		return;
	}
	say(u, false, "the certificate was renewed");
	u->o.renewed(u->o.ctx);
	manager_uplink_changed(u);
}

static void renew_if_due(struct manager_uplink *u)
{
	struct rpc_cert_info info;
	struct err err = {0};
	size_t i;

	if (u->renewal != NULL)
		return;
	if (rpc_cert_info(u->o.paths.cert, &info, &err) != 0) {
		say(u, true, "%s", err.message);
		return;
	}
	for (i = 0; i < u->count && u->renewal == NULL && rpc_cert_due(&info, time(NULL)); i++) {
		if (!u->peers[i].welcome)
			continue;
		u->renewal = rpc_join_renew(u->peers[i].conn, &u->o.paths, on_renewed, u, &err);
		if (u->renewal == NULL)
			say(u, true, "%s", err.message);
	}
}

static void on_renew_timer(void *arg)
{
	struct manager_uplink *u = arg;

	renew_if_due(u);
	rpc_timer_start(&u->renew_timer, u->o.loop, RENEW_MS, on_renew_timer, u);
}

/* --- connections ----------------------------------------------------------- */

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct peer *p = arg;
	struct manager_uplink *u = p->uplink;
	const char *id = rpc_conn_peer(conn)->host;
	struct err err = {0};

	p->conn = conn;
	p->was_up = true;
	if (strcmp(p->at.id, id) != 0) {
		strcpy(p->at.id, id);
		if (save_managers(u, &err) != 0)
			say(u, true, "%s", err.message);
	}
	say_hello(p);
	renew_if_due(u);
}

/* Logs why there is no connection. The peers' alerts don't say why they refuse a certificate. */
static void tell_down(struct peer *p, const struct err *why)
{
	bool refused = why->code == ERR_DENIED && strstr(why->message, "the peer ended") != NULL;
	const struct rpc_identity *self = rpc_tls_conf_self(p->uplink->o.conf);
	const char *role = rpc_role_name(self->role);
	char text[ERR_MESSAGE_MAX];
	struct rpc_cert_info info;

	if (rpc_cert_info(p->uplink->o.paths.cert, &info, NULL) == 0 &&
		info.not_after <= time(NULL))
		snprintf(text, sizeof text,
			"this machine's certificate has expired, unless its clock is wrong: join "
			"again with a token of 'fdump token %s %s --replace'",
			role, self->name);
	else if (refused)
		snprintf(text, sizeof text,
			"it refuses this %s, which was revoked ('fdump hosts' lists it as denied); "
			"to join again: 'fdump token %s %s' there, then 'fdump join' here",
			role, role, self->name);
	else
		snprintf(text, sizeof text, "%s",
			why->code != ERR_NONE ? why->message : "it has ended the connection");
	if (strcmp(p->why, text) != 0)
		say(p->uplink, why->code == ERR_DENIED, "manager %s: %s", p->at.name, text);
	strcpy(p->why, text);
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms)
{
	struct peer *p = arg;
	struct manager_uplink *u = p->uplink;

	(void)wait_ms;
	tell_down(p, why);
	if (p->conn != NULL)
		p->lost_ms = rpc_loop_now_ms(u->o.loop);
	p->conn = NULL;
	p->call = NULL;
	p->welcome = p->again = false;
	if (u->o.down != NULL)
		u->o.down(u->o.ctx, (size_t)(p - u->peers));
}

/* For an owner without methods of its own: a store. */
static void on_plan_changed(
	void *ctx, const struct rpc_identity *peer, const struct cbormap_value *values)
{
	(void)peer, (void)values;
	manager_uplink_changed(ctx);
}

static const struct rpc_method own_methods[] = {
	{MANAGER_METHOD_PLAN_CHANGED, "plan-changed", RPC_ROLE_BIT(RPC_MANAGER), 64, 0, CALL_MS,
		NULL, NULL, on_plan_changed},
};

/* Dials a manager at this address, and no longer at its old one. p: NULL if it is new. */
static int dial_peer(struct manager_uplink *u, struct peer *p, const struct manager_uplink_peer *at,
	struct err *err)
{
	bool is_new = p == NULL;
	struct rpc_dial *dial;
	struct rpc_dial_opts opts = {
		.conf = u->o.conf,
		.expect = {RPC_MANAGER, at->name},
		.service = u->o.service != NULL ? u->o.service : &u->own,
		.times = u->o.times,
		.host = at->host,
		.port = at->port,
		.pool = u->o.pool,
		.up = on_up,
		.down = on_down,
	};

	assert(!is_new || u->count < MANAGER_UPLINKS_MAX);
	if (is_new)
		p = &u->peers[u->count];
	opts.arg = p;
	dial = rpc_dial_new(u->o.loop, &opts, err);
	if (dial == NULL)
		return -1;
	rpc_dial_free(p->dial);
	p->uplink = u;
	p->dial = dial;
	p->at = *at;
	u->count += is_new;
	return 0;
}

struct manager_uplink *manager_uplink_new(const struct manager_uplink_opts *opts, struct err *err)
{
	struct manager_uplink *u = mem_new(sizeof *u, err);
	size_t i;

	if (u == NULL)
		return NULL;
	assert(opts->peer_count <= MANAGER_UPLINKS_MAX);
	u->o = *opts;
	u->own = (struct rpc_service){own_methods, 1, u, NULL};
	for (i = 0; i < opts->peer_count; i++)
		if (dial_peer(u, NULL, &opts->peers[i], err) != 0) {
			manager_uplink_free(u);
			return NULL;
		}
	rpc_timer_start(&u->hello_timer, u->o.loop, MANAGER_HELLO_EVERY_MS, on_hello_timer, u);
	rpc_timer_start(&u->renew_timer, u->o.loop, RENEW_MS, on_renew_timer, u);
	return u;
}

void manager_uplink_free(struct manager_uplink *u)
{
	size_t i;

	if (u == NULL)
		return;
	if (u->renewal != NULL)
		rpc_join_cancel(u->renewal);
	rpc_timer_stop(&u->hello_timer);
	rpc_timer_stop(&u->renew_timer);
	for (i = 0; i < u->count; i++)
		rpc_dial_free(u->peers[i].dial);
	free(u);
}

size_t manager_uplink_count(const struct manager_uplink *u)
{
	return u->count;
}

const char *manager_uplink_name(const struct manager_uplink *u, size_t peer)
{
	assert(peer < u->count);
	return u->peers[peer].at.name;
}

struct rpc_conn *manager_uplink_conn(const struct manager_uplink *u, size_t peer)
{
	assert(peer < u->count);
	return u->peers[peer].welcome ? u->peers[peer].conn : NULL;
}

size_t manager_uplink_followed(const struct manager_uplink *u)
{
	int64_t now = rpc_loop_now_ms(u->o.loop);
	size_t i;

	for (i = 0; i < u->count; i++) {
		const struct peer *p = &u->peers[i];

		if (p->welcome ||
			(p->was_up && now - p->lost_ms < (int64_t)MANAGER_FOLLOW_SEC * 1000))
			return i;
	}
	return SIZE_MAX;
}

void manager_uplink_conf(struct manager_uplink *u, struct rpc_tls_conf *conf)
{
	size_t i;

	u->o.conf = conf;
	for (i = 0; i < u->count; i++)
		if (u->peers[i].dial != NULL)
			rpc_dial_conf(u->peers[i].dial, conf);
}
