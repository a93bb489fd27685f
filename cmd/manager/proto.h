/*
 * What managers, agents, stores and operators ask of one another: methods, their parameters and
 * results. rpc/PROTOCOL.md has the same in CDDL. Pure.
 *
 * A manager is dialled by everybody, and dials nobody: what it wants of an agent it asks on the
 * connection that the agent made.
 */
#ifndef FDUMP_CMD_MANAGER_PROTO_H
#define FDUMP_CMD_MANAGER_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/report.h"
#include "lib/buf.h"
#include "lib/name.h"
#include "rpc/identity.h"
#include "rpc/param.h"

#define MANAGER_PORT        "7420"
#define MANAGER_ENROLL_PORT "7422"

enum manager_method {
	/* Asked by agents and stores. */
	MANAGER_METHOD_HELLO = 64,    /* hello -> welcome */
	MANAGER_METHOD_PLAN = 65,     /* {} -> {}, blob: the agent's plan (plan.h) */
	MANAGER_METHOD_REPORT = 66,   /* report_fields, blob: frames (report.h) -> acked_fields */
	MANAGER_METHOD_PROGRESS = 67, /* NOTIFY: progress_fields */
	/* Asked of agents. */
	MANAGER_METHOD_PLAN_CHANGED = 80, /* NOTIFY: {} */
	MANAGER_METHOD_RUN = 81,          /* job_fields -> {}: run a job now, as a person wished */
	MANAGER_METHOD_CANCEL = 82,       /* job_fields -> {}: end its run */
	MANAGER_METHOD_HOLD = 83,         /* job_fields -> {}: nothing runs until released */
	MANAGER_METHOD_RELEASE = 84,      /* job_fields -> {} */
	/* Asked by operators. */
	MANAGER_METHOD_STATUS = 96,
	MANAGER_METHOD_HOSTS = 97,
	MANAGER_METHOD_JOBS = 98,
	MANAGER_METHOD_RUNS = 99,
	MANAGER_METHOD_TOKEN = 100,
	MANAGER_METHOD_REVOKE = 101,
	MANAGER_METHOD_ORDER = 102, /* one of the orders above, to agents */
};

#define MANAGER_HELLO_MAX   1024
#define MANAGER_REPORT_MAX  (1u << 20) /* bytes of frames in one report */
#define MANAGER_VERSION_MAX 64
#define MANAGER_DENIED_MAX  500 /* host ids in a welcome; more follow in further ones */
#define MANAGER_WELCOME_MAX 15000
#define MANAGER_BOOT_LEN    8

enum { MANAGER_REPORT_JOURNAL, MANAGER_REPORT_FIRST, MANAGER_REPORT_FIELDS };
enum { MANAGER_ACKED_NUMBER, MANAGER_ACKED_FIELDS };
enum { MANAGER_JOB_JOB, MANAGER_JOB_FIELDS };
enum {
	MANAGER_PROGRESS_JOB,
	MANAGER_PROGRESS_BYTES,
	MANAGER_PROGRESS_ENTRIES,
	MANAGER_PROGRESS_FIELDS
};
extern const struct rpc_field manager_hello_fields[], manager_welcome_fields[],
	manager_report_fields[], manager_acked_fields[], manager_job_fields[],
	manager_progress_fields[];

/* What an agent or a store says when its connection is up, and again when something of it has
 * changed. */
struct manager_hello {
	char version[MANAGER_VERSION_MAX + 1];
	uint8_t boot[MANAGER_BOOT_LEN]; /* random, of this start of the machine: two at once are
					   a cloned agent */
	int64_t clock;
	/* Of an agent. */
	bool has_journal;
	uint8_t journal[MANAGER_RUN_LEN];
	uint64_t number;                /* of its last record */
	char follows[NAME_LEN_MAX + 1]; /* the manager whose plan it has; "": none */
	bool has_digest;
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of that plan */
	/* Of a store. */
	bool is_store;
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
	char address[MANAGER_TEXT_MAX +
		     1]; /* HOST[:PORT] that agents dial; "": where it came from */
	uint64_t free;
};

struct manager_welcome {
	int64_t clock;
	uint64_t acked;  /* the last record of this journal that the manager has; 0: none */
	bool has_digest; /* of the agent's plan, as this manager has it */
	uint8_t digest[MANAGER_DIGEST_LEN];
	/* Who this manager denies: host ids of RPC_HOST_LEN digits, one after the other. */
	const char *denied;
	size_t denied_count;
	struct rpc_value stores; /* the fleet's: a list, for manager_welcome_store */
};

/* Each appends the encoded map to buf. Returns 0, or -1 with err set. */
int manager_hello_put(struct buf *buf, const struct manager_hello *hello, struct err *err);
/* stores: those that are known by uid, key and address; as many as fit. */
int manager_welcome_put(struct buf *buf, const struct manager_welcome *welcome,
	const struct manager_plan_store *stores, size_t store_count, struct err *err);
/* From the values of manager_hello_fields; from bytes, which *welcome borrows from. */
void manager_hello_get(struct manager_hello *hello, const struct rpc_value *values);
int manager_welcome_get(
	struct manager_welcome *welcome, const void *bytes, size_t len, struct err *err);
/* Takes the next store; its texts are in `text`. Returns false at the end. */
struct manager_store_text {
	char name[NAME_LEN_MAX + 1], address[MANAGER_TEXT_MAX + 1];
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
};
bool manager_welcome_store(struct manager_welcome *welcome, struct manager_store_text *store);

#endif
