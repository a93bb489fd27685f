#include "cmd/store/service.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/engine.h"
#include "cmd/store/proof.h"
#include "cmd/store/proto.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/pool.h"
#include "rpc/call.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

#define READS_MAX   32     /* records that are read or sent at the same time */
#define DOMAINS_MAX 64     /* that one guest has proved, or may read */
#define RUNS_MAX    16     /* that one guest has open */
#define RUN_IDLE_MS 900000 /* without a connection of its guest, then a run is over */
#define GC_RETRY_MS 1000   /* until it is looked at again whether gc can start */
#define DEADLINE_MS 600000
#define REPLY_MAX   512

struct domains {
	uint8_t at[DOMAINS_MAX][STORE_DOMAIN_LEN];
	size_t count;
};

/* Who is connected, by its host id: what it has proved and opened. */
struct guest {
	struct guest *next;
	char host[RPC_HOST_LEN + 1];
	unsigned connections;
	int64_t left_ms; /* when the last connection ended */
	struct domains proved, readable;
	uint8_t runs[RUNS_MAX][STORE_RUN_LEN];
	size_t run_count;
	bool holds; /* it reads dumps: until its last connection has ended */
};

/* A call that is served, from its request until both it and the engine's work are over. */
struct job {
	struct pool_job work; /* must be first */
	struct store_service *service;
	struct rpc_call *call; /* NULL: it is over */
	struct job *next;      /* in a row of waiting ones */
	bool working;          /* a thread has it */
	bool waits;            /* in a row */
	uint64_t budget;       /* bytes of the budget that it has */
	bool reads;            /* it counts among the reads */
	uint16_t method;
	char agent[NAME_LEN_MAX + 1]; /* of an agent: its name; of others empty: any */
	char name[NAME_LEN_MAX + 1];
	char filter_agent[NAME_LEN_MAX + 1];
	uint8_t domain[STORE_DOMAIN_LEN], id[STORE_ID_LEN], dump[STORE_DUMP_ID];
	bool has_dump, newest, checked;
	uint64_t after;
	int64_t time;
	size_t size;
	struct buf in, out; /* the request's and the reply's blob */
	size_t out_at;
	/* What the work came to. */
	int ret;
	struct err err;
	struct store_receipt receipt;
	struct store_about about;
};

struct row {
	struct job *first, **last;
};

struct store_service {
	struct store_service_opts o;
	struct rpc_service methods;
	struct rpc_listen *listen;
	struct guest *guests;
	uint64_t budget; /* that is free */
	unsigned reads;  /* under way */
	struct row puts, gets;
	/* Tending. */
	struct pool_job tend; /* its work */
	struct rpc_timer timer;
	bool tending, working;
	enum store_tending what;
	store_tended *tended;
	atomic_bool stop; /* gc is to end after this volume */
	int tend_ret;
	struct err tend_err;
	struct engine_gc_result gc;
	struct store_checked scrub;
};

/* --- guests ---------------------------------------------------------------- */

static struct guest *find_guest(struct store_service *s, const char *host)
{
	struct guest *g;

	for (g = s->guests; g != NULL; g = g->next)
		if (strcmp(g->host, host) == 0)
			return g;
	return NULL;
}

/* Runs of guests that went long ago are over; so are the guests. */
static void sweep_guests(struct store_service *s)
{
	int64_t now = rpc_loop_now_ms(s->o.loop);
	struct guest **at = &s->guests, *g;

	while ((g = *at) != NULL)
		if (g->connections == 0 && (g->run_count == 0 || now - g->left_ms > RUN_IDLE_MS)) {
			*at = g->next;
			free(g);
		} else {
			at = &g->next;
		}
}

static bool is_busy(struct store_service *s)
{
	const struct guest *g;

	sweep_guests(s);
	for (g = s->guests; g != NULL; g = g->next)
		if (g->run_count > 0 || g->holds)
			return true;
	return false;
}

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct store_service *s = arg;
	const struct rpc_identity *peer = rpc_conn_peer(conn);
	struct guest *g = find_guest(s, peer->host);

	if (g == NULL && (g = calloc(1, sizeof *g)) != NULL) {
		memcpy(g->host, peer->host, sizeof g->host);
		g->next = s->guests;
		s->guests = g;
	}
	if (g != NULL)
		g->connections++;
}

static void on_down(void *arg, struct rpc_conn *conn, const struct err *why)
{
	struct store_service *s = arg;
	struct guest *g = find_guest(s, rpc_conn_peer(conn)->host);

	(void)why;
	if (g == NULL || g->connections == 0 || --g->connections > 0)
		return;
	g->left_ms = rpc_loop_now_ms(s->o.loop);
	g->holds = false;
	sweep_guests(s);
}

