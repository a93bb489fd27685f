/*
 * Passphrases, read from a file or from the terminal; never from the command
 * line or the environment, where others can see them.
 *
 * pass_ask or pass_ask_new -> use -> pass_wipe. The caller owns the struct. The
 * terminal does not echo. A signal during the wait restores the terminal and is
 * then raised again. Call these functions from the main thread only.
 */
#ifndef FDUMP_LIB_PASS_H
#define FDUMP_LIB_PASS_H

#include <stddef.h>

struct err;

/* The longest passphrase, in bytes. */
#define PASS_MAX 1024

struct pass {
	size_t len;
	char bytes[PASS_MAX];
};

/* Gets the passphrase for `what`, which the prompt names. file: a path, whose
 * first line without its newline is used; a pipe (/dev/fd/N) or a systemd
 * credential will do; at most 4096 bytes in all. NULL: the terminal is asked.
 * Returns 0, or -1 with err set. From the terminal: ERR_USAGE if there is none
 * (the message names --passphrase-file) or the passphrase is empty, ERR_LIMIT
 * if it is too long, ERR_CANCELLED after a signal. From a file: ERR_CONFIG if
 * the passphrase is empty or too long or the file is open to others, ERR_LIMIT
 * if the file is too long. */
int pass_ask(const char *file, const char *what, struct pass *pass, struct err *err);

/* The same for a new passphrase. The terminal asks twice; ERR_FAILED if the two
 * differ. */
int pass_ask_new(const char *file, const char *what, struct pass *pass, struct err *err);

/* The same for another secret of one line, such as a token, always from the
 * terminal. what is used in the prompt. */
int pass_ask_secret(const char *what, struct pass *pass, struct err *err);

/* Overwrites it. */
void pass_wipe(struct pass *pass);

#endif
