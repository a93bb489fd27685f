/* Any bytes as parameters, held against a table with every type in it; lists
 * that were taken can be walked to their end. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/err.h"
#include "rpc/param.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rpc_field id = {.type = RPC_BYTES, .min = 1, .max = 32};
static const struct rpc_field inner[] = {
	{.key = "n", .type = RPC_INT, .need = true},
	{.key = "t", .type = RPC_TEXT, .max = 10},
	{0},
};
static const struct rpc_field map = {.type = RPC_MAP, .sub = inner};
static const struct rpc_field list = {.type = RPC_LIST, .max = 3, .of = &id};
static const struct rpc_field fields[] = {
	{.key = "u", .type = RPC_UINT, .min = 1, .max = 1000},
	{.key = "i", .type = RPC_INT},
	{.key = "b", .type = RPC_BOOL},
	{.key = "d", .type = RPC_BYTES, .max = 100},
	{.key = "t", .type = RPC_TEXT, .max = 100},
	{.key = "name", .type = RPC_NAME},
	{.key = "ids", .type = RPC_LIST, .max = 10, .of = &id},
	{.key = "maps", .type = RPC_LIST, .max = 10, .of = &map},
	{.key = "lists", .type = RPC_LIST, .max = 10, .of = &list},
	{.key = "map", .type = RPC_MAP, .sub = inner},
	{0},
};

static void walk(struct rpc_value *value, const struct rpc_field *of)
{
	struct rpc_value item, sub[2];
	uint64_t left = value->number;
	struct err err = {0};

	while (rpc_list_next(value, of, &item)) {
		left--;
		if (of->type == RPC_LIST)
			walk(&item, of->of);
		else if (of->type == RPC_MAP &&
			 rpc_params_get(sub, of->sub, item.bytes, item.len, &err) != 0)
			abort();
	}
	if (left != 0 || value->len != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_value v[10];
	struct err err = {0};
	size_t i;

	if (rpc_params_get(v, fields, data, size, &err) != 0) {
		if (err.code == ERR_NONE || err.message[0] == 0)
			abort();
		return 0;
	}
	for (i = 0; i < 10; i++)
		if (v[i].has && fields[i].type == RPC_LIST)
			walk(&v[i], fields[i].of);
	return 0;
}
