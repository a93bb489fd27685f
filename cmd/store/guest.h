/*
 * The hosts that are connected to a store's service, by host id: which domains each has proved and
 * may read, which runs it has open, and how many of its requests were not logged one by one.
 *
 *   store_guests_up, _down for each connection -> store_guests_free
 *
 * A guest outlives its last connection by STORE_IDLE_MS if it has a run open, or if it was reading
 * and the connection did not end in order. So runs and reads survive a lost connection. The loop's
 * thread only. A pointer to a guest is valid until its last connection ends.
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
#define STORE_IDLE_MS       900000 /* after so long without a connection its runs and reads end */

struct store_domains {
	uint8_t at[STORE_GUEST_DOMAINS][STORE_DOMAIN_LEN];
	size_t count;
};

/* Successful requests since the last run ended. */
struct store_tally {
	uint64_t puts, gets, haves;
	uint64_t bytes_in, bytes_out; /* of their blobs */
};

struct store_guest {
	struct store_guest *next;
	struct rpc_identity id; /* as of its latest connection */
	unsigned connections;
	int64_t left_ms; /* when the last connection ended */
	struct store_domains proved, readable;
	uint8_t runs[STORE_GUEST_RUNS][STORE_RUN_LEN];
	size_t run_count;
	bool holds; /* it reads dumps, until its last connection ends in order */
	struct store_tally tally;
};

struct store_guests {
	struct store_guest *first;
};

/* The guest of a host id. NULL if it is not connected, or there was no memory when it connected. */
struct store_guest *store_guests_find(const struct store_guests *guests, const char *host);
/* Call when a connection comes up, and when it ends. in_order: it was not lost. */
void store_guests_up(struct store_guests *guests, const struct rpc_identity *id);
void store_guests_down(
	struct store_guests *guests, const struct rpc_identity *id, bool in_order, int64_t now_ms);
/* Whether any guest has a run open or reads a dump. Drops those whose time is over. */
bool store_guests_busy(struct store_guests *guests, int64_t now_ms);
void store_guests_free(struct store_guests *guests);

bool store_domains_has(const struct store_domains *domains, const uint8_t *domain);
/* If there is no room, the one that was added first is dropped. */
void store_domains_add(struct store_domains *domains, const uint8_t *domain);

/* Opens a run; one that is open already stays so. Returns 0; 1: it has too many open. */
int store_guest_begin(struct store_guest *guest, const uint8_t run[STORE_RUN_LEN]);
void store_guest_end(struct store_guest *guest, const uint8_t run[STORE_RUN_LEN]);

#endif
