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
#include "lib/hash.h"
#include "rpc/wire.h"

static const char help[] =
	"usage: fdump revoke agent|store|manager|operator NAME [--json]\n"
	"\n"
	"Denies a machine or a person: all managers that this operator knows refuse it at\n"
	"once, and stores and agents as soon as they have heard of it, within minutes.\n"
	"Denying a manager denies everything that it has signed. What was backed up stays.\n"
	"The name is free for a new machine then ('fdump token').\n"
	"\n"
	"      --identity DIR  who asks: a folder with an operator's files\n"
	"      --config DIR    where configuration is; default: /etc/fdump\n"
	"      --state DIR     the services' own files; default: /var/lib/fdump\n"
	"      --json          one JSON object a line: what each manager said\n"
	"  -h, --help          this text\n"
	"\n"
	"Exit status: 0 all managers deny it; 2 failed on one or more, or wrong usage; 6 not\n"
	"allowed.\n";

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

	if (hash_crypto_init(&err) != 0 ||
		ui_fleet_open(&r->fleet, r->o.config, r->o.state, r->o.identity, &err) != 0)
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

int cmd_revoke(int argc, char **argv)
{
	static struct revoke r = {.o = {.command = "revoke", .help = help, .shared = "jiS"}};
	struct err err = {0};
	int status;

	status = ui_options_parse(&r.o, argc, argv);
	if (status >= 0)
		return status;
	if (argc - optind != 2)
		return ui_usage("revoke", "expected a role and a NAME: fdump revoke agent web1");
	r.role = argv[optind];
	r.name = argv[optind + 1];
	if (rpc_role_get(r.role, strlen(r.role)) == RPC_NOBODY)
		return ui_usage(
			"revoke", "'%s' is not a role: agent, store, manager or operator", r.role);
	if (name_check("NAME", r.name, &err) != 0)
		return ui_usage("revoke", "%s", err.message);
	status = run(&r);
	ui_options_fini(&r.o);
	return status;
}
