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
#include "lib/mutex.h"
#include "lib/uptime.h"

#define SLICE_MS 250  /* that one store is waited for before the others are looked at again */
#define LOOK_MS  100  /* between looks whether enough stores have answered */
#define AGAIN_MS 5000 /* until a service that was left behind must be open again */

struct copy {
	struct store *store;
	bool behind;
	bool in_use;        /* it is open, and no other is the same store */
	bool late;          /* it was still being opened at the beginning */
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
	struct mutex lock; /* over .behind, .why, .in_use and .alive; held by callbacks */
	size_t alive;
	struct err why; /* the last one was left behind */
	struct copy copies[STORES_MAX];
};

/* --- leaving behind -------------------------------------------------------- */

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

/* Returns 0, or -1 with err set; why was reported for each. */
static int any_left(struct dump_fanout *f, struct err *err)
{
	int ret = 0;

	mutex_lock(&f->lock);
	if (f->alive == 0)
		ret = err_set(err, f->why.code, "no store is left");
	mutex_unlock(&f->lock);
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
		f->o.now_ms = uptime_ms;
	f->run = (struct store_run){.agent = options->agent,
		.name = options->name,
		.domain = options->domain->fingerprint,
		.prove = prove,
		.ctx = (void *)(uintptr_t)options->domain};
	mutex_init(&f->lock);
	for (i = 0; i < f->o.count; i++) {
		f->copies[i].store = f->o.stores[i];
		f->copies[i].in_use = store_is_open(f->o.stores[i]);
		f->copies[i].behind = !f->copies[i].in_use;
		f->copies[i].late = store_is_opening(f->o.stores[i]);
		f->alive += f->copies[i].in_use;
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
	mutex_fini(&f->lock);
	free(f);
}

/* --- all stores at the same time -------------------------------------------- */

/* How stores that are behind get a dump. */
struct caught {
	const uint8_t *dump;
	uint32_t from; /* the stores that have it, bit n for the n-th */
	void (*each)(void *ctx, size_t store, bool done);
};

/* What is done with one store, beside the others. */
struct side {
	struct dump_fanout *f;
	struct copy *copy;
	int (*work)(struct side *side); /* returns 0, or -1 with .why set */
	pthread_t thread;
	bool runs, over, late; /* late: it was cancelled */
	struct sides *all;
	const struct caught *caught;
	/* What it came to. */
	int ret;
	struct err why;
	struct dump_before before;
	bool has_base;
};

struct sides {
	struct side at[STORES_MAX];
	size_t count;
	struct mutex lock; /* over .over of each */
	pthread_cond_t change;
	size_t over, good; /* of them: all, and without an error */
};

static void *run_side(void *arg)
{
	struct side *side = arg;
	int ret = side->work(side);

	mutex_lock(&side->all->lock);
	side->ret = ret;
	side->over = true;
	side->all->over++;
	side->all->good += ret == 0;
	pthread_cond_broadcast(&side->all->change);
	mutex_unlock(&side->all->lock);
	return NULL;
}

static void sides_add(
	struct sides *s, struct dump_fanout *f, struct copy *copy, int (*work)(struct side *side))
{
	assert(s->count < STORES_MAX);
	s->at[s->count++] = (struct side){.f = f, .copy = copy, .work = work, .all = s};
}

/* Waits until all are over; when enough are, the others get DUMP_SLOW_MS. */
static void sides_wait(struct sides *s, struct dump_fanout *f, size_t enough)
{
	int64_t end = INT64_MAX;
	bool cancelled = false;
	size_t i;

	mutex_lock(&s->lock);
	while (s->over < s->count) {
		mutex_wait_until(&s->lock, &s->change, uptime_ms() + LOOK_MS);
		if (s->good >= enough && end == INT64_MAX)
			end = f->o.now_ms() + DUMP_SLOW_MS;
		if (cancelled || f->o.now_ms() < end)
			continue;
		cancelled = true;
		for (i = 0; i < s->count; i++) {
			s->at[i].late = !s->at[i].over;
			if (s->at[i].late)
				store_cancel(s->at[i].copy->store);
		}
	}
	mutex_unlock(&s->lock);
}

/* Does all that was added. enough: as for sides_wait; SIZE_MAX: all are waited for. */
static void sides_run(struct sides *s, struct dump_fanout *f, size_t enough)
{
	size_t i;

	mutex_init(&s->lock);
	pthread_cond_init(&s->change, NULL);
	for (i = 0; i < s->count; i++) {
		struct side *side = &s->at[i];

		side->runs =
			s->count > 1 && pthread_create(&side->thread, NULL, run_side, side) == 0;
		if (!side->runs)
			run_side(side);
	}
	sides_wait(s, f, enough);
	for (i = 0; i < s->count; i++)
		if (s->at[i].runs)
			pthread_join(s->at[i].thread, NULL);
	pthread_cond_destroy(&s->change);
	mutex_fini(&s->lock);
}

/* For each store that is not behind: those that fail are left behind then. */
static void with_each(struct dump_fanout *f, struct sides *s, int (*work)(struct side *side))
{
	size_t i;

	for (i = 0; i < f->o.count; i++)
		if (!f->copies[i].behind)
			sides_add(s, f, &f->copies[i], work);
	sides_run(s, f, f->o.wanted);
	for (i = 0; i < s->count; i++)
		if (s->at[i].ret != 0 && s->at[i].late)
			leave_for(
				f, s->at[i].copy, "it does not answer, and the others are enough");
		else if (s->at[i].ret != 0)
			leave(f, s->at[i].copy, &s->at[i].why);
}

static int read_before(struct side *s)
{
	const struct dump_fanout_options *o = &s->f->o;

	return dump_before_read(&s->before, s->copy->store, o->agent, o->name, &s->why);
}

void dump_fanout_before(struct dump_fanout *f, dump_fanout_each_before *each, void *ctx)
{
	struct sides s = {.count = 0};
	size_t i;

	with_each(f, &s, read_before);
	for (i = 0; i < s.count; i++) {
		if (s.at[i].ret == 0)
			each(ctx, (size_t)(s.at[i].copy - f->copies), &s.at[i].before);
		dump_before_fini(&s.at[i].before);
	}
}

static int begin(struct side *s)
{
	return store_begin(s->copy->store, &s->f->run, &s->has_base, &s->why);
}

int dump_fanout_begin(struct dump_fanout *f, const uint8_t *base, bool *has_base, struct err *err)
{
	struct sides s = {.count = 0};
	size_t i;

	*has_base = false;
	f->run.base = base;
	with_each(f, &s, begin);
	for (i = 0; i < s.count; i++)
		*has_base |= s.at[i].ret == 0 && s.at[i].has_base;
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
		ret = is_behind(f, copy) ? STORE_TAKEN : store_put(copy->store, parcel, 0, &why);
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

	assert(*to != 0);
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
		leave_for(f, copy, "it accepts nothing any more");
	if (ret != STORE_NO_ROOM || is_behind(f, copy))
		*to &= ~((uint32_t)1 << i);
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
	const uint8_t *dump, struct err *err)
{
	struct store_replicated result;
	int ret = store_replicate(from, copy->store, dump, &f->run, ignore, NULL, &result, err);

	if (ret == 0 && result.failed > 0)
		ret = err_set(err, ERR_DAMAGE, "the store that has the dump lacks chunks of it");
	if (ret == 0 && memcmp(result.receipt.dump, dump, STORE_DUMP_ID) != 0)
		ret = err_set(err, ERR_EXISTS, "the dump was deleted there");
	if (ret == 0)
		copy->stored += result.bytes;
	copy->acked = ret == 0;
	copy->receipt = result.receipt;
	return ret;
}

/* A store that could not be opened before may be one that is written to under another name. */
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

/* Opens it; a service that does not answer is not waited for as long as at the beginning. */
static int open_soon(struct store *store, struct err *err)
{
	int ret = store_is_opening(store) ? store_open_wait(store, 0, err) : -1;

	/* It dials less and less often, or has given up long ago. */
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

/* Opens a store that was left behind. Returns 0, or -1: reported, if it was not before. */
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
	if (ret != 0) /* One that could not be opened before was reported then. */
		known = copy->why.code == ERR_NONE ? !copy->late || why.code == ERR_TIMEOUT
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

/* From one store after the other that has the dump, until it has caught up. */
static int catch_up_any(
	struct dump_fanout *f, struct copy *copy, const struct caught *c, struct err *err)
{
	bool first = true;
	size_t i;

	for (i = 0; i < f->o.count; i++) {
		if (!(c->from >> i & 1))
			continue;
		/* After an error it must be opened again. */
		if (!first && open_again(f, copy) != 0)
			return -1;
		first = false;
		if (catch_up(f, copy, f->copies[i].store, c->dump, err) == 0)
			return 0;
	}
	return -1;
}

static void tell_each(struct side *s, bool done)
{
	struct dump_fanout *f = s->f;

	mutex_lock(&f->lock);
	s->caught->each(f->o.ctx, (size_t)(s->copy - f->copies), done);
	mutex_unlock(&f->lock);
}

static int catch_up_side(struct side *s)
{
	struct dump_fanout *f = s->f;

	if (open_again(f, s->copy) != 0)
		return -1;
	tell_each(s, false);
	if (catch_up_any(f, s->copy, s->caught, &s->why) == 0) {
		tell_each(s, true);
		return 0;
	}
	mutex_lock(&f->lock);
	if (s->why.code != ERR_NOSPACE || s->copy->why.code != ERR_NOSPACE)
		tell_behind(f, s->copy, &s->why);
	mutex_unlock(&f->lock);
	return -1;
}

size_t dump_fanout_catch_up(struct dump_fanout *f, const uint8_t *dump,
	void (*each)(void *ctx, size_t store, bool done), uint64_t *stored)
{
	struct caught caught = {.dump = dump, .each = each};
	struct sides s = {.count = 0};
	size_t count = 0, i;

	for (i = 0; i < f->o.count; i++)
		caught.from |= (uint32_t)f->copies[i].acked << i;
	for (i = 0; i < f->o.count && caught.from != 0; i++)
		if (f->copies[i].behind) {
			sides_add(&s, f, &f->copies[i], catch_up_side);
			s.at[s.count - 1].caught = &caught;
		}
	sides_run(&s, f, SIZE_MAX);
	for (i = 0; i < s.count; i++) {
		if (s.at[i].ret != 0)
			continue;
		count++;
		if (s.at[i].copy->stored > *stored)
			*stored = s.at[i].copy->stored;
	}
	return count;
}

const struct store_receipt *dump_fanout_receipt(const struct dump_fanout *f, size_t store)
{
	assert(store < f->o.count);
	return f->copies[store].acked ? &f->copies[store].receipt : NULL;
}
