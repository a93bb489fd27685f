/* Compares a backup with the last dumps in its stores. */
#include "cmd/ui/missed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/dump/order.h"
#include "cmd/ui/options.h"
#include "lib/err.h"

/* Whether a dump has the same paths as this backup, or its paths can't be read. */
static bool same_paths(
	const struct ui_missed *m, const struct store_dump *d, struct ui_roots *roots)
{
	struct err err;

	return ui_roots_of(roots, d, !m->o->no_recursion, &err) != 0 ||
	       (ui_roots_same(roots, m->roots) &&
		       (roots->count == 0 || (d->base_len == strlen(m->base) &&
						     memcmp(d->base, m->base, d->base_len) == 0)));
}

/* The paths after the first `from`, as text that the caller frees; NULL: out of memory. */
static char *text_of(const struct ui_roots *roots, size_t from, const char *base)
{
	const struct ui_roots rest = {.paths = roots->paths + from, .count = roots->count - from};
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (to != NULL) {
		ui_roots_print(to, &rest, base);
		fclose(to);
	}
	return text;
}

/* Prints what differs between the last dump and this backup: their paths, or the folder that the
 * names in the dump are relative to. */
static void print_difference(
	FILE *to, const struct ui_missed *m, const struct ui_roots *roots, const char *base)
{
	bool moved = strcmp(base, m->base) != 0;
	const char *also;
	char *last, *this;
	size_t i = 0;

	while (!moved && i < roots->count && i < m->roots->count &&
		strcmp(roots->paths[i], m->roots->paths[i]) == 0)
		i++;
	/* Of a list only the first paths are shown. */
	i = i < UI_ROOTS_SHOWN ? 0 : i;
	also = i > 0 ? "also " : "";
	last = text_of(roots, i, base);
	this = text_of(m->roots, i, m->base);
	if (last == NULL || this == NULL || strcmp(last, this) == 0)
		fprintf(to, "has names relative to %s, this one to %s", base, m->base);
	else
		fprintf(to, "is %sof %s, this one %sof %s", also, last, also, this);
	free(last);
	free(this);
}

/* forget counts by name: dumps of two trees under one name would displace each other. */
static void compare_paths(struct ui_missed *m, const char *store, const struct store_dump *last)
{
	struct ui_roots roots = {0};
	char base[4096], *text = NULL;
	size_t len;
	FILE *to;

	snprintf(base, sizeof base, "%.*s", (int)last->base_len, (const char *)last->base);
	/* The paths in a list may differ each time. */
	if (!m->told_paths && m->o->files_from == NULL && !same_paths(m, last, &roots)) {
		m->told_paths = true;
		to = open_memstream(&text, &len);
		if (to == NULL)
			goto out;
		fprintf(to, "warning: in %s the last dump named %s ", store, m->name);
		print_difference(to, m, &roots, base);
		fputs(": fdump forget counts both as one backup (--name gives another name)", to);
		if (fclose(to) == 0)
			m->warn(m->ctx, "%s", text);
		free(text);
	}
out:
	ui_roots_fini(&roots);
}

void ui_missed_compare(void *missed, size_t store, const struct dump_before *before)
{
	struct ui_missed *m = missed;
	struct ui_roots roots = {0};
	const struct store_dump *full = &before->full;
	size_t n = before->ahead;

	if (n > 0)
		m->warn(m->ctx,
			"warning: %s has %zu dump%s of this backup %s in the future (a '~' in "
			"fdump dumps): fdump forget keeps %s, and counts by the others",
			m->o->stores[store], n, n > 1 ? "s" : "",
			n > 1 ? "that are dated" : "that is dated", n > 1 ? "them" : "it");
	if (before->has_last)
		compare_paths(m, m->o->stores[store], &before->last);
	if (before->has_full && full->began.sec >= m->full_began && same_paths(m, full, &roots)) {
		m->full_began = full->began.sec;
		m->full = full->entries;
	}
	ui_roots_fini(&roots);
}

void ui_missed_links(const struct ui_missed *m, int base)
{
	size_t i;

	for (i = 0; i < m->roots->count && !m->o->no_recursion; i++)
		if (ui_roots_link(base, m->roots->paths[i]))
			m->warn(m->ctx,
				"note: %s is a symbolic link: only the link is kept (%s/ follows "
				"it)",
				m->roots->paths[i], m->roots->paths[i]);
}

size_t ui_missed_after(const struct ui_missed *m, uint64_t entries, uint64_t fewer_than)
{
	char *patterns = m->planned ? NULL : ui_select_patterns_unmet(&m->o->select);

	if (patterns != NULL)
		m->warn(m->ctx, "note: %s", patterns);
	free(patterns);
	if (fewer_than == 0)
		return 0;
	m->warn(m->ctx,
		"warning: %llu entr%s, the last whole dump had %llu: is everything mounted? fdump "
		"forget does not count this dump as whole (--accept-fewer, if it is)",
		(unsigned long long)entries, entries == 1 ? "y" : "ies",
		(unsigned long long)fewer_than);
	return 1;
}
