/* fdump verify: checks every block and every file's checksum, and reports what is lost. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
#include "cmd/ui/show.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "pack/follow.h"
#include "pack/load.h"
#include "pack/read.h"

/* The check of one FILE. Problems and entries come from two stages of the reader, possibly at the
 * same time, so they use different members. */
struct verify {
	struct ui_options *o;
	const char *file;
	char *shown; /* .file, escaped */
	struct pack_follow follow;
	struct err print; /* why a problem could not be printed */
};

/* --- problems ----------------------------------------------------------- */

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	static const char *const ids[] = {"verify.block", "verify.entry", "verify.end"};
	struct verify *v = ctx;

	ui_problem(&(struct ui_problem){.id = ids[kind],
			   .output = true,
			   .file = v->file,
			   .has_offset = true,
			   .offset = offset,
			   .path = path,
			   .what = what},
		&v->print);
}

/* --- entries ------------------------------------------------------------ */

static int on_entry(void *ctx, const struct pack_followed *entry, struct err *err)
{
	struct verify *v = ctx;
	const struct pack_tail *tail = entry->tail;
	const struct pack_bytes path = entry->head->path;
	const bool ok = tail->status == PACK_OK;
	char text[UI_SHOW_STATUS_MAX], *name;
	int ret;

	if (entry->verdict != PACK_GOOD || (ok && !v->o->verbose))
		return 0;
	ui_progress_hush();
	name = ui_show_name(path);
	if (name == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	ui_show_status(text, tail);
	ret = ui_result(ok ? "entry" : "note", ok ? "verify.good" : "verify.status",
		(struct ui_field[]){UI_STRING("file", v->file), UI_BYTES("path", path.at, path.len),
			UI_STRING("status", pack_status_name(tail->status)),
			UI_STRING("what", ok ? NULL : text), {0}},
		err, "%s: %s: %s\n", v->shown, name, text);
	free(name);
	return ret;
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

static int tell_result(
	const struct verify *v, const struct pack_read *r, const struct err *why, struct err *err)
{
	const bool opened = !r->unopened;
	char read[128], verdict[96] = "ok";
	const char *status = why != NULL       ? "failed"
			     : r->problems > 0 ? "damaged"
			     : r->unopened     ? "sealed"
					       : "ok";

	if (why != NULL && !v->o->json)
		return 0;
	if (opened)
		snprintf(read, sizeof read, "%" PRIu64 " entr%s, %" PRIu64 " byte%s", r->entries,
			r->entries == 1 ? "y" : "ies", r->content, r->content == 1 ? "" : "s");
	else
		snprintf(read, sizeof read, "%" PRIu64 " blocks", r->blocks);
	if (r->problems > 0)
		snprintf(verdict, sizeof verdict, "%" PRIu64 " problem%s", r->problems,
			r->problems == 1 ? "" : "s");
	else if (r->unopened)
		strcpy(verdict, "blocks ok; sealed, contents not checked (--key FILE)");
	else if (r->statuses > 0)
		snprintf(verdict, sizeof verdict,
			"ok, but %" PRIu64 " changed or failed when packed", r->statuses);
	return ui_result("result", "verify.result",
		(struct ui_field[]){UI_STRING("file", v->file), UI_STRING("status", status),
			UI_STRING("what", why != NULL ? why->message : NULL),
			UI_INT("problems", r->problems), UI_INT("packs", r->packs),
			UI_INT("blocks", r->blocks), UI_INT_IF(opened, "entries", r->entries),
			UI_INT_IF(opened, "content", r->content),
			UI_INT_IF(opened, "not_ok", r->statuses), {0}},
		err, "%s: %" PRIu64 " pack%s, %s: %s\n", v->shown, r->packs,
		r->packs == 1 ? "" : "s", read, verdict);
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
		.open_key = ui_unseal_wanted(&o->unseal) ? ui_unseal_open : NULL,
		.key_ctx = &o->unseal,
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
		ui_progress_start(ui_progress_size(options.fd), o->verbose);
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
	if (tell_result(&v, &result, why.code != ERR_NONE ? &why : NULL, &err) != 0)
		status = ui_fail(&err);
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
		ui_fail(&why);
	}
	free(v.shown);
	return status;
}

/* --- a store ------------------------------------------------------------ */

struct noted {
	uint8_t id[STORE_DUMP_ID];
	int64_t committed;
	uint64_t lost; /* hash of its problems; 0: none, or too many */
};

/* A problem of the dump that is being read. The path and the text follow. */
struct lost {
	size_t path_len, what_len; /* what_len: with its NUL */
	bool has_path;
};
#define LOST_MAX (16u << 20) /* bytes of them; if there are more, none is compared */

struct check {
	struct ui_options *o;
	const char *path;
	struct buf dumps;        /* struct noted */
	struct store_entry dump; /* the one that is being read; .id NULL: none */
	uint64_t entries, content, not_ok, damaged, unopened;
	uint64_t sealed;           /* dumps that were skipped, for want of a key */
	bool opens;                /* some dump's files are checked */
	struct dump_proved proved; /* contents of earlier dumps need no other check */
	struct buf lost;           /* struct lost, of this dump */
	bool too_many;             /* some were printed at once */
	struct pack_follow follow;
};

/* Reports a problem as text or JSON. path: an entry's, or .at NULL. status: of an entry that is
 * intact, but was not read well when it was backed up, which is only a note; NULL: a real
 * problem. */
static void tell(struct check *c, const struct store_entry *dump, struct pack_bytes path,
	const char *status, const char *what)
{
	ui_problem(&(struct ui_problem){.id = status == NULL ? "verify.store" : "verify.status",
			   .note = status != NULL,
			   .output = status != NULL,
			   .store = c->path,
			   .dump = dump,
			   .path = path,
			   .status = status,
			   .what = what},
		NULL);
}

static void on_store_problem(void *ctx, const struct store_entry *dump, const char *what)
{
	tell(ctx, dump, (struct pack_bytes){NULL, 0}, NULL, what);
}

/* Prints the problems that were collected. */
static void tell_lost(struct check *c)
{
	const uint8_t *at = c->lost.data, *end = at + c->lost.len;
	struct lost lost;

	for (; at < end; at += lost.path_len + lost.what_len) {
		memcpy(&lost, at, sizeof lost);
		at += sizeof lost;
		tell(c, &c->dump, (struct pack_bytes){lost.has_path ? at : NULL, lost.path_len},
			NULL, (const char *)at + lost.path_len);
	}
	buf_clear(&c->lost);
}

/* Collects the problem, so that it need not be printed if another dump has the same ones. */
static void on_dump_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct check *c = ctx;
	struct lost lost;
	uint8_t *to;

	(void)kind;
	(void)offset;
	c->damaged++;
	memset(&lost, 0, sizeof lost); /* its padding is compared too */
	lost.has_path = path.at != NULL;
	lost.path_len = path.len;
	lost.what_len = strlen(what) + 1;
	to = buf_room(&c->lost, sizeof lost + lost.path_len + lost.what_len, NULL);
	if (to == NULL) {
		tell_lost(c);
		tell(c, &c->dump, path, NULL, what);
		c->too_many = true;
		return;
	}
	memcpy(to, &lost, sizeof lost);
	if (lost.path_len > 0)
		memcpy(to + sizeof lost, path.at, path.len);
	memcpy(to + sizeof lost + lost.path_len, what, lost.what_len);
	buf_took(&c->lost, sizeof lost + lost.path_len + lost.what_len);
}

