/* The managers' configuration: what is accepted, what is refused and at which line, and the plans
 * made from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/manager/config.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"

static char problems[8192];

static void on_problem(void *ctx, const char *file, unsigned line, const char *what)
{
	size_t len = strlen(problems);

	(void)ctx;
	snprintf(problems + len, sizeof problems - len, "%s:%u: %s\n", file, line, what);
}

static struct manager_config *config;

static int parse_two(const char *first, const char *second)
{
	static const char *const names[] = {"m.conf", "d.conf"};
	const char *texts[] = {first, second};
	struct err err = {0};

	problems[0] = 0;
	config = NULL;
	return manager_config_parse(
		&config, names, texts, second != NULL ? 2 : 1, on_problem, NULL, &err);
}

static void accept(const char *text)
{
	if (parse_two(text, NULL) != 0)
		fail_msg("refused: %s%s", problems, text);
	assert_string_equal(problems, "");
}

/* The text is wrong, and the message contains this. */
static void refuse(const char *text, const char *what)
{
	if (parse_two(text, NULL) != 1)
		fail_msg("accepted: %s", text);
	if (strstr(problems, what) == NULL)
		fail_msg("'%s' is not in:\n%s", what, problems);
}

static const char example[] =
	"# All machines.\n"
	"defaults {\n"
	"  stores = {\"nas1\", \"nas2\", \"offsite\"}   copies = 2\n"
	"  zone = \"Europe/Riga\"\n"
	"  exclude = {\"*.tmp\", \"/var/cache/\"}\n"
	"  lock = \"14d\"\n"
	"}\n"
	"job \"system\" { agents = {\"*\"}   paths = {\"/etc\", \"/home\", \"/root\", \"/var/lib\"}"
	"  schedule = \"~ 1~4 * * *\" }\n"
	"job \"web\"    { agents = {\"web*\"} paths = {\"/srv/www\"}  schedule = \"15 */6 * * *\""
	"  alarm_after = \"8h\" }\n"
	"store \"offsite\" { address = \"backup.example.org:7421\" }\n";

static struct manager_plan plan_of(
	const char *agent, const struct manager_plan_store *known, size_t count)
{
	struct manager_plan plan = {0};
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, MANAGER_PLAN_MAX);
	if (manager_config_plan(config, agent, known, count, &buf, &err) != 0 ||
		manager_plan_decode(&plan, buf.data, buf.len, &err) != 0)
		fail_msg("%s", err.message);
	buf_fini(&buf);
	return plan;
}

static void the_example(void **state)
{
	const struct manager_plan_job *job;
	struct manager_plan plan;

	(void)state;
	accept(example);
	plan = plan_of("web1", NULL, 0);
	assert_string_equal(plan.agent, "web1");
	assert_int_equal(plan.job_count, 2);
	job = manager_plan_job(&plan, "web");
	assert_non_null(job);
	assert_int_equal(job->paths.count, 1);
	assert_string_equal(job->paths.items[0], "/srv/www");
	assert_int_equal(job->exclude.count, 2);
	assert_string_equal(job->exclude.items[1], "/var/cache/");
	assert_string_equal(job->zone, "Europe/Riga");
	assert_int_equal(job->stores.count, 3);
	assert_int_equal(job->copies, 2);
	assert_int_equal(job->lock_sec, 14 * 86400);
	assert_int_equal(job->alarm_after_sec, 8 * 3600);
	assert_int_equal(job->level, MANAGER_LEVEL);
	assert_int_equal(plan.store_count, 3);
	assert_null(plan.stores[0].address);
	assert_string_equal(plan.stores[2].address, "backup.example.org:7421");
	manager_plan_free(&plan);
	plan = plan_of("db", NULL, 0);
	assert_int_equal(plan.job_count, 1);
	manager_plan_free(&plan);
	manager_config_free(config);
}

