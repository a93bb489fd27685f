/* cmd/dump/named: which dumps a text names, and the message if it names none. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <time.h>

#include "cmd/dump/named.h"

static struct err err;
static const uint8_t id[STORE_DUMP_ID] = {0xab, 0xcd, 0xef, 0x01};

static struct store_dump dump_of(const char *agent, const char *name)
{
	return (struct store_dump){.id = id,
		.agent = agent,
		.agent_len = strlen(agent),
		.name = name,
		.name_len = strlen(name)};
}

static struct dump_named parsed(const char *text)
{
	struct dump_named named;

	err = (struct err){0};
	assert_int_equal(dump_named_parse(&named, text, "host", &err), 0);
	return named;
}

/* Whether the text selects a dump of this agent, name and time. */
static bool means(const char *text, const char *agent, const char *name, int64_t when)
{
	struct dump_named named = parsed(text);
	struct store_dump d = dump_of(agent, name);

	return dump_named_is(&named, &d, when);
}

static void by_id(void **state)
{
	(void)state;
	assert_true(means("abcd", "other", "x", 0));
	assert_true(means("ABCDE", "other", "x", 0));
	assert_true(means("abcdef01000000000000000000000000", "other", "x", 0));
	assert_false(means("abcdf", "host", "x", 0));
	assert_false(means("abcc", "host", "x", 0));
}

static void by_name(void **state)
{
	(void)state;
	assert_true(means("latest", "host", "any", INT64_MAX));
	assert_false(means("latest", "other", "any", 0));
	assert_true(means("backup@latest", "host", "backup", 0));
	assert_false(means("backup@latest", "host", "backup2", 0));
	assert_false(means("backup@latest", "other", "backup", 0));
	assert_true(means("other/backup@latest", "other", "backup", 0));
	assert_false(means("other/backup@latest", "host", "backup", 0));
}

/* A day or a minute means its end; Z is UTC. */
static void by_time(void **state)
{
	static const int64_t day = 1795478400; /* 2026-11-24T00:00Z */

	(void)state;
	assert_true(means("b@2026-11-24T06:20Z", "host", "b", day + 6 * 3600 + 20 * 60 + 59));
	assert_false(means("b@2026-11-24T06:20Z", "host", "b", day + 6 * 3600 + 21 * 60));
	assert_true(means("b@2026-11-24 06:20:07Z", "host", "b", day + 6 * 3600 + 20 * 60 + 7));
	assert_false(means("b@2026-11-24 06:20:07Z", "host", "b", day + 6 * 3600 + 20 * 60 + 8));
	setenv("TZ", "UTC", 1);
	tzset();
	assert_true(means("b@2026-11-24", "host", "b", day + 86399));
	assert_false(means("b@2026-11-24", "host", "b", day + 86400));
}

static void malformed(void **state)
{
	static const char *const texts[] = {"", "abc", "abcg", "@latest", "Backup@latest",
		"b@yesterday", "b@", "-x/b@latest", "abcdef010000000000000000000000000"};
	struct dump_named named;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		err = (struct err){0};
		assert_int_equal(dump_named_parse(&named, texts[i], "host", &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
	}
}

/* The last three other names are listed, each once, the latest first. */
static void none(void **state)
{
	static const char *const agents[] = {"a", "b", "c", "b", "d"};
	struct dump_named named = parsed("backup@latest");
	size_t i;

	(void)state;
	assert_int_equal(dump_named_none(&named, "backup@latest", &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_non_null(strstr(err.message, "no such dump"));
	for (i = 0; i < sizeof agents / sizeof *agents; i++) {
		struct store_dump d = dump_of(agents[i], "backup");

		assert_false(dump_named_is(&named, &d, 0));
	}
	assert_int_equal(dump_named_none(&named, "backup@latest", &err), -1);
	assert_non_null(strstr(err.message,
		"name one of: d/backup@latest, b/backup@latest, c/backup@latest, ..."));
	/* Agents for which AGENT@latest was meant as AGENT/NAME@latest. */
	named = parsed("b@latest");
	for (i = 0; i < sizeof agents / sizeof *agents; i++) {
		struct store_dump d = dump_of(agents[i], "backup");

		assert_false(dump_named_is(&named, &d, 0));
	}
	assert_int_equal(dump_named_none(&named, "b@latest", &err), -1);
	assert_non_null(strstr(err.message, "name one of: b/backup@latest"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_id),
		cmocka_unit_test(by_name),
		cmocka_unit_test(by_time),
		cmocka_unit_test(malformed),
		cmocka_unit_test(none),
	};

	return RUN(tests);
}
