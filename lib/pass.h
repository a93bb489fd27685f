/*
 * Passphrases: from a file or from the terminal; never from the command line
 * or the environment, where others can see them.
 *
 * pass_ask or pass_ask_new -> use -> pass_wipe. The struct is the caller's.
 * On the terminal nothing is echoed; a signal that comes meanwhile puts the
 * terminal right and is then raised again. To be called from the main thread.
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

/* Gets the passphrase for what (a name, for the prompt). file: a path, whose
 * first line without its newline is taken (of at most 4096 bytes in all);
 * NULL: the terminal is asked. A pipe (/dev/fd/N) and a systemd credential are
 * files. Returns 0, or -1 with
 * err set: ERR_USAGE if there is no terminal to ask (the message names
 * --passphrase-file), or if it is empty; ERR_LIMIT if it is too long; ERR_CONFIG if that is so of
 * the one in the file, or if the file is open to others. */
int pass_ask(const char *file, const char *what, struct pass *pass, struct err *err);

/* The same for a new passphrase: the terminal asks twice, and ERR_FAILED
 * says that the two were not the same. */
int pass_ask_new(const char *file, const char *what, struct pass *pass, struct err *err);

/* The same for another secret of one line, as a token: asks the terminal, without echo. what
 * stands in the prompt. */
int pass_ask_secret(const char *what, struct pass *pass, struct err *err);

/* Overwrites it. */
void pass_wipe(struct pass *pass);

#endif