/* Stores that have announced an address; the configuration's address wins. */
static void known_stores(void **state)
{
	struct manager_plan_store known[] = {{.name = "offsite",
						     .address = "10.0.0.1",
						     .has_uid = true,
						     .has_key = true,
						     .uid = {1},
						     .key = {2}},
		{.name = "nas1",
			.address = "10.0.0.2:9",
			.has_uid = true,
			.has_key = true,
			.uid = {3},
			.key = {4}},
		{.name = "other", .address = "x"}};
	struct manager_plan plan;

	(void)state;
	accept(example);
	plan = plan_of("a", known, 3);
	assert_int_equal(plan.store_count, 3);
	assert_string_equal(plan.stores[0].address, "10.0.0.2:9");
	assert_true(plan.stores[0].has_uid && plan.stores[0].has_key);
	assert_int_equal(plan.stores[0].uid[0], 3);
	assert_false(plan.stores[1].has_uid);
	assert_string_equal(plan.stores[2].address, "backup.example.org:7421");
	assert_int_equal(plan.stores[2].key[0], 2);
	manager_plan_free(&plan);
	manager_config_free(config);
}

#define JOB(more) "job \"j\" { agents = {\"*\"} paths = {\"/\"} schedule = \"@daily\" " more " }\n"
#define STORES    "defaults { stores = {\"s\", \"t\"} }\n"

/* A job's value counts before the agent's, that before the defaults; patterns are joined; of
 * several matching agent sections one counts. */
static void who_wins(void **state)
{
	static const char text[] =
		"defaults { stores = {\"s\", \"t\"} zone = \"UTC\" level = 5 exclude = {\"a\"}\n"
		"  one_file_system = yes recipients = {\"fleet\"} before = \"b\" }\n"
		"store \"riga\" { }\n"
		"agent \"lap-*\" { expect = \"14d\" zone = \"Europe/Riga\" exclude = {\"b\"}\n"
		"  level = 0 stores = {\"riga\"} }\n"
		"agent \"lap-9\" { expect = \"2d\" }\n" JOB(
			"exclude = {\"c\"} before = \"own\"") "job \"k\" { agents = {\"lap-*\"} "
							      "paths = {\"/\"} schedule = "
							      "\"@daily\"\n"
							      "  zone = \"UTC\" stores = {\"t\"} "
							      "one_file_system = no unencrypted = "
							      "yes }\n"
							      "job \"off\" { agents = {\"*\"} "
							      "paths = {\"/\"} schedule = "
							      "\"@daily\"\n"
							      "  enabled = no }\n";
	const struct manager_plan_job *job;
	struct manager_plan plan;

	(void)state;
	accept(text);
	assert_int_equal(manager_config_expect(config, "lap-1"), 14 * 86400);
	assert_int_equal(manager_config_expect(config, "lap-9"), 2 * 86400);
	assert_int_equal(manager_config_expect(config, "desk"), 0);
	plan = plan_of("lap-1", NULL, 0);
	assert_int_equal(plan.job_count, 2);
	job = manager_plan_job(&plan, "j");
	assert_string_equal(job->zone, "Europe/Riga");
	assert_string_equal(job->before, "own");
	assert_int_equal(job->level, 0);
	assert_int_equal(job->stores.count, 1);
	assert_string_equal(job->stores.items[0], "riga");
	assert_int_equal(job->exclude.count, 3);
	assert_string_equal(job->exclude.items[0], "a");
	assert_string_equal(job->exclude.items[2], "c");
	assert_true(job->one_file_system);
	assert_int_equal(job->recipients.count, 1);
	job = manager_plan_job(&plan, "k");
	assert_string_equal(job->zone, "UTC");
	assert_string_equal(job->stores.items[0], "t");
	assert_false(job->one_file_system);
	assert_true(job->unencrypted);
	assert_int_equal(job->recipients.count, 0);
	manager_plan_free(&plan);
	plan = plan_of("lap-9", NULL, 0);
	assert_string_equal(manager_plan_job(&plan, "j")->zone, "UTC");
	manager_plan_free(&plan);
	manager_config_free(config);
}

