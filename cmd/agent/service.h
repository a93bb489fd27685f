/*
 * The agent service: asks its managers for the plan, schedules itself by it, runs its jobs as child
 * processes (runs.h), keeps a journal (journal.h), and reports it to every manager (managers.h).
 *
 *   agent_service_new -> ... -> agent_service_free
 *
 * All from the loop's thread; the journal, the plan and the other small files are written there
 * too. With no manager reachable it goes on by the plan that it has. What no plan can change is
 * struct agent_own (jobs.h).
 */
#ifndef FDUMP_CMD_AGENT_SERVICE_H
#define FDUMP_CMD_AGENT_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/agent/jobs.h"
#include "cmd/agent/runs.h"
#include "cmd/manager/uplink.h"

struct agent_service;
struct err;
struct rpc_tls_conf;

struct agent_service_opts {
	struct manager_uplink_opts uplink; /* its callbacks, .ctx and .service are set here */
	struct agent_place place;
	const char *dir;         /* the agent's own: STATE/agent */
	const char *stores_path; /* what managers tell of stores is kept there */
	struct agent_own own;
	void *ctx;
	/* priority: as syslog's. */
	void (*log)(void *ctx, int priority, const char *text);
	void (*renewed)(void *ctx); /* as manager_uplink_opts has it */
};

/* All is borrowed. NULL with err set. */
struct agent_service *agent_service_new(const struct agent_service_opts *opts, struct err *err);
void agent_service_conf(struct agent_service *service, struct rpc_tls_conf *conf);
/* Starts nothing more, and cancels the runs. idle: once, when none is left; perhaps from inside. */
void agent_service_shutdown(struct agent_service *service, void (*idle)(void *ctx));
void agent_service_free(struct agent_service *service);

#endif
