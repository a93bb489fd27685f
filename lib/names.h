/*
 * A cache of the names and numbers of users and groups. Asks the system's
 * databases (passwd(5), a directory service) once for each, and remembers the
 * answer, even "not found".
 *
 * names_new -> names_name, names_id -> names_free. Any number of threads may
 * ask at once; a slow answer delays all of them.
 *
 * The cache is limited to NAMES_KEPT answers of each kind; later ones replace
 * earlier ones. If a database fails, the name counts as not found. Nothing is
 * ever guessed: an unknown name gets no number, and certainly not root's.
 */
#ifndef FDUMP_LIB_NAMES_H
#define FDUMP_LIB_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct names;

#define NAMES_MAX  255  /* bytes in a name; a longer one counts as not found */
#define NAMES_KEPT 1024 /* cached answers of each kind */

/* Returns NULL with err set if out of memory. */
struct names *names_new(struct err *err);
void names_free(struct names *names);

enum names_kind { NAMES_USER, NAMES_GROUP };

/* Copies the name of a user or group to name, without a NUL. Returns its
 * length, or 0 if it has none. */
size_t names_name(struct names *names, enum names_kind kind, uint32_t id, char name[NAMES_MAX]);

/* Sets *id to the number of the user or group of this name (any bytes). Returns
 * false if there is none; then *id is unchanged. */
bool names_id(
	struct names *names, enum names_kind kind, const void *name, size_t len, uint32_t *id);

#endif
