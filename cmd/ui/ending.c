/* The signal handler writes to a pipe, and a thread reads it, because a handler may call hardly any
 * function. */
#include "cmd/ui/ending.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "lib/err.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static int pipe_ends[2] = {-1, -1};
static pthread_t thread;
static void (*to_call)(void *ctx, int status);
static void *to_call_ctx;

static void on_signal(int number)
{
	unsigned char byte = (unsigned char)number;
	int before = errno;

	if (write(pipe_ends[1], &byte, 1) < 0) {
		/* the pipe is full: signals are pending already */
	}
	errno = before;
}

static void *wait_for_signal(void *unused)
{
	unsigned char number = 0;
	ssize_t n;

	(void)unused;
	do
		n = read(pipe_ends[0], &number, 1);
	while (n < 0 && errno == EINTR);
	if (number == 0)
		return NULL;
	to_call(to_call_ctx, 128 + number);
	_exit(128 + number);
}

int ui_ending_start(void (*last)(void *ctx, int status), void *ctx, struct err *err)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
	size_t i;
	int got;

	if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0 || fcntl(pipe_ends[0], F_SETFL, 0) != 0)
		return err_errno(err, errno, "a pipe");
	to_call = last;
	to_call_ctx = ctx;
	got = pthread_create(&thread, NULL, wait_for_signal, NULL);
	if (got != 0)
		return err_errno(err, got, "a thread");
	for (i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL); /* keep nohup(1) in force */
	return 0;
}

void ui_ending_stop(void)
{
	unsigned char none = 0;

	if (write(pipe_ends[1], &none, 1) == 1)
		pthread_join(thread, NULL);
}
