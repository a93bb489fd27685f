#include "cmd/manager/proto.h"

#include <assert.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "rpc/ca.h"
#include "rpc/token.h"

/* --- tables ---------------------------------------------------------------- */

enum {
	HELLO_VERSION,
	HELLO_BOOT,
	HELLO_CLOCK,
	HELLO_JOURNAL,
	HELLO_NUMBER,
	HELLO_FOLLOWS,
	HELLO_DIGEST,
	HELLO_UID,
	HELLO_KEY,
	HELLO_ADDRESS,
	HELLO_FREE,
	HELLO_EXPIRES,
	HELLO_SIZE,
	HELLO_USED,
	HELLO_DAMAGED,
	HELLO_FAULT,
	HELLO_COUNT
};

const struct rpc_field manager_hello_fields[] = {
	[HELLO_VERSION] = {.key = "version",
		.type = RPC_TEXT,
		.need = true,
		.max = MANAGER_VERSION_MAX},
	[HELLO_BOOT] = {.key = "boot",
		.type = RPC_BYTES,
		.need = true,
		.min = MANAGER_BOOT_LEN,
		.max = MANAGER_BOOT_LEN},
	[HELLO_CLOCK] = {.key = "clock", .type = RPC_INT, .need = true},
	[HELLO_JOURNAL] = {.key = "journal",
		.type = RPC_BYTES,
		.min = MANAGER_RUN_LEN,
		.max = MANAGER_RUN_LEN},
	[HELLO_NUMBER] = {.key = "number", .type = RPC_UINT, .max = UINT64_MAX},
	[HELLO_FOLLOWS] = {.key = "follows", .type = RPC_NAME},
	[HELLO_DIGEST] = {.key = "digest",
		.type = RPC_BYTES,
		.min = MANAGER_DIGEST_LEN,
		.max = MANAGER_DIGEST_LEN},
	[HELLO_UID] = {.key = "uid",
		.type = RPC_BYTES,
		.min = MANAGER_UID_LEN,
		.max = MANAGER_UID_LEN},
	[HELLO_KEY] = {.key = "key",
		.type = RPC_BYTES,
		.min = MANAGER_KEY_LEN,
		.max = MANAGER_KEY_LEN},
	[HELLO_ADDRESS] = {.key = "address", .type = RPC_TEXT, .max = MANAGER_TEXT_MAX},
	[HELLO_FREE] = {.key = "free", .type = RPC_UINT, .max = UINT64_MAX},
	[HELLO_EXPIRES] = {.key = "expires", .type = RPC_INT},
	[HELLO_SIZE] = {.key = "size", .type = RPC_UINT, .max = UINT64_MAX},
	[HELLO_USED] = {.key = "used", .type = RPC_UINT, .max = UINT64_MAX},
	[HELLO_DAMAGED] = {.key = "damaged", .type = RPC_UINT, .max = UINT64_MAX},
	[HELLO_FAULT] = {.key = "fault", .type = RPC_TEXT, .max = MANAGER_FAULT_MAX},
	[HELLO_COUNT] = {0},
};

enum { STORE_NAME, STORE_ADDRESS, STORE_UID, STORE_KEY, STORE_COUNT };

static const struct rpc_field fleet_store_fields[] = {
	[STORE_NAME] = {.key = "name", .type = RPC_NAME, .need = true},
	[STORE_ADDRESS] = {.key = "address",
		.type = RPC_TEXT,
		.need = true,
		.max = MANAGER_TEXT_MAX},
	[STORE_UID] = {.key = "uid",
		.type = RPC_BYTES,
		.need = true,
		.min = MANAGER_UID_LEN,
		.max = MANAGER_UID_LEN},
	[STORE_KEY] = {.key = "key",
		.type = RPC_BYTES,
		.need = true,
		.min = MANAGER_KEY_LEN,
		.max = MANAGER_KEY_LEN},
	[STORE_COUNT] = {0},
};
static const struct rpc_field fleet_store_field = {.type = RPC_MAP, .sub = fleet_store_fields};

enum { PEER_NAME, PEER_ADDRESS, PEER_COUNT };

