/* The changes that setup and join make to a machine. */
#include "cmd/ui/install.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/file.h"
#include "rpc/join.h"

#define OPEN_MAX_FILES 16
#define CONF_MAX       65536
#define GIVE_DEPTH     3 /* levels of folders */

extern char **environ;

/* Returns the length of the parent of the path that is in the first `len` bytes; 0 if there is
 * none, or it is "/". */
static size_t above(const char *path, size_t len)
{
	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 0 && path[len - 1] == '/')
		len--;
	return len;
}

static size_t without_slashes(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return len;
}

/* --- checks --------------------------------------------------------------------- */

int ui_install_can_write(const char *path, struct err *err)
{
	char at[PATH_MAX], *parent;
	struct stat st;

	assert(path[0] != 0);
	if (strlen(path) >= sizeof at)
		return err_set(err, ERR_USAGE, "%s: the path is too long", path);
	strcpy(at, path);
	while (stat(at, &st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return err_errno(err, errno, "%s", at);
		if (strcmp(at, "/") == 0 || strcmp(at, ".") == 0)
			return err_set(err, ERR_NOTFOUND, "%s: no such folder", path);
		parent = dirname(at); /* in at, or a constant */
		memmove(at, parent, strlen(parent) + 1);
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_EXISTS, "%s: not a folder", at);
	if (access(at, W_OK | X_OK) != 0)
		return err_errno(err, errno, "%s: this user can't write to it", at);
	return 0;
}

int ui_install_can_listen(const char *host, unsigned port, const char *option, struct err *err)
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

/* --- undoing -------------------------------------------------------------------- */

static struct {
	char text[PATH_MAX];
	size_t top;   /* length of the part that existed; folders below it are made, too */
	bool emptied; /* it existed, as an empty folder */
} noted[UI_INSTALL_NOTES];
static size_t noted_count;

/* Whether the path in the first `len` bytes exists. */
static bool is_there(const char *path, size_t len)
{
	char part[PATH_MAX];
	struct stat st;

	memcpy(part, path, len);
	part[len] = 0;
	return lstat(part, &st) == 0;
}

void ui_install_note(const char *path)
{
	char *text = noted[noted_count].text;
	bool empty = true;
	struct dirent *entry;
	size_t top;
	DIR *dir;

	assert(noted_count < UI_INSTALL_NOTES && path[0] != 0 && strlen(path) < PATH_MAX);
	strcpy(text, path);
	top = without_slashes(path);
	text[top] = 0;
	if (is_there(text, top)) {
		dir = opendir(text);
		while (dir != NULL && empty && (entry = readdir(dir)) != NULL)
			empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
		if (dir != NULL)
			closedir(dir);
		if (dir == NULL || !empty)
			return;
		noted[noted_count].emptied = true;
	} else {
		do
			top = above(text, top);
		while (top > 0 && !is_there(text, top));
		noted[noted_count].emptied = false;
	}
	noted[noted_count++].top = top;
}

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type;
	if (at->level > 0)
		(void)remove(path);
	return 0;
}

void ui_install_undo(void)
{
	char *text;
	size_t len;

	while (noted_count > 0) {
		text = noted[--noted_count].text;
		(void)nftw(text, remove_below, OPEN_MAX_FILES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
		if (noted[noted_count].emptied)
			continue;
		(void)remove(text);
		for (len = above(text, strlen(text)); len > noted[noted_count].top;
			len = above(text, len)) {
			text[len] = 0;
			(void)rmdir(text);
		}
	}
}

/* --- making --------------------------------------------------------------------- */

/* Makes the folder whose path is in the first `len` bytes, and those above it (0755). */
static int make_folders(const char *path, size_t len, mode_t mode, struct err *err)
{
	char part[PATH_MAX];
	size_t i;

	if (len >= sizeof part)
		return err_set(err, ERR_LIMIT, "%.64s...: the path is too long", path);
	for (i = 1; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, i == len ? mode : 0755) != 0 && errno != EEXIST)
			return err_errno(err, errno, "%s", part);
	}
	return 0;
}

int ui_install_folder(const char *path, struct err *err)
{
	return make_folders(path, without_slashes(path), 0700, err);
}

int ui_install_parents(const char *path, struct err *err)
{
	return make_folders(path, above(path, without_slashes(path)), 0755, err);
}

