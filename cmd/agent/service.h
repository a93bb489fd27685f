/*
 * The agent service: gets the plan from its managers, schedules itself by it, runs its jobs as
 * child processes (runs.h), keeps a journal (journal.h), and reports it to every manager
 * (managers.h).
 *
 *   agent_service_new -> ... -> agent_service_free
 *
 * Loop thread only; the journal, the plan and other small files are written in that thread, too. If
 * no manager can be reached, the agent goes on with the plan that it has. struct agent_own (jobs.h)
 * has the settings that no plan can change.
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
	const char *dir;         /* the agent's folder: STATE/agent */
	const char *stores_path; /* file for the stores' addresses and keys */
	struct agent_own own;
	void *ctx;
	/* priority: as in syslog. */
	void (*log)(void *ctx, int priority, const char *text);
	void (*renewed)(void *ctx); /* as in manager_uplink_opts */
};

/* Everything is borrowed. NULL with err set. */
struct agent_service *agent_service_new(const struct agent_service_opts *opts, struct err *err);
/* Sets a renewed certificate, for future connections. conf is borrowed. */
void agent_service_conf(struct agent_service *service, struct rpc_tls_conf *conf);
/* Starts no more runs, and cancels those in progress. idle: called once, when no run is left;
 * possibly before this returns. */
void agent_service_shutdown(struct agent_service *service, void (*idle)(void *ctx));
void agent_service_free(struct agent_service *service);

#endif