static bool in_domains(const struct domains *d, const uint8_t *domain)
{
	size_t i;

	for (i = 0; i < d->count; i++)
		if (memcmp(d->at[i], domain, STORE_DOMAIN_LEN) == 0)
			return true;
	return false;
}

/* The one that was added first gives way. */
static void add_domain(struct domains *d, const uint8_t *domain)
{
	if (in_domains(d, domain))
		return;
	if (d->count == DOMAINS_MAX)
		memmove(d->at, d->at + 1, --d->count * sizeof *d->at);
	memcpy(d->at[d->count++], domain, STORE_DOMAIN_LEN);
}

/* --- jobs ------------------------------------------------------------------ */

static void row_add(struct row *row, struct job *job)
{
	job->next = NULL;
	*row->last = job;
	row->last = &job->next;
	job->waits = true;
}

static struct job *row_take(struct row *row)
{
	struct job *job = row->first;

	if (job == NULL)
		return NULL;
	row->first = job->next;
	if (row->first == NULL)
		row->last = &row->first;
	job->waits = false;
	return job;
}

static void row_remove(struct row *row, struct job *job)
{
	struct job **at = &row->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (*at == NULL)
		row->last = at;
	job->waits = false;
}

static void start_waiting(struct store_service *s);

/* Frees a job once its call and its work are over. */
static void job_end(struct job *job)
{
	struct store_service *s = job->service;

	if (job->call != NULL || job->working)
		return;
	if (job->waits)
		row_remove(job->reads ? &s->gets : &s->puts, job);
	else if (job->reads)
		s->reads--;
	s->budget += job->budget;
	buf_fini(&job->in);
	buf_fini(&job->out);
	free(job);
	start_waiting(s);
}

static void fail(struct job *job, const struct err *why)
{
	if (job->call != NULL)
		rpc_call_fail(job->call, why);
}

static void failf(struct job *job, enum err_code code, const char *text)
{
	struct err why = {0};

	err_set(&why, code, "%s", text);
	fail(job, &why);
}

static void reply_flag(struct job *job, bool is, bool blob)
{
	struct cbor_out out;
	uint8_t mem[16];

	if (job->call == NULL)
		return;
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "is");
	cbor_put_bool(&out, is);
	rpc_call_reply(job->call, mem, cbor_out_len(&out), blob);
}

static void job_finish(struct job *job);

static void work_done(struct pool_job *work)
{
	struct job *job = (struct job *)(void *)work;

	job->working = false;
	if (engine_failed(job->service->o.engine)) {
		struct err why = job->err;

		fail(job, &why);
		job->service->o.failed(job->service->o.ctx, &why);
	} else {
		job_finish(job);
	}
	job_end(job);
}

static void work_drop(struct pool_job *work)
{
	struct job *job = (struct job *)(void *)work;

	job->working = false;
	job_end(job);
}

static void job_work(struct pool_job *work);

/* Hands the job to the pool. */
static void job_start(struct job *job)
{
	job->work.work = job_work;
	job->work.done = work_done;
	job->work.drop = work_drop;
	job->working = true;
	if (pool_start(job->service->o.pool, &job->work) == 0)
		return;
	job->working = false;
	failf(job, ERR_BUSY, "the store has too much to do; try again later");
}

/* Starts what waits, as far as there is room for it. */
static void start_waiting(struct store_service *s)
{
	struct job *job;

	while ((job = s->puts.first) != NULL &&
		(s->budget >= job->size || s->budget == s->o.budget)) {
		row_take(&s->puts);
		job->budget = job->size < s->budget ? job->size : s->budget;
		s->budget -= job->budget;
		rpc_call_grant(job->call, (uint32_t)job->size);
	}
	while (s->gets.first != NULL && s->reads < READS_MAX) {
		job = row_take(&s->gets);
		s->reads++;
		job_start(job);
	}
}

/* --- a call's own callbacks ------------------------------------------------ */

static struct guest *guest_of(struct store_service *s, const struct job *job)
{
	return find_guest(s, rpc_call_peer(job->call)->host);
}

/* Whether the record to commit is of a domain that the agent has proved; else the call has failed.
 */
static bool is_of_proved_domain(struct job *job)
{
	const struct guest *g = guest_of(job->service, job);
	struct store_dump dump;
	struct err why = {0};

	if (store_dump_get(&dump, job->in.data, job->in.len, &why) != 0) {
		fail(job, &why);
		return false;
	}
	if (g != NULL && in_domains(&g->proved, dump.domain))
		return true;
	failf(job, ERR_DENIED, "the dump is of a domain that was not proved on this store");
	return false;
}

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct job *job = arg;
	struct err err = {0};

	if (buf_add(&job->in, bytes, len, &err) != 0) {
		fail(job, &err);
		return;
	}
	/* Nothing is taken back of the window: it was granted for all of the blob. */
	if (!last)
		return;
	if (job->method == STORE_METHOD_PUT && job->in.len != job->size)
		failf(job, ERR_FORMAT, "the record has another length than was announced");
	else if (job->method != STORE_METHOD_COMMIT || is_of_proved_domain(job))
		job_start(job);
}

