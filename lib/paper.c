/* The paper form. Converts base32 with a shift register: eight bits in, five
 * bits out. */
#include "lib/paper.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/key.h"
#include "lib/seal.h"

#define LINE_BYTES  15 /* 24 characters */
#define CHECK_BYTES 3  /* four characters of them, 20 bits, are shown */
#define CHECK_CHARS 4
#define CHARS(len)  (((len)*8 + 4) / 5)
#define BYTES_MAX   (1 + KEY_BODY_MAX)
#define LINES_MAX   ((BYTES_MAX + LINE_BYTES - 1) / LINE_BYTES)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void line_check(unsigned number, const uint8_t *bytes, size_t len, uint8_t *check)
{
	static const char label[] = "fdump paper";
	uint8_t all[sizeof label + LINE_BYTES], digest[HASH_LEN];

	memcpy(all, label, sizeof label - 1);
	all[sizeof label - 1] = (uint8_t)number;
	memcpy(all + sizeof label, bytes, len);
	hash_sha256(all, sizeof label + len, digest);
	memcpy(check, digest, CHECK_BYTES);
	check[CHECK_BYTES - 1] &= 0xf0;
	seal_wipe(all, sizeof all);
}

/* The value of the n-th base32 character for these bytes. */
static unsigned five_bits(const uint8_t *bytes, size_t len, size_t n)
{
	size_t bit = 5 * n, at = bit / 8;
	unsigned two = (unsigned)bytes[at] << 8 | (at + 1 < len ? bytes[at + 1] : 0);

	return two >> (11 - bit % 8) & 31;
}

static char *put_chars(char *to, const uint8_t *bytes, size_t len, size_t chars)
{
	size_t i;

	for (i = 0; i < chars; i++) {
		if (i % 4 == 0)
			*to++ = ' ';
		*to++ = alphabet[five_bits(bytes, len, i)];
	}
	return to;
}

void paper_put(const struct key_file *file, char text[PAPER_MAX])
{
	uint8_t bytes[BYTES_MAX], check[CHECK_BYTES];
	size_t len = 1 + file->len, at, n;
	unsigned number = 1;

	bytes[0] = (uint8_t)file->kind;
	memcpy(bytes + 1, file->body, file->len);
	for (at = 0; at < len; at += n, number++) {
		n = len - at < LINE_BYTES ? len - at : LINE_BYTES;
		text += sprintf(text, "%02u", number);
		text = put_chars(text, bytes + at, n, CHARS(n));
		*text++ = ' ';
		line_check(number, bytes + at, n, check);
		text = put_chars(text, check, sizeof check, CHECK_CHARS);
		*text++ = '\n';
	}
	*text = 0;
	seal_wipe(bytes, sizeof bytes);
}

/* The lines read so far. */
struct form {
	uint8_t lines[LINES_MAX][LINE_BYTES];
	size_t len[LINES_MAX]; /* 0: not read yet */
	bool wrong[LINES_MAX];
};

/* The value of a character; -1 if it is not in the alphabet. */
static int value_of(char c)
{
	const char *hit;

	c = (char)toupper((unsigned char)c);
	c = c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
	hit = c != 0 ? strchr(alphabet, c) : NULL;
	return hit != NULL ? (int)(hit - alphabet) : -1;
}

/* Decodes base32 to bytes; the bits left over must be zero. */
static bool get_bytes(const uint8_t *values, size_t count, uint8_t *bytes, size_t len)
{
	uint32_t bits = 0;
	size_t have = 0, n = 0, i;

	if (count != CHARS(len))
		return false;
	for (i = 0; i < count; i++) {
		bits = bits << 5 | values[i];
		have += 5;
		if (have >= 8 && n < len) {
			have -= 8;
			bytes[n++] = (uint8_t)(bits >> have);
		}
		bits &= (1u << have) - 1;
	}
	return bits == 0;
}

/* Reads the values of a line's characters, at most cap. Sets *good to false if
 * one is not in the alphabet. Returns how many; a comment has none. */