/* Prints the problems of a dump, or which dump before it has the same ones. all: all dumps. */
static void end_lost(struct check *c, const struct noted *all, struct noted *n, uint64_t count)
{
	char text[128], id[13];
	const struct noted *other = all;

	if (c->lost.len > 0 && !c->too_many)
		n->lost = hash_xxh3(c->lost.data, c->lost.len);
	while (other < n && (n->lost == 0 || other->lost != n->lost))
		other++;
	if (other < n) {
		esc_hex(id, other->id, 6);
		snprintf(text, sizeof text, "lost: the same as of dump %s (%" PRIu64 " problem%s)",
			id, count, count == 1 ? "" : "s");
		buf_clear(&c->lost);
		tell(c, &c->dump, (struct pack_bytes){NULL, 0}, NULL, text);
	}
	tell_lost(c);
	c->too_many = false;
}

static int on_dump_entry(void *ctx, const struct pack_followed *entry, struct err *err)
{
	struct check *c = ctx;
	char text[UI_SHOW_STATUS_MAX];

	(void)err;
	if (entry->verdict != PACK_GOOD || entry->tail->status == PACK_OK)
		return 0;
	c->not_ok++;
	ui_show_status(text, entry->tail);
	tell(c, &c->dump, entry->head->path, pack_status_name(entry->tail->status), text);
	return 0;
}

