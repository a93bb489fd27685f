/*
 * Base64 (RFC 4648, section 4), strict: with padding, without white space,
 * one text for any bytes. Not in constant time.
 */
#ifndef FDUMP_LIB_BASE64_H
#define FDUMP_LIB_BASE64_H

#include <stddef.h>

/* The length of the text of len bytes, without a NUL. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters and a NUL to text. */
void base64_encode(const void *bytes, size_t len, char *text);

/* Writes the bytes of text_len characters to bytes, at most cap, and their
 * number to *len. Returns 0; -1 if it is not what base64_encode writes, or is
 * more than cap bytes. */
int base64_decode(const char *text, size_t text_len, void *bytes, size_t cap, size_t *len);

#endif
