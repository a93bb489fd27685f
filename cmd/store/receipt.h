/*
 * Receipts: a store's signed statement that a dump is complete and durable. A backup only counts as
 * done when its receipt was verified, never by an answer alone.
 *
 * Signed (Ed25519): "fdump receipt 1" NUL, store's uid, dump's id, SHA-256 of the dump's record,
 * time (64 bits, little-endian), agent's name. See cmd/store/LAYOUT.md, section 4. Pure functions.
 */
#ifndef FDUMP_CMD_STORE_RECEIPT_H
#define FDUMP_CMD_STORE_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/store/dump.h"
#include "lib/seal.h"

struct err;

#define STORE_UID_LEN 16 /* bytes of a store's own random id */

struct store_receipt {
	uint8_t store[STORE_UID_LEN];
	uint8_t dump[STORE_DUMP_ID];
	uint8_t record[32]; /* SHA-256 of the dump's record */
	int64_t time;       /* of the commit, seconds since 1970 */
	uint8_t signature[SEAL_SIG_LEN];
};

/* Fills in and signs a receipt. secret: the store's key. Returns 0, or -1 with err set. */
int store_receipt_make(struct store_receipt *receipt, const uint8_t uid[STORE_UID_LEN],
	const uint8_t secret[SEAL_SIGN_LEN], const struct store_dump *dump, const uint8_t *record,
	size_t len, int64_t time, struct err *err);

/* Checks that a receipt is for this store, dump and record, and is signed by the store's key.
 * Returns 0, or -1 with err set to ERR_DENIED: the receipt does not count. */
int store_receipt_check(const struct store_receipt *receipt, const uint8_t uid[STORE_UID_LEN],
	const uint8_t public[SEAL_SIGN_LEN], const struct store_dump *dump, const uint8_t *record,
	size_t len, struct err *err);

#endif
