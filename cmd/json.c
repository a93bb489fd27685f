/* Lines of JSON, by jansson. */
#include "cmd/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base64.h"
#include "lib/err.h"
#include "lib/esc.h"

json_t *cmd_json_new(const char *type, const char *id)
{
	return json_pack("{ss ss}", "type", type, "id", id);
}

int cmd_json_add(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value);
}

static bool is_utf8(const char *text, size_t len)
{
	size_t n;

	for (; len > 0; text += n, len -= n)
		if ((n = esc_utf8_len(text, len)) == 0)
			return false;
	return true;
}

int cmd_json_name(json_t *object, const char *key, const void *bytes, size_t len)
{
	char base64_key[32], *text;
	int got = -1;

	if (bytes == NULL)
		return 0;
	if (is_utf8(bytes, len))
		return cmd_json_add(object, key, json_stringn(bytes, len));
	snprintf(base64_key, sizeof base64_key, "%s_base64", key);
	text = malloc(ESC_MAX(len) + BASE64_LEN(len));
	if (text != NULL) {
		esc_name(text, ESC_MAX(len), bytes, len);
		got = cmd_json_add(object, key, json_string(text));
		base64_encode(bytes, len, text);
		got |= cmd_json_add(object, base64_key, json_string(text));
	}
	free(text);
	return got;
}

int cmd_json_print(json_t *object, int failed, struct err *err)
{
	char *text = object != NULL && !failed ? json_dumps(object, JSON_COMPACT) : NULL;
	int got = 0;

	json_decref(object);
	if (text == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (printf("%s\n", text) < 0)
		got = err_errno(err, errno, "standard output");
	free(text);
	return got;
}
