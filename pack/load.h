/*
 * A load: one block on its way through a reader, from stored payload to decoded and verified
 * entries.
 *
 * Three steps, each by the thread that has the load:
 *
 *   pack_load_room    then the caller reads the stored payload into the returned room
 *   pack_load_open    any thread, any order: check, open, decompress, decode, hash whole entries
 *   pack_reader_take  (pack/reader.h) in order: what depends on the blocks before
 *
 * Decoded entries borrow from the load until it is reused for another block. No input or
 * output; allocates memory.
 */
#ifndef FDUMP_PACK_LOAD_H
#define FDUMP_PACK_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "pack/block.h"
#include "pack/entry.h"

struct cbor_in;
struct pack_digest;
struct pack_press;
struct sums;

enum pack_verdict {
	PACK_GOOD,    /* verified: content, size and checksum match */
	PACK_WRONG,   /* the content does not match its TAIL */
	PACK_REFUSED, /* HEAD or TAIL breaks a rule */
};

/* An entry that begins in this block. */
struct pack_member {
	struct pack_head head;
	struct pack_tail tail;             /* if the entry is whole */
	uint32_t at, content, content_end; /* offsets in the raw payload */
	enum pack_verdict verdict;
	uint32_t why;            /* if not good: offset of the reason in .texts */
	uint32_t meta, meta_len; /* if whole: its index record, in .meta */
	const uint8_t *piece;    /* its content, if that is a single DATA item not verified yet */
	void *user;              /* for the caller; NULL at first */
};

/* Entries without a block (a manifest's) may be longer than those in one. */
#define PACK_LOAD_MAX (8u << 20)

struct pack_load {
	/* Set by the caller. */
	struct pack_block block;
	uint64_t at;         /* offset of the header in the input */
	bool misplaced, gap; /* misplaced: as the framing said; gap: blocks before it are missing */
	bool want_hash;      /* verify the content */
	bool want_meta;      /* make index records */
	/* The payload. */
	struct buf stored, unpacked; /* at most PACK_LOAD_MAX */
	const uint8_t *raw;
	/* Without a block: bytes that the content may name by REF instead of containing them. */
	struct pack_bytes lent; /* borrowed; .at NULL: none */
	uint8_t lent_id[PACK_REF_ID];
	uint32_t named; /* bytes of it that the content names */
	void *lender;   /* for the producer of the load */
	bool lent_done; /* the end of `lent` was named */
	struct err bad; /* code: why the payload is unusable; ERR_NONE: it is usable */
	/* The content of an ENTRY block. The lead is the part that belongs to an earlier entry. */
	uint32_t lead_end; /* where the lead's content ends */
	bool lead_ends;    /* the lead ends with this TAIL: */
	struct pack_tail lead_tail;
	int lead_refused; /* its TAIL was refused; see .lead_why */
	uint32_t lead_why;
	struct buf members; /* struct pack_member; whole entries only */
	struct buf sums;    /* digests of their content */
	bool has_trail;     /* another entry begins here and continues in the next block */
	struct pack_member trail;
	uint32_t broken_at; /* malformed from this offset on; PACK_BLOCK_NONE: not */
	uint32_t broken_why;
	struct buf meta, texts;
	/* Set by pack/chain.h. */
	uint8_t lead_sum[HASH_LEN]; /* digest of the entry that ends in the lead */
	/* Set by pack_reader_take. */
	bool lost_open; /* the entry that was open before is lost */
	bool lead_live; /* the lead belongs to the open entry */
	enum pack_verdict lead_verdict;
	bool usable; /* members and trail may be used */
};

struct pack_load *pack_load_new(struct err *err);
void pack_load_free(struct pack_load *load);

/* Clears the load for a block. The caller sets the other fields afterwards. Returns room for
 * the stored payload, or NULL with err set. */
uint8_t *pack_load_room(struct pack_load *load, const struct pack_block *block, struct err *err);

/* Opens and decodes. digest, sums: the thread's own; used if want_hash is set. Problems with
 * the block are recorded in the load. Returns 0, or -1 with err set (out of memory). */
int pack_load_open(struct pack_load *load, struct pack_press *press, struct pack_digest *digest,
	struct sums *sums, struct err *err);

/* The same without a block. The caller has written entries to .unpacked, encoded as in ENTRY
 * blocks, except that they may contain REFs to .lent, and has set kind, seq and first of
 * .block. */
int pack_load_decode(
	struct pack_load *load, struct pack_digest *digest, struct sums *sums, struct err *err);

/* Like pack_item_get (pack/entry.h), for content of a load: returns a REF as the DATA it names,
 * borrowed from `lent`. */
int pack_load_item(
	const struct pack_load *load, struct cbor_in *in, struct pack_item *item, struct err *err);

/* Checks everything that depends on the TAIL, except the checksum. size, holes: of the content.
 * why is set unless the result is PACK_GOOD. */
enum pack_verdict pack_load_judge(const struct pack_head *head, const struct pack_tail *tail,
	uint64_t size, uint64_t holes, struct err *why);

/* The whole entries that begin in the block. Borrowed. */
struct pack_member *pack_load_members(struct pack_load *load, size_t *count);

/* A reason recorded in the load. Borrowed. */
const char *pack_load_text(const struct pack_load *load, uint32_t at);

#endif
