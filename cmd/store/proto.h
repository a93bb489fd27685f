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

/* Results. */
struct store_greeting {
	uint8_t uid[STORE_UID_LEN], public[SEAL_SIGN_LEN];
	char version[65];
	struct store_about about;
};
struct store_commit_result {
	struct store_receipt receipt; /* only its time and signature */
	bool missing;                 /* there is no receipt: chunks are missing */
};
/* The fields that only agents get are the last ones. */
enum { STORE_ABOUT_OWN_USED = 8, STORE_ABOUT_OWN_QUOTA, STORE_ABOUT_LOCK_MAX, STORE_ABOUT_FIELDS };
enum { STORE_COMMIT_TIME, STORE_COMMIT_SIGNATURE, STORE_COMMIT_MISSING, STORE_COMMIT_FIELDS };
/* Of a store_greeting; a bool, the method's yes or no; a cbormap_blob with a bit for each id; a
 * store_commit_result. */
extern const struct cbormap_field store_about_fields[STORE_ABOUT_FIELDS + 1], store_flag_fields[],
	store_bits_fields[], store_result_fields[];

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
