/* Whether a machine is ready to be set up. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/ui/ready.h"

/* Cuts the last part off a path. Returns false if nothing is left above it. */
static bool cut_last(char *path)
{
	size_t len = strlen(path);
	char *slash;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = 0;
	slash = strrchr(path, '/');
	if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
		return false;
	if (slash == NULL)
		strcpy(path, ".");
	else if (slash == path)
		path[1] = 0;
	else
		*slash = 0;
	return true;
}

static int copy(char to[PATH_MAX], const char *path, struct err *err)
{
	assert(path[0] != 0);
	if (strlen(path) >= PATH_MAX)
		return err_set(err, ERR_USAGE, "%s: the path is too long", path);
	strcpy(to, path);
	return 0;
}

int ui_ready_folder(const char *path, struct err *err)
{
	char at[PATH_MAX];
	struct stat st;

	if (copy(at, path, err) != 0)
		return -1;
	while (stat(at, &st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return err_errno(err, errno, "%s", at);
		if (!cut_last(at))
			return err_set(err, ERR_NOTFOUND, "%s: no such folder", path);
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_EXISTS, "%s: not a folder", at);
	if (access(at, W_OK | X_OK) != 0)
		return err_errno(err, errno, "%s: this user can't write to it", at);
	return 0;
}

int ui_ready_parents(const char *path, struct err *err)
{
	char at[PATH_MAX];
	char *slash;

	if (copy(at, path, err) != 0)
		return -1;
	if (!cut_last(at))
		return 0;
	for (slash = strchr(at + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash != NULL)
			*slash = 0;
		if (mkdir(at, 0755) != 0 && errno != EEXIST)
			return err_errno(err, errno, "%s", at);
		if (slash == NULL)
			return 0;
		*slash = '/';
	}
}

int ui_ready_port(const char *host, unsigned port, const char *option, struct err *err)
{
	struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char text[8];
	int fd, why, on = 1;

	snprintf(text, sizeof text, "%u", port);
	why = getaddrinfo(host, text, &hints, &found);
	if (why != 0)
		return err_set(err, ERR_USAGE, "%s: %s: %s", option, host, gai_strerror(why));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	why = 0;
	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1) != 0)
			why = errno;
		close(fd);
	}
	freeaddrinfo(found);
	if (why == EADDRINUSE)
		return err_set(err, ERR_EXISTS,
			"%s port %u: another program listens there; choose other ports with %s",
			host, port, option);
	return why == 0 ? 0
			: err_errno(err, why, "%s port %u; choose another address with %s", host,
				  port, option);
}
