/*
 * The agent's journal: an append-only, synced file of what was done, from which
 * the state of each job is rebuilt at start, and which every manager gets, from
 * the number that it has acknowledged on.
 *
 *   agent_journal_open -> [_state ...] -> _append ... / _read, _acknowledge ... -> _close
 *
 * A journal has a random id, and its records rising numbers from 1. An agent
 * that lost its journal begins another one, so managers notice. Blocks; one
 * thread; one process: the file is locked while it is open.
 *
 * The file is a row of frames (cmd/manager/report.h). The first is the head:
 *
 *   head  = { states: [* state], journal: bytes .size 16 }
 *   state = { job: name, run: bytes .size 16, held: bool, once: bool, seen: int, slot: int,
 *             ended: int, since: int, losses: uint, result: uint, failures: uint,
 *             running: bool, started: int, succeeded: int }
 *
 * and all others are records. A state's result is its place in enum manager_result. The states are
 * those before the first record; they are empty until old records are dropped for the first time.
 *
 * Up to which record each manager has everything stands beside it, in PATH.acked: one frame,
 * replaced as a whole, with
 *
 *   { journal: bytes .size 16, managers: [* { name: name, number: uint }] }
 *
 * Lost, it only means that records are sent again.
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

/* What was found at the opening; worth a line in the log if not zero. */
struct agent_journal_found {
	bool created;     /* there was none */
	uint64_t cut;     /* bytes of a last record that a crash cut short; removed */
	uint64_t damaged; /* bytes within the file that are damaged: records are missing */
};

/* Opens the journal at path, or begins one. max: bytes that the file may have, 0 for
 * AGENT_JOURNAL_MAX. Returns 0; -1 with err set: ERR_BUSY if another process has
 * it open, ERR_UNSUPPORTED if it is of a later version, ERR_DAMAGE if its head is
 * damaged: then move it away, and managers will see a new journal. */
int agent_journal_open(const char *path, uint64_t max, struct agent_journal **journal,
	struct agent_journal_found *found, struct err *err);
void agent_journal_close(struct agent_journal *journal);

const uint8_t *agent_journal_id(const struct agent_journal *journal);
/* The number of the last record; 0 if there is none. */
uint64_t agent_journal_last(const struct agent_journal *journal);

/* The state of a job; zeros, but for the name, if there is no record of it. Borrowed; good
 * until the next call of _state for a job that is new. NULL: no memory. */
struct agent_job_state *agent_journal_state(struct agent_journal *journal, const char *job);
/* All states, in no order: *count of them. Those with .running at the start are of runs that were
 * lost. */
struct agent_job_state *agent_journal_states(struct agent_journal *journal, size_t *count);

/* Gives the record its number, makes it durable, applies it to its job's state.
 * Returns 0; -1 with err set: what the record announces must not be done. A failed
 * write (a full disk) leaves the journal as it was, and can be tried again. A
 * failed sync says nothing about what is on the disk: every further call fails
 * until the journal is opened again, and then the record may be there. (A
 * `starting` found so is a run that was lost.) *lost (may be NULL): records that
 * some manager had not acknowledged, and that had to be dropped. */
int agent_journal_append(struct agent_journal *journal, struct manager_record *record,
	uint64_t *lost, struct err *err);

/* Copies whole frames of records to mem, from the first with at least this number, as
 * many as fit into cap (at least MANAGER_RECORD_MAX + MANAGER_FRAME_HEAD). *last: the
 * number of the last one. Returns 0; 1: there is none; -1 with err set. */
int agent_journal_read(struct agent_journal *journal, uint64_t number, void *mem, size_t cap,
	size_t *len, uint64_t *last, struct err *err);

/* The number up to which a manager has all; 0: unknown, or nothing. */
uint64_t agent_journal_acknowledged(const struct agent_journal *journal, const char *manager);
/* Keeps such a number, if it is larger than the last. Returns 0, or -1 with err set: ERR_USAGE
 * for a number that no record has, ERR_LIMIT over AGENT_MANAGERS_MAX. */
int agent_journal_acknowledge(
	struct agent_journal *journal, const char *manager, uint64_t number, struct err *err);
/* The name of the i-th manager of which there is a number; NULL: there are no more. Borrowed. */
const char *agent_journal_manager(const struct agent_journal *journal, size_t i);
/* The manager has left the fleet: its number no longer holds records back. Returns 0, or -1 with
 * err set. */
int agent_journal_forget(struct agent_journal *journal, const char *manager, struct err *err);
/* The manager says that it has no record after this number: if it acknowledged more, it lost its
 * state since, or is a new one in its place, and gets the others again. Returns 0, or -1 with err
 * set. */
int agent_journal_lacks(
	struct agent_journal *journal, const char *manager, uint64_t number, struct err *err);

#endif
