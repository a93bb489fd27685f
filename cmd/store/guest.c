/* The guests are a linked list: there are at most as many as machines in the fleet. */
#include "cmd/store/guest.h"

#include <stdlib.h>
#include <string.h>

struct store_guest *store_guests_find(const struct store_guests *s, const char *host)
{
	struct store_guest *g;

	for (g = s->first; g != NULL; g = g->next)
		if (strcmp(g->id.host, host) == 0)
			return g;
	return NULL;
}

/* Drops guests that have nothing open, or have been away for too long. */
static void sweep(struct store_guests *s, int64_t now_ms)
{
	struct store_guest **at = &s->first, *g;

	while ((g = *at) != NULL)
		if (g->connections == 0 &&
			((g->run_count == 0 && !g->holds) || now_ms - g->left_ms > STORE_IDLE_MS)) {
			*at = g->next;
			free(g);
		} else {
			at = &g->next;
		}
}

bool store_guests_busy(struct store_guests *s, int64_t now_ms)
{
	const struct store_guest *g;

	sweep(s, now_ms);
	for (g = s->first; g != NULL; g = g->next)
		if (g->run_count > 0 || g->holds)
			return true;
	return false;
}

void store_guests_up(struct store_guests *s, const struct rpc_identity *id)
{
	struct store_guest *g = store_guests_find(s, id->host);

	if (g == NULL && (g = calloc(1, sizeof *g)) != NULL) {
		g->next = s->first;
		s->first = g;
	}
	if (g == NULL)
		return;
	g->id = *id;
	g->connections++;
}

void store_guests_down(
	struct store_guests *s, const struct rpc_identity *id, bool in_order, int64_t now_ms)
{
	struct store_guest *g = store_guests_find(s, id->host);

	if (g == NULL || g->connections == 0 || --g->connections > 0)
		return;
	g->left_ms = now_ms;
	g->holds = g->holds && !in_order;
	sweep(s, now_ms);
}

void store_guests_free(struct store_guests *s)
{
	struct store_guest *g;

	while ((g = s->first) != NULL) {
		s->first = g->next;
		free(g);
	}
}

bool store_domains_has(const struct store_domains *d, const uint8_t *domain)
{
	size_t i;

	for (i = 0; i < d->count; i++)
		if (memcmp(d->at[i], domain, STORE_DOMAIN_LEN) == 0)
			return true;
	return false;
}

void store_domains_add(struct store_domains *d, const uint8_t *domain)
{
	if (store_domains_has(d, domain))
		return;
	if (d->count == STORE_GUEST_DOMAINS)
		memmove(d->at, d->at + 1, --d->count * sizeof *d->at);
	memcpy(d->at[d->count++], domain, STORE_DOMAIN_LEN);
}

/* The index of a run, or run_count if the guest does not have it open. */
static size_t find_run(const struct store_guest *g, const uint8_t *run)
{
	size_t i;

	for (i = 0; i < g->run_count; i++)
		if (memcmp(g->runs[i], run, STORE_RUN_LEN) == 0)
			break;
	return i;
}

int store_guest_begin(struct store_guest *g, const uint8_t run[STORE_RUN_LEN])
{
	if (find_run(g, run) < g->run_count)
		return 0;
	if (g->run_count == STORE_GUEST_RUNS)
		return 1;
	memcpy(g->runs[g->run_count++], run, STORE_RUN_LEN);
	return 0;
}

void store_guest_end(struct store_guest *g, const uint8_t run[STORE_RUN_LEN])
{
	size_t i = find_run(g, run);

	if (i == g->run_count)
		return;
	memmove(g->runs[i], g->runs[i + 1], (--g->run_count - i) * STORE_RUN_LEN);
}
