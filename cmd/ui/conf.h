/*
 * A service's own configuration file, in the managers' syntax (cmd/manager/syntax.h): agent.conf,
 * store.conf, a manager's local.conf.
 */
#ifndef FDUMP_CMD_UI_CONF_H
#define FDUMP_CMD_UI_CONF_H

#include <stddef.h>

#include "cmd/manager/syntax.h"

struct err;

/* Reads a file; what is wrong in it goes to the log, with its line. Returns 0; 1: there is no such
 * file, and syntax is empty; -1 with err set: ERR_CONFIG, ERR_IO, ERR_NOMEM. Free syntax with
 * manager_syntax_free in any case. */
int ui_conf_read(struct manager_syntax *syntax, const char *path,
	const struct manager_syntax_rule *rules, struct err *err);

/* Writes a problem of a configuration to the log; ctx is not used. */
void ui_conf_problem(void *ctx, const char *file, unsigned line, const char *what);

/* Copies the values of those keys that have a place in a struct, char[], there. Returns 0, or -1
 * with err set: ERR_CONFIG, one is too long. */
int ui_conf_texts(void *to, const struct manager_section *section, struct err *err);

#endif
