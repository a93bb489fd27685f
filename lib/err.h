/*
 * Errors: a code that decides the exit status and the wire status, and a
 * message for a person.
 *
 * A function that can fail for an outside reason takes a struct err as its last
 * parameter and returns -1 on failure. The caller owns the struct, usually on
 * its stack. An error is set once, where it happens ("what path: why"), and
 * given context with err_prefix on its way up. It is either logged or returned,
 * never both. Programmer mistakes are assert()s, not errors.
 *
 * No function here fails or allocates, so that even "out of memory" can be
 * reported.
 */
#ifndef FDUMP_LIB_ERR_H
#define FDUMP_LIB_ERR_H

enum err_code {
	ERR_NONE = 0,
	ERR_FAILED,      /* any failure that has no code of its own */
	ERR_USAGE,       /* called wrongly: an option, an argument, a name */
	ERR_IO,          /* the operating system refused a read, a write, an open */
	ERR_NOMEM,       /* out of memory */
	ERR_NOSPACE,     /* the disk or a quota is full */
	ERR_FORMAT,      /* bytes that are not a valid pack, frame, key, record */
	ERR_DAMAGE,      /* was valid once: a check does not match, a part is missing */
	ERR_UNSUPPORTED, /* valid, but from a later version or of an unknown kind */
	ERR_LIMIT,       /* over a documented limit */
	ERR_DENIED,      /* identity or right refused; wrong key or passphrase */
	ERR_CONFIG,      /* a configuration file is wrong */
	ERR_NOTFOUND,    /* the named thing is not there */
	ERR_EXISTS,      /* the thing to be made already exists */
	ERR_BUSY,        /* in use by someone else; try again later */
	ERR_TIMEOUT,     /* a deadline passed */
	ERR_CANCELLED,   /* stopped on request */
	ERR_CLOSED,      /* the peer has gone */
	ERR_CODES        /* how many there are; not a code */
};

/* Longest message, terminating NUL included. Longer ones are cut, marked "…". */
#define ERR_MESSAGE_MAX 512

/* Zero-initialised is "no error". */
struct err {
	enum err_code code;
	char message[ERR_MESSAGE_MAX];
};

/* Sets code and message, replacing any earlier ones. Returns -1, so that a
 * function can end in `return err_set(err, ...)`. err may be NULL: then nothing
 * is set. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with ": " and the text of errnum added. The code follows from
 * errnum: ENOMEM gives ERR_NOMEM, ENOSPC and EDQUOT give ERR_NOSPACE, all
 * others ERR_IO. */
int err_errno(struct err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts the text and ": " in front of the existing message. Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The code's short, stable name, as in --json and on the wire: "damage". */
const char *err_name(enum err_code code);

/* The exit status of a command that ends with this code:
 * 2 failed or wrong usage, 3 configuration, 5 damage found, 6 identity
 * refused, 7 no space, 8 busy. ERR_NONE is 0. */
int err_exit_status(enum err_code code);

#endif
