/*
 * fdump key: makes, shows, prints and restores keys. lib/key has the keys, lib/paper their form on
 * paper; this file has the options and the output.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/key.h"
#include "lib/paper.h"
#include "lib/pass.h"

struct options {
	struct ui_options o;
	const char *file;
	const char *pass_file; /* NULL: the terminal */
	bool no_pass, shared;
};

#define KEY_FIELDS(kind)                                                                           \
	UI_STRING("half", (kind)&KEY_SECRET ? "secret" : "public"),                                \
		UI_BOOL("shared", ((kind)&KEY_SHARED) != 0),                                       \
		UI_BOOL("protected", ((kind)&KEY_PROTECTED) != 0)

/* Checks that the file does not exist yet, before the user types something in vain. */
static int check_free(const char *path, struct err *err)
{
	if (access(path, F_OK) != 0)
		return 0;
	return err_set(err, ERR_EXISTS, "%s: already exists; not overwritten", path);
}

/* Writes both halves, or neither. file: the secret half. */
static int save_both(const char *path, const struct key_file *file, const struct key_public *half,
	struct err *err)
{
	char *public;
	int ret = -1;

	if (asprintf(&public, "%s.pub", path) < 0)
		return err_set(err, ERR_NOMEM, "%s: out of memory", path);
	if (check_free(public, err) == 0 && key_file_save(path, file, err) == 0) {
		ret = key_public_save(public, half, err);
		if (ret != 0)
			unlink(path); /* nothing has been sealed to it yet */
	}
	free(public);
	return ret;
}

/* Prints the key that was made, for a person or as JSON. */
static int report(const struct options *opt, const char *done, const struct key_file *file,
	const struct key_public *half, struct err *err)
{
	char id[KEY_ID_TEXT], shown[ESC_MAX(4096)];

	key_id_text(half->id, id);
	esc_name(shown, sizeof shown, opt->file, strlen(opt->file));
	return ui_result("key", id, (struct ui_field[]){KEY_FIELDS(file->kind), {0}}, err,
		"%s key %s\n  secret half  %s  opens; keep it safe, and a copy elsewhere\n"
		"  public half  %s.pub  seals%s\n",
		done, id, shown, shown,
		half->has_shared ? "; holds the common secret: keep it private" : "");
}

static int run_new(void *own, struct err *err)
{
	const struct options *opt = own;
	struct pass pass = {0};
	struct key_secret key = {0};
	struct key_file file = {0};
	struct err why;
	int ret = -1;

	if (check_free(opt->file, err) != 0)
		return -1;
	if (!opt->no_pass && pass_ask_new(opt->pass_file, opt->file, &pass, err) != 0) {
		why = *err;
		if (opt->pass_file == NULL && why.code == ERR_USAGE) /* no terminal, or empty */
			err_set(err, ERR_USAGE, "%s; --no-passphrase makes a key that needs none",
				why.message);
		goto out;
	}
	if (key_make(opt->shared, &key, err) != 0 ||
		key_file_of_secret(&file, &key, opt->no_pass ? NULL : &pass, err) != 0 ||
		save_both(opt->file, &file, &key.half, err) != 0)
		goto out;
	ret = report(opt, "Made", &file, &key.half, err);
out:
	pass_wipe(&pass);
	key_secret_wipe(&key);
	seal_wipe(&file, sizeof file);
	return ret;
}

/* Gets the public half of a key file. Only a key that is protected and shared has to be unlocked
 * for that. */
static int half_of(const struct options *opt, const struct key_file *file, struct key_public *half,
	struct err *err)
{
	struct key_secret key = {0};
	struct pass pass = {0};
	bool locked = file->kind & KEY_PROTECTED;
	int ret = 0;

	memset(half, 0, sizeof *half);
	if (locked && !(file->kind & KEY_SHARED)) {
		memcpy(half->public, file->public, KEY_LEN);
		key_id(half->public, half->id);
		return 0;
	}
	if (locked)
		ret = pass_ask(opt->pass_file, opt->file, &pass, err);
	if (ret == 0 && (ret = key_file_unlock(file, locked ? &pass : NULL, &key, err)) != 0)
		err_prefix(err, "%s", opt->file);
	*half = key.half;
	pass_wipe(&pass);
	key_secret_wipe(&key);
	return ret;
}

/* Loads a secret half. A public half is an error, which says what is expected. */
static int load_secret(const char *path, struct key_file *file, struct err *err)
{
	if (key_file_load(path, file, err) != 0)
		return -1;
	if (file->kind & KEY_SECRET)
		return 0;
	return err_set(err, ERR_CONFIG, "%s: a public half; expected the secret half", path);
}

static int run_public(void *own, struct err *err)
{
	const struct options *opt = own;
	struct key_file file = {0};
	struct key_public half = {0};
	char text[KEY_TEXT_MAX] = "";
	int ret = -1;

	if (load_secret(opt->file, &file, err) == 0 && half_of(opt, &file, &half, err) == 0) {
		key_file_of_public(&file, &half);
		key_file_text(&file, text);
		fputs(text, stdout);
		if (half.has_shared)
			fputs("fdump key: this public half holds the common secret of a shared "
			      "key: keep it in a file of mode 0600\n",
				stderr);
		ret = 0;
	}
	key_public_wipe(&half);
	seal_wipe(&file, sizeof file);
	seal_wipe(text, sizeof text);
	return ret;
}

