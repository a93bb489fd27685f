#include "cmd/ui/systemd.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ui/report.h"

extern char **environ;

/* Returns the exit status, or -1. */
static int run(const char *const argv[], int quiet)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (quiet)
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) ==
			0 &&
		waitpid(pid, &status, 0) == pid)
		status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	posix_spawn_file_actions_destroy(&actions);
	return status;
}

int ui_systemd_start(const char *unit)
{
	const char *const look[] = {"systemctl", "cat", unit, NULL};
	const char *const start[] = {"systemctl", "enable", "--now", unit, NULL};

	/* As sd_booted(3) has it. */
	if (geteuid() != 0 || access("/run/systemd/system", F_OK) != 0 || run(look, 1) != 0)
		return 1;
	if (run(start, 0) == 0)
		return 0;
	ui_say(NULL, "%s did not start: see 'journalctl -u %s'", unit, unit);
	return 1;
}
