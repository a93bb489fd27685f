/*
 * Linux capabilities, which are a thread's and go on to what it executes.
 */
#ifndef FDUMP_LIB_CAPS_H
#define FDUMP_LIB_CAPS_H

/* Gives up all capabilities of the calling thread for good: what it executes has none either, also
 * as root, and where they can't be kept from root in another way by setting no_new_privs. For a
 * process that has just forked: async-signal-safe. Returns 0, or -1 with errno set. */
int caps_drop(void);

#endif
