/*
 * Who a peer is: role, name and host id, as its certificate says.
 *
 * In a certificate the subject is CN=name, OU=role, serialNumber=host id, each
 * once, and the one DNS subjectAltName is "name.role.fdump": that is the name
 * a dialler expects, so that TLS itself checks role and name together. The
 * host id is 128 random bits, given at enrolment and kept through renewals;
 * deny lists go by it. Pure.
 */
#ifndef FDUMP_RPC_IDENTITY_H
#define FDUMP_RPC_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/name.h"

struct err;

enum rpc_role {
	RPC_NOBODY = 0, /* enrolling: has no certificate yet */
	RPC_AGENT,
	RPC_MANAGER,
	RPC_STORE,
	RPC_OPERATOR, /* a person's command line */
	RPC_ROLES
};

/* Sets of roles, as a method's table entry has them. */
#define RPC_ROLE_BIT(role) (1u << (role))

#define RPC_HOST_LEN 32 /* hex digits of a host id */

struct rpc_identity {
	enum rpc_role role;
	char name[NAME_LEN_MAX + 1];
	char host[RPC_HOST_LEN + 1];
};

/* "agent"; of RPC_NOBODY "nobody". */
const char *rpc_role_name(enum rpc_role role);
/* The role of that name; RPC_NOBODY if there is none. */
enum rpc_role rpc_role_get(const void *text, size_t len);

/* Fills *id. Returns 0, or -1 with err set to ERR_FORMAT: the name is outside
 * the grammar, the role is none that a certificate can have, or the host id
 * is not 32 lower-case hex digits. */
int rpc_identity_set(struct rpc_identity *id, enum rpc_role role, const char *name,
	const char *host, struct err *err);

/* True for 32 lower-case hex digits. */
bool rpc_host_ok(const void *text, size_t len);

/* Longest DNS form, with its NUL: "name.operator.fdump". */
#define RPC_DNS_MAX (NAME_LEN_MAX + 16)
/* Writes the DNS form of role and name. */
void rpc_identity_dns(char dns[RPC_DNS_MAX], enum rpc_role role, const char *name);

#endif
