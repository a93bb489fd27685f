/*
 * Dropping Linux capabilities, which belong to a thread and are inherited by
 * what it executes.
 */
#ifndef FDUMP_LIB_CAPS_H
#define FDUMP_LIB_CAPS_H

/* Makes sure that the program this thread executes next has no capabilities,
 * even if it runs as root. Sets no_new_privs where root would regain them
 * otherwise. For a process that has just forked: async-signal-safe. Returns 0,
 * or -1 with errno set. */
int caps_drop(void);

#endif
