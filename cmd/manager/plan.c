/*
 * The plan's codec. Encoding is written out, in the order of the keys that
 * plan.h has; decoding goes through lib/cbormap's tables.
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

/* ---- encoding ---- */

static void put_text(struct cbor_out *out, const char *key, const char *text)
{
	if (text == NULL)
		return;
	cbor_put_text(out, key);
	cbor_put_text(out, text);
}

static void put_uint(struct cbor_out *out, const char *key, uint64_t value, uint64_t omitted)
{
	if (value == omitted)
		return;
	cbor_put_text(out, key);
	cbor_put_uint(out, value);
}

static void put_true(struct cbor_out *out, const char *key, bool value)
{
	if (!value)
		return;
	cbor_put_text(out, key);
	cbor_put_bool(out, true);
}

static void put_list(
	struct cbor_out *out, const char *key, const struct manager_list *list, bool as_bytes)
{
	size_t i;

	if (list->count == 0)
		return;
	cbor_put_text(out, key);
	cbor_put_array(out, list->count);
	for (i = 0; i < list->count; i++) {
		if (as_bytes)
			cbor_put_bytes(out, list->items[i], strlen(list->items[i]));
		else
			cbor_put_text(out, list->items[i]);
	}
}

static void put_job(struct cbor_out *out, const struct manager_plan_job *job)
{
	size_t count = 5; /* name, zone, paths, stores, schedule */

	count += (job->after != NULL) + (job->before != NULL) + (job->level != MANAGER_LEVEL) +
		 (job->copies != 1) + (job->jitter_sec != 0) + (job->exclude.count != 0) +
		 (job->lock_sec != 0) + (job->recipients.count != 0) + (job->alarm_after_sec != 0) +
		 job->unencrypted + job->exclude_caches + job->one_file_system;
	cbor_put_map(out, count);
	put_text(out, "name", job->name);
	put_text(out, "zone", job->zone);
	put_text(out, "after", job->after);
	put_uint(out, "level", job->level, MANAGER_LEVEL);
	put_list(out, "paths", &job->paths, true);
	put_text(out, "before", job->before);
	put_uint(out, "copies", job->copies, 1);
	put_uint(out, "jitter", (uint64_t)job->jitter_sec, 0);
	put_list(out, "stores", &job->stores, false);
	put_list(out, "exclude", &job->exclude, true);
	put_uint(out, "lock-for", (uint64_t)job->lock_sec, 0);
	put_text(out, "schedule", job->schedule);
	put_list(out, "recipients", &job->recipients, false);
	put_uint(out, "alarm-after", (uint64_t)job->alarm_after_sec, 0);
	put_true(out, "unencrypted", job->unencrypted);
	put_true(out, "exclude-caches", job->exclude_caches);
	put_true(out, "one-file-system", job->one_file_system);
}

