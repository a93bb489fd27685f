/* For each byte the hash is shifted left by one, so it depends on the last 64 bytes, and its upper
 * bits on the most of them: those are tested. */
#include "cmd/dump/cutter.h"

#include <assert.h>

#include "lib/hash.h"

/* Compared with a probability of 1 / DUMP_CUT_MEAN, a cut is four times less likely before the
 * mean, and four times more likely after it (normalisation 2). */
#define BITS(n)    (UINT64_MAX << (64 - (n)))
#define MASK_EARLY BITS(22)
#define MASK_LATE  BITS(18)

void dump_cutter_start(struct dump_cutter *c, const uint64_t gear[256])
{
	*c = (struct dump_cutter){.gear = gear, .at = DUMP_CUT_MIN};
}

/* Continues up to `end`; returns the length of the chunk if it ends here, or 0. Two bytes a step: a
 * cut may also be at the first of the two. */
static size_t look(struct dump_cutter *c, const uint8_t *chunk, size_t end, uint64_t mask)
{
	const uint64_t *gear = c->gear;
	uint64_t hash = c->hash;
	size_t i = c->at;

	for (; i + 2 <= end; i += 2) {
		uint64_t odd = (hash << 1) + gear[chunk[i]];

		hash = (hash << 2) + (gear[chunk[i]] << 1) + gear[chunk[i + 1]];
		if ((odd & mask) == 0)
			return i + 1;
		if ((hash & mask) == 0)
			return i + 2;
	}
	if (i < end) {
		hash = (hash << 1) + gear[chunk[i++]];
		if ((hash & mask) == 0)
			return i;
	}
	c->hash = hash;
	c->at = i;
	return 0;
}

size_t dump_cutter_cut(struct dump_cutter *c, const uint8_t *chunk, size_t len, bool end)
{
	size_t cut = 0;

	assert(len <= DUMP_CUT_MAX);
	if (c->at < DUMP_CUT_MEAN && c->at < len)
		cut = look(c, chunk, len < DUMP_CUT_MEAN ? len : DUMP_CUT_MEAN, MASK_EARLY);
	if (cut == 0 && c->at < len)
		cut = look(c, chunk, len, MASK_LATE);
	if (cut == 0 && (end || len == DUMP_CUT_MAX))
		cut = len;
	return cut;
}

/* Chosen from measurements: test/bench/README.md, "What a run stores". */
const struct dump_cut_rule dump_cut_files = {
	.min = 32u << 10, .max = 512u << 10, .base = 256, .bits = 16};
const struct dump_cut_rule dump_cut_entries = {.min = 4u << 10, .max = 64u << 10, .bits = 12};

bool dump_cut_behind(const struct dump_cut_rule *rule, const uint64_t gear[256], const void *name,
	size_t name_len, uint64_t size, size_t len)
{
	uint64_t h = (hash_xxh3(name, name_len) + size * 0x9e3779b97f4a7c15u) * (gear[0] | 1);

	return len >= rule->min && (h >> (64 - rule->bits)) < size + rule->base;
}
