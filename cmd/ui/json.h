/*
 * --json: one object a line, on standard output. Each has "type", what it
 * is, and "id", a name that does not change between versions, to filter by.
 *
 * Names are bytes, JSON's strings are Unicode. A name that is UTF-8 stands as
 * it is in "path". One that is not (or holds a DEL) stands there in the escaped form of
 * lib/esc.h, and its bytes, in base64, in "path_base64": where that is, it
 * counts. Likewise for other keys: "target" and "target_base64".
 */
#ifndef FDUMP_CMD_UI_JSON_H
#define FDUMP_CMD_UI_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

struct buf;
struct err;

/* {"type": type, "id": id}. NULL: out of memory; all functions here take that. */
json_t *ui_json_new(const char *type, const char *id);

/* Adds a value, whose reference it takes. Returns 0, or -1: out of memory;
 * ui_json_print then says so. */
int ui_json_add(json_t *object, const char *key, json_t *value);

/* Adds bytes as above. Nothing is added for bytes at NULL. */
int ui_json_name(json_t *object, const char *key, const void *bytes, size_t len);

/* Adds bytes as digits, two a byte. */
int ui_json_hex(json_t *object, const char *key, const void *bytes, size_t len);

/* Adds {key: whose, "what": what} to a list, for the result; key NULL: without whose. What can't be
 * added for want of memory is left out: it was printed too. */
void ui_json_note(json_t *list, const char *key, const char *whose, const char *what);

/* Adds numbers. */
struct ui_json_row {
	const char *name;
	uint64_t value;
};
int ui_json_rows(json_t *object, const struct ui_json_row *rows, size_t count);

/* Prints the object as one line, whole also if threads print at once, and
 * frees it. failed: that something could not be added. Returns 0, or -1 with
 * err set. */
int ui_json_print(json_t *object, int failed, struct err *err);

/* The same to a stream other than standard output. */
int ui_json_print_to(FILE *to, json_t *object, int failed, struct err *err);

/* The same, appended to a buffer. */
int ui_json_put(json_t *object, int failed, struct buf *out, struct err *err);

/* A command's result: {"type": "result", "id": id, and the numbers}, printed to a stream. */
int ui_json_result(
	FILE *to, const char *id, const struct ui_json_row *rows, size_t count, struct err *err);

#endif
