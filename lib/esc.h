/*
 * Names for people: a file's name may hold any byte but NUL and '/', so what
 * is printed or logged is escaped first, and one name is always one line.
 *
 * Printable ASCII and well-formed printable UTF-8 stay; backslash becomes
 * "\\", newline "\n", tab "\t", carriage return "\r"; every other byte
 * (controls, C1 controls, bidirectional and zero-width marks, line and
 * paragraph separators, malformed UTF-8) becomes three octal digits, "\033".
 * The text can be turned back without loss.
 */
#ifndef FDUMP_LIB_ESC_H
#define FDUMP_LIB_ESC_H

#include <stdbool.h>
#include <stddef.h>

/* The largest text of len bytes, its NUL included. */
#define ESC_MAX(len) ((len)*4 + 1)

/* Writes the escaped form of len bytes and a NUL to out, which has room for
 * cap bytes. What does not fit is cut at a whole character. Returns the
 * length of the text, without the NUL. cap must be at least 1. */
size_t esc_name(char *out, size_t cap, const void *bytes, size_t len);

/* Turns an escaped name back: exactly what esc_name makes of some bytes. out has room for
 * strlen(text) + 1; a NUL is put at its end. Returns true; false: esc_name prints no name so, or
 * one of the same bytes. */
bool esc_back(char *out, const char *text);

/* The same as esc_name of a message, in which names may be escaped already: backslashes stay, so
 * that it can't be turned back. */
size_t esc_line(char *out, size_t cap, const void *bytes, size_t len);

/* How many bytes at text form one well-formed UTF-8 character (RFC 3629);
 * 0 if none does. */
size_t esc_utf8_len(const void *text, size_t len);

/* Bytes as digits, two a byte, and a NUL: 2 * len + 1 bytes at out. */
void esc_hex(char *out, const void *bytes, size_t len);
/* And back. False: the text is not exactly 2 * len digits in lower case. */
bool esc_unhex(void *bytes, size_t len, const char *text);

#endif
