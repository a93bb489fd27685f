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

struct revoke {
	struct ui_options o;
	struct ui_fleet fleet;
	const char *role, *name;
};

static int ask(struct revoke *r, struct err *err)
{
	uint8_t mem[128];
	struct cbor_out out;
	struct buf reply;
	int ret;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "role");
	cbor_put_text(&out, r->role);
	cbor_put_text(&out, "name");
	cbor_put_text(&out, r->name);
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

/* Each manager decides for itself, so each is asked. Returns the exit status. */
static int run(struct revoke *r)
{
	size_t count, i;
	struct err err = {0}, why, last = {0};

	if (ui_fleet_open(&r->fleet, &r->o, &err) != 0)
		return ui_fail("revoke", &err);
	count = r->fleet.count;
	for (i = 0; i < count; i++) {
		why = (struct err){0};
		r->fleet.at = i;
		r->fleet.count = i + 1; /* no other one in its place */
		if (ask(r, &why) != 0)
			last = why;
		ui_fleet_close(&r->fleet);
		if (show(r, r->fleet.managers[i].name, why.code != ERR_NONE ? &why : NULL, &err) !=
			0)
			return ui_fail("revoke", &err);
	}
	if (last.code == ERR_NONE)
		return UI_OK;
	if (count > 1)
		err_set(&err, last.code, "not all managers deny it: call it again for them");
	else
		err = last;
	return r->o.json || count > 1 ? ui_fail("revoke", &err) : err_exit_status(last.code);
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
	.about = "Denies a machine or a person: all managers that this operator knows refuse it "
		 "at once, and stores and agents as soon as they have heard of it, within "
		 "minutes. Denying a manager denies everything that it has signed. What was "
		 "backed up stays. The name is then free for a new machine ('fdump token').",
	.verbs = roles,
	.options = options,
	.exits = "0 all managers deny it; 2 failed on one or more, or wrong usage; 6 not allowed.",
	.run = main_revoke,
};
