#include "cmd/agent/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/agent/journal.h"
#include "lib/err.h"
#include "lib/esc.h"

void agent_notes_log(struct agent_notes *n, enum agent_priority priority, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	n->log(n->log_ctx, priority, text);
}

int agent_notes_record(struct agent_notes *n, struct manager_record *record, struct err *err)
{
	uint64_t lost = 0;

	record->time = time(NULL);
	if (agent_journal_append(n->journal, record, &lost, err) != 0)
		return err_prefix(err, "journal");
	if (lost > 0)
		agent_notes_log(n, AGENT_LOG_WARNING,
			"journal: %llu records were dropped unreported", (unsigned long long)lost);
	n->added(n->added_ctx);
	return 0;
}

void agent_notes_happened(struct agent_notes *n, struct manager_record *record)
{
	struct err err = {0};

	if (agent_notes_record(n, record, &err) != 0)
		agent_notes_log(n, AGENT_LOG_ERROR, "%s", err.message);
}

void agent_notes_alarm(struct agent_notes *n, const char *id, const char *job, const char *why)
{
	struct manager_record record = {.kind = MANAGER_ALARM};
	char text[ERR_MESSAGE_MAX + 32];

	snprintf(text, sizeof text, "%s%s%s", id, why != NULL ? ": " : "", why != NULL ? why : "");
	esc_line(record.text, sizeof record.text, text, strlen(text));
	if (job != NULL)
		snprintf(record.job, sizeof record.job, "%s", job);
	agent_notes_happened(n, &record);
}
