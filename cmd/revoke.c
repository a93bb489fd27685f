/* fdump revoke: shuts out a machine or a person. */
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/result.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/err.h"

#define DENIED_MAX 64

struct revoke {
	struct ui_options o;
	struct ui_fleet fleet;
	const char *role, *name;
	/* The host ids that managers know by this name. */
	char hosts[MANAGER_PEERS_MAX][RPC_HOST_LEN + 1];
	size_t host_count;
	struct err why[MANAGER_PEERS_MAX];         /* for each manager: why it does not deny them */
	char denied[DENIED_MAX][NAME_LEN_MAX + 1]; /* managers that are denied themselves */
	size_t denied_count;
};

/* --- the host ids ------------------------------------------------------------- */

static int on_host(void *ctx, const void *row, struct err *err)
{
	const struct manager_host_row *host = row;
	struct revoke *r = ctx;
	size_t i = 0;

	(void)err;
	if (strcmp(host->role, "manager") == 0 && host->denied && r->denied_count < DENIED_MAX)
		strcpy(r->denied[r->denied_count++], host->name);
	if (strcmp(host->role, r->role) != 0 || strcmp(host->name, r->name) != 0)
		return 0;
	while (i < r->host_count && strcmp(r->hosts[i], host->host) != 0)
		i++;
	if (i == r->host_count && i < MANAGER_PEERS_MAX)
		strcpy(r->hosts[r->host_count++], host->host);
	return 0;
}

/* Asks every manager, because each knows only the hosts that joined through it or have connected to
 * it. The list of managers grows while they are asked. */
static void look_up(struct revoke *r)
{
	struct ui_fleet *f = &r->fleet;
	size_t i;

	for (i = 0; i < f->count; i++) {
		if (ui_fleet_only(f, i, f->managers[i].name, &r->why[i]) != 0)
			continue;
		f->learned = false;
		ui_fleet_rows(f, MANAGER_METHOD_HOSTS, NULL, manager_host_fields,
			sizeof(struct manager_host_row), on_host, r, &r->why[i]);
		ui_fleet_close(f);
	}
}

/* --- denying ------------------------------------------------------------------ */

/* Asks each manager that answered to deny the host ids, and reports the outcome. A manager is not
 * asked to deny itself, and failures of managers that are denied don't count. Returns 0, with the
 * last failure that counts in *last, or -1 with err set. */
static int deny_all(struct revoke *r, struct err *last, struct err *err)
{
	bool is_manager = strcmp(r->role, "manager") == 0, failed;
	struct ui_fleet *f = &r->fleet;
	size_t count = f->count, i, k;

	f->learned = true;
	for (i = 0; i < count; i++) {
		const char *manager = f->managers[i].name;
		struct err *why = &r->why[i];

		if (is_manager && count > 1 && strcmp(manager, r->name) == 0)
			continue;
		if (why->code == ERR_NONE)
			(void)ui_fleet_only(f, i, manager, why);
		for (k = 0; k < r->host_count && why->code == ERR_NONE; k++)
			(void)ui_fleet_call(f, MANAGER_METHOD_REVOKE,
				(struct ui_field[]){UI_STRING("role", r->role),
					UI_STRING("name", r->name), UI_STRING("host", r->hosts[k]),
					{0}},
				NULL, NULL, why);
		ui_fleet_close(f);
		failed = why->code != ERR_NONE;
		for (k = 0; k < r->denied_count && strcmp(r->denied[k], manager) != 0; k++)
			continue;
		if (failed && k == r->denied_count)
			*last = *why;
		if (failed && !r->o.json)
			ui_say("revoke", "%s", why->message); /* the message names the manager */
		else if (ui_result("manager", "revoke.manager",
				 (struct ui_field[]){UI_STRING("manager", manager),
					 UI_BOOL("denied", !failed),
					 UI_STRING("what", failed ? why->message : NULL), {0}},
				 err, "%s denies the %s %s\n", manager, r->role, r->name) != 0)
			return -1;
	}
	return 0;
}

static struct revoke revoke_options;

/* Each manager decides for itself, so all are asked. */
static int run(void *own, struct err *err)
{
	struct revoke *r = own;
	struct err last = {0};
	size_t i, answered = 0;

	r->role = r->o.verb->name;
	r->name = r->o.args[0];
	if (name_check("NAME", r->name, err) != 0)
		return ui_usage("%s", err->message);
	if (ui_fleet_open(&r->fleet, &r->o, err) != 0)
		return -1;
	look_up(r);
	for (i = 0; i < r->fleet.count; i++)
		answered += r->why[i].code == ERR_NONE;
	if (r->fleet.count == 1 && answered == 0) {
		*err = r->why[0];
		return -1;
	}
	if (r->host_count == 0 && answered > 0) {
		for (i = 0; i < r->fleet.count; i++)
			if (r->why[i].code != ERR_NONE)
				ui_say("revoke", "%s", r->why[i].message);
		return err_set(err, ERR_NOTFOUND,
			"no %s %s has joined ('fdump hosts' lists who has)", r->role, r->name);
	}
	if (deny_all(r, &last, err) != 0)
		return -1;
	if (last.code == ERR_NONE)
		return UI_OK;
	if (r->fleet.count > 1)
		return err_set(err, last.code,
			"not all managers deny the %s %s: once they can be asked, repeat this",
			r->role, r->name);
	*err = last;
	return r->o.json ? -1 : err_exit_status(last.code);
}

static const struct ui_verb roles[] = {{"agent", "NAME", NULL, NULL}, {"store", "NAME", NULL, NULL},
	{"manager", "NAME", NULL, NULL}, {"operator", "NAME", NULL, NULL}, {0}};

static const struct ui_option options[] = {
	{.shared = "oIS"},
	{.shared = "j", .help = "print JSON, one object a line: the answer of each manager"},
	{0},
};

const struct ui_command cmd_revoke = {
	.name = "revoke",
	.summary = "shut out a machine or a person",
	.usage = "agent|store|manager|operator NAME [--json]",
	.about = "Denies a machine or a person: all managers of the fleet refuse it "
		 "at once, and stores and agents as soon as they have heard of it, within "
		 "minutes. Denying a manager denies everything that it has signed. What was "
		 "backed up stays. The name is then free for a new machine ('fdump token').",
	.verbs = roles,
	.options = options,
	.exits = "0 all managers deny it; 2 failed on one or more, or wrong usage; 6 not allowed.",
	.own = &revoke_options,
	.run = run,
};
