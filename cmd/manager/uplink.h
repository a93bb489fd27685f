/*
 * The uplink: an agent's or a store's connections to all managers. Each manager is dialled and
 * stays connected; to each a hello is said when the connection is up, and again when something has
 * changed. The certificate is renewed over whichever connection is there, when it is due.
 *
 *   manager_uplink_new -> callbacks ... -> manager_uplink_free
 *
 * A manager tells of the others (manager.conf). One that is not in the list is dialled from then
 * on; one that is not connected is dialled at the address that is told, since its machine may have
 * been replaced. Both are kept in the file `managers` beside the certificate, with the host id of
 * each that was connected once. A manager needs a certificate of its name under the fleet's root,
 * so none can make up another one.
 *
 * A manager whose host id another one denies, on its own connection, is dropped: it is not dialled
 * any more, and not in the file. It is dialled again if a manager that denies it tells of it all
 * the same: then another machine has its name.
 *
 * All from the loop's thread. Which manager is followed: the first of the list whose connection is
 * up, or was within the last hour (manager_uplink_followed).
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
#define MANAGER_FOLLOW_SEC     3600   /* that a manager is followed after its connection was lost */
#define MANAGER_HELLO_EVERY_MS 300000 /* a hello is repeated: clocks, free space */

struct manager_uplink_peer {
	char name[NAME_LEN_MAX + 1];
	char host[256], port[8];
	char id[RPC_HOST_LEN + 1]; /* its host id, of its certificate; "": not known yet */
};

struct manager_uplink_opts {
	struct rpc_loop *loop;
	struct pool *pool; /* looks up hosts; drained by the caller's loop */
	struct rpc_tls_conf *conf;
	struct rpc_join_paths paths;             /* of the certificate that is renewed; borrowed */
	struct rpc_deny *deny;                   /* what managers deny is put there */
	const char *deny_path;                   /* and kept there; borrowed */
	const struct manager_uplink_peer *peers; /* copied */
	size_t peer_count;
	const struct rpc_service
		*service; /* what managers may ask: of an agent; NULL: only to say hello again */
	const struct rpc_times *times; /* NULL: default */
	void *ctx;
	/* Fills what is said. Version, clock, boot and expires are set already. */
	void (*hello)(void *ctx, size_t peer, struct manager_hello *hello);
	/* A manager has answered. The welcome is borrowed. */
	void (*welcome)(void *ctx, size_t peer, struct manager_welcome *welcome);
	/* A connection was lost, or did not come up. May be NULL. */
	void (*down)(void *ctx, size_t peer, const struct err *why);
	/* A manager was denied, and is dropped; its place stays, without a connection. May be
	 * NULL. */
	void (*dropped)(void *ctx, size_t peer);
	/* The certificate was renewed; the files are in place: load them, and call
	 * manager_uplink_conf. */
	void (*renewed)(void *ctx);
	/* The deny list has changed. May be NULL. */
	void (*denied)(void *ctx);
	/* Something for the log. */
	void (*log)(void *ctx, bool is_error, const char *text);
};

/* NULL with err set. */
struct manager_uplink *manager_uplink_new(const struct manager_uplink_opts *opts, struct err *err);
void manager_uplink_free(struct manager_uplink *uplink);

size_t manager_uplink_count(const struct manager_uplink *uplink);
const char *manager_uplink_name(const struct manager_uplink *uplink, size_t peer);
/* The connection, once the manager has said welcome; else NULL. */
struct rpc_conn *manager_uplink_conn(const struct manager_uplink *uplink, size_t peer);
/* The manager that is followed: its place; SIZE_MAX: none was reached in the last hour. */
size_t manager_uplink_followed(const struct manager_uplink *uplink);

/* Something that a hello says has changed: says it again, to all, soon. */
void manager_uplink_changed(struct manager_uplink *uplink);
/* A renewed certificate, for connections that come from now on. */
void manager_uplink_conf(struct manager_uplink *uplink, struct rpc_tls_conf *conf);

#endif
