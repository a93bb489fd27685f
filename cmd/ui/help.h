/*
 * The text of --help, made from a command's tables.
 */
#ifndef FDUMP_CMD_UI_HELP_H
#define FDUMP_CMD_UI_HELP_H

#include <stdio.h>

struct ui_command;

/* Prints usage, what the command does, verbs, options and exit statuses, 80 columns wide. */
void ui_help_print(const struct ui_command *command, FILE *to);

#endif
