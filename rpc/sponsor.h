/*
 * Certificates that only the root signs, for managers and operators, although
 * the root's key is with a person and not on a server.
 *
 * The holder of the root's key (the sponsor) makes the token, gives the manager
 * the hash of its ticket (by a method of the manager's), and then sponsors it:
 * asks the manager to report when a machine comes with it (method 3, `sponsor`,
 * which waits), checks the proof in that report, signs, and returns the
 * certificate (method 4, `grant`). The manager only relays. It can't replace
 * the machine's key by another, because the proof takes the token's secret,
 * which it does not have. A machine that comes while nobody sponsors its token
 * is refused.
 *
 * Belongs to the loop's thread.
 */
#ifndef FDUMP_RPC_SPONSOR_H
#define FDUMP_RPC_SPONSOR_H

#include "rpc/enroll.h"

struct rpc_conn;

/* --- The manager's side --- */

struct rpc_sponsors;

/* Makes the table of sponsors. granted: the machine's chain (PEM) has come;
 * mark the token as used, and answer the ask with the chain and what belongs to
 * it. It returns 0, or -1 with err set, with which the ask is then refused.
 * Returns NULL with err set if out of memory. */
struct rpc_sponsors *rpc_sponsors_new(int (*granted)(void *arg, struct rpc_enroll_ask *ask,
					      const void *chain, size_t len, struct err *err),
	void *arg, struct err *err);
/* Ends all with ERR_CLOSED: waiting calls fail, asks are refused. NULL does
 * nothing. */
void rpc_sponsors_free(struct rpc_sponsors *sponsors);

/* Call it from `asked`: passes the ask to its sponsor. Returns 0, or -1 with
 * err set, and the caller must refuse the ask: ERR_NOTFOUND if nobody sponsors
 * it, ERR_BUSY if another ask has the same ticket. */
int rpc_sponsors_park(struct rpc_sponsors *sponsors, struct rpc_enroll_ask *ask, struct err *err);
/* Call it from `gone`, for any ask. */
void rpc_sponsors_gone(struct rpc_sponsors *sponsors, struct rpc_enroll_ask *ask);

/* For the service's table, the rows
 *
 * {RPC_METHOD_SPONSOR, "sponsor", RPC_ROLE_BIT(RPC_OPERATOR), RPC_SPONSOR_MAX, 0,
 *  RPC_TOKEN_SEC * 1000, rpc_sponsor_fields, handler, NULL} and
 * {RPC_METHOD_GRANT, "grant", RPC_ROLE_BIT(RPC_OPERATOR), RPC_GRANT_MAX, 0, 10000,
 *  rpc_grant_fields, handler, NULL},
 *
 * whose handlers call these functions with the values they got. */
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

/* Waits for the machine, and signs. token is the whole token, with the role
 * manager or operator; host is the host id to be assigned. root is borrowed
 * until done. done runs once, not from inside; err is NULL if the machine got
 * its certificate. Returns NULL with err set on failure. */
struct rpc_sponsor *rpc_sponsor_start(struct rpc_conn *conn, struct rpc_ca *root,
	const struct rpc_token *token, const char *host,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err);
/* Frees it; done will not run. Only before done has run. */
void rpc_sponsor_cancel(struct rpc_sponsor *sponsor);

#endif
