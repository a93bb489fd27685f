/*
 * What the files of the service share: service.c (connections, the table of methods), peers.c (what
 * all the others use), hello.c (what agents and
 * stores say of themselves), reports.c (what agents report), enrolment.c (tokens, who joins, who is
 * denied), known.c (what is known of all machines and jobs), alarms.c (what is told without being
 * asked), operators.c (what operators ask).
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

/* A connection. */
struct manager_link {
	struct manager_link *next;
	struct rpc_conn *conn;
	bool hello; /* it has said hello */
	struct manager_runnings runnings;
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of its plan, when it said hello */
};

struct manager_report;

struct manager_service {
	struct manager_service_opts o;
	char address[MANAGER_HOST_PORT + 1]; /* of this machine, as others dial it, with the port */
	char key[PATH_MAX], cert[PATH_MAX], ca_cert[PATH_MAX];
	struct rpc_identity self;
	struct manager_config *config;
	struct manager_db *db;
	struct rpc_service methods, enrolment;
	struct rpc_tls_conf *tls;
	struct rpc_listen *listen;
	struct rpc_ca *ca;
	struct rpc_deny deny;
	struct manager_link *links;
	/* Stores that have said who they are: their rows. */
	struct manager_host_row *stores;
	size_t store_count;
	struct manager_report *reports; /* that are not over, the oldest first */
	unsigned placed;                /* how many of them have a place */
	struct rpc_timer commit, tend, call, alarms;
	/* Enrolment. */
	struct rpc_enroll_server *enroll;
	struct rpc_sponsors *sponsors;
	struct buf recipient_bytes;
	struct cbormap_blob recipients[RPC_RECIPIENTS_MAX];
	size_t recipient_count;
	uint64_t audits;
	int64_t started;
	int64_t expires; /* the own certificate */
	bool new_damage; /* of the state: agents are to be asked for theirs */
	bool ending;
};

/* --- peers.c --- */

void manager_inner_log(struct manager_service *service, enum manager_level level, const char *fmt,
	...) __attribute__((format(printf, 3, 4)));
/* Answers with a map and the bytes of buf as blob, which is taken over. */
void manager_inner_reply_blob(struct rpc_call *call, const void *map, size_t len, struct buf *buf);
/* The same with a map {now, manager}. */
void manager_inner_listing(struct manager_service *service, struct rpc_call *call, struct buf *buf);
/* The connection that a call came by. */
struct manager_link *manager_inner_link(struct manager_service *service, struct rpc_call *call);
/* A text of a call, "" if it is not there; as much as there is room for. */
void manager_inner_copy(char *to, size_t size, const struct cbormap_value *text);
/* The row of a machine. Returns 0; 1: it is not known; -1 with err set. */
int manager_inner_get_host(struct manager_service *service, const char *role, const char *name,
	struct manager_host_row *row, struct err *err);
/* With the next commit. Returns 0, or -1 with err set. */
int manager_inner_put_host(
	struct manager_service *service, const struct manager_host_row *row, struct err *err);
/* A row for a machine that is known from now on. */
struct manager_host_row manager_inner_new_host(
	const char *role, const char *name, const char *host);
/* The row of a peer; one that is not known yet is begun. Returns 0, or -1 with err set: another
 * machine is known by this name. */
int manager_inner_find_host(struct manager_service *service, const struct rpc_identity *peer,
	struct manager_host_row *row, struct err *err);
/* Appends the plan of an agent, with its digest. Returns 0, or -1 with err set. */
int manager_inner_plan(struct manager_service *service, const char *agent, struct buf *plan,
	uint8_t digest[MANAGER_DIGEST_LEN], struct err *err);
/* The row of an agent or store that asks. Returns 0; -1: it is not the one that is known by this
 * name, or has not said hello, and the call was answered. */
int manager_inner_host(
	struct manager_service *service, struct rpc_call *call, struct manager_host_row *row);
/* The managers of the fleet: at most MANAGER_PEERS_MAX. Returns how many. */
size_t manager_inner_peers(
	struct manager_service *service, struct manager_peer peers[MANAGER_PEERS_MAX]);
