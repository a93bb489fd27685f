/*
 * What the files of a store behind a service share: remote_write.c asks, puts and commits; remote.c
 * does all else, and is the kind. Not for others.
 *
 * Puts are requests that are under way at the same time, at most STORE_REMOTE_WINDOW bytes of them;
 * the service takes a record's bytes only if it lacks them. The client (rpc/client.h) sends again
 * what a lost connection left unanswered. The functions of remote_write.c are those of struct
 * store_kind.
 */
#ifndef FDUMP_CMD_STORE_REMOTE_H
#define FDUMP_CMD_STORE_REMOTE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/kind.h"
#include "cmd/store/proto.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/mutex.h"
#include "lib/name.h"

struct rpc_client;
struct rpc_client_request;

#define STORE_REMOTE_WINDOW (8u << 20) /* bytes of records under way */
#define STORE_REMOTE_PUTS   200        /* of them */
#define STORE_REMOTE_AHEAD  32         /* records that are fetched ahead, or wait to be taken */
#define STORE_REMOTE_BLOB   (STORE_DOMAIN_LEN + STORE_RECORD_MAX)

/* A record that was asked for before it was wanted. */
struct ahead {
	struct remote *remote;
	uint8_t domain[STORE_DOMAIN_LEN], id[STORE_ID_LEN];
	bool used, done;
	int ret; /* as store_get's */
	struct buf record;
	struct err why;
};

enum commit_state { COMMIT_NONE, COMMIT_SETTLING, COMMIT_ASKED, COMMIT_DONE };

struct remote {
	struct store base;
	char service[NAME_LEN_MAX + 1]; /* its name, without the port */
	struct rpc_client *client;
	int64_t since_ms;             /* when it was dialled */
	bool told;                    /* that it is waited for */
	uint8_t host[STORE_HOST_LEN]; /* our own host id */
	uint8_t run_id[STORE_RUN_LEN];
	struct mutex lock; /* over all below */
	pthread_cond_t change;
	bool greeted; /* it has said what it is, or .open_why */
	struct store_greeting is;
	struct err open_why;
	size_t puts, bytes; /* under way */
	bool failed;
	struct err why;
	uint64_t stored;
	enum commit_state commit;
	struct buf record;         /* to commit: a copy, for who waits may give up */
	struct store_params first; /* another store's receipt to commit with, or zeros */
	int answer;
	struct err commit_why;
	struct store_receipt receipt;
	struct buf missing;
	struct ahead aheads[STORE_REMOTE_AHEAD];
	size_t next_ahead; /* the slot that is used again next */
};

/* Puts the parameters of a method into a request; mem must stay as long as the request is used. */
void store_remote_params(struct rpc_client_request *request, uint8_t mem[STORE_HAVE_PARAMS],
	const struct cbormap_field *fields, const struct store_params *params);
/* Asks a question whose answer is a flag. blob: of the reply; may be NULL. Returns 0 (yes), 1 or
 * -1. */
int store_remote_ask(struct remote *r, struct rpc_client_request *request,
	const struct cbormap_field *fields, const struct store_params *params, struct buf *blob,
	struct err *err);
/* The same, again and again within the patience while the service is busy. */
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
int store_remote_commit_start(struct store *s, const uint8_t *record, size_t len,
	const struct store_receipt *first, struct err *err);
int store_remote_commit_wait(struct store *s, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err);

#endif