int ui_install_copy(const char *from, const char *to, struct err *err)
{
	uint8_t bytes[16384];
	size_t len;

	return file_read(from, bytes, sizeof bytes, &len, NULL, err) == 0
		       ? file_write(to, bytes, len, 0644, err)
		       : -1;
}

int ui_install_conf(const char *folder, const char *name, const char *text, struct err *err)
{
	char path[PATH_MAX + 64];

	if (access(folder, F_OK) != 0) {
		if (ui_install_folder(folder, err) != 0)
			return -1;
		if (chmod(folder, 0755) != 0)
			return err_errno(err, errno, "%s", folder);
	}
	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (access(path, F_OK) == 0)
		return 1;
	return file_write_new(path, text, strlen(text), 0644, err);
}

int ui_install_store_conf(const char *folder, const char *path, const char *listen, struct err *err)
{
	char text[CONF_MAX];

	snprintf(text, sizeof text,
		"# The store on this machine: see fdump-store(1).\n"
		"store {\n"
		"  path = \"%s\"\n"
		"  listen = \"%s\"\n"
		"}\n",
		path, listen);
	return ui_install_conf(folder, "store.conf", text, err);
}

int ui_install_local_conf(
	const char *folder, const struct store_address *at, const char *address, struct err *err)
{
	bool v6 = strchr(at->host, ':') != NULL;
	const char *before = v6 ? "[" : "", *after = v6 ? "]" : "";
	unsigned port = (unsigned)strtoul(at->port, NULL, 10);
	char text[CONF_MAX];

	snprintf(text, sizeof text,
		"# Of this machine alone, as a manager: see fdump-manager(1).\n"
		"manager {\n"
		"  listen = \"%s%s%s:%u\"\n"
		"  enroll = \"%s%s%s:%u\"\n"
		"%s%s%s"
		"}\n",
		before, at->host, after, port, before, at->host, after, port + 2,
		address != NULL ? "  address = \"" : "", address != NULL ? address : "",
		address != NULL ? "\"\n" : "");
	return ui_install_conf(folder, "local.conf", text, err);
}

int ui_install_identity(const struct ui_role *role, enum rpc_role kind, const char *name,
	const char *host, struct rpc_ca *ca, const char *root, struct err *err)
{
	char fresh[RPC_HOST_LEN + 1];
	struct rpc_identity id;

	if (host == NULL && rpc_host_new(fresh, err) != 0)
		return -1;
	if (ui_install_folder(role->dir, err) != 0 ||
		rpc_identity_set(&id, kind, name, host != NULL ? host : fresh, err) != 0 ||
		ui_install_copy(root, role->ca, err) != 0)
		return -1;
	return rpc_join_issue(ca, &id, role->key, role->cert, err);
}

static struct stat new_owner; /* for give */

static int give(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type;
	if (at->level > GIVE_DEPTH)
		return 0;
	return lchown(path, new_owner.st_uid, new_owner.st_gid);
}

int ui_install_give(const struct ui_role *role, const char *folder, struct err *err)
{
	if (geteuid() != 0)
		return 0;
	if (stat(role->dir, &new_owner) != 0)
		return err_errno(err, errno, "%s", role->dir);
	if (new_owner.st_uid != 0 && nftw(folder, give, OPEN_MAX_FILES, FTW_PHYS) != 0)
		return err_errno(err, errno, "%s", folder);
	return 0;
}

/* --- starting ------------------------------------------------------------------- */

/* Returns the exit status, or -1. */
static int run(const char *const argv[], bool quiet)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (quiet)
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) ==
			0 &&
		waitpid(pid, &status, 0) == pid)
		status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	posix_spawn_file_actions_destroy(&actions);
	return status;
}

int ui_install_start(const char *unit)
{
	const char *const look[] = {"systemctl", "cat", unit, NULL};
	const char *const start[] = {"systemctl", "enable", "--now", unit, NULL};

	/* The test is that of sd_booted(3). */
	if (geteuid() != 0 || access("/run/systemd/system", F_OK) != 0 || run(look, true) != 0)
		return 1;
	if (run(start, false) == 0)
		return 0;
	ui_say(NULL, "%s did not start: see 'journalctl -u %s'", unit, unit);
	return 1;
}
