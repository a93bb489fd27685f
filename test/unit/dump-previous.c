/* The last manifest's copy: entries in order, contents found by their checksum; if it is damaged,
 * nothing wrong is found. And the pieces that a manifest and its list are cut into. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "cmd/dump/cutter.h"
#include "cmd/dump/manifest.h"
#include "cmd/dump/previous.h"
#include "cmd/store/marks.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/hash.h"
#include "lib/le.h"

#define COUNT 2000

static struct err err;
static uint64_t gear[256];
static const uint8_t domain[STORE_DOMAIN_LEN] = "a domain's name",
		     dump[STORE_DUMP_ID] = "a dump's id";
static char path[] = "/tmp/fdump-previous-XXXXXX";
static size_t pieces, longest, lists;

static int sink(void *ctx, bool list, const void *content, size_t len, uint8_t id[STORE_ID_LEN],
	struct err *e)
{
	(void)ctx, (void)e;
	hash_sha256(content, len, id);
	pieces += !list;
	lists += list;
	longest = !list && len > longest ? len : longest;
	return 0;
}

/* Entry n's content is that of entry n modulo 1,900; every tenth has a hole. */
static size_t entry_of(unsigned n, uint8_t *to, size_t size, char *name, struct pack_tail *tail)
{
	struct pack_head head = {.type = PACK_REGULAR, .has = PACK_HAS_MODE, .mode = 0644};
	struct cbor_out out;
	uint8_t id[STORE_ID_LEN];
	uint32_t content = n % 1900;

	sprintf(name, "folder/file-%06u", n);
	head.path = (struct pack_bytes){(const uint8_t *)name, strlen(name)};
	*tail = (struct pack_tail){.has_content = true, .size = 1000 + content};
	hash_sha256(&content, sizeof content, tail->sum);
	content = n / 20;
	hash_sha256(&content, sizeof content, id);
	cbor_out_init(&out, to, size);
	pack_head_put(&out, &head, false);
	pack_ref_put(&out, id, n % 20 * 5000, (uint32_t)tail->size - (n % 10 == 9));
	if (n % 10 == 9)
		cbor_put_uint(&out, 1);
	pack_tail_put(&out, tail);
	assert_false(cbor_out_full(&out));
	return cbor_out_len(&out);
}

static int make(void **state)
{
	struct dump_previous_out *out;
	struct dump_manifest *m;
	struct store_dump record = {0};
	struct pack_tail tail;
	uint8_t bytes[1024];
	char name[64];
	unsigned n;

	(void)state;
	if (hash_crypto_init(&err) != 0)
		return -1;
	gear[0] = 0x1234567890abcdefu;
	close(mkstemp(path));
	out = dump_previous_make(path, domain, &err);
	m = dump_manifest_new(gear, out, sink, NULL, &err);
	for (n = 0; n < COUNT; n++) {
		struct dump_stat stat = {.size = 1000 + n % 1900, .mode = 0100644};
		size_t len = entry_of(n, bytes, sizeof bytes, name, &tail);

		stat.sum = le_get64(tail.sum);
		if (dump_manifest_add(m, bytes, len, &err) != 0 ||
			dump_manifest_entry(m, name, strlen(name), &stat, &err) != 0)
			return -1;
	}
	if (dump_manifest_finish(m, &record, &err) != 0)
		return -1;
	dump_manifest_free(m);
	return dump_previous_commit(out, dump, &err);
}

static int drop(void **state)
{
	(void)state;
	return unlink(path);
}

static void cuts(void **state)
{
	(void)state;
	assert_in_range(pieces, COUNT * 100 / 16384, COUNT * 150 / 4096);
	assert_in_range(longest, 1, dump_cut_entries.max);
	assert_in_range(lists, 2, 20); /* a hundred chunks, some tens of pieces */
}

