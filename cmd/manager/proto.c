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

const struct cbormap_field manager_hello_fields[] = {
	[HELLO_VERSION] = {CBORMAP_OF(struct manager_hello, TEXT, version), .need = true},
	[HELLO_BOOT] = {CBORMAP_OF(struct manager_hello, BYTES, boot), .need = true},
	[HELLO_CLOCK] = {CBORMAP_OF(struct manager_hello, INT, clock), .need = true},
	[HELLO_JOURNAL] = {CBORMAP_OF(struct manager_hello, BYTES, journal)},
	[HELLO_NUMBER] = {CBORMAP_OF(struct manager_hello, UINT, number)},
	[HELLO_FOLLOWS] = {CBORMAP_OF(struct manager_hello, NAME, follows)},
	[HELLO_DIGEST] = {CBORMAP_OF(struct manager_hello, BYTES, digest)},
	[HELLO_UID] = {CBORMAP_OF(struct manager_hello, BYTES, uid)},
	[HELLO_KEY] = {CBORMAP_OF(struct manager_hello, BYTES, key)},
	[HELLO_ADDRESS] = {CBORMAP_OF(struct manager_hello, TEXT, address)},
	[HELLO_FREE] = {CBORMAP_OF(struct manager_hello, UINT, free)},
	[HELLO_EXPIRES] = {CBORMAP_OF(struct manager_hello, INT, expires)},
	[HELLO_SIZE] = {CBORMAP_OF(struct manager_hello, UINT, size)},
	[HELLO_USED] = {CBORMAP_OF(struct manager_hello, UINT, used)},
	[HELLO_DAMAGED] = {CBORMAP_OF(struct manager_hello, UINT, damaged)},
	[HELLO_FAULT] = {CBORMAP_OF(struct manager_hello, TEXT, fault)},
	[HELLO_COUNT] = {0},
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
	[MANAGER_TOKEN_ROLE] =
		{.key = "role", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = 16},
	[MANAGER_TOKEN_NAME] = {.key = "name", .type = CBORMAP_NAME, .need = true},
	[MANAGER_TOKEN_REPLACE] = {.key = "replace", .type = CBORMAP_BOOL},
	[MANAGER_TOKEN_VALID] = {.key = "valid",
		.type = CBORMAP_UINT,
		.min = 1,
		.max = MANAGER_TOKEN_SEC_MAX},
	[MANAGER_TOKEN_HASH] = {.key = "hash", CBORMAP_FIXED(RPC_DIGEST_LEN)},
	[MANAGER_TOKEN_HOST] = {.key = "host",
		.type = CBORMAP_TEXT,
		.min = RPC_HOST_LEN,
		.max = RPC_HOST_LEN},
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
	[MANAGER_REVOKE_ROLE] =
		{.key = "role", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = 16},
	[MANAGER_REVOKE_NAME] = {.key = "name", .type = CBORMAP_NAME, .need = true},
	[MANAGER_REVOKE_HOST] = {.key = "host",
		.type = CBORMAP_TEXT,
		.min = RPC_HOST_LEN,
		.max = RPC_HOST_LEN},
	[MANAGER_REVOKE_FIELDS] = {0},
};
const struct cbormap_field manager_replace_fields[] = {
	[MANAGER_REPLACE_ROLE] =
		{.key = "role", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = 16},
	[MANAGER_REPLACE_NAME] = {.key = "name", .type = CBORMAP_NAME, .need = true},
	[MANAGER_REPLACE_VALID] = {.key = "valid",
		.type = CBORMAP_UINT,
		.min = 1,
		.max = MANAGER_TOKEN_SEC_MAX},
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

void manager_hello_get(struct manager_hello *h, const struct cbormap_value *v)
{
	*h = (struct manager_hello){.has_journal = v[HELLO_JOURNAL].has,
		.has_digest = v[HELLO_DIGEST].has,
		.is_store = v[HELLO_UID].has && v[HELLO_KEY].has};
	cbormap_store(h, manager_hello_fields, v);
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
	for (i = 0; i < count; i++)
		cbormap_put(out, fleet_manager_fields, &managers[i]);
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

/* What is no address is not handed on: it would get into lists. */
static bool is_address(const char *text)
{
	char host[RPC_HOST_PORT_MAX + 1], port[8];

	return rpc_address_split(text, host, port, "", NULL) == 0;
}

bool manager_welcome_store(struct manager_welcome *w, struct manager_store_text *store)
{
	struct cbormap_value item;

	while (cbormap_next(&w->stores, &fleet_store_field, &item)) {
		cbormap_store_item(store, &fleet_store_field, &item);
		if (is_address(store->address))
			return true;
	}
	return false;
}

bool manager_welcome_manager(struct manager_welcome *w, struct manager_peer *manager)
{
	struct cbormap_value item;

	while (cbormap_next(&w->managers, &fleet_manager_field, &item)) {
		cbormap_store_item(manager, &fleet_manager_field, &item);
		if (is_address(manager->address))
			return true;
	}
	return false;
}
