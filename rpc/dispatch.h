/*
 * The one way of every request: identity -> role -> limits -> handler ->
 * access log.
 *
 * A service is a table of methods, made by who offers them (cmd/). A
 * connection has one for what its peer may ask. What a method may be asked
 * by whom, how long its parameters and its blob may be, how long it may take,
 * and the form of its parameters stand in its line of the table and nowhere
 * else; rpc/PROTOCOL.md says the same in CDDL.
 */
#ifndef FDUMP_RPC_DISPATCH_H
#define FDUMP_RPC_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cbormap.h"
#include "lib/err.h"
#include "rpc/identity.h"

struct rpc_call;

/* Most fields of a method's parameters. */
#define RPC_FIELDS_MAX 24

struct rpc_method {
	uint16_t number;                    /* on the wire; for ever */
	const char *name;                   /* in logs */
	unsigned roles;                     /* RPC_ROLE_BIT of each that may ask */
	uint32_t param_max;                 /* bytes of parameters, at most RPC_PAYLOAD_MAX */
	uint64_t blob_max;                  /* bytes of the request's blob; 0: it has none */
	int64_t deadline_ms;                /* longest time without progress: of answer or blob */
	const struct cbormap_field *fields; /* NULL: takes no parameters */
	/* Does it, or starts it. values are of the fields, in their order,
	 * borrowed for the length of the call. See rpc/call.h for what to do
	 * with the call. NULL: the method is only for NOTIFY. */
	void (*handler)(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
	/* Takes a NOTIFY. NULL: the method is only for REQUEST. */
	void (*notified)(
		void *ctx, const struct rpc_identity *peer, const struct cbormap_value *values);
};

/* What the access log has of a request, when it is over. */
struct rpc_access {
	const struct rpc_identity *peer;
	const char *address; /* of the peer, "192.0.2.1:4711" */
	const char *method;  /* name; "?" if there is none of that number */
	enum err_code status;
	const char *message; /* of the error; "" if it went well */
	int64_t ms;
	uint64_t bytes_in, bytes_out; /* of its blobs */
};

struct rpc_service {
	const struct rpc_method *methods;
	size_t count;
	void *ctx; /* of the handlers and the log */
	/* Once for each request and NOTIFY, whatever became of it. May be NULL. */
	void (*log)(void *ctx, const struct rpc_access *access);
};

/* Longest line of rpc_access_line, with its NUL. */
#define RPC_ACCESS_MAX 1024

/* Writes the line that an access log has: names escaped, no secrets. */
void rpc_access_line(char line[RPC_ACCESS_MAX], const struct rpc_access *access);

#endif
