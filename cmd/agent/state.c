/* The folder of the agent's own files. */
#include "cmd/agent/state.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
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

/* Whether a path ends in /agent or /agent/last. */
static bool is_own(const char *path)
{
	const char *end = path + strlen(path);

	return (end - path > 6 && strcmp(end - 6, "/agent") == 0) ||
	       (end - path > 11 && strcmp(end - 11, "/agent/last") == 0);
}

/* Creates all folders of a path. */
static int make_path(char *path, struct err *err)
{
	char *at;

	for (at = path + 1;; at++) {
		char end = *at;

		if (end != '/' && end != 0)
			continue;
		*at = 0;
		/* Users of other roles must get through root's folders to their own; the last two
		 * are private. */
		if (mkdir(path, geteuid() == 0 && !is_own(path) ? 0755 : 0700) != 0 &&
			errno != EEXIST)
			return err_errno(err, errno, "%s", path);
		*at = end;
		if (end == 0)
			return 0;
	}
}

/* The folder's path; it is not created. */
static char *where(const char *dir, struct err *err)
{
	const char *home = getenv("HOME"), *state = getenv("XDG_STATE_HOME");

	if (dir != NULL && *dir == 0) {
		err_set(err, ERR_USAGE, "'': empty path");
		return NULL;
	}
	if (dir != NULL)
		return text(err, dir, "/agent");
	if (geteuid() == 0)
		return text(err, "/var/lib/fdump", "/agent");
	if (state != NULL && state[0] == '/')
		return text(err, state, "/fdump/agent");
	if (home != NULL && home[0] == '/')
		return text(err, home, "/.local/state/fdump/agent");
	err_set(err, ERR_USAGE, "no home folder: say where to keep state (--state DIR)");
	return NULL;
}

char *agent_state_dir(const char *dir, struct err *err)
{
	char *path = where(dir, err), *last;
	int got;

	if (path == NULL)
		return NULL;
	last = text(err, path, "/last");
	got = last != NULL ? make_path(last, err) : -1;
	free(last);
	if (got != 0 && access(path, F_OK) == 0) { /* a later write will fail if it must */
		*err = (struct err){0};
		got = 0;
	}
	if (got == 0)
		return path;
	free(path);
	return NULL;
}

/* Reads all known fingerprints into *all, which it initialises. Returns 0, or -1 with err set. */
static int load_domains(const char *path, struct buf *all, struct err *err)
{
	/* There is room for one more. */
	buf_init(all, (AGENT_DOMAINS_MAX + 1) * STORE_DOMAIN_LEN);
	if (file_read_buf(path, all, NULL, err) == 0)
		return 0;
	if (err->code != ERR_NOTFOUND)
		return -1;
	*err = (struct err){0};
	return 0;
}

static bool has_domain(const struct buf *all, const uint8_t domain[STORE_DOMAIN_LEN])
{
	size_t i;

	for (i = 0; i + STORE_DOMAIN_LEN <= all->len; i += STORE_DOMAIN_LEN)
		if (memcmp(all->data + i, domain, STORE_DOMAIN_LEN) == 0)
			return true;
	return false;
}

int agent_state_know(const char *dir, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err)
{
	char *path = text(err, dir, "/domains");
	struct buf all = {.max = 0};
	int ret;

	ret = path != NULL ? load_domains(path, &all, err) : -1;
	if (ret == 0 && !has_domain(&all, domain)) {
		ret = buf_add(&all, domain, STORE_DOMAIN_LEN, err);
		if (ret == 0)
			ret = file_write(path, all.data, all.len, 0600, err);
	}
	buf_fini(&all);
	free(path);
	return ret;
}

int agent_state_knows(const char *dir, const uint8_t domain[STORE_DOMAIN_LEN])
{
	struct err err = {0};
	char *base = where(dir, &err), *path = base != NULL ? text(&err, base, "/domains") : NULL;
	struct buf all = {.max = 0};
	int ret = 2;

	if (path != NULL && load_domains(path, &all, &err) == 0 && all.len > 0)
		ret = !has_domain(&all, domain);
	buf_fini(&all);
	free(path);
	free(base);
	return ret;
}

int agent_state_secret(const char *dir, uint8_t secret[DUMP_SECRET_LEN], struct err *err)
{
	char *path = text(err, dir, "/secret");
	struct stat st;
	size_t len;
	int got;

	if (path == NULL)
		return -1;
	got = file_read(path, secret, DUMP_SECRET_LEN, &len, &st, err);
	if (got != 0 && err->code == ERR_NOTFOUND) {
		*err = (struct err){0};
		len = DUMP_SECRET_LEN;
		got = seal_random(secret, len, err);
		if (got == 0)
			got = file_write_new(path, secret, len, 0600, err);
		st.st_mode = S_IFREG | 0600;
	}
	/* Another first backup made the secret at the same time: use that one. */
	if (got != 0 && err->code == ERR_EXISTS) {
		*err = (struct err){0};
		got = file_read(path, secret, DUMP_SECRET_LEN, &len, &st, err);
	}
	if (got == 0 && len != DUMP_SECRET_LEN) {
		got = err_set(
			err, ERR_CONFIG, "%s: expected a file of %d bytes", path, DUMP_SECRET_LEN);
	} else if (got == 0) {
		got = file_check_secret(path, &st, 077, err);
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

int agent_state_name(const char *agent, char name[NAME_LEN_MAX + 1], struct err *err)
{
	char host[HOST_NAME_MAX + 1];

	if (agent != NULL) {
		assert(name_ok(agent, strlen(agent)));
		strcpy(name, agent);
		return 0;
	}
	if (gethostname(host, sizeof host) != 0)
		return err_errno(err, errno, "host name");
	host[sizeof host - 1] = 0;
	return name_from_host(name, host, err);
}
