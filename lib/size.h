/*
 * Amounts of bytes, for people.
 */
#ifndef FDUMP_LIB_SIZE_H
#define FDUMP_LIB_SIZE_H

/* Writes "512 B", "1.4 GiB". Returns text. */
#define SIZE_TEXT_MAX 24
const char *size_print(char text[SIZE_TEXT_MAX], double bytes);

#endif
