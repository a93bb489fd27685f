/*
 * Directories whose owner lacks permissions on them, while something is
 * restored in them: they get u+rwx for that time.
 *
 *   pack_widen_new -> (_open -> _narrow)* -> _back -> _free
 *
 * Directories are narrowed in the opposite order. One thread; but _back may come
 * from any, at any time, also while the process ends after a signal.
 */
#ifndef FDUMP_PACK_WIDEN_H
#define FDUMP_PACK_WIDEN_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct pack_widen;

#define PACK_WIDEN_MAX 256 /* directories at a time */

/* NULL with err set: out of memory. */
struct pack_widen *pack_widen_new(struct err *err);
void pack_widen_free(struct pack_widen *widen);

/* Opens a directory in a directory, not through a link. If it is ours, and lacks
 * u+rwx, and they are needed, it gets them, and *wide is true. Returns
 * the descriptor, or -1 with errno set. */
int pack_widen_open(struct pack_widen *widen, int parent, const char *name, bool *wide);

/* The last one that was widened, and not narrowed yet, gets its mode back;
 * keep: it has got another by now. Returns 0, or -1 with errno set. */
int pack_widen_narrow(struct pack_widen *widen, bool keep);

/* All of them get their modes back, and none is widened any more. */
void pack_widen_back(struct pack_widen *widen);

#endif
