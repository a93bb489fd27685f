/*
 * A store over loopback: the service in a thread of this process, over an engine in a scratch
 * folder, and the remote store (cmd/store/store.h) in front of it. What is put comes back; who may
 * ask what; a connection that is lost, and a service that starts again.
 */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/dump/crypt.h"
#include "cmd/dump/domain.h"
#include "cmd/store/engine.h"
#include "cmd/store/parcel.h"
#include "cmd/store/service.h"
#include "cmd/store/store.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/pool.h"
#include "lib/zst.h"
#include "test/net/peer.h"

static char folder[64], store_path[300];
static struct err err;

/* --- the server ------------------------------------------------------------ */

/* Another store of the fleet: what the service knows of it, and the secret half. */
static struct store_key other = {.uid = "the other store"};
static uint8_t other_secret[SEAL_SIGN_LEN];

static struct server {
	pthread_t thread;
	struct rpc_loop *loop;
	struct rpc_async wake;
	struct pool *pool;
	struct engine *engine;
	struct store_service *service;
	char port[8];
	atomic_bool stop, ready, woken; /* woken: nobody wakes it any more */
	atomic_bool collect, collected; /* gc is to be started; it is over */
} server = {.port = "0"};

static void on_tended(void *ctx, enum store_tending what, const struct engine_gc_result *gc,
	const struct store_checked *scrub, const struct err *why)
{
	(void)ctx;
	(void)what;
	(void)gc;
	(void)scrub;
	if (why != NULL)
		abort();
	atomic_store(&server.collected, true);
}

static void on_wake(void *arg)
{
	struct server *s = arg;

	pool_drain(s->pool);
	if (atomic_exchange(&s->collect, false))
		store_service_tend(s->service, STORE_TEND_GC, on_tended);
	if (atomic_load(&s->stop))
		rpc_loop_stop(s->loop);
}

static void wake(void *arg)
{
	rpc_async_send(&((struct server *)arg)->wake);
}

static struct store_tally told;

static void on_tally(void *ctx, const struct rpc_identity *peer, const struct store_tally *t)
{
	(void)ctx;
	if (strcmp(peer->name, "a1") != 0)
		return;
	told.puts += t->puts;
	told.gets += t->gets;
	told.bytes_in += t->bytes_in;
	told.bytes_out += t->bytes_out;
}

static atomic_int holds; /* that went well */

