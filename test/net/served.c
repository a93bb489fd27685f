/* The service's thread and the tests share the atomic variables; tests use the engine only while
 * they know that the service is idle. */
#include "test/net/served.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/store/parcel.h"
#include "lib/hash.h"
#include "lib/pool.h"
#include "lib/zst.h"
#include "test/net/peer.h"
#include "test/unit/unit.h"

struct served served = {.port = "0"};
char served_path[300];
struct key_secret served_key;
struct dump_domain served_domain;
struct store_key served_other = {.uid = "the other store"};
uint8_t served_other_secret[SEAL_SIGN_LEN];
uint8_t served_ids[SERVED_CHUNKS][STORE_ID_LEN];

static char folder[64];
static struct dump_run run;
static struct zst *zst;
static struct err err;

static void on_tended(void *ctx, enum store_tending what, const struct engine_gc_result *gc,
	const struct store_checked *scrub, const struct err *why)
{
	(void)ctx;
	(void)what;
	(void)gc;
	(void)scrub;
	if (why != NULL)
		abort();
	atomic_store(&served.collected, true);
}

static void on_wake(void *arg)
{
	struct served *s = arg;

	pool_drain(s->pool);
	if (atomic_exchange(&s->collect, false))
		store_service_tend(s->service, STORE_TEND_GC, on_tended);
	if (atomic_load(&s->stop))
		rpc_loop_stop(s->loop);
}

static void wake(void *arg)
{
	rpc_async_send(&((struct served *)arg)->wake);
}

void served_wake(void)
{
	wake(&served);
}

static void on_tally(void *ctx, const struct rpc_identity *peer, const struct store_tally *t)
{
	(void)ctx;
	if (strcmp(peer->name, "a1") != 0)
		return;
	served.told.puts += t->puts;
	served.told.gets += t->gets;
	served.told.bytes_in += t->bytes_in;
	served.told.bytes_out += t->bytes_out;
}

/* Replaces the log: counted calls are not logged otherwise. */
static void on_log(void *ctx, const struct rpc_access *access)
{
	(void)ctx;
	served.holds += access->status == ERR_NONE && strcmp(access->method, "hold") == 0;
	if (access->status == ERR_NONE &&
		(strcmp(access->method, "put") == 0 || strcmp(access->method, "get") == 0)) {
		fprintf(stderr, "a line for %s\n", access->method);
		abort();
	}
}

static void on_failed(void *ctx, const struct err *why)
{
	(void)ctx;
	fprintf(stderr, "the engine failed: %s\n", why->message);
	abort();
}

static void on_damaged(void *ctx, const struct err *what)
{
	(void)ctx;
	served.damaged += what->code == ERR_DAMAGE;
}

static void *serve(void *arg)
{
	static const struct engine_wait wait = {.sec = 5};
	struct served *s = arg;
	struct err why = {0};
	struct store_service_opts opts = {.host = "127.0.0.1",
		.port = s->port,
		.return_ms = 1,
		.failed = on_failed,
		.damaged = on_damaged,
		.log = on_log,
		.tallied = on_tally};

	s->loop = opts.loop = rpc_loop_new(&why);
	rpc_async_start(&s->wake, s->loop, on_wake, s);
	s->pool = opts.pool = pool_new(4, 4096, wake, s, &why);
	s->engine = opts.engine = engine_open(served_path, ENGINE_WRITE, &wait, &why);
	opts.conf = peer_conf(folder, "s1", NULL, &why);
	s->service = opts.conf != NULL && s->engine != NULL ? store_service_new(&opts, &why) : NULL;
	if (s->service == NULL || store_service_fleet(s->service, 0, &served_other, 1, &why) != 0) {
		fprintf(stderr, "%s\n", why.message);
		abort();
	}
	rpc_tls_conf_unref(opts.conf);
	snprintf(
		s->port, sizeof s->port, "%u", rpc_listen_port(store_service_listener(s->service)));
	atomic_store(&s->ready, true);
	rpc_loop_run(s->loop);
	while (!s->woken)
		usleep(100);
	pool_free(s->pool);
	store_service_free(s->service);
	engine_close(s->engine);
	rpc_async_stop(&s->wake);
	rpc_loop_free(s->loop);
	return NULL;
}

void served_start(void)
{
	atomic_store(&served.stop, false);
	atomic_store(&served.woken, false);
	atomic_store(&served.ready, false);
	assert_int_equal(pthread_create(&served.thread, NULL, serve, &served), 0);
	while (!atomic_load(&served.ready))
		usleep(1000);
}

void served_stop(void)
{
	atomic_store(&served.stop, true);
	served_wake();
	atomic_store(&served.woken, true);
	pthread_join(served.thread, NULL);
}

static int find(void *ctx, const char *name, struct store_address *to, struct err *e)
{
	(void)ctx;
	(void)name;
	(void)e;
	strcpy(to->host, "127.0.0.1");
	strcpy(to->port, served.port);
	return 0;
}

static int pin(
	void *ctx, const char *name, const uint8_t *uid, const uint8_t *public, struct err *e)
{
	(void)ctx;
	(void)name;
	(void)uid;
	(void)public;
	(void)e;
	return 0;
}

