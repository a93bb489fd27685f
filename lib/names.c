/* Four small rings; the last answer is tried first, for it mostly fits. */
#include "lib/names.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define NAME_MAX_LEN 256

struct entry {
	uint32_t id;
	bool known; /* the name has an id, the id has a name */
	char name[NAME_MAX_LEN];
};

struct ring {
	struct entry *entries;
	size_t count, next, last;
};

struct names {
	struct ring user, group, uid, gid;
	char mem[16384]; /* for getpwuid_r and its kin */
};

struct names *names_new(struct err *err)
{
	struct names *n = calloc(1, sizeof *n);

	if (n == NULL)
		err_set(err, ERR_NOMEM, "out of memory");
	return n;
}

void names_free(struct names *n)
{
	if (n == NULL)
		return;
	free(n->user.entries);
	free(n->group.entries);
	free(n->uid.entries);
	free(n->gid.entries);
	free(n);
}

/* Looks for an entry, by id (name NULL) or by name. */
static struct entry *lookup(struct ring *r, uint32_t id, const char *name)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		size_t at = (r->last + i) % r->count;
		struct entry *e = &r->entries[at];

		if (name != NULL ? strcmp(e->name, name) == 0 : e->id == id) {
			r->last = at;
			return e;
		}
	}
	return NULL;
}

/* A new entry, in place of the oldest if need be. NULL: out of memory. */
static struct entry *fresh(struct ring *r)
{
	struct entry *e;

	if (r->entries == NULL && (r->entries = calloc(NAMES_CACHE, sizeof *e)) == NULL)
		return NULL;
	e = &r->entries[r->next];
	r->last = r->next;
	r->next = (r->next + 1) % NAMES_CACHE;
	if (r->count < NAMES_CACHE)
		r->count++;
	memset(e, 0, sizeof *e);
	return e;
}

static void set_name(struct entry *e, const char *name)
{
	e->known = name != NULL && *name != 0 && strlen(name) < NAME_MAX_LEN;
	if (e->known)
		memcpy(e->name, name, strlen(name) + 1);
}

const char *names_user(struct names *n, uint32_t uid)
{
	struct entry *e = lookup(&n->user, uid, NULL);
	struct passwd pw, *got = NULL;

	if (e == NULL) {
		if ((e = fresh(&n->user)) == NULL)
			return NULL;
		e->id = uid;
		getpwuid_r(uid, &pw, n->mem, sizeof n->mem, &got);
		set_name(e, got != NULL ? got->pw_name : NULL);
	}
	return e->known ? e->name : NULL;
}

const char *names_group(struct names *n, uint32_t gid)
{
	struct entry *e = lookup(&n->group, gid, NULL);
	struct group gr, *got = NULL;

	if (e == NULL) {
		if ((e = fresh(&n->group)) == NULL)
			return NULL;
		e->id = gid;
		getgrgid_r(gid, &gr, n->mem, sizeof n->mem, &got);
		set_name(e, got != NULL ? got->gr_name : NULL);
	}
	return e->known ? e->name : NULL;
}

/* Both directions by name: want_group decides which database. */
static bool by_name(struct names *n, struct ring *r, bool want_group, const void *name, size_t len,
	uint32_t *id)
{
	char text[NAME_MAX_LEN];
	struct entry *e;

	if (len == 0 || len >= sizeof text || memchr(name, 0, len) != NULL)
		return false;
	memcpy(text, name, len);
	text[len] = 0;
	e = lookup(r, 0, text);
	if (e == NULL) {
		struct passwd pw, *user = NULL;
		struct group gr, *group = NULL;

		if ((e = fresh(r)) == NULL)
			return false;
		memcpy(e->name, text, len + 1);
		if (want_group)
			getgrnam_r(text, &gr, n->mem, sizeof n->mem, &group);
		else
			getpwnam_r(text, &pw, n->mem, sizeof n->mem, &user);
		e->known = want_group ? group != NULL : user != NULL;
		if (e->known)
			e->id = want_group ? group->gr_gid : user->pw_uid;
	}
	*id = e->id;
	return e->known;
}

bool names_uid(struct names *n, const void *name, size_t len, uint32_t *uid)
{
	return by_name(n, &n->uid, false, name, len, uid);
}

bool names_gid(struct names *n, const void *name, size_t len, uint32_t *gid)
{
	return by_name(n, &n->gid, true, name, len, gid);
}
