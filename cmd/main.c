/*
 * FDump: one executable, many commands.
 *
 * The command is part of the name by which the program is called ("fdump-pack", a link), or else
 * the first argument ("fdump pack").
 *
 * A map of the source
 *   lib/   what every part uses: errors, buffers, CBOR, hashing, sealing, ...
 *   pack/  the archive format: blocks, writer, reader, scanner, extractor
 *   cron/  the vixie-cron interpreter
 *   rpc/   RPC+BLOB over mutual TLS
 *   cmd/   this file; a file for each small command, a folder for each role
 */
#include <errno.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/command.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "rpc/tls.h"

/* Reports an unknown command. Other programs have other names for some of ours. Returns the exit
 * status. */
static int unknown(const char *name)
{
	static const char *const others[][2] = {{"check", "verify"}, {"compact", "store gc"},
		{"create", "backup"}, {"delete", "forget"}, {"extract", "restore"},
		{"init", "store init"}, {"ls", "files"}, {"mount", "restore"},
		{"prune", "forget' and 'fdump store gc"}, {"snapshots", "dumps"}};
	size_t i;

	for (i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(name, others[i][0]) == 0) {
			ui_say(NULL, "unknown command '%s'. Perhaps 'fdump %s'?", name,
				others[i][1]);
			return UI_FAILED;
		}
	ui_say(NULL, "unknown command '%s'. Try 'fdump --help'.", name);
	return UI_FAILED;
}

static void help(FILE *to)
{
	const struct ui_command *const *c;

	fputs("FDump - networked file backup\n\n"
	      "usage: fdump COMMAND [options] [arguments]\n"
	      "       fdump COMMAND --help\n\n"
	      "commands:\n",
		to);
	for (c = cmd_all; *c != NULL; c++)
		fprintf(to, "  %-8s %s\n", (*c)->name, (*c)->summary);
	fputs("\nA link named fdump-COMMAND to this program runs that command.\n", to);
}

/* Returns the exit status. */
static int run(const struct ui_command *c, int argc, char **argv)
{
	struct ui_options *o = c->own;
	struct err err = {0};
	int status, failed;

	ui_report_start(c->name);
	ui_result_json(ui_fail_wants_json(argc, argv) ? stdout : NULL);
	status = ui_options_parse(c, argc, argv);
	if (status < 0) {
		ui_result_json(o->json ? stdout : NULL); /* the word may have been a value */
		if (hash_crypto_init(&err) == 0)
			status = (c->run != NULL ? c->run : o->verb->run)(o, &err);
		if (status < 0)
			status = ui_fail(&err);
	}
	ui_options_fini(o);
	/* Output that can't be written is a failure of the command. */
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		err_errno(&err, errno != 0 ? errno : EIO, "standard output");
		failed = ui_fail(&err);
		status = status < UI_FAILED ? failed : status;
	}
	ui_fail_end(status);
	return status;
}

/* Prints the version, and what does AES-GCM for TLS, because mbedTLS's own is slow. Returns the
 * exit status. */
static int version(void)
{
	struct err err = {0};
	const char *gcm = hash_crypto_init(&err) == 0 ? rpc_tls_gcm(&err) : NULL;

	if (gcm == NULL)
		return ui_fail(&err);
	printf("fdump " FDUMP_VERSION "\nTLS: AES-GCM by %s\n", gcm);
	return UI_OK;
}

int main(int argc, char **argv)
{
	const char *self = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const struct ui_command *c;
	bool wants_help;

	signal(SIGPIPE, SIG_IGN); /* a broken pipe is an error of write */
	signal(SIGUSR1, SIG_IGN); /* asks for progress; most commands have none */
	signal(SIGXFSZ, SIG_IGN); /* a file over the size limit is an error of write, too */
	cmd_guard();
	fs_raise_file_limit();
	self = self != NULL ? self + 1 : argc > 0 ? argv[0] : "fdump";
	if (strncmp(self, "fdump-", 6) == 0 && (c = cmd_named(self + 6)) != NULL)
		return run(c, argc, argv);
	if (argc < 2) {
		help(stderr);
		return UI_FAILED;
	}
	wants_help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		     strcmp(argv[1], "help") == 0;
	if (wants_help && argc == 2) {
		help(stdout);
		return UI_OK;
	}
	if (strcmp(argv[1], "--version") == 0)
		return version();
	if (strcmp(argv[1], "completion") == 0)
		return run(&cmd_completion, argc - 1, argv + 1);
	c = cmd_named(argv[wants_help ? 2 : 1]);
	if (c == NULL)
		return unknown(argv[wants_help ? 2 : 1]);
	if (wants_help) {
		ui_command_help(c, stdout);
		return UI_OK;
	}
	return run(c, argc - 1, argv + 1);
}
