/*
 * The manager service over loopback, with agents, a store and operators that are made up here:
 * hello, plans, reports, orders, denials; who may not.
 */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cmd/manager/config.h"
#include "cmd/manager/proto.h"
#include "cmd/manager/row.h"
#include "cmd/manager/service.h"
#include "cmd/manager/watch.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/db.h"
#include "lib/hash.h"
#include "rpc/ca.h"
#include "rpc/call.h"
#include "rpc/dial.h"
#include "rpc/loop.h"
#include "rpc/wire.h"
#include "test/net/peer.h"

static char folder[256];
static struct rpc_loop *loop;
static struct manager_service *service;
static struct err err;
static int64_t began; /* some hours ago */

/* What the manager logged. */
static char logged[65536];

static void on_log(void *ctx, enum manager_level level, const char *text)
{
	size_t len = strlen(logged);

	(void)ctx, (void)level;
	snprintf(logged + len, sizeof logged - len, "%s\n", text);
}

static void on_access(void *ctx, const struct rpc_access *access)
{
	(void)ctx, (void)access;
}

static void on_problem(void *ctx, const char *file, unsigned line, const char *what)
{
	(void)ctx;
	fail_msg("%s:%u: %s", file, line, what);
}

static struct manager_config *config_of(const char *paths)
{
	const char *name = "manager.conf";
	struct manager_config *config;
	char text[512];
	const char *texts[] = {text};

	snprintf(text, sizeof text,
		"job \"system\" { agents = {\"a*\"} paths = {%s} schedule = \"0 3 * * *\" "
		"stores = {\"s1\"} }\nstore \"s1\" { }\n",
		paths);
	assert_int_equal(manager_config_parse(&config, &name, texts, 1, on_problem, NULL, &err), 0);
	return config;
}

static const char *manager_file(char path[300], const char *name)
{
	snprintf(path, 300, "%s/manager/%s", folder, name);
	return path;
}

static void start(void)
{
	static char dir[300];
	struct manager_service_opts opts = {.loop = loop,
		.dir = dir,
		.host = "127.0.0.1",
		.port = "0",
		.enroll_host = "127.0.0.1",
		.enroll_port = "0",
		.address = "m1.example.org",
		.address_port = "",
		.log = on_log,
		.access = on_access};

	snprintf(dir, sizeof dir, "%s/manager", folder);
	opts.config = config_of("\"/etc\"");
	logged[0] = 0;
	service = manager_service_new(&opts, &err);
	if (service == NULL)
		fail_msg("%s", err.message);
	assert_string_equal(manager_service_name(service), "m1");
}

/* --- one who dials ------------------------------------------------------------ */

struct peer {
	struct rpc_tls_conf *conf;
	struct rpc_dial *dial;
	struct rpc_conn *conn;
	struct rpc_service methods;
	bool down;
	unsigned notified, ordered;
	char job[64];
	/* The last call. */
	bool over;
	struct err result;
	struct buf reply, blob;
	const uint8_t *send; /* its own blob */
	size_t send_len;
};

static void on_changed(void *ctx, const struct rpc_identity *from, const struct cbormap_value *v)
{
	struct peer *p = ctx;

	(void)v;
	assert_string_equal(from->name, "m1");
	p->notified++;
	rpc_loop_stop(loop);
}

static void on_run(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct peer *p = ctx;
	struct err why = {0};

	snprintf(p->job, sizeof p->job, "%.*s", (int)v[MANAGER_JOB_JOB].len,
		(const char *)v[MANAGER_JOB_JOB].bytes);
	if (p->ordered++ == 0) {
		rpc_call_reply(call, "\xa1\x63run\x50sixteen of a run", 22, false);
		return;
	}
	err_set(&why, ERR_BUSY, "it is running");
	rpc_call_fail(call, &why);
}

static const struct rpc_method methods[] = {
	{MANAGER_METHOD_PLAN_CHANGED, "plan-changed", RPC_ROLE_BIT(RPC_MANAGER), 64, 0, 10000, NULL,
		NULL, on_changed},
	{MANAGER_METHOD_RUN, "run", RPC_ROLE_BIT(RPC_MANAGER), 128, 0, 10000, manager_job_fields,
		on_run, NULL},
};

static void on_up(void *arg, struct rpc_conn *conn)
{
	((struct peer *)arg)->conn = conn;
	rpc_loop_stop(loop);
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms)
{
	struct peer *p = arg;

	(void)wait_ms;
	p->conn = NULL;
	p->down = true;
	p->result = *why;
	rpc_loop_stop(loop);
}

/* file: of the certificate. */
static void dial(struct peer *p, const char *file)
{
	char port[8];
	struct rpc_dial_opts opts = {.expect = {RPC_MANAGER, "m1"},
		.service = &p->methods,
		.host = "127.0.0.1",
		.port = port,
		.once = true,
		.arg = p,
		.up = on_up,
		.down = on_down};

	*p = (struct peer){.methods = {methods, 2, p, NULL}};
	buf_init(&p->reply, RPC_PAYLOAD_MAX);
	buf_init(&p->blob, MANAGER_LISTING_MAX);
	snprintf(port, sizeof port, "%u", manager_service_port(service));
	opts.conf = p->conf = peer_conf(folder, file, NULL, &err);
	assert_non_null(p->conf);
	p->dial = rpc_dial_new(loop, &opts, &err);
	assert_non_null(p->dial);
	while (p->conn == NULL && !p->down)
		rpc_loop_run(loop);
}

