/*
 * Four tables of answers: by uid, by gid, by user name, by group name. Each is
 * an array of sets of WAYS slots. The hash of the question selects the set, in
 * which the slots are replaced in turn.
 */
#include "lib/names.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/mutex.h"

#define WAYS 8
#define SETS (NAMES_KEPT / WAYS)
/* Size limits for an entry of a database; groups can have many members. */
#define ENTRY_MIN 4096
#define ENTRY_MAX (4u << 20)

enum table { BY_UID, BY_GID, BY_USER, BY_GROUP, TABLES };

/* A question and its answer: number and name. */
struct slot {
	bool used;
	bool found;
	uint8_t len;
	uint32_t id;
	char name[NAMES_MAX];
};

struct set {
	unsigned next; /* the slot that is replaced next */
	struct slot slots[WAYS];
};

struct names {
	struct mutex lock;
	char *entry; /* buffer for the database's answer */
	size_t entry_cap;
	struct set sets[TABLES][SETS];
};

struct names *names_new(struct err *err)
{
	struct names *names = mem_new(sizeof *names, err);

	if (names != NULL)
		mutex_init(&names->lock);
	return names;
}

void names_free(struct names *names)
{
	if (names == NULL)
		return;
	mutex_fini(&names->lock);
	free(names->entry);
	free(names);
}

/* Asks the database once, with the buffer there is. Returns 0 with the slot
 * filled, or an error number. */
static int ask_once(struct names *names, enum table table, struct slot *slot)
{
	char name[NAMES_MAX + 1];
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;
	const char *found;
	int errnum = 0;

	memcpy(name, slot->name, slot->len);
	name[slot->len] = 0;
	switch (table) {
	case BY_UID:
		errnum = getpwuid_r(slot->id, &pw, names->entry, names->entry_cap, &user);
		break;
	case BY_USER:
		errnum = getpwnam_r(name, &pw, names->entry, names->entry_cap, &user);
		break;
	case BY_GID:
		errnum = getgrgid_r(slot->id, &gr, names->entry, names->entry_cap, &group);
		break;
	default:
		errnum = getgrnam_r(name, &gr, names->entry, names->entry_cap, &group);
		break;
	}
	slot->found = errnum == 0 && (user != NULL || group != NULL);
	if (!slot->found)
		return errnum;
	if (table == BY_USER || table == BY_GROUP) {
		slot->id = user != NULL ? user->pw_uid : group->gr_gid;
		return 0;
	}
	found = user != NULL ? user->pw_name : group->gr_name;
	slot->found = found[0] != 0 && strlen(found) <= NAMES_MAX;
	if (slot->found) {
		slot->len = (uint8_t)strlen(found);
		memcpy(slot->name, found, slot->len);
	}
	return 0;
}

/* Asks, enlarging the buffer as needed. */
static void ask(struct names *names, enum table table, struct slot *slot)
{
	size_t cap = names->entry_cap > 0 ? names->entry_cap : ENTRY_MIN;
	int errnum;
	char *grown;

	for (;;) {
		if (cap > names->entry_cap) {
			grown = realloc(names->entry, cap);
			if (grown == NULL)
				return;
			names->entry = grown;
			names->entry_cap = cap;
		}
		errnum = ask_once(names, table, slot);
		if (errnum == ERANGE && cap < ENTRY_MAX)
			cap *= 2;
		else if (errnum != EINTR)
			return;
	}
}

/* Returns the slot with the answer to a question. */
static const struct slot *answer(
	struct names *names, enum table table, uint32_t id, const void *name, size_t len)
{
	bool by_id = table == BY_UID || table == BY_GID;
	uint64_t hash = by_id ? hash_xxh3(&id, sizeof id) : hash_xxh3(name, len);
	struct set *set = &names->sets[table][hash % SETS];
	struct slot *slot;
	int i;

	assert(mutex_held(&names->lock) && set->next < WAYS);
	for (i = 0; i < WAYS; i++) {
		slot = &set->slots[i];
		if (slot->used && (by_id ? slot->id == id
					 : slot->len == len && memcmp(slot->name, name, len) == 0))
			return slot;
	}
	slot = &set->slots[set->next];
	set->next = (set->next + 1) % WAYS;
	*slot = (struct slot){.used = true, .id = id, .len = (uint8_t)len};
	if (len > 0)
		memcpy(slot->name, name, len);
	ask(names, table, slot);
	return slot;
}

size_t names_name(struct names *names, enum names_kind kind, uint32_t id, char name[NAMES_MAX])
{
	const struct slot *slot;
	size_t len;

	mutex_lock(&names->lock);
	slot = answer(names, kind == NAMES_USER ? BY_UID : BY_GID, id, NULL, 0);
	len = slot->found ? slot->len : 0;
	memcpy(name, slot->name, len);
	mutex_unlock(&names->lock);
	return len;
}

bool names_id(struct names *names, enum names_kind kind, const void *name, size_t len, uint32_t *id)
{
	const struct slot *slot;
	bool found;

	if (len == 0 || len > NAMES_MAX || memchr(name, 0, len) != NULL)
		return false;
	mutex_lock(&names->lock);
	slot = answer(names, kind == NAMES_USER ? BY_USER : BY_GROUP, 0, name, len);
	found = slot->found;
	if (found)
		*id = slot->id;
	mutex_unlock(&names->lock);
	return found;
}
