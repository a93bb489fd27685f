#include "cmd/ui/undo.h"

#include <assert.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_MAX_FILES 16

static bool is_empty_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = dir != NULL;

	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir != NULL)
		closedir(dir);
	return empty;
}

/* Cuts the last name off the first `len` bytes of a path. Returns 0 if none is left above it. */
static size_t above(const char *path, size_t len)
{
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 0 && path[len - 1] == '/')
		len--;
	return len;
}

/* Whether there is what the first `len` bytes of a path name. */
static bool is_there(const char *path, size_t len)
{
	char part[PATH_MAX];
	struct stat st;

	memcpy(part, path, len);
	part[len] = 0;
	return lstat(part, &st) == 0;
}

void ui_undo_note(struct ui_undo *undo, const char *path)
{
	struct ui_undo_path *p = &undo->paths[undo->count];
	size_t len;

	assert(undo->count < UI_UNDO_MAX && path[0] != 0 && strlen(path) < sizeof p->text);
	strcpy(p->text, path);
	for (len = strlen(path); len > 1 && p->text[len - 1] == '/'; len--)
		p->text[len - 1] = 0;
	p->top = len;
	p->emptied = is_there(p->text, len);
	if (p->emptied && !is_empty_folder(p->text))
		return;
	if (!p->emptied)
		do {
			p->top = above(p->text, p->top);
		} while (p->top > 0 && !is_there(p->text, p->top));
	undo->count++;
}

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type;
	if (at->level > 0)
		(void)remove(path);
	return 0;
}

void ui_undo_run(struct ui_undo *undo)
{
	struct ui_undo_path *p;
	size_t len;

	while (undo->count > 0) {
		p = &undo->paths[--undo->count];
		(void)nftw(p->text, remove_below, OPEN_MAX_FILES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
		if (p->emptied)
			continue;
		(void)remove(p->text);
		for (len = above(p->text, strlen(p->text)); len > p->top;
			len = above(p->text, len)) {
			p->text[len] = 0;
			(void)rmdir(p->text);
		}
	}
}
