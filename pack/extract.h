/*
 * The extractor: writes entries into a directory, safely. See pack/FORMAT.md, and
 * .github/SECURITY.md for what unpack guarantees.
 *
 * - No path component is followed through a link, and nothing outside the target is created,
 *   changed or removed.
 * - A file is written without a name (O_TMPFILE) or under a temporary one, compared with its
 *   checksum, and given its owner, attributes, mode and times. Only then does it get its name,
 *   so a file with its real name is always whole.
 * - A directory's metadata are applied when its subtree is left. A directory that is not
 *   selected gets its metadata only if it had to be created.
 * - Existing files that are kept (.overwrite) are not touched, and nothing is linked to them.
 *
 *   pack_extract_new -> for each load: pack_extract_prepare (any thread, any order), then
 *   pack_extract_load (in order) -> pack_extract_finish -> _free
 *
 * A problem with one entry is reported, and the others go on. Memory is bounded, except for the
 * metadata of the directories on the way down (pack/descent.h).
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
	int target;         /* the target directory; borrowed */
	bool privileged;    /* restore owners, set-id bits, devices, trusted.* and security.* */
	bool numeric_owner; /* restore owners by number, even if the name exists here */
	bool xattrs;
	enum pack_overwrite overwrite;
	bool in_place, follow_links; /* in_place: the target is where the entries came from, so the
					target's own metadata are restored even if it is not empty.
					follow_links: where the target has a link to a directory
					instead of a directory, follow it, as if the target were the
					root (needs Linux 5.6). */
	unsigned strip;              /* leading path components to remove */
	mode_t umask; /* applied to modes if not privileged; the process's own umask must be 0 */
	unsigned long files; /* most descriptors that may be open at once */
	/* Whether this entry is wanted. NULL: all are. */
	bool (*selected)(void *ctx, const uint8_t *path, size_t len);
	/* An entry was restored. May be NULL. */
	void (*entry)(void *ctx, struct pack_bytes path);
	/* An entry could not be restored, or not exactly. errnum: the reason, or 0 if it is not
	 * known. */
	void (*problem)(void *ctx, struct pack_bytes path, enum pack_outcome_kind kind, int errnum,
		const char *what);
	const char *made; /* for messages, what was done to the entries: "packed", "backed up" */
	void *ctx;
};

struct pack_extract *pack_extract_new(const struct pack_extract_options *options, struct err *err);
void pack_extract_free(struct pack_extract *extract);

/* Writes the small files of a load, without names. What can't be written now is left to
 * pack_extract_load. */
void pack_extract_prepare(struct pack_extract *extract, struct pack_load *load);

/* Puts the load's entries in place. Returns 0, or -1 with err set (out of memory). */
int pack_extract_load(struct pack_extract *extract, struct pack_load *load, struct err *err);

/* The same for a single entry that is not in a load: head, then its content, then tail, or lost
 * if the entry's end never comes. Returns as above. */
int pack_extract_head(struct pack_extract *extract, const struct pack_head *head, struct err *err);
void pack_extract_data(struct pack_extract *extract, const uint8_t *bytes, size_t len);
void pack_extract_hole(struct pack_extract *extract, uint64_t len);
int pack_extract_tail(struct pack_extract *extract, const struct pack_tail *tail,
	enum pack_verdict verdict, struct err *err);
void pack_extract_lost(struct pack_extract *extract);

/* Enters the directory of an entry that was restored earlier, before that directory could be
 * read. Returns 0, or -1 with err set (out of memory). */
int pack_extract_way(struct pack_extract *extract, struct pack_bytes path, struct err *err);

/* Releases what _prepare opened for a load that will not be put in place. */
void pack_extract_drop(struct pack_extract *extract, struct pack_load *load);

/* Applies the metadata still pending for directories. */
void pack_extract_finish(struct pack_extract *extract);

/* Gives directories that were made accessible during the work their modes back. From any
 * thread, when the process is about to end. */
void pack_extract_back(struct pack_extract *extract);

#endif
