/*
 * Reading packs from a descriptor, on several threads, in one pass. Joins
 * framing, loads and reader.
 *
 * One call, pack_read_run, which blocks until the input ends or it is told to
 * stop. Callbacks come in the order of the input, from any of the threads, and
 * each one at a time; only `prepare` comes from several at once. But `problem`
 * may come for one block while `apply` has another that is before it.
 */
#ifndef FDUMP_PACK_READ_H
#define FDUMP_PACK_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "pack/reader.h"

struct buf;
struct err;
struct pack_load;

/* Entries that come from elsewhere than a pack, without blocks around them. */
struct pack_read_feed {
	/* In order: what the next load will have, in words of the feed's own. Returns 0,
	 * 1 behind the last, -1 with err set. */
	int (*plan)(void *ctx, struct buf *plan, struct err *err);
	/* From any thread, worker: which (below .threads): makes of the plan the load's entries
	 * (.unpacked, as a block's payload has them, .block.first), and what they name (.lent).
	 * Returns 0, or -1 with err set. */
	int (*build)(void *ctx, unsigned worker, const struct buf *plan, struct pack_load *load,
		struct err *err);
	/* The load is used again, or freed: what was lent to it is given back. */
	void (*take_back)(void *ctx, struct pack_load *load);
	/* Whether it left a gap in this entry, and why: that is reported, once, in place of what
	 * the gap leads to. Of each entry that is found wrong it is asked once, in order. May be
	 * NULL.
	 */
	bool (*gap)(void *ctx, struct pack_bytes path, struct err *why);
	void *ctx;
};

struct pack_read_options {
	int fd;                            /* read from its current offset */
	const struct pack_read_feed *feed; /* not NULL: instead of fd */
	unsigned threads;                  /* at least 1 */
	bool prove;                        /* hash contents, compare indexes */
	bool need_key;                     /* a key was given: what is not sealed is refused */
	bool skip_damaged;                 /* go on behind damage; else stop there */

	/* Opens a KEY block; NULL: there is no key. Returns 0 with the payload
	 * key, or -1 with err set, which ends it all. */
	int (*open_key)(
		void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err);
	/* A load was opened, its whole entries are decoded and proved: whatever
	 * can be done without order. May be NULL. 0, or -1 with err set. */
	int (*prepare)(void *ctx, struct pack_load *load, struct err *err);
	/* Gives back what `prepare` made of a load that `apply` will not see. NULL:
	 * nothing. */
	void (*discard)(void *ctx, struct pack_load *load);
	/* A load was taken: use what is in it. 0; 1 enough, stop; -1 with err. */
	int (*apply)(void *ctx, struct pack_load *load, struct err *err);
	pack_reader_problem *problem;
	void *ctx;
};

/* Returns 0: read to the end (result->problems says how well), 1: stopped by
 * apply, -1 with err set; ERR_DAMAGE: stopped at the first damage. result is
 * set in any case. */
int pack_read_run(
	const struct pack_read_options *options, struct pack_read *result, struct err *err);

#endif
