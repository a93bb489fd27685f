/*
 * fdump completion: prints the scripts with which shells complete fdump's commands, verbs, options
 * and the values of options. All of it comes from the commands' tables; names of stores, agents and
 * jobs are not completed.
 *
 * In bash and zsh a function looks the words up in a `case` (print_cases), which both understand;
 * in fish there is a line for each command, verb and option.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"

/* Prints text in single quotes, for all three shells. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text != 0; text++)
		*text == '\'' ? fputs("'\\''", stdout) : putchar(*text);
	putchar('\'');
}

/* Prints WORD:'DESCRIPTION' for zsh, WORD for bash. */
static void print_word(const char *prefix, const char *word, const char *help, bool zsh)
{
	printf(" %s%s", prefix, word);
	if (!zsh || help == NULL)
		return;
	putchar(':');
	print_quoted(help);
}

static void print_choices(const char *choices)
{
	for (; *choices != 0; choices++)
		putchar(*choices == '|' ? ' ' : *choices);
}

/* Returns what the shell itself completes for a type: "directories", "files" or "none". */
static const char *kind_of(enum ui_type type)
{
	return type == UI_DIR || type == UI_STORE ? "directories"
	       : type == UI_FILE                  ? "files"
						  : "none";
}

static void print_options(
	const struct ui_option *rows, size_t count, const struct ui_verb *verb, bool all, bool zsh)
{
	size_t i;

	fputs("options=(", stdout);
	for (i = 0; i < count; i++)
		if (all || ui_command_has(&rows[i], verb))
			print_word("--", rows[i].name, rows[i].help, zsh);
	fputs(")", stdout);
}

/* Prints assignments of options and arguments, and of verbs if the command has some. */
static void print_arguments(
	const struct ui_command *c, const struct ui_option *rows, size_t count, bool zsh)
{
	const struct ui_verb *v;

	fputs("\t\t", stdout);
	if (c->verbs == NULL) {
		print_options(rows, count, NULL, true, zsh);
		printf(" arguments=%s\n", kind_of(ui_command_argument(c->arguments)));
		return;
	}
	fputs("verbs=(", stdout);
	for (v = c->verbs; v->name != NULL; v++)
		if (strcmp(v->name, "-") != 0)
			print_word("", v->name, v->help, zsh);
	fputs(")\n\t\tcase $verb in\n", stdout);
	for (v = c->verbs; v->name != NULL; v++) {
		if (strcmp(v->name, "-") == 0)
			continue;
		printf("\t\t%s) ", v->name);
		print_options(rows, count, v, false, zsh);
		printf(" arguments=%s ;;\n", kind_of(ui_command_argument(v->arguments)));
	}
	fputs("\t\t*) ", stdout);
	print_options(rows, count, NULL, true, zsh);
	fputs(" arguments=none ;;\n\t\tesac\n", stdout);
}

/* Prints a case for each command; inside it one for the options that take a value. */
static void print_cases(bool zsh)
{
	const struct ui_command *const *c;
	struct ui_option rows[UI_COMMAND_OPTIONS];
	size_t count, i;

	fputs("\tcase $command in\n", stdout);
	for (c = cmd_all; *c != NULL; c++) {
		count = ui_command_rows(*c, rows);
		printf("\t%s)\n", (*c)->name);
		print_arguments(*c, rows, count, zsh);
		fputs("\t\tcase $prev in\n", stdout);
		for (i = 0; i < count; i++) {
			if (rows[i].type == UI_FLAG)
				continue;
			printf("\t\t--%s", rows[i].name);
			if (rows[i].letter != 0)
				printf(" | -%c", rows[i].letter);
			printf(") value=%s",
				rows[i].type == UI_CHOICE ? "choices" : kind_of(rows[i].type));
			if (rows[i].type == UI_CHOICE) {
				fputs(" choices=(", stdout);
				print_choices(rows[i].choices);
				fputs(")", stdout);
			}
			fputs(" ;;\n", stdout);
		}
		fputs("\t\tesac\n\t\t;;\n", stdout);
	}
	fputs("\tesac\n", stdout);
}

static void print_commands(bool zsh)
{
	const struct ui_command *const *c;

	fputs("\tcommands=(", stdout);
	for (c = cmd_all; *c != NULL; c++)
		print_word("", (*c)->name, (*c)->summary, zsh);
	fputs(" --help --version)\n", stdout);
}

static int print_bash(void *own, struct err *err)
{
	(void)own;
	(void)err;
	fputs("# Completion of fdump in bash, made by 'fdump completion bash'.\n"
	      "_fdump() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal command=${COMP_WORDS[1]} verb=${COMP_WORDS[2]} arguments=none value=\n"
	      "\tlocal -a commands verbs options choices\n\n",
		stdout);
	print_commands(false);
	print_cases(false);
	fputs("\tif ((COMP_CWORD == 1)); then\n"
	      "\t\tvalue=choices choices=(\"${commands[@]}\")\n"
	      "\telif [[ -z $value && $cur == -* ]]; then\n"
	      "\t\tvalue=choices choices=(\"${options[@]}\")\n"
	      "\telif [[ -z $value && $COMP_CWORD == 2 && ${#verbs[@]} != 0 ]]; then\n"
	      "\t\tvalue=choices choices=(\"${verbs[@]}\")\n"
	      "\tfi\n"
	      "\tcase ${value:-$arguments} in\n"
	      "\tchoices) mapfile -t COMPREPLY < <(compgen -W \"${choices[*]}\" -- \"$cur\") ;;\n"
	      "\tfiles) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	      "\tdirectories) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
	      "\t*) COMPREPLY=() ;;\n"
	      "\tesac\n"
	      "\t[[ ${value:-$arguments} != [fd]* ]] || compopt -o filenames 2>/dev/null\n"
	      "}\n"
	      "complete -F _fdump fdump\n",
		stdout);
	return UI_OK;
}

