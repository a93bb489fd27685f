/*
 * Sections of text become structs. One table has the keys that jobs, agents and
 * defaults share; what only one of them has stands beside it.
 */
#include "cmd/manager/config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/inner.h"
#include "cron/cron.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/match.h"
#include "lib/name.h"
#include "lib/size.h"
#include "lib/tz.h"

enum { RULE_DEFAULTS, RULE_JOB, RULE_AGENT, RULE_STORE, RULE_MANAGER, RULE_ALARM };

#define SHARED_KEYS                                                                                \
	{"stores", true}, {"exclude", true}, {"recipients", true}, {"schedule", false},            \
		{"zone", false}, {"before", false}, {"after", false}, {"copies", false},           \
		{"level", false}, {"lock", false}, {"jitter", false}, {"alarm_after", false},      \
		{"unencrypted", false}, {"exclude_caches", false},                                 \
	{                                                                                          \
		"one_file_system", false                                                           \
	}

static const struct manager_syntax_key defaults_keys[] = {SHARED_KEYS, {NULL, false}};
static const struct manager_syntax_key job_keys[] = {
	SHARED_KEYS, {"agents", true}, {"paths", true}, {"enabled", false}, {NULL, false}};
static const struct manager_syntax_key agent_keys[] = {
	SHARED_KEYS, {"expect", false}, {NULL, false}};
static const struct manager_syntax_key store_keys[] = {{"address", false}, {NULL, false}};
static const struct manager_syntax_key alarm_keys[] = {
	{"hook", false}, {"metrics", false}, {NULL, false}};

static const struct manager_syntax_rule rules[] = {
	[RULE_DEFAULTS] = {"defaults", false, defaults_keys},
	[RULE_JOB] = {"job", true, job_keys},
	[RULE_AGENT] = {"agent", true, agent_keys},
	[RULE_STORE] = {"store", true, store_keys},
	[RULE_MANAGER] = {"manager", true, store_keys},
	[RULE_ALARM] = {"alarm", false, alarm_keys},
	{NULL, false, NULL},
};

/* What the checks of one file work with. */
struct check {
	struct manager_config *config;
	const struct manager_section *section;
	manager_problem *problem;
	void *ctx;
	bool wrong, no_memory;
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

/* A value's text, for messages. */
#define SHOWN 128
static const char *shown(char text[SHOWN], const char *value)
{
	esc_name(text, SHOWN, value, strlen(value));
	return text;
}

/* ---- values ---- */

static void take_number(struct check *check, const struct manager_key *key, int64_t min,
	int64_t max, int64_t *number)
{
	const char *value = key->values[0];
	char text[SHOWN], *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (value[0] >= '0' && value[0] <= '9' && *end == 0 && errno == 0 && n >= min && n <= max) {
		*number = n;
		return;
	}
	wrong_at(check, check->section->file, key->line,
		"%s: '%s' is not a number from %lld to %lld", key->name, shown(text, value),
		(long long)min, (long long)max);
}

static void take_duration(struct check *check, const struct manager_key *key, int64_t *seconds)
{
	const char *value = key->values[0];
	char text[SHOWN];
	int64_t n;

	if (size_parse_time(value, &n) == 0 && n <= MANAGER_SECONDS_MAX) {
		*seconds = n;
		return;
	}
	wrong_at(check, check->section->file, key->line,
		"%s: '%s' is not a time like 90m, 8h, 14d or 2w, of at most 10 years", key->name,
		shown(text, value));
}

static void take_bool(struct check *check, const struct manager_key *key, bool *value)
{
	char text[SHOWN];

	*value = strcmp(key->values[0], "yes") == 0;
	if (!*value && strcmp(key->values[0], "no") != 0)
		wrong_at(check, check->section->file, key->line, "%s: '%s' is not yes or no",
			key->name, shown(text, key->values[0]));
}

static bool is_glob(const char *text)
{
	char copy[NAME_LEN_MAX + 1];
	size_t i, len = strlen(text);

	if (len == 0 || len > NAME_LEN_MAX)
		return false;
	for (i = 0; i <= len; i++) /* what a '*' stands for may make it a name */
		copy[i] = text[i] == '*' ? 'x' : text[i];
	return name_ok(copy, len);
}

static bool ok_name(const char *value)
{
	return name_ok(value, strlen(value));
}

/* A name for each value of the list, none of them twice. */
static void take_list(struct check *check, const struct manager_key *key, bool (*ok)(const char *),
	const char *what, size_t max, struct manager_list *list)
{
	char text[SHOWN];
	size_t i, k;

	*list = (struct manager_list){(const char **)key->values, key->count};
	if (key->count == 0)
		wrong_at(
			check, check->section->file, key->line, "%s: the list is empty", key->name);
	if (key->count > max)
		wrong_at(check, check->section->file, key->line,
			"%s: %zu of them, at most %zu are possible", key->name, key->count, max);
	for (i = 0; i < key->count; i++) {
		if (!ok(key->values[i]))
			wrong_at(check, check->section->file, key->line, "%s: '%s' is not %s",
				key->name, shown(text, key->values[i]), what);
		for (k = 0; k < i && k < max; k++)
			if (strcmp(key->values[i], key->values[k]) == 0)
				wrong_at(check, check->section->file, key->line,
					"%s: '%s' is listed twice", key->name,
					shown(text, key->values[i]));
	}
}

static bool ok_path(const char *value)
{
	return value[0] == '/' && strlen(value) <= MANAGER_PATH_MAX;
}

static void take_patterns(
	struct check *check, const struct manager_key *key, struct manager_list *list)
{
	struct err err = {0};
	struct match *match = match_new(&err);
	size_t i;

