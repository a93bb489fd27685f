/*
 * The protocol between managers, agents, stores and operators: methods, their parameters and
 * results. rpc/PROTOCOL.md has the same in CDDL. Pure.
 *
 * Everyone dials the managers; a manager dials nobody. It sends its requests to an agent on the
 * connection that the agent made.
 */
#ifndef FDUMP_CMD_MANAGER_PROTO_H
#define FDUMP_CMD_MANAGER_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/report.h"
#include "cmd/manager/row.h"
#include "lib/buf.h"
#include "lib/cbormap.h"
#include "lib/name.h"
#include "rpc/identity.h"

#define MANAGER_PORT        "7420"
#define MANAGER_ENROLL_PORT "7422"

enum manager_method {
	/* Requests of agents and stores. */
	MANAGER_METHOD_HELLO = 64,    /* hello -> welcome */
	MANAGER_METHOD_PLAN = 65,     /* {} -> {}, blob: the agent's plan (plan.h) */
	MANAGER_METHOD_REPORT = 66,   /* report_fields, blob: frames (report.h) -> acked_fields */
	MANAGER_METHOD_PROGRESS = 67, /* NOTIFY: progress_fields */
	/* Requests to agents; the first one also to stores. */
	MANAGER_METHOD_PLAN_CHANGED = 80, /* NOTIFY {}: something has changed, say hello again */
	MANAGER_METHOD_RUN = 81,     /* job_fields -> started_fields: run a job now, for a person */
	MANAGER_METHOD_CANCEL = 82,  /* job_fields -> {}: end its run */
	MANAGER_METHOD_HOLD = 83,    /* job_fields -> {}: start no scheduled run until released */
	MANAGER_METHOD_RELEASE = 84, /* job_fields -> {} */
	/* Requests of operators. Rows (row.h) come as a blob, one after the other. */
	MANAGER_METHOD_STATUS =
		96,                /* runs_fields (no count) -> listing, blob: manager_status_row */
	MANAGER_METHOD_HOSTS = 97, /* hosts_fields -> listing, blob: manager_host_row */
	MANAGER_METHOD_RUNS = 99,  /* runs_fields -> listing, blob: manager_run_row, newest first */
	MANAGER_METHOD_TOKEN = 100,   /* token_fields -> made_fields */
	MANAGER_METHOD_REVOKE = 101,  /* revoke_fields -> {} */
	MANAGER_METHOD_ORDER = 102,   /* order_fields -> listing, blob: manager_order_row */
	MANAGER_METHOD_ALARMS = 103,  /* {} -> listing, blob: manager_alarm_row, critical first */
	MANAGER_METHOD_FLEET = 104,   /* {} -> welcome; only stores and managers matter */
	MANAGER_METHOD_REPLACE = 105, /* replace_fields -> {}: another machine may take the name */
};

#define MANAGER_HELLO_MAX     1024
#define MANAGER_REPORT_MAX    (1u << 20) /* bytes of frames in one report */
#define MANAGER_VERSION_MAX   64
#define MANAGER_DENIED_MAX    280 /* host ids in a welcome; the newest ones */
#define MANAGER_WELCOME_MAX   15000
#define MANAGER_PEERS_MAX     16 /* managers in a welcome */
#define MANAGER_HOST_PORT     261
#define MANAGER_LISTING_MAX   (64u << 20) /* bytes of the rows in an answer to an operator */
#define MANAGER_RUNS_MAX      100000
#define MANAGER_TOKEN_SEC_MAX (7 * 86400) /* longest validity of a token */
#define MANAGER_BOOT_LEN      8