static int run_show(void *own, struct err *err)
{
	const struct options *opt = own;
	uint8_t id[KEY_ID_LEN];
	char text[KEY_ID_TEXT];
	struct key_file file;
	unsigned kind;

	ui_pipe_ends(UI_OK);
	if (key_file_load(opt->file, &file, err) != 0)
		return -1;
	key_id(file.public, id);
	key_id_text(id, text);
	kind = file.kind;
	seal_wipe(&file, sizeof file);
	return ui_result("key", text, (struct ui_field[]){KEY_FIELDS(kind), {0}}, err,
		"key        %s\nhalf       %s\nshared     %s\n%s%s", text,
		kind & KEY_SECRET ? "secret" : "public", kind & KEY_SHARED ? "yes" : "no",
		kind & KEY_SECRET ? "protected  " : "",
		!(kind & KEY_SECRET)   ? ""
		: kind & KEY_PROTECTED ? "yes, by a passphrase\n"
				       : "no\n");
}

static int run_export(void *own, struct err *err)
{
	const struct options *opt = own;
	uint8_t id[KEY_ID_LEN];
	char text[PAPER_MAX], id_text[KEY_ID_TEXT];
	struct key_file file = {0};

	if (load_secret(opt->file, &file, err) != 0)
		return -1;
	key_id(file.public, id);
	key_id_text(id, id_text);
	paper_put(&file, text);
	printf("# FDump key %s, secret half, %s\n"
	       "# To get it back, type these lines into 'fdump key import FILE'.\n%s",
		id_text, file.kind & KEY_PROTECTED ? "under its passphrase" : "no passphrase",
		text);
	seal_wipe(&file, sizeof file);
	seal_wipe(text, sizeof text);
	return 0;
}

static int run_import(void *own, struct err *err)
{
	const struct options *opt = own;
	struct key_file file = {0};
	struct key_public half = {0};
	char text[PAPER_READ_MAX];
	size_t len;
	int ret = -1;

	if (check_free(opt->file, err) != 0)
		return -1;
	if (isatty(STDIN_FILENO))
		fputs("Type the numbered lines; end with Ctrl-D on a line of its own.\n", stderr);
	len = fread(text, 1, sizeof text, stdin);
	if (ferror(stdin))
		err_errno(err, errno, "standard input");
	else if (len == sizeof text)
		err_set(err, ERR_FORMAT, "standard input: too long for a key on paper");
	else if (paper_get(&file, text, len, err) != 0)
		err_prefix(err, "standard input");
	else if (!(file.kind & KEY_SECRET))
		err_set(err, ERR_FORMAT, "standard input: a public half; expected a secret half");
	else if (half_of(opt, &file, &half, err) == 0 &&
		 save_both(opt->file, &file, &half, err) == 0)
		ret = report(opt, "Took back", &file, &half, err);
	seal_wipe(text, sizeof text);
	seal_wipe(&file, sizeof file);
	key_public_wipe(&half);
	return ret;
}

static struct options key_options;

static int run(void *own, struct err *err)
{
	struct options *opt = own;

	opt->file = opt->o.args[0];
	if (opt->no_pass && opt->pass_file != NULL)
		return ui_usage("--no-passphrase and --passphrase-file exclude each other");
	return opt->o.verb->run(opt, err);
}

static const struct ui_verb verbs[] = {
	{"new", "FILE", "make a key: the secret half in FILE, the public half in FILE.pub",
		run_new},
	{"public", "FILE", "print the public half of the secret half in FILE", run_public},
	{"show", "FILE", "say what FILE, either half, is", run_show},
	{"export", "FILE", "print the secret half in a form for paper, protected as FILE is",
		run_export},
	{"import", "FILE", "read that form from standard input, write FILE and FILE.pub",
		run_import},
	{0},
};

static const struct ui_option options[] = {
	{0, "no-passphrase", UI_FLAG, "FILE is not protected by a passphrase",
		UI_AT(struct options, no_pass), .verbs = "new"},
	{0, "shared", UI_FLAG,
		"agents that encrypt to this key share their chunks: FILE.pub carries a secret, "
		"and must be kept as one",
		UI_AT(struct options, shared), .verbs = "new"},
	{0, "passphrase-file", UI_FILE, "read the passphrase from the first line of F",
		UI_AT(struct options, pass_file), .value = "F", .verbs = "new public import"},
	{.shared = "j", .verbs = "new show import"},
	{0},
};

const struct ui_command cmd_key = {
	.name = "key",
	.summary = "make, show, print and restore keys",
	.about = "A key has two halves: with the public half (FILE.pub) data are sealed, with "
		 "the secret half (FILE) they are opened. If the secret half is lost, so are the "
		 "data.",
	.verbs = verbs,
	.options = options,
	.exits =
		"0 done; 2 failed or wrong usage; 3 a file is accessible to others, damaged, or "
		"not a key; 5 what is typed for import is damaged; 6 wrong passphrase; 7 no space.",
	.own = &key_options,
	.run = run,
};
