/* lib/mem: new memory is zero, arrays grow, and memory that can't be allocated is an error. */
#include "test/unit/unit.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/mem.h"

static void new_memory_is_zero(void **state)
{
	unsigned char *memory = mem_new(64, NULL);
	size_t i;

	(void)state;
	assert_non_null(memory);
	for (i = 0; i < 64; i++)
		assert_int_equal(memory[i], 0);
	free(memory);
}

static void arrays_grow(void **state)
{
	uint32_t *array = NULL, *grown;
	size_t cap = 0, i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		grown = mem_grow(array, i, &cap, sizeof *array, NULL);
		assert_non_null(grown);
		assert_true(cap > i);
		array = grown;
		array[i] = (uint32_t)i;
	}
	for (i = 0; i < 1000; i++)
		assert_int_equal(array[i], i);
	free(array);
}

static void what_is_too_large_is_refused(void **state)
{
	size_t cap = SIZE_MAX / 4;
	char *array = malloc(1);
	struct err err = {0};

	(void)state;
	assert_null(mem_grow(array, cap, &cap, 16, &err));
	assert_int_equal(err.code, ERR_NOMEM);
	assert_int_equal(cap, SIZE_MAX / 4);
	free(array);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_is_zero),
		cmocka_unit_test(arrays_grow),
		cmocka_unit_test(what_is_too_large_is_refused),
	};

	return RUN(tests);
}
