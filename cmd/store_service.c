/*
 * fdump store, without a verb: the store service, in the foreground. It has one loop; the engine
 * works in the threads of a pool; gc and scrub run by the schedules in store.conf. Crash-only: if
 * the engine fails the process ends, and systemd starts it again, except after damage (status 5).
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/manager/uplink.h"
#include "cmd/store/engine.h"
#include "cmd/store/proto.h"
#include "cmd/store/service.h"
#include "cmd/store_conf.h"
#include "cmd/ui/log.h"
#include "cmd/ui/loop.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/role.h"
#include "cmd/ui/show.h"
#include "cron/cron.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/pool.h"
#include "lib/tz.h"
#include "rpc/deny.h"
#include "rpc/join.h"
#include "rpc/tls.h"

#define THREADS      4
#define QUEUE_MAX    65536
#define TICK_MS      1000
#define COMMITTED_MS 3000 /* longest time until managers hear of a commit */
#define FAULT_MS     2000 /* time that managers have to hear why it ends */

struct schedule {
	enum store_tending what;
	bool set;
	struct cron cron;
	int64_t due; /* when it is due next */
};

struct serve {
	struct ui_role role;
	struct cmd_store_conf conf;
	struct rpc_deny deny;
	struct ui_loop loop;
	struct rpc_timer tick, fault_told;
	struct rpc_timer committed; /* until managers are told of commits */
	struct engine *engine;
	struct rpc_tls_conf *tls;
	struct store_service *service;
	struct manager_uplink *uplink; /* NULL: no manager is known */
	struct manager_uplink_peer managers[MANAGER_UPLINKS_MAX];
	size_t manager_count;
	struct tz *tz;
	struct schedule gc, scrub;
	struct pool_job count; /* counts damage, at the start */
	uint64_t marked;
	uint64_t damaged;                  /* chunks and dumps known to be damaged or missing */
	char fault[MANAGER_FAULT_MAX + 1]; /* why the service ends; "": it does not */
	int status;
};

/* --- gc and scrub by schedule ------------------------------------------------- */

static int set_schedule(struct serve *s, struct schedule *schedule, const char *key,
	const char *text, struct err *err)
{
	schedule->set = false;
	if (strcmp(text, "never") == 0)
		return 0;
	if (cron_parse(&schedule->cron, text, s->conf.path, NULL, err) != 0)
		return err_prefix(err, "store.conf: %s", key);
	schedule->set = cron_next(&schedule->cron, s->tz, time(NULL), &schedule->due) == 0;
	return 0;
}

static int set_schedules(struct serve *s, struct err *err)
{
	return set_schedule(s, &s->gc, "gc", s->conf.gc, err) != 0 ||
			       set_schedule(s, &s->scrub, "scrub", s->conf.scrub, err) != 0
		       ? -1
		       : 0;
}

/* Returns NULL with err set on failure. */
static struct rpc_tls_conf *load_tls(struct serve *s, struct err *err)
{
	const struct rpc_tls_opts opts = ui_role_tls(&s->role, &s->deny);

	return rpc_tls_conf_new(&opts, err);
}

/* Sets the number, and tells managers if it has changed. */
static void set_damaged(struct serve *s, uint64_t damaged)
{
	bool changed = s->damaged != damaged;

	s->damaged = damaged;
	if (changed && s->uplink != NULL)
		manager_uplink_changed(s->uplink);
}

/* Counts what earlier scrubs have marked. */
static void count_damaged(struct pool_job *job)
{
	struct serve *s = (struct serve *)(void *)((char *)job - offsetof(struct serve, count));
	struct engine_stat stat;

	s->marked = engine_stat(s->engine, &stat, NULL) == 0 ? stat.damaged : 0;
}

static void damaged_counted(struct pool_job *job)
{
	struct serve *s = (struct serve *)(void *)((char *)job - offsetof(struct serve, count));

	set_damaged(s, s->marked);
}

