#include "cmd/dump/before.h"

#include "cmd/dump/order.h"

#define FEW 8 /* entries; with fewer the ratio means nothing */

/* Whether row is later than the best so far; a dump dated in the future wins only if there is no
 * other. */
static bool is_better(const struct dump_row *best, const struct dump_row *row)
{
	bool ahead = row->at.clock == DUMP_CLOCK_AHEAD;

	if (best == NULL || (best->at.clock == DUMP_CLOCK_AHEAD) != ahead)
		return best == NULL || !ahead;
	return dump_order_compare(&best->at, &row->at) < 0;
}

static int get(const struct dump_row *row, const struct buf *records, bool *has,
	struct store_dump *dump, struct err *err)
{
	*has = row != NULL;
	return row != NULL ? store_dump_get(dump, records->data + row->record, row->record_len, err)
			   : 0;
}

int dump_before_read(struct dump_before *b, struct store *store, const char *agent,
	const char *name, struct err *err)
{
	const struct store_filter filter = {.agent = agent, .name = name};
	const struct dump_row *last = NULL, *full = NULL, *row;
	struct buf rows;
	size_t i;
	int ret;

	*b = (struct dump_before){.ahead = 0};
	buf_init(&b->records, SIZE_MAX);
	buf_init(&rows, SIZE_MAX);
	ret = dump_order_read(store, &filter, &rows, &b->records, err);
	row = (const struct dump_row *)(const void *)rows.data;
	for (i = 0; ret == 0 && i < rows.len / sizeof *row; i++, row++) {
		if (row->damaged)
			continue;
		b->ahead += row->at.clock == DUMP_CLOCK_AHEAD;
		if (is_better(last, row))
			last = row;
		if (!row->fewer && is_better(full, row))
			full = row;
	}
	if (ret == 0)
		ret = get(last, &b->records, &b->has_last, &b->last, err);
	if (ret == 0)
		ret = get(full, &b->records, &b->has_full, &b->full, err);
	buf_fini(&rows);
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
