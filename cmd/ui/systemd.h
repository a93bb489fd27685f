/*
 * Starting services where systemd runs.
 */
#ifndef FDUMP_CMD_UI_SYSTEMD_H
#define FDUMP_CMD_UI_SYSTEMD_H

/* Enables and starts a unit, and waits until it says that it is ready. Returns 0; 1: systemd does
 * not run here, has no such unit, or this is not root. Says so on standard error if it fails: then
 * 1 too. */
int ui_systemd_start(const char *unit);

#endif
