/*
 * Up to which record of the journal each manager has everything: a small file
 * beside it, replaced as a whole.
 *
 *   agent_acked_load -> _get, _least, _set, _forget ...
 *
 * The file is one frame (cmd/manager/report.h) with
 *
 *   { journal: bytes .size 16, managers: [* { name: name, number: uint }] }
 *
 * Lost, it only means that records are sent again.
 */
#ifndef FDUMP_CMD_AGENT_ACKED_H
#define FDUMP_CMD_AGENT_ACKED_H

#include <stddef.h>
#include <stdint.h>

#include "lib/name.h"

struct err;

#define AGENT_JOURNAL_ID_LEN 16
#define AGENT_MANAGERS_MAX   64

struct agent_acked {
	struct agent_acked_one {
		char manager[NAME_LEN_MAX + 1];
		uint64_t number;
	} of[AGENT_MANAGERS_MAX];
	size_t count;
};

/* Reads the file. One that is not there, damaged, or of another journal counts as
 * empty. Returns 0, or -1 with err set: ERR_NOMEM. */
int agent_acked_load(struct agent_acked *acked, const char *path,
	const uint8_t journal[AGENT_JOURNAL_ID_LEN], struct err *err);

/* The number of a manager; 0: none is known. */
uint64_t agent_acked_get(const struct agent_acked *acked, const char *manager);
/* The least and the largest of all; if there are none, `none`. */
uint64_t agent_acked_least(const struct agent_acked *acked, uint64_t none);
uint64_t agent_acked_most(const struct agent_acked *acked, uint64_t none);

/* Keeps a number, and writes the file if it is another one than before. Returns 0, or -1 with err
 * set: ERR_LIMIT over AGENT_MANAGERS_MAX. */
int agent_acked_set(struct agent_acked *acked, const char *path,
	const uint8_t journal[AGENT_JOURNAL_ID_LEN], const char *manager, uint64_t number,
	struct err *err);
/* Drops a manager's number, and writes the file; does nothing if it has none. Returns 0, or -1 with
 * err set. */
int agent_acked_forget(struct agent_acked *acked, const char *path,
	const uint8_t journal[AGENT_JOURNAL_ID_LEN], const char *manager, struct err *err);

#endif
