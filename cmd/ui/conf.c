/* Reads the configuration files of services. */
#include "cmd/ui/conf.h"

#include <stdio.h>

#include "cmd/ui/log.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"

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

int ui_conf_texts(void *to, const struct manager_section *section, struct err *err)
{
	const struct manager_key *key = section->keys;
	size_t i;

	for (i = 0; i < section->count; i++, key++)
		if (key->rule->size > 0 &&
			(size_t)snprintf((char *)to + key->rule->at, key->rule->size, "%s",
				key->values[0]) >= key->rule->size)
			return err_set(err, ERR_CONFIG, "%s:%u: %s: too long", section->file,
				key->line, key->name);
	return 0;
}
