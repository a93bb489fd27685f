/*
 * Key files on paper: a form that a person can print, keep, and type in again.
 *
 *     01 ZXQ0 4KA7 2M5W 8R3T 9GHE V6CB  7PNQ
 *
 * A line has its number, up to 15 bytes as base32, and four characters of
 * check; so a mistake is found where it is. The alphabet is Crockford's: 0-9
 * and A-Z but for I, L, O, U; read are also small letters, I and L for 1, O
 * for 0. What is written so is the kind (a byte, enum key_kind), then the body
 * of the key file. A line's check is the first 20 bits of the SHA-256 of
 * "fdump paper", the line's number (a byte, from 1), and its bytes.
 *
 * Pure; thread-safe. hash_crypto_init (lib/hash) must have been called.
 */
#ifndef FDUMP_LIB_PAPER_H
#define FDUMP_LIB_PAPER_H

#include <stddef.h>

struct err;
struct key_file;

#define PAPER_LINE_MAX 48   /* characters of a line, its newline included */
#define PAPER_MAX      512  /* the longest form, a NUL included */
#define PAPER_READ_MAX 8192 /* bytes that are looked at: comments, white space */

/* Writes the form and a NUL. The text holds what the file does: wipe it. */
void paper_put(const struct key_file *file, char text[PAPER_MAX]);

/* Reads it: lines in any order; blank lines, those that begin with '#', and
 * blanks anywhere in a line are passed by. Returns 0, or -1 with err set:
 * ERR_FORMAT, and the message names all lines that are wrong or missing. */
int paper_get(struct key_file *file, const char *text, size_t len, struct err *err);

#endif
