/*
 * A dump's record: what a store keeps of a backup besides its chunks, and the
 * list of chunks that it needs. See cmd/store/LAYOUT.md, section 4. Pure.
 *
 * A record is 32 bytes of HMAC-SHA-256 over what follows, under a subkey of the
 * domain's secret (zeros in an open domain), and a CBOR map. The store reads
 * the map and believes none of it but what it can check: that all chunks are
 * there. Those with a key check the HMAC.
 *
 * The list of chunks is plain: the 32 bytes of each one's id. The manifest's pieces come first, in
 * their order; then every other chunk once, in order of first use. It is cut into pieces, open
 * records of kind STORE_LIST, after a chunk whose id ends in zero bits, at the latest after
 * STORE_LIST_MAX chunks; readers don't depend on where.
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
#define STORE_NAME_MAX    NAME_LEN_MAX /* bytes of an agent's name, of a backup's */
#define STORE_PATHS_MAX   4096
#define STORE_PATHS_LEN   (256u << 10) /* bytes of these that a backup names */
#define STORE_LIST_ENTRY  36
#define STORE_LIST_MAX    32768               /* chunks in a piece of the list: 1 MiB */
#define STORE_CHUNKS_MAX  ((uint64_t)1 << 32) /* chunks of a dump */
#define STORE_LIST_PIECES 16384               /* pieces of a list */

struct store_time {
	int64_t sec;
	uint32_t nsec;
};

/* The map's fields. Decoded: all pointers go into the record's bytes. Encoding:
 * `paths` and `lists` are the encoded arrays' items, as store_dump_path_next
 * and _list read them. */
struct store_dump {
	const uint8_t *mac;       /* STORE_MAC_LEN */
	const uint8_t *signed_at; /* what the HMAC is over: the map */
	size_t signed_len;
	const uint8_t *id;        /* "I", STORE_DUMP_ID bytes, random */
	const char *agent, *name; /* "A", "N": no NUL at their end */
	size_t agent_len, name_len;
	const uint8_t *domain;    /* "D", STORE_DOMAIN_LEN bytes */
	bool sealed;              /* "W" is there */
	const uint8_t *ephemeral; /* of "W": the domain's secret for each recipient, as a */
	const uint8_t *wraps;     /* record's wraps: STORE_WRAP_LEN bytes each */
	size_t wrap_count;
	struct store_time began, ended; /* "t", "e" */
	const uint8_t *base;            /* "b": directory that relative paths began at; absolute */
	size_t base_len;
	const uint8_t *paths; /* "p": what was asked for: items of a CBOR array */
	size_t paths_len, path_count;
	uint64_t entries, content, statuses;    /* "s": totals; entries whose status is not ok */
	uint64_t manifest_chunks, manifest_len; /* "M": pieces of the manifest, their bytes */
	uint64_t chunks;                        /* "C": chunks in the list */
	const uint8_t *lists; /* "L": ids of the list's pieces, STORE_ID_LEN bytes each */
	size_t list_count;
	/* "u": it has far fewer entries than so many, which the one before had; 0: it has not. */
	uint64_t fewer_than;
	int64_t lock; /* "l": not to be deleted before; seconds since 1970; 0: none */
	/* "j": the job's slot (seconds since 1970; 0: run by order), and the first bytes of the
	 * digest of the plan that the job was in. plan NULL: it was made for no job. */
	int64_t slot;
	const uint8_t *plan; /* STORE_PLAN_LEN */
};

/* Appends the record to `out`, with zeros for the HMAC: put it at the front
 * afterwards. mac, signed_at and signed_len are not read. Returns 0, or -1 with
 * err set: ERR_LIMIT, ERR_NOMEM. */
int store_dump_put(const struct store_dump *dump, struct buf *out, struct err *err);

/* Reads a record. Returns 0, or -1 with err set: ERR_FORMAT, ERR_UNSUPPORTED. */
int store_dump_get(struct store_dump *dump, const uint8_t *bytes, size_t len, struct err *err);

/* Takes the next of the paths asked for; *at begins at NULL. Returns false at the end. */
bool store_dump_path(
	const struct store_dump *dump, const uint8_t **at, const uint8_t **path, size_t *len);

#endif