static int on_fill(void *arg, uint8_t *to, size_t cap, size_t *len, bool *last, struct err *err)
{
	struct job *job = arg;

	(void)err;
	*len = job->out.len - job->out_at < cap ? job->out.len - job->out_at : cap;
	if (*len > 0)
		memcpy(to, job->out.data + job->out_at, *len);
	job->out_at += *len;
	*last = job->out_at == job->out.len;
	return 0;
}

static void on_done(void *arg, const struct err *err)
{
	struct job *job = arg;

	(void)err;
	job->call = NULL;
	job_end(job);
}

static const struct rpc_call_ops call_ops = {.data = on_data, .fill = on_fill, .done = on_done};

/* A job for a call. NULL: the call was answered. */
static struct job *job_new(struct store_service *s, struct rpc_call *call, uint16_t method)
{
	const struct rpc_identity *peer = rpc_call_peer(call);
	struct job *job = calloc(1, sizeof *job);
	struct err why = {0};

	if (job == NULL) {
		err_set(&why, ERR_NOMEM, "out of memory");
		rpc_call_fail(call, &why);
		return NULL;
	}
	job->service = s;
	job->call = call;
	job->method = method;
	if (peer->role == RPC_AGENT)
		memcpy(job->agent, peer->name, sizeof job->agent);
	buf_init(&job->in, STORE_RECORD_MAX > STORE_DUMP_MAX ? STORE_RECORD_MAX : STORE_DUMP_MAX);
	buf_init(&job->out, STORE_LISTING_MAX);
	rpc_call_serve(call, &call_ops, job);
	return job;
}

/* --- work: in a thread ----------------------------------------------------- */

static int add_entry(void *ctx, const struct store_entry *e, struct err *err)
{
	return store_entry_put(&((struct job *)ctx)->out, e, err);
}

/* Whether the agent has a dump in the domain. */
static int met_domain(void *ctx, const struct store_entry *e, struct err *err)
{
	struct job *job = ctx;

	(void)err;
	if (e->record == NULL || memcmp(e->dump.domain, job->domain, STORE_DOMAIN_LEN) != 0)
		return 0;
	job->checked = true;
	return 1;
}

static int work_get(struct job *job)
{
	struct engine *engine = job->service->o.engine;
	const struct store_filter own = {.agent = job->agent};

	if (!job->checked && engine_dumps(engine, &own, met_domain, job, &job->err) != 0)
		return -1;
	if (!job->checked)
		return err_set(&job->err, ERR_DENIED, "this agent has no dump in that domain");
	return engine_get(engine, job->domain, job->id, &job->out, &job->err);
}

static int work_have(struct job *job)
{
	size_t count = job->in.len / STORE_ID_LEN, i;
	bool has[STORE_HAVE_MAX];
	uint8_t *bits;

	if (engine_have(job->service->o.engine, job->domain, job->in.data, count, has, &job->err) !=
			0 ||
		(bits = buf_room(&job->out, (count + 7) / 8, &job->err)) == NULL)
		return -1;
	memset(bits, 0, (count + 7) / 8);
	for (i = 0; i < count; i++)
		bits[i / 8] |= (uint8_t)(has[i] << i % 8);
	buf_took(&job->out, (count + 7) / 8);
	return 0;
}

static int work_put(struct job *job)
{
	struct engine *engine = job->service->o.engine;
	struct store_record record;
	bool has;

	if (job->in.len == 0) /* the question */
		return engine_have(engine, job->domain, job->id, 1, &has, &job->err) != 0 ? -1
											  : has;
	if (store_record_get(&record, job->in.data, job->in.len, &job->err) != 0)
		return -1;
	if (memcmp(record.id, job->id, STORE_ID_LEN) != 0)
		return err_set(&job->err, ERR_FORMAT, "the record has another id than announced");
	return engine_put(engine, job->agent, job->domain, job->in.data, job->in.len, &job->err);
}

static int work_commit(struct job *job)
{
	struct store_dump dump;

	if (store_dump_get(&dump, job->in.data, job->in.len, &job->err) != 0)
		return -1;
	if (dump.agent_len != strlen(job->agent) ||
		memcmp(dump.agent, job->agent, dump.agent_len) != 0)
		return err_set(&job->err, ERR_DENIED, "the dump is of another agent");
	return engine_commit(job->service->o.engine, job->in.data, job->in.len, job->time,
		&job->receipt, &job->out, &job->err);
}

