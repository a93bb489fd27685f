/*
 * Key files on paper: a form that a person can print, keep, and type in again.
 *
 *     01 ZXQ0 4KA7 2M5W 8R3T 9GHE V6CB  7PNQ
 *
 * A line has its number, up to 15 bytes as base32, and a check of four
 * characters, which shows in which line a mistake is. The alphabet is
 * Crockford's: 0-9 and A-Z except I, L, O, U. Reading also accepts lower case,
 * I and L for 1, and O for 0. The bytes are the kind (one byte, enum key_kind),
 * then the body of the key file. A line's check is the first 20 bits of the
 * SHA-256 of "fdump paper", the line's number (one byte, from 1), and its
 * bytes.
 *
 * Pure; thread-safe. Call hash_crypto_init (lib/hash) first.
 */
#ifndef FDUMP_LIB_PAPER_H
#define FDUMP_LIB_PAPER_H

#include <stddef.h>

struct err;
struct key_file;

#define PAPER_LINE_MAX 48   /* characters in a line, with its newline */
#define PAPER_MAX      512  /* the longest form, with a NUL */
#define PAPER_READ_MAX 8192 /* bytes in an input, with comments and white space */

/* Writes the form and a NUL. The text is as secret as the file: wipe it. */
void paper_put(const struct key_file *file, char text[PAPER_MAX]);

/* Reads a form, with lines in any order. Ignores blank lines, lines that begin
 * with '#', and white space and '-' anywhere in a line. Returns 0, or -1 with
 * err set: ERR_FORMAT, with all lines that are wrong or missing in the message;
 * ERR_UNSUPPORTED for an unknown kind of key. */
int paper_get(struct key_file *file, const char *text, size_t len, struct err *err);

#endif
