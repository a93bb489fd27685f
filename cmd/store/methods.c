/*
 * The methods of a store (proto.h, rpc/PROTOCOL.md): who may call each, what it does, what it
 * answers. An agent reaches only dumps of its own name, and puts only into domains that it has
 * proved on this service. The table at the end has the roles that may call each method.
 */
#include "cmd/store/job.h"

#include <string.h>
#include <time.h>

#include "cmd/store/engine.h"
#include "lib/esc.h"
#include "rpc/call.h"
#include "rpc/wire.h"

#define DEADLINE_MS 600000

/* Answers yes if the work returned 0. */
static void reply_ret(struct store_job *job)
{
	store_job_reply(job, job->ret == 0, false);
}

/* The same; a yes is followed by a blob. */
static void reply_blob(struct store_job *job)
{
	store_job_reply(job, job->ret == 0, job->ret == 0);
}

/* Whether the caller may see a dump: an agent only its own. */
static bool is_own(const struct store_job *job, const struct store_dump *dump)
{
	return job->agent[0] == 0 || (dump->agent_len == strlen(job->agent) &&
					     memcmp(dump->agent, job->agent, dump->agent_len) == 0);
}

/* As engine_hold, but returns 1 for other agents' dumps, so that an agent learns nothing about
 * them. out: gets the entry; may be NULL. */
static int hold_own(struct store_job *job, struct buf *out)
{
	struct store_entry entry;
	struct buf record = {.max = STORE_DUMP_MAX};
	int ret;

	ret = engine_hold(job->jobs->o.engine, job->p.dump, &record, &entry, &job->err);
	if (ret == 0 && !is_own(job, &entry.dump))
		ret = 1;
	if (ret == 0 && out != NULL)
		ret = store_entry_put(out, &entry, &job->err);
	buf_fini(&record);
	return ret;
}

/* Limits how far in the future an agent may lock a dump: nobody could empty a store full of
 * locks. */
static bool is_lock_too_long(const struct store_job *job, int64_t until, struct err *err)
{
	int64_t longest = job->jobs->lock_max_sec;

	if (job->agent[0] == 0 || until == 0 || until <= time(NULL) + longest)
		return false;
	err_set(err, ERR_DENIED, "the lock is too long: this store takes %lld days at most",
		(long long)(longest / 86400));
	return true;
}

/* --- about, trust-clock ------------------------------------------------------- */

static void reply_about(struct store_job *job)
{
	const struct engine *engine = job->jobs->o.engine;
	struct store_greeting is = {.version = FDUMP_VERSION, .about = job->about};
	struct cbormap_field fields[STORE_ABOUT_FIELDS + 1];
	size_t i;

	memcpy(is.uid, engine_uid(engine), sizeof is.uid);
	memcpy(is.public, engine_public(engine), sizeof is.public);
	if (job->agent[0] != 0)
		is.about.lock_max_sec = job->jobs->lock_max_sec;
	memcpy(fields, store_about_fields, sizeof fields);
	for (i = 0; i < STORE_ABOUT_FIELDS; i++) /* a field is written even if it is zero */
		fields[i].need = i < STORE_ABOUT_OWN_USED || is.about.has_quota;
	fields[STORE_ABOUT_LOCK_MAX].need = job->agent[0] != 0;
	store_job_answer(job, fields, &is, NULL);
}

static int work_about(struct store_job *job)
{
	struct engine *engine = job->jobs->o.engine;
	struct store_about *about = &job->about;
	int ret;

	if (engine_about(engine, about, &job->err) != 0)
		return -1;
	if (job->agent[0] == 0)
		return 0;
	ret = engine_quota_get(engine, job->agent, &about->own_used, &about->own_quota, &job->err);
	about->has_quota = ret == 0;
	if (!about->has_quota)
		about->own_used = about->own_quota = 0;
	return ret < 0 ? -1 : 0;
}

static void on_about(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job = store_job_new(ctx, call, NULL, v, work_about, reply_about);

	if (job != NULL)
		store_job_start(job);
}

static int work_trust_clock(struct store_job *job)
{
	return engine_trust_clock(job->jobs->o.engine, &job->err);
}

static void on_trust_clock(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job = store_job_new(ctx, call, NULL, v, work_trust_clock, reply_ret);

	if (job != NULL)
		store_job_start(job);
}

/* --- begin, end --------------------------------------------------------------- */

