/* Agents and their manager: hello, plans, reports of runs and alarms, and the manager's state. */
#include "test/net/managed.h"

#include <stdlib.h>
#include <time.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/report.h"
#include "cmd/manager/watch.h"
#include "lib/cbor.h"
#include "rpc/ca.h"
#include "test/unit/unit.h"

static struct err err;
static int64_t began; /* some hours ago */

static const char *manager_file(char path[300], const char *name)
{
	snprintf(path, 300, "%s/manager/%s", managed_folder, name);
	return path;
}

/* Adds a record of a run to the frames. */
static void add_record(struct buf *frames, uint64_t number, enum manager_kind kind, uint8_t run,
	int64_t when, enum manager_result result, size_t receipts)
{
	struct manager_record r = {.number = number,
		.time = began + when,
		.kind = kind,
		.result = result,
		.job = "system",
		.run = {run},
		.slot = began + 1000,
		.has_dump = kind == MANAGER_ENDED && manager_result_kept(result),
		.receipt_count = receipts};
	uint8_t *to = buf_room(frames, MANAGER_FRAME_HEAD + MANAGER_RECORD_MAX, &err);
	size_t len, i;

	for (i = 0; i < receipts; i++)
		strcpy(r.receipts[i].store, "s1");
	len = manager_record_encode(&r, to + MANAGER_FRAME_HEAD);
	manager_frame_seal(to, len);
	buf_took(frames, MANAGER_FRAME_HEAD + len);
}

static void add_alarm(struct buf *frames, uint64_t number, const char *text, const char *job)
{
	struct manager_record r = {.number = number, .time = began + 3050, .kind = MANAGER_ALARM};
	uint8_t *to = buf_room(frames, MANAGER_FRAME_HEAD + MANAGER_RECORD_MAX, &err);
	size_t len;

	strcpy(r.text, text);
	strcpy(r.job, job);
	len = manager_record_encode(&r, to + MANAGER_FRAME_HEAD);
	manager_frame_seal(to, len);
	buf_took(frames, MANAGER_FRAME_HEAD + len);
}

static void start_report(struct managed_peer *p, uint8_t journal, const struct buf *frames)
{
	uint8_t mem[128], id[MANAGER_RUN_LEN] = {journal};
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "journal");
	cbor_put_bytes(&out, id, sizeof id);
	cbor_put_text(&out, "first");
	cbor_put_uint(&out, 1);
	p->send = frames->data;
	p->send_len = frames->len;
	managed_call(p, MANAGER_METHOD_REPORT, mem, cbor_out_len(&out));
}

/* Returns the acknowledged number; UINT64_MAX if it was refused. */
static uint64_t report(struct managed_peer *p, uint8_t journal, const struct buf *frames)
{
	struct manager_msg_acked msg;

	start_report(p, journal, frames);
	while (!p->over)
		rpc_loop_run(managed_loop);
	if (p->result.code != ERR_NONE)
		return UINT64_MAX;
	assert_int_equal(
		cbormap_read(&msg, manager_acked_fields, p->reply.data, p->reply.len, &err), 0);
	return msg.acked;
}

/* The n-th run, the newest first. Returns how many there are. */
static size_t runs(struct managed_peer *operator, size_t n, struct manager_run_row *run)
{
	struct manager_run_row row;
	const uint8_t *at;
	size_t left, count = 0;

	assert_int_equal(managed_ask(operator, MANAGER_METHOD_RUNS, "\xa0", 1), ERR_NONE);
	at = operator->blob.data;
	left = operator->blob.len;
	while (manager_row_get(&row, sizeof row, manager_run_fields, &at, &left, &err) == 0)
		if (count++ == n)
			*run = row;
	return count;
}

