/* How commands report. */
#include "cmd/cmd.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/err.h"

int cmd_fail(const char *command, const struct err *err)
{
	fprintf(stderr, "fdump %s: %s\n", command, err->message);
	return err_exit_status(err->code);
}

int cmd_usage(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "fdump %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'fdump %s --help'.\n", command);
	return CMD_FAILED;
}
