/*
 * What a store is known by: its files `fdump-store` and `identity`.
 */
#ifndef FDUMP_CMD_STORE_IDENTITY_H
#define FDUMP_CMD_STORE_IDENTITY_H

#include "cmd/store/engine.h"

/* The path of one of the store's files. */
#define ENGINE_PATH_MAX 4200
void engine_path(char path[ENGINE_PATH_MAX], const char *dir, const char *name);

/* Whether all that is in the store's folder is what it should be, and no link or pipe. index: with
 * the index. Returns 0, or -1 with err set: ERR_CONFIG. */
int engine_check_files(const char *path, bool index, struct err *err);

/* Fill s from the store at s->path: uid, public and reserve; the secret half. Return 0, or -1 with
 * err set: ERR_NOTFOUND, ERR_FORMAT, ERR_UNSUPPORTED. */
int engine_read_about(struct engine *s, struct err *err);
int engine_read_identity(struct engine *s, struct err *err);

/* Write the two files. */
int engine_write_about(const char *path, const uint8_t *uid, const uint8_t *public,
	uint64_t reserve, struct err *err);
int engine_write_identity(const char *path, const uint8_t secret[SEAL_SIGN_LEN], struct err *err);

/* Makes both anew if they are missing or malformed: new keys, and a new uid if that is lost.
 * Returns 0: nothing to do; 1: made; -1 with err set. */
int engine_mend_identity(const char *path, struct err *err);

/* Sets err, and returns -1: the directory is not a store. */
int engine_is_none(const char *path, struct err *err);

#endif
