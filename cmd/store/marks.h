/*
 * A set of 64-bit hashes. Takes 16 bytes of memory per hash, at most 32. Zeroed, it is empty. One
 * thread at a time.
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

/* Adds a hash. Returns 0; 1 if the set has it already; -1 with err set: out of memory. */
int store_marks_add(struct store_marks *marks, uint64_t hash, struct err *err);
/* Adds all hashes of `from`, which is empty then. Returns 0, or -1 with err set: out of memory. */
int store_marks_join(struct store_marks *marks, struct store_marks *from, struct err *err);
bool store_marks_has(const struct store_marks *marks, uint64_t hash);
/* Frees the memory; the set is then empty. */
void store_marks_fini(struct store_marks *marks);

#endif
