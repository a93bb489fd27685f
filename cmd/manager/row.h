/*
 * Rows: what a manager keeps in its state and tells operators: structs of plain data, each with a
 * table of its fields (lib/cbormap.h), by which it is written, read, and printed.
 *
 *   struct manager_run_row run = {...};
 *   manager_row_put(&buf, manager_run_fields, &run, err);
 *
 * A field that is zero, or an empty text, is left out, and so reads as zero again. Pure; texts and
 * bytes are within the struct, except for a CBORMAP_BLOB, which is borrowed.
 */
#ifndef FDUMP_CMD_MANAGER_ROW_H
#define FDUMP_CMD_MANAGER_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/report.h"
#include "lib/cbormap.h"
#include "lib/name.h"
#include "rpc/identity.h"

struct buf;
struct err;

#define MANAGER_ROW_MAX 12000 /* bytes of an encoded row */

/* Appends the row. Returns 0, or -1 with err set. */
int manager_row_put(
	struct buf *buf, const struct cbormap_field *fields, const void *row, struct err *err);
/* Reads one row from the front of *bytes, and moves it and *len behind it. row is zeroed first.
 * Returns 0; 1: no byte is left; -1 with err set: ERR_FORMAT, ERR_UNSUPPORTED. */
int manager_row_get(void *row, size_t row_size, const struct cbormap_field *fields,
	const uint8_t **bytes, size_t *len, struct err *err);

/* --- the rows --- */

#define MANAGER_ADDRESS_MAX 300
#define MANAGER_ROLE_MAX    16
#define MANAGER_WORD_MAX    24
#define MANAGER_REASON_MAX  (MANAGER_NOTE_MAX + 160)
#define MANAGER_ALARM_MAX   192 /* of an alarm's id */
#define MANAGER_FAULT_MAX   200

/* A machine that has joined, of any role. */
struct manager_host_row {
	char name[NAME_LEN_MAX + 1], role[MANAGER_ROLE_MAX], host[RPC_HOST_LEN + 1];
	int64_t since, seen; /* first and last hello, or enrolment; seconds since 1970 */
	char address[MANAGER_ADDRESS_MAX], version[72];
	uint8_t boot[8], boot_before[8];
	char address_before[MANAGER_ADDRESS_MAX]; /* of the machine that had boot_before */
	int64_t cloned;  /* when boot_before was seen again: two machines have its files */
	int64_t strange; /* when another one came under its name, */
	char stranger[MANAGER_REASON_MAX]; /* and why it was refused */
	int64_t replace;   /* until then a new machine that comes under its name takes its place */
	int64_t clock_off; /* seconds that its clock is ahead */
	int64_t expires;   /* its certificate; 0: not known */
	bool up, denied;   /* only told, not kept */
	/* Of an agent. */
	uint8_t journal[MANAGER_RUN_LEN];
	uint64_t acked; /* the last record of that journal that is kept here */
	char follows[NAME_LEN_MAX + 1];
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of the plan that it follows */
	bool differs;                       /* that plan is another one here */
	bool overdue;                       /* it says that nothing succeeded for long */
	/* "plan.refused: WHY": it does not take a plan; "" */
	char refused[MANAGER_REASON_MAX];
	/* Of a store. */
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
	char reach[MANAGER_ADDRESS_MAX]; /* HOST:PORT that agents dial */
	uint64_t size, used, free; /* bytes: of its disk, of its data, and that it may still take */
	uint64_t damaged;          /* what the last scrub found, or is marked */
	char fault[MANAGER_FAULT_MAX + 1]; /* why its service has ended; "": it has not */
};

/* A job on an agent: its last run, and its last dump. */
struct manager_last_row {
	char agent[NAME_LEN_MAX + 1], job[NAME_LEN_MAX + 1];
	bool running, held;
	uint8_t run[MANAGER_RUN_LEN];
	int64_t started, ended;
	uint64_t result; /* enum manager_result */
	int64_t kept_slot, kept_started, kept_ended;
	uint64_t copies;
	uint64_t entries, content; /* of the last dump */
	uint64_t content_before;   /* of the one before */
	uint64_t fewer_than;       /* entries of the last whole dump, if this one has far fewer */
	bool changed;              /* another store answered by the name of one of the job's */
	char text[MANAGER_NOTE_MAX + 1];
};

/* A run that has ended. */
struct manager_run_row {
	char agent[NAME_LEN_MAX + 1], job[NAME_LEN_MAX + 1], result[MANAGER_WORD_MAX];
	uint8_t run[MANAGER_RUN_LEN], dump[MANAGER_DUMP_LEN];
	int64_t slot, started, ended;
	uint64_t copies, entries, content, read, stored, problems;
	char text[MANAGER_NOTE_MAX + 1];
	struct cbormap_blob record; /* as the agent reported it, with its receipts; only kept */
};

/* A job on an agent, compared with what should be. */
struct manager_status_row {
	char agent[NAME_LEN_MAX + 1], job[NAME_LEN_MAX + 1], state[MANAGER_WORD_MAX];
	char reason[MANAGER_REASON_MAX];
	int64_t last, next, due,
		kept;      /* slots around now; when a dump must be there; the last dump */
	uint64_t severity; /* enum manager_state */
	/* Of a run under way, as far as its agent has told. */
	uint64_t bytes, entries, rate; /* been through; bytes a second */
	uint64_t total;                /* bytes of the last dump: there will be about as many */
};

/* What is wrong with a machine, or a job on it (trouble.h). */
struct manager_alarm_row {
	char alarm[MANAGER_ALARM_MAX]; /* "agent/web1/job/system": the same on all managers */
	char kind[MANAGER_WORD_MAX], role[MANAGER_ROLE_MAX], name[NAME_LEN_MAX + 1],
		job[NAME_LEN_MAX + 1]; /* "": not of a job */
	char state[MANAGER_WORD_MAX];  /* for people: "late", "nearly full" */
	char reason[MANAGER_REASON_MAX];
	bool critical;               /* else a warning */
	int64_t since;               /* when this manager first saw it in this state */
	int64_t kept;                /* of a job's state: its last dump */
	char told[MANAGER_WORD_MAX]; /* the state that was told last; "": none. Only kept */
};

struct manager_token_row {
	char name[NAME_LEN_MAX + 1], role[MANAGER_ROLE_MAX];
	int64_t until, used; /* seconds since 1970; used 0: not yet */
	bool replace;
	char host[RPC_HOST_LEN + 1]; /* of a manager or operator: as its sponsor chose it */
};

struct manager_denied_row {
	char host[RPC_HOST_LEN + 1], name[NAME_LEN_MAX + 1], role[MANAGER_ROLE_MAX];
	int64_t time;
	char by[NAME_LEN_MAX + 1];
};

struct manager_audit_row {
	int64_t time;
	char who[NAME_LEN_MAX + 20], what[200];
};

/* What became of an order on one agent. */
struct manager_order_row {
	char agent[NAME_LEN_MAX + 1], error[MANAGER_NOTE_MAX + 1]; /* "": it was taken */
	uint8_t run[MANAGER_RUN_LEN];                              /* that it began; zeros: none */
};

extern const struct cbormap_field manager_host_fields[], manager_last_fields[],
	manager_run_fields[], manager_status_fields[], manager_token_fields[],
	manager_denied_fields[], manager_audit_fields[], manager_order_fields[],
	manager_alarm_fields[];

#endif
