#include "cmd/ui/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	bool journal, requests;
} mode;

void ui_log_start(bool requests)
{
	mode.journal = getenv("JOURNAL_STREAM") != NULL;
	mode.requests = requests;
}

void ui_log(enum ui_priority priority, const char *fmt, ...)
{
	char line[2048], when[32];
	size_t at, len;
	time_t now = time(NULL);
	struct tm tm;
	va_list args;

	if (mode.journal) {
		at = (size_t)snprintf(line, sizeof line, "<%d>", (int)priority);
	} else {
		gmtime_r(&now, &tm);
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
		at = (size_t)snprintf(line, sizeof line, "%s %s", when,
			priority <= UI_LOG_ERROR     ? "error: "
			: priority == UI_LOG_WARNING ? "warning: "
						     : "");
	}
	va_start(args, fmt);
	vsnprintf(line + at, sizeof line - at - 1, fmt, args);
	va_end(args);
	len = strlen(line);
	line[len++] = '\n';
	/* One write: lines of two threads don't mix. */
	(void)!write(STDERR_FILENO, line, len);
}

void ui_log_access(const struct rpc_access *access)
{
	char line[RPC_ACCESS_MAX];

	if (access->status == ERR_NONE && !mode.requests)
		return;
	rpc_access_line(line, access);
	ui_log(access->status == ERR_NONE ? UI_LOG_INFO : UI_LOG_WARNING, "%s", line);
}