/* Equal configurations have equal plans, byte for byte, however they are written. */
static void deterministic(void **state)
{
	uint8_t digest[2][MANAGER_DIGEST_LEN];
	struct err err = {0};
	struct buf buf;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		accept(i == 0 ? STORES JOB("lock = \"2d\" copies = 2")
			      : "/* x */ job 'j' { lock='48h'\nschedule='@daily' paths=/ "
				"agents=\"*\" }\n"
				"defaults { stores = {s} stores += {t} }\n");
		buf_init(&buf, MANAGER_PLAN_MAX);
		assert_int_equal(manager_config_plan(config, "a", NULL, 0, &buf, &err), 0);
		manager_plan_digest(buf.data, buf.len, digest[i]);
		buf_fini(&buf);
		manager_config_free(config);
	}
	assert_memory_equal(digest[0], digest[1], sizeof digest[0]);
}

/* All unknown keys and sections are named at once, with suggestions; so are wrong values of the
 * others. */
static void unknown_keys(void **state)
{
	static const char *const expected[] = {
		"m.conf:2: unknown key 'store' in 'defaults': did you mean 'stores'?\n",
		"m.conf:3: unknown key 'paths' in 'defaults': it belongs in 'job'\n",
		"m.conf:4: unknown key 'keep_daily' in 'defaults'\n",
		"m.conf:6: unknown section 'jop': did you mean 'job'?\n",
		"m.conf:7: unknown key 'pahts' in 'job': did you mean 'paths'?\n",
		"m.conf:7: unknown key 'scedule' in 'job': did you mean 'schedule'?\n",
		"m.conf:8: unknown key 'port' in 'store'\n",
		"m.conf:5: copies: 'many' is not a number",
		"m.conf:6: unknown key 'any' in 'job'\n",
		"m.conf:6: job \"x\": agents are missing\n",
	};
	size_t i;

	(void)state;
	refuse("defaults {\n store = {\"s\"}\n paths = \"/\"\n keep_daily = 7\n copies = many }\n"
	       "jop \"x\" { paths = {\"/\"} any = 1 }\n"
	       "job \"j\" { agents = {\"*\"} pahts = {\"/\", \"/x\"} scedule = \"@daily\" }\n"
	       "store s { port += 1 }\n",
		"");
	for (i = 0; i < sizeof expected / sizeof *expected; i++)
		if (strstr(problems, expected[i]) == NULL)
			fail_msg("'%s' is not in:\n%s", expected[i], problems);
	/* They are read as what was meant. */
	assert_null(strstr(problems, "\"j\": "));
}

