/* Where an agent keeps what is its own. */
#include "cmd/agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/file.h"
#include "lib/name.h"
#include "lib/seal.h"

static char *text(struct err *err, const char *a, const char *b)
{
	char *out;

	if (asprintf(&out, "%s%s", a, b) >= 0)
		return out;
	err_set(err, ERR_NOMEM, "out of memory");
	return NULL;
}

/* Makes all folders of a path. */
static int make_path(char *path, struct err *err)
{
	char *at;

	for (at = path + 1;; at++) {
		char end = *at;

		if (end != '/' && end != 0)
			continue;
		*at = 0;
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return err_errno(err, errno, "%s", path);
		*at = end;
		if (end == 0)
			return 0;
	}
}

char *agent_state_dir(const char *dir, struct err *err)
{
	const char *home = getenv("HOME"), *state = getenv("XDG_STATE_HOME");
	char *path, *last;
	int got;

	if (dir != NULL)
		path = text(err, dir, "");
	else if (geteuid() == 0)
		path = text(err, "/var/lib/fdump", "");
	else if (state != NULL && state[0] == '/')
		path = text(err, state, "/fdump");
	else if (home != NULL && home[0] == '/')
		path = text(err, home, "/.local/state/fdump");
	else {
		err_set(err, ERR_USAGE, "no home folder: say where to keep state (--state DIR)");
		return NULL;
	}
	if (path == NULL)
		return NULL;
	last = text(err, path, "/last");
	got = last != NULL ? make_path(last, err) : -1;
	free(last);
	if (got == 0)
		return path;
	free(path);
	return NULL;
}

int agent_state_secret(const char *dir, uint8_t secret[AGENT_SECRET_LEN], struct err *err)
{
	char *path = text(err, dir, "/secret");
	struct stat st;
	size_t len;
	int got;

	if (path == NULL)
		return -1;
	got = file_read(path, secret, AGENT_SECRET_LEN, &len, &st, err);
	if (got != 0 && err->code == ERR_NOTFOUND) {
		*err = (struct err){0};
		got = seal_random(secret, AGENT_SECRET_LEN, err);
		if (got == 0)
			got = file_write_new(path, secret, AGENT_SECRET_LEN, 0600, err);
	} else if (got == 0 && len != AGENT_SECRET_LEN) {
		got = err_set(err, ERR_CONFIG, "%s: has not %d bytes", path, AGENT_SECRET_LEN);
	} else if (got == 0 && (st.st_mode & 077) != 0) {
		got = err_set(err, ERR_CONFIG, "%s: others can read it (chmod 600 %s)", path, path);
	}
	free(path);
	return got;
}

char *agent_state_last(
	const char *dir, const char *name, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err)
{
	char *path;

	if (asprintf(&path, "%s/last/%s-%02x%02x%02x%02x", dir, name, domain[0], domain[1],
		    domain[2], domain[3]) >= 0)
		return path;
	err_set(err, ERR_NOMEM, "out of memory");
	return NULL;
}

int agent_state_host(char name[STORE_NAME_MAX + 1], struct err *err)
{
	if (gethostname(name, STORE_NAME_MAX + 1) != 0)
		return err_errno(err, errno, "host name");
	name[STORE_NAME_MAX] = 0;
	return name[0] != 0 ? 0 : err_set(err, ERR_CONFIG, "this host has no name");
}