static void hang_up(struct peer *p)
{
	rpc_dial_free(p->dial);
	rpc_tls_conf_unref(p->conf);
	buf_fini(&p->reply);
	buf_fini(&p->blob);
}

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	(void)more;
	assert_int_equal(buf_add(&((struct peer *)arg)->reply, bytes, len, &err), 0);
}

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	(void)last;
	assert_int_equal(buf_add(&((struct peer *)arg)->blob, bytes, len, &err), 0);
}

static int on_fill(void *arg, uint8_t *to, size_t cap, size_t *len, bool *last, struct err *e)
{
	struct peer *p = arg;

	(void)e;
	*len = p->send_len < cap ? p->send_len : cap;
	memcpy(to, p->send, *len);
	p->send += *len;
	p->send_len -= *len;
	*last = p->send_len == 0;
	if (*last)
		rpc_loop_stop(loop);
	return 0;
}

static void on_over(void *arg, const struct err *why)
{
	struct peer *p = arg;

	p->over = true;
	p->result = why != NULL ? *why : (struct err){0};
	rpc_loop_stop(loop);
}

/* Asks, with a blob if there is one in p->send. */
static void start_call(struct peer *p, uint16_t method, const void *params, size_t len)
{
	static const struct rpc_call_ops ops = {
		.reply = on_reply, .data = on_data, .fill = on_fill, .done = on_over};
	struct rpc_request request = {.method = method,
		.params = params,
		.len = len,
		.blob = p->send_len > 0,
		.reply_max = MANAGER_LISTING_MAX,
		.timeout_ms = 10000,
		.ops = &ops,
		.arg = p};

	buf_clear(&p->reply);
	buf_clear(&p->blob);
	p->over = false;
	assert_non_null(p->conn);
	assert_non_null(rpc_call_start(p->conn, &request, &err));
}

/* The same, and waits. Returns what came of it. */
static enum err_code ask(struct peer *p, uint16_t method, const void *params, size_t len)
{
	start_call(p, method, params, len);
	while (!p->over)
		rpc_loop_run(loop);
	return p->result.code;
}

static enum err_code hello(struct peer *p, struct manager_hello *h, struct manager_welcome *w)
{
	enum err_code code;
	struct buf params;

	strcpy(h->version, "test");
	h->clock = time(NULL);
	buf_init(&params, RPC_PAYLOAD_MAX);
	assert_int_equal(manager_hello_put(&params, h, &err), 0);
	code = ask(p, MANAGER_METHOD_HELLO, params.data, params.len);
	buf_fini(&params);
	if (code == ERR_NONE)
		assert_int_equal(manager_welcome_get(w, p->reply.data, p->reply.len, &err), 0);
	return code;
}

/* --- reports ------------------------------------------------------------------ */

/* Adds a record of a run to the frames. */
static void add_record(struct buf *frames, uint64_t number, enum manager_kind kind, uint8_t run,
	int64_t when, enum manager_result result, size_t receipts)
{
	struct manager_record r = {.number = number,
		.time = began + when,
		.kind = kind,
		.result = result,
		.job = "system",
		.run = {run},
		.slot = began + 1000,
		.has_dump = kind == MANAGER_ENDED && manager_result_kept(result),
		.receipt_count = receipts};
	uint8_t *to = buf_room(frames, MANAGER_FRAME_HEAD + MANAGER_RECORD_MAX, &err);
	size_t len, i;

	for (i = 0; i < receipts; i++)
		strcpy(r.receipts[i].store, "s1");
	len = manager_record_encode(&r, to + MANAGER_FRAME_HEAD);
	manager_frame_seal(to, len);
	buf_took(frames, MANAGER_FRAME_HEAD + len);
}

static void add_alarm(struct buf *frames, uint64_t number, const char *text, const char *job)
{
	struct manager_record r = {.number = number, .time = began + 3050, .kind = MANAGER_ALARM};
	uint8_t *to = buf_room(frames, MANAGER_FRAME_HEAD + MANAGER_RECORD_MAX, &err);
	size_t len;

	strcpy(r.text, text);
	strcpy(r.job, job);
	len = manager_record_encode(&r, to + MANAGER_FRAME_HEAD);
	manager_frame_seal(to, len);
	buf_took(frames, MANAGER_FRAME_HEAD + len);
}

static void start_report(struct peer *p, uint8_t journal, const struct buf *frames)
{
	uint8_t mem[128], id[MANAGER_RUN_LEN] = {journal};
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "journal");
	cbor_put_bytes(&out, id, sizeof id);
	cbor_put_text(&out, "first");
	cbor_put_uint(&out, 1);
	p->send = frames->data;
	p->send_len = frames->len;
	start_call(p, MANAGER_METHOD_REPORT, mem, cbor_out_len(&out));
}