/* Whether the agent has proved that it belongs to the domain. */
static bool is_proved(const struct store_job *job)
{
	struct store_proof proof;
	struct err err;

	memcpy(proof.uid, engine_uid(job->jobs->o.engine), sizeof proof.uid);
	memcpy(proof.run, job->p.run, sizeof proof.run);
	return esc_unhex(proof.host, sizeof proof.host, rpc_call_peer(job->call)->host) &&
	       store_proof_check(job->p.public, job->p.domain, &proof, job->p.proof, &err) == 0;
}

static int work_begin(struct store_job *job)
{
	static const uint8_t none[STORE_DUMP_ID] = {0};

	return memcmp(job->p.dump, none, sizeof none) != 0 ? hold_own(job, NULL) : 1;
}

/* If gc is running, asks it to end soon, fails the call, and returns true. */
static bool is_collecting(struct store_job *job)
{
	if (!job->jobs->collecting)
		return false;
	atomic_store(&job->jobs->stop, true);
	store_job_failf(job, ERR_BUSY, "the store collects garbage; try again in a moment");
	return true;
}

static void on_begin(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job =
		store_job_new(ctx, call, store_begin_fields, v, work_begin, reply_ret);
	struct store_guest *g;

	if (job == NULL || is_collecting(job))
		return;
	if (!is_proved(job)) {
		store_job_failf(job, ERR_DENIED,
			"the proof that this agent is of the domain is missing or wrong");
		return;
	}
	g = store_job_guest(job);
	if (store_guest_begin(g, job->p.run) != 0) {
		store_job_failf(job, ERR_BUSY, "this agent has too many runs open");
		return;
	}
	store_domains_add(&g->proved, job->p.domain);
	store_job_start(job);
}

static void on_end(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job = store_job_new(ctx, call, store_end_fields, v, NULL, NULL);
	struct store_guest *g;

	if (job == NULL)
		return;
	g = store_job_guest(job);
	store_guest_end(g, job->p.run);
	store_jobs_tell(ctx, g);
	store_job_reply(job, true, false);
}

/* --- have, put ---------------------------------------------------------------- */

/* Whether the caller may put into the domain; if not, fails the call. */
static bool may_put(struct store_job *job)
{
	if (store_domains_has(&store_job_guest(job)->proved, job->p.domain))
		return true;
	store_job_failf(
		job, ERR_DENIED, "the domain was not proved on this store since it was started");
	return false;
}

static int work_have(struct store_job *job)
{
	size_t count = job->in.len / STORE_ID_LEN, i;
	bool has[STORE_HAVE_MAX];
	uint8_t *bits;

	if (engine_have(job->jobs->o.engine, job->p.domain, job->in.data, count, has, &job->err) !=
			0 ||
		(bits = buf_room(&job->out, (count + 7) / 8, &job->err)) == NULL)
		return -1;
	memset(bits, 0, (count + 7) / 8);
	for (i = 0; i < count; i++)
		bits[i / 8] |= (uint8_t)(has[i] << i % 8);
	buf_took(&job->out, (count + 7) / 8);
	return 0;
}

static void reply_bits(struct store_job *job)
{
	const struct cbormap_blob has = {job->out.data, job->out.len};

	store_job_answer(job, store_bits_fields, &has, NULL);
}

static void on_have(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job =
		store_job_new(ctx, call, store_have_fields, v, work_have, reply_bits);
	struct err err = {0};

	if (job == NULL || (job->agent[0] != 0 && !may_put(job)))
		return;
	if (job->p.ids.len % STORE_ID_LEN != 0)
		store_job_failf(job, ERR_FORMAT, "ids have 32 bytes each");
	else if (buf_add(&job->in, job->p.ids.bytes, job->p.ids.len, &err) != 0)
		store_job_fail(job, &err);
	else
		store_job_start(job);
}

static int work_put(struct store_job *job)
{
	struct engine *engine = job->jobs->o.engine;
	struct store_record record;
	bool has;

	if (job->in.len == 0) /* only asks whether the store has it */
		return engine_have(engine, job->p.domain, job->p.id, 1, &has, &job->err) != 0 ? -1
											      : has;
	if (store_record_get(&record, job->in.data, job->in.len, &job->err) != 0)
		return -1;
	if (memcmp(record.id, job->p.id, STORE_ID_LEN) != 0)
		return err_set(&job->err, ERR_FORMAT, "the record has another id than announced");
	return engine_put(engine, job->agent, job->p.domain, job->in.data, job->in.len, &job->err);
}

/* After the question: answers that the store has the record, or lets its bytes come. After the
 * bytes: answers. */
static void answer_put(struct store_job *job)
{
	if (job->in.len == 0 && job->ret == 0)
		store_job_take(job);
	else
		store_job_reply(job, job->ret == 1, false);
}