static const struct rpc_field fleet_manager_fields[] = {
	[PEER_NAME] = {.key = "name", .type = RPC_NAME, .need = true},
	[PEER_ADDRESS] = {.key = "address",
		.type = RPC_TEXT,
		.need = true,
		.min = 1,
		.max = MANAGER_HOST_PORT},
	[PEER_COUNT] = {0},
};
static const struct rpc_field fleet_manager_field = {.type = RPC_MAP, .sub = fleet_manager_fields};

enum {
	WELCOME_CLOCK,
	WELCOME_ACKED,
	WELCOME_DIGEST,
	WELCOME_DENIED,
	WELCOME_STORES,
	WELCOME_MANAGERS,
	WELCOME_COUNT
};

const struct rpc_field manager_welcome_fields[] = {
	[WELCOME_CLOCK] = {.key = "clock", .type = RPC_INT, .need = true},
	[WELCOME_ACKED] = {.key = "acked", .type = RPC_UINT, .max = UINT64_MAX},
	[WELCOME_DIGEST] = {.key = "digest",
		.type = RPC_BYTES,
		.min = MANAGER_DIGEST_LEN,
		.max = MANAGER_DIGEST_LEN},
	[WELCOME_DENIED] = {.key = "denied",
		.type = RPC_TEXT,
		.max = MANAGER_DENIED_MAX * RPC_HOST_LEN},
	[WELCOME_STORES] = {.key = "stores",
		.type = RPC_LIST,
		.max = MANAGER_STORES_MAX,
		.of = &fleet_store_field},
	[WELCOME_MANAGERS] = {.key = "managers",
		.type = RPC_LIST,
		.max = MANAGER_PEERS_MAX,
		.of = &fleet_manager_field},
	[WELCOME_COUNT] = {0},
};

const struct rpc_field manager_report_fields[] = {
	[MANAGER_REPORT_JOURNAL] = {.key = "journal",
		.type = RPC_BYTES,
		.need = true,
		.min = MANAGER_RUN_LEN,
		.max = MANAGER_RUN_LEN},
	[MANAGER_REPORT_FIRST] = {.key = "first",
		.type = RPC_UINT,
		.need = true,
		.max = UINT64_MAX},
	[MANAGER_REPORT_FIELDS] = {0},
};
const struct rpc_field manager_acked_fields[] = {
	[MANAGER_ACKED_NUMBER] = {.key = "acked",
		.type = RPC_UINT,
		.need = true,
		.max = UINT64_MAX},
	[MANAGER_ACKED_FIELDS] = {0},
};
const struct rpc_field manager_job_fields[] = {
	[MANAGER_JOB_JOB] = {.key = "job", .type = RPC_NAME, .need = true},
	[MANAGER_JOB_FIELDS] = {0},
};
const struct rpc_field manager_started_fields[] = {
	[MANAGER_STARTED_RUN] = {.key = "run",
		.type = RPC_BYTES,
		.need = true,
		.min = MANAGER_RUN_LEN,
		.max = MANAGER_RUN_LEN},
	[MANAGER_STARTED_FIELDS] = {0},
};
const struct rpc_field manager_progress_fields[] = {
	[MANAGER_PROGRESS_JOB] = {.key = "job", .type = RPC_NAME, .need = true},
	[MANAGER_PROGRESS_BYTES] = {.key = "bytes",
		.type = RPC_UINT,
		.need = true,
		.max = UINT64_MAX},
	[MANAGER_PROGRESS_ENTRIES] = {.key = "entries",
		.type = RPC_UINT,
		.need = true,
		.max = UINT64_MAX},
	[MANAGER_PROGRESS_FIELDS] = {0},
};

/* --- operators ------------------------------------------------------------- */

