/*
 * What a command prints: for people a text, with --json an object of which each member is one row
 * of a table.
 *
 *   return ui_result(o->json, "result", "store.replicate",
 *           (struct ui_field[]){UI_INT("dumps", r.dumps), UI_INT("bytes", r.bytes), {0}}, err,
 *           "%" PRIu64 " dumps, %" PRIu64 " bytes copied\n", r.dumps, r.bytes);
 *
 * An object is one line, and first says what it is: "type", and "id". Text that is not UTF-8, or
 * has a DEL, is escaped as lib/esc.h does, and stands in a member KEY_base64 as it is.
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
	UI_FIELD_STRING, /* .bytes end with a NUL */
	UI_FIELD_BYTES,
	UI_FIELD_HEX,
	UI_FIELD_JSON,
};

/* A table ends with a field without name. Made by the macros below. */
struct ui_field {
	const char *name;
	enum ui_field_type type;
	int64_t number;
	const void *bytes; /* NULL: it is left out */
	size_t len;
	json_t *json; /* its reference is taken; NULL: out of memory */
};

#define UI_INT_IF(there, key, value)                                                               \
	{                                                                                          \
		.name = (key), .type = (there) ? UI_FIELD_INT : UI_FIELD_ABSENT,                   \
		.number = (int64_t)(value)                                                         \
	}
#define UI_BOOL_IF(there, key, value)                                                              \
	{                                                                                          \
		.name = (key), .type = (there) ? UI_FIELD_BOOL : UI_FIELD_ABSENT,                  \
		.number = (value)                                                                  \
	}
#define UI_JSON_IF(there, key, value)                                                              \
	{                                                                                          \
		.name = (key), .type = (there) ? UI_FIELD_JSON : UI_FIELD_ABSENT, .json = (value)  \
	}
#define UI_INT(key, value)  UI_INT_IF(true, key, value)
#define UI_BOOL(key, value) UI_BOOL_IF(true, key, value)
#define UI_JSON(key, value) UI_JSON_IF(true, key, value)
#define UI_STRING(key, text)                                                                       \
	{                                                                                          \
		.name = (key), .type = UI_FIELD_STRING, .bytes = (text)                            \
	}
#define UI_BYTES(key, at, n)                                                                       \
	{                                                                                          \
		.name = (key), .type = UI_FIELD_BYTES, .bytes = (at), .len = (n)                   \
	}
#define UI_HEX(key, at, n)                                                                         \
	{                                                                                          \
		.name = (key), .type = UI_FIELD_HEX, .bytes = (at), .len = (n)                     \
	}

/* Prints the text as printf does (NULL: there is none), or the object. Returns 0, or -1 with err
 * set. */
int ui_result(bool json, const char *type, const char *id, const struct ui_field *fields,
	struct err *err, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* The object to a stream, whole also if threads print at once. */
int ui_result_print(
	FILE *to, const char *type, const char *id, const struct ui_field *fields, struct err *err);

/* The object appended to a buffer. */
int ui_result_put(struct buf *out, const char *type, const char *id, const struct ui_field *fields,
	struct err *err);

/* Appends an object of the fields alone to a list that is a field of the result. What can't be
 * added for want of memory is left out. */
void ui_result_append(json_t *list, const struct ui_field *fields);

#endif
