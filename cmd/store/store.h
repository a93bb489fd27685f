/*
 * The contract: a store as everything above it sees one, whether it is a directory or a service.
 * Code that backs up, restores, lists or deletes knows this header and no engine.
 *
 *   store_new -> store_open -> write: store_begin -> store_have, store_put ... -> store_commit
 *                              read:  store_dumps, store_hold, store_ahead, store_get
 *             -> store_close -> store_free
 *
 * The name of a store is a directory if it contains a `/` or is `.`; any other is a service,
 * NAME[:PORT].
 *
 * All calls block, but none for ever: if the store makes no progress within the patience of its
 * struct store_access, the call fails. Any thread may call, except an event loop's. During a run
 * one thread at a time may put and commit, while others may call store_have.
 *
 * Unless noted otherwise a call returns 0, or -1 with err set. ERR_BUSY: others use the store, try
 * again later. ERR_NOSPACE: no space, or the agent's quota is used up. ERR_DENIED: the store
 * refuses the caller. ERR_DAMAGE: what was asked for is there, but damaged. ERR_TIMEOUT,
 * ERR_CLOSED: the store can't be reached any more. After an error of store_put or store_commit the
 * store must be opened again.
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

#define STORES_MAX        16 /* -s in one command; a set of them fits in 32 bits */
#define STORE_LOCK_SEC    30
#define STORE_PATIENCE_MS 600000
#define STORE_TELL_MS     2000
#define STORE_HAVE_MAX    500    /* ids in one call */
#define STORE_MISSING_MAX 65536u /* missing ids that a commit reports */

enum store_mode {
	STORE_READ,
	STORE_WRITE, /* also needed to delete and to lock */
};

/* Called after a second of waiting for others; the text says for whom. */
typedef void store_waits(void *ctx, const char *text);

/* How to reach services: our identity, the address of a store, and which store to expect there.
 * Made by the command or service that dials; store_access borrows it. */
#define STORE_ADDRESS_MAX 256

struct store_address {
	char host[STORE_ADDRESS_MAX], port[8];
};

struct store_net {
	const char *cert, *key, *ca; /* paths, as in rpc/tls.h */
	const char *deny;            /* path of the list of those that are refused (rpc/deny.h) */
	/* Finds the address of a store. Returns 0, or -1 with err set: ERR_NOTFOUND. */
	int (*find)(void *ctx, const char *name, struct store_address *to, struct err *err);
	/* Compares the store that answered with the one known by this name. If none is known yet,
	 * remembers it. Returns 0, or -1 with err set: ERR_DENIED. */
	int (*pin)(void *ctx, const char *name, const uint8_t uid[STORE_UID_LEN],
		const uint8_t public[SEAL_SIGN_LEN], struct err *err);
	void *ctx;
	const struct rpc_times *times; /* NULL: rpc_times_default */
	int64_t connect_ms;            /* until the first connection; 0: patience_ms */
};

/* How to access stores: the same for all stores of a command. */
struct store_access {
	int64_t wait_sec;    /* for the locks of a directory */
	int64_t patience_ms; /* time without progress after which a store is abandoned */
	int64_t lost_ms;    /* the same while the connection to a service is lost; 0: patience_ms */
	store_waits *waits; /* or NULL */
	store_waits *dials; /* called when a service has not answered for STORE_TELL_MS; or NULL */
	void *ctx;
	const struct store_net *net; /* to reach services; NULL: none can be reached */
};

/* --- life ----------------------------------------------------------------- */

/* Makes a store from its name, which is only parsed. Copies the access. NULL with err set:
 * ERR_USAGE. */
struct store *store_new(const char *text, const struct store_access *access, struct err *err);
/* The same for a name that can only be a directory: an argument without -s. */
struct store *store_new_directory(
	const char *path, const struct store_access *access, struct err *err);
/* Opens the store; may be called again after an error. If store_open_start was called, only waits
 * for it. -1: ERR_NOTFOUND: no such store; ERR_CONFIG: a file of the wrong type in its folder;
 * ERR_DENIED: another store than the one known by this name. */
int store_open(struct store *store, enum store_mode mode, struct err *err);
/* The same in two steps, so that several services are dialled at the same time. A directory is
 * opened in the second step. */
int store_open_start(struct store *store, enum store_mode mode, struct err *err);
enum store_opened { STORE_OPEN = 0, STORE_OPENING = 1 };
/* Returns STORE_OPEN; STORE_OPENING if it is not open within wait_ms, and err says why: call again,
 * or abandon it with store_close; -1 with err set. */
int store_open_wait(struct store *store, int64_t wait_ms, struct err *err);
bool store_is_open(const struct store *store);
bool store_is_opening(const struct store *store);
/* Interrupts a call that another thread makes to this store, if the kind of store can: the call
 * fails, and the store must be opened again. A directory can't. */