	*list = (struct manager_list){(const char **)key->values, key->count};
	check->no_memory = check->no_memory || match == NULL;
	if (key->count > MANAGER_PATHS_MAX)
		wrong_at(check, check->section->file, key->line,
			"%s: %zu of them, at most %d are possible", key->name, key->count,
			MANAGER_PATHS_MAX);
	for (i = 0; i < key->count && match != NULL; i++)
		if (match_add(match, key->values[i], strlen(key->values[i]), &err) != 0)
			wrong_at(check, check->section->file, key->line, "%s: %s", key->name,
				err.message);
	match_free(match);
}

static void take_zone(struct check *check, const struct manager_key *key, const char **name)
{
	struct err err = {0};

	*name = key->values[0];
	if (manager_inner_zone(check->config, *name, &err) == NULL)
		wrong_at(check, check->section->file, key->line, "%s: %s", key->name, err.message);
}

static void take_schedule(struct check *check, const struct manager_key *key, const char **text)
{
	struct err err = {0};
	struct cron cron;

	*text = key->values[0];
	if (cron_parse(&cron, key->values[0], NULL, NULL, &err) != 0)
		wrong_at(check, check->section->file, key->line, "%s: %s", key->name, err.message);
	else if ((cron.flags & CRON_REBOOT) != 0)
		wrong_at(check, check->section->file, key->line,
			"%s: @reboot is not a time; a job needs times", key->name);
	else if ((cron.flags & CRON_NEVER) != 0)
		wrong_at(check, check->section->file, key->line,
			"%s: it never runs: no such date exists", key->name);
}

static void take_name(struct check *check, const struct manager_key *key, const char **name)
{
	char text[SHOWN];

	*name = key->values[0];
	if (!ok_name(*name))
		wrong_at(check, check->section->file, key->line,
			"%s: '%s' is not a name: " NAME_RULE, key->name, shown(text, *name));
}

static void take_path(struct check *check, const struct manager_key *key, const char **path)
{
	char text[SHOWN];

	*path = key->values[0];
	if (!ok_path(*path))
		wrong_at(check, check->section->file, key->line, "%s: '%s' is not an absolute path",
			key->name, shown(text, *path));
}

/* HOST or HOST:PORT; a host that has colons stands in brackets. */
static void take_address(struct check *check, const struct manager_key *key, const char **address)
{
	const char *value = key->values[0], *port, *at;
	size_t host = strcspn(value, ":");
	char text[SHOWN];
	bool ok;

	if (value[0] == '[' && (at = strchr(value, ']')) != NULL)
		host = (size_t)(at - value) + 1;
	port = value[host] == ':' ? value + host + 1 : "7421";
	ok = host > (value[0] == '[' ? 2u : 0u) && (value[host] == ':' || value[host] == 0) &&
	     strlen(value) <= 255 && strpbrk(value, " \t\r\n/@") == NULL &&
	     strspn(port, "0123456789") == strlen(port) && strlen(port) <= 5 && atol(port) >= 1 &&
	     atol(port) <= 65535;
	for (at = value; *at != 0; at++)
		ok = ok && *at > ' ' && *at < 0x7f;
	*address = value;
	if (!ok)
		wrong_at(check, check->section->file, key->line,
			"%s: '%s' is not HOST or HOST:PORT", key->name, shown(text, value));
}

/* ---- sections ---- */

/* Takes one of SHARED_KEYS. */
static void take_shared(
	struct check *check, const struct manager_key *key, struct manager_settings *s)
{
	const char *name = key->name;