/* As engine_hold; but an agent learns nothing of others' dumps: for it there is none (1). */
static int hold_own(struct job *job, struct buf *record, struct store_entry *entry)
{
	int ret = engine_hold(job->service->o.engine, job->dump, record, entry, &job->err);

	if (ret == 0 && job->agent[0] != 0 &&
		(entry->dump.agent_len != strlen(job->agent) ||
			memcmp(entry->dump.agent, job->agent, entry->dump.agent_len) != 0))
		return 1;
	return ret;
}

/* Whether the dump that the run is based on is there. */
static int work_begin(struct job *job)
{
	struct store_entry entry;
	struct buf record;
	int ret;

	if (!job->has_dump)
		return 1;
	buf_init(&record, STORE_DUMP_MAX);
	ret = hold_own(job, &record, &entry);
	buf_fini(&record);
	return ret;
}

static int work_hold(struct job *job)
{
	struct store_entry entry;
	struct buf record;
	int ret;

	buf_init(&record, STORE_DUMP_MAX);
	ret = hold_own(job, &record, &entry);
	if (ret == 0)
		ret = store_entry_put(&job->out, &entry, &job->err);
	buf_fini(&record);
	return ret;
}

static int work_dumps(struct job *job)
{
	const struct store_filter filter = {
		.agent = job->filter_agent[0] != 0 ? job->filter_agent : NULL,
		.name = job->name[0] != 0 ? job->name : NULL,
		.newest = job->newest,
		.after = job->after,
	};

	return engine_dumps(job->service->o.engine, &filter, add_entry, job, &job->err);
}

static void job_work(struct pool_job *work)
{
	struct job *job = (struct job *)(void *)work;
	struct engine *engine = job->service->o.engine;

	switch (job->method) {
	case STORE_METHOD_ABOUT:
		job->ret = engine_about(engine, &job->about, &job->err);
		break;
	case STORE_METHOD_BEGIN:
		job->ret = work_begin(job);
		break;
	case STORE_METHOD_HAVE:
		job->ret = work_have(job);
		break;
	case STORE_METHOD_PUT:
		job->ret = work_put(job);
		break;
	case STORE_METHOD_COMMIT:
		job->ret = work_commit(job);
		break;
	case STORE_METHOD_DUMPS:
		job->ret = work_dumps(job);
		break;
	case STORE_METHOD_HOLD:
		job->ret = work_hold(job);
		break;
	case STORE_METHOD_GET:
		job->ret = work_get(job);
		break;
	case STORE_METHOD_DELETE:
		job->ret = engine_delete(engine, job->dump, &job->err);
		break;
	case STORE_METHOD_LOCK:
		job->ret = engine_lock(engine, job->dump, job->time, &job->err);
		break;
	default:
		assert(job->method == STORE_METHOD_TRUST_CLOCK);
		job->ret = engine_trust_clock(engine, &job->err);
		break;
	}
}

/* --- answers: in the loop's thread ------------------------------------------ */

static void reply_about(struct job *job)
{
	const struct engine *engine = job->service->o.engine;
	struct cbor_out out;
	uint8_t mem[REPLY_MAX];

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, STORE_ABOUT_FIELDS);
	cbor_put_text(&out, "uid");
	cbor_put_bytes(&out, engine_uid(engine), STORE_UID_LEN);
	cbor_put_text(&out, "public");
	cbor_put_bytes(&out, engine_public(engine), SEAL_SIGN_LEN);
	cbor_put_text(&out, "version");
	cbor_put_text(&out, FDUMP_VERSION);
	cbor_put_text(&out, "time");
	cbor_put_int(&out, job->about.time);
	cbor_put_text(&out, "free");
	cbor_put_uint(&out, job->about.free);
	cbor_put_text(&out, "reserve");
	cbor_put_uint(&out, job->about.reserve);
	assert(!cbor_out_full(&out));
	rpc_call_reply(job->call, mem, cbor_out_len(&out), false);
}

static void reply_bits(struct job *job)
{
	struct cbor_out out;
	uint8_t mem[REPLY_MAX];

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "has");
	cbor_put_bytes(&out, job->out.data, job->out.len);
	rpc_call_reply(job->call, mem, cbor_out_len(&out), false);
}