/* Returns the acknowledged number, or UINT64_MAX: it was refused. */
static uint64_t report(struct peer *p, uint8_t journal, const struct buf *frames)
{
	struct cbormap_value v[MANAGER_ACKED_FIELDS];

	start_report(p, journal, frames);
	while (!p->over)
		rpc_loop_run(loop);
	if (p->result.code != ERR_NONE)
		return UINT64_MAX;
	assert_int_equal(
		cbormap_get(v, manager_acked_fields, p->reply.data, p->reply.len, &err), 0);
	return v[MANAGER_ACKED_NUMBER].number;
}

/* The n-th run, the newest first. Returns how many there are. */
static size_t runs(struct peer *operator, size_t n, struct manager_run_row *run)
{
	struct manager_run_row row;
	const uint8_t *at;
	size_t left, count = 0;

	assert_int_equal(ask(operator, MANAGER_METHOD_RUNS, "\xa0", 1), ERR_NONE);
	at = operator->blob.data;
	left = operator->blob.len;
	while (manager_row_get(&row, sizeof row, manager_run_fields, &at, &left, &err) == 0)
		if (count++ == n)
			*run = row;
	return count;
}

/* What is wrong by the manager: the alarm of that id. Returns whether there is one. */
static bool alarm_of(struct peer *operator, const char * id, struct manager_alarm_row *alarm)
{
	struct manager_alarm_row row;
	const uint8_t *at;
	size_t left;
	bool found = false;

	assert_int_equal(ask(operator, MANAGER_METHOD_ALARMS, "\xa0", 1), ERR_NONE);
	at = operator->blob.data;
	left = operator->blob.len;
	while (manager_row_get(&row, sizeof row, manager_alarm_fields, &at, &left, &err) == 0)
		if (strcmp(row.alarm, id) == 0) {
			found = true;
			*alarm = row;
		}
	return found;
}

/* The row of a machine in a listing of hosts. */
static void row_of(struct peer *operator, const char * name, struct manager_host_row *row)
{
	const uint8_t *at = operator->blob.data;
	size_t left = operator->blob.len;

	while (manager_row_get(row, sizeof *row, manager_host_fields, &at, &left, &err) == 0)
		if (strcmp(row->name, name) == 0)
			return;
	fail_msg("%s: not listed", name);
}

/* --- the tests ------------------------------------------------------------------ */

static void test_agent(void **unused)
{
	uint8_t digest[MANAGER_DIGEST_LEN];
	struct manager_hello h = {.boot = {1}, .journal = {7}, .number = 3};
	struct manager_welcome w;
	struct manager_peer told;
	struct peer a, o;
	struct manager_plan plan;
	struct manager_run_row run;
	struct buf frames;
	char address[64];

	(void)unused;
	start();
	dial(&a, "a1");
	dial(&o, "o1");
	/* Nothing before hello. */
	assert_int_equal(ask(&a, MANAGER_METHOD_PLAN, "\xa0", 1), ERR_DENIED);
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_in_range(w.clock, time(NULL) - 2, time(NULL) + 2);
	assert_int_equal(w.acked, 0);
	assert_true(w.has_digest);
	assert_int_equal(w.denied_count, 0);
	memcpy(digest, w.digest, sizeof digest);
	assert_true(manager_welcome_manager(&w, &told));
	snprintf(address, sizeof address, "m1.example.org:%u", manager_service_port(service));
	assert_string_equal(told.name, "m1");
	assert_string_equal(told.address, address);
	assert_false(manager_welcome_manager(&w, &told));
	/* The plan has that digest. */
	assert_int_equal(ask(&a, MANAGER_METHOD_PLAN, "\xa0", 1), ERR_NONE);
	manager_plan_digest(a.blob.data, a.blob.len, h.digest);
	assert_memory_equal(digest, h.digest, sizeof digest);
	assert_int_equal(manager_plan_decode(&plan, a.blob.data, a.blob.len, &err), 0);
	assert_string_equal(plan.agent, "a1");
	assert_string_equal(plan.jobs[0].name, "system");
	manager_plan_free(&plan);
	/* Another configuration: it is told, once for several. */
	manager_service_config(service, config_of("\"/home\""));
	manager_service_config(service, config_of("\"/home\""));
	while (a.notified == 0)
		rpc_loop_run(loop);
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_memory_not_equal(digest, w.digest, sizeof digest);
	assert_int_equal(a.notified, 1);
	/* Records: each counts once, whatever is sent again. */
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 1, MANAGER_STARTING, 1, 2000, MANAGER_NONE, 0);
	add_record(&frames, 2, MANAGER_ENDED, 1, 2100, MANAGER_FAILED, 0);
	assert_int_equal(report(&a, 7, &frames), 2);
	add_record(&frames, 4, MANAGER_STARTING, 2, 2200, MANAGER_NONE, 0);
	add_record(&frames, 5, MANAGER_ENDED, 2, 2300, MANAGER_OK, 1);
	assert_int_equal(report(&a, 7, &frames), 5);
	assert_int_equal(report(&a, 7, &frames), 5);
	assert_int_equal(runs(&o, 0, &run), 2);
	assert_string_equal(run.agent, "a1");
	assert_string_equal(run.result, "ok");
	assert_int_equal(run.copies, 1);
	assert_int_equal(run.started, began + 2200);
	assert_int_equal(run.ended, began + 2300);
	assert_int_equal(runs(&o, 1, &run), 2);
	assert_string_equal(run.result, "failed");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 5);
	/* Bytes that are no record. */
	buf_clear(&frames);
	assert_int_equal(buf_add(&frames, "nonsense", 8, &err), 0);
	assert_int_equal(report(&a, 7, &frames), UINT64_MAX);
	assert_int_equal(a.result.code, ERR_FORMAT);
	/* It lost its journal: from the beginning; what was known stays. */
	h.journal[0] = 8;
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 0);
	assert_non_null(strstr(logged, "a1 has a new journal"));
	buf_fini(&frames);
	hang_up(&a);
	/* All of it outlives the manager. */
	hang_up(&o);
	manager_service_free(service);
	start();
	dial(&o, "o-m1");
	assert_int_equal(runs(&o, 0, &run), 2);
	hang_up(&o);
	manager_service_free(service);
}

