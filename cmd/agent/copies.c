/* Stores side by side, each asked in turn. */
#include "cmd/agent/copies.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/err.h"

struct copy {
	struct store *store; /* NULL: left behind */
};

struct agent_copies {
	struct agent_copies_options o;
	const uint8_t *domain;
	pthread_mutex_t lock; /* over `alive` and the callback */
	size_t alive;
	struct copy copies[AGENT_STORES_MAX];
	bool behind[AGENT_STORES_MAX];
};

/* A store is given up. Returns 0, or -1: none is left. */
static int leave(struct agent_copies *c, size_t i, const struct err *why, struct err *err)
{
	size_t left;

	pthread_mutex_lock(&c->lock);
	if (!c->behind[i]) {
		c->behind[i] = true;
		c->alive--;
		c->o.behind(c->o.ctx, c->o.paths[i], why->message);
	}
	left = c->alive;
	pthread_mutex_unlock(&c->lock);
	if (left > 0)
		return 0;
	*err = *why;
	return -1;
}

static bool is_behind(struct agent_copies *c, size_t i)
{
	bool behind;

	pthread_mutex_lock(&c->lock);
	behind = c->behind[i];
	pthread_mutex_unlock(&c->lock);
	return behind;
}

struct agent_copies *agent_copies_open(
	const struct agent_copies_options *options, const uint8_t *domain, struct err *err)
{
	struct agent_copies *c = calloc(1, sizeof *c);
	size_t i;

	if (c == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	c->o = *options;
	c->domain = domain;
	c->alive = options->count;
	pthread_mutex_init(&c->lock, NULL);
	for (i = 0; i < options->count; i++) {
		struct err why = {0};

		c->copies[i].store = store_open(options->paths[i], STORE_WRITE, &why);
		if (c->copies[i].store == NULL && leave(c, i, &why, err) != 0) {
			agent_copies_close(c);
			return NULL;
		}
	}
	return c;
}

void agent_copies_close(struct agent_copies *c)
{
	size_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->o.count; i++)
		store_close(c->copies[i].store);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

int agent_copies_have(struct agent_copies *c, const uint8_t *id, bool *has, struct err *err)
{
	struct err why = {0};
	bool one;
	size_t i;

	*has = true;
	for (i = 0; i < c->o.count && *has; i++) {
		if (is_behind(c, i))
			continue;
		if (store_have(c->copies[i].store, c->domain, id, 1, &one, &why) != 0) {
			if (leave(c, i, &why, err) != 0)
				return -1;
			continue;
		}
		*has = one;
	}
	return 0;
}

int agent_copies_put(
	struct agent_copies *c, const uint8_t *record, size_t len, uint64_t *added, struct err *err)
{
	struct err why = {0};
	size_t i;
	int got;

	*added = 0;
	for (i = 0; i < c->o.count; i++) {
		if (is_behind(c, i))
			continue;
		got = store_put(c->copies[i].store, c->domain, record, len, &why);
		if (got < 0 && leave(c, i, &why, err) != 0)
			return -1;
		if (got == 0)
			*added = len;
	}
	return 0;
}

struct search {
	const uint8_t *dump;
	bool found;
};

static int compare(void *ctx, const struct store_entry *e, struct err *err)
{
	struct search *s = ctx;

	(void)err;
	s->found |= memcmp(e->dump.id, s->dump, STORE_DUMP_ID) == 0 && !e->damaged;
	return s->found;
}

int agent_copies_has_dump(struct agent_copies *c, const uint8_t *dump, bool *has, struct err *err)
{
	struct err why = {0};
	size_t i;

	*has = true;
	for (i = 0; i < c->o.count && *has; i++) {
		struct search s = {dump, false};

		if (is_behind(c, i))
			continue;
		if (store_dumps(c->copies[i].store, compare, &s, &why) == 0)
			*has = s.found;
		else if (leave(c, i, &why, err) != 0)
			return -1;
	}
	return 0;
}

int agent_copies_commit(struct agent_copies *c, const uint8_t *record, size_t len,
	size_t *acknowledged, struct err *err)
{
	struct store_receipt receipt;
	struct err why = {0};
	bool lacks = false;
	size_t i;
	int got;

	*acknowledged = 0;
	for (i = 0; i < c->o.count; i++) {
		if (is_behind(c, i))
			continue;
		got = store_commit(c->copies[i].store, record, len, &receipt, NULL, &why);
		if (got < 0 && leave(c, i, &why, err) != 0)
			return -1;
		lacks |= got == 1;
		*acknowledged += got == 0;
	}
	return lacks;
}
