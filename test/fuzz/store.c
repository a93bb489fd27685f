/* What a store returns: records, dumps' records, pieces of manifests, selected by the first byte.
 * Arbitrary bytes are refused in an orderly way, or are valid. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/dump/crypt.h"
#include "cmd/store/dump.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/zst.h"
#include "pack/entry.h"

#define MUST(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Opened as an unsealed record, and with a key for which it is not sealed. */
static void record(const uint8_t *data, size_t len)
{
	static struct dump_keys *keys;
	static struct zst *zst;
	static const uint8_t domain[STORE_DOMAIN_LEN] = "domain";
	struct store_record r;
	struct buf out;
	struct err err = {0};
	uint8_t *copy;

	if (zst == NULL) {
		struct key_secret key = {.secret = {1}};

		MUST(hash_crypto_init(&err) == 0);
		MUST((keys = dump_keys_new(&key, 1, &err)) != NULL);
		MUST((zst = zst_new(1, &err)) != NULL);
	}
	if (store_record_get(&r, data, len, &err) != 0)
		return;
	MUST(r.head_len + r.body_len == len && r.raw_len <= STORE_CONTENT_MAX);
	copy = malloc(len);
	MUST(copy != NULL);
	memcpy(copy, data, len);
	buf_init(&out, STORE_CONTENT_MAX);
	if (dump_crypt_open(keys, zst, domain, r.id, copy, len, &out, &err) == 0)
		MUST(out.len == r.raw_len);
	buf_fini(&out);
	free(copy);
}

static void dump(const uint8_t *data, size_t len)
{
	const uint8_t *at = NULL, *path;
	struct store_dump d, again;
	struct err err = {0};
	struct buf out;
	size_t path_len, paths = 0;

	if (store_dump_get(&d, data, len, &err) != 0)
		return;
	while (store_dump_path(&d, &at, &path, &path_len)) {
		MUST(path >= data && path + path_len <= data + len);
		paths++;
	}
	MUST(paths == d.path_count);
	MUST(d.list_count == 0 || d.lists[d.list_count * STORE_ID_LEN - 1] <= 0xff);
	buf_init(&out, STORE_DUMP_MAX);
	if (store_dump_put(&d, &out, &err) ==
		0) { /* our encoding is canonical, and means the same */
		MUST(store_dump_get(&again, out.data, out.len, &err) == 0);
		MUST(again.chunks == d.chunks && again.lock == d.lock &&
			again.list_count == d.list_count && again.slot == d.slot &&
			(again.plan != NULL) == (d.plan != NULL));
	}
	buf_fini(&out);
}

static void manifest(const uint8_t *data, size_t len)
{
	struct pack_item item;
	struct pack_head head;
	struct pack_tail tail;
	struct err err = {0};
	struct cbor_in in;
	bool open = false;

	cbor_in_init(&in, data, len);
	while (in.at < in.end) {
		if (!open) {
			head = (struct pack_head){0};
			if (pack_head_get(&in, &head, &err) < 0)
				return;
			open = true;
			continue;
		}
		if (pack_manifest_item_get(&in, &item, &err) != 0)
			return;
		if (item.kind == PACK_ITEM_REF)
			MUST(item.len > 0 && (uint64_t)item.offset + item.len <= PACK_REF_LEN_MAX);
		if (item.kind == PACK_ITEM_TAIL) {
			tail = (struct pack_tail){0};
			if (pack_tail_get(&in, &tail, &err) < 0)
				return;
			open = false;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		record(data + 1, len - 1);
		break;
	case 1:
		dump(data + 1, len - 1);
		break;
	default:
		manifest(data + 1, len - 1);
	}
	return 0;
}
