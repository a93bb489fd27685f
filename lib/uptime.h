/*
 * Time that nobody sets: since the machine was started. Thread-safe.
 */
#ifndef FDUMP_LIB_UPTIME_H
#define FDUMP_LIB_UPTIME_H

#include <stdint.h>

/* Seconds since the machine was started, suspended ones too. *boot: which start it was, a random
 * number; 0 if that can't be known. */
int64_t uptime_get(uint64_t *boot);

#endif