	if (strcmp(name, "stores") == 0) {
		take_list(check, key, ok_name, "a store's name: " NAME_RULE, MANAGER_JOB_STORES_MAX,
			&s->stores);
	} else if (strcmp(name, "exclude") == 0) {
		take_patterns(check, key, &s->exclude);
	} else if (strcmp(name, "recipients") == 0) {
		take_list(check, key, ok_name, "a key's name or fingerprint",
			MANAGER_RECIPIENTS_MAX, &s->recipients);
	} else if (strcmp(name, "schedule") == 0) {
		take_schedule(check, key, &s->schedule);
	} else if (strcmp(name, "zone") == 0) {
		take_zone(check, key, &s->zone);
	} else if (strcmp(name, "before") == 0) {
		take_name(check, key, &s->before);
	} else if (strcmp(name, "after") == 0) {
		take_name(check, key, &s->after);
	} else if (strcmp(name, "copies") == 0) {
		s->given |= MANAGER_GIVEN_COPIES;
		take_number(check, key, 1, MANAGER_JOB_STORES_MAX, &s->copies);
	} else if (strcmp(name, "level") == 0) {
		s->given |= MANAGER_GIVEN_LEVEL;
		take_number(check, key, 0, MANAGER_LEVEL_MAX, &s->level);
	} else if (strcmp(name, "lock") == 0) {
		s->given |= MANAGER_GIVEN_LOCK;
		take_duration(check, key, &s->lock_sec);
	} else if (strcmp(name, "jitter") == 0) {
		s->given |= MANAGER_GIVEN_JITTER;
		take_duration(check, key, &s->jitter_sec);
	} else if (strcmp(name, "alarm_after") == 0) {
		s->given |= MANAGER_GIVEN_ALARM_AFTER;
		take_duration(check, key, &s->alarm_after_sec);
	} else if (strcmp(name, "unencrypted") == 0) {
		s->given |= MANAGER_GIVEN_UNENCRYPTED;
		take_bool(check, key, &s->unencrypted);
	} else if (strcmp(name, "exclude_caches") == 0) {
		s->given |= MANAGER_GIVEN_EXCLUDE_CACHES;
		take_bool(check, key, &s->exclude_caches);
	} else {
		assert(strcmp(name, "one_file_system") == 0);
		s->given |= MANAGER_GIVEN_ONE_FILE_SYSTEM;
		take_bool(check, key, &s->one_file_system);
	}
}

/* The n-th element of an array of the configuration, zeroed; it grows by one. */
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

static void check_title(struct check *check, const char *kind, bool glob)
{
	const struct manager_section *s = check->section;
	char text[SHOWN];

	if (glob ? !is_glob(s->title) : !ok_name(s->title))
		wrong_at(check, s->file, s->line, "%s \"%s\": not a name: " NAME_RULE "%s", kind,
			shown(text, s->title), glob ? "; '*' stands for any part of one" : "");
}

static void wrong_twice(struct check *check, const char *kind, const char *file, unsigned line)
{
	const struct manager_section *s = check->section;
	char text[SHOWN];

	wrong_at(check, s->file, s->line, "%s \"%s\" is given twice, first at %s:%u", kind,
		s->title != NULL ? shown(text, s->title) : "", file, line);
}

static void take_job(struct check *check)
{
	struct manager_config *config = check->config;
	const struct manager_section *s = check->section;
	struct manager_config_job *job;
	size_t i;

	for (i = 0; i < config->job_count; i++)
		if (strcmp(config->jobs[i].name, s->title) == 0)
			wrong_twice(check, "job", config->jobs[i].file, config->jobs[i].line);
	job = add(check, &config->jobs, &config->job_count, sizeof *job);
	if (job == NULL)
		return;
	job->name = s->title;
	job->file = s->file;
	job->line = s->line;
	job->enabled = true;
	check_title(check, "job", false);
	for (i = 0; i < s->count; i++) {
		const struct manager_key *key = &s->keys[i];

		if (strcmp(key->name, "agents") == 0)
			take_list(check, key, is_glob,
				"an agent's name, in which '*' can stand for any part: " NAME_RULE,
				MANAGER_PATHS_MAX, &job->agents);
		else if (strcmp(key->name, "paths") == 0)
			take_list(check, key, ok_path, "an absolute path", MANAGER_PATHS_MAX,
				&job->paths);
		else if (strcmp(key->name, "enabled") == 0)
			take_bool(check, key, &job->enabled);
		else
			take_shared(check, key, &job->settings);
	}
	if (job->agents.items == NULL)
		wrong_at(check, s->file, s->line, "job \"%s\": agents are missing", s->title);
	if (job->paths.items == NULL)
		wrong_at(check, s->file, s->line, "job \"%s\": paths are missing", s->title);
}

static void take_agent(struct check *check)
{
	struct manager_config *config = check->config;
	const struct manager_section *s = check->section;
	struct manager_config_agent *agent;
	size_t i;

	for (i = 0; i < config->agent_count; i++)
		if (strcmp(config->agents[i].name, s->title) == 0)
			wrong_twice(check, "agent", config->agents[i].file, config->agents[i].line);
	agent = add(check, &config->agents, &config->agent_count, sizeof *agent);
	if (agent == NULL)
		return;
	agent->name = s->title;
	agent->file = s->file;
	agent->line = s->line;
	check_title(check, "agent", true);
	for (i = 0; i < s->count; i++) {
		if (strcmp(s->keys[i].name, "expect") == 0)
			take_duration(check, &s->keys[i], &agent->expect_sec);
		else
			take_shared(check, &s->keys[i], &agent->settings);
	}
}

/* A store, or a manager: a name, and where it is. */
static void take_peer(struct check *check, struct manager_config_store **peers, size_t *count)
{
	const struct manager_section *s = check->section;
	const char *kind = rules[s->rule].kind;
	struct manager_config_store *peer;
	size_t i;

	for (i = 0; i < *count; i++)
		if (strcmp((*peers)[i].name, s->title) == 0)
			wrong_twice(check, kind, (*peers)[i].file, (*peers)[i].line);
	peer = add(check, peers, count, sizeof *peer);
	if (peer == NULL)
		return;
	peer->name = s->title;
	peer->file = s->file;
	peer->line = s->line;
	check_title(check, kind, false);
	for (i = 0; i < s->count; i++)
		take_address(check, &s->keys[i], &peer->address);
}

static void take_alarm(struct check *check)
{
	const struct manager_section *s = check->section;
	size_t i;

	for (i = 0; i < s->count; i++)
		take_path(check, &s->keys[i],
			strcmp(s->keys[i].name, "hook") == 0 ? &check->config->alarm_hook
							     : &check->config->metrics);
}

static void take_section(struct check *check)
{
	struct manager_config *config = check->config;
	const struct manager_section *s = check->section;
	bool *once = s->rule == RULE_DEFAULTS ? &config->has_defaults : &config->has_alarm;
	size_t i;

	switch (s->rule) {
	case RULE_JOB:
		take_job(check);
		return;
	case RULE_AGENT:
		take_agent(check);
		return;
	case RULE_STORE:
		take_peer(check, &config->stores, &config->store_count);
		return;
	case RULE_MANAGER:
		take_peer(check, &config->managers, &config->manager_count);
		return;
	default:
		break;
	}
	if (*once)
		wrong_at(check, s->file, s->line, "section '%s' is given twice",
			rules[s->rule].kind);
	*once = true;
	if (s->rule == RULE_ALARM) {
		take_alarm(check);
		return;
	}
	for (i = 0; i < s->count; i++)
		take_shared(check, &s->keys[i], &config->defaults);
}

/* ---- what spans sections ---- */

static bool has_item(const struct manager_list *list, const char *item)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (strcmp(list->items[i], item) == 0)
			return true;
	return false;
}

