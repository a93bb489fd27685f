/* The dumps of one backup in one store, brought into the order in which they were made. */
#include "cmd/dump/before.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/dump/order.h"
#include "lib/err.h"

#define FEW 8 /* entries; of fewer a part says nothing */

struct row {
	struct dump_dated at;
	size_t record, record_len; /* in the records */
	bool fewer;
};

struct reading {
	struct buf rows, *records;
};

static int add_row(void *ctx, const struct store_entry *e, struct err *err)
{
	struct reading *r = ctx;
	struct row row = {.record = r->records->len,
		.record_len = e->record_len,
		.fewer = e->dump.fewer_than > 0};

	if (e->damaged)
		return 0;
	dump_dated_set(&row.at, e);
	if (buf_add(r->records, e->record, e->record_len, err) != 0)
		return -1;
	return buf_add(&r->rows, &row, sizeof row, err);
}

/* Later than the best so far; one that is dated in the future only if there is no other. */
static bool is_better(const struct row *best, const struct row *row)
{
	bool ahead = row->at.clock == DUMP_CLOCK_AHEAD;

	if (best == NULL || (best->at.clock == DUMP_CLOCK_AHEAD) != ahead)
		return best == NULL || !ahead;
	return dump_order_compare(&best->at, &row->at) < 0;
}

static int get(const struct row *row, const struct buf *records, bool *has, struct store_dump *dump,
	struct err *err)
{
	*has = row != NULL;
	return row != NULL ? store_dump_get(dump, records->data + row->record, row->record_len, err)
			   : 0;
}

/* Finds the two that matter. */
static int choose(struct dump_before *b, struct row *rows, size_t count, struct err *err)
{
	struct dump_dated **dated = calloc(count + 1, sizeof(struct dump_dated *));
	const struct row *last = NULL, *full = NULL;
	size_t i;

	if (dated == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < count; i++)
		dated[i] = &rows[i].at;
	dump_order(dated, count, (int64_t)time(NULL));
	free(dated);
	for (i = 0; i < count; i++) {
		b->ahead += rows[i].at.clock == DUMP_CLOCK_AHEAD;
		if (is_better(last, &rows[i]))
			last = &rows[i];
		if (!rows[i].fewer && is_better(full, &rows[i]))
			full = &rows[i];
	}
	if (get(last, &b->records, &b->has_last, &b->last, err) != 0)
		return -1;
	return get(full, &b->records, &b->has_full, &b->full, err);
}

int dump_before_read(struct dump_before *b, struct store *store, const char *agent,
	const char *name, struct err *err)
{
	const struct store_filter filter = {.agent = agent, .name = name};
	struct reading r = {.records = &b->records};
	int ret;

	*b = (struct dump_before){.ahead = 0};
	buf_init(&b->records, SIZE_MAX);
	buf_init(&r.rows, SIZE_MAX);
	ret = store_dumps(store, &filter, add_row, &r, err);
	if (ret == 0)
		ret = choose(
			b, (struct row *)(void *)r.rows.data, r.rows.len / sizeof(struct row), err);
	buf_fini(&r.rows);
	return ret;
}

void dump_before_fini(struct dump_before *b)
{
	buf_fini(&b->records);
}

bool dump_before_fewer(uint64_t entries, uint64_t before, uint64_t roots)
{
	if (before >= FEW && entries < before / 4)
		return true;
	return entries <= roots && before > 2 * roots;
}
