/*
 * Chains: digests (pack/digest.h) of contents that go over the ends of blocks, made beside the
 * reader. One chain can't be made faster, for each block's part goes on from
 * the one before; but the chains of two files have nothing to do with each
 * other. So the parts of one chain keep their order, nothing else does, and a
 * reader that has several blocks at hand makes several chains at once.
 *
 *   for each load, after pack_load_open and before pack_reader_take:
 *
 *   pack_chain_begin  any thread, any order: the chain that begins in it
 *   pack_chain_link   in order: which chain goes on in it; .lead
 *   pack_chain_add    any thread; loads of the same .lead (not NULL) in order
 *   pack_chain_done   in order, when all before have passed pack_chain_add
 *
 * Pure but for memory. Which entry is open is the reader's to judge; where
 * this module thinks otherwise, behind damage, its sums are not used.
 */
#ifndef FDUMP_PACK_CHAIN_H
#define FDUMP_PACK_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct pack_digest;
struct pack_load;

/* What goes on from load to load; zeroed at first. Free .open at the end. */
struct pack_chains {
	struct pack_digest *open; /* a chain that goes on */
	uint64_t next_seq;
};

/* Beside each load; zeroed at first. Call pack_chain_done before it is used
 * again or forgotten. */
struct pack_chain {
	struct pack_digest *trail; /* begins here; owned until it is linked */
	struct pack_digest *lead;  /* goes on here; borrowed */
	struct pack_digest *drop;  /* not wanted after this load; owned */
	bool ends;
};

/* Hashes the content of the entry that begins in this load and goes on in the
 * next. Returns 0, or -1 with err set: out of memory. */
int pack_chain_begin(struct pack_chain *chain, const struct pack_load *load, struct err *err);

void pack_chain_link(struct pack_chains *chains, struct pack_chain *chain, struct pack_load *load);

/* Hashes the content at the beginning of this load, which belongs to an entry
 * that began before; load->lead_sum, if it ends here. */
void pack_chain_add(struct pack_chain *chain, struct pack_load *load);

void pack_chain_done(struct pack_chain *chain);

#endif