static void refused_syntax(void **state)
{
	(void)state;
	refuse("# one\n/* two\n */\nkeep = 1\n", "m.conf:4: the key 'keep' is in no section");
	refuse(STORES JOB("keep = 3"), "m.conf:2: unknown key 'keep' in 'job'");
	refuse("# c\n\njobs \"x\" { }", "m.conf:3: unknown section 'jobs': did you mean 'job'?");
	refuse(STORES "# c\njob \"j\" {\n# d\n  level = 1\n",
		"m.conf:3: the section job \"j\" that begins here is never closed: '}' is missing");
	refuse(STORES "job 'j'\n{\n  level = 1\n\nstore \"s\" { }\n",
		"m.conf:3: the section job \"j\" that begins here is not closed before line 6: "
		"'}'");
	refuse("defaults {\n stores = {\"s\",\n \"t\"\n copies = 1\n}\n",
		"m.conf:2: the list that begins here is not closed before line 4: '}'");
	refuse("defaults {\n stores = {\"s\",\n", "m.conf:2: the list that begins here is never");
	refuse("defaults { }\n}\n", "m.conf:2: this '}' closes nothing");
	refuse("defaults { zone = \"UTC }\n", "m.conf:1: this quote is never closed");
	refuse("/* defaults { }\n", "m.conf:1: this comment is never closed");
	refuse("defaults {\n zone = \"UTC\" // x\n zone = \"UTC\"\n}\n",
		"m.conf:3: 'zone' is given twice, first in line 2");
	refuse("defaults { }\n defaults { }\n",
		"m.conf:2: section defaults is given twice, first in line 1");
	refuse(STORES JOB("") JOB(""),
		"m.conf:3: section job \"j\" is given twice, first in line 2");
	refuse("defaults { zone = \"${HOME}\" }\n", "m.conf:1: '${': there are no variables");
	refuse("defaults { zone = ${HOME} }\n", "m.conf:1: '${': there are no variables");
	refuse("defaults { exclude = {/etc//x} }\n", "m.conf:1: a value that contains");
	refuse("job { }\n", "needs a name, in quotes");
	refuse("defaults {\n zone = UTC\"\"\n}\n", "m.conf:2: expected a key or '}', found ''");
	refuse("defaults { copies = {} }\n", "m.conf:1: copies: expected one value, found a list");
	refuse("alarm { hook = {} }\n", "m.conf:1: hook: expected one value, found a list");
	refuse("defaults { copies = {1} }\n", "m.conf:1: copies: expected one value, found a list");
	refuse("defaults { copies += 1 }\n", "m.conf:1: copies: '+=' is allowed only for lists");
	refuse("defaults {\n copies 1 }\n", "m.conf:2: expected '=', found '1'");
	refuse("defaults { copies = , }\n", "m.conf:1: expected a value, found ','");
	refuse("defaults { stores = {\"s\",,} }\n", "m.conf:1: expected a value, found ','");
	refuse("defaults \"x\" { }\n", "m.conf:1: section 'defaults' has no name");
	refuse("job \"x\" = 1\n", "m.conf:1: the key 'job' is in no section");
	refuse("\"job\" { }\n", "m.conf:1: expected a section, found 'job'");
	refuse("defaults { zone = \"\\q\" }\n", "m.conf:1: an unknown escape");
	refuse("defaults { zone = \"\\x00\" }\n", "m.conf:1: an unknown escape");
	accept("");
	manager_config_free(config);
	accept("  \n# nothing but a comment");
	manager_config_free(config);
	accept("defaults { exclude = {'${x}', \"a#b\", \"c\\\"//\", 'd/*'} }\r\n");
	assert_string_equal(config->defaults.says.exclude.items[0], "${x}");
	assert_string_equal(config->defaults.says.exclude.items[1], "a#b");
	assert_string_equal(config->defaults.says.exclude.items[2], "c\"//");
	assert_string_equal(config->defaults.says.exclude.items[3], "d/*");
	manager_config_free(config);
	accept("defaults {exclude={\"a\\x41\\t\\\\\\\n\\*\",'\\a\\'\\\\z',b+c,}exclude+=d}");
	assert_string_equal(config->defaults.says.exclude.items[0], "aA\t\\*");
	assert_string_equal(config->defaults.says.exclude.items[1], "\\a'\\z");
	assert_string_equal(config->defaults.says.exclude.items[2], "b+c");
	assert_string_equal(config->defaults.says.exclude.items[3], "d");
	manager_config_free(config);
}