static int on_dump_load(void *ctx, struct pack_load *load, struct err *err)
{
	struct check *c = ctx;

	return pack_follow_load(&c->follow, load, on_dump_entry, c, err);
}

/* Checks every file of the dump that was chosen. */
static int read_dump(struct check *c, struct ui_dump *d, struct err *err)
{
	struct pack_read_options options = {
		.prove = true,
		.skip_damaged = true,
		.apply = on_dump_load,
		.problem = on_dump_problem,
		.ctx = c,
	};
	const struct store_dump *dump = dump_source_dump(d->source);
	struct pack_read result = {0};
	uint64_t damaged = c->damaged;
	int got;

	if (ui_dump_feed(d, &options, err) != 0)
		return -1;
	pack_follow_init(&c->follow);
	got = pack_read_run(&options, &result, err);
	pack_follow_fini(&c->follow);
	dump_replay_free(d->replay); /* its thread may use the source, which gets another dump */
	d->replay = NULL;
	/* Content that an earlier dump shares was checked with that one, and counts in each. */
	c->entries += c->damaged == damaged ? dump->entries : result.entries;
	c->content += c->damaged == damaged ? dump->content : result.content;
	return got == 0 ? 0 : -1;
}

static int note_dump(
	void *ctx, const struct store_entry *e, const struct dump_listed *listed, struct err *err)
{
	struct check *c = ctx;
	struct noted n = {.committed = e->committed};

	(void)listed;
	if (c->o->unseal.count == 0 && (e->damaged || e->dump.sealed)) {
		c->sealed += !e->damaged; /* store_check reports the damaged ones */
		return 0;
	}
	c->opens = true;
	memcpy(n.id, e->dump.id, sizeof n.id);
	return buf_add(&c->dumps, &n, sizeof n, err);
}

static int check_dump(struct check *c, struct ui_dump *d, struct noted *n, struct err *err)
{
	const uint64_t damaged = c->damaged;
	int ret = -1;
	char text[2 * STORE_DUMP_ID + 1];
	struct err why = {0};

	esc_hex(text, n->id, STORE_DUMP_ID);
	c->dump = (struct store_entry){.dump.id = n->id, .committed = n->committed};
	if (dump_source_choose(d->source, text, "", &why) == 0) {
		c->dump.dump = *dump_source_dump(d->source);
		c->dump.record = c->dump.dump.mac;
		if (dump_source_unlock(d->source, &why) == 0)
			ret = read_dump(c, d, &why);
		end_lost(c, (const struct noted *)(const void *)c->dumps.data, n,
			c->damaged - damaged);
		if (ret == 0)
			return store_marks_join(&c->proved.seen, &c->proved.fresh, err);
	} else if (why.code == ERR_NOTFOUND) { /* it was forgotten in the meantime */
		return 0;
	}
	if (why.code == ERR_DENIED)
		c->unopened++;
	else if (why.code == ERR_DAMAGE || why.code == ERR_FORMAT)
		c->damaged++;
	else {
		*err = why;
		return -1;
	}
	tell(c, &c->dump, (struct pack_bytes){NULL, 0}, NULL, why.message);
	return 0;
}

/* Checks the files, then the blocks that were not read for them. */
static int check_all(
	struct check *c, struct ui_dump *d, struct store_checked *result, struct err *err)
{
	struct store *store = d->stores.stores[0];
	struct noted *n;
	size_t count, i;

	if (store_check(store, STORE_CHECK_NOTE, on_store_problem, c, result, err) != 0 ||
		dump_source_dumps(d->source, note_dump, c, err) != 0)
		return -1;
	n = (struct noted *)(void *)c->dumps.data;
	count = c->dumps.len / sizeof *n;
	d->proved = count > 1 ? &c->proved : NULL;
	for (i = 0; i < count; i++)
		if (check_dump(c, d, &n[i], err) != 0)
			return -1;
	return store_check(store, STORE_CHECK_BLOCKS, on_store_problem, c, result, err);
}

/* Checks every block, every dump's list of chunks, and every file of the dumps that are not sealed
 * or that a key opens. Returns the exit status. */
