/*
 * FDump: one executable, many commands.
 *
 * The command is the name it is called by ("fdump-pack", as a link), else the
 * first argument ("fdump pack").
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
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "rpc/tls.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{"pack", cmd_pack, "pack trees of files into one file or stream"},
	{"unpack", cmd_unpack, "unpack a pack, each file proved first"},
	{"list", cmd_list, "list what is in a pack"},
	{"cat", cmd_cat, "write the content of one file in a pack"},
	{"verify", cmd_verify, "prove every byte of packs, say what is lost"},
	{"diff", cmd_diff, "compare a pack with the live tree"},
	{"key", cmd_key, "make, show, print and take back keys"},
	{"store", cmd_store, "make a store of backups, look after it"},
	{"backup", cmd_backup, "keep trees of files in stores, as a new dump"},
	{"dumps", cmd_dumps, "list the dumps in stores"},
	{"files", cmd_files, "list the files in a dump"},
	{"find", cmd_find, "look for files in all dumps"},
	{"restore", cmd_restore, "bring files of a dump back, each proved first"},
	{"forget", cmd_forget, "delete the dumps that no rule keeps"},
	{"export", cmd_export, "write a dump as a pack"},
	{"setup", cmd_setup, "make this machine the first of a fleet"},
	{"token", cmd_token, "let a machine or a person join the fleet"},
	{"join", cmd_join, "join a fleet by a token"},
	{"status", cmd_status, "the fleet on one screen: what failed, is late, comes next"},
	{"hosts", cmd_hosts, "list who has joined the fleet"},
	{"runs", cmd_runs, "list what agents did"},
	{"run", cmd_run, "have agents run a job now"},
	{"revoke", cmd_revoke, "refuse a machine or a person from now on"},
	{"agent", cmd_agent, "the agent service: backs up by the managers' plan"},
	{"manager", cmd_manager, "the manager service; check its configuration"},
	{"cron", cmd_cron, "when a schedule is due, and what it means"},
	{NULL, NULL, NULL},
};

static const struct command *find(const char *name)
{
	const struct command *c;

	for (c = commands; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static void help(FILE *to)
{
	const struct command *c;

	fputs("FDump - networked file backup\n\n"
	      "usage: fdump COMMAND [options] [arguments]\n"
	      "       fdump COMMAND --help\n\n"
	      "commands:\n",
		to);
	for (c = commands; c->name != NULL; c++)
		fprintf(to, "  %-8s %s\n", c->name, c->summary);
	fputs("\nA link named fdump-COMMAND to this program runs that command.\n", to);
}

/* What a command printed is part of what it does. Returns the exit status. */
static int run(const struct command *c, int argc, char **argv)
{
	struct err err = {0};
	int status;

	if (ui_fail_wants_json(argc, argv))
		ui_fail_json(stdout);
	status = c->run(argc, argv);
	if ((ferror(stdout) != 0 || fflush(stdout) != 0) && status < UI_FAILED) {
		err_errno(&err, errno != 0 ? errno : EIO, "standard output");
		status = ui_fail(c->name, &err);
	}
	ui_fail_end(status);
	return status;
}

/* With what encrypts the network: mbedTLS's own is slow. Returns the exit status. */
static int version(void)
{
	struct err err = {0};
	const char *gcm = hash_crypto_init(&err) == 0 ? rpc_tls_gcm(&err) : NULL;

	if (gcm == NULL)
		return ui_fail(NULL, &err);
	printf("fdump " FDUMP_VERSION "\nTLS: AES-GCM by %s\n", gcm);
	return UI_OK;
}

int main(int argc, char **argv)
{
	const char *self = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const struct command *c;

	signal(SIGPIPE, SIG_IGN); /* a broken pipe is an error of write */
	signal(SIGUSR1, SIG_IGN); /* asks for progress, where there is some to tell */
	signal(SIGXFSZ, SIG_IGN); /* so is a limit on the size of files */
	cmd_guard();
	fs_raise_file_limit();
	self = self != NULL ? self + 1 : argc > 0 ? argv[0] : "fdump";
	if (strncmp(self, "fdump-", 6) == 0 && (c = find(self + 6)) != NULL)
		return run(c, argc, argv);
	if (argc < 2) {
		help(stderr);
		return UI_FAILED;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		help(stdout);
		return UI_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		return version();
	}
	c = find(argv[1]);
	if (c == NULL) {
		ui_say(NULL, "'%s' is no command. Try 'fdump --help'.", argv[1]);
		return UI_FAILED;
	}
	return run(c, argc - 1, argv + 1);
}
