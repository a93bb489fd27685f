/* The codec of what agents report. Decoding goes through lib/cbormap's tables. */
#include "cmd/manager/report.h"

#include <assert.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

#define CHECK_AT  4
#define LENGTH_AT 12

static const uint8_t magic[4] = {'F', 'D', 'J', '1'};

static const char *const kinds[MANAGER_KINDS] = {[MANAGER_OTHER] = "other",
	[MANAGER_PLAN] = "plan",
	[MANAGER_STARTING] = "starting",
	[MANAGER_ENDED] = "ended",
	[MANAGER_HELD] = "held",
	[MANAGER_RELEASED] = "released",
	[MANAGER_CLOCK] = "clock",
	[MANAGER_ALARM] = "alarm"};

static const char *const results[MANAGER_RESULTS] = {[MANAGER_NONE] = "none",
	[MANAGER_OK] = "ok",
	[MANAGER_PARTIAL] = "partial",
	[MANAGER_COPIES] = "copies",
	[MANAGER_FAILED] = "failed",
	[MANAGER_LOST] = "lost",
	[MANAGER_CANCELLED] = "cancelled"};

const char *manager_result_name(enum manager_result result)
{
	assert(result < MANAGER_RESULTS);
	return results[result];
}

bool manager_result_kept(enum manager_result result)
{
	return result == MANAGER_OK || result == MANAGER_PARTIAL || result == MANAGER_COPIES;
}

/* clang-format off */
#define IN(kind, type, member) .need = true, CBORMAP_OF(struct manager_##type, kind, member)
/* clang-format on */
static const struct cbormap_field receipt_fields[] = {
	{IN(BYTES, receipt, uid)},
	{IN(INT, receipt, time)},
	{IN(NAME, receipt, store)},
	{IN(BYTES, receipt, signature)},
	{0},
};

static const struct cbormap_field stats_fields[] = {
	{IN(UINT, stats, read)},
	{IN(UINT, stats, stored)},
	{IN(UINT, stats, content)},
	{IN(UINT, stats, entries)},
	{IN(UINT, stats, problems)},
	{CBORMAP_OF(struct manager_stats, UINT, fewer_than)},
	{0},
};

/* ---- encoding: keys in the order of their encodings ---- */

