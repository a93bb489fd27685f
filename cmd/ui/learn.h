/*
 * What a manager tells an operator of the fleet goes into the files of his identity
 * (cmd/ui/role.h), so that he can reach managers and stores that joined after him.
 *
 * Lines are only added, and the address of a name that is there is changed; a store's uid and key
 * stay. Nothing is trusted because of such a line: who answers has to show a certificate.
 */
#ifndef FDUMP_CMD_UI_LEARN_H
#define FDUMP_CMD_UI_LEARN_H

#include "lib/buf.h"

struct err;

/* In the text of a file of lines NAME ADDRESS ...: gives the line of this name the address, or
 * appends a line "NAME ADDRESS REST" (rest may be ""). Returns 0; 1: nothing has changed; -1 with
 * err set. */
int ui_learn_line(
	struct buf *text, const char *name, const char *address, const char *rest, struct err *err);

/* Does that for `count` lines to the file at path, which is replaced whole, if anything changes;
 * one that is not there is made. Returns 0, or -1 with err set. */
struct ui_learn_line {
	const char *name, *address, *rest;
};
int ui_learn_file(
	const char *path, const struct ui_learn_line *lines, size_t count, struct err *err);

#endif
