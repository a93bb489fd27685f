/*
 * A set of 64-bit hashes: what was met before. 16 bytes of memory for each, at
 * most 32. Zeroed is empty. One thread at a time.
 */
#ifndef FDUMP_CMD_STORE_MARKS_H
#define FDUMP_CMD_STORE_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct store_marks {
	uint64_t *slots;
	size_t count, cap;
};

/* Returns 0; 1 if it was there; -1 with err set: out of memory. */
int store_marks_add(struct store_marks *marks, uint64_t hash, struct err *err);
bool store_marks_has(const struct store_marks *marks, uint64_t hash);
/* Frees the memory; it is empty again. */
void store_marks_fini(struct store_marks *marks);

#endif
