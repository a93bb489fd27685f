/*
 * What the pure files share: config.c, cut.c, watch.c, trouble.c.
 */
#ifndef FDUMP_CMD_MANAGER_INNER_H
#define FDUMP_CMD_MANAGER_INNER_H

#include <stdbool.h>

#include "cmd/manager/config.h"

/* What a job says on agents that this section (NULL: none) is for: the defaults, then the section,
 * then the job. All is borrowed except for out->exclude.items, which the caller frees. Returns 0,
 * or -1: no memory. */
int manager_inner_merge(const struct manager_config *config,
	const struct manager_config_section *agent, const struct manager_config_section *job,
	struct manager_plan_job *out);

/* "3d 4h", "12m": of the two largest units. Returns text. */
#define MANAGER_AGE_MAX 32
const char *manager_inner_age(char text[MANAGER_AGE_MAX], int64_t sec);

#endif
