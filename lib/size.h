/*
 * Amounts of bytes and of time as people write them. Pure.
 */
#ifndef FDUMP_LIB_SIZE_H
#define FDUMP_LIB_SIZE_H

#include <stdint.h>

/* Writes "512 B", "1.4 GiB". Returns text. */
#define SIZE_TEXT_MAX 24
const char *size_print(char text[SIZE_TEXT_MAX], double bytes);

/* Reads "10G": a number of bytes, or a number and K, M, G, T (powers of 1024).
 * Returns 0, or -1. */
int size_parse(const char *text, uint64_t *bytes);

/* Reads "30d": a number and one of s, m, h, d, w, y (366 days). Returns 0, or
 * -1. */
int size_parse_time(const char *text, int64_t *seconds);

#endif
