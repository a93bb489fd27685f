/* Problems, as lines and as JSON. */
#include "cmd/ui/problem.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "cmd/ui/json.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"

static int print_json(const struct ui_problem *p, const char *what, struct err *err)
{
	json_t *object = ui_json_new(p->note ? "note" : "problem", p->id);
	int failed = 0;

	if (p->file != NULL)
		failed |= ui_json_name(object, "file", p->file, strlen(p->file));
	if (p->line > 0)
		failed |= ui_json_add(object, "line", json_integer(p->line));
	if (p->store != NULL)
		failed |= ui_json_name(object, "store", p->store, strlen(p->store));
	if (p->agent != NULL)
		failed |= ui_json_add(object, "agent", json_string(p->agent));
	if (p->dump != NULL)
		failed |= ui_show_dump_json(object, p->dump);
	if (p->dump_id != NULL)
		failed |= ui_json_hex(object, "dump", p->dump_id, STORE_DUMP_ID);
	if (p->has_offset)
		failed |= ui_json_add(object, "offset", json_integer((json_int_t)p->offset));
	failed |= ui_json_name(object, "path", p->path.at, p->path.len);
	if (p->given)
		failed |= ui_json_add(object, "given", json_true());
	if (p->status != NULL)
		failed |= ui_json_add(object, "status", json_string(p->status));
	if (p->healed > 0)
		failed |= ui_json_add(object, "healed", json_integer((json_int_t)p->healed));
	failed |= ui_json_name(object, "what", what, strlen(what));
	return ui_json_print_to(p->json, object, failed, err);
}

/* Adds "TEXT: ", escaped. */
static void add_name(struct buf *line, const void *bytes, size_t len)
{
	char text[ESC_MAX(4096)];

	esc_name(text, sizeof text, bytes, len);
	buf_addf(line, NULL, "%s: ", text);
}

static void print_line(const struct ui_problem *p, const char *what)
{
	char whose[UI_SHOW_DUMP_MAX], text[ESC_MAX(ERR_MESSAGE_MAX)];
	FILE *to = p->output ? stdout : stderr;
	struct buf line;

	buf_init(&line, SIZE_MAX);
	if (!p->output)
		buf_addf(&line, NULL, "fdump%s%s: ", p->command != NULL ? " " : "",
			p->command != NULL ? p->command : "");
	if (p->note && !p->output)
		buf_addf(&line, NULL, "note: ");
	if (p->file != NULL && p->line > 0)
		buf_addf(&line, NULL, "%s:%u: ", p->file, p->line);
	else if (p->file != NULL)
		add_name(&line, p->file, strlen(p->file));
	/* Not twice, if what is wrong begins with it. */
	if (p->store != NULL && strncmp(what, p->store, strlen(p->store)) != 0)
		add_name(&line, p->store, strlen(p->store));
	if (p->agent != NULL)
		add_name(&line, p->agent, strlen(p->agent));
	if (p->dump != NULL) {
		ui_show_dump(whose, p->dump);
		buf_addf(&line, NULL, "dump %s: ", whose);
	}
	if (p->dump_id != NULL) {
		esc_hex(whose, p->dump_id, 6);
		buf_addf(&line, NULL, "dump %s: ", whose);
	}
	if (p->has_offset)
		buf_addf(&line, NULL, "offset %" PRIu64 ": ", p->offset);
	if (p->path.at != NULL)
		add_name(&line, p->path.at, p->path.len);
	esc_line(text, sizeof text, what, strlen(what));
	fprintf(to, "%.*s%s\n", (int)line.len, (const char *)line.data, text);
	buf_fini(&line);
}

int ui_problem(const struct ui_problem *p, struct err *err)
{
	const char *what = p->why != NULL ? p->why->message : p->what;
	int ret = 0;

	assert((p->what == NULL) != (p->why == NULL));
	if (p->why != NULL)
		ui_fail_note(p->why);
	ui_progress_hush();
	if (p->json != NULL)
		ret = print_json(p, what, err);
	if (p->json == NULL || ret != 0 || p->why != NULL)
		print_line(p, what);
	return ret;
}
