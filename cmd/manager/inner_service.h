/*
 * The shared declarations of the manager service's files:
 *
 *   service.c    connections, the table of methods
 *   peers.c      functions that all other files use
 *   hello.c      hellos of agents and stores
 *   reports.c    reports of agents
 *   enrolment.c  tokens, enrolment, denials
 *   known.c      everything known about machines and jobs
 *   alarms.c     alarms and metrics
 *   operators.c  requests of operators
 */
#ifndef FDUMP_CMD_MANAGER_INNER_SERVICE_H
#define FDUMP_CMD_MANAGER_INNER_SERVICE_H

#include <limits.h>

#include "cmd/manager/config.h"
#include "cmd/manager/proto.h"
#include "cmd/manager/db.h"
#include "cmd/manager/running.h"
#include "cmd/manager/service.h"
#include "cmd/manager/trouble.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "rpc/ca.h"
#include "rpc/call.h"
#include "rpc/deny.h"
#include "rpc/enroll.h"
#include "rpc/listen.h"
#include "rpc/loop.h"

struct rpc_sponsors;

#define MANAGER_FILE_MAX (PATH_MAX + 32)

/* A connection. */
struct manager_link {
	struct manager_link *next;
	struct rpc_conn *conn;
	bool hello; /* it has said hello */
	struct manager_runnings runnings;
	uint8_t digest[MANAGER_DIGEST_LEN]; /* digest of the agent's plan at its last hello */
	/* The job of the agent whose run was cancelled last, and the operator who did it. */
	char cancelled[NAME_LEN_MAX + 1], canceller[NAME_LEN_MAX + 1];
};

struct manager_report;

struct manager_service {
	struct manager_service_opts o;
	char address[MANAGER_HOST_PORT + 1]; /* HOST:PORT at which others dial this manager */
	char key[MANAGER_FILE_MAX], cert[MANAGER_FILE_MAX], ca_cert[MANAGER_FILE_MAX];
	struct rpc_identity self;
	struct manager_config *config;
	struct manager_db *db;
	struct rpc_service methods, enrolment;
	struct rpc_tls_conf *tls;
	struct rpc_listen *listen;
	struct rpc_ca *ca;
	struct rpc_deny deny;
	struct manager_link *links;
	/* Rows of the stores that have said hello. */
	struct buf store_rows;
	const struct manager_host_row *stores;
	size_t store_count;
	struct manager_report *reports; /* not finished, oldest first */
	unsigned placed;                /* how many of them have a place */
	struct rpc_timer commit, tend, check, call, alarms;
	/* Enrolment. */
	struct rpc_enroll_server *enroll;
	struct rpc_sponsors *sponsors;
	struct buf recipient_bytes;
	struct cbormap_blob recipients[RPC_RECIPIENTS_MAX];
	size_t recipient_count;
	uint64_t audits;
	int64_t started;
	int64_t valid_from, expires;      /* of the own certificate */
	struct manager_alarm_row unsaved; /* while the state can't be written: the alarm about it */
	bool new_damage; /* new damage in the state: ask agents for their journals again */
	bool ending;
};

/* --- peers.c --- */

void manager_inner_log(struct manager_service *service, enum manager_level level, const char *fmt,
	...) __attribute__((format(printf, 3, 4)));
/* Replies with a message. */
void manager_inner_reply(
	struct rpc_call *call, const struct cbormap_field *fields, const void *msg);
/* Replies with a map, and the bytes of buf as a blob; takes over buf. */
void manager_inner_reply_blob(struct rpc_call *call, const void *map, size_t len, struct buf *buf);
/* The connection of a call; NULL: it is ending. */
struct manager_link *manager_inner_link(struct manager_service *service, struct rpc_call *call);
/* The connection of an agent or store whose hello was accepted; NULL: not connected. */
struct manager_link *manager_inner_link_of(
	const struct manager_service *service, const struct manager_host_row *host);
/* Gets the row of a machine. Returns 0; 1 if it is not known; -1 with err set. */
int manager_inner_get_host(struct manager_service *service, const char *role, const char *name,
	struct manager_host_row *row, struct err *err);
/* Writes a row; durable with the next commit. Returns 0, or -1 with err set. */
int manager_inner_put_host(
	struct manager_service *service, const struct manager_host_row *row, struct err *err);
/* Makes a row for a machine that becomes known now. */
struct manager_host_row manager_inner_new_host(
	const char *role, const char *name, const char *host);
/* Gets the row of a peer, or a new one if it is not known yet. Returns 0, or -1 with err set:
 * ERR_DENIED if another machine is known by this name. */
int manager_inner_find_host(struct manager_service *service, const struct rpc_identity *peer,
	struct manager_host_row *row, struct err *err);