/* A manager renews its own certificate, and a record of the future counts as one of now. */
static void test_times(void **unused)
{
	struct manager_hello h = {.boot = {1}, .journal = {9}, .number = 1};
	char command[1024], cert[300];
	struct manager_welcome w;
	struct manager_run_row run;
	struct rpc_cert_info info;
	struct buf frames;
	struct peer a, o;

	(void)unused;
	assert_int_equal(rpc_cert_info(manager_file(cert, "cert.pem"), &info, &err), 0);
	peer_make_cert_by(folder, "int", "m1-old", "m1", "manager", info.id.host,
		time(NULL) - 86400, time(NULL) + 10 * 86400);
	snprintf(command, sizeof command,
		"cd %s && cp m1-old.key manager/key.pem && cp m1-old.crt manager/cert.pem", folder);
	assert_int_equal(system(command), 0);
	start();
	assert_int_equal(rpc_cert_info(cert, &info, &err), 0);
	assert_true(info.not_after > time(NULL) + 80 * 86400);
	dial(&a, "a1");
	dial(&o, "o1");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 1, MANAGER_ENDED, 5, 1000000, MANAGER_OK, 1);
	assert_int_equal(report(&a, 9, &frames), 1);
	assert_int_equal(runs(&o, 0, &run), 3);
	assert_in_range(run.ended, time(NULL) - 2, time(NULL));
	buf_fini(&frames);
	hang_up(&a);
	hang_up(&o);
	manager_service_free(service);
}

/* What a welcome has is what is there, also while it is not durable yet: it is not an
 * acknowledgement. */
