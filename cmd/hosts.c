/* fdump hosts: lists who has joined the fleet. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/err.h"

struct hosts {
	struct ui_options o;
	struct ui_fleet fleet;
	size_t count;
};

/* Returns a host's address: for a store the one that it announces; for others the one that they
 * connect from, without the port, which is different for each connection. */
static const char *where(char text[MANAGER_ADDRESS_MAX], const struct manager_host_row *host)
{
	char *port;

	snprintf(
		text, MANAGER_ADDRESS_MAX, "%s", host->reach[0] != 0 ? host->reach : host->address);
	port = strrchr(text, ':');
	if (host->reach[0] == 0 && port != NULL)
		*port = 0;
	return text[0] != 0 ? text : "-";
}

static int show(void *ctx, const void *row, struct err *err)
{
	const struct manager_host_row *host = row;
	struct hosts *h = ctx;
	char seen[UI_FLEET_TIME], until[UI_FLEET_TIME], address[MANAGER_ADDRESS_MAX];
	bool replaced = host->replace > h->fleet.now; /* a token with --replace can be used */

	if (h->o.json)
		return ui_fleet_json("host", "hosts.host", manager_host_fields, row, err);
	if (h->count++ == 0)
		printf("%-9s %-24s %-13s %-21s %-24s %s\n", "ROLE", "NAME", "", "LAST SEEN",
			"ADDRESS", "VERSION");
	printf("%-9s %-24s %-13s %-21s %-24s %s%s%s\n", host->role, host->name,
		host->denied ? "denied"
		: host->up   ? "connected"
		: strcmp(host->role, "manager") == 0
			? "-" /* managers don't connect to one another */
			: "not connected",
		ui_fleet_time(seen, host->seen), where(address, host),
		host->version[0] != 0 ? host->version : "-",
		replaced ? ", can be replaced until " : "",
		replaced ? ui_fleet_time(until, host->replace) : "");
	return 0;
}

static struct hosts hosts;

static int run(void *own, struct err *err)
{
	struct hosts *h = own;
	int ret;

	ui_pipe_ends(UI_OK);
	ret = ui_fleet_open(&h->fleet, &h->o, err);
	if (ret == 0)
		ret = ui_fleet_rows(&h->fleet, MANAGER_METHOD_HOSTS, NULL, manager_host_fields,
			sizeof(struct manager_host_row), show, h, err);
	if (ret == 0 && h->count == 0 && !h->o.json)
		printf("No machine has joined yet: 'fdump token agent NAME' lets one join.\n");
	ui_fleet_close(&h->fleet);
	return ret;
}

static const struct ui_option options[] = {{.shared = "joIS"}, {0}};

const struct ui_command cmd_hosts = {
	.name = "hosts",
	.summary = "list who has joined the fleet",
	.usage = "[--json]",
	.about = "Lists who has joined the fleet, as the manager knows it: agents, stores, "
		 "managers and operators; whether they are connected, and when they were last "
		 "heard of.",
	.options = options,
	.arguments = "",
	.exits = "0 done; 2 failed, or wrong usage; 6 not allowed.",
	.own = &hosts,
	.run = run,
};
