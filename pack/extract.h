/*
 * The extractor: entries into a directory, safely. See pack/FORMAT.md, and
 * what unpack guarantees in .github/SECURITY.md.
 *
 * - No component of a path is followed through a link; nothing is created,
 *   changed or removed outside the target.
 * - A file is written unnamed (O_TMPFILE; else under a temporary name), held
 *   against its checksum, given owner, attributes, mode and times, and only
 *   then put under its name. What carries the real name is whole.
 * - A directory's metadata are applied when its subtree is left; those of one that
 *   is not selected itself if it had to be made.
 * - What is kept (.overwrite) is not touched, and nothing is linked to it.
 *
 *   pack_extract_new -> pack_extract_prepare (any thread, any order) and
 *   pack_extract_load (in order) for each load -> pack_extract_finish -> _free
 *
 * What goes wrong with an entry is reported, and the others go on. Memory is
 * bounded but for the metadata of the directories on the way down
 * (pack/descent.h).
 */
#ifndef FDUMP_PACK_EXTRACT_H
#define FDUMP_PACK_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pack/entry.h"
#include "pack/load.h"
#include "pack/outcome.h"
#include "pack/overwrite.h"

struct err;
struct pack_extract;

struct pack_extract_options {
	int target;         /* the directory; borrowed */
	bool privileged;    /* restore owners, set-id bits, devices, trusted.* and security.* */
	bool numeric_owner; /* by number, also where the name is known here */
	bool xattrs;
	enum pack_overwrite overwrite;
	bool in_place, follow_links; /* as in pack/descent.h */
	unsigned strip;              /* leading components to leave off */
	mode_t umask;        /* taken off the mode if not privileged; the process's own must be 0 */
	unsigned long files; /* descriptors that may be open at once */
	/* Whether this entry is wanted; NULL: all. */
	bool (*selected)(void *ctx, const uint8_t *path, size_t len);
	/* An entry was dealt with; NULL: nobody asks. */
	void (*entry)(void *ctx, struct pack_bytes path);
	/* An entry could not be restored, or not as it was. errnum: why, as far as that is known;
	 * else 0. */
	void (*problem)(void *ctx, struct pack_bytes path, enum pack_outcome_kind kind, int errnum,
		const char *what);
	const char *made; /* what was done to the entries: "packed", "backed up" */
	void *ctx;
};

struct pack_extract *pack_extract_new(const struct pack_extract_options *options, struct err *err);
void pack_extract_free(struct pack_extract *extract);

/* Writes the small files of a load, unnamed yet. */
void pack_extract_prepare(struct pack_extract *extract, struct pack_load *load);

/* Puts in place what the load has. Returns 0, or -1 with err set: out of
 * memory. */
int pack_extract_load(struct pack_extract *extract, struct pack_load *load, struct err *err);

/* The same for one entry that is not in a load: head, its content, tail; or
 * lost, if its end does not come. Return as above. */
int pack_extract_head(struct pack_extract *extract, const struct pack_head *head, struct err *err);
void pack_extract_data(struct pack_extract *extract, const uint8_t *bytes, size_t len);
void pack_extract_hole(struct pack_extract *extract, uint64_t len);
int pack_extract_tail(struct pack_extract *extract, const struct pack_tail *tail,
	enum pack_verdict verdict, struct err *err);
void pack_extract_lost(struct pack_extract *extract);

/* Goes to the directory of an entry that was restored before that one was there to be read.
 * Returns 0, or -1 with err set. */
int pack_extract_way(struct pack_extract *extract, struct pack_bytes path, struct err *err);

/* Gives back what _prepare opened, of a load that will not be put in place. */
void pack_extract_drop(struct pack_extract *extract, struct pack_load *load);

/* Applies what is still due to directories. */
void pack_extract_finish(struct pack_extract *extract);

/* From any thread, when the process is about to end: directories that were made accessible for the
 * time of the work get their modes back. */
void pack_extract_back(struct pack_extract *extract);

#endif
