/*
 * Sections of text are turned into structs. Tables of their keys tell the type of a value and the
 * member that it goes to. One table has the keys that jobs, agents and defaults share.
 */
#include "cmd/manager/config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/slots.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/match.h"
#include "lib/mem.h"
#include "lib/name.h"
#include "lib/size.h"
#include "lib/tz.h"
#include "rpc/token.h"

/* The state of reading a configuration. */
struct check {
	struct manager_config *config;
	const struct manager_section *section;
	manager_problem *problem;
	void *ctx;
	bool wrong, no_memory;
	bool cut; /* a file was not read to its end, so something may be defined that is not known
		   */
};

static void wrong_at(struct check *check, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void wrong_at(struct check *check, const char *file, unsigned line, const char *fmt, ...)
{
	char text[ERR_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	check->wrong = true;
	check->problem(check->ctx, file, line, text);
}

/* A value as text for messages. */
#define SHOWN 128
static const char *shown(char text[SHOWN], const char *value)
{
	esc_name(text, SHOWN, value, strlen(value));
	return text;
}

/* Reports a problem with a key of the current section. */
#define WRONG(check, key, fmt, ...)                                                                \
	wrong_at(check, (check)->section->file, (key)->line, "%s: " fmt, (key)->name, __VA_ARGS__)

/* row[j] of row i: whether some text matches both glob[i..] and name[j..]. Computed from the end;
 * two rows are enough. */
bool manager_glob_match(const char *glob, const char *name)
{
	bool rows[2][NAME_LEN_MAX + 2];
	size_t n = strlen(glob), m = strlen(name), i, j;

	assert(n <= NAME_LEN_MAX && m <= NAME_LEN_MAX);
	for (i = n + 1; i-- > 0;) {
		bool *row = rows[i & 1], *below = rows[(i + 1) & 1];

		for (j = m + 1; j-- > 0;) {
			if (i < n && glob[i] == '*')
				row[j] = below[j] || (j < m && row[j + 1]);
			else if (j < m && name[j] == '*')
				row[j] = row[j + 1] || (i < n && below[j]);
			else if (i < n && j < m)
				row[j] = glob[i] == name[j] && below[j + 1];
			else
				row[j] = i == n && j == m;
		}
	}
	return rows[0][0];
}

/* ---- values ---- */

const struct tz *manager_config_zone(const struct manager_config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->zone_count; i++)
		if (strcmp(config->zones[i].name, name) == 0)
			return config->zones[i].tz;
	return NULL;
}

/* Appends a zeroed element to an array of the configuration. NULL: out of memory. */
static void *add(struct check *check, void *array, size_t *count, size_t size)
{
	void **pointer = array;
	char *grown = realloc(*pointer, (*count + 1) * size);

	if (grown == NULL) {
		check->no_memory = true;
		return NULL;
	}
	*pointer = grown;
	return memset(grown + size * (*count)++, 0, size);
}

/* Loads a time zone, unless it is known. Returns 0, or -1 with err set. */
static int load_zone(struct check *check, const char *name, struct err *err)
{
	struct manager_config *config = check->config;
	struct manager_zone *zone;

	if (manager_config_zone(config, name) != NULL)
		return 0;
	zone = add(check, &config->zones, &config->zone_count, sizeof *zone);
	if (zone == NULL)
		return err_set(err, ERR_NOMEM, "configuration: out of memory");
	zone->name = name;
	if (tz_load(name, &zone->tz, err) == 0)
		return 0;
	config->zone_count--;
	return -1;
}

/* The type of a value. `take` sets a struct member, and reports a value that is wrong. */
struct type {
	void (*take)(struct check *check, const struct manager_key *key, void *to);
	bool (*ok)(const char *value); /* for texts */
	const char *what;
	int64_t min, max; /* for numbers; max: also how many values a list may have */
};

static void take_number(struct check *check, const struct manager_key *key, void *to)
{
	const struct type *type = key->rule->type;
	const char *value = key->values[0];
	char text[SHOWN], *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end != 0 || errno != 0 || n < type->min ||
		n > type->max)
		WRONG(check, key, "'%s' is not a number from %lld to %lld", shown(text, value),
			(long long)type->min, (long long)type->max);
	else
		*(int64_t *)to = n;
}

