/*
 * How a manager gives machines their certificates: the manager's side of
 * rpc/join.
 *
 * Enrolment has its own listener and its own TLS configuration, so that a
 * certificate is optional on no other connection. Before TLS the listener sends
 * the root's certificate in the clear. The client compares it with the
 * fingerprint in its token and then trusts only this root, with verification
 * REQUIRED and the manager's name expected. It sends the token's ticket and a
 * certificate request, and gets a certificate for the identity that the token
 * was made for, whatever the request says. With it come the fleet's public
 * keys, which the token vouches for, and the addresses of managers and stores.
 *
 * Renewal is a method on an ordinary connection: a new key, the same identity.
 * For managers and operators, whom only the root signs, see rpc/sponsor.
 *
 * Belongs to the loop's thread.
 */
#ifndef FDUMP_RPC_ENROLL_H
#define FDUMP_RPC_ENROLL_H

#include "rpc/dispatch.h"
#include "rpc/token.h"

struct rpc_call;
struct rpc_loop;

/* rpc's own methods; those of services begin at 16. */
enum { RPC_METHOD_ENROLL = 1, RPC_METHOD_RENEW = 2, RPC_METHOD_SPONSOR = 3, RPC_METHOD_GRANT = 4 };

/* Limits of what comes with the certificate. */
#define RPC_RECIPIENTS_MAX    16
#define RPC_RECIPIENT_LEN_MAX 256
#define RPC_MANAGERS_MAX      16
#define RPC_STORES_MAX        64
#define RPC_STORE_UID_LEN     16
#define RPC_STORE_KEY_LEN     32

struct rpc_enroll_manager {
	char name[NAME_LEN_MAX + 1];
	char addresses[RPC_ADDRESSES_MAX][RPC_HOST_PORT_MAX + 1];
	size_t address_count;
};

struct rpc_enroll_store {
	char name[NAME_LEN_MAX + 1];
	uint8_t uid[RPC_STORE_UID_LEN];
	uint8_t key[RPC_STORE_KEY_LEN]; /* public half of its permanent key */
	char address[RPC_HOST_PORT_MAX + 1];
};

struct rpc_enroll_result {
	/* PEM: the certificate and its intermediate; for a manager the intermediate
	 * alone. */
	char chain[RPC_CHAIN_MAX + 1];
	struct cbormap_blob recipients[RPC_RECIPIENTS_MAX]; /* public key files */
	size_t recipient_count;
	struct rpc_enroll_manager managers[RPC_MANAGERS_MAX];
	size_t manager_count;
	/* As many as fit; the fleet's plan has the rest. */
	struct rpc_enroll_store stores[RPC_STORES_MAX];
	size_t store_count;
};

/* Reads a result from CBOR. *result borrows from the bytes. Returns 0, or -1
 * with err set. */
int rpc_enroll_result_get(
	struct rpc_enroll_result *result, const uint8_t *bytes, size_t len, struct err *err);

/* The parameters that the client sends. */
struct rpc_enroll_request {
	uint8_t ticket[RPC_DIGEST_LEN];
	struct cbormap_blob csr; /* DER */
	uint8_t proof[RPC_DIGEST_LEN];
	uint8_t recipients[RPC_DIGEST_LEN];
};
extern const struct cbormap_field rpc_enroll_fields[];

struct rpc_enroll_server;

/* A request to enrol. It lives until it is answered, refused, or `gone`. */
struct rpc_enroll_ask {
	uint8_t hash[RPC_DIGEST_LEN];       /* of the ticket; identifies the token */
	uint8_t proof[RPC_DIGEST_LEN];      /* rpc_token_proof, for the token's holder to check */
	uint8_t recipients[RPC_DIGEST_LEN]; /* that the token vouches for: compare it first */
	const char *address;                /* of the client, for logs */
	uint8_t csr[RPC_CSR_MAX];
	size_t csr_len;
	void *tag; /* for the service */
	/* Private. */
	struct rpc_enroll_server *server;
	struct rpc_call *call;
	bool answered;
};

struct rpc_enroll_server_opts {
	const char *cert, *key, *ca_cert; /* paths: own certificate and key, root */
	const char *host, *port;          /* to listen on, as in rpc_listen_opts */
	void *arg;
	/* Decides, now or within RPC_ENROLL_MS, by rpc_enroll_answer or
	 * rpc_enroll_refuse. Mark the token as used, durably, before answering. */
	void (*asked)(void *arg, struct rpc_enroll_ask *ask);
	/* The client left, or time ran out, before it was answered. May be NULL. */
	void (*gone)(void *arg, struct rpc_enroll_ask *ask);
	void (*log)(void *arg, const struct rpc_access *access);                /* may be NULL */
	void (*refused)(void *arg, const char *address, const struct err *why); /* may be NULL */
};

#define RPC_ENROLL_MS  60000               /* how long the client waits */
#define RPC_ENROLL_MAX (RPC_CSR_MAX + 256) /* bytes in the parameters */

/* Loads the certificates and starts to listen. Copies opts; its strings are
 * borrowed. Returns NULL with err set on failure. */
struct rpc_enroll_server *rpc_enroll_server_new(
	struct rpc_loop *loop, const struct rpc_enroll_server_opts *opts, struct err *err);
unsigned rpc_enroll_server_port(const struct rpc_enroll_server *server);
/* Loads the certificate again, for new connections. Returns 0, or -1 with err
 * set and nothing changed. */
int rpc_enroll_server_reload(struct rpc_enroll_server *server, struct err *err);
/* Frees it; `gone` runs for each request that was not answered. */
void rpc_enroll_server_free(struct rpc_enroll_server *server);

/* Each ends the request. Strings must be within their limits. Stores that do
 * not fit are dropped; a result that is still too long is refused with
 * ERR_LIMIT. */
void rpc_enroll_answer(struct rpc_enroll_ask *ask, struct rpc_enroll_result *result);
void rpc_enroll_refuse(struct rpc_enroll_ask *ask, const struct err *why);

/* For a service's table: the row {RPC_METHOD_RENEW, "renew", roles,
 * RPC_RENEW_MAX, 0, ms, rpc_renew_fields, handler, NULL}, whose handler calls
 * rpc_renew_serve with the values it got. Roles are agent and store. */
#define RPC_RENEW_MAX (RPC_CSR_MAX + 64)
extern const struct cbormap_field rpc_renew_fields[]; /* of a struct cbormap_blob */
void rpc_renew_serve(struct rpc_ca *ca, struct rpc_call *call, const struct cbormap_value *values);

#endif
