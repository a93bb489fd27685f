/*
 * The methods of a store: their numbers, parameters and results, shared by the service (methods.c)
 * and its client (remote*.c). rpc/PROTOCOL.md has the same in CDDL. Pure functions.
 */
#ifndef FDUMP_CMD_STORE_PROTO_H
#define FDUMP_CMD_STORE_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/store/proof.h"
#include "cmd/store/store.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/cbormap.h"

#define STORE_PORT "7421"

enum store_method {
	STORE_METHOD_ABOUT = 16,
	STORE_METHOD_BEGIN = 17,
	STORE_METHOD_HAVE = 18,
	STORE_METHOD_PUT = 19,
	STORE_METHOD_COMMIT = 20,
	STORE_METHOD_END = 21,
	STORE_METHOD_DUMPS = 22,
	STORE_METHOD_HOLD = 23,
	STORE_METHOD_GET = 24,
	STORE_METHOD_DELETE = 25,
	STORE_METHOD_LOCK = 26,
	STORE_METHOD_TRUST_CLOCK = 32,
};

#define STORE_LISTING_MAX (64u << 20) /* bytes of a list of dumps */
#define STORE_PARAMS_MAX  1024        /* bytes of parameters, except for STORE_METHOD_HAVE */
#define STORE_HAVE_PARAMS (128 + STORE_HAVE_MAX * STORE_ID_LEN)

/* Parameters of all methods. Each uses the fields of its table, and leaves the others zero. */
struct store_params {
	uint8_t run[STORE_RUN_LEN];
	uint8_t domain[STORE_DOMAIN_LEN], id[STORE_ID_LEN];
	uint8_t dump[STORE_DUMP_ID]; /* begin: the base dump */
	char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
	uint8_t public[SEAL_SIGN_LEN], proof[SEAL_SIG_LEN];
	struct cbormap_blob ids; /* borrowed */
	uint64_t size, after;
	int64_t until;
	struct store_receipt first; /* commit: of another store; only time, store and signature */
};
extern const struct cbormap_field store_begin_fields[], store_have_fields[], store_put_fields[],
	store_commit_fields[], store_end_fields[], store_dumps_fields[], store_dump_fields[],
	store_get_fields[];

/* Results; the values are in the order of these tables. */
struct store_greeting {
	uint8_t uid[STORE_UID_LEN], public[SEAL_SIGN_LEN];
	struct store_about about;
};
enum {
	STORE_ABOUT_UID,
	STORE_ABOUT_PUBLIC,
	STORE_ABOUT_VERSION,
	STORE_ABOUT_TIME,
	STORE_ABOUT_FREE,
	STORE_ABOUT_RESERVE,
	STORE_ABOUT_SIZE,
	STORE_ABOUT_USED,
	STORE_ABOUT_OWN_USED, /* only to agents */
	STORE_ABOUT_OWN_QUOTA,
	STORE_ABOUT_LOCK_MAX,
	STORE_ABOUT_FIELDS
};
enum { STORE_FLAG_IS, STORE_FLAG_FIELDS }; /* "is": the method's yes or no */
enum { STORE_BITS_HAS, STORE_BITS_FIELDS };
enum { STORE_RECEIPT_TIME, STORE_RECEIPT_SIGNATURE, STORE_RECEIPT_MISSING, STORE_RECEIPT_FIELDS };
extern const struct cbormap_field store_about_fields[], store_flag_fields[], store_bits_fields[],
	store_receipt_fields[];

/* The form of a list of dumps, and of the answer to STORE_METHOD_HOLD: one item for each dump.
 * entry = [seq: uint, committed: int, lock: int, damaged: bool, copied: bool, signature: bytes
 * .size 64, id: bytes .size 16, record: bytes / null] store_entry_put appends an entry. Returns 0,
 * or -1 with err set. */
int store_entry_put(struct buf *out, const struct store_entry *entry, struct err *err);
/* Reads the next entry, which borrows from the bytes. uid: of the store, for the receipt. Returns
 * 0; 1 at the end; -1 with err set. */
int store_entry_next(struct cbor_in *in, const uint8_t uid[STORE_UID_LEN],
	struct store_entry *entry, struct err *err);

#endif
