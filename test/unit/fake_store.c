#include "test/unit/fake_store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/store/parcel.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"

struct fake_chunk {
	struct fake_chunk *next;
	uint8_t domain[STORE_DOMAIN_LEN], id[STORE_ID_LEN];
	struct store_parcel *parcel;
};

struct fake_dump {
	struct fake_dump *next;
	struct store_parcel *record;
	struct store_receipt receipt;
	uint64_t seq;
};

static struct fake_store *fake_of(struct store *s)
{
	return (struct fake_store *)s;
}

static int is_dead(struct fake_store *f, struct err *err)
{
	return f->dead ? err_set(err, ERR_CLOSED, "%s: has died", f->base.name) : 0;
}

/* Others wait for it: time passes. */
static void pass(const struct fake_store *f, int64_t ms)
{
	if (f->clock_ms != NULL)
		__atomic_add_fetch(f->clock_ms, ms, __ATOMIC_RELAXED);
}

/* Counts down to its death. */
static int live(struct fake_store *f, unsigned *left, struct err *err)
{
	if (*left == 0)
		f->dead = true;
	if (*left != FAKE_FOR_EVER && *left > 0)
		--*left;
	return is_dead(f, err);
}

static struct fake_chunk **find_chunk(
	struct fake_store *f, const uint8_t *domain, const uint8_t *id)
{
	struct fake_chunk **at = &f->chunks;

	while (*at != NULL && (memcmp((*at)->id, id, STORE_ID_LEN) != 0 ||
				      memcmp((*at)->domain, domain, STORE_DOMAIN_LEN) != 0))
		at = &(*at)->next;
	return at;
}

static struct fake_dump *find_dump(const struct fake_store *f, const uint8_t *id)
{
	struct fake_dump *d = f->dumps;

	while (d != NULL && memcmp(d->receipt.dump, id, STORE_DUMP_ID) != 0)
		d = d->next;
	return d;
}

/* --- life ------------------------------------------------------------------ */

static int fake_open(struct store *s, int64_t wait_ms, struct err *err)
{
	struct fake_store *f = fake_of(s);

	(void)wait_ms;
	if (f->far) {
		err_set(err, ERR_TIMEOUT, "no answer");
		return STORE_OPENING;
	}
	if (f->absent)
		return err_set(err, ERR_NOTFOUND, "%s: not found", s->name);
	f->dead = false;
	atomic_store(&f->cancelled, false);
	f->refused = 0;
	f->stored = 0;
	memcpy(s->uid, f->uid, sizeof s->uid);
	return seal_sign_public(f->secret, s->public, err);
}

static void fake_cancel(struct store *s)
{
	atomic_store(&fake_of(s)->cancelled, true);
}

static void fake_close(struct store *s)
{
	(void)s;
}

