/*
 * Hooks: programs on this machine, run by name before and after a backup.
 *
 * A name stands for a file in one folder, so that whoever orders a backup can
 * choose among what the administrator put there, and run nothing else. The folder and
 * the file belong to root or to whom the agent runs as, and nobody else may
 * write to them. No shell, no arguments; standard input is empty, what is printed
 * goes to standard error.
 */
#ifndef FDUMP_CMD_AGENT_HOOK_H
#define FDUMP_CMD_AGENT_HOOK_H

#include <stdbool.h>

struct err;

#define AGENT_HOOK_SEC  3600 /* a hook that runs longer is ended: SIGTERM, then SIGKILL */
#define AGENT_HOOK_KILL 10   /* seconds between them */

/* Runs it, and waits. environment: "NAME=VALUE", ended by NULL, beside the agent's own. bare:
 * without any capability, also as root: a plan chose it, and what lets the agent read every file is
 * not for it. Returns 0; 1 with err set: it did not end with 0; -1 with err set: it could not be
 * run: ERR_USAGE (no name), ERR_NOTFOUND, ERR_CONFIG (others may write to it). */
int agent_hook_run(
	const char *folder, const char *name, char *const *environment, bool bare, struct err *err);

#endif
