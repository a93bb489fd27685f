/* The list of all commands. */
#include "cmd/cmd.h"

#include <stddef.h>
#include <string.h>

const struct ui_command *const cmd_all[] = {&cmd_pack, &cmd_unpack, &cmd_list, &cmd_cat,
	&cmd_verify, &cmd_diff, &cmd_key, &cmd_store, &cmd_backup, &cmd_dumps, &cmd_files,
	&cmd_find, &cmd_restore, &cmd_forget, &cmd_export, &cmd_setup, &cmd_token, &cmd_join,
	&cmd_status, &cmd_hosts, &cmd_runs, &cmd_run, &cmd_revoke, &cmd_agent, &cmd_manager,
	&cmd_cron, NULL};

const struct ui_command *cmd_named(const char *name)
{
	const struct ui_command *const *c;

	for (c = cmd_all; *c != NULL && strcmp((*c)->name, name) != 0; c++)
		continue;
	return *c;
}
