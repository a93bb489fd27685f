/* The longest row of times that never goes back, by patience sorting: O(n log n). */
#include "cmd/dump/order.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

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

/* Whether its time is held against the order. */
static bool counts(const struct dump_dated *d)
{
	return !d->copied && d->clock != DUMP_CLOCK_AHEAD;
}

/* d[i].tail: the dump that ends the best row of i + 1. */
static void find_astray(struct dump_dated **d, size_t count)
{
	size_t i, rows = 0, low, high, mid, at;
	const struct dump_dated *last = NULL;

	for (i = 0; i < count; i++) {
		d[i]->when = d[i]->time;
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
		d[i]->before = low > 0 ? d[low - 1]->tail : NONE;
		d[low]->tail = i;
		rows += low == rows;
		d[i]->clock = DUMP_CLOCK_ASTRAY;
	}
	for (at = rows > 0 ? d[rows - 1]->tail : NONE; at != NONE; at = d[at]->before)
		d[at]->clock = DUMP_CLOCK_RIGHT;
}

/* Dumps of one agent and name. */
static void order(struct dump_dated **d, size_t count, int64_t now)
{
	const struct dump_dated *last = NULL, *first = NULL;
	size_t i;
	long rank = 0;

	for (i = 0; i < count; i++)
		d[i]->clock =
			d[i]->time > now + DUMP_AHEAD_SEC ? DUMP_CLOCK_AHEAD : DUMP_CLOCK_RIGHT;
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

const char *dump_clock_text(enum dump_clock clock)
{
	return clock == DUMP_CLOCK_AHEAD    ? "dated in the future"
	       : clock == DUMP_CLOCK_ASTRAY ? "dated against the order"
					    : "";
}
