/* The text of --help: wrapping and alignment are done here and nowhere else. */
#include "cmd/ui/help.h"

#include <string.h>

#include "cmd/ui/command.h"

#define WIDTH    80
#define LEFT_MAX 26 /* an option that is longer stands on a line of its own */
#define TEXT_MAX 1024

/* Prints words from column `at` on; the lines that follow begin at column `indent`. */
static void wrap(FILE *to, const char *text, int indent, int at)
{
	int len;

	for (; *text != 0; text += len) {
		len = (int)strcspn(text, " \n");
		if (at > indent && at + 1 + len > WIDTH)
			at = fprintf(to, "\n%*s", indent, "") - 1;
		else if (at > indent && len > 0)
			at += fprintf(to, " ");
		at += fprintf(to, "%.*s", len, text);
		if (text[len] == '\n')
			at = fprintf(to, "\n%*s", indent, "") - 1;
		len += text[len] != 0;
	}
	fputc('\n', to);
}

/* A verb or an option on the left, what it does on the right. */
static void print_item(FILE *to, const char *left, const char *help, int column)
{
	int len = fprintf(to, "  %s", left);

	if (len + 2 > column)
		len = fprintf(to, "\n") - 1;
	fprintf(to, "%*s", column - len, "");
	wrap(to, help, column, column);
}

/* "-s, --store STORE" */
static void name_option(char left[TEXT_MAX], const struct ui_option *o)
{
	const char *value = ui_command_value(o);
	char letter[] = "-x, ";

	letter[1] = o->letter;
	snprintf(left, TEXT_MAX, "%s--%s%s%s", o->letter != 0 ? letter : "    ", o->name,
		value != NULL ? " " : "", value != NULL ? value : "");
}

/* "-s, --store STORE   (next, prev) a store (repeatable)": verbs: says which have it. */
static void print_option(FILE *to, const struct ui_option *o, bool verbs, int column)
{
	const char *at = verbs && o->verbs != NULL ? o->verbs : "", *before = "(";
	char left[TEXT_MAX], text[TEXT_MAX];
	int len = 0, n;

	for (; *at != 0; at += n + (at[n] == ' '), before = ", ") {
		n = (int)strcspn(at, " ");
		len += n == 1 && *at == '-' ? sprintf(text + len, "%swithout a verb", before)
					    : sprintf(text + len, "%s%.*s", before, n, at);
	}
	snprintf(text + len, TEXT_MAX - (size_t)len, "%s%s%s", len > 0 ? ") " : "", o->help,
		o->many ? " (repeatable)" : "");
	name_option(left, o);
	print_item(to, left, text, column);
}

/* Where the text on the right begins. */
static int find_column(const struct ui_command *command, const struct ui_option *rows, size_t count)
{
	const struct ui_verb *v;
	char left[TEXT_MAX];
	size_t i, max = 0, len;

	for (i = 0; i < count; i++) {
		name_option(left, &rows[i]);
		len = strlen(left);
		max = len > max && len <= LEFT_MAX ? len : max;
	}
	for (v = command->verbs; v != NULL && v->name != NULL; v++)
		max = v->help != NULL && strlen(v->name) > max ? strlen(v->name) : max;
	return (int)max + 4;
}

/* The verb under which an option is listed, for it has no other; NULL: none. */
static const struct ui_verb *verb_of(
	const struct ui_command *command, const struct ui_option *option)
{
	const struct ui_verb *v;

	for (v = command->verbs; option->verbs != NULL && v->name != NULL; v++)
		if (v->help != NULL && strcmp(option->verbs, v->name) == 0)
			return v;
	return NULL;
}

static void print_usage(
	FILE *to, const struct ui_command *command, const struct ui_option *rows, size_t count)
{
	const struct ui_verb *v;
	const char *line, *head = "usage:";
	size_t i;
	int len;

	for (line = command->usage; line != NULL; line = line[len] != 0 ? line + len + 1 : NULL) {
		len = (int)strcspn(line, "\n");
		if (*line == ' ') /* it goes on under the arguments */
			fprintf(to, "%*s%.*s\n", (int)strlen(command->name) + 13, "", len, line);
		else
			fprintf(to, "%s fdump %s%s%.*s\n", head, command->name, len > 0 ? " " : "",
				len, line);
		head = "      ";
	}
	for (v = command->verbs; command->usage == NULL && v->name != NULL; v++) {
		fprintf(to, "%s fdump %s", head, command->name);
		if (strcmp(v->name, "-") != 0)
			fprintf(to, " %s", v->name);
		if (*v->arguments != 0)
			fprintf(to, " %s", v->arguments);
		for (i = 0; i < count && !ui_command_has(&rows[i], v); i++)
			continue;
		fputs(i + 1 < count ? " [options]\n" : "\n", to); /* the last is --help */
		head = "      ";
	}
}

void ui_help_print(const struct ui_command *command, FILE *to)
{
	struct ui_option rows[UI_COMMAND_OPTIONS];
	size_t count = ui_command_rows(command, rows), i;
	const int column = find_column(command, rows, count);
	const struct ui_verb *v;

	print_usage(to, command, rows, count);
	fputc('\n', to);
	wrap(to, command->about, 0, 0);
	fputc('\n', to);
	for (v = command->verbs; v != NULL && v->name != NULL; v++) {
		if (v->help == NULL)
			continue;
		print_item(to, strcmp(v->name, "-") == 0 ? "(no verb)" : v->name, v->help, column);
		for (i = 0; i < count; i++)
			if (verb_of(command, &rows[i]) == v)
				print_option(to, &rows[i], false, column);
		if (v[1].name == NULL)
			fputc('\n', to);
	}
	for (i = 0; i < count; i++)
		if (verb_of(command, &rows[i]) == NULL)
			print_option(to, &rows[i], true, column);
	fputs("\nExit status:", to);
	wrap(to, command->exits, 0, 12);
}
