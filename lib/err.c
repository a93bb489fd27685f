/* Errors as values. Long messages are cut, so that nothing is allocated. */
#include "lib/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_status;
} codes[ERR_CODES] = {
	[ERR_NONE] = {"none", 0},
	[ERR_FAILED] = {"failed", 2},
	[ERR_USAGE] = {"usage", 2},
	[ERR_IO] = {"io", 2},
	[ERR_NOMEM] = {"no-memory", 2},
	[ERR_NOSPACE] = {"no-space", 7},
	[ERR_FORMAT] = {"format", 5},
	[ERR_DAMAGE] = {"damage", 5},
	[ERR_UNSUPPORTED] = {"unsupported", 2},
	[ERR_LIMIT] = {"limit", 2},
	[ERR_DENIED] = {"denied", 6},
	[ERR_CONFIG] = {"config", 3},
	[ERR_NOTFOUND] = {"not-found", 2},
	[ERR_EXISTS] = {"exists", 2},
	[ERR_BUSY] = {"busy", 8},
	[ERR_TIMEOUT] = {"timeout", 2},
	[ERR_CANCELLED] = {"cancelled", 2},
	[ERR_CLOSED] = {"closed", 2},
};

static const char ellipsis[] = "\xe2\x80\xa6";

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (err == NULL)
		return -1;
	err->code = code;
	va_start(ap, fmt);
	n = vsnprintf(err->message, sizeof err->message, fmt, ap);
	va_end(ap);
	if (n >= ERR_MESSAGE_MAX) /* it was cut */
		memcpy(err->message + ERR_MESSAGE_MAX - sizeof ellipsis, ellipsis, sizeof ellipsis);
	return -1;
}

static enum err_code code_of(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return ERR_NOMEM;
	case ENOSPC:
	case EDQUOT:
		return ERR_NOSPACE;
	default:
		return ERR_IO;
	}
}

int err_errno(struct err *err, int errnum, const char *fmt, ...)
{
	char what[ERR_MESSAGE_MAX], reason[128];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(what, sizeof what, fmt, ap) < 0)
		what[0] = 0;
	va_end(ap);
	/* The GNU variant may return a static string and leave the buffer unused. */
	return err_set(
		err, code_of(errnum), "%s: %s", what, strerror_r(errnum, reason, sizeof reason));
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char prefix[ERR_MESSAGE_MAX], rest[ERR_MESSAGE_MAX];
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(prefix, sizeof prefix, fmt, ap) < 0)
		prefix[0] = 0;
	va_end(ap);
	memcpy(rest, err->message, sizeof rest);
	return err_set(err, err->code, "%s: %s", prefix, rest);
}

const char *err_name(enum err_code code)
{
	return (unsigned)code < ERR_CODES ? codes[code].name : "failed";
}

int err_exit_status(enum err_code code)
{
	return (unsigned)code < ERR_CODES ? codes[code].exit_status : 2;
}
