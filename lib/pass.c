/* Passphrases from a file or from /dev/tty. */
#include "lib/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/file.h"
#include "lib/seal.h"

/* The first line of a file must be within this many bytes. */
#define FILE_MAX 4096

void pass_wipe(struct pass *pass)
{
	seal_wipe(pass, sizeof *pass);
}

/* Takes the first line of len bytes. */
static int take_line(
	const char *bytes, size_t len, const char *from, struct pass *pass, struct err *err)
{
	const char *newline = memchr(bytes, '\n', len);

	if (newline != NULL)
		len = (size_t)(newline - bytes);
	if (len == 0)
		return err_set(err, ERR_USAGE, "%s: the passphrase is empty", from);
	if (len > PASS_MAX)
		return err_set(err, ERR_LIMIT, "%s: the passphrase is longer than %d bytes", from,
			PASS_MAX);
	memcpy(pass->bytes, bytes, len);
	pass->len = len;
	return 0;
}

static int from_file(const char *file, struct pass *pass, struct err *err)
{
	char bytes[FILE_MAX];
	struct stat st;
	size_t len;
	int ret = -1;

	if (file_read(file, bytes, sizeof bytes, &len, &st, err) != 0)
		goto out;
	/* Group read is allowed: the access list of a systemd credential shows up as
	 * that. */
	if (file_check_secret(file, &st, 027, err) == 0 &&
		(ret = take_line(bytes, len, file, pass, err)) != 0 && err != NULL)
		err->code = ERR_CONFIG;
out:
	seal_wipe(bytes, sizeof bytes);
	return ret;
}

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define CAUGHT (sizeof caught / sizeof *caught)
static volatile sig_atomic_t came;

static void remember(int sig)
{
	came = sig;
}

/* Reads a line with echo off. The handlers only record a signal, which ends the
 * wait; it is raised again when the terminal has been restored. */
static int read_line(int tty, const char *prompt, const char *what, char *line, size_t cap,
	size_t *len, struct err *err)
{
	struct sigaction act = {.sa_handler = remember}, before[CAUGHT];
	struct pollfd wait = {.fd = tty, .events = POLLIN};
	struct termios as_was, quiet;
	sigset_t block, unblocked;
	int errnum = 0;
	ssize_t n = -1;
	size_t i;

	if (tcgetattr(tty, &as_was) != 0)
		return err_errno(err, errno, "/dev/tty");
	quiet = as_was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ECHONL | ICANON | ISIG;
	came = 0;
	sigemptyset(&act.sa_mask);
	sigemptyset(&block);
	for (i = 0; i < CAUGHT; i++)
		sigaddset(&block, caught[i]);
	pthread_sigmask(SIG_BLOCK, &block, &unblocked);
	for (i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &act, &before[i]);
	/* Signals are unblocked only in ppoll. Otherwise one that came just before the
	 * read would not interrupt it. */
	if (tcsetattr(tty, TCSAFLUSH, &quiet) == 0 && dprintf(tty, "%s %s: ", prompt, what) > 0 &&
		ppoll(&wait, 1, NULL, &unblocked) >= 0)
		n = read(tty, line, cap);
	if (n < 0)
		errnum = errno;
	tcsetattr(tty, TCSAFLUSH, &as_was);
	pthread_sigmask(SIG_SETMASK, &unblocked, NULL);
	for (i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &before[i], NULL);
	if (came != 0) {
		raise(came);
		return err_set(err, ERR_CANCELLED, "interrupted");
	}
	if (n < 0)
		return err_errno(err, errnum, "/dev/tty");
	*len = (size_t)n;
	return 0;
}

static int from_terminal(const char *prompt, const char *what, struct pass *pass, struct err *err)
{
	char line[PASS_MAX + 2];
	size_t len = 0;
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), ret = -1;

	if (tty < 0)
		return err_set(err, ERR_USAGE,
			"%s: needs a passphrase, but there is no terminal to ask for it: "
			"use --passphrase-file",
			what);
	if (read_line(tty, prompt, what, line, sizeof line, &len, err) == 0)
		ret = take_line(line, len, what, pass, err);
	seal_wipe(line, sizeof line);
	close(tty);
	return ret;
}

int pass_ask(const char *file, const char *what, struct pass *pass, struct err *err)
{
	if (file != NULL)
		return from_file(file, pass, err);
	return from_terminal("Passphrase for", what, pass, err);
}

int pass_ask_secret(const char *what, struct pass *pass, struct err *err)
{
	return from_terminal("Paste the", what, pass, err);
}

int pass_ask_new(const char *file, const char *what, struct pass *pass, struct err *err)
{
	struct pass again = {0};
	int ret = -1;

	if (file != NULL)
		return from_file(file, pass, err);
	if (from_terminal("New passphrase for", what, pass, err) != 0 ||
		from_terminal("Again, the passphrase for", what, &again, err) != 0)
		goto out;
	if (pass->len != again.len || !seal_equal(pass->bytes, again.bytes, pass->len))
		err_set(err, ERR_FAILED, "%s: the two passphrases are not the same", what);
	else
		ret = 0;
out:
	pass_wipe(&again);
	return ret;
}
