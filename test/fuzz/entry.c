/* HEAD, TAIL, items and index records. Whatever is accepted is written, read again and is the same;
 * borrowed bytes are inside the input. Input: a byte (what to read), CBOR. */
#include "test/fuzz/fuzz.h"

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "pack/entry.h"
#include "pack/index.h"

#define OUT_MAX (2u << 20)

static uint8_t out_mem[OUT_MAX];

static bool same_bytes(struct pack_bytes a, struct pack_bytes b)
{
	return (a.at == NULL) == (b.at == NULL) && a.len == b.len &&
	       (a.at == NULL || memcmp(a.at, b.at, a.len) == 0);
}

static bool same_time(struct pack_time a, struct pack_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

static bool same_head(const struct pack_head *a, const struct pack_head *b)
{
	return same_bytes(a->path, b->path) && a->type == b->type && a->has == b->has &&
	       a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       same_bytes(a->user, b->user) && same_bytes(a->group, b->group) &&
	       same_time(a->mtime, b->mtime) && a->size == b->size &&
	       a->rdev_major == b->rdev_major && a->rdev_minor == b->rdev_minor &&
	       same_bytes(a->target, b->target) && same_bytes(a->link, b->link) &&
	       same_bytes(a->xattrs, b->xattrs) && a->flags == b->flags;
}

static bool same_tail(const struct pack_tail *a, const struct pack_tail *b)
{
	return a->has_content == b->has_content && a->size == b->size &&
	       memcmp(a->sum, b->sum, sizeof a->sum) == 0 && a->status == b->status &&
	       a->changed == b->changed && a->has_error == b->has_error &&
	       a->error_offset == b->error_offset && a->error == b->error &&
	       a->has_mtime == b->has_mtime && same_time(a->mtime, b->mtime) &&
	       a->has_exit == b->has_exit && a->exit == b->exit;
}

static void within(struct pack_bytes bytes, const uint8_t *data, size_t len)
{
	MUST(bytes.at == NULL || (bytes.at >= data && bytes.at + bytes.len <= data + len));
}

/* Writes and reads it again: the same, and writing it once more gives the same bytes. */
static void head_again(const struct pack_head *head, bool index)
{
	struct pack_head want = *head, again;
	struct cbor_out out;
	struct cbor_in in;
	struct err err = {0};
	size_t n;

	cbor_out_init(&out, out_mem, sizeof out_mem);
	pack_head_put(&out, head, index);
	MUST(!cbor_out_full(&out));
	n = cbor_out_len(&out);
	cbor_in_init(&in, out_mem, n);
	MUST(pack_head_get(&in, &again, &err) == 0 && in.at == in.end);
	if (index) {
		MUST(n <= PACK_INDEX_HEAD_MAX);
		want.has &= ~(unsigned)(PACK_HAS_SIZE | PACK_HAS_FLAGS);
		want.size = want.flags = 0;
		want.xattrs = (struct pack_bytes){0};
	}
	MUST(same_head(&want, &again));
}

static void head_kept(const struct pack_head *head)
{
	struct pack_head copy;
	struct buf buf;

	buf_init(&buf, PACK_HEAD_KEEP);
	MUST(pack_head_keep(&buf, &copy, head, NULL) == 0);
	MUST(same_head(head, &copy));
	within(copy.path, buf.data, buf.len);
	within(copy.xattrs, buf.data, buf.len);
	within(copy.target, buf.data, buf.len);
	buf_fini(&buf);
}

/* The walk finds as many attributes as the map claims. */
static void xattrs(struct pack_bytes map)
{
	struct pack_xattr_walk walk;
	struct pack_bytes name, value;
	struct cbor_in in;
	struct cbor_item item;
	uint64_t n = 0;

	pack_xattr_start(&walk, map);
	while (pack_xattr_next(&walk, &name, &value)) {
		MUST(name.len > 0 && name.len <= PACK_NAME_MAX && value.len <= PACK_XATTR_MAX);
		MUST(memchr(name.at, 0, name.len) == NULL);
		within(name, map.at, map.len);
		within(value, map.at, map.len);
		n++;
	}
	if (map.at == NULL)
		return;
	cbor_in_init(&in, map.at, map.len);
	MUST(cbor_get(&in, &item) == CBOR_OK && item.type == CBOR_MAP && item.value == n);
}

static int head(struct cbor_in *in, const uint8_t *data, size_t len, struct pack_head *h)
{
	struct err err = {0};
	int got = pack_head_get(in, h, &err);

	MUST((got != 0) == (err.code != ERR_NONE) && in->at <= in->end);
	if (got < 0)
		return -1;
	MUST(h->path.at == NULL || pack_path_wrong(h->path.at, h->path.len) == NULL);
	if (got > 0)
		return 1;
	MUST(h->path.at != NULL && h->type >= PACK_REGULAR && h->type <= PACK_COMMAND);
	MUST(h->mode <= 07777 && h->mtime.nsec <= 999999999);
	MUST(h->link.at == NULL || pack_path_wrong(h->link.at, h->link.len) == NULL);
	within(h->path, data, len);
	within(h->user, data, len);
	within(h->group, data, len);
	within(h->target, data, len);
	within(h->link, data, len);
	within(h->xattrs, data, len);
	xattrs(h->xattrs);
	head_again(h, false);
	head_again(h, true);
	head_kept(h);
	return 0;
}

static int tail(struct cbor_in *in, struct pack_tail *t)
{
	struct pack_tail again;
	struct cbor_in in_again;
	struct cbor_out out;
	struct err err = {0};
	int got = pack_tail_get(in, t, &err);

	MUST((got != 0) == (err.code != ERR_NONE) && in->at <= in->end);
	if (got != 0)
		return got;
	MUST(t->status < PACK_STATUSES && pack_status_name(t->status)[0] != '?');
	cbor_out_init(&out, out_mem, 256); /* as many bytes as the readers allow */
	pack_tail_put(&out, t);
	MUST(!cbor_out_full(&out));
	cbor_in_init(&in_again, out_mem, cbor_out_len(&out));
	MUST(pack_tail_get(&in_again, &again, &err) == 0 && in_again.at == in_again.end);
	MUST(same_tail(t, &again));
	return 0;
}

/* An entry with all its parts, as long as there are any. */
static void entries(const uint8_t *data, size_t len)
{
	struct pack_item item = {0};
	struct pack_head h;
	struct pack_tail t;
	struct cbor_in in;
	struct err err = {0};
	const uint8_t *before;
	int got;

	cbor_in_init(&in, data, len);
	while (in.at < in.end) {
		if ((got = head(&in, data, len, &h)) < 0)
			return;
		for (;;) {
			before = in.at;
			if (pack_item_get(&in, &item, &err) != 0)
				return;
			if (item.kind >= PACK_ITEM_TAIL)
				break;
			MUST(in.at > before);
			if (item.kind == PACK_ITEM_DATA)
				within(item.data, data, len);
			else
				MUST(item.hole > 0 && item.hole <= PACK_CONTENT_MAX);
		}
		MUST(in.at == before);
		if (item.kind == PACK_ITEM_NONE || tail(&in, &t) < 0)
			return;
		if (got == 0)
			pack_tail_fits(&h, &t, &err);
	}
}

static void index_records(const uint8_t *data, size_t len)
{
	struct pack_index index;
	struct pack_index_record record;
	struct err err = {0};
	uint64_t n = 0;
	int got;

	if (pack_index_open(&index, data, len, &err) != 0) {
		MUST(err.code == ERR_FORMAT);
		return;
	}
	while ((got = pack_index_next(&index, &record, &err)) == 0 || got == 2)
		n++;
	MUST(got == 1 || err.code != ERR_NONE);
	MUST(got != 1 || n == index.count);
	MUST(n <= len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pack_head h;
	struct pack_tail t;
	struct cbor_in in;
	uint8_t *copy;

	if (len < 1)
		return 0;
	copy = fuzz_copy(data + 1, len - 1);
	cbor_in_init(&in, copy, len - 1);
	switch (data[0] & 3) {
	case 0:
		entries(copy, len - 1);
		break;
	case 1:
		tail(&in, &t);
		break;
	case 2:
		index_records(copy, len - 1);
		break;
	default:
		head(&in, copy, len - 1, &h);
	}
	free(copy);
	return 0;
}
