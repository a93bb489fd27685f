/*
 * Rows: what a manager keeps in its state and shows to operators. They are plain structs, each with
 * a table of its fields (lib/cbormap.h), which is used to write, read and print it.
 *
 *   struct manager_run_row run = {...};
 *   manager_row_put(&buf, manager_run_fields, &run, err);
 *
 * A field that is zero or an empty text is not written, and is read back as zero. Pure. Texts and
 * bytes are in the struct itself, except a CBORMAP_BLOB, which is borrowed.
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

/* Appends the encoded row. Returns 0, or -1 with err set. */
int manager_row_put(
	struct buf *buf, const struct cbormap_field *fields, const void *row, struct err *err);
/* Reads a row from the start of *bytes, and advances *bytes and *len past it. Zeroes the row first.
 * Returns 0; 1 if no byte is left; -1 with err set: ERR_FORMAT, ERR_UNSUPPORTED. */
int manager_row_get(void *row, size_t row_size, const struct cbormap_field *fields,
	const uint8_t **bytes, size_t *len, struct err *err);

/* --- the rows --- */

#define MANAGER_ADDRESS_MAX 300
#define MANAGER_ROLE_MAX    16
#define MANAGER_WORD_MAX    24
#define MANAGER_REASON_MAX  (MANAGER_NOTE_MAX + 160)
#define MANAGER_ALARM_MAX   192 /* bytes of an alarm's id */
#define MANAGER_FAULT_MAX   200

/* A machine of any role that has joined. */
struct manager_host_row {
	char name[NAME_LEN_MAX + 1], role[MANAGER_ROLE_MAX], host[RPC_HOST_LEN + 1];
	int64_t since, seen; /* first and last hello, or enrolment; seconds since 1970 */
	char address[MANAGER_ADDRESS_MAX], version[72];
	uint8_t boot[8], boot_before[8];
	char address_before[MANAGER_ADDRESS_MAX]; /* of the machine that had boot_before */
	int64_t cloned;  /* when boot_before was seen again: two machines use its files */
	int64_t strange; /* when another machine came under its name, */
	char stranger[MANAGER_REASON_MAX]; /* and why it was refused */
	int64_t replace;   /* until this time another machine that comes under its name takes its
			      place */
	int64_t clock_off; /* seconds by which its clock is ahead */
	int64_t expires;   /* when its certificate expires; 0: not known */
	bool up, denied;   /* shown only, not stored */
	/* Only agents. */
	uint8_t journal[MANAGER_RUN_LEN];
	uint64_t acked; /* the last record of that journal that this manager has */
	char follows[NAME_LEN_MAX + 1];
	uint8_t digest[MANAGER_DIGEST_LEN]; /* of the plan that it uses */
	bool differs;                       /* this manager has a different plan for it */
	bool overdue;                       /* it reported that nothing succeeded for long */
	/* "plan.refused: WHY" while it refuses its plan, else "". */
	char refused[MANAGER_REASON_MAX];
	/* Only stores. */
	uint8_t uid[MANAGER_UID_LEN], key[MANAGER_KEY_LEN];
	char reach[MANAGER_ADDRESS_MAX]; /* HOST:PORT for agents to dial */
	uint64_t size, used, free; /* bytes of its disk, of its data, and that it may still use */
	uint64_t damaged;          /* damage that the last scrub found, or that is marked */
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
	uint64_t content_before;   /* of the dump before it */
	uint64_t fewer_than;       /* entries of the last whole dump, if this one has far fewer */
	bool changed;              /* a store of the job had another identity */
	char text[MANAGER_NOTE_MAX + 1];
};

/* A run that has ended. */
struct manager_run_row {
	char agent[NAME_LEN_MAX + 1], job[NAME_LEN_MAX + 1], result[MANAGER_WORD_MAX];
	uint8_t run[MANAGER_RUN_LEN], dump[MANAGER_DUMP_LEN];
	int64_t slot, started, ended;
	uint64_t copies, entries, content, read, stored, problems;
	char text[MANAGER_NOTE_MAX + 1];
	struct cbormap_blob record; /* the agent's record, with its receipts; stored only */
};

/* A job on an agent, and whether it is as it should be. */
struct manager_status_row {
	char agent[NAME_LEN_MAX + 1], job[NAME_LEN_MAX + 1], state[MANAGER_WORD_MAX];
	char reason[MANAGER_REASON_MAX];
	int64_t last, next, due, kept; /* the last slot and the next; when a dump is due at the
					  latest; the last dump */
	uint64_t severity;             /* enum manager_state */
	/* The progress of a run, as reported by its agent. */
	uint64_t bytes, entries, rate; /* done so far; bytes a second */
	uint64_t total;                /* bytes of the last dump, as an estimate */
};

/* Something wrong with a machine, or with a job on it (trouble.h). */
struct manager_alarm_row {
	char alarm[MANAGER_ALARM_MAX]; /* id, the same on all managers: "agent/web1/job/system" */
	char kind[MANAGER_WORD_MAX], role[MANAGER_ROLE_MAX], name[NAME_LEN_MAX + 1],
		job[NAME_LEN_MAX + 1]; /* "": not about a job */
	char state[MANAGER_WORD_MAX];  /* for people: "late", "nearly full" */
	char reason[MANAGER_REASON_MAX];
	bool critical;               /* otherwise a warning */
	int64_t since;               /* when this manager first saw it in this state */
	int64_t kept;                /* if it is about a job's state: the last dump */
	char told[MANAGER_WORD_MAX]; /* the state that was reported last; "": none. Stored only */
};

struct manager_token_row {
	char name[NAME_LEN_MAX + 1], role[MANAGER_ROLE_MAX];
	int64_t until, used; /* seconds since 1970; used 0: not used yet */
	bool replace;
	char host[RPC_HOST_LEN + 1]; /* of a manager or operator: chosen by its sponsor */
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

/* The outcome of an order on one agent. */
struct manager_order_row {
	char agent[NAME_LEN_MAX + 1], error[MANAGER_NOTE_MAX + 1]; /* "": accepted */
	uint8_t run[MANAGER_RUN_LEN]; /* the run that was started; zeros: none */
};

extern const struct cbormap_field manager_host_fields[], manager_last_fields[],
	manager_run_fields[], manager_status_fields[], manager_token_fields[],
	manager_denied_fields[], manager_audit_fields[], manager_order_fields[],
	manager_alarm_fields[];

#endif
