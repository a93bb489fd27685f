/* fdump export: a dump as an ordinary pack. */
#include <errno.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/dump.h"
#include "cmd/output.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"

static const char help[] =
	"usage: fdump export -s STORE... [options] DUMP [PATH...]\n"
	"\n"
	"Writes a dump as a pack, which fdump unpack, list, cat, verify and diff read.\n"
	"The pack is not sealed. DUMP: see fdump restore.\n"
	"\n"
	"  -s, --store STORE        directory of a store (repeatable)\n"
	"  -f, --file FILE          write to FILE ('-': standard output, the default)\n"
	"  -X, --exclude-from FILE  leave out what matches the patterns in FILE\n"
	"      --exclude PATTERN    leave out what matches (as in .gitignore)\n"
	"      --key FILE           a secret key, for a sealed dump (repeatable)\n"
	"      --passphrase-file FILE  the passphrase of the key\n"
	"      --threads N          default: the number of processors\n"
	"\n"
	"Exit status: 0 complete; 2 failed; 5 damage found; 6 wrong key; 7 no space.\n";

static int sink(void *ctx, const void *head, size_t head_len, const void *body, size_t body_len,
	struct err *err)
{
	struct cmd_output *out = ctx;

	if (fs_write_two(out->fd, head, head_len, body, body_len) != 0)
		return err_errno(err, errno, "write %s", out->name != NULL ? out->name : "output");
	return 0;
}

static bool selected(void *ctx, const uint8_t *path, size_t len, bool is_dir)
{
	struct cmd_dump *d = ctx;

	return cmd_select_test(&d->o->select, path, len, is_dir);
}

static int export(struct cmd_options *o, const char *dump, struct err *err)
{
	struct cmd_dump d = {.source = NULL};
	struct cmd_output out = {.fd = -1, .dir = -1};
	struct agent_replay_options replay = {
		.threads = o->threads,
		.sink = sink,
		.sink_ctx = &out,
		.selected = selected,
		.lost = cmd_dump_lost,
		.ctx = &d,
	};
	struct agent_replayed result = {.lost = 0};
	int got = -1;

	if (cmd_dump_open(&d, o, dump, err) == 0 && cmd_output_open(&out, o->file, err) == 0) {
		replay.source = d.source;
		got = agent_replay(&replay, &result, err);
	}
	if (got == 0)
		got = cmd_output_commit(&out, err);
	cmd_output_drop(&out);
	cmd_dump_close(&d);
	if (got != 0)
		return cmd_fail("export", err);
	return result.lost > 0                              ? CMD_DAMAGE
	       : cmd_select_unmet(&o->select, "export") > 0 ? CMD_FAILED
							    : CMD_OK;
}

int cmd_export(int argc, char **argv)
{
	struct cmd_options o = {.command = "export", .help = help, .shared = "sSfXT0tkp"};
	struct err err = {0};
	const char *dump;
	int status = cmd_options_parse(&o, argc, argv);

	if (status >= 0)
		goto out;
	if (optind == argc) {
		status = cmd_usage("export", "no DUMP given (fdump dumps lists them)");
		goto out;
	}
	dump = argv[optind++];
	if ((status = cmd_options_paths(&o, argc, argv)) >= 0)
		goto out;
	status = hash_crypto_init(&err) == 0 ? export(&o, dump, &err) : cmd_fail("export", &err);
out:
	cmd_options_fini(&o);
	return status;
}
