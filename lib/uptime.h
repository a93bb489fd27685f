/*
 * Time that nobody sets: since the machine was started. All waits are by it, so that a clock that
 * is set does not end or prolong one. Thread-safe.
 */
#ifndef FDUMP_LIB_UPTIME_H
#define FDUMP_LIB_UPTIME_H

#include <stdint.h>
#include <time.h>

/* Seconds since the machine was started, suspended ones too. *boot: which start it was, a random
 * number; 0 if that can't be known. */
int64_t uptime_get(uint64_t *boot);

/* Milliseconds, for deadlines: CLOCK_MONOTONIC, in which time suspended does not count. */
int64_t uptime_ms(void);
/* Such a time as what the system's waits take; never before the start. */
struct timespec uptime_timespec(int64_t ms);

#endif
