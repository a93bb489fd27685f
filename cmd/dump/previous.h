/*
 * The agent's own copy of the last manifest of a backup, with what the system
 * said of each file beside: what was not touched since is not read again. See
 * cmd/dump/CHUNKS.md, section 5. Losing it costs time, never correctness.
 *
 *   writing: dump_previous_make -> _piece ... -> _commit | _drop
 *   reading: dump_previous_open -> _next ... -> dump_previous_close
 *
 * The file is this machine's own: numbers stand as the processor has them.
 * Every piece has a check; at the first that does not agree reading ends as if
 * there were no more.
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

/* Times must lie this long before the run that read the file: what was written
 * in the same moment can't be told from it. */
#define DUMP_SETTLED_SEC 3

#define DUMP_STAT_NOWHERE UINT32_MAX

struct dump_stat {
	uint64_t fs; /* lib/fsid.h */
	uint64_t ino, size;
	int64_t mtime, ctime;
	uint64_t sum; /* the first bytes of a small file's checksum; 0: of none */
	uint32_t mtime_ns, ctime_ns;
	uint32_t mode;
	uint32_t settled; /* may be compared with; else the file is to be read again */
	uint32_t at;      /* where its entry begins in the piece; or DUMP_STAT_NOWHERE */
	uint32_t zero;
};

/* Of a file on this file system that was read well, or not, in a run that began at `began`. */
void dump_stat_set(
	struct dump_stat *to, const struct stat *st, uint64_t fs, bool ok, struct store_time began);
/* Whether it is the same file, and was not touched. */
bool dump_stat_same(const struct dump_stat *old, const struct stat *now, uint64_t fs);

/* Writes to a temporary name beside path. That it can't be written is told at the end, for a backup
 * is one without it. NULL with err set: out of memory. */
struct dump_previous_out *dump_previous_make(
	const char *path, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err);
/* The next piece of the manifest, and of each entry that ends in it. */
void dump_previous_piece(struct dump_previous_out *out, const void *piece, size_t len,
	const struct dump_stat *stats, size_t count);
/* Puts it in place, as what this dump has. It is freed in any case. Returns 0, or -1 with err set:
 * why it could not be written; what was there stays. */
int dump_previous_commit(
	struct dump_previous_out *out, const uint8_t dump[STORE_DUMP_ID], struct err *err);
void dump_previous_drop(struct dump_previous_out *out);

/* An entry: HEAD decoded; all its encoded bytes, HEAD to TAIL. */
struct dump_old {
	struct pack_head head;
	const uint8_t *bytes;
	size_t len;
	struct dump_stat stat;
	bool lost; /* it names a chunk that is lost */
};

/* lost: chunks (hash_xxh3 of their ids) that are not in the stores any more: what names one can't
 * be used; borrowed, and not changed until it is closed; NULL: none. *dump: set to the id of the
 * dump that it is of. NULL if there is none of this domain, or none that can be used. */
struct dump_previous *dump_previous_open(const char *path, const uint8_t domain[STORE_DOMAIN_LEN],
	const struct store_marks *lost, const uint8_t **dump);
void dump_previous_close(struct dump_previous *last);
/* Returns false at the end. *old is good until the next call. */
bool dump_previous_next(struct dump_previous *last, struct dump_old *old);

/* What names the content of an entry, HEAD to TAIL, in *items (borrowed from it; no HOLE is among
 * them): if it has this checksum and size, which is not 0. Pure. */
bool dump_old_content(const uint8_t *entry, size_t len, const uint8_t sum[HASH_LEN], uint64_t size,
	struct pack_bytes *items);
/* Finds an entry of a small file with this content, wherever it stands, of which no chunk is lost;
 * *items go into *piece. The
 * first call makes a table: 8 to 16 bytes for each small file, DUMP_FIND_MAX files at most, and
 * what is beyond is not found. Any thread, beside dump_previous_next. */
#define DUMP_FIND_MAX (1u << 20)
bool dump_previous_find(struct dump_previous *last, const uint8_t sum[HASH_LEN], uint64_t size,
	struct buf *piece, struct pack_bytes *items);

#endif
