/* An estimate: hard links count each time, and trees change meanwhile. */
#include "cmd/ui/estimate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cmd/ui/progress.h"
#include "lib/err.h"
#include "pack/scan.h"

#define ENTRY_COST 100 /* bytes of an entry beside its content, about */

static struct {
	bool live;
	atomic_bool over;
	pthread_t thread;
	const struct pack_scan_options *scan;
	char *const *paths;
} e;

static int next_root(void *ctx, const char **path, struct err *err)
{
	(void)ctx;
	(void)err;
	*path = *e.paths;
	if (*path == NULL)
		return 1;
	e.paths++;
	return 0;
}

static bool excluded(void *ctx, const char *path, size_t len, bool is_dir)
{
	(void)ctx;
	return e.scan->excluded(e.scan->ctx, path, len, is_dir);
}

static bool enters(void *ctx, const char *path, size_t len)
{
	(void)ctx;
	return e.scan->enters(e.scan->ctx, path, len);
}

/* Whoever reads it will say so. */
static void problem(void *ctx, const char *path, size_t len, const char *what, int errnum)
{
	(void)ctx;
	(void)path;
	(void)len;
	(void)what;
	(void)errnum;
}

/* What is kept of a file: holes are not. */
static uint64_t content(const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size, there = (uint64_t)st->st_blocks * 512;

	return !S_ISREG(st->st_mode) ? 0 : size < there ? size : there;
}

static void *run(void *unused)
{
	struct pack_scan_options options = *e.scan;
	struct pack_scan_item item;
	struct pack_scan *scan;
	struct err err;
	uint64_t total = 0;
	int got = -1;

	(void)unused;
	options.next_root = next_root;
	options.excluded = options.excluded != NULL ? excluded : NULL;
	options.enters = options.enters != NULL ? enters : NULL;
	options.border = NULL;
	options.problem = problem;
	options.problem_ctx = options.ctx;
	options.ctx = NULL;
	scan = pack_scan_new(&options, &err);
	while (scan != NULL && !e.over && (got = pack_scan_next(scan, &item, &err)) == 0)
		total += ENTRY_COST + content(&item.st);
	if (got == 1 && !e.over)
		ui_progress_total(total);
	pack_scan_free(scan);
	return NULL;
}

static void start(void)
{
	e.live = pthread_create(&e.thread, NULL, run, NULL) == 0;
}

void ui_estimate_start(const struct pack_scan_options *scan, char *const *paths, bool shown)
{
	e.scan = scan;
	e.paths = paths;
	e.over = false;
	if (shown && isatty(2))
		start();
	else
		ui_progress_first(start);
}

void ui_estimate_stop(void)
{
	if (!e.live)
		return;
	e.over = true;
	pthread_join(e.thread, NULL);
	e.live = false;
}
