/* fdump export: writes a dump as an ordinary pack. */
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/output.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/seal.h"
#include "pack/entry.h"
#include "pack/load.h"
#include "pack/part.h"
#include "pack/press.h"
#include "pack/read.h"
#include "pack/writer.h"

#define TARGET (896u << 10) /* bytes of a part */

struct export
{
	struct ui_output out;
	struct pack_writer *writer;
	struct pack_press *press;
	struct pack_part *part;
	uint64_t damaged;
};

static int put_part(struct export *x, struct err *err)
{
	if (pack_part_empty(x->part))
		return 0;
	pack_writer_number(x->writer, x->part);
	if (pack_writer_press(x->press, x->part, err) != 0 ||
		pack_writer_emit(x->writer, x->part, err) != 0)
		return -1;
	pack_part_reset(x->part);
	return 0;
}

static int put_data(struct export *x, const uint8_t *bytes, size_t len, struct err *err)
{
	while (len > 0) {
		size_t n = pack_part_left(x->part);
		uint8_t *to;

		n = n < len ? n : len;
		if ((to = pack_part_room(x->part, n, err)) == NULL)
			return -1;
		memcpy(to, bytes, n);
		pack_part_took(x->part, n);
		bytes += n;
		len -= n;
		if (pack_part_full(x->part) && put_part(x, err) != 0)
			return -1;
	}
	return 0;
}

/* Writes the content between the offsets `from` and `end`. */
static int put_content(struct export *x, const struct pack_load *load, uint32_t from, uint32_t end,
	struct err *err)
{
	struct pack_item item;
	struct cbor_in in;
	int got = 0;

	cbor_in_init(&in, load->raw + from, end - from);
	while (got == 0 && in.at < in.end && pack_load_item(load, &in, &item, err) == 0)
		if (item.kind == PACK_ITEM_DATA)
			got = put_data(x, item.data.at, item.data.len, err);
		else
			got = pack_part_hole(x->part, item.hole, err);
	return got;
}

static int put_member(struct export *x, const struct pack_load *load, const struct pack_member *m,
	bool whole, struct err *err)
{
	if (pack_part_full(x->part) && put_part(x, err) != 0)
		return -1;
	if (pack_part_head(x->part, &m->head, err) != 0 ||
		put_content(x, load, m->content, m->content_end, err) != 0)
		return -1;
	return whole ? pack_part_tail(x->part, &m->tail, err) : 0;
}

/* Writes the entries of a load unchanged. A gap is reported, and readers of the pack will find it
 * again. */
static int apply(void *ctx, struct pack_load *load, struct err *err)
{
	struct export *x = ctx;
	struct pack_member *m;
	size_t count, i;

	if (load->broken_at != PACK_BLOCK_NONE)
		return err_set(err, ERR_DAMAGE, "manifest: malformed");
	if (put_content(x, load, 0, load->lead_end, err) != 0 ||
		(load->lead_ends && pack_part_tail(x->part, &load->lead_tail, err) != 0))
		return -1;
	m = pack_load_members(load, &count);
	for (i = 0; i < count; i++)
		if (m[i].verdict != PACK_REFUSED && put_member(x, load, &m[i], true, err) != 0)
			return -1;
	return load->has_trail ? put_member(x, load, &load->trail, false, err) : 0;
}

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct export *x = ctx;

	(void)kind;
	(void)offset;
	x->damaged++;
	ui_problem(&(struct ui_problem){.path = path, .what = what}, NULL);
}

static int write_pack(struct export *x, struct ui_dump *d, struct err *err)
{
	const struct store_dump *dump = dump_source_dump(d->source);
	struct pack_writer_options wo = {
		.has_time = true,
		.time = {dump->began.sec, dump->began.nsec},
		.program = "fdump " FDUMP_VERSION,
	};
	struct pack_read_options ro = {
		.prove = true,
		.skip_damaged = true,
		.apply = apply,
		.problem = on_problem,
		.ctx = x,
	};
	struct pack_read result;

	if (seal_random(wo.id, sizeof wo.id, err) != 0)
		return -1;
	x->part = pack_part_new(TARGET, err);
	x->press = x->part != NULL ? pack_press_new(0, err) : NULL;
	x->writer = x->press != NULL ? pack_writer_new(&wo, x->press, ui_output_write, &x->out, err)
				     : NULL;
	if (x->writer == NULL || ui_dump_adopt(d, err) != 0 || ui_dump_feed(d, &ro, err) != 0 ||
		pack_writer_start(x->writer, err) != 0 || pack_read_run(&ro, &result, err) != 0 ||
		put_part(x, err) != 0)
		return -1;
	return pack_writer_end(x->writer, err);
}

static struct ui_options export_options;

static int run(void *own, struct err *err)
{
	struct ui_options *o = own;
	struct ui_dump d = {.source = NULL};
	struct export x = {.out = {.fd = -1, .dir = -1}};
	const char *dump = *o->args++;
	struct err gap;
	bool gaps;
	size_t unmet = 0;
	int got = -1, status = ui_options_paths(o);

	if (status >= 0)
		return status;
	if (ui_dump_open(&d, o, dump, err) == 0 && ui_output_open(&x.out, o->file, err) == 0)
		got = write_pack(&x, &d, err);
	if (got == 0 && ui_select_any(&o->select))
		got = ui_output_commit(&x.out, err);
	gaps = ui_dump_gaps(&d, &gap) != 0;
	if (got == 0 && !gaps && x.damaged == 0)
		unmet = ui_select_unmet(&o->select, dump_source_dump(d.source));
	pack_writer_free(x.writer);
	pack_press_free(x.press);
	pack_part_free(x.part);
	ui_output_drop(&x.out);
	ui_dump_close(&d);
	if (got == 0 && gaps) {
		*err = gap;
		got = -1;
	}
	if (got != 0)
		return -1;
	return x.damaged > 0 ? UI_DAMAGE : unmet > 0 ? UI_FAILED : UI_OK;
}

static const struct ui_option options[] = {
	{.shared = "sAia"},
	{.shared = "f", .help = "write to FILE ('-': standard output, the default)"},
	{.shared = "T0X"},
	{.shared = "S", .help = "the agent's own files; default: /var/lib/fdump"},
	{.shared = "kpt"},
	{0},
};

const struct ui_command cmd_export = {
	.name = "export",
	.summary = "write a dump as a pack",
	.usage = "-s STORE... [options] DUMP [PATH...]",
	.about = "Writes a dump as a pack, which fdump unpack, list, cat, verify and diff read. "
		 "The pack is not sealed. DUMP: see fdump restore.",
	.options = options,
	.arguments = "DUMP [PATH...]",
	.hint = "'fdump dumps' lists the dumps",
	.exits = "0 complete; 2 failed; 3 a key file can't be used; 5 damage found; 6 wrong key; "
		 "7 no space; 8 a store was busy.",
	.own = &export_options,
	.run = run,
};