static bool is_zero(const uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static void put_bytes(struct cbor_out *out, const char *key, const void *bytes, size_t len)
{
	cbor_put_text(out, key);
	cbor_put_bytes(out, bytes, len);
}

size_t manager_record_encode(const struct manager_record *record, uint8_t bytes[MANAGER_RECORD_MAX])
{
	bool has_run = !is_zero(record->run, sizeof record->run);
	bool has_digest = record->kind == MANAGER_PLAN;
	bool has_result = record->result != MANAGER_NONE;
	struct cbor_out out;
	size_t i;

	assert(record->kind > MANAGER_OTHER && record->kind < MANAGER_KINDS);
	assert(record->receipt_count <= MANAGER_RECEIPTS_MAX);
	cbor_out_init(&out, bytes, MANAGER_RECORD_MAX);
	cbor_put_map(&out, 3u + (record->job[0] != 0) + has_run + 2u * record->has_dump +
				   (record->slot != 0) + (record->text[0] != 0) +
				   record->has_stats + has_digest + has_result +
				   (record->receipt_count > 0));
	if (record->job[0] != 0) {
		cbor_put_text(&out, "job");
		cbor_put_text(&out, record->job);
	}
	if (has_run)
		put_bytes(&out, "run", record->run, sizeof record->run);
	if (record->has_dump)
		put_bytes(&out, "dump", record->dump, sizeof record->dump);
	cbor_put_text(&out, "kind");
	cbor_put_text(&out, kinds[record->kind]);
	if (record->slot != 0) {
		cbor_put_text(&out, "slot");
		cbor_put_int(&out, record->slot);
	}
	if (record->text[0] != 0) {
		cbor_put_text(&out, "text");
		cbor_put_text(&out, record->text);
	}
	cbor_put_text(&out, "time");
	cbor_put_int(&out, record->time);
	if (record->has_stats) {
		cbor_put_text(&out, "stats");
		cbormap_put(&out, stats_fields, &record->stats);
	}
	if (has_digest)
		put_bytes(&out, "digest", record->digest, sizeof record->digest);
	cbor_put_text(&out, "number");
	cbor_put_uint(&out, record->number);
	if (record->has_dump)
		put_bytes(&out, "record", record->record, sizeof record->record);
	if (has_result) {
		cbor_put_text(&out, "result");
		cbor_put_text(&out, results[record->result]);
	}
	if (record->receipt_count > 0) {
		cbor_put_text(&out, "receipts");
		cbor_put_array(&out, record->receipt_count);
		for (i = 0; i < record->receipt_count; i++)
			cbormap_put(&out, receipt_fields, &record->receipts[i]);
	}
	assert(!cbor_out_full(&out));
	return cbor_out_len(&out);
}

/* ---- decoding ---- */

static const struct cbormap_field receipt_item = {.type = CBORMAP_MAP, .sub = receipt_fields};

enum {
	REC_JOB,
	REC_RUN,
	REC_DUMP,
	REC_KIND,
	REC_SLOT,
	REC_TEXT,
	REC_TIME,
	REC_STATS,
	REC_DIGEST,
	REC_NUMBER,
	REC_RECORD,
	REC_RESULT,
	REC_RECEIPTS,
	REC_FIELDS
};

static const struct cbormap_field record_fields[] = {
	[REC_JOB] = {CBORMAP_OF(struct manager_record, NAME, job)},
	[REC_RUN] = {CBORMAP_OF(struct manager_record, BYTES, run)},
	[REC_DUMP] = {CBORMAP_OF(struct manager_record, BYTES, dump)},
	[REC_KIND] = {.key = "kind", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = 32},
	[REC_SLOT] = {CBORMAP_OF(struct manager_record, INT, slot)},
	[REC_TEXT] = {CBORMAP_OF(struct manager_record, TEXT, text)},
	[REC_TIME] = {CBORMAP_OF(struct manager_record, INT, time), .need = true},
	[REC_STATS] = {CBORMAP_OF(struct manager_record, MAP, stats), .sub = stats_fields},
	[REC_DIGEST] = {CBORMAP_OF(struct manager_record, BYTES, digest)},
	[REC_NUMBER] = {CBORMAP_OF(struct manager_record, UINT, number), .need = true, .min = 1,
		.max = INT64_MAX},
	[REC_RECORD] = {CBORMAP_OF(struct manager_record, BYTES, record)},
	[REC_RESULT] = {.key = "result", .type = CBORMAP_TEXT, .min = 1, .max = 32},
	[REC_RECEIPTS] = {.key = "receipts", CBORMAP_LIST_OF(receipt_item, MANAGER_RECEIPTS_MAX)},
	[REC_FIELDS] = {0},
};

static size_t find_text(const struct cbormap_value *value, const char *const *texts, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (cbormap_is_text(value, texts[i]))
			return i;
	return 0;
}

/* Whether the record has what its kind needs. */
static bool is_complete(const struct manager_record *record, const struct cbormap_value *v)
{
	switch (record->kind) {
	case MANAGER_PLAN:
		return v[REC_DIGEST].has;
	case MANAGER_STARTING:
		return v[REC_JOB].has && v[REC_RUN].has;
	case MANAGER_ENDED:
		return v[REC_JOB].has && v[REC_RUN].has && record->result != MANAGER_NONE;
	case MANAGER_HELD:
	case MANAGER_RELEASED:
	case MANAGER_CLOCK:
		return v[REC_JOB].has;
	case MANAGER_ALARM:
		return record->text[0] != 0;
	default:
		return true;
	}
}

int manager_record_decode(
	struct manager_record *record, const void *bytes, size_t len, struct err *err)
{
	struct cbormap_value v[REC_FIELDS], item;

	*record = (struct manager_record){0};
	if (len > MANAGER_RECORD_MAX)
		return err_set(err, ERR_LIMIT, "record: longer than %d bytes", MANAGER_RECORD_MAX);
	if (cbormap_get(v, record_fields, bytes, len, err) != 0)
		return err_prefix(err, "record");
	cbormap_store(record, record_fields, v);
	record->kind = (enum manager_kind)find_text(&v[REC_KIND], kinds, MANAGER_KINDS);
	record->result = (enum manager_result)find_text(&v[REC_RESULT], results, MANAGER_RESULTS);
	record->has_dump = v[REC_DUMP].has && v[REC_RECORD].has;
	record->has_stats = v[REC_STATS].has;
	while (cbormap_next(&v[REC_RECEIPTS], &receipt_item, &item)) {
		assert(record->receipt_count < MANAGER_RECEIPTS_MAX);
		cbormap_store_item(
			&record->receipts[record->receipt_count++], &receipt_item, &item);
	}
	if (!is_complete(record, v))
		return err_set(err, ERR_FORMAT, "record %llu: a key of kind '%s' is missing",
			(unsigned long long)record->number, kinds[record->kind]);
	return 0;
}

/* ---- frames ---- */

void manager_frame_seal(uint8_t *frame, size_t payload_len)
{
	assert(payload_len > 0 && payload_len <= MANAGER_FRAME_MAX - MANAGER_FRAME_HEAD);
	memcpy(frame, magic, sizeof magic);
	le_put32(frame + LENGTH_AT, (uint32_t)payload_len);
	le_put64(frame + CHECK_AT, hash_xxh3(frame + LENGTH_AT, 4 + payload_len));
}

bool manager_frame_find(const uint8_t *bytes, size_t len, size_t *skipped, const uint8_t **payload,
	size_t *payload_len)
{
	const uint8_t *at = bytes, *end = bytes + len;
	size_t left, n;

	for (; at < end && (at = memchr(at, magic[0], (size_t)(end - at))) != NULL; at++) {
		left = (size_t)(end - at);
		if (left <= MANAGER_FRAME_HEAD)
			return false;
		if (memcmp(at, magic, sizeof magic) != 0)
			continue;
		n = le_get32(at + LENGTH_AT);
		if (n == 0 || n > MANAGER_FRAME_MAX - MANAGER_FRAME_HEAD ||
			n > left - MANAGER_FRAME_HEAD ||
			hash_xxh3(at + LENGTH_AT, 4 + n) != le_get64(at + CHECK_AT))
			continue;
		*skipped = (size_t)(at - bytes);
		*payload = at + MANAGER_FRAME_HEAD;
		*payload_len = n;
		return true;
	}
	return false;
}
