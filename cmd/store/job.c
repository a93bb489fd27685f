/* Queues of waiting jobs, and the callbacks of their calls. */
#include "cmd/store/job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/engine.h"
#include "lib/cbor.h"
#include "rpc/call.h"

#define REPLY_MAX 512

/* --- queues ---------------------------------------------------------------- */

static void row_add(struct store_job_row *row, struct store_job *job)
{
	job->next = NULL;
	*row->last = job;
	row->last = &job->next;
	job->waits = true;
}

static void row_remove(struct store_job_row *row, struct store_job *job)
{
	struct store_job **at = &row->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	if (*at == NULL)
		row->last = at;
	job->waits = false;
}

static void start_waiting(struct store_jobs *s);

/* Frees a job if its call and its work are over. */
static void end(struct store_job *job)
{
	struct store_jobs *s = job->jobs;

	if (job->call != NULL || job->working)
		return;
	if (job->waits)
		row_remove(job->reads ? &s->gets : &s->puts, job);
	else if (job->reads)
		s->reads--;
	s->free += job->budget;
	buf_fini(&job->in);
	buf_fini(&job->out);
	free(job);
	start_waiting(s);
}

/* --- answers --------------------------------------------------------------- */

void store_job_fail(struct store_job *job, const struct err *why)
{
	if (job->call != NULL)
		rpc_call_fail(job->call, why);
}

void store_job_failf(struct store_job *job, enum err_code code, const char *text)
{
	struct err why = {0};

	err_set(&why, code, "%s", text);
	store_job_fail(job, &why);
}

void store_job_answer(struct store_job *job, const struct cbormap_field *fields, const void *from,
	const struct buf *blob)
{
	struct cbor_out out;
	uint8_t mem[REPLY_MAX];

	cbor_out_init(&out, mem, sizeof mem);
	cbormap_put(&out, fields, from);
	assert(!cbor_out_full(&out));
	rpc_call_reply(job->call, mem, cbor_out_len(&out), blob);
}

void store_job_reply(struct store_job *job, bool is, bool blob)
{
	if (job->call != NULL)
		store_job_answer(job, store_flag_fields, &is, blob ? &job->out : NULL);
}

/* --- work ------------------------------------------------------------------ */

static void run(struct pool_job *pool)
{
	struct store_job *job = (struct store_job *)(void *)pool;

	job->ret = job->work(job);
}

static void done(struct pool_job *pool)
{
	struct store_job *job = (struct store_job *)(void *)pool;
	struct store_jobs *s = job->jobs;
	struct err why = job->err;

	job->working = false;
	if (job->marked)
		s->o.damaged(s->o.ctx, &why);
	if (engine_failed(s->o.engine)) {
		store_job_fail(job, &why);
		s->o.failed(s->o.ctx, &why);
	} else if (job->ret < 0) {
		store_job_fail(job, &why);
	} else if (job->call != NULL) {
		job->answer(job);
	}
	end(job);
}

static void drop(struct pool_job *pool)
{
	struct store_job *job = (struct store_job *)(void *)pool;

	job->working = false;
	end(job);
}

void store_job_start(struct store_job *job)
{
	job->pool = (struct pool_job){.work = run, .done = done, .drop = drop};
	job->working = true;
	if (pool_start(job->jobs->o.pool, &job->pool) == 0)
		return;
	job->working = false;
	store_job_failf(job, ERR_BUSY, "the store has too much to do; try again later");
}

/* Starts waiting jobs, as far as there is room. */
static void start_waiting(struct store_jobs *s)
{
	struct store_job *job;

	while ((job = s->puts.first) != NULL &&
		(s->free >= job->p.size || s->free == s->o.budget)) {
		row_remove(&s->puts, job);
		job->budget = job->p.size < s->free ? job->p.size : s->free;
		s->free -= job->budget;
		rpc_call_grant(job->call, (uint32_t)job->p.size);
	}
	while ((job = s->gets.first) != NULL && s->reads < STORE_READS_MAX) {
		row_remove(&s->gets, job);
		s->reads++;
		store_job_start(job);
	}
}

void store_job_take(struct store_job *job)
{
	row_add(&job->jobs->puts, job);
	start_waiting(job->jobs);
}

void store_job_read(struct store_job *job)
{
	job->reads = true;
	row_add(&job->jobs->gets, job);
	start_waiting(job->jobs);
}

/* --- a call's own callbacks ------------------------------------------------ */

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct store_job *job = arg;
	struct err err = {0};

	if (buf_add(&job->in, bytes, len, &err) != 0) {
		store_job_fail(job, &err);
		return;
	}
	/* No rpc_call_took: the window was granted for the whole blob. */
	if (!last)
		return;
	if (job->arrived != NULL)
		job->arrived(job);
	else
		store_job_start(job);
}

static void on_done(void *arg, const struct err *err)
{
	struct store_job *job = arg;

	(void)err;
	job->call = NULL;
	end(job);
}

static const struct rpc_call_ops call_ops = {.data = on_data, .done = on_done};

struct store_job *store_job_new(struct store_jobs *s, struct rpc_call *call,
	const struct cbormap_field *fields, const struct cbormap_value *values, store_work *work,
	store_answer *answer)
{
	const struct rpc_identity *peer = rpc_call_peer(call);
	struct store_guest *guest = store_guests_find(&s->guests, peer->host);
	struct store_job *job = guest != NULL ? calloc(1, sizeof *job) : NULL;
	struct err why = {0};

	if (job == NULL) {
		err_set(&why, ERR_NOMEM, "out of memory");
		rpc_call_fail(call, &why);
		return NULL;
	}
	job->jobs = s;
	job->call = call;
	job->work = work;
	job->answer = answer;
	if (fields != NULL)
		cbormap_store(&job->p, fields, values);
	if (peer->role == RPC_AGENT)
		memcpy(job->agent, peer->name, sizeof job->agent);
	buf_init(&job->in, STORE_RECORD_MAX > STORE_DUMP_MAX ? STORE_RECORD_MAX : STORE_DUMP_MAX);
	buf_init(&job->out, STORE_LISTING_MAX);
	rpc_call_serve(call, &call_ops, job);
	return job;
}

struct store_guest *store_job_guest(const struct store_job *job)
{
	struct store_guest *guest =
		store_guests_find(&job->jobs->guests, rpc_call_peer(job->call)->host);

	assert(guest != NULL);
	return guest;
}

void store_jobs_tell(struct store_jobs *s, struct store_guest *guest)
{
	const struct store_tally *t = &guest->tally;

	if (t->puts + t->gets + t->haves > 0 && s->o.tallied != NULL)
		s->o.tallied(s->o.ctx, &guest->id, t);
	guest->tally = (struct store_tally){0};
}
