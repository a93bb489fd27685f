/* The codec of what agents report. Decoding goes through rpc/param's tables. */
#include "cmd/manager/report.h"

#include <assert.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "rpc/param.h"

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

static void put_stats(struct cbor_out *out, const struct manager_stats *stats)
{
	cbor_put_text(out, "stats");
	cbor_put_map(out, 5u + (stats->fewer_than > 0));
	cbor_put_text(out, "read");
	cbor_put_uint(out, stats->read);
	cbor_put_text(out, "stored");
	cbor_put_uint(out, stats->stored);
	cbor_put_text(out, "content");
	cbor_put_uint(out, stats->content);
	cbor_put_text(out, "entries");
	cbor_put_uint(out, stats->entries);
	cbor_put_text(out, "problems");
	cbor_put_uint(out, stats->problems);
	if (stats->fewer_than > 0) {
		cbor_put_text(out, "fewer_than");
		cbor_put_uint(out, stats->fewer_than);
	}
}

static void put_receipt(struct cbor_out *out, const struct manager_receipt *receipt)
{
	cbor_put_map(out, 4);
	put_bytes(out, "uid", receipt->uid, sizeof receipt->uid);
	cbor_put_text(out, "time");
	cbor_put_int(out, receipt->time);
	cbor_put_text(out, "store");
	cbor_put_text(out, receipt->store);
	put_bytes(out, "signature", receipt->signature, sizeof receipt->signature);
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
	if (record->has_stats)
		put_stats(&out, &record->stats);
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
			put_receipt(&out, &record->receipts[i]);
	}
	assert(!cbor_out_full(&out));
	return cbor_out_len(&out);
}

/* ---- decoding ---- */

enum { RECEIPT_UID, RECEIPT_TIME, RECEIPT_STORE, RECEIPT_SIGNATURE, RECEIPT_FIELDS };

static const struct rpc_field receipt_fields[] = {
	[RECEIPT_UID] = {.key = "uid",
		.type = RPC_BYTES,
		.need = true,
		.min = MANAGER_UID_LEN,
		.max = MANAGER_UID_LEN},
	[RECEIPT_TIME] = {.key = "time", .type = RPC_INT, .need = true},
	[RECEIPT_STORE] = {.key = "store", .type = RPC_NAME, .need = true},
	[RECEIPT_SIGNATURE] = {.key = "signature",
		.type = RPC_BYTES,
		.need = true,
		.min = MANAGER_SIGNATURE_LEN,
		.max = MANAGER_SIGNATURE_LEN},
	[RECEIPT_FIELDS] = {0},
};

enum {
	STATS_READ,
	STATS_STORED,
	STATS_CONTENT,
	STATS_ENTRIES,
	STATS_PROBLEMS,
	STATS_FEWER,
	STATS_FIELDS
};

static const struct rpc_field stats_fields[] = {
	[STATS_READ] = {.key = "read", .type = RPC_UINT, .max = UINT64_MAX},
	[STATS_STORED] = {.key = "stored", .type = RPC_UINT, .max = UINT64_MAX},
	[STATS_CONTENT] = {.key = "content", .type = RPC_UINT, .max = UINT64_MAX},
	[STATS_ENTRIES] = {.key = "entries", .type = RPC_UINT, .max = UINT64_MAX},
	[STATS_PROBLEMS] = {.key = "problems", .type = RPC_UINT, .max = UINT64_MAX},
	[STATS_FEWER] = {.key = "fewer_than", .type = RPC_UINT, .max = UINT64_MAX},
	[STATS_FIELDS] = {0},
};

static const struct rpc_field receipt_item = {.type = RPC_MAP, .sub = receipt_fields};

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

static const struct rpc_field record_fields[] = {
	[REC_JOB] = {.key = "job", .type = RPC_NAME},
	[REC_RUN] = {.key = "run",
		.type = RPC_BYTES,
		.min = MANAGER_RUN_LEN,
		.max = MANAGER_RUN_LEN},
	[REC_DUMP] = {.key = "dump",
		.type = RPC_BYTES,
		.min = MANAGER_DUMP_LEN,
		.max = MANAGER_DUMP_LEN},
	[REC_KIND] = {.key = "kind", .type = RPC_TEXT, .need = true, .min = 1, .max = 32},
	[REC_SLOT] = {.key = "slot", .type = RPC_INT},
	[REC_TEXT] = {.key = "text", .type = RPC_TEXT, .max = MANAGER_NOTE_MAX},
	[REC_TIME] = {.key = "time", .type = RPC_INT, .need = true},
	[REC_STATS] = {.key = "stats", .type = RPC_MAP, .sub = stats_fields},
	[REC_DIGEST] = {.key = "digest",
		.type = RPC_BYTES,
		.min = MANAGER_DIGEST_LEN,
		.max = MANAGER_DIGEST_LEN},
	[REC_NUMBER] =
		{.key = "number", .type = RPC_UINT, .need = true, .min = 1, .max = INT64_MAX},
	[REC_RECORD] = {.key = "record",
		.type = RPC_BYTES,
		.min = MANAGER_DIGEST_LEN,
		.max = MANAGER_DIGEST_LEN},
	[REC_RESULT] = {.key = "result", .type = RPC_TEXT, .min = 1, .max = 32},
	[REC_RECEIPTS] = {.key = "receipts",
		.type = RPC_LIST,
		.max = MANAGER_RECEIPTS_MAX,
		.of = &receipt_item},
	[REC_FIELDS] = {0},
};

