/* lib/cbormap: maps that match the table are read, into values or a struct; all others are refused.
 */
#include "test/unit/unit.h"

#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/name.h"

static const struct cbormap_field id_field = {.type = CBORMAP_BYTES, .min = 2, .max = 4};
static const struct cbormap_field inner[] = {
	{.key = "n", .type = CBORMAP_INT, .need = true},
	{0},
};
static const struct cbormap_field map_field = {.type = CBORMAP_MAP, .sub = inner};
static const struct cbormap_field fields[] = {
	{.key = "u", .type = CBORMAP_UINT, .need = true, .min = 1, .max = 10},
	{.key = "t", .type = CBORMAP_TEXT, .max = 5},
	{.key = "name", .type = CBORMAP_NAME},
	{.key = "ids", CBORMAP_LIST_OF(id_field, 3)},
	{.key = "maps", CBORMAP_LIST_OF(map_field, 2)},
	{.key = "b", .type = CBORMAP_BOOL},
	{0},
};

static enum err_code get(const char *hex, struct cbormap_value *v)
{
	static uint8_t bytes[512];
	size_t len = strlen(hex) / 2, i;
	struct err err = {0};

	for (i = 0; i < len; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return cbormap_get(v, fields, bytes, len, &err) == 0 ? ERR_NONE : err.code;
}

static void maps_are_held_to_their_table(void **state)
{
	struct cbormap_value v[6], item, sub[1];
	struct err err = {0};

	(void)state;
	assert_int_equal(get("a1617505", v), ERR_NONE);
	assert_true(v[0].has && v[0].number == 5 && !v[1].has);
	assert_int_equal(get("", v), ERR_FORMAT); /* u is missing */
	assert_int_equal(get("a0", v), ERR_FORMAT);
	assert_int_equal(get("a161750b", v), ERR_LIMIT);        /* 11 */
	assert_int_equal(get("a1617500", v), ERR_LIMIT);        /* 0 */
	assert_int_equal(get("a1617520", v), ERR_FORMAT);       /* -1 */
	assert_int_equal(get("a2617505617505", v), ERR_FORMAT); /* twice */
	assert_int_equal(get("a161750500", v), ERR_FORMAT);     /* bytes after it */
	assert_int_equal(get("a261750561", v), ERR_FORMAT);     /* cut */
	assert_int_equal(get("bbffffffffffffffff617505", v), ERR_LIMIT);
	assert_int_equal(get("a26175056178f6", v), ERR_NONE);               /* unknown: skipped */
	assert_int_equal(get("a26175056158f6", v), ERR_UNSUPPORTED);        /* must be understood */
	assert_int_equal(get("a2617505617466616263646566", v), ERR_LIMIT);  /* 6 bytes */
	assert_int_equal(get("a26175056174626100", v), ERR_FORMAT);         /* NUL */
	assert_int_equal(get("a2617505617462c0ae", v), ERR_FORMAT);         /* overlong */
	assert_int_equal(get("a2617505646e616d65632e2e2f", v), ERR_FORMAT); /* ../ */
	assert_int_equal(get("a2617505646e616d6563776562", v), ERR_NONE);
	assert_int_equal(get("a2617505636964738242010243010203", v), ERR_NONE);
	assert_int_equal(v[3].number, 2);
	assert_true(cbormap_next(&v[3], &id_field, &item) && item.len == 2);
	assert_true(cbormap_next(&v[3], &id_field, &item) && item.len == 3);
	assert_false(cbormap_next(&v[3], &id_field, &item));
	assert_int_equal(get("a26175056369647384420102420102420102420102", v), ERR_LIMIT);
	assert_int_equal(get("a261750563696473814101", v), ERR_LIMIT);
	assert_int_equal(get("a26175056369647381450102030405", v), ERR_LIMIT);
	assert_int_equal(get("a2617505636964739bffffffffffffffff", v), ERR_LIMIT);
	assert_int_equal(get("a2617505646d61707382a1616e20a1616e07", v), ERR_NONE);
	assert_true(cbormap_next(&v[4], &map_field, &item));
	assert_int_equal(cbormap_get(sub, inner, item.bytes, item.len, &err), 0);
	assert_int_equal(sub[0].integer, -1);
	assert_int_equal(get("a2617505646d61707381a0", v), ERR_FORMAT);
	assert_int_equal(get("a26175056162f5", v), ERR_NONE);
	assert_int_equal(get("a2617505616201", v), ERR_FORMAT);
	assert_int_equal(get("a1617afb0000000000000000", v), ERR_FORMAT);       /* float */
	assert_int_equal(get("a1617a818181818181818181818180", v), ERR_FORMAT); /* deep */
}

static void keys_come_once(void **state)
{
	struct cbormap_value v[6];
	char hex[8 * (CBORMAP_PAIRS_MAX + 1) + 16];
	size_t count, i, len;

	(void)state;
	/* Also a key that the table does not have. */
	assert_int_equal(get("a361750561780161797f", v), ERR_FORMAT);
	assert_int_equal(get("a3617505617801617801", v), ERR_FORMAT);
	assert_int_equal(get("a3617505617801617901", v), ERR_NONE);
	assert_int_equal(get("a161750561", v), ERR_FORMAT);
	assert_int_equal(get("a2617505", v), ERR_FORMAT);     /* cut after a pair */
	assert_int_equal(get("a26175054175", v), ERR_FORMAT); /* a key of bytes */
	assert_int_equal(get("a261750560f6", v), ERR_NONE);   /* an empty key */
	assert_int_equal(get("a361750560f660f6", v), ERR_FORMAT);
	for (count = CBORMAP_PAIRS_MAX; count <= CBORMAP_PAIRS_MAX + 1; count++) {
		len = (size_t)sprintf(hex, "b8%02x617505", (unsigned)count);
		for (i = 1; i < count; i++)
			len += (size_t)sprintf(hex + len, "62%02x%02x00", (unsigned)('a' + i % 26),
				(unsigned)('a' + i / 26));
		assert_int_equal(get(hex, v), count > CBORMAP_PAIRS_MAX ? ERR_LIMIT : ERR_NONE);
	}
}

static void maps_are_taken_one_after_the_other(void **state)
{
	static const uint8_t two[] = {0xa1, 0x61, 'u', 5, 0xa1, 0x61, 'u', 6, 0xff};
	struct cbormap_value v[6];
	struct err err = {0};
	struct cbor_in in;

	(void)state;
	cbor_in_init(&in, two, sizeof two);
	assert_int_equal(cbormap_take(v, fields, &in, &err), 0);
	assert_int_equal(v[0].number, 5);
	assert_int_equal(cbormap_take(v, fields, &in, &err), 0);
	assert_int_equal(v[0].number, 6);
	assert_int_equal(cbormap_take(v, fields, &in, &err), -1);
}

/* --- Structs --- */

struct inside {
	int64_t sec;
	uint32_t nsec;
};

struct thing {
	char name[NAME_LEN_MAX + 1], text[6];
	uint8_t id[2];
	uint64_t wide;
	uint32_t narrow;
	int64_t number, when;
	bool flag;
	struct cbormap_blob blob;
	struct inside inside;
};

static const struct cbormap_field inside_fields[] = {
	{.key = "sec", .type = CBORMAP_INT, CBORMAP_IN(struct inside, sec), .need = true},
	{.key = "nsec", .type = CBORMAP_UINT, CBORMAP_IN(struct inside, nsec)},
	{0},
};
static const struct cbormap_field thing_fields[] = {
	{.key = "name", .type = CBORMAP_NAME, CBORMAP_IN(struct thing, name), .need = true},
	{.key = "text", .type = CBORMAP_TEXT, CBORMAP_IN(struct thing, text)},
	{.key = "id", .type = CBORMAP_BYTES, CBORMAP_IN(struct thing, id)},
	{.key = "wide", .type = CBORMAP_UINT, CBORMAP_IN(struct thing, wide)},
	{.key = "narrow", .type = CBORMAP_UINT, CBORMAP_IN(struct thing, narrow)},
	{.key = "number", .type = CBORMAP_INT, CBORMAP_IN(struct thing, number)},
	{.key = "when", .type = CBORMAP_TIME, CBORMAP_IN(struct thing, when)},
	{.key = "flag", .type = CBORMAP_BOOL, CBORMAP_IN(struct thing, flag)},
	{.key = "blob", .type = CBORMAP_BLOB, CBORMAP_IN(struct thing, blob), .max = 9},
	{.key = "inside",
		.type = CBORMAP_MAP,
		.sub = inside_fields,
		CBORMAP_IN(struct thing, inside)},
	{.key = "placeless", .type = CBORMAP_UINT},
	{0},
};

static void structs_round_trip(void **state)
{
	static const struct thing in = {"web", "\xc3\xa4\xc3\xb6", {1, 2}, UINT64_MAX, UINT32_MAX,
		INT64_MIN, -1, true, {(const uint8_t *)"blob", 4}, {-5, 7}};
	struct thing out = {0}, few = {.name = "db"};
	uint8_t bytes[256];
	struct cbor_out to;
	struct err err = {0};

	(void)state;
	cbor_out_init(&to, bytes, sizeof bytes);
	cbormap_put(&to, thing_fields, &in);
	assert_false(cbor_out_full(&to));
	assert_int_equal(cbormap_read(&out, thing_fields, bytes, cbor_out_len(&to), &err), 0);
	assert_true(out.blob.len == 4 && memcmp(out.blob.bytes, "blob", 4) == 0);
	out.blob = in.blob;
	assert_memory_equal(&out, &in, sizeof in);

	/* Zero members are left out, and members that are missing stay as they are. */
	cbor_out_init(&to, bytes, sizeof bytes);
	cbormap_put(&to, thing_fields, &few);
	assert_int_equal(cbor_out_len(&to), 1 + 5 + 3);
	out.narrow = 9;
	assert_int_equal(cbormap_read(&out, thing_fields, bytes, cbor_out_len(&to), &err), 0);
	assert_string_equal(out.name, "db");
	assert_int_equal(out.narrow, 9);
}

struct row {
	uint32_t numbers[3];
	size_t number_count;
	struct inside insides[2];
	size_t inside_count;
};

static const struct cbormap_field number_item = {.type = CBORMAP_UINT, .size = sizeof(uint32_t)};
static const struct cbormap_field inside_item = {
	.type = CBORMAP_MAP, .sub = inside_fields, .size = sizeof(struct inside)};
static const struct cbormap_field row_fields[] = {
	{.key = "numbers", CBORMAP_LIST_IN(struct row, numbers, number_count, number_item)},
	{.key = "insides",
		CBORMAP_LIST_IN(struct row, insides, inside_count, inside_item),
		.need = true},
	{0},
};

static void lists_in_structs(void **state)
{
	static const struct row in = {{1, 2}, 2, {{-5, 7}, {6, 0}}, 2};
	struct row out = {0}, empty = {0};
	uint8_t bytes[128];
	struct cbor_out to;
	struct err err = {0};

	(void)state;
	cbor_out_init(&to, bytes, sizeof bytes);
	cbormap_put(&to, row_fields, &in);
	assert_int_equal(cbormap_read(&out, row_fields, bytes, cbor_out_len(&to), &err), 0);
	assert_memory_equal(&out, &in, sizeof in);
	/* An empty one is left out, unless it is required. */
	cbor_out_init(&to, bytes, sizeof bytes);
	cbormap_put(&to, row_fields, &empty);
	assert_int_equal(cbor_out_len(&to), 1 + 8 + 1);
	/* More items than there is room for. */
	memcpy(bytes, "\xa1\x67insides\x83\xa1\x63sec\0\xa1\x63sec\0\xa1\x63sec\0", 28);
	assert_int_equal(cbormap_read(&out, row_fields, bytes, 28, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

/* Whatever is put can be read, also a text that was cut within a character. */
static void texts_are_cut_at_a_character(void **state)
{
	struct thing in = {.name = "web", .text = "abc\xc3"}, out = {0};
	uint8_t bytes[64];
	struct cbor_out to;
	struct err err = {0};

	(void)state;
	cbor_out_init(&to, bytes, sizeof bytes);
	cbormap_put(&to, thing_fields, &in);
	assert_int_equal(cbormap_read(&out, thing_fields, bytes, cbor_out_len(&to), &err), 0);
	assert_string_equal(out.text, "abc");
}

static void what_has_no_room_is_refused(void **state)
{
	static const struct cbormap_field wide[] = {
		{.key = "text", .type = CBORMAP_TEXT, .max = 99},
		{.key = "id", .type = CBORMAP_BYTES, .max = 9},
		{.key = "narrow", .type = CBORMAP_UINT},
		{0},
	};
	static const char *const maps[] = {"\xa1\x64text\x66"
					   "123456",
		"\xa1\x62id\x41"
		"1",
		"\xa1\x62id\x43"
		"123",
		"\xa1\x66narrow\x1b\0\0\0\1\0\0\0\0"};
	static const size_t lens[] = {13, 6, 8, 17};
	struct cbormap_value v[11];
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof lens / sizeof *lens; i++) {
		err = (struct err){0};
		assert_int_equal(cbormap_get(v, wide, maps[i], lens[i], &err), 0);
		assert_int_equal(cbormap_get(v, thing_fields, maps[i], lens[i], &err), -1);
		assert_int_equal(err.code, i == 1 || i == 2 ? ERR_FORMAT : ERR_LIMIT);
	}
}

/* --- Tuples, versions, items of any kind --- */

static const struct cbormap_field pair_items[] = {
	{.key = "seconds", .type = CBORMAP_INT, CBORMAP_IN(struct inside, sec)},
	{.key = "nanoseconds",
		.type = CBORMAP_UINT,
		.max = 999999999,
		CBORMAP_IN(struct inside, nsec)},
	{0},
};
static const struct cbormap_field any_item = {.type = CBORMAP_ANY};
static const struct cbormap_field mixed[] = {
	{.key = "F", .type = CBORMAP_VERSION, .min = 1, .max = 1, .need = true},
	{.key = "t", .type = CBORMAP_TUPLE, .sub = pair_items, CBORMAP_IN(struct thing, inside)},
	{.key = "w", CBORMAP_LIST_OF(any_item, 2)},
	{0},
};

static enum err_code get_mixed(const char *bytes, size_t len, struct cbormap_value *v)
{
	struct err err = {0};

	return cbormap_get(v, mixed, bytes, len, &err) == 0 ? ERR_NONE : err.code;
}
#define MIXED(bytes) get_mixed(bytes, sizeof bytes - 1, v)

static void tuples_have_all_their_items(void **state)
{
	struct cbormap_value v[3], item;
	struct thing thing = {0};

	(void)state;
	assert_int_equal(MIXED("\xa1\x61"
			       "F\x01"),
		ERR_NONE);
	assert_int_equal(MIXED("\xa1\x61"
			       "F\x02"),
		ERR_UNSUPPORTED);
	assert_int_equal(MIXED("\xa1\x61"
			       "F\x61\x31"),
		ERR_FORMAT);
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61t\x82\x20\x07"),
		ERR_NONE);
	cbormap_store(&thing, mixed, v);
	assert_true(thing.inside.sec == -1 && thing.inside.nsec == 7);
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61t\x81\x20"),
		ERR_FORMAT);
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61t\x83\x20\x07\x07"),
		ERR_FORMAT);
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61t\x82\x07\x20"),
		ERR_FORMAT);
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61t\x82\x20\x1a\x3b\x9a\xca\x00"),
		ERR_LIMIT);
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61t\x82\x20"),
		ERR_FORMAT); /* cut */

	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61w\x82\x82\x01\x02\xf6"),
		ERR_NONE);
	assert_true(cbormap_next(&v[2], &any_item, &item));
	assert_true(item.len == 3 && item.bytes[0] == 0x82);
	assert_true(cbormap_next(&v[2], &any_item, &item));
	assert_true(item.len == 1 && item.bytes[0] == 0xf6);
	assert_false(cbormap_next(&v[2], &any_item, &item));
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61w\x83\x01\x02\x03"),
		ERR_LIMIT);
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61w\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01"),
		ERR_FORMAT); /* deeper than CBORMAP_DEPTH_MAX */
	assert_int_equal(MIXED("\xa2\x61"
			       "F\x01\x61w\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01"),
		ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_are_held_to_their_table),
		cmocka_unit_test(keys_come_once),
		cmocka_unit_test(maps_are_taken_one_after_the_other),
		cmocka_unit_test(structs_round_trip),
		cmocka_unit_test(lists_in_structs),
		cmocka_unit_test(texts_are_cut_at_a_character),
		cmocka_unit_test(what_has_no_room_is_refused),
		cmocka_unit_test(tuples_have_all_their_items),
	};
	return RUN(tests);
}
