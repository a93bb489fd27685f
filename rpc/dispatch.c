/* Which method, and whether this peer may ask it so. */
#include "rpc/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/esc.h"
#include "rpc/wire.h"

static const struct rpc_method *find(const struct rpc_service *service, uint16_t number)
{
	size_t i;

	for (i = 0; service != NULL && i < service->count; i++)
		if (service->methods[i].number == number)
			return &service->methods[i];
	return NULL;
}

const struct rpc_method *rpc_dispatch_check(const struct rpc_service *service,
	const struct rpc_identity *peer, const struct rpc_header *h,
	const struct rpc_method **found, struct err *err)
{
	const struct rpc_method *m = find(service, h->method);

	*found = m;
	if (m == NULL || (h->kind == RPC_NOTIFY ? m->notified == NULL : m->handler == NULL)) {
		err_set(err, ERR_UNSUPPORTED, "method %u: unknown", h->method);
		return NULL;
	}
	if ((m->roles & RPC_ROLE_BIT(peer->role)) == 0) {
		err_set(err, ERR_DENIED, "method %s: not for the role %s", m->name,
			rpc_role_name(peer->role));
		return NULL;
	}
	if (h->len > m->param_max) {
		err_set(err, ERR_LIMIT, "method %s: %u bytes of parameters, at most %u are allowed",
			m->name, (unsigned)h->len, (unsigned)m->param_max);
		return NULL;
	}
	if ((h->flags & RPC_MORE) && m->blob_max == 0) {
		err_set(err, ERR_LIMIT, "method %s: takes no blob", m->name);
		return NULL;
	}
	return m;
}

void rpc_access_line(char line[RPC_ACCESS_MAX], const struct rpc_access *a)
{
	char message[ERR_MESSAGE_MAX];
	bool named = a->peer->role != RPC_NOBODY;

	esc_name(message, sizeof message, a->message, strlen(a->message));
	snprintf(line, RPC_ACCESS_MAX,
		"peer=%s role=%s host=%s from=%s method=%s status=%s ms=%" PRId64 " in=%" PRIu64
		" out=%" PRIu64 "%s%s",
		named ? a->peer->name : "-", rpc_role_name(a->peer->role),
		named ? a->peer->host : "-", a->address, a->method, err_name(a->status), a->ms,
		a->bytes_in, a->bytes_out, message[0] != 0 ? " error=" : "", message);
}