static void reply_commit(struct job *job)
{
	struct cbor_out out;
	uint8_t mem[REPLY_MAX];

	cbor_out_init(&out, mem, sizeof mem);
	if (job->ret == 1) {
		cbor_put_map(&out, 1);
		cbor_put_text(&out, "missing");
		cbor_put_bool(&out, true);
	} else {
		cbor_put_map(&out, 2);
		cbor_put_text(&out, "time");
		cbor_put_int(&out, job->receipt.time);
		cbor_put_text(&out, "signature");
		cbor_put_bytes(&out, job->receipt.signature, SEAL_SIG_LEN);
	}
	rpc_call_reply(job->call, mem, cbor_out_len(&out), job->ret == 1 && job->out.len > 0);
}

/* A put's question is answered: the record is there, or its bytes are to come. */
static void go_on_with_put(struct job *job)
{
	struct store_service *s = job->service;

	if (job->call == NULL)
		return;
	if (job->ret == 1) {
		reply_flag(job, true, false);
		return;
	}
	row_add(&s->puts, job);
	start_waiting(s);
}

static void job_finish(struct job *job)
{
	struct guest *g;

	if (job->call == NULL)
		return;
	if (job->ret < 0) {
		fail(job, &job->err);
		return;
	}
	switch (job->method) {
	case STORE_METHOD_ABOUT:
		reply_about(job);
		break;
	case STORE_METHOD_HAVE:
		reply_bits(job);
		break;
	case STORE_METHOD_PUT:
		if (job->in.len == 0)
			go_on_with_put(job);
		else
			reply_flag(job, job->ret == 1, false);
		break;
	case STORE_METHOD_COMMIT:
		reply_commit(job);
		break;
	case STORE_METHOD_DUMPS:
		reply_flag(job, true, job->out.len > 0);
		break;
	case STORE_METHOD_HOLD:
		g = guest_of(job->service, job);
		if (job->ret == 0 && g != NULL)
			g->holds = true;
		reply_flag(job, job->ret == 0, job->ret == 0);
		break;
	case STORE_METHOD_GET:
		g = guest_of(job->service, job);
		if (g != NULL && job->agent[0] != 0)
			add_domain(&g->readable, job->domain);
		reply_flag(job, job->ret == 0, job->ret == 0);
		break;
	default:
		reply_flag(job, job->ret == 0, false);
		break;
	}
}

/* --- handlers -------------------------------------------------------------- */

static void copy_text(char to[NAME_LEN_MAX + 1], const struct rpc_value *v)
{
	if (v->has)
		memcpy(to, v->bytes, v->len);
	to[v->has ? v->len : 0] = 0;
}

/* What waits for gc to end makes it end sooner. */
static bool is_collecting(struct store_service *s)
{
	if (!s->working || s->what != STORE_TEND_GC)
		return false;
	atomic_store(&s->stop, true);
	return true;
}

static void on_about(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct job *job = job_new(ctx, call, STORE_METHOD_ABOUT);

	(void)v;
	if (job != NULL)
		job_start(job);
}

/* An agent proves that it is of the domain. */
static bool is_proved(struct store_service *s, const struct job *job, const struct rpc_value *v)
{
	const char *host = rpc_call_peer(job->call)->host;
	struct store_proof proof;
	struct err err;
	size_t i;
	unsigned byte;

	if (!v[STORE_BEGIN_PUBLIC].has || !v[STORE_BEGIN_PROOF].has)
		return false;
	memcpy(proof.uid, engine_uid(s->o.engine), sizeof proof.uid);
	for (i = 0; i < sizeof proof.host; i++) {
		if (sscanf(host + 2 * i, "%2x", &byte) != 1)
			return false;
		proof.host[i] = (uint8_t)byte;
	}
	memcpy(proof.run, v[STORE_BEGIN_RUN].bytes, sizeof proof.run);
	return store_proof_check(v[STORE_BEGIN_PUBLIC].bytes, v[STORE_BEGIN_DOMAIN].bytes, &proof,
		       v[STORE_BEGIN_PROOF].bytes, &err) == 0;
}

static bool has_run(const struct guest *g, const uint8_t *run)
{
	size_t i;

	for (i = 0; i < g->run_count; i++)
		if (memcmp(g->runs[i], run, STORE_RUN_LEN) == 0)
			return true;
	return false;
}

