/* Lines of JSON, by jansson. */
#include "cmd/ui/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"

json_t *ui_json_new(const char *type, const char *id)
{
	return json_pack("{ss ss}", "type", type, "id", id);
}

int ui_json_add(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

void ui_json_note(json_t *list, const char *key, const char *whose, const char *what)
{
	json_t *object = json_object();

	if (key != NULL)
		ui_json_name(object, key, whose, strlen(whose));
	ui_json_name(object, "what", what, strlen(what));
	json_array_append_new(list, object);
}

int ui_json_rows(json_t *object, const struct ui_json_row *rows, size_t count)
{
	size_t i;
	int failed = 0;

	for (i = 0; i < count; i++)
		failed |=
			ui_json_add(object, rows[i].name, json_integer((json_int_t)rows[i].value));
	return failed;
}

/* UTF-8 without DEL, which JSON would pass on as it is. */
static bool is_plain(const char *text, size_t len)
{
	size_t n;

	if (memchr(text, 0x7f, len) != NULL)
		return false;
	for (; len > 0; text += n, len -= n)
		if ((n = esc_utf8_len(text, len)) == 0)
			return false;
	return true;
}

int ui_json_name(json_t *object, const char *key, const void *bytes, size_t len)
{
	char base64_key[32], *text;
	int got = -1;

	if (bytes == NULL)
		return 0;
	if (is_plain(bytes, len))
		return ui_json_add(object, key, json_stringn(bytes, len));
	snprintf(base64_key, sizeof base64_key, "%s_base64", key);
	text = malloc(ESC_MAX(len) + BASE64_LEN(len));
	if (text != NULL) {
		esc_name(text, ESC_MAX(len), bytes, len);
		got = ui_json_add(object, key, json_string(text));
		base64_encode(bytes, len, text);
		got |= ui_json_add(object, base64_key, json_string(text));
	}
	free(text);
	return got;
}

int ui_json_hex(json_t *object, const char *key, const void *bytes, size_t len)
{
	char *text = malloc(2 * len + 1);
	int got = -1;

	if (text != NULL) {
		esc_hex(text, bytes, len);
		got = ui_json_add(object, key, json_string(text));
	}
	free(text);
	return got;
}

int ui_json_put(json_t *object, int failed, struct buf *out, struct err *err)
{
	char *text = object != NULL && !failed
			     ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII)
			     : NULL;
	int got = -1;

	json_decref(object);
	if (text == NULL)
		err_set(err, ERR_NOMEM, "out of memory");
	else if (buf_add(out, text, strlen(text), err) == 0)
		got = buf_add(out, "\n", 1, err);
	free(text);
	return got;
}

int ui_json_print(json_t *object, int failed, struct err *err)
{
	return ui_json_print_to(stdout, object, failed, err);
}

int ui_json_print_to(FILE *to, json_t *object, int failed, struct err *err)
{
	struct buf line;
	int got;

	buf_init(&line, SIZE_MAX);
	got = ui_json_put(object, failed, &line, err);
	if (got == 0 && fwrite(line.data, 1, line.len, to) != line.len)
		got = err_errno(err, errno, "output");
	buf_fini(&line);
	return got;
}

int ui_json_result(
	FILE *to, const char *id, const struct ui_json_row *rows, size_t count, struct err *err)
{
	json_t *object = ui_json_new("result", id);

	return ui_json_print_to(to, object, ui_json_rows(object, rows, count), err);
}
