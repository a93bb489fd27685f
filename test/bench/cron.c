/* How long cron_next takes: the median over many starting times, for ordinary schedules and for
 * those that look years ahead. Fails above the limits that cron/ promises: 2 microseconds, 50 for
 * leap days. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cron/cron.h"
#include "lib/err.h"
#include "lib/tz.h"

#define SAMPLES 2001
#define BATCH   64 /* calls a sample */

static const struct {
	const char *expr;
	int limit_ns;
} cases[] = {
	{"* * * * *", 2000},
	{"*/5 * * * *", 2000},
	{"30 2 * * *", 2000},
	{"0 0 * * *", 2000},
	{"0 22 * * 1-5", 2000},
	{"15 3 1,15 * 5", 2000},
	{"5-59/20 8-18 * * mon-fri", 2000},
	{"0 4 1 * *", 2000},
	{"0 0 */2 * */3", 2000},
	{"0 0 1 1 *", 2000},
	{"0 0 31 12 *", 2000},
	{"0 0 29 2 *", 50000},
	{"0 0 29 2 */7", 50000},
	{"*/10 3 29 2 */2", 50000},
};
static const char *const zones[] = {
	"UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Starting times are spread over 2020 to 2050. */
static double median_ns(const struct cron *cron, const struct tz *tz, double *worst)
{
	static double ns[SAMPLES];
	static volatile int64_t sink;
	int64_t t, from = 1577836800, start;
	int i, j;

	for (i = 0; i < SAMPLES; i++) {
		start = now_ns();
		for (j = 0; j < BATCH; j++) {
			from = 1577836800 + (from * 7919 + 104729) % 946684800;
			if (cron_next(cron, tz, from, &t) == 0)
				sink = t;
		}
		ns[i] = (double)(now_ns() - start) / BATCH;
	}
	(void)sink;
	qsort(ns, SAMPLES, sizeof *ns, by_value);
	*worst = ns[SAMPLES * 99 / 100];
	return ns[SAMPLES / 2];
}

int main(void)
{
	struct err err = {0};
	struct cron cron;
	struct tz *tz;
	size_t z, c;
	double ns, p99;
	int status = 0;

	printf("%-22s %-28s %10s %10s\n", "zone", "schedule", "median ns", "99 % ns");
	for (z = 0; z < sizeof zones / sizeof *zones; z++) {
		if (tz_load(zones[z], &tz, &err) != 0) {
			fprintf(stderr, "%s\n", err.message);
			return 1;
		}
		for (c = 0; c < sizeof cases / sizeof *cases; c++) {
			if (cron_parse(&cron, cases[c].expr, NULL, NULL, &err) != 0) {
				fprintf(stderr, "%s\n", err.message);
				return 1;
			}
			ns = median_ns(&cron, tz, &p99);
			printf("%-22s %-28s %10.0f %10.0f%s\n", zones[z], cases[c].expr, ns, p99,
				ns > cases[c].limit_ns ? "  TOO SLOW" : "");
			status |= ns > cases[c].limit_ns;
		}
		tz_free(tz);
	}
	return status;
}
