/*
 * The contract: a store as everything above it sees one, whether a directory or a service. Who
 * backs up, restores, lists or deletes knows this header and no engine.
 *
 *   store_new -> store_open -> write: store_begin -> store_have, store_put ... -> store_commit
 *                              read:  store_dumps, store_hold, store_ahead, store_get
 *             -> store_close -> store_free
 *
 * A STORE text that contains a `/`, or is `.`, is a directory; any other is the name of a service,
 * NAME[:PORT].
 *
 * All calls block, and each ends: within the access's patience, if the store makes no progress.
 * Any thread may call but the one of an event loop; of a store that was begun, one thread at a time
 * puts and commits, while others may ask with store_have.
 *
 * Unless said otherwise a call returns 0, or -1 with err set. ERR_BUSY: others use the store, try
 * again later. ERR_NOSPACE: no space, or the agent's quota. ERR_DENIED: the store refuses who
 * asks. ERR_DAMAGE: what was asked for is there, but damaged. ERR_TIMEOUT, ERR_CLOSED: it can't be
 * reached any more. After an error of store_put or store_commit the store must be opened again.
 */
#ifndef FDUMP_CMD_STORE_STORE_H
#define FDUMP_CMD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/dump.h"
#include "cmd/store/receipt.h"

struct buf;
struct err;
struct rpc_times;
struct store;
struct store_parcel;
struct store_proof;

#define STORES_MAX        16 /* -s in one command; a set of them fits 32 bits */
#define STORE_LOCK_SEC    30
#define STORE_PATIENCE_MS 600000
#define STORE_TELL_MS     2000
#define STORE_HAVE_MAX    500    /* ids in one question */
#define STORE_MISSING_MAX 65536u /* ids that a commit names as missing */

enum store_mode {
	STORE_READ,
	STORE_WRITE, /* also to delete and to lock */
};

/* Called after a second of waiting for others, with words that say for whom. */
typedef void store_waits(void *ctx, const char *text);

/* How services are reached: who we are, where a store of a name is, and which store it must be.
 * Made by the command or service that dials; store_access borrows it. */
#define STORE_ADDRESS_MAX 256

struct store_address {
	char host[STORE_ADDRESS_MAX], port[8];
};

struct store_net {
	const char *cert, *key, *ca; /* paths, as rpc/tls.h has them */
	/* The address of a store. Returns 0, or -1 with err set: ERR_NOTFOUND. */
	int (*find)(void *ctx, const char *name, struct store_address *to, struct err *err);
	/* Compares the store that answered with the one that is known by this name, or keeps it if
	 * none is yet. Returns 0, or -1 with err set: ERR_DENIED. */
	int (*pin)(void *ctx, const char *name, const uint8_t uid[STORE_UID_LEN],
		const uint8_t public[SEAL_SIGN_LEN], struct err *err);
	void *ctx;
	const struct rpc_times *times; /* NULL: rpc_times_default */
	int64_t connect_ms;            /* until the first connection; 0: the patience */
};

/* How stores are accessed: the same for all of a command. */
struct store_access {
	int64_t wait_sec;    /* for the locks of a directory */
	int64_t patience_ms; /* without progress, then a store is given up */
	store_waits *waits;  /* or NULL */
	store_waits *dials;  /* the same after STORE_TELL_MS in which a service did not answer */
	void *ctx;
	const struct store_net *net; /* how services are reached; NULL: they can't be */
};

/* --- life ----------------------------------------------------------------- */

/* Looks at the text only. The access is copied. NULL with err set: ERR_USAGE. */
struct store *store_new(const char *text, const struct store_access *access, struct err *err);
/* The same for what can only be a directory: an argument without -s. */
struct store *store_new_directory(
	const char *path, const struct store_access *access, struct err *err);
/* Opens it, also again after an error; what was begun by store_open_start is waited for.
 * ERR_NOTFOUND: there is no store; ERR_CONFIG. */
int store_open(struct store *store, enum store_mode mode, struct err *err);
/* The same in two steps, so that several services are dialled at the same time. A directory is
 * opened in the second one. */
int store_open_start(struct store *store, enum store_mode mode, struct err *err);
enum store_opened { STORE_OPEN = 0, STORE_OPENING = 1 };
/* STORE_OPENING: not within wait_ms, and err says why: wait again, or give it up by store_close.
 * After STORE_OPEN or -1 it is over. */
int store_open_wait(struct store *store, int64_t wait_ms, struct err *err);
bool store_is_open(const struct store *store);
bool store_is_opening(const struct store *store);
/* Ends what another thread waits for in this store, as far as that can be done: its call fails, and
 * the store must be opened again. */
