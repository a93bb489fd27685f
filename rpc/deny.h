/*
 * The deny list: host ids that are refused whatever their certificates say.
 * It only grows: the union of what all managers have refused.
 *
 * rpc_deny_init -> rpc_deny_load, rpc_deny_add -> rpc_deny_has -> rpc_deny_fini.
 * Belongs to the loop's thread. As a file: one id a line.
 */
#ifndef FDUMP_RPC_DENY_H
#define FDUMP_RPC_DENY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "rpc/identity.h"

/* Most ids in a list. */
#define RPC_DENY_MAX 100000

struct rpc_deny {
	struct buf ids; /* sorted, RPC_HOST_LEN bytes each */
};

void rpc_deny_init(struct rpc_deny *deny);
void rpc_deny_fini(struct rpc_deny *deny);

/* Returns 0 if it was added, 1 if it was there already, -1 with err set. */
int rpc_deny_add(struct rpc_deny *deny, const char *host, struct err *err);
bool rpc_deny_has(const struct rpc_deny *deny, const char *host);

/* Adds the ids of the file. One that does not exist is an empty list. A line
 * that is no id is ERR_CONFIG, and nothing is added: half a list would let
 * somebody in. Returns 0 or -1. */
int rpc_deny_load(struct rpc_deny *deny, const char *path, struct err *err);
/* Writes the list to the file, atomically. Returns 0 or -1. */
int rpc_deny_save(const struct rpc_deny *deny, const char *path, struct err *err);

#endif
