/*
 * The digest of a file's content, as its entry carries it. There are two kinds
 * (pack/FORMAT.md, section 4.5):
 *
 *   plain    SHA-256 of the content, holes as zero bytes: what sha256sum prints
 *   sparse   of a file with more than PACK_HOLES_MAX bytes of holes: SHA-256 over
 *            the blocks of 4 KiB that are not all zero, their offsets, and the
 *            size. Its cost follows the data, not the size.
 *
 * Either depends on the content alone, not on which zero bytes are holes. Digests
 * of different kinds can't be compared.
 *
 *   pack_digest_new -> (_begin -> _data, _hole ... -> _end)* -> pack_digest_free
 *
 * One thread at a time; it may move between threads.
 */
#ifndef FDUMP_PACK_DIGEST_H
#define FDUMP_PACK_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hash.h"

struct err;
struct pack_digest;
struct pack_item;

/* A file with more bytes of holes than this has a sparse digest. */
#define PACK_HOLES_MAX ((uint64_t)1 << 30)

/* NULL with err set: out of memory. It has begun a plain digest. */
struct pack_digest *pack_digest_new(struct err *err);
void pack_digest_free(struct pack_digest *digest);

/* Begins a content; what was added before is forgotten. */
void pack_digest_begin(struct pack_digest *digest, bool sparse);

/* The content, in order. */
void pack_digest_data(struct pack_digest *digest, const void *bytes, size_t len);
void pack_digest_hole(struct pack_digest *digest, uint64_t len);
/* One item of it, DATA or HOLE. */
void pack_digest_item(struct pack_digest *digest, const struct pack_item *item);

/* Writes the digest, and begins a plain one. No writer makes a plain one of more than
 * PACK_HOLES_MAX bytes of holes, which would take hours. Here such holes are left out: a
 * reader counts them too, and refuses what has more. */
void pack_digest_end(struct pack_digest *digest, uint8_t sum[HASH_LEN]);

#endif