static void on_tended(void *ctx, enum store_tending what, const struct engine_gc_result *gc,
	const struct store_checked *scrub, const struct err *err)
{
	struct serve *s = ctx;
	uint64_t damaged;

	if (err != NULL) {
		ui_log(UI_LOG_ERROR, "%s: %s", what == STORE_TEND_GC ? "gc" : "scrub",
			err->message);
	} else if (what == STORE_TEND_GC) {
		ui_log(UI_LOG_NOTICE,
			"gc: %" PRIu64 " bytes given back, %" PRIu64 " volumes rewritten",
			gc->bytes, gc->volumes);
	} else {
		damaged = scrub->damaged + scrub->missing + scrub->incomplete;
		ui_log(damaged > 0 ? UI_LOG_ERROR : UI_LOG_NOTICE,
			"scrub: %" PRIu64 " blocks, %" PRIu64 " bytes: %" PRIu64
			" damaged, %" PRIu64 " chunks lost, %" PRIu64 " incomplete dumps",
			scrub->blocks, scrub->bytes, scrub->damaged, scrub->missing,
			scrub->incomplete);
		/* A scrub that was stopped early knows nothing about what it did not read. */
		if (!scrub->stopped || damaged > s->damaged)
			set_damaged(s, damaged);
	}
}

static void look_at(struct serve *s, struct schedule *schedule)
{
	int64_t now = time(NULL);

	if (!schedule->set || now < schedule->due ||
		store_service_tend(s->service, schedule->what, on_tended) != 0)
		return;
	schedule->set = cron_next(&schedule->cron, s->tz, now, &schedule->due) == 0;
}

static void on_tick(void *arg)
{
	struct serve *s = arg;

	if (s->loop.ending)
		return;
	look_at(s, &s->gc);
	look_at(s, &s->scrub);
	rpc_timer_start(&s->tick, s->loop.loop, TICK_MS, on_tick, s);
}

/* --- events ----------------------------------------------------------------- */

static void on_end(void *ctx)
{
	struct serve *s = ctx;

	manager_uplink_free(s->uplink);
	s->uplink = NULL;
	store_service_shutdown(s->service);
}

static bool is_idle(void *ctx)
{
	return rpc_listen_count(store_service_listener(((struct serve *)ctx)->service)) == 0;
}

/* Reads store.conf and the certificate again. If that fails, nothing changes. */
static void reload(void *ctx)
{
	struct serve *s = ctx;
	struct schedule gc = s->gc, scrub = s->scrub;
	struct cmd_store_conf old = s->conf;
	struct rpc_tls_conf *tls = NULL;
	struct err err = {0};

	s->conf = (struct cmd_store_conf){.limits.quotas = NULL};
	if (cmd_store_conf_read(&s->conf, s->role.config, &err) != 0 ||
		set_schedules(s, &err) != 0 || (tls = load_tls(s, &err)) == NULL ||
		engine_limits_set(s->engine, &s->conf.limits, &err) != 0) {
		cmd_store_conf_free(&s->conf);
		rpc_tls_conf_unref(tls);
		s->conf = old;
		s->gc = gc;
		s->scrub = scrub;
		ui_log(UI_LOG_ERROR, "not reloaded, all is as before: %s", err.message);
	} else {
		cmd_store_conf_free(&old);
		rpc_tls_conf_unref(s->tls);
		s->tls = tls;
		rpc_listen_conf(store_service_listener(s->service), tls);
		store_service_limits(s->service, s->conf.lock_max_sec);
		if (s->uplink != NULL)
			manager_uplink_conf(s->uplink, tls);
		ui_log(UI_LOG_NOTICE, "reloaded");
	}
}

static void on_fault_told(void *arg)
{
	rpc_loop_stop(((struct serve *)arg)->loop.loop);
}

/* The engine has failed. After damage managers are told why; nobody else can be served. */
static void on_failed(void *ctx, const struct err *why)
{
	struct serve *s = ctx;

	if (s->status != UI_OK)
		return;
	ui_log(UI_LOG_ERROR, "the store can't go on, and ends: %s", why->message);
	s->status = why->code == ERR_DAMAGE ? UI_DAMAGE : UI_FAILED;
	s->loop.ending = true;
	if (s->uplink == NULL || s->status != UI_DAMAGE) {
		rpc_loop_stop(s->loop.loop);
		return;
	}
	esc_line(s->fault, sizeof s->fault, why->message, strlen(why->message));
	manager_uplink_changed(s->uplink);
	store_service_shutdown(s->service);
	rpc_timer_start(&s->fault_told, s->loop.loop, FAULT_MS, on_fault_told, s);
}

/* Tells managers, because they show how much a store uses. */
static void on_committed(void *arg)
{
	struct serve *s = arg;

	if (s->uplink != NULL)
		manager_uplink_changed(s->uplink);
}

