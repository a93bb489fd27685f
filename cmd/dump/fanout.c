#include "cmd/dump/fanout.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/dump/order.h"
#include "cmd/dump/domain.h"
#include "cmd/store/parcel.h"
#include "lib/err.h"
#include "lib/mem.h"
#include "lib/mutex.h"
#include "lib/uptime.h"

#define SLICE_MS 250  /* wait for one store, before the others are looked at again */
#define LOOK_MS  100  /* between checks whether enough stores have answered */
#define AGAIN_MS 5000 /* for a store that was left behind to be open again */

struct copy {
	struct store *store;
	bool behind;
	bool in_use;        /* open, and not the same store as another one */
	bool opening;       /* was still being opened at the start */
	struct err why;     /* why it was left behind */
	bool waits;         /* its commit was started and has not been answered */
	bool lacks;         /* its commit named missing chunks */
	bool acked;         /* it gave a receipt */
	uint64_t stored;    /* bytes of new records */
	int64_t held_up_ms; /* how long the others waited for this store alone */
	struct store_receipt receipt;
	/* Work done with this store in parallel to the others (work_all), and its outcome. */
	struct dump_fanout *fanout;
	pthread_t thread;
	bool works, threaded, over, late; /* late: it was cancelled */
	int ret;
	struct err error;
	struct dump_before before;
	bool has_base;
};

typedef int work_one(struct dump_fanout *f, struct copy *copy, struct err *err);

struct dump_fanout {
	struct dump_fanout_options o;
	struct store_run run;
	struct mutex lock; /* protects .behind, .why, .in_use and .alive; held during callbacks */
	size_t alive;
	struct err why; /* why the last store was left behind */
	/* Work with several stores in parallel. */
	work_one *work;
	struct mutex work_lock; /* protects .over of each copy, .working and .good */
	pthread_cond_t change;
	size_t working, good; /* not finished yet; finished without an error */
	/* For dump_fanout_catch_up. */
	const uint8_t *dump;
	uint32_t from; /* the stores that have the dump; bit n for the n-th */
	void (*each)(void *ctx, size_t store, bool done);
	struct copy copies[STORES_MAX];
};

/* --- leaving stores behind ------------------------------------------------- */

static void leave(struct dump_fanout *f, struct copy *copy, const struct err *why)
{
	mutex_lock(&f->lock);
	if (!copy->behind) {
		assert(f->alive > 0);
		copy->behind = true;
		f->alive--;
		copy->why = f->why = *why;
		f->o.behind(f->o.ctx, (size_t)(copy - f->copies), why->message);
	}
	mutex_unlock(&f->lock);
}

static void leave_for(struct dump_fanout *f, struct copy *copy, const char *what)
{
	struct err why = {0};

	err_set(&why, ERR_FAILED, "%s", what);
	leave(f, copy, &why);
}

static bool is_behind(struct dump_fanout *f, const struct copy *copy)
{
	bool behind;

	mutex_lock(&f->lock);
	behind = copy->behind;
	mutex_unlock(&f->lock);
	return behind;
}

/* Returns 0, or -1 with err set. The reasons were reported when each store was left behind. */
static int any_left(struct dump_fanout *f, struct err *err)
{
	int ret = 0;

	mutex_lock(&f->lock);
	if (f->alive == 0)
		ret = err_set(err, f->why.code, "no store is left: %s", f->why.message);
	mutex_unlock(&f->lock);
	return ret;
}

/* --- new and free ---------------------------------------------------------- */

static int prove(void *domain, const struct store_proof *proof, uint8_t public[SEAL_SIGN_LEN],
	uint8_t signature[SEAL_SIG_LEN], struct err *err)
{
	const struct dump_domain *d = domain;

	memcpy(public, d->public, SEAL_SIGN_LEN);
	return dump_domain_prove(d, proof, signature, err);
}

struct dump_fanout *dump_fanout_new(const struct dump_fanout_options *options, struct err *err)
{
	struct dump_fanout *f = mem_new(sizeof *f, err);
	size_t i;

