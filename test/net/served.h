/*
 * A store service in a thread of this process, over an engine in a folder of its own, and the agent
 * a1's side of it: a domain, a sealed run, chunks and dumps made from a number.
 *
 *   served_setup (starts it) -> served_open -> ... -> served_teardown
 *
 * There are certificates of a whole fleet (peer_make_fleet). A failure fails the test.
 */
#ifndef FDUMP_TEST_NET_SERVED_H
#define FDUMP_TEST_NET_SERVED_H

#include <pthread.h>
#include <stdatomic.h>

#include "cmd/dump/crypt.h"
#include "cmd/dump/domain.h"
#include "cmd/store/engine.h"
#include "cmd/store/service.h"
#include "cmd/store/store.h"
#include "lib/buf.h"
#include "rpc/loop.h"

#define SERVED_CHUNKS 300
#define SERVED_LEN    50000 /* of a chunk's content */

extern struct served {
	pthread_t thread;
	struct rpc_loop *loop;
	struct rpc_async wake;
	struct pool *pool;
	struct engine *engine;
	struct store_service *service;
	char port[8];
	atomic_bool stop, ready,
		woken; /* woken: the thread has stopped, nobody wakes it any more */
	atomic_bool collect, collected; /* gc is to start; it is over */
	struct store_tally told;        /* its counts for a1 */
	atomic_int holds, damaged;      /* dumps held without an error; chunks found damaged */
} served;

extern char served_path[300];
extern struct key_secret served_key;
extern struct dump_domain served_domain;
/* Another store of the fleet, as the service knows it, and the secret half of its key. */
extern struct store_key served_other;
extern uint8_t served_other_secret[SEAL_SIGN_LEN];
/* The ids of the chunks that were put last. */
extern uint8_t served_ids[SERVED_CHUNKS][STORE_ID_LEN];

int served_setup(void **state);
int served_teardown(void **state);
void served_start(void);
void served_stop(void);
/* Makes its loop look at `collect` and `stop`. */
void served_wake(void);

struct served_client {
	char cert[300], key[300], ca[300];
	struct store_net net;
	struct store *store;
};

/* A remote store, opened with the certificate of that name. */
void served_open(struct served_client *c, const char *who, enum store_mode mode);
/* The parameters of a1's runs. */
struct store_run served_run(void);
/* The content of the i-th chunk. */
void served_content(size_t i, uint8_t bytes[SERVED_LEN]);
/* Puts a chunk of this content, and sets its id. */
void served_put(struct store *s, const void *content, size_t len, uint8_t id[STORE_ID_LEN]);
/* Puts all chunks; their contents are numbered from `first`. */
void served_put_all(struct store *s, size_t first);
/* The record of a dump of these chunks, whose list is put too. Its id is the tag, repeated. */
void served_dump(struct store *s, const uint8_t *ids, size_t count, uint8_t tag, int64_t lock,
	struct buf *out);
/* A whole backup by a1: a run, all chunks, a dump. */
void served_back_up(size_t first, uint8_t tag);
/* For store_dumps; ctx: an int. */
int served_count(void *ctx, const struct store_entry *e, struct err *e_);

#endif
