/* The grammar of names, byte by byte. */
#include "lib/name.h"

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
