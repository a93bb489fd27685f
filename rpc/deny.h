/*
 * The deny list: host ids that are refused whatever their certificates say.
 *
 * A denial is kept with the manager that made it (the name of its intermediate,
 * and that one's host id), and is believed only on the connection to that
 * manager: nobody relays denials. A manager says all of its denials at once,
 * and what it says replaces what it said before. A host is refused as long as
 * one manager denies it.
 *
 * Denying the host id of a manager denies its intermediate: what that signed is
 * refused too (rpc/tls), its own denials are void (they are dropped), and it
 * can make no new ones. Of two managers that deny each other the one that was
 * believed first stays.
 *
 * rpc_deny_init -> rpc_deny_load -> rpc_deny_has, rpc_deny_replace ->
 * rpc_deny_save -> rpc_deny_fini. Belongs to the loop's thread. After a change
 * call rpc_listen_recheck and rpc_conn_recheck.
 *
 * As a file, a line each, ended by a newline: HOST MANAGER MANAGER'S-HOST.
 */
#ifndef FDUMP_RPC_DENY_H
#define FDUMP_RPC_DENY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "rpc/identity.h"

/* Most denials in a list. */
#define RPC_DENY_MAX 100000

struct rpc_denial {
	char host[RPC_HOST_LEN + 1];
	struct rpc_issuer by;
};

struct rpc_deny {
	struct buf denials; /* struct rpc_denial, sorted by host, then manager */
};

void rpc_deny_init(struct rpc_deny *deny);
void rpc_deny_fini(struct rpc_deny *deny);

bool rpc_deny_has(const struct rpc_deny *deny, const char *host);

/* Takes `count` host ids of RPC_HOST_LEN bytes, one after the other, as all
 * that this manager denies. by is the issuer of the certificate of the manager
 * at the other end: &rpc_conn_peer(conn)->issuer. A denial of its own host id
 * is left out. Returns
 * 0, 1 if nothing has changed, or -1 with err set, and nothing has changed:
 * ERR_DENIED (another manager denies this one), ERR_FORMAT, ERR_LIMIT. */
int rpc_deny_replace(struct rpc_deny *deny, const struct rpc_issuer *by, const void *hosts,
	size_t count, struct err *err);

/* Replaces the list by the file's. One that does not exist is an empty list. A
 * line that is malformed is ERR_CONFIG, and nothing has changed: half a list
 * would let somebody in. Returns 0 or -1. */
int rpc_deny_load(struct rpc_deny *deny, const char *path, struct err *err);
/* Writes the list to the file, atomically. Returns 0 or -1. */
int rpc_deny_save(const struct rpc_deny *deny, const char *path, struct err *err);

#endif
