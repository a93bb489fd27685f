/*
 * The queue in front of a store that is worked on by a thread: records wait in it, bounded by
 * number and bytes, then a commit. What goes wrong is the error of the next call.
 *
 *   store_queue_new -> store_queue_put ... -> store_queue_settle
 *                                          -> store_queue_commit -> store_queue_answer
 *   -> store_queue_close
 *
 * One thread uses it. The thread behind it calls the functions of struct store_queue_ops.
 */
#ifndef FDUMP_CMD_STORE_QUEUE_H
#define FDUMP_CMD_STORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"

struct store_queue;

#define STORE_QUEUE_SLOTS 1024       /* records that wait */
#define STORE_QUEUE_BYTES (4u << 20) /* bytes of them */
#define STORE_CLOSE_MS    5000       /* that the thread is waited for at the end */

struct store_queue_ops {
	/* Returns 0: it was new; 1: it was there; -1 with err set: nothing is put any more. */
	int (*put)(void *ctx, const uint8_t *bytes, size_t len, struct err *err);
	/* As the engine's. */
	int (*commit)(void *ctx, const uint8_t *record, size_t len, int64_t time,
		struct store_receipt *receipt, struct buf *missing, struct err *err);
};

/* patience_ms: without progress, then calls end with ERR_TIMEOUT. NULL with err set. */
struct store_queue *store_queue_new(
	const struct store_queue_ops *ops, void *ctx, int64_t patience_ms, struct err *err);

/* As store_put. */
int store_queue_put(
	struct store_queue *queue, struct store_parcel *parcel, int64_t wait_ms, struct err *err);
/* As store_settle. */
int store_queue_settle(struct store_queue *queue, uint64_t *stored, struct err *err);
/* As store_commit_start and store_commit_wait. */
int store_queue_commit(struct store_queue *queue, const uint8_t *record, size_t len, int64_t time,
	struct err *err);
int store_queue_answer(struct store_queue *queue, int64_t wait_ms, struct store_receipt *receipt,
	struct buf *missing, struct err *err);

/* Drops what waits, ends the thread, frees. Returns false if the thread hangs in a call: then it,
 * and all that it uses, must stay. NULL does nothing. */
bool store_queue_close(struct store_queue *queue);

#endif