static void on_access(void *ctx, const struct rpc_access *access)
{
	struct serve *s = ctx;

	ui_log_access(access);
	if (access->status == ERR_NONE && strcmp(access->method, "commit") == 0 &&
		!s->loop.ending && !rpc_timer_on(&s->committed))
		rpc_timer_start(&s->committed, s->loop.loop, COMMITTED_MS, on_committed, s);
}

static void on_tally(void *ctx, const struct rpc_identity *peer, const struct store_tally *t)
{
	(void)ctx;
	ui_log(UI_LOG_INFO,
		"%s.%s %.8s: %" PRIu64 " put, %" PRIu64 " get, %" PRIu64 " have: %" PRIu64
		" bytes in, %" PRIu64 " out",
		peer->name, rpc_role_name(peer->role), peer->host, t->puts, t->gets, t->haves,
		t->bytes_in, t->bytes_out);
}

static void on_refused(void *ctx, const char *address, const struct err *why)
{
	(void)ctx;
	ui_log(UI_LOG_WARNING, "%s: refused: %s", address, why->message);
}

static void on_problem(void *ctx, const struct store_entry *dump, const char *what)
{
	char whose[UI_SHOW_DUMP_MAX] = "";

	(void)ctx;
	if (dump != NULL)
		ui_show_dump(whose, dump);
	ui_log(UI_LOG_ERROR, "scrub: %s%s%s%s", whose[0] ? "dump " : "", whose,
		whose[0] ? ": " : "", what);
}

static void on_damaged(void *ctx, const struct err *what)
{
	(void)ctx;
	ui_log(UI_LOG_ERROR,
		"a chunk is damaged: %s; it is marked, and put again by the next backup that has "
		"it, or by 'fdump store replicate'",
		what->message);
}

/* --- managers ---------------------------------------------------------------- */

static void on_hello(void *ctx, size_t peer, struct manager_hello *hello)
{
	struct serve *s = ctx;
	struct store_about about;
	struct err err;

	(void)peer;
	memcpy(hello->uid, engine_uid(s->engine), sizeof hello->uid);
	memcpy(hello->key, engine_public(s->engine), sizeof hello->key);
	if (engine_about(s->engine, &about, &err) == 0) {
		hello->free = about.free > about.reserve ? about.free - about.reserve : 0;
		hello->size = about.size;
		hello->used = about.used;
	}
	hello->damaged = s->damaged;
	memcpy(hello->fault, s->fault, sizeof hello->fault);
	/* Without an address only the port is announced; the manager takes the host from the
	 * connection. */
	if (s->conf.address[0] != 0)
		snprintf(hello->address, sizeof hello->address, "%s", s->conf.address);
	else
		snprintf(hello->address, sizeof hello->address, ":%u",
			rpc_listen_port(store_service_listener(s->service)));
}

static void on_welcome(void *ctx, size_t peer, const struct manager_welcome *w)
{
	struct serve *s = ctx;
	int64_t off = w->clock - time(NULL);
	struct store_key keys[MANAGER_STORES_MAX];
	struct err err = {0};
	size_t i;

	if (off > 300 || off < -300)
		ui_log(UI_LOG_WARNING,
			"this machine's clock and that of manager %s differ by %lld s",
			manager_uplink_name(s->uplink, peer), (long long)off);
	for (i = 0; i < w->store_count; i++) {
		memcpy(keys[i].uid, w->stores[i].uid, sizeof keys->uid);
		memcpy(keys[i].public, w->stores[i].key, sizeof keys->public);
	}
	if (store_service_fleet(s->service, peer, keys, w->store_count, &err) != 0)
		ui_log(UI_LOG_ERROR, "the fleet's stores: %s", err.message);
}

static void on_denied(void *ctx)
{
	rpc_listen_recheck(store_service_listener(((struct serve *)ctx)->service));
}

static void on_uplink_log(void *ctx, bool is_error, const char *text)
{
	(void)ctx;
	ui_log(is_error ? UI_LOG_ERROR : UI_LOG_NOTICE, "%s", text);
}

/* Connects to the managers. A store also serves without them, as long as its certificate is
 * valid. */