const struct rpc_field manager_listing_fields[] = {
	[MANAGER_LISTING_NOW] = {.key = "now", .type = RPC_INT, .need = true},
	[MANAGER_LISTING_MANAGER] = {.key = "manager", .type = RPC_NAME, .need = true},
	[MANAGER_LISTING_FIELDS] = {0},
};
const struct rpc_field manager_runs_fields_in[] = {
	[MANAGER_RUNS_AGENT] = {.key = "agent", .type = RPC_NAME},
	[MANAGER_RUNS_JOB] = {.key = "job", .type = RPC_NAME},
	[MANAGER_RUNS_COUNT] = {.key = "count",
		.type = RPC_UINT,
		.min = 1,
		.max = MANAGER_RUNS_MAX},
	[MANAGER_RUNS_FIELDS] = {0},
};
const struct rpc_field manager_token_fields_in[] = {
	[MANAGER_TOKEN_ROLE] = {.key = "role", .type = RPC_TEXT, .need = true, .min = 1, .max = 16},
	[MANAGER_TOKEN_NAME] = {.key = "name", .type = RPC_NAME, .need = true},
	[MANAGER_TOKEN_REPLACE] = {.key = "replace", .type = RPC_BOOL},
	[MANAGER_TOKEN_VALID] = {.key = "valid",
		.type = RPC_UINT,
		.min = 1,
		.max = MANAGER_TOKEN_SEC_MAX},
	[MANAGER_TOKEN_HASH] = {.key = "hash",
		.type = RPC_BYTES,
		.min = RPC_DIGEST_LEN,
		.max = RPC_DIGEST_LEN},
	[MANAGER_TOKEN_HOST] = {.key = "host",
		.type = RPC_TEXT,
		.min = RPC_HOST_LEN,
		.max = RPC_HOST_LEN},
	[MANAGER_TOKEN_FIELDS] = {0},
};
const struct rpc_field manager_made_fields[] = {
	[MANAGER_MADE_TOKEN] = {.key = "token", .type = RPC_TEXT, .min = 1, .max = 1024},
	[MANAGER_MADE_MANAGER] = {.key = "manager", .type = RPC_NAME, .need = true},
	[MANAGER_MADE_ADDRESS] = {.key = "address",
		.type = RPC_TEXT,
		.need = true,
		.min = 1,
		.max = MANAGER_HOST_PORT},
	[MANAGER_MADE_FIELDS] = {0},
};
const struct rpc_field manager_revoke_fields[] = {
	[MANAGER_REVOKE_ROLE] =
		{.key = "role", .type = RPC_TEXT, .need = true, .min = 1, .max = 16},
	[MANAGER_REVOKE_NAME] = {.key = "name", .type = RPC_NAME, .need = true},
	[MANAGER_REVOKE_FIELDS] = {0},
};
const struct rpc_field manager_order_fields_in[] = {
	[MANAGER_ORDER_METHOD] = {.key = "method",
		.type = RPC_UINT,
		.need = true,
		.min = MANAGER_METHOD_RUN,
		.max = MANAGER_METHOD_RELEASE},
	[MANAGER_ORDER_JOB] = {.key = "job", .type = RPC_NAME, .need = true},
	[MANAGER_ORDER_AGENT] = {.key = "agent", .type = RPC_NAME},
	[MANAGER_ORDER_FIELDS] = {0},
};

/* --- hello ----------------------------------------------------------------- */

static void put_bytes(struct cbor_out *out, const char *key, const void *bytes, size_t len)
{
	cbor_put_text(out, key);
	cbor_put_bytes(out, bytes, len);
}

static void put_uint(struct cbor_out *out, const char *key, uint64_t value)
{
	cbor_put_text(out, key);
	cbor_put_uint(out, value);
}

/* What only a store says. */
static void put_store(struct cbor_out *out, const struct manager_hello *h)
{
	put_bytes(out, "uid", h->uid, sizeof h->uid);
	put_bytes(out, "key", h->key, sizeof h->key);
	put_uint(out, "free", h->free);
	put_uint(out, "size", h->size);
	put_uint(out, "used", h->used);
	put_uint(out, "damaged", h->damaged);
	if (h->address[0] != 0) {
		cbor_put_text(out, "address");
		cbor_put_text(out, h->address);
	}
	if (h->fault[0] != 0) {
		cbor_put_text(out, "fault");
		cbor_put_text(out, h->fault);
	}
}

