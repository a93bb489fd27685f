/*
 * The deny list: host ids that are refused whatever their certificates say.
 *
 * A denial is kept with the manager that made it (the manager's name in its
 * intermediate, and its host id), and is accepted only on the connection to
 * that manager: nobody relays denials. A manager always sends all of its
 * denials, which replace those it sent before. A host is refused as long as one
 * manager denies it.
 *
 * Denying the host id of a manager denies its intermediate: certificates that
 * it signed are refused too (rpc/tls), its own denials are dropped, and it can
 * make no new ones. If two managers deny each other, the denial that arrived
 * first counts.
 *
 * rpc_deny_init -> rpc_deny_load -> rpc_deny_has, rpc_deny_replace ->
 * rpc_deny_save -> rpc_deny_fini.
 *
 * Belongs to the loop's thread. After a change call rpc_listen_recheck and
 * rpc_conn_recheck.
 *
 * In a file each line is one denial, ended by a newline: HOST MANAGER
 * MANAGER'S-HOST.
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

/* Replaces all denials of a manager by `count` host ids of RPC_HOST_LEN bytes
 * each, one after the other. by is the issuer of the certificate of the manager
 * on the connection: &rpc_conn_peer(conn)->issuer. A denial of its own host id
 * is ignored. Returns 0; 1 if nothing has changed; or -1 with err set and the
 * list unchanged: ERR_DENIED (another manager denies this one), ERR_FORMAT,
 * ERR_LIMIT, ERR_NOMEM. */
int rpc_deny_replace(struct rpc_deny *deny, const struct rpc_issuer *by, const void *hosts,
	size_t count, struct err *err);

/* Replaces the list by the content of the file; a missing file is an empty
 * list. Returns 0, or -1 with err set and the list unchanged. A malformed line
 * is ERR_CONFIG, because half a list would let somebody in. */
int rpc_deny_load(struct rpc_deny *deny, const char *path, struct err *err);
/* Writes the list to the file, atomically. Returns 0, or -1 with err set. */
int rpc_deny_save(const struct rpc_deny *deny, const char *path, struct err *err);

#endif
