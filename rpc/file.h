/*
 * Small files of keys and certificates: read whole, written atomically.
 */
#ifndef FDUMP_RPC_FILE_H
#define FDUMP_RPC_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;

/* Largest file of keys, certificates or tokens, in bytes. */
#define RPC_FILE_MAX (64 * 1024)

/* Writes the bytes under a temporary name beside path, with that mode
 * whatever the umask, syncs, renames, syncs the directory. Returns 0, or -1
 * with err set: path is then as it was. */
int rpc_file_write(const char *path, const void *bytes, size_t len, unsigned mode, struct err *err);

/* Reads the whole file into buf, which the caller has initialised, and puts a
 * NUL behind it that buf->len does not count. A secret file that others than
 * its owner can read or write is refused with ERR_CONFIG. Returns 0, 1 if
 * there is no such file, or -1 with err set. */
int rpc_file_read(const char *path, struct buf *buf, bool secret, struct err *err);

#endif
