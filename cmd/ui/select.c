/* The paths are in a sorted list, in which an entry looks up itself and all folders above it. For a
 * path that may be an escaped name both readings are in the list. */
#include "cmd/ui/select.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/match.h"
#include "lib/mem.h"
#include "pack/scan.h"

static int add_path(struct ui_select *s, const char *path, bool twin, struct err *err)
{
	struct ui_selected *grown;
	char *name;
	bool cut;

	if (*path == 0)
		return err_set(err, ERR_USAGE, "'': empty path");
	grown = mem_grow(s->paths, s->count, &s->cap, sizeof *grown, err);
	if (grown == NULL)
		return -1;
	s->paths = grown;
	name = mem_new(strlen(path) + 2, err);
	if (name == NULL)
		return -1;
	s->paths[s->count++] = (struct ui_selected){.path = name,
		.len = pack_scan_name(path, name, &cut),
		.number = s->named,
		.twin = twin};
	return 0;
}

int ui_select_name(void *select, const char *path, struct err *err)
{
	struct ui_select *s = select;
	bool *grown = mem_grow(s->met, s->named, &s->met_cap, sizeof *grown, err);

	if (grown == NULL)
		return -1;
	s->met = grown;
	if (add_path(s, path, false, err) != 0)
		return -1;
	s->met[s->named++] = false;
	return 0;
}

int ui_select_path(void *select, const char *path, struct err *err)
{
	char *name = mem_new(strlen(path) + 1, err);
	int ret;

	if (name == NULL)
		return -1;
	ret = esc_back(name, path) ? add_path(select, name, true, err) : 0;
	if (ret == 0)
		ret = ui_select_name(select, path, err);
	free(name);
	return ret;
}

int ui_select_line(
	FILE *list, const char *file, bool nul, char **line, size_t *cap, struct err *err)
{
	int end = nul ? 0 : '\n';
	ssize_t n;

	do {
		errno = 0;
		n = getdelim(line, cap, end, list);
		if (n < 0)
			return ferror(list) ? err_errno(err, errno, "%s", file) : 1;
		if (n > 0 && (*line)[n - 1] == end)
			(*line)[--n] = 0;
		if (strlen(*line) < (size_t)n)
			return err_set(err, ERR_USAGE,
				"%s: has NUL bytes: --null reads what "
				"find -print0 prints",
				file);
	} while (n == 0);
	return 0;
}

int ui_select_lines(const char *file, bool nul, ui_select_each *each, void *ctx, struct err *err)
{
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char *line = NULL;
	size_t cap = 0;
	int got = 0;

	if (f == NULL)
		return err_errno(err, errno, "%s", file);
	while (got == 0 && (got = ui_select_line(f, file, nul, &line, &cap, err)) == 0)
		got = each(ctx, line, err);
	free(line);
	if (f != stdin)
		fclose(f);
	return got < 0 ? -1 : 0;
}

int ui_select_exclude(struct ui_select *s, const char *pattern, const char *file, struct err *err)
{
	if (s->exclude == NULL && (s->exclude = match_new(err)) == NULL)
		return -1;
	return file != NULL ? match_load(s->exclude, file, false, err)
			    : match_add(s->exclude, pattern, strlen(pattern), err);
}

static int by_path(const void *a, const void *b)
{
	const struct ui_selected *x = a, *y = b;
	int got = memcmp(x->path, y->path, x->len < y->len ? x->len : y->len);

	return got != 0 ? got : (x->len > y->len) - (x->len < y->len);
}

static int by_path_and_number(const void *a, const void *b)
{
	const struct ui_selected *x = a, *y = b;
	int got = by_path(a, b);

	if (got != 0 || x->twin != y->twin) /* prefer a twin, which may remain unmatched */
		return got != 0 ? got : (int)y->twin - (int)x->twin;
	return (x->number > y->number) - (x->number < y->number);
}

