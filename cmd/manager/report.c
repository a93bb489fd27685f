/* Encodes and decodes reports by lib/cbormap's tables. */
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

bool manager_is_zero(const uint8_t *bytes, size_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

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

static const struct cbormap_field receipt_item = {
	.type = CBORMAP_MAP, .sub = receipt_fields, .size = sizeof(struct manager_receipt)};

/* A record with its kind and result as words. Members that it does not have are zero, and not
 * written. */
struct wire {
	struct manager_record r;
	char kind[33], result[33];
};

/* Sorted by the keys' encodings. */
static const struct cbormap_field record_fields[] = {
	{CBORMAP_OF(struct manager_record, NAME, job)},
	{CBORMAP_OF(struct manager_record, BYTES, run)},
	{CBORMAP_OF(struct manager_record, BYTES, dump)},
	{CBORMAP_OF(struct wire, TEXT, kind), .need = true, .min = 1},
	{CBORMAP_OF(struct manager_record, INT, slot)},
	{CBORMAP_OF(struct manager_record, TEXT, text)},
	{CBORMAP_OF(struct manager_record, INT, time), .need = true},
	{CBORMAP_OF(struct manager_record, MAP, stats), .sub = stats_fields},
	{CBORMAP_OF(struct manager_record, BYTES, digest)},
	{CBORMAP_OF(struct manager_record, UINT, number), .need = true, .min = 1, .max = INT64_MAX},
	{CBORMAP_OF(struct manager_record, BYTES, record)},
	{CBORMAP_OF(struct wire, TEXT, result), .min = 1},
	{.key = "receipts",
		CBORMAP_LIST_IN(struct manager_record, receipts, receipt_count, receipt_item)},
	{0},
};
_Static_assert(offsetof(struct wire, r) == 0, "one table for both");

size_t manager_record_encode(const struct manager_record *record, uint8_t bytes[MANAGER_RECORD_MAX])
{
	struct wire w = {.r = *record};
	struct cbor_out out;

	assert(record->kind > MANAGER_OTHER && record->kind < MANAGER_KINDS);
	assert(record->receipt_count <= MANAGER_RECEIPTS_MAX);
	strcpy(w.kind, kinds[record->kind]);
	if (record->result != MANAGER_NONE)
		strcpy(w.result, results[record->result]);
	if (!record->has_dump) {
		memset(w.r.dump, 0, sizeof w.r.dump);
		memset(w.r.record, 0, sizeof w.r.record);
	}
	if (record->kind != MANAGER_PLAN)
		memset(w.r.digest, 0, sizeof w.r.digest);
	cbor_out_init(&out, bytes, MANAGER_RECORD_MAX);
	cbormap_put(&out, record_fields, &w);
	assert(!cbor_out_full(&out));
	return cbor_out_len(&out);
}

static size_t find_word(const char *word, const char *const *words, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return 0;
}

/* Whether the record has everything that its kind needs. */
static bool is_complete(const struct manager_record *record)
{
	bool has_job = record->job[0] != 0;
	bool has_run = has_job && !manager_is_zero(record->run, sizeof record->run);

	switch (record->kind) {
	case MANAGER_PLAN:
		return !manager_is_zero(record->digest, sizeof record->digest);
	case MANAGER_STARTING:
		return has_run;
	case MANAGER_ENDED:
		return has_run && record->result != MANAGER_NONE;
	case MANAGER_HELD:
	case MANAGER_RELEASED:
	case MANAGER_CLOCK:
		return has_job;
	case MANAGER_ALARM:
		return record->text[0] != 0;
	default:
		return true;
	}
}

int manager_record_decode(
	struct manager_record *record, const void *bytes, size_t len, struct err *err)
{
	struct wire w = {.kind = ""};

	*record = (struct manager_record){0};
	if (len > MANAGER_RECORD_MAX)
		return err_set(err, ERR_LIMIT, "record: longer than %d bytes", MANAGER_RECORD_MAX);
	if (cbormap_read(&w, record_fields, bytes, len, err) != 0)
		return err_prefix(err, "record");
	*record = w.r;
	record->kind = (enum manager_kind)find_word(w.kind, kinds, MANAGER_KINDS);
	record->result = (enum manager_result)find_word(w.result, results, MANAGER_RESULTS);
	record->has_dump = !manager_is_zero(record->dump, sizeof record->dump) &&
			   !manager_is_zero(record->record, sizeof record->record);
	if (!is_complete(record))
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
