/* A store in a directory: the engine behind the contract. What is put waits in a queue, whose
 * thread is the only one of this process that writes. */
#include <stdlib.h>
#include <string.h>

#include "cmd/store/care.h"
#include "cmd/store/engine.h"
#include "cmd/store/kind.h"
#include "cmd/store/queue.h"
#include "lib/buf.h"
#include "lib/err.h"

struct local {
	struct store base;
	struct engine *engine;
	struct store_queue *queue; /* from store_begin on */
};

static int local_open(struct store *s, int64_t wait_ms, struct err *err)
{
	struct local *l = (struct local *)s;
	const struct engine_wait wait = {s->access.wait_sec, s->access.waits, s->access.ctx};

	(void)wait_ms;         /* --lock-wait says how long */
	if (l->engine != NULL) /* it hangs */
		return err_set(err, ERR_FAILED, "%s: it does not answer", s->name);
	l->engine = engine_open(
		s->name, s->mode == STORE_WRITE ? ENGINE_WRITE : ENGINE_READ, &wait, err);
	if (l->engine == NULL)
		return -1;
	memcpy(s->uid, engine_uid(l->engine), sizeof s->uid);
	memcpy(s->public, engine_public(l->engine), sizeof s->public);
	return 0;
}

static void local_close(struct store *s)
{
	struct local *l = (struct local *)s;

	if (!store_queue_close(l->queue))
		return; /* its thread hangs in the engine, which stays */
	l->queue = NULL;
	engine_close(l->engine);
	l->engine = NULL;
}

static void local_free(struct store *s)
{
	struct local *l = (struct local *)s;

	if (l->engine == NULL)
		free(l);
}

static int local_about(struct store *s, struct store_about *about, struct err *err)
{
	return engine_about(((struct local *)s)->engine, about, err);
}

/* --- writing -------------------------------------------------------------- */

static int queue_put(void *ctx, const uint8_t *bytes, size_t len, struct err *err)
{
	struct local *l = ctx;

	return engine_put(l->engine, l->base.run.agent, l->base.run.domain, bytes, len, err);
}

static int queue_commit(void *ctx, const uint8_t *record, size_t len, int64_t time,
	struct store_receipt *receipt, struct buf *missing, struct err *err)
{
	struct local *l = ctx;

	return engine_commit(l->engine, record, len, time, receipt, missing, err);
}

static const struct store_queue_ops queue_ops = {queue_put, queue_commit};

static int local_begin(
	struct store *s, const struct store_run *run, bool *has_base, struct err *err)
{
	struct local *l = (struct local *)s;
	uint64_t stored;
	int ret = 1;

	if (l->queue != NULL && store_queue_settle(l->queue, &stored, err) != 0)
		return -1;

	if (run->base != NULL)
		ret = engine_hold(l->engine, run->base, NULL, NULL, err);
	if (ret < 0)
		return -1;
	*has_base = ret == 0;
	if (l->queue == NULL)
		l->queue = store_queue_new(&queue_ops, l, s->access.patience_ms, err);
	return l->queue != NULL ? 0 : -1;
}

static int local_have(struct store *s, const uint8_t *ids, size_t count, bool ask,
	enum store_answer *answers, struct err *err)
{
	struct local *l = (struct local *)s;
	bool has[STORE_HAVE_MAX];
	size_t i;

	(void)ask;
	if (engine_have(l->engine, s->run.domain, ids, count, has, err) != 0)
		return -1;
	for (i = 0; i < count; i++)
		answers[i] = has[i] ? STORE_HAS : STORE_LACKS;
	return 0;
}

static int local_put(struct store *s, struct store_parcel *parcel, int64_t wait_ms, struct err *err)
{
	return store_queue_put(((struct local *)s)->queue, parcel, wait_ms, err);
}

static int local_settle(struct store *s, uint64_t *stored, struct err *err)
{
	struct local *l = (struct local *)s;

	if (store_queue_settle(l->queue, stored, err) != 0)
		return -1;
	return engine_flush(l->engine, err);
}

/* Who may write to the directory may say what he likes: the receipt is not checked. */
static int local_commit_start(struct store *s, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct err *err)
{
	return store_queue_commit(((struct local *)s)->queue, record, len,
		first != NULL ? first->time : STORE_NOW, err);
}

static int local_commit_wait(struct store *s, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err)
{
	return store_queue_answer(((struct local *)s)->queue, wait_ms, receipt, missing, err);
}

/* --- reading, and what operators do ---------------------------------------- */

static int local_dumps(struct store *s, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	return engine_dumps(((struct local *)s)->engine, filter, each, ctx, err);
}

/* The reader's lock pins everything. */
static int local_hold(struct store *s, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err)
{
	return engine_hold(((struct local *)s)->engine, dump, record, entry, err);
}

static int local_ahead(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err)
{
	return engine_ahead(((struct local *)s)->engine, domain, ids, count, lacks, err);
}

static int local_get(
	struct store *s, const uint8_t *domain, const uint8_t *id, struct buf *out, struct err *err)
{
	return engine_get(((struct local *)s)->engine, domain, id, out, err);
}

static int local_delete(struct store *s, const uint8_t *dump, struct err *err)
{
	return engine_delete(((struct local *)s)->engine, dump, err);
}

static int local_lock(struct store *s, const uint8_t *dump, int64_t until, struct err *err)
{
	return engine_lock(((struct local *)s)->engine, dump, until, err);
}

static int local_doubt(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	size_t *marked, struct err *err)
{
	return engine_doubt(((struct local *)s)->engine, domain, ids, count, marked, err);
}

static int local_check(struct store *s, enum store_check what, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err)
{
	const struct engine_scrub_options read_only = {.mark = false};
	struct engine *engine = ((struct local *)s)->engine;

	switch (what) {
	case STORE_CHECK_NOTE:
		engine_note_reads(engine);
		return 0;
	case STORE_CHECK_BLOCKS:
		return engine_scrub(engine, &read_only, problem, ctx, result, err);
	default:
		return engine_check_lists(engine, problem, ctx, &result->incomplete, err);
	}
}

static const struct store_kind local_kind = {
	.open = local_open,
	.close = local_close,
	.free = local_free,
	.about = local_about,
	.begin = local_begin,
	.have = local_have,
	.put = local_put,
	.settle = local_settle,
	.commit_start = local_commit_start,
	.commit_wait = local_commit_wait,
	.dumps = local_dumps,
	.hold = local_hold,
	.ahead = local_ahead,
	.get = local_get,
	.delete = local_delete,
	.lock = local_lock,
	.doubt = local_doubt,
	.check = local_check,
};

struct store *store_local_new(struct err *err)
{
	struct local *l = calloc(1, sizeof *l);

	if (l == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	l->base.kind = &local_kind;
	return &l->base;
}