static void fake_free(struct store *s)
{
	struct fake_store *f = fake_of(s);

	while (f->chunks != NULL)
		fake_store_lose(f, f->chunks->id);
	while (f->dumps != NULL) {
		struct fake_dump *d = f->dumps;

		f->dumps = d->next;
		store_parcel_unref(d->record);
		free(d);
	}
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static int fake_about(struct store *s, struct store_about *about, struct err *err)
{
	*about = (struct store_about){.free = UINT64_MAX};
	return is_dead(fake_of(s), err);
}

/* --- writing --------------------------------------------------------------- */

static int fake_begin(struct store *s, const struct store_run *run, bool *has_base, struct err *err)
{
	struct fake_store *f = fake_of(s);

	f->begins++;
	while (f->stuck && !atomic_load(&f->cancelled)) {
		pass(f, 20);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	if (f->stuck)
		return err_set(err, ERR_CANCELLED, "%s: cancelled", s->name);
	*has_base = run->base != NULL && find_dump(f, run->base) != NULL;
	return is_dead(f, err);
}

static int fake_have(struct store *s, const uint8_t *ids, size_t count, bool ask,
	enum store_answer *answers, struct err *err)
{
	struct fake_store *f = fake_of(s);
	size_t i;

	(void)ask;
	pthread_mutex_lock(&f->lock);
	f->haves++;
	f->have_ids += count;
	f->have_most = count > f->have_most ? count : f->have_most;
	for (i = 0; i < count; i++)
		answers[i] = f->unknown ? STORE_UNKNOWN
			     : *find_chunk(f, s->run.domain, ids + i * STORE_ID_LEN) != NULL
				     ? STORE_HAS
				     : STORE_LACKS;
	pthread_mutex_unlock(&f->lock);
	return is_dead(f, err);
}

static int fake_put(struct store *s, struct store_parcel *parcel, int64_t wait_ms, struct err *err)
{
	struct fake_store *f = fake_of(s);
	struct store_record record;
	struct fake_chunk **at, *c;

	if (f->refused < f->slow) {
		f->refused += f->slow != FAKE_FOR_EVER;
		pass(f, wait_ms);
		return STORE_NO_ROOM;
	}
	f->refused = 0;
	if (live(f, &f->puts_left, err) != 0 ||
		store_record_get(&record, parcel->bytes, parcel->len, err) != 0)
		return -1;
	pthread_mutex_lock(&f->lock);
	f->puts++;
	at = find_chunk(f, s->run.domain, record.id);
	c = *at == NULL ? calloc(1, sizeof *c) : NULL;
	if (c != NULL) {
		memcpy(c->domain, s->run.domain, sizeof c->domain);
		memcpy(c->id, record.id, sizeof c->id);
		c->parcel = store_parcel_ref(parcel);
		f->stored += parcel->len;
		*at = c;
	}
	pthread_mutex_unlock(&f->lock);
	return STORE_TAKEN;
}

static int fake_settle(struct store *s, uint64_t *stored, struct err *err)
{
	*stored = fake_of(s)->stored;
	return is_dead(fake_of(s), err);
}

/* The chunks that a dump needs and the store lacks. */
static int find_missing(
	struct fake_store *f, const struct store_dump *dump, struct buf *missing, struct err *err)
{
	struct store_record record;
	struct buf ids;
	size_t i, at;
	int ret = 0;

	buf_init(&ids, STORE_CONTENT_MAX);
	for (i = 0; i < dump->list_count && ret == 0; i++) {
		const uint8_t *list = dump->lists + i * STORE_ID_LEN;
		const struct fake_chunk *c = *find_chunk(f, dump->domain, list);

		if (c == NULL) {
			ret = buf_add(missing, list, STORE_ID_LEN, err);
			continue;
		}
		ret = store_record_get(&record, c->parcel->bytes, c->parcel->len, err);
		if (ret == 0)
			ret = store_record_content(&record, &ids, err);
		for (at = 0; at < ids.len && ret == 0; at += STORE_ID_LEN)
			if (*find_chunk(f, dump->domain, ids.data + at) == NULL)
				ret = buf_add(missing, ids.data + at, STORE_ID_LEN, err);
	}
	buf_fini(&ids);
	return ret;
}

static int keep_dump(struct fake_store *f, const struct store_dump *dump,
	struct store_receipt *receipt, struct err *err)
{
	struct fake_dump *d = calloc(1, sizeof *d);
	const uint8_t *secret = f->foreign_receipts ? f->other : f->secret;
	int64_t now = 1000000000 + (int64_t)f->seq;

	d->record = store_parcel_new(f->base.record.data, f->base.record.len, err);
	d->seq = ++f->seq;
	d->next = f->dumps;
	f->dumps = d;
	if (store_receipt_make(&d->receipt, f->base.uid, secret, dump, f->base.record.data,
		    f->base.record.len, f->base.has_first ? f->base.first.time : now, err) != 0)
		return -1;
	*receipt = d->receipt;
	return STORE_COMMITTED;
}

static int answer(struct store *s, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err)
{
	struct fake_store *f = fake_of(s);
	const struct fake_dump *known;
	struct store_dump dump;
	struct buf lacks;
	int ret;

	if (is_dead(f, err) != 0)
		return -1;
	if (f->hangs) {
		pass(f, wait_ms);
		return STORE_PENDING;
	}
	f->commits++;
	if (f->forgets && f->chunks != NULL)
		fake_store_lose(f, f->chunks->id);
	f->forgets = false;
	if (f->base.has_first && f->denies_receipts)
		return err_set(err, ERR_DENIED, "the other store is not known");
	if (store_dump_get(&dump, s->record.data, s->record.len, err) != 0)
		return -1;
	known = find_dump(f, dump.id);
	if (known != NULL) {
		*receipt = known->receipt;
		return STORE_COMMITTED;
	}
	buf_init(&lacks, SIZE_MAX);
	ret = find_missing(f, &dump, &lacks, err);
	if (ret == 0 && lacks.len == 0)
		ret = keep_dump(f, &dump, receipt, err);
	else if (ret == 0 && (missing == NULL || buf_add(missing, lacks.data, lacks.len, err) == 0))
		ret = STORE_MISSING;
	buf_fini(&lacks);
	return ret;
}

static int fake_commit_wait(struct store *s, int64_t wait_ms, struct err *err)
{
	(void)err;
	s->answer = answer(s, wait_ms, &s->receipt, &s->missing, &s->commit_why);
	s->commit = s->answer == STORE_PENDING ? COMMIT_RUNNING : COMMIT_DONE;
	return 0;
}

/* --- reading --------------------------------------------------------------- */

static int entry_of(const struct fake_dump *d, struct store_entry *e, struct err *err)
{
	*e = (struct store_entry){.record = d->record->bytes,
		.record_len = d->record->len,
		.committed = d->receipt.time,
		.seq = d->seq,
		.receipt = d->receipt};
	return store_dump_get(&e->dump, e->record, e->record_len, err);
}

static bool is(const char *wanted, const char *text, size_t len)
{
	return wanted == NULL || (strlen(wanted) == len && memcmp(wanted, text, len) == 0);
}

/* In the order of commits. */
static int each_dump(struct fake_dump *d, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	struct store_entry e;
	int ret;

	if (d == NULL)
		return 0;
	ret = each_dump(d->next, filter, each, ctx, err);
	if (ret != 0)
		return ret;
	if (entry_of(d, &e, err) != 0)
		return -1;
	if (d->seq <= filter->after || !is(filter->agent, e.dump.agent, e.dump.agent_len) ||
		!is(filter->name, e.dump.name, e.dump.name_len))
		return 0;
	return each(ctx, &e, err);
}

static void meet(const struct fake_store *f)
{
	if (f->meets != NULL)
		pthread_barrier_wait(f->meets);
}

static int fake_dumps(struct store *s, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	meet(fake_of(s));
	if (is_dead(fake_of(s), err) != 0)
		return -1;
	return each_dump(fake_of(s)->dumps, filter, each, ctx, err) < 0 ? -1 : 0;
}

static int fake_hold(struct store *s, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err)
{
	struct fake_store *f = fake_of(s);
	const struct fake_dump *d = find_dump(f, dump);

	meet(f);
	if (is_dead(f, err) != 0)
		return -1;
	if (d == NULL)
		return 1;
	f->holds++;
	if (record != NULL) {
		buf_clear(record);
		if (buf_add(record, d->record->bytes, d->record->len, err) != 0)
			return -1;
	}
	if (entry == NULL)
		return 0;
	if (entry_of(d, entry, err) != 0)
		return -1;
	entry->record = record->data;
	return store_dump_get(&entry->dump, entry->record, entry->record_len, err);
}

static int fake_ahead(struct store *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err)
{
	struct fake_store *f = fake_of(s);
	int ret = is_dead(f, err);
	size_t i;

	pthread_mutex_lock(&f->lock);
	for (i = 0; i < count && ret == 0; i++)
		if (*find_chunk(f, domain, ids + i * STORE_ID_LEN) == NULL)
			ret = buf_add(lacks, ids + i * STORE_ID_LEN, STORE_ID_LEN, err);
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int fake_get(
	struct store *s, const uint8_t *domain, const uint8_t *id, struct buf *out, struct err *err)
{
	struct fake_store *f = fake_of(s);
	const struct fake_chunk *c;
	int ret;

	buf_clear(out);
	pthread_mutex_lock(&f->lock);
	f->gets++;
	ret = live(f, &f->gets_left, err);
	c = ret == 0 ? *find_chunk(f, domain, id) : NULL;
	if (c != NULL)
		ret = buf_add(out, c->parcel->bytes, c->parcel->len, err);
	pthread_mutex_unlock(&f->lock);
	if (c != NULL && f->lies)
		out->data[out->len - 1] ^= 1;
	return ret == 0 && c == NULL ? 1 : ret;
}

static const struct store_kind fake_kind = {
	.open = fake_open,
	.cancel = fake_cancel,
	.close = fake_close,
	.free = fake_free,
	.about = fake_about,
	.begin = fake_begin,
	.have = fake_have,
	.put = fake_put,
	.settle = fake_settle,
	.commit_wait = fake_commit_wait,
	.dumps = fake_dumps,
	.hold = fake_hold,
	.ahead = fake_ahead,
	.get = fake_get,
};

/* --- for tests -------------------------------------------------------------- */

struct fake_store *fake_store_new(const char *name)
{
	struct fake_store *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->base.kind = &fake_kind;
	f->base.name = strdup(name);
	buf_init(&f->base.record, STORE_DUMP_MAX);
	buf_init(&f->base.missing, SIZE_MAX);
	f->puts_left = f->gets_left = FAKE_FOR_EVER;
	hash_sha256(name, strlen(name), f->secret);
	hash_sha256(f->secret, sizeof f->secret, f->other);
	memcpy(f->uid, f->other, sizeof f->uid);
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

size_t fake_store_count(const struct fake_store *f)
{
	const struct fake_chunk *c;
	size_t count = 0;

	for (c = f->chunks; c != NULL; c = c->next)
		count++;
	return count;
}

bool fake_store_has(struct fake_store *f, const uint8_t id[STORE_ID_LEN])
{
	const struct fake_chunk *c = f->chunks;

	while (c != NULL && memcmp(c->id, id, STORE_ID_LEN) != 0)
		c = c->next;
	return c != NULL;
}

bool fake_store_lose(struct fake_store *f, const uint8_t id[STORE_ID_LEN])
{
	struct fake_chunk **at = &f->chunks, *c;

	while (*at != NULL && memcmp((*at)->id, id, STORE_ID_LEN) != 0)
		at = &(*at)->next;
	c = *at;
	if (c == NULL)
		return false;
	*at = c->next;
	store_parcel_unref(c->parcel);
	free(c);
	return true;
}
