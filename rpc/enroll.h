/*
 * How a machine comes to its certificate, and to the next one.
 *
 * Enrolment has its own listener and its own TLS configuration, so that on no
 * other connection a certificate is optional. Before TLS the listener sends
 * the CA's certificate in the clear; the one who enrols holds it against the
 * fingerprint in its token and then trusts it alone, with verification
 * REQUIRED and the manager's name expected. It shows the token's secret and a
 * request for a certificate, and gets one for the identity that the token was
 * made for, whatever the request says.
 *
 * Renewal is a method on an ordinary connection: a new key, the same identity.
 *
 * The client's side writes its three small files from the loop's thread.
 */
#ifndef FDUMP_RPC_ENROLL_H
#define FDUMP_RPC_ENROLL_H

#include "rpc/dispatch.h"
#include "rpc/token.h"

struct pool;
struct rpc_call;
struct rpc_conn;
struct rpc_listen;
struct rpc_loop;

/* Numbers of rpc's own methods; those of services begin at 16. */
enum { RPC_METHOD_ENROLL = 1, RPC_METHOD_RENEW = 2 };

/* --- The manager's side --- */

struct rpc_enroll_server;

struct rpc_enroll_server_opts {
	const char *cert, *key, *ca_cert; /* paths: the manager's own, and the root */
	struct rpc_ca *ca;                /* signs; borrowed */
	const char *host, *port;          /* to listen on, as rpc_listen_opts */
	void *arg;
	/* Takes the token with this hash out for ever, durably, before it
	 * returns 0 with the identity it was made for; 1 if there is none (never
	 * was, was used, is too old), -1 with err set. */
	int (*take)(void *arg, const uint8_t hash[RPC_DIGEST_LEN], struct rpc_identity *id,
		struct err *err);
	void (*log)(void *arg, const struct rpc_access *access);                /* may be NULL */
	void (*refused)(void *arg, const char *address, const struct err *why); /* may be NULL */
};

/* NULL with err set. */
struct rpc_enroll_server *rpc_enroll_server_new(
	struct rpc_loop *loop, const struct rpc_enroll_server_opts *opts, struct err *err);
unsigned rpc_enroll_server_port(const struct rpc_enroll_server *server);
void rpc_enroll_server_free(struct rpc_enroll_server *server);

/* For a service's table: the line {RPC_METHOD_RENEW, "renew", roles,
 * RPC_RENEW_MAX, 0, ms, rpc_renew_fields, handler, NULL}, with a handler that
 * calls rpc_renew_serve with the values it got. */
#define RPC_RENEW_MAX (RPC_CSR_MAX + 64)
extern const struct rpc_field rpc_renew_fields[];
void rpc_renew_serve(struct rpc_ca *ca, struct rpc_call *call, const struct rpc_value *values);

/* --- The side that gets a certificate --- */

struct rpc_enroll;

struct rpc_enroll_paths {
	const char *key, *cert; /* written when the certificate is there; 0600, 0644 */
	const char *ca;         /* enrolment only */
};

struct rpc_enroll_opts {
	struct rpc_token token;
	const char *host, *port;
	struct pool *pool; /* looks up the host; NULL: it must be numeric */
	struct rpc_enroll_paths paths;
	void *arg;
	/* Once; err is NULL if the files are there. */
	void (*done)(void *arg, const struct err *err);
};

/* Starts; done does not run from inside. NULL with err set. What is needed
 * later is copied. */
struct rpc_enroll *rpc_enroll_start(
	struct rpc_loop *loop, const struct rpc_enroll_opts *opts, struct err *err);
/* Renews over a connection to a manager. */
struct rpc_enroll *rpc_renew_start(struct rpc_conn *conn, const struct rpc_enroll_paths *paths,
	void (*done)(void *arg, const struct err *err), void *arg, struct err *err);
/* done will not run; frees. To be called only before done has run, which frees
 * by itself. */
void rpc_enroll_cancel(struct rpc_enroll *enroll);

#endif