	assert(options->count > 0 && options->count <= STORES_MAX && options->wanted >= 1);
	if (f == NULL)
		return NULL;
	f->o = *options;
	if (f->o.now_ms == NULL)
		f->o.now_ms = uptime_ms;
	f->run = (struct store_run){.agent = options->agent,
		.name = options->name,
		.domain = options->domain->fingerprint,
		.prove = prove,
		.ctx = (void *)(uintptr_t)options->domain};
	mutex_init(&f->lock);
	mutex_init(&f->work_lock);
	pthread_cond_init(&f->change, NULL);
	for (i = 0; i < f->o.count; i++) {
		struct store *store = f->o.stores[i];
		bool open = store_is_open(store);

		f->copies[i] = (struct copy){.fanout = f,
			.store = store,
			.in_use = open,
			.behind = !open,
			.opening = store_is_opening(store)};
		f->alive += open;
	}
	if (f->alive > 0)
		return f;
	err_set(err, ERR_NOTFOUND, "no store is left");
	dump_fanout_free(f);
	return NULL;
}

void dump_fanout_free(struct dump_fanout *f)
{
	if (f == NULL)
		return;
	pthread_cond_destroy(&f->change);
	mutex_fini(&f->work_lock);
	mutex_fini(&f->lock);
	free(f);
}

/* --- work with all stores in parallel --------------------------------------- */

static void *run_work(void *arg)
{
	struct copy *copy = arg;
	struct dump_fanout *f = copy->fanout;
	int ret = f->work(f, copy, &copy->error);

	mutex_lock(&f->work_lock);
	copy->ret = ret;
	copy->over = true;
	f->working--;
	f->good += ret == 0;
	pthread_cond_broadcast(&f->change);
	mutex_unlock(&f->work_lock);
	return NULL;
}

/* Waits until all have finished. Once `enough` have finished without an error, the others get
 * DUMP_SLOW_MS and are then cancelled. */
static void wait_work(struct dump_fanout *f, size_t enough)
{
	int64_t end = INT64_MAX;
	bool cancelled = false;
	size_t i;

	mutex_lock(&f->work_lock);
	while (f->working > 0) {
		mutex_wait_until(&f->work_lock, &f->change, uptime_ms() + LOOK_MS);
		if (f->good >= enough && end == INT64_MAX)
			end = f->o.now_ms() + DUMP_SLOW_MS;
		if (cancelled || f->o.now_ms() < end)
			continue;
		cancelled = true;
		for (i = 0; i < f->o.count; i++) {
			f->copies[i].late = f->copies[i].works && !f->copies[i].over;
			if (f->copies[i].late)
				store_cancel(f->copies[i].store);
		}
	}
	mutex_unlock(&f->work_lock);
}

/* Does the work with each store of a set (bit n for the n-th) in parallel. enough: as for
 * wait_work; SIZE_MAX: wait for all. */
static void work_all(struct dump_fanout *f, uint32_t set, work_one *work, size_t enough)
{
	size_t i;

	f->work = work;
	f->working = (size_t)__builtin_popcount(set);
	f->good = 0;
	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		copy->works = set >> i & 1;
		copy->over = copy->late = false;
		copy->error = (struct err){0};
		if (!copy->works)
			continue;
		copy->threaded = (set & (set - 1)) != 0 &&
				 pthread_create(&copy->thread, NULL, run_work, copy) == 0;
		if (!copy->threaded)
			run_work(copy);
	}
	wait_work(f, enough);
	for (i = 0; i < f->o.count; i++)
		if (f->copies[i].works && f->copies[i].threaded)
			pthread_join(f->copies[i].thread, NULL);
}

/* Does the work with each store that is not left behind; those that fail then are. */
static void work_alive(struct dump_fanout *f, work_one *work)
{
	uint32_t alive = 0;
	size_t i;

	for (i = 0; i < f->o.count; i++)
		alive |= (uint32_t)!f->copies[i].behind << i;
	work_all(f, alive, work, f->o.wanted);
	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		if (copy->works && copy->ret != 0 && copy->late)
			leave_for(f, copy, "it does not answer, and the others are enough");
		else if (copy->works && copy->ret != 0)
			leave(f, copy, &copy->error);
	}
}

