/*
 * The agent's side of the calls with its managers, over the uplink (cmd/manager/uplink.h): it says
 * hello, gets the plan from the manager that the agent follows, and reports the journal to all
 * managers.
 *
 *   agent_managers_new -> callbacks ...; agent_managers_report after each record -> _free
 *
 * Loop thread only.
 */
#ifndef FDUMP_CMD_AGENT_MANAGERS_H
#define FDUMP_CMD_AGENT_MANAGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/uplink.h"

struct agent_jobs;
struct agent_managers;
struct agent_notes;
struct err;
struct rpc_service;
struct rpc_tls_conf;

struct agent_managers_opts {
	struct manager_uplink_opts uplink; /* its callbacks and .ctx are set here */
	struct agent_notes *notes;         /* borrowed, like everything else */
	const struct agent_jobs *jobs;     /* a hello carries the digest of their plan */
	void (*renewed)(void *ctx);        /* as in manager_uplink_opts */
	void *renewed_ctx;
	void *ctx;
	/* Whether to get a manager's plan, which has this digest. */
	bool (*wants)(void *ctx, const uint8_t digest[MANAGER_DIGEST_LEN]);
	/* Called with the encoded plan that a manager sent; borrowed for the call. */
	void (*plan)(void *ctx, const char *manager, const void *bytes, size_t len);
};

/* NULL with err set. */
struct agent_managers *agent_managers_new(const struct agent_managers_opts *opts, struct err *err);
void agent_managers_free(struct agent_managers *managers);

/* Sends each manager the records that it lacks. managers: a struct agent_managers; NULL does
 * nothing. */
void agent_managers_report(void *managers);
/* Something that a hello contains has changed: says hello again soon. */
void agent_managers_changed(struct agent_managers *managers);
/* Tells all connected managers the progress of a job's run. managers: a struct agent_managers. */
void agent_managers_progress(void *managers, const char *job, uint64_t bytes, uint64_t entries);
/* As manager_uplink_conf. */
void agent_managers_conf(struct agent_managers *managers, struct rpc_tls_conf *conf);

#endif
