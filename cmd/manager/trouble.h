/*
 * Trouble: what is wrong with the fleet by what a manager knows, each with an id that is the same
 * on all managers; and when it is reported. Pure; the time is an argument.
 *
 *   manager_trouble_list -> for each: manager_trouble_step, and tell; manager_trouble_show
 *
 *   kind         of                   it is over when
 *   job          an agent's job       its state is partial, under-replicated, failed or late no
 * more small        an agent's job       the next dump is not far smaller than the one before it
 *   identity     an agent's job       a run met no store with another key
 *   overdue      an agent             a run has made a dump
 *   refused      an agent             it has taken a plan
 *   plan         an agent             its plan is the same here and on the manager that it follows
 *   clone        a machine            for CLONE_SEC no second machine was seen under its host id
 *   stranger     a machine            the same, for another machine or store under its name
 *   clock        a machine            its clock differs by less than MANAGER_CLOCK_SEC
 *   certificate  a machine, a person  it was renewed
 *   intermediate a manager            the manager has joined again
 *   state        a manager            what is damaged in its database was written again
 *   space        a store              it has space again
 *   damage       a store              a scrub has found none
 *   stopped      a store              its service has said hello again
 *   away         a store              likewise
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

#define MANAGER_CLOCK_SEC 300 /* a clock that differs by more is reported */

/* What a manager knows. */
struct manager_facts {
	const struct manager_host_row *hosts; /* .up is set; none is denied */
	size_t host_count;
	const struct manager_last_row *lasts; /* sorted by agent and job */
	size_t last_count;
	const struct manager_status_row *jobs; /* of hosts and the configuration */
	size_t job_count;
	const char *manager; /* its own name, */
	int64_t expires,
		signs_until; /* its certificate, and that of its intermediate; 0: not known */
	int64_t started;     /* when its service was */
	/* Stores that the configuration names, which have not joined and have no address. */
	const char *const *absent;
	size_t absent_count;
	const char *damaged;  /* tables of its database with damaged entries, */
	size_t damaged_count; /* and how many entries */
};

/* Something that is wrong now. */
struct manager_trouble {
	struct manager_alarm_row row; /* without since and told */
	int64_t wait_sec;             /* nobody is told before it has lasted so long */
	bool unsure; /* a run is under way: what was the case before still counts, nothing new does
		      */
};

/* Appends a struct manager_trouble for each. Returns 0, or -1 with err set. */
int manager_trouble_list(
	const struct manager_facts *facts, int64_t now, struct buf *troubles, struct err *err);

enum manager_trouble_step {
	MANAGER_TROUBLE_SAME,
	MANAGER_TROUBLE_KEEP,  /* put *row */
	MANAGER_TROUBLE_RAISE, /* tell it; when that is done set row->told to row->state, and put */
	MANAGER_TROUBLE_OVER,  /* tell that it is over; when that is done remove the row */
	MANAGER_TROUBLE_DROP,  /* remove the row: nobody was told */
};

/* What is to be done about a trouble. row: as it is kept (row->alarm empty: it is not), then as it
 * is to be kept. found: NULL if it is over. wait_sec: that others are given to tell it first. */
enum manager_trouble_step manager_trouble_step(struct manager_alarm_row *row,
	const struct manager_trouble *found, int64_t wait_sec, int64_t now);

/* What is shown of it to who asks. kept: NULL if it is not. Returns false: nothing yet. */
bool manager_trouble_show(struct manager_alarm_row *row, const struct manager_trouble *found,
	const struct manager_alarm_row *kept, int64_t now);

#endif
