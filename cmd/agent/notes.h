/*
 * What the parts of the agent service write down: records in the journal, which managers get, and
 * lines in the log.
 *
 *   filled in -> agent_notes_record, agent_notes_alarm, agent_notes_log ...
 *
 * All from the loop's thread.
 */
#ifndef FDUMP_CMD_AGENT_NOTES_H
#define FDUMP_CMD_AGENT_NOTES_H

struct agent_journal;
struct err;
struct manager_record;

/* As syslog's. */
enum agent_priority { AGENT_LOG_ERROR = 3, AGENT_LOG_WARNING = 4, AGENT_LOG_NOTICE = 5 };

struct agent_notes {
	struct agent_journal *journal;
	void (*log)(void *ctx, int priority, const char *text);
	void *log_ctx;
	/* A record was added: managers lack it. */
	void (*added)(void *ctx);
	void *added_ctx;
};

void agent_notes_log(struct agent_notes *notes, enum agent_priority priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets the record's time to now and appends it, durably. Returns 0, or -1 with err set: what it
 * announces must not be done. */
int agent_notes_record(struct agent_notes *notes, struct manager_record *record, struct err *err);
/* The same for what has happened already: an error is logged. */
void agent_notes_happened(struct agent_notes *notes, struct manager_record *record);
/* An alarm by its id, as managers know it. job may be NULL: it is of the agent. why: of a plan that
 * is refused; may be NULL. */
void agent_notes_alarm(struct agent_notes *notes, const char *id, const char *job, const char *why);

#endif