static void order(void **state)
{
	const uint8_t *id = NULL;
	struct dump_previous *last = dump_previous_open(path, domain, NULL, &id);
	struct dump_old old;
	char name[64];
	unsigned n = 0;

	(void)state;
	assert_non_null(last);
	assert_memory_equal(id, dump, STORE_DUMP_ID);
	for (; dump_previous_next(last, &old); n++) {
		sprintf(name, "folder/file-%06u", n);
		assert_int_equal(old.head.path.len, strlen(name));
		assert_memory_equal(old.head.path.at, name, strlen(name));
		assert_int_equal(old.stat.size, 1000 + n % 1900);
	}
	assert_int_equal(n, COUNT);
	dump_previous_close(last);
}

/* Every content that is found has the checksum. Returns how many are found. */
static size_t find_all(struct dump_previous *last)
{
	struct pack_tail tail;
	struct pack_item item;
	struct cbor_in in;
	struct pack_bytes items;
	struct buf piece;
	uint8_t bytes[1024];
	char name[64];
	unsigned n;
	size_t found = 0;

	buf_init(&piece, SIZE_MAX);
	for (n = 0; n < COUNT; n++) {
		entry_of(n, bytes, sizeof bytes, name, &tail);
		assert_false(dump_previous_find(last, tail.sum, tail.size + 1, &piece, &items));
		if (!dump_previous_find(last, tail.sum, tail.size, &piece, &items))
			continue;
		found++;
		cbor_in_init(&in, items.at, items.len);
		assert_int_equal(pack_manifest_item_get(&in, &item, &err), 0);
		assert_int_equal(item.kind, PACK_ITEM_REF);
		assert_int_equal(item.len, tail.size);
		assert_int_equal(item.offset, n % 1900 % 20 * 5000);
		tail.sum[31] ^= 1;
		assert_false(dump_previous_find(last, tail.sum, tail.size, &piece, &items));
	}
	buf_fini(&piece);
	return found;
}

static void contents(void **state)
{
	const uint8_t *of;
	struct dump_previous *last = dump_previous_open(path, domain, NULL, &of);

	(void)state;
	assert_int_equal(find_all(last), COUNT - COUNT / 10);
	dump_previous_close(last);
}

/* The twenty entries that name a lost chunk are known, but not found. */
static void lost(void **state)
{
	struct dump_previous *last;
	struct store_marks chunks = {0};
	const uint8_t *of;
	const uint32_t chunk = 5;
	uint8_t id[STORE_ID_LEN];
	struct dump_old old;
	unsigned n;

	(void)state;
	hash_sha256(&chunk, sizeof chunk, id);
	assert_int_equal(store_marks_add(&chunks, hash_xxh3(id, sizeof id), &err), 0);
	last = dump_previous_open(path, domain, &chunks, &of);
	assert_non_null(last);
	for (n = 0; dump_previous_next(last, &old); n++)
		assert_int_equal(old.lost, n / 20 == chunk);
	assert_int_equal(n, COUNT);
	assert_int_equal(find_all(last), COUNT - COUNT / 10 - 18);
	dump_previous_close(last);
	store_marks_fini(&chunks);
}

static void damaged(void **state)
{
	struct dump_previous *last;
	size_t found, before = COUNT - COUNT / 10;
	const uint8_t *of;
	long at, len;
	FILE *f = fopen(path, "r+b");
	int c;

	(void)state;
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	for (at = len - 1; at > 40; at = at * 2 / 3) {
		fseek(f, at, SEEK_SET);
		c = fgetc(f);
		fseek(f, at, SEEK_SET);
		fputc(c ^ 0x10, f);
		fflush(f);
		last = dump_previous_open(path, domain, NULL, &of);
		found = find_all(last);
		assert_in_range(found, 0, before);
		before = found;
		dump_previous_close(last);
	}
	assert_int_equal(ftruncate(fileno(f), 45), 0);
	last = dump_previous_open(path, domain, NULL, &of);
	assert_int_equal(find_all(last), 0);
	dump_previous_close(last);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts),
		cmocka_unit_test(order),
		cmocka_unit_test(contents),
		cmocka_unit_test(lost),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