void served_open(struct served_client *c, const char *who, enum store_mode mode)
{
	static const struct rpc_times times = {2000, 2000, 500, 2000, 500, 2000, 500};
	struct store_access access = {.wait_sec = 5, .patience_ms = 5000, .net = &c->net};

	snprintf(c->cert, sizeof c->cert, "%s/%s.crt", folder, who);
	snprintf(c->key, sizeof c->key, "%s/%s.key", folder, who);
	snprintf(c->ca, sizeof c->ca, "%s/root.crt", folder);
	c->net = (struct store_net){c->cert, c->key, c->ca, NULL, find, pin, NULL, &times, 3000};
	c->store = store_new("s1", &access, &err);
	assert_non_null(c->store);
	if (store_open(c->store, mode, &err) != 0)
		fail_msg("%s", err.message);
}

static int prove(void *ctx, const struct store_proof *proof, uint8_t *public, uint8_t *signature,
	struct err *e)
{
	(void)ctx;
	memcpy(public, served_domain.public, sizeof served_domain.public);
	return dump_domain_prove(&served_domain, proof, signature, e);
}

struct store_run served_run(void)
{
	return (struct store_run){
		.agent = "a1", .name = "test", .domain = served_domain.fingerprint, .prove = prove};
}

void served_put(struct store *s, const void *content, size_t len, uint8_t id[STORE_ID_LEN])
{
	struct store_parcel *parcel;
	struct buf record;
	int ret;

	buf_init(&record, SIZE_MAX);
	assert_int_equal(dump_domain_id(&served_domain, content, len, id, &err), 0);
	assert_int_equal(dump_crypt_make(&run, zst, false, id, content, len, &record, &err), 0);
	parcel = store_parcel_new(record.data, record.len, &err);
	while ((ret = store_put(s, parcel, 100, &err)) == STORE_NO_ROOM)
		;
	if (ret != STORE_TAKEN)
		fail_msg("%s", err.message);
	store_parcel_unref(parcel);
	buf_fini(&record);
}

void served_dump(struct store *s, const uint8_t *ids, size_t count, uint8_t tag, int64_t lock,
	struct buf *out)
{
	uint8_t id[STORE_DUMP_ID], list[STORE_ID_LEN];
	struct store_parcel *parcel;
	struct buf record;
	struct store_dump d = {
		.id = id,
		.agent = "a1",
		.agent_len = 2,
		.name = "test",
		.name_len = 4,
		.domain = served_domain.fingerprint,
		.sealed = true,
		.ephemeral = run.ephemeral,
		.wraps = run.domain_wraps,
		.wrap_count = 1,
		.base = (const uint8_t *)"/",
		.base_len = 1,
		.manifest_chunks = 1,
		.chunks = count,
		.lists = list,
		.list_count = 1,
		.lock = lock,
	};

	memset(id, tag, sizeof id);
	buf_init(&record, SIZE_MAX);
	hash_sha256(ids, count * STORE_ID_LEN, list);
	assert_int_equal(
		dump_crypt_make(&run, zst, true, list, ids, count * STORE_ID_LEN, &record, &err),
		0);
	parcel = store_parcel_new(record.data, record.len, &err);
	assert_int_equal(store_put(s, parcel, 5000, &err), STORE_TAKEN);
	store_parcel_unref(parcel);
	buf_fini(&record);
	buf_init(out, STORE_DUMP_MAX);
	assert_int_equal(store_dump_put(&d, out, &err), 0);
}

int served_count(void *ctx, const struct store_entry *e, struct err *e_)
{
	(void)e_;
	assert_non_null(e->record);
	++*(int *)ctx;
	return 0;
}

void served_content(size_t i, uint8_t bytes[SERVED_LEN])
{
	uint64_t state = i + 1;
	size_t k;

	for (k = 0; k < SERVED_LEN; k++)
		bytes[k] = (uint8_t)peer_random(&state, 256);
}

void served_put_all(struct store *s, size_t first)
{
	uint8_t bytes[SERVED_LEN];
	size_t i;

	for (i = 0; i < SERVED_CHUNKS; i++) {
		served_content(first + i, bytes);
		served_put(s, bytes, SERVED_LEN, served_ids[i]);
	}
}

void served_back_up(size_t first, uint8_t tag)
{
	struct served_client c;
	struct store_run r = served_run();
	struct store_receipt receipt;
	struct buf record;
	bool has_base;

	served_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	served_put_all(c.store, first);
	served_dump(c.store, served_ids[0], SERVED_CHUNKS, tag, 0, &record);
	if (store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err) != 0)
		fail_msg("%s", err.message);
	buf_fini(&record);
	store_free(c.store);
}

int served_setup(void **state)
{
	uint8_t agent[DUMP_SECRET_LEN] = {7};

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/fdump-served-XXXXXX");
	if (mkdtemp(folder) == NULL || hash_crypto_init(&err) != 0)
		return -1;
	peer_make_fleet(folder);
	snprintf(served_path, sizeof served_path, "%s/store", folder);
	if (seal_sign_new(served_other_secret, served_other.public, &err) != 0 ||
		engine_make(served_path, 0, &err) != 0 || key_make(false, &served_key, &err) != 0)
		return -1;
	if (dump_domain_init(&served_domain, agent, &served_key.half, 1, &err) != 0 ||
		dump_run_init(&run, &served_domain, &err) != 0 || (zst = zst_new(1, &err)) == NULL)
		return -1;
	served_start();
	return 0;
}

int served_teardown(void **state)
{
	char command[100];

	(void)state;
	served_stop();
	zst_free(zst);
	dump_run_wipe(&run);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}
