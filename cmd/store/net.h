/*
 * How services are reached: who we are, where a store of a name is, and which store it must be.
 * Made by the command or service that dials; store_access borrows it.
 */
#ifndef FDUMP_CMD_STORE_NET_H
#define FDUMP_CMD_STORE_NET_H

#include <stdint.h>

#include "cmd/store/store.h"

struct err;
struct rpc_times;

#define STORE_ADDRESS_MAX 256

struct store_address {
	char host[STORE_ADDRESS_MAX], port[8];
};

struct store_net {
	const char *cert, *key, *ca; /* paths, as rpc/tls.h has them */
	/* The address of a store. Returns 0, or -1 with err set: ERR_NOTFOUND. */
	int (*find)(void *ctx, const char *name, struct store_address *to, struct err *err);
	/* Compares the store that answered with the one that is known by this name, or keeps it if
	 * none is yet. Returns 0, or -1 with err set: ERR_DENIED. */
	int (*pin)(void *ctx, const char *name, const uint8_t uid[STORE_UID_LEN],
		const uint8_t public[SEAL_SIGN_LEN], struct err *err);
	void *ctx;
	const struct rpc_times *times; /* NULL: rpc_times_default */
	int64_t connect_ms;            /* until the first connection; 0: the patience */
};

#endif
