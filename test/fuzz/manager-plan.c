/* Arbitrary bytes as a plan, and as a report: refused, or read; and whatever was read is written
 * and read again the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/report.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_plan(const uint8_t *data, size_t size)
{
	struct manager_plan plan, again;
	struct err err = {0};
	struct buf buf, second;

	if (manager_plan_decode(&plan, data, size, &err) != 0)
		return;
	buf_init(&buf, MANAGER_PLAN_MAX);
	buf_init(&second, MANAGER_PLAN_MAX);
	if (manager_plan_encode(&plan, &buf, &err) != 0 ||
		manager_plan_decode(&again, buf.data, buf.len, &err) != 0 ||
		manager_plan_encode(&again, &second, &err) != 0 || buf.len != second.len ||
		memcmp(buf.data, second.data, buf.len) != 0)
		abort();
	buf_fini(&buf);
	buf_fini(&second);
	manager_plan_free(&plan);
	manager_plan_free(&again);
}

static void as_record(const uint8_t *data, size_t size)
{
	uint8_t bytes[MANAGER_RECORD_MAX];
	struct manager_record record, again;
	struct err err = {0};

	if (manager_record_decode(&record, data, size, &err) != 0 || record.kind == MANAGER_OTHER)
		return;
	if (manager_record_decode(&again, bytes, manager_record_encode(&record, bytes), &err) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *payload;
	size_t skipped, len, at = 0;
	struct err err = {0};

	if (hash_crypto_init(&err) != 0)
		abort();
	as_plan(data, size);
	as_record(data, size);
	while (manager_frame_find(data + at, size - at, &skipped, &payload, &len)) {
		as_record(payload, len);
		at = (size_t)(payload - data) + len;
	}
	return 0;
}
