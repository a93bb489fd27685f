/* From store to store: records as they are, and with no key. */
#include <stdio.h>
#include <string.h>

#include "cmd/store/care.h"
#include "cmd/store/inner.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"

struct replicate {
	struct store *from, *to;
	const uint8_t *only; /* this dump; NULL: all */
	const struct store_dump *dump;
	char agent[STORE_NAME_MAX + 1]; /* its */
	struct buf record;
	bool lacks; /* `from` has not all of this dump */
	store_problem *problem;
	void *ctx;
	struct store_replicated *result;
};

static int copy_chunk(void *ctx, const uint8_t *id, struct err *err)
{
	struct replicate *r = ctx;
	struct err why = {0};
	bool has;
	int got;

	if (store_have(r->to, r->dump->domain, id, 1, &has, err) != 0)
		return -1;
	if (has)
		return 0;
	got = store_get(r->from, r->dump->domain, id, &r->record, &why);
	if (got != 0) {
		r->lacks = true;
		return 0;
	}
	got = store_put(r->to, r->agent, r->dump->domain, r->record.data, r->record.len, err);
	if (got < 0)
		return -1;
	r->result->chunks++;
	r->result->bytes += r->record.len;
	return 0;
}

static int copy_dump(void *ctx, const struct store_entry *e, struct err *err)
{
	struct replicate *r = ctx;
	struct store_receipt receipt;
	struct err why = {0};
	size_t i;
	int got = 0;

	if (r->only != NULL && memcmp(r->only, e->dump.id, STORE_DUMP_ID) != 0)
		return 0;
	r->dump = &e->dump;
	snprintf(r->agent, sizeof r->agent, "%.*s", (int)e->dump.agent_len, e->dump.agent);
	r->lacks = e->record == NULL;
	for (i = 0; !r->lacks && i < e->dump.list_count && got == 0; i++)
		got = copy_chunk(r, e->dump.lists + i * STORE_ID_LEN, err);
	if (got == 0 && !r->lacks)
		got = store_list_walk(r->from, &e->dump, copy_chunk, r, NULL, err);
	if (got < 0)
		return -1;
	if (r->lacks || got == 1) {
		r->result->failed++;
		r->problem(r->ctx, e, "the store that it is copied from has not all of it");
		return 0;
	}
	got = store_commit_again(
		r->to, e->record, e->record_len, e->committed, &receipt, NULL, &why);
	if (got < 0 && why.code == ERR_EXISTS)
		return 0; /* it is there, or was deleted there */
	if (got != 0) {
		*err = why;
		return got < 0 ? -1
			       : err_set(err, ERR_DAMAGE, "chunks are missing that were copied");
	}
	r->result->dumps++;
	return 0;
}

/* What of `to` could not be mended. */
static int check_dump(void *ctx, const struct store_entry *e, struct err *err)
{
	struct replicate *r = ctx;

	return store_tell_whole(r->to, e, r->problem, r->ctx, &r->result->incomplete, err);
}

/* How `to` stands. */
static int check(struct replicate *r, struct err *err)
{
	const struct buf *cut = &r->to->cut;
	int got;

	pthread_mutex_lock(&r->to->writer);
	got = store_dumps(r->to, check_dump, r, err);
	if (got == 0 && r->result->incomplete == 0)
		/* All that is needed is elsewhere. */
		got = store_drop_lost(r->to, (const struct store_cut *)(const void *)cut->data,
			cut->len / sizeof(struct store_cut), err);
	pthread_mutex_unlock(&r->to->writer);
	return got;
}

int store_replicate(struct store *from, struct store *to, const uint8_t *dump,
	store_problem *problem, void *ctx, struct store_replicated *result, struct err *err)
{
	struct replicate r = {.from = from,
		.to = to,
		.only = dump,
		.problem = problem,
		.ctx = ctx,
		.result = result};
	int got;

	*result = (struct store_replicated){0};
	buf_init(&r.record, STORE_DOMAIN_LEN + STORE_RECORD_MAX);
	got = store_dumps(from, copy_dump, &r, err);
	if (got == 0)
		got = store_flush(to, err);
	if (got == 0 && dump == NULL)
		got = check(&r, err);
	buf_fini(&r.record);
	return got;
}