/* An agent says hello, gets its plan, and is notified of another one. */
static void test_agent(void **unused)
{
	uint8_t digest[MANAGER_DIGEST_LEN];
	struct manager_hello h = {.boot = {1}, .journal = {7}, .number = 3};
	struct manager_welcome w;
	struct managed_peer a;
	struct manager_plan plan;
	char address[64];

	(void)unused;
	managed_start();
	managed_dial(&a, "a1");
	/* Nothing before hello. */
	assert_int_equal(managed_ask(&a, MANAGER_METHOD_PLAN, "\xa0", 1), ERR_DENIED);
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_in_range(w.clock, time(NULL) - 2, time(NULL) + 2);
	assert_int_equal(w.acked, 0);
	assert_string_equal(w.denied, "");
	memcpy(digest, w.digest, sizeof digest);
	assert_int_equal(w.manager_count, 1);
	snprintf(address, sizeof address, "m1.example.org:%u",
		manager_service_port(managed_service));
	assert_string_equal(w.managers[0].name, "m1");
	assert_string_equal(w.managers[0].address, address);
	/* The plan has that digest. */
	assert_int_equal(managed_ask(&a, MANAGER_METHOD_PLAN, "\xa0", 1), ERR_NONE);
	manager_plan_digest(a.blob.data, a.blob.len, h.digest);
	assert_memory_equal(digest, h.digest, sizeof digest);
	assert_int_equal(manager_plan_decode(&plan, a.blob.data, a.blob.len, &err), 0);
	assert_string_equal(plan.agent, "a1");
	assert_string_equal(plan.jobs[0].name, "system");
	manager_plan_free(&plan);
	/* Another configuration: the agent is notified, once for several changes. */
	manager_service_config(managed_service, managed_config("\"/home\""));
	manager_service_config(managed_service, managed_config("\"/home\""));
	while (a.notified == 0)
		rpc_loop_run(managed_loop);
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_memory_not_equal(digest, w.digest, sizeof digest);
	assert_int_equal(a.notified, 1);
	managed_hang_up(&a);
	managed_stop();
}

/* Records: each counts once, whatever is sent again. */
static void test_records(void **unused)
{
	struct manager_hello h = {.boot = {1}, .journal = {7}, .number = 3};
	struct manager_welcome w;
	struct manager_run_row run;
	struct managed_peer a, o;
	struct buf frames;

	(void)unused;
	managed_start();
	managed_dial(&a, "a1");
	managed_dial(&o, "o1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 1, MANAGER_STARTING, 1, 2000, MANAGER_NONE, 0);
	add_record(&frames, 2, MANAGER_ENDED, 1, 2100, MANAGER_FAILED, 0);
	assert_int_equal(report(&a, 7, &frames), 2);
	add_record(&frames, 4, MANAGER_STARTING, 2, 2200, MANAGER_NONE, 0);
	add_record(&frames, 5, MANAGER_ENDED, 2, 2300, MANAGER_OK, 1);
	assert_int_equal(report(&a, 7, &frames), 5);
	assert_int_equal(report(&a, 7, &frames), 5);
	assert_int_equal(runs(&o, 0, &run), 2);
	assert_string_equal(run.agent, "a1");
	assert_string_equal(run.result, "ok");
	assert_int_equal(run.copies, 1);
	assert_int_equal(run.started, began + 2200);
	assert_int_equal(run.ended, began + 2300);
	assert_int_equal(runs(&o, 1, &run), 2);
	assert_string_equal(run.result, "failed");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 5);
	/* Bytes that are not a record. */
	buf_clear(&frames);
	assert_int_equal(buf_add(&frames, "nonsense", 8, &err), 0);
	assert_int_equal(report(&a, 7, &frames), UINT64_MAX);
	assert_int_equal(a.result.code, ERR_FORMAT);
	/* It lost its journal: it starts from the beginning; the known runs stay. */
	h.journal[0] = 8;
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 0);
	assert_non_null(strstr(managed_log, "a1 has a new journal"));
	buf_fini(&frames);
	managed_hang_up(&a);
	/* All of it survives a restart of the manager. */
	managed_hang_up(&o);
	managed_stop();
	managed_start();
	managed_dial(&o, "o-m1");
	assert_int_equal(runs(&o, 0, &run), 2);
	managed_hang_up(&o);
	managed_stop();
}

