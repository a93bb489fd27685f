/*
 * Seekable packs: from the end by END and INDEX blocks, without reading the
 * data. See pack/FORMAT.md, sections 3.2 and 3.3.
 *
 *   pack_seek_open -> pack_seek_back ... (from the last INDEX to the first)
 *   pack_seek_hand_new -> pack_seek_index -> pack_index_next (pack/index.h) ...
 *                      -> pack_seek_member -> pack_seek_hand_free
 *   pack_seek_free
 *
 * Packs that stand behind each other are one sequence, from the last INDEX of
 * the last one to the first of the first. Pack 0 is the last in the file.
 *
 * pack_seek_open and _back are for one thread, before the others begin; then
 * any number of threads may read, each with a hand of its own. Nothing in the
 * file is believed without a check: offsets lie in the file, a chain always
 * leads backwards, and memory does not grow with what is declared. Entries are
 * proved by their checksums, the pack as a whole is not (`fdump verify` does
 * that).
 *
 * Errors: ERR_DAMAGE, ERR_FORMAT, ERR_LIMIT: it can't be read from its end (cut, damaged,
 * an END or INDEX that is not there): read it in sequence (pack/read.h), which
 * says what is wrong. ERR_UNSUPPORTED, ERR_DENIED (no key, or the wrong one),
 * ERR_IO, ERR_NOMEM and others of open_key: give up.
 */
#ifndef FDUMP_PACK_SEEK_H
#define FDUMP_PACK_SEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/index.h"
#include "pack/load.h"

struct err;
struct pack_seek;
struct pack_seek_hand;

#define PACK_SEEK_PACKS 65536 /* packs in a file, at most */

struct pack_seek_options {
	int fd;        /* read by pread(2); borrowed */
	bool need_key; /* a key was given: what is not sealed is refused */
	/* As in pack/read.h; called once for each sealed pack. NULL: no key. */
	int (*open_key)(
		void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err);
	void *ctx;
};

/* Whether the descriptor can be read this way at all: a regular file or a block
 * device, whose offset is 0, and stays so. */
bool pack_seek_can(int fd);

/* Finds END, and by it the beginning of the last pack. NULL with err set. */
struct pack_seek *pack_seek_open(const struct pack_seek_options *options, struct err *err);
void pack_seek_free(struct pack_seek *seek);

/* The place of an INDEX block. */
struct pack_seek_place {
	uint64_t at;      /* offset of its header in the input */
	uint32_t pack;    /* the pack that it is in */
	uint64_t entries; /* of that pack, by its END */
};

/* A hand: what a thread needs to open blocks. NULL with err set: out of memory. */
struct pack_seek_hand *pack_seek_hand_new(struct err *err);
void pack_seek_hand_free(struct pack_seek_hand *hand);

/* Goes back to the INDEX before; the first call gives the last one. Returns 0;
 * 1 if there is none: the beginning of the file has been reached; -1 with err
 * set. */
int pack_seek_back(struct pack_seek *seek, struct pack_seek_hand *hand,
	struct pack_seek_place *place, struct err *err);

/* Where a pack begins in the input: offsets in its records count from there. */
uint64_t pack_seek_start(const struct pack_seek *seek, uint32_t pack);

/* Reads and opens an INDEX. The records borrow from the hand, until the next
 * _index or _back with it. Returns 0, or -1 with err set. */
int pack_seek_index(const struct pack_seek *seek, struct pack_seek_hand *hand,
	const struct pack_seek_place *place, struct pack_index *index, struct err *err);

/* What an entry consists of, in order: head, then data and hole as they come,
 * then tail. Pieces are good for the call. Each returns 0; anything else ends
 * the reading and is returned; -1 with err set. Any may be NULL. */
struct pack_seek_sink {
	int (*head)(void *ctx, const struct pack_head *head, struct err *err);
	int (*data)(void *ctx, const uint8_t *bytes, size_t len, struct err *err);
	int (*hole)(void *ctx, uint64_t len, struct err *err);
	/* verdict: PACK_GOOD, or PACK_WRONG: the content does not agree with size
	 * and checksum. */
	int (*tail)(void *ctx, const struct pack_tail *tail, enum pack_verdict verdict,
		struct err *err);
	void *ctx;
};

/* Reads the entry of a record, which may borrow from the same hand, to its
 * TAIL, and proves it. Returns 0, what a callback returned, or -1 with err set;
 * ERR_DAMAGE: a block is damaged or missing, or the entry is not the one that
 * the record describes. */
int pack_seek_member(const struct pack_seek *seek, struct pack_seek_hand *hand, uint32_t pack,
	const struct pack_index_record *record, const struct pack_seek_sink *sink, struct err *err);

#endif
