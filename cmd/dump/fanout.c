#include "cmd/dump/fanout.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/dump/before.h"
#include "cmd/dump/domain.h"
#include "cmd/store/parcel.h"
#include "lib/err.h"

#define SLICE_MS 250 /* that one store is waited for before the others are looked at again */

struct copy {
	struct store *store;
	bool behind;
	struct err why;     /* it was left behind */
	bool waits;         /* its commit was started, and not answered */
	bool lacks;         /* its commit named missing chunks */
	bool acked;         /* it has given a receipt */
	uint64_t stored;    /* bytes that were new */
	int64_t held_up_ms; /* that the others waited for it alone */
	struct store_receipt receipt;
};

struct dump_fanout {
	struct dump_fanout_options o;
	struct store_run run;
	pthread_mutex_t lock; /* over .behind, .why and .alive */
	size_t alive;
	struct err why; /* the last one was left behind */
	struct copy copies[STORES_MAX];
};

static int64_t monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- leaving behind -------------------------------------------------------- */

static void leave(struct dump_fanout *f, struct copy *copy, const struct err *why)
{
	pthread_mutex_lock(&f->lock);
	if (!copy->behind) {
		assert(f->alive > 0);
		copy->behind = true;
		f->alive--;
		copy->why = f->why = *why;
		f->o.behind(f->o.ctx, (size_t)(copy - f->copies), why->message);
	}
	pthread_mutex_unlock(&f->lock);
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

	pthread_mutex_lock(&f->lock);
	behind = copy->behind;
	pthread_mutex_unlock(&f->lock);
	return behind;
}

/* Returns 0, or -1 with err set; why was reported for each. */
static int any_left(struct dump_fanout *f, struct err *err)
{
	int ret = 0;

	pthread_mutex_lock(&f->lock);
	if (f->alive == 0)
		ret = err_set(err, f->why.code, "no store is left");
	pthread_mutex_unlock(&f->lock);
	return ret;
}

/* --- life ------------------------------------------------------------------ */

static int prove(void *domain, const struct store_proof *proof, uint8_t public[SEAL_SIGN_LEN],
	uint8_t signature[SEAL_SIG_LEN], struct err *err)
{
	const struct dump_domain *d = domain;

	memcpy(public, d->public, SEAL_SIGN_LEN);
	return dump_domain_prove(d, proof, signature, err);
}

struct dump_fanout *dump_fanout_new(const struct dump_fanout_options *options, struct err *err)
{
	struct dump_fanout *f = calloc(1, sizeof *f);
	size_t i;

	assert(options->count > 0 && options->count <= STORES_MAX && options->wanted >= 1);
	if (f == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	f->o = *options;
	if (f->o.now_ms == NULL)
		f->o.now_ms = monotonic_ms;
	f->run = (struct store_run){.agent = options->agent,
		.name = options->name,
		.domain = options->domain->fingerprint,
		.prove = prove,
		.ctx = (void *)(uintptr_t)options->domain};
	pthread_mutex_init(&f->lock, NULL);
	for (i = 0; i < f->o.count; i++) {
		f->copies[i].store = f->o.stores[i];
		f->copies[i].behind = !store_is_open(f->o.stores[i]);
		f->alive += !f->copies[i].behind;
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
	pthread_mutex_destroy(&f->lock);
	free(f);
}

void dump_fanout_before(struct dump_fanout *f, dump_fanout_each_before *each, void *ctx)
{
	struct dump_before before;
	struct err why = {0};
	size_t i;

	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		if (copy->behind)
			continue;
		if (dump_before_read(&before, copy->store, f->o.agent, f->o.name, &why) != 0)
			leave(f, copy, &why);
		else
			each(ctx, i, &before);
		dump_before_fini(&before);
	}
}

int dump_fanout_begin(struct dump_fanout *f, const uint8_t *base, bool *has_base, struct err *err)
{
	struct err why = {0};
	size_t i;
	bool has;

	*has_base = false;
	f->run.base = base;
	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		if (copy->behind)
			continue;
		if (store_begin(copy->store, &f->run, &has, &why) != 0)
			leave(f, copy, &why);
		else
			*has_base |= has;
	}
	return any_left(f, err);
}

/* --- putting --------------------------------------------------------------- */