static int verify_store(struct ui_options *o, const char *path)
{
	struct check c = {.o = o, .path = path};
	struct store_checked r = {0};
	struct ui_dump d = {.source = NULL};
	struct err err = {0};
	char shown[ESC_MAX(4096)], proved[96] = "", verdict[96] = "ok";
	uint64_t damaged;
	int got;

	buf_init(&c.dumps, SIZE_MAX);
	buf_init(&c.lost, LOST_MAX);
	esc_name(shown, sizeof shown, path, strlen(path));
	o->stores[0] = path;
	o->store_count = 1;
	o->store_is_directory = true;
	got = ui_dump_open(&d, o, NULL, &err);
	if (got == 0)
		got = check_all(&c, &d, &r, &err);
	ui_dump_close(&d);
	buf_fini(&c.dumps);
	buf_fini(&c.lost);
	store_marks_fini(&c.proved.seen);
	store_marks_fini(&c.proved.fresh);
	store_marks_fini(&c.proved.bad);
	damaged = r.damaged + r.missing + r.incomplete + c.damaged;
	if (o->unseal.count > 0 || c.opens)
		snprintf(proved, sizeof proved,
			"; %" PRIu64 " entries, %" PRIu64 " bytes of content proved", c.entries,
			c.content);
	if (damaged > 0)
		strcpy(verdict, "damaged");
	else if (c.unopened > 0)
		strcpy(verdict, "blocks ok; some dumps were not opened");
	else if (c.sealed > 0)
		snprintf(verdict, sizeof verdict,
			"blocks ok; contents of %" PRIu64
			" encrypted dumps not checked (--key FILE)",
			c.sealed);
	else if (c.not_ok > 0)
		snprintf(verdict, sizeof verdict,
			"ok, but %" PRIu64 " changed or failed when backed up", c.not_ok);
	if (got == 0)
		got = ui_result("result", "verify.store.result",
			(struct ui_field[]){UI_STRING("store", path), UI_INT("blocks", r.blocks),
				UI_INT("bytes", r.bytes), UI_INT("dumps", r.dumps),
				UI_INT("entries", c.entries), UI_INT("content", c.content),
				UI_INT("not_ok", c.not_ok),
				UI_INT("damaged", r.damaged + c.damaged),
				UI_INT("missing", r.missing), UI_INT("incomplete", r.incomplete),
				UI_INT("unopened", c.unopened), UI_INT("sealed", c.sealed), {0}},
			&err,
			"%s: %" PRIu64 " blocks, %" PRIu64 " bytes, %" PRIu64 " dumps%s: %s\n",
			shown, r.blocks, r.bytes, r.dumps, proved, verdict);
	if (got == 0 && damaged > 0)
		got = err_set(&err, ERR_DAMAGE,
			"%s: damaged: fdump store scrub marks what is lost, then the next backup "
			"or fdump store replicate restores it",
			path);
	if (got != 0)
		return ui_fail(&err);
	return c.unopened > 0 ? UI_REFUSED : c.not_ok > 0 ? UI_SOME : UI_OK;
}

/* --- the command -------------------------------------------------------------- */

/* Whether this is the directory of a store, or may be one. */
static bool is_store(const char *path)
{
	char file[4200];
	struct stat st;

	return (size_t)snprintf(file, sizeof file, "%s/fdump-store", path) < sizeof file &&
	       stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (access(file, F_OK) == 0 || errno == EACCES);
}

/* Returns the worse of two exit statuses. */
static int worse(int a, int b)
{
	static const int order[] = {UI_DAMAGE, UI_REFUSED, UI_FAILED};
	size_t i;

	for (i = 0; i < sizeof order / sizeof *order; i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return a > b ? a : b;
}

static struct ui_options verify_options;

static int run(void *own, struct err *err)
{
	struct ui_options *o = own;
	int status = UI_OK;
	char **file;

	(void)err;
	for (file = o->args; *file != NULL; file++)
		status = worse(
			status, is_store(*file) ? verify_store(o, *file) : verify_file(o, *file));
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
		 "damage found; 6 wrong key, or not encrypted; 7 no space; 8 a store was busy. Of "
		 "several FILEs the worst counts: 5, then 6, then 2, then the highest.",
	.own = &verify_options,
	.run = run,
};
