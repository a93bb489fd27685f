/*
 * The service of the manager m1 over loopback, and the peers that dial it: agents, stores,
 * operators.
 *
 *   managed_setup (once a group) -> managed_start -> managed_dial -> managed_hello, managed_ask
 *   -> managed_hang_up -> managed_stop -> managed_teardown
 *
 * Its state is kept from one start to the next. There are certificates of a whole fleet
 * (peer_make_fleet). Except where a function returns something, a failure fails the test.
 */
#ifndef FDUMP_TEST_NET_MANAGED_H
#define FDUMP_TEST_NET_MANAGED_H

#include "cmd/manager/config.h"
#include "cmd/manager/proto.h"
#include "cmd/manager/row.h"
#include "cmd/manager/service.h"
#include "lib/buf.h"
#include "rpc/call.h"
#include "rpc/dial.h"
#include "rpc/loop.h"
#include "test/net/peer.h"

extern char managed_folder[256]; /* the manager's own folder is "manager" below it */
extern struct rpc_loop *managed_loop;
extern struct manager_service *managed_service;
extern char managed_log[65536]; /* its log since it was started */

int managed_setup(void **state);
int managed_teardown(void **state);
void managed_start(void);
void managed_stop(void);
/* While it is stopped: changes a byte of every entry in some tables of its database. */
void managed_damage(const char *const *tables, size_t count);
/* A configuration with the job "system" of these paths, as "\"/etc\"", on a* and the store s1. */
struct manager_config *managed_config(const char *paths);

/* A peer that dials. */
struct managed_peer {
	struct rpc_tls_conf *conf;
	struct rpc_dial *dial;
	struct rpc_conn *conn;
	struct rpc_service methods;
	bool down;
	unsigned notified, ordered;
	char job[64];
	/* The last call. */
	bool over;
	struct err result;
	struct buf reply, blob;
	const uint8_t *send; /* its own blob */
	size_t send_len;
};

/* Dials with the certificate of that name. p->conn is NULL if the manager refuses. */
void managed_dial(struct managed_peer *p, const char *file);
void managed_hang_up(struct managed_peer *p);
/* Starts a call, with a blob if there is one in p->send. */
void managed_call(struct managed_peer *p, uint16_t method, const void *params, size_t len);
/* The same, and waits for the end. Returns its result. */
enum err_code managed_ask(struct managed_peer *p, uint16_t method, const void *params, size_t len);
/* Completes h, and says hello. Returns the result; w is set if that is ERR_NONE. */
enum err_code managed_hello(
	struct managed_peer *p, struct manager_hello *h, struct manager_welcome *w);
/* Asks for the alarm of that id. Returns whether there is one. */
bool managed_alarm(struct managed_peer *operator, const char * id, struct manager_alarm_row *alarm);

#endif
