/* Arbitrary bytes as a token, and as the map in one with the right checksum: refused, or a token
 * that is the same when it is written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "rpc/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(const char *text, size_t len)
{
	struct rpc_token token, again;
	char written[RPC_TOKEN_MAX];
	struct err err = {0};

	if (rpc_token_parse(&token, text, len, &err) != 0)
		return;
	if (rpc_token_text(written, &token, &err) != 0 ||
		rpc_token_parse(&again, written, strlen(written), &err) != 0 ||
		memcmp(&token, &again, sizeof token) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char prefix[] = "fdump-token:2:";
	char text[sizeof prefix + BASE64_LEN(1024 + 4)], *p;
	uint8_t map[1024 + 4], hash[HASH_LEN];

	if (hash_crypto_init(NULL) != 0)
		abort();
	try((const char *)data, size);
	if (size > 1024)
		return 0;
	strcpy(text, prefix);
	memcpy(map, data, size);
	hash_sha256(data, size, hash);
	memcpy(map + size, hash, 4);
	base64_encode(map, size + 4, text + sizeof prefix - 1);
	for (p = text + sizeof prefix - 1; *p != 0; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	text[strcspn(text, "=")] = 0;
	try(text, strlen(text));
	return 0;
}
