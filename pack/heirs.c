/* Rows are sorted by target; all paths are in one buffer. */
#include "pack/heirs.h"

#include <stdlib.h>

void pack_heirs_init(struct pack_heirs *h)
{
	buf_init(&h->rows, PACK_HEIRS_MAX);
	buf_init(&h->text, PACK_HEIRS_MAX);
}

void pack_heirs_fini(struct pack_heirs *h)
{
	buf_fini(&h->rows);
	buf_fini(&h->text);
}

int pack_heirs_add(
	struct pack_heirs *h, struct pack_bytes target, struct pack_bytes link, struct err *err)
{
	struct pack_heir row = {.target = h->text.len,
		.target_len = target.len,
		.link = h->text.len + target.len,
		.link_len = link.len};

	if (buf_add(&h->text, target.at, target.len, err) != 0 ||
		buf_add(&h->text, link.at, link.len, err) != 0)
		return -1;
	return buf_add(&h->rows, &row, sizeof row, err);
}

static struct pack_bytes target_of(const uint8_t *text, const struct pack_heir *heir)
{
	return (struct pack_bytes){text + heir->target, heir->target_len};
}

static int by_target(const void *a, const void *b, void *text)
{
	const struct pack_heir *x = a, *y = b;
	int got = pack_bytes_compare(target_of(text, x), target_of(text, y));

	/* Among links to the same target, the first one added comes first. */
	return got != 0 ? got : (x->target > y->target) - (x->target < y->target);
}

void pack_heirs_ready(struct pack_heirs *h)
{
	size_t count = h->rows.len / sizeof(struct pack_heir);

	if (count > 1)
		qsort_r(h->rows.data, count, sizeof(struct pack_heir), by_target, h->text.data);
}

struct pack_heir *pack_heirs_find(const struct pack_heirs *h, struct pack_bytes target)
{
	struct pack_heir *row = (struct pack_heir *)(void *)h->rows.data;
	size_t count = h->rows.len / sizeof *row, low = 0, high = count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pack_bytes_compare(target_of(h->text.data, &row[mid]), target) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < count && pack_path_same(target_of(h->text.data, &row[low]), target) ? &row[low]
											 : NULL;
}

struct pack_bytes pack_heirs_path(const struct pack_heirs *h, const struct pack_heir *heir)
{
	return (struct pack_bytes){h->text.data + heir->link, heir->link_len};
}
