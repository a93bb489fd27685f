/*
 * CBOR maps with text keys, read and written by a table of their fields: what calls carry, key
 * blocks, records of dumps and journals, rows and state files. Pure, allocates nothing; what is
 * read borrows from the input.
 *
 *	static const struct cbormap_field fields[] = {
 *		{.key = "name", .type = CBORMAP_NAME, .need = true},
 *		{.key = "ids", CBORMAP_LIST_OF(id_field, 500), .need = true},
 *		{0},
 *	};
 *	struct cbormap_value v[2];
 *	if (cbormap_get(v, fields, bytes, len, err) != 0) ...
 *
 * A key that the table does not have is skipped, so that a later version can add some, unless it
 * begins with an upper-case letter: then it must be understood, and the map is refused. Refused
 * too are a key that comes twice, a missing one that is needed, a value of another type or beyond
 * its limits, more than CBORMAP_PAIRS_MAX keys, and bytes after the map.
 *
 * A table can also describe a struct: a field with a place in it (CBORMAP_IN) is copied there by
 * cbormap_store, and written from there by cbormap_put. Entries of packs have a reader of their
 * own (pack/entry.h).
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
#define CBORMAP_PAIRS_MAX  64 /* keys of one map, with those that are skipped */
#define CBORMAP_FIELDS_MAX 40 /* fields of one table */

enum cbormap_type {
	CBORMAP_UINT = 1, /* min to max; max 0: all that fit. In a struct: uint64_t, uint32_t */
	CBORMAP_VERSION,  /* the same, but ERR_UNSUPPORTED if beyond these limits */
	CBORMAP_INT,      /* any int64_t; min and max are not used */
	CBORMAP_TIME,     /* the same: seconds since 1970 */
	CBORMAP_BOOL,     /* bool */
	CBORMAP_BYTES,    /* min to max bytes. In a struct: uint8_t[], and just so many */
	CBORMAP_BLOB,     /* up to max bytes. In a struct: struct cbormap_blob */
	CBORMAP_TEXT,  /* min to max bytes of well-formed UTF-8 without NUL. In a struct: char[] */
	CBORMAP_NAME,  /* text of the grammar in lib/name. In a struct: char[] */
	CBORMAP_LIST,  /* min to max items, each as `of` has it. In a struct: an array of them, and
			  their number in a size_t */
	CBORMAP_MAP,   /* a map as `sub` has it. In a struct: the struct of that table */
	CBORMAP_TUPLE, /* an array of just the items of `sub`, in their order; likewise */
	CBORMAP_ANY,   /* one item of any kind, for the caller to read */
};

/* A table ends with a field without type. */
struct cbormap_field {
	const char *key;
	enum cbormap_type type;
	bool need; /* refused if it is not there; put even if it is zero */
	uint64_t min, max;
	const struct cbormap_field *of;  /* LIST: of each item; its key is not used */
	const struct cbormap_field *sub; /* MAP, TUPLE: a table */
	size_t at, size;                 /* the place in a struct; size 0: none */
	size_t count;                    /* LIST: the place of the number of items */
};

/* A byte string of one length; a list. */
#define CBORMAP_FIXED(n)             .type = CBORMAP_BYTES, .min = (n), .max = (n)
#define CBORMAP_LIST_OF(items, most) .type = CBORMAP_LIST, .max = (most), .of = &(items)
/* The place of a field: a member of a struct. Limits that are not given follow from its size. */
#define CBORMAP_IN(in, member) .at = offsetof(in, member), .size = sizeof((in *)0)->member

/* A list in a struct: an array, whose items have the size of the field `items`. */
#define CBORMAP_LIST_IN(in, member, counter, items)                                                \
	.type = CBORMAP_LIST, CBORMAP_IN(in, member), .count = offsetof(in, counter), .of = &(items)

/* A field that is named as its member is. */
#define CBORMAP_OF(in, kind, member) .key = #member, .type = CBORMAP_##kind, CBORMAP_IN(in, member)

struct cbormap_value {
	bool has;
	uint64_t number;      /* UINT, VERSION, BOOL; LIST: how many */
	int64_t integer;      /* INT, TIME */
	const uint8_t *bytes; /* of BYTES, BLOB, TEXT, NAME; LIST: its items; MAP, TUPLE, ANY: */
	size_t len;           /* the whole item */
};

struct cbormap_blob {
	const void *bytes;
	size_t len;
};

/* Reads one map, and fills one value for each field of the table, in its order. No bytes at all
 * stand for an empty map. Returns 0, or -1 with err set: ERR_LIMIT for what is beyond its limits
 * (ERR_FORMAT if there is but one right value or length), ERR_UNSUPPORTED for a key or a version
 * that is not known here, else ERR_FORMAT. */
int cbormap_get(struct cbormap_value *values, const struct cbormap_field *fields, const void *bytes,
	size_t len, struct err *err);
/* The same of the next item of an input, which may go on after it. */
int cbormap_take(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, struct err *err);
/* The same of an array, as CBORMAP_TUPLE has it. */
int cbormap_take_tuple(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, struct err *err);

/* Takes the next item of a list that cbormap_get passed, from its front; of a list that was not
 * there, none. Returns true, or false at the end. */
bool cbormap_next(
	struct cbormap_value *list, const struct cbormap_field *of, struct cbormap_value *item);

/* True if the value is there, and is this text. */
bool cbormap_is_text(const struct cbormap_value *value, const char *text);

/* Reads a map or tuple within one that was read: it can't fail. field: MAP or TUPLE. */
void cbormap_inner(struct cbormap_value *values, const struct cbormap_field *field,
	const struct cbormap_value *value);

/* Copies what was read to the struct of the table. What was not there stays as it is. */
void cbormap_store(
	void *to, const struct cbormap_field *fields, const struct cbormap_value *values);
/* cbormap_get and cbormap_store in one. */
int cbormap_read(void *to, const struct cbormap_field *fields, const void *bytes, size_t len,
	struct err *err);
/* Copies an item that cbormap_next gave: to the struct of its table, or, if `of` has a size, to a
 * place of that type. */
void cbormap_store_item(void *to, const struct cbormap_field *of, const struct cbormap_value *item);

/* Writes the struct as one map: the fields that have a place, in the table's order; those that are
 * zero or empty only if they are needed. A text is cut before what is not well-formed. */
void cbormap_put(struct cbor_out *out, const struct cbormap_field *fields, const void *from);

#endif