static size_t get_values(const char *line, size_t len, uint8_t *values, size_t cap, bool *good)
{
	size_t count = 0, i;
	int v;

	*good = true;
	for (i = 0; i < len && count < cap; i++) {
		if (isspace((unsigned char)line[i]) || line[i] == '-')
			continue;
		if (line[i] == '#' && count == 0)
			break;
		v = value_of(line[i]);
		*good = *good && v >= 0;
		values[count++] = v >= 0 ? (uint8_t)v : 0;
	}
	return count;
}

static bool check_agrees(unsigned number, const uint8_t *bytes, size_t len, const uint8_t *values)
{
	uint8_t check[CHECK_BYTES];
	size_t i;

	line_check(number, bytes, len, check);
	for (i = 0; i < CHECK_CHARS; i++)
		if (five_bits(check, sizeof check, i) != values[i])
			return false;
	return true;
}

/* Reads a line, without its newline, into the form. Returns 0, or -1 with err
 * set if even its number can't be read. */
static int take_line(struct form *form, const char *line, size_t len, struct err *err)
{
	uint8_t values[64] = {0};
	bool good;
	size_t count = get_values(line, len, values, sizeof values, &good), n;
	unsigned number = values[0] * 10u + values[1], at = number - 1;

	if (count == 0)
		return 0;
	if (count < 2 || values[0] > 9 || values[1] > 9 || number < 1 || number > LINES_MAX)
		return err_set(err, ERR_FORMAT,
			"a line does not begin with a number from 01 to %02d", LINES_MAX);
	count -= 2;
	count -= count < CHECK_CHARS ? count : CHECK_CHARS;
	n = count * 5 / 8;
	good = good && n >= 1 && n <= LINE_BYTES &&
	       get_bytes(values + 2, count, form->lines[at], n) &&
	       check_agrees(number, form->lines[at], n, values + 2 + count);
	form->wrong[at] = !good || form->len[at] != 0;
	form->len[at] = good ? n : LINE_BYTES;
	seal_wipe(values, sizeof values);
	return 0;
}

/* Adds ", 03" to the list in text. */
static void add_number(char *text, size_t cap, size_t number)
{
	size_t at = strlen(text);

	snprintf(text + at, cap - at, "%s%02zu", at > 0 ? ", " : "", number);
}

static int put_together(const struct form *form, struct key_file *file, struct err *err)
{
	char wrong[6 * LINES_MAX] = "", missing[6 * LINES_MAX] = "";
	uint8_t bytes[LINES_MAX * LINE_BYTES];
	size_t len = 0, want, lines, i;
	unsigned kind = form->lines[0][0];
	int ret = -1;

	for (i = 0; i < LINES_MAX; i++)
		if (form->wrong[i])
			add_number(wrong, sizeof wrong, i + 1);
	if (wrong[0] != 0)
		return err_set(err, ERR_FORMAT,
			"mistyped or repeated: line %s (its checksum does not match)", wrong);
	if (form->len[0] == 0)
		return err_set(err, ERR_FORMAT, "missing: line 01");
	want = key_body_len(kind);
	if (want == 0)
		return err_set(err, ERR_UNSUPPORTED, "line 01: a key of another kind (%u)", kind);
	want++;
	lines = (want + LINE_BYTES - 1) / LINE_BYTES;
	for (i = 0; i < lines; i++) {
		if (form->len[i] == 0)
			add_number(missing, sizeof missing, i + 1);
		memcpy(bytes + len, form->lines[i], form->len[i]);
		len += form->len[i];
	}
	for (; i < LINES_MAX; i++)
		len += form->len[i];
	if (missing[0] != 0)
		err_set(err, ERR_FORMAT, "missing: line %s", missing);
	else if (len != want)
		err_set(err, ERR_FORMAT, "the lines do not belong to one key");
	else
		ret = key_file_set(file, kind, bytes + 1, err);
	seal_wipe(bytes, sizeof bytes);
	return ret;
}

int paper_get(struct key_file *file, const char *text, size_t len, struct err *err)
{
	const char *end = text + len, *newline;
	struct form form = {0};
	int ret = 0;

	for (; text < end && ret == 0; text = newline + 1) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (newline == NULL)
			newline = end;
		ret = take_line(&form, text, (size_t)(newline - text), err);
	}
	if (ret == 0)
		ret = put_together(&form, file, err);
	seal_wipe(&form, sizeof form);
	return ret;
}
