/* A sorted array of host ids. */
#include "rpc/deny.h"

#include <string.h>

#include "lib/err.h"
#include "lib/file.h"
#include "rpc/file.h"

void rpc_deny_init(struct rpc_deny *deny)
{
	buf_init(&deny->ids, (size_t)RPC_DENY_MAX * RPC_HOST_LEN);
}

void rpc_deny_fini(struct rpc_deny *deny)
{
	buf_fini(&deny->ids);
}

/* Where the id is, or would be; *found says which. In bytes. */
static size_t place(const struct rpc_deny *deny, const char *host, bool *found)
{
	size_t low = 0, high = deny->ids.len / RPC_HOST_LEN;

	*found = false;
	while (low < high && !*found) {
		size_t mid = low + (high - low) / 2;
		int order = memcmp(host, deny->ids.data + mid * RPC_HOST_LEN, RPC_HOST_LEN);

		if (order == 0)
			*found = true;
		if (order <= 0)
			high = mid;
		else
			low = mid + 1;
	}
	return high * RPC_HOST_LEN;
}

bool rpc_deny_has(const struct rpc_deny *deny, const char *host)
{
	bool found;

	place(deny, host, &found);
	return found;
}

int rpc_deny_add(struct rpc_deny *deny, const char *host, struct err *err)
{
	bool found;
	size_t at;

	if (!rpc_host_ok(host, strlen(host)))
		return err_set(err, ERR_FORMAT, "deny list: a host id is 32 hex digits");
	at = place(deny, host, &found);
	if (found)
		return 1;
	if (buf_room(&deny->ids, RPC_HOST_LEN, err) == NULL)
		return err_prefix(err, "deny list");
	memmove(deny->ids.data + at + RPC_HOST_LEN, deny->ids.data + at, deny->ids.len - at);
	memcpy(deny->ids.data + at, host, RPC_HOST_LEN);
	buf_took(&deny->ids, RPC_HOST_LEN);
	return 0;
}

/* Each line in turn: checked in a first pass, added in a second. */
static int each_line(
	struct rpc_deny *deny, const char *path, const struct buf *text, bool add, struct err *err)
{
	char host[RPC_HOST_LEN + 1] = "";
	size_t at;

	for (at = 0; at < text->len; at += RPC_HOST_LEN + 1) {
		const char *line = (const char *)text->data + at;

		if (text->len - at <= RPC_HOST_LEN || line[RPC_HOST_LEN] != '\n' ||
			!rpc_host_ok(line, RPC_HOST_LEN))
			return err_set(err, ERR_CONFIG, "%s:%zu: is no host id (32 hex digits)",
				path, at / (RPC_HOST_LEN + 1) + 1);
		memcpy(host, line, RPC_HOST_LEN);
		if (add && rpc_deny_add(deny, host, err) < 0)
			return -1;
	}
	return 0;
}

int rpc_deny_load(struct rpc_deny *deny, const char *path, struct err *err)
{
	struct buf text;
	int status;

	buf_init(&text, (size_t)RPC_DENY_MAX * (RPC_HOST_LEN + 1) + 4096);
	status = rpc_file_read(path, &text, false, err);
	if (status == 0)
		status = each_line(deny, path, &text, false, err);
	if (status == 0)
		status = each_line(deny, path, &text, true, err);
	buf_fini(&text);
	return status < 0 ? -1 : 0;
}

int rpc_deny_save(const struct rpc_deny *deny, const char *path, struct err *err)
{
	struct buf text;
	size_t at;
	int status = 0;

	buf_init(&text, (size_t)RPC_DENY_MAX * (RPC_HOST_LEN + 1));
	for (at = 0; at < deny->ids.len && status == 0; at += RPC_HOST_LEN) {
		status = buf_add(&text, deny->ids.data + at, RPC_HOST_LEN, err);
		if (status == 0)
			status = buf_add(&text, "\n", 1, err);
	}
	if (status == 0)
		status = file_write(path, text.data, text.len, 0600, err);
	buf_fini(&text);
	return status;
}