static void take_duration(struct check *check, const struct manager_key *key, void *to)
{
	char text[SHOWN];
	int64_t n;

	if (size_parse_time(key->values[0], &n) != 0 || n > MANAGER_SECONDS_MAX)
		WRONG(check, key, "'%s' is not a time like 90m, 8h, 14d or 2w, of at most 10 years",
			shown(text, key->values[0]));
	else
		*(int64_t *)to = n;
}

static void take_bool(struct check *check, const struct manager_key *key, void *to)
{
	bool yes = strcmp(key->values[0], "yes") == 0;
	char text[SHOWN];

	*(bool *)to = yes;
	if (!yes && strcmp(key->values[0], "no") != 0)
		WRONG(check, key, "'%s' is not yes or no", shown(text, key->values[0]));
}

static void take_text(struct check *check, const struct manager_key *key, void *to)
{
	const struct type *type = key->rule->type;
	char text[SHOWN];

	*(const char **)to = key->values[0];
	if (!type->ok(key->values[0]))
		WRONG(check, key, "'%s' is not %s", shown(text, key->values[0]), type->what);
}

/* A list without duplicates. */
static void take_list(struct check *check, const struct manager_key *key, void *to)
{
	const struct type *type = key->rule->type;
	size_t i, k, max = (size_t)type->max;
	char text[SHOWN];

	*(struct manager_list *)to = (struct manager_list){key->values, key->count};
	if (key->count == 0)
		WRONG(check, key, "%s", "the list is empty");
	if (key->count > max)
		WRONG(check, key, "%zu of them, at most %zu are possible", key->count, max);
	for (i = 0; i < key->count; i++) {
		if (!type->ok(key->values[i]))
			WRONG(check, key, "'%s' is not %s", shown(text, key->values[i]),
				type->what);
		for (k = 0; k < i && k < max; k++)
			if (strcmp(key->values[i], key->values[k]) == 0)
				WRONG(check, key, "'%s' is listed twice",
					shown(text, key->values[i]));
	}
}

static void take_patterns(struct check *check, const struct manager_key *key, void *to)
{
	struct err err = {0};
	struct match *match = match_new(&err);
	size_t i;

	*(struct manager_list *)to = (struct manager_list){key->values, key->count};
	check->no_memory = check->no_memory || match == NULL;
	if (key->count > MANAGER_PATHS_MAX)
		WRONG(check, key, "%zu of them, at most %d are possible", key->count,
			MANAGER_PATHS_MAX);
	for (i = 0; i < key->count && match != NULL; i++)
		if (match_add(match, key->values[i], strlen(key->values[i]), &err) != 0)
			WRONG(check, key, "%s", err.message);
	match_free(match);
}

static void take_zone(struct check *check, const struct manager_key *key, void *to)
{
	struct err err = {0};

	*(const char **)to = key->values[0];
	if (load_zone(check, key->values[0], &err) != 0)
		WRONG(check, key, "%s", err.message);
}

static void take_schedule(struct check *check, const struct manager_key *key, void *to)
{
	struct manager_slots slots;
	struct err err = {0};

	*(const char **)to = key->values[0];
	if (manager_slots_init(&slots, key->values[0], NULL, 0, "agent", "job", &err) != 0)
		WRONG(check, key, "%s", err.message);
}

static bool is_name(const char *value)
{
	return name_ok(value, strlen(value));
}

static bool is_glob(const char *text)
{
	char copy[NAME_LEN_MAX + 1];
	size_t i, len = strlen(text);

	if (len == 0 || len > NAME_LEN_MAX)
		return false;
	for (i = 0; i <= len; i++) /* with some text in place of '*' it must be a name */
		copy[i] = text[i] == '*' ? 'x' : text[i];
	return name_ok(copy, len);
}

static bool is_path(const char *value)
{
	return value[0] == '/' && strlen(value) <= MANAGER_PATH_MAX;
}

/* HOST or HOST:PORT; a host with colons must be in brackets. */
static bool is_address(const char *value)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];

	return rpc_address_split(value, host, port, "", NULL) == 0;
}

/* ---- keys ---- */

