/*
 * What differs, in words: shared by the comparisons of a pack, a dump and the
 * live tree.
 */
#ifndef FDUMP_CMD_DIFFERENCE_H
#define FDUMP_CMD_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/entry.h"

struct ui_dump;
struct ui_options;
struct err;

/* "mode, content", as far as there is room. Zeroed at first. */
struct cmd_words {
	char text[160];
};
void cmd_words_add(struct cmd_words *words, bool differs, const char *word);
/* All of two HEADs but names and types. */
void cmd_words_heads(
	struct cmd_words *words, const struct pack_head *a, const struct pack_head *b, bool xattrs);

/* One difference: "changed NAME: mode, content", "missing NAME", "extra NAME", or as JSON.
 * Returns 0, or -1 with err set. */
int cmd_difference_tell(bool json, const char *kind, const void *path, size_t len, const char *what,
	struct err *err);

/* Compares two dumps by their manifests, and tells what b has otherwise than a: no content is
 * read. Counts in *different. Returns 0, or -1 with err set. */
int cmd_difference_dumps(struct ui_options *options, struct ui_dump *a, struct ui_dump *b,
	uint64_t *different, struct err *err);

#endif
