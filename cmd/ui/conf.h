/*
 * A service's own configuration file (agent.conf, store.conf, a manager's local.conf), in the
 * syntax of manager.conf (cmd/manager/syntax.h).
 */
#ifndef FDUMP_CMD_UI_CONF_H
#define FDUMP_CMD_UI_CONF_H

#include "cmd/manager/syntax.h"

struct err;

/* Reads a file. problem: called for each mistake in it. Returns 0; 1 if the file does not exist,
 * and syntax is empty; -1 with err set: ERR_CONFIG (the file has problems), ERR_LIMIT (it is over 1
 * MiB), ERR_IO, ERR_NOMEM. In every case free syntax with manager_syntax_free. */
int ui_conf_read(struct manager_syntax *syntax, const char *path,
	const struct manager_syntax_rule *rules, manager_problem *problem, void *ctx,
	struct err *err);

/* For ui_conf_read: logs a problem in a configuration file; line is 0 if it is about the whole
 * file. ctx is not used. */
void ui_conf_problem(void *ctx, const char *file, unsigned line, const char *what);

/* Sets the members of the struct `to` that the rules of a section's keys name (.at, .size). The
 * rule's .type is NULL for a text, which goes to a char array; or one of these, for a bool, an
 * int64_t in seconds, and a struct manager_list. Returns 0, or -1 with err set: ERR_CONFIG (a value
 * is wrong, or too long). */
extern const char ui_conf_bool[], ui_conf_time[], ui_conf_list[];
int ui_conf_take(void *to, const struct manager_section *section, struct err *err);

#endif
