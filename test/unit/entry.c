/* pack/entry: which entries are accepted, refused, or malformed. */
#include "test/unit/unit.h"

#include "lib/buf.h"
#include "lib/cbor.h"
#include "pack/entry.h"

static struct err err;
static uint8_t mem[3u << 20];
static struct cbor_out out;

static struct pack_bytes bytes(const char *text)
{
	return (struct pack_bytes){(const uint8_t *)text, strlen(text)};
}

/* --- paths ---------------------------------------------------------------- */

static void paths(void **state)
{
	static const char *const good[] = {
		".", "a", "a/b", "...", "..a", "a..", ".a/.b", "a/ /b", "\xff", "a\nb"};
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", "..", "../a", "a/..",
		"a/../b", "./a", "a/.", "a/./b", "//"};
	uint8_t large[PACK_PATH_MAX + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++)
		assert_null(pack_path_wrong(bytes(good[i]).at, strlen(good[i])));
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_non_null(pack_path_wrong(bytes(bad[i]).at, strlen(bad[i])));
	assert_non_null(pack_path_wrong((const uint8_t *)"a\0b", 3));
	for (i = 0; i < sizeof large; i++)
		large[i] = i % 256 == 255 ? '/' : 'n';
	assert_null(pack_path_wrong(large, 255));
	assert_non_null(pack_path_wrong(large, 256)); /* ends in a slash */
	assert_null(pack_path_wrong(large, PACK_PATH_MAX));
	large[255] = 'n';
	assert_non_null(pack_path_wrong(large, 256)); /* a component of 256 bytes */
	large[255] = '/';
	large[PACK_PATH_MAX] = 'n';
	assert_non_null(pack_path_wrong(large, PACK_PATH_MAX + 1));
}

/* --- HEAD ----------------------------------------------------------------- */

static int get_head(struct pack_head *head)
{
	struct cbor_in in;
	int got;

	assert_false(cbor_out_full(&out));
	cbor_in_init(&in, mem, cbor_out_len(&out));
	err = (struct err){0};
	got = pack_head_get(&in, head, &err);
	assert_int_equal(got != 0, err.code != ERR_NONE);
	if (got >= 0)
		assert_ptr_equal(in.at, in.end);
	return got;
}

/* Puts this HEAD; returns the result of reading it. */
static int head_again(const struct pack_head *head, struct pack_head *again)
{
	cbor_out_init(&out, mem, sizeof mem);
	pack_head_put(&out, head, false);
	return get_head(again);
}

static struct pack_head file(void)
{
	return (struct pack_head){.path = bytes("dir/file"),
		.type = PACK_REGULAR,
		.has = PACK_HAS_MODE,
		.mode = 0644};
}

static void whole_head(void **state)
{
	static const uint8_t attributes[] = {0xa1, 0x46, 'u', 's', 'e', 'r', '.', 'a', 0x41, 'v'};
	struct pack_head h = file(), got;

	(void)state;
	h.has |= PACK_HAS_UID | PACK_HAS_GID | PACK_HAS_MTIME | PACK_HAS_SIZE | PACK_HAS_FLAGS;
	h.mode = 07777;
	h.uid = UINT32_MAX - 1;
	h.gid = 5;
	h.user = bytes("somebody");
	h.group = bytes("g");
	h.mtime = (struct pack_time){INT64_MIN, 999999999};
	h.size = INT64_MAX;
	h.xattrs = (struct pack_bytes){attributes, sizeof attributes};
	h.flags = UINT32_MAX;
	assert_int_equal(head_again(&h, &got), 0);
	assert_memory_equal(got.path.at, "dir/file", 8);
	assert_true(got.has == h.has && got.mode == 07777 && got.uid == h.uid && got.gid == 5);
	assert_true(got.mtime.sec == INT64_MIN && got.mtime.nsec == 999999999);
	assert_true(got.size == INT64_MAX && got.flags == UINT32_MAX);
	assert_int_equal(got.xattrs.len, sizeof attributes);
	assert_memory_equal(got.user.at, "somebody", 8);
	/* In an index: without size, flags, attributes. */
	cbor_out_init(&out, mem, sizeof mem);
	pack_head_put(&out, &h, true);
	assert_int_equal(get_head(&got), 0);
	assert_null(got.xattrs.at);
	assert_false(got.has & (PACK_HAS_SIZE | PACK_HAS_FLAGS));
	assert_true(got.has & PACK_HAS_MTIME);
}

