/*
 * Reads packs from a descriptor on several threads, in one pass. Combines framing, loads and
 * reader.
 *
 * There is one call, pack_read_run. It blocks until the input ends or a callback stops it.
 * Callbacks run on any of the threads. Each runs for one block at a time, in the order of the
 * input, except `prepare` and `build`, which run for several blocks at once. Different
 * callbacks may run at the same time: for example `problem` for one block, and `apply` for an
 * earlier one.
 */
#ifndef FDUMP_PACK_READ_H
#define FDUMP_PACK_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "pack/reader.h"

struct buf;
struct err;
struct pack_load;

/* A source of entries other than a pack, without blocks. */
struct pack_read_feed {
	/* In order: describes the next load in a format of the source's own. Returns 0, 1 after
	 * the last load, or -1 with err set. */
	int (*plan)(void *ctx, struct buf *plan, struct err *err);
	/* On any thread; worker: its number, below .threads. Builds the load's entries from the
	 * plan: sets .unpacked (encoded as in a block), .block.first, and .lent. Returns 0, or
	 * -1 with err set. */
	int (*build)(void *ctx, unsigned worker, const struct buf *plan, struct pack_load *load,
		struct err *err);
	/* The load is about to be reused or freed: take back what was lent to it. */
	void (*take_back)(void *ctx, struct pack_load *load);
	/* Whether the source left a gap in this entry, and why. If so, that is reported instead
	 * of its consequence. Called once, in order, for each entry found wrong. May be NULL. */
	bool (*gap)(void *ctx, struct pack_bytes path, struct err *why);
	void *ctx;
};

struct pack_read_options {
	int fd;                            /* read from its current offset; not closed */
	const struct pack_read_feed *feed; /* if not NULL, read instead of fd */
	unsigned threads;                  /* at least 1 */
	bool prove;                        /* hash contents and compare indexes */
	bool need_key;                     /* a key was given: refuse what is not sealed */
	bool skip_damaged; /* go on after damage; else stop (but not at a wrong entry) */

	/* Opens a KEY block. NULL: there is no key. Returns 0 and the payload key, or -1 with
	 * err set, which ends the run. */
	int (*open_key)(
		void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err);
	void *key_ctx; /* passed to open_key */
	/* A load was opened: its whole entries are decoded and verified. Do what needs no
	 * order. May be NULL. Returns 0, or -1 with err set. */
	int (*prepare)(void *ctx, struct pack_load *load, struct err *err);
	/* Releases what `prepare` made for a load that `apply` will not get. May be NULL. */
	void (*discard)(void *ctx, struct pack_load *load);
	/* A load is ready: use its entries. Returns 0 to go on, 1 to stop, -1 with err set. May
	 * be NULL. */
	int (*apply)(void *ctx, struct pack_load *load, struct err *err);
	pack_reader_problem *problem;
	void *ctx;
};

/* Returns 0: read to the end (result->problems counts the problems); 1: stopped by `apply`; -1
 * with err set, ERR_DAMAGE if it stopped at the first damage. result is set in any case. */
int pack_read_run(
	const struct pack_read_options *options, struct pack_read *result, struct err *err);

#endif
