/* lib/paper: printed keys can be typed in; mistakes are reported with their line. */
#include "test/unit/unit.h"

#include <ctype.h>
#include <stdlib.h>

#include "lib/hash.h"
#include "lib/key.h"
#include "lib/paper.h"
#include "lib/pass.h"

static struct err err;
static struct pass pass = {6, "secret"};

static void make(struct key_file *file, unsigned i)
{
	struct key_secret key;

	assert_int_equal(key_make(i & 1, &key, &err), 0);
	if (i & 4)
		key_file_of_public(file, &key.half);
	else
		assert_int_equal(key_file_of_secret(file, &key, i & 2 ? &pass : NULL, &err), 0);
}

static void round_trip(void **state)
{
	struct key_file file, got;
	char text[PAPER_MAX], *at, *newline;
	unsigned i;

	(void)state;
	for (i = 0; i < 6; i++) {
		make(&file, i);
		paper_put(&file, text);
		assert_int_equal(paper_get(&got, text, strlen(text), &err), 0);
		assert_memory_equal(&got, &file, sizeof got);
		for (at = text; *at != 0; at = newline + 1) {
			newline = strchr(at, '\n');
			assert_true(newline != NULL && newline + 1 - at <= PAPER_LINE_MAX);
		}
	}
}

/* Small letters, I L O, no blanks or many, comments, lines in another order. */
static void tolerates(void **state)
{
	struct key_file file, got;
	char text[PAPER_MAX], typed[2 * PAPER_MAX] = "\n  # a comment\r\n", *line, *to;

	(void)state;
	make(&file, 3);
	paper_put(&file, text);
	to = typed + strlen(typed);
	while ((line = strrchr(text, '\n')) != NULL) {
		*line = 0;
		line = strrchr(text, '\n');
		for (line = line != NULL ? line + 1 : text; *line != 0; line++) {
			if (*line == '0')
				*to++ = 'o';
			else if (*line == '1')
				*to++ = 'l';
			else if (*line == ' ')
				to += sprintf(to, "%s", rand() % 2 ? "" : "\t-");
			else
				*to++ = (char)tolower((unsigned char)*line);
		}
		*to++ = '\r';
		*to++ = '\n';
	}
	assert_int_equal(paper_get(&got, typed, (size_t)(to - typed), &err), 0);
	assert_memory_equal(&got, &file, sizeof got);
}

/* Any character changed, doubled, left out, or swapped with the next is found and its line named.
 */
static void names_the_line(void **state)
{
	struct key_file file, got;
	char text[PAPER_MAX], typed[PAPER_MAX + 1], want[8];
	size_t len, at, line = 1;
	int how;

	(void)state;
	make(&file, 3);
	paper_put(&file, text);
	len = strlen(text);
	for (at = 0; at < len; at++) {
		size_t column = at;

		while (column > 0 && text[column - 1] != '\n')
			column--;
		column = at - column;
		if (text[at] == '\n')
			line++;
		if (isspace((unsigned char)text[at]) || column < 2)
			continue;
		for (how = 0; how < 4; how++) {
			memcpy(typed, text, len + 1);
			if (how == 0)
				typed[at] = text[at] == '7' ? 'T' : '7';
			else if (how == 1)
				memmove(typed + at + 1, text + at, len - at + 1);
			else if (how == 2)
				memmove(typed + at, text + at + 1, len - at);
			else if (isspace((unsigned char)text[at + 1]) || text[at] == text[at + 1])
				continue;
			else
				typed[at] = text[at + 1], typed[at + 1] = text[at];
			assert_int_equal(paper_get(&got, typed, strlen(typed), &err), -1);
			assert_int_equal(err.code, ERR_FORMAT);
			snprintf(want, sizeof want, "line %02zu", line);
			assert_non_null(strstr(err.message, want));
		}
	}
	assert_int_equal(line, 11);
}

static void names_all_lines(void **state)
{
	struct key_file file, got;
	char text[PAPER_MAX], other[PAPER_MAX], *second, *fourth;

	(void)state;
	make(&file, 2);
	paper_put(&file, text);
	second = strchr(text, '\n') + 1;
	fourth = strchr(strchr(second, '\n') + 1, '\n') + 1;
	second[5] ^= 1;
	fourth[5] ^= 1;
	assert_int_equal(paper_get(&got, text, strlen(text), &err), -1);
	assert_non_null(strstr(err.message, "line 02, 04"));
	second[5] ^= 1;
	memset(fourth, ' ', strcspn(fourth, "\n"));
	assert_int_equal(paper_get(&got, text, strlen(text), &err), -1);
	assert_string_equal(err.message, "missing: line 04");
	assert_int_equal(paper_get(&got, "", 0, &err), -1);
	assert_string_equal(err.message, "missing: line 01");
	assert_int_equal(paper_get(&got, "hello\n", 6, &err), -1);
	assert_int_equal(paper_get(&got, "0", 1, &err), -1);
	assert_int_equal(paper_get(&got, "01", 2, &err), -1);
	/* A line of another key: its own check is right, the check of the whole is not. */
	paper_put(&file, text);
	make(&file, 2);
	paper_put(&file, other);
	memcpy(strchr(text, '\n'), strchr(other, '\n'), 30);
	assert_int_equal(paper_get(&got, text, strlen(text), &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
}

/* Keys printed by version 0.1.0 can be typed in for ever. This is the first key of key-v1. */
static void golden(void **state)
{
	static const char *const keys[] = {
#include "test/data/key-v1.inc"
	};
	static const char paper[] =
#include "test/data/paper-v1.inc"
		;
	struct key_file file, got;

	(void)state;
	assert_int_equal(key_file_parse(&file, keys[0], strlen(keys[0]), &err), 0);
	assert_int_equal(paper_get(&got, paper, strlen(paper), &err), 0);
	assert_memory_equal(&got, &file, sizeof got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(tolerates),
		cmocka_unit_test(names_the_line),
		cmocka_unit_test(names_all_lines),
		cmocka_unit_test(golden),
	};

	return hash_crypto_init(&err) != 0 ? 1 : RUN(tests);
}
