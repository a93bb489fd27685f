/* The journal: after any cut or flipped bit the appended records are there, or the damage is
 * reported; states are the same before and after; it stays within its limit. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/agent/journal.h"
#include "cmd/agent/schedule.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/hash.h"

#define T0    1767225600
#define ROOM  (1u << 20)
#define PIECE (MANAGER_FRAME_HEAD + MANAGER_RECORD_MAX)

static char folder[] = "/tmp/fdump-journal-XXXXXX", path[64], acked[64];
static struct agent_journal *journal;
static struct agent_journal_found found;

/* No test here cuts the power, so nothing waits for the disk; but a sync can fail. */
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
static bool sync_fails;

int __wrap_fdatasync(int fd)
{
	(void)fd;
	errno = EIO;
	return sync_fails ? -1 : 0;
}

int __wrap_fsync(int fd)
{
	(void)fd;
	return 0;
}

static int setup(void **state)
{
	struct err err;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	if (hash_crypto_init(&err) != 0 || mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/journal", folder);
	snprintf(acked, sizeof acked, "%s/journal.acked", folder);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	unlink(path);
	unlink(acked);
	return 0;
}

static int teardown(void **state)
{
	clear(state);
	return rmdir(folder);
}

static void open_it(uint64_t max)
{
	struct err err = {0};

	if (agent_journal_open(path, max, &journal, &found, &err) != 0)
		fail_msg("%s", err.message);
}

static struct manager_record starting(const char *job, unsigned run, int64_t slot)
{
	struct manager_record record = {.kind = MANAGER_STARTING, .slot = slot, .time = slot + 1};

	strcpy(record.job, job);
	record.run[0] = (uint8_t)run;
	record.run[1] = (uint8_t)(run >> 8);
	record.run[15] = 1;
	return record;
}

static struct manager_record ended(const char *job, unsigned run, int64_t slot)
{
	struct manager_record record = starting(job, run, slot);

	record.kind = MANAGER_ENDED;
	record.time = slot + 100;
	record.result = MANAGER_OK;
	record.has_dump = true;
	record.dump[0] = (uint8_t)run;
	record.record[31] = 9;
	record.stats = (struct manager_stats){
		.entries = run, .content = 1u << 30, .read = 2, .stored = UINT64_MAX};
	record.receipt_count = 2;
	strcpy(record.receipts[0].store, "nas1");
	strcpy(record.receipts[1].store, "offsite");
	record.receipts[1].time = slot + 99;
	memset(record.receipts[1].signature, 0xab, sizeof record.receipts[1].signature);
	return record;
}

static void append(struct manager_record record)
{
	struct err err = {0};

	if (agent_journal_append(journal, &record, NULL, &err) != 0)
		fail_msg("%s", err.message);
}

/* Runs of two jobs. */
static void append_runs(unsigned from, unsigned count)
{
	unsigned i;

	for (i = from; i < from + count; i++) {
		append(starting(i % 2 ? "a" : "b", i, T0 + i * 3600));
		append(ended(i % 2 ? "a" : "b", i, T0 + i * 3600));
	}
}

static uint64_t size_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return (uint64_t)st.st_size;
}

/* The number of complete records in a report's bytes; their numbers must rise one by one. */
static uint64_t count_frames(const uint8_t *bytes, size_t len, uint64_t first)
{
	struct manager_record record;
	const uint8_t *payload;
	size_t skipped, payload_len, at = 0;
	struct err err = {0};
	uint64_t n = 0;

	while (manager_frame_find(bytes + at, len - at, &skipped, &payload, &payload_len)) {
		assert_int_equal(skipped, 0);
		assert_int_equal(manager_record_decode(&record, payload, payload_len, &err), 0);
		assert_int_equal(record.number, first + n);
		n++;
		at = (size_t)(payload - bytes) + payload_len;
	}
	assert_int_equal(at, len);
	return n;
}

/* ---- records ---- */

