/*
 * The agent's talk with its managers, over the uplink (cmd/manager/uplink.h): says hello, asks the
 * manager that is followed for the plan, and reports the journal to all.
 *
 *   agent_managers_new -> callbacks ...; agent_managers_report after each record -> _free
 *
 * All from the loop's thread.
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
	struct agent_notes *notes;         /* borrowed, as all else */
	const struct agent_jobs *jobs;     /* hello says which plan they are of */
	void (*renewed)(void *ctx);        /* as manager_uplink_opts has it */
	void *renewed_ctx;
	void *ctx;
	/* Whether a plan that differs from that of .jobs, by its digest, should be asked for. */
	bool (*wants)(void *ctx, const uint8_t digest[MANAGER_DIGEST_LEN]);
	/* A plan has come. */
	void (*plan)(void *ctx, const char *manager, const void *bytes, size_t len);
};

/* NULL with err set. */
struct agent_managers *agent_managers_new(const struct agent_managers_opts *opts, struct err *err);
void agent_managers_free(struct agent_managers *managers);

/* Sends each manager the records that it lacks. managers: a struct agent_managers; NULL does
 * nothing. */
void agent_managers_report(void *managers);
/* Something that a hello says has changed: it is said again, soon. */
void agent_managers_changed(struct agent_managers *managers);
/* Tells all how far the run of a job is. managers: a struct agent_managers. */
void agent_managers_progress(void *managers, const char *job, uint64_t bytes, uint64_t entries);
/* As manager_uplink_conf. */
void agent_managers_conf(struct agent_managers *managers, struct rpc_tls_conf *conf);

#endif
