/* fdump hosts: who has joined the fleet. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/hash.h"

static const char help[] =
	"usage: fdump hosts [--json]\n"
	"\n"
	"Lists who has joined the fleet, as the manager knows: agents, stores, managers,\n"
	"operators; whether they are connected, and when they were heard of last.\n"
	"\n"
	"      --identity DIR  who asks: a folder with an operator's files\n"
	"      --config DIR    where configuration is; default: /etc/fdump\n"
	"      --state DIR     the services' own files; default: /var/lib/fdump\n"
	"      --json          one JSON object a line\n"
	"  -h, --help          this text\n"
	"\n"
	"Exit status: 0 done; 2 failed, or wrong usage; 6 not allowed.\n";

struct hosts {
	struct ui_options o;
	struct ui_fleet fleet;
	size_t count;
};

static int show(void *ctx, const void *row, struct err *err)
{
	const struct manager_host_row *host = row;
	struct hosts *h = ctx;
	char seen[UI_FLEET_TIME];

	if (h->o.json)
		return ui_fleet_json("host", "hosts.host", manager_host_fields, row, err);
	if (h->count++ == 0)
		printf("%-9s %-24s %-13s %-21s %-24s %s\n", "ROLE", "NAME", "", "LAST SEEN",
			"ADDRESS", "VERSION");
	printf("%-9s %-24s %-13s %-21s %-24s %s\n", host->role, host->name,
		host->denied ? "denied"
		: host->up   ? "connected"
			     : "not connected",
		ui_fleet_time(seen, host->seen), host->reach[0] != 0 ? host->reach : host->address,
		host->version);
	return 0;
}

int cmd_hosts(int argc, char **argv)
{
	static struct hosts h = {.o = {.command = "hosts", .help = help, .shared = "jiS"}};
	struct err err = {0};
	int status;

	status = ui_options_parse(&h.o, argc, argv);
	if (status >= 0)
		return status;
	if (optind < argc)
		return ui_usage("hosts", "'%s': it takes no arguments", argv[optind]);
	if (hash_crypto_init(&err) != 0 ||
		ui_fleet_open(&h.fleet, h.o.config, h.o.state, h.o.identity, &err) != 0 ||
		ui_fleet_rows(&h.fleet, MANAGER_METHOD_HOSTS, NULL, manager_host_fields,
			sizeof(struct manager_host_row), show, &h, &err) != 0)
		status = ui_fail("hosts", &err);
	else
		status = UI_OK;
	ui_fleet_close(&h.fleet);
	ui_options_fini(&h.o);
	return status;
}
