/* A hash table with open addressing. 0 is a free slot, so the hash 0 is stored as 1. */
#include "cmd/store/marks.h"

#include <stdlib.h>

#include "lib/err.h"

static size_t slot_of(const struct store_marks *m, uint64_t hash)
{
	size_t at = (size_t)hash & (m->cap - 1);

	while (m->slots[at] != 0 && m->slots[at] != hash)
		at = (at + 1) & (m->cap - 1);
	return at;
}

static int grow(struct store_marks *m, struct err *err)
{
	struct store_marks grown = {.cap = m->cap ? 2 * m->cap : 4096, .count = m->count};
	size_t i;

	if (2 * m->count < m->cap)
		return 0;
	grown.slots = calloc(grown.cap, sizeof *grown.slots);
	if (grown.slots == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < m->cap; i++)
		if (m->slots[i] != 0)
			grown.slots[slot_of(&grown, m->slots[i])] = m->slots[i];
	free(m->slots);
	*m = grown;
	return 0;
}

int store_marks_add(struct store_marks *m, uint64_t hash, struct err *err)
{
	size_t at;

	hash += hash == 0;
	if (grow(m, err) != 0)
		return -1;
	at = slot_of(m, hash);
	if (m->slots[at] != 0)
		return 1;
	m->slots[at] = hash;
	m->count++;
	return 0;
}

int store_marks_join(struct store_marks *m, struct store_marks *from, struct err *err)
{
	size_t i;

	for (i = 0; i < from->cap; i++)
		if (from->slots[i] != 0 && store_marks_add(m, from->slots[i], err) < 0)
			return -1;
	store_marks_fini(from);
	return 0;
}

bool store_marks_has(const struct store_marks *m, uint64_t hash)
{
	hash += hash == 0;
	return m->cap > 0 && m->slots[slot_of(m, hash)] != 0;
}

void store_marks_fini(struct store_marks *m)
{
	free(m->slots);
	*m = (struct store_marks){0};
}
