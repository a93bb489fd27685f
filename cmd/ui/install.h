/*
 * What setup and join do to a machine: they look first at what would be in the way, note what they
 * are going to make, make it, and take it back if they fail half-way, so that a second try finds
 * what the first one found.
 *
 *   ui_install_can_... -> ui_install_note for each path -> make -> ui_install_undo, if that failed
 *
 * One thread's own.
 */
#ifndef FDUMP_CMD_UI_INSTALL_H
#define FDUMP_CMD_UI_INSTALL_H

#include "cmd/ui/role.h"
#include "rpc/ca.h"

struct err;

/* `path` is a folder that this user may write to, or can be made, with its parents. Returns 0, or
 * -1 with err set, which names the folder that is in the way. */
int ui_install_can_write(const char *path, struct err *err);

/* A service can listen on the host and port. Returns 0, or -1 with err set: the port is taken, or
 * the address is not this machine's. `option` is what sets it, for the message. */
int ui_install_can_listen(const char *host, unsigned port, const char *option, struct err *err);

/* Notes a file or a folder that is going to be made. What is there already is never removed; an
 * empty folder is emptied again. At most UI_INSTALL_NOTES paths; none longer than PATH_MAX - 1. */
#define UI_INSTALL_NOTES 16
void ui_install_note(const char *path);

/* Removes what was noted and is there now, and the folders above it that were made and are empty,
 * the last one first. What can't be removed stays. */
void ui_install_undo(void);

/* Makes a folder (0700), and those above it (0755). Returns 0, or -1 with err set. */
int ui_install_folder(const char *path, struct err *err);
/* Makes the folders above `path` alone. */
int ui_install_parents(const char *path, struct err *err);

int ui_install_copy(const char *from, const char *to, struct err *err);

/* Writes a file of the configuration, and makes its folder (0755). Returns 0; 1: the file is there
 * already, and stays; -1 with err set. */
int ui_install_conf(const char *folder, const char *name, const char *text, struct err *err);
/* The same of store.conf. */
int ui_install_store_conf(
	const char *folder, const char *path, const char *listen, struct err *err);
/* The same of a manager's local.conf. address: NULL: it is not said. */
int ui_install_local_conf(const char *folder, const char *listen, const char *enroll,
	const char *address, struct err *err);

/* Makes the role's folder, and in it a key, its certificate by an intermediate, and the certificate
 * of the root, copied from `root`. host: NULL for a new host id. Returns 0, or -1 with err set. */
int ui_install_identity(const struct ui_role *role, enum rpc_role kind, const char *name,
	const char *host, struct rpc_ca *ca, const char *root, struct err *err);

/* As root: gives a folder, and what is in it, to the owner of the role's folder, who is the
 * service's user where a package has made it. Returns 0, or -1 with err set. */
int ui_install_give(const struct ui_role *role, const char *folder, struct err *err);

/* Enables and starts a unit, and waits until it says that it is ready. Returns 0; 1: systemd does
 * not run here, has no such unit, or this is not root. Says so on standard error if it fails: then
 * 1 too. */
int ui_install_start(const char *unit);

#endif