static void put_arrived(struct store_job *job)
{
	if (job->in.len == job->p.size)
		store_job_start(job);
	else
		store_job_failf(
			job, ERR_FORMAT, "the record has another length than was announced");
}

static void on_put(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job = store_job_new(ctx, call, store_put_fields, v, work_put, answer_put);

	if (job == NULL || !may_put(job))
		return;
	if (job->p.size == 0 || !rpc_call_has_blob(call)) {
		store_job_failf(job, ERR_FORMAT, "a record comes as a blob");
		return;
	}
	job->arrived = put_arrived;
	store_job_start(job);
}

/* --- commit ------------------------------------------------------------------- */

/* Starts the commit if the record may be committed; if not, fails the call. */
static void commit_arrived(struct store_job *job)
{
	const struct store_foreign *foreign = &job->jobs->foreign;
	struct store_dump dump;
	struct err why = {0};

	if (store_dump_get(&dump, job->in.data, job->in.len, &why) != 0)
		store_job_fail(job, &why);
	else if (!store_domains_has(&store_job_guest(job)->proved, dump.domain))
		store_job_failf(job, ERR_DENIED,
			"the dump is of a domain that was not proved on this store");
	else if (!is_own(job, &dump))
		store_job_failf(job, ERR_DENIED, "the dump is of another agent");
	else if (is_lock_too_long(job, dump.lock, &why) ||
		 (job->time != STORE_NOW &&
			 store_foreign_check(foreign, &job->p.first, &dump, job->in.data,
				 job->in.len, time(NULL), &why) != 0))
		store_job_fail(job, &why);
	else
		store_job_start(job);
}

static int work_commit(struct store_job *job)
{
	return engine_commit(job->jobs->o.engine, job->in.data, job->in.len, job->time,
		&job->receipt, &job->out, &job->err);
}

static void reply_commit(struct store_job *job)
{
	struct store_commit_result is = {.missing = job->ret == 1};

	if (!is.missing)
		is.receipt = job->receipt;
	store_job_answer(
		job, store_result_fields, &is, is.missing && job->out.len > 0 ? &job->out : NULL);
}

static void on_commit(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	enum { TIME, STORE, SIGNATURE };
	struct store_job *job =
		store_job_new(ctx, call, store_commit_fields, v, work_commit, reply_commit);
	bool proved;

	if (job == NULL)
		return;
	proved = store_job_guest(job)->proved.count > 0;
	if (!rpc_call_has_blob(call) || !proved) {
		store_job_failf(job, proved ? ERR_FORMAT : ERR_DENIED,
			"a commit needs a run and a dump's record");
		return;
	}
	if (v[STORE].has != v[TIME].has || v[SIGNATURE].has != v[TIME].has) {
		store_job_failf(job, ERR_FORMAT,
			"another store's receipt needs a time, a store and a signature");
		return;
	}
	job->time = v[TIME].has ? job->p.first.time : STORE_NOW;
	job->p.size = STORE_DUMP_MAX;
	job->arrived = commit_arrived;
	rpc_call_grant(call, STORE_DUMP_MAX);
}

/* --- dumps -------------------------------------------------------------------- */

static int add_entry(void *ctx, const struct store_entry *e, struct err *err)
{
	return store_entry_put(&((struct store_job *)ctx)->out, e, err);
}

static int work_dumps(struct store_job *job)
{
	const struct store_filter filter = {
		.agent = job->p.agent[0] != 0 ? job->p.agent : NULL,
		.name = job->p.name[0] != 0 ? job->p.name : NULL,
		.after = job->p.after,
	};

	return engine_dumps(job->jobs->o.engine, &filter, add_entry, job, &job->err);
}

static void reply_list(struct store_job *job)
{
	store_job_reply(job, true, job->out.len > 0);
}

static void on_dumps(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job =
		store_job_new(ctx, call, store_dumps_fields, v, work_dumps, reply_list);

	if (job == NULL)
		return;
	/* An agent gets only its own dumps, and none if it asks for another's. */
	if (job->agent[0] != 0 && job->p.agent[0] != 0 && strcmp(job->p.agent, job->agent) != 0) {
		store_job_reply(job, true, false);
		return;
	}
	if (job->agent[0] != 0)
		memcpy(job->p.agent, job->agent, sizeof job->p.agent);
	store_job_start(job);
}

/* --- hold, get ---------------------------------------------------------------- */

static int work_hold(struct store_job *job)
{
	return hold_own(job, &job->out);
}