static void same(const struct manager_record *a, const struct manager_record *b)
{
	size_t i;

	assert_int_equal(a->number, b->number);
	assert_int_equal(a->time, b->time);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->result, b->result);
	assert_string_equal(a->job, b->job);
	assert_string_equal(a->text, b->text);
	assert_memory_equal(a->run, b->run, sizeof a->run);
	assert_memory_equal(a->digest, b->digest, sizeof a->digest);
	assert_int_equal(a->slot, b->slot);
	assert_int_equal(a->has_dump, b->has_dump);
	assert_memory_equal(a->dump, b->dump, sizeof a->dump);
	assert_memory_equal(a->record, b->record, sizeof a->record);
	assert_memory_equal(&a->stats, &b->stats, sizeof a->stats);
	assert_int_equal(a->receipt_count, b->receipt_count);
	for (i = 0; i < a->receipt_count; i++) {
		assert_string_equal(a->receipts[i].store, b->receipts[i].store);
		assert_int_equal(a->receipts[i].time, b->receipts[i].time);
		assert_memory_equal(a->receipts[i].signature, b->receipts[i].signature,
			sizeof a->receipts[i].signature);
	}
}

static void records(void **state)
{
	struct manager_record in[] = {starting("a", 1, T0), ended("b", 2, T0),
		{.kind = MANAGER_PLAN, .digest = {1, 2, 3}, .time = T0},
		{.kind = MANAGER_HELD, .job = "a", .time = -5},
		{.kind = MANAGER_RELEASED, .job = "a", .time = T0},
		{.kind = MANAGER_CLOCK, .job = "a", .time = T0},
		{.kind = MANAGER_ALARM, .text = "plan.recipient", .time = T0}};
	uint8_t bytes[MANAGER_FRAME_HEAD + MANAGER_RECORD_MAX], golden[4096];
	uint8_t *payload = bytes + MANAGER_FRAME_HEAD;
	struct manager_record out;
	struct err err = {0};
	size_t i, k, len, at = 0, golden_len;

	(void)state;
	/* The bytes of records never change; test/plans.py makes the same ones. */
	assert_int_equal(
		file_read("test/data/report.fdj", golden, sizeof golden, &golden_len, NULL, &err),
		0);
	for (i = 0; i < sizeof in / sizeof in[0]; i++) {
		in[i].number = i + 1;
		len = manager_record_encode(&in[i], payload);
		manager_frame_seal(bytes, len);
		assert_true(at + MANAGER_FRAME_HEAD + len <= golden_len);
		assert_memory_equal(bytes, golden + at, MANAGER_FRAME_HEAD + len);
		at += MANAGER_FRAME_HEAD + len;
		assert_int_equal(manager_record_decode(&out, payload, len, &err), 0);
		same(&in[i], &out);
		for (k = 0; k < len; k++)
			assert_int_equal(manager_record_decode(&out, payload, k, &err), -1);
		for (k = 0; k < 8 * len; k++) { /* whatever they contain, nothing breaks */
			payload[k / 8] ^= (uint8_t)(1u << k % 8);
			manager_record_decode(&out, payload, len, &err);
			payload[k / 8] ^= (uint8_t)(1u << k % 8);
		}
	}
	assert_int_equal(at, golden_len);
}

/* ---- the file ---- */