void store_cancel(struct store *store);
/* Closes the store. Chunks that are not part of a commit may be lost. A directory whose work does
 * not end within 5 seconds is abandoned, and its memory is not freed. */
void store_close(struct store *store);
/* Closes and frees the store. NULL does nothing. */
void store_free(struct store *store);

/* The name as given; borrowed. */
const char *store_name(const struct store *store);
/* Of an open store: its random id, and the public half of the key that signs its receipts.
 * Borrowed. Two names with the same uid are the same store. */
const uint8_t *store_uid(const struct store *store);
const uint8_t *store_public(const struct store *store);
/* The order in which to open several stores: below 0 if a's locks must be taken before b's. So two
 * commands that name the same stores in different orders don't block each other. 0: the same
 * directory. */
int store_lock_order(const struct store *a, const struct store *b);
/* The directory, or NULL if the store is a service. Borrowed. */
const char *store_directory(const struct store *store);

struct store_about {
	int64_t time;           /* the store's clock, seconds since 1970 */
	uint64_t free, reserve; /* bytes of its file system: free, to be kept free */
	uint64_t size, used; /* bytes: of the file system, of the store's volumes; 0: not known */
	/* Only from a service, for an agent: what it uses of its quota, and how far in the future
	 * it may lock its dumps. */
	bool has_quota;
	uint64_t own_used, own_quota;
	int64_t lock_max_sec; /* 0: not known */
};
/* Fills in what is known of an open store. */
int store_about(struct store *store, struct store_about *about, struct err *err);

/* --- writing -------------------------------------------------------------- */

struct store_run {
	const char *agent, *name;
	const uint8_t *domain; /* STORE_DOMAIN_LEN */
	const uint8_t *base;   /* the dump whose entries may be reused; NULL: none */
	/* Proves to a service that this run belongs to the domain (cmd/store/proof.h). NULL: there
	 * is no proof. Returns 0, or -1 with err set. */
	int (*prove)(void *ctx, const struct store_proof *proof, uint8_t public[SEAL_SIGN_LEN],
		uint8_t signature[SEAL_SIG_LEN], struct err *err);
	void *ctx;
};
/* Begins a run; may be called again for another one. Strings and ids are copied; .ctx must stay
 * valid until the store is closed. Pins the domain and the base dump. *has_base: whether the base
 * dump is there and its record can be read. */
int store_begin(struct store *store, const struct store_run *run, bool *has_base, struct err *err);

enum store_answer {
	STORE_LACKS,
	STORE_HAS,
	STORE_UNKNOWN, /* just put it: only what the store lacks is sent */
};
/* Asks for count ids (STORE_ID_LEN bytes each, at most STORE_HAVE_MAX) whether the store has them.
 * ask: whether that is worth a round trip; if not, a service answers STORE_UNKNOWN at no cost. */
int store_have(struct store *store, const uint8_t *ids, size_t count, bool ask,
	enum store_answer *answers, struct err *err);

enum store_taken { STORE_TAKEN = 0, STORE_NO_ROOM = 1 };
/* Puts a record; the store takes a reference of its own. The record may be sent later: then an
 * error is returned by a later call. Returns STORE_TAKEN; STORE_NO_ROOM: nothing could be taken
 * within wait_ms (if the connection is lost, err says why); -1 with err set. */
int store_put(struct store *store, struct store_parcel *parcel, int64_t wait_ms, struct err *err);
/* Waits until all that was put has arrived; in a directory it is durable then, in a service only
 * after a commit. *stored: bytes that were new to the store since it was opened. */
int store_settle(struct store *store, uint64_t *stored, struct err *err);

enum store_committed { STORE_COMMITTED = 0, STORE_MISSING = 1, STORE_PENDING = 2 };
/* Begins a commit, after all puts. It makes the dump visible if all chunks of its list, and the
 * list's pieces, are in the store. The record is copied. first: the receipt of another store, whose
 * time the dump keeps here, even one in the future; copied; NULL: the time is now. The same record
 * again gets the same receipt. */
int store_commit_start(struct store *store, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct err *err);
/* Returns STORE_COMMITTED: the dump is durable, and the receipt is set and verified. STORE_MISSING:
 * nothing was changed; ids of missing chunks are appended to `missing`, if that is not NULL.
 * STORE_PENDING: no answer within wait_ms; call again. -1 with err set: ERR_EXISTS (another record
 * has this id, or it was deleted); ERR_DENIED (also if a service does not accept `first`; a commit
 * without it may then follow at once). */
int store_commit_wait(struct store *store, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err);
/* Both in one, within the patience. Never returns STORE_PENDING. */
int store_commit(struct store *store, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct store_receipt *receipt, struct buf *missing,
	struct err *err);

/* --- reading -------------------------------------------------------------- */

