/*
 * Chains: digests (pack/digest.h) of contents that span several blocks, computed in parallel
 * with the reader.
 *
 * One chain can't be parallelised, because each block continues the hash of the previous one.
 * But the chains of different files are independent. So only the parts of one chain must stay
 * in order, and a reader with several blocks in memory can hash several files at once.
 *
 * For each load, after pack_load_open and before pack_reader_take:
 *
 *   pack_chain_begin  any thread, any order: starts the chain that begins in this load
 *   pack_chain_link   in order: finds the chain that continues here, and sets .lead
 *   pack_chain_add    any thread; loads with the same .lead (not NULL) in order
 *   pack_chain_done   in order, after pack_chain_add has run for this and all earlier loads
 *
 * No input or output; allocates memory. The reader decides which entry is open. Where this
 * module disagrees, after damage, its digests are not used.
 */
#ifndef FDUMP_PACK_CHAIN_H
#define FDUMP_PACK_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct pack_digest;
struct pack_load;

/* State carried from load to load. Zero it first; free .open at the end. */
struct pack_chains {
	struct pack_digest *open; /* the chain that continues */
	uint64_t next_seq;
};

/* State of one load. Zero it first. Call pack_chain_done before it is reused or dropped. */
struct pack_chain {
	struct pack_digest *trail; /* begins here; owned until it is linked */
	struct pack_digest *lead;  /* continues here; borrowed */
	struct pack_digest *drop;  /* not needed after this load; owned */
	bool ends;
};

/* Hashes the content of the entry that begins in this load and continues in the next one, if
 * there is one. Returns 0, or -1 with err set (out of memory). */
int pack_chain_begin(struct pack_chain *chain, const struct pack_load *load, struct err *err);

void pack_chain_link(struct pack_chains *chains, struct pack_chain *chain, struct pack_load *load);

/* Hashes the content at the start of this load, which belongs to an entry that began earlier.
 * Sets load->lead_sum if that entry ends here. */
void pack_chain_add(struct pack_chain *chain, struct pack_load *load);

void pack_chain_done(struct pack_chain *chain);

#endif
