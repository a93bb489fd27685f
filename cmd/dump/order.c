/* Finds the longest non-decreasing subsequence of times by patience sorting: O(n log n). */
#include "cmd/dump/order.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/err.h"

#define FEW 8 /* entries; with fewer the ratio means nothing */

void dump_dated_set(struct dump_dated *d, const struct store_entry *e)
{
	assert(e->record != NULL);
	snprintf(d->agent, sizeof d->agent, "%.*s", (int)e->dump.agent_len, e->dump.agent);
	snprintf(d->name, sizeof d->name, "%.*s", (int)e->dump.name_len, e->dump.name);
	d->time = e->committed;
	d->seq = e->seq;
	d->copied = e->copied;
}

static int by_backup(const struct dump_dated *a, const struct dump_dated *b)
{
	int got = strcmp(a->agent, b->agent);

	return got != 0 ? got : strcmp(a->name, b->name);
}

static int by_seq(const void *a, const void *b)
{
	const struct dump_dated *x = *(struct dump_dated *const *)a;
	const struct dump_dated *y = *(struct dump_dated *const *)b;
	int got = by_backup(x, y);

	return got != 0 ? got : (x->seq > y->seq) - (x->seq < y->seq);
}

/* Whether its time is compared with the order of commits. */
static bool counts(const struct dump_dated *d)
{
	return !d->copied && d->clock == DUMP_CLOCK_RIGHT;
}

/* Sets each dump's .length: that of the longest non-decreasing subsequence that ends with it.
 * d[i]->tail is used as an array: the index of the dump with the earliest time that ends a
 * subsequence of i + 1. Returns the length of the longest. */
static size_t find_lengths(struct dump_dated **d, size_t count)
{
	size_t i, rows = 0, low, high, mid;
	const struct dump_dated *last = NULL;

	for (i = 0; i < count; i++) {
		if (!counts(d[i]))
			continue;
		if (last != NULL && d[i]->when < last->when &&
			d[i]->when >= last->when - DUMP_AHEAD_SEC)
			d[i]->when = last->when;
		last = d[i];
		for (low = 0, high = rows; low < high;) {
			mid = low + (high - low) / 2;
			if (d[d[mid]->tail]->when <= d[i]->when)
				low = mid + 1;
			else
				high = mid;
		}
		d[low]->tail = i;
		d[i]->length = low + 1;
		rows += low == rows;
	}
	return rows;
}

/* Times are believed only if they are in every longest subsequence: if two times contradict each
 * other and nothing shows which one is wrong, neither is believed. d[l]->latest and d[l]->alike are
 * used as arrays, about the dumps with .length l + 1 that are in a longest subsequence: the latest
 * of their times, and their number. */
static void find_astray(struct dump_dated **d, size_t count)
{
	size_t longest, i, l;

	for (i = 0; i < count; i++) {
		d[i]->when = d[i]->time;
		d[i]->length = d[i]->alike = 0;
		d[i]->latest = INT64_MIN;
	}
	longest = find_lengths(d, count);
	for (i = count; i-- > 0;) {
		l = d[i]->length;
		if (l == 0)
			continue;
		if (l < longest && d[i]->when > d[l]->latest) {
			d[i]->clock = DUMP_CLOCK_ASTRAY; /* in no longest subsequence */
			continue;
		}
		d[l - 1]->alike++;
		if (d[i]->when > d[l - 1]->latest)
			d[l - 1]->latest = d[i]->when;
	}
	for (i = 0; i < count; i++)
		if (d[i]->length > 0 && d[d[i]->length - 1]->alike > 1)
			d[i]->clock = DUMP_CLOCK_ASTRAY;
}