/* A visible dump. */
struct store_entry {
	struct store_dump dump;
	const uint8_t *record; /* NULL: it can't be read; of the dump only the id is known */
	size_t record_len;
	int64_t committed; /* time at the first store that had it; seconds since 1970 */
	int64_t lock;      /* lock date: the later of the record's and the LOCK blocks'; 0: none */
	uint64_t seq;      /* order of commits in this store */
	bool copied;       /* from another store: seq does not tell when it was made */
	struct store_receipt receipt;
	bool damaged; /* its record can't be read */
};

/* Zeroed, it selects all dumps. */
struct store_filter {
	const char *agent, *name; /* NULL: any */
	uint64_t after;           /* only commits with a higher seq than this */
};
/* Calls `each` for all dumps that the filter selects, ordered by the time of their commits
 * (cmd/dump/order.h has the order to use if clocks were wrong). All it gets is borrowed for the
 * call. The callback returns 0; 1 to stop; -1 with err set. */
typedef int store_each_dump(void *ctx, const struct store_entry *entry, struct err *err);
int store_dumps(struct store *store, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err);

/* Pins a dump for reading until the store is closed. Reads its record into `record`, and decodes it
 * into `entry`, which borrows from `record`. Both may be NULL, or `entry` alone. Returns 0; 1: no
 * such dump, or it is damaged; -1 with err set. */
int store_hold(struct store *store, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err);

/* Announces that count ids will be read soon. Ids that the domain lacks are appended to `lacks`; a
 * service reports none. */
int store_ahead(struct store *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err);
/* Reads a record into `out` (cleared first). Its block's check and its id are verified, its content
 * is not. Returns 0; 1: this domain does not have it; -1 with err set. */
int store_get(struct store *store, const uint8_t *domain, const uint8_t *id, struct buf *out,
	struct err *err);

/* --- operators ------------------------------------------------------------ */

/* Deletes a dump for good; gc frees its space. Returns 0; 1: no such dump; -1 with err set:
 * ERR_DENIED before its lock date, or before the store's minimum age; ERR_FAILED while the store
 * does not trust its clock. */
int store_delete(struct store *store, const uint8_t *dump, struct err *err);
/* Sets a dump's lock date to a later one; an earlier date changes nothing. Returns 0; 1: no such
 * dump; -1 with err set. */
int store_lock(struct store *store, const uint8_t *dump, int64_t until, struct err *err);

/* Checks count chunks that a reader found damaged, and marks those that are. A marked chunk counts
 * as missing, and is taken when it is put again. The store must be open to write. *marked: number
 * of chunks. -1: ERR_UNSUPPORTED from a service, which marks what it could not read by itself. */
int store_doubt(struct store *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	size_t *marked, struct err *err);

/* A check reports a problem, in words. dump: the affected dump, or NULL; if its record is NULL only
 * its id is known. All is borrowed. */
typedef void store_problem(void *ctx, const struct store_entry *dump, const char *what);

struct store_checked {
	uint64_t blocks, bytes, chunks, dumps;
	uint64_t damaged; /* blocks that are needed, and damaged ranges that had such blocks */
	uint64_t stale;   /* damaged blocks that are not needed any more: gc removes them in time */
	uint64_t missing; /* chunks that are in the index, but not in the volumes */
	uint64_t incomplete; /* dumps with missing chunks or an unreadable record */
	uint64_t lost; /* volumes that a rebuild found missing or cut, as far as it can tell */
	uint64_t left; /* volumes that a scrub did not reach */
	bool stopped;  /* a scrub was stopped before it had checked all dumps */
};

enum store_check {
	STORE_CHECK_NOTE,   /* checks nothing yet: blocks read from now on are skipped by BLOCKS */
	STORE_CHECK_BLOCKS, /* reads every block, and compares every dump with the chunks */
	STORE_CHECK_LISTS, /* compares every dump with the chunks; if the store is open to write and
			      all dumps are complete, removes lost volumes from the index */
};
/* Returns 0; 1: not supported, as a service checks its store by itself; -1 with err set. */
int store_check(struct store *store, enum store_check what, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err);

/* Copies to `to` all chunks of the dumps of `from` that it lacks or has damaged, and the records of
 * the dumps that it lacks or can't read, unless it has deleted them. `to` must be open to write.
 * dump: only this one, which counts in .failed if `from` lacks it; NULL: all, followed by
 * STORE_CHECK_LISTS on `to`. prover: its .prove and .ctx prove the dumps' domain to a service;
 * NULL: no proof. Needs no key. */
struct store_replicated {
	uint64_t dumps, chunks, bytes;
	struct store_receipt receipt; /* from `to`, for the last dump copied; or zeros */
	uint64_t failed;              /* dumps that are not complete in `from` either */
	uint64_t incomplete;          /* dumps of `to` that are incomplete afterwards */
};
int store_replicate(struct store *from, struct store *to, const uint8_t *dump,
	const struct store_run *prover, store_problem *problem, void *ctx,
	struct store_replicated *result, struct err *err);

#endif