static void get_text(char *text, const struct rpc_value *value)
{
	if (value->has)
		memcpy(text, value->bytes, value->len);
}

static size_t find_text(const struct rpc_value *value, const char *const *texts, size_t count)
{
	size_t i;

	for (i = 0; i < count && value->has; i++)
		if (strlen(texts[i]) == value->len &&
			memcmp(texts[i], value->bytes, value->len) == 0)
			return i;
	return 0;
}

static int get_receipts(struct manager_record *record, struct rpc_value *list, struct err *err)
{
	struct rpc_value item, v[RECEIPT_FIELDS];
	struct manager_receipt *receipt;

	while (rpc_list_next(list, &receipt_item, &item)) {
		assert(record->receipt_count < MANAGER_RECEIPTS_MAX);
		receipt = &record->receipts[record->receipt_count++];
		if (rpc_params_get(v, receipt_fields, item.bytes, item.len, err) != 0)
			return -1;
		get_text(receipt->store, &v[RECEIPT_STORE]);
		receipt->time = v[RECEIPT_TIME].integer;
		memcpy(receipt->uid, v[RECEIPT_UID].bytes, sizeof receipt->uid);
		memcpy(receipt->signature, v[RECEIPT_SIGNATURE].bytes, sizeof receipt->signature);
	}
	return 0;
}

static int get_stats(struct manager_record *record, const struct rpc_value *map, struct err *err)
{
	struct rpc_value v[STATS_FIELDS];

	if (rpc_params_get(v, stats_fields, map->bytes, map->len, err) != 0)
		return -1;
	record->has_stats = true;
	record->stats = (struct manager_stats){.entries = v[STATS_ENTRIES].number,
		.content = v[STATS_CONTENT].number,
		.read = v[STATS_READ].number,
		.stored = v[STATS_STORED].number,
		.problems = v[STATS_PROBLEMS].number,
		.fewer_than = v[STATS_FEWER].number};
	return 0;
}

/* Whether the record has what its kind needs. */
static bool is_complete(const struct manager_record *record, const struct rpc_value *v)
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
	struct rpc_value v[REC_FIELDS];

	*record = (struct manager_record){0};
	if (len > MANAGER_RECORD_MAX)
		return err_set(err, ERR_LIMIT, "record: longer than %d bytes", MANAGER_RECORD_MAX);
	if (rpc_params_get(v, record_fields, bytes, len, err) != 0)
		return err_prefix(err, "record");
	record->number = v[REC_NUMBER].number;
	record->time = v[REC_TIME].integer;
	record->slot = v[REC_SLOT].integer;
	record->kind = (enum manager_kind)find_text(&v[REC_KIND], kinds, MANAGER_KINDS);
	record->result = (enum manager_result)find_text(&v[REC_RESULT], results, MANAGER_RESULTS);
	get_text(record->job, &v[REC_JOB]);
	get_text(record->text, &v[REC_TEXT]);
	if (v[REC_RUN].has)
		memcpy(record->run, v[REC_RUN].bytes, sizeof record->run);
	if (v[REC_DIGEST].has)
		memcpy(record->digest, v[REC_DIGEST].bytes, sizeof record->digest);
	record->has_dump = v[REC_DUMP].has && v[REC_RECORD].has;
	if (record->has_dump) {
		memcpy(record->dump, v[REC_DUMP].bytes, sizeof record->dump);
		memcpy(record->record, v[REC_RECORD].bytes, sizeof record->record);
	}
	if ((v[REC_STATS].has && get_stats(record, &v[REC_STATS], err) != 0) ||
		(v[REC_RECEIPTS].has && get_receipts(record, &v[REC_RECEIPTS], err) != 0))
		return err_prefix(err, "record %llu", (unsigned long long)record->number);
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