/* The stores that can be named: those of `defaults`, and those with a section. */
static int collect_stores(struct manager_config *config)
{
	size_t i, n = config->defaults.stores.count + config->store_count;
	struct manager_list *all = &config->all_stores;

	all->items = calloc(n + 1, sizeof *all->items);
	if (all->items == NULL)
		return -1;
	for (i = 0; i < config->defaults.stores.count; i++)
		all->items[all->count++] = config->defaults.stores.items[i];
	for (i = 0; i < config->store_count; i++)
		if (!has_item(all, config->stores[i].name))
			all->items[all->count++] = config->stores[i].name;
	return 0;
}

static void check_stores(struct check *check, const char *kind, const char *name, const char *file,
	unsigned line, const struct manager_list *stores)
{
	size_t i;

	for (i = 0; i < stores->count; i++)
		if (!has_item(&check->config->all_stores, stores->items[i]))
			wrong_at(check, file, line,
				"%s \"%s\": unknown store '%s' (name it in defaults, or add "
				"'store \"%s\" { }')",
				kind, name, stores->items[i], stores->items[i]);
}

/* What a job says together with the defaults, and with an agent section that is
 * for one of its agents (NULL: none). Returns whether it is right. */
static bool check_job(struct check *check, const struct manager_config_job *job,
	const struct manager_config_agent *agent)
{
	struct manager_settings s;
	char by[NAME_LEN_MAX + 16] = "";
	bool ok = true;

	if (manager_inner_merge(check->config, agent, job, &s) != 0) {
		check->no_memory = true;
		return false;
	}
	if (agent != NULL)
		snprintf(by, sizeof by, " (on agent \"%s\")", agent->name);
	if (s.schedule == NULL) {
		wrong_at(check, job->file, job->line, "job \"%s\"%s: a schedule is missing",
			job->name, by);
		ok = false;
	}
	if (s.stores.count == 0) {
		wrong_at(check, job->file, job->line, "job \"%s\"%s: stores are missing", job->name,
			by);
		ok = false;
	} else if ((size_t)s.copies > s.stores.count) {
		wrong_at(check, job->file, job->line,
			"job \"%s\"%s: %lld copies need more than %zu store%s", job->name, by,
			(long long)s.copies, s.stores.count, s.stores.count == 1 ? "" : "s");
		ok = false;
	}
	if (s.unencrypted && s.recipients.count > 0) {
		wrong_at(check, job->file, job->line,
			"job \"%s\"%s: has recipients, and is unencrypted", job->name, by);
		ok = false;
	}
	if (s.exclude.count > MANAGER_PATHS_MAX) {
		wrong_at(check, job->file, job->line,
			"job \"%s\"%s: %zu patterns, at most %d are possible", job->name, by,
			s.exclude.count, MANAGER_PATHS_MAX);
		ok = false;
	}
	free(s.exclude.items);
	return ok;
}