static void created(void **state)
{
	struct agent_journal *second;
	struct agent_journal_found ignored;
	uint8_t id[AGENT_JOURNAL_ID_LEN], mem[PIECE];
	struct err err = {0};
	uint64_t last = 0;
	size_t len;

	(void)state;
	open_it(0);
	assert_int_equal(agent_journal_last(journal), 0);
	assert_int_equal(agent_journal_read(journal, 1, mem, sizeof mem, &len, &last, &err), 1);
	assert_int_equal(agent_journal_open(path, 0, &second, &ignored, &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	memcpy(id, agent_journal_id(journal), sizeof id);
	append_runs(1, 3);
	assert_int_equal(agent_journal_last(journal), 6);
	agent_journal_close(journal);
	open_it(0);
	assert_int_equal(found.cut + found.damaged, 0);
	assert_int_equal(agent_journal_last(journal), 6);
	assert_memory_equal(agent_journal_id(journal), id, sizeof id);
	agent_journal_close(journal);
	clear(NULL);
	open_it(0); /* another journal */
	assert_memory_not_equal(agent_journal_id(journal), id, sizeof id);
	agent_journal_close(journal);
}

static void same_state(const struct agent_job_state *a, const struct agent_job_state *b)
{
	assert_string_equal(a->job, b->job);
	assert_int_equal(a->since, b->since);
	assert_int_equal(a->started_once, b->started_once);
	assert_int_equal(a->seen, b->seen);
	assert_int_equal(a->running, b->running);
	assert_int_equal(a->held, b->held);
	assert_memory_equal(a->run, b->run, sizeof a->run);
	assert_int_equal(a->slot, b->slot);
	assert_int_equal(a->started, b->started);
	assert_int_equal(a->ended, b->ended);
	assert_int_equal(a->result, b->result);
	assert_int_equal(a->failures, b->failures);
	assert_int_equal(a->losses, b->losses);
	assert_int_equal(a->succeeded, b->succeeded);
}

/* The states are as before, also that of a run in progress. */
static void states(void **state)
{
	struct agent_job_state before[2];

	(void)state;
	open_it(0);
	append_runs(1, 4);
	append(starting("a", 9, T0 + 9 * 3600));
	append((struct manager_record){.kind = MANAGER_HELD, .job = "b", .time = T0});
	before[0] = *agent_journal_state(journal, "a");
	before[1] = *agent_journal_state(journal, "b");
	assert_true(before[0].running);
	assert_true(before[1].held);
	agent_journal_close(journal);
	open_it(0);
	same_state(agent_journal_state(journal, "a"), &before[0]);
	same_state(agent_journal_state(journal, "b"), &before[1]);
	agent_journal_close(journal);
}

/* Reads from each number on, in pieces. */
static void reading(void **state)
{
	uint8_t mem[PIECE];
	struct err err = {0};
	uint64_t number, last;
	size_t len;
	int got;

	(void)state;
	open_it(0);
	append_runs(1, 300);
	for (number = 1; number <= 600; number += 7) {
		assert_int_equal(
			agent_journal_read(journal, number, mem, sizeof mem, &len, &last, &err), 0);
		assert_int_equal(count_frames(mem, len, number), last - number + 1);
	}
	for (number = 1; (got = agent_journal_read(
				  journal, number, mem, sizeof mem, &len, &last, &err)) == 0;
		number = last + 1)
		assert_int_equal(count_frames(mem, len, number), last - number + 1);
	assert_int_equal(got, 1);
	assert_int_equal(number, 601);
	agent_journal_close(journal);
}

static void acknowledged(void **state)
{
	struct err err = {0};
	uint8_t mem[PIECE];
	uint64_t number;
	size_t len;

	(void)state;
	open_it(0);
	append_runs(1, 2);
	assert_int_equal(agent_journal_acknowledged(journal, "m1"), 0);
	assert_int_equal(agent_journal_acknowledge(journal, "m1", 3, &err), 0);
	assert_int_equal(agent_journal_acknowledge(journal, "m2", 4, &err), 0);
	assert_int_equal(agent_journal_acknowledge(journal, "m1", 2, &err), 0); /* late */
	assert_int_equal(agent_journal_acknowledge(journal, "m1", 5, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	agent_journal_close(journal);
	open_it(0);
	assert_int_equal(agent_journal_acknowledged(journal, "m1"), 3);
	assert_int_equal(agent_journal_acknowledged(journal, "m2"), 4);
	/* Another manager in the place of m2 has nothing; its claim to have more is no
	 * acknowledgement. */
	assert_int_equal(agent_journal_lacks(journal, "m1", 4, &err), 0);
	assert_int_equal(agent_journal_lacks(journal, "m2", 0, &err), 0);
	assert_int_equal(agent_journal_lacks(journal, "m3", 0, &err), 0);
	agent_journal_close(journal);
	open_it(0);
	assert_int_equal(agent_journal_acknowledged(journal, "m1"), 3);
	assert_int_equal(agent_journal_acknowledged(journal, "m2"), 0);
	assert_int_equal(agent_journal_acknowledged(journal, "m3"), 0);
	/* m1 has records of a later copy of this journal: new ones follow them, but those that m2
	 * lacks are still there. */
	assert_int_equal(agent_journal_lacks(journal, "m1", UINT64_MAX / 2, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(agent_journal_lacks(journal, "m1", 9, &err), 1);
	assert_int_equal(agent_journal_lacks(journal, "m1", 9, &err), 0);
	agent_journal_close(journal);
	open_it(0);
	assert_int_equal(agent_journal_acknowledged(journal, "m1"), 9);
	append_runs(3, 1);
	assert_int_equal(agent_journal_last(journal), 11);
	assert_int_equal(agent_journal_read(journal, 3, mem, sizeof mem, &len, &number, &err), 0);
	assert_int_equal(number, 11);
	assert_int_equal(agent_journal_read(journal, 10, mem, sizeof mem, &len, &number, &err), 0);
	assert_int_equal(number, 11);
	/* A manager that no longer is one, and one that never was. */
	assert_non_null(agent_journal_manager(journal, 1));
	assert_null(agent_journal_manager(journal, 2));
	assert_int_equal(agent_journal_forget(journal, "m2", &err), 0);
	assert_int_equal(agent_journal_forget(journal, "m4", &err), 0);
	agent_journal_close(journal);
	open_it(0);
	assert_null(agent_journal_manager(journal, 1));
	assert_int_equal(agent_journal_acknowledged(journal, "m1"), 9);
	agent_journal_close(journal);
	/* Another journal's numbers mean nothing. */
	unlink(path);
	open_it(0);
	assert_int_equal(agent_journal_acknowledged(journal, "m1"), 0);
	agent_journal_close(journal);
}

/* A file that was cut at any byte: all complete records are there, the rest is cut off and
 * reported, and the next record has a number that was not acknowledged before. */
static void torn(void **state)
{
	uint8_t *whole = malloc(ROOM);
	uint64_t ends[64], head, last, n;
	struct err err = {0};
	size_t len, cut;

	(void)state;
	open_it(0);
	head = size_of(path);
	for (n = 0; n < 6; n += 2) {
		append(starting("a", (unsigned)n + 1, T0 + (int64_t)n * 3600));
		ends[n] = size_of(path);
		append(ended("a", (unsigned)n + 1, T0 + (int64_t)n * 3600));
		ends[n + 1] = size_of(path);
	}
	agent_journal_close(journal);
	assert_int_equal(file_read(path, whole, ROOM, &len, NULL, &err), 0);
	for (cut = head; cut < len; cut++) {
		assert_int_equal(file_write(path, whole, cut, 0600, &err), 0);
		open_it(0);
		for (n = 0; n < 6 && ends[n] <= cut; n++)
			;
		assert_int_equal(agent_journal_last(journal), n);
		assert_int_equal(found.cut, cut - (n > 0 ? ends[n - 1] : head));
		assert_int_equal(found.damaged, 0);
		append(starting("a", 77, T0));
		agent_journal_close(journal);
		open_it(0);
		assert_int_equal(agent_journal_last(journal), n + 1);
		assert_int_equal(found.cut, 0);
		agent_journal_close(journal);
	}
	/* A cut in the head: the journal can't be used, and says so. */
	for (cut = 0; cut < head; cut++) {
		assert_int_equal(file_write(path, whole, cut, 0600, &err), 0);
		assert_int_equal(agent_journal_open(path, 0, &journal, &found, &err), -1);
		assert_int_equal(err.code, ERR_DAMAGE);
	}
	/* A manager has acknowledged a record that is lost now: its number is not used again. */
	assert_int_equal(file_write(path, whole, len, 0600, &err), 0);
	open_it(0);
	assert_int_equal(agent_journal_acknowledge(journal, "m", 6, &err), 0);
	agent_journal_close(journal);
	assert_int_equal(file_write(path, whole, len - 1, 0600, &err), 0);
	open_it(0);
	append(starting("a", 78, T0));
	last = agent_journal_last(journal);
	assert_int_equal(last, 7);
	agent_journal_close(journal);
	free(whole);
}

/* Any byte changed: at most one record is missing, the others are read and sent. */
static void flipped(void **state)
{
	uint8_t *whole = malloc(ROOM), mem[PIECE];
	uint64_t head, last = 0, n;
	struct err err = {0};
	size_t len, at, out_len;

	(void)state;
	open_it(0);
	head = size_of(path);
	append_runs(1, 3);
	agent_journal_close(journal);
	assert_int_equal(file_read(path, whole, ROOM, &len, NULL, &err), 0);
	for (at = head; at < len; at++) {
		whole[at] ^= (uint8_t)(1u << at % 8);
		assert_int_equal(file_write(path, whole, len, 0600, &err), 0);
		whole[at] ^= (uint8_t)(1u << at % 8);
		open_it(0);
		assert_true(found.damaged + found.cut > 0);
		assert_in_range(agent_journal_last(journal), 5, 6);
		n = 1;
		while (agent_journal_read(journal, n, mem, sizeof mem, &out_len, &last, &err) == 0)
			n = last + 1;
		assert_int_equal(n, agent_journal_last(journal) + 1);
		agent_journal_close(journal);
	}
	free(whole);
}

/* Old records are dropped, acknowledged ones first; the states stay. */
static void bounded(void **state)
{
	const uint64_t max = 400000;
	struct agent_job_state before;
	struct manager_record record;
	uint8_t mem[PIECE], id[AGENT_JOURNAL_ID_LEN];
	uint64_t last, lost, lost_all = 0;
	struct err err = {0};
	unsigned i;
	size_t len;

	(void)state;
	open_it(max);
	memcpy(id, agent_journal_id(journal), sizeof id);
	append((struct manager_record){.kind = MANAGER_HELD, .job = "old", .time = T0});
	for (i = 1; i < 6000; i++) {
		record = i % 2 ? starting("a", i, T0 + i) : ended("a", i - 1, T0 + i);
		assert_int_equal(agent_journal_append(journal, &record, &lost, &err), 0);
		lost_all += lost;
		assert_true(size_of(path) <= max);
		if (i % 500 == 0)
			assert_int_equal(
				agent_journal_acknowledge(journal, "m", record.number, &err), 0);
	}
	assert_int_equal(lost_all, 0);
	before = *agent_journal_state(journal, "a");
	assert_int_equal(agent_journal_last(journal), 6000);
	assert_int_equal(agent_journal_read(journal, 5501, mem, sizeof mem, &len, &last, &err), 0);
	count_frames(mem, len, 5501);
	agent_journal_close(journal);
	open_it(max);
	assert_int_equal(found.cut + found.damaged, 0);
	assert_memory_equal(agent_journal_id(journal), id, sizeof id);
	assert_int_equal(agent_journal_last(journal), 6000);
	same_state(agent_journal_state(journal, "a"), &before);
	assert_true(agent_journal_state(journal, "old")->held);
	/* No manager acknowledges any more: the size stays limited, and lost records are counted.
	 */
	for (; i < 12000; i++) {
		record = i % 2 ? starting("a", i, T0 + i) : ended("a", i - 1, T0 + i);
		assert_int_equal(agent_journal_append(journal, &record, &lost, &err), 0);
		lost_all += lost;
		assert_true(size_of(path) <= max);
	}
	assert_true(lost_all > 0);
	/* A request for records that are gone begins with the first existing one. */
	assert_int_equal(agent_journal_read(journal, 1, mem, sizeof mem, &len, &last, &err), 0);
	assert_true(last > 6000);
	agent_journal_close(journal);
}

/* A full disk: the record is not in the journal, and the journal is as before. */
static void full(void **state)
{
	struct rlimit old, small;
	struct manager_record record;
	struct err err = {0};
	uint64_t size;
	unsigned i;

	(void)state;
	open_it(0);
	append_runs(1, 2);
	size = size_of(path);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (i = 0; i < 40; i += 13) {
		small = (struct rlimit){size + i, old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		record = ended("a", 3, T0);
		assert_int_equal(agent_journal_append(journal, &record, NULL, &err), -1);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(size_of(path), size);
		assert_int_equal(agent_journal_last(journal), 4);
	}
	append_runs(3, 1);
	agent_journal_close(journal);
	open_it(0);
	assert_int_equal(found.cut + found.damaged, 0);
	assert_int_equal(agent_journal_last(journal), 6);
	agent_journal_close(journal);
}

/* After a failed sync the state of the disk is unknown: nothing is appended until the journal is
 * opened again. */
static void sync_failed(void **state)
{
	struct manager_record record = starting("a", 2, T0 + 1);
	struct err err = {0};

	(void)state;
	open_it(0);
	append_runs(1, 1);
	sync_fails = true;
	assert_int_equal(agent_journal_append(journal, &record, NULL, &err), -1);
	assert_false(agent_journal_state(journal, "a")->running);
	sync_fails = false;
	assert_int_equal(agent_journal_append(journal, &record, NULL, &err), -1);
	agent_journal_close(journal);
	open_it(0); /* it was written nevertheless: then it counts */
	assert_int_equal(agent_journal_last(journal), 3);
	assert_true(agent_journal_state(journal, "a")->running);
	agent_journal_close(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test_teardown(created, clear),
		cmocka_unit_test_teardown(states, clear),
		cmocka_unit_test_teardown(reading, clear),
		cmocka_unit_test_teardown(acknowledged, clear),
		cmocka_unit_test_teardown(torn, clear),
		cmocka_unit_test_teardown(flipped, clear),
		cmocka_unit_test_teardown(bounded, clear),
		cmocka_unit_test_teardown(full, clear),
		cmocka_unit_test_teardown(sync_failed, clear),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
