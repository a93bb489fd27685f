/*
 * The digest of a file's content, as its entry carries it. There are two kinds (pack/FORMAT.md,
 * section 4.5):
 *
 *   plain    SHA-256 of the content, with holes as zero bytes: what sha256sum prints
 *   sparse   for a file with more than PACK_HOLES_MAX bytes of holes: SHA-256 over the
 *            4 KiB blocks that are not all zero, their offsets, and the size. Its cost
 *            follows the data, not the size.
 *
 * Both depend on the content alone, not on which zero bytes are holes. Digests of different
 * kinds can't be compared.
 *
 *   pack_digest_new -> (_begin -> _data, _hole ... -> _end)* -> pack_digest_free
 *
 * One thread at a time; a digest may move between threads.
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

/* Returns a digest that has begun as a plain one, or NULL with err set (out of memory). */
struct pack_digest *pack_digest_new(struct err *err);
void pack_digest_free(struct pack_digest *digest);

/* Begins a content and drops what was added before. */
void pack_digest_begin(struct pack_digest *digest, bool sparse);

/* Add content, in order. A plain digest ignores holes beyond PACK_HOLES_MAX bytes in all:
 * hashing them could take hours, no writer produces such an entry, and a reader counts the
 * holes too and refuses it. */
void pack_digest_data(struct pack_digest *digest, const void *bytes, size_t len);
void pack_digest_hole(struct pack_digest *digest, uint64_t len);
/* Adds one DATA or HOLE item. */
void pack_digest_item(struct pack_digest *digest, const struct pack_item *item);

/* Writes the digest, and begins a plain one. */
void pack_digest_end(struct pack_digest *digest, uint8_t sum[HASH_LEN]);

#endif
