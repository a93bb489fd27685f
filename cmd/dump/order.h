/*
 * The order in which dumps were made, where clocks were wrong; and a store's dumps in that order.
 * All but dump_order_read is pure; the time is an argument.
 *
 * Within one agent and name of one store the order is that of the commits, as sequence numbers tell
 * it. A time is not believed if it lies in the future, or before there were dumps, or if it
 * contradicts the order: the times that are believed are in every longest row that never goes back.
 * A dump whose time is not believed
 * takes its place behind the one before it. A dump that was copied from another store has no place
 * in the order of commits: its time is believed unless it lies in the future.
 */
#ifndef FDUMP_CMD_DUMP_ORDER_H
#define FDUMP_CMD_DUMP_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"

struct buf;
struct err;

#define DUMP_AHEAD_SEC 3600       /* what the clocks of two machines may differ by */
#define DUMP_TIME_MIN  1735689600 /* 2025-01-01: before it there was no dump */

enum dump_clock {
	DUMP_CLOCK_RIGHT,
	DUMP_CLOCK_AHEAD,  /* its time lies in the future */
	DUMP_CLOCK_ASTRAY, /* its time contradicts the order of commits */
};

struct dump_dated {
	/* Given. */
	char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
	int64_t time; /* of the commit */
	uint64_t seq;
	bool copied;
	/* Set. */
	enum dump_clock clock;
	/* The time if it is believed, else that of the one it stands behind. A clock that went back
	 * by no more than DUMP_AHEAD_SEC stood still. */
	int64_t when;
	long rank; /* of several that have the same `when` */
	/* The computation's own. */
	size_t tail, length, alike;
	int64_t latest;
};

/* What is given, of an entry whose record can be read. */
void dump_dated_set(struct dump_dated *dated, const struct store_entry *entry);

/* Sets clock, when and rank of count dumps of one store. The pointers are sorted meanwhile. */
void dump_order(struct dump_dated **dumps, size_t count, int64_t now);

/* Which of two was made first: below 0, above 0, or 0. */
int dump_order_compare(const struct dump_dated *a, const struct dump_dated *b);

/* A dump of a store. */
struct dump_row {
	uint8_t id[STORE_DUMP_ID];
	struct dump_dated at;
	size_t record, record_len; /* where its record is among the records */
	bool damaged;              /* its record can't be read; at.when: that of the one before */
	bool fewer;                /* its record says .fewer_than */
	int64_t lock;
	struct store_receipt receipt;
	/* The caller's own. */
	uint32_t stores;
	size_t side;
};

/* Appends the dumps that pass the filter (as store_dumps), dated, to rows (struct dump_row), and
 * their records to records. Returns 0, or -1 with err set. */
int dump_order_read(struct store *store, const struct store_filter *filter, struct buf *rows,
	struct buf *records, struct err *err);

/* For people, of a time that is not believed: "dated in the future", "dated against the order". */
const char *dump_clock_text(enum dump_clock clock);

#endif
