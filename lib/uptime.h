/*
 * Time since the machine started, which nobody can set. All waits use it, so
 * that setting the clock neither ends nor prolongs one. Thread-safe.
 */
#ifndef FDUMP_LIB_UPTIME_H
#define FDUMP_LIB_UPTIME_H

#include <stdint.h>
#include <time.h>

/* Seconds since the machine started, including time suspended. *boot: a random
 * number that identifies this start; 0 if it is unknown. */
int64_t uptime_get(uint64_t *boot);

/* Milliseconds, for deadlines: CLOCK_MONOTONIC, which does not count time
 * suspended. */
int64_t uptime_ms(void);
/* Converts such a time for the system's waits; a negative time becomes 0. */
struct timespec uptime_timespec(int64_t ms);

#endif
