/*
 * What the pure files share: config.c, cut.c, watch.c, trouble.c.
 */
#ifndef FDUMP_CMD_MANAGER_INNER_H
#define FDUMP_CMD_MANAGER_INNER_H

#include <stdbool.h>

#include "cmd/manager/config.h"

/* The zone, loaded now if it was not before. NULL with err set. */
const struct tz *manager_inner_zone(
	struct manager_config *config, const char *name, struct err *err);

/* What a job says on agents that this section (NULL: none) is for: the defaults,
 * then the section, then the job. All is borrowed but for s->exclude.items,
 * which the caller frees. Returns 0, or -1: no memory. */
int manager_inner_merge(const struct manager_config *config,
	const struct manager_config_agent *agent, const struct manager_config_job *job,
	struct manager_settings *s);

/* "3d 4h", "12m": of the two largest units. Returns text. */
#define MANAGER_AGE_MAX 32
const char *manager_inner_age(char text[MANAGER_AGE_MAX], int64_t sec);

#endif
