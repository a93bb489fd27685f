/*
 * What a kind of store implements: the calls of cmd/store/store.h. store.c does the checks that are
 * the same for all kinds before it calls them. Only the kinds and store.c include this.
 */
#ifndef FDUMP_CMD_STORE_KIND_H
#define FDUMP_CMD_STORE_KIND_H

#include <pthread.h>

#include "cmd/store/store.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/mutex.h"
#include "lib/seal.h"

struct store_kind {
	size_t size; /* of the kind's own struct */
	/* NULL: nothing to do. */
	void (*init)(struct store *store);
	/* Begins to open the store in .mode. NULL: .open does all of it. */
	int (*open_start)(struct store *store, struct err *err);
	/* As store_open_wait. Fills .uid and .public. After -1 nothing is open. */
	int (*open)(struct store *store, int64_t wait_ms, struct err *err);
	/* NULL: not supported. */
	void (*cancel)(struct store *store);
	/* If there is .open_start, also called while the store is being opened. */
	void (*close)(struct store *store);
	/* Frees the struct itself. NULL: free(3) does. */
	void (*free)(struct store *store);
	int (*about)(struct store *store, struct store_about *about, struct err *err);
	/* May be called again for another run: then waits first until all that was put has
	 * arrived. */
	int (*begin)(
		struct store *store, const struct store_run *run, bool *has_base, struct err *err);
	int (*have)(struct store *store, const uint8_t *ids, size_t count, bool ask,
		enum store_answer *answers, struct err *err);
	int (*put)(
		struct store *store, struct store_parcel *parcel, int64_t wait_ms, struct err *err);
	int (*settle)(struct store *store, uint64_t *stored, struct err *err);
	/* Commits .record, and waits until that is done, or all has failed: see .commit, .failed.
	 * Returns 0, also if it is neither within wait_ms; -1 with err set. */
	int (*commit_wait)(struct store *store, int64_t wait_ms, struct err *err);
	int (*dumps)(struct store *store, const struct store_filter *filter, store_each_dump *each,
		void *ctx, struct err *err);
	int (*hold)(struct store *store, const uint8_t *dump, struct buf *record,
		struct store_entry *entry, struct err *err);
	int (*ahead)(struct store *store, const uint8_t *domain, const uint8_t *ids, size_t count,
		struct buf *lacks, struct err *err);
	int (*get)(struct store *store, const uint8_t *domain, const uint8_t *id, struct buf *out,
		struct err *err);
	int (*delete)(struct store *store, const uint8_t *dump, struct err *err);
	int (*lock)(struct store *store, const uint8_t *dump, int64_t until, struct err *err);
	/* NULL: not supported. */
	int (*doubt)(struct store *store, const uint8_t *domain, const uint8_t *ids, size_t count,
		size_t *marked, struct err *err);
	/* NULL: not supported. */
	int (*check)(struct store *store, enum store_check what, store_problem *problem, void *ctx,
		struct store_checked *result, struct err *err);
};

enum store_commit_state { COMMIT_NONE, COMMIT_WANTED, COMMIT_RUNNING, COMMIT_DONE };

/* Every kind's own struct begins with this. */
struct store {
	const struct store_kind *kind;
	struct store_access access;
	char *name;
	bool service; /* its name is not a path */
	bool opening, open, begun;
	enum store_mode mode;
	struct store_run run; /* its strings and ids are those below */
	char agent[STORE_NAME_MAX + 1], backup[STORE_NAME_MAX + 1];
	uint8_t domain[STORE_DOMAIN_LEN], base[STORE_DUMP_ID];
	uint8_t uid[STORE_UID_LEN], public[SEAL_SIGN_LEN];
	bool committing; /* a commit has begun, and its result was not returned yet */
	bool abandoned;  /* a thread hangs in it: its memory can't be freed */
	/* To commit; copies, as the caller may give up waiting. */
	struct buf record;
	bool has_first;
	struct store_receipt first; /* of another store */
	/* What a kind's threads share with its callers; store_close resets it. */
	struct mutex lock; /* guards all below */
	pthread_cond_t change;
	bool failed; /* with .why: every call fails until it is opened again */
	struct err why;
	uint64_t stored; /* bytes that were new */
	enum store_commit_state commit;
	int answer; /* of a commit that is done: as of store_commit_wait */
	struct err commit_why;
	struct store_receipt receipt;
	struct buf missing;
};

extern const struct store_kind store_local, store_remote;

#endif
