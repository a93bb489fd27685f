/* Arbitrary bytes as a frame's header and as the payloads that the connection itself reads.
 * Accepted ones can be written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "rpc/dispatch.h"
#include "rpc/token.h"
#include "rpc/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void frame(const uint8_t *data, size_t size)
{
	uint8_t again[RPC_HEADER_LEN];
	struct rpc_header h;
	struct err err = {0};

	if (size < RPC_HEADER_LEN || rpc_header_get(&h, data, 1, &err) != 0)
		return;
	if (h.len > RPC_PAYLOAD_MAX)
		abort();
	rpc_header_put(again, &h);
	if (memcmp(again, data, sizeof again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_hello hello;
	struct rpc_token token;
	struct err err = {0}, status = {0};
	uint8_t mem[RPC_STATUS_MAX];

	frame(data, size);
	if (rpc_hello_get(&hello, data, size, &err) == 0 && hello.version_min > hello.version_max)
		abort();
	if (rpc_status_get(&status, data, size, &err) == 0) {
		/* Escaped: it moves no cursor, and is one line. */
		const unsigned char *p = (const unsigned char *)status.message;

		for (; *p != 0; p++)
			if (*p < 0x20 || *p == 0x7f)
				abort();
		if (rpc_status_put(mem, &status) > RPC_STATUS_MAX)
			abort();
	}
	rpc_token_parse(&token, (const char *)data, size, &err);
	return 0;
}
