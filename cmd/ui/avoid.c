#include "cmd/ui/avoid.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

/* The folder's path relative to the base; "." if the folder is the base or contains it; NULL if
 * they don't overlap. */
static const char *name_below(const char *base, const char *real)
{
	size_t base_len = strcmp(base, "/") == 0 ? 0 : strlen(base), len = strlen(real);

	if (strncmp(real, base, base_len) == 0 && real[base_len] == '/' && real[base_len + 1] != 0)
		return real + base_len + 1;
	return strncmp(base, real, len) == 0 && (base[len] == 0 || base[len] == '/') ? "." : NULL;
}

int ui_avoid_add(
	struct ui_avoid *a, const char *base, const char *folder, const char *what, struct err *err)
{
	char *real = realpath(folder, NULL);
	const char *below = real != NULL ? name_below(base, real) : NULL;
	char *name = below != NULL ? strdup(below) : NULL;

	free(real);
	if (below == NULL)
		return 0;
	if (name == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	assert(a->count < UI_AVOID_MAX);
	a->folders[a->count++] = (struct ui_avoided){folder, what, name};
	return 0;
}

const struct ui_avoided *ui_avoid_find(const struct ui_avoid *a, const char *path, size_t len)
{
	size_t i;

	for (i = 0; i < a->count; i++) {
		const char *name = a->folders[i].name;
		size_t name_len = strlen(name);

		if (strcmp(name, ".") == 0 ||
			(len >= name_len && memcmp(name, path, name_len) == 0 &&
				(len == name_len || path[name_len] == '/')))
			return &a->folders[i];
	}
	return NULL;
}

void ui_avoid_fini(struct ui_avoid *a)
{
	while (a->count > 0)
		free(a->folders[--a->count].name);
}