#define HEAD(want, change)                                                                         \
	do {                                                                                       \
		struct pack_head h = file(), got;                                                  \
		change;                                                                            \
		assert_int_equal(head_again(&h, &got), want);                                      \
	} while (0)

static void rules_of_types(void **state)
{
	(void)state;
	HEAD(0, (void)h);
	HEAD(1, h.has = 0); /* no mode */
	HEAD(1, h.type = 0);
	HEAD(1, h.type = PACK_COMMAND + 1);
	HEAD(0, (h.type = PACK_COMMAND, h.has = 0));
	HEAD(1, h.type = PACK_SYMLINK);
	HEAD(0, (h.type = PACK_SYMLINK, h.target = bytes("/any/../where")));
	HEAD(1, h.target = bytes("x"));
	HEAD(1, h.type = PACK_HARDLINK);
	HEAD(0, (h.type = PACK_HARDLINK, h.has = 0, h.link = bytes("a/b")));
	HEAD(1, (h.type = PACK_HARDLINK, h.has = 0, h.link = bytes("../b")));
	HEAD(1, (h.type = PACK_HARDLINK, h.has = 0, h.link = bytes(".")));
	HEAD(1, h.type = PACK_CHAR);
	HEAD(0, (h.type = PACK_CHAR, h.has |= PACK_HAS_RDEV));
	HEAD(1, h.has |= PACK_HAS_RDEV);
	HEAD(1, h.path = bytes("."));
	HEAD(0, (h.path = bytes("."), h.type = PACK_DIRECTORY));
	HEAD(1, h.path = bytes("../x"));
	HEAD(1, h.mode = 010000);
	HEAD(1, (h.has |= PACK_HAS_UID, h.uid = UINT32_MAX));
	HEAD(1, (h.has |= PACK_HAS_MTIME, h.mtime.nsec = 1000000000));
	HEAD(1, (h.has |= PACK_HAS_SIZE, h.size = (uint64_t)INT64_MAX + 1));
	HEAD(1, h.user = bytes(""));
}

/* A refused HEAD still has its path, if that is valid. */
static void refused_has_its_path(void **state)
{
	struct pack_head h = file(), got;

	(void)state;
	h.has = 0;
	assert_int_equal(head_again(&h, &got), 1);
	assert_int_equal(got.path.len, 8);
	h.path = bytes("/abs");
	assert_int_equal(head_again(&h, &got), 1);
	assert_null(got.path.at);
	assert_non_null(strstr(err.message, "/abs"));
}

/* A map of these pairs after those of a good HEAD. */
static int head_with(void (*more)(void), size_t count)
{
	struct pack_head got;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3 + count);
	cbor_put_text(&out, "P");
	cbor_put_bytes(&out, "p", 1);
	cbor_put_text(&out, "T");
	cbor_put_uint(&out, PACK_REGULAR);
	cbor_put_text(&out, "m");
	cbor_put_uint(&out, 0644);
	more();
	return get_head(&got);
}

static void lower(void)
{
	cbor_put_text(&out, "later");
	cbor_put_array(&out, 1);
	cbor_put_map(&out, 1);
	cbor_put_bytes(&out, "k", 1);
	cbor_put_null(&out);
}

static void upper(void)
{
	cbor_put_text(&out, "Later");
	cbor_put_bool(&out, true);
}

static void twice(void)
{
	cbor_put_text(&out, "m");
	cbor_put_uint(&out, 0600);
}

static void no_text(void)
{
	cbor_put_uint(&out, 1);
	cbor_put_uint(&out, 1);
}

static void wrong_kind(void)
{
	cbor_put_text(&out, "u");
	cbor_put_text(&out, "root");
}

static void deep(void)
{
	int i;

	cbor_put_text(&out, "deep");
	for (i = 0; i < 9; i++)
		cbor_put_array(&out, 1);
	cbor_put_uint(&out, 1);
}

static void huge(void)
{
	static uint8_t value[PACK_HEAD_MAX];

	cbor_put_text(&out, "huge");
	cbor_put_bytes(&out, value, sizeof value);
}

static void missing(void)
{
}

static void keys(void **state)
{
	(void)state;
	assert_int_equal(head_with(lower, 1), 0);
	assert_int_equal(head_with(upper, 1), 1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "Later"));
	assert_int_equal(head_with(twice, 1), -1);
	assert_int_equal(head_with(no_text, 1), -1);
	assert_int_equal(head_with(wrong_kind, 1), -1);
	assert_int_equal(head_with(deep, 1), -1);
	assert_int_equal(head_with(missing, 1), -1);
	assert_int_equal(head_with(huge, 1), 1);
	assert_int_equal(err.code, ERR_LIMIT);
}

