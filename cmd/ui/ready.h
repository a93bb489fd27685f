/*
 * What a command looks at before it makes anything: whether folders can be made, and whether
 * ports are free. Nothing is changed.
 */
#ifndef FDUMP_CMD_UI_READY_H
#define FDUMP_CMD_UI_READY_H

#include "lib/err.h"

/* `path` is a folder that this user may write to, or can be made, with its parents. Returns 0, or
 * -1 with err set, which names the folder that is in the way. */
int ui_ready_folder(const char *path, struct err *err);

/* Makes the folders above `path`. Returns 0, or -1 with err set. */
int ui_ready_parents(const char *path, struct err *err);

/* A service can listen on the host and port. Returns 0, or -1 with err set: the port is taken, or
 * the address is not this machine's. `option` is what sets it, for the message. */
int ui_ready_port(const char *host, unsigned port, const char *option, struct err *err);

#endif
