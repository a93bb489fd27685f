/*
 * Temporarily adds u+rwx to directories whose owner lacks it, while something is restored in
 * them.
 *
 *   pack_widen_new -> (_open -> _narrow)* -> _back -> _free
 *
 * Directories are narrowed in reverse order. For one thread; only _back may be called from any
 * thread at any time, also while the process ends after a signal.
 */
#ifndef FDUMP_PACK_WIDEN_H
#define FDUMP_PACK_WIDEN_H

#include <stdbool.h>

struct err;
struct pack_widen;

#define PACK_WIDEN_MAX 256 /* directories widened at a time */

/* Returns NULL with err set (out of memory). _free also does what _back does. */
struct pack_widen *pack_widen_new(struct err *err);
void pack_widen_free(struct pack_widen *widen);

/* Opens a directory in a directory, not through a link. If it is ours and lacks u+rwx, and
 * these are needed, adds them and sets *wide to true. Returns the descriptor, or -1 with errno
 * set. */
int pack_widen_open(struct pack_widen *widen, int parent, const char *name, bool *wide);

/* Gives the most recently widened directory its mode back. keep: it has got another mode in the
 * meantime; leave that. Returns 0, or -1 with errno set. */
int pack_widen_narrow(struct pack_widen *widen, bool keep);

/* Gives all of them their modes back. From then on none is widened. */
void pack_widen_back(struct pack_widen *widen);

#endif
