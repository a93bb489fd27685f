/* The program runs in a process group of its own, with a deadline. */
#include "cmd/agent/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/caps.h"
#include "lib/err.h"
#include "lib/name.h"

extern char **environ;

static int check(const char *path, bool folder, struct err *err)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return err_errno(err, errno, "hook %s", path);
	if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return err_set(err, ERR_CONFIG, "hook %s: not a %s", path,
			folder ? "directory" : "regular, executable file");
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0)
		return err_set(err, ERR_CONFIG,
			"hook %s: others may write to it (it must belong to root, chmod go-w)",
			path);
	return 0;
}

/* The agent's environment, with more variables. The caller frees the array, not the strings. */
static char **join(char *const *more)
{
	size_t a = 0, b = 0;
	char **all;

	while (environ != NULL && environ[a] != NULL)
		a++;
	while (more[b] != NULL)
		b++;
	all = calloc(a + b + 1, sizeof *all);
	if (all == NULL)
		return NULL;
	memcpy(all, more, b * sizeof *all); /* they come first, so they win */
	if (a > 0)
		memcpy(all + b, environ, a * sizeof *all);
	return all;
}

/* In the child: only functions that are safe after fork in a process with threads. Errors are
 * reported to the parent. */
static void become(const char *path, char *const *environment, bool bare, int tell)
{
	static const int usual[] = {SIGPIPE, SIGUSR1, SIGXFSZ}; /* we ignore these */
	char *words[] = {(char *)(uintptr_t)path, NULL};
	size_t i;
	int why;

	for (i = 0; i < sizeof usual / sizeof *usual; i++)
		signal(usual[i], SIG_DFL);
	close(0);
	if (open("/dev/null", O_RDONLY) == 0 && dup2(2, 1) == 1 && setpgid(0, 0) == 0 &&
		(!bare || caps_drop() == 0))
		execve(path, words, environment);
	why = errno;
	(void)!write(tell, &why, sizeof why);
	_exit(127);
}

static int start(const char *path, char *const *environment, bool bare, pid_t *pid, struct err *err)
{
	char **all = join(environment);
	int ends[2], why = 0;
	ssize_t n;

	if (all == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (pipe2(ends, O_CLOEXEC) != 0) {
		free(all);
		return err_errno(err, errno, "pipe");
	}
	*pid = fork();
	if (*pid == 0)
		become(path, all, bare, ends[1]);
	if (*pid < 0)
		why = errno;
	free(all);
	close(ends[1]);
	/* The pipe closes without data if execve succeeded. */
	while ((n = read(ends[0], &why, sizeof why)) < 0 && errno == EINTR)
		;
	close(ends[0]);
	if (n > 0)
		waitpid(*pid, NULL, 0);
	return why == 0 ? 0 : err_errno(err, why, "hook %s", path);
}

/* Waits up to this many seconds. Returns whether the process has ended. */
static bool ended(pid_t pid, int fd, int seconds, int *status)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (fd >= 0 && poll(&p, 1, seconds * 1000) < 0 && errno == EINTR)
		;
	return waitpid(pid, status, fd >= 0 ? WNOHANG : 0) == pid;
}

int agent_hook_run(
	const char *folder, const char *name, char *const *environment, bool bare, struct err *err)
{
	char path[4096];
	int status = 0, fd;
	bool late = false;
	pid_t pid = -1;

	if (name_check("hook", name, err) != 0)
		return -1;
	if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
		return err_set(err, ERR_USAGE, "hook %s: the path is too long", name);
	if (check(folder, true, err) != 0 || check(path, false, err) != 0 ||
		start(path, environment, bare, &pid, err) != 0)
		return -1;
	fd = pidfd_open(pid, 0);
	if (!ended(pid, fd, AGENT_HOOK_SEC, &status)) {
		late = true;
		kill(-pid, SIGTERM);
		if (!ended(pid, fd, AGENT_HOOK_KILL, &status)) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
	}
	if (fd >= 0)
		close(fd);
	if (late)
		err_set(err, ERR_FAILED, "hook %s: ended after %d seconds", name, AGENT_HOOK_SEC);
	else if (WIFSIGNALED(status))
		err_set(err, ERR_FAILED, "hook %s: killed by signal %d", name, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		err_set(err, ERR_FAILED, "hook %s: failed with status %d", name,
			WEXITSTATUS(status));
	else
		return 0;
	return 1;
}
