/*
 * The agent's journal: an append-only, synced file of everything that the agent did. The state of
 * each job is rebuilt from it at start. Every manager gets the records after the last one that it
 * acknowledged.
 *
 *   agent_journal_open -> [_state ...] -> _append ... / _read, _acknowledge ... -> _close
 *
 * A journal has a random id, and its records have increasing numbers from 1. If an agent loses its
 * journal it begins another one, with another id, so managers notice. Calls block. Only one thread
 * may use a journal, and only one process: the file is locked while it is open.
 *
 * The file is a sequence of frames (cmd/manager/report.h). The first frame is the head:
 *
 *   head  = { states: [* state], journal: bytes .size 16 }
 *   state = { job: name, run: bytes .size 16, held: bool, once: bool, seen: int, slot: int,
 *             ended: int, since: int, losses: uint, result: uint, failures: uint,
 *             running: bool, started: int, succeeded: int }
 *
 * All others are records. A state's result is its index in enum manager_result. The states are
 * those before the first record in the file; there are none until old records are dropped for the
 * first time.
 *
 * The file PATH.acked tells up to which record each manager has everything. It is one frame,
 * replaced as a whole:
 *
 *   { journal: bytes .size 16, managers: [* { name: name, number: uint }] }
 *
 * If it is lost, records are sent again; nothing else happens.
 */
#ifndef FDUMP_CMD_AGENT_JOURNAL_H
#define FDUMP_CMD_AGENT_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/report.h"

struct agent_job_state;
struct agent_journal;
struct err;

#define AGENT_JOURNAL_MAX    (64u << 20) /* bytes of the file */
#define AGENT_JOURNAL_ID_LEN 16
#define AGENT_MANAGERS_MAX   64

/* What agent_journal_open found; log it if it is not zero. */
struct agent_journal_found {
	uint64_t cut;     /* bytes at the end that were removed: a record that a crash cut short */
	uint64_t damaged; /* damaged bytes within the file: records are missing */
};

/* Opens the journal at path, or begins one. max: largest size of the file in bytes, 0 for
 * AGENT_JOURNAL_MAX. Returns 0, or -1 with err set: ERR_BUSY (another process has it open),
 * ERR_UNSUPPORTED (it is from a later version), ERR_DAMAGE (its head is damaged, or its records are
 * out of order: move it away and open again; managers will see a new journal). */
int agent_journal_open(const char *path, uint64_t max, struct agent_journal **journal,
	struct agent_journal_found *found, struct err *err);
void agent_journal_close(struct agent_journal *journal);

/* The journal's id, AGENT_JOURNAL_ID_LEN bytes. Borrowed. */
const uint8_t *agent_journal_id(const struct agent_journal *journal);
/* The number of the last record; 0 if there is none. */
uint64_t agent_journal_last(const struct agent_journal *journal);

/* The state of a job; all zeros except the name if there is no record of it. Borrowed; valid until
 * _state is called for a job that is new. NULL: out of memory. */
struct agent_job_state *agent_journal_state(struct agent_journal *journal, const char *job);
/* All states (*count of them), in no order. Right after opening, those with .running are of runs
 * that were lost. */
struct agent_job_state *agent_journal_states(struct agent_journal *journal, size_t *count);

/* Gives the record its number, makes it durable, and applies it to its job's state. *lost (may be
 * NULL): how many records had to be dropped that some manager had not acknowledged. Returns 0, or
 * -1 with err set: then the action that the record announces must not be taken. After a failed
 * write (a full disk) the journal is unchanged, and the call can be repeated. After a failed sync
 * it is unknown what is on the disk: every further call fails until the journal is opened again,
 * and the record may then be there. (A `starting` record found in this way is a run that was
 * lost.) */
int agent_journal_append(struct agent_journal *journal, struct manager_record *record,
	uint64_t *lost, struct err *err);

/* Copies whole frames of records to mem: from the first record whose number is at least `number`,
 * as many as fit into cap bytes (at least MANAGER_RECORD_MAX + MANAGER_FRAME_HEAD). *last: the
 * number of the last record copied. Returns 0; 1 if there is none; -1 with err set. */
int agent_journal_read(struct agent_journal *journal, uint64_t number, void *mem, size_t cap,
	size_t *len, uint64_t *last, struct err *err);

/* The number up to which a manager has all records; 0 if it has none, or is unknown. */
uint64_t agent_journal_acknowledged(const struct agent_journal *journal, const char *manager);
/* Keeps such a number if it is larger than the previous one. Returns 0, or -1 with err set:
 * ERR_USAGE (no record has this number), ERR_LIMIT (more than AGENT_MANAGERS_MAX managers). */
int agent_journal_acknowledge(
	struct agent_journal *journal, const char *manager, uint64_t number, struct err *err);
/* The name of the i-th manager that acknowledged something; NULL if there are no more. Borrowed. */
const char *agent_journal_manager(const struct agent_journal *journal, size_t i);
/* Forgets the number of a manager that has left the fleet, so that no records are kept for it any
 * longer. Returns 0, or -1 with err set. */
int agent_journal_forget(struct agent_journal *journal, const char *manager, struct err *err);
/* Notes that a manager has no record after this number. If it acknowledged more before, it has lost
 * its state or replaces a lost manager, and gets these records again. If the journal has no record
 * of this number, it was restored from an older copy, or a copy of it is in use elsewhere: later
 * records get higher numbers. Returns 0; 1 if it is so; -1 with err set: ERR_LIMIT (the number is
 * absurd), or as file_write. */
int agent_journal_lacks(
	struct agent_journal *journal, const char *manager, uint64_t number, struct err *err);

#endif
