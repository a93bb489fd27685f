/*
 * The command line of a job: `fdump backup` with all that the plan and the agent's own file say.
 *
 *   agent_command_make -> agent_command_free
 */
#ifndef FDUMP_CMD_AGENT_COMMAND_H
#define FDUMP_CMD_AGENT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"

struct err;

/* Where the agent's things are; borrowed. */
struct agent_place {
	const char *program;        /* path of this executable */
	const char *config, *state; /* folders, as its children get them */
	const char *recipients;     /* folder of the pinned public keys, NAME.pub */
	const char *hooks;          /* folder of the hooks */
	bool accept_hidden;         /* --accept-hidden */
};

/* What is run: a job of a plan, for a slot. */
struct agent_order {
	const struct manager_plan_job *job;
	int64_t slot;        /* 0: by order */
	const uint8_t *plan; /* its digest, MANAGER_DIGEST_LEN bytes */
};

/* Ended by NULL. NULL with err set: out of memory. */
char **agent_command_make(const struct agent_place *place, const char *agent,
	const struct agent_order *order, struct err *err);
void agent_command_free(char **argv);

#endif
