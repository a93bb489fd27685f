#include "cmd/ui/keys.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/ui/role.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/key.h"
#include "lib/pass.h"
#include "rpc/enroll.h"

/* Sets the paths of the root's key and its certificate. */
static int root_paths(char key[PATH_MAX], char cert[PATH_MAX], const char *dir, struct err *err)
{
	return ui_path(key, dir, "root.key", err) == 0 ? ui_path(cert, dir, "root.pem", err) : -1;
}

static int is_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int is_public(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return is_name(entry) && len > 4 && strcmp(entry->d_name + len - 4, ".pub") == 0;
}

static void free_names(struct dirent **names, int count)
{
	int i;

	for (i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

/* --- making ----------------------------------------------------------------- */

int ui_keys_look(const char *dir, struct err *err)
{
	char key[PATH_MAX], cert[PATH_MAX];
	struct dirent **names;
	int count = scandir(dir, &names, is_name, NULL);

	if (count < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "%s", dir);
	free_names(names, count);
	if (count == 0)
		return 0;
	if (root_paths(key, cert, dir, err) != 0)
		return -1;
	if (access(key, F_OK) == 0 && access(cert, F_OK) == 0)
		return 1;
	return err_set(err, ERR_EXISTS,
		"%s: not empty: the fleet's keys need a folder of their own (--keys DIR)", dir);
}

int ui_keys_make(const char *dir, const char *label, const char *to, const struct pass *pass,
	struct err *err)
{
	char root[PATH_MAX], cert[PATH_MAX], path[PATH_MAX], public[PATH_MAX];
	struct key_secret key = {0};
	int ret = -1;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "%s", dir);
	if (ui_keys_look(dir, err) < 0 || root_paths(root, cert, dir, err) != 0 ||
		rpc_ca_make(root, cert, label, pass, err) != 0 ||
		ui_path(path, dir, "backup.key", err) != 0 ||
		ui_path(public, dir, "backup.key.pub", err) != 0)
		return -1;
	if (to != NULL)
		ret = key_public_load(to, &key.half, err);
	else if (key_make(false, &key, err) == 0)
		ret = key_secret_save(path, &key, pass, err);
	if (ret == 0)
		ret = key_public_save(public, &key.half, err);
	key_secret_wipe(&key);
	return ret;
}

/* --- opening ---------------------------------------------------------------- */

static int digest_public(struct ui_keys *keys, const char *dir, struct err *err)
{
	char path[PATH_MAX], text[RPC_RECIPIENTS_MAX][RPC_RECIPIENT_LEN_MAX];
	struct cbormap_blob files[RPC_RECIPIENTS_MAX];
	struct dirent **names;
	int i, count = scandir(dir, &names, is_public, alphasort), ret = 0;

	if (count < 0)
		return err_errno(err, errno, "%s", dir);
	if (count > RPC_RECIPIENTS_MAX)
		ret = err_set(
			err, ERR_LIMIT, "%s: more than %d public keys", dir, RPC_RECIPIENTS_MAX);
	for (i = 0; i < count && ret == 0; i++) {
		files[i].bytes = text[i];
		ret = ui_path(path, dir, names[i]->d_name, err) == 0
			      ? file_read(path, text[i], sizeof text[i], &files[i].len, NULL, err)
			      : -1;
	}
	free_names(names, count);
	return ret == 0 ? rpc_recipients_digest(keys->recipients, files, (size_t)count, err) : -1;
}

int ui_keys_ask(const char *dir, const char *passphrase_file, struct pass *pass, struct err *err)
{
	char key[PATH_MAX], cert[PATH_MAX];
	struct rpc_ca *root;

	if (root_paths(key, cert, dir, err) != 0 || pass_ask(passphrase_file, key, pass, err) != 0)
		return -1;
	root = rpc_ca_open(key, cert, ui_keys_known, (const void *)pass, err);
	rpc_ca_close(root);
	return root != NULL ? 0 : -1;
}

int ui_keys_open(
	struct ui_keys *keys, const char *dir, const char *passphrase_file, struct err *err)
{
	char key[PATH_MAX], cert[PATH_MAX];
	struct buf der;
	int ret;

	memset(keys, 0, sizeof *keys);
	if (root_paths(key, cert, dir, err) != 0)
		return -1;
	if (access(key, F_OK) != 0)
		return err_errno(err, errno,
			"%s: expected the folder with the fleet's keys that 'fdump setup' made "
			"(--keys DIR)",
			key);
	if (digest_public(keys, dir, err) != 0)
		return -1;
	buf_init(&der, RPC_CA_DER_MAX);
	ret = rpc_ca_der(cert, &der, keys->fingerprint, err);
	buf_fini(&der);
	if (ret != 0)
		return -1;
	keys->root = rpc_ca_open(key, cert, pass_ask, passphrase_file, err);
	return keys->root != NULL ? 0 : -1;
}

void ui_keys_close(struct ui_keys *keys)
{
	rpc_ca_close(keys->root);
	keys->root = NULL;
}

int ui_keys_known(const char *ctx, const char *path, struct pass *pass, struct err *err)
{
	(void)path, (void)err;
	memcpy(pass, ctx, sizeof *pass);
	return 0;
}
