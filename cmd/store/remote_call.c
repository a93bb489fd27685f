/* A question to a store's service, and its answer. */
#include "cmd/store/remote.h"

#include <assert.h>

#include "cmd/store/proto.h"
#include "lib/uptime.h"
#include "rpc/client.h"
#include "rpc/wire.h"

void store_remote_wait(struct remote *r, int64_t until_ms)
{
	mutex_wait_until(&r->lock, &r->change, until_ms);
}

void store_remote_pause(int64_t ms)
{
	struct timespec t = uptime_timespec(ms);

	nanosleep(&t, NULL);
}

int store_remote_call(struct remote *r, struct rpc_client_request *request, struct cbor_out *params,
	const struct cbormap_field *fields, struct cbormap_value *values, struct buf *reply,
	struct buf *blob, struct err *err)
{
	assert(!cbor_out_full(params));
	request->params = params->start;
	request->len = cbor_out_len(params);
	if (rpc_client_call(r->client, request, reply, blob, err) != 0)
		return -1;
	if (fields == NULL || cbormap_get(values, fields, reply->data, reply->len, err) == 0)
		return 0;
	return err_prefix(err, "%s", r->base.name);
}

int store_remote_flag(struct remote *r, struct rpc_client_request *request, struct cbor_out *params,
	struct buf *blob, struct err *err)
{
	struct cbormap_value v[STORE_FLAG_FIELDS];
	struct buf reply;
	int ret;

	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = store_remote_call(r, request, params, store_flag_fields, v, &reply, blob, err);
	if (ret == 0)
		ret = v[STORE_FLAG_IS].number == 0;
	buf_fini(&reply);
	return ret;
}
