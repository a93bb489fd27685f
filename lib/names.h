/*
 * User and group names for ids, and back, by the system's databases, each
 * asked once: answers are kept, also that there is none, up to
 * NAMES_CACHE of each kind; beyond, the oldest make room.
 *
 * One thread at a time; each thread has its own.
 */
#ifndef FDUMP_LIB_NAMES_H
#define FDUMP_LIB_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct names;

#define NAMES_CACHE 256

struct names *names_new(struct err *err);
void names_free(struct names *names);

/* The name, good until NAMES_CACHE others were asked for; NULL: it has none. */
const char *names_user(struct names *names, uint32_t uid);
const char *names_group(struct names *names, uint32_t gid);

/* The id of a name of len bytes. False if there is none here. */
bool names_uid(struct names *names, const void *name, size_t len, uint32_t *uid);
bool names_gid(struct names *names, const void *name, size_t len, uint32_t *gid);

#endif
