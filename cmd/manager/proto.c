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
	.type = CBORMAP_MAP, .sub = fleet_store_fields};

static const struct cbormap_field fleet_manager_fields[] = {
	{CBORMAP_OF(struct manager_peer, NAME, name), .need = true},
	{CBORMAP_OF(struct manager_peer, TEXT, address), .need = true, .min = 1},
	{0},
};
static const struct cbormap_field fleet_manager_field = {
	.type = CBORMAP_MAP, .sub = fleet_manager_fields};

enum {
	WELCOME_CLOCK,
	WELCOME_ACKED,
	WELCOME_DIGEST,
	WELCOME_DENIED,
	WELCOME_STORES,
	WELCOME_MANAGERS,
	WELCOME_COUNT
};

const struct cbormap_field manager_welcome_fields[] = {
	[WELCOME_CLOCK] = {CBORMAP_OF(struct manager_welcome, INT, clock), .need = true},
	[WELCOME_ACKED] = {CBORMAP_OF(struct manager_welcome, UINT, acked)},
	[WELCOME_DIGEST] = {CBORMAP_OF(struct manager_welcome, BYTES, digest)},
	[WELCOME_DENIED] = {.key = "denied",
		.type = CBORMAP_TEXT,
		.max = MANAGER_DENIED_MAX * RPC_HOST_LEN},
	[WELCOME_STORES] = {.key = "stores",
		CBORMAP_LIST_OF(fleet_store_field, MANAGER_STORES_MAX)},
	[WELCOME_MANAGERS] = {.key = "managers",
		CBORMAP_LIST_OF(fleet_manager_field, MANAGER_PEERS_MAX)},
	[WELCOME_COUNT] = {0},
};

const struct cbormap_field manager_report_fields[] = {
	[MANAGER_REPORT_JOURNAL] = {.key = "journal", CBORMAP_FIXED(MANAGER_RUN_LEN), .need = true},
	[MANAGER_REPORT_FIRST] = {.key = "first", .type = CBORMAP_UINT, .need = true},
	[MANAGER_REPORT_FIELDS] = {0},
};
const struct cbormap_field manager_acked_fields[] = {
	[MANAGER_ACKED_NUMBER] = {.key = "acked", .type = CBORMAP_UINT, .need = true},
	[MANAGER_ACKED_FIELDS] = {0},
};
const struct cbormap_field manager_job_fields[] = {
	[MANAGER_JOB_JOB] = {.key = "job", .type = CBORMAP_NAME, .need = true},
	[MANAGER_JOB_FIELDS] = {0},
};
const struct cbormap_field manager_started_fields[] = {
	[MANAGER_STARTED_RUN] = {.key = "run", CBORMAP_FIXED(MANAGER_RUN_LEN), .need = true},
	[MANAGER_STARTED_FIELDS] = {0},
};
const struct cbormap_field manager_progress_fields[] = {
	[MANAGER_PROGRESS_JOB] = {.key = "job", .type = CBORMAP_NAME, .need = true},
	[MANAGER_PROGRESS_BYTES] = {.key = "bytes", .type = CBORMAP_UINT, .need = true},
	[MANAGER_PROGRESS_ENTRIES] = {.key = "entries", .type = CBORMAP_UINT, .need = true},
	[MANAGER_PROGRESS_FIELDS] = {0},
};

/* --- operators ------------------------------------------------------------- */

/* clang-format off */
#define ROLE_FIELD  .key = "role", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = 16
#define HOST_FIELD  .key = "host", .type = CBORMAP_TEXT, .min = RPC_HOST_LEN, .max = RPC_HOST_LEN
#define VALID_FIELD .key = "valid", .type = CBORMAP_UINT, .min = 1, .max = MANAGER_TOKEN_SEC_MAX
/* clang-format on */

