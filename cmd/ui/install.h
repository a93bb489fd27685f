/*
 * The changes that setup and join make to a machine. They first check for anything that would stop
 * them, note the paths that they are going to make, and make them. If that fails half-way they undo
 * it, so that a second try starts from the same state as the first.
 *
 *   ui_install_can_... -> ui_install_note for each path -> make -> ui_install_undo, if that failed
 *
 * For one thread: the notes belong to the process.
 */
#ifndef FDUMP_CMD_UI_INSTALL_H
#define FDUMP_CMD_UI_INSTALL_H

#include "cmd/ui/role.h"

struct err;

/* Checks that `path` is a folder that this user can write to, or that it can be made, with its
 * parents. Returns 0, or -1 with err set, which names the folder that prevents it. */
int ui_install_can_write(const char *path, struct err *err);

/* Checks that a service can listen on the host and port. Returns 0, or -1 with err set: ERR_EXISTS
 * (the port is in use), ERR_USAGE (the host does not resolve), or the system's error, as for an
 * address of another machine. `option` is the option that sets them, for the message. */
int ui_install_can_listen(const char *host, unsigned port, const char *option, struct err *err);

/* Notes a file or folder that is going to be made. Anything that exists already will never be
 * removed; a folder that is empty now will be emptied again. At most UI_INSTALL_NOTES paths, none
 * longer than PATH_MAX - 1. */
#define UI_INSTALL_NOTES 16
void ui_install_note(const char *path);

/* Removes the noted paths that were made, and the folders above them that were made and are empty,
 * in reverse order. Anything that can't be removed stays. */
void ui_install_undo(void);

/* Makes a folder (0700), and those above it (0755). Returns 0, or -1 with err set. */
int ui_install_folder(const char *path, struct err *err);
/* Makes only the folders above `path` (0755). Returns 0, or -1 with err set. */
int ui_install_parents(const char *path, struct err *err);

int ui_install_copy(const char *from, const char *to, struct err *err);

/* Writes a configuration file (0644), and makes its folder (0755). Returns 0; 1 if the file exists,
 * which is left unchanged; -1 with err set. */
int ui_install_conf(const char *folder, const char *name, const char *text, struct err *err);
/* Writes store.conf likewise. */
int ui_install_store_conf(
	const char *folder, const char *path, const char *listen, struct err *err);
/* Writes a manager's local.conf likewise. at: where it listens; enrolment is two ports further.
 * address: NULL to leave it out. */
int ui_install_local_conf(
	const char *folder, const struct store_address *at, const char *address, struct err *err);

/* Makes the role's folder, with a key, a certificate for it that the intermediate `ca` signs, and
 * the root's certificate, copied from `root`. host: NULL for a new host id. Returns 0, or -1 with
 * err set. */
int ui_install_identity(const struct ui_role *role, enum rpc_role kind, const char *name,
	const char *host, struct rpc_ca *ca, const char *root, struct err *err);

/* If run as root: changes the owner of a folder and its content to the owner of the role's folder.
 * That is the service's user if a package has made the folder. Returns 0, or -1 with err set. */
int ui_install_give(const struct ui_role *role, const char *folder, struct err *err);

/* Enables and starts a unit, and waits until it reports that it is ready. Returns 0; 1 if this is
 * not root, systemd is not running, or it has no such unit; 1 also if the start fails, which is
 * reported on standard error. */
int ui_install_start(const char *unit);

#endif
