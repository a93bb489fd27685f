/* fdump verify: every block, every file's checksum, and what is lost. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/check.h"
#include "cmd/cmd.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "pack/follow.h"
#include "pack/load.h"
#include "pack/read.h"

/* One FILE under way. Problems and entries come from two stages of the
 * reader, perhaps at the same time: neither touches what the other has. */
struct verify {
	struct ui_options *o;
	const char *file;
	char *shown; /* the same, escaped */
	struct pack_follow follow;
	struct err print; /* of a problem that could not be printed */
};

/* Begins a line of JSON. */
static json_t *line(const struct verify *v, const char *type, const char *id, int *failed)
{
	json_t *json = ui_json_new(type, id);

	*failed |= ui_json_name(json, "file", v->file, strlen(v->file));
	return json;
}

/* --- problems ----------------------------------------------------------- */

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	static const char *const ids[] = {"verify.block", "verify.entry", "verify.end"};
	struct verify *v = ctx;

	ui_problem(&(struct ui_problem){.command = "verify",
			   .id = ids[kind],
			   .json = v->o->json ? stdout : NULL,
			   .output = true,
			   .file = v->file,
			   .has_offset = true,
			   .offset = offset,
			   .path = path,
			   .what = what},
		&v->print);
}

/* --- entries ------------------------------------------------------------ */

static int entry_json(struct verify *v, const struct pack_head *head, const struct pack_tail *tail,
	struct err *err)
{
	int failed = 0;
	bool ok = tail->status == PACK_OK;
	json_t *json =
		line(v, ok ? "entry" : "note", ok ? "verify.good" : "verify.status", &failed);
	char text[UI_SHOW_STATUS_MAX];

	ui_show_status(text, tail);
	failed |= ui_json_name(json, "path", head->path.at, head->path.len);
	failed |= ui_json_add(json, "status", json_string(pack_status_name(tail->status)));
	if (!ok)
		failed |= ui_json_add(json, "what", json_string(text));
	return ui_json_print(json, failed, err);
}

