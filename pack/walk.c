/* Scanner and links, one item ahead. */
#include "pack/walk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pack/batch.h"
#include "pack/entry.h"
#include "pack/links.h"

/* Out of memory here costs the note, not the walk, and not the count. */
static void problem(void *ctx, const char *path, size_t len, const char *what, int errnum)
{
	struct pack_walk *w = ctx;
	char text[256], reason[128];

	if (errnum != 0)
		snprintf(text, sizeof text, "%s: %s", what,
			strerror_r(errnum, reason, sizeof reason));
	else
		snprintf(text, sizeof text, "%s", what);
	w->missing++;
	if (pack_batch_note(w->batch, path, len, text, NULL) != 0)
		w->untold++;
}

int pack_walk_init(struct pack_walk *walk, const struct pack_scan_options *options, struct err *err)
{
	struct pack_scan_options o = *options;

	*walk = (struct pack_walk){0};
	buf_init(&walk->link, PACK_PATH_MAX);
	o.problem = problem;
	o.problem_ctx = walk;
	walk->scan = pack_scan_new(&o, err);
	walk->links = walk->scan != NULL ? pack_links_new(0, err) : NULL;
	return walk->links != NULL ? 0 : -1;
}

/* Closes the pending item, if it is opened. */
static void drop_file(struct pack_walk *walk)
{
	if (walk->item.fd >= 0)
		close(walk->item.fd);
	walk->item.fd = -1;
}

void pack_walk_fini(struct pack_walk *walk)
{
	if (walk->pending)
		drop_file(walk);
	pack_scan_free(walk->scan);
	pack_links_free(walk->links);
	buf_fini(&walk->link);
}

int pack_walk_next(struct pack_walk *walk, struct pack_batch *batch, struct err *err)
{
	const struct pack_scan_item *item = &walk->item;
	int got;

	if (walk->pending)
		return 0;
	walk->batch = batch;
	got = pack_scan_next(walk->scan, &walk->item, err);
	if (got != 0)
		return got;
	walk->pending = true;
	walk->linked = false;
	if (S_ISDIR(item->st.st_mode) || item->st.st_nlink < 2)
		return 0;
	got = pack_links_meet(walk->links, item->st.st_dev, item->st.st_ino, item->st.st_nlink,
		item->path, item->path_len, &walk->link, err);
	walk->linked = got == 1;
	if (walk->linked)
		drop_file(walk);
	return got < 0 ? -1 : 0;
}
