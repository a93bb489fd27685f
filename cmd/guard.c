/*
 * Protects a process from a damaged index. LMDB trusts its pages, and may crash or loop for ever
 * over a damaged one. A crash is reported as damage. An index that may be damaged is read in a
 * child process with a time limit.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/store/care.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/db.h"

#define ASK_SEC 60 /* longest time that reading an old index may take */

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
#define SIGNALS (sizeof signals / sizeof *signals)
static struct sigaction before[SIGNALS];

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

static void on_signal(int number)
{
	const char *index = db_within();
	size_t i;

	if (index != NULL) {
		say("fdump: ");
		say(index);
		say(": the index is damaged (fdump store rebuild makes a new one)\n");
		_exit(UI_DAMAGE);
	}
	for (i = 0; i < SIGNALS; i++) /* not in LMDB: the old handler gets it */
		if (signals[i] == number)
			sigaction(number, &before[i], NULL);
}

void cmd_guard(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
	size_t i;

	for (i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &action, &before[i]);
}

/* Runs in the child process, and ends it. */
static void answer(const char *path, int to)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct buf old;
	ssize_t n = 1;

	alarm(ASK_SEC);
	buf_init(&old, SIZE_MAX);
	if (null < 0 || dup2(null, STDERR_FILENO) < 0 || engine_old(path, &old) != 0)
		_exit(UI_FAILED);
	for (; old.len > 0 && n > 0; buf_drop(&old, n > 0 ? (size_t)n : 0))
		n = write(to, old.data, old.len);
	_exit(UI_OK);
}

void cmd_ask_old(void *ctx, const char *path, struct buf *old)
{
	int ends[2];
	uint8_t *to;
	ssize_t n = 1;
	pid_t child;

	(void)ctx;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return;
	child = fork();
	if (child == 0)
		answer(path, ends[1]);
	close(ends[1]);
	while (n > 0 && (to = buf_room(old, 65536, NULL)) != NULL)
		if ((n = read(ends[0], to, 65536)) > 0)
			buf_took(old, (size_t)n);
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
}
