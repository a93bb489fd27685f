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
#include "cmd/manager/row.h"
#include "lib/buf.h"
#include "lib/cbormap.h"
#include "lib/name.h"
#include "rpc/identity.h"

#define MANAGER_PORT        "7420"
#define MANAGER_ENROLL_PORT "7422"

enum manager_method {
	/* Asked by agents and stores. */
	MANAGER_METHOD_HELLO = 64,    /* hello -> welcome */
	MANAGER_METHOD_PLAN = 65,     /* {} -> {}, blob: the agent's plan (plan.h) */
	MANAGER_METHOD_REPORT = 66,   /* report_fields, blob: frames (report.h) -> acked_fields */
	MANAGER_METHOD_PROGRESS = 67, /* NOTIFY: progress_fields */
	/* Asked of agents, the first of stores too. */
	MANAGER_METHOD_PLAN_CHANGED = 80, /* NOTIFY: {}: say hello again, there is something new */
	MANAGER_METHOD_RUN = 81,          /* job_fields -> {}: run a job now, as a person wished */
	MANAGER_METHOD_CANCEL = 82,       /* job_fields -> {}: end its run */
	MANAGER_METHOD_HOLD = 83,         /* job_fields -> {}: nothing runs until released */
	MANAGER_METHOD_RELEASE = 84,      /* job_fields -> {} */
	/* Asked by operators. Rows (row.h) come as a blob, one after the other. */
	MANAGER_METHOD_STATUS =
		96,                /* runs_fields (no count) -> listing, blob: manager_status_row */
	MANAGER_METHOD_HOSTS = 97, /* hosts_fields -> listing, blob: manager_host_row */
	MANAGER_METHOD_RUNS =
		99, /* runs_fields -> listing, blob: manager_run_row, the newest first */
	MANAGER_METHOD_TOKEN = 100,   /* token_fields -> token_result */
	MANAGER_METHOD_REVOKE = 101,  /* revoke_fields -> {} */
	MANAGER_METHOD_ORDER = 102,   /* order_fields -> listing, blob: manager_order_row */
	MANAGER_METHOD_ALARMS = 103,  /* {} -> listing, blob: manager_alarm_row, critical first */
	MANAGER_METHOD_FLEET = 104,   /* {} -> welcome, of which stores and managers count */
	MANAGER_METHOD_REPLACE = 105, /* replace_fields -> {}: a new machine may take the name */
};

#define MANAGER_HELLO_MAX     1024
#define MANAGER_REPORT_MAX    (1u << 20) /* bytes of frames in one report */
#define MANAGER_VERSION_MAX   64
#define MANAGER_DENIED_MAX    280 /* host ids in a welcome: the newest */
#define MANAGER_WELCOME_MAX   15000
#define MANAGER_PEERS_MAX     16 /* managers in a welcome */
#define MANAGER_HOST_PORT     261
#define MANAGER_LISTING_MAX   (64u << 20) /* bytes of the rows that an operator gets */
#define MANAGER_RUNS_MAX      100000
#define MANAGER_TOKEN_SEC_MAX (7 * 86400) /* a token is good for so long at most */
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
/* Of operators. */
enum { MANAGER_LISTING_NOW, MANAGER_LISTING_MANAGER, MANAGER_LISTING_FIELDS };
enum { MANAGER_HOSTS_AGENT, MANAGER_HOSTS_FIELDS };
enum { MANAGER_RUNS_AGENT, MANAGER_RUNS_JOB, MANAGER_RUNS_COUNT, MANAGER_RUNS_FIELDS };
enum {
	MANAGER_TOKEN_ROLE,
	MANAGER_TOKEN_NAME,
	MANAGER_TOKEN_REPLACE,
	MANAGER_TOKEN_VALID, /* seconds */
	MANAGER_TOKEN_HASH,  /* of a token that who holds the root's key has made, */
	MANAGER_TOKEN_HOST,  /* and the host id that will be given */
	MANAGER_TOKEN_FIELDS
};
/* The token; or, if its hash was given, what it needs beside: whom to ask, and where. */
enum { MANAGER_MADE_TOKEN, MANAGER_MADE_MANAGER, MANAGER_MADE_ADDRESS, MANAGER_MADE_FIELDS };
enum {
	MANAGER_REVOKE_ROLE,
	MANAGER_REVOKE_NAME,
	MANAGER_REVOKE_HOST, /* the host id; absent: the one that is known by this name */
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
	MANAGER_ORDER_AGENT, /* absent: all that have the job */
	MANAGER_ORDER_FIELDS
};
extern const struct cbormap_field manager_listing_fields[], manager_hosts_fields_in[],
	manager_runs_fields_in[], manager_token_fields_in[], manager_made_fields[],
	manager_revoke_fields[], manager_replace_fields[], manager_order_fields_in[];
