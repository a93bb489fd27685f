/*
 * Quotas: lines of a text file, read when the store is opened. What an agent uses is counted from
 * the index when it is first needed, kept up to date by the writer, and counted again after gc.
 */
#include "cmd/store/quota.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/store/identity.h"
#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/file.h"

#define QUOTAS   "quotas"
#define FILE_MAX (1u << 20)

/* --- the file ------------------------------------------------------------ */

static struct engine_quota *quotas_of(const struct engine *s, size_t *count)
{
	*count = s->quotas.len / sizeof(struct engine_quota);
	return (struct engine_quota *)(void *)s->quotas.data;
}

static struct engine_quota *find(const struct engine *s, const char *agent, size_t len)
{
	size_t count, i;
	struct engine_quota *q = quotas_of(s, &count);

	for (i = 0; i < count; i++)
		if (strlen(q[i].agent) == len && memcmp(q[i].agent, agent, len) == 0)
			return &q[i];
	return NULL;
}

/* The same, but adds an agent that is not there. NULL with err set. */
static struct engine_quota *need(struct engine *s, const char *agent, size_t len, struct err *err)
{
	struct engine_quota q = {.bytes = ENGINE_QUOTA_NONE}, *found = find(s, agent, len);

	if (found != NULL)
		return found;
	assert(len <= STORE_NAME_MAX);
	memcpy(q.agent, agent, len);
	buf_init(&q.domains, SIZE_MAX);
	return buf_add(&s->quotas, &q, sizeof q, err) == 0 ? find(s, agent, len) : NULL;
}

static int parse(struct engine *s, char *text, struct err *err)
{
	char agent[STORE_NAME_MAX + 1], *line, *rest = text;
	struct engine_quota *q;
	uint64_t bytes;
	int end;

	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		end = 0;
		if (sscanf(line, "%" SCNu64 " %63s%n", &bytes, agent, &end) != 2 ||
			line[end] != 0 || !name_ok(agent, strlen(agent)) ||
			find(s, agent, strlen(agent)) != NULL)
			return err_set(
				err, ERR_CONFIG, "%s/%s: malformed: %s", s->path, QUOTAS, line);
		if ((q = need(s, agent, strlen(agent), err)) == NULL)
			return -1;
		q->bytes = bytes;
	}
	return 0;
}

int engine_quotas_load(struct engine *s, struct err *err)
{
	char path[ENGINE_PATH_MAX];
	struct buf text = {.max = FILE_MAX};
	struct err why = {0};
	int got = -1;

	engine_path(path, s->path, QUOTAS);
	if (file_read_buf(path, &text, NULL, &why) == 0)
		got = parse(s, (char *)text.data, err);
	else if (why.code == ERR_NOTFOUND)
		got = 0;
	else
		*err = why;
	buf_fini(&text);
	return got;
}

void engine_quotas_drop(struct engine *s)
{
	size_t count, i;
	struct engine_quota *q = quotas_of(s, &count);

	for (i = 0; i < count; i++)
		buf_fini(&q[i].domains);
	buf_fini(&s->quotas);
}

static int save(struct engine *s, struct err *err)
{
	size_t count, i;
	struct engine_quota *q = quotas_of(s, &count);
	char path[ENGINE_PATH_MAX];
	struct buf text = {.max = FILE_MAX};
	int got = 0;

	engine_path(path, s->path, QUOTAS);
	for (i = 0; i < count && got == 0; i++)
		if (q[i].bytes != ENGINE_QUOTA_NONE)
			got = buf_addf(&text, err, "%" PRIu64 " %s\n", q[i].bytes, q[i].agent);
	if (got == 0)
		got = file_write_owned(path, text.data, text.len, 0600, err);
	buf_fini(&text);
	return got;
}

int engine_quota_set(struct engine *s, const char *agent, uint64_t bytes, struct err *err)
{
	struct engine_quota *q;
	int got = -1;

	mutex_lock(&s->writer);
	q = need(s, agent, strlen(agent), err);
	if (q != NULL) {
		q->bytes = bytes;
		got = save(s, err);
	}
	mutex_unlock(&s->writer);
	return got;
}

/* --- limits ---------------------------------------------------------------- */

int engine_limits_set(struct engine *s, const struct engine_limits *limits, struct err *err)
{
	struct buf quotas = {.max = SIZE_MAX}, old;

	if (limits->count > 0 &&
		buf_add(&quotas, limits->quotas, limits->count * sizeof *limits->quotas, err) != 0)
		return -1;
	mutex_lock(&s->lock);
	old = s->limit_quotas;
	s->limit_quotas = quotas;
	s->limit_quota = limits->quota;
	s->limit_age = limits->min_age_sec;
	mutex_unlock(&s->lock);
	buf_fini(&old);
	return 0;
}

int64_t engine_min_age(struct engine *s)
{
	int64_t age;

	mutex_lock(&s->lock);
	age = s->limit_age;
	mutex_unlock(&s->lock);
	return age;
}

/* An agent's quota. Call with s->writer held. */
static uint64_t quota_of(struct engine *s, const char *agent, size_t len)
{
	const struct engine_quota *own = find(s, agent, len);
	const struct engine_agent_quota *q;
	uint64_t bytes;
	size_t count, i;

	mutex_lock(&s->lock);
	q = (const struct engine_agent_quota *)(const void *)s->limit_quotas.data;
	count = s->limit_quotas.len / sizeof *q;
	bytes = own != NULL && own->bytes != ENGINE_QUOTA_NONE ? own->bytes : s->limit_quota;
	for (i = 0; i < count; i++)
		if (strlen(q[i].agent) == len && memcmp(q[i].agent, agent, len) == 0)
			bytes = q[i].bytes;
	mutex_unlock(&s->lock);
	return bytes;
}