int manager_hello_put(struct buf *buf, const struct manager_hello *h, struct err *err)
{
	size_t room = MANAGER_HELLO_MAX + MANAGER_TEXT_MAX;
	uint8_t *to = buf_room(buf, room, err);
	struct cbor_out out;

	if (to == NULL)
		return -1;
	cbor_out_init(&out, to, room);
	cbor_put_map(&out, 3 + (h->has_journal ? 2 : 0) + (size_t)(h->follows[0] != 0) +
				   (size_t)h->has_digest + (size_t)(h->expires != 0) +
				   (h->is_store ? 6 : 0) +
				   (size_t)(h->is_store && h->address[0] != 0) +
				   (size_t)(h->is_store && h->fault[0] != 0));
	cbor_put_text(&out, "version");
	cbor_put_text(&out, h->version);
	put_bytes(&out, "boot", h->boot, sizeof h->boot);
	cbor_put_text(&out, "clock");
	cbor_put_int(&out, h->clock);
	if (h->expires != 0) {
		cbor_put_text(&out, "expires");
		cbor_put_int(&out, h->expires);
	}
	if (h->has_journal) {
		put_bytes(&out, "journal", h->journal, sizeof h->journal);
		cbor_put_text(&out, "number");
		cbor_put_uint(&out, h->number);
	}
	if (h->follows[0] != 0) {
		cbor_put_text(&out, "follows");
		cbor_put_text(&out, h->follows);
	}
	if (h->has_digest)
		put_bytes(&out, "digest", h->digest, sizeof h->digest);
	if (h->is_store)
		put_store(&out, h);
	assert(!cbor_out_full(&out));
	buf_took(buf, cbor_out_len(&out));
	return 0;
}

static void copy_bytes(void *to, size_t len, const struct rpc_value *v)
{
	if (v->has)
		memcpy(to, v->bytes, len);
}

static void copy_text(char *to, const struct rpc_value *v)
{
	if (v->has)
		memcpy(to, v->bytes, v->len);
	to[v->has ? v->len : 0] = 0;
}

void manager_hello_get(struct manager_hello *h, const struct rpc_value *v)
{
	*h = (struct manager_hello){.clock = v[HELLO_CLOCK].integer,
		.has_journal = v[HELLO_JOURNAL].has && v[HELLO_NUMBER].has,
		.number = v[HELLO_NUMBER].number,
		.has_digest = v[HELLO_DIGEST].has,
		.is_store = v[HELLO_UID].has && v[HELLO_KEY].has,
		.expires = v[HELLO_EXPIRES].integer,
		.size = v[HELLO_SIZE].number,
		.used = v[HELLO_USED].number,
		.free = v[HELLO_FREE].number,
		.damaged = v[HELLO_DAMAGED].number};
	copy_text(h->fault, &v[HELLO_FAULT]);
	copy_text(h->version, &v[HELLO_VERSION]);
	copy_bytes(h->boot, sizeof h->boot, &v[HELLO_BOOT]);
	copy_bytes(h->journal, sizeof h->journal, &v[HELLO_JOURNAL]);
	copy_text(h->follows, &v[HELLO_FOLLOWS]);
	copy_bytes(h->digest, sizeof h->digest, &v[HELLO_DIGEST]);
	copy_bytes(h->uid, sizeof h->uid, &v[HELLO_UID]);
	copy_bytes(h->key, sizeof h->key, &v[HELLO_KEY]);
	copy_text(h->address, &v[HELLO_ADDRESS]);
}

/* --- welcome --------------------------------------------------------------- */

static bool is_told(const struct manager_plan_store *s)
{
	return s->has_uid && s->has_key && s->address != NULL;
}

static size_t store_room(const struct manager_plan_store *s)
{
	return 64 + MANAGER_UID_LEN + MANAGER_KEY_LEN + strlen(s->name) + strlen(s->address);
}

static void put_managers(struct cbor_out *out, const struct manager_peer *managers, size_t count)
{
	size_t i;

	cbor_put_text(out, "managers");
	cbor_put_array(out, count);
	for (i = 0; i < count; i++) {
		cbor_put_map(out, 2);
		cbor_put_text(out, "name");
		cbor_put_text(out, managers[i].name);
		cbor_put_text(out, "address");
		cbor_put_text(out, managers[i].address);
	}
}

/* Without any store a welcome has room. */
_Static_assert(256 + MANAGER_DENIED_MAX * RPC_HOST_LEN +
			       MANAGER_PEERS_MAX * (24 + NAME_LEN_MAX + MANAGER_HOST_PORT) <=
		       MANAGER_WELCOME_MAX,
	"welcome");

/* What is left for stores, once all else is in. */
static size_t room_for_stores(
	const struct manager_welcome *w, const struct manager_peer *managers, size_t count)
{
	size_t left = MANAGER_WELCOME_MAX - 256 - w->denied_count * RPC_HOST_LEN, i;

	for (i = 0; i < count; i++)
		left -= 24 + strlen(managers[i].name) + strlen(managers[i].address);
	return left;
}

