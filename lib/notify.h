/*
 * Telling the service manager how a service is: systemd's sd_notify(3), as its
 * manual page describes the protocol. Does nothing where NOTIFY_SOCKET is not set.
 */
#ifndef FDUMP_LIB_NOTIFY_H
#define FDUMP_LIB_NOTIFY_H

/* Sends one or more lines, as "READY=1" or "STOPPING=1\nSTATUS=...". Errors are ignored: the
 * service works without. Any thread. */
void notify_send(const char *state);

#endif
