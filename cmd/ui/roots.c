/* Sorts paths in the order of a walk. */
#include "cmd/ui/roots.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/dump/pipeline.h"
#include "cmd/ui/show.h"
#include "lib/cbor.h"
#include "lib/err.h"

/* Whether a path contains "..", which names in a dump can't have. */
static bool goes_up(const char *path)
{
	for (; *path != 0; path += strspn(path, "/")) {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0)
			return true;
		path += n;
	}
	return false;
}

/* Encodes a path for the dump's record, which has room for the first ones only. */
static int encode(struct ui_roots *r, const char *path, struct err *err)
{
	size_t len = strlen(path), room = len + CBOR_HEAD_MAX;
	struct cbor_out out;
	uint8_t *to;

	if (r->room == 0)
		buf_init(&r->encoded, SIZE_MAX);
	if (r->encoded_count < r->count || r->count == STORE_PATHS_MAX ||
		r->encoded.len + room > STORE_PATHS_LEN)
		return 0;
	if ((to = buf_room(&r->encoded, room, err)) == NULL)
		return -1;
	cbor_out_init(&out, to, room);
	cbor_put_bytes(&out, path, len);
	buf_took(&r->encoded, cbor_out_len(&out));
	r->encoded_count++;
	return 0;
}

int ui_roots_add(void *roots, const char *path, struct err *err)
{
	struct ui_roots *r = roots;
	char **grown;

	if (*path == 0)
		return err_set(err, ERR_USAGE, "'': empty path");
	if (goes_up(path))
		return err_set(err, ERR_USAGE,
			"%s: '..' in a PATH of a backup: give an absolute path, or its folder with "
			"-C",
			path);
	if (r->count > 0 && (path[0] == '/') != (r->paths[0][0] == '/'))
		return err_set(
			err, ERR_USAGE, "%s: paths must be all absolute or all relative", path);
	if (encode(r, path, err) != 0)
		return -1;
	if (r->count + 1 >= r->room) { /* one for the NULL */
		grown = realloc(r->paths, (r->room * 2 + 16) * sizeof *grown);
		if (grown == NULL)
			return err_set(err, ERR_NOMEM, "out of memory");
		r->paths = grown;
		r->room = r->room * 2 + 16;
	}
	if ((r->paths[r->count] = strdup(path)) == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	r->count++;
	return 0;
}

/* Returns a path's name in the dump, which the caller frees; NULL: out of memory. */
static char *name_of(const char *path, size_t *len)
{
	char *out = malloc(strlen(path) + 2);
	bool cut;

	if (out != NULL)
		*len = pack_scan_name(path, out, &cut);
	return out;
}

static int by_name(const void *a, const void *b)
{
	size_t x_len = 0, y_len = 0;
	char *x = name_of(*(char *const *)a, &x_len), *y = name_of(*(char *const *)b, &y_len);
	int order = x != NULL && y != NULL ? dump_path_order(x, x_len, y, y_len) : 0;

	free(x);
	free(y);
	return order;
}

/* Whether b is a, or lies in it. */
static bool holds(const char *a, const char *b)
{
	size_t x_len = 0, y_len = 0;
	char *x = name_of(a, &x_len), *y = name_of(b, &y_len);
	bool in = x != NULL && y != NULL &&
		  ((x_len == 1 && x[0] == '.') || (y_len >= x_len && memcmp(x, y, x_len) == 0 &&
							  (y_len == x_len || y[x_len] == '/')));

	free(x);
	free(y);
	return in;
}

static bool ends_in_slash(const char *path)
{
	return path[strlen(path) - 1] == '/';
}

void ui_roots_order(struct ui_roots *r, bool nested)
{
	size_t i, kept = 0;

	if (r->count == 0)
		return;
	qsort(r->paths, r->count, sizeof *r->paths, by_name);
	r->within = calloc(r->count, sizeof *r->within);
	nested = nested && r->within != NULL;
	for (i = 0; i < r->count; i++) {
		char *path = r->paths[i], **last = r->paths + kept - (kept > 0);

		if (kept > 0 && by_name(last, &path) == 0) {
			/* If two have the same name, keep the one with a slash: it follows a
			 * link. */
			if (ends_in_slash(path)) {
				free(*last);
				*last = path;
			} else {
				free(path);
			}
		} else if (kept > 0 && nested && holds(*last, path)) {
			r->within[r->within_count++] = path;
		} else {
			r->paths[kept++] = path;
		}
	}
	r->count = kept;
	r->paths[kept] = NULL;
}

bool ui_roots_within(const struct ui_roots *r, const char *name, size_t len)
{
	bool is = false;
	size_t i, n = 0;

	for (i = 0; i < r->within_count && !is; i++) {
		char *other = name_of(r->within[i], &n);

		is = other != NULL && n == len && memcmp(other, name, len) == 0;
		free(other);
	}
	return is;
}

bool ui_roots_link(int base, const char *path)
{
	struct stat st;

	return *path != 0 && !ends_in_slash(path) &&
	       fstatat(base, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
	       fstatat(base, path, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

int ui_roots_of(struct ui_roots *r, const struct store_dump *dump, bool nested, struct err *err)
{
	const uint8_t *at = NULL, *path;
	size_t len;
	int got = 0;

	while (got == 0 && store_dump_path(dump, &at, &path, &len)) {
		char *text = strndup((const char *)path, len);

		got = text != NULL ? ui_roots_add(r, text, err)
				   : err_set(err, ERR_NOMEM, "out of memory");
		free(text);
	}
	ui_roots_order(r, nested);
	return got;
}

bool ui_roots_same(const struct ui_roots *a, const struct ui_roots *b)
{
	size_t i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
		if (by_name(&a->paths[i], &b->paths[i]) != 0)
			return false;
	return true;
}

void ui_roots_print(FILE *to, const struct ui_roots *r, const char *base)
{
	size_t i, len = 0;

	base = strcmp(base, "/") == 0 ? "" : base;
	for (i = 0; i < r->count && i < UI_ROOTS_SHOWN; i++) {
		char *name = name_of(r->paths[i], &len), *whole = NULL, *shown = NULL;
		const char *below = name == NULL || strcmp(name, ".") == 0 ? "" : name;

		if (asprintf(&whole, "%s%s%s", base, *below || !*base ? "/" : "", below) < 0)
			whole = NULL;
		if (whole != NULL)
			shown = ui_show_name(
				(struct pack_bytes){(const uint8_t *)whole, strlen(whole)});
		fprintf(to, "%s%s", i > 0 ? ", " : "", shown != NULL ? shown : "?");
		free(name);
		free(whole);
		free(shown);
	}
	if (i < r->count)
		fprintf(to, " and %zu more", r->count - i);
	if (r->count == 0)
		fputs("no PATH", to);
}

void ui_roots_fini(struct ui_roots *r)
{
	size_t i;

	for (i = 0; i < r->count; i++)
		free(r->paths[i]);
	free(r->paths);
	for (i = 0; i < r->within_count; i++)
		free(r->within[i]);
	free(r->within);
	buf_fini(&r->encoded);
}
