/* Reads the configuration files of services. */
#include "cmd/ui/conf.h"

#include <stdio.h>
#include <string.h>

#include "cmd/manager/plan.h"
#include "cmd/ui/log.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/size.h"

#define CONF_MAX (1u << 20)

void ui_conf_problem(void *ctx, const char *file, unsigned line, const char *what)
{
	(void)ctx;
	if (line > 0)
		ui_log(UI_LOG_ERROR, "%s:%u: %s", file, line, what);
	else
		ui_log(UI_LOG_ERROR, "%s: %s", file, what);
}

int ui_conf_read(struct manager_syntax *syntax, const char *path,
	const struct manager_syntax_rule *rules, manager_problem *problem, void *ctx,
	struct err *err)
{
	struct buf text;
	int ret;

	*syntax = (struct manager_syntax){.text = NULL};
	buf_init(&text, CONF_MAX);
	if (file_read_buf(path, &text, NULL, err) != 0) {
		ret = err->code == ERR_NOTFOUND ? 1 : -1;
	} else {
		ret = manager_syntax_read(
			syntax, path, (char *)text.data, text.len, rules, problem, ctx, err);
		if (ret == 1)
			ret = err_set(err, ERR_CONFIG, "%s: not taken", path);
	}
	buf_fini(&text);
	return ret;
}

/* What is wrong with a value of this type. */
const char ui_conf_bool[] = "is not yes or no", ui_conf_time[] = "is not a time as 12h or 3d",
	   ui_conf_list[] = "";

/* Returns NULL, or what is wrong with the value. */
static const char *take_value(void *at, const struct manager_key *key, const char *value)
{
	const struct manager_syntax_key *rule = key->rule;

	if (rule->type == ui_conf_list) {
		*(struct manager_list *)at = (struct manager_list){key->values, key->count};
	} else if (rule->type == ui_conf_time) {
		return size_parse_time(value, at) == 0 ? NULL : ui_conf_time;
	} else if (rule->type == ui_conf_bool) {
		*(bool *)at = strcmp(value, "yes") == 0;
		return *(bool *)at || strcmp(value, "no") == 0 ? NULL : ui_conf_bool;
	} else if (rule->size > 0 && (size_t)snprintf(at, rule->size, "%s", value) >= rule->size) {
		return "is too long";
	}
	return NULL;
}

int ui_conf_take(void *to, const struct manager_section *section, struct err *err)
{
	const struct manager_key *key, *end = section->keys + section->count;
	const char *value, *wrong;

	for (key = section->keys; key < end; key++) {
		value = key->count > 0 ? key->values[0] : "";
		wrong = take_value((char *)to + key->rule->at, key, value);
		if (wrong != NULL)
			return err_set(err, ERR_CONFIG, "%s:%u: %s: '%s' %s", section->file,
				key->line, key->name, value, wrong);
	}
	return 0;
}
