/*
 * What agents may use, and use.
 */
#ifndef FDUMP_CMD_STORE_QUOTA_H
#define FDUMP_CMD_STORE_QUOTA_H

#include "cmd/store/engine.h"

/* The quotas' file. Returns 0, or -1 with err set. */
int engine_quotas_load(struct engine *s, struct err *err);
void engine_quotas_drop(struct engine *s);
/* What agents use is counted anew: gc has been. */
void engine_quotas_forget(struct engine *s);
/* How old a dump must be to be deleted. */
int64_t engine_min_age(struct engine *s);
/* By the writer: this agent puts so much more into a domain. Returns 0, or -1 with err set:
 * ERR_NOSPACE. */
int engine_quota_take(struct engine *s, const char *agent, size_t agent_len, uint32_t domain,
	uint64_t more, struct err *err);

#endif
