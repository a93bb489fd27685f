/*
 * Certificates that only the root signs, for managers and operators, while its
 * key lies with a person and not on a server.
 *
 * Who holds the root's key makes the token, gives the manager the hash of its
 * ticket (a method of the manager's), and then sponsors it: asks the manager to
 * be told when a machine comes with it (method 3, `sponsor`, which waits),
 * checks the proof in what it is told, signs, and hands the certificate back
 * (method 4, `grant`). The manager only passes on; it can't put another key in
 * the place of the machine's, for the proof takes the token's secret, which it
 * does not have. A machine that comes while nobody sponsors it is refused.
 *
 * Belongs to the loop's thread.
 */
#ifndef FDUMP_RPC_SPONSOR_H
#define FDUMP_RPC_SPONSOR_H

#include "rpc/enroll.h"

struct rpc_conn;

/* --- The manager's side --- */

struct rpc_sponsors;

/* granted: the machine has its chain (PEM); mark the token as used and answer
 * the ask with it, and with what comes with it. Returns 0, or -1 with err set:
 * then the ask is refused with that. NULL with err set. */
struct rpc_sponsors *rpc_sponsors_new(int (*granted)(void *arg, struct rpc_enroll_ask *ask,
					      const void *chain, size_t len, struct err *err),
	void *arg, struct err *err);
/* Who waits is answered with ERR_CLOSED, asks are refused. NULL does nothing. */
void rpc_sponsors_free(struct rpc_sponsors *sponsors);

/* From `asked`: passes it on. Returns 0, or -1 with err set, and the ask is to
 * be refused: ERR_NOTFOUND if nobody waits for it, ERR_BUSY if another asks
 * with the same ticket. */
int rpc_sponsors_park(struct rpc_sponsors *sponsors, struct rpc_enroll_ask *ask, struct err *err);
/* From `gone`, for any ask. */
void rpc_sponsors_gone(struct rpc_sponsors *sponsors, struct rpc_enroll_ask *ask);

/* For the service's table: handlers of
 * {RPC_METHOD_SPONSOR, "sponsor", RPC_ROLE_BIT(RPC_OPERATOR), RPC_SPONSOR_MAX, 0,
 *  RPC_TOKEN_SEC * 1000, rpc_sponsor_fields, handler, NULL} and
 * {RPC_METHOD_GRANT, "grant", RPC_ROLE_BIT(RPC_OPERATOR), RPC_GRANT_MAX, 0, 10000,
 *  rpc_grant_fields, handler, NULL}, which call these with the values they got. */
#define RPC_SPONSOR_MAX 64
#define RPC_GRANT_MAX   (RPC_CHAIN_MAX + 640)
extern const struct cbormap_field rpc_sponsor_fields[];
extern const struct cbormap_field rpc_grant_fields[];
void rpc_sponsor_serve(
	struct rpc_sponsors *sponsors, struct rpc_call *call, const struct cbormap_value *values);
void rpc_grant_serve(
	struct rpc_sponsors *sponsors, struct rpc_call *call, const struct cbormap_value *values);

/* --- The side that holds the root's key --- */

struct rpc_sponsor;

/* Waits for the machine, and signs. token is of role manager or operator, and
 * its maker's; host is the host id to be given. root is borrowed until done.
 * done runs once, not from inside; err is NULL if the machine has it. NULL with
 * err set. */
struct rpc_sponsor *rpc_sponsor_start(struct rpc_conn *conn, struct rpc_ca *root,
	const struct rpc_token *token, const char *host,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err);
/* done will not run; frees. To be called only before done has run. */
void rpc_sponsor_cancel(struct rpc_sponsor *sponsor);

#endif