/* HOST:PORT of this machine, with one of its ports. Returns 0, or -1 with err set. */
int manager_inner_address(const struct manager_service *service, const char *port,
	char to[MANAGER_HOST_PORT + 1], struct err *err);
/* HOST:PORT of a store: as the configuration says, else as the store does. */
const char *manager_inner_reach(
	const struct manager_service *service, const struct manager_host_row *store);
/* The fleet's stores, which borrow from their rows. Returns how many. */
size_t manager_inner_stores(const struct manager_service *service,
	struct manager_plan_store stores[MANAGER_STORES_MAX]);
/* Reads the rows of stores again. */
int manager_inner_load_stores(struct manager_service *service, struct err *err);
/* Has all agents and stores say hello again, soon: plans, stores, managers or denials have changed.
 */
void manager_inner_call_all(struct manager_service *service);
/* Says what was done, by whom, in the log and in the audit, with the next commit. */
void manager_inner_audit(struct manager_service *service, const struct rpc_identity *who,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- hello.c --- */

void manager_inner_hello(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
/* Tells an operator the fleet's stores and managers. */
void manager_inner_fleet(void *ctx, struct rpc_call *call, const struct cbormap_value *values);

/* --- reports.c --- */

void manager_inner_report(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
/* Makes changes durable within a few milliseconds. */
void manager_inner_commit_soon(struct manager_service *service);
/* At once; and answers the reports that waited for it. Returns 0, or -1 with err set. */
int manager_inner_commit(struct manager_service *service, struct err *err);

/* --- enrolment.c --- */

int manager_inner_enrolment_start(struct manager_service *service, struct err *err);
void manager_inner_enrolment_stop(struct manager_service *service);
int manager_inner_load_recipients(struct manager_service *service, struct err *err);
/* Who is denied, from the state into the list that TLS asks. */
int manager_inner_load_denied(struct manager_service *service, struct err *err);
/* The host ids that are told in a welcome, the newest first. Returns how many; *text is good until
 * the next call. */
size_t manager_inner_denied(struct manager_service *service, const char **text);
void manager_inner_token(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_replace(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
/* If another machine than this one has the name, it is denied, with the next commit. Not a manager:
 * with it all machines would be denied that it has signed. Returns 0; 1: there is none, or it is
 * denied already; -1 with err set. */
int manager_inner_deny_other(struct manager_service *service, const char *role, const char *name,
	const char *host, struct err *err);
/* After the commit: who is denied is cut off, here at once. */
void manager_inner_denied_changed(struct manager_service *service);
void manager_inner_revoke(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_sponsor(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_grant(void *ctx, struct rpc_call *call, const struct cbormap_value *values);

/* --- known.c --- */

/* What is known now of machines and jobs, and what is wrong with them. */
struct manager_known {
	struct manager_service *service;
	struct buf host_rows, last_rows, status_rows, trouble_rows, alarm_rows, absent;
	struct manager_facts facts;
	char damaged[80]; /* for facts */
	const struct manager_trouble *troubles;
	size_t trouble_count;
	const struct manager_alarm_row *kept; /* as they are in the state, by their ids */
	size_t kept_count;
};

/* Returns 0, or -1 with err set. To be ended by _forget in any case. */
int manager_inner_know(
	struct manager_service *service, struct manager_known *known, struct err *err);
void manager_inner_forget(struct manager_known *known);
/* An alarm as it is kept; NULL: it is not. */
const struct manager_alarm_row *manager_inner_kept(
	const struct manager_known *known, const char *alarm);

/* --- alarms.c --- */

/* Looks at all that can be wrong, now and every minute. */
void manager_inner_alarms_start(struct manager_service *service);

/* --- operators.c --- */

void manager_inner_status(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_alarms(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_hosts(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_runs(void *ctx, struct rpc_call *call, const struct cbormap_value *values);
void manager_inner_order(void *ctx, struct rpc_call *call, const struct cbormap_value *values);

#endif
