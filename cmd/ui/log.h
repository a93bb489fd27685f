/*
 * The log of a service: one line an event, on standard error. Under systemd each line begins with
 * its priority, as sd-daemon(3) has it, and the journal adds the time; elsewhere it begins with
 * the time in UTC. Names in a message must be escaped (lib/esc.h) before. Any thread.
 */
#ifndef FDUMP_CMD_UI_LOG_H
#define FDUMP_CMD_UI_LOG_H

#include <stdbool.h>

#include "rpc/dispatch.h"

enum ui_priority { UI_LOG_ERROR = 3, UI_LOG_WARNING = 4, UI_LOG_NOTICE = 5, UI_LOG_INFO = 6 };

/* Once, before the first line. requests: whether ui_log_access writes requests that went well. */
void ui_log_start(bool requests);

void ui_log(enum ui_priority priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A line of a request that was served: a warning if it was refused or failed. */
void ui_log_access(const struct rpc_access *access);

#endif
