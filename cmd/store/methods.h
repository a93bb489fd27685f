/*
 * The methods of a store (proto.h, rpc/PROTOCOL.md): the table that says who may ask what, and what
 * is done then. Identity: an agent reaches only dumps of its own name, and puts only into domains
 * that it has proved on this service; operators of the root list, read, delete and lock.
 */
#ifndef FDUMP_CMD_STORE_METHODS_H
#define FDUMP_CMD_STORE_METHODS_H

#include <stddef.h>

#include "rpc/dispatch.h"

/* The ctx of the handlers is a struct store_jobs. */
extern const struct rpc_method store_methods[];
extern const size_t store_methods_count;

#endif
