/*
 * The order in which dumps were made, even where clocks were wrong; and a store's dumps in that
 * order. All functions except the _read ones are pure; the time is an argument.
 *
 * Within one agent and name of one store the order is that of the commits, by their sequence
 * numbers. A time is not believed if it lies in the future or before DUMP_TIME_MIN, or if it
 * contradicts that order: the believed times are those in every longest non-decreasing subsequence.
 * A dump whose time is not believed is placed after its predecessor. A dump that was copied from
 * another store has no place in the order of commits, so its time is not compared with it.
 */
#ifndef FDUMP_CMD_DUMP_ORDER_H
#define FDUMP_CMD_DUMP_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"
#include "lib/buf.h"

struct err;

#define DUMP_AHEAD_SEC 3600       /* how far the clocks of two machines may differ */
#define DUMP_TIME_MIN  1735689600 /* 2025-01-01: there were no dumps before it */

enum dump_clock {
	DUMP_CLOCK_RIGHT,
	DUMP_CLOCK_AHEAD,  /* its time lies in the future */
	DUMP_CLOCK_ASTRAY, /* contradicts the order of commits, or is before DUMP_TIME_MIN */
};

struct dump_dated {
	/* Set by the caller. */
	char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
	int64_t time; /* of the commit */
	uint64_t seq;
	bool copied;
	/* Set by dump_order. */
	enum dump_clock clock;
	/* The time if it is believed, else that of the dump before it. If the clock went back by no
	 * more than DUMP_AHEAD_SEC, it counts as having stood still. */
	int64_t when;
	long rank; /* order among dumps with the same `when` */
	/* Used by the computation. */
	size_t tail, length, alike;
	int64_t latest;
};

/* Sets the caller's members from an entry whose record can be read. */
void dump_dated_set(struct dump_dated *dated, const struct store_entry *entry);

/* Sets clock, when and rank of `count` dumps of one store, and sorts the array of pointers. */
void dump_order(struct dump_dated **dumps, size_t count, int64_t now);

/* Compares two dumps by when they were made: returns below 0, above 0, or 0. */
int dump_order_compare(const struct dump_dated *a, const struct dump_dated *b);

/* A dump of a store. */
struct dump_row {
	uint8_t id[STORE_DUMP_ID];
	struct dump_dated at;
	size_t record, record_len; /* where its record is in the buffer of records */
	bool damaged; /* its record can't be read; at.when is that of the dump before it */
	uint64_t not_ok, fewer_than; /* as in its record */
	int64_t lock;
	struct store_receipt receipt;
	/* For the caller's use. */
	uint32_t stores;
	size_t side;
};

/* Reads the dumps that pass the filter (as store_dumps), with their order. Appends them to rows
 * (struct dump_row), and their records to records. Returns 0, or -1 with err set. */
int dump_order_read(struct store *store, const struct store_filter *filter, struct buf *rows,
	struct buf *records, struct err *err);

/* The earlier dumps of a backup in one store, to compare a new dump with. */
struct dump_before {
	/* The last dump of this agent and name, and the last one that was not recorded as having
	 * far fewer entries than before. Their bytes belong to this struct. */
	bool has_last, has_full;
	struct store_dump last, full;
	size_t ahead; /* dumps of this agent and name that are dated in the future */
	struct buf records;
};

/* Reads them. Returns 0, or -1 with err set. Call _fini in either case. */
int dump_before_read(struct dump_before *before, struct store *store, const char *agent,
	const char *name, struct err *err);
void dump_before_fini(struct dump_before *before);

/* Whether a dump with this many entries is suspiciously small, given that the last whole dump of
 * the same paths had `before`: it has less than a quarter of them (checked only if there were at
 * least 8), or nothing but the paths themselves (`roots` of them). */
bool dump_before_fewer(uint64_t entries, uint64_t before, uint64_t roots);

/* Says why a time is not believed: "dated in the future", "dated against the order"; "" if it
 * is. */
const char *dump_clock_text(enum dump_clock clock);

#endif
