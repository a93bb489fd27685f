/*
 * Small files of keys, certificates, lists, into a buffer. They are written
 * with lib/file.
 */
#ifndef FDUMP_RPC_FILE_H
#define FDUMP_RPC_FILE_H

#include <stdbool.h>

struct buf;
struct err;

/* Largest file of keys or certificates, in bytes. */
#define RPC_FILE_MAX (64 * 1024)

/* Reads the whole file into buf, which the caller has initialised and which is
 * empty, and puts a NUL behind it that buf->len does not count. A secret file
 * that others than its owner can read or write is refused with ERR_CONFIG.
 * Returns 0, 1 if there is no such file, or -1 with err set. */
int rpc_file_read(const char *path, struct buf *buf, bool secret, struct err *err);

#endif
