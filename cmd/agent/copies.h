/*
 * The stores of a backup: one reading feeds all of them. A store that fails is
 * left behind, and said to be; the others go on as long as enough are left.
 *
 *   agent_copies_open -> _have, _put ... -> _commit -> agent_copies_close
 *
 * Any thread may ask and put.
 */
#ifndef FDUMP_CMD_AGENT_COPIES_H
#define FDUMP_CMD_AGENT_COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"

struct agent_copies;
struct buf;
struct err;

#define AGENT_STORES_MAX 16

struct agent_copies_options {
	const char *const *paths;
	size_t count;
	size_t wanted; /* with fewer stores left nothing goes on */
	/* A store failed, and is left behind. */
	void (*behind)(void *ctx, const char *store, const char *why);
	void *ctx;
};

/* Opens the stores to write. NULL with err set if fewer than one can be. */
struct agent_copies *agent_copies_open(
	const struct agent_copies_options *options, const uint8_t *domain, struct err *err);
void agent_copies_close(struct agent_copies *copies);

/* Whether every store has it. Returns 0, or -1 with err set: no store is left. */
int agent_copies_have(struct agent_copies *copies, const uint8_t *id, bool *has, struct err *err);
/* Puts a record where it is not. Returns how many bytes were new in *added (of the store
 * that took most). */
int agent_copies_put(struct agent_copies *copies, const uint8_t *record, size_t len,
	uint64_t *added, struct err *err);

/* Whether every store holds this dump, so that what it names need not be read again. */
int agent_copies_has_dump(
	struct agent_copies *copies, const uint8_t *dump, bool *has, struct err *err);

/* Commits everywhere. *acknowledged: by how many stores. Returns 0; 1 if a store lacks chunks that
 * were not sent in this run: what was carried over must be read again; -1 with err set: no store
 * has it. */
int agent_copies_commit(struct agent_copies *copies, const uint8_t *record, size_t len,
	size_t *acknowledged, struct err *err);

#endif
