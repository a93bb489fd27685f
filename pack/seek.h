/*
 * Random access to seekable packs: reads END and INDEX blocks from the end of the file, and not
 * the data before it. See pack/FORMAT.md, sections 3.2 and 3.3.
 *
 *   pack_seek_open -> pack_seek_back ... (from the last INDEX to the first)
 *   pack_seek_hand_new -> pack_seek_index -> pack_index_next (pack/index.h) ...
 *                      -> pack_seek_member -> pack_seek_hand_free
 *   pack_seek_free
 *
 * Concatenated packs form one sequence, from the last INDEX of the last pack to the first INDEX
 * of the first. Pack 0 is the last in the file.
 *
 * pack_seek_open and _back are for one thread, before the others start. Then any number of
 * threads may read, each with its own hand. Nothing in the file is trusted unchecked: offsets
 * must lie in the file, a chain must lead backwards, and memory does not grow with declared
 * sizes. Entries are verified by their checksums, but not the pack as a whole (use `fdump
 * verify` for that).
 *
 * Errors: with ERR_DAMAGE, ERR_FORMAT and ERR_LIMIT the pack can't be read from its end (it is
 * cut or damaged, or END or an INDEX is missing). Read it in sequence (pack/read.h), which
 * reports what is wrong. With ERR_UNSUPPORTED, ERR_DENIED (no key, or the wrong one), ERR_IO,
 * ERR_NOMEM, and errors of open_key: give up.
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

#define PACK_SEEK_PACKS 65536 /* most packs in a file */

struct pack_seek_options {
	int fd;        /* read by pread(2); borrowed */
	bool need_key; /* a key was given: refuse what is not sealed */
	/* As in pack/read.h; called once per sealed pack. NULL: there is no key. */
	int (*open_key)(
		void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err);
	void *key_ctx;
};

/* Whether the descriptor can be read this way: it is a regular file or a block device, and its
 * offset is 0. */
bool pack_seek_can(int fd);

/* Finds END, and from it the beginning of the last pack. The options are copied. Returns NULL
 * with err set. */
struct pack_seek *pack_seek_open(const struct pack_seek_options *options, struct err *err);
void pack_seek_free(struct pack_seek *seek);

/* Where an INDEX block is. */
struct pack_seek_place {
	uint64_t at;      /* offset of its header in the input */
	uint32_t pack;    /* number of its pack */
	uint64_t entries; /* entries in that pack, according to its END */
};

/* A hand: what a thread needs to open blocks. Returns NULL with err set (out of memory). */
struct pack_seek_hand *pack_seek_hand_new(struct err *err);
void pack_seek_hand_free(struct pack_seek_hand *hand);

/* Goes to the previous INDEX; the first call finds the last one. Returns 0; 1 if there are no
 * more, because the beginning of the file was reached; -1 with err set. */
int pack_seek_back(struct pack_seek *seek, struct pack_seek_hand *hand,
	struct pack_seek_place *place, struct err *err);

/* Where a pack begins in the input; offsets in its records count from there. */
uint64_t pack_seek_start(const struct pack_seek *seek, uint32_t pack);

/* Reads and opens an INDEX. Its records borrow from the hand until the next _index or _back
 * with that hand. Returns 0, or -1 with err set. */
int pack_seek_index(const struct pack_seek *seek, struct pack_seek_hand *hand,
	const struct pack_seek_place *place, struct pack_index *index, struct err *err);

/* Receives an entry: head, then data and hole in order, then tail. Arguments are valid during
 * the call only. Each returns 0 to go on, -1 with err set, or another value; anything but 0
 * ends the reading and is returned. Any may be NULL. */
struct pack_seek_sink {
	int (*head)(void *ctx, const struct pack_head *head, struct err *err);
	int (*data)(void *ctx, const uint8_t *bytes, size_t len, struct err *err);
	int (*hole)(void *ctx, uint64_t len, struct err *err);
	/* verdict: PACK_GOOD, or PACK_WRONG if the content does not match size and checksum. */
	int (*tail)(void *ctx, const struct pack_tail *tail, enum pack_verdict verdict,
		struct err *err);
	void *ctx;
};

/* Reads the entry of a record, up to its TAIL, and verifies it. The record may borrow from the
 * same hand. Returns 0, what a callback returned, or -1 with err set: ERR_DAMAGE if a block is
 * damaged or missing, or the entry does not match the record; ERR_FORMAT, ERR_UNSUPPORTED or
 * ERR_LIMIT if the entry is malformed or refused. */
int pack_seek_member(const struct pack_seek *seek, struct pack_seek_hand *hand, uint32_t pack,
	const struct pack_index_record *record, const struct pack_seek_sink *sink, struct err *err);

#endif
