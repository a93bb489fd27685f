/*
 * Encodes and decodes plans by lib/cbormap's tables. Strings and lists are not inside the structs,
 * so they are handled here.
 */
#include "cmd/manager/plan.h"

#include <stdlib.h>
#include <string.h>

#include "cron/cron.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "rpc/token.h"

/* ---- tables ---- */

/* Struct members by type: a NAME or TEXT is a const char *, a LIST is a struct manager_list, a UINT
 * is an int64_t. The order is that of the keys' encodings. */
static const struct cbormap_field name_item = {.type = CBORMAP_NAME};
static const struct cbormap_field path_item = {
	.type = CBORMAP_BYTES, .min = 1, .max = MANAGER_PATH_MAX};

/* clang-format off */
#define IN(in, name, kind, member) \
	.key = (name), .type = CBORMAP_##kind, CBORMAP_IN(struct manager_plan_##in, member)
#define LIST(name, item, most, member) \
	.key = (name), CBORMAP_LIST_OF(item, most), CBORMAP_IN(struct manager_plan_job, member)
/* clang-format on */

static const struct cbormap_field job_fields[] = {
	{IN(job, "name", NAME, name), .need = true},
	{IN(job, "zone", TEXT, zone), .need = true, .min = 1, .max = 255},
	{IN(job, "after", NAME, after)},
	{IN(job, "level", UINT, level), .max = MANAGER_LEVEL_MAX},
	{LIST("paths", path_item, MANAGER_PATHS_MAX, paths), .need = true, .min = 1},
	{IN(job, "before", NAME, before)},
	{IN(job, "copies", UINT, copies), .min = 1, .max = MANAGER_JOB_STORES_MAX},
	{IN(job, "jitter", UINT, jitter_sec), .max = MANAGER_SECONDS_MAX},
	{LIST("stores", name_item, MANAGER_JOB_STORES_MAX, stores), .need = true, .min = 1},
	{LIST("exclude", path_item, MANAGER_PATHS_MAX, exclude)},
	{IN(job, "lock-for", UINT, lock_sec), .max = MANAGER_SECONDS_MAX},
	{IN(job, "schedule", TEXT, schedule), .need = true, .min = 1, .max = MANAGER_TEXT_MAX},
	{LIST("recipients", name_item, MANAGER_RECIPIENTS_MAX, recipients)},
	{IN(job, "alarm-after", UINT, alarm_after_sec), .max = MANAGER_SECONDS_MAX},
	{IN(job, "unencrypted", BOOL, unencrypted)},
	{IN(job, "exclude-caches", BOOL, exclude_caches)},
	{IN(job, "one-file-system", BOOL, one_file_system)},
	{0},
};
static const struct manager_plan_job job_defaults = {.copies = 1, .level = MANAGER_LEVEL};

enum { STORE_KEY, STORE_UID, STORE_NAME, STORE_ADDRESS, STORE_FIELDS };

static const struct cbormap_field store_fields[] = {
	[STORE_KEY] = {IN(store, "key", BYTES, key)},
	[STORE_UID] = {IN(store, "uid", BYTES, uid)},
	[STORE_NAME] = {IN(store, "name", NAME, name), .need = true},
	[STORE_ADDRESS] = {IN(store, "address", TEXT, address), .min = 1, .max = MANAGER_TEXT_MAX},
	[STORE_FIELDS] = {0},
};
static const struct manager_plan_store store_defaults;

static const struct cbormap_field job_item = {.type = CBORMAP_MAP, .sub = job_fields};
static const struct cbormap_field store_item = {.type = CBORMAP_MAP, .sub = store_fields};

enum { PLAN_JOBS, PLAN_AGENT, PLAN_STORES, PLAN_FIELDS };

static const struct cbormap_field plan_fields[] = {
	[PLAN_JOBS] = {.key = "jobs", CBORMAP_LIST_OF(job_item, MANAGER_JOBS_MAX)},
	[PLAN_AGENT] = {.key = "agent", .type = CBORMAP_NAME, .need = true},
	[PLAN_STORES] = {.key = "stores", CBORMAP_LIST_OF(store_item, MANAGER_STORES_MAX)},
	[PLAN_FIELDS] = {0},
};

/* ---- encoding ---- */

static bool is_default(const struct cbormap_field *f, const void *from, const void *defaults)
{
	const void *at = (const uint8_t *)from + f->at;
	const struct manager_list *list = at;

	if (f->type == CBORMAP_LIST)
		return list->count == 0;
	return memcmp(at, (const uint8_t *)defaults + f->at, f->size) == 0;
}