static int read_before(struct dump_fanout *f, struct copy *copy, struct err *err)
{
	return dump_before_read(&copy->before, copy->store, f->o.agent, f->o.name, err);
}

void dump_fanout_before(struct dump_fanout *f, dump_fanout_each_before *each, void *ctx)
{
	size_t i;

	work_alive(f, read_before);
	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		if (!copy->works)
			continue;
		if (copy->ret == 0)
			each(ctx, i, &copy->before);
		dump_before_fini(&copy->before);
	}
}

static int begin(struct dump_fanout *f, struct copy *copy, struct err *err)
{
	return store_begin(copy->store, &f->run, &copy->has_base, err);
}

int dump_fanout_begin(struct dump_fanout *f, const uint8_t *base, bool *has_base, struct err *err)
{
	size_t i;

	*has_base = false;
	f->run.base = base;
	work_alive(f, begin);
	for (i = 0; i < f->o.count; i++)
		*has_base |= f->copies[i].works && f->copies[i].ret == 0 && f->copies[i].has_base;
	return any_left(f, err);
}

/* --- putting --------------------------------------------------------------- */

int dump_fanout_have(
	struct dump_fanout *f, const uint8_t *ids, size_t count, uint32_t *lacks, struct err *err)
{
	enum store_answer answers[STORE_HAVE_MAX];
	struct err why = {0};
	size_t i, k;

	assert(count <= STORE_HAVE_MAX);
	memset(lacks, 0, count * sizeof *lacks);
	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		if (is_behind(f, copy))
			continue;
		if (store_have(copy->store, ids, count, false, answers, &why) != 0) {
			leave(f, copy, &why);
			continue;
		}
		for (k = 0; k < count; k++)
			if (answers[k] != STORE_HAS)
				lacks[k] |= (uint32_t)1 << i;
	}
	return any_left(f, err);
}

/* Tries each store of the set once, without waiting. Removes from the set those that took the
 * parcel or failed. */
static void put_once(struct dump_fanout *f, struct store_parcel *parcel, uint32_t *to)
{
	struct err why = {0};
	size_t i;
	int ret;

	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		if (!(*to >> i & 1))
			continue;
		ret = is_behind(f, copy) ? STORE_TAKEN : store_put(copy->store, parcel, 0, &why);
		if (ret < 0)
			leave(f, copy, &why);
		if (ret != STORE_NO_ROOM)
			*to &= ~((uint32_t)1 << i);
	}
}

/* Waits a while for the first store of the set, which has no room, or leaves it behind. */
static void wait_room(
	struct dump_fanout *f, struct store_parcel *parcel, uint32_t *to, int64_t since_ms)
{
	struct copy *copy;
	struct err why = {0};
	int64_t before = f->o.now_ms();
	bool spare;
	int ret;

	assert(*to != 0);
	copy = &f->copies[__builtin_ctz(*to)];
	spare = f->alive - (size_t)__builtin_popcount(*to) >= f->o.wanted;
	ret = store_put(copy->store, parcel, SLICE_MS, &why);
	if (spare)
		copy->held_up_ms += f->o.now_ms() - before;
	if (ret < 0)
		leave(f, copy, &why);
	else if (ret == STORE_NO_ROOM && copy->held_up_ms > DUMP_SLOW_MS && why.code != ERR_NONE)
		leave(f, copy, &why); /* it is not connected */
	else if (ret == STORE_NO_ROOM && copy->held_up_ms > DUMP_SLOW_MS)
		leave_for(f, copy, "it is slower than the others, which are enough");
	else if (ret == STORE_NO_ROOM && f->o.now_ms() - since_ms > DUMP_STALL_MS)
		leave_for(f, copy, "it made no progress");
	if (ret != STORE_NO_ROOM || is_behind(f, copy))
		*to &= *to - 1;
}

int dump_fanout_put(
	struct dump_fanout *f, const uint8_t *record, size_t len, uint32_t to, struct err *err)
{
	struct store_parcel *parcel = store_parcel_new(record, len, err);
	int64_t since_ms = f->o.now_ms();

