/*
 * Memory allocation with "out of memory" as an ordinary error. The caller frees
 * the result with free(3).
 */
#ifndef FDUMP_LIB_MEM_H
#define FDUMP_LIB_MEM_H

#include <stddef.h>

struct err;

/* Allocates zeroed memory. Returns NULL with err set: out of memory. */
void *mem_new(size_t size, struct err *err);

/* Makes room for one more element of this size in an array that has `count`
 * elements and room for *cap. Returns the array, which may have moved, with
 * *cap updated; or NULL with err set: out of memory, and the array is
 * unchanged. */
void *mem_grow(void *array, size_t count, size_t *cap, size_t size, struct err *err);

#endif
