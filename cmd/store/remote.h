/*
 * The parts of a store behind a service: remote_write.c asks, puts and commits; remote.c does all
 * else, and defines the kind. Internal to these two.
 *
 * Puts are requests in flight at the same time, of at most STORE_REMOTE_WINDOW bytes; the service
 * takes a record's bytes only if it lacks the record. After a lost connection the client
 * (rpc/client.h) repeats requests that were not answered. The functions of remote_write.c implement
 * those of struct store_kind.
 */
#ifndef FDUMP_CMD_STORE_REMOTE_H
#define FDUMP_CMD_STORE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/kind.h"
#include "cmd/store/proto.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/name.h"
#include "rpc/deny.h"

struct rpc_client;
struct rpc_client_request;

#define STORE_REMOTE_WINDOW (8u << 20) /* bytes of records in flight */
#define STORE_REMOTE_PUTS   200        /* records in flight */
#define STORE_REMOTE_AHEAD  32         /* records being fetched ahead, or waiting to be read */
#define STORE_REMOTE_BLOB   (STORE_DOMAIN_LEN + STORE_RECORD_MAX)

/* A record that was requested ahead of its use. */
struct ahead {
	struct remote *remote;
	uint8_t domain[STORE_DOMAIN_LEN], id[STORE_ID_LEN];
	bool used, done;
	int ret; /* as of store_get */
	struct buf record;
	struct err why;
};

struct remote {
	struct store base;
	char service[NAME_LEN_MAX + 1]; /* the store's name, without the port */
	struct rpc_client *client;
	struct rpc_deny deny;         /* who was revoked */
	int64_t since_ms;             /* when it was dialled */
	uint8_t host[STORE_HOST_LEN]; /* our own host id */
	uint8_t run_id[STORE_RUN_LEN];
	/* Guarded by base.lock: */
	int64_t lost_at; /* when a call first found that the connection is lost; 0: never */
	uint64_t lost;   /* which one: so many were established before */
	bool told;       /* `dials` has been called */
	bool greeted;    /* its first answer is in .is, or an error in .open_why */
	struct store_greeting is;
	struct err open_why;
	size_t puts, bytes; /* in flight */
	struct ahead aheads[STORE_REMOTE_AHEAD];
	size_t next_ahead; /* the slot to reuse next */
};

/* Tells the user that this store is waited for, and why. */
void store_remote_tell_wait(struct remote *r);
/* Waits for base.change, for a while, at the latest until `end`; tells the user if the connection
 * is lost. Call with base.lock held. */
void store_remote_wait(struct remote *r, int64_t end);
/* As rpc_client_call; waits as above. */
int store_remote_call(struct remote *r, const struct rpc_client_request *request, struct buf *reply,
	struct buf *blob, struct err *err);
/* Encodes the parameters of a method into mem, for the request; mem must stay valid as long as the
 * request is used. */
void store_remote_params(struct rpc_client_request *request, uint8_t mem[STORE_HAVE_PARAMS],
	const struct cbormap_field *fields, const struct store_params *params);
/* Makes a call whose result is a flag, and waits. blob: gets the reply's; may be NULL. Returns 0
 * (yes), 1 (no) or -1 with err set. */
int store_remote_ask(struct remote *r, struct rpc_client_request *request,
	const struct cbormap_field *fields, const struct store_params *params, struct buf *blob,
	struct err *err);
/* The same, but while the service is busy repeats the call until the patience is over. */
int store_remote_ask_patiently(struct remote *r, struct rpc_client_request *request,
	const struct cbormap_field *fields, const struct store_params *params, struct buf *blob,
	struct err *err);

int store_remote_begin(
	struct store *s, const struct store_run *run, bool *has_base, struct err *err);
int store_remote_have(struct store *s, const uint8_t *ids, size_t count, bool ask,
	enum store_answer *answers, struct err *err);
int store_remote_put(
	struct store *s, struct store_parcel *parcel, int64_t wait_ms, struct err *err);
int store_remote_settle(struct store *s, uint64_t *stored, struct err *err);
int store_remote_commit_wait(struct store *s, int64_t wait_ms, struct err *err);

#endif
