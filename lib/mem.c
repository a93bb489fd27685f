/* calloc and realloc; arrays double in size. */
#include "lib/mem.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/err.h"

#define FIRST 16 /* elements in a new array */

void *mem_new(size_t size, struct err *err)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
		err_set(err, ERR_NOMEM, "out of memory");
	return memory;
}

void *mem_grow(void *array, size_t count, size_t *cap, size_t size, struct err *err)
{
	size_t more = *cap > 0 ? 2 * *cap : FIRST;
	void *grown;

	assert(count <= *cap);
	if (count < *cap)
		return array;
	grown = more <= SIZE_MAX / size ? realloc(array, more * size) : NULL;
	if (grown == NULL)
		err_set(err, ERR_NOMEM, "out of memory");
	else
		*cap = more;
	return grown;
}
