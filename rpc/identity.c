/* Roles, names, host ids. */
#include "rpc/identity.h"

#include <stdio.h>
#include <string.h>

#include "lib/err.h"

static const char *const roles[RPC_ROLES] = {
	[RPC_NOBODY] = "nobody",
	[RPC_AGENT] = "agent",
	[RPC_MANAGER] = "manager",
	[RPC_STORE] = "store",
	[RPC_OPERATOR] = "operator",
};

const char *rpc_role_name(enum rpc_role role)
{
	return role < RPC_ROLES ? roles[role] : "unknown";
}

enum rpc_role rpc_role_get(const void *text, size_t len)
{
	int role;

	for (role = RPC_AGENT; role < RPC_ROLES; role++)
		if (strlen(roles[role]) == len && memcmp(roles[role], text, len) == 0)
			return (enum rpc_role)role;
	return RPC_NOBODY;
}

bool rpc_host_ok(const void *text, size_t len)
{
	const char *p = text;
	size_t i;

	for (i = 0; i < len; i++)
		if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'f'))
			return false;
	return len == RPC_HOST_LEN;
}

int rpc_identity_set(struct rpc_identity *id, enum rpc_role role, const char *name,
	const char *host, struct err *err)
{
	struct rpc_identity got = {.role = role};

	if (role <= RPC_NOBODY || role >= RPC_ROLES)
		return err_set(err, ERR_FORMAT, "identity: no such role");
	if (name_check("identity", name, err) != 0) {
		if (err != NULL)
			err->code = ERR_FORMAT;
		return -1;
	}
	if (!rpc_host_ok(host, strlen(host)))
		return err_set(err, ERR_FORMAT, "identity: the host id has to be 32 hex digits");
	/* name and host may point into id. */
	strcpy(got.name, name);
	strcpy(got.host, host);
	*id = got;
	return 0;
}

int rpc_identity_signed(
	const struct rpc_issuer *issuer, enum rpc_role role, const char *name, struct err *err)
{
	const char *manager = issuer->manager;
	bool ok;

	if (manager[0] == 0)
		ok = role == RPC_OPERATOR;
	else if (role == RPC_MANAGER || role == RPC_OPERATOR)
		ok = strcmp(manager, name) == 0;
	else
		ok = role == RPC_AGENT || role == RPC_STORE;
	if (ok)
		return 0;
	return err_set(err, ERR_DENIED, "certificate: %s%s may not sign for %s %s",
		manager[0] != 0 ? "manager " : "the root", manager, rpc_role_name(role), name);
}

int rpc_identity_accepts(
	const struct rpc_identity *self, const struct rpc_identity *peer, struct err *err)
{
	if (peer->role != RPC_OPERATOR || peer->issuer.manager[0] == 0)
		return 0;
	if (self != NULL && self->role == RPC_MANAGER &&
		strcmp(self->name, peer->issuer.manager) == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		"certificate: operator %s, signed by manager %s, is accepted there alone",
		peer->name, peer->issuer.manager);
}

void rpc_identity_dns(char dns[RPC_DNS_MAX], enum rpc_role role, const char *name)
{
	snprintf(dns, RPC_DNS_MAX, "%s.%s.fdump", name, rpc_role_name(role));
}
