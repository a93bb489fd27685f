/*
 * Names of users and groups, and their numbers: what the system's databases
 * (passwd(5), a directory service) say, asked once for each and remembered,
 * also that there is none.
 *
 * names_new -> names_name, names_id -> names_free.
 * Any number of threads may ask at once; a slow answer holds up all of them.
 *
 * What is remembered is limited: NAMES_KEPT answers of each kind, later ones
 * in place of earlier ones. A database that fails is as one without the name.
 * Nothing is ever guessed: a name without a number is no user, never root.
 */
#ifndef FDUMP_LIB_NAMES_H
#define FDUMP_LIB_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct names;

#define NAMES_MAX  255  /* bytes of a name; longer ones are as if not there */
#define NAMES_KEPT 1024 /* answers of each kind */

/* NULL with err set (out of memory) on failure. */
struct names *names_new(struct err *err);
void names_free(struct names *names);

enum names_kind { NAMES_USER, NAMES_GROUP };

/* The name of a user or of a group: copied to name, its length returned. 0 if
 * it has none. There is no NUL. */
size_t names_name(struct names *names, enum names_kind kind, uint32_t id, char name[NAMES_MAX]);

/* The number of a user or of a group of this name (any bytes). False if there
 * is none; then *id stays as it is. */
bool names_id(
	struct names *names, enum names_kind kind, const void *name, size_t len, uint32_t *id);

#endif
