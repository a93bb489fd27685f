/*
 * Troubles: everything that is wrong with the fleet as far as a manager knows, and when it is
 * reported. Each has an id, which is the same on all managers. Pure; the time is an argument.
 *
 *   manager_trouble_list -> for each: manager_trouble_step, and report; manager_trouble_show
 *
 *   kind         of                   is over when
 *   job          an agent's job       its state is no longer partial, under-replicated, failed or
 *                                     late; a run in progress changes nothing before it has ended
 *   small        an agent's job       a dump is not far smaller than the one before it
 *   identity     an agent's job       a run met no store with another key
 *   overdue      an agent             a run has made a dump
 *   refused      an agent             it has accepted a plan
 *   plan         an agent             its plan is the same here and on the manager that it follows
 *   clone        a machine            no second machine used its host id for CLONE_SEC
 *   stranger     a machine            no other machine or store used its name for CLONE_SEC
 *   clock        a machine            its clock differs by at most MANAGER_CLOCK_SEC
 *   certificate  a machine, a person  it was renewed
 *   intermediate a manager            the manager has joined again
 *   state        a manager            all damaged entries of its database were written again
 *   unsaved      a manager            its database can be written again
 *   space        a store              it has space again
 *   damage       a store              a scrub has found none
 *   stopped      a store              its service has said hello again
 *   away         a store              its service has said hello again
 *   unknown      a store              it has joined, has an address, or is not named any more
 *
 * The id is ROLE/NAME/KIND, or ROLE/NAME/KIND/JOB.
 */
#ifndef FDUMP_CMD_MANAGER_TROUBLE_H
#define FDUMP_CMD_MANAGER_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/row.h"

struct buf;
struct err;

#define MANAGER_CLOCK_SEC 300 /* a larger difference is reported */

/* The facts that a manager knows. */
struct manager_facts {
	const struct manager_host_row *hosts; /* .up is set; denied hosts are not included */
	size_t host_count;
	const struct manager_last_row *lasts; /* sorted by agent and job */
	size_t last_count;
	const struct manager_status_row *jobs; /* for the hosts and the configuration */
	size_t job_count;
	const char *manager; /* its own name, */
	int64_t expires,
		signs_until; /* when its certificate and its intermediate's expire; 0: not known */
	int64_t started;     /* when its service was started */
	/* Stores that the configuration names but that have not joined and have no address. */
	const char *const *absent;
	size_t absent_count;
	const char *damaged;  /* names of the tables in its database with damaged entries, */
	size_t damaged_count; /* and how many entries */
	const char *unsaved;  /* why its database can't be written; NULL: it can */
};

/* Something that is wrong now. */
struct manager_trouble {
	struct manager_alarm_row row; /* without .since and .told */
	int64_t wait_sec;             /* it must last this long before it is reported */
};

/* Appends a struct manager_trouble for each trouble. Returns 0, or -1 with err set: ERR_NOMEM. */
int manager_trouble_list(
	const struct manager_facts *facts, int64_t now, struct buf *troubles, struct err *err);

enum manager_trouble_step {
	MANAGER_TROUBLE_SAME,
	MANAGER_TROUBLE_KEEP,  /* store *row */
	MANAGER_TROUBLE_RAISE, /* report it; if that succeeds set row->told to row->state; store the
				  row */
	MANAGER_TROUBLE_OVER,  /* report that it is over; if that succeeds remove the row */
	MANAGER_TROUBLE_DROP,  /* remove the row: it was never reported */
};

/* Decides what to do about a trouble. row: in, as stored (row->alarm is empty if it is not); out,
 * as it is to be stored. found: NULL if it is over. wait_sec: extra time that other managers get to
 * report it first. */
enum manager_trouble_step manager_trouble_step(struct manager_alarm_row *row,
	const struct manager_trouble *found, int64_t wait_sec, int64_t now);

/* What to show of a trouble to someone who asks. kept: as stored, or NULL. Returns false if there
 * is nothing to show yet. */
bool manager_trouble_show(struct manager_alarm_row *row, const struct manager_trouble *found,
	const struct manager_alarm_row *kept, int64_t now);

#endif
