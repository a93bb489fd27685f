/*
 * Who is connected to a store's service, by host id: what each has proved, what it may read, which
 * runs it has open, and what it has asked that goes into no log by itself.
 *
 *   store_guests_up, _down for each connection -> store_guests_free
 *
 * A guest outlives its last connection by STORE_IDLE_MS if it has a run open, or was reading and
 * did not end the connection in order: so both survive a lost connection. The loop's thread only. A
 * pointer to a guest is good until its last connection ends.
 */
#ifndef FDUMP_CMD_STORE_GUEST_H
#define FDUMP_CMD_STORE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/dump.h"
#include "cmd/store/proof.h"
#include "rpc/identity.h"

#define STORE_GUEST_DOMAINS 64     /* that one guest has proved, or may read */
#define STORE_GUEST_RUNS    16     /* that one guest has open */
#define STORE_IDLE_MS       900000 /* without a connection of its guest, then a run is over */

struct store_domains {
	uint8_t at[STORE_GUEST_DOMAINS][STORE_DOMAIN_LEN];
	size_t count;
};

/* Requests that went well, since the last run ended. */
struct store_tally {
	uint64_t puts, gets, haves;
	uint64_t bytes_in, bytes_out; /* of their records */
};

struct store_guest {
	struct store_guest *next;
	struct rpc_identity id; /* as it connected last */
	unsigned connections;
	int64_t left_ms; /* when the last connection ended */
	struct store_domains proved, readable;
	uint8_t runs[STORE_GUEST_RUNS][STORE_RUN_LEN];
	size_t run_count;
	bool holds; /* it reads dumps: until its last connection has ended in order */
	struct store_tally tally;
};

struct store_guests {
	struct store_guest *first;
};

/* NULL: there was no memory when it came. */
struct store_guest *store_guests_find(const struct store_guests *guests, const char *host);
/* A connection has come up, or ended; in_order: as both sides wanted. */
void store_guests_up(struct store_guests *guests, const struct rpc_identity *id);
void store_guests_down(
	struct store_guests *guests, const struct rpc_identity *id, bool in_order, int64_t now_ms);
/* Whether anybody has a run open or reads a dump. */
bool store_guests_busy(struct store_guests *guests, int64_t now_ms);
void store_guests_free(struct store_guests *guests);

bool store_domains_has(const struct store_domains *domains, const uint8_t *domain);
/* The one that was added first gives way. */
void store_domains_add(struct store_domains *domains, const uint8_t *domain);

/* Begins a run, also one that has begun. Returns 0; 1: it has too many open. */
int store_guest_begin(struct store_guest *guest, const uint8_t run[STORE_RUN_LEN]);
void store_guest_end(struct store_guest *guest, const uint8_t run[STORE_RUN_LEN]);

#endif
