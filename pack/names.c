/* External merge sort: sorted runs in one file, and a small window on each. */
#include "pack/names.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/fs.h"

#define RECORD_MAX (1 + PACK_NAMES_LEN + 1)
#define WINDOW     4096

/* A sorted run in the file, and the window on it. */
struct pack_names_run {
	uint64_t at, end; /* the range that is not read yet */
	size_t pos, len;  /* in the window: position, bytes */
	char window[WINDOW];
};

void pack_names_init(struct pack_names *names)
{
	*names = (struct pack_names){.fd = -1, .memory = PACK_NAMES_MEMORY};
	buf_init(&names->text, PACK_NAMES_MEMORY + RECORD_MAX);
	buf_init(&names->order, PACK_NAMES_MEMORY * 2);
}

void pack_names_fini(struct pack_names *names)
{
	buf_fini(&names->text);
	buf_fini(&names->order);
	free(names->runs);
	names->runs = NULL;
	names->run_count = 0;
	fs_close(names->fd);
	names->fd = -1;
}

static int compare(const void *a, const void *b, void *text)
{
	const char *base = text;

	return strcmp(base + *(const uint32_t *)a + 1, base + *(const uint32_t *)b + 1);
}

static size_t count(const struct pack_names *names)
{
	return names->order.len / sizeof(uint32_t);
}

static void sort_memory(struct pack_names *names)
{
	if (count(names) > 1)
		qsort_r(names->order.data, count(names), sizeof(uint32_t), compare,
			names->text.data);
}

/* Writes the names in memory to the file as a sorted run. */
static int spill(struct pack_names *names, struct err *err)
{
	const uint32_t *order = (const uint32_t *)(const void *)names->order.data;
	struct pack_names_run *runs;
	struct buf out = {.max = 65536 + RECORD_MAX};
	uint64_t start = names->file_len;
	size_t i;
	int result = -1;

	if (names->fd < 0 && (names->fd = fs_temporary(err)) < 0)
		return -1;
	sort_memory(names);
	for (i = 0; i <= count(names); i++) {
		if (i == count(names) || out.len >= 65536) {
			if (fs_write_at(names->fd, out.data, out.len, names->file_len, err) != 0)
				goto out;
			names->file_len += out.len;
			buf_clear(&out);
		}
		if (i < count(names)) {
			const uint8_t *record = names->text.data + order[i];

			if (buf_add(&out, record, strlen((const char *)record + 1) + 2, err) != 0)
				goto out;
		}
	}
	runs = realloc(names->runs, (names->run_count + 1) * sizeof *runs);
	if (runs == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		goto out;
	}
	names->runs = runs;
	runs[names->run_count++] = (struct pack_names_run){.at = start, .end = names->file_len};
	buf_clear(&names->text);
	buf_clear(&names->order);
	result = 0;
out:
	buf_fini(&out);
	return result;
}

int pack_names_add(struct pack_names *names, const char *name, uint8_t tag, struct err *err)
{
	uint32_t at = (uint32_t)names->text.len;

	if (names->text.len + names->order.len + RECORD_MAX > names->memory) {
		if (spill(names, err) != 0)
			return -1;
		at = 0;
	}
	if (buf_add(&names->text, &tag, 1, err) != 0 ||
		buf_add(&names->text, name, strlen(name) + 1, err) != 0)
		return -1;
	return buf_add(&names->order, &at, sizeof at, err);
}

int pack_names_sort(struct pack_names *names, struct err *err)
{
	if (names->run_count > 0 && count(names) > 0)
		return spill(names, err);
	sort_memory(names);
	return 0;
}

/* Makes sure that the window holds the run's next record completely, if there is one. */
static int fill(struct pack_names *names, struct pack_names_run *run, struct err *err)
{
	size_t want;

	if (run->pos < run->len &&
		memchr(run->window + run->pos + 1, 0, run->len - run->pos - 1) != NULL)
		return 0;
	memmove(run->window, run->window + run->pos, run->len - run->pos);
	run->len -= run->pos;
	run->pos = 0;
	want = sizeof run->window - run->len;
	if (want > run->end - run->at)
		want = (size_t)(run->end - run->at);
	if (want == 0)
		return 0;
	if (fs_read_at(names->fd, run->window + run->len, want, run->at, err) != 0)
		return err_prefix(err, "temporary file of names");
	run->at += want;
	run->len += want;
	return 0;
}

static int next_merged(struct pack_names *names, const char **name, uint8_t *tag, struct err *err)
{
	struct pack_names_run *least = NULL;
	size_t i;

	for (i = 0; i < names->run_count; i++) {
		struct pack_names_run *run = &names->runs[i];

		if (fill(names, run, err) != 0)
			return -1;
		if (run->pos < run->len &&
			(least == NULL || strcmp(run->window + run->pos + 1,
						  least->window + least->pos + 1) < 0))
			least = run;
	}
	if (least == NULL)
		return 1;
	*tag = (uint8_t)least->window[least->pos];
	*name = least->window + least->pos + 1;
	least->pos += strlen(*name) + 2;
	return 0;
}

int pack_names_next(struct pack_names *names, const char **name, uint8_t *tag, struct err *err)
{
	const char *record;

	if (names->run_count > 0)
		return next_merged(names, name, tag, err);
	if (names->next == count(names))
		return 1;
	record = (const char *)names->text.data +
		 ((const uint32_t *)(const void *)names->order.data)[names->next++];
	*tag = (uint8_t)record[0];
	*name = record + 1;
	return 0;
}