static const struct type store_names_type = {take_list, is_name, "a store's name: " NAME_RULE, 0,
				 MANAGER_JOB_STORES_MAX},
			 key_names_type = {take_list, is_name, "a key's name or fingerprint", 0,
				 MANAGER_RECIPIENTS_MAX},
			 agent_names_type = {take_list, is_glob,
				 "an agent's name, in which '*' can stand for any part: " NAME_RULE,
				 0, MANAGER_PATHS_MAX},
			 paths_type = {take_list, is_path, "an absolute path", 0,
				 MANAGER_PATHS_MAX},
			 name_type = {take_text, is_name, "a name: " NAME_RULE, 0, 0},
			 path_type = {take_text, is_path, "an absolute path", 0, 0},
			 address_type = {take_text, is_address, "HOST or HOST:PORT", 0, 0},
			 copies_type = {take_number, NULL, NULL, 1, MANAGER_JOB_STORES_MAX},
			 level_type = {take_number, NULL, NULL, 0, MANAGER_LEVEL_MAX},
			 patterns_type = {.take = take_patterns},
			 schedule_type = {.take = take_schedule}, zone_type = {.take = take_zone},
			 duration_type = {.take = take_duration},
			 boolean_type = {.take = take_bool};

#define IN(member)                                                                                 \
	offsetof(struct manager_config_section, member),                                           \
		sizeof(((struct manager_config_section *)0)->member)

static const struct manager_syntax_key shared_keys[] = {
	{"stores", true, &store_names_type, IN(says.stores)},
	{"exclude", true, &patterns_type, IN(says.exclude)},
	{"recipients", true, &key_names_type, IN(says.recipients)},
	{"schedule", false, &schedule_type, IN(says.schedule)},
	{"zone", false, &zone_type, IN(says.zone)},
	{"before", false, &name_type, IN(says.before)},
	{"after", false, &name_type, IN(says.after)},
	{"copies", false, &copies_type, IN(says.copies)},
	{"level", false, &level_type, IN(says.level)},
	{"lock", false, &duration_type, IN(says.lock_sec)},
	{"jitter", false, &duration_type, IN(says.jitter_sec)},
	{"alarm_after", false, &duration_type, IN(says.alarm_after_sec)},
	{"unencrypted", false, &boolean_type, IN(says.unencrypted)},
	{"exclude_caches", false, &boolean_type, IN(says.exclude_caches)},
	{"one_file_system", false, &boolean_type, IN(says.one_file_system)},
	{0},
};
static const struct manager_syntax_key job_keys[] = {
	{"agents", true, &agent_names_type, IN(agents)},
	{"paths", true, &paths_type, IN(says.paths)},
	{"enabled", false, &boolean_type, IN(enabled)},
	{0},
};
static const struct manager_syntax_key agent_keys[] = {
	{"expect", false, &duration_type, IN(expect_sec)}, {0}};
static const struct manager_syntax_key peer_keys[] = {
	{"address", false, &address_type, IN(address)}, {0}};
static const struct manager_syntax_key alarm_keys[] = {
	{"hook", false, &path_type, offsetof(struct manager_config, alarm_hook), sizeof(char *)},
	{"metrics", false, &path_type, offsetof(struct manager_config, metrics), sizeof(char *)},
	{0},
};

#define SHARED (sizeof shared_keys / sizeof *shared_keys - 1)
#define SAYS   offsetof(struct manager_config_section, says)

enum { RULE_DEFAULTS, RULE_JOB, RULE_AGENT, RULE_STORE, RULE_MANAGER, RULE_ALARM };

static const struct manager_syntax_rule rules[] = {
	[RULE_DEFAULTS] = {"defaults", false, NULL, shared_keys},
	[RULE_JOB] = {"job", true, job_keys, shared_keys},
	[RULE_AGENT] = {"agent", true, agent_keys, shared_keys},
	[RULE_STORE] = {"store", true, peer_keys, NULL},
	[RULE_MANAGER] = {"manager", true, peer_keys, NULL},
	[RULE_ALARM] = {"alarm", false, alarm_keys, NULL},
	{0},
};

/* ---- sections ---- */

