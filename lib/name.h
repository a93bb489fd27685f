/*
 * The one grammar of names that people give and the wire carries: hosts,
 * jobs, stores, dumps' names.
 *
 * A name is 1 to 63 bytes of lower-case letters, digits, '-' and '.', begins
 * and ends with a letter or digit, and has no ".." in it, nor a '-' next to a
 * '.' (labels as in DNS, RFC 1123 2.1). So a name is never a path, an option,
 * empty, hidden, or different in another notation, and can stand in a
 * certificate as it is.
 */
#ifndef FDUMP_LIB_NAME_H
#define FDUMP_LIB_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Longest name in bytes, without a terminating NUL. */
#define NAME_LEN_MAX 63

/* True if these len bytes are a name. They need not be terminated; a NUL
 * among them is refused. Pure. */
bool name_ok(const void *bytes, size_t len);

#endif