static void on_begin(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct store_service *s = ctx;
	struct job *job = job_new(s, call, STORE_METHOD_BEGIN);
	struct guest *g;

	if (job == NULL)
		return;
	g = guest_of(s, job);
	if (g == NULL) {
		failf(job, ERR_NOMEM, "out of memory");
		return;
	}
	if (is_collecting(s)) {
		failf(job, ERR_BUSY, "the store collects garbage; try again in a moment");
		return;
	}
	if (!is_proved(s, job, v)) {
		failf(job, ERR_DENIED,
			"the proof that this agent is of the domain is missing or wrong");
		return;
	}
	if (!has_run(g, v[STORE_BEGIN_RUN].bytes)) {
		if (g->run_count == RUNS_MAX) {
			failf(job, ERR_BUSY, "this agent has too many runs open");
			return;
		}
		memcpy(g->runs[g->run_count++], v[STORE_BEGIN_RUN].bytes, STORE_RUN_LEN);
	}
	add_domain(&g->proved, v[STORE_BEGIN_DOMAIN].bytes);
	job->has_dump = v[STORE_BEGIN_BASE].has;
	if (job->has_dump)
		memcpy(job->dump, v[STORE_BEGIN_BASE].bytes, sizeof job->dump);
	job_start(job);
}

static void on_end(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct store_service *s = ctx;
	struct job *job = job_new(s, call, STORE_METHOD_END);
	struct guest *g = job != NULL ? guest_of(s, job) : NULL;
	size_t i;

	if (job == NULL)
		return;
	for (i = 0; g != NULL && i < g->run_count; i++)
		if (memcmp(g->runs[i], v[STORE_END_RUN].bytes, STORE_RUN_LEN) == 0) {
			memmove(g->runs[i], g->runs[i + 1], (--g->run_count - i) * STORE_RUN_LEN);
			break;
		}
	reply_flag(job, true, false);
}

/* Whether the call's agent may put into a domain. */
static bool may_put(struct store_service *s, struct job *job, const uint8_t *domain)
{
	struct guest *g = guest_of(s, job);

	if (g != NULL && in_domains(&g->proved, domain))
		return true;
	failf(job, ERR_DENIED, "the domain was not proved on this store since it was started");
	return false;
}

static void on_have(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct store_service *s = ctx;
	struct job *job = job_new(s, call, STORE_METHOD_HAVE);
	struct err err = {0};

	if (job == NULL)
		return;
	if (job->agent[0] != 0 && !may_put(s, job, v[STORE_HAVE_DOMAIN].bytes))
		return;
	memcpy(job->domain, v[STORE_HAVE_DOMAIN].bytes, sizeof job->domain);
	if (v[STORE_HAVE_IDS].len % STORE_ID_LEN != 0)
		failf(job, ERR_FORMAT, "ids have 32 bytes each");
	else if (buf_add(&job->in, v[STORE_HAVE_IDS].bytes, v[STORE_HAVE_IDS].len, &err) != 0)
		fail(job, &err);
	else
		job_start(job);
}

static void on_put(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct store_service *s = ctx;
	struct job *job = job_new(s, call, STORE_METHOD_PUT);

	if (job == NULL || !may_put(s, job, v[STORE_PUT_DOMAIN].bytes))
		return;
	if (v[STORE_PUT_SIZE].number == 0 || !rpc_call_has_blob(call)) {
		failf(job, ERR_FORMAT, "a record comes as a blob");
		return;
	}
	memcpy(job->domain, v[STORE_PUT_DOMAIN].bytes, sizeof job->domain);
	memcpy(job->id, v[STORE_PUT_ID].bytes, sizeof job->id);
	job->size = (size_t)v[STORE_PUT_SIZE].number;
	job_start(job);
}

static void on_commit(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct store_service *s = ctx;
	struct job *job = job_new(s, call, STORE_METHOD_COMMIT);
	struct guest *g = job != NULL ? guest_of(s, job) : NULL;

	if (job == NULL)
		return;
	if (!rpc_call_has_blob(call) || g == NULL || g->proved.count == 0) {
		failf(job, g != NULL && g->proved.count > 0 ? ERR_FORMAT : ERR_DENIED,
			"a commit needs a run and a dump's record");
		return;
	}
	if (v[STORE_COMMIT_TIME].has) {
		failf(job, ERR_DENIED, "an agent can't commit for another time than now");
		return;
	}
	job->time = STORE_NOW;
	job->size = STORE_DUMP_MAX;
	rpc_call_grant(call, STORE_DUMP_MAX);
}

static void on_dumps(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct job *job = job_new(ctx, call, STORE_METHOD_DUMPS);

	if (job == NULL)
		return;
	copy_text(job->filter_agent, &v[STORE_DUMPS_AGENT]);
	copy_text(job->name, &v[STORE_DUMPS_NAME]);
	job->newest = v[STORE_DUMPS_NEWEST].has && v[STORE_DUMPS_NEWEST].number != 0;
	job->after = v[STORE_DUMPS_AFTER].has ? v[STORE_DUMPS_AFTER].number : 0;
	if (job->agent[0] != 0) {
		/* An agent sees its own, whatever it asks for; of others there are none. */
		if (job->filter_agent[0] != 0 && strcmp(job->filter_agent, job->agent) != 0) {
			reply_flag(job, true, false);
			return;
		}
		memcpy(job->filter_agent, job->agent, sizeof job->filter_agent);
	}
	job_start(job);
}

