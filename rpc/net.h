/*
 * Socket helpers for dialling and listening.
 */
#ifndef FDUMP_RPC_NET_H
#define FDUMP_RPC_NET_H

#include <sys/socket.h>

/* The longest text of rpc_net_text, with its NUL. */
#define RPC_ADDRESS_MAX 64

/* Writes "192.0.2.1:4711" or "[2001:db8::1]:4711"; "unknown" on failure. */
void rpc_net_text(char text[RPC_ADDRESS_MAX], const struct sockaddr *address, socklen_t len);

/* True if both have the same IPv4 address or the same IPv6 /64, whatever the
 * port. */
int rpc_net_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* Sends small frames at once, without waiting for more. What the system has not sent yet is kept
 * small, so that a PING is not behind minutes of data on a slow line. */
void rpc_net_tune(int fd);

#endif
