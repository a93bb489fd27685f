/*
 * fdump completion: prints the scripts with which shells complete fdump's commands, verbs, options
 * and the values of options. A script calls 'fdump completion words' with the words typed so far,
 * and gets what can come next, all of it from the commands' tables. Names of stores, agents and
 * jobs are not completed.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"

/* --- what can come next --------------------------------------------------------- */

/* Prints a line WORD:HELP. */
static void print_word(const char *prefix, const char *word, const char *help)
{
	printf("%s%s%s%s\n", prefix, word, help != NULL ? ":" : "", help != NULL ? help : "");
}

/* Prints the value of an option or the arguments of a command: the choices, or which paths the
 * shell completes: -d (directories) or -f (all). */
static void print_value(enum ui_type type, const char *choices)
{
	if (type == UI_DIR || type == UI_STORE)
		puts("-d");
	else if (type == UI_FILE)
		puts("-f");
	else if (type == UI_CHOICE)
		for (; *choices != 0; choices += strcspn(choices, "|"), choices += *choices == '|')
			printf("%.*s\n", (int)strcspn(choices, "|"), choices);
}

/* Whether a word is this option, and its value comes next. */
static bool takes_value(const struct ui_option *o, const char *word)
{
	const char letter[] = {o->letter, 0};

	if (o->type == UI_FLAG || word[0] != '-')
		return false;
	return word[1] == '-' ? strcmp(word + 2, o->name) == 0 : strcmp(word + 1, letter) == 0;
}

/* Returns NULL for a word that is not a verb. */
static const struct ui_verb *find_verb(const struct ui_command *c, const char *word)
{
	const struct ui_verb *v;

	for (v = c->verbs; v != NULL && v->name != NULL; v++)
		if (strcmp(v->name, word) == 0 && strcmp(word, "-") != 0)
			return v;
	return NULL;
}

/* words: the arguments of a command; the last one is incomplete. */
static void print_next(const struct ui_command *c, char **words, int count)
{
	const struct ui_verb *verb = find_verb(c, words[0]), *v;
	struct ui_option rows[UI_COMMAND_OPTIONS];
	size_t row_count = ui_command_rows(c, rows), i;

	for (i = 0; i < row_count && count > 1; i++)
		if (takes_value(&rows[i], words[count - 2])) {
			print_value(rows[i].type, rows[i].choices);
			return;
		}
	if (words[count - 1][0] == '-') {
		for (i = 0; i < row_count; i++)
			if (verb == NULL || ui_command_has(&rows[i], verb))
				print_word("--", rows[i].name, rows[i].help);
	} else if (c->verbs == NULL) {
		print_value(ui_command_argument(c->arguments), NULL);
	} else if (count > 1 && verb != NULL) {
		print_value(ui_command_argument(verb->arguments), NULL);
	} else if (count == 1) {
		for (v = c->verbs; v->name != NULL; v++)
			if (strcmp(v->name, "-") != 0)
				print_word("", v->name, v->help);
	}
}

static struct ui_options completion_options;

static int print_words(void *own, struct err *err)
{
	const struct ui_options *o = own;
	const struct ui_command *c = o->arg_count > 1 ? cmd_named(o->args[0]) : NULL;
	const struct ui_command *const *all;

	(void)err;
	if (c != NULL)
		print_next(c, o->args + 1, o->arg_count - 1);
	if (o->arg_count > 1)
		return UI_OK;
	for (all = cmd_all; *all != NULL; all++)
		print_word("", (*all)->name, (*all)->summary);
	puts("--help\n--version");
	return UI_OK;
}

/* --- the scripts ---------------------------------------------------------------- */

static const char bash[] =
	"# Completion of fdump in bash, made by 'fdump completion bash'.\n"
	"_fdump() {\n"
	"\tlocal -a words\n"
	"\tmapfile -t words < <(fdump completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
	"2>/dev/null)\n"
	"\tset -- \"${COMP_WORDS[COMP_CWORD]}\"\n"
	"\tif [[ $words == -[df] ]]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen \"$words\" -- \"$1\")\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\telse\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"${words[*]%%:*}\" -- \"$1\")\n"
	"\tfi\n"
	"}\n"
	"complete -F _fdump fdump\n";

static const char zsh[] =
	"#compdef fdump\n"
	"# Completion of fdump in zsh, made by 'fdump completion zsh'.\n"
	"_fdump() {\n"
	"\tlocal -a next\n"
	"\tnext=(${(f)\"$(fdump completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
	"\tcase $next[1] in\n"
	"\t-d) _files -/ ;;\n"
	"\t-f) _files ;;\n"
	"\t--*) _describe -o option next ;;\n"
	"\t*) _describe word next ;;\n"
	"\tesac\n"
	"}\n"
	"_fdump \"$@\"\n";

static const char fish[] = "# Completion of fdump in fish, made by 'fdump completion fish'.\n"
			   "function __fdump_words\n"
			   "    set -l typed (commandline -opc)[2..] \"$(commandline -ct)\"\n"
			   "    set -l words (fdump completion words -- $typed)\n"
			   "    switch \"$words[1]\"\n"
			   "        case -d\n"
			   "            __fish_complete_directories $typed[-1]\n"
			   "        case -f\n"
			   "            __fish_complete_path $typed[-1]\n"
			   "        case '*'\n"
			   "            string replace : \\t -- $words\n"
			   "    end\n"
			   "end\n"
			   "complete -c fdump -f -a '(__fdump_words)'\n";

static int print_script(void *own, struct err *err)
{
	const char *shell = ((const struct ui_options *)own)->verb->name;

	(void)err;
	fputs(shell[0] == 'b' ? bash : shell[0] == 'z' ? zsh : fish, stdout);
	return UI_OK;
}

static const struct ui_verb verbs[] = {{"bash", "", NULL, print_script},
	{"zsh", "", NULL, print_script}, {"fish", "", NULL, print_script},
	{"words", "[WORD...]", NULL, print_words}, {0}};

const struct ui_command cmd_completion = {
	.name = "completion",
	.usage = "bash|zsh|fish",
	.about = "Prints a script by which the shell completes fdump's commands and options.",
	.verbs = verbs,
	.exits = "0 done; 2 failed or wrong usage.",
	.own = &completion_options,
};
