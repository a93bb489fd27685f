/*
 * The agent's local copy of the last manifest of a backup, with the stat data of each file. Files
 * that have not changed since then are not read again. See cmd/dump/CHUNKS.md, section 5. Losing
 * the copy costs time, never correctness.
 *
 *   writing: dump_previous_make -> _piece ... -> _commit | _drop
 *   reading: dump_previous_open -> _next ... -> dump_previous_close
 *
 * The file is used on this machine only: numbers are in the processor's byte order. Every piece has
 * a checksum; reading ends at the first piece whose checksum does not match.
 */
#ifndef FDUMP_CMD_DUMP_PREVIOUS_H
#define FDUMP_CMD_DUMP_PREVIOUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "cmd/store/dump.h"
#include "pack/entry.h"

struct buf;
struct err;
struct dump_previous;
struct dump_previous_out;
struct store_marks;

/* A file's times must be at least this old when the run that read it began: a later write within
 * the same clock tick would go unnoticed. */
#define DUMP_SETTLED_SEC 3

#define DUMP_STAT_NOWHERE UINT32_MAX

struct dump_stat {
	uint64_t fs; /* lib/fsid.h */
	uint64_t ino, size;
	int64_t mtime, ctime;
	uint64_t sum; /* first bytes of a small file's checksum; 0: not kept */
	uint32_t mtime_ns, ctime_ns;
	uint32_t mode;
	uint32_t settled; /* may be compared; otherwise the file must be read again */
	uint32_t at;      /* where its entry begins in the piece, or DUMP_STAT_NOWHERE */
	uint32_t zero;
};

/* Sets it from the stat data of a file on file system `fs`. ok: the file was read without a
 * problem, in a run that began at `began`. */
void dump_stat_set(
	struct dump_stat *to, const struct stat *st, uint64_t fs, bool ok, struct store_time began);
/* Whether it is the same file, and unchanged. */
bool dump_stat_same(const struct dump_stat *old, const struct stat *now, uint64_t fs);

/* Begins a new copy, in a temporary file beside path. Errors in writing are reported by _commit
 * only, since a backup succeeds without the copy. NULL with err set: out of memory. */
struct dump_previous_out *dump_previous_make(
	const char *path, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err);
/* Adds the next piece of the manifest, and the stat data of each entry that ends in it. */
void dump_previous_piece(struct dump_previous_out *out, const void *piece, size_t len,
	const struct dump_stat *stats, size_t count);
/* Puts the copy in place, as the manifest of this dump. Frees it in any case. Returns 0, or -1 with
 * err set (it could not be written) and the previous copy stays. */
int dump_previous_commit(
	struct dump_previous_out *out, const uint8_t dump[STORE_DUMP_ID], struct err *err);
/* Frees it without putting it in place. NULL does nothing. */
void dump_previous_drop(struct dump_previous_out *out);

/* An entry of the copy. bytes: all of it as encoded, from HEAD to TAIL; head: its HEAD, decoded. */
struct dump_old {
	struct pack_head head;
	const uint8_t *bytes;
	size_t len;
	struct dump_stat stat;
	bool lost; /* it names a lost chunk */
};

/* Opens the copy. lost: chunks (hash_xxh3 of their ids) that the stores no longer have, so entries
 * that name one can't be used; borrowed, and not to be changed until the copy is closed; NULL:
 * none. *dump: set to the id of the dump whose manifest it is. NULL if there is no copy for this
 * domain, or it can't be used. */
struct dump_previous *dump_previous_open(const char *path, const uint8_t domain[STORE_DOMAIN_LEN],
	const struct store_marks *lost, const uint8_t **dump);
void dump_previous_close(struct dump_previous *last);
/* Gets the next entry. Returns false at the end. *old is valid until the next call. */
bool dump_previous_next(struct dump_previous *last, struct dump_old *old);

/* Gets the REFs of an entry (HEAD to TAIL) if its content has this checksum and size, which is not
 * 0, and no HOLE. *items borrows from the entry. Pure. */
bool dump_old_content(const uint8_t *entry, size_t len, const uint8_t sum[HASH_LEN], uint64_t size,
	struct pack_bytes *items);
/* Finds an entry of a small file with this content, at any path, that names no lost chunk. Its
 * piece is read into *piece; *items are its REFs there. The first call makes a hash table of 10 to
 * 20 bytes for each small file; files after the first DUMP_FIND_MAX are not found. Any thread may
 * call it, also during dump_previous_next. */
#define DUMP_FIND_MAX (1u << 20)
bool dump_previous_find(struct dump_previous *last, const uint8_t sum[HASH_LEN], uint64_t size,
	struct buf *piece, struct pack_bytes *items);

#endif
