/* The lines of an access log. */
#include "rpc/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/esc.h"

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
