/* Addresses as text, and socket options. */
#include "rpc/net.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define UNSENT_MAX (512 * 1024)

/* An IPv4 address as a socket for both families shows it: ::ffff:192.0.2.1. */
static bool is_mapped(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(
		       &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

void rpc_net_text(char text[RPC_ADDRESS_MAX], const struct sockaddr *address, socklen_t len)
{
	char host[48], port[8];
	const char *start = is_mapped(address) ? host + strlen("::ffff:") : host;

	if (getnameinfo(address, len, host, sizeof host, port, sizeof port,
		    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		strcpy(text, "unknown");
	else
		snprintf(text, RPC_ADDRESS_MAX, strchr(start, ':') != NULL ? "[%s]:%s" : "%s:%s",
			start, port);
}

int rpc_net_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return 0;
	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	/* A host has a whole /64; all IPv4 addresses are mapped into one. */
	return memcmp(&a6->sin6_addr, &b6->sin6_addr,
		       is_mapped((const struct sockaddr *)a) ? sizeof a6->sin6_addr : 8) == 0;
}

void rpc_net_tune(int fd)
{
	int one = 1, unsent = UNSENT_MAX;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}