static int on_entry(void *ctx, const struct pack_followed *entry, struct err *err)
{
	struct verify *v = ctx;
	const struct pack_tail *tail = entry->tail;
	char text[UI_SHOW_STATUS_MAX], *name;

	if (entry->verdict != PACK_GOOD || (tail->status == PACK_OK && !v->o->verbose))
		return 0;
	ui_progress_hush();
	if (v->o->json)
		return entry_json(v, entry->head, tail, err);
	name = ui_show_name(entry->head->path);
	if (name == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	ui_show_status(text, tail);
	printf("%s: %s: %s\n", v->shown, name, text);
	free(name);
	return 0;
}

static int on_load(void *ctx, struct pack_load *load, struct err *err)
{
	struct verify *v = ctx;
	size_t count;

	pack_load_members(load, &count);
	ui_progress_add(PACK_BLOCK_HEADER + load->block.stored_len, count + load->lead_ends);
	return pack_follow_load(&v->follow, load, on_entry, v, err);
}

/* --- one file ----------------------------------------------------------- */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static int result_json(
	const struct verify *v, const struct pack_read *r, const struct err *why, struct err *err)
{
	int failed = 0;
	json_t *json = line(v, "result", "verify.result", &failed);
	const char *status = why != NULL       ? "failed"
			     : r->problems > 0 ? "damaged"
			     : r->unopened     ? "sealed"
					       : "ok";

	failed |= ui_json_add(json, "status", json_string(status));
	if (why != NULL)
		failed |= ui_json_add(json, "what", json_string(why->message));
	failed |= ui_json_add(json, "problems", json_integer((json_int_t)r->problems));
	failed |= ui_json_add(json, "packs", json_integer((json_int_t)r->packs));
	failed |= ui_json_add(json, "blocks", json_integer((json_int_t)r->blocks));
	if (!r->unopened) {
		failed |= ui_json_add(json, "entries", json_integer((json_int_t)r->entries));
		failed |= ui_json_add(json, "content", json_integer((json_int_t)r->content));
		failed |= ui_json_add(json, "not_ok", json_integer((json_int_t)r->statuses));
	}
	return ui_json_print(json, failed, err);
}

static void result_text(const struct verify *v, const struct pack_read *r)
{
	printf("%s: %llu pack%s, ", v->shown, (unsigned long long)r->packs, plural(r->packs));
	if (r->unopened)
		printf("%llu blocks: ", (unsigned long long)r->blocks);
	else
		printf("%llu entr%s, %llu byte%s: ", (unsigned long long)r->entries,
			r->entries == 1 ? "y" : "ies", (unsigned long long)r->content,
			plural(r->content));
	if (r->problems > 0)
		printf("%llu problem%s\n", (unsigned long long)r->problems, plural(r->problems));
	else if (r->unopened)
		puts("blocks ok; sealed, contents not checked (--key FILE)");
	else if (r->statuses > 0)
		printf("ok, but %llu changed or failed when packed\n",
			(unsigned long long)r->statuses);
	else
		puts("ok");
}

static int on_key(void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err)
{
	struct verify *v = ctx;

	return ui_unseal_open(&v->o->unseal, payload, len, key, err);
}

/* Opens the FILE and reads it through. Returns 0, or -1 with err set. */
static int read_through(struct verify *v, struct pack_read *result, struct err *err)
{
	struct ui_options *o = v->o;
	struct pack_read_options options = {
		.threads = o->threads,
		.prove = true,
		.skip_damaged = true,
		.need_key = ui_unseal_wanted(&o->unseal),
		.open_key = ui_unseal_wanted(&o->unseal) ? on_key : NULL,
		.apply = on_load,
		.problem = on_problem,
		.ctx = v,
	};
	int got;

	if (strcmp(v->file, "-") != 0)
		options.fd = open(v->file, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (options.fd < 0)
		return err_errno(err, errno, "open");
	if (isatty(options.fd)) {
		got = err_set(err, ERR_USAGE, "will not read a pack from a terminal");
	} else {
		ui_progress_start("verify", ui_progress_size(options.fd), o->verbose);
		got = pack_read_run(&options, result, err);
		ui_progress_stop();
	}
	if (options.fd != 0)
		close(options.fd);
	if (got == 0 && v->print.code != ERR_NONE) {
		*err = v->print;
		got = -1;
	}
	return got;
}

/* Returns the exit status. */
static int verify_file(struct ui_options *o, const char *file)
{
	struct verify v = {.o = o, .file = file};
	struct pack_bytes name = {(const uint8_t *)file, strlen(file)};
	struct pack_read result = {0};
	struct err err = {0}, why = {0};
	struct stat st;
	int status;

	pack_follow_init(&v.follow);
	v.shown = ui_show_name(name);
	if (v.shown == NULL)
		err_set(&why, ERR_NOMEM, "out of memory");
	if (v.shown == NULL || read_through(&v, &result, &why) != 0)
		status = err_exit_status(why.code);
	else
		status = result.problems > 0 ? UI_DAMAGE : result.statuses > 0 ? UI_SOME : UI_OK;
	pack_follow_fini(&v.follow);
	if (o->json && result_json(&v, &result, why.code != ERR_NONE ? &why : NULL, &err) != 0)
		status = ui_fail("verify", &err);
	if (!o->json && why.code == ERR_NONE)
		result_text(&v, &result);
	if (why.code == ERR_NONE && status == UI_DAMAGE)
		err_set(&why, ERR_DAMAGE,
			result.packs > 0
				? "damaged: fdump unpack --skip-damaged extracts what is intact"
				: "not a pack");
	if (why.code != ERR_NONE && stat(file, &st) == 0 && S_ISDIR(st.st_mode))
		err_set(&why, ERR_USAGE,
			"a directory, but not an FDump store ('fdump store init' creates one)");
	if (why.code != ERR_NONE) {
		err_prefix(&why, "%s", v.shown != NULL ? v.shown : "?");
		ui_fail("verify", &why);
	}
	free(v.shown);
	return status;
}

/* Which of two exit statuses is worse. */
static int worse(int a, int b)
{
	static const int order[] = {UI_DAMAGE, UI_REFUSED, UI_FAILED};
	size_t i;

	for (i = 0; i < sizeof order / sizeof *order; i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a > b ? a : b;
}

static int main_verify(int argc, char **argv)
{
	struct ui_options o = {.verbose = false};
	struct err err = {0};
	int status = ui_options_parse(&o, &cmd_verify, NULL, argc, argv);

	if (status >= 0)
		return status;
	if (hash_crypto_init(&err) != 0)
		return ui_fail("verify", &err);
	status = UI_OK;
	for (; optind < argc; optind++)
		status = worse(status, cmd_is_store(argv[optind])
					       ? cmd_verify_store(&o, argv[optind])
					       : verify_file(&o, argv[optind]));
	ui_options_fini(&o);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		err_errno(&err, errno, "standard output");
		return worse(status, ui_fail("verify", &err));
	}
	return status;
}

static const struct ui_option options[] = {
	{.shared = "jkpt"},
	{.shared = "v", .help = "also print the name of each good entry"},
	{0},
};

const struct ui_command cmd_verify = {
	.name = "verify",
	.summary = "check every byte of packs or stores, say what is lost",
	.usage = "[options] FILE|-...",
	.about = "Checks every block and every file's SHA-256, and says what is lost. Changes "
		 "nothing. FILE is a pack, or the directory of a store: then every block, every "
		 "dump's list of chunks, and every file of the dumps that are not sealed, or "
		 "that a key opens.",
	.options = options,
	.arguments = "FILE...",
	.hint = "'-' for standard input",
	.exits = "0 all is well; 1 no damage, but some entries changed or could not be read when "
		 "they were packed, and are listed; 2 failed; 3 a key file can't be used; 5 "
		 "damage found; 6 wrong key, or not sealed; 7 no space; 8 a store was busy. Of "
		 "several FILEs the worst counts: 5, then 6, then 2, then the highest.",
	.run = main_verify,
};
