/*
 * The uplink: the connections of an agent or store to all managers. It dials every manager and
 * stays connected. It says hello when a connection is up, and again when something has changed.
 * When the certificate is due it is renewed over any of the connections.
 *
 *   manager_uplink_new -> callbacks ... -> manager_uplink_free
 *
 * A welcome lists the other managers (manager.conf). A manager that is not in our list yet is added
 * and dialled. One that is not connected is dialled at its new address, as its machine may have
 * been replaced. Both are kept in the file `managers` next to the certificate, with the host id of
 * each manager that was connected once. Nobody can invent a manager, because it needs a certificate
 * of its name under the fleet's root.
 *
 * If a manager denies another one's host id, on its own connection, that other one is dropped: it
 * is not dialled any more, and removed from the file. It is dialled again if a manager that denies
 * it still lists its name: then another machine has that name.
 *
 * Loop thread only. The manager that is followed is the first in the list whose connection is up,
 * or was up within the last hour (manager_uplink_followed).
 */
#ifndef FDUMP_CMD_MANAGER_UPLINK_H
#define FDUMP_CMD_MANAGER_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/proto.h"
#include "rpc/conn.h"
#include "rpc/join.h"
#include "rpc/tls.h"

struct err;
struct manager_uplink;
struct pool;
struct rpc_deny;
struct rpc_loop;

#define MANAGER_UPLINKS_MAX    16
#define MANAGER_FOLLOW_SEC     3600   /* since its connection was lost; then another is followed */
#define MANAGER_HELLO_EVERY_MS 300000 /* hello is repeated, for clocks and free space */

struct manager_uplink_peer {
	char name[NAME_LEN_MAX + 1];
	char host[256], port[8];
	char id[RPC_HOST_LEN + 1]; /* host id in its certificate; "": not known yet */
};

struct manager_uplink_opts {
	struct rpc_loop *loop;
	struct pool *pool; /* for looking up hosts; the caller's loop drains it */
	struct rpc_tls_conf *conf;
	struct rpc_join_paths paths;             /* of the certificate to renew; borrowed */
	struct rpc_deny *deny;                   /* gets the host ids that managers deny */
	const char *deny_path;                   /* its file; borrowed */
	const char *managers_path;               /* the file `managers`; borrowed */
	const struct manager_uplink_peer *peers; /* copied */
	size_t peer_count;
	const struct rpc_service *service; /* methods that managers may call on an agent; NULL: only
					      "say hello again" */
	const struct rpc_times *times;     /* NULL: rpc_times_default */
	void *ctx;
	/* Fills in a hello. Version, clock, boot and expires are set already. */
	void (*hello)(void *ctx, size_t peer, struct manager_hello *hello);
	/* A manager has answered a hello. The welcome is borrowed. */
	void (*welcome)(void *ctx, size_t peer, const struct manager_welcome *welcome);
	/* A connection was lost, or could not be made, which is logged already. May be NULL. */
	void (*down)(void *ctx, size_t peer);
	/* A manager was denied, and is dropped; it keeps its index, without a connection. May be
	 * NULL. */
	void (*dropped)(void *ctx, size_t peer);
	/* The certificate was renewed, and its files are in place: load them, and call
	 * manager_uplink_conf. */
	void (*renewed)(void *ctx);
	/* The deny list has changed. May be NULL. */
	void (*denied)(void *ctx);
	/* A message for the log. */
	void (*log)(void *ctx, bool is_error, const char *text);
};

/* NULL with err set. */
struct manager_uplink *manager_uplink_new(const struct manager_uplink_opts *opts, struct err *err);
void manager_uplink_free(struct manager_uplink *uplink);

size_t manager_uplink_count(const struct manager_uplink *uplink);
const char *manager_uplink_name(const struct manager_uplink *uplink, size_t peer);
/* The connection, once the manager has answered a hello on it; otherwise NULL. */
struct rpc_conn *manager_uplink_conn(const struct manager_uplink *uplink, size_t peer);
/* The index of the manager that is followed; SIZE_MAX: none was connected in the last hour. */
size_t manager_uplink_followed(const struct manager_uplink *uplink);

/* Something in the hello has changed: says hello to all managers again. */
void manager_uplink_changed(struct manager_uplink *uplink);
/* Sets a renewed certificate, for future connections. */
void manager_uplink_conf(struct manager_uplink *uplink, struct rpc_tls_conf *conf);

#endif
