/*
 * Linux capabilities, which are a thread's and go on to what it executes.
 */
#ifndef FDUMP_LIB_CAPS_H
#define FDUMP_LIB_CAPS_H

/* Sees to it that what this thread executes next has no capability, also as root. Where root can't
 * be kept from them in another way no_new_privs is set. For a process that has just forked:
 * async-signal-safe. Returns 0, or -1 with errno set. */
int caps_drop(void);

#endif