static bool may_be_for(
	const struct manager_config_job *job, const struct manager_config_agent *agent)
{
	size_t i;

	for (i = 0; i < job->agents.count; i++)
		if (manager_glob_match(job->agents.items[i], agent->name))
			return true;
	return false;
}

static void check_whole(struct check *check)
{
	struct manager_config *config = check->config;
	size_t i, k;

	if (collect_stores(config) != 0) {
		check->no_memory = true;
		return;
	}
	for (i = 0; i < config->agent_count; i++)
		check_stores(check, "agent", config->agents[i].name, config->agents[i].file,
			config->agents[i].line, &config->agents[i].settings.stores);
	for (i = 0; i < config->job_count && !check->no_memory; i++) {
		const struct manager_config_job *job = &config->jobs[i];

		check_stores(check, "job", job->name, job->file, job->line, &job->settings.stores);
		if (!check_job(check, job, NULL))
			continue;
		for (k = 0; k < config->agent_count; k++)
			if (may_be_for(job, &config->agents[k]))
				check_job(check, job, &config->agents[k]);
	}
}

/* ---- loading ---- */

/* Reads one more text into the configuration. */
static void take_text(
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
	for (i = 0; i < file->count && !check->no_memory; i++) {
		check->section = &file->sections[i];
		take_section(check);
	}
}

