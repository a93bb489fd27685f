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
	if (role <= RPC_NOBODY || role >= RPC_ROLES)
		return err_set(err, ERR_FORMAT, "identity: no such role");
	if (!name_ok(name, strlen(name)))
		return err_set(err, ERR_FORMAT,
			"identity: the name has to be of a-z, 0-9, '-' and '.', at most %d",
			NAME_LEN_MAX);
	if (!rpc_host_ok(host, strlen(host)))
		return err_set(err, ERR_FORMAT, "identity: the host id has to be 32 hex digits");
	id->role = role;
	strcpy(id->name, name);
	strcpy(id->host, host);
	return 0;
}

void rpc_identity_dns(char dns[RPC_DNS_MAX], enum rpc_role role, const char *name)
{
	snprintf(dns, RPC_DNS_MAX, "%s.%s.fdump", name, rpc_role_name(role));
}