static void test_unsaved(void **unused)
{
	struct manager_hello h = {.boot = {1}, .journal = {9}, .number = 1};
	struct manager_welcome w;
	struct buf frames;
	struct peer a, same;

	(void)unused;
	start();
	dial(&a, "a1");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 2, MANAGER_ENDED, 6, 1000, MANAGER_OK, 1);
	same = a; /* another call on the same connection */
	start_report(&a, 9, &frames);
	while (a.send_len > 0)
		rpc_loop_run(loop);
	buf_init(&same.reply, MANAGER_LISTING_MAX);
	assert_int_equal(hello(&same, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 2);
	while (!a.over)
		rpc_loop_run(loop);
	assert_int_equal(hello(&same, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 2);
	buf_fini(&same.reply);
	buf_fini(&frames);
	hang_up(&a);
	manager_service_free(service);
}

static void test_strangers(void **unused)
{
	struct manager_hello h = {.boot = {1}}, again = {.boot = {2}}, same = {.boot = {1}};
	struct manager_alarm_row alarm;
	struct manager_host_row row;
	struct manager_welcome w;
	static const char agent_a1[] = "\xa1\x65"
				       "agent\x62"
				       "a1";
	static const char agent_m2[] = "\xa1\x65"
				       "agent\x62"
				       "m2";
	struct peer a, b, o, other;
	size_t one;

	(void)unused;
	start();
	dial(&o, "o1");
	dial(&a, "a1");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	/* The same start of the machine, once more: a connection that is not known to be lost. */
	dial(&b, "a1");
	assert_int_equal(hello(&b, &same, &w), ERR_NONE);
	assert_int_equal(a.notified, 0);
	hang_up(&b);
	/* Another start: the machine was started again, unless the one before is heard again. */
	dial(&b, "a1");
	assert_int_equal(hello(&b, &again, &w), ERR_NONE);
	while (a.notified == 0)
		rpc_loop_run(loop);
	assert_false(alarm_of(&o, "agent/a1/clone", &alarm));
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_true(alarm_of(&o, "agent/a1/clone", &alarm));
	assert_string_equal(alarm.state, "cloned");
	assert_true(alarm.critical);
	hang_up(&b);
	hang_up(&o);
	/* Another machine of that name. */
	peer_make_cert_by(folder, "int", "a1-other", "a1", "agent", NULL, 0, 0);
	dial(&other, "a1-other");
	assert_int_equal(hello(&other, &again, &w), ERR_DENIED);
	assert_non_null(strstr(other.result.message, "another machine is known as the agent a1"));
	assert_int_equal(ask(&other, MANAGER_METHOD_PLAN, "\xa0", 1), ERR_DENIED);
	hang_up(&other);
	dial(&o, "o1");
	assert_true(alarm_of(&o, "agent/a1/stranger", &alarm));
	assert_non_null(strstr(alarm.reason, "another machine is known as the agent a1"));
	hang_up(&o);
	/* One whose plan is another one on the manager that it follows. */
	strcpy(h.follows, "m2");
	h.digest[0] = 1;
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	dial(&o, "o1");
	assert_int_equal(ask(&o, MANAGER_METHOD_HOSTS, "\xa0", 1), ERR_NONE);
	row_of(&o, "a1", &row);
	assert_true(row.differs);
	hang_up(&o);
	h.follows[0] = 0;
	h.digest[0] = 0;
	/* Another manager's agent says hello as well: it is of the fleet. Its operator may not. */
	dial(&b, "a2");
	assert_int_equal(hello(&b, &h, &w), ERR_NONE);
	hang_up(&b);
	dial(&b, "o-m2");
	assert_null(b.conn);
	hang_up(&b);
	dial(&o, "o1");
	/* Of one agent that is named, not of another machine. */
	assert_int_equal(ask(&o, MANAGER_METHOD_HOSTS, agent_m2, sizeof agent_m2 - 1), ERR_NONE);
	assert_int_equal(o.blob.len, 0);
	assert_int_equal(ask(&o, MANAGER_METHOD_HOSTS, agent_a1, sizeof agent_a1 - 1), ERR_NONE);
	one = o.blob.len;
	row_of(&o, "a1", &row);
	assert_int_equal(ask(&o, MANAGER_METHOD_HOSTS, "\xa0", 1), ERR_NONE);
	assert_true(one < o.blob.len);
	hang_up(&o);
	hang_up(&a);
	manager_service_free(service);
}

/* Each method, by each role: those that may not are refused before anything else. */
static void test_roles(void **unused)
{
	static const struct {
		uint16_t method;
		const char *may; /* of a1, s1, o1 */
	} table[] = {{2, "as"}, {3, "o"}, {4, "o"}, {64, "as"}, {65, "a"}, {66, "a"}, {96, "o"},
		{97, "o"}, {99, "o"}, {100, "o"}, {101, "o"}, {102, "o"}, {103, "o"}};
	static const char *const files[] = {"a1", "s1", "o1"};
	struct peer p;
	size_t i, k;

	(void)unused;
	start();
	for (k = 0; k < 3; k++) {
		dial(&p, files[k]);
		for (i = 0; i < sizeof table / sizeof *table; i++) {
			bool may = strchr(table[i].may, files[k][0]) != NULL;

			/* A text instead of a map: who may ask is told so. Methods without
			 * parameters answer. */
			ask(&p, table[i].method, "\x61x", 2);
			if (may)
				assert_true(p.result.code != ERR_DENIED || table[i].method == 65);
			else
				assert_int_equal(p.result.code, ERR_DENIED);
		}
		assert_int_equal(ask(&p, 98, "\xa0", 1), ERR_UNSUPPORTED);
		hang_up(&p);
	}
	manager_service_free(service);
}

/* The job's row of a1. */
static struct manager_status_row status(struct peer *operator)
{
	static const char filter[] = "\xa1\x65"
				     "agent\x62"
				     "a1";
	struct manager_status_row row;
	const uint8_t *at;
	size_t left;

	assert_int_equal(ask(operator, MANAGER_METHOD_STATUS, filter, sizeof filter - 1), ERR_NONE);
	at = operator->blob.data;
	left = operator->blob.len;
	assert_int_equal(
		manager_row_get(&row, sizeof row, manager_status_fields, &at, &left, &err), 0);
	assert_int_equal(left, 0);
	return row;
}

static void tell_progress(struct peer *p, uint64_t bytes)
{
	uint8_t mem[64];
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "job");
	cbor_put_text(&out, "system");
	cbor_put_text(&out, "bytes");
	cbor_put_uint(&out, bytes);
	cbor_put_text(&out, "entries");
	cbor_put_uint(&out, 12);
	assert_int_equal(
		rpc_notify(p->conn, MANAGER_METHOD_PROGRESS, mem, cbor_out_len(&out), &err), 0);
}

