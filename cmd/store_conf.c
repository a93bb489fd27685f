/* Reads store.conf, whose syntax is that of manager.conf. */
#include "cmd/store_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cmd/manager/syntax.h"
#include "cmd/store/proto.h"
#include "cmd/store/service.h"
#include "cmd/ui/conf.h"
#include "lib/err.h"
#include "lib/name.h"
#include "lib/size.h"

enum { STORE, AGENT };
/* clang-format off */
#define KEY(key, kind, member) {.name = (key), .type = (kind), \
	.at = offsetof(struct cmd_store_conf, member), \
	.size = sizeof(((struct cmd_store_conf *)0)->member)}
/* clang-format on */
#define TEXT(member) KEY(#member, NULL, member)
static const struct manager_syntax_key store_keys[] = {TEXT(path), TEXT(listen), TEXT(address),
	TEXT(gc), TEXT(scrub), TEXT(zone), TEXT(quota),
	KEY("min_age", ui_conf_time, limits.min_age_sec),
	KEY("lock_max", ui_conf_time, lock_max_sec), {0}};
static const struct manager_syntax_key agent_keys[] = {{.name = "quota"}, {0}};
static const struct manager_syntax_rule rules[] = {{.kind = "store", .keys = store_keys},
	{.kind = "agent", .titled = true, .keys = agent_keys}, {0}};

/* Parses a quota: a size, a share of the file system, or none. Returns 0 or -1. */
static int get_quota(const struct cmd_store_conf *c, const char *text, uint64_t *bytes)
{
	struct statvfs vfs;
	char *end;
	long percent = strtol(text, &end, 10);

	*bytes = ENGINE_QUOTA_NONE;
	if (strcmp(text, "none") == 0)
		return 0;
	if (end == text || strcmp(end, "%") != 0)
		return size_parse(text, bytes);
	if (percent < 1 || percent > 100 || statvfs(c->path, &vfs) != 0)
		return -1;
	*bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize / 100 * (uint64_t)percent;
	return 0;
}

static int take_agent(struct cmd_store_conf *c, const struct manager_section *section,
	const char *path, struct err *err)
{
	struct engine_agent_quota *grown, *q;
	size_t i = c->limits.count;

	if (!name_ok(section->title, strlen(section->title)))
		return err_set(err, ERR_CONFIG, "%s:%u: agent: " NAME_RULE, path, section->line);
	if (section->count == 0)
		return 0;
	grown = realloc((void *)(uintptr_t)c->limits.quotas, (i + 1) * sizeof *grown);
	if (grown == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	c->limits.quotas = grown;
	q = &grown[c->limits.count++];
	snprintf(q->agent, sizeof q->agent, "%s", section->title);
	if (get_quota(c, section->keys[0].values[0], &q->bytes) == 0)
		return 0;
	return err_set(err, ERR_CONFIG,
		"%s:%u: quota: expected a size as 10G, a share as 50%%, or none", path,
		section->keys[0].line);
}

static int take_store(struct cmd_store_conf *c, const struct manager_section *section,
	const char *path, struct err *err)
{
	if (ui_conf_take(c, section, err) != 0)
		return -1;
	if (c->path[0] == 0)
		return err_set(err, ERR_CONFIG,
			"%s: 'path' is missing: where the store's directory is", path);
	if (access(c->path, F_OK) != 0)
		return err_set(err, ERR_CONFIG,
			"%s: path: %s: %s (is its disk mounted? 'fdump store init' makes a new "
			"store)",
			path, c->path, strerror(errno));
	if (get_quota(c, c->quota, &c->limits.quota) != 0)
		return err_set(err, ERR_CONFIG,
			"%s: quota: expected a size as 10G, a share as 50%%, or none", path);
	return 0;
}

/* Applies the sections: the store's first, because agents' quotas may be shares of its disk. */
static int take(struct cmd_store_conf *c, const struct manager_syntax *syntax, const char *path,
	struct err *err)
{
	const struct manager_section none = {.rule = STORE}, *store = &none;
	size_t i;

	for (i = 0; i < syntax->count; i++)
		if (syntax->sections[i].rule == STORE)
			store = &syntax->sections[i];
	if (take_store(c, store, path, err) != 0)
		return -1;
	for (i = 0; i < syntax->count; i++)
		if (syntax->sections[i].rule == AGENT &&
			take_agent(c, &syntax->sections[i], path, err) != 0)
			return -1;
	return 0;
}

int cmd_store_conf_read(struct cmd_store_conf *conf, const char *folder, struct err *err)
{
	struct manager_syntax syntax;
	char path[4200];
	int ret;

	*conf = (struct cmd_store_conf){.listen = "[::]:" STORE_PORT,
		.gc = "~ 2 * * *",
		.scrub = "~ 3 * * 0",
		.quota = "50%",
		.lock_max_sec = STORE_LOCK_MAX_SEC};
	snprintf(path, sizeof path, "%.4096s/store.conf", folder);
	ret = ui_conf_read(&syntax, path, rules, ui_conf_problem, NULL, err);
	if (ret == 1)
		ret = err_set(err, ERR_CONFIG,
			"%s: not found: this store is not configured ('fdump setup' or 'fdump "
			"join' "
			"writes it)",
			path);
	if (ret == 0)
		ret = take(conf, &syntax, path, err);
	if (ret != 0)
		cmd_store_conf_free(conf);
	manager_syntax_free(&syntax);
	return ret;
}

void cmd_store_conf_free(struct cmd_store_conf *conf)
{
	free((void *)(uintptr_t)conf->limits.quotas);
	conf->limits.quotas = NULL;
	conf->limits.count = 0;
}
