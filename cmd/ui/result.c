#include "cmd/ui/result.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"

static FILE *stream;

void ui_result_json(FILE *to)
{
	stream = to;
}

FILE *ui_result_stream(void)
{
	return stream;
}

/* Whether a text is UTF-8 without DEL, which JSON would not escape. */
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

static int add_text(json_t *object, const struct ui_field *f)
{
	size_t len = f->type == UI_FIELD_STRING ? strlen(f->bytes) : f->len;
	char base64_key[32], *text;
	int got = -1;

	if (is_plain(f->bytes, len))
		return json_object_set_new(object, f->name, json_stringn(f->bytes, len));
	snprintf(base64_key, sizeof base64_key, "%s_base64", f->name);
	text = malloc(ESC_MAX(len) + BASE64_LEN(len));
	if (text != NULL) {
		esc_name(text, ESC_MAX(len), f->bytes, len);
		got = json_object_set_new(object, f->name, json_string(text));
		base64_encode(f->bytes, len, text);
		got |= json_object_set_new(object, base64_key, json_string(text));
	}
	free(text);
	return got;
}

static int add_hex(json_t *object, const struct ui_field *f)
{
	char *text = malloc(2 * f->len + 1);
	int got = -1;

	if (text != NULL) {
		esc_hex(text, f->bytes, f->len);
		got = json_object_set_new(object, f->name, json_string(text));
	}
	free(text);
	return got;
}

/* Returns 0, or -1: out of memory. */
static int add_fields(json_t *object, const struct ui_field *f)
{
	int failed = object == NULL;

	for (; f->name != NULL; f++)
		switch (f->type) {
		case UI_FIELD_INT:
			failed |= json_object_set_new(object, f->name, json_integer(f->number));
			break;
		case UI_FIELD_BOOL:
			failed |= json_object_set_new(object, f->name, json_boolean(f->number));
			break;
		case UI_FIELD_STRING:
		case UI_FIELD_BYTES:
			failed |= f->bytes != NULL ? add_text(object, f) : 0;
			break;
		case UI_FIELD_HEX:
			failed |= f->bytes != NULL ? add_hex(object, f) : 0;
			break;
		case UI_FIELD_JSON:
			failed |= json_object_set_new(object, f->name, f->json);
			break;
		case UI_FIELD_ABSENT:
			break;
		}
	return failed != 0 ? -1 : 0;
}

void ui_result_append(json_t *list, const struct ui_field *fields)
{
	json_t *object = json_object();

	(void)add_fields(object, fields);
	json_array_append_new(list, object);
}

int ui_result_put(struct buf *out, const char *type, const char *id, const struct ui_field *fields,
	struct err *err)
{
	json_t *object = json_pack("{ss ss}", "type", type, "id", id);
	char *text = add_fields(object, fields) == 0
			     ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII)
			     : NULL;
	int got = text != NULL ? buf_addf(out, err, "%s\n", text)
			       : err_set(err, ERR_NOMEM, "out of memory");

	json_decref(object);
	free(text);
	return got;
}

int ui_result(const char *type, const char *id, const struct ui_field *fields, struct err *err,
	const char *fmt, ...)
{
	struct buf line;
	va_list args;
	int got = 0;

	if (stream != NULL) {
		buf_init(&line, SIZE_MAX);
		got = ui_result_put(&line, type, id, fields, err);
		if (got == 0 && fwrite(line.data, 1, line.len, stream) != line.len)
			got = err_errno(err, errno, "output");
		buf_fini(&line);
	} else if (fmt != NULL) {
		va_start(args, fmt);
		if (vprintf(fmt, args) < 0)
			got = err_errno(err, errno, "standard output");
		va_end(args);
	}
	return got;
}
