/* The files `fdump-store` and `identity`. */
#include "cmd/store/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/store/state.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"

#define ABOUT     "fdump-store"
#define ABOUT_MAX 512
#define IDENTITY  "identity"

void engine_path(char path[ENGINE_PATH_MAX], const char *dir, const char *name)
{
	snprintf(path, ENGINE_PATH_MAX, "%.4096s/%s", dir, name);
}

int engine_write_about(const char *path, const uint8_t *uid, const uint8_t *public,
	uint64_t reserve, struct err *err)
{
	char uid_text[2 * STORE_UID_LEN + 1], public_text[2 * SEAL_SIGN_LEN + 1], about[ABOUT_MAX];
	char file[ENGINE_PATH_MAX];
	int len;

	esc_hex(uid_text, uid, STORE_UID_LEN);
	esc_hex(public_text, public, SEAL_SIGN_LEN);
	len = snprintf(about, sizeof about,
		"fdump-store 1\nuid %s\npublic %s\nreserve %" PRIu64 "\n", uid_text, public_text,
		reserve);
	engine_path(file, path, ABOUT);
	return file_write_owned(file, about, (size_t)len, 0600, err);
}

int engine_is_none(const char *path, struct err *err)
{
	return err_set(
		err, ERR_NOTFOUND, "%s: not an FDump store ('fdump store init' creates one)", path);
}

int engine_read_about(struct engine *s, struct err *err)
{
	char text[ABOUT_MAX + 1], uid[2 * STORE_UID_LEN + 1], public[2 * SEAL_SIGN_LEN + 1];
	char path[ENGINE_PATH_MAX];
	int version = 0, got;
	size_t len;

	engine_path(path, s->path, ABOUT);
	if (file_read(path, text, ABOUT_MAX, &len, NULL, err) != 0)
		return err->code == ERR_NOTFOUND ? engine_is_none(s->path, err) : -1;
	text[len] = 0;
	got = sscanf(text, "fdump-store %d\nuid %32[0-9a-f]\npublic %64[0-9a-f]\nreserve %" SCNu64,
		&version, uid, public, &s->reserve);
	if (got >= 1 && version != 1)
		return err_set(
			err, ERR_UNSUPPORTED, "%s: is a store of version %d", s->path, version);
	if (got != 4 || !esc_unhex(s->uid, sizeof s->uid, uid) ||
		!esc_unhex(s->public, sizeof s->public, public))
		return err_set(err, ERR_FORMAT, "%s/%s: malformed", s->path, ABOUT);
	return 0;
}

int engine_read_identity(struct engine *s, struct err *err)
{
	char path[ENGINE_PATH_MAX];
	size_t len;

	engine_path(path, s->path, IDENTITY);
	if (file_read(path, s->secret, sizeof s->secret, &len, NULL, err) != 0)
		return -1;
	if (len != sizeof s->secret)
		return err_set(err, ERR_FORMAT, "%s/%s: malformed", s->path, IDENTITY);
	return 0;
}

int engine_write_identity(const char *path, const uint8_t secret[SEAL_SIGN_LEN], struct err *err)
{
	char file[ENGINE_PATH_MAX];

	engine_path(file, path, IDENTITY);
	return file_write_owned(file, secret, SEAL_SIGN_LEN, 0600, err);
}

/* Whether a file was read. If not, it must be written again; sets *failed if that is not allowed,
 * because it is neither missing nor malformed. */
static bool was_read(int got, const struct err *why, bool *failed)
{
	*failed |= got != 0 && why->code != ERR_NOTFOUND && why->code != ERR_FORMAT;
	return got == 0;
}

int engine_mend_identity(const char *path, struct err *err)
{
	struct engine s = {.path = strdup(path)};
	struct err why = {0};
	bool about, identity, failed = false;
	int got = -1;

	if (s.path == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	about = was_read(engine_read_about(&s, &why), &why, &failed);
	identity = !failed && was_read(engine_read_identity(&s, &why), &why, &failed);
	if (!about)
		s.reserve = 0;
	if (failed)
		*err = why;
	else if (about && identity)
		got = 0;
	else if ((about || seal_random(s.uid, sizeof s.uid, err) == 0) &&
		 (identity ? seal_sign_public(s.secret, s.public, err)
			   : seal_sign_new(s.secret, s.public, err)) == 0 &&
		 engine_write_about(path, s.uid, s.public, s.reserve, err) == 0 &&
		 (identity || engine_write_identity(path, s.secret, err) == 0))
		got = 1;
	seal_wipe(s.secret, sizeof s.secret);
	free(s.path);
	return got;
}

int engine_check_files(const char *path, bool index, struct err *err)
{
	static const struct {
		const char *name;
		mode_t type;
		bool index;
	} files[] = {{ABOUT, S_IFREG, false}, {IDENTITY, S_IFREG, false}, {"lock", S_IFREG, false},
		{"quotas", S_IFREG, false}, {"volumes", S_IFDIR, false}, {"index", S_IFDIR, true},
		{"index/data.mdb", S_IFREG, true}, {"index/lock.mdb", S_IFREG, true}};
	char file[ENGINE_PATH_MAX];
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof files / sizeof *files; i++) {
		engine_path(file, path, files[i].name);
		if ((files[i].index && !index) || lstat(file, &st) != 0 ||
			(st.st_mode & S_IFMT) == files[i].type)
			continue;
		return err_set(err, ERR_CONFIG,
			"%s: not a %s: something else has written to the store's folder", file,
			files[i].type == S_IFREG ? "regular file" : "directory");
	}
	return 0;
}
