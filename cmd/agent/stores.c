#include "cmd/agent/stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/plan.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/name.h"

#define FILE_MAX (1u << 20)

struct line {
	char name[NAME_LEN_MAX + 1], address[1024];
	char uid[2 * MANAGER_UID_LEN + 1], key[2 * MANAGER_KEY_LEN + 1]; /* "": unknown */
};

/* Finds the line of a store in the file's text; all zeros if it has none. */
static struct line find_line(const char *text, const char *name)
{
	struct line line;

	for (; text != NULL; text = strchr(text, '\n')) {
		text += *text == '\n';
		line = (struct line){.name = ""};
		if (sscanf(text, "%63[^ \n]%*[ ]%1023[^ \n]%*[ ]%32[^ \n]%*[ ]%64[^ \n]", line.name,
			    line.address, line.uid, line.key) >= 2 &&
			strcmp(line.name, name) == 0)
			return line;
	}
	return (struct line){.name = ""};
}

static int add_store(
	struct buf *lines, const struct manager_plan_store *store, const char *old, struct err *err)
{
	struct line line = find_line(old, store->name);

	if (store->address != NULL)
		snprintf(line.address, sizeof line.address, "%s", store->address);
	if (store->has_uid && store->has_key) {
		esc_hex(line.uid, store->uid, sizeof store->uid);
		esc_hex(line.key, store->key, sizeof store->key);
	}
	if (line.address[0] == 0)
		return 0;
	if (buf_addf(lines, err, "%s %s", store->name, line.address) != 0)
		return -1;
	if (line.key[0] != 0 && buf_addf(lines, err, " %s %s", line.uid, line.key) != 0)
		return -1;
	return buf_addf(lines, err, "\n");
}

int agent_stores_keep(const char *path, const struct manager_plan *plan, struct err *err)
{
	char *old = calloc(1, FILE_MAX);
	struct buf lines;
	size_t i, len;
	int ret = 0;

	if (old == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	/* One that can't be read is written again. */
	if (file_read(path, old, FILE_MAX - 1, &len, NULL, NULL) != 0)
		old[0] = 0;
	buf_init(&lines, FILE_MAX);
	for (i = 0; i < plan->store_count && ret == 0; i++)
		ret = add_store(&lines, &plan->stores[i], old, err);
	if (ret == 0)
		ret = file_write(path, lines.data, lines.len, 0600, err);
	buf_fini(&lines);
	free(old);
	return ret;
}