const struct cbormap_field manager_listing_fields[] = {
	[MANAGER_LISTING_NOW] = {.key = "now", .type = CBORMAP_INT, .need = true},
	[MANAGER_LISTING_MANAGER] = {.key = "manager", .type = CBORMAP_NAME, .need = true},
	[MANAGER_LISTING_FIELDS] = {0},
};
const struct cbormap_field manager_hosts_fields_in[] = {
	[MANAGER_HOSTS_AGENT] = {.key = "agent", .type = CBORMAP_NAME},
	[MANAGER_HOSTS_FIELDS] = {0},
};
const struct cbormap_field manager_runs_fields_in[] = {
	[MANAGER_RUNS_AGENT] = {.key = "agent", .type = CBORMAP_NAME},
	[MANAGER_RUNS_JOB] = {.key = "job", .type = CBORMAP_NAME},
	[MANAGER_RUNS_COUNT] = {.key = "count",
		.type = CBORMAP_UINT,
		.min = 1,
		.max = MANAGER_RUNS_MAX},
	[MANAGER_RUNS_FIELDS] = {0},
};
const struct cbormap_field manager_token_fields_in[] = {
	[MANAGER_TOKEN_ROLE] = {ROLE_FIELD},
	[MANAGER_TOKEN_NAME] = {.key = "name", .type = CBORMAP_NAME, .need = true},
	[MANAGER_TOKEN_REPLACE] = {.key = "replace", .type = CBORMAP_BOOL},
	[MANAGER_TOKEN_VALID] = {VALID_FIELD},
	[MANAGER_TOKEN_HASH] = {.key = "hash", CBORMAP_FIXED(RPC_DIGEST_LEN)},
	[MANAGER_TOKEN_HOST] = {HOST_FIELD},
	[MANAGER_TOKEN_FIELDS] = {0},
};
const struct cbormap_field manager_made_fields[] = {
	[MANAGER_MADE_TOKEN] = {.key = "token", .type = CBORMAP_TEXT, .min = 1, .max = 1024},
	[MANAGER_MADE_MANAGER] = {.key = "manager", .type = CBORMAP_NAME, .need = true},
	[MANAGER_MADE_ADDRESS] = {.key = "address",
		.type = CBORMAP_TEXT,
		.need = true,
		.min = 1,
		.max = MANAGER_HOST_PORT},
	[MANAGER_MADE_FIELDS] = {0},
};
const struct cbormap_field manager_revoke_fields[] = {
	[MANAGER_REVOKE_ROLE] = {ROLE_FIELD},
	[MANAGER_REVOKE_NAME] = {.key = "name", .type = CBORMAP_NAME, .need = true},
	[MANAGER_REVOKE_HOST] = {HOST_FIELD},
	[MANAGER_REVOKE_FIELDS] = {0},
};
const struct cbormap_field manager_replace_fields[] = {
	[MANAGER_REPLACE_ROLE] = {ROLE_FIELD},
	[MANAGER_REPLACE_NAME] = {.key = "name", .type = CBORMAP_NAME, .need = true},
	[MANAGER_REPLACE_VALID] = {VALID_FIELD},
	[MANAGER_REPLACE_FIELDS] = {0},
};
const struct cbormap_field manager_order_fields_in[] = {
	[MANAGER_ORDER_METHOD] = {.key = "method",
		.type = CBORMAP_UINT,
		.need = true,
		.min = MANAGER_METHOD_RUN,
		.max = MANAGER_METHOD_RELEASE},
	[MANAGER_ORDER_JOB] = {.key = "job", .type = CBORMAP_NAME, .need = true},
	[MANAGER_ORDER_AGENT] = {.key = "agent", .type = CBORMAP_NAME},
	[MANAGER_ORDER_FIELDS] = {0},
};

/* --- hello ----------------------------------------------------------------- */

static void put_bytes(struct cbor_out *out, const char *key, const void *bytes, size_t len)
{
	cbor_put_text(out, key);
	cbor_put_bytes(out, bytes, len);
}

int manager_hello_put(struct buf *buf, const struct manager_hello *h, struct err *err)
{
	size_t room = MANAGER_HELLO_MAX + MANAGER_TEXT_MAX;
	uint8_t *to = buf_room(buf, room, err);
	struct cbor_out out;

	if (to == NULL)
		return -1;
	cbor_out_init(&out, to, room);
	cbormap_put(&out, manager_hello_fields, h);
	assert(!cbor_out_full(&out));
	buf_took(buf, cbor_out_len(&out));
	return 0;
}

/* --- welcome --------------------------------------------------------------- */

/* Upper bounds in bytes for a store, for a manager, and for everything except these and the denied
 * hosts. */
#define STORE_ROOM(s)                                                                              \
	(64 + MANAGER_UID_LEN + MANAGER_KEY_LEN + strlen((s)->name) + strlen((s)->address))
#define MANAGER_ROOM(m) (24 + strlen((m)->name) + strlen((m)->address))
#define OTHER_ROOM      256