static int start_uplink(struct serve *s, struct err *err)
{
	struct manager_uplink_opts opts = {
		.loop = s->loop.loop,
		.pool = s->loop.pool,
		.conf = s->tls,
		.paths = {.key = s->role.key, .cert = s->role.cert, .ca = s->role.ca},
		.deny = &s->deny,
		.deny_path = s->role.deny,
		.managers_path = s->role.managers,
		.peers = s->managers,
		.times = ui_test_times(NULL),
		.ctx = s,
		.hello = on_hello,
		.welcome = on_welcome,
		.renewed = reload,
		.denied = on_denied,
		.log = on_uplink_log,
	};

	if (access(s->role.managers, F_OK) != 0)
		return 0;
	if (ui_role_managers(&s->role, s->managers, &s->manager_count, err) != 0)
		return -1;
	opts.peer_count = s->manager_count;
	s->uplink = manager_uplink_new(&opts, err);
	return s->uplink != NULL ? 0 : -1;
}

/* --- start and stop --------------------------------------------------------- */

static int set_up(struct serve *s, struct err *err)
{
	const struct engine_wait wait = {.sec = STORE_LOCK_SEC};
	struct store_service_opts opts = {
		.times = ui_test_times(NULL),
		.ctx = s,
		.log = on_access,
		.tallied = on_tally,
		.refused = on_refused,
		.problem = on_problem,
		.damaged = on_damaged,
		.failed = on_failed,
	};
	struct store_address address;

	if (cmd_store_conf_read(&s->conf, s->role.config, err) != 0 ||
		rpc_join_mend(s->role.key, s->role.cert, err) != 0 ||
		rpc_deny_load(&s->deny, s->role.deny, err) != 0 ||
		ui_address(&address, s->conf.listen, STORE_PORT, err) != 0)
		return -1;
	if ((s->conf.zone[0] != 0 ? tz_load(s->conf.zone, &s->tz, err) : tz_local(&s->tz, err)) !=
		0)
		return -1;
	s->gc.what = STORE_TEND_GC;
	s->scrub.what = STORE_TEND_SCRUB;
	if (set_schedules(s, err) != 0)
		return -1;
	s->tls = load_tls(s, err);
	if (s->tls == NULL)
		return -1;
	if (rpc_tls_conf_self(s->tls)->role != RPC_STORE)
		return err_set(err, ERR_CONFIG, "%s: not a store's certificate", s->role.cert);
	s->engine = engine_open(s->conf.path, ENGINE_WRITE, &wait, err);
	if (s->engine == NULL || engine_limits_set(s->engine, &s->conf.limits, err) != 0)
		return -1;
	if (ui_loop_start(&s->loop, THREADS, QUEUE_MAX, err) != 0)
		return -1;
	opts.loop = s->loop.loop;
	opts.pool = s->loop.pool;
	opts.engine = s->engine;
	opts.conf = s->tls;
	opts.host = strcmp(address.host, "*") == 0 ? NULL : address.host;
	opts.port = address.port;
	s->service = store_service_new(&opts, err);
	if (s->service == NULL)
		return err_prefix(err, "%s", s->conf.listen);
	store_service_limits(s->service, s->conf.lock_max_sec);
	on_tick(s);
	s->count = (struct pool_job){.work = count_damaged, .done = damaged_counted};
	pool_start(s->loop.pool, &s->count);
	return start_uplink(s, err);
}

static void tear_down(struct serve *s)
{
	rpc_timer_stop(&s->tick);
	rpc_timer_stop(&s->fault_told);
	rpc_timer_stop(&s->committed);
	manager_uplink_free(s->uplink);
	pool_free(s->loop.pool); /* its threads work for the service */
	s->loop.pool = NULL;
	store_service_free(s->service);
	engine_close(s->engine);
	ui_loop_stop(&s->loop);
	rpc_tls_conf_unref(s->tls);
	rpc_deny_fini(&s->deny);
	cmd_store_conf_free(&s->conf);
	tz_free(s->tz);
}

int cmd_store_service(const struct ui_options *o, struct err *err)
{
	struct serve s = {.status = UI_OK,
		.loop = {.ctx = &s, .end = on_end, .idle = is_idle, .reload = reload}};
	int ret = ui_role_set(&s.role, o->config, o->state, "store", err);

	ui_log_start(true);
	rpc_deny_init(&s.deny);
	if (ret == 0)
		ret = set_up(&s, err);
	if (ret == 0) {
		ui_log(UI_LOG_NOTICE, "store %s at %s, port %u", rpc_tls_conf_self(s.tls)->name,
			s.conf.path, rpc_listen_port(store_service_listener(s.service)));
		ui_loop_serve(&s.loop);
	}
	tear_down(&s);
	return ret == 0 ? s.status : -1;
}