	assert((to >> (f->o.count - 1) >> 1) == 0);
	if (parcel == NULL)
		return -1;
	put_once(f, parcel, &to);
	while (to != 0) {
		wait_room(f, parcel, &to, since_ms);
		put_once(f, parcel, &to);
	}
	store_parcel_unref(parcel);
	return any_left(f, err);
}

/* --- commit and catching up ------------------------------------------------ */

static size_t count_acked(const struct dump_fanout *f)
{
	size_t acked = 0, i;

	for (i = 0; i < f->o.count; i++)
		acked += f->copies[i].acked;
	return acked;
}

/* Waits for the stores' answers. Once enough have answered, the others get DUMP_SLOW_MS. */
static void wait_answers(struct dump_fanout *f, struct buf *missing)
{
	int64_t end = f->o.now_ms() + DUMP_STALL_MS;
	bool enough = false, waits = true;
	struct err why = {0};
	size_t i;
	int ret;

	while (waits && f->o.now_ms() < end) {
		waits = false;
		for (i = 0; i < f->o.count; i++) {
			struct copy *copy = &f->copies[i];

			if (!copy->waits)
				continue;
			ret = store_commit_wait(
				copy->store, SLICE_MS, &copy->receipt, missing, &why);
			copy->waits = ret == STORE_PENDING;
			waits |= copy->waits;
			copy->acked = ret == STORE_COMMITTED;
			copy->lacks = ret == STORE_MISSING;
			if (copy->acked)
				ret = store_settle(copy->store, &copy->stored, &why);
			if (ret < 0)
				leave(f, copy, &why);
		}
		if (!enough && count_acked(f) >= f->o.wanted) {
			enough = true;
			end = f->o.now_ms() + DUMP_SLOW_MS;
		}
	}
	for (i = 0; i < f->o.count; i++)
		if (f->copies[i].waits)
			leave_for(f, &f->copies[i], "it did not confirm the dump in time");
}

int dump_fanout_commit(struct dump_fanout *f, const uint8_t *record, size_t len,
	size_t *acknowledged, uint64_t *stored, struct buf *missing, struct err *err)
{
	bool lacks = false;
	struct err why = {0};
	size_t i;

	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		copy->acked = copy->lacks = false;
		copy->waits = !copy->behind &&
			      store_commit_start(copy->store, record, len, NULL, &why) == 0;
		if (!copy->behind && !copy->waits)
			leave(f, copy, &why);
	}
	wait_answers(f, missing);
	*acknowledged = count_acked(f);
	*stored = 0;
	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		lacks |= copy->lacks;
		if (copy->acked && copy->stored > *stored)
			*stored = copy->stored;
		if (*acknowledged > 0 && copy->lacks)
			leave_for(f, copy, "it lacks chunks of earlier dumps");
	}
	if (*acknowledged > 0)
		return 0;
	return lacks ? 1 : any_left(f, err);
}

static void ignore(void *ctx, const struct store_entry *dump, const char *what)
{
	(void)ctx;
	(void)dump;
	(void)what;
}

/* A store that could not be opened before may turn out to be the same as one that is in use under
 * another name. */
static int check_other(const struct dump_fanout *f, const struct copy *copy, struct err *err)
{
	size_t i;

	assert(mutex_held(&f->lock));
	for (i = 0; i < f->o.count; i++) {
		const struct copy *other = &f->copies[i];

		if (other != copy && other->in_use &&
			memcmp(store_uid(other->store), store_uid(copy->store), STORE_UID_LEN) == 0)
			return err_set(err, ERR_USAGE, "is the same store as %s",
				store_name(other->store));
	}
	return 0;
}

/* Opens it. A service that does not answer is not waited for as long as at the start. */
static int open_soon(struct store *store, struct err *err)
{
	int ret = store_is_opening(store) ? store_open_wait(store, 0, err) : -1;

	/* By now it dials rarely, or has given up: dial again. */
	if (ret != STORE_OPEN && (ret = store_open_start(store, STORE_WRITE, err)) == 0)
		ret = store_open_wait(store, AGAIN_MS, err);
	if (ret == STORE_OPENING)
		err_prefix(err, "not reached in %d s", AGAIN_MS / 1000);
	return ret == STORE_OPEN ? 0 : -1;
}