static void refused_values(void **state)
{
	(void)state;
	refuse("defaults { copies = 0 }", "m.conf:1: copies: '0' is not a number from 1 to 16");
	refuse("defaults { copies = 0x2 }", "copies: '0x2'");
	refuse("defaults { copies = 17 }", "copies: '17'");
	refuse("defaults { copies = \"\" }", "copies: ''");
	refuse("defaults { level = 20 }", "from 0 to 19");
	refuse("defaults { lock = 14 }", "lock: '14' is not a time");
	refuse("defaults { lock = \"11y\" }", "lock: '11y'");
	refuse("defaults { lock = \"99999999999999999999d\" }", "lock: '9999");
	refuse("defaults { lock = \"-1d\" }", "lock: '-1d'");
	refuse("defaults { one_file_system = true }", "is not yes or no");
	refuse("defaults { zone = \"Europe/Pari\" }", "zone: no such time zone");
	refuse("defaults { zone = \"../../etc/passwd\" }", "zone: ");
	refuse("defaults { schedule = \"61 * * * *\" }", "schedule: minute (field 1), column 1");
	refuse("defaults { schedule = \"0 0 30 2 *\" }", "it never runs");
	refuse("defaults { schedule = \"@reboot\" }", "@reboot is not a time");
	refuse("defaults { exclude = {\"a[\"} }", "exclude: ");
	refuse("defaults { exclude = {\"\"} }", "exclude: ");
	refuse("defaults { stores = {} }", "stores: the list is empty");
	refuse("defaults { stores = {\"A\"} }", "stores: 'A' is not a store's name");
	refuse("defaults { stores = {\"pool-*\"} }", "stores: 'pool-*'");
	refuse("defaults { stores = {\"a\", \"b\", \"a\"} }", "'a' is listed twice");
	refuse("defaults { before = \"../x\" }", "before: '../x' is not a name");
	refuse("store \"s\" { address = \"\" }", "is not HOST or HOST:PORT");
	refuse("store \"s\" { address = \"a:b\" }", "is not HOST or HOST:PORT");
	refuse("store \"s\" { address = \"a:0\" }", "is not HOST or HOST:PORT");
	refuse("store \"s\" { address = \"a:70000\" }", "is not HOST or HOST:PORT");
	refuse("store \"s\" { address = \"a:\" }", "is not HOST or HOST:PORT");
	refuse("store \"s\" { address = \"fe80::1\" }", "is not HOST or HOST:PORT");
	refuse("store \"s*\" { }", "store \"s*\": not a name");
	refuse("agent \"-x\" { }", "agent \"-x\": not a name");
	refuse("agent \"a\\nb\" { }", "agent \"a\\nb\": not a name");
	refuse("alarm { hook = \"x\" }", "hook: 'x' is not an absolute path");
	accept("store \"s\" { address = \"[fe80::1]:7421\" }\nstore \"t\" { address = \"[::1]\" }\n"
	       "store \"u\" { address = \"h\" }\nalarm { hook = \"/x\" metrics = \"/y\" }\n");
	assert_string_equal(config->alarm_hook, "/x");
	assert_string_equal(config->metrics, "/y");
	manager_config_free(config);
}

static void refused_jobs(void **state)
{
	(void)state;
	refuse(JOB(""), "m.conf:1: job \"j\": stores are missing");
	refuse("defaults { stores = {\"s\"} }\njob \"j\" { }\n", "job \"j\": agents are missing");
	assert_non_null(strstr(problems, "job \"j\": paths are missing"));
	refuse("defaults { stores = {\"s\"} }\njob \"j\" { agents = {\"*\"} paths = {\"/\"} }\n",
		"m.conf:2: job \"j\": a schedule is missing");
	refuse(STORES JOB("copies = 3"), "m.conf:2: job \"j\": 3 copies need more than 2 stores");
	refuse(STORES JOB("stores = {\"u\"}"), "m.conf:2: job \"j\": unknown store 'u'");
	refuse(STORES JOB("recipients = {\"a\"} unencrypted = yes"), "and is unencrypted");
	refuse(STORES JOB("agents += {\"W\"}"), "agents: 'W' is not an agent's name");
	refuse(STORES JOB("paths += \"etc\""), "paths: 'etc' is not an absolute path");
	refuse(STORES "job \"J\" { }", "job \"J\": not a name");
	/* Errors of an agent section that count only if the job can be for such an agent. */
	refuse("agent \"*-riga\" { stores = {\"s\"} }\n" STORES JOB("copies = 2"),
		"m.conf:3: job \"j\" (on agent \"*-riga\"): 2 copies need more than 1 store");
	accept("agent \"db\" { stores = {\"s\"} }\n" STORES
	       "job \"j\" { agents = {\"web*\"} paths = {\"/\"} schedule = \"@daily\" copies = 2 "
	       "}\n");
	manager_config_free(config);
	/* Each error is reported, with its line. */
	refuse("defaults {\n copies = 0\n level = 99\n}\njob \"j\" {\n lock = 1\n}\n",
		"m.conf:2: copies");
	assert_non_null(strstr(problems, "m.conf:3: level"));
	assert_non_null(strstr(problems, "m.conf:6: lock"));
}

