#include "cmd/manager/proto.h"

#include <assert.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "rpc/ca.h"
#include "rpc/token.h"

/* --- tables ---------------------------------------------------------------- */

#define HELLO(kind, member) CBORMAP_OF(struct manager_hello, kind, member)

const struct cbormap_field manager_hello_fields[] = {
	{HELLO(TEXT, version), .need = true},
	{HELLO(BYTES, boot), .need = true},
	{HELLO(INT, clock), .need = true},
	{HELLO(BYTES, journal)},
	{HELLO(UINT, number)},
	{HELLO(NAME, follows)},
	{HELLO(BYTES, digest)},
	{HELLO(BYTES, uid)},
	{HELLO(BYTES, key)},
	{HELLO(TEXT, address)},
	{HELLO(UINT, free)},
	{HELLO(INT, expires)},
	{HELLO(UINT, size)},
	{HELLO(UINT, used)},
	{HELLO(UINT, damaged)},
	{HELLO(TEXT, fault)},
	{0},
};

static const struct cbormap_field fleet_store_fields[] = {
	{CBORMAP_OF(struct manager_store_text, NAME, name), .need = true},
	{CBORMAP_OF(struct manager_store_text, TEXT, address), .need = true},
	{CBORMAP_OF(struct manager_store_text, BYTES, uid), .need = true},
	{CBORMAP_OF(struct manager_store_text, BYTES, key), .need = true},
	{0},
};
static const struct cbormap_field fleet_store_field = {
	.type = CBORMAP_MAP, .sub = fleet_store_fields, .size = sizeof(struct manager_store_text)};

static const struct cbormap_field fleet_manager_fields[] = {
	{CBORMAP_OF(struct manager_peer, NAME, name), .need = true},
	{CBORMAP_OF(struct manager_peer, TEXT, address), .need = true, .min = 1},
	{0},
};
static const struct cbormap_field fleet_manager_field = {
	.type = CBORMAP_MAP, .sub = fleet_manager_fields, .size = sizeof(struct manager_peer)};

#define WELCOME(kind, member) CBORMAP_OF(struct manager_welcome, kind, member)

const struct cbormap_field manager_welcome_fields[] = {
	{WELCOME(INT, clock), .need = true},
	{WELCOME(UINT, acked), .need = true},
	{WELCOME(BYTES, digest)},
	{WELCOME(TEXT, denied)},
	{.key = "stores",
		CBORMAP_LIST_IN(struct manager_welcome, stores, store_count, fleet_store_field)},
	{.key = "managers",
		CBORMAP_LIST_IN(
			struct manager_welcome, managers, manager_count, fleet_manager_field)},
	{0},
};

/* clang-format off */
#define MSG(msg, kind, member)  CBORMAP_OF(struct manager_msg_##msg, kind, member)
#define NEED(msg, kind, member) .need = true, MSG(msg, kind, member)
/* clang-format on */

const struct cbormap_field manager_report_fields[] = {
	{NEED(report, UINT, first)}, {NEED(report, BYTES, journal)}, {0}};
const struct cbormap_field manager_acked_fields[] = {{NEED(acked, UINT, acked)}, {0}};
const struct cbormap_field manager_job_fields[] = {{NEED(jobs, NAME, job)}, {0}};
const struct cbormap_field manager_started_fields[] = {{NEED(started, BYTES, run)}, {0}};
const struct cbormap_field manager_progress_fields[] = {{NEED(progress, NAME, job)},
	{NEED(progress, UINT, bytes)}, {NEED(progress, UINT, entries)}, {0}};

/* --- operators ------------------------------------------------------------- */

/* clang-format off */
#define ROLE  NEED(machine, TEXT, role), .min = 1, .max = MANAGER_ROLE_MAX
#define HOST  MSG(machine, TEXT, host), .min = RPC_HOST_LEN
#define VALID MSG(machine, UINT, valid), .min = 1, .max = MANAGER_TOKEN_SEC_MAX
/* clang-format on */

const struct cbormap_field manager_listing_fields[] = {
	{NEED(listing, INT, now)}, {NEED(listing, NAME, manager)}, {0}};
const struct cbormap_field manager_hosts_fields_in[] = {{MSG(jobs, NAME, agent)}, {0}};
const struct cbormap_field manager_runs_fields_in[] = {{MSG(jobs, NAME, agent)},
	{MSG(jobs, NAME, job)}, {MSG(jobs, UINT, count), .min = 1, .max = MANAGER_RUNS_MAX}, {0}};
const struct cbormap_field manager_token_fields_in[] = {{ROLE}, {NEED(machine, NAME, name)},
	{MSG(machine, BOOL, replace)}, {VALID}, {MSG(machine, BYTES, hash)}, {HOST}, {0}};
const struct cbormap_field manager_made_fields[] = {{MSG(made, TEXT, token), .min = 1},
	{NEED(made, NAME, manager)}, {NEED(made, TEXT, address), .min = 1}, {0}};
const struct cbormap_field manager_revoke_fields[] = {
	{ROLE}, {NEED(machine, NAME, name)}, {HOST}, {0}};
const struct cbormap_field manager_replace_fields[] = {
	{ROLE}, {NEED(machine, NAME, name)}, {VALID}, {0}};
const struct cbormap_field manager_order_fields_in[] = {
	{NEED(jobs, UINT, method), .min = MANAGER_METHOD_RUN, .max = MANAGER_METHOD_RELEASE},
	{NEED(jobs, NAME, job)}, {MSG(jobs, NAME, agent)}, {0}};

size_t manager_msg_put(
	uint8_t mem[MANAGER_MSG_MAX], const struct cbormap_field *fields, const void *msg)
{
	struct cbor_out out;

	cbor_out_init(&out, mem, MANAGER_MSG_MAX);
	cbormap_put(&out, fields, msg);
	assert(!cbor_out_full(&out));
	return cbor_out_len(&out);
}

/* --- welcome --------------------------------------------------------------- */

/* A welcome without stores always fits. */
_Static_assert(256 + MANAGER_DENIED_MAX * RPC_HOST_LEN +
			       MANAGER_PEERS_MAX * (24 + NAME_LEN_MAX + MANAGER_HOST_PORT) <=
		       MANAGER_WELCOME_MAX,
	"welcome");

int manager_welcome_put(struct buf *buf, struct manager_welcome *w, struct err *err)
{
	uint8_t *to = buf_room(buf, MANAGER_WELCOME_MAX, err);
	struct cbor_out out;

	if (to == NULL)
		return -1;
	do {
		cbor_out_init(&out, to, MANAGER_WELCOME_MAX);
		cbormap_put(&out, manager_welcome_fields, w);
	} while (cbor_out_full(&out) && w->store_count-- > 0);
	assert(!cbor_out_full(&out));
	buf_took(buf, cbor_out_len(&out));
	return 0;
}

/* Anything else must not get into the peer's lists. */
static bool is_address(const char *text)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];

	return rpc_address_split(text, host, port, "", NULL) == 0;
}

int manager_welcome_get(struct manager_welcome *w, const void *bytes, size_t len, struct err *err)
{
	size_t i, stores = 0, managers = 0;

	*w = (struct manager_welcome){.clock = 0};
	if (cbormap_read(w, manager_welcome_fields, bytes, len, err) != 0)
		return -1;
	for (i = 0; i < w->store_count; i++)
		if (is_address(w->stores[i].address))
			w->stores[stores++] = w->stores[i];
	w->store_count = stores;
	for (i = 0; i < w->manager_count; i++)
		if (is_address(w->managers[i].address))
			w->managers[managers++] = w->managers[i];
	w->manager_count = managers;
	return 0;
}
