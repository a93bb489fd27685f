/*
 * CBOR maps with text keys, read and written by a table of their fields:
 * parameters of calls, key blocks, records of dumps and journals, database rows
 * and state files. Pure, allocates nothing; strings point into the input.
 *
 *	static const struct cbormap_field fields[] = {
 *		{.key = "name", .type = CBORMAP_NAME, .need = true},
 *		{.key = "ids", CBORMAP_LIST_OF(id_field, 500), .need = true},
 *		{0},
 *	};
 *	struct cbormap_value v[2];
 *	if (cbormap_get(v, fields, bytes, len, err) != 0) ...
 *
 * A key that is not in the table is skipped, so that later versions can add
 * keys. But a key that begins with an upper-case letter must be understood: if
 * it is not in the table, the map is refused. Also refused are a repeated key,
 * a missing key that is needed, a value of the wrong type or beyond its limits,
 * more than CBORMAP_PAIRS_MAX keys, and bytes after the map.
 *
 * A table can also describe a struct: a field with a place in it (CBORMAP_IN)
 * is copied there by cbormap_store, and written from there by cbormap_put. Pack
 * entries have their own reader (pack/entry.h).
 */
#ifndef FDUMP_LIB_CBORMAP_H
#define FDUMP_LIB_CBORMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct cbor_in;
struct cbor_out;

#define CBORMAP_DEPTH_MAX  8  /* levels of arrays and maps in a key's value */
#define CBORMAP_PAIRS_MAX  64 /* keys of one map, skipped ones included */
#define CBORMAP_FIELDS_MAX 40 /* fields of one table */

enum cbormap_type {
	CBORMAP_UINT = 1, /* min to max; max 0: all that fit. In a struct: uint64_t or uint32_t */
	CBORMAP_VERSION,  /* the same, but ERR_UNSUPPORTED outside these limits */
	CBORMAP_INT,      /* any int64_t; min and max are not used */
	CBORMAP_TIME,     /* the same: seconds since 1970 */
	CBORMAP_BOOL,     /* bool */
	CBORMAP_BYTES,    /* min to max bytes. In a struct: uint8_t[], of exactly its size */
	CBORMAP_BLOB,     /* up to max bytes. In a struct: struct cbormap_blob */
	CBORMAP_TEXT, /* min to max bytes of well-formed UTF-8 without NUL. In a struct: char[] */
	CBORMAP_NAME, /* text of the grammar in lib/name.h. In a struct: char[] */
	CBORMAP_LIST, /* min to max items, each as described by `of`. In a struct: an array of them,
			 and their number in a size_t */
	CBORMAP_MAP,  /* a map as described by `sub`. In a struct: the struct of that table */
	CBORMAP_TUPLE, /* an array of exactly the items of `sub`, in this order. In a struct: as
			  MAP; can't be put */
	CBORMAP_ANY,   /* one item of any kind, for the caller to read */
};

/* A table ends with a field that has no type. */
struct cbormap_field {
	const char *key;
	enum cbormap_type type;
	bool need; /* refused if it is missing; written even if it is zero */
	uint64_t min, max;
	const struct cbormap_field *of;  /* LIST: describes each item; its key is not used */
	const struct cbormap_field *sub; /* MAP, TUPLE: a table */
	size_t at, size;                 /* the place in a struct; size 0: none */
	size_t count;                    /* LIST: the place of the number of items in the struct */
};

/* A byte string of a fixed length; a list. */
#define CBORMAP_FIXED(n)             .type = CBORMAP_BYTES, .min = (n), .max = (n)
#define CBORMAP_LIST_OF(items, most) .type = CBORMAP_LIST, .max = (most), .of = &(items)
/* The place of a field in a struct. Limits that are not given follow from the
 * member's size. */
#define CBORMAP_IN(in, member) .at = offsetof(in, member), .size = sizeof((in *)0)->member

/* A list in a struct: an array whose items have the size of the field `items`. */
#define CBORMAP_LIST_IN(in, member, counter, items)                                                \
	.type = CBORMAP_LIST, CBORMAP_IN(in, member), .count = offsetof(in, counter), .of = &(items)

/* A field with the same name as its member. */
#define CBORMAP_OF(in, kind, member) .key = #member, .type = CBORMAP_##kind, CBORMAP_IN(in, member)

struct cbormap_value {
	bool has;
	uint64_t number;      /* UINT, VERSION, BOOL; LIST: how many */
	int64_t integer;      /* INT, TIME */
	const uint8_t *bytes; /* BYTES, BLOB, TEXT, NAME; LIST: its items; MAP, TUPLE, ANY: */
	size_t len;           /* the whole item */
};

struct cbormap_blob {
	const void *bytes;
	size_t len;
};

/* Reads one map and fills one value for each field, in the table's order. An
 * empty input counts as an empty map. Returns 0, or -1 with err set: ERR_LIMIT
 * for a value beyond its limits (ERR_FORMAT if only one value or length is
 * valid), ERR_UNSUPPORTED for a key that must be understood or a version that
 * is not known, else ERR_FORMAT. */
int cbormap_get(struct cbormap_value *values, const struct cbormap_field *fields, const void *bytes,
	size_t len, struct err *err);
/* The same for the next item of an input; other items may follow it. */
int cbormap_take(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, struct err *err);
/* The same for an array, as described at CBORMAP_TUPLE. */
int cbormap_take_tuple(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, struct err *err);

/* Takes the first item off a list that cbormap_get has read. Returns true; or
 * false at the end, and for a list that was missing. */
bool cbormap_next(
	struct cbormap_value *list, const struct cbormap_field *of, struct cbormap_value *item);

/* True if the value is present and is this text. */
bool cbormap_is_text(const struct cbormap_value *value, const char *text);

/* Reads a nested map or tuple that has already been checked, so it can't fail.
 * field is the MAP or TUPLE field. */
void cbormap_inner(struct cbormap_value *values, const struct cbormap_field *field,
	const struct cbormap_value *value);

/* Copies the values to the struct of the table. Members whose key was missing
 * stay as they are. */
void cbormap_store(
	void *to, const struct cbormap_field *fields, const struct cbormap_value *values);
/* cbormap_get and cbormap_store in one. Returns as cbormap_get. */
int cbormap_read(void *to, const struct cbormap_field *fields, const void *bytes, size_t len,
	struct err *err);
/* Copies an item that cbormap_next returned: to the struct of its table, or, if
 * `of` has a size, to a variable of that type. */
void cbormap_store_item(void *to, const struct cbormap_field *of, const struct cbormap_value *item);

/* Writes the struct as one map: the fields that have a place, in the table's
 * order. Zero or empty ones are written only if they are needed. A text is cut
 * where it stops being well-formed. */
void cbormap_put(struct cbor_out *out, const struct cbormap_field *fields, const void *from);
/* Writes one value, without its key. field: of any type but a LIST. */
void cbormap_put_item(struct cbor_out *out, const struct cbormap_field *field, const void *at);

#endif