/* Adds a section that has a name. */
static struct manager_config_section *begin_section(
	struct check *check, struct manager_config_section **sections, size_t *count)
{
	const struct manager_section *s = check->section;
	const char *kind = rules[s->rule].kind;
	bool glob = s->rule == RULE_AGENT;
	struct manager_config_section *to;
	char text[SHOWN];
	size_t i;

	for (i = 0; i < *count; i++)
		if (strcmp((*sections)[i].name, s->title) == 0)
			wrong_at(check, s->file, s->line,
				"%s \"%s\" is given twice, first at %s:%u", kind,
				shown(text, s->title), (*sections)[i].file, (*sections)[i].line);
	if (glob ? !is_glob(s->title) : !is_name(s->title))
		wrong_at(check, s->file, s->line, "%s \"%s\": not a name: " NAME_RULE "%s", kind,
			shown(text, s->title), glob ? "; '*' stands for any part of one" : "");
	to = add(check, sections, count, sizeof *to);
	if (to != NULL)
		*to = (struct manager_config_section){.name = s->title,
			.file = s->file,
			.line = s->line,
			.enabled = true,
			.broken = s->broken};
	return to;
}

static void take_section(struct check *check)
{
	struct manager_config *config = check->config;
	const struct manager_section *s = check->section;
	struct manager_config_section *to = &config->defaults;
	bool *given = s->rule == RULE_DEFAULTS ? &config->has_defaults : &config->has_alarm;
	size_t i, k;

	switch (s->rule) {
	case RULE_JOB:
		to = begin_section(check, &config->jobs, &config->job_count);
		break;
	case RULE_AGENT:
		to = begin_section(check, &config->agents, &config->agent_count);
		break;
	case RULE_STORE:
		to = begin_section(check, &config->stores, &config->store_count);
		break;
	case RULE_MANAGER:
		to = begin_section(check, &config->managers, &config->manager_count);
		break;
	default:
		if (*given)
			wrong_at(check, s->file, s->line, "section '%s' is given twice",
				rules[s->rule].kind);
		*given = true;
		config->defaults.broken |= s->rule == RULE_DEFAULTS && s->broken;
	}
	if (to == NULL)
		return;
	for (i = 0; i < s->count; i++) {
		const struct manager_syntax_key *rule = s->keys[i].rule;
		const struct type *type = rule->type;

		for (k = 0; k < SHARED; k++)
			if (rule == &shared_keys[k])
				to->given |= 1u << k;
		type->take(check, &s->keys[i],
			(char *)(s->rule == RULE_ALARM ? (void *)config : to) + rule->at);
	}
	if (s->rule != RULE_JOB || s->broken)
		return;
	config->has_job |= to->enabled;
	if (to->agents.items == NULL)
		wrong_at(check, s->file, s->line, "job \"%s\": agents are missing", s->title);
	if (to->says.paths.items == NULL)
		wrong_at(check, s->file, s->line, "job \"%s\": paths are missing", s->title);
}

int manager_config_merge(const struct manager_config *config,
	const struct manager_config_section *agent, const struct manager_config_section *job,
	struct manager_plan_job *out, struct err *err)
{
	const struct manager_config_section *parts[] = {&config->defaults, agent, job};
	struct manager_list exclude = {NULL, 0};
	size_t i, k, n = 0;

	for (i = 0; i < 3; i++)
		n += parts[i] != NULL ? parts[i]->says.exclude.count : 0;
	exclude.items = mem_new((n + 1) * sizeof *exclude.items, err);
	if (exclude.items == NULL)
		return -1;
	*out = (struct manager_plan_job){
		.name = job->name, .paths = job->says.paths, .zone = "UTC", .level = MANAGER_LEVEL};
	for (i = 0; i < 3; i++) {
		const struct manager_plan_job *says;

		if (parts[i] == NULL)
			continue;
		says = &parts[i]->says;
		for (k = 0; k < SHARED; k++)
			if ((parts[i]->given & 1u << k) != 0)
				memcpy((char *)out + shared_keys[k].at - SAYS,
					(const char *)parts[i] + shared_keys[k].at,
					shared_keys[k].size);
		/* Of `recipients` and `unencrypted`, the one given last wins. */
		if (says->unencrypted)
			out->recipients = says->recipients;
		else if (says->recipients.count > 0)
			out->unencrypted = false;
		for (k = 0; k < says->exclude.count; k++)
			exclude.items[exclude.count++] = says->exclude.items[k];
	}
	out->exclude = exclude;
	if (out->copies == 0) /* not given: all stores, as in fdump backup */
		out->copies = (int64_t)out->stores.count;
	return 0;
}

