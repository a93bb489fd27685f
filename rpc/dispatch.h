/*
 * The path of every request: identity -> role -> limits -> handler -> access
 * log.
 *
 * A service is a table of methods, made by the module that offers them (cmd/).
 * A connection has one for what its peer may call. A method's row in the table,
 * and nothing else, says who may call it, how long its parameters and its blob
 * may be, how long it may take, and what its parameters are; rpc/PROTOCOL.md
 * says the same in CDDL.
 */
#ifndef FDUMP_RPC_DISPATCH_H
#define FDUMP_RPC_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cbormap.h"
#include "lib/err.h"
#include "rpc/identity.h"

struct rpc_call;

/* Most fields in a method's parameters. */
#define RPC_FIELDS_MAX 24

struct rpc_method {
	uint16_t number;                    /* on the wire; never changes */
	const char *name;                   /* for logs */
	unsigned roles;                     /* RPC_ROLE_BIT of each role that may call it */
	uint32_t param_max;                 /* bytes of parameters, at most RPC_PAYLOAD_MAX */
	uint64_t blob_max;                  /* bytes of the request's blob; 0: there must be none */
	int64_t deadline_ms;                /* longest time without progress, of answer or blob */
	const struct cbormap_field *fields; /* NULL: takes no parameters */
	/* Does the work, or starts it. values are those of the fields, in their order,
	 * borrowed until the handler returns. See rpc/call.h for what to do with the
	 * call. NULL: the method is only for NOTIFY. */
	void (*handler)(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
	/* Handles a NOTIFY. NULL: the method is only for REQUEST. */
	void (*notified)(
		void *ctx, const struct rpc_identity *peer, const struct cbormap_value *values);
};

/* The entry for a request in the access log, made when the request is over. */
struct rpc_access {
	const struct rpc_identity *peer;
	const char *address; /* of the peer, "192.0.2.1:4711" */
	const char *method;  /* name; "?" if there is no method of that number */
	enum err_code status;
	const char *message; /* of the error; "" if it succeeded */
	int64_t ms;
	uint64_t bytes_in, bytes_out; /* of its blobs */
};

struct rpc_service {
	const struct rpc_method *methods;
	size_t count;
	void *ctx; /* for the handlers and the log */
	/* Called once for each request and NOTIFY, whatever its outcome. May be NULL. */
	void (*log)(void *ctx, const struct rpc_access *access);
};

/* Longest line of rpc_access_line, with its NUL. */
#define RPC_ACCESS_MAX 1024

/* Writes the line for an access log: names escaped, no secrets. */
void rpc_access_line(char line[RPC_ACCESS_MAX], const struct rpc_access *access);

#endif
