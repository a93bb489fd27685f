#include "cmd/manager/proto.h"

#include <assert.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/err.h"

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
	[HELLO_COUNT] = {0},
};

enum { STORE_NAME, STORE_ADDRESS, STORE_UID, STORE_KEY, STORE_COUNT };

static const struct rpc_field store_fields[] = {
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
static const struct rpc_field store_item = {.type = RPC_MAP, .sub = store_fields};

enum {
	WELCOME_CLOCK,
	WELCOME_ACKED,
	WELCOME_DIGEST,
	WELCOME_DENIED,
	WELCOME_STORES,
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
		.of = &store_item},
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
	cbor_put_map(&out, 3 + (h->has_journal ? 2 : 0) + (size_t)(h->follows[0] != 0) +
				   (size_t)h->has_digest + (h->is_store ? 3 : 0) +
				   (size_t)(h->is_store && h->address[0] != 0));
	cbor_put_text(&out, "version");
	cbor_put_text(&out, h->version);
	put_bytes(&out, "boot", h->boot, sizeof h->boot);
	cbor_put_text(&out, "clock");
	cbor_put_int(&out, h->clock);
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
	if (h->is_store) {
		put_bytes(&out, "uid", h->uid, sizeof h->uid);
		put_bytes(&out, "key", h->key, sizeof h->key);
		cbor_put_text(&out, "free");
		cbor_put_uint(&out, h->free);
		if (h->address[0] != 0) {
			cbor_put_text(&out, "address");
			cbor_put_text(&out, h->address);
		}
	}
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
		.free = v[HELLO_FREE].number};
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

int manager_welcome_put(struct buf *buf, const struct manager_welcome *w,
	const struct manager_plan_store *stores, size_t store_count, struct err *err)
{
	uint8_t *to = buf_room(buf, MANAGER_WELCOME_MAX, err);
	size_t told = 0, left, i, n;
	struct cbor_out out;

	if (to == NULL)
		return -1;
	assert(w->denied_count <= MANAGER_DENIED_MAX);
	cbor_out_init(&out, to, MANAGER_WELCOME_MAX);
	left = MANAGER_WELCOME_MAX - 256 - w->denied_count * RPC_HOST_LEN;
	for (i = 0; i < store_count && told < MANAGER_STORES_MAX; i++)
		if (is_told(&stores[i]) && store_room(&stores[i]) <= left) {
			left -= store_room(&stores[i]);
			told++;
		}
	cbor_put_map(&out,
		2 + (size_t)w->has_digest + (size_t)(w->denied_count > 0) + (size_t)(told > 0));
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
	left = MANAGER_WELCOME_MAX - 256 - w->denied_count * RPC_HOST_LEN;
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
		.stores = v[WELCOME_STORES]};
	copy_bytes(w->digest, sizeof w->digest, &v[WELCOME_DIGEST]);
	return 0;
}

bool manager_welcome_store(struct manager_welcome *w, struct manager_store_text *store)
{
	struct rpc_value item, v[STORE_COUNT];

	if (!w->stores.has || !rpc_list_next(&w->stores, &store_item, &item) ||
		rpc_params_get(v, store_fields, item.bytes, item.len, NULL) != 0)
		return false;
	copy_text(store->name, &v[STORE_NAME]);
	copy_text(store->address, &v[STORE_ADDRESS]);
	copy_bytes(store->uid, sizeof store->uid, &v[STORE_UID]);
	copy_bytes(store->key, sizeof store->key, &v[STORE_KEY]);
	return true;
}
