/*
 * Parameters and results: one CBOR map with text keys, held against a small
 * table before any handler sees it. The table is the C form of the method's
 * CDDL in rpc/PROTOCOL.md. Pure, allocates nothing; strings are borrowed from
 * the payload.
 *
 *	static const struct rpc_field fields[] = {
 *		{.key = "name", .type = RPC_NAME, .need = true},
 *		{.key = "ids", .type = RPC_LIST, .max = 500, .of = &id_field},
 *		{0},
 *	};
 *	struct rpc_value v[2];
 *	if (rpc_params_get(v, fields, bytes, len, err) != 0) ...
 *
 * A key that the table does not have is passed by, so that a later version
 * can add some, unless it begins with an upper-case letter: then it must be
 * understood, and the whole is refused. A key that comes twice, a value of
 * another type or out of its limits, bytes behind the map: refused.
 */
#ifndef FDUMP_RPC_PARAM_H
#define FDUMP_RPC_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Levels of arrays and maps in a key's value. */
#define RPC_DEPTH_MAX 8

enum rpc_type {
	RPC_UINT = 1, /* min to max */
	RPC_INT,      /* any int64; min and max are not used */
	RPC_BOOL,
	RPC_BYTES, /* min to max bytes */
	RPC_TEXT,  /* min to max bytes of well-formed UTF-8 without NUL */
	RPC_NAME,  /* text of the grammar in lib/name */
	RPC_LIST,  /* min to max items, each as `of` has it */
	RPC_MAP,   /* a map as `sub` has it */
};

/* A table ends with a field without type. */
struct rpc_field {
	const char *key;
	enum rpc_type type;
	bool need; /* refused if it is not there */
	uint64_t min, max;
	const struct rpc_field *of;  /* RPC_LIST: of each item; its key is not used */
	const struct rpc_field *sub; /* RPC_MAP: a table */
};

struct rpc_value {
	bool has;
	uint64_t number;      /* UINT, BOOL; LIST: how many */
	int64_t integer;      /* INT */
	const uint8_t *bytes; /* BYTES, TEXT, NAME; LIST, MAP: the CBOR inside */
	size_t len;
};

/* Fills one value for each field of the table, in its order. No bytes at all
 * stand for an empty map. Returns 0, or -1 with err set: ERR_LIMIT for what is
 * too long or too large, ERR_UNSUPPORTED for a key that must be understood,
 * else ERR_FORMAT. */
int rpc_params_get(struct rpc_value *values, const struct rpc_field *fields, const void *bytes,
	size_t len, struct err *err);

/* Takes the next item of a list that rpc_params_get passed, from its front.
 * Returns true, or false at the end. Of a list of maps an item's bytes and
 * len are a map, to be read with rpc_params_get and the table. */
bool rpc_list_next(struct rpc_value *list, const struct rpc_field *of, struct rpc_value *item);

#endif
