#include "cmd/ui/hook.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <unistd.h>

#include "lib/err.h"

extern char **environ;

int ui_hook_start(const char *program, const void *input, size_t len, struct err *err)
{
	const char *const argv[] = {program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int fds[2], got;
	pid_t pid;

	assert(len <= UI_HOOK_INPUT_MAX);
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(err, errno, "pipe");
	sigemptyset(&none);
	sigfillset(&usual);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	got = posix_spawn(&pid, program, &actions, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	close(fds[0]);
	/* The pipe has room for all of it. */
	if (got == 0)
		(void)!write(fds[1], input, len);
	close(fds[1]);
	if (got == ENOENT || got == EACCES)
		return err_set(err, ERR_NOTFOUND, "hook %s: not found, or not executable", program);
	return got == 0 ? 0 : err_errno(err, got, "hook %s", program);
}