static void sparse(void)
{
	cbor_put_text(&out, "Z");
	cbor_put_uint(&out, 1);
}

static void sparse_of_another_kind(void)
{
	cbor_put_text(&out, "Z");
	cbor_put_uint(&out, 2);
}

static void kind_of_checksum(void **state)
{
	(void)state;
	assert_int_equal(head_with(sparse, 1), 0);
	assert_int_equal(head_with(sparse_of_another_kind, 1), 1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
}

/* --- TAIL and items --------------------------------------------------------- */

static int tail_again(const struct pack_tail *tail, struct pack_tail *again)
{
	struct cbor_in in;

	cbor_out_init(&out, mem, 256);
	pack_tail_put(&out, tail);
	assert_false(cbor_out_full(&out));
	cbor_in_init(&in, mem, cbor_out_len(&out));
	err = (struct err){0};
	return pack_tail_get(&in, again, &err);
}

static void tails(void **state)
{
	struct pack_tail t = {0}, got;

	(void)state;
	assert_int_equal(tail_again(&t, &got), 0);
	assert_int_equal(cbor_out_len(&out), 1);
	t = (struct pack_tail){.has_content = true,
		.size = INT64_MAX,
		.sum = {1, 2, 3},
		.status = PACK_INCOMPLETE,
		.changed = 15,
		.has_error = true,
		.error_offset = INT64_MAX,
		.error = UINT32_MAX,
		.has_mtime = true,
		.mtime = {INT64_MAX, 999999999},
		.has_exit = true,
		.exit = 255};
	assert_int_equal(tail_again(&t, &got), 0);
	assert_true(got.size == INT64_MAX && got.status == t.status && got.changed == 15);
	assert_true(got.error_offset == INT64_MAX && got.error == UINT32_MAX && got.exit == 255);
	assert_true(got.mtime.sec == INT64_MAX && got.sum[2] == 3 && !got.passed_by);
	t.exit = 256;
	assert_int_equal(tail_again(&t, &got), 1);
	t.exit = 0;
	t.status = PACK_STATUSES;
	assert_int_equal(tail_again(&t, &got), 1);
}

static void what_fits(void **state)
{
	struct pack_head h = file();
	struct pack_tail none = {0}, content = {.has_content = true}, ran = content;

	(void)state;
	ran.has_exit = true;
	assert_int_equal(pack_tail_fits(&h, &content, &err), 0);
	assert_int_equal(pack_tail_fits(&h, &none, &err), 1);
	assert_int_equal(pack_tail_fits(&h, &ran, &err), 1);
	h.type = PACK_COMMAND;
	assert_int_equal(pack_tail_fits(&h, &ran, &err), 0);
	assert_int_equal(pack_tail_fits(&h, &content, &err), 1);
	h.type = PACK_DIRECTORY;
	assert_int_equal(pack_tail_fits(&h, &none, &err), 0);
	assert_int_equal(pack_tail_fits(&h, &content, &err), 1);
}

static int item(struct pack_item *got)
{
	struct cbor_in in;

	cbor_in_init(&in, mem, cbor_out_len(&out));
	cbor_out_init(&out, mem, sizeof mem);
	return pack_item_get(&in, got, &err);
}

static void items(void **state)
{
	struct pack_item got;

	(void)state;
	cbor_out_init(&out, mem, sizeof mem);
	assert_int_equal(item(&got), 0);
	assert_int_equal(got.kind, PACK_ITEM_NONE);
	cbor_put_bytes(&out, "data", 4);
	assert_int_equal(item(&got), 0);
	assert_true(got.kind == PACK_ITEM_DATA && got.data.len == 4);
	cbor_put_bytes(&out, "", 0);
	assert_int_equal(item(&got), -1);
	cbor_put_uint(&out, PACK_CONTENT_MAX);
	assert_int_equal(item(&got), 0);
	assert_true(got.kind == PACK_ITEM_HOLE && got.hole == PACK_CONTENT_MAX);
	cbor_put_uint(&out, PACK_CONTENT_MAX + 1);
	assert_int_equal(item(&got), -1);
	cbor_put_uint(&out, 0);
	assert_int_equal(item(&got), -1);
	cbor_put_map(&out, 0);
	assert_int_equal(item(&got), 0);
	assert_int_equal(got.kind, PACK_ITEM_TAIL);
	cbor_put_array(&out, 3);
	assert_int_equal(item(&got), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	cbor_put_text(&out, "text");
	assert_int_equal(item(&got), -1);
	cbor_put_bytes_head(&out, 1000); /* of which nothing is there */
	assert_int_equal(item(&got), -1);
}

/* In a manifest content is by reference. */
static int reference(uint64_t offset, uint64_t len, struct pack_item *got)
{
	static const uint8_t id[PACK_REF_ID] = "0123456789abcdef0123456789abcde";
	struct cbor_in in;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_array(&out, 3);
	cbor_put_bytes(&out, id, sizeof id);
	cbor_put_uint(&out, offset);
	cbor_put_uint(&out, len);
	cbor_in_init(&in, mem, cbor_out_len(&out));
	return pack_manifest_item_get(&in, got, &err);
}

static void references(void **state)
{
	uint8_t ours[PACK_REF_MAX];
	struct pack_item got;
	struct cbor_in in;

	(void)state;
	assert_int_equal(reference(5, 7, &got), 0);
	assert_int_equal(got.kind, PACK_ITEM_REF);
	assert_memory_equal(got.data.at, "0123456789", 10);
	assert_true(got.offset == 5 && got.len == 7);
	cbor_out_init(&out, ours, sizeof ours);
	pack_ref_put(&out, got.data.at, 5, 7);
	assert_false(cbor_out_full(&out));
	assert_memory_equal(ours, mem, cbor_out_len(&out));
	assert_int_equal(reference(PACK_REF_LEN_MAX - 1, 1, &got), 0);
	assert_int_equal(reference(PACK_REF_LEN_MAX, 1, &got), -1);
	assert_int_equal(reference(0, 0, &got), -1);
	assert_int_equal(reference(0, UINT64_MAX, &got), -1);
	assert_int_equal(reference(UINT64_MAX, 2, &got), -1);
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_bytes(&out, "data", 4);
	cbor_in_init(&in, mem, 5);
	assert_int_equal(pack_manifest_item_get(&in, &got, &err), -1);
}

/* A copy remains valid when the input is gone. */
static void kept(void **state)
{
	struct pack_head h = file(), got, copy;
	struct buf buf;

	(void)state;
	h.type = PACK_SYMLINK;
	h.target = bytes("target");
	h.user = bytes("user");
	assert_int_equal(head_again(&h, &got), 0);
	buf_init(&buf, PACK_HEAD_KEEP);
	assert_int_equal(pack_head_keep(&buf, &copy, &got, &err), 0);
	memset(mem, 0xff, 1000);
	assert_memory_equal(copy.path.at, "dir/file", 8);
	assert_memory_equal(copy.target.at, "target", 6);
	assert_memory_equal(copy.user.at, "user", 4);
	assert_null(copy.group.at);
	buf_fini(&buf);
}

static void tails_of_two_kinds(void **state)
{
	struct pack_head plain = {.type = PACK_REGULAR};
	struct pack_head announced = {.type = PACK_REGULAR, .has = PACK_HAS_SPARSE};
	struct pack_tail tail = {.has_content = true, .sum = {1}}, other = tail, again;

	(void)state;
	tail.sparse = true;
	assert_int_equal(tail_again(&tail, &again), 0);
	assert_true(again.sparse && again.has_content && again.sum[0] == 1);
	assert_true(pack_tail_same_sum(&tail, &again));
	assert_false(pack_tail_same_sum(&tail, &other));
	assert_int_equal(pack_tail_fits(&announced, &tail, &err), 0);
	assert_int_equal(pack_tail_fits(&plain, &tail, &err), 1);
	assert_int_equal(pack_tail_fits(&plain, &other, &err), 0);
	assert_int_equal(pack_tail_fits(&announced, &other, &err), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(whole_head),
		cmocka_unit_test(rules_of_types),
		cmocka_unit_test(refused_has_its_path),
		cmocka_unit_test(keys),
		cmocka_unit_test(kind_of_checksum),
		cmocka_unit_test(tails_of_two_kinds),
		cmocka_unit_test(tails),
		cmocka_unit_test(what_fits),
		cmocka_unit_test(items),
		cmocka_unit_test(references),
		cmocka_unit_test(kept),
	};

	return RUN(tests);
}
