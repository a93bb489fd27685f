/* Checks the grammar of names byte by byte. */
#include "lib/name.h"

#include <string.h>

#include "lib/err.h"
#include "lib/esc.h"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool name_ok(const void *bytes, size_t len)
{
	const char *p = bytes;
	size_t i;

	if (len == 0 || len > NAME_LEN_MAX || !is_alnum(p[0]) || !is_alnum(p[len - 1]))
		return false;
	for (i = 1; i < len; i++) {
		bool dot = p[i] == '.' || p[i - 1] == '.';

		if (!is_alnum(p[i]) && p[i] != '-' && p[i] != '.')
			return false;
		if (dot && !(is_alnum(p[i]) || is_alnum(p[i - 1])))
			return false;
	}
	return true;
}

/* Sets err to the rule. A text that is too long to show is cut. */
static int refuse(
	enum err_code code, const char *what, const char *text, const char *advice, struct err *err)
{
	char shown[ESC_MAX(NAME_LEN_MAX + 1)];
	size_t len = strlen(text);
	bool cut = len > NAME_LEN_MAX + 1;

	esc_name(shown, sizeof shown, text, cut ? NAME_LEN_MAX + 1 : len);
	return err_set(err, code, "%s '%s%s': not a name: " NAME_RULE "%s", what, shown,
		cut ? "…" : "", advice);
}

int name_check(const char *what, const char *text, struct err *err)
{
	if (name_ok(text, strlen(text)))
		return 0;
	return refuse(ERR_USAGE, what, text, "", err);
}

int name_from_host(char name[NAME_LEN_MAX + 1], const char *host, struct err *err)
{
	size_t i, len = strlen(host);

	for (i = 0; i < len && i < NAME_LEN_MAX; i++) {
		char c = host[i];

		name[i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	name[i] = 0;
	if (len <= NAME_LEN_MAX && name_ok(name, len))
		return 0;
	return refuse(ERR_CONFIG, "host name", host, "; choose one with --agent NAME", err);
}
