/* Differences in words; two manifests merged. */
#include "cmd/difference.h"

#include <stdio.h>
#include <string.h>

#include "cmd/dump/pipeline.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/json.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"

void cmd_words_add(struct cmd_words *w, bool differs, const char *word)
{
	size_t len = strlen(w->text);

	if (differs)
		snprintf(w->text + len, sizeof w->text - len, "%s%s", len > 0 ? ", " : "", word);
}

static bool same_bytes(struct pack_bytes a, struct pack_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

void cmd_words_heads(
	struct cmd_words *w, const struct pack_head *a, const struct pack_head *b, bool xattrs)
{
	unsigned both = a->has & b->has;

	cmd_words_add(w, both & PACK_HAS_MODE && a->mode != b->mode, "mode");
	cmd_words_add(w,
		(both & PACK_HAS_UID && a->uid != b->uid) ||
			(both & PACK_HAS_GID && a->gid != b->gid),
		"owner");
	cmd_words_add(w,
		both & PACK_HAS_MTIME &&
			(a->mtime.sec != b->mtime.sec || a->mtime.nsec != b->mtime.nsec),
		"mtime");
	cmd_words_add(w, !same_bytes(a->target, b->target), "target");
	cmd_words_add(w,
		both & PACK_HAS_RDEV &&
			(a->rdev_major != b->rdev_major || a->rdev_minor != b->rdev_minor),
		"device");
	cmd_words_add(w, xattrs && !same_bytes(a->xattrs, b->xattrs), "xattrs");
	cmd_words_add(w, xattrs && a->flags != b->flags, "flags");
}

int cmd_difference_tell(bool json, const char *kind, const void *path, size_t len, const char *what,
	struct err *err)
{
	char text[ESC_MAX(4096)], id[32];
	json_t *object;
	int failed;

	if (json) {
		snprintf(id, sizeof id, "diff.%s", kind);
		object = ui_json_new("difference", id);
		failed = ui_json_name(object, "path", path, len);
		if (what != NULL)
			failed |= ui_json_add(object, "what", json_string(what));
		return ui_json_print(object, failed, err);
	}
	esc_name(text, sizeof text, path, len);
	printf("%s %s%s%s\n", kind, text, what != NULL ? ": " : "", what != NULL ? what : "");
	return 0;
}

/* --- two dumps ------------------------------------------------------------ */

/* One of the two: its entry that is looked at. */
struct side {
	struct ui_dump_walk *walk;
	struct pack_head head;
	struct pack_tail tail;
	bool there;
};

/* The next entry that was selected. */
static int step(struct ui_options *o, struct side *s, struct err *err)
{
	int got;

	do
		got = ui_dump_walk_next(s->walk, &s->head, &s->tail, err);
	while (got == 0 && !ui_select_test(&o->select, s->head.path.at, s->head.path.len,
				   s->head.type == PACK_DIRECTORY));
	s->there = got == 0;
	return got < 0 ? -1 : 0;
}

/* As backup orders them: first what was a command, then the walk. */
static int order(const struct side *a, const struct side *b)
{
	bool a_command = a->head.type == PACK_COMMAND, b_command = b->head.type == PACK_COMMAND;

	if (!a->there || !b->there)
		return b->there - a->there;
	if (a_command != b_command)
		return b_command - a_command;
	return dump_path_order((const char *)a->head.path.at, a->head.path.len,
		(const char *)b->head.path.at, b->head.path.len);
}

static void compare(struct cmd_words *w, const struct side *a, const struct side *b, bool xattrs)
{
	cmd_words_add(w, a->head.type != b->head.type, "type");
	if (a->head.type != b->head.type)
		return;
	cmd_words_heads(w, &a->head, &b->head, xattrs);
	cmd_words_add(w, !same_bytes(a->head.link, b->head.link), "link");
	if (!a->tail.has_content || !b->tail.has_content)
		return;
	if (a->tail.size != b->tail.size)
		cmd_words_add(w, true, "size");
	else if (a->tail.sparse != b->tail.sparse)
		/* One has more than 1 GiB of holes: whether the content differs is not known. */
		cmd_words_add(w, true, "holes");
	else
		cmd_words_add(w, !pack_tail_same_sum(&a->tail, &b->tail), "content");
}

/* The lesser of both, or both. */
static int merge(
	struct ui_options *o, struct side *a, struct side *b, uint64_t *different, struct err *err)
{
	const struct side *at = order(a, b) <= 0 ? a : b;
	int sign = order(a, b), got = 0;
	struct cmd_words w = {{0}};

	if (sign == 0)
		compare(&w, a, b, !o->no_xattrs);
	if (sign != 0 || w.text[0] != 0) {
		++*different;
		got = cmd_difference_tell(o->json,
			sign < 0   ? "missing"
			: sign > 0 ? "extra"
				   : "changed",
			at->head.path.at, at->head.path.len, sign == 0 ? w.text : NULL, err);
	}
	if (got == 0 && sign <= 0)
		got = step(o, a, err);
	if (got == 0 && sign >= 0)
		got = step(o, b, err);
	return got;
}

int cmd_difference_dumps(struct ui_options *o, struct ui_dump *a, struct ui_dump *b,
	uint64_t *different, struct err *err)
{
	struct side x = {.walk = ui_dump_walk_new(a, err)};
	struct side y = {.walk = x.walk != NULL ? ui_dump_walk_new(b, err) : NULL};
	int got = y.walk != NULL && step(o, &x, err) == 0 && step(o, &y, err) == 0 ? 0 : -1;

	while (got == 0 && (x.there || y.there))
		got = merge(o, &x, &y, different, err);
	ui_dump_walk_free(x.walk);
	ui_dump_walk_free(y.walk);
	return got;
}