void store_cancel(struct store *store);
/* What was put and not committed may be given up. A store that still works on something after
 * its patience is abandoned: its memory stays. */
void store_close(struct store *store);
/* Closes. NULL does nothing. */
void store_free(struct store *store);

/* As it was given; borrowed. */
const char *store_name(const struct store *store);
/* Of an open store: its random id, and the public half of the key that signs its receipts. Two
 * texts whose uids are equal are the same store. */
const uint8_t *store_uid(const struct store *store);
const uint8_t *store_public(const struct store *store);
/* For who opens several: below 0 if a's locks must be taken before b's, so that two commands that
 * name the same stores in another order don't wait for each other. 0: the same directory. */
int store_lock_order(const struct store *a, const struct store *b);
/* The directory, or NULL: it is a service. Borrowed. */
const char *store_directory(const struct store *store);

struct store_about {
	int64_t time;           /* the store's clock */
	uint64_t free, reserve; /* bytes of its file system */
	uint64_t size, used;    /* of the whole file system; of the store's volumes. 0: not known */
	/* Of a service, to an agent: what it uses of its quota, and for how long it may lock its
	 * dumps. */
	bool has_quota;
	uint64_t own_used, own_quota;
	int64_t lock_max_sec; /* 0: not known */
};
int store_about(struct store *store, struct store_about *about, struct err *err);

/* --- writing -------------------------------------------------------------- */

struct store_run {
	const char *agent, *name;
	const uint8_t *domain; /* STORE_DOMAIN_LEN */
	const uint8_t *base;   /* the dump whose entries may be carried over; NULL: none */
	/* Proves to a service that this run is of the domain (cmd/store/proof.h); NULL: it can't.
	 */
	int (*prove)(void *ctx, const struct store_proof *proof, uint8_t public[SEAL_SIGN_LEN],
		uint8_t signature[SEAL_SIG_LEN], struct err *err);
	void *ctx;
};
/* Begins a run, also after another one; its strings and ids are copied, .ctx must stay until the
 * store is closed. Pins the domain and the base dump. *has_base: it is there and its record can be
 * read. */
int store_begin(struct store *store, const struct store_run *run, bool *has_base, struct err *err);

enum store_answer {
	STORE_LACKS,
	STORE_HAS,
	STORE_UNKNOWN, /* put it and be told: nothing is sent that is there */
};
/* Of count ids (STORE_ID_LEN bytes each, at most STORE_HAVE_MAX). ask: it is worth a round trip;
 * else a service answers STORE_UNKNOWN, at no cost. */
int store_have(struct store *store, const uint8_t *ids, size_t count, bool ask,
	enum store_answer *answers, struct err *err);

enum store_taken { STORE_TAKEN = 0, STORE_NO_ROOM = 1 };
/* Puts a record, of which it takes a reference. It may arrive later: what goes wrong then is the
 * error of a later call. STORE_NO_ROOM: nothing could be taken within wait_ms; -1. */
int store_put(struct store *store, struct store_parcel *parcel, int64_t wait_ms, struct err *err);
/* Waits until all that was put is durable. *stored: bytes that were new, since the store was
 * opened. */
int store_settle(struct store *store, uint64_t *stored, struct err *err);

enum store_committed { STORE_COMMITTED = 0, STORE_MISSING = 1, STORE_PENDING = 2 };
/* Makes a dump visible, if all chunks of its list, and the list's pieces, are there: begins it
 * behind all that was put. The record must stay until store_commit_wait has answered. first: the
 * receipt of another store, whose time the dump keeps here, also one in the future; copied; NULL:
 * it was first committed now. Idempotent: the same record again gives the same receipt. */
int store_commit_start(struct store *store, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct err *err);
/* STORE_COMMITTED: durable, and the receipt is set; it was verified. STORE_MISSING: nothing was
 * changed; ids of missing chunks are appended to `missing`, if that is not NULL. STORE_PENDING:
 * no answer within wait_ms. -1 with err set: ERR_EXISTS (the id is taken by another record, or was
 * deleted); ERR_DENIED (also: a service does not believe `first`; without it the same may be
 * committed at once). */
int store_commit_wait(struct store *store, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err);
/* Both, within the patience: never STORE_PENDING. */
int store_commit(struct store *store, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct store_receipt *receipt, struct buf *missing,
	struct err *err);

/* --- reading -------------------------------------------------------------- */