static void tell_behind(struct dump_fanout *f, const struct copy *copy, const struct err *why)
{
	f->o.behind(f->o.ctx, (size_t)(copy - f->copies), why->message);
}

/* Opens a store that was left behind. Returns 0, or -1; then the failure was reported, now or
 * before. */
static int open_again(struct dump_fanout *f, struct copy *copy)
{
	struct err why = {0};
	bool known = false;
	int ret;

	mutex_lock(&f->lock);
	copy->in_use = false;
	mutex_unlock(&f->lock);
	ret = open_soon(copy->store, &why);
	mutex_lock(&f->lock);
	if (ret != 0) /* A store that could not be opened at the start was reported then. */
		known = copy->why.code == ERR_NONE ? !copy->opening || why.code == ERR_TIMEOUT
						   : strcmp(why.message, copy->why.message) == 0;
	else
		ret = check_other(f, copy, &why);
	copy->in_use = ret == 0;
	if (ret != 0 && !known)
		tell_behind(f, copy, &why);
	mutex_unlock(&f->lock);
	if (ret != 0)
		store_close(copy->store);
	return ret;
}

/* Copies the dump to one store from another one. Returns 0, or -1 with err set. */
static int replicate(struct dump_fanout *f, struct copy *copy, struct store *from, struct err *err)
{
	struct store_replicated result;
	int ret = store_replicate(from, copy->store, f->dump, &f->run, ignore, NULL, &result, err);

	if (ret == 0 && result.failed > 0)
		ret = err_set(err, ERR_DAMAGE, "the store that has the dump lacks chunks of it");
	if (ret == 0 && memcmp(result.receipt.dump, f->dump, STORE_DUMP_ID) != 0)
		ret = err_set(err, ERR_EXISTS, "the dump was deleted there");
	if (ret == 0)
		copy->stored += result.bytes;
	copy->acked = ret == 0;
	copy->receipt = result.receipt;
	return ret;
}

static void tell_each(struct dump_fanout *f, const struct copy *copy, bool done)
{
	mutex_lock(&f->lock);
	f->each(f->o.ctx, (size_t)(copy - f->copies), done);
	mutex_unlock(&f->lock);
}

/* Tries the stores that have the dump, one after the other, until one has been copied from. */
static int catch_up(struct dump_fanout *f, struct copy *copy, struct err *err)
{
	bool told = false;
	size_t i;

	for (i = 0; i < f->o.count; i++) {
		if (!(f->from >> i & 1))
			continue;
		/* It must be opened again after an error, too. */
		if (open_again(f, copy) != 0)
			return -1;
		if (!told)
			tell_each(f, copy, false);
		told = true;
		if (replicate(f, copy, f->copies[i].store, err) == 0) {
			tell_each(f, copy, true);
			return 0;
		}
	}
	mutex_lock(&f->lock);
	if (err->code != ERR_NOSPACE || copy->why.code != ERR_NOSPACE)
		tell_behind(f, copy, err);
	mutex_unlock(&f->lock);
	return -1;
}

size_t dump_fanout_catch_up(struct dump_fanout *f, const uint8_t *dump,
	void (*each)(void *ctx, size_t store, bool done), uint64_t *stored)
{
	uint32_t behind = 0;
	size_t i;

	f->dump = dump;
	f->each = each;
	f->from = 0;
	for (i = 0; i < f->o.count; i++) {
		f->from |= (uint32_t)f->copies[i].acked << i;
		behind |= (uint32_t)f->copies[i].behind << i;
	}
	work_all(f, f->from != 0 ? behind : 0, catch_up, SIZE_MAX);
	for (i = 0; i < f->o.count; i++)
		if (f->copies[i].works && f->copies[i].ret == 0 && f->copies[i].stored > *stored)
			*stored = f->copies[i].stored;
	return f->good;
}

const struct store_receipt *dump_fanout_receipt(const struct dump_fanout *f, size_t store)
{
	assert(store < f->o.count);
	return f->copies[store].acked ? &f->copies[store].receipt : NULL;
}
