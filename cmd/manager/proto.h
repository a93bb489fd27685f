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
#include "rpc/ca.h"
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

/* Messages. Each has a table of its fields, by which manager_msg_put writes it and cbormap_read or
 * cbormap_store reads it. Members that were absent stay zero; "" and 0 are absent. */
struct manager_msg_report {
	uint8_t journal[MANAGER_RUN_LEN];
	uint64_t first; /* the number of the first record */
};
struct manager_msg_acked {
	uint64_t acked;
};
struct manager_msg_started {
	uint8_t run[MANAGER_RUN_LEN];
};
struct manager_msg_progress {
	char job[NAME_LEN_MAX + 1];
	uint64_t bytes, entries;
};
struct manager_msg_listing {
	int64_t now;
	char manager[NAME_LEN_MAX + 1];
};
/* Which jobs or runs are meant; each method has some of these. */
struct manager_msg_jobs {
	char agent[NAME_LEN_MAX + 1]; /* "": all agents, of an order: all that have the job */
	char job[NAME_LEN_MAX + 1];   /* "": all */
	uint64_t count;               /* at most this many runs; 0: 50 */
	uint64_t method;              /* of an order: 81 to 84 */
};
/* The machine or person that a token, a denial or a replacement is for; each has some of these. */
struct manager_msg_machine {
	char role[MANAGER_ROLE_MAX + 1], name[NAME_LEN_MAX + 1];
	bool replace;
	uint64_t valid;               /* seconds; 0: RPC_TOKEN_SEC */
	uint8_t hash[RPC_DIGEST_LEN]; /* of a token that the holder of the root's key made; zeros:
					 of none */
	/* The host id: of a token, the one that the new machine will get; of a denial, the one
	 * that is denied, "": that of the machine known by this name. */
	char host[RPC_HOST_LEN + 1];
};
/* The token, or "" if its hash was given; the manager to ask, and its address. */
struct manager_msg_made {
	char token[1024 + 1];
	char manager[NAME_LEN_MAX + 1], address[MANAGER_HOST_PORT + 1];
};
extern const struct cbormap_field manager_listing_fields[], manager_hosts_fields_in[],
	manager_runs_fields_in[], manager_token_fields_in[], manager_made_fields[],
	manager_revoke_fields[], manager_replace_fields[], manager_order_fields_in[];
extern const struct cbormap_field manager_hello_fields[], manager_welcome_fields[],
	manager_report_fields[], manager_acked_fields[], manager_job_fields[],
	manager_started_fields[], manager_progress_fields[];

/* Writes a message. Returns its length. */
#define MANAGER_MSG_MAX (MANAGER_HELLO_MAX + MANAGER_TEXT_MAX)
size_t manager_msg_put(
	uint8_t mem[MANAGER_MSG_MAX], const struct cbormap_field *fields, const void *msg);

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

/* A manager, and its address for agents and stores. */
struct manager_peer {
	char name[NAME_LEN_MAX + 1];
	char address[MANAGER_HOST_PORT + 1]; /* HOST:PORT */
};

struct manager_store_text {
	char name[NAME_LEN_MAX + 1], address[MANAGER_TEXT_MAX + 1];
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
};

struct manager_welcome {
	int64_t clock;
	/* The last record of this journal that the manager has, perhaps not durably yet. 0: none.
	 * It can be less than what the manager acknowledged before, if it has lost its state. */
	uint64_t acked;
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of the agent's plan on this manager; zeros: none */
	/* The host ids that this manager denies, RPC_HOST_LEN digits each, without separators. */
	char denied[MANAGER_DENIED_MAX * RPC_HOST_LEN + 1];
	/* The fleet's stores and managers. */
	struct manager_store_text stores[MANAGER_STORES_MAX];
	size_t store_count;
	struct manager_peer managers[MANAGER_PEERS_MAX];
	size_t manager_count;
};

/* Appends an encoded welcome, with as many of its stores as fit; the others are removed from
 * *welcome. Returns 0, or -1 with err set. */
int manager_welcome_put(struct buf *buf, struct manager_welcome *welcome, struct err *err);
/* Decodes a welcome. Stores and managers without a proper address are left out. Returns 0, or -1
 * with err set. */
int manager_welcome_get(
	struct manager_welcome *welcome, const void *bytes, size_t len, struct err *err);

#endif
