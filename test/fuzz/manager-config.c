/* A configuration from arbitrary bytes: read completely or refused with a reason; an accepted one
 * makes a plan that is accepted too. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/config.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_problem(void *ctx, const char *file, unsigned line, const char *what)
{
	(void)file;
	(void)line;
	*(size_t *)ctx += strlen(what) > 0;
}

static void plan_of(const struct manager_config *config, const char *agent)
{
	struct manager_plan plan;
	struct err err = {0};
	struct buf buf;

	buf_init(&buf, MANAGER_PLAN_MAX);
	if (manager_config_plan(config, agent, NULL, 0, &buf, &err) == 0) {
		if (manager_plan_decode(&plan, buf.data, buf.len, &err) != 0)
			abort();
		manager_plan_free(&plan);
	} else if (err.code != ERR_LIMIT) {
		abort();
	}
	buf_fini(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *name = "fuzz.conf", *texts[] = {text};
	struct manager_config *config;
	struct err err = {0};
	size_t problems = 0;

	if (text == NULL || hash_crypto_init(&err) != 0)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	switch (manager_config_parse(&config, &name, texts, 1, on_problem, &problems, &err)) {
	case 0:
		if (problems != 0)
			abort();
		plan_of(config, "web1");
		plan_of(config, "lap-1");
		manager_config_free(config);
		break;
	case 1:
		if (problems == 0)
			abort();
		break;
	default:
		break;
	}
	free(text);
	return 0;
}