/* Orders the dumps of one agent and name. */
static void order(struct dump_dated **d, size_t count, int64_t now)
{
	const struct dump_dated *last = NULL, *first = NULL;
	size_t i;
	long rank = 0;

	for (i = 0; i < count; i++)
		d[i]->clock = d[i]->time > now + DUMP_AHEAD_SEC ? DUMP_CLOCK_AHEAD
			      : d[i]->time < DUMP_TIME_MIN      ? DUMP_CLOCK_ASTRAY
								: DUMP_CLOCK_RIGHT;
	find_astray(d, count);
	for (i = 0; i < count && first == NULL; i++)
		if (d[i]->clock == DUMP_CLOCK_RIGHT)
			first = d[i];
	for (i = 0; i < count; i++) {
		if (d[i]->clock == DUMP_CLOCK_RIGHT) {
			last = d[i];
			d[i]->rank = rank = 0;
		} else if (last != NULL) {
			d[i]->when = last->when;
			d[i]->rank = ++rank;
		} else {
			d[i]->when = first != NULL ? first->when : now;
			d[i]->rank = (long)i - (long)count;
		}
	}
}

void dump_order(struct dump_dated **d, size_t count, int64_t now)
{
	size_t i, n;

	if (count > 0)
		qsort(d, count, sizeof *d, by_seq);
	for (i = 0; i < count; i += n) {
		for (n = 1; i + n < count && by_backup(d[i], d[i + n]) == 0; n++)
			continue;
		order(d + i, n, now);
	}
}

int dump_order_compare(const struct dump_dated *a, const struct dump_dated *b)
{
	if (a->when != b->when)
		return (a->when > b->when) - (a->when < b->when);
	if (a->rank != b->rank)
		return (a->rank > b->rank) - (a->rank < b->rank);
	return (a->seq > b->seq) - (a->seq < b->seq);
}

struct reading {
	struct buf *rows, *records;
};

static int add_row(void *ctx, const struct store_entry *e, struct err *err)
{
	struct reading *r = ctx;
	struct dump_row row = {
		.at = {.time = e->committed, .seq = e->seq},
		.record = r->records->len,
		.record_len = e->record_len,
		.damaged = e->damaged,
		.not_ok = e->dump.statuses,
		.fewer_than = e->dump.fewer_than,
		.lock = e->lock,
		.receipt = e->receipt,
	};

	memcpy(row.id, e->dump.id, sizeof row.id);
	if (!e->damaged) {
		dump_dated_set(&row.at, e);
		if (buf_add(r->records, e->record, e->record_len, err) != 0)
			return -1;
	}
	return buf_add(r->rows, &row, sizeof row, err);
}

int dump_order_read(struct store *store, const struct store_filter *filter, struct buf *rows,
	struct buf *records, struct err *err)
{
	struct reading r = {rows, records};
	struct dump_dated **dated;
	struct dump_row *row;
	size_t i, n = 0, count;

	if (store_dumps(store, filter, add_row, &r, err) != 0)
		return -1;
	row = (struct dump_row *)(void *)rows->data;
	count = rows->len / sizeof *row;
	dated = calloc(count + 1, sizeof(struct dump_dated *));
	if (dated == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < count; i++)
		if (!row[i].damaged)
			dated[n++] = &row[i].at;
	dump_order(dated, n, (int64_t)time(NULL));
	for (i = 0; i < count; i++)
		if (row[i].damaged)
			row[i].at.when = i > 0 ? row[i - 1].at.when : 0;
	free(dated);
	return 0;
}

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
	struct buf rows = {.max = SIZE_MAX};
	size_t i;
	int ret;

	*b = (struct dump_before){.ahead = 0};
	buf_init(&b->records, SIZE_MAX);
	ret = dump_order_read(store, &filter, &rows, &b->records, err);
	row = (const struct dump_row *)(const void *)rows.data;
	for (i = 0; ret == 0 && i < rows.len / sizeof *row; i++, row++) {
		if (row->damaged)
			continue;
		b->ahead += row->at.clock == DUMP_CLOCK_AHEAD;
		if (is_better(last, row))
			last = row;
		if (row->fewer_than == 0 && is_better(full, row))
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

const char *dump_clock_text(enum dump_clock clock)
{
	return clock == DUMP_CLOCK_AHEAD    ? "dated in the future"
	       : clock == DUMP_CLOCK_ASTRAY ? "dated against the order"
					    : "";
}
