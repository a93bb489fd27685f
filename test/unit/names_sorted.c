/* pack/names: the names are sorted whether they stay in memory or spill, each with its tag. */
#include "test/unit/unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "pack/names.h"

static struct err err;

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Makes count different names, of 1 to 255 bytes, in no particular order. */
static char **make(size_t count)
{
	char **all = calloc(count, sizeof *all);
	uint32_t seed = 1;
	size_t i, k;

	for (i = 0; i < count; i++) {
		size_t len;

		seed = seed * 1664525 + 1013904223;
		len = i % 50 == 0 ? PACK_NAMES_LEN : 6 + seed / 65536 % 20;
		all[i] = calloc(1, len + 1);
		for (k = 0; k < len; k++) {
			seed = seed * 1664525 + 1013904223;
			all[i][k] = (char)(seed >> 24 ? seed >> 24 : 1);
		}
		memcpy(all[i],
			(char[]){(char)(1 + i % 200), (char)(1 + i / 200 % 200),
				(char)(1 + i / 40000)},
			3);
	}
	return all;
}

static void sorts(size_t count, size_t memory, bool spills)
{
	struct pack_names names;
	char **all = make(count);
	const char *name;
	uint8_t tag;
	size_t i;

	pack_names_init(&names);
	names.memory = memory;
	for (i = 0; i < count; i++)
		assert_int_equal(pack_names_add(&names, all[i], (uint8_t)all[i][1], &err), 0);
	assert_int_equal(pack_names_sort(&names, &err), 0);
	assert_int_equal(names.run_count > 0, spills);
	assert_true(names.text.len + names.order.len <= memory);
	qsort(all, count, sizeof *all, by_name);
	for (i = 0; i < count; i++) {
		assert_int_equal(pack_names_next(&names, &name, &tag, &err), 0);
		assert_string_equal(name, all[i]);
		assert_int_equal(tag, (uint8_t)all[i][1]);
		free(all[i]);
	}
	for (i = 0; i < 3; i++)
		assert_int_equal(pack_names_next(&names, &name, &tag, &err), 1);
	pack_names_fini(&names);
	pack_names_fini(&names);
	free(all);
}

static void in_memory(void **state)
{
	(void)state;
	sorts(0, PACK_NAMES_MEMORY, false);
	sorts(1, PACK_NAMES_MEMORY, false);
	sorts(10000, PACK_NAMES_MEMORY, false);
}

static void spilled(void **state)
{
	(void)state;
	sorts(2, 300, true); /* a run for each name */
	sorts(100, 300, true);
	sorts(5000, 4096, true);
	sorts(50000, 65536, true);
}

static void no_place_to_spill(void **state)
{
	struct pack_names names;
	int i, got = 0;

	(void)state;
	setenv("TMPDIR", "/proc/none", 1);
	pack_names_init(&names);
	names.memory = 300;
	for (i = 0; i < 100 && got == 0; i++)
		got = pack_names_add(&names, "a name", 0, &err);
	assert_int_equal(got, -1);
	assert_int_equal(err.code, ERR_IO);
	pack_names_fini(&names);
	unsetenv("TMPDIR");
}

/* Another program cuts the file: an error, not a shorter list. */
static void a_cut_file_is_noticed(void **state)
{
	struct pack_names names;
	const char *name;
	char text[16];
	uint8_t tag;
	int i, got = 0;

	(void)state;
	pack_names_init(&names);
	names.memory = 4096;
	for (i = 0; i < 2000; i++) {
		snprintf(text, sizeof text, "%07d", i);
		assert_int_equal(pack_names_add(&names, text, 0, &err), 0);
	}
	assert_int_equal(pack_names_sort(&names, &err), 0);
	assert_int_equal(ftruncate(names.fd, (off_t)names.file_len / 2), 0);
	for (i = 0; i < 2000 && got == 0; i++)
		got = pack_names_next(&names, &name, &tag, &err);
	assert_int_equal(got, -1);
	pack_names_fini(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_memory),
		cmocka_unit_test(spilled),
		cmocka_unit_test(no_place_to_spill),
		cmocka_unit_test(a_cut_file_is_noticed),
	};

	return RUN(tests);
}
