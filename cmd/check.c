/* Verifying a store: all blocks, and all files of the dumps that the keys open, or that need none.
 */
#include "cmd/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/store/marks.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/json.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "pack/follow.h"
#include "pack/read.h"

struct noted {
	uint8_t id[STORE_DUMP_ID];
	int64_t committed;
};

struct check {
	struct ui_options *o;
	const char *path;
	char shown[ESC_MAX(4096)]; /* the same, escaped */
	struct buf dumps;          /* struct noted */
	struct store_entry dump;   /* the one that is read; without id: none */
	uint64_t entries, content, not_ok, damaged, unopened;
	uint64_t sealed;         /* dumps that were passed by, for want of a key */
	bool opens;              /* any dump: its files are proved */
	struct store_marks seen; /* contents that were proved: each once */
	struct pack_follow follow;
};

bool cmd_is_store(const char *path)
{
	char file[4200];

	return (size_t)snprintf(file, sizeof file, "%s/fdump-store", path) < sizeof file &&
	       access(file, F_OK) == 0;
}

/* A problem, in words or as JSON. dump: whose, or NULL; path: of an entry, or at NULL. status: of
 * an entry that is whole, but was not well read; NULL: it is a problem indeed. */
static void tell(struct check *c, const struct store_entry *dump, struct pack_bytes path,
	const char *status, const char *what)
{
	ui_problem(&(struct ui_problem){.command = "verify",
			   .id = status == NULL ? "verify.store" : "verify.status",
			   .json = c->o->json ? stdout : NULL,
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

static void on_read_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct check *c = ctx;

	(void)kind;
	(void)offset;
	c->damaged++;
	tell(c, &c->dump, path, NULL, what);
}

static int on_entry(void *ctx, const struct pack_followed *entry, struct err *err)
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

static int on_load(void *ctx, struct pack_load *load, struct err *err)
{
	struct check *c = ctx;

	return pack_follow_load(&c->follow, load, on_entry, c, err);
}

/* Every file of the dump that was chosen. */
static int read_dump(struct check *c, struct ui_dump *d, struct err *err)
{
	struct pack_read_options options = {
		.prove = true,
		.skip_damaged = true,
		.apply = on_load,
		.problem = on_read_problem,
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
	dump_replay_free(d->replay); /* its thread may be in the source, which gets another dump */
	d->replay = NULL;
	/* What an earlier dump has too was proved with that, and counts in each. */
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
		c->sealed += !e->damaged; /* store_scrub tells of the other */
		return 0;
	}
	c->opens = true;
	memcpy(n.id, e->dump.id, sizeof n.id);
	return buf_add(&c->dumps, &n, sizeof n, err);
}

static int check_dump(struct check *c, struct ui_dump *d, const struct noted *n, struct err *err)
{
	char text[2 * STORE_DUMP_ID + 1];
	struct err why = {0};

	esc_hex(text, n->id, STORE_DUMP_ID);
	c->dump = (struct store_entry){.dump.id = n->id, .committed = n->committed};
	if (dump_source_choose(d->source, text, "", &why) == 0) {
		c->dump.dump = *dump_source_dump(d->source);
		c->dump.record = c->dump.dump.mac;
		if (dump_source_unlock(d->source, &why) == 0 && read_dump(c, d, &why) == 0)
			return 0;
	} else if (why.code == ERR_NOTFOUND) { /* it was forgotten meanwhile */
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

static int check_files(struct check *c, struct ui_dump *d, struct err *err)
{
	int got = dump_source_dumps(d->source, note_dump, c, err);
	const struct noted *n = (const struct noted *)(const void *)c->dumps.data;
	size_t count = c->dumps.len / sizeof *n, i;

	d->seen = count > 1 ? &c->seen : NULL;
	for (i = 0; i < count && got == 0; i++)
		got = check_dump(c, d, &n[i], err);
	return got;
}

/* The files; then the blocks that were not read for them. */
static int check_all(
	struct check *c, struct ui_dump *d, struct store_checked *result, struct err *err)
{
	struct store *store = d->stores.stores[0];

	if (store_check(store, STORE_CHECK_NOTE, on_store_problem, c, result, err) != 0 ||
		check_files(c, d, err) != 0)
		return -1;
	return store_check(store, STORE_CHECK_BLOCKS, on_store_problem, c, result, err);
}

static int tell_result(const struct check *c, const struct store_checked *r, struct err *err)
{
	const struct ui_json_row rows[] = {{"blocks", r->blocks}, {"bytes", r->bytes},
		{"dumps", r->dumps}, {"entries", c->entries}, {"content", c->content},
		{"not_ok", c->not_ok}, {"damaged", r->damaged + c->damaged},
		{"missing", r->missing}, {"incomplete", r->incomplete}, {"unopened", c->unopened},
		{"sealed", c->sealed}};
	json_t *object;
	int failed;

	if (!c->o->json) {
		printf("%s: %" PRIu64 " blocks, %" PRIu64 " bytes, %" PRIu64 " dumps", c->shown,
			r->blocks, r->bytes, r->dumps);
		if (c->o->unseal.count > 0 || c->opens)
			printf("; %" PRIu64 " entries, %" PRIu64 " bytes of content proved",
				c->entries, c->content);
		if (r->damaged + r->missing + r->incomplete + c->damaged > 0)
			puts(": damaged");
		else if (c->unopened > 0)
			puts(": blocks ok; some dumps were not opened");
		else if (c->sealed > 0)
			printf(": blocks ok; contents of %" PRIu64
			       " sealed dumps not checked (--key FILE)\n",
				c->sealed);
		else if (c->not_ok > 0)
			printf(": ok, but %" PRIu64 " changed or failed when backed up\n",
				c->not_ok);
		else
			puts(": ok");
		return 0;
	}
	object = ui_json_new("result", "verify.store.result");
	failed = ui_json_name(object, "store", c->path, strlen(c->path));
	failed |= ui_json_rows(object, rows, sizeof rows / sizeof *rows);
	return ui_json_print(object, failed, err);
}

int cmd_verify_store(struct ui_options *o, const char *path)
{
	struct check c = {.o = o, .path = path};
	struct store_checked r = {0};
	struct ui_dump d = {.source = NULL};
	struct err err = {0};
	int got;

	buf_init(&c.dumps, SIZE_MAX);
	esc_name(c.shown, sizeof c.shown, path, strlen(path));
	o->stores[0] = path;
	o->store_count = 1;
	o->store_is_directory = true;
	got = ui_dump_open(&d, o, NULL, &err);
	if (got == 0)
		got = check_all(&c, &d, &r, &err);
	ui_dump_close(&d);
	buf_fini(&c.dumps);
	store_marks_fini(&c.seen);
	if (got == 0)
		got = tell_result(&c, &r, &err);
	if (got != 0)
		return ui_fail("verify", &err);
	if (r.damaged + r.missing + r.incomplete + c.damaged > 0) {
		err_set(&err, ERR_DAMAGE,
			"%s: damaged: fdump store scrub marks what is lost, then the next backup "
			"or fdump store replicate restores it",
			path);
		return ui_fail("verify", &err);
	}
	return c.unopened > 0 ? UI_REFUSED : c.not_ok > 0 ? UI_SOME : UI_OK;
}