static void put_value(struct cbor_out *out, const struct cbormap_field *f, const void *at)
{
	const struct manager_list *list = at;
	size_t i;

	if (f->type == CBORMAP_NAME || f->type == CBORMAP_TEXT) {
		cbor_put_text(out, *(const char *const *)at);
	} else if (f->type != CBORMAP_LIST) {
		cbormap_put_item(out, f, at);
	} else {
		cbor_put_array(out, list->count);
		for (i = 0; i < list->count; i++) {
			if (f->of->type == CBORMAP_BYTES)
				cbor_put_bytes(out, list->items[i], strlen(list->items[i]));
			else
				cbor_put_text(out, list->items[i]);
		}
	}
}

/* Writes the members that differ from the default. */
static void put_fields(struct cbor_out *out, const struct cbormap_field *fields, const void *from,
	const void *defaults)
{
	const struct cbormap_field *f;
	size_t count = 0;

	for (f = fields; f->type != 0; f++)
		count += !is_default(f, from, defaults);
	cbor_put_map(out, count);
	for (f = fields; f->type != 0; f++)
		if (!is_default(f, from, defaults)) {
			cbor_put_text(out, f->key);
			put_value(out, f, (const uint8_t *)from + f->at);
		}
}

int manager_plan_encode(const struct manager_plan *plan, struct buf *buf, struct err *err)
{
	uint8_t *mem = malloc(MANAGER_PLAN_MAX);
	struct cbor_out out;
	size_t i;
	int ret;

	if (mem == NULL)
		return err_set(err, ERR_NOMEM, "plan: out of memory");
	cbor_out_init(&out, mem, MANAGER_PLAN_MAX);
	cbor_put_map(&out, 1u + (plan->job_count > 0) + (plan->store_count > 0));
	if (plan->job_count > 0) {
		cbor_put_text(&out, "jobs");
		cbor_put_array(&out, plan->job_count);
		for (i = 0; i < plan->job_count; i++)
			put_fields(&out, job_fields, &plan->jobs[i], &job_defaults);
	}
	cbor_put_text(&out, "agent");
	cbor_put_text(&out, plan->agent);
	if (plan->store_count > 0) {
		cbor_put_text(&out, "stores");
		cbor_put_array(&out, plan->store_count);
		for (i = 0; i < plan->store_count; i++)
			put_fields(&out, store_fields, &plan->stores[i], &store_defaults);
	}
	ret = cbor_out_full(&out) ? err_set(err, ERR_LIMIT, "plan of %s: longer than %u bytes",
					    plan->agent, MANAGER_PLAN_MAX)
				  : buf_add(buf, mem, cbor_out_len(&out), err);
	free(mem);
	return ret;
}

void manager_plan_digest(const void *bytes, size_t len, uint8_t digest[MANAGER_DIGEST_LEN])
{
	hash_sha256(bytes, len, digest);
}

/* ---- decoding ---- */

/* Where the next string, and the next item of a list, go. */
struct room {
	char *text;
	const char **item;
};

static const char *copy_text(struct room *room, const struct cbormap_value *value)
{
	char *text = room->text;

	memcpy(text, value->bytes, value->len);
	text[value->len] = 0;
	room->text += value->len + 1;
	return text;
}

static int get_list(struct manager_list *list, struct cbormap_value rest,
	const struct cbormap_field *of, struct room *room, struct err *err)
{
	struct cbormap_value item;

	list->items = room->item;
	for (; cbormap_next(&rest, of, &item); list->count++) {
		if (memchr(item.bytes, 0, item.len) != NULL)
			return err_set(err, ERR_FORMAT, "a zero byte in a path or pattern");
		*room->item++ = copy_text(room, &item);
	}
	return 0;
}

static int get_fields(void *to, const struct cbormap_field *fields,
	const struct cbormap_value *values, struct room *room, struct err *err)
{
	for (; fields->type != 0; fields++, values++) {
		void *at = (uint8_t *)to + fields->at;

		if (!values->has)
			continue;
		if (fields->type == CBORMAP_NAME || fields->type == CBORMAP_TEXT)
			*(const char **)at = copy_text(room, values);
		else if (fields->type != CBORMAP_LIST)
			cbormap_store_item(at, fields, values);
		else if (get_list(at, *values, fields->of, room, err) != 0)
			return -1;
	}
	return 0;
}