/* Several files are one configuration. */
static void files(void **state)
{
	(void)state;
	assert_int_equal(parse_two(STORES, JOB("")), 0);
	assert_int_equal(config->job_count, 1);
	assert_string_equal(config->jobs[0].file, "d.conf");
	manager_config_free(config);
	assert_int_equal(parse_two(STORES JOB(""), "\n" JOB("")), 1);
	assert_string_equal(problems, "d.conf:2: job \"j\" is given twice, first at m.conf:2\n");
	assert_int_equal(parse_two(STORES, STORES), 1);
	assert_string_equal(problems, "d.conf:1: section 'defaults' is given twice\n");
	assert_int_equal(parse_two("store \"x\" { }", "store \"x\" { }"), 1);
	assert_int_equal(parse_two("agent \"x*\" { }", "agent \"x*\" { }"), 1);
}

/* Globs against brute force: all short texts over a small alphabet. */
static bool slow(const char *glob, const char *name)
{
	if (*glob == 0)
		return *name == 0;
	if (*glob == '*')
		return slow(glob + 1, name) || (*name != 0 && slow(glob, name + 1));
	return *glob == *name && slow(glob + 1, name + 1);
}

static void text_of(char text[5], unsigned n, const char *alphabet)
{
	size_t i, base = strlen(alphabet) + 1, k = 0;

	for (i = 0; i < 4; i++, n /= (unsigned)base)
		if (n % base > 0)
			text[k++] = alphabet[n % base - 1];
	text[k] = 0;
}

static void globs(void **state)
{
	char glob[5], other[5], name[5];
	unsigned g, o, n;
	bool both;

	(void)state;
	for (g = 0; g < 256; g++) {
		text_of(glob, g, "ab*");
		for (n = 0; n < 81; n++) {
			text_of(name, n, "ab");
			assert_int_equal(manager_glob_match(glob, name), slow(glob, name));
		}
		/* Two globs: whether some name matches both. Names of up to 4 characters are enough
		 * for globs of up to 2 literals each, with which these are compared. */
		for (o = 0; o < 64; o++) {
			text_of(other, o % 16 + o / 16 * 16, "ab*");
			both = false;
			for (n = 0; n < 81 && !both; n++) {
				text_of(name, n, "ab");
				both = slow(glob, name) && slow(other, name);
			}
			if (both)
				assert_true(manager_glob_match(glob, other));
			assert_int_equal(
				manager_glob_match(glob, other), manager_glob_match(other, glob));
		}
	}
	assert_true(manager_glob_match("*-riga", "web-*"));
	assert_false(manager_glob_match("*-riga", "*-paris"));
	assert_false(manager_glob_match("web*", "db*"));
}

/* Every text cut anywhere, and every byte of it changed: refused or accepted, never a crash. */
static void mangled(void **state)
{
	char text[sizeof example];
	struct err err = {0};
	size_t i;
	const char *name = "m", *texts[] = {text};

	(void)state;
	for (i = 0; i < sizeof example - 1; i++) {
		memcpy(text, example, sizeof text);
		text[i] = 0;
		problems[0] = 0;
		if (manager_config_parse(&config, &name, texts, 1, on_problem, NULL, &err) == 0)
			manager_config_free(config);
		memcpy(text, example, sizeof text);
		text[i] = "{}=\"'#/*,+$ \nx\\"[i % 15];
		problems[0] = 0;
		if (manager_config_parse(&config, &name, texts, 1, on_problem, NULL, &err) == 0)
			manager_config_free(config);
		else
			assert_true(problems[0] != 0);
	}
}

static int setup(void **state)
{
	struct err err;

	(void)state;
	return hash_crypto_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example),
		cmocka_unit_test(known_stores),
		cmocka_unit_test(who_wins),
		cmocka_unit_test(deterministic),
		cmocka_unit_test(unknown_keys),
		cmocka_unit_test(refused_syntax),
		cmocka_unit_test(refused_values),
		cmocka_unit_test(refused_jobs),
		cmocka_unit_test(files),
		cmocka_unit_test(globs),
		cmocka_unit_test(mangled),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