extern const struct cbormap_field manager_hello_fields[], manager_welcome_fields[],
	manager_report_fields[], manager_acked_fields[], manager_job_fields[],
	manager_started_fields[], manager_progress_fields[];

/* What an agent or a store says when its connection is up, and again when something of it has
 * changed. */
struct manager_hello {
	char version[MANAGER_VERSION_MAX + 1];
	uint8_t boot[MANAGER_BOOT_LEN]; /* random, of this start of the machine: two at once are
					   a cloned agent */
	int64_t clock;
	int64_t expires; /* its certificate; 0: not known */
	/* Of an agent. */
	uint8_t journal[MANAGER_RUN_LEN];   /* zeros: none */
	uint64_t number;                    /* of its last record */
	char follows[NAME_LEN_MAX + 1];     /* the manager whose plan it has; "": none */
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of that plan; zeros: none */
	/* Of a store; zeros: it is none. */
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
	char address[MANAGER_TEXT_MAX +
		     1];     /* HOST[:PORT] that agents dial, or :PORT at where it came from */
	uint64_t size, used; /* bytes: of its disk, and of its data */
	uint64_t free;       /* that it may still take */
	uint64_t damaged;    /* chunks and dumps that are damaged or missing, as far as it knows */
	char fault[MANAGER_FAULT_MAX + 1]; /* why it ends now; "": it does not */
};

struct manager_welcome {
	int64_t clock;
	/* The last record of this journal that the manager has, perhaps not durably yet: it can
	 * lack what it acknowledged earlier, for it lost its state. 0: none. */
	uint64_t acked;
	bool has_digest; /* of the agent's plan, as this manager has it */
	uint8_t digest[MANAGER_DIGEST_LEN];
	/* Who this manager denies: host ids of RPC_HOST_LEN digits, one after the other. */
	const char *denied;
	size_t denied_count;
	struct cbormap_value stores;   /* the fleet's: a list, for manager_welcome_store */
	struct cbormap_value managers; /* likewise, for manager_welcome_manager */
};

/* A manager, and where agents and stores reach it. */
struct manager_peer {
	char name[NAME_LEN_MAX + 1];
	char address[MANAGER_HOST_PORT + 1]; /* HOST:PORT */
};

/* Each appends the encoded map to buf. Returns 0, or -1 with err set. */
int manager_hello_put(struct buf *buf, const struct manager_hello *hello, struct err *err);
/* stores: all with uid, key and address; as many as fit. managers: at most MANAGER_PEERS_MAX. */
int manager_welcome_put(struct buf *buf, const struct manager_welcome *welcome,
	const struct manager_plan_store *stores, size_t store_count,
	const struct manager_peer *managers, size_t manager_count, struct err *err);
/* *welcome borrows from the bytes. Returns 0, or -1 with err set. */
int manager_welcome_get(
	struct manager_welcome *welcome, const void *bytes, size_t len, struct err *err);
/* Takes the next store; its texts are in `text`. Returns false at the end. */
struct manager_store_text {
	char name[NAME_LEN_MAX + 1], address[MANAGER_TEXT_MAX + 1];
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
};
bool manager_welcome_store(struct manager_welcome *welcome, struct manager_store_text *store);
/* The same of managers. */
bool manager_welcome_manager(struct manager_welcome *welcome, struct manager_peer *manager);

#endif
