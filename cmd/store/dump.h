/*
 * A dump's record: what a store keeps of a backup besides its chunks, and the list of chunks that
 * it needs. See cmd/store/LAYOUT.md, section 4. Pure functions.
 *
 * A record is an HMAC-SHA-256 (32 bytes) followed by a CBOR map. The HMAC is over the map, under a
 * subkey of the domain's secret; it is zero in an open domain. The store reads the map, but relies
 * only on what it can check: that all chunks are there. Those who have a key check the HMAC.
 *
 * The list of chunks is not sealed: it is the ids of all chunks, 32 bytes each. The manifest's
 * pieces come first, in their order, then every other chunk once, in order of first use. The list
 * is cut into pieces, each an open record, after a chunk whose id ends in zero bits, at the latest
 * after STORE_LIST_MAX chunks. Readers do not depend on where it is cut.
 */
#ifndef FDUMP_CMD_STORE_DUMP_H
#define FDUMP_CMD_STORE_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/record.h"
#include "lib/name.h"

struct err;
struct buf;

#define STORE_DUMP_ID     16
#define STORE_DOMAIN_LEN  16         /* a domain's fingerprint */
#define STORE_DUMP_MAX    (1u << 20) /* bytes of a dump's record */
#define STORE_MAC_LEN     32
#define STORE_PLAN_LEN    8
#define STORE_NAME_MAX    NAME_LEN_MAX /* bytes of an agent's or a backup's name */
#define STORE_PATHS_MAX   4096
#define STORE_PATHS_LEN   (256u << 10) /* bytes of these paths that a record keeps */
#define STORE_LIST_ENTRY  36
#define STORE_LIST_MAX    32768               /* chunks in a piece of the list: 1 MiB */
#define STORE_CHUNKS_MAX  ((uint64_t)1 << 32) /* chunks of a dump */
#define STORE_LIST_PIECES 16384               /* pieces of a list */

struct store_time {
	int64_t sec;
	uint32_t nsec;
};

/* The map's fields. After decoding, all pointers point into the record's bytes. For encoding,
 * `paths` holds the items of a CBOR array, as store_dump_path reads them. */
struct store_dump {
	const uint8_t *mac;       /* STORE_MAC_LEN */
	const uint8_t *signed_at; /* what the HMAC is over: the map */
	size_t signed_len;
	const uint8_t *id;        /* "I", STORE_DUMP_ID bytes, random */
	const char *agent, *name; /* "A", "N": not NUL-terminated */
	size_t agent_len, name_len;
	const uint8_t *domain;    /* "D", STORE_DOMAIN_LEN bytes */
	bool sealed;              /* "W" is present */
	const uint8_t *ephemeral; /* of "W": the domain's secret for each recipient, in the */
	const uint8_t *wraps;     /* form of a record's wraps: STORE_WRAP_LEN bytes each */
	size_t wrap_count;
	struct store_time began, ended; /* "t", "e" */
	const uint8_t *base; /* "b": directory that relative paths start from; absolute */
	size_t base_len;
	const uint8_t *paths; /* "p": paths asked for: items of a CBOR array */
	size_t paths_len, path_count;
	uint64_t entries, content, statuses;    /* "s": totals; entries whose status is not ok */
	uint64_t manifest_chunks, manifest_len; /* "M": the manifest's pieces, bytes in all */
	uint64_t chunks;                        /* "C": chunks in the list */
	const uint8_t *lists; /* "L": ids of the list's pieces, STORE_ID_LEN bytes each */
	size_t list_count;
	/* "u": it has far fewer entries than this, the number that the previous dump had; 0: it has
	 * not. */
	uint64_t fewer_than;
	int64_t lock; /* "l": not to be deleted before; seconds since 1970; 0: no lock */
	/* "j": the job's slot (seconds since 1970; 0: the run was ordered), and the first bytes of
	 * the digest of the plan that had the job. plan NULL: the dump was not made for a job. */
	int64_t slot;
	const uint8_t *plan; /* STORE_PLAN_LEN */
};

/* Appends the record to `out`, with zeros in place of the HMAC, which the caller fills in. Does not
 * read mac, signed_at and signed_len. Returns 0, or -1 with err set: ERR_LIMIT, ERR_NOMEM. */
int store_dump_put(const struct store_dump *dump, struct buf *out, struct err *err);

/* Decodes a record; `dump` borrows from bytes. Returns 0, or -1 with err set: ERR_FORMAT,
 * ERR_UNSUPPORTED. */
int store_dump_get(struct store_dump *dump, const uint8_t *bytes, size_t len, struct err *err);

/* Sets *path and *len to the next of the paths asked for, borrowed from the record. *at must be
 * NULL at first. Returns false at the end. */
bool store_dump_path(
	const struct store_dump *dump, const uint8_t **at, const uint8_t **path, size_t *len);

#endif