/* Appends an agent's plan to `plan`, and sets its digest. Returns 0, or -1 with err set. */
int manager_inner_plan(struct manager_service *service, const char *agent, struct buf *plan,
	uint8_t digest[MANAGER_DIGEST_LEN], struct err *err);
/* Gets the row of the agent or store that makes a call. Returns 0; -1 if another machine is known
 * by its name, or it has not said hello: then the call was answered with an error. */
int manager_inner_host(
	struct manager_service *service, struct rpc_call *call, struct manager_host_row *row);
/* Lists the managers of the fleet, at most MANAGER_PEERS_MAX. Returns how many. */
size_t manager_inner_peers(
	struct manager_service *service, struct manager_peer peers[MANAGER_PEERS_MAX]);
/* Writes HOST:PORT of this machine, with one of its ports. Returns 0, or -1 with err set:
 * ERR_LIMIT. */
int manager_inner_address(const struct manager_service *service, const char *port,
	char to[MANAGER_HOST_PORT + 1], struct err *err);
/* HOST:PORT of a store: from the configuration, else as the store said. Borrowed. */
const char *manager_inner_reach(
	const struct manager_service *service, const struct manager_host_row *store);
/* Reads the stores' rows again. Returns 0, or -1 with err set. */
int manager_inner_load_stores(struct manager_service *service, struct err *err);
/* Asks all agents and stores to say hello again soon, as plans, stores, managers or denials have
 * changed. */
void manager_inner_call_all(struct manager_service *service);
/* Writes an action and who did it to the log and to the audit; durable with the next commit. */
void manager_inner_audit(struct manager_service *service, const struct rpc_identity *who,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- hello.c --- */

void manager_inner_hello(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
/* Replies to an operator with the fleet's stores and managers. */
void manager_inner_fleet(void *ctx, struct rpc_call *call, const struct cbormap_value *values);

/* --- reports.c --- */

void manager_inner_report(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
/* Makes changes durable within a few milliseconds. */
void manager_inner_commit_soon(struct manager_service *service);
/* Makes changes durable now, and answers the reports that waited for it. Returns 0, or -1 with err
 * set. */
int manager_inner_commit(struct manager_service *service, struct err *err);

/* --- enrolment.c --- */

/* Listens for machines that enrol. Returns 0, or -1 with err set. */
int manager_inner_enrolment_start(struct manager_service *service, struct err *err);
void manager_inner_enrolment_stop(struct manager_service *service);
/* Reads recipients/. Returns 0, or -1 with err set and the old keys stay. */
int manager_inner_load_recipients(struct manager_service *service, struct err *err);
/* Loads the denied host ids from the state into the list that TLS checks. Returns 0, or -1 with err
 * set. */
int manager_inner_load_denied(struct manager_service *service, struct err *err);
/* Lists the denied host ids in a welcome, newest first (those of damaged entries last). Returns 0,
 * or -1 with err set. */
int manager_inner_denied(
	struct manager_service *service, struct manager_welcome *welcome, struct err *err);
void manager_inner_token(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_replace(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
/* If another machine has this name, denies it; durable with the next commit. Managers are not
 * denied in this way, because all machines whose certificates they signed would be denied, too.
 * Returns 0; 1 if nobody had to be denied; -1 with err set. */
int manager_inner_deny_other(struct manager_service *service, const char *role, const char *name,
	const char *host, struct err *err);
/* After the commit of a denial: closes the connections of denied machines, and tells the others. */
void manager_inner_denied_changed(struct manager_service *service);
void manager_inner_revoke(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_sponsor(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_grant(void *ctx, struct rpc_call *call, const struct cbormap_value *values);

/* --- known.c --- */

/* Everything that is known now about machines and jobs, and what is wrong with them. */
struct manager_known {
	struct manager_service *service;
	struct buf host_rows, last_rows, status_rows, trouble_rows, alarm_rows, absent;
	struct manager_facts facts;
	char damaged[80]; /* the text for facts.damaged */
	const struct manager_trouble *troubles;
	size_t trouble_count;
	const struct manager_alarm_row *kept; /* the alarms in the state, sorted by id */
	size_t kept_count;
};

/* Collects it. Returns 0, or -1 with err set. Call _forget in any case. */
int manager_inner_know(
	struct manager_service *service, struct manager_known *known, struct err *err);
void manager_inner_forget(struct manager_known *known);
/* An alarm in the state, or the one that it can't be written; NULL if it is not there. */
const struct manager_alarm_row *manager_inner_kept(
	const struct manager_known *known, const char *alarm);

/* --- alarms.c --- */

/* Checks everything that can be wrong, now and every minute. */
void manager_inner_alarms_start(struct manager_service *service);

/* --- operators.c --- */

void manager_inner_status(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_alarms(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_hosts(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_runs(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_order(void *ctx, struct rpc_call *call, const struct cbormap_value *values);

#endif
