/*
 * Reports the state of a service to the service manager, by the protocol of
 * systemd's sd_notify(3). Does nothing if NOTIFY_SOCKET is not set.
 */
#ifndef FDUMP_LIB_NOTIFY_H
#define FDUMP_LIB_NOTIFY_H

/* Sends one or more lines, such as "READY=1" or "STOPPING=1\nSTATUS=...".
 * Errors are ignored, because the service works without. Thread-safe. */
void notify_send(const char *state);

#endif