/* How far a run is shows as long as it goes on; what an agent alarms of, until it is over. */
static void test_run(void **unused)
{
	struct manager_hello h = {.boot = {1}, .journal = {11}, .number = 1};
	struct manager_status_row row;
	struct manager_alarm_row alarm;
	struct manager_welcome w;
	struct buf frames;
	struct peer a, o;

	(void)unused;
	start();
	dial(&o, "o1");
	dial(&a, "a1");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 1, MANAGER_STARTING, 7, 3000, MANAGER_NONE, 0);
	add_alarm(&frames, 2, MANAGER_SAYS_OVERDUE, "");
	assert_int_equal(report(&a, 11, &frames), 2);
	assert_true(alarm_of(&o, "agent/a1/overdue", &alarm));
	tell_progress(&a, 5 << 20);
	assert_int_equal(hello(&a, &h, &w), ERR_NONE); /* it was heard before this */
	row = status(&o);
	assert_int_equal(row.bytes, 5 << 20);
	assert_int_equal(row.entries, 12);
	assert_non_null(strstr(row.reason, ": 5.0 MiB, 12 entries"));
	buf_clear(&frames);
	add_record(&frames, 3, MANAGER_ENDED, 7, 3100, MANAGER_OK, 1);
	add_alarm(&frames, 4, MANAGER_SAYS_CHANGED, "system");
	assert_int_equal(report(&a, 11, &frames), 4);
	assert_int_equal(status(&o).bytes, 0);
	assert_false(alarm_of(&o, "agent/a1/overdue", &alarm));
	assert_true(alarm_of(&o, "agent/a1/identity/system", &alarm));
	assert_string_equal(alarm.job, "system");
	add_record(&frames, 5, MANAGER_ENDED, 8, 3200, MANAGER_OK, 1);
	assert_int_equal(report(&a, 11, &frames), 5);
	assert_false(alarm_of(&o, "agent/a1/identity/system", &alarm));
	buf_fini(&frames);
	hang_up(&a);
	hang_up(&o);
	manager_service_free(service);
}

static void test_store(void **unused)
{
	struct manager_hello h = {.boot = {1}};
	struct manager_hello sh = {
		.boot = {2}, .uid = {3}, .key = {4}, .address = "s1.example.org:7421", .free = 5};
	struct manager_store_text told;
	struct manager_welcome w;
	struct manager_plan plan;
	struct peer a, s;

	(void)unused;
	start();
	dial(&a, "a1");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_false(manager_welcome_store(&w, &told));
	dial(&s, "s1");
	assert_int_equal(hello(&s, &sh, &w), ERR_NONE);
	assert_false(w.has_digest);
	/* The agent is told, and finds the store in its plan. */
	while (a.notified == 0)
		rpc_loop_run(loop);
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_true(manager_welcome_store(&w, &told));
	assert_string_equal(told.address, "s1.example.org:7421");
	assert_int_equal(told.uid[0], 3);
	assert_int_equal(ask(&a, MANAGER_METHOD_PLAN, "\xa0", 1), ERR_NONE);
	assert_int_equal(manager_plan_decode(&plan, a.blob.data, a.blob.len, &err), 0);
	assert_true(plan.stores[0].has_key && plan.stores[0].key[0] == 4);
	manager_plan_free(&plan);
	/* An address that would be a line of its own in a list. */
	strcpy(sh.address, "x\ns9 6.6.6.6:1 00 00");
	assert_int_equal(hello(&s, &sh, &w), ERR_NONE);
	assert_true(manager_welcome_store(&w, &told));
	assert_string_equal(told.address, "127.0.0.1:7421");
	strcpy(sh.address, ":1 0");
	assert_int_equal(hello(&s, &sh, &w), ERR_NONE);
	assert_true(manager_welcome_store(&w, &told));
	assert_string_equal(told.address, "127.0.0.1:7421");
	strcpy(sh.address, ":7422");
	assert_int_equal(hello(&s, &sh, &w), ERR_NONE);
	assert_true(manager_welcome_store(&w, &told));
	assert_string_equal(told.address, "127.0.0.1:7422");
	/* Another store with the same certificate. */
	sh.uid[0] = 9;
	assert_int_equal(hello(&s, &sh, &w), ERR_DENIED);
	assert_non_null(strstr(logged, "refused: the store s1 is not the same as before"));
	memset(sh.uid, 0, sizeof sh.uid);
	assert_int_equal(hello(&s, &sh, &w), ERR_USAGE);
	hang_up(&s);
	hang_up(&a);
	manager_service_free(service);
}

