/*
 * A backup to three stores in memory (fake_store.h), for tests of the fan-out that writes to them
 * and of the source that reads from them. Time is the test's own.
 *
 *   copies_setup (once a group) -> copies_init -> copies_back_up, or its steps -> copies_fini
 *
 * Except where a function returns something, a failure fails the test.
 */
#ifndef FDUMP_TEST_COPIES_H
#define FDUMP_TEST_COPIES_H

#include "cmd/dump/crypt.h"
#include "cmd/dump/domain.h"
#include "cmd/dump/fanout.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/key.h"
#include "test/unit/fake_store.h"

#define COPIES_STORES 3
#define COPIES_CHUNKS 20
#define COPIES_LEN    1000 /* of a chunk's content */

/* The secret key, a domain that is sealed for it, and one that is not sealed. */
extern struct key_secret copies_key;
extern struct dump_domain copies_sealed, copies_unsealed;
/* Stores for which others wait move it on. */
extern int64_t copies_clock_ms;

struct copies {
	struct fake_store *fake[COPIES_STORES];
	struct store *stores[COPIES_STORES];
	struct dump_domain *domain;
	struct dump_run run;
	struct zst *zst;
	struct dump_fanout *fanout;
	uint8_t ids[COPIES_CHUNKS][STORE_ID_LEN]; /* the first one is the manifest's only piece */
	uint8_t list[STORE_ID_LEN], dump[STORE_DUMP_ID];
	struct buf record, missing;
	size_t acked;
	uint64_t stored;
	uint32_t behind;           /* bit n: the n-th was left behind */
	char why[ERR_MESSAGE_MAX]; /* the last one was */
	uint32_t caught_up;        /* bit n: the n-th has caught up */
	struct err err;            /* of the last call */
};

int copies_setup(void **state);

/* Opens the stores, and makes a fan-out over them; `wanted` copies are enough. */
void copies_init(struct copies *f, struct dump_domain *domain, size_t wanted);
void copies_fini(struct copies *f);
/* A new fan-out, over the stores in their present state. */
void copies_fan_out(struct copies *f, size_t wanted);

/* The content of the i-th chunk. */
void copies_content(size_t i, uint8_t content[COPIES_LEN]);

/* A backup in steps: begin; put the chunks, beginning with `from` (earlier ones are carried over);
 * put their list and make the dump's record; commit. */
void copies_begin(struct copies *f);
void copies_put_chunks(struct copies *f, size_t from);
void copies_put_list(struct copies *f);
/* Returns what dump_fanout_commit returns. */
int copies_commit(struct copies *f);
/* All of these steps. Returns what the commit returns. */
int copies_back_up(struct copies *f);
/* Puts one chunk, or the list, into the stores that lack it. Returns what the fan-out returns. */
int copies_put(struct copies *f, bool list, const void *content, size_t len, const uint8_t *id);

#endif
