/*
 * How a machine gets its certificate, and the next one: the other side of
 * rpc/enroll.
 *
 * Who joins compares the root's certificate, which comes before TLS, with the
 * fingerprint in its token, and then trusts it alone, with verification
 * REQUIRED and the manager's name expected. It makes a key, shows the token's
 * ticket and a request for a certificate, and believes nothing of the answer
 * before it is checked: the certificate leads to that root, is for its key, and
 * for the role and name in the token; the public keys are those that the token
 * vouches for. At a renewal the key is put in place last, so that what was there
 * stays good until then. When a machine joins, its certificate is the last of all
 * files: it is what makes it one of the fleet, and its service may start.
 *
 * A new manager asks for its intermediate, and makes its own certificate by
 * itself. Agents and stores renew over an ordinary connection to a manager; a
 * manager by rpc_join_issue.
 *
 * The small files are written from the loop's thread.
 */
#ifndef FDUMP_RPC_JOIN_H
#define FDUMP_RPC_JOIN_H

#include "rpc/enroll.h"

struct pool;
struct rpc_conn;

struct rpc_join;

/* Borrowed until it is over. */
struct rpc_join_paths {
	const char *key, *cert; /* written: 0600, 0644 */
	const char *ca;         /* the root's certificate: enrolment writes, renewal reads it */
	const char *int_key, *int_cert; /* a manager's intermediate; else not used */
};

struct rpc_join_opts {
	struct rpc_token token;
	struct pool *pool; /* looks up hosts; NULL: they must be numeric */
	struct rpc_join_paths paths;
	void *arg;
	/* All is checked, but nothing is in place yet: keeps what is to be kept of
	 * the result, which is borrowed. Returns 0, or -1 with err set: then it ends
	 * there. May be NULL. */
	int (*take)(void *arg, const struct rpc_enroll_result *result, struct err *err);
	/* Once; err is NULL if the files are there. */
	void (*done)(void *arg, const struct err *err);
};

/* Starts; done does not run from inside. The addresses in the token are tried
 * one after the other. NULL with err set. All but the paths is copied. */
struct rpc_join *rpc_join_start(
	struct rpc_loop *loop, const struct rpc_join_opts *opts, struct err *err);
/* Renews over a connection to a manager: `cert` must be there, and the new one
 * must have its identity. */
struct rpc_join *rpc_join_renew(struct rpc_conn *conn, const struct rpc_join_paths *paths,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err);
/* done will not run; frees. To be called only before done has run, which frees
 * by itself. */
void rpc_join_cancel(struct rpc_join *join);

/* To be called before the files are used: a process that ended, or a machine
 * that lost power, between the certificate and its key left the key as KEY.new,
 * and that is put in place now. What is there for no certificate is removed.
 * Returns 0 or -1. */
int rpc_join_mend(const char *key_path, const char *cert_path, struct err *err);

/* A new key and certificate by a CA that is at hand: of a manager that sets
 * itself up, or renews its own. Returns 0 or -1. */
int rpc_join_issue(struct rpc_ca *ca, const struct rpc_identity *id, const char *key_path,
	const char *cert_path, struct err *err);

#endif