static struct job *dump_job(
	void *ctx, struct rpc_call *call, const struct rpc_value *v, uint16_t method)
{
	struct job *job = job_new(ctx, call, method);

	if (job == NULL)
		return NULL;
	memcpy(job->dump, v[STORE_DUMP_DUMP].bytes, sizeof job->dump);
	job->time = v[STORE_DUMP_UNTIL].has ? v[STORE_DUMP_UNTIL].integer : 0;
	return job;
}

static void on_hold(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct job *job = dump_job(ctx, call, v, STORE_METHOD_HOLD);

	if (job == NULL)
		return;
	if (is_collecting(ctx))
		failf(job, ERR_BUSY, "the store collects garbage; try again in a moment");
	else
		job_start(job);
}

static void on_get(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct store_service *s = ctx;
	struct job *job = job_new(s, call, STORE_METHOD_GET);
	struct guest *g = job != NULL ? guest_of(s, job) : NULL;

	if (job == NULL)
		return;
	memcpy(job->domain, v[STORE_GET_DOMAIN].bytes, sizeof job->domain);
	memcpy(job->id, v[STORE_GET_ID].bytes, sizeof job->id);
	job->checked = job->agent[0] == 0 || (g != NULL && in_domains(&g->readable, job->domain));
	job->reads = true;
	row_add(&s->gets, job);
	start_waiting(s);
}

static void on_delete(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct job *job = dump_job(ctx, call, v, STORE_METHOD_DELETE);

	if (job != NULL)
		job_start(job);
}

static void on_lock(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct job *job = dump_job(ctx, call, v, STORE_METHOD_LOCK);

	if (job != NULL)
		job_start(job);
}

static void on_trust_clock(void *ctx, struct rpc_call *call, const struct rpc_value *v)
{
	struct job *job = job_new(ctx, call, STORE_METHOD_TRUST_CLOCK);

	(void)v;
	if (job != NULL)
		job_start(job);
}

#define A RPC_ROLE_BIT(RPC_AGENT)
#define M RPC_ROLE_BIT(RPC_MANAGER)
#define O RPC_ROLE_BIT(RPC_OPERATOR)
#define S RPC_ROLE_BIT(RPC_STORE)

#define HAVE_PARAMS (128 + STORE_HAVE_MAX * STORE_ID_LEN)

static const struct rpc_method methods[] = {
	{STORE_METHOD_ABOUT, "about", A | O | M | S, STORE_PARAMS_MAX, 0, DEADLINE_MS, NULL,
		on_about, NULL},
	{STORE_METHOD_BEGIN, "begin", A, STORE_PARAMS_MAX, 0, DEADLINE_MS, store_begin_fields,
		on_begin, NULL},
	{STORE_METHOD_HAVE, "have", A | S | O, HAVE_PARAMS, 0, DEADLINE_MS, store_have_fields,
		on_have, NULL},
	{STORE_METHOD_PUT, "put", A, STORE_PARAMS_MAX, STORE_RECORD_MAX, DEADLINE_MS,
		store_put_fields, on_put, NULL},
	{STORE_METHOD_COMMIT, "commit", A, STORE_PARAMS_MAX, STORE_DUMP_MAX, DEADLINE_MS,
		store_commit_fields, on_commit, NULL},
	{STORE_METHOD_END, "end", A, STORE_PARAMS_MAX, 0, DEADLINE_MS, store_end_fields, on_end,
		NULL},
	{STORE_METHOD_DUMPS, "dumps", A | O | M | S, STORE_PARAMS_MAX, 0, DEADLINE_MS,
		store_dumps_fields, on_dumps, NULL},
	{STORE_METHOD_HOLD, "hold", A | O | S, STORE_PARAMS_MAX, 0, DEADLINE_MS, store_dump_fields,
		on_hold, NULL},
	{STORE_METHOD_GET, "get", A | O | S, STORE_PARAMS_MAX, 0, DEADLINE_MS, store_get_fields,
		on_get, NULL},
	{STORE_METHOD_DELETE, "delete", O, STORE_PARAMS_MAX, 0, DEADLINE_MS, store_dump_fields,
		on_delete, NULL},
	{STORE_METHOD_LOCK, "lock", O | M, STORE_PARAMS_MAX, 0, DEADLINE_MS, store_dump_fields,
		on_lock, NULL},
	{STORE_METHOD_TRUST_CLOCK, "trust-clock", O, STORE_PARAMS_MAX, 0, DEADLINE_MS, NULL,
		on_trust_clock, NULL},
};