/* What a store says of itself. */
static void test_full(void **unused)
{
	struct manager_hello sh = {.boot = {2},
		.expires = time(NULL) + 86400,
		.uid = {3},
		.key = {4},
		.size = 1000,
		.used = 700,
		.damaged = 2,
		.fault = "the index is damaged"};
	struct manager_alarm_row alarm;
	struct manager_welcome w;
	struct peer s, o;

	(void)unused;
	start();
	dial(&o, "o1");
	dial(&s, "s1");
	assert_int_equal(hello(&s, &sh, &w), ERR_NONE);
	assert_true(alarm_of(&o, "store/s1/space", &alarm));
	assert_string_equal(alarm.state, "full");
	assert_true(alarm_of(&o, "store/s1/damage", &alarm));
	assert_true(alarm_of(&o, "store/s1/stopped", &alarm));
	assert_non_null(strstr(alarm.reason, sh.fault));
	assert_true(alarm_of(&o, "store/s1/certificate", &alarm));
	sh.free = 500;
	sh.damaged = 0;
	sh.fault[0] = 0;
	sh.expires += 80 * 86400;
	assert_int_equal(hello(&s, &sh, &w), ERR_NONE);
	assert_int_equal(ask(&o, MANAGER_METHOD_ALARMS, "\xa0", 1), ERR_NONE);
	assert_false(alarm_of(&o, "store/s1/space", &alarm));
	assert_false(alarm_of(&o, "store/s1/damage", &alarm));
	assert_false(alarm_of(&o, "store/s1/stopped", &alarm));
	assert_false(alarm_of(&o, "store/s1/certificate", &alarm));
	hang_up(&s);
	hang_up(&o);
	manager_service_free(service);
}

/* Changes a byte of the only entry in some tables of the manager's database. */
static void damage(const char *const *names, size_t count)
{
	struct db_bytes key, value;
	struct db_txn *txn;
	uint8_t copy[8192];
	char path[300];
	struct db *db;
	unsigned i;

	db = db_open(manager_file(path, "db"), names, count, 1 << 30, true, &err);
	assert_non_null(db);
	assert_int_equal(db_begin(db, true, &txn, &err), 0);
	for (i = 0; i < count; i++) {
		key = (struct db_bytes){NULL, 0};
		assert_int_equal(db_next(txn, i, &key, &value, &err), 0);
		memcpy(copy, value.at, value.len);
		copy[value.len - 1] ^= 1;
		value.at = copy;
		assert_int_equal(db_put(txn, i, key, value, &err), 0);
	}
	assert_int_equal(db_commit(txn, &err), 0);
	db_close(db);
}

/* Damage in the state is reported, and mended by the journals. */
static void test_damage(void **unused)
{
	static const char *const names[] = {"runs", "last"};
	struct manager_hello h = {.boot = {1}, .journal = {12}, .number = 2};
	struct manager_alarm_row alarm;
	struct manager_welcome w;
	struct buf frames;
	struct peer a, o;
	char command[600];

	(void)unused;
	snprintf(command, sizeof command, "rm -rf %s/manager/db", folder);
	assert_int_equal(system(command), 0);
	start();
	dial(&a, "a1");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 1, MANAGER_STARTING, 7, 3000, MANAGER_NONE, 0);
	add_record(&frames, 2, MANAGER_ENDED, 7, 3100, MANAGER_OK, 1);
	assert_int_equal(report(&a, 12, &frames), 2);
	hang_up(&a);
	manager_service_free(service);
	damage(names, 2);
	start();
	assert_non_null(strstr(logged, "state: a damaged entry in the table 'runs', counted as "));
	assert_non_null(strstr(logged, "'last', counted as missing: a1\\000system"));
	dial(&o, "o1");
	assert_true(alarm_of(&o, "manager/m1/state", &alarm));
	assert_true(alarm.critical);
	assert_non_null(strstr(alarm.reason, "2 damaged entries (last, runs), counted as missing"));
	dial(&a, "a1");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 0);
	assert_int_equal(report(&a, 12, &frames), 2);
	assert_false(alarm_of(&o, "manager/m1/state", &alarm));
	assert_int_equal(status(&o).severity, MANAGER_STATE_OK);
	buf_fini(&frames);
	hang_up(&a);
	hang_up(&o);
	manager_service_free(service);
}

static size_t order(struct peer *o, const char *agent, struct manager_order_row *row)
{
	const uint8_t *at;
	struct cbor_out out;
	uint8_t mem[128];
	size_t left, count = 0;
	struct manager_order_row one;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, agent != NULL ? 3 : 2);
	cbor_put_text(&out, "method");
	cbor_put_uint(&out, MANAGER_METHOD_RUN);
	cbor_put_text(&out, "job");
	cbor_put_text(&out, "system");
	if (agent != NULL) {
		cbor_put_text(&out, "agent");
		cbor_put_text(&out, agent);
	}
	if (ask(o, MANAGER_METHOD_ORDER, mem, cbor_out_len(&out)) != ERR_NONE)
		return 0;
	at = o->blob.data;
	left = o->blob.len;
	while (manager_row_get(&one, sizeof one, manager_order_fields, &at, &left, &err) == 0) {
		if (count++ == 0)
			*row = one;
	}
	return count;
}

static void test_orders(void **unused)
{
	struct manager_hello h = {.boot = {1}};
	struct manager_order_row row;
	struct manager_welcome w;
	struct peer a, o;

	(void)unused;
	start();
	dial(&o, "o-m1");
	dial(&a, "a1");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(order(&o, "a1", &row), 1);
	assert_string_equal(row.error, "");
	assert_memory_equal(row.run, "sixteen of a run", sizeof row.run);
	assert_string_equal(a.job, "system");
	assert_int_equal(order(&o, "a1", &row), 1);
	assert_non_null(strstr(row.error, "it is running"));
	/* a2 has said hello in another test. */
	assert_int_equal(order(&o, "a2", &row), 1);
	assert_string_equal(row.error, "not connected");
	assert_int_equal(order(&o, NULL, &row), 2);
	assert_int_equal(order(&o, "zz", &row), 0);
	assert_int_equal(o.result.code, ERR_NOTFOUND);
	hang_up(&a);
	hang_up(&o);
	manager_service_free(service);
}