static void put_store(struct cbor_out *out, const struct manager_plan_store *store)
{
	cbor_put_map(out, 1u + store->has_key + store->has_uid + (store->address != NULL));
	if (store->has_key) {
		cbor_put_text(out, "key");
		cbor_put_bytes(out, store->key, sizeof store->key);
	}
	if (store->has_uid) {
		cbor_put_text(out, "uid");
		cbor_put_bytes(out, store->uid, sizeof store->uid);
	}
	put_text(out, "name", store->name);
	put_text(out, "address", store->address);
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
			put_job(&out, &plan->jobs[i]);
	}
	put_text(&out, "agent", plan->agent);
	if (plan->store_count > 0) {
		cbor_put_text(&out, "stores");
		cbor_put_array(&out, plan->store_count);
		for (i = 0; i < plan->store_count; i++)
			put_store(&out, &plan->stores[i]);
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

static const struct cbormap_field name_item = {.type = CBORMAP_NAME};
static const struct cbormap_field path_item = {
	.type = CBORMAP_BYTES, .min = 1, .max = MANAGER_PATH_MAX};

enum {
	JOB_NAME,
	JOB_ZONE,
	JOB_AFTER,
	JOB_LEVEL,
	JOB_PATHS,
	JOB_BEFORE,
	JOB_COPIES,
	JOB_JITTER,
	JOB_STORES,
	JOB_EXCLUDE,
	JOB_LOCK,
	JOB_SCHEDULE,
	JOB_RECIPIENTS,
	JOB_ALARM_AFTER,
	JOB_UNENCRYPTED,
	JOB_EXCLUDE_CACHES,
	JOB_ONE_FILE_SYSTEM,
	JOB_FIELDS
};

static const struct cbormap_field job_fields[] = {
	[JOB_NAME] = {.key = "name", .type = CBORMAP_NAME, .need = true},
	[JOB_ZONE] = {.key = "zone", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = 255},
	[JOB_AFTER] = {.key = "after", .type = CBORMAP_NAME},
	[JOB_LEVEL] = {.key = "level", .type = CBORMAP_UINT, .max = MANAGER_LEVEL_MAX},
	[JOB_PATHS] = {.key = "paths",
		CBORMAP_LIST_OF(path_item, MANAGER_PATHS_MAX),
		.need = true,
		.min = 1},
	[JOB_BEFORE] = {.key = "before", .type = CBORMAP_NAME},
	[JOB_COPIES] = {.key = "copies",
		.type = CBORMAP_UINT,
		.min = 1,
		.max = MANAGER_JOB_STORES_MAX},
	[JOB_JITTER] = {.key = "jitter", .type = CBORMAP_UINT, .max = MANAGER_SECONDS_MAX},
	[JOB_STORES] = {.key = "stores",
		CBORMAP_LIST_OF(name_item, MANAGER_JOB_STORES_MAX),
		.need = true,
		.min = 1},
	[JOB_EXCLUDE] = {.key = "exclude", CBORMAP_LIST_OF(path_item, MANAGER_PATHS_MAX)},
	[JOB_LOCK] = {.key = "lock-for", .type = CBORMAP_UINT, .max = MANAGER_SECONDS_MAX},
	[JOB_SCHEDULE] = {.key = "schedule",
		.type = CBORMAP_TEXT,
		.need = true,
		.min = 1,
		.max = MANAGER_TEXT_MAX},
	[JOB_RECIPIENTS] = {.key = "recipients",
		CBORMAP_LIST_OF(name_item, MANAGER_RECIPIENTS_MAX)},
	[JOB_ALARM_AFTER] = {.key = "alarm-after",
		.type = CBORMAP_UINT,
		.max = MANAGER_SECONDS_MAX},
	[JOB_UNENCRYPTED] = {.key = "unencrypted", .type = CBORMAP_BOOL},
	[JOB_EXCLUDE_CACHES] = {.key = "exclude-caches", .type = CBORMAP_BOOL},
	[JOB_ONE_FILE_SYSTEM] = {.key = "one-file-system", .type = CBORMAP_BOOL},
	[JOB_FIELDS] = {0},
};

enum { STORE_KEY, STORE_UID, STORE_NAME, STORE_ADDRESS, STORE_FIELDS };

static const struct cbormap_field store_fields[] = {
	[STORE_KEY] = {.key = "key", CBORMAP_FIXED(MANAGER_KEY_LEN)},
	[STORE_UID] = {.key = "uid", CBORMAP_FIXED(MANAGER_UID_LEN)},
	[STORE_NAME] = {.key = "name", .type = CBORMAP_NAME, .need = true},
	[STORE_ADDRESS] = {.key = "address",
		.type = CBORMAP_TEXT,
		.min = 1,
		.max = MANAGER_TEXT_MAX},
	[STORE_FIELDS] = {0},
};

static const struct cbormap_field job_item = {.type = CBORMAP_MAP, .sub = job_fields};
static const struct cbormap_field store_item = {.type = CBORMAP_MAP, .sub = store_fields};

enum { PLAN_JOBS, PLAN_AGENT, PLAN_STORES, PLAN_FIELDS };

static const struct cbormap_field plan_fields[] = {
	[PLAN_JOBS] = {.key = "jobs", CBORMAP_LIST_OF(job_item, MANAGER_JOBS_MAX)},
	[PLAN_AGENT] = {.key = "agent", .type = CBORMAP_NAME, .need = true},
	[PLAN_STORES] = {.key = "stores", CBORMAP_LIST_OF(store_item, MANAGER_STORES_MAX)},
	[PLAN_FIELDS] = {0},
};

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "plan: out of memory");
}

/* A copy with a NUL; *text stays NULL if the value is not there. */
static int get_text(const char **text, const struct cbormap_value *value, struct err *err)
{
	if (!value->has)
		return 0;
	if (memchr(value->bytes, 0, value->len) != NULL)
		return err_set(err, ERR_FORMAT, "a zero byte in a path or pattern");
	*text = strndup((const char *)value->bytes, value->len);
	return *text != NULL ? 0 : no_memory(err);
}

static int get_list(struct manager_list *list, const struct cbormap_value *value,
	const struct cbormap_field *of, struct err *err)
{
	struct cbormap_value rest = *value, item;

	if (!value->has || value->number == 0)
		return 0;
	list->items = calloc((size_t)value->number, sizeof *list->items);
	if (list->items == NULL)
		return no_memory(err);
	while (cbormap_next(&rest, of, &item))
		if (get_text(&list->items[list->count++], &item, err) != 0)
			return -1;
	return 0;
}

