/*
 * The identity of a store: its files `fdump-store` and `identity`.
 */
#ifndef FDUMP_CMD_STORE_IDENTITY_H
#define FDUMP_CMD_STORE_IDENTITY_H

#include "cmd/store/engine.h"

/* The path of one of the store's files. */
#define ENGINE_PATH_MAX 4200
void engine_path(char path[ENGINE_PATH_MAX], const char *dir, const char *name);

/* Whether all files in the store's folder that are there have the expected type: no links, no
 * pipes. index: check the index too. Returns 0, or -1 with err set: ERR_CONFIG. */
int engine_check_files(const char *path, bool index, struct err *err);

/* Fill s from the store at s->path: _about the uid, the public key and the reserve, _identity the
 * secret key. Return 0, or -1 with err set: ERR_NOTFOUND, ERR_FORMAT, ERR_UNSUPPORTED. */
int engine_read_about(struct engine *s, struct err *err);
int engine_read_identity(struct engine *s, struct err *err);

/* Write the two files. Return 0, or -1 with err set. */
int engine_write_about(const char *path, const uint8_t *uid, const uint8_t *public,
	uint64_t reserve, struct err *err);
int engine_write_identity(const char *path, const uint8_t secret[SEAL_SIGN_LEN], struct err *err);

/* Writes the files again if one is missing or malformed. Without `identity` the store gets a new
 * key; without `fdump-store` it gets a new uid, and no reserve. Returns 0: nothing to do; 1:
 * written; -1 with err set. */
int engine_mend_identity(const char *path, struct err *err);

/* Sets err to "not an FDump store", and returns -1. */
int engine_is_none(const char *path, struct err *err);

#endif