void ui_select_ready(struct ui_select *s)
{
	size_t i, kept = 0;

	if (s->count > 1)
		qsort(s->paths, s->count, sizeof *s->paths, by_path_and_number);
	for (i = 0; i < s->count; i++)
		if (kept == 0 || by_path(&s->paths[kept - 1], &s->paths[i]) != 0)
			s->paths[kept++] = s->paths[i];
		else
			free(s->paths[i].path);
	s->count = kept;
}

static struct ui_selected *find(struct ui_select *s, const char *path, size_t len)
{
	const struct ui_selected key = {.path = (char *)(uintptr_t)path, .len = len};

	return bsearch(&key, s->paths, s->count, sizeof key, by_path);
}

static bool named(struct ui_select *s, const char *path, size_t len)
{
	struct ui_selected *hit;
	bool any = false;
	size_t n;

	if (s->count == 0)
		return true;
	for (n = 1; n <= len; n++) {
		if (n < len && path[n] != '/')
			continue;
		hit = find(s, path, n);
		if (hit == NULL)
			continue;
		any = true;
		__atomic_store_n(&s->met[hit->number], true, __ATOMIC_RELAXED);
	}
	hit = find(s, ".", 1);
	if (hit != NULL)
		__atomic_store_n(&s->met[hit->number], true, __ATOMIC_RELAXED);
	return any || hit != NULL;
}

bool ui_select_test(struct ui_select *s, const uint8_t *path, size_t len, bool is_dir)
{
	if (!named(s, (const char *)path, len) ||
		(s->exclude != NULL && match_test_deep(s->exclude, (const char *)path, len,
					       is_dir) == MATCH_EXCLUDED))
		return false;
	__atomic_store_n(&s->any, true, __ATOMIC_RELAXED);
	return true;
}

bool ui_select_any(const struct ui_select *s)
{
	return s->any || (s->count == 0 && s->exclude == NULL);
}

#define SHOWN 3 /* at most so many patterns */

struct unmet {
	FILE *to;
	size_t count;
};

static void add_unmet(void *ctx, const char *text, size_t len)
{
	char shown[ESC_MAX(1024)];
	struct unmet *u = ctx;

	if (u->count++ >= SHOWN)
		return;
	esc_name(shown, sizeof shown, text, len);
	fprintf(u->to, "%s'%s'", u->count > 1 ? ", " : "pattern matched nothing: ", shown);
}

char *ui_select_patterns_unmet(const struct ui_select *s)
{
	char *text = NULL;
	size_t len = 0;
	struct unmet u = {open_memstream(&text, &len), 0};

	if (u.to == NULL)
		return NULL;
	match_unmet(s->exclude, add_unmet, &u);
	if (u.count > SHOWN)
		fprintf(u.to, " and %zu more", u.count - SHOWN);
	if (fclose(u.to) == 0 && u.count > 0)
		return text;
	free(text);
	return NULL;
}

size_t ui_select_unmet(const struct ui_select *s, const struct store_dump *dump)
{
	char text[ESC_MAX(1024)], in[UI_SHOW_DUMP_MAX + 8] = "pack", shown[UI_SHOW_DUMP_MAX];
	char *patterns = ui_select_patterns_unmet(s);
	struct err err;
	size_t i, unmet = 0;

	if (dump != NULL) {
		ui_show_chosen(shown, dump);
		snprintf(in, sizeof in, "dump %s", shown);
	}
	if (patterns != NULL)
		ui_say(ui_report_command(), "note: %s", patterns);
	free(patterns);
	for (i = 0; i < s->count; i++) {
		if (s->paths[i].twin || s->met[s->paths[i].number])
			continue;
		esc_name(text, sizeof text, s->paths[i].path, s->paths[i].len);
		err_set(&err, ERR_NOTFOUND, "%s: not in the %s", text, in);
		ui_fail(&err);
		unmet++;
	}
	if (unmet > 0 || ui_select_any(s))
		return unmet;
	err_set(&err, ERR_NOTFOUND, "nothing is selected: all of it is excluded");
	ui_fail(&err);
	return 1;
}

void ui_select_fini(struct ui_select *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->paths[i].path);
	free(s->paths);
	free(s->met);
	match_free(s->exclude);
	*s = (struct ui_select){0};
}