/* Orders of an operator who has the host id from another manager. */
static enum err_code revoke_host(struct peer *o, const char *name, const char *host)
{
	uint8_t mem[128];
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "role");
	cbor_put_text(&out, "agent");
	cbor_put_text(&out, "name");
	cbor_put_text(&out, name);
	cbor_put_text(&out, "host");
	cbor_put_text(&out, host);
	return ask(o, MANAGER_METHOD_REVOKE, mem, cbor_out_len(&out));
}

static void test_denied_unheard(void **unused)
{
	struct manager_hello h = {.boot = {1}};
	struct manager_welcome w;
	char host[RPC_HOST_LEN + 1];
	struct peer a, b, o;

	(void)unused;
	start();
	peer_make_cert_by(folder, "int", "a9", "a9", "agent", NULL, 0, 0);
	dial(&o, "o1");
	dial(&b, "a2");
	assert_int_equal(hello(&b, &h, &w), ERR_NONE);
	/* Not by another one's host id, nor by the manager's. */
	strcpy(host, rpc_tls_conf_self(b.conf)->host);
	assert_int_equal(revoke_host(&o, "a9", host), ERR_DENIED);
	assert_int_equal(revoke_host(&o, "m1", rpc_conn_peer(o.conn)->host), ERR_USAGE);
	assert_int_equal(revoke_host(&o, "a9", "HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH"), ERR_USAGE);
	/* It has never called. */
	dial(&a, "a9");
	assert_non_null(a.conn);
	strcpy(host, rpc_tls_conf_self(a.conf)->host);
	hang_up(&a);
	assert_int_equal(revoke_host(&o, "a9", host), ERR_NONE);
	assert_int_equal(revoke_host(&o, "a9", host), ERR_NONE);
	dial(&a, "a9");
	assert_null(a.conn);
	hang_up(&a);
	hang_up(&b);
	hang_up(&o);
	manager_service_free(service);
}

static void test_denied(void **unused)
{
	static const char revoke[] = "\xa2\x64role\x65"
				     "agent\x64name\x62"
				     "a1";
	struct manager_hello h = {.boot = {1}};
	struct manager_welcome w;
	struct peer a, b, o;

	(void)unused;
	start();
	dial(&o, "o1");
	dial(&a, "a1");
	dial(&b, "a2");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(hello(&b, &h, &w), ERR_NONE);
	assert_int_equal(ask(&o, MANAGER_METHOD_REVOKE, revoke, sizeof revoke - 1), ERR_NONE);
	/* It is cut off at once; the others are told. */
	while (!a.down || b.notified == 0)
		rpc_loop_run(loop);
	assert_int_equal(hello(&b, &h, &w), ERR_NONE);
	assert_int_equal(w.denied_count, 1);
	hang_up(&a);
	dial(&a, "a1");
	assert_null(a.conn);
	hang_up(&a);
	/* The name is free. */
	dial(&a, "a1-other");
	assert_int_equal(hello(&a, &h, &w), ERR_NONE);
	hang_up(&a);
	hang_up(&b);
	hang_up(&o);
	manager_service_free(service);
	/* And it stays so. */
	start();
	dial(&a, "a1");
	assert_null(a.conn);
	hang_up(&a);
	manager_service_free(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_agent),
		cmocka_unit_test(test_times), cmocka_unit_test(test_unsaved),
		cmocka_unit_test(test_strangers), cmocka_unit_test(test_roles),
		cmocka_unit_test(test_run), cmocka_unit_test(test_store),
		cmocka_unit_test(test_full), cmocka_unit_test(test_orders),
		cmocka_unit_test(test_denied), cmocka_unit_test(test_denied_unheard),
		cmocka_unit_test(test_damage)};
	char command[2048];
	int ret;

	snprintf(folder, sizeof folder, "/tmp/fdump-net-manager-%ld", (long)getpid());
	snprintf(command, sizeof command, "rm -rf %s && mkdir %s", folder, folder);
	if (system(command) != 0 || hash_crypto_init(&err) != 0)
		return 1;
	peer_make_fleet(folder);
	began = time(NULL) - 20000;
	snprintf(command, sizeof command,
		"cd %s && mkdir -p manager && cp m1.key manager/key.pem && cp m1.crt "
		"manager/cert.pem && "
		"cp root.crt manager/ca.pem && cp int.key manager/int.key && cp int.crt "
		"manager/int.pem",
		folder);
	if (system(command) != 0 || (loop = rpc_loop_new(&err)) == NULL)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rpc_loop_free(loop);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? ret : 1;
}
