/* A chain is a running hash. pack_chain_link hands it from load to load. */
#include "pack/chain.h"

#include <string.h>

#include "lib/cbor.h"
#include "pack/digest.h"
#include "pack/load.h"

/* Adds the content between offsets `at` and `end`. */
static void add(struct pack_digest *digest, const struct pack_load *load, uint32_t at, uint32_t end)
{
	struct pack_item item;
	struct cbor_in in;

	cbor_in_init(&in, load->raw + at, end - at);
	while (pack_load_item(load, &in, &item, NULL) == 0 && item.kind < PACK_ITEM_TAIL)
		pack_digest_item(digest, &item);
}

int pack_chain_begin(struct pack_chain *c, const struct pack_load *load, struct err *err)
{
	const struct pack_member *m = &load->trail;

	if (!load->has_trail || m->verdict != PACK_GOOD)
		return 0;
	c->trail = pack_digest_new(err);
	if (c->trail == NULL)
		return -1;
	pack_digest_begin(c->trail, m->head.has & PACK_HAS_SPARSE);
	add(c->trail, load, m->content, m->content_end);
	return 0;
}

/* The open chain ends, or is lost. Earlier loads may still be adding to it, so it is freed
 * later. */
static void close_open(struct pack_chains *chains, struct pack_chain *c)
{
	if (chains->open != NULL)
		c->drop = chains->open;
	chains->open = NULL;
}

void pack_chain_link(struct pack_chains *chains, struct pack_chain *c, struct pack_load *load)
{
	const struct pack_block *b = &load->block;

	memset(load->lead_sum, 0, sizeof load->lead_sum);
	if (load->misplaced)
		return;
	if (b->seq != chains->next_seq)
		close_open(chains, c);
	chains->next_seq = b->seq + 1;
	if (b->kind == PACK_KEY || b->kind == PACK_INDEX)
		return; /* these may occur within an entry */
	if (b->kind != PACK_ENTRY || load->bad.code != ERR_NONE || b->first == 0 ||
		b->raw_len == 0) {
		close_open(chains, c);
	} else if (chains->open != NULL) {
		c->lead = chains->open;
		c->ends = load->lead_ends;
		if (c->ends || b->first != PACK_BLOCK_NONE || load->broken_at != PACK_BLOCK_NONE)
			close_open(chains, c);
	}
	if (c->trail != NULL) {
		chains->open = c->trail;
		c->trail = NULL;
	}
}

void pack_chain_add(struct pack_chain *c, struct pack_load *load)
{
	if (c->lead == NULL)
		return;
	add(c->lead, load, 0, load->lead_end);
	if (c->ends)
		pack_digest_end(c->lead, load->lead_sum);
}

void pack_chain_done(struct pack_chain *c)
{
	pack_digest_free(c->trail);
	pack_digest_free(c->drop);
	*c = (struct pack_chain){0};
}
