/*
 * A store in memory that implements the contract (cmd/store/kind.h) and on demand misbehaves as
 * real stores do on bad days.
 *
 *   fake_store_new -> set what it does wrong, before and between calls -> store_free(&fake->base)
 *
 * Its contents survive store_close and store_open, as a disk's do. No call ever waits, except
 * store_begin of a store that is stuck, and store_dumps and store_hold if they are to meet others.
 */
#ifndef FDUMP_TEST_FAKE_STORE_H
#define FDUMP_TEST_FAKE_STORE_H

#include <stdatomic.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cmd/store/kind.h"

#define FAKE_FOR_EVER UINT_MAX

struct fake_store {
	struct store base;
	/* What it does wrong. */
	bool absent;                /* it can't be opened */
	bool far;                   /* opening it never ends */
	bool stuck;                 /* a run only begins when it is cancelled, and then fails */
	bool unknown;               /* "not known" to every store_have */
	unsigned slow;              /* each put is refused so many times, then accepted */
	pthread_barrier_t *meets;   /* listing and holding wait here until other stores are asked */
	unsigned puts_left;         /* then it dies: every call fails until it is opened again */
	unsigned gets_left;         /* the same, for reading */
	bool forgets;               /* the first commit finds that a chunk that was put is lost */
	bool hangs;                 /* a commit is never answered */
	bool foreign_receipts;      /* receipts are signed with another key than its own */
	bool denies_receipts;       /* does not accept another store's receipt */
	bool lies;                  /* returns other bytes than were put */
	uint8_t uid[STORE_UID_LEN]; /* of its name; or another's: then they are the same store */
	/* A clock that it moves on by the time for which others wait for it; NULL: none. */
	int64_t *clock_ms;
	/* Counts of what was done with it. */
	atomic_uint puts, gets, commits, holds, begins, haves;
	size_t have_ids, have_most; /* ids that were asked for; in one question */
	/* Internal. */
	bool dead;
	atomic_bool cancelled;
	unsigned refused; /* of the put in progress */
	uint64_t stored;
	uint8_t secret[SEAL_SIGN_LEN], other[SEAL_SIGN_LEN];
	pthread_mutex_t lock; /* over the chunks and the numbers */
	struct fake_chunk *chunks;
	struct fake_dump *dumps; /* the newest first */
	uint64_t seq;
};

/* NULL: out of memory. uid and keys are derived from its name. */
struct fake_store *fake_store_new(const char *name);
/* The number of its chunks. */
size_t fake_store_count(const struct fake_store *fake);
bool fake_store_has(struct fake_store *fake, const uint8_t id[STORE_ID_LEN]);
/* Loses a chunk. Returns whether it was there. */
bool fake_store_lose(struct fake_store *fake, const uint8_t id[STORE_ID_LEN]);

#endif