/* --- tending --------------------------------------------------------------- */

static void tend_work(struct pool_job *work)
{
	struct store_service *s =
		(struct store_service *)(void *)((char *)work -
						 offsetof(struct store_service, tend));
	const struct engine_gc_options gc = {.keep_percent = 70, .stop = &s->stop};
	const struct engine_scrub_options scrub = {.mark = true, .stop = &s->stop};

	if (s->what == STORE_TEND_GC)
		s->tend_ret = engine_gc(s->o.engine, &gc, &s->gc, &s->tend_err);
	else
		s->tend_ret = engine_scrub(
			s->o.engine, &scrub, s->o.problem, s->o.ctx, &s->scrub, &s->tend_err);
}

static void tend_done(struct pool_job *work)
{
	struct store_service *s =
		(struct store_service *)(void *)((char *)work -
						 offsetof(struct store_service, tend));

	s->tending = s->working = false;
	s->tended(s->o.ctx, s->what, &s->gc, &s->scrub, s->tend_ret != 0 ? &s->tend_err : NULL);
	if (engine_failed(s->o.engine))
		s->o.failed(s->o.ctx, &s->tend_err);
}

static void tend_drop(struct pool_job *work)
{
	(void)work;
}

/* Starts it as soon as nobody is in its way. */
static void tend_try(void *arg)
{
	struct store_service *s = arg;

	if (s->what == STORE_TEND_GC && is_busy(s)) {
		rpc_timer_start(&s->timer, s->o.loop, GC_RETRY_MS, tend_try, s);
		return;
	}
	s->tend = (struct pool_job){.work = tend_work, .done = tend_done, .drop = tend_drop};
	s->tend_err = (struct err){0};
	s->working = true;
	if (pool_start(s->o.pool, &s->tend) != 0) {
		s->working = false;
		rpc_timer_start(&s->timer, s->o.loop, GC_RETRY_MS, tend_try, s);
	}
}

int store_service_tend(struct store_service *s, enum store_tending what, store_tended *done)
{
	if (s->tending)
		return 1;
	s->tending = true;
	s->what = what;
	s->tended = done;
	atomic_store(&s->stop, false);
	tend_try(s);
	return 0;
}

/* --- life ------------------------------------------------------------------ */

static void on_log(void *ctx, const struct rpc_access *access)
{
	struct store_service *s = ctx;

	if (s->o.log != NULL)
		s->o.log(s->o.ctx, access);
}

static void on_refused(void *arg, const char *address, const struct err *why)
{
	struct store_service *s = arg;

	if (s->o.refused != NULL)
		s->o.refused(s->o.ctx, address, why);
}

struct store_service *store_service_new(const struct store_service_opts *opts, struct err *err)
{
	struct store_service *s = calloc(1, sizeof *s);
	struct rpc_listen_opts listen = {
		.conf = opts->conf,
		.times = opts->times,
		.host = opts->host,
		.port = opts->port,
		.credit = RPC_CREDIT_NONE,
		.up = on_up,
		.down = on_down,
		.refused = on_refused,
	};

	if (s == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->o = *opts;
	if (s->o.budget == 0)
		s->o.budget = STORE_BUDGET;
	s->budget = s->o.budget;
	s->puts.last = &s->puts.first;
	s->gets.last = &s->gets.first;
	s->methods = (struct rpc_service){
		.methods = methods,
		.count = sizeof methods / sizeof *methods,
		.ctx = s,
		.log = on_log,
	};
	listen.service = &s->methods;
	listen.arg = s;
	s->listen = rpc_listen_new(s->o.loop, &listen, err);
	if (s->listen != NULL)
		return s;
	free(s);
	return NULL;
}

unsigned store_service_port(const struct store_service *s)
{
	return rpc_listen_port(s->listen);
}

void store_service_conf(struct store_service *s, struct rpc_tls_conf *conf)
{
	rpc_listen_conf(s->listen, conf);
}

void store_service_recheck(struct store_service *s)
{
	rpc_listen_recheck(s->listen);
}

void store_service_shutdown(struct store_service *s)
{
	atomic_store(&s->stop, true);
	rpc_timer_stop(&s->timer);
	rpc_listen_shutdown(s->listen);
}

unsigned store_service_count(const struct store_service *s)
{
	return rpc_listen_count(s->listen);
}

void store_service_free(struct store_service *s)
{
	struct guest *g;

	if (s == NULL)
		return;
	rpc_timer_stop(&s->timer);
	rpc_listen_free(s->listen);
	while ((g = s->guests) != NULL) {
		s->guests = g->next;
		free(g);
	}
	free(s);
}