/* What is counted goes into no log by itself. */
static void on_log(void *ctx, const struct rpc_access *access)
{
	(void)ctx;
	holds += access->status == ERR_NONE && strcmp(access->method, "hold") == 0;
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

static atomic_int damaged;

static void on_damaged(void *ctx, const struct err *what)
{
	(void)ctx;
	damaged += what->code == ERR_DAMAGE;
}

static void *serve(void *arg)
{
	static const struct engine_wait wait = {.sec = 5};
	struct server *s = arg;
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
	s->engine = opts.engine = engine_open(store_path, ENGINE_WRITE, &wait, &why);
	opts.conf = peer_conf(folder, "s1", NULL, &why);
	s->service = opts.conf != NULL && s->engine != NULL ? store_service_new(&opts, &why) : NULL;
	if (s->service == NULL || store_service_fleet(s->service, 0, &other, 1, &why) != 0) {
		fprintf(stderr, "%s\n", why.message);
		abort();
	}
	rpc_tls_conf_unref(opts.conf);
	snprintf(s->port, sizeof s->port, "%u", store_service_port(s->service));
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

static void start(void)
{
	atomic_store(&server.stop, false);
	atomic_store(&server.woken, false);
	atomic_store(&server.ready, false);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
	while (!atomic_load(&server.ready))
		usleep(1000);
}

static void stop(void)
{
	atomic_store(&server.stop, true);
	wake(&server);
	atomic_store(&server.woken, true);
	pthread_join(server.thread, NULL);
}

/* --- the client ------------------------------------------------------------ */

static int find(void *ctx, const char *name, struct store_address *to, struct err *e)
{
	(void)ctx;
	(void)name;
	(void)e;
	strcpy(to->host, "127.0.0.1");
	strcpy(to->port, server.port);
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

struct client {
	char cert[300], key[300], ca[300];
	struct store_net net;
	struct store *store;
};

static void client_open(struct client *c, const char *who, enum store_mode mode)
{
	static const struct rpc_times times = {2000, 2000, 500, 2000, 500, 2000, 500};
	struct store_access access = {.wait_sec = 5, .patience_ms = 5000, .net = &c->net};

	snprintf(c->cert, sizeof c->cert, "%s/%s.crt", folder, who);
	snprintf(c->key, sizeof c->key, "%s/%s.key", folder, who);
	snprintf(c->ca, sizeof c->ca, "%s/root.crt", folder);
	c->net = (struct store_net){c->cert, c->key, c->ca, find, pin, NULL, &times, 3000};
	c->store = store_new("s1", &access, &err);
	assert_non_null(c->store);
	if (store_open(c->store, mode, &err) != 0)
		fail_msg("%s", err.message);
}

/* A domain and a sealed run of one agent. */
static struct key_secret secret;
static struct dump_domain domain;
static struct dump_run run;
static struct zst *zst;

static int prove(void *ctx, const struct store_proof *proof, uint8_t *public, uint8_t *signature,
	struct err *e)
{
	(void)ctx;
	memcpy(public, domain.public, sizeof domain.public);
	return dump_domain_prove(&domain, proof, signature, e);
}

static struct store_run store_run(void)
{
	return (struct store_run){
		.agent = "a1", .name = "test", .domain = domain.fingerprint, .prove = prove};
}

/* Puts a chunk of this content. */
static void put(struct store *s, const void *content, size_t len, uint8_t id[STORE_ID_LEN])
{
	struct store_parcel *parcel;
	struct buf record;
	int ret;

	buf_init(&record, SIZE_MAX);
	assert_int_equal(dump_domain_id(&domain, content, len, id, &err), 0);
	assert_int_equal(dump_crypt_make(&run, zst, false, id, content, len, &record, &err), 0);
	parcel = store_parcel_new(record.data, record.len, &err);
	while ((ret = store_put(s, parcel, 100, &err)) == STORE_NO_ROOM)
		;
	if (ret != STORE_TAKEN)
		fail_msg("%s", err.message);
	store_parcel_unref(parcel);
	buf_fini(&record);
}

static int64_t lock_until; /* of the next dump */

/* The record of a dump of these chunks, whose list is put too. */
static void dump_of(
	struct store *s, const uint8_t *ids, size_t count, uint8_t first, struct buf *out)
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
		.domain = domain.fingerprint,
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
		.lock = lock_until,
	};

	memset(id, first, sizeof id);
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

/* The path of the volume that is written to. */
static void last_volume(char path[400])
{
	unsigned number = 64;

	do
		snprintf(path, 400, "%s/volumes/%08x.vol", store_path, number);
	while (access(path, F_OK) != 0 && --number > 0);
}

static int count_dumps(void *ctx, const struct store_entry *e, struct err *e_)
{
	(void)e_;
	assert_non_null(e->record);
	++*(int *)ctx;
	return 0;
}

/* --- tests ------------------------------------------------------------------ */

#define CHUNKS 300
#define LEN    50000

static uint8_t ids[CHUNKS][STORE_ID_LEN];

static void content_of(size_t i, uint8_t bytes[LEN])
{
	uint64_t state = i + 1;
	size_t k;

	for (k = 0; k < LEN; k++)
		bytes[k] = (uint8_t)peer_random(&state, 256);
}

static void test_backup(void **state)
{
	struct client c;
	struct store_run r = store_run();
	struct store_receipt receipt, again;
	uint8_t bytes[LEN];
	struct buf record, missing;
	uint64_t stored;
	bool has_base;
	size_t i;

	(void)state;
	client_open(&c, "a1", STORE_WRITE);
	if (store_begin(c.store, &r, &has_base, &err) != 0)
		fail_msg("%s", err.message);
	assert_false(has_base);
	for (i = 0; i < CHUNKS - 1; i++) {
		content_of(i, bytes);
		put(c.store, bytes, LEN, ids[i]);
	}
	/* One is missing: the commit names it, and nothing has happened. */
	content_of(i, bytes);
	assert_int_equal(dump_domain_id(&domain, bytes, LEN, ids[i], &err), 0);
	dump_of(c.store, ids[0], CHUNKS, 1, &record);
	buf_init(&missing, SIZE_MAX);
	if (store_commit(c.store, record.data, record.len, NULL, &receipt, &missing, &err) != 1)
		fail_msg("%s", err.message);
	assert_int_equal(missing.len, STORE_ID_LEN);
	assert_memory_equal(missing.data, ids[i], STORE_ID_LEN);
	put(c.store, bytes, LEN, ids[i]);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err), 0);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &again, NULL, &err), 0);
	assert_memory_equal(&receipt, &again, sizeof again);
	/* What is there is not stored again. */
	assert_int_equal(store_settle(c.store, &stored, &err), 0);
	assert_true(stored > CHUNKS * (uint64_t)LEN);
	for (i = 0; i < CHUNKS; i++) {
		content_of(i, bytes);
		put(c.store, bytes, LEN, ids[i]);
	}
	{
		uint64_t before = stored;

		assert_int_equal(store_settle(c.store, &stored, &err), 0);
		assert_int_equal(stored, before);
	}
	buf_fini(&record);
	buf_fini(&missing);
	store_free(c.store);
}

