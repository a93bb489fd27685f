/*
 * Base64 (RFC 4648, section 4). Strict: padding is required, white space is
 * refused, and any bytes have exactly one text. Not constant-time.
 */
#ifndef FDUMP_LIB_BASE64_H
#define FDUMP_LIB_BASE64_H

#include <stddef.h>

/* The length of the text for len bytes, without a NUL. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters and a NUL to text. */
void base64_encode(const void *bytes, size_t len, char *text);

/* Decodes text_len characters into bytes, which has room for cap, and sets *len
 * to their number. Returns 0, or -1 if the text is not what base64_encode
 * writes or decodes to more than cap bytes. */
int base64_decode(const char *text, size_t text_len, void *bytes, size_t cap, size_t *len);

#endif
