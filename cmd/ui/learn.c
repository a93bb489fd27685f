#include "cmd/ui/learn.h"

#include <stdbool.h>
#include <string.h>

#include "lib/err.h"
#include "lib/file.h"

#define FILE_MAX (1u << 18)

/* The end of a line, or of the text. */
static size_t line_end(const struct buf *text, size_t at)
{
	const uint8_t *end = memchr(text->data + at, '\n', text->len - at);

	return end != NULL ? (size_t)(end - text->data) : text->len;
}

/* The next word of the line that ends at `end`: moves *at to its begin. Returns its length; 0:
 * there is none. */
static size_t next_word(const struct buf *text, size_t *at, size_t end)
{
	size_t len = 0;

	while (*at < end && memchr(" \t", text->data[*at], 2) != NULL)
		(*at)++;
	while (*at + len < end && memchr(" \t", text->data[*at + len], 2) == NULL)
		len++;
	return len;
}

static bool is_word(const struct buf *text, size_t at, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text->data + at, word, len) == 0;
}

/* Replaces len bytes at `at`. */
static int replace(struct buf *text, size_t at, size_t len, const char *by, struct err *err)
{
	size_t new_len = strlen(by), behind = text->len - at - len;

	if (buf_room(text, new_len, err) == NULL)
		return -1;
	memmove(text->data + at + new_len, text->data + at + len, behind);
	memcpy(text->data + at, by, new_len);
	text->len = at + new_len + behind;
	return 0;
}

int ui_learn_line(
	struct buf *text, const char *name, const char *address, const char *rest, struct err *err)
{
	size_t at, end, len;

	for (at = 0; at < text->len; at = end + 1) {
		end = line_end(text, at);
		len = next_word(text, &at, end);
		if (!is_word(text, at, len, name))
			continue;
		at += len;
		len = next_word(text, &at, end);
		if (len == 0 || is_word(text, at, len, address))
			return 1;
		return replace(text, at, len, address, err);
	}
	if (text->len > 0 && text->data[text->len - 1] != '\n' && buf_add(text, "\n", 1, err) != 0)
		return -1;
	return buf_addf(text, err, "%s %s%s%s\n", name, address, rest[0] != 0 ? " " : "", rest);
}

int ui_learn_file(
	const char *path, const struct ui_learn_line *lines, size_t count, struct err *err)
{
	struct err why = {0};
	struct buf text;
	uint8_t *to;
	size_t len, i;
	int ret = -1, changed = 0;

	buf_init(&text, 2 * FILE_MAX);
	to = buf_room(&text, FILE_MAX, err);
	if (to == NULL)
		goto out;
	if (file_read(path, to, FILE_MAX, &len, NULL, &why) == 0) {
		buf_took(&text, len);
	} else if (why.code != ERR_NOTFOUND) {
		*err = why;
		goto out;
	}
	for (ret = 0, i = 0; i < count && ret >= 0; i++) {
		ret = ui_learn_line(&text, lines[i].name, lines[i].address, lines[i].rest, err);
		changed |= ret == 0;
	}
	if (ret >= 0)
		ret = changed ? file_write_owned(path, text.data, text.len, 0644, err) : 0;
out:
	buf_fini(&text);
	return ret;
}
