/* Arbitrary bytes as parameters, read with a table that has every type; accepted lists can be
 * walked to their end. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/cbormap.h"
#include "lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cbormap_field id = {.type = CBORMAP_BYTES, .min = 1, .max = 32};
static const struct cbormap_field inner[] = {
	{.key = "n", .type = CBORMAP_INT, .need = true},
	{.key = "t", .type = CBORMAP_TEXT, .max = 10},
	{0},
};
static const struct cbormap_field map = {.type = CBORMAP_MAP, .sub = inner};
static const struct cbormap_field list = {CBORMAP_LIST_OF(id, 3)};
static const struct cbormap_field fields[] = {
	{.key = "u", .type = CBORMAP_UINT, .min = 1, .max = 1000},
	{.key = "i", .type = CBORMAP_INT},
	{.key = "b", .type = CBORMAP_BOOL},
	{.key = "d", .type = CBORMAP_BYTES, .max = 100},
	{.key = "t", .type = CBORMAP_TEXT, .max = 100},
	{.key = "name", .type = CBORMAP_NAME},
	{.key = "ids", CBORMAP_LIST_OF(id, 10)},
	{.key = "maps", CBORMAP_LIST_OF(map, 10)},
	{.key = "lists", CBORMAP_LIST_OF(list, 10)},
	{.key = "map", .type = CBORMAP_MAP, .sub = inner},
	{0},
};

static void walk(struct cbormap_value *value, const struct cbormap_field *of)
{
	struct cbormap_value item, sub[2];
	uint64_t left = value->number;
	struct err err = {0};

	while (cbormap_next(value, of, &item)) {
		left--;
		if (of->type == CBORMAP_LIST)
			walk(&item, of->of);
		else if (of->type == CBORMAP_MAP &&
			 cbormap_get(sub, of->sub, item.bytes, item.len, &err) != 0)
			abort();
	}
	if (left != 0 || value->len != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cbormap_value v[10];
	struct err err = {0};
	size_t i;

	if (cbormap_get(v, fields, data, size, &err) != 0) {
		if (err.code == ERR_NONE || err.message[0] == 0)
			abort();
		return 0;
	}
	for (i = 0; i < 10; i++)
		if (v[i].has && fields[i].type == CBORMAP_LIST)
			walk(&v[i], fields[i].of);
	return 0;
}
