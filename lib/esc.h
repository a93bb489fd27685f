/*
 * Escaping of names for people. A file name may contain any byte but NUL and
 * '/', so it is escaped before it is printed or logged, and always takes one
 * line.
 *
 * Printable ASCII and well-formed printable UTF-8 stay; backslash becomes "\\",
 * newline "\n", tab "\t", carriage return "\r"; every other byte (controls, C1
 * controls, bidirectional and zero-width marks, line and paragraph separators,
 * malformed UTF-8) becomes three octal digits, "\033". The text can be turned
 * back without loss.
 */
#ifndef FDUMP_LIB_ESC_H
#define FDUMP_LIB_ESC_H

#include <stdbool.h>
#include <stddef.h>

/* The longest text for len bytes, its NUL included. */
#define ESC_MAX(len) ((len)*4 + 1)

/* Writes the escaped form of len bytes and a NUL to out, which has room for cap
 * bytes, at least 1. Text that does not fit is cut after a whole character.
 * Returns the length of the text without the NUL. */
size_t esc_name(char *out, size_t cap, const void *bytes, size_t len);

/* Turns an escaped name back into its bytes. out has room for strlen(text) + 1;
 * a NUL is added. Returns true; or false if the text has no escapes, or is not
 * exactly what esc_name would make. */
bool esc_back(char *out, const char *text);

/* The same as esc_name, but for a message in which names may already be
 * escaped: backslashes stay, so the text can't be turned back. */
size_t esc_line(char *out, size_t cap, const void *bytes, size_t len);

/* The length of the well-formed UTF-8 character (RFC 3629) at text; 0 if there
 * is none. */
size_t esc_utf8_len(const void *text, size_t len);

/* Writes len bytes as lower-case hexadecimal digits, and a NUL: 2 * len + 1
 * bytes. */
void esc_hex(char *out, const void *bytes, size_t len);
/* The reverse. False if the text is not exactly 2 * len lower-case digits. */
bool esc_unhex(void *bytes, size_t len, const char *text);

#endif
