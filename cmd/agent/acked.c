/* The numbers that managers have acknowledged, and their file. */
#include "cmd/agent/acked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/report.h"
#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/file.h"

/* Bytes of the file: AGENT_MANAGERS_MAX of them are far below. */
#define FILE_MAX 8192

static const struct cbormap_field one_fields[] = {
	{.key = "name",
		.type = CBORMAP_NAME,
		.need = true,
		CBORMAP_IN(struct agent_acked_one, manager)},
	{CBORMAP_OF(struct agent_acked_one, UINT, number), .need = true, .max = INT64_MAX},
	{0},
};

static const struct cbormap_field one_item = {.type = CBORMAP_MAP, .sub = one_fields};

enum { ALL_JOURNAL, ALL_MANAGERS, ALL_FIELDS };

static const struct cbormap_field all_fields[] = {
	[ALL_JOURNAL] = {.key = "journal", CBORMAP_FIXED(AGENT_JOURNAL_ID_LEN), .need = true},
	[ALL_MANAGERS] = {.key = "managers",
		CBORMAP_LIST_OF(one_item, AGENT_MANAGERS_MAX),
		.need = true},
	[ALL_FIELDS] = {0},
};

int agent_acked_load(struct agent_acked *acked, const char *path,
	const uint8_t journal[AGENT_JOURNAL_ID_LEN], struct err *err)
{
	struct cbormap_value v[ALL_FIELDS], item;
	size_t len, skipped, payload_len;
	struct err ignored = {0};
	const uint8_t *payload;
	uint8_t mem[FILE_MAX];

	*acked = (struct agent_acked){0};
	if (file_read(path, mem, sizeof mem, &len, NULL, &ignored) != 0) {
		if (ignored.code != ERR_NOMEM)
			return 0;
		*err = ignored;
		return -1;
	}
	if (!manager_frame_find(mem, len, &skipped, &payload, &payload_len) ||
		cbormap_get(v, all_fields, payload, payload_len, &ignored) != 0 ||
		memcmp(v[ALL_JOURNAL].bytes, journal, AGENT_JOURNAL_ID_LEN) != 0)
		return 0;
	while (cbormap_next(&v[ALL_MANAGERS], &one_item, &item)) {
		assert(acked->count < AGENT_MANAGERS_MAX);
		cbormap_store_item(&acked->of[acked->count++], &one_item, &item);
	}
	return 0;
}

static int save(const struct agent_acked *acked, const char *path,
	const uint8_t journal[AGENT_JOURNAL_ID_LEN], struct err *err)
{
	uint8_t frame[FILE_MAX];
	struct cbor_out out;
	size_t i;

	cbor_out_init(&out, frame + MANAGER_FRAME_HEAD, sizeof frame - MANAGER_FRAME_HEAD);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "journal");
	cbor_put_bytes(&out, journal, AGENT_JOURNAL_ID_LEN);
	cbor_put_text(&out, "managers");
	cbor_put_array(&out, acked->count);
	for (i = 0; i < acked->count; i++)
		cbormap_put(&out, one_fields, &acked->of[i]);
	assert(!cbor_out_full(&out));
	manager_frame_seal(frame, cbor_out_len(&out));
	return file_write(path, frame, MANAGER_FRAME_HEAD + cbor_out_len(&out), 0600, err);
}

static size_t find(const struct agent_acked *acked, const char *manager)
{
	size_t i;

	for (i = 0; i < acked->count; i++)
		if (strcmp(acked->of[i].manager, manager) == 0)
			break;
	return i;
}

uint64_t agent_acked_get(const struct agent_acked *acked, const char *manager)
{
	size_t i = find(acked, manager);

	return i < acked->count ? acked->of[i].number : 0;
}

uint64_t agent_acked_least(const struct agent_acked *acked, uint64_t none)
{
	uint64_t least = acked->count > 0 ? acked->of[0].number : none;
	size_t i;

	for (i = 1; i < acked->count; i++)
		if (acked->of[i].number < least)
			least = acked->of[i].number;
	return least;
}

uint64_t agent_acked_most(const struct agent_acked *acked, uint64_t none)
{
	uint64_t most = acked->count > 0 ? acked->of[0].number : none;
	size_t i;

	for (i = 1; i < acked->count; i++)
		if (acked->of[i].number > most)
			most = acked->of[i].number;
	return most;
}

int agent_acked_set(struct agent_acked *acked, const char *path,
	const uint8_t journal[AGENT_JOURNAL_ID_LEN], const char *manager, uint64_t number,
	struct err *err)
{
	size_t i = find(acked, manager);

	assert(name_ok(manager, strlen(manager)));
	if (i == AGENT_MANAGERS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d managers", AGENT_MANAGERS_MAX);
	if (i == acked->count) {
		memset(&acked->of[i], 0, sizeof acked->of[i]);
		strcpy(acked->of[i].manager, manager);
		acked->count++;
	}
	if (number == acked->of[i].number)
		return 0;
	acked->of[i].number = number;
	return save(acked, path, journal, err);
}

int agent_acked_forget(struct agent_acked *acked, const char *path,
	const uint8_t journal[AGENT_JOURNAL_ID_LEN], const char *manager, struct err *err)
{
	size_t i = find(acked, manager);

	if (i == acked->count)
		return 0;
	acked->count--;
	memmove(&acked->of[i], &acked->of[i + 1], (acked->count - i) * sizeof acked->of[i]);
	return save(acked, path, journal, err);
}