static void test_restore(void **state)
{
	struct client c;
	uint8_t dump[STORE_DUMP_ID], bytes[LEN];
	struct dump_keys *keys = dump_keys_new(&secret, 1, &err);
	struct store_entry entry;
	struct buf record, out, lacks;
	size_t i;
	int n = 0;

	(void)state;
	client_open(&c, "a1", STORE_READ);
	assert_int_equal(store_dumps(c.store, &(struct store_filter){0}, count_dumps, &n, &err), 0);
	assert_int_equal(n, 1);
	memset(dump, 1, sizeof dump);
	buf_init(&record, SIZE_MAX);
	buf_init(&out, SIZE_MAX);
	buf_init(&lacks, SIZE_MAX);
	assert_int_equal(store_hold(c.store, dump, &record, &entry, &err), 0);
	assert_memory_equal(entry.dump.domain, domain.fingerprint, STORE_DOMAIN_LEN);
	for (i = 0; i < CHUNKS; i++) {
		if (i % 16 == 0)
			assert_int_equal(store_ahead(c.store, domain.fingerprint, ids[i],
						 CHUNKS - i < 16 ? CHUNKS - i : 16, &lacks, &err),
				0);
		if (store_get(c.store, domain.fingerprint, ids[i], &record, &err) != 0)
			fail_msg("%zu: %s", i, err.message);
		assert_int_equal(dump_crypt_open(keys, zst, domain.fingerprint, ids[i], record.data,
					 record.len, &out, &err),
			0);
		content_of(i, bytes);
		assert_int_equal(out.len, LEN);
		assert_memory_equal(out.data, bytes, LEN);
	}
	memset(bytes, 9, STORE_ID_LEN);
	assert_int_equal(store_get(c.store, domain.fingerprint, bytes, &record, &err), 1);
	dump_keys_free(keys);
	buf_fini(&record);
	buf_fini(&out);
	buf_fini(&lacks);
	store_free(c.store);
}