/* ---- checks across sections --- */

static bool has_item(const struct manager_list *list, const char *item)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->items[i], item) == 0)
			return true;
	return false;
}

/* Collects the stores that may be named: those in `defaults`, and those with a section. */
static int collect_stores(struct manager_config *config)
{
	size_t i, n = config->defaults.says.stores.count + config->store_count;
	struct manager_list *all = &config->all_stores;

	all->items = calloc(n + 1, sizeof *all->items);
	if (all->items == NULL)
		return -1;
	for (i = 0; i < config->defaults.says.stores.count; i++)
		all->items[all->count++] = config->defaults.says.stores.items[i];
	for (i = 0; i < config->store_count; i++)
		if (!has_item(all, config->stores[i].name))
			all->items[all->count++] = config->stores[i].name;
	return 0;
}

static void check_stores(
	struct check *check, const char *kind, const struct manager_config_section *section)
{
	const struct manager_list *stores = &section->says.stores;
	size_t i;

	for (i = 0; i < stores->count; i++)
		if (!has_item(&check->config->all_stores, stores->items[i]))
			wrong_at(check, section->file, section->line,
				"%s \"%s\": unknown store '%s' (name it in defaults, or add "
				"'store \"%s\" { }')",
				kind, section->name, stores->items[i], stores->items[i]);
}

/* Checks a job combined with the defaults and with an agent section that is for one of its agents
 * (NULL: none). Returns whether it is valid. */
static bool check_job(struct check *check, const struct manager_config_section *job,
	const struct manager_config_section *agent)
{
	struct manager_plan_job s;
	char what[2 * NAME_LEN_MAX + 32];
	bool before = check->wrong;
	bool ok;

	if (manager_config_merge(check->config, agent, job, &s, NULL) != 0) {
		check->no_memory = true;
		return false;
	}
	check->wrong = false;
	snprintf(what, sizeof what, "job \"%s\"%s%s%s", job->name,
		agent != NULL ? " (on agent \"" : "", agent != NULL ? agent->name : "",
		agent != NULL ? "\")" : "");
	if (s.schedule == NULL)
		wrong_at(check, job->file, job->line, "%s: a schedule is missing", what);
	if (s.stores.count == 0)
		wrong_at(check, job->file, job->line, "%s: stores are missing", what);
	else if ((size_t)s.copies > s.stores.count)
		wrong_at(check, job->file, job->line, "%s: %lld copies need more than %zu store%s",
			what, (long long)s.copies, s.stores.count, s.stores.count == 1 ? "" : "s");
	if (s.unencrypted && s.recipients.count > 0)
		wrong_at(check, job->file, job->line, "%s: has recipients, and is unencrypted",
			what);
	if (s.exclude.count > MANAGER_PATHS_MAX)
		wrong_at(check, job->file, job->line, "%s: %zu patterns, at most %d are possible",
			what, s.exclude.count, MANAGER_PATHS_MAX);
	free(s.exclude.items);
	ok = !check->wrong;
	check->wrong |= before;
	return ok;
}

static void check_whole(struct check *check)
{
	struct manager_config *config = check->config;
	const struct manager_config_section *job, *agent;
	size_t i, k, m;

	if (collect_stores(config) != 0) {
		check->no_memory = true;
		return;
	}
	for (i = 0; i < config->agent_count; i++)
		check_stores(check, "agent", &config->agents[i]);
	for (i = 0; i < config->job_count && !check->no_memory; i++) {
		job = &config->jobs[i];
		check_stores(check, "job", job);
		if (job->broken || !check_job(check, job, NULL))
			continue;
		for (k = 0; k < config->agent_count; k++) {
			agent = &config->agents[k];
			if (agent->broken || !is_glob(agent->name))
				continue;
			for (m = 0; m < job->agents.count; m++)
				if (is_glob(job->agents.items[m]) &&
					manager_glob_match(job->agents.items[m], agent->name))
					break;
			if (m < job->agents.count)
				check_job(check, job, agent);
		}
	}
}

