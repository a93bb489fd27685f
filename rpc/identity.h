/*
 * Who a peer is, and who vouches for it: the role, name and host id in its
 * certificate, and the issuer that signed it.
 *
 * There is one root and, for each manager, an intermediate below it.
 *
 *   certificate    subject                                        signed by
 *   root           CN=label, O=fdump root                         itself
 *   intermediate   CN=manager, O=fdump manager, serialNumber=host  root
 *   end            CN=name, OU=role, serialNumber=host            either
 *
 * Each attribute occurs exactly once. An end certificate has one
 * subjectAltName, the DNS name NAME.ROLE.fdump. This is the name that a dialler
 * expects, so that TLS itself checks role and name together. Names follow
 * lib/name; role is agent, manager, store or operator. The host id is 128
 * random bits, assigned at enrolment and kept through renewals; deny lists use
 * it. An intermediate has the host id of its manager.
 *
 * Who may sign for whom, which every peer checks:
 *
 *   the root           operators of any name
 *   manager M's        agents and stores of any name, M.manager, M.operator
 *
 * Everyone accepts an operator that the root signed. Only manager M accepts
 * M.operator, signed by M. Pure.
 */
#ifndef FDUMP_RPC_IDENTITY_H
#define FDUMP_RPC_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

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

/* Sets of roles, as in a method's row in the table. */
#define RPC_ROLE_BIT(role) (1u << (role))

#define RPC_HOST_LEN 32 /* hex digits of a host id */

/* Whose intermediate signed a certificate; both are empty for the root. */
struct rpc_issuer {
	char manager[NAME_LEN_MAX + 1];
	char host[RPC_HOST_LEN + 1];
};

struct rpc_identity {
	enum rpc_role role;
	char name[NAME_LEN_MAX + 1];
	char host[RPC_HOST_LEN + 1];
	struct rpc_issuer issuer;
};

/* "agent"; "nobody" for RPC_NOBODY. */
const char *rpc_role_name(enum rpc_role role);
/* The role of that name; RPC_NOBODY if there is none. */
enum rpc_role rpc_role_get(const void *text, size_t len);

/* Sets role, name and host, and clears the issuer, which depends on the signer.
 * Returns 0, or -1 with err set to ERR_FORMAT: the name does not follow the
 * grammar, a certificate can't have the role, or the host id is not 32
 * lower-case hex digits. */
int rpc_identity_set(struct rpc_identity *id, enum rpc_role role, const char *name,
	const char *host, struct err *err);

/* Checks that this issuer may sign for such an identity, by the second table.
 * Returns 0, or -1 with err set to ERR_DENIED. */
int rpc_identity_signed(
	const struct rpc_issuer *issuer, enum rpc_role role, const char *name, struct err *err);

/* Checks that self talks to a peer whose certificate rpc_identity_signed
 * allows. self is NULL for a client that enrols. Returns 0, or -1 with err set
 * to ERR_DENIED. */
int rpc_identity_accepts(
	const struct rpc_identity *self, const struct rpc_identity *peer, struct err *err);

/* True for 32 lower-case hex digits. */
bool rpc_host_ok(const void *text, size_t len);

/* The longest DNS form, with its NUL: "name.operator.fdump". */
#define RPC_DNS_MAX (NAME_LEN_MAX + 16)
/* Writes the DNS form of role and name. */
void rpc_identity_dns(char dns[RPC_DNS_MAX], enum rpc_role role, const char *name);

#endif