int dump_fanout_have(struct dump_fanout *f, const uint8_t *id, uint32_t *lacks, struct err *err)
{
	struct err why = {0};
	enum store_answer has;
	size_t i;

	*lacks = 0;
	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		if (is_behind(f, copy))
			continue;
		if (store_have(copy->store, id, 1, &has, &why) != 0)
			leave(f, copy, &why);
		else if (has != STORE_HAS)
			*lacks |= (uint32_t)1 << i;
	}
	return any_left(f, err);
}

/* Tries each store of the set at once; takes those that took it, or failed, out of the set. */
static void put_once(struct dump_fanout *f, struct store_parcel *parcel, uint32_t *to)
{
	struct err why = {0};
	size_t i;
	int ret;

	for (i = 0; i < f->o.count; i++) {
		struct copy *copy = &f->copies[i];

		if (!(*to >> i & 1))
			continue;
		ret = copy->behind ? STORE_TAKEN : store_put(copy->store, parcel, 0, &why);
		if (ret < 0)
			leave(f, copy, &why);
		if (ret != STORE_NO_ROOM)
			*to &= ~((uint32_t)1 << i);
	}
}

static size_t count_bits(uint32_t set)
{
	size_t n = 0;

	for (; set != 0; set &= set - 1)
		n++;
	return n;
}

/* Waits a while for the first store of the set that has no room, or leaves it behind. */
static void wait_room(
	struct dump_fanout *f, struct store_parcel *parcel, uint32_t *to, int64_t since_ms)
{
	size_t i = 0;
	struct copy *copy;
	struct err why = {0};
	int64_t before = f->o.now_ms();
	bool spare;
	int ret;

	while (!(*to >> i & 1))
		i++;
	copy = &f->copies[i];
	spare = f->alive - count_bits(*to) >= f->o.wanted;
	ret = store_put(copy->store, parcel, SLICE_MS, &why);
	if (spare)
		copy->held_up_ms += f->o.now_ms() - before;
	if (ret < 0)
		leave(f, copy, &why);
	else if (ret == STORE_NO_ROOM && copy->held_up_ms > DUMP_SLOW_MS)
		leave_for(f, copy, "it is slower than the others, which are enough");
	else if (ret == STORE_NO_ROOM && f->o.now_ms() - since_ms > DUMP_STALL_MS)
		leave_for(f, copy, "it takes nothing any more");
	if (ret != STORE_NO_ROOM || copy->behind)
		*to &= ~((uint32_t)1 << i);
}

int dump_fanout_put(
	struct dump_fanout *f, const uint8_t *record, size_t len, uint32_t to, struct err *err)
{
	struct store_parcel *parcel = store_parcel_new(record, len, err);
	int64_t since_ms = f->o.now_ms();

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

/* --- the end --------------------------------------------------------------- */

static void start_commits(struct dump_fanout *f, const uint8_t *record, size_t len)
{
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
}

/* Takes a store's answer, if it comes within wait_ms. */
static void take_answer(
	struct dump_fanout *f, struct copy *copy, int64_t wait_ms, struct buf *missing)
{
	struct err why = {0};
	int ret = store_commit_wait(copy->store, wait_ms, &copy->receipt, missing, &why);

