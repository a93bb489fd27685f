/*
 * The methods of a store (proto.h, rpc/PROTOCOL.md): the table that says who may ask what, and what
 * is done then. Identity: an agent reaches only dumps of its own name, and puts only into domains
 * that it has proved on this service; operators of the root list, read, delete and lock.
 */
#ifndef FDUMP_CMD_STORE_METHODS_H
#define FDUMP_CMD_STORE_METHODS_H

#include <stddef.h>

#include "rpc/dispatch.h"

struct store_guest;
struct store_jobs;
struct store_tend;

/* What the methods' handlers have as ctx. */
struct store_methods {
	struct store_jobs *jobs;
	struct store_tend *tend;
	/* A guest has ended a run. */
	void (*ended)(void *ctx, struct store_guest *guest);
	void *ctx;
};

extern const struct rpc_method store_methods[];
extern const size_t store_methods_count;

#endif
