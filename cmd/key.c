/*
 * fdump key: make, show, print and take back keys. Keys themselves are
 * lib/key, their paper form lib/paper; this file has options and words.
 */
#include "cmd/cmd.h"
#include "cmd/ui/report.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ui/options.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "lib/key.h"
#include "lib/paper.h"
#include "lib/pass.h"

#define NAME "key"

struct options {
	const char *file;
	const char *pass_file; /* NULL: the terminal */
	bool no_pass, shared, json;
};

static void help(void)
{
	fputs("usage: fdump key new [--no-passphrase | --passphrase-file F] [--shared] FILE\n"
	      "       fdump key public [--passphrase-file F] FILE\n"
	      "       fdump key show FILE\n"
	      "       fdump key export FILE\n"
	      "       fdump key import [--passphrase-file F] FILE\n\n"
	      "A key has two halves: with the public half (FILE.pub) data are sealed, with the\n"
	      "secret half (FILE) they are opened. Who loses the secret half loses the data.\n\n"
	      "  new     makes a key: the secret half in FILE, the public half in FILE.pub\n"
	      "  public  prints the public half of the secret half in FILE\n"
	      "  show    tells what FILE, either half, is\n"
	      "  export  prints the secret half in a form for paper, protected as FILE is\n"
	      "  import  reads that form from standard input, writes FILE and FILE.pub\n\n"
	      "      --no-passphrase      FILE is not protected by a passphrase\n"
	      "      --passphrase-file F  take the passphrase from the first line of F\n"
	      "      --shared             agents that seal to this key share their chunks:\n"
	      "                           FILE.pub carries a secret, and is to be kept so\n"
	      "      --json               one JSON object a line (new, show, import)\n"
	      "  -h, --help               this text\n\n"
	      "Exit status: 0 done, 2 failed or wrong usage, 3 a file is open to others, is no\n"
	      "key, or damaged, 5 what is typed for import is, 6 wrong passphrase, 7 no space.\n",
		stdout);
}

/* Standard output is only good when it is out. */
static int flushed(void)
{
	struct err err;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return UI_OK;
	err_errno(&err, errno, "standard output");
	return ui_fail(NAME, &err);
}

/* The name of the public half: FILE.pub. The caller frees it. */
static char *public_path(const char *file, struct err *err)
{
	char *path;

	if (asprintf(&path, "%s.pub", file) >= 0)
		return path;
	err_set(err, ERR_NOMEM, "%s: out of memory", file);
	return NULL;
}

static int show_json(const char *id, unsigned kind, struct err *err)
{
	json_t *json = json_pack("{ss ss ss sb sb}", "type", "key", "id", id, "half",
		kind & KEY_SECRET ? "secret" : "public", "shared", (kind & KEY_SHARED) != 0,
		"protected", (kind & KEY_PROTECTED) != 0);
	int ret = -1;

	if (json == NULL || json_dumpf(json, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) != 0)
		err_set(err, ERR_NOMEM, "JSON: out of memory");
	else
		ret = putchar('\n') == EOF ? -1 : 0;
	json_decref(json);
	return ret;
}

/* Looks before a person types something that would then be of no use. */
static int check_free(const char *path, struct err *err)
{
	if (access(path, F_OK) != 0)
		return 0;
	return err_set(err, ERR_EXISTS, "%s: is there already, and is not replaced", path);
}

/* Writes both halves, or none. file is the secret one. */
static int save_both(const char *path, const struct key_file *file, const struct key_public *half,
	struct err *err)
{
	char *public = public_path(path, err);
	int ret = -1;

	if (public == NULL)
		return -1;
	if (check_free(public, err) == 0 && key_file_save(path, file, err) == 0) {
		ret = key_public_save(public, half, err);
		if (ret != 0)
			unlink(path); /* nothing has been sealed to it yet */
	}
	free(public);
	return ret;
}

/* What was made: for a person, or as JSON. */
static int report(const struct options *opt, const char *done, const struct key_file *file,
	const struct key_public *half, struct err *err)
{
	char id[KEY_ID_TEXT], shown[ESC_MAX(4096)];

	key_id_text(half->id, id);
	esc_name(shown, sizeof shown, opt->file, strlen(opt->file));
	if (opt->json)
		return show_json(id, file->kind, err);
	printf("%s key %s\n  secret half  %s  opens; keep it safe, and a copy elsewhere\n"
	       "  public half  %s.pub  seals%s\n",
		done, id, shown, shown,
		half->has_shared ? "; holds the common secret: keep it private" : "");
	return 0;
}