/* A dump that is visible. */
struct store_entry {
	struct store_dump dump;
	const uint8_t *record; /* NULL: it can't be read; of the dump only the id is known */
	size_t record_len;
	int64_t committed; /* seconds since 1970: the clock of the store that had it first */
	int64_t lock;      /* the later of the record's and what LOCK blocks say; 0: none */
	uint64_t seq;      /* order of commits in this store */
	bool copied;       /* from another store: seq says nothing of when it was made */
	struct store_receipt receipt;
	bool damaged; /* chunks of it are missing, or its record can't be read */
};

/* Zeroed: all dumps. */
struct store_filter {
	const char *agent, *name; /* NULL: any */
	uint64_t after;           /* only commits after this one (seq) */
};
/* Calls `each` for the dumps that pass, in the order of the times of their commits (what
 * that is where clocks were wrong, cmd/dump/order.h knows). All is borrowed for the call. The
 * callback returns 0; 1 to stop; -1 with err set. */
typedef int store_each_dump(void *ctx, const struct store_entry *entry, struct err *err);
int store_dumps(struct store *store, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err);

/* Pins a dump for reading until the store is closed, and reads its record into `record` and
 * `entry`, which borrows from it; each may be NULL, but not the first alone. Returns 0; 1: there is
 * no such dump, or it is damaged. */
int store_hold(struct store *store, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err);

/* Tells that count ids will be read soon; ids that the domain lacks are appended to `lacks`. */
int store_ahead(struct store *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err);
/* Reads a record into `out` (cleared first); its block's check and its id are checked, not the
 * content. Returns 0; 1: this domain has none. */
int store_get(struct store *store, const uint8_t *domain, const uint8_t *id, struct buf *out,
	struct err *err);

/* --- operators ------------------------------------------------------------ */

/* Deletes a dump for ever; its space comes back by gc. Returns 0; 1: there is none; -1: ERR_DENIED
 * before its lock date; ERR_FAILED while the store doubts its clock. */
int store_delete(struct store *store, const uint8_t *dump, struct err *err);
/* Sets a dump's lock date later; never earlier. Returns 0; 1: there is none. */
int store_lock(struct store *store, const uint8_t *dump, int64_t until, struct err *err);

/* Looks at chunks that a reader found damaged (count ids); those that are so are marked: then they
 * count as not there, and are taken when they are put again. The store is open to write. *marked:
 * how many. -1: ERR_UNSUPPORTED: a service marks by itself what it could not read. */
int store_doubt(struct store *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	size_t *marked, struct err *err);

/* What a check met, in words. dump: the one that is concerned, of which the id is known, and the
 * rest if its record is not NULL; NULL: none is. All is borrowed. */
typedef void store_problem(void *ctx, const struct store_entry *dump, const char *what);

struct store_checked {
	uint64_t blocks, bytes, chunks, dumps;
	uint64_t damaged;    /* blocks that are needed, and ranges where such were */
	uint64_t stale;      /* the same, but not needed any more: gc drops them in time */
	uint64_t missing;    /* chunks that the index has and the volumes have not */
	uint64_t incomplete; /* dumps */
	uint64_t lost; /* volumes that a rebuild finds missing or cut, as far as can be told */
	uint64_t left; /* volumes that a scrub did not come to */
	bool stopped;  /* a scrub, before it had looked at all dumps */
};

enum store_check {
	STORE_CHECK_NOTE,   /* only: blocks that are read from now on need not be read by BLOCKS */
	STORE_CHECK_BLOCKS, /* reads every block, and compares every dump with the chunks there are
			     */
	STORE_CHECK_LISTS, /* compares every dump with the chunks there are; of a store that is open
			      to write, lost volumes leave the index if none is incomplete */
};
/* Returns 0; 1: not from here, a service checks its store by itself; -1 with err set. */
int store_check(struct store *store, enum store_check what, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err);

/* Copies to `to`, which is open to write, all dumps of `from` that it lacks or whose records it
 * can't read, and did not delete, and all chunks of its dumps that it lacks or has damaged. dump:
 * only this one; NULL: all, and then a check of LISTS. prover: a run whose .prove and .ctx vouch
 * for the dumps' domain to a service; NULL: none does. Needs no key. */
struct store_replicated {
	uint64_t dumps, chunks, bytes;
	struct store_receipt receipt; /* of `to`, for the dump that was copied last; or zeros */
	uint64_t failed;              /* dumps that `from` has not whole either */
	uint64_t incomplete;          /* dumps of `to`, after that */
};
int store_replicate(struct store *from, struct store *to, const uint8_t *dump,
	const struct store_run *prover, store_problem *problem, void *ctx,
	struct store_replicated *result, struct err *err);

#endif