/* A welcome without stores always fits. */
_Static_assert(OTHER_ROOM + MANAGER_DENIED_MAX * RPC_HOST_LEN +
			       MANAGER_PEERS_MAX * (24 + NAME_LEN_MAX + MANAGER_HOST_PORT) <=
		       MANAGER_WELCOME_MAX,
	"welcome");

int manager_welcome_put(struct buf *buf, const struct manager_welcome *w,
	const struct manager_plan_store *stores, size_t store_count,
	const struct manager_peer *managers, size_t manager_count, struct err *err)
{
	size_t left = MANAGER_WELCOME_MAX - OTHER_ROOM - w->denied_count * RPC_HOST_LEN;
	uint8_t *to = buf_room(buf, MANAGER_WELCOME_MAX, err);
	size_t i, told = 0;
	struct cbor_out out;

	if (to == NULL)
		return -1;
	assert(w->denied_count <= MANAGER_DENIED_MAX && manager_count <= MANAGER_PEERS_MAX);
	for (i = 0; i < manager_count; i++)
		left -= MANAGER_ROOM(&managers[i]);
	for (; told < store_count && STORE_ROOM(&stores[told]) <= left; told++)
		left -= STORE_ROOM(&stores[told]);
	cbor_out_init(&out, to, MANAGER_WELCOME_MAX);
	cbor_put_map(&out, 2 + (size_t)w->has_digest + (size_t)(w->denied_count > 0) +
				   (size_t)(told > 0) + (size_t)(manager_count > 0));
	cbor_put_text(&out, "clock");
	cbor_put_int(&out, w->clock);
	cbor_put_text(&out, "acked");
	cbor_put_uint(&out, w->acked);
	if (w->has_digest)
		put_bytes(&out, "digest", w->digest, sizeof w->digest);
	if (w->denied_count > 0) {
		cbor_put_text(&out, "denied");
		cbor_put_textn(&out, w->denied, w->denied_count * RPC_HOST_LEN);
	}
	if (told > 0) {
		cbor_put_text(&out, "stores");
		cbor_put_array(&out, told);
	}
	for (i = 0; i < told; i++) {
		cbor_put_map(&out, 4);
		cbor_put_text(&out, "name");
		cbor_put_text(&out, stores[i].name);
		cbor_put_text(&out, "address");
		cbor_put_text(&out, stores[i].address);
		put_bytes(&out, "uid", stores[i].uid, MANAGER_UID_LEN);
		put_bytes(&out, "key", stores[i].key, MANAGER_KEY_LEN);
	}
	if (manager_count > 0) {
		cbor_put_text(&out, "managers");
		cbor_put_array(&out, manager_count);
	}
	for (i = 0; i < manager_count; i++)
		cbormap_put(&out, fleet_manager_fields, &managers[i]);
	assert(!cbor_out_full(&out));
	buf_took(buf, cbor_out_len(&out));
	return 0;
}

int manager_welcome_get(struct manager_welcome *w, const void *bytes, size_t len, struct err *err)
{
	struct cbormap_value v[WELCOME_COUNT];

	if (cbormap_get(v, manager_welcome_fields, bytes, len, err) != 0)
		return -1;
	*w = (struct manager_welcome){.has_digest = v[WELCOME_DIGEST].has,
		.denied = (const char *)v[WELCOME_DENIED].bytes,
		.denied_count = v[WELCOME_DENIED].has ? v[WELCOME_DENIED].len / RPC_HOST_LEN : 0,
		.stores = v[WELCOME_STORES],
		.managers = v[WELCOME_MANAGERS]};
	cbormap_store(w, manager_welcome_fields, v);
	return 0;
}

/* Gets the next item with a proper address (address: where it is stored). Others are skipped, so
 * that they can't get into the peer's lists. */
static bool next_item(struct cbormap_value *list, const struct cbormap_field *field, void *to,
	const char *address)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	struct cbormap_value item;

	while (cbormap_next(list, field, &item)) {
		cbormap_store_item(to, field, &item);
		if (rpc_address_split(address, host, port, "", NULL) == 0)
			return true;
	}
	return false;
}

bool manager_welcome_store(struct manager_welcome *w, struct manager_store_text *store)
{
	return next_item(&w->stores, &fleet_store_field, store, store->address);
}

bool manager_welcome_manager(struct manager_welcome *w, struct manager_peer *manager)
{
	return next_item(&w->managers, &fleet_manager_field, manager, manager->address);
}
