/* Formats entries and dumps for people. */
#include "cmd/ui/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/esc.h"

/* Appends to a text of UI_SHOW_STATUS_MAX. */
static void add(char *text, const char *more)
{
	size_t len = strlen(text);

	snprintf(text + len, UI_SHOW_STATUS_MAX - len, "%s", more);
}

void ui_show_status(char text[UI_SHOW_STATUS_MAX], const struct pack_tail *tail)
{
	static const char *const names[] = {"size", "mtime", "ctime", "inode"};
	char reason[64], more[UI_SHOW_STATUS_MAX];
	const char *sep = " (";
	size_t i;

	text[0] = 0;
	add(text, pack_status_name(tail->status));
	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (tail->changed & 1u << i) {
			add(text, sep);
			add(text, names[i]);
			sep = ", ";
		}
	if (tail->changed & 15)
		add(text, ")");
	if (tail->has_error) {
		if (tail->status != PACK_INCOMPLETE) {
			snprintf(more, sizeof more, " at %llu",
				(unsigned long long)tail->error_offset);
			add(text, more);
		}
		if (tail->error != 0) {
			add(text, ": ");
			add(text, strerror_r((int)tail->error, reason, sizeof reason));
		}
	}
	if (tail->has_exit && tail->status == PACK_COMMAND_FAILED) {
		snprintf(more, sizeof more, " (exit status %u)", tail->exit);
		add(text, more);
	}
}

char *ui_show_name(struct pack_bytes name)
{
	char *text = malloc(ESC_MAX(name.len));

	if (text != NULL)
		esc_name(text, ESC_MAX(name.len), name.at, name.len);
	return text;
}

void ui_show_entry(void *ctx, const char *path, size_t len)
{
	char text[ESC_MAX(4096)];

	(void)ctx;
	esc_name(text, sizeof text, path, len);
	fprintf(stderr, "%s\n", text);
}

void ui_show_time(char text[UI_SHOW_TIME_MAX], int64_t sec)
{
	time_t t = sec;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(text, UI_SHOW_TIME_MAX, "%F %T", &tm) == 0)
		snprintf(text, UI_SHOW_TIME_MAX, "?");
}

static void show_dump(char text[UI_SHOW_DUMP_MAX], const struct store_dump *dump, int64_t time)
{
	char id[2 * STORE_DUMP_ID + 1], agent[ESC_MAX(STORE_NAME_MAX)],
		name[ESC_MAX(STORE_NAME_MAX)], when[UI_SHOW_TIME_MAX];

	esc_hex(id, dump->id, STORE_DUMP_ID);
	ui_show_time(when, time);
	esc_name(agent, sizeof agent, dump->agent, dump->agent_len);
	esc_name(name, sizeof name, dump->name, dump->name_len);
	snprintf(text, UI_SHOW_DUMP_MAX, "%.12s (%s/%s, %s)", id, agent, name, when);
}

void ui_show_dump(char text[UI_SHOW_DUMP_MAX], const struct store_entry *e)
{
	char id[2 * STORE_DUMP_ID + 1];

	if (e->record != NULL) {
		show_dump(text, &e->dump, e->committed);
		return;
	}
	esc_hex(id, e->dump.id, STORE_DUMP_ID);
	snprintf(text, UI_SHOW_DUMP_MAX, "%.12s", id);
}

void ui_show_chosen(char text[UI_SHOW_DUMP_MAX], const struct store_dump *dump)
{
	show_dump(text, dump, dump->began.sec);
}
