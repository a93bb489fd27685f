/*
 * A store in memory, behind the contract (cmd/store/kind.h), that does on demand what real ones do
 * on bad days.
 *
 *   fake_store_new -> set what it does wrong, before and between calls -> store_free(&fake->base)
 *
 * What it keeps survives store_close and store_open, as a disk's content does. No call ever waits,
 * but for store_begin of one that is stuck, and store_dumps and store_hold that meet others.
 */
#ifndef FDUMP_TEST_FAKE_STORE_H
#define FDUMP_TEST_FAKE_STORE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cmd/store/kind.h"

#define FAKE_FOR_EVER UINT_MAX

struct fake_store {
	struct store base;
	/* What it does wrong. */
	bool absent;                /* it can't be opened */
	bool far;                   /* it is being opened, and never comes to an end */
	bool stuck;                 /* a run is begun only when it is cancelled, and then not */
	bool unknown;               /* "not known" to every store_have */
	unsigned slow;              /* each put is taken after so many refusals */
	pthread_barrier_t *meets;   /* listing and holding wait here until other stores are asked */
	unsigned puts_left;         /* then it dies: every call fails until it is opened again */
	unsigned gets_left;         /* the same, for reading */
	bool forgets;               /* the first commit finds that a chunk is lost that was put */
	bool hangs;                 /* a commit is never answered */
	bool foreign_receipts;      /* signed by another key than its own */
	bool denies_receipts;       /* does not believe another store's */
	bool lies;                  /* what it gives back is not what was put */
	uint8_t uid[STORE_UID_LEN]; /* of its name; another's, and they are the same store */
	/* A clock that is moved on by the time for which others wait for it; NULL: none. */
	int64_t *clock_ms;
	/* What was done with it. */
	unsigned puts, gets, commits, holds, begins, haves;
	size_t have_ids, have_most; /* ids that were asked for; in one question */
	/* Its own. */
	bool dead;
	atomic_bool cancelled;
	unsigned refused; /* of the put that is under way */
	uint64_t stored;
	uint8_t secret[SEAL_SIGN_LEN], other[SEAL_SIGN_LEN];
	pthread_mutex_t lock; /* over the chunks and the numbers */
	struct fake_chunk *chunks;
	struct fake_dump *dumps; /* the newest first */
	bool has_first;          /* of the commit that was started */
	struct store_receipt first;
	uint64_t seq;
};

/* NULL: out of memory. uid and keys are made of its name. */
struct fake_store *fake_store_new(const char *name);
/* The number of its chunks. */
size_t fake_store_count(const struct fake_store *fake);
bool fake_store_has(struct fake_store *fake, const uint8_t id[STORE_ID_LEN]);
/* Loses a chunk. Returns whether it was there. */
bool fake_store_lose(struct fake_store *fake, const uint8_t id[STORE_ID_LEN]);

#endif