enum { MANAGER_REPORT_JOURNAL, MANAGER_REPORT_FIRST, MANAGER_REPORT_FIELDS };
enum { MANAGER_ACKED_NUMBER, MANAGER_ACKED_FIELDS };
enum { MANAGER_STARTED_RUN, MANAGER_STARTED_FIELDS };
enum { MANAGER_JOB_JOB, MANAGER_JOB_FIELDS };
enum {
	MANAGER_PROGRESS_JOB,
	MANAGER_PROGRESS_BYTES,
	MANAGER_PROGRESS_ENTRIES,
	MANAGER_PROGRESS_FIELDS
};
/* Of operators' requests. */
enum { MANAGER_LISTING_NOW, MANAGER_LISTING_MANAGER, MANAGER_LISTING_FIELDS };
enum { MANAGER_HOSTS_AGENT, MANAGER_HOSTS_FIELDS };
enum { MANAGER_RUNS_AGENT, MANAGER_RUNS_JOB, MANAGER_RUNS_COUNT, MANAGER_RUNS_FIELDS };
enum {
	MANAGER_TOKEN_ROLE,
	MANAGER_TOKEN_NAME,
	MANAGER_TOKEN_REPLACE,
	MANAGER_TOKEN_VALID, /* seconds */
	MANAGER_TOKEN_HASH,  /* of a token that the holder of the root's key made, */
	MANAGER_TOKEN_HOST,  /* and the host id that the new machine will get */
	MANAGER_TOKEN_FIELDS
};
/* The token; or, if its hash was given, the manager to ask and its address. */
enum { MANAGER_MADE_TOKEN, MANAGER_MADE_MANAGER, MANAGER_MADE_ADDRESS, MANAGER_MADE_FIELDS };
enum {
	MANAGER_REVOKE_ROLE,
	MANAGER_REVOKE_NAME,
	MANAGER_REVOKE_HOST, /* the host id; absent: that of the machine known by this name */
	MANAGER_REVOKE_FIELDS
};
enum {
	MANAGER_REPLACE_ROLE, /* agent or store */
	MANAGER_REPLACE_NAME,
	MANAGER_REPLACE_VALID, /* seconds */
	MANAGER_REPLACE_FIELDS
};
enum {
	MANAGER_ORDER_METHOD, /* 81 to 84 */
	MANAGER_ORDER_JOB,
	MANAGER_ORDER_AGENT, /* absent: all agents that have the job */
	MANAGER_ORDER_FIELDS
};
extern const struct cbormap_field manager_listing_fields[], manager_hosts_fields_in[],
	manager_runs_fields_in[], manager_token_fields_in[], manager_made_fields[],
	manager_revoke_fields[], manager_replace_fields[], manager_order_fields_in[];
extern const struct cbormap_field manager_hello_fields[], manager_welcome_fields[],
	manager_report_fields[], manager_acked_fields[], manager_job_fields[],
	manager_started_fields[], manager_progress_fields[];

/* A hello: an agent or store sends it when its connection is up, and again when something in it has
 * changed. */
struct manager_hello {
	char version[MANAGER_VERSION_MAX + 1];
	uint8_t boot[MANAGER_BOOT_LEN]; /* random, new at each start of the machine: two values in
					   turn mean a cloned agent */
	int64_t clock;
	int64_t expires; /* when its certificate expires; 0: not known */
	/* Only agents. */
	uint8_t journal[MANAGER_RUN_LEN];   /* zeros: none */
	uint64_t number;                    /* number of its last record */
	char follows[NAME_LEN_MAX + 1];     /* the manager whose plan it uses; "": none */
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of that plan; zeros: none */
	/* Only stores; otherwise zeros. */
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
	char address[MANAGER_TEXT_MAX + 1]; /* HOST[:PORT] for agents to dial, or :PORT at the
					       address that it came from */
	uint64_t size, used;                /* bytes of its disk, and of its data */
	uint64_t free;                      /* bytes that it may still use */
	uint64_t damaged; /* damaged or missing chunks and dumps, as far as it knows */
	char fault[MANAGER_FAULT_MAX + 1]; /* why the service is ending; "": it is not */
};

struct manager_welcome {
	int64_t clock;
	/* The last record of this journal that the manager has, perhaps not durably yet. 0: none.
	 * It can be less than what the manager acknowledged before, if it has lost its state. */
	uint64_t acked;
	bool has_digest; /* the agent's plan on this manager has .digest */
	uint8_t digest[MANAGER_DIGEST_LEN];
	/* The host ids that this manager denies, RPC_HOST_LEN digits each, without separators. */
	const char *denied;
	size_t denied_count;
	struct cbormap_value stores;   /* a list of the fleet's stores, for manager_welcome_store */
	struct cbormap_value managers; /* a list of its managers, for manager_welcome_manager */
};

/* A manager, and its address for agents and stores. */
struct manager_peer {
	char name[NAME_LEN_MAX + 1];
	char address[MANAGER_HOST_PORT + 1]; /* HOST:PORT */
};

/* Each appends the encoded map to buf. Returns 0, or -1 with err set. */
int manager_hello_put(struct buf *buf, const struct manager_hello *hello, struct err *err);
/* stores: all must have uid, key and address; as many as fit are sent. managers: at most
 * MANAGER_PEERS_MAX. */
int manager_welcome_put(struct buf *buf, const struct manager_welcome *welcome,
	const struct manager_plan_store *stores, size_t store_count,
	const struct manager_peer *managers, size_t manager_count, struct err *err);
/* Decodes a welcome, which borrows from the bytes. Returns 0, or -1 with err set. */
int manager_welcome_get(
	struct manager_welcome *welcome, const void *bytes, size_t len, struct err *err);
/* Gets the next store from the list. Returns false at the end. */
struct manager_store_text {
	char name[NAME_LEN_MAX + 1], address[MANAGER_TEXT_MAX + 1];
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
};
bool manager_welcome_store(struct manager_welcome *welcome, struct manager_store_text *store);
/* The same for managers. */
bool manager_welcome_manager(struct manager_welcome *welcome, struct manager_peer *manager);

#endif