static void answer_hold(struct store_job *job)
{
	/* Even if the dump is deleted while it is read: its chunks stay until gc. */
	store_job_guest(job)->holds = true;
	reply_blob(job);
}

static void on_hold(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job =
		store_job_new(ctx, call, store_dump_fields, v, work_hold, answer_hold);

	if (job != NULL && !is_collecting(job))
		store_job_start(job);
}

/* Sets .checked if the agent has a dump in the domain. */
static int met_domain(void *ctx, const struct store_entry *e, struct err *err)
{
	struct store_job *job = ctx;

	(void)err;
	if (e->record == NULL || memcmp(e->dump.domain, job->p.domain, STORE_DOMAIN_LEN) != 0)
		return 0;
	job->checked = true;
	return 1;
}

static int work_get(struct store_job *job)
{
	struct engine *engine = job->jobs->o.engine;
	const struct store_filter own = {.agent = job->agent};
	struct err why = {0};
	size_t marked = 0;
	int ret;

	if (!job->checked && engine_dumps(engine, &own, met_domain, job, &job->err) != 0)
		return -1;
	if (!job->checked)
		return err_set(&job->err, ERR_DENIED, "this agent has no dump in that domain");
	ret = engine_get(engine, job->p.domain, job->p.id, &job->out, &job->err);
	/* Mark it: it then counts as missing, and is taken when somebody puts it again. */
	if (ret < 0 && (job->err.code == ERR_DAMAGE || job->err.code == ERR_FORMAT) &&
		engine_doubt(engine, job->p.domain, job->p.id, 1, &marked, &why) == 0)
		job->marked = marked > 0;
	return ret;
}

static void answer_get(struct store_job *job)
{
	struct store_guest *g = store_job_guest(job);

	if (job->agent[0] != 0)
		store_domains_add(&g->readable, job->p.domain);
	/* A restore that lost its connection, and so perhaps its hold, goes on: renew the hold. */
	g->holds = true;
	reply_blob(job);
}

static void on_get(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job = store_job_new(ctx, call, store_get_fields, v, work_get, answer_get);

	if (job == NULL)
		return;
	job->checked = job->agent[0] == 0 ||
		       store_domains_has(&store_job_guest(job)->readable, job->p.domain);
	store_job_read(job);
}

/* --- delete, lock ------------------------------------------------------------- */

static int work_delete(struct store_job *job)
{
	return engine_delete(job->jobs->o.engine, job->p.dump, &job->err);
}

static void on_delete(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job =
		store_job_new(ctx, call, store_dump_fields, v, work_delete, reply_ret);

	if (job != NULL)
		store_job_start(job);
}

static int work_lock(struct store_job *job)
{
	int ret = job->agent[0] != 0 ? hold_own(job, NULL) : 0;

	return ret == 0 ? engine_lock(job->jobs->o.engine, job->p.dump, job->p.until, &job->err)
			: ret;
}

static void on_lock(void *ctx, struct rpc_call *call, const struct cbormap_value *v)
{
	struct store_job *job =
		store_job_new(ctx, call, store_dump_fields, v, work_lock, reply_ret);
	struct err why = {0};

	if (job == NULL)
		return;
	if (is_lock_too_long(job, job->p.until, &why))
		store_job_fail(job, &why);
	else
		store_job_start(job);
}

/* --- the table ---------------------------------------------------------------- */

#define A RPC_ROLE_BIT(RPC_AGENT)
#define M RPC_ROLE_BIT(RPC_MANAGER)
#define O RPC_ROLE_BIT(RPC_OPERATOR)
#define S RPC_ROLE_BIT(RPC_STORE)

const struct rpc_method store_methods[] = {
	{STORE_METHOD_ABOUT, "about", A | O | M | S, STORE_PARAMS_MAX, 0, DEADLINE_MS, NULL,
		on_about, NULL},
	{STORE_METHOD_BEGIN, "begin", A, STORE_PARAMS_MAX, 0, DEADLINE_MS, store_begin_fields,
		on_begin, NULL},
	{STORE_METHOD_HAVE, "have", A | S | O, STORE_HAVE_PARAMS, 0, DEADLINE_MS, store_have_fields,
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
	{STORE_METHOD_LOCK, "lock", A | O | M, STORE_PARAMS_MAX, 0, DEADLINE_MS, store_dump_fields,
		on_lock, NULL},
	{STORE_METHOD_TRUST_CLOCK, "trust-clock", O, STORE_PARAMS_MAX, 0, DEADLINE_MS, NULL,
		on_trust_clock, NULL},
};
const size_t store_methods_count = sizeof store_methods / sizeof *store_methods;
