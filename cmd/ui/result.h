/*
 * Prints the result of a command: a text for people or, with --json, an object whose members are
 * the rows of a table.
 *
 *   return ui_result("result", "store.replicate",
 *           (struct ui_field[]){UI_INT("dumps", r.dumps), UI_INT("bytes", r.bytes), {0}}, err,
 *           "%" PRIu64 " dumps, %" PRIu64 " bytes copied\n", r.dumps, r.bytes);
 *
 * An object is one line, and begins with "type" and "id". A text that is not UTF-8, or has a DEL,
 * is escaped as in lib/esc.h, and a member KEY_base64 has its bytes.
 */
#ifndef FDUMP_CMD_UI_RESULT_H
#define FDUMP_CMD_UI_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

struct buf;
struct err;

enum ui_field_type {
	UI_FIELD_ABSENT,
	UI_FIELD_INT,
	UI_FIELD_BOOL,
	UI_FIELD_STRING, /* .bytes ends with a NUL */
	UI_FIELD_BYTES,
	UI_FIELD_HEX,
	UI_FIELD_JSON,
};

/* A table ends with a field that has no name. Fields are made by the macros below. */
struct ui_field {
	const char *name;
	enum ui_field_type type;
	int64_t number;
	const void *bytes; /* NULL: the member is left out */
	size_t len;
	json_t *json; /* the reference is taken over; NULL: out of memory */
};

/* clang-format off */
#define UI_INT_IF(there, key, value) \
	{.name = (key), .type = (there) ? UI_FIELD_INT : UI_FIELD_ABSENT, \
		.number = (int64_t)(value)}
#define UI_BOOL_IF(there, key, value) \
	{.name = (key), .type = (there) ? UI_FIELD_BOOL : UI_FIELD_ABSENT, .number = (value)}
#define UI_JSON_IF(there, key, value) \
	{.name = (key), .type = (there) ? UI_FIELD_JSON : UI_FIELD_ABSENT, .json = (value)}
#define UI_INT(key, value)  UI_INT_IF(true, key, value)
#define UI_BOOL(key, value) UI_BOOL_IF(true, key, value)
#define UI_JSON(key, value) UI_JSON_IF(true, key, value)
#define UI_STRING(key, text) {.name = (key), .type = UI_FIELD_STRING, .bytes = (text)}
#define UI_BYTES(key, at, n) {.name = (key), .type = UI_FIELD_BYTES, .bytes = (at), .len = (n)}
#define UI_HEX(key, at, n)   {.name = (key), .type = UI_FIELD_HEX, .bytes = (at), .len = (n)}
/* clang-format on */

/* Where objects go: standard output with --json; NULL, as at first: nowhere, texts are printed. */
void ui_result_json(FILE *to);
FILE *ui_result_stream(void);

/* Prints the text as printf does (fmt NULL: nothing) or, with --json, the object, in one piece even
 * if other threads print too. Returns 0, or -1 with err set. */
int ui_result(const char *type, const char *id, const struct ui_field *fields, struct err *err,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Appends the object to a buffer, as a line. Returns 0, or -1 with err set. */
int ui_result_put(struct buf *out, const char *type, const char *id, const struct ui_field *fields,
	struct err *err);

/* Appends an object with these fields only to a list that is a field of the result. Members for
 * which memory is lacking are left out. */
void ui_result_append(json_t *list, const struct ui_field *fields);

#endif
