/*
 * The log of a service, on standard error, one line for each event. Under systemd each line begins
 * with its priority, as in sd-daemon(3), and the journal adds the time; otherwise it begins with
 * the time in UTC. Names in a message must have been escaped (lib/esc.h). Any thread may call it.
 */
#ifndef FDUMP_CMD_UI_LOG_H
#define FDUMP_CMD_UI_LOG_H

#include <stdbool.h>

#include "rpc/dispatch.h"

enum ui_priority { UI_LOG_ERROR = 3, UI_LOG_WARNING = 4, UI_LOG_NOTICE = 5, UI_LOG_INFO = 6 };

/* Call it once, before the first line. requests: whether ui_log_access also logs requests that
 * succeeded. */
void ui_log_start(bool requests);

void ui_log(enum ui_priority priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Logs a request that was served: as a warning if it was refused or failed. */
void ui_log_access(const struct rpc_access *access);

#endif
