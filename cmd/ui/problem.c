/* Prints problems as lines and as JSON. */
#include "cmd/ui/problem.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "cmd/ui/result.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"

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
		buf_addf(&line, NULL, "fdump %s: ", ui_report_command());
	if (p->note && !p->output)
		buf_addf(&line, NULL, "note: ");
	if (p->file != NULL && p->line > 0)
		buf_addf(&line, NULL, "%s:%u: ", p->file, p->line);
	else if (p->file != NULL)
		add_name(&line, p->file, strlen(p->file));
	/* Not if the message begins with it already. */
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
	const struct store_entry *e = p->dump;
	const struct store_dump *known = e != NULL && e->record != NULL ? &e->dump : NULL;
	FILE *json = p->id != NULL ? ui_result_stream() : NULL;
	int ret = 0;

	assert((p->what == NULL) != (p->why == NULL));
	if (p->why != NULL)
		ui_fail_note(p->why);
	ui_progress_hush();
	if (json != NULL)
		ret = ui_result(p->note ? "note" : "problem", p->id,
			(struct ui_field[]){UI_STRING("file", p->file),
				UI_INT_IF(p->line > 0, "line", p->line),
				UI_STRING("store", p->store), UI_STRING("agent", p->agent),
				UI_HEX("dump", e != NULL ? e->dump.id : p->dump_id, STORE_DUMP_ID),
				UI_BYTES("agent", known != NULL ? known->agent : NULL,
					known != NULL ? known->agent_len : 0),
				UI_BYTES("name", known != NULL ? known->name : NULL,
					known != NULL ? known->name_len : 0),
				UI_INT_IF(known != NULL, "began",
					known != NULL ? known->began.sec : 0),
				UI_INT_IF(known != NULL, "committed",
					known != NULL ? e->committed : 0),
				UI_INT_IF(p->has_offset, "offset", p->offset),
				UI_BYTES("path", p->path.at, p->path.len),
				UI_BOOL_IF(p->given, "given", true), UI_STRING("status", p->status),
				UI_INT_IF(p->healed > 0, "healed", p->healed),
				UI_STRING("what", what), {0}},
			err, NULL);
	if (json == NULL || ret != 0 || p->why != NULL)
		print_line(p, what);
	return ret;
}