int manager_welcome_put(struct buf *buf, const struct manager_welcome *w,
	const struct manager_plan_store *stores, size_t store_count,
	const struct manager_peer *managers, size_t manager_count, struct err *err)
{
	uint8_t *to = buf_room(buf, MANAGER_WELCOME_MAX, err);
	size_t told = 0, left, i, n;
	struct cbor_out out;

	if (to == NULL)
		return -1;
	assert(w->denied_count <= MANAGER_DENIED_MAX && manager_count <= MANAGER_PEERS_MAX);
	cbor_out_init(&out, to, MANAGER_WELCOME_MAX);
	left = room_for_stores(w, managers, manager_count);
	for (i = 0; i < store_count && told < MANAGER_STORES_MAX; i++)
		if (is_told(&stores[i]) && store_room(&stores[i]) <= left) {
			left -= store_room(&stores[i]);
			told++;
		}
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
	left = room_for_stores(w, managers, manager_count);
	for (i = n = 0; i < store_count && n < told; i++) {
		if (!is_told(&stores[i]) || store_room(&stores[i]) > left)
			continue;
		left -= store_room(&stores[i]);
		n++;
		cbor_put_map(&out, 4);
		cbor_put_text(&out, "name");
		cbor_put_text(&out, stores[i].name);
		cbor_put_text(&out, "address");
		cbor_put_text(&out, stores[i].address);
		put_bytes(&out, "uid", stores[i].uid, MANAGER_UID_LEN);
		put_bytes(&out, "key", stores[i].key, MANAGER_KEY_LEN);
	}
	if (manager_count > 0)
		put_managers(&out, managers, manager_count);
	assert(!cbor_out_full(&out));
	buf_took(buf, cbor_out_len(&out));
	return 0;
}

int manager_welcome_get(struct manager_welcome *w, const void *bytes, size_t len, struct err *err)
{
	struct rpc_value v[WELCOME_COUNT];

	if (rpc_params_get(v, manager_welcome_fields, bytes, len, err) != 0)
		return -1;
	*w = (struct manager_welcome){.clock = v[WELCOME_CLOCK].integer,
		.acked = v[WELCOME_ACKED].number,
		.has_digest = v[WELCOME_DIGEST].has,
		.denied = (const char *)v[WELCOME_DENIED].bytes,
		.denied_count = v[WELCOME_DENIED].has ? v[WELCOME_DENIED].len / RPC_HOST_LEN : 0,
		.stores = v[WELCOME_STORES],
		.managers = v[WELCOME_MANAGERS]};
	copy_bytes(w->digest, sizeof w->digest, &v[WELCOME_DIGEST]);
	return 0;
}

/* What is no address is not handed on: it would get into lists. */
static bool is_address(const char *text)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];

	return rpc_address_split(text, host, port, "", NULL) == 0;
}

bool manager_welcome_store(struct manager_welcome *w, struct manager_store_text *store)
{
	struct rpc_value item, v[STORE_COUNT];

	while (w->stores.has && rpc_list_next(&w->stores, &fleet_store_field, &item)) {
		if (rpc_params_get(v, fleet_store_fields, item.bytes, item.len, NULL) != 0)
			return false;
		copy_text(store->name, &v[STORE_NAME]);
		copy_text(store->address, &v[STORE_ADDRESS]);
		copy_bytes(store->uid, sizeof store->uid, &v[STORE_UID]);
		copy_bytes(store->key, sizeof store->key, &v[STORE_KEY]);
		if (is_address(store->address))
			return true;
	}
	return false;
}

bool manager_welcome_manager(struct manager_welcome *w, struct manager_peer *manager)
{
	struct rpc_value item, v[PEER_COUNT];

	while (w->managers.has && rpc_list_next(&w->managers, &fleet_manager_field, &item)) {
		if (rpc_params_get(v, fleet_manager_fields, item.bytes, item.len, NULL) != 0)
			return false;
		copy_text(manager->name, &v[PEER_NAME]);
		copy_text(manager->address, &v[PEER_ADDRESS]);
		if (is_address(manager->address))
			return true;
	}
	return false;
}