/* A manager renews its own certificate; a record from the future counts as one of now. */
static void test_times(void **unused)
{
	struct manager_hello h = {.boot = {1}, .journal = {9}, .number = 1};
	char command[1024], cert[300];
	struct manager_welcome w;
	struct manager_run_row run;
	struct rpc_cert_info info;
	struct buf frames;
	struct managed_peer a, o;

	(void)unused;
	assert_int_equal(rpc_cert_info(manager_file(cert, "cert.pem"), &info, &err), 0);
	peer_make_cert_by(managed_folder, "int", "m1-old", "m1", "manager", info.id.host,
		time(NULL) - 86400, time(NULL) + 10 * 86400);
	snprintf(command, sizeof command,
		"cd %s && cp m1-old.key manager/key.pem && cp m1-old.crt manager/cert.pem",
		managed_folder);
	assert_int_equal(system(command), 0);
	managed_start();
	assert_int_equal(rpc_cert_info(cert, &info, &err), 0);
	assert_true(info.not_after > time(NULL) + 80 * 86400);
	managed_dial(&a, "a1");
	managed_dial(&o, "o1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 1, MANAGER_ENDED, 5, 1000000, MANAGER_OK, 1);
	assert_int_equal(report(&a, 9, &frames), 1);
	assert_int_equal(runs(&o, 0, &run), 3);
	assert_in_range(run.ended, time(NULL) - 2, time(NULL));
	buf_fini(&frames);
	managed_hang_up(&a);
	managed_hang_up(&o);
	managed_stop();
}

/* A welcome lists the records that the manager has, even if they are not durable yet: it is not an
 * acknowledgement. */
static void test_unsaved(void **unused)
{
	struct manager_hello h = {.boot = {1}, .journal = {9}, .number = 1};
	struct manager_welcome w;
	struct buf frames;
	struct managed_peer a, same;

	(void)unused;
	managed_start();
	managed_dial(&a, "a1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 2, MANAGER_ENDED, 6, 1000, MANAGER_OK, 1);
	same = a; /* another call on the same connection */
	start_report(&a, 9, &frames);
	while (a.send_len > 0)
		rpc_loop_run(managed_loop);
	buf_init(&same.reply, MANAGER_LISTING_MAX);
	assert_int_equal(managed_hello(&same, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 2);
	while (!a.over)
		rpc_loop_run(managed_loop);
	assert_int_equal(managed_hello(&same, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 2);
	buf_fini(&same.reply);
	buf_fini(&frames);
	managed_hang_up(&a);
	managed_stop();
}

/* The job's row of a1. */
static struct manager_status_row status(struct managed_peer *operator)
{
	static const char filter[] = "\xa1\x65"
				     "agent\x62"
				     "a1";
	struct manager_status_row row;
	const uint8_t *at;
	size_t left;

	assert_int_equal(
		managed_ask(operator, MANAGER_METHOD_STATUS, filter, sizeof filter - 1), ERR_NONE);
	at = operator->blob.data;
	left = operator->blob.len;
	assert_int_equal(
		manager_row_get(&row, sizeof row, manager_status_fields, &at, &left, &err), 0);
	assert_int_equal(left, 0);
	return row;
}

static void tell_progress(struct managed_peer *p, uint64_t bytes)
{
	uint8_t mem[64];
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "job");
	cbor_put_text(&out, "system");
	cbor_put_text(&out, "bytes");
	cbor_put_uint(&out, bytes);
	cbor_put_text(&out, "entries");
	cbor_put_uint(&out, 12);
	assert_int_equal(
		rpc_notify(p->conn, MANAGER_METHOD_PROGRESS, mem, cbor_out_len(&out), &err), 0);
}

/* A run's progress is shown as long as it lasts; an agent's alarm until it is over. */
static void test_run(void **unused)
{
	struct manager_hello h = {.boot = {1}, .journal = {11}, .number = 1};
	struct manager_status_row row;
	struct manager_alarm_row alarm;
	struct manager_welcome w;
	struct buf frames;
	struct managed_peer a, o;

	(void)unused;
	managed_start();
	managed_dial(&o, "o1");
	managed_dial(&a, "a1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 1, MANAGER_STARTING, 7, 3000, MANAGER_NONE, 0);
	add_alarm(&frames, 2, MANAGER_SAYS_OVERDUE, "");
	assert_int_equal(report(&a, 11, &frames), 2);
	assert_true(managed_alarm(&o, "agent/a1/overdue", &alarm));
	tell_progress(&a, 5 << 20);
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE); /* it was received before this */
	row = status(&o);
	assert_int_equal(row.bytes, 5 << 20);
	assert_int_equal(row.entries, 12);
	assert_non_null(strstr(row.reason, ": 5.0 MiB, 12 entries"));
	buf_clear(&frames);
	add_record(&frames, 3, MANAGER_ENDED, 7, 3100, MANAGER_OK, 1);
	add_alarm(&frames, 4, MANAGER_SAYS_CHANGED, "system");
	assert_int_equal(report(&a, 11, &frames), 4);
	assert_int_equal(status(&o).bytes, 0);
	assert_false(managed_alarm(&o, "agent/a1/overdue", &alarm));
	assert_true(managed_alarm(&o, "agent/a1/identity/system", &alarm));
	assert_string_equal(alarm.job, "system");
	add_record(&frames, 5, MANAGER_ENDED, 8, 3200, MANAGER_OK, 1);
	assert_int_equal(report(&a, 11, &frames), 5);
	assert_false(managed_alarm(&o, "agent/a1/identity/system", &alarm));
	buf_fini(&frames);
	managed_hang_up(&a);
	managed_hang_up(&o);
	managed_stop();
}

/* Damage in the state is reported, and repaired from the journals. */
static void test_damage(void **unused)
{
	static const char *const names[] = {"runs", "last"};
	struct manager_hello h = {.boot = {1}, .journal = {12}, .number = 2};
	struct manager_alarm_row alarm;
	struct manager_welcome w;
	struct buf frames;
	struct managed_peer a, o;
	char command[600];

	(void)unused;
	snprintf(command, sizeof command, "rm -rf %s/manager/db", managed_folder);
	assert_int_equal(system(command), 0);
	managed_start();
	managed_dial(&a, "a1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	buf_init(&frames, MANAGER_REPORT_MAX);
	add_record(&frames, 1, MANAGER_STARTING, 7, 3000, MANAGER_NONE, 0);
	add_record(&frames, 2, MANAGER_ENDED, 7, 3100, MANAGER_OK, 1);
	assert_int_equal(report(&a, 12, &frames), 2);
	managed_hang_up(&a);
	managed_stop();
	managed_damage(names, 2);
	managed_start();
	assert_non_null(
		strstr(managed_log, "state: a damaged entry in the table 'runs', counted as "));
	assert_non_null(strstr(managed_log, "'last', counted as missing: a1\\000system"));
	managed_dial(&o, "o1");
	assert_true(managed_alarm(&o, "manager/m1/state", &alarm));
	assert_true(alarm.critical);
	assert_non_null(strstr(alarm.reason, "2 damaged entries (last, runs), counted as missing"));
	managed_dial(&a, "a1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(w.acked, 0);
	assert_int_equal(report(&a, 12, &frames), 2);
	assert_false(managed_alarm(&o, "manager/m1/state", &alarm));
	assert_int_equal(status(&o).severity, MANAGER_STATE_OK);
	buf_fini(&frames);
	managed_hang_up(&a);
	managed_hang_up(&o);
	managed_stop();
}

static int setup(void **state)
{
	began = time(NULL) - 20000;
	return managed_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_unsaved),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, setup, managed_teardown);
}
