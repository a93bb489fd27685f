/* Escaping of names for output. */
#include "lib/esc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Decodes one character. Returns its length, or 0 if it is malformed (RFC 3629,
 * section 4). */
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

/* Invisible characters that end a line or change how it looks. */
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

/* Returns the byte for the escape at text, and its length in *len; -1 if it is
 * not an escape. */
static int escape_get(const char *text, size_t *len)
{
	static const char from[] = "ntr\\", to[] = "\n\t\r\\";
	const char *hit = text[1] != 0 ? strchr(from, text[1]) : NULL;
	int value = 0;

	*len = 2;
	if (hit != NULL)
		return to[hit - from];
	for (*len = 1; *len < 4; ++*len) {
		if (text[*len] < '0' || text[*len] > '7')
			return -1;
		value = value * 8 + (text[*len] - '0');
	}
	return value > 0 && value < 256 ? value : -1;
}

bool esc_back(char *out, const char *text)
{
	size_t len = strlen(text), n, used = 0;
	char again[20];
	const char *at;
	int byte;

	if (strchr(text, '\\') == NULL)
		return false;
	for (at = text; *at != 0; at += n) {
		n = 1;
		byte = *at == '\\' ? escape_get(at, &n) : (unsigned char)*at;
		if (byte < 0)
			return false;
		out[used++] = (char)byte;
	}
	out[used] = 0;
	/* Escape the result again: only text that esc_name makes is accepted. */
	for (at = text, n = 0; n < used && *at != 0;) {
		size_t step = esc_utf8_len(out + n, used - n), made;

		step = step == 0 ? 1 : step;
		made = esc_name(again, sizeof again, out + n, step);
		if (strncmp(at, again, made) != 0)
			return false;
		at += made;
		n += step;
	}
	return n == used && (size_t)(at - text) == len;
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

bool esc_unhex(void *bytes, size_t len, const char *text)
{
	uint8_t *to = bytes;
	size_t i;
	unsigned byte;

	if (strlen(text) != 2 * len || strspn(text, "0123456789abcdef") != 2 * len)
		return false;
	for (i = 0; i < len; i++) {
		sscanf(text + 2 * i, "%2x", &byte);
		to[i] = (uint8_t)byte;
	}
	return true;
}
