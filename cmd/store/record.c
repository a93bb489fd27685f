/* A record's head: fields at fixed offsets, little-endian. */
#include "cmd/store/record.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/zst.h"

#define VERSION   1
#define CODEC_MAX 1

enum { AT_CODEC = 1, AT_WRAPS = 2, AT_ZERO = 3, AT_LEN = 4, AT_ID = 8 };
enum { AT_NONCE = 40, AT_EPHEMERAL = 52 };

size_t store_record_put(const struct store_record *r, uint8_t *out)
{
	assert(r->wrap_count <= STORE_WRAPS_MAX);
	out[0] = VERSION;
	out[AT_CODEC] = r->codec;
	out[AT_WRAPS] = (uint8_t)r->wrap_count;
	out[AT_ZERO] = 0;
	le_put32(out + AT_LEN, r->raw_len);
	memcpy(out + AT_ID, r->id, STORE_ID_LEN);
	if (r->wrap_count == 0)
		return STORE_HEAD_OPEN;
	memcpy(out + AT_NONCE, r->nonce, STORE_NONCE_LEN);
	memcpy(out + AT_EPHEMERAL, r->ephemeral, STORE_HEAD_SEALED - AT_EPHEMERAL);
	memcpy(out + STORE_HEAD_SEALED, r->wraps, r->wrap_count * STORE_WRAP_LEN);
	return STORE_HEAD_SEALED + r->wrap_count * STORE_WRAP_LEN;
}

/* Whether a body of this length fits the raw length. */
static bool body_fits(const struct store_record *r)
{
	size_t seal = r->wrap_count > 0 ? STORE_TAG_LEN : 0, len;

	if (r->body_len < seal)
		return false;
	len = r->body_len - seal;
	return r->codec == 0 ? len == r->raw_len : len > 0 && len < r->raw_len;
}

int store_record_get(struct store_record *r, const uint8_t *bytes, size_t len, struct err *err)
{
	if (len < STORE_HEAD_OPEN)
		return err_set(err, ERR_FORMAT, "record of %zu bytes", len);
	if (bytes[0] != VERSION)
		return err_set(err, ERR_UNSUPPORTED, "record of version %u", bytes[0]);
	*r = (struct store_record){
		.codec = bytes[AT_CODEC],
		.wrap_count = bytes[AT_WRAPS],
		.raw_len = le_get32(bytes + AT_LEN),
		.id = bytes + AT_ID,
		.head = bytes,
		.head_len = STORE_HEAD_OPEN,
	};
	if (r->codec > CODEC_MAX)
		return err_set(err, ERR_UNSUPPORTED, "record with codec %u", r->codec);
	if (r->wrap_count > STORE_WRAPS_MAX || bytes[AT_ZERO] != 0)
		return err_set(err, ERR_FORMAT, "record with %zu wraps", r->wrap_count);
	if (r->raw_len == 0 || r->raw_len > STORE_CONTENT_MAX)
		return err_set(err, ERR_FORMAT, "record with a content of %u bytes", r->raw_len);
	if (r->wrap_count > 0) {
		r->head_len = STORE_HEAD_SEALED + r->wrap_count * STORE_WRAP_LEN;
		if (len < r->head_len)
			return err_set(err, ERR_FORMAT, "record of %zu bytes", len);
		r->nonce = bytes + AT_NONCE;
		r->ephemeral = bytes + AT_EPHEMERAL;
		r->wraps = bytes + STORE_HEAD_SEALED;
	}
	r->body = bytes + r->head_len;
	r->body_len = len - r->head_len;
	if (!body_fits(r))
		return err_set(err, ERR_FORMAT, "record: inconsistent lengths");
	return 0;
}

int store_record_content(const struct store_record *r, struct buf *out, struct err *err)
{
	uint8_t sum[HASH_LEN], *to;
	struct zst *zst;
	int got;

	if (r->wrap_count > 0)
		return err_set(err, ERR_FORMAT, "a record that must be open is sealed");
	buf_clear(out);
	if ((to = buf_room(out, r->raw_len, err)) == NULL)
		return -1;
	if (r->codec == 0) {
		memcpy(to, r->body, r->raw_len);
	} else {
		if ((zst = zst_new(1, err)) == NULL)
			return -1;
		got = zst_unpack(zst, r->body, r->body_len, to, r->raw_len, err);
		zst_free(zst);
		if (got != 0)
			return -1;
	}
	buf_took(out, r->raw_len);
	hash_sha256(out->data, out->len, sum);
	if (memcmp(sum, r->id, HASH_LEN) != 0)
		return err_set(err, ERR_DAMAGE, "a chunk does not match its id");
	return 0;
}
