/* Everything runs in one thread: whoever waits runs the loop, which each callback stops. */
#include "test/net/managed.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/db.h"
#include "lib/hash.h"
#include "rpc/wire.h"
#include "test/unit/unit.h"

char managed_folder[256];
struct rpc_loop *managed_loop;
struct manager_service *managed_service;
char managed_log[65536];

static struct err err;

static void on_log(void *ctx, enum manager_level level, const char *text)
{
	size_t len = strlen(managed_log);

	(void)ctx, (void)level;
	snprintf(managed_log + len, sizeof managed_log - len, "%s\n", text);
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

struct manager_config *managed_config(const char *paths)
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

void managed_start(void)
{
	static char dir[300];
	struct manager_service_opts opts = {.loop = managed_loop,
		.dir = dir,
		.host = "127.0.0.1",
		.port = "0",
		.enroll_host = "127.0.0.1",
		.enroll_port = "0",
		.address = "m1.example.org",
		.address_port = "",
		.log = on_log,
		.access = on_access};

	snprintf(dir, sizeof dir, "%s/manager", managed_folder);
	opts.config = managed_config("\"/etc\"");
	managed_log[0] = 0;
	managed_service = manager_service_new(&opts, &err);
	if (managed_service == NULL)
		fail_msg("%s", err.message);
	assert_string_equal(manager_service_name(managed_service), "m1");
}

void managed_stop(void)
{
	manager_service_free(managed_service);
}

void managed_damage(const char *const *tables, size_t count)
{
	struct db_bytes key, value;
	struct db_txn *txn;
	uint8_t copy[8192];
	char path[300];
	struct db *db;
	unsigned i;

	snprintf(path, sizeof path, "%s/manager/db", managed_folder);
	db = db_open(path, tables, count, 1 << 30, true, &err);
	assert_non_null(db);
	assert_int_equal(db_begin(db, true, &txn, &err), 0);
	for (i = 0; i < count; i++) {
		key = (struct db_bytes){NULL, 0};
		while (db_next(txn, i, &key, &value, &err) == 0) {
			assert_in_range(value.len, 1, sizeof copy);
			memcpy(copy, value.at, value.len);
			copy[value.len - 1] ^= 1;
			value.at = copy;
			assert_int_equal(db_put(txn, i, key, value, &err), 0);
		}
	}
	assert_int_equal(db_commit(txn, &err), 0);
	db_close(db);
}

static void on_changed(void *ctx, const struct rpc_identity *from, const struct cbormap_value *v)
{
	struct managed_peer *p = ctx;

	(void)v;
	assert_string_equal(from->name, "m1");
	p->notified++;
	rpc_loop_stop(managed_loop);
}

static void on_run(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct managed_peer *p = ctx;
	struct err why = {0};

	struct manager_msg_jobs order;

	cbormap_store(&order, manager_job_fields, v);
	strcpy(p->job, order.job);
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
	((struct managed_peer *)arg)->conn = conn;
	rpc_loop_stop(managed_loop);
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms)
{
	struct managed_peer *p = arg;

	(void)wait_ms;
	p->conn = NULL;
	p->down = true;
	p->result = *why;
	rpc_loop_stop(managed_loop);
}

void managed_dial(struct managed_peer *p, const char *file)
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

	*p = (struct managed_peer){.methods = {methods, 2, p, NULL}};
	buf_init(&p->reply, RPC_PAYLOAD_MAX);
	buf_init(&p->blob, MANAGER_LISTING_MAX);
	snprintf(port, sizeof port, "%u", manager_service_port(managed_service));
	opts.conf = p->conf = peer_conf(managed_folder, file, NULL, &err);
	assert_non_null(p->conf);
	p->dial = rpc_dial_new(managed_loop, &opts, &err);
	assert_non_null(p->dial);
	while (p->conn == NULL && !p->down)
		rpc_loop_run(managed_loop);
}

void managed_hang_up(struct managed_peer *p)
{
	rpc_dial_free(p->dial);
	rpc_tls_conf_unref(p->conf);
	buf_fini(&p->reply);
	buf_fini(&p->blob);
}

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	(void)more;
	assert_int_equal(buf_add(&((struct managed_peer *)arg)->reply, bytes, len, &err), 0);
}

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	(void)last;
	assert_int_equal(buf_add(&((struct managed_peer *)arg)->blob, bytes, len, &err), 0);
}

static void on_sent(void *arg, size_t len)
{
	struct managed_peer *p = arg;

	p->send_len -= len;
	if (p->send_len == 0)
		rpc_loop_stop(managed_loop);
}

static void on_over(void *arg, const struct err *why)
{
	struct managed_peer *p = arg;

	p->over = true;
	p->result = why != NULL ? *why : (struct err){0};
	rpc_loop_stop(managed_loop);
}

void managed_call(struct managed_peer *p, uint16_t method, const void *params, size_t len)
{
	static const struct rpc_call_ops ops = {
		.reply = on_reply, .data = on_data, .sent = on_sent, .done = on_over};
	struct rpc_request request = {.method = method,
		.params = params,
		.len = len,
		.blob = p->send_len > 0 ? p->send : NULL,
		.blob_len = p->send_len,
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

enum err_code managed_ask(struct managed_peer *p, uint16_t method, const void *params, size_t len)
{
	managed_call(p, method, params, len);
	while (!p->over)
		rpc_loop_run(managed_loop);
	return p->result.code;
}

enum err_code managed_hello(
	struct managed_peer *p, struct manager_hello *h, struct manager_welcome *w)
{
	uint8_t mem[MANAGER_MSG_MAX];
	enum err_code code;

	strcpy(h->version, "test");
	h->clock = time(NULL);
	code = managed_ask(
		p, MANAGER_METHOD_HELLO, mem, manager_msg_put(mem, manager_hello_fields, h));
	if (code == ERR_NONE)
		assert_int_equal(manager_welcome_get(w, p->reply.data, p->reply.len, &err), 0);
	return code;
}

bool managed_alarm(struct managed_peer *operator, const char * id, struct manager_alarm_row *alarm)
{
	struct manager_alarm_row row;
	const uint8_t *at;
	size_t left;
	bool found = false;

	assert_int_equal(managed_ask(operator, MANAGER_METHOD_ALARMS, "\xa0", 1), ERR_NONE);
	at = operator->blob.data;
	left = operator->blob.len;
	while (manager_row_get(&row, sizeof row, manager_alarm_fields, &at, &left, &err) == 0)
		if (strcmp(row.alarm, id) == 0) {
			found = true;
			*alarm = row;
		}
	return found;
}

int managed_setup(void **state)
{
	char command[2048];

	(void)state;
	snprintf(managed_folder, sizeof managed_folder, "/tmp/fdump-managed-XXXXXX");
	if (mkdtemp(managed_folder) == NULL || hash_crypto_init(&err) != 0)
		return -1;
	peer_make_fleet(managed_folder);
	snprintf(command, sizeof command,
		"cd %s && mkdir -p manager && cp m1.key manager/key.pem && cp m1.crt "
		"manager/cert.pem && "
		"cp root.crt manager/ca.pem && cp int.key manager/int.key && cp int.crt "
		"manager/int.pem",
		managed_folder);
	if (system(command) != 0)
		return -1;
	managed_loop = rpc_loop_new(&err);
	return managed_loop != NULL ? 0 : -1;
}

int managed_teardown(void **state)
{
	char command[300];

	(void)state;
	rpc_loop_free(managed_loop);
	snprintf(command, sizeof command, "rm -rf %s", managed_folder);
	return system(command);
}