/* Another agent learns nothing of a dump, and can't put into a domain that it can't prove. */
static void test_strangers(void **state)
{
	struct client c;
	struct store_run r = store_run();
	uint8_t dump[STORE_DUMP_ID];
	struct buf record;
	bool has_base;
	int n = 0;

	(void)state;
	client_open(&c, "a2", STORE_WRITE);
	memset(dump, 1, sizeof dump);
	buf_init(&record, SIZE_MAX);
	assert_int_equal(store_dumps(c.store, &(struct store_filter){0}, count_dumps, &n, &err), 0);
	assert_int_equal(
		store_dumps(c.store, &(struct store_filter){.agent = "a1"}, count_dumps, &n, &err),
		0);
	assert_int_equal(n, 0);
	assert_int_equal(store_hold(c.store, dump, &record, NULL, &err), 1);
	assert_int_equal(store_get(c.store, domain.fingerprint, ids[0], &record, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(store_delete(c.store, dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	r.prove = NULL;
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	store_free(c.store);
	buf_fini(&record);
}

/* An operator lists, reads, and deletes. */
static void test_operator(void **state)
{
	struct client c;
	uint8_t dump[STORE_DUMP_ID];
	struct buf record;
	int n = 0;

	(void)state;
	client_open(&c, "o1", STORE_WRITE);
	memset(dump, 1, sizeof dump);
	buf_init(&record, SIZE_MAX);
	assert_int_equal(store_dumps(c.store, &(struct store_filter){0}, count_dumps, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(store_get(c.store, domain.fingerprint, ids[0], &record, &err), 0);
	assert_int_equal(store_delete(c.store, dump, &err), 0);
	assert_int_equal(store_delete(c.store, dump, &err), 1);
	store_free(c.store);
	buf_fini(&record);
}

/* The service ends in the middle of a run, and starts again: the run goes on. */
static void test_restart(void **state)
{
	struct client c;
	struct store_run r = store_run();
	struct store_receipt receipt;
	uint8_t bytes[LEN];
	struct buf record;
	bool has_base;
	size_t i;

	(void)state;
	client_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	for (i = 0; i < CHUNKS; i++) {
		content_of(1000 + i, bytes);
		put(c.store, bytes, LEN, ids[i]);
		if (i == CHUNKS / 2) {
			stop();
			start();
		}
	}
	dump_of(c.store, ids[0], CHUNKS, 2, &record);
	i = (size_t)store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err);
	/* What the first service had not made durable is missing now, and is said to be. */
	if (i != 0 && i != 1)
		fail_msg("%s", err.message);
	for (; i == 1;) {
		for (i = 0; i < CHUNKS; i++) {
			content_of(1000 + i, bytes);
			put(c.store, bytes, LEN, ids[i]);
		}
		buf_fini(&record);
		dump_of(c.store, ids[0], CHUNKS, 2, &record);
		i = (size_t)store_commit(
			c.store, record.data, record.len, NULL, &receipt, NULL, &err);
		assert_int_equal(i, 0);
	}
	buf_fini(&record);
	store_free(c.store);
}

/* Looks a while whether something becomes true. */
static bool becomes(atomic_int *what, int wanted, int ms)
{
	for (; atomic_load(what) < wanted && ms > 0; ms -= 5)
		usleep(5000);
	return atomic_load(what) >= wanted;
}

/* The service ends while a dump is read, and starts again: who reads holds the dump again by
 * itself, gc waits for him also while he is away, and everything that he had asked for comes. */
static void test_restart_reading(void **state)
{
	struct client c, o;
	struct store_run r = store_run();
	struct store_receipt receipt;
	uint8_t dump[STORE_DUMP_ID], bytes[LEN];
	struct buf record, lacks;
	bool has_base;
	size_t i;
	int before;

	(void)state;
	memset(dump, 8, sizeof dump);
	client_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	for (i = 0; i < CHUNKS; i++) {
		content_of(2000 + i, bytes);
		put(c.store, bytes, LEN, ids[i]);
	}
	dump_of(c.store, ids[0], CHUNKS, 8, &record);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err), 0);
	store_free(c.store);

	client_open(&c, "o1", STORE_READ);
	before = atomic_load(&holds);
	assert_int_equal(store_hold(c.store, dump, &record, NULL, &err), 0);
	assert_true(becomes(&holds, before + 1, 5000));
	/* It is deleted while it is read. */
	client_open(&o, "o1", STORE_WRITE);
	assert_int_equal(store_delete(o.store, dump, &err), 0);
	store_free(o.store);
	buf_init(&lacks, SIZE_MAX);
	for (i = 0; i < CHUNKS; i++) {
		if (i % 16 == 0)
			assert_int_equal(store_ahead(c.store, domain.fingerprint, ids[i],
						 CHUNKS - i < 16 ? CHUNKS - i : 16, &lacks, &err),
				0);
		if (i == CHUNKS / 2) {
			stop();
			start();
			assert_true(becomes(&holds, before + 2, 10000));
			server.collected = false;
			server.collect = true;
			wake(&server);
		}
		if (store_get(c.store, domain.fingerprint, ids[i], &record, &err) != 0)
			fail_msg("%zu: %s", i, err.message);
	}
	assert_false(server.collected);
	store_free(c.store); /* in order: gc begins at once */
	for (i = 0; i < 2000 && !server.collected; i++)
		usleep(5000);
	assert_true(server.collected);
	buf_fini(&record);
	buf_fini(&lacks);
}

/* Changes a byte of this record, of so many bytes of content: the last one of its id. */
static void damage(const uint8_t id[STORE_ID_LEN], uint32_t raw_len)
{
	char path[400];
	struct stat st;
	uint8_t *bytes, *at;
	int fd;

	last_volume(path);
	fd = open(path, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	for (at = bytes + st.st_size - STORE_ID_LEN - 1;
		at > bytes + 4 &&
		(memcmp(at, id, STORE_ID_LEN) != 0 || le_get32(at - 4) != raw_len);
		at--)
		;
	assert_true(at > bytes + 4);
	at += STORE_ID_LEN;
	*at ^= 1;
	assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
	close(fd);
	free(bytes);
}

/* Commits a dump of one chunk. Returns what the store does, with what is missing. */
static int commit_one(
	struct store *s, const uint8_t id[STORE_ID_LEN], uint8_t first, struct buf *missing)
{
	struct store_receipt receipt;
	struct buf record;
	int ret;

	dump_of(s, id, 1, first, &record);
	buf_clear(missing);
	ret = store_commit(s, record.data, record.len, NULL, &receipt, missing, &err);
	buf_fini(&record);
	return ret;
}

/* A chunk that is damaged in the volume is told once, and from then on it is not there: it is taken
 * when it is put again. So is a piece of a dump's list, which a commit looks at. */
static void test_damage(void **state)
{
	struct client c;
	struct store_run r = store_run();
	uint8_t bytes[LEN], id[STORE_ID_LEN], list[STORE_ID_LEN];
	struct buf record, missing;
	bool has_base;

	(void)state;
	buf_init(&record, SIZE_MAX);
	buf_init(&missing, SIZE_MAX);
	client_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	content_of(3000, bytes);
	put(c.store, bytes, LEN, id);
	hash_sha256(id, sizeof id, list);
	assert_int_equal(commit_one(c.store, id, 6, &missing), 0);
	damage(list, STORE_ID_LEN);
	assert_int_equal(commit_one(c.store, id, 7, &missing), 1);
	assert_int_equal(missing.len, STORE_ID_LEN);
	assert_memory_equal(missing.data, list, STORE_ID_LEN);
	assert_int_equal(commit_one(c.store, id, 7, &missing), 0);

	assert_int_equal(store_get(c.store, domain.fingerprint, id, &record, &err), 0);
	damage(id, LEN);
	assert_int_equal(store_get(c.store, domain.fingerprint, id, &record, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	assert_true(becomes(&damaged, 1, 5000));
	assert_int_equal(store_get(c.store, domain.fingerprint, id, &record, &err), 1);
	assert_int_equal(atomic_load(&damaged), 1);
	/* The next dump that carries it over: missing, put, there. */
	assert_int_equal(commit_one(c.store, id, 9, &missing), 1);
	assert_memory_equal(missing.data, id, STORE_ID_LEN);
	put(c.store, bytes, LEN, id);
	assert_int_equal(commit_one(c.store, id, 9, &missing), 0);
	assert_int_equal(store_get(c.store, domain.fingerprint, id, &record, &err), 0);
	buf_fini(&record);
	buf_fini(&missing);
	store_free(c.store);
}

/* An agent locks its own dumps, up to the store's longest; an operator any, for as long as he
 * likes. */
static void test_locks(void **state)
{
	const int64_t day = 86400, now = time(NULL);
	struct client c;
	struct store_run r = store_run();
	struct store_receipt receipt;
	uint8_t dump[STORE_DUMP_ID];
	struct buf record;
	bool has_base;

	(void)state;
	memset(dump, 2, sizeof dump);
	client_open(&c, "a2", STORE_WRITE);
	assert_int_equal(store_lock(c.store, dump, now + day, &err), 1);
	store_free(c.store);
	client_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_lock(c.store, dump, now + 91 * day, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(store_lock(c.store, dump, now + 89 * day, &err), 0);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	lock_until = now + 91 * day;
	dump_of(c.store, ids[0], 1, 3, &record);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	lock_until = 0;
	buf_fini(&record);
	store_free(c.store);
	client_open(&c, "o1", STORE_WRITE);
	assert_int_equal(store_delete(c.store, dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(store_lock(c.store, dump, now + 400 * day, &err), 0);
	store_free(c.store);
	stop();
	start();
	/* All tests': at least each chunk once, and one dump read. */
	assert_true(told.puts >= CHUNKS && told.gets >= 1);
	assert_true(told.bytes_in >= (uint64_t)CHUNKS * LEN && told.bytes_out > 0);
}

/* An agent is told what it uses of its quota, and for how long it may lock; an operator is not. */
static void test_about(void **state)
{
	const struct engine_agent_quota quota = {"a1", UINT64_C(1) << 30};
	const struct engine_limits limits = {
		.quotas = &quota, .count = 1, .quota = ENGINE_QUOTA_NONE};
	struct store_about about;
	struct client c;

	(void)state;
	assert_int_equal(engine_limits_set(server.engine, &limits, &err), 0);
	client_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_about(c.store, &about, &err), 0);
	assert_true(about.has_quota);
	assert_int_equal(about.own_quota, UINT64_C(1) << 30);
	assert_in_range(about.own_used, 1, about.used);
	assert_int_equal(about.lock_max_sec, 90 * 86400);
	assert_true(about.free > 0 && about.size >= about.free);
	store_free(c.store);
	client_open(&c, "a2", STORE_WRITE);
	assert_int_equal(store_about(c.store, &about, &err), 0);
	assert_false(about.has_quota);
	store_free(c.store);
	client_open(&c, "o1", STORE_WRITE);
	assert_int_equal(store_about(c.store, &about, &err), 0);
	assert_true(!about.has_quota && about.lock_max_sec == 0 && about.used > 0);
	store_free(c.store);
}

/* A receipt of a store for a dump, of so many seconds ago. */
static struct store_receipt receipt_of(
	const struct buf *record, const struct store_key *whose, int64_t ago)
{
	struct store_receipt receipt;
	struct store_dump d;

	assert_int_equal(store_dump_get(&d, record->data, record->len, &err), 0);
	assert_int_equal(store_receipt_make(&receipt, whose->uid, other_secret, &d, record->data,
				 record->len, time(NULL) - ago, &err),
		0);
	return receipt;
}

static void refused(struct store *s, const struct buf *record, const struct store_key *whose,
	int64_t ago, const char *why)
{
	struct store_receipt first = receipt_of(record, whose, ago), receipt;

	assert_int_equal(
		store_commit(s, record->data, record->len, &first, &receipt, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	if (strstr(err.message, why) == NULL)
		fail_msg("%s", err.message);
}

/* A dump keeps the time of another store's receipt if that is of the fleet, signed by it, of this
 * dump, and young enough. What is refused can be committed without it at once. */
static void test_receipts(void **state)
{
	const int64_t day = 86400, now = time(NULL);
	struct store_key stranger = {.uid = "a stranger"};
	struct store_receipt first, receipt, again;
	struct store_run r = store_run();
	struct buf record, next;
	struct client c;
	bool has_base;

	(void)state;
	lock_until = 0;
	client_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	dump_of(c.store, ids[0], CHUNKS, 4, &record);
	dump_of(c.store, ids[0], CHUNKS, 5, &next);
	refused(c.store, &record, &stranger, day, "names that store");
	refused(c.store, &record, &other, 7 * day + 60, "too old");
	refused(c.store, &record, &other, -7200, "in the future");
	/* This store's own key is known too, and did not sign it. */
	memcpy(stranger.uid, store_uid(c.store), sizeof stranger.uid);
	refused(c.store, &record, &stranger, day, "not signed by the store's key");
	first = receipt_of(&next, &other, 7 * day - 60);
	assert_int_equal(/* another dump's */
		store_commit(c.store, record.data, record.len, &first, &receipt, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(
		store_commit(c.store, next.data, next.len, &first, &receipt, NULL, &err), 0);
	assert_int_equal(receipt.time, first.time);

	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err), 0);
	assert_true(receipt.time >= now);
	/* It stays so, whatever comes later. */
	first = receipt_of(&record, &other, day);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, &first, &again, NULL, &err), 0);
	assert_memory_equal(&receipt, &again, sizeof again);
	buf_fini(&record);
	buf_fini(&next);
	store_free(c.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_backup),
		cmocka_unit_test(test_restore), cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_operator), cmocka_unit_test(test_restart),
		cmocka_unit_test(test_receipts), cmocka_unit_test(test_locks),
		cmocka_unit_test(test_about), cmocka_unit_test(test_restart_reading),
		cmocka_unit_test(test_damage)};
	uint8_t agent[DUMP_SECRET_LEN] = {7};
	char command[512];
	int ret;

	snprintf(folder, sizeof folder, "/tmp/fdump-net-store-%ld", (long)getpid());
	snprintf(command, sizeof command, "rm -rf %s && mkdir %s", folder, folder);
	if (system(command) != 0 || hash_crypto_init(&err) != 0)
		return 1;
	peer_make_fleet(folder);
	snprintf(store_path, sizeof store_path, "%s/store", folder);
	if (seal_sign_new(other_secret, other.public, &err) != 0 ||
		engine_make(store_path, 0, &err) != 0 || key_make(false, &secret, &err) != 0)
		return 1;
	if (dump_domain_init(&domain, agent, &secret.half, 1, &err) != 0 ||
		dump_run_init(&run, &domain, &err) != 0 || (zst = zst_new(1, &err)) == NULL)
		return 1;
	start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	stop();
	zst_free(zst);
	dump_run_wipe(&run);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? ret : 1;
}