static int64_t seconds(const struct cbormap_value *value)
{
	return value->has ? (int64_t)value->number : 0;
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
	if (job->copies > job->stores.count)
		return err_set(
			err, ERR_FORMAT, "%u copies on %zu stores", job->copies, job->stores.count);
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

static int get_job(struct manager_plan *plan, const struct cbormap_value *item, struct err *err)
{
	struct manager_plan_job *job = &plan->jobs[plan->job_count++];
	struct cbormap_value v[JOB_FIELDS];

	if (cbormap_get(v, job_fields, item->bytes, item->len, err) != 0 ||
		get_text(&job->name, &v[JOB_NAME], err) != 0)
		return -1;
	if (get_text(&job->zone, &v[JOB_ZONE], err) != 0 ||
		get_text(&job->schedule, &v[JOB_SCHEDULE], err) != 0 ||
		get_text(&job->before, &v[JOB_BEFORE], err) != 0 ||
		get_text(&job->after, &v[JOB_AFTER], err) != 0 ||
		get_list(&job->paths, &v[JOB_PATHS], &path_item, err) != 0 ||
		get_list(&job->exclude, &v[JOB_EXCLUDE], &path_item, err) != 0 ||
		get_list(&job->stores, &v[JOB_STORES], &name_item, err) != 0 ||
		get_list(&job->recipients, &v[JOB_RECIPIENTS], &name_item, err) != 0)
		return err_prefix(err, "job %s", job->name);
	job->level = v[JOB_LEVEL].has ? (unsigned)v[JOB_LEVEL].number : MANAGER_LEVEL;
	job->copies = v[JOB_COPIES].has ? (unsigned)v[JOB_COPIES].number : 1;
	job->jitter_sec = seconds(&v[JOB_JITTER]);
	job->lock_sec = seconds(&v[JOB_LOCK]);
	job->alarm_after_sec = seconds(&v[JOB_ALARM_AFTER]);
	job->unencrypted = v[JOB_UNENCRYPTED].has && v[JOB_UNENCRYPTED].number != 0;
	job->exclude_caches = v[JOB_EXCLUDE_CACHES].has && v[JOB_EXCLUDE_CACHES].number != 0;
	job->one_file_system = v[JOB_ONE_FILE_SYSTEM].has && v[JOB_ONE_FILE_SYSTEM].number != 0;
	return check_job(plan, job, err) != 0 ? err_prefix(err, "job %s", job->name) : 0;
}

static int get_store(struct manager_plan *plan, const struct cbormap_value *item, struct err *err)
{
	struct manager_plan_store *store = &plan->stores[plan->store_count++];
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	struct cbormap_value v[STORE_FIELDS];
	size_t i;

	if (cbormap_get(v, store_fields, item->bytes, item->len, err) != 0 ||
		get_text(&store->name, &v[STORE_NAME], err) != 0 ||
		get_text(&store->address, &v[STORE_ADDRESS], err) != 0)
		return -1;
	/* The agent keeps it in a list of lines. */
	if (store->address != NULL && rpc_address_split(store->address, host, port, "", err) != 0)
		return err_prefix(err, "store %s", store->name);
	store->has_key = v[STORE_KEY].has;
	if (store->has_key)
		memcpy(store->key, v[STORE_KEY].bytes, sizeof store->key);
	store->has_uid = v[STORE_UID].has;
	if (store->has_uid)
		memcpy(store->uid, v[STORE_UID].bytes, sizeof store->uid);
	for (i = 0; i + 1 < plan->store_count; i++)
		if (strcmp(plan->stores[i].name, store->name) == 0)
			return err_set(
				err, ERR_FORMAT, "there are two stores named %s", store->name);
	return 0;
}

static int get_plan(struct manager_plan *plan, const void *bytes, size_t len, struct err *err)
{
	struct cbormap_value v[PLAN_FIELDS], item;

	if (len == 0)
		return err_set(err, ERR_FORMAT, "is empty");
	if (len > MANAGER_PLAN_MAX)
		return err_set(err, ERR_LIMIT, "longer than %u bytes", MANAGER_PLAN_MAX);
	if (cbormap_get(v, plan_fields, bytes, len, err) != 0 ||
		get_text(&plan->agent, &v[PLAN_AGENT], err) != 0)
		return -1;
	if (v[PLAN_STORES].has && v[PLAN_STORES].number > 0) {
		plan->stores = calloc((size_t)v[PLAN_STORES].number, sizeof *plan->stores);
		if (plan->stores == NULL)
			return no_memory(err);
		while (cbormap_next(&v[PLAN_STORES], &store_item, &item))
			if (get_store(plan, &item, err) != 0)
				return -1;
	}
	if (v[PLAN_JOBS].has && v[PLAN_JOBS].number > 0) {
		plan->jobs = calloc((size_t)v[PLAN_JOBS].number, sizeof *plan->jobs);
		if (plan->jobs == NULL)
			return no_memory(err);
		while (cbormap_next(&v[PLAN_JOBS], &job_item, &item))
			if (get_job(plan, &item, err) != 0)
				return -1;
	}
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

static void free_list(struct manager_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free((void *)list->items[i]);
	free(list->items);
}

void manager_plan_free(struct manager_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->job_count; i++) {
		struct manager_plan_job *job = &plan->jobs[i];

		free((void *)job->name);
		free((void *)job->schedule);
		free((void *)job->zone);
		free((void *)job->before);
		free((void *)job->after);
		free_list(&job->paths);
		free_list(&job->exclude);
		free_list(&job->stores);
		free_list(&job->recipients);
	}
	for (i = 0; i < plan->store_count; i++) {
		free((void *)plan->stores[i].name);
		free((void *)plan->stores[i].address);
	}
	free(plan->jobs);
	free(plan->stores);
	free((void *)plan->agent);
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