static int print_zsh(void *own, struct err *err)
{
	(void)own;
	(void)err;
	fputs("#compdef fdump\n"
	      "# Completion of fdump in zsh, made by 'fdump completion zsh'.\n"
	      "_fdump() {\n"
	      "\tlocal command=$words[2] verb=$words[3] prev=$words[CURRENT-1] arguments=none "
	      "value=\n"
	      "\tlocal -a commands verbs options choices\n\n",
		stdout);
	print_commands(true);
	print_cases(true);
	fputs("\tif ((CURRENT == 2)); then\n"
	      "\t\t_describe command commands\n"
	      "\t\treturn\n"
	      "\telif [[ -z $value && $PREFIX == -* ]]; then\n"
	      "\t\t_describe -o option options\n"
	      "\t\treturn\n"
	      "\telif [[ -z $value ]] && ((CURRENT == 3 && $#verbs > 0)); then\n"
	      "\t\t_describe verb verbs\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tcase ${value:-$arguments} in\n"
	      "\tchoices) _describe value choices ;;\n"
	      "\tfiles) _files ;;\n"
	      "\tdirectories) _files -/ ;;\n"
	      "\tesac\n"
	      "}\n"
	      "_fdump \"$@\"\n",
		stdout);
	return UI_OK;
}

/* Prints a line: what the shell completes after the command and, unless verbs is NULL, one of these
 * verbs ('-': none yet). kind: files and directories are completed by the shell; other types have
 * no effect. */
static void print_fish_line(const char *command, const char *verbs, const char *flags,
	enum ui_type kind, const char *choices, const char *help)
{
	printf("complete -c fdump -n \"__fdump_in %s%s%s\"%s", command, verbs != NULL ? " " : "",
		verbs != NULL ? verbs : "", flags);
	fputs(kind == UI_FILE                        ? " -F"
		: kind == UI_DIR || kind == UI_STORE ? " -a '(__fish_complete_directories)'"
						     : "",
		stdout);
	if (choices != NULL) {
		fputs(" -a '", stdout);
		print_choices(choices);
		putchar('\'');
	}
	if (help != NULL) {
		fputs(" -d ", stdout);
		print_quoted(help);
	}
	putchar('\n');
}

static void print_fish_option(const struct ui_command *c, const struct ui_option *o)
{
	const bool value = o->type != UI_FLAG;
	char flags[64], letter[8] = "", verbs[128];

	if (o->letter != 0)
		snprintf(letter, sizeof letter, " -s %c", o->letter);
	snprintf(flags, sizeof flags, " -l %s%s%s", o->name, letter,
		!value               ? ""
		: o->type == UI_FILE ? " -r"
				     : " -x");
	snprintf(verbs, sizeof verbs, "- %s", o->verbs != NULL ? o->verbs : "");
	print_fish_line(c->name, o->verbs != NULL ? verbs : NULL, flags, value ? o->type : UI_TEXT,
		o->type == UI_CHOICE ? o->choices : NULL, o->help);
}

static void print_fish_arguments(const struct ui_command *c)
{
	const struct ui_verb *v;
	enum ui_type type;
	char word[64];

	if (c->verbs == NULL && (type = ui_command_argument(c->arguments)) != UI_TEXT)
		print_fish_line(c->name, NULL, "", type, NULL, NULL);
	for (v = c->verbs; v != NULL && v->name != NULL; v++) {
		if (strcmp(v->name, "-") == 0)
			continue;
		snprintf(word, sizeof word, " -a %s", v->name);
		print_fish_line(c->name, "-", word, UI_TEXT, NULL, v->help);
		if ((type = ui_command_argument(v->arguments)) != UI_TEXT)
			print_fish_line(c->name, v->name, "", type, NULL, NULL);
	}
}

static int print_fish(void *own, struct err *err)
{
	const struct ui_command *const *c;
	struct ui_option rows[UI_COMMAND_OPTIONS];
	size_t count, i;

	(void)own;
	(void)err;
	fputs("# Completion of fdump in fish, made by 'fdump completion fish'.\n"
	      "# Whether this command, and one of these verbs ('-': none yet), was typed.\n"
	      "function __fdump_in\n"
	      "    set -l typed (commandline -opc)\n"
	      "    set -q argv[1]; or return (math (count $typed) - 1)\n"
	      "    test \"$typed[2]\" = \"$argv[1]\"; or return 1\n"
	      "    set -q typed[3]; or set typed[3] -\n"
	      "    not set -q argv[2]; or contains -- $typed[3] $argv[2..]\n"
	      "end\n"
	      "complete -c fdump -f\n"
	      "complete -c fdump -n __fdump_in -l help\n"
	      "complete -c fdump -n __fdump_in -l version\n",
		stdout);
	for (c = cmd_all; *c != NULL; c++) {
		printf("complete -c fdump -n __fdump_in -a %s -d ", (*c)->name);
		print_quoted((*c)->summary);
		putchar('\n');
		print_fish_arguments(*c);
		count = ui_command_rows(*c, rows);
		for (i = 0; i < count; i++)
			print_fish_option(*c, &rows[i]);
	}
	return UI_OK;
}

static struct ui_options completion_options;

static const struct ui_verb shells[] = {{"bash", "", NULL, print_bash},
	{"zsh", "", NULL, print_zsh}, {"fish", "", NULL, print_fish}, {0}};

const struct ui_command cmd_completion = {
	.name = "completion",
	.usage = "bash|zsh|fish",
	.about = "Prints a script by which the shell completes fdump's commands and options.",
	.verbs = shells,
	.exits = "0 done; 2 failed or wrong usage.",
	.own = &completion_options,
};
