/* Copies dumps between any two stores through the contract: records as they are, without a key. */
#include <stdio.h>
#include <string.h>

#include "cmd/store/parcel.h"
#include "cmd/store/record.h"
#include "cmd/store/store.h"
#include "lib/buf.h"
#include "lib/err.h"

struct replicate {
	struct store *from, *to;
	const struct store_run *prover;
	char agent[STORE_NAME_MAX + 1]; /* of this dump */
	uint8_t domain[STORE_DOMAIN_LEN];
	struct buf record, ids; /* ids: chunks to ask for */
	bool lacks;             /* `from` lacks chunks of this dump */
	store_problem *problem;
	void *ctx;
	struct store_replicated *result;
};

static int copy_chunk(struct replicate *r, const uint8_t *id, struct err *err)
{
	struct store_parcel *parcel;
	struct err why = {0};
	int ret = store_get(r->from, r->domain, id, &r->record, &why);

	if (ret != 0) {
		r->lacks = true;
		return 0;
	}
	parcel = store_parcel_new(r->record.data, r->record.len, err);
	if (parcel == NULL)
		return -1;
	do
		ret = store_put(r->to, parcel, 60000, err);
	while (ret == STORE_NO_ROOM);
	store_parcel_unref(parcel);
	if (ret < 0)
		return -1;
	r->result->chunks++;
	r->result->bytes += r->record.len;
	return 0;
}

/* Asks which of the collected ids are missing, as the others need not be read, and copies those. */
static int copy_ids(struct replicate *r, struct err *err)
{
	enum store_answer has[STORE_HAVE_MAX];
	size_t count = r->ids.len / STORE_ID_LEN, i;
	int ret = 0;

	if (count > 0 && store_have(r->to, r->ids.data, count, true, has, err) != 0)
		return -1;
	for (i = 0; i < count && ret == 0 && !r->lacks; i++)
		if (has[i] != STORE_HAS)
			ret = copy_chunk(r, r->ids.data + i * STORE_ID_LEN, err);
	buf_clear(&r->ids);
	return ret;
}

static int add_id(struct replicate *r, const uint8_t *id, struct err *err)
{
	if (buf_add(&r->ids, id, STORE_ID_LEN, err) != 0)
		return -1;
	return r->ids.len < STORE_HAVE_MAX * STORE_ID_LEN ? 0 : copy_ids(r, err);
}

/* Copies a piece of the list, and then the chunks that it names. */
static int copy_piece(struct replicate *r, const uint8_t *id, struct err *err)
{
	struct store_record record;
	struct err why = {0};
	struct buf ids = {.max = STORE_CONTENT_MAX};
	size_t at;
	int ret;

	if (store_get(r->from, r->domain, id, &r->record, &why) != 0 ||
		store_record_get(&record, r->record.data, r->record.len, &why) != 0 ||
		store_record_content(&record, &ids, &why) != 0 || ids.len % STORE_ID_LEN != 0) {
		r->lacks = true;
		buf_fini(&ids);
		return 0;
	}
	ret = add_id(r, id, err);
	for (at = 0; at < ids.len && ret == 0 && !r->lacks; at += STORE_ID_LEN)
		ret = add_id(r, ids.data + at, err);
	buf_fini(&ids);
	return ret;
}

/* Returns 0; 1: chunks are missing in `to`; -1 with err set. */
static int commit(struct replicate *r, const struct store_entry *e, struct err *err)
{
	struct err why = {0};
	bool known = store_hold(r->to, e->dump.id, NULL, NULL, &why) == 0;
	int ret = store_commit(
		r->to, e->record, e->record_len, &e->receipt, &r->result->receipt, NULL, &why);

	/* The service does not accept this receipt, and has logged why. A copy with today's date is
	 * better than none. */
	if (ret < 0 && why.code == ERR_DENIED)
		ret = store_commit(
			r->to, e->record, e->record_len, NULL, &r->result->receipt, NULL, &why);
	if (ret < 0 && why.code == ERR_EXISTS)
		return 0; /* it was deleted there */
	if (ret < 0)
		*err = why;
	else
		r->result->dumps += ret == 0 && !known;
	return ret;
}

/* Copies all chunks that the dump needs, and sets .lacks if `from` lacks some. Returns 0 or -1. */
static int copy_chunks(struct replicate *r, const struct store_entry *e, struct err *err)
{
	struct store_run run = {.agent = r->agent, .domain = r->domain};
	uint64_t stored;
	bool has_base;
	size_t i;
	int ret = 0;

	if (r->prover != NULL) {
		run.prove = r->prover->prove;
		run.ctx = r->prover->ctx;
	}
	snprintf(r->agent, sizeof r->agent, "%.*s", (int)e->dump.agent_len, e->dump.agent);
	memcpy(r->domain, e->dump.domain, sizeof r->domain);
	buf_clear(&r->ids);
	if (store_begin(r->to, &run, &has_base, err) != 0)
		return -1;
	for (i = 0; i < e->dump.list_count && ret == 0 && !r->lacks; i++)
		ret = copy_piece(r, e->dump.lists + i * STORE_ID_LEN, err);
	if (ret == 0 && !r->lacks)
		ret = copy_ids(r, err);
	if (ret == 0)
		ret = store_settle(r->to, &stored, err);
	return ret;
}

static int copy_dump(void *ctx, const struct store_entry *e, struct err *err)
{
	struct replicate *r = ctx;
	unsigned tries = 0;
	int ret;

	r->lacks = e->record == NULL;
	/* Tries twice: a service that was killed may have lost chunks that it had taken, and a
	 * damaged piece of the list is only marked by the first commit. */
	do {
		if (!r->lacks && copy_chunks(r, e, err) != 0)
			return -1;
		ret = r->lacks ? 0 : commit(r, e, err);
	} while (ret == 1 && ++tries < 2);
	if (ret == 1)
		return err_set(err, ERR_DAMAGE, "chunks are missing that were copied");
	if (ret < 0 || !r->lacks)
		return ret;
	r->result->failed++;
	r->problem(r->ctx, e, "the source store lacks chunks of it");
	return 0;
}

/* Copies one dump. */
static int copy_one(struct replicate *r, const uint8_t *id, struct err *err)
{
	struct store_entry e = {.dump.id = id};
	struct buf record = {.max = STORE_DUMP_MAX};
	int ret;

	ret = store_hold(r->from, id, &record, &e, err);
	if (ret >= 0)
		ret = copy_dump(r, &e, err);
	buf_fini(&record);
	return ret;
}

int store_replicate(struct store *from, struct store *to, const uint8_t *dump,
	const struct store_run *prover, store_problem *problem, void *ctx,
	struct store_replicated *result, struct err *err)
{
	struct replicate r = {.from = from,
		.to = to,
		.prover = prover,
		.problem = problem,
		.ctx = ctx,
		.result = result};
	struct store_checked checked = {0};
	int ret;

	*result = (struct store_replicated){0};
	buf_init(&r.record, STORE_DOMAIN_LEN + STORE_RECORD_MAX);
	buf_init(&r.ids, SIZE_MAX);
	if (dump != NULL)
		ret = copy_one(&r, dump, err);
	else
		ret = store_dumps(from, &(struct store_filter){0}, copy_dump, &r, err);
	if (ret == 0 && dump == NULL) {
		ret = store_check(to, STORE_CHECK_LISTS, problem, ctx, &checked, err);
		result->incomplete = checked.incomplete;
	}
	buf_fini(&r.record);
	buf_fini(&r.ids);
	return ret;
}
