/* How commands report errors, and how they open their input. */
#include "cmd/ui/report.h"

#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/ui/result.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/fs.h"
#include "pack/block.h"

#define SAY_MAX 8192 /* bytes of a message: two escaped paths and more */

static struct {
	const char *command; /* NULL: none */
	struct err err;      /* the last that was reported */
} report;

void ui_report_start(const char *command)
{
	report.command = command;
}

const char *ui_report_command(void)
{
	return report.command;
}

bool ui_fail_wants_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

void ui_say(const char *command, const char *fmt, ...)
{
	char text[SAY_MAX], line[ESC_MAX(SAY_MAX)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	esc_line(line, sizeof line, text, strlen(text));
	fprintf(stderr, "fdump%s%s: %s\n", command != NULL ? " " : "",
		command != NULL ? command : "", line);
}

static volatile sig_atomic_t pipe_status;

static void on_pipe(int sig)
{
	(void)sig;
	_exit(pipe_status);
}

void ui_pipe_ends(int status)
{
	pipe_status = status;
	signal(SIGPIPE, on_pipe);
}

void ui_fail_note(const struct err *err)
{
	report.err = *err;
}

int ui_fail(const struct err *err)
{
	ui_fail_note(err);
	ui_say(report.command, "%s", err->message);
	return err_exit_status(err->code);
}

void ui_fail_end(int status)
{
	const struct err *err = &report.err;
	char id[32];

	if (ui_result_stream() == NULL || err->code == ERR_NONE || status < UI_FAILED)
		return;
	snprintf(id, sizeof id, "error.%s", err_name(err->code));
	ui_result("error", id,
		(struct ui_field[]){UI_STRING("what", err->message), UI_INT("exit", status), {0}},
		NULL, NULL);
	fflush(ui_result_stream());
}

int ui_usage(const char *fmt, ...)
{
	struct err err = {.code = ERR_USAGE};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.message, sizeof err.message, fmt, ap);
	va_end(ap);
	ui_fail(&err);
	fprintf(stderr, "Try 'fdump %s --help'.\n", report.command);
	return UI_FAILED;
}

void ui_input_hint(const char *word)
{
	uint8_t head[PACK_BLOCK_HEADER];
	struct stat st;
	int fd;

	if (word == NULL || stat(word, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	fd = open(word, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fs_read_full(fd, head, sizeof head, NULL) == (ssize_t)sizeof head &&
		pack_block_begins(head))
		ui_say(report.command, "standard input was read; '-f %s' reads that file", word);
	close(fd);
}

int ui_open_pack(const char *file, struct err *err)
{
	int fd = strcmp(file, "-") == 0 ? 0 : open(file, O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "open");
	if (!isatty(fd))
		return fd;
	if (fd > 0)
		close(fd);
	return err_set(err, ERR_USAGE, "will not read a pack from a terminal: name a file with -f");
}
