/* A program and a pipe. */
#include "pack/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "pack/feed.h"

#define COMMAND_WORDS 64

extern char **environ;

/* Starts a program with its standard output in a pipe. Returns the reading
 * end, or -1 with err set. */
static int spawn(char **words, pid_t *pid, struct err *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t ignored; /* by us, not by the program */
	int ends[2], got;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(err, errno, "pipe");
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	sigaddset(&ignored, SIGUSR1);
	sigaddset(&ignored, SIGXFSZ);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &ignored);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	got = posix_spawnp(pid, words[0], &actions, &attr, words, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (got == 0)
		return ends[0];
	close(ends[0]);
	return err_errno(err, got, "command %s", words[0]);
}

int pack_command_begin(const char *text, struct pack_part *part, struct pack_stream *s, pid_t *pid,
	struct buf *path, struct err *err)
{
	char *copy = strdup(text), *at = copy, *name, *word;
	char *words[COMMAND_WORDS + 1] = {0};
	struct timespec now;
	size_t n = 0;
	int fd, got = -1;

	if (copy == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	name = strsep(&at, "=");
	while (at != NULL && n < COMMAND_WORDS && (word = strsep(&at, " \t")) != NULL)
		if (*word != 0)
			words[n++] = word;
	if (n == 0 || pack_path_wrong((const uint8_t *)name, strlen(name)) != NULL ||
		strcmp(name, ".") == 0) {
		err_set(err, ERR_USAGE,
			"--command: expected NAME=PROGRAM, where NAME is a relative path");
		goto out;
	}
	buf_clear(path);
	if (buf_add(path, name, strlen(name), err) != 0 || (fd = spawn(words, pid, err)) < 0)
		goto out;
	clock_gettime(CLOCK_REALTIME, &now);
	got = pack_feed_begin_command(
		part, name, fd, (struct pack_time){now.tv_sec, (uint32_t)now.tv_nsec}, s, err);
out:
	free(copy);
	return got;
}

/* How it ended. */
static int wait_for(pid_t *pid)
{
	int status = 0;

	while (waitpid(*pid, &status, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
	return status;
}

void pack_command_failed(uint32_t exit, char *text, size_t size)
{
	if (exit > 128 && exit < 128 + NSIG) /* also a shell's, of a program that it ran */
		snprintf(text, size, "the command was killed by signal %u (status %u)", exit - 128,
			exit);
	else
		snprintf(text, size, "the command failed with status %u", exit);
}

void pack_command_end(pid_t *pid, struct pack_stream *s)
{
	int status;

	if (*pid == 0)
		return;
	status = wait_for(pid);
	s->tail.exit = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status)
					 : 128u + (uint32_t)WTERMSIG(status);
	if (s->tail.exit == 0)
		return;
	s->tail.status = PACK_COMMAND_FAILED;
	pack_command_failed(s->tail.exit, s->problem, sizeof s->problem);
}

void pack_command_stop(pid_t *pid)
{
	if (*pid == 0)
		return;
	kill(*pid, SIGTERM);
	wait_for(pid);
}