/* ---- loading ---- */

/* Parses one more text into the configuration. */
static void add_file(
	struct check *check, const char *name, const char *text, size_t len, struct err *err)
{
	struct manager_config *config = check->config;
	struct manager_syntax *file = add(check, &config->files, &config->file_count, sizeof *file);
	size_t i;
	int got;

	if (file == NULL)
		return;
	got = manager_syntax_read(file, name, text, len, rules, check->problem, check->ctx, err);
	check->wrong = check->wrong || got > 0;
	check->no_memory = check->no_memory || got < 0;
	check->cut = check->cut || file->cut;
	for (i = 0; i < file->count && !check->no_memory; i++) {
		check->section = &file->sections[i];
		take_section(check);
	}
}

/* Turns the result of reading into that of manager_config_load. */
static int finish(struct check *check, struct manager_config **config, struct err *err)
{
	if (!check->no_memory)
		check->no_memory = load_zone(check, "UTC", err) != 0;
	if (!check->cut && !check->config->defaults.broken && !check->no_memory)
		check_whole(check);
	if (!check->wrong && !check->no_memory) {
		*config = check->config;
		return 0;
	}
	manager_config_free(check->config);
	return check->no_memory ? err_set(err, ERR_NOMEM, "configuration: out of memory") : 1;
}

int manager_config_parse(struct manager_config **config, const char *const *names,
	const char *const *texts, size_t count, manager_problem *problem, void *ctx,
	struct err *err)
{
	struct check check = {
		.problem = problem, .ctx = ctx, .config = mem_new(sizeof *check.config, err)};
	size_t i;

	if (check.config == NULL)
		return -1;
	for (i = 0; i < count && !check.no_memory; i++)
		add_file(&check, names[i], texts[i], strlen(texts[i]), err);
	return finish(&check, config, err);
}

static int load_file(struct check *check, const char *path, struct err *err)
{
	struct buf text;
	int ret;

	buf_init(&text, MANAGER_SYNTAX_MAX + 1);
	ret = file_read_buf(path, &text, NULL, err);
	if (ret == 0)
		add_file(check, path, (char *)text.data, text.len, err);
	buf_fini(&text);
	return ret;
}

static int is_conf(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Loads conf.d next to the file; it need not exist. */
static int load_folder(struct check *check, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	int i, n, ret = 0, dir_len = slash != NULL ? (int)(slash - path) + 1 : 0;
	char folder[PATH_MAX + 8], file[sizeof folder + NAME_MAX + 2];
	struct dirent **entries = NULL;

	snprintf(folder, sizeof folder, "%.*sconf.d", dir_len, path);
	n = scandir(folder, &entries, is_conf, by_name);
	if (n < 0 && errno != ENOENT)
		ret = err_errno(err, errno, "%s", folder);
	if (n > MANAGER_CONFIG_FILES_MAX)
		ret = err_set(
			err, ERR_LIMIT, "%s: more than %d files", folder, MANAGER_CONFIG_FILES_MAX);
	for (i = 0; i < n; i++) {
		snprintf(file, sizeof file, "%s/%s", folder, entries[i]->d_name);
		if (ret == 0)
			ret = load_file(check, file, err);
		free(entries[i]);
	}
	free(entries);
	return ret;
}

int manager_config_load(struct manager_config **config, const char *path, manager_problem *problem,
	void *ctx, struct err *err)
{
	struct check check = {
		.problem = problem, .ctx = ctx, .config = mem_new(sizeof *check.config, err)};

	if (check.config != NULL && load_file(&check, path, err) == 0 &&
		load_folder(&check, path, err) == 0)
		return finish(&check, config, err);
	manager_config_free(check.config);
	return -1;
}

void manager_config_free(struct manager_config *config)
{
	size_t i;

	if (config == NULL)
		return;
	for (i = 0; i < config->file_count; i++)
		manager_syntax_free(&config->files[i]);
	for (i = 0; i < config->zone_count; i++)
		tz_free(config->zones[i].tz);
	free(config->files);
	free(config->zones);
	free(config->jobs);
	free(config->agents);
	free(config->stores);
	free(config->managers);
	free(config->all_stores.items);
	free(config);
}
