/*
 * How a machine gets and renews its certificate: the other side of rpc/enroll.
 *
 * The client compares the root's certificate, which comes before TLS, with the
 * fingerprint in its token, and then trusts only this root, with verification
 * REQUIRED and the manager's name expected. It makes a key, sends the token's
 * ticket and a certificate request, and trusts nothing in the answer before it
 * is checked: the certificate leads to that root, is for its key, and has the
 * role and name in the token; the public keys are those that the token vouches
 * for. A renewal puts the key in place last, so that the old pair stays valid
 * until then. When a machine joins, its certificate is written last of all
 * files, because it makes the machine a member of the fleet, and its service
 * may start.
 *
 * A new manager asks for its intermediate, and makes its own certificate
 * itself. Agents and stores renew over an ordinary connection to a manager; a
 * manager renews with rpc_join_issue.
 *
 * Belongs to the loop's thread, in which the small files are written.
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
	const char *ca;         /* the root's certificate: written by enrolment, read by renewal */
	const char *int_key, *int_cert; /* a manager's intermediate; otherwise unused */
};

struct rpc_join_opts {
	struct rpc_token token;
	struct pool *pool; /* looks up host names; NULL: they must be numeric */
	struct rpc_join_paths paths;
	void *arg;
	/* Everything has been checked, but nothing is in place yet: save what is needed
	 * of the result, which is borrowed. Returns 0, or -1 with err set, which ends the
	 * enrolment. May be NULL. */
	int (*take)(void *arg, const struct rpc_enroll_result *result, struct err *err);
	/* Runs once; err is NULL if the files are in place. */
	void (*done)(void *arg, const struct err *err);
};

/* Starts; done does not run from inside. The token's addresses are tried one
 * after the other. Copies everything except the paths. Returns NULL with err
 * set on failure. */
struct rpc_join *rpc_join_start(
	struct rpc_loop *loop, const struct rpc_join_opts *opts, struct err *err);
/* Renews over a connection to a manager. The file `cert` must exist, and the
 * new certificate must have its identity. Returns as rpc_join_start. */
struct rpc_join *rpc_join_renew(struct rpc_conn *conn, const struct rpc_join_paths *paths,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err);
/* Frees it; done will not run. Only before done has run, because the end frees
 * it too. */
void rpc_join_cancel(struct rpc_join *join);

/* Call this before using the files. If a process ended, or a machine lost
 * power, between writing the certificate and its key, the key is still in
 * KEY.new, and is put in place now. A KEY.new that does not belong to the
 * certificate is removed; without a certificate nothing changes. Returns 0, or
 * -1 with err set. */
int rpc_join_mend(const char *key_path, const char *cert_path, struct err *err);

/* Makes a new key and certificate with a CA on this machine, for a manager that
 * sets itself up or renews its own. Returns 0, or -1 with err set. */
int rpc_join_issue(struct rpc_ca *ca, const struct rpc_identity *id, const char *key_path,
	const char *cert_path, struct err *err);

#endif
