/*
 * The open calls of one side of a connection, by id. For rpc/call and rpc/conn.
 */
#ifndef FDUMP_RPC_TABLE_H
#define FDUMP_RPC_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct rpc_call;

/* Chained, at least as many chains as calls: a power of two, or none. Ids follow
 * one another, so the id itself is a perfect hash. Zeroed is empty. */
struct rpc_table {
	struct rpc_call **chains;
	size_t count, size;
	/* Of them, with a request blob that began with credit and is not at its
	 * end; call.c keeps it. */
	unsigned blobs;
};

/* NULL if there is none of this id. */
struct rpc_call *rpc_table_find(const struct rpc_table *t, uint64_t id);
/* Makes room for one more. Returns 0, or -1: out of memory. */
int rpc_table_room(struct rpc_table *t);
/* Adds a call whose id is not there, after rpc_table_room. */
void rpc_table_add(struct rpc_table *t, struct rpc_call *call);
/* Removes a call that is there. */
void rpc_table_remove(struct rpc_table *t, struct rpc_call *call);
/* Frees the table, which must be empty. */
void rpc_table_fini(struct rpc_table *t);

#endif
