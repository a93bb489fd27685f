/* The numbers that managers have acknowledged, and their file. */
#include "cmd/agent/acked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/report.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/file.h"
#include "rpc/param.h"

/* Bytes of the file: AGENT_MANAGERS_MAX of them are far below. */
#define FILE_MAX 8192

enum { ONE_NAME, ONE_NUMBER, ONE_FIELDS };

static const struct rpc_field one_fields[] = {
	[ONE_NAME] = {.key = "name", .type = RPC_NAME, .need = true},
	[ONE_NUMBER] = {.key = "number", .type = RPC_UINT, .need = true, .max = INT64_MAX},
	[ONE_FIELDS] = {0},
};

static const struct rpc_field one_item = {.type = RPC_MAP, .sub = one_fields};

enum { ALL_JOURNAL, ALL_MANAGERS, ALL_FIELDS };

static const struct rpc_field all_fields[] = {
	[ALL_JOURNAL] = {.key = "journal",
		.type = RPC_BYTES,
		.need = true,
		.min = AGENT_JOURNAL_ID_LEN,
		.max = AGENT_JOURNAL_ID_LEN},
	[ALL_MANAGERS] = {.key = "managers",
		.type = RPC_LIST,
		.need = true,
		.max = AGENT_MANAGERS_MAX,
		.of = &one_item},
	[ALL_FIELDS] = {0},
};

int agent_acked_load(struct agent_acked *acked, const char *path,
	const uint8_t journal[AGENT_JOURNAL_ID_LEN], struct err *err)
{
	struct rpc_value v[ALL_FIELDS], one[ONE_FIELDS], item;
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
		rpc_params_get(v, all_fields, payload, payload_len, &ignored) != 0 ||
		memcmp(v[ALL_JOURNAL].bytes, journal, AGENT_JOURNAL_ID_LEN) != 0)
		return 0;
	while (rpc_list_next(&v[ALL_MANAGERS], &one_item, &item)) {
		if (rpc_params_get(one, one_fields, item.bytes, item.len, &ignored) != 0)
			break;
		assert(acked->count < AGENT_MANAGERS_MAX);
		memcpy(acked->of[acked->count].manager, one[ONE_NAME].bytes, one[ONE_NAME].len);
		acked->of[acked->count++].number = one[ONE_NUMBER].number;
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
	for (i = 0; i < acked->count; i++) {
		cbor_put_map(&out, 2);
		cbor_put_text(&out, "name");
		cbor_put_text(&out, acked->of[i].manager);
		cbor_put_text(&out, "number");
		cbor_put_uint(&out, acked->of[i].number);
	}
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
