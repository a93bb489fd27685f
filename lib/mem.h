/*
 * Memory, with "out of memory" as an ordinary error. What is returned is for free(3).
 */
#ifndef FDUMP_LIB_MEM_H
#define FDUMP_LIB_MEM_H

#include <stddef.h>

struct err;

/* Zeroed memory of this size. NULL with err set: out of memory. */
void *mem_new(size_t size, struct err *err);

/* Makes room for one more element of this size in an array that has `count` of them and room for
 * *cap. Returns the array, which may have moved; NULL with err set: out of memory, and the array is
 * as it was. */
void *mem_grow(void *array, size_t count, size_t *cap, size_t size, struct err *err);

#endif
