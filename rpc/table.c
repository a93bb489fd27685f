/* The chains go through the calls themselves. */
#include "rpc/table.h"

#include <assert.h>
#include <stdlib.h>

#include "rpc/inner.h"

static struct rpc_call **chain_of(const struct rpc_table *t, uint64_t id)
{
	assert(t->size > 0 && (t->size & (t->size - 1)) == 0);
	return &t->chains[id & (t->size - 1)];
}

struct rpc_call *rpc_table_find(const struct rpc_table *t, uint64_t id)
{
	struct rpc_call *call = t->size > 0 ? *chain_of(t, id) : NULL;

	while (call != NULL && call->id != id)
		call = call->hash_next;
	return call;
}

int rpc_table_room(struct rpc_table *t)
{
	struct rpc_table larger = {.size = t->size > 0 ? 2 * t->size : 8};
	size_t i;

	if (t->count < t->size)
		return 0;
	larger.chains = calloc(larger.size, sizeof *larger.chains);
	if (larger.chains == NULL)
		return -1;
	for (i = 0; i < t->size; i++) {
		while (t->chains[i] != NULL) {
			struct rpc_call *call = t->chains[i];

			t->chains[i] = call->hash_next;
			rpc_table_add(&larger, call);
		}
	}
	assert(larger.count == t->count);
	free(t->chains);
	t->chains = larger.chains;
	t->size = larger.size;
	return 0;
}

void rpc_table_add(struct rpc_table *t, struct rpc_call *call)
{
	struct rpc_call **chain = chain_of(t, call->id);

	assert(t->count < t->size);
	call->hash_next = *chain;
	*chain = call;
	t->count++;
}

void rpc_table_remove(struct rpc_table *t, struct rpc_call *call)
{
	struct rpc_call **at = chain_of(t, call->id);

	while (*at != call) {
		assert(*at != NULL);
		at = &(*at)->hash_next;
	}
	*at = call->hash_next;
	t->count--;
}

void rpc_table_fini(struct rpc_table *t)
{
	assert(t->count == 0 && t->blobs == 0);
	free(t->chains);
}
