/*
 * How the parts of the agent service leave a trace: records in the journal, which managers get, and
 * lines in the log.
 *
 *   filled in -> agent_notes_record, agent_notes_alarm, agent_notes_log ...
 *
 * Loop thread only.
 */
#ifndef FDUMP_CMD_AGENT_NOTES_H
#define FDUMP_CMD_AGENT_NOTES_H

struct agent_journal;
struct err;
struct manager_record;

/* The numbers are those of syslog. */
enum agent_priority { AGENT_LOG_ERROR = 3, AGENT_LOG_WARNING = 4, AGENT_LOG_NOTICE = 5 };

struct agent_notes {
	struct agent_journal *journal;
	void (*log)(void *ctx, int priority, const char *text);
	void *log_ctx;
	/* A record was added, which the managers do not have yet. */
	void (*added)(void *ctx);
	void *added_ctx;
};

/* Writes a line to the log; cut at 1023 bytes. */
void agent_notes_log(struct agent_notes *notes, enum agent_priority priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets the record's time to now and appends it durably. Returns 0, or -1 with err set: then the
 * action that the record announces must not be taken. */
int agent_notes_record(struct agent_notes *notes, struct manager_record *record, struct err *err);
/* The same for something that has already happened; an error is only logged. */
void agent_notes_happened(struct agent_notes *notes, struct manager_record *record);
/* Records an alarm by its id, one of MANAGER_SAYS_* (cmd/manager/report.h). job: NULL if it is
 * about the agent. why: the reason, if a plan is refused; may be NULL. */
void agent_notes_alarm(struct agent_notes *notes, const char *id, const char *job, const char *why);

#endif