	copy->waits = ret == STORE_PENDING;
	copy->acked = ret == STORE_COMMITTED;
	copy->lacks = ret == STORE_MISSING;
	if (copy->acked)
		ret = store_settle(copy->store, &copy->stored, &why);
	if (ret < 0)
		leave(f, copy, &why);
}

static size_t count_acked(const struct dump_fanout *f)
{
	size_t acked = 0, i;

	for (i = 0; i < f->o.count; i++)
		acked += f->copies[i].acked;
	return acked;
}

/* Until all have answered; when enough have, the others get DUMP_SLOW_MS. */
static void wait_answers(struct dump_fanout *f, struct buf *missing)
{
	int64_t end = f->o.now_ms() + DUMP_STALL_MS;
	bool enough = false, waits = true;
	size_t i;

	while (waits && f->o.now_ms() < end) {
		waits = false;
		for (i = 0; i < f->o.count; i++)
			if (f->copies[i].waits) {
				take_answer(f, &f->copies[i], SLICE_MS, missing);
				waits |= f->copies[i].waits;
			}
		if (!enough && count_acked(f) >= f->o.wanted) {
			enough = true;
			end = f->o.now_ms() + DUMP_SLOW_MS;
		}
	}
	for (i = 0; i < f->o.count; i++)
		if (f->copies[i].waits)
			leave_for(f, &f->copies[i], "it did not acknowledge in time");
}

int dump_fanout_commit(struct dump_fanout *f, const uint8_t *record, size_t len,
	size_t *acknowledged, uint64_t *stored, struct buf *missing, struct err *err)
{
	bool lacks = false;
	size_t i;

	start_commits(f, record, len);
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

/* Gets the dump for one store from another one. Returns 0, or -1 with err set. */
static int catch_up(struct dump_fanout *f, struct copy *copy, struct store *from,
	const uint8_t *dump, uint64_t *bytes, struct err *err)
{
	struct store_replicated result;
	int ret = store_replicate(from, copy->store, dump, &f->run, ignore, NULL, &result, err);

	if (ret == 0 && result.failed > 0)
		ret = err_set(err, ERR_DAMAGE, "the store that has the dump has not all of it");
	if (ret == 0 && memcmp(result.receipt.dump, dump, STORE_DUMP_ID) != 0)
		ret = err_set(err, ERR_EXISTS, "the dump was deleted there");
	*bytes = result.bytes;
	copy->acked = ret == 0;
	copy->receipt = result.receipt;
	return ret;
}

/* A store that could not be opened before may be one that is written to under another name. */
static int check_other(const struct dump_fanout *f, const struct copy *copy, struct err *err)
{
	size_t i;

	for (i = 0; i < f->o.count; i++) {
		struct store *other = f->copies[i].store;

		if (other != copy->store && store_is_open(other) &&
			memcmp(store_uid(other), store_uid(copy->store), STORE_UID_LEN) == 0)
			return err_set(
				err, ERR_USAGE, "is the same store as %s", store_name(other));
	}
	return 0;
}

/* Opens a store that was left behind. Returns 0, or -1: reported, if it was not before. */
static int open_again(struct dump_fanout *f, struct copy *copy)
{
	struct err why = {0};
	bool known = false;

	if (store_open(copy->store, STORE_WRITE, &why) != 0) {
		/* One that could not be opened before was reported then. */
		known = copy->why.code == ERR_NONE || strcmp(why.message, copy->why.message) == 0;
	} else if (check_other(f, copy, &why) == 0) {
		return 0;
	}
	store_close(copy->store);
	if (!known)
		f->o.behind(f->o.ctx, (size_t)(copy - f->copies), why.message);
	return -1;
}

/* From one store after the other that has the dump, until it has caught up. */
static int catch_up_any(struct dump_fanout *f, struct copy *copy, const uint8_t *dump,
	uint32_t from, uint64_t *bytes, struct err *err)
{
	bool first = true;
	size_t i;

	for (i = 0; i < f->o.count; i++) {
		if (!(from >> i & 1))
			continue;
		/* After an error it must be opened again. */
		if (!first && open_again(f, copy) != 0)
			return -1;
		first = false;
		if (catch_up(f, copy, f->copies[i].store, dump, bytes, err) == 0)
			return 0;
	}
	return -1;
}

size_t dump_fanout_catch_up(struct dump_fanout *f, const uint8_t *dump,
	void (*each)(void *ctx, size_t store, bool done), uint64_t *stored)
{
	uint32_t from = 0;
	size_t count = 0, i;

	for (i = 0; i < f->o.count; i++)
		from |= (uint32_t)f->copies[i].acked << i;
	for (i = 0; i < f->o.count && from != 0; i++) {
		struct copy *copy = &f->copies[i];
		struct err why = {0};
		uint64_t bytes = 0;

		if (!copy->behind || open_again(f, copy) != 0)
			continue;
		each(f->o.ctx, i, false);
		if (catch_up_any(f, copy, dump, from, &bytes, &why) != 0) {
			if (why.code != ERR_NOSPACE || copy->why.code != ERR_NOSPACE)
				f->o.behind(f->o.ctx, i, why.message);
			continue;
		}
		each(f->o.ctx, i, true);
		if (copy->stored + bytes > *stored)
			*stored = copy->stored + bytes;
		count++;
	}
	return count;
}

const struct store_receipt *dump_fanout_receipt(const struct dump_fanout *f, size_t store)
{
	assert(store < f->o.count);
	return f->copies[store].acked ? &f->copies[store].receipt : NULL;
}