static int check_job(
	const struct manager_plan *plan, const struct manager_plan_job *job, struct err *err)
{
	struct cron cron;
	size_t i, k;

	if (manager_plan_job(plan, job->name) != job)
		return err_set(err, ERR_FORMAT, "there are two jobs of this name");
	if (cron_parse(&cron, job->schedule, NULL, NULL, err) != 0)
		return -1;
	if ((cron.flags & CRON_NEVER) != 0)
		return err_set(err, ERR_FORMAT, "the schedule never runs");
	if ((size_t)job->copies > job->stores.count)
		return err_set(err, ERR_FORMAT, "%lld copies on %zu stores", (long long)job->copies,
			job->stores.count);
	for (i = 0; i < job->paths.count; i++)
		if (job->paths.items[i][0] != '/')
			return err_set(err, ERR_FORMAT, "a path does not begin with '/'");
	for (i = 0; i < job->stores.count; i++) {
		for (k = 0; k < plan->store_count; k++)
			if (strcmp(plan->stores[k].name, job->stores.items[i]) == 0)
				break;
		if (k == plan->store_count)
			return err_set(err, ERR_FORMAT, "store %s is not in the plan's list",
				job->stores.items[i]);
	}
	return 0;
}

static int get_job(struct manager_plan *plan, const struct cbormap_value *item, struct room *room,
	struct err *err)
{
	struct manager_plan_job *job = &plan->jobs[plan->job_count++];
	struct cbormap_value v[sizeof job_fields / sizeof *job_fields];

	*job = job_defaults;
	cbormap_inner(v, &job_item, item);
	if (get_fields(job, job_fields, v, room, err) != 0 || check_job(plan, job, err) != 0)
		return err_prefix(err, "job %s", job->name);
	return 0;
}

static int get_store(struct manager_plan *plan, const struct cbormap_value *item, struct room *room,
	struct err *err)
{
	struct manager_plan_store *store = &plan->stores[plan->store_count++];
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	struct cbormap_value v[STORE_FIELDS];
	size_t i;

	cbormap_inner(v, &store_item, item);
	get_fields(store, store_fields, v, room, err);
	store->has_key = v[STORE_KEY].has;
	store->has_uid = v[STORE_UID].has;
	/* The agent writes it into a file of lines, so it must be a proper address. */
	if (store->address != NULL && rpc_address_split(store->address, host, port, "", err) != 0)
		return err_prefix(err, "store %s", store->name);
	for (i = 0; i + 1 < plan->store_count; i++)
		if (strcmp(plan->stores[i].name, store->name) == 0)
			return err_set(
				err, ERR_FORMAT, "there are two stores named %s", store->name);
	return 0;
}

static int get_plan(struct manager_plan *plan, const void *bytes, size_t len, struct err *err)
{
	struct cbormap_value v[PLAN_FIELDS], item;
	struct room room;

	if (len == 0)
		return err_set(err, ERR_FORMAT, "is empty");
	if (len > MANAGER_PLAN_MAX)
		return err_set(err, ERR_LIMIT, "longer than %u bytes", MANAGER_PLAN_MAX);
	if (cbormap_get(v, plan_fields, bytes, len, err) != 0)
		return -1;
	/* In the encoded plan each text has a head of at least one byte, which leaves room for its
	 * NUL. */
	plan->texts = room.text = malloc(len);
	plan->items = room.item = malloc(len * sizeof *plan->items);
	plan->stores = calloc((size_t)v[PLAN_STORES].number + 1, sizeof *plan->stores);
	plan->jobs = calloc((size_t)v[PLAN_JOBS].number + 1, sizeof *plan->jobs);
	if (plan->texts == NULL || plan->items == NULL || plan->stores == NULL ||
		plan->jobs == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	plan->agent = copy_text(&room, &v[PLAN_AGENT]);
	while (cbormap_next(&v[PLAN_STORES], &store_item, &item))
		if (get_store(plan, &item, &room, err) != 0)
			return -1;
	while (cbormap_next(&v[PLAN_JOBS], &job_item, &item))
		if (get_job(plan, &item, &room, err) != 0)
			return -1;
	return 0;
}

int manager_plan_decode(struct manager_plan *plan, const void *bytes, size_t len, struct err *err)
{
	*plan = (struct manager_plan){0};
	if (get_plan(plan, bytes, len, err) == 0)
		return 0;
	manager_plan_free(plan);
	return err_prefix(err, "plan");
}

void manager_plan_free(struct manager_plan *plan)
{
	free(plan->jobs);
	free(plan->stores);
	free(plan->texts);
	free(plan->items);
	*plan = (struct manager_plan){0};
}

const struct manager_plan_job *manager_plan_job(const struct manager_plan *plan, const char *name)
{
	size_t i;

	for (i = 0; i < plan->job_count; i++)
		if (strcmp(plan->jobs[i].name, name) == 0)
			return &plan->jobs[i];
	return NULL;
}
