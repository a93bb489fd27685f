/*
 * Hooks: programs on this machine that are run by name before and after a backup.
 *
 * A name refers to a file in one folder. So the person who orders a backup can choose among the
 * hooks that the administrator put there, and can run nothing else. Folder and file must belong to
 * root or to the user that the agent runs as, and nobody else may write to them. A hook is run
 * without a shell and without arguments; its standard input is empty, and its output goes to
 * standard error.
 */
#ifndef FDUMP_CMD_AGENT_HOOK_H
#define FDUMP_CMD_AGENT_HOOK_H

#include <stdbool.h>

struct err;

#define AGENT_HOOK_SEC  3600 /* a hook that runs longer gets SIGTERM, then SIGKILL */
#define AGENT_HOOK_KILL 10   /* seconds between them */

/* Runs a hook and waits for it. environment: "NAME=VALUE" strings, ended by NULL, in addition to
 * the agent's own. bare: run it without any capability, even as root; for hooks that a plan chose,
 * which are not to have the rights that let the agent read every file. Returns 0; 1 with err set if
 * its exit status was not 0, or it was killed; -1 with err set if it could not be run: ERR_USAGE
 * (not a valid name), ERR_CONFIG (not an executable file, or others may write to it), ERR_IO (not
 * there, among others). */
int agent_hook_run(
	const char *folder, const char *name, char *const *environment, bool bare, struct err *err);

#endif
