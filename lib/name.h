/*
 * The grammar of all names that people choose and the wire carries: agents,
 * stores, managers, operators, jobs, backups, hooks.
 *
 * A name consists of DNS labels (RFC 1123, 2.1) in lower case: letters, digits
 * and '-', joined by dots, 1 to 63 bytes in all, each label starting and ending
 * with a letter or digit. So a name is never empty or hidden, can't be taken
 * for a path or an option, has only one spelling, and fits a certificate as it
 * is.
 *
 * Pure.
 */
#ifndef FDUMP_LIB_NAME_H
#define FDUMP_LIB_NAME_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* The longest name in bytes, without a terminating NUL. */
#define NAME_LEN_MAX 63

/* The rule, for messages. */
#define NAME_RULE                                                                                  \
	"names are made of lower-case letters, digits, '-' and '.', 1 to 63 bytes, each part "     \
	"starting and ending with a letter or digit"

/* True if these len bytes are a name. No terminating NUL is needed; a NUL among
 * them is refused. */
bool name_ok(const void *bytes, size_t len);

/* Returns 0 if text is a name, or -1 with err set to ERR_USAGE: "WHAT 'text':
 * not a name: " and the rule. what says where the text came from: "--name". */
int name_check(const char *what, const char *text, struct err *err);

/* Turns a host name into a name: in lower case, with '-' instead of '_'.
 * Returns 0, or -1 with err set to ERR_CONFIG if the result is not a name. */
int name_from_host(char name[NAME_LEN_MAX + 1], const char *host, struct err *err);

#endif