static int run_new(const struct options *opt, struct err *err)
{
	struct pass pass = {0};
	struct key_secret key = {0};
	struct key_file file = {0};
	struct err why;
	int ret = -1;

	if (check_free(opt->file, err) != 0)
		return -1;
	if (!opt->no_pass && pass_ask_new(opt->pass_file, opt->file, &pass, err) != 0) {
		why = *err;
		if (opt->pass_file == NULL && why.code == ERR_USAGE) /* there is none */
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

/* The public half of a file; only a protected and shared one is unlocked. */
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

/* Loads a secret half; names what is wanted if it is a public one. */
static int load_secret(const char *path, struct key_file *file, struct err *err)
{
	if (key_file_load(path, file, err) != 0)
		return -1;
	if (file->kind & KEY_SECRET)
		return 0;
	return err_set(err, ERR_CONFIG, "%s: is a public half; this wants the secret half", path);
}

static int run_public(const struct options *opt, struct err *err)
{
	struct key_file file = {0};
	struct key_public half = {0};
	char text[KEY_TEXT_MAX] = "";
	int ret = -1;

	if (load_secret(opt->file, &file, err) == 0 && half_of(opt, &file, &half, err) == 0) {
		key_file_of_public(&file, &half);
		key_file_text(&file, text);
		ret = fputs(text, stdout) < 0 ? -1 : 0;
		if (half.has_shared)
			fputs("fdump key: this public half holds the common secret of a shared "
			      "key: keep it in a file of mode 0600\n",
				stderr);
	}
	key_public_wipe(&half);
	seal_wipe(&file, sizeof file);
	seal_wipe(text, sizeof text);
	return ret;
}

static int run_show(const struct options *opt, struct err *err)
{
	uint8_t id[KEY_ID_LEN];
	char text[KEY_ID_TEXT];
	struct key_file file;
	unsigned kind;

	if (key_file_load(opt->file, &file, err) != 0)
		return -1;
	key_id(file.public, id);
	key_id_text(id, text);
	kind = file.kind;
	seal_wipe(&file, sizeof file);
	if (opt->json)
		return show_json(text, kind, err);
	printf("key        %s\nhalf       %s\nshared     %s\n", text,
		kind & KEY_SECRET ? "secret" : "public", kind & KEY_SHARED ? "yes" : "no");
	if (kind & KEY_SECRET)
		printf("protected  %s\n",
			kind & KEY_PROTECTED ? "yes, by a passphrase" : "no, by no passphrase");
	return 0;
}

static int run_export(const struct options *opt, struct err *err)
{
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

/* All of standard input, up to cap bytes. */
static int read_input(char *text, size_t cap, size_t *len, struct err *err)
{
	*len = fread(text, 1, cap, stdin);
	if (ferror(stdin))
		return err_errno(err, errno, "standard input");
	if (*len == cap)
		return err_set(err, ERR_FORMAT, "standard input: is no key on paper: too long");
	return 0;
}

static int run_import(const struct options *opt, struct err *err)
{
	struct key_file file = {0};
	struct key_public half = {0};
	char text[PAPER_READ_MAX];
	size_t len;
	int ret = -1;

	if (check_free(opt->file, err) != 0)
		return -1;
	if (isatty(STDIN_FILENO))
		fputs("Type the numbered lines; end with Ctrl-D on a line of its own.\n", stderr);
	if (read_input(text, sizeof text, &len, err) != 0)
		goto out;
	if (paper_get(&file, text, len, err) != 0) {
		err_prefix(err, "standard input");
		goto out;
	}
	if (!(file.kind & KEY_SECRET)) {
		err_set(err, ERR_FORMAT, "standard input: is a public half, no key");
		goto out;
	}
	if (half_of(opt, &file, &half, err) == 0 && save_both(opt->file, &file, &half, err) == 0)
		ret = report(opt, "Took back", &file, &half, err);
out:
	seal_wipe(text, sizeof text);
	seal_wipe(&file, sizeof file);
	key_public_wipe(&half);
	return ret;
}

static const struct verb {
	const char *name;
	int (*run)(const struct options *opt, struct err *err);
	const char *takes; /* its options: p passphrase file, n none, s shared, j JSON */
} verbs[] = {
	{"new", run_new, "pnsj"},
	{"public", run_public, "p"},
	{"show", run_show, "j"},
	{"export", run_export, ""},
	{"import", run_import, "pj"},
};

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* Returns 0, or -1 after having said what is wrong. */
static int get_options(int argc, char **argv, const struct verb *verb, struct options *opt)
{
	static const struct option longs[] = {
		{"passphrase-file", required_argument, NULL, 'p'},
		{"no-passphrase", no_argument, NULL, 'n'},
		{"shared", no_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	uint64_t seen = 0;
	int c;

	*opt = (struct options){0};
	opterr = 0;
	optind = 0; /* as GNU has it: start afresh */
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (c == ':')
			return ui_usage(NAME, "%s needs a value", argv[optind - 1]), -1;
		if (ui_options_once(NAME, &seen, longs, c) >= 0)
			return -1;
		if (c == 'j' && strchr(verb->takes, c) == NULL)
			ui_fail_json(NULL);
		if (c == '?' || strchr(verb->takes, c) == NULL)
			return ui_usage(
				       NAME, "%s has no option '%s'", verb->name, argv[optind - 1]),
			       -1;
		opt->pass_file = c == 'p' ? optarg : opt->pass_file;
		opt->no_pass |= c == 'n';
		opt->shared |= c == 's';
		opt->json |= c == 'j';
	}
	if (opt->no_pass && opt->pass_file != NULL)
		return ui_usage(NAME, "--no-passphrase and --passphrase-file exclude each other"),
		       -1;
	if (argc - optind != 1)
		return ui_usage(NAME, "%s takes one FILE", verb->name), -1;
	opt->file = argv[optind];
	return ui_options_path(NAME, opt->file) < 0 ? 0 : -1;
}

int cmd_key(int argc, char **argv)
{
	const struct verb *verb;
	struct options opt;
	struct err err = {0};
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			help();
			return flushed();
		}
	if (argc < 2)
		return ui_usage(NAME, "say what to do: new, public, show, export, import");
	verb = find_verb(argv[1]);
	if (verb == NULL)
		return ui_usage(NAME, "'%s' is nothing that it does", argv[1]);
	if (get_options(argc - 1, argv + 1, verb, &opt) != 0)
		return UI_FAILED;
	if (hash_crypto_init(&err) != 0)
		return ui_fail(NAME, &err);
	if (strcmp(verb->name, "show") == 0)
		ui_pipe_ends(UI_OK);
	if (verb->run(&opt, &err) != 0 && err.code != ERR_NONE)
		return ui_fail(NAME, &err);
	return flushed();
}