/* Makes of the check's result what the interface returns. */
static int finish(struct check *check, struct manager_config **config, struct err *err)
{
	if (!check->no_memory)
		check->no_memory = manager_inner_zone(check->config, "UTC", err) == NULL;
	if (!check->wrong && !check->no_memory)
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
		.problem = problem, .ctx = ctx, .config = calloc(1, sizeof *check.config)};
	size_t i;

	if (check.config == NULL)
		return err_set(err, ERR_NOMEM, "configuration: out of memory");
	for (i = 0; i < count && !check.no_memory; i++)
		take_text(&check, names[i], texts[i], strlen(texts[i]), err);
	return finish(&check, config, err);
}

static int load_file(struct check *check, const char *path, char *mem, struct err *err)
{
	size_t len;

	if (file_read(path, mem, MANAGER_SYNTAX_MAX, &len, NULL, err) != 0)
		return -1;
	take_text(check, path, mem, len, err);
	return 0;
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

/* conf.d beside the file; it need not be there. */
static int load_folder(struct check *check, const char *path, char *mem, struct err *err)
{
	const char *slash = strrchr(path, '/');
	int i, n, ret = 0, dir_len = slash != NULL ? (int)(slash - path) + 1 : 0;
	struct dirent **entries = NULL;
	char *folder = NULL, *file;

	if (asprintf(&folder, "%.*sconf.d", dir_len, path) < 0)
		return err_set(err, ERR_NOMEM, "configuration: out of memory");
	n = scandir(folder, &entries, is_conf, by_name);
	if (n < 0 && errno != ENOENT)
		ret = err_errno(err, errno, "%s", folder);
	if (n > MANAGER_CONFIG_FILES_MAX)
		ret = err_set(
			err, ERR_LIMIT, "%s: more than %d files", folder, MANAGER_CONFIG_FILES_MAX);
	for (i = 0; i < n; i++) {
		if (ret == 0 && asprintf(&file, "%s/%s", folder, entries[i]->d_name) >= 0) {
			ret = load_file(check, file, mem, err);
			free(file);
		}
		free(entries[i]);
	}
	free(entries);
	free(folder);
	return ret;
}

int manager_config_load(struct manager_config **config, const char *path, manager_problem *problem,
	void *ctx, struct err *err)
{
	struct check check = {
		.problem = problem, .ctx = ctx, .config = calloc(1, sizeof *check.config)};
	char *mem = malloc(MANAGER_SYNTAX_MAX);
	int ret = -1;

	if (check.config == NULL || mem == NULL) {
		err_set(err, ERR_NOMEM, "configuration: out of memory");
		manager_config_free(check.config);
	} else if (load_file(&check, path, mem, err) != 0 ||
		   load_folder(&check, path, mem, err) != 0) {
		manager_config_free(check.config);
	} else {
		ret = finish(&check, config, err);
	}
	free(mem);
	return ret;
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
