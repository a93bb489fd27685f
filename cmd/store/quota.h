/*
 * Quotas: how many bytes agents may use, and how many they do use.
 */
#ifndef FDUMP_CMD_STORE_QUOTA_H
#define FDUMP_CMD_STORE_QUOTA_H

#include "cmd/store/engine.h"

/* Loads the file of quotas, if there is one. Returns 0, or -1 with err set: ERR_CONFIG. */
int engine_quotas_load(struct engine *s, struct err *err);
/* Frees them. */
void engine_quotas_drop(struct engine *s);
/* Forgets how much agents use, so that it is counted again: after gc. */
void engine_quotas_forget(struct engine *s);
/* The age in seconds below which a dump can't be deleted; 0: none. */
int64_t engine_min_age(struct engine *s);
/* Counts `more` bytes that an agent puts into a domain. 0 counts the domain itself, if it is new to
 * the agent. Call with s->writer held. Returns 0, or -1 with err set: ERR_NOSPACE. */
int engine_quota_take(struct engine *s, const char *agent, size_t agent_len, uint32_t domain,
	uint64_t more, struct err *err);

#endif