/* --- use ----------------------------------------------------------------- */

/* Adds up the bytes of a domain's chunks, pending ones too. Call with s->writer held. */
static int domain_bytes(struct engine *s, uint32_t number, uint64_t *bytes, struct err *err)
{
	struct store_at at = {.len = 4};
	struct store_chunk_row row;
	uint8_t first[STORE_INDEX_KEY];
	struct db_txn *txn;
	size_t i;
	int got;

	store_chunk_key(number, (const uint8_t[STORE_ID_LEN]){0}, first);
	memcpy(at.key, first, at.len);
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	while ((got = store_row_next(txn, STORE_CHUNKS, &at, &row, err)) == 0 &&
		memcmp(at.key, first, 4) == 0)
		*bytes += row.place.len;
	db_abort(txn);
	mutex_lock(&s->lock);
	for (i = 0; i < s->pending_count; i++)
		if (memcmp(s->pending[i].key, first, 4) == 0)
			*bytes += s->pending[i].row.place.len;
	mutex_unlock(&s->lock);
	return got < 0 ? -1 : 0;
}

/* Adds a domain to those of an agent, and its bytes to what the agent uses, once. */
static int join(struct engine *s, struct engine_quota *q, uint32_t number, struct err *err)
{
	const uint32_t *have = (const uint32_t *)(const void *)q->domains.data;
	size_t i;

	for (i = 0; i < q->domains.len / sizeof *have; i++)
		if (have[i] == number)
			return 0;
	if (domain_bytes(s, number, &q->used, err) != 0)
		return -1;
	return buf_add(&q->domains, &number, sizeof number, err);
}

static int count_dump(void *ctx, const struct store_entry *e, struct err *err)
{
	struct engine *s = ctx;
	struct engine_quota *q;
	uint32_t number;
	int got;

	if (e->record == NULL)
		return 0;
	q = need(s, e->dump.agent, e->dump.agent_len, err);
	if (q == NULL)
		return -1;
	got = engine_domain_number(s, e->dump.domain, &number, err);
	q->dumps++;
	return got != 0 ? (got < 0 ? -1 : 0) : join(s, q, number, err);
}

static void forget(struct engine_quota *q)
{
	q->known = false;
	q->used = q->dumps = 0;
	buf_clear(&q->domains);
}

void engine_quotas_forget(struct engine *s)
{
	size_t count, i;
	struct engine_quota *q = quotas_of(s, &count);

	for (i = 0; i < count; i++)
		forget(&q[i]);
}

int engine_uses(struct engine *s, engine_each_use *each, void *ctx, struct err *err)
{
	size_t count, i;
	struct engine_quota *q;
	int got;

	mutex_lock(&s->writer);
	engine_quotas_forget(s);
	got = engine_dumps(s, &(struct store_filter){0}, count_dump, s, err);
	q = quotas_of(s, &count);
	for (i = 0; i < count && got == 0; i++) {
		struct engine_use use = {q[i].agent, q[i].dumps, q[i].used,
			quota_of(s, q[i].agent, strlen(q[i].agent))};

		got = each(ctx, &use, err);
	}
	engine_quotas_forget(s);
	mutex_unlock(&s->writer);
	return got;
}

/* Finds an agent, and counts what it uses if that is not known. Call with s->writer held. NULL with
 * err set. */
static struct engine_quota *counted(
	struct engine *s, const char *agent, size_t agent_len, struct err *err)
{
	struct engine_quota *q = need(s, agent, agent_len, err);

	if (q == NULL || q->known)
		return q;
	forget(q);
	if (engine_dumps(s, &(struct store_filter){.agent = q->agent}, count_dump, s, err) != 0)
		return NULL;
	q->known = true;
	return q;
}

int engine_quota_get(
	struct engine *s, const char *agent, uint64_t *used, uint64_t *quota, struct err *err)
{
	size_t len = strlen(agent);
	struct engine_quota *q;
	int got = 1;

	if (!mutex_trylock(&s->writer))
		return 1;
	*quota = quota_of(s, agent, len);
	if (*quota != ENGINE_QUOTA_NONE) {
		q = counted(s, agent, len, err);
		got = q != NULL ? 0 : -1;
		*used = q != NULL ? q->used : 0;
	}
	mutex_unlock(&s->writer);
	return got;
}

int engine_quota_take(struct engine *s, const char *agent, size_t agent_len, uint32_t domain,
	uint64_t more, struct err *err)
{
	uint64_t bytes = quota_of(s, agent, agent_len);
	struct engine_quota *q;

	assert(mutex_held(&s->writer));
	if (bytes == ENGINE_QUOTA_NONE)
		return 0;
	q = counted(s, agent, agent_len, err);
	if (q == NULL || join(s, q, domain, err) != 0)
		return -1;
	if (q->used > bytes || bytes - q->used < more)
		return err_set(err, ERR_NOSPACE,
			"%s: the quota of %s is full: %" PRIu64 " bytes, of which %" PRIu64
			" are used, and %" PRIu64 " more wanted",
			s->path, q->agent, bytes, q->used, more);
	q->used += more;
	return 0;
}
