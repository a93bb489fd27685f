/* The contract's calls: what all kinds of store have in common. */
#include "cmd/store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/store/kind.h"
#include "lib/err.h"

/* --- life ----------------------------------------------------------------- */

/* Sets err: no service can be reached. Perhaps a directory was meant. */
static void no_service(const char *text, struct err *err)
{
	struct stat st;

	if (stat(text, &st) == 0 && S_ISDIR(st.st_mode))
		err_set(err, ERR_USAGE,
			"'%s' is the name of a service: write ./%s for the directory", text, text);
	else
		err_set(err, ERR_USAGE,
			"'%s' is the name of a service, and this machine has joined no fleet "
			"('fdump join'); a directory is written with a slash, as ./%s",
			text, text);
}

static struct store *make(const struct store_kind *kind, const char *text,
	const struct store_access *access, struct err *err)
{
	struct store *s = calloc(1, kind->size);

	if (s == NULL || (s->name = strdup(text)) == NULL) {
		free(s);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->kind = kind;
	s->access = *access;
	s->service = kind == &store_remote;
	mutex_init(&s->lock);
	pthread_cond_init(&s->change, NULL);
	buf_init(&s->record, STORE_DUMP_MAX);
	buf_init(&s->missing, (size_t)STORE_MISSING_MAX * STORE_ID_LEN);
	if (kind->init != NULL)
		kind->init(s);
	return s;
}

struct store *store_new(const char *text, const struct store_access *access, struct err *err)
{
	if (strchr(text, '/') != NULL || strcmp(text, ".") == 0 || text[0] == 0)
		return store_new_directory(text, access, err);
	if (access->net != NULL)
		return make(&store_remote, text, access, err);
	no_service(text, err);
	return NULL;
}

struct store *store_new_directory(
	const char *path, const struct store_access *access, struct err *err)
{
	if (path[0] != 0)
		return make(&store_local, path, access, err);
	err_set(err, ERR_USAGE, "'': empty name of a store");
	return NULL;
}

int store_open_start(struct store *s, enum store_mode mode, struct err *err)
{
	store_close(s);
	s->mode = mode;
	if (s->kind->open_start != NULL && s->kind->open_start(s, err) != 0)
		return -1;
	s->opening = true;
	return 0;
}

int store_open_wait(struct store *s, int64_t wait_ms, struct err *err)
{
	int ret;

	assert(s->opening);
	ret = s->kind->open(s, wait_ms, err);
	s->opening = ret == STORE_OPENING;
	s->open = ret == STORE_OPEN;
	return ret;
}

int store_open(struct store *s, enum store_mode mode, struct err *err)
{
	int ret;

	if ((!s->opening || s->mode != mode) && store_open_start(s, mode, err) != 0)
		return -1;
	do /* the patience ends it */
		ret = store_open_wait(s, 60000, err);
	while (ret == STORE_OPENING);
	return ret;
}

bool store_is_open(const struct store *s)
{
	return s->open;
}

bool store_is_opening(const struct store *s)
{
	return s->opening;
}

void store_cancel(struct store *s)
{
	assert(s->open);
	if (s->kind->cancel != NULL)
		s->kind->cancel(s);
}

void store_close(struct store *s)
{
	if (s->open || (s->opening && s->kind->open_start != NULL))
		s->kind->close(s);
	s->opening = s->open = s->begun = s->committing = false;
	if (s->abandoned)
		return;
	s->failed = false;
	s->stored = 0;
	s->commit = COMMIT_NONE;
	buf_fini(&s->record);
	buf_fini(&s->missing);
}

void store_free(struct store *s)
{
	if (s == NULL)
		return;
	store_close(s);
	free(s->name);
	if (s->abandoned)
		return;
	pthread_cond_destroy(&s->change);
	mutex_fini(&s->lock);
	if (s->kind->free != NULL)
		s->kind->free(s);
	else
		free(s);
}

const char *store_name(const struct store *s)
{
	return s->name;
}

const uint8_t *store_uid(const struct store *s)
{
	assert(s->open);
	return s->uid;
}

const uint8_t *store_public(const struct store *s)
{
	assert(s->open);
	return s->public;
}

int store_lock_order(const struct store *a, const struct store *b)
{
	struct stat x = {0}, y = {0};

	if (a->service != b->service)
		return a->service - b->service;
	/* A store that does not exist can't be locked either. */
	if (a->service || stat(a->name, &x) != 0 || stat(b->name, &y) != 0)
		return strcmp(a->name, b->name);
	if (x.st_dev != y.st_dev)
		return x.st_dev < y.st_dev ? -1 : 1;
	return (x.st_ino > y.st_ino) - (x.st_ino < y.st_ino);
}

const char *store_directory(const struct store *s)
{
	return s->service ? NULL : s->name;
}

int store_about(struct store *s, struct store_about *about, struct err *err)
{
	assert(s->open);
	return s->kind->about(s, about, err);
}

/* --- writing -------------------------------------------------------------- */

/* Copies the run's strings and ids: the store may still use them when the caller is done. */
static void keep_run(struct store *s, const struct store_run *run)
{
	s->run = *run;
	assert(strlen(run->agent) < sizeof s->agent);
	strcpy(s->agent, run->agent);
	s->run.agent = s->agent;
	if (run->name != NULL) {
		assert(strlen(run->name) < sizeof s->backup);
		strcpy(s->backup, run->name);
		s->run.name = s->backup;
	}
	memcpy(s->domain, run->domain, sizeof s->domain);
	s->run.domain = s->domain;
	if (run->base != NULL) {
		memcpy(s->base, run->base, sizeof s->base);
		s->run.base = s->base;
	}
}

int store_begin(struct store *s, const struct store_run *run, bool *has_base, struct err *err)
{
	assert(s->open && s->mode == STORE_WRITE && !s->committing);
	if (s->kind->begin(s, run, has_base, err) != 0)
		return -1;
	keep_run(s, run);
	s->begun = true;
	return 0;
}

int store_have(struct store *s, const uint8_t *ids, size_t count, bool ask,
	enum store_answer *answers, struct err *err)
{
	assert(s->begun && count <= STORE_HAVE_MAX);
	return s->kind->have(s, ids, count, ask, answers, err);
}

int store_put(struct store *s, struct store_parcel *parcel, int64_t wait_ms, struct err *err)
{
	assert(s->begun);
	return s->kind->put(s, parcel, wait_ms, err);
}

int store_settle(struct store *s, uint64_t *stored, struct err *err)
{
	assert(s->begun);
	return s->kind->settle(s, stored, err);
}

int store_commit_start(struct store *s, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct err *err)
{
	assert(s->begun && !s->committing);
	buf_clear(&s->record);
	buf_clear(&s->missing);
	if (buf_add(&s->record, record, len, err) != 0)
		return -1;
	s->has_first = first != NULL;
	if (first != NULL)
		s->first = *first;
	s->committing = true;
	mutex_lock(&s->lock);
	assert(s->commit == COMMIT_NONE);
	s->commit = COMMIT_WANTED;
	pthread_cond_broadcast(&s->change);
	mutex_unlock(&s->lock);
	return 0;
}

/* The result of a commit. */
static int take_answer(
	struct store *s, struct store_receipt *receipt, struct buf *missing, struct err *err)
{
	int ret = s->failed ? -1 : s->answer;

	assert(mutex_held(&s->lock));
	if (!s->failed && s->commit != COMMIT_DONE)
		return STORE_PENDING;
	if (s->commit != COMMIT_RUNNING)
		s->commit = COMMIT_NONE;
	if (ret < 0)
		*err = s->failed ? s->why : s->commit_why;
	if (ret == STORE_COMMITTED)
		*receipt = s->receipt;
	if (ret == STORE_MISSING && missing != NULL)
		return buf_add(missing, s->missing.data, s->missing.len, err) == 0 ? ret : -1;
	return ret;
}

int store_commit_wait(struct store *s, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err)
{
	struct store_dump dump;
	int ret;

	assert(s->committing);
	ret = s->kind->commit_wait(s, wait_ms, err);
	if (ret == 0) {
		mutex_lock(&s->lock);
		ret = take_answer(s, receipt, missing, err);
		mutex_unlock(&s->lock);
	}
	if (ret == STORE_PENDING)
		return ret;
	if (ret == STORE_COMMITTED &&
		(store_dump_get(&dump, s->record.data, s->record.len, err) != 0 ||
			store_receipt_check(receipt, s->uid, s->public, &dump, s->record.data,
				s->record.len, err) != 0))
		ret = -1;
	s->committing = false;
	return ret;
}

int store_commit(struct store *s, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct store_receipt *receipt, struct buf *missing,
	struct err *err)
{
	int ret;

	if (store_commit_start(s, record, len, first, err) != 0)
		return -1;
	ret = store_commit_wait(s, s->access.patience_ms, receipt, missing, err);
	if (ret == STORE_PENDING)
		return err_set(err, ERR_TIMEOUT, "it did not confirm the dump in time");
	return ret;
}

/* --- reading and operators ------------------------------------------------- */

int store_dumps(struct store *s, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	assert(s->open);
	return s->kind->dumps(s, filter, each, ctx, err);
}

int store_hold(struct store *s, const uint8_t *dump, struct buf *record, struct store_entry *entry,
	struct err *err)
{
	assert(s->open && (record != NULL || entry == NULL));
	return s->kind->hold(s, dump, record, entry, err);
}

int store_ahead(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err)
{
	assert(s->open);
	return s->kind->ahead(s, domain, ids, count, lacks, err);
}

int store_get(
	struct store *s, const uint8_t *domain, const uint8_t *id, struct buf *out, struct err *err)
{
	assert(s->open);
	return s->kind->get(s, domain, id, out, err);
}

int store_delete(struct store *s, const uint8_t *dump, struct err *err)
{
	assert(s->open && s->mode == STORE_WRITE);
	return s->kind->delete (s, dump, err);
}

int store_lock(struct store *s, const uint8_t *dump, int64_t until, struct err *err)
{
	assert(s->open && s->mode == STORE_WRITE);
	return s->kind->lock(s, dump, until, err);
}

int store_doubt(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	size_t *marked, struct err *err)
{
	assert(s->open && s->mode == STORE_WRITE);
	*marked = 0;
	if (s->kind->doubt == NULL)
		return err_set(
			err, ERR_UNSUPPORTED, "%s: this store checks its chunks itself", s->name);
	return s->kind->doubt(s, domain, ids, count, marked, err);
}

int store_check(struct store *s, enum store_check what, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err)
{
	assert(s->open);
	return s->kind->check == NULL ? 1 : s->kind->check(s, what, problem, ctx, result, err);
}
