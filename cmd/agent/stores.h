/*
 * The file of stores: where the stores of the plan are reached, lines NAME ADDRESS [UID KEY]. Runs,
 * which are processes of their own, find stores by it.
 */
#ifndef FDUMP_CMD_AGENT_STORES_H
#define FDUMP_CMD_AGENT_STORES_H

struct err;
struct manager_plan;

/* Writes the stores of the plan to the file at path. What the plan does not say of one (the manager
 * took the place of a lost one, and the store has not called yet) stays as it is in the file; a
 * store of which no address is known is left out. Returns 0, or -1 with err set. */
int agent_stores_keep(const char *path, const struct manager_plan *plan, struct err *err);

#endif
