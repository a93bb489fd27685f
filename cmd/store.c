/* fdump store: what is done to a store as a whole. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/json.h"
#include "cmd/store/store.h"
#include "lib/err.h"
#include "lib/hash.h"

static const char help[] =
	"usage: fdump store init DIR [--reserve SIZE]\n"
	"       fdump store stat DIR [--json]\n"
	"\n"
	"  init                    makes a store in DIR, which is new or empty\n"
	"      --reserve SIZE      keep so much of the file system free; default: 64M\n"
	"  stat                    what is in it, in numbers\n"
	"      --json              as one JSON object\n"
	"\n"
	"Exit status: 0 done; 2 failed; 5 damage found; 7 no space; 8 busy.\n";

struct options {
	const char *dir;
	uint64_t reserve;
	bool json;
};

enum { OPT_RESERVE = 256, OPT_JSON, OPT_HELP };

static const struct option long_options[] = {
	{"reserve", required_argument, NULL, OPT_RESERVE},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static int init(const struct options *o, struct err *err)
{
	return store_make(o->dir, o->reserve, err);
}

static int print_stat(const struct options *o, const struct store_stat *t, struct err *err)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {{"volumes", t->volumes}, {"bytes", t->bytes}, {"chunks", t->chunks},
		{"content", t->raw}, {"dumps", t->dumps}, {"deleted", t->deleted},
		{"damaged", t->damaged}};
	json_t *object = o->json ? cmd_json_new("result", "store.stat") : NULL;
	size_t i;
	int failed = 0;

	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		if (o->json)
			failed |= cmd_json_add(
				object, rows[i].name, json_integer((json_int_t)rows[i].value));
		else
			printf("%-8s %" PRIu64 "\n", rows[i].name, rows[i].value);
	if (o->json)
		return cmd_json_print(object, failed, err);
	return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
}

static int stat_store(const struct options *o, struct err *err)
{
	struct store *s = store_open(o->dir, STORE_READ, err);
	struct store_stat t;
	int got = s == NULL ? -1 : store_stat(s, &t, err);

	store_close(s);
	return got == 0 ? print_stat(o, &t, err) : -1;
}

static const struct {
	const char *name;
	int (*run)(const struct options *o, struct err *err);
} verbs[] = {{"init", init}, {"stat", stat_store}};

int cmd_store(int argc, char **argv)
{
	struct options o = {.reserve = 64u << 20};
	struct err err = {0};
	size_t i;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_RESERVE:
			if (cmd_size(optarg, &o.reserve) != 0)
				return cmd_usage("store", "--reserve wants a size as 10G");
			break;
		case OPT_JSON:
			o.json = true;
			break;
		case OPT_HELP:
			fputs(help, stdout);
			return CMD_OK;
		default:
			return cmd_usage("store", "wrong option");
		}
	}
	if (argc - optind != 2)
		return cmd_usage("store", "wants a verb and a DIR");
	o.dir = argv[optind + 1];
	for (i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[optind], verbs[i].name) == 0)
			return hash_crypto_init(&err) == 0 && verbs[i].run(&o, &err) == 0
				       ? CMD_OK
				       : cmd_fail("store", &err);
	return cmd_usage("store", "%s: no such verb", argv[optind]);
}
