/* Escaping of names for output. */
#include "lib/esc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Decodes one character; returns its length or 0 (RFC 3629, section 4). */
static size_t utf8_get(const uint8_t *p, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n, i;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	*cp = p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

size_t esc_utf8_len(const void *text, size_t len)
{
	uint32_t cp;

	return utf8_get(text, len, &cp);
}

/* Characters that change how a line looks, or end it, without being seen. */
static int is_hidden(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0xad || cp == 0x61c ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb) ||
	       (cp >= 0xe0000 && cp <= 0xe0fff);
}

static size_t escape(char *out, size_t cap, const void *bytes, size_t len, bool backslash)
{
	const uint8_t *p = bytes;
	size_t at = 0, used = 0;

	while (at < len) {
		char text[20];
		size_t n, step, i;
		uint32_t cp = 0;

		step = n = utf8_get(p + at, len - at, &cp);
		if (n == 0 || is_hidden(cp)) {
			static const char from[] = "\n\t\r", to[] = "ntr";
			const char *hit = n == 1 && cp ? strchr(from, (int)cp) : NULL;

			if (step == 0)
				step = 1;
			if (hit != NULL) {
				n = 2;
				snprintf(text, sizeof text, "\\%c", to[hit - from]);
			} else {
				n = 4 * step;
				for (i = 0; i < step; i++)
					snprintf(text + 4 * i, 5, "\\%03o", p[at + i]);
			}
		} else if (cp == '\\' && backslash) {
			n = 2;
			memcpy(text, "\\\\", 2);
		} else {
			memcpy(text, p + at, n);
		}
		if (n >= cap - used)
			break;
		memcpy(out + used, text, n);
		used += n;
		at += step;
	}
	out[used] = 0;
	return used;
}

size_t esc_name(char *out, size_t cap, const void *bytes, size_t len)
{
	return escape(out, cap, bytes, len, true);
}

size_t esc_line(char *out, size_t cap, const void *bytes, size_t len)
{
	return escape(out, cap, bytes, len, false);
}

void esc_hex(char *out, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = bytes;
	size_t i;

	for (i = 0; i < len; i++) {
		*out++ = digits[from[i] >> 4];
		*out++ = digits[from[i] & 15];
	}
	*out = 0;
}
