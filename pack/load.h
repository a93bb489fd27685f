/*
 * A load: one block on its way through a reader, from stored payload to
 * decoded, proved entries.
 *
 * Three steps, each by whoever has the load:
 *
 *   pack_load_room, and the caller reads the stored payload into it
 *   pack_load_open   in any thread, in any order: check, open, unpack, decode,
 *                    hash what is whole
 *   pack_reader_take (pack/reader.h), in order: what only order can tell
 *
 * Decoded entries borrow from the load, until it is used for another block.
 * Pure but for memory.
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
	PACK_GOOD,    /* proved: content, size and checksum agree */
	PACK_WRONG,   /* content does not agree with its TAIL */
	PACK_REFUSED, /* HEAD or TAIL says what is not allowed */
};

/* An entry that begins in this block. */
struct pack_member {
	struct pack_head head;
	struct pack_tail tail;             /* of a whole one */
	uint32_t at, content, content_end; /* offsets in the raw payload */
	enum pack_verdict verdict;
	uint32_t why;            /* not good: offset of the reason in .texts */
	uint32_t meta, meta_len; /* whole: its record for an index, in .meta */
	const uint8_t *piece;    /* its content if that is one DATA, not proved yet */
	void *user;              /* the caller's; NULL at first */
};

/* Entries without a block around them may be longer than those in one. */
#define PACK_LOAD_MAX (8u << 20)

struct pack_load {
	/* Set by the caller. */
	struct pack_block block;
	uint64_t at;         /* of the header, in the input */
	bool misplaced, gap; /* as the framing said; blocks before it are missing */
	bool want_hash;      /* prove the content */
	bool want_meta;      /* make records for the index */
	/* The payload. */
	struct buf stored, unpacked; /* at most PACK_LOAD_MAX */
	const uint8_t *raw;
	/* Without a block: bytes that content may name by REF instead of having them. */
	struct pack_bytes lent; /* borrowed; at NULL: none */
	uint8_t lent_id[PACK_REF_ID];
	uint32_t named; /* so many bytes of it content names */
	void *lender;   /* of whoever filled the load: */
	bool lent_done; /* its end was named */
	struct err bad; /* code: why the payload can't be used; ERR_NONE: it can */
	/* ENTRY: what is in it. */
	uint32_t lead_end; /* content of an entry that began before ends here */
	bool lead_ends;    /* with its TAIL: */
	struct pack_tail lead_tail;
	int lead_refused; /* the TAIL was refused; .lead_why */
	uint32_t lead_why;
	struct buf members; /* struct pack_member, whole ones */
	struct buf sums;    /* digests of their contents */
	bool has_trail;     /* one more begins here and goes on in the next block */
	struct pack_member trail;
	uint32_t broken_at; /* malformed from here on; PACK_BLOCK_NONE: not */
	uint32_t broken_why;
	struct buf meta, texts;
	/* Set by pack/chain.h. */
	uint8_t lead_sum[HASH_LEN]; /* of the entry that ends in the lead */
	/* Set by pack_reader_take. */
	bool lost_open; /* the entry that was open before is lost */
	bool lead_live; /* the lead belongs to the open entry */
	enum pack_verdict lead_verdict;
	const char *lead_reason;
	bool usable; /* members and trail are */
};

struct pack_load *pack_load_new(struct err *err);
void pack_load_free(struct pack_load *load);

/* Forgets what it held; block is set afresh by the caller afterwards. Returns
 * room for the stored payload, or NULL with err set. */
uint8_t *pack_load_room(struct pack_load *load, const struct pack_block *block, struct err *err);

/* Opens and decodes. digest, sums: the thread's own, used if want_hash. What is wrong
 * with the block is found in the load afterwards. Returns 0, or -1 with err
 * set: out of memory only. */
int pack_load_open(struct pack_load *load, struct pack_press *press, struct pack_digest *digest,
	struct sums *sums, struct err *err);

/* The same without a block: entries that the caller wrote to .unpacked itself,
 * as PACK_ENTRY blocks have them, but for REFs of what is in .lent. .block: kind, seq and
 * first are set. */
int pack_load_decode(
	struct pack_load *load, struct pack_digest *digest, struct sums *sums, struct err *err);

/* pack_item_get (pack/entry.h) for content of a load: a REF comes as the DATA that it names,
 * which is the load's. */
int pack_load_item(
	const struct pack_load *load, struct cbor_in *in, struct pack_item *item, struct err *err);

/* The whole entries that begin in the block. */
struct pack_member *pack_load_members(struct pack_load *load, size_t *count);

/* A reason kept in the load. */
const char *pack_load_text(const struct pack_load *load, uint32_t at);

#endif
