/* fdump revoke: a machine or a person is refused from now on. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "rpc/wire.h"

#define DENIED_MAX 64

struct revoke {
	struct ui_options o;
	struct ui_fleet fleet;
	const char *role, *name;
	/* The host ids that managers know by this name. */
	char hosts[MANAGER_PEERS_MAX][RPC_HOST_LEN + 1];
	size_t host_count;
	struct err why[MANAGER_PEERS_MAX];         /* of each manager: why it does not deny them */
	char denied[DENIED_MAX][NAME_LEN_MAX + 1]; /* managers that are denied themselves */
	size_t denied_count;
};

/* --- who it is ---------------------------------------------------------------- */

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

/* Each manager knows those who joined at it, and whoever has called it. Their number grows as they
 * tell of others. */
static void look_up(struct revoke *r)
{
	struct ui_fleet *f = &r->fleet;
	size_t own = f->at, i;

	f->only = true;
	for (i = 0; i < f->count; i++) {
		if (f->local && i != own) {
			err_set(&r->why[i], ERR_FAILED,
				"%s was not asked: the identity in %s is good for %s only; ask as "
				"an operator who joined with a token, or as root on %s",
				f->managers[i].name, f->role.dir, f->managers[own].name,
				f->managers[i].name);
			continue;
		}
		f->at = i;
		f->learned = false;
		ui_fleet_rows(f, MANAGER_METHOD_HOSTS, NULL, manager_host_fields,
			sizeof(struct manager_host_row), on_host, r, &r->why[i]);
		ui_fleet_close(f);
	}
}

/* --- denying ------------------------------------------------------------------ */

static int deny(struct revoke *r, const char *host, struct err *err)
{
	uint8_t mem[192];
	struct cbor_out out;
	struct buf reply;
	int ret;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "role");
	cbor_put_text(&out, r->role);
	cbor_put_text(&out, "name");
	cbor_put_text(&out, r->name);
	cbor_put_text(&out, "host");
	cbor_put_text(&out, host);
	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = ui_fleet_call(&r->fleet, MANAGER_METHOD_REVOKE, &out, &reply, NULL, err);
	buf_fini(&reply);
	return ret;
}

static int show(const struct revoke *r, const char *manager, const struct err *why, struct err *err)
{
	json_t *object;
	int failed;

	if (!r->o.json) {
		if (why == NULL)
			printf("%s denies the %s %s\n", manager, r->role, r->name);
		else
			ui_say("revoke", "%s", why->message); /* it names the manager */
		return 0;
	}
	object = ui_json_new("manager", "revoke.manager");
	failed = ui_json_add(object, "manager", json_string(manager));
	failed |= ui_json_add(object, "denied", json_boolean(why == NULL));
	if (why != NULL)
		failed |= ui_json_name(object, "what", why->message, strlen(why->message));
	return ui_json_print(object, failed, err);
}

static bool is_denied(const struct revoke *r, const char *manager)
{
	size_t i;

	for (i = 0; i < r->denied_count; i++)
		if (strcmp(r->denied[i], manager) == 0)
			return true;
	return false;
}

/* Has each manager that answered deny it, and shows what became of it. A manager can't deny itself,
 * and one that is denied has no say. Returns 0, with the last failure that counts in *last, or -1
 * with err set. */
static int deny_all(struct revoke *r, struct err *last, struct err *err)
{
	bool is_manager = strcmp(r->role, "manager") == 0;
	struct ui_fleet *f = &r->fleet;
	size_t count = f->count, i, h;

	for (i = 0; i < count; i++) {
		const char *manager = f->managers[i].name;

		if (is_manager && count > 1 && strcmp(manager, r->name) == 0)
			continue;
		f->at = i;
		f->learned = true;
		for (h = 0; h < r->host_count && r->why[i].code == ERR_NONE; h++)
			deny(r, r->hosts[h], &r->why[i]);
		ui_fleet_close(f);
		if (r->why[i].code != ERR_NONE && !is_denied(r, manager))
			*last = r->why[i];
		if (show(r, manager, r->why[i].code != ERR_NONE ? &r->why[i] : NULL, err) != 0)
			return -1;
	}
	return 0;
}

/* Each manager decides for itself, so each is asked. Returns the exit status. */
static int run(struct revoke *r)
{
	struct err err = {0}, last = {0};
	size_t i, answered = 0;

	if (ui_fleet_open(&r->fleet, &r->o, &err) != 0)
		return ui_fail("revoke", &err);
	look_up(r);
	for (i = 0; i < r->fleet.count; i++)
		answered += r->why[i].code == ERR_NONE;
	if (r->fleet.count == 1 && answered == 0)
		return ui_fail("revoke", &r->why[0]);
	if (r->host_count == 0 && answered > 0) {
		for (i = 0; i < r->fleet.count; i++)
			if (r->why[i].code != ERR_NONE)
				ui_say("revoke", "%s", r->why[i].message);
		err_set(&err, ERR_NOTFOUND, "no %s %s has joined ('fdump hosts' lists who has)",
			r->role, r->name);
		return ui_fail("revoke", &err);
	}
	if (deny_all(r, &last, &err) != 0)
		return ui_fail("revoke", &err);
	if (last.code == ERR_NONE)
		return UI_OK;
	if (r->fleet.count > 1)
		err_set(&err, last.code,
			"not all managers deny the %s %s: once they can be asked, repeat this",
			r->role, r->name);
	else
		err = last;
	return r->o.json || r->fleet.count > 1 ? ui_fail("revoke", &err)
					       : err_exit_status(last.code);
}

static int main_revoke(int argc, char **argv)
{
	static struct revoke r;
	struct err err = {0};
	int status;

	status = ui_options_parse(&r.o, &cmd_revoke, &r, argc, argv);
	if (status >= 0)
		return status;
	r.role = r.o.verb->name;
	r.name = argv[optind];
	if (name_check("NAME", r.name, &err) != 0)
		return ui_usage("revoke", "%s", err.message);
	status = run(&r);
	ui_options_fini(&r.o);
	return status;
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
	.run = main_revoke,
};
